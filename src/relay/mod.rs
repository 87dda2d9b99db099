//! The exchange of a meeting's chat and SMS for the people around one device (C-1 to C-4): who has asked for it and proved it, and what
//! is written to whom.
//!
//! What meetings ask and write flows in; messages to send, proofs to keep and answers flow out. One [`Relay`] serves the
//! whole gateway; [`driver`] runs it. A number gets nothing before its holder has keyed in the code that was texted to it, or has texted
//! the device's join code; and nothing of a meeting in which the device is not: every presence begins with nothing, also with a number that is
//! known (M-18).

mod consent;
mod daily_limits;
pub mod driver;
mod exchange;
mod inbound;
mod inbound_limits;
mod joining;
mod keyword;
mod messages;
mod number;
pub mod outbox;
pub mod provider;
mod readers;
pub mod segment;
pub mod sms;
mod subscription;

use daily_limits::DailyNeed;
pub use daily_limits::{DailyLimits, DailySpent};
pub use exchange::{
    CODE_LIVES, CODES_PER_MEETING, CODES_PER_NUMBER, CODES_PER_PRESENCE, LIVES, LONGEST, PEOPLE, Relay, RelaySettings, TRIES,
};
pub use keyword::Keyword;
pub use messages::{RelayAnswer, RelayInput, RelayOutput, SmsText, SubscriptionLine};
pub use number::{NumberingPlan, PhoneNumber, Prefixes};
pub use readers::{OptInMeans, ReaderId, ReaderState, SmsReader};
