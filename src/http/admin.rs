//! What the API asks of the rest of the daemon. The wiring answers it: a call and the server may not use each other.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::QueryError;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName};
use crate::common::redact::Redacted;
use crate::store::{Deletion, LedgerQuery, LedgerRow, RecordQuery, RecordRow};

/// An answer that takes its time.
pub type BoxedAnswer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// One call (U-4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Call)]
pub struct CallView {
    /// Its name in the log.
    pub call: String,
    /// The device's label in the configuration, or `unlisted`, for the operator; for a member that of a configured device which has proven to
    /// be it (M-1).
    pub device: Option<String>,
    /// The device's display name; for a member as the meeting shows it.
    pub name: String,
    /// Address and port of its SIP; for the operator.
    pub source: Option<String>,
    /// Of any other caller, its address with the masked number that it says; for a member (M-1).
    pub from: Option<String>,
    /// `UDP`, `TCP` or `TLS`; for a member once it was let in.
    pub transport: Option<String>,
    /// `calling`, `answering`, `menu`, `waiting`, `in`, `leaving` or `over`.
    pub state: String,
    /// The meeting it came to.
    pub meeting: Option<String>,
    /// Its row there.
    pub participant: Option<String>,
    /// It was let into the meeting.
    pub admitted: bool,
    /// By its SDP name; for a member once it was let in.
    pub codec: Option<String>,
    /// Since the INVITE.
    pub seconds: u64,
}

/// One call with its figures.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CallDetails {
    /// What lists tell as well.
    #[serde(flatten)]
    pub call: CallView,
    /// Its media; `null` before there is any, and for a member before it was let in.
    pub media: Option<CallMedia>,
    /// Why it ended, once it is over.
    pub end_reason: Option<String>,
    /// Its last SIP messages, masked, the oldest first; for the operator.
    pub ladder: Option<Vec<LadderStep>>,
}

/// The sound of one call so far, as it comes from the device unless said otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CallMedia {
    /// Audio in a packet of ours, in milliseconds; `null` once the call is over.
    pub ptime_ms: Option<u64>,
    /// RTP packets accepted.
    pub received: u64,
    /// RTP packets sent to it.
    pub sent: u64,
    /// Packets that never came, as RFC 3550 counts: negative where duplicates outnumber losses.
    pub lost: i64,
    /// Packets from an address that is not the device's (S-7), or that could not be read.
    pub refused: u64,
    /// Interarrival jitter (RFC 3550 section 6.4.1).
    pub jitter_ms: f64,
    /// Sound that was made up for what was lost.
    pub concealed_ms: u64,
    /// By RTCP; `null` where the device sends none.
    pub round_trip_ms: Option<f64>,
    /// Mean opinion score by the E-model, 1 to 4.5; `null` before anything came.
    pub mos: Option<f32>,
}

/// One SIP message of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LadderStep {
    /// Since the call began.
    pub at_ms: u64,
    /// From the device to us.
    pub inbound: bool,
    /// `UDP`, `TCP` or `TLS`.
    pub transport: String,
    /// Method or status, and CSeq.
    pub summary: String,
    /// Its lines, in which numbers, names, codes, keys and texts are masked; empty once there was no more room.
    pub content: String,
}

/// Knows the calls.
pub trait CallAdmin: Send + Sync {
    /// Those that are up, the oldest first.
    fn calls(&self) -> Vec<CallView>;
    /// One that is up or was a short while ago.
    fn call(&self, call: CallId) -> BoxedAnswer<Option<CallDetails>>;
    /// The label of the device whose call this is, or was a short while ago.
    fn device_of(&self, call: CallId) -> Option<String>;
    /// Ends one; `false` when it is not there (any more).
    fn hang_up(&self, call: CallId, cause: Cause) -> bool;
}

/// Whether the ledger holds together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LedgerVerification)]
pub struct LedgerReport {
    /// It does, as far as can be told without heads from elsewhere.
    pub whole: bool,
    /// When it was read (RFC 3339).
    pub verified_at: String,
    /// Count, hash of the newest line, and key of its epoch: to be kept elsewhere.
    pub head: String,
    /// Lines; up to the break, where there is one.
    pub lines: u64,
    /// The first line that does not fit.
    pub breaks_at: Option<u64>,
    /// What is wrong, for people.
    pub fault: Option<String>,
    /// Lines that wait in memory, because the disk does not take them.
    pub waiting: usize,
}

/// Knows the ledger (N-8).
pub trait LedgerAdmin: Send + Sync {
    /// The newest lines that are meant.
    fn lines(&self, query: LedgerQuery) -> BoxedAnswer<Result<Vec<LedgerRow>, QueryError>>;
    /// Reads all of it.
    fn verify(&self) -> BoxedAnswer<LedgerReport>;
    /// Its end, to be kept elsewhere.
    fn head(&self) -> String;
    /// A recording was deleted.
    fn deleted(&self, deletion: Deletion) -> BoxedAnswer<()>;
}

/// Looks records of calls up (M-16).
pub type RecordAdmin = Arc<dyn Fn(RecordQuery) -> BoxedAnswer<Result<Vec<RecordRow>, QueryError>> + Send + Sync>;

/// Has the configuration read anew (O-2): the keys that have changed, or everything that is wrong with it.
pub type ReloadAdmin = Arc<dyn Fn() -> BoxedAnswer<Result<Vec<String>, Vec<String>>> + Send + Sync>;

/// A meeting that shall be made.
#[derive(Debug, Clone)]
pub struct NewMeeting {
    /// Its name.
    pub id: MeetingName,
    /// For people; `None`: its name.
    pub title: Option<String>,
    /// Digits to key in or dial.
    pub conference_id: Option<String>,
    /// Digits asked of callers.
    pub passcode: Option<Redacted<String>>,
}

/// Why a meeting is not made or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewMeetingError {
    /// Its name or number means something already: what.
    Taken(String),
    /// Too many were made.
    Full,
    /// It is part of the configuration.
    Configured,
    /// There is none of this name.
    Unknown,
}

/// Changes which meetings there are.
pub trait MeetingAdmin: Send + Sync {
    /// Makes a meeting beside the configured ones, until it is removed or the daemon ends; gives what [`MeetingAdmin::made_at`] says of it.
    fn create(&self, wanted: NewMeeting) -> BoxedAnswer<Result<u64, NewMeetingError>>;
    /// When the meeting of this name was made, in milliseconds since 1970; 0: it is a configured one, or none.
    fn made_at(&self, name: &MeetingName) -> u64;
    /// The passcode of the meeting of this name, where one is set.
    fn passcode(&self, name: &MeetingName) -> Option<Redacted<String>>;
    /// Removes one that was made, and ends it if it runs.
    fn remove(&self, name: MeetingName) -> BoxedAnswer<Result<(), NewMeetingError>>;
}

/// All that is answered elsewhere.
#[derive(Clone)]
pub struct AdminHandles {
    /// The configuration.
    pub reload: ReloadAdmin,
    /// Calls.
    pub calls: Arc<dyn CallAdmin>,
    /// Records of calls.
    pub records: RecordAdmin,
    /// The ledger.
    pub ledger: Arc<dyn LedgerAdmin>,
    /// Which meetings there are.
    pub meetings: Arc<dyn MeetingAdmin>,
}
