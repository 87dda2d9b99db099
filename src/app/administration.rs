//! [`DaemonAdministration`]: answers what pages and API ask of the running parts.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::device_calls::{self, DeviceInvitation};
use super::meeting_directory::MeetingDirectory;
use super::reload::Reloader;
use crate::call::{CallEntry, CallsView, EndedCall};
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName};
use crate::common::redact::Redacted;
use crate::config::Settings;
use crate::http::{
    Administration, CallDetails, CallMedia, CallView, CallableDevice, Contact, LadderStep, LedgerReport, NewMeeting,
    NewMeetingError, QueryError,
};
use crate::meeting::{By, MeetingRefusal};
use crate::relay::SubscriptionLine;
use crate::relay::driver::{OutboxSurvey, RelayHandle};
use crate::relay::provider::{WebhookAnswer, WebhookCall};
use crate::sip;
use crate::status::{Census, Sources, metrics};
use crate::store::{self, ChatCopyLine, Deletion, LedgerQuery, LedgerRow, RecordQuery, RecordRow};
use crate::telemetry::metrics::Counted;

/// A worker that has not answered by then is busy with audio, which matters more.
const MEDIA_ANSWERS: Duration = Duration::from_secs(1);

/// Handles of the running parts.
pub(super) struct DaemonAdministration {
    pub(super) calls: CallsView,
    pub(super) sip: sip::Handle,
    pub(super) store: store::StoreHandle,
    /// Chat by SMS, where a provider is configured.
    pub(super) relay: Option<RelayHandle>,
    /// The name of that provider in the configuration.
    pub(super) sms_provider: Option<String>,
    pub(super) meetings: Arc<MeetingDirectory>,
    pub(super) reloader: Arc<Reloader>,
    /// The configuration in force.
    pub(super) settings: watch::Receiver<Arc<Settings>>,
    pub(super) status: Sources,
    pub(super) counted: Counted,
}

impl DaemonAdministration {
    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }

    async fn ladder(&self, call: CallId) -> Vec<LadderStep> {
        self.sip.ladder(call).await.into_iter().map(LadderStep::from).collect()
    }

    async fn running_call(&self, entry: CallEntry) -> CallDetails {
        let media = media(&entry).await;
        let ladder = self.ladder(entry.call).await;
        CallDetails { call: entry.into(), media, end_reason: None, ladder: Some(ladder) }
    }

    async fn ended_call(&self, ended: EndedCall) -> CallDetails {
        let EndedCall { entry, cause, stats } = ended;
        let ladder = self.ladder(entry.call).await;
        CallDetails {
            call: CallView { state: "over".to_owned(), ..entry.into() },
            media: Some(CallMedia::new(&stats, None)),
            end_reason: Some(cause.verdict().label.to_owned()),
            ladder: Some(ladder),
        }
    }
}

/// The figures of a call's audio so far; `None`: it has none yet.
async fn media(entry: &CallEntry) -> Option<CallMedia> {
    let (stats, profile) = tokio::time::timeout(MEDIA_ANSWERS, entry.port.as_ref()?.stats()).await.ok()??;
    Some(CallMedia::new(&stats, Some(profile.ptime)))
}

impl Administration for DaemonAdministration {
    fn status(&self) -> BoxFuture<'_, serde_json::Value> {
        Box::pin(async { serde_json::to_value(self.status.gather().await).unwrap_or_default() })
    }

    fn metrics(&self) -> BoxFuture<'_, String> {
        Box::pin(async { metrics::text(Census::of(&self.status).await, &self.counted) })
    }

    fn reload(&self) -> BoxFuture<'_, Result<Vec<String>, Vec<String>>> {
        Box::pin(async {
            let changes = self.reloader.reload().await;
            let changes = changes.map(|changes| changes.into_iter().map(|change| change.key).collect());
            changes.map_err(|problems| problems.iter().map(ToString::to_string).collect())
        })
    }

    fn lift_block<'a>(&'a self, name: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let unlocked = self.calls.lift(name);
            self.sip.lift(name).await || unlocked
        })
    }

    fn calls(&self) -> Vec<CallView> {
        self.calls.entries().into_iter().map(CallView::from).collect()
    }

    fn call(&self, call: CallId) -> BoxFuture<'_, Option<CallDetails>> {
        Box::pin(async move {
            match (self.calls.entry(call), self.calls.ended(call)) {
                (Some(entry), _) => Some(self.running_call(entry).await),
                (None, Some(ended)) => Some(self.ended_call(ended).await),
                (None, None) => None,
            }
        })
    }

    fn device_of(&self, call: CallId) -> Option<String> {
        self.calls.entry(call).or_else(|| self.calls.ended(call).map(|ended| ended.entry)).map(|entry| entry.device)
    }

    fn hang_up(&self, call: CallId, cause: Cause) -> bool {
        self.calls.hang_up(call, cause)
    }

    fn callable_devices(&self) -> BoxFuture<'_, Vec<CallableDevice>> {
        Box::pin(async { device_calls::list(&self.settings(), &self.sip, &self.calls).await })
    }

    fn contacts(&self) -> BoxFuture<'_, Vec<Contact>> {
        Box::pin(async { self.sip.registrations().await.into_iter().flat_map(Contact::of).collect() })
    }

    fn invite(&self, meeting: MeetingName, device: String, by: By) -> Result<CallId, MeetingRefusal> {
        let name = self.settings.borrow().devices.get(&device).map(|device| device.name.clone());
        let name = name.ok_or(MeetingRefusal::NoSuchDevice)?;
        let registry = self.meetings.registry().clone();
        device_calls::invite(&self.calls, registry, DeviceInvitation { meeting, device, name, by })
    }

    fn check_sync<'a>(&'a self, device: &'a str) -> BoxFuture<'a, Result<(), MeetingRefusal>> {
        Box::pin(async move { device_calls::check_sync(&self.settings(), &self.sip, device).await })
    }

    fn create_meeting(&self, wanted: NewMeeting) -> BoxFuture<'_, Result<u64, NewMeetingError>> {
        Box::pin(self.meetings.create(wanted))
    }

    fn remove_meeting(&self, name: MeetingName) -> BoxFuture<'_, Result<(), NewMeetingError>> {
        Box::pin(self.meetings.remove(name))
    }

    fn meeting_made_at(&self, name: &MeetingName) -> u64 {
        self.meetings.made_at(name)
    }

    fn passcode(&self, name: &MeetingName) -> Option<Redacted<String>> {
        self.meetings.registry().passcode(name)
    }

    fn records(&self, query: RecordQuery) -> BoxFuture<'_, Result<Vec<RecordRow>, QueryError>> {
        Box::pin(async { self.store.records(query).await.map_err(Into::into) })
    }

    fn chat_copies(&self) -> BoxFuture<'_, Result<Vec<ChatCopyLine>, QueryError>> {
        Box::pin(async { self.store.chats().await.map_err(Into::into) })
    }

    fn ledger_lines(&self, query: LedgerQuery) -> BoxFuture<'_, Result<Vec<LedgerRow>, QueryError>> {
        Box::pin(async { self.store.ledger(query).await.map_err(Into::into) })
    }

    fn verify_ledger(&self) -> BoxFuture<'_, LedgerReport> {
        Box::pin(async {
            let verification = self.store.verify_ledger().await;
            LedgerReport::new(&self.store.ledger_status(), &verification)
        })
    }

    fn ledger_head(&self) -> String {
        self.store.ledger_status().head.to_string()
    }

    fn note_deletion(&self, deletion: Deletion) -> BoxFuture<'_, ()> {
        Box::pin(self.store.note_deletion(deletion))
    }

    fn subscriptions(&self) -> BoxFuture<'_, Vec<SubscriptionLine>> {
        Box::pin(async {
            match &self.relay {
                Some(relay) => relay.lines().await,
                None => Vec::new(),
            }
        })
    }

    fn outbox(&self) -> BoxFuture<'_, OutboxSurvey> {
        Box::pin(async {
            match &self.relay {
                Some(relay) => relay.survey().await,
                None => OutboxSurvey::default(),
            }
        })
    }

    fn webhook<'a>(&'a self, provider: &'a str, call: &'a WebhookCall) -> BoxFuture<'a, WebhookAnswer> {
        Box::pin(async move {
            match self.relay.as_ref().filter(|_| self.sms_provider.as_deref() == Some(provider)) {
                Some(relay) => relay.webhook(call).await,
                None => WebhookAnswer::nobody(),
            }
        })
    }
}
