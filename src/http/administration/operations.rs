//! [`Administration`]: every question and request of the API that a meeting does not answer itself.

use futures_util::future::BoxFuture;

use super::call::{CallDetails, CallView};
use super::created_meeting::{NewMeeting, NewMeetingError};
use super::device::{CallableDevice, Contact};
use super::ledger::LedgerReport;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName};
use crate::common::redact::Redacted;
use crate::meeting::{By, MeetingRefusal};
use crate::relay::SubscriptionLine;
use crate::relay::driver::OutboxSurvey;
use crate::relay::provider::{WebhookAnswer, WebhookCall};
use crate::store::{ChatCopyLine, Deletion, LedgerQuery, LedgerRow, RecordQuery, RecordRow};

/// Why the store did not answer; for the log, never for the client.
pub type QueryError = Box<dyn std::error::Error + Send + Sync>;

/// The rest of the daemon, as pages and API see it. Answers that wait for another task are futures; the others take a look at shared state.
pub trait Administration: Send + Sync {
    // --- The daemon ---

    /// The state of the daemon (U-1): the document whose schema is `Status`.
    fn status(&self) -> BoxFuture<'_, serde_json::Value>;
    /// The text of a scrape in the OpenMetrics format (U-5).
    fn metrics(&self) -> BoxFuture<'_, String>;
    /// Reads the configuration anew and takes it as a whole (O-2): the keys that have changed, or everything that is wrong with it.
    fn reload(&self) -> BoxFuture<'_, Result<Vec<String>, Vec<String>>>;
    /// Ends the block of a source or meeting by its name in `status`; `false` when there is none.
    fn lift_block<'a>(&'a self, name: &'a str) -> BoxFuture<'a, bool>;

    // --- Calls ---

    /// The calls that are up, the oldest first.
    fn calls(&self) -> Vec<CallView>;
    /// One call that is up, or ended a short while ago.
    fn call(&self, call: CallId) -> BoxFuture<'_, Option<CallDetails>>;
    /// The label of the device whose call this is, or was a short while ago.
    fn device_of(&self, call: CallId) -> Option<String>;
    /// Ends a call; `false` when it is not up.
    fn hang_up(&self, call: CallId, cause: Cause) -> bool;

    // --- Devices ---

    /// The configured devices, by name (S-9).
    fn callable_devices(&self) -> BoxFuture<'_, Vec<CallableDevice>>;
    /// The contacts of registered devices (S-3).
    fn contacts(&self) -> BoxFuture<'_, Vec<Contact>>;
    /// Calls a device into a meeting (S-9).
    ///
    /// # Errors
    /// There is no such device, it cannot be reached, or it was called too often.
    fn invite(&self, meeting: MeetingName, device: String, by: By) -> Result<CallId, MeetingRefusal>;
    /// Has a device fetch its configuration anew.
    fn check_sync<'a>(&'a self, device: &'a str) -> BoxFuture<'a, Result<(), MeetingRefusal>>;

    // --- Meetings ---

    /// Creates a meeting beside the configured ones, until it is removed or the daemon ends; gives its [`Administration::meeting_made_at`].
    fn create_meeting(&self, wanted: NewMeeting) -> BoxFuture<'_, Result<u64, NewMeetingError>>;
    /// Removes a meeting that the API has made, and ends it if it runs.
    fn remove_meeting(&self, name: MeetingName) -> BoxFuture<'_, Result<(), NewMeetingError>>;
    /// When the API made the meeting of this name, in milliseconds since 1970; 0: it is a configured one, or there is none.
    fn meeting_made_at(&self, name: &MeetingName) -> u64;
    /// The passcode of the meeting of this name, where one is set (K-1).
    fn passcode(&self, name: &MeetingName) -> Option<Redacted<String>>;

    // --- The store ---

    /// Records of calls, the newest first (M-16).
    fn records(&self, query: RecordQuery) -> BoxFuture<'_, Result<Vec<RecordRow>, QueryError>>;
    /// Copies of the chat, without their text (C-8).
    fn chat_copies(&self) -> BoxFuture<'_, Result<Vec<ChatCopyLine>, QueryError>>;
    /// Lines of the ledger, the newest first (N-8).
    fn ledger_lines(&self, query: LedgerQuery) -> BoxFuture<'_, Result<Vec<LedgerRow>, QueryError>>;
    /// Reads the whole ledger and verifies it (N-8).
    fn verify_ledger(&self) -> BoxFuture<'_, LedgerReport>;
    /// The head of the ledger, to be kept elsewhere (N-8).
    fn ledger_head(&self) -> String;
    /// Writes the deletion of a recording into the ledger (N-12).
    fn note_deletion(&self, deletion: Deletion) -> BoxFuture<'_, ()>;

    // --- Chat by SMS ---

    /// Who has the chat sent by SMS; numbers are masked (C-2).
    fn subscriptions(&self) -> BoxFuture<'_, Vec<SubscriptionLine>>;
    /// Messages that are on their way, and counts of what has become of others (C-7).
    fn outbox(&self) -> BoxFuture<'_, OutboxSurvey>;
    /// Hands a provider's request at its webhook to the provider of this name (C-10).
    fn webhook<'a>(&'a self, provider: &'a str, call: &'a WebhookCall) -> BoxFuture<'a, WebhookAnswer>;
}
