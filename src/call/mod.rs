//! Calls of devices: from the INVITE, or from an invitation into a meeting, to the record.
//!
//! Events of SIP, media and the meeting flow in; SIP commands, prompts, messages for the meeting, the record and log lines flow out.
//! [`Calls`] gives each call a task, which owns one machine, `Call` (K-1 to K-6, M-1, M-9, M-18, S-5, S-9, S-10, N-3). `inbound` and `router`
//! decide whom we answer, `outbound`, `invitation` and `invite_limits` whom we call. `machine` with `messages`, `settings` and `offer_answer` is
//! the call; `answering` to `setup` are its beginning, `established` to `chat_readout` its course. `task`, `effects` and `port` perform its acts.

mod answering;
mod calls;
mod chat_readout;
mod early_media;
mod effects;
mod established;
mod failures;
mod history;
mod in_dialog_requests;
mod inbound;
mod inbox;
mod invitation;
mod invite_limits;
mod keys;
mod log;
mod machine;
mod media_refusal;
mod messages;
mod name_lookup;
mod offer_answer;
mod opening;
mod outbound;
mod outbound_effects;
mod peer_policies;
mod permits;
mod port;
mod record;
mod registry;
mod ringing;
pub mod router;
mod settings;
mod setup;
mod shared;
mod sms_opt_in;
mod sms_opt_in_stage;
mod spoken_refusals;
mod srtp_policies;
mod task;
#[cfg(test)]
mod tests;
mod view;

pub use calls::Calls;
pub use failures::Failure;
pub use history::EndedCall;
pub use invitation::{Invitation, OutboundProgress, PROGRESS};
pub use media_refusal::MediaRefusal;
pub use offer_answer::{OfferAnswer, RemoteMedia, profile};
pub use peer_policies::PeerPolicies;
pub use registry::{CallEntry, CallStage};
pub use settings::{CallsSettings, RuntimeConfig};
pub use srtp_policies::{ListenerPolicy, SrtpPolicies};
pub use view::CallsView;
