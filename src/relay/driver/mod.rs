//! The relay's task: brings what meetings ask and write to the [`Relay`], its messages to the [`Outbox`], and what that has
//! ready to the provider.
#![allow(clippy::disallowed_methods, reason = "a driver: it has the clock and starts what may take time")]

mod messages;
mod rows;
mod task;

pub use messages::{InboundText, LineProgress, OutboxSurvey, Readers, RelayEvent, RelayTotals};
pub use task::{EVENTS, RelayError, RelayEvents, RelayHandle, start};
