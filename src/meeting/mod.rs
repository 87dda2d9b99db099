//! Live meetings: one task each, which drives the [state](state) of its meeting and performs what that wants done.
//!
//! Pages and calls ask by a [`MeetingHandle`]; what they are told comes by their own bounded queue ([`PageFeed`](page_feed::PageFeed),
//! [`ToGuest`]). A meeting comes to life with its first participant and ends when its policy says so; the [`MeetingRegistry`] finds it by
//! name.

mod guest;
mod handle;
mod join;
mod knock_limits;
pub mod messages;
mod mutes;
pub mod page_feed;
mod recording;
mod registry;
mod request_rate;
mod reserved_names;
pub mod roster;
pub mod service;
mod settings;
mod state;
mod task;
#[cfg(test)]
mod test_double;

pub use guest::{FromGuest, GUEST_QUEUE, Knock, SmsKeyed, ToGuest};
pub use handle::MeetingHandle;
pub use join::{JoinPage, PasscodeProof};
pub use messages::{BETWEEN_RINGS, By, ChatLine, Granted, MeetingRefusal, MeetingRequest, OfferError, Snapshot, ToPage};
pub use mutes::MuteRegistry;
pub use registry::MeetingRegistry;
pub use settings::{MeetingSettings, MeetingsShared};
#[cfg(test)]
pub use test_double::RecordedRequest;
