//! Calls of devices: from the INVITE, or from an invitation into a meeting, to the record.
//!
//! SIP events, media events, the meeting's messages and what the operator wants flow in; SIP commands, things to play, messages for the
//! meeting, the record and log lines flow out. [`Calls`] gives each call a task, which owns one machine, `Call`, and performs its acts.
//! Keeps K-1 to K-6, M-1, M-9, M-18, S-5, S-9, S-10 and N-3's way from a notice to its proof.
//!
//! | subject | files |
//! |---|---|
//! | which task a SIP event goes to; what others may ask of all calls | `calls`, `inbox`, `view`, `shared` |
//! | whom we answer; whom we call | `inbound`, `router`; `outbound`, `invitation`, `invite_limits` |
//! | the machine, with its inputs and acts | `machine`, `messages`, `settings`, `offer_answer` |
//! | its set-up | `answering`, `ringing`, `opening`, `early_media`, `setup` |
//! | menu, meeting and the end | `established`, `dialog`, `keys`, `sms_opt_in`, `chat_readout` |
//! | its task, and how it performs acts; what is kept of calls | `task`, `effects`, `outbound_effects`, `port`; `registry`, `history`, `failures`, `record`, `log` |

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

mod dtmf_policies;
mod invitation;
mod invite_limits;
mod keys;
mod log;
mod machine;
mod messages;
mod offer_answer;
mod opening;
mod outbound;
mod outbound_effects;
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
mod srtp_policies;
mod task;
#[cfg(test)]
mod tests;
mod view;

pub use calls::Calls;
pub use dtmf_policies::DtmfPolicies;
pub use failures::Failure;
pub use history::EndedCall;
pub use invitation::{Invitation, OutboundProgress, PROGRESS};
pub use offer_answer::{OfferAnswer, RemoteMedia, profile};
pub use registry::{CallEntry, CallStage};
pub use settings::{CallsSettings, RuntimeConfig};
pub use srtp_policies::{ListenerPolicy, SrtpPolicies};
pub use view::CallsView;
