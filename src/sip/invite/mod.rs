//! The INVITE usage of dialogs: [`InviteSession`], one call, and [`InviteSessions`], all of them by dialog.
//!
//! A session has two sides: `server_side` answers the peer, `client_side` takes its answers; `state` is what they share. Parts with a
//! clock or a count of their own are files beside them.

mod acceptance;
mod capacity;
mod client_side;
mod early_dialogs;
mod info;
mod invitation;
mod live_calls;
mod offer_answer;
mod outbox;
mod reliable;
mod replaces;
mod server_side;
mod session;
mod session_timer;
mod sessions;
mod state;
mod text;
mod transfer;

pub(in crate::sip) use capacity::CallCapacity;
pub(crate) use info::info_digit;
pub(in crate::sip) use invitation::{Invitation, invite};
pub(in crate::sip) use session::{InviteSession, SessionInput};
pub use session_timer::SessionTimers;
pub(in crate::sip) use sessions::{InviteSessions, OutgoingCall, SessionNews};
pub(in crate::sip) use state::Phase;
pub(in crate::sip) use text::not_inside;
pub(in crate::sip) use transfer::refer_target;
