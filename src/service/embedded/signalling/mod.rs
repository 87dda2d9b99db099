//! The WebSocket of one meeting page.
//!
//! In flow the page's messages, JSON text frames with a `type`; out flow the meeting's messages ([`ToPage`](crate::meeting::ToPage)), changes of its state, and answers
//! to requests. The conversation decides what each message means and when the page has gone, without a socket or a
//! clock; [`serve`] moves bytes for it. Who the page is was settled before, by its session: no message changes that (M-7).
#![allow(clippy::disallowed_methods, reason = "`serve` is a driver: it tells the conversation what time it is")]

mod conversation;
pub mod ice;
mod resume;
mod shown;
mod socket;
mod visitor;

pub use conversation::LARGEST_MESSAGE;
pub use resume::ResumeKey;
#[cfg(test)]
pub(crate) use socket::Frames;
pub(crate) use socket::{PageEffects, heard, serve};
pub use visitor::Visitor;
