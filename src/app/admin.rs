//! What the API asks of calls and the store, answered.

use std::sync::Arc;
use std::time::Duration;

use super::reload::Reloader;
use super::{created_meetings, ledger};
use crate::call::{CallEntry, CallsView, EndedCall};
use crate::common::cause::Cause;
use crate::common::ids::CallId;
use crate::http::admin::{
    AdminHandles, BoxedAnswer, CallAdmin, CallDetails, CallMedia, CallView, LadderStep, RecordAdmin, ReloadAdmin,
};
use crate::media::PortStats;
use crate::sip;
use crate::store;

/// A worker that has not answered by then is busy with sound, which matters more.
const FIGURES: Duration = Duration::from_secs(1);

pub(super) fn admin(calls: CallsView, sip: &sip::Handle, store: &store::StoreHandle, reloader: &Arc<Reloader>) -> AdminHandles {
    let meetings = Arc::new(created_meetings::CreatedMeetingAdmin(Arc::clone(reloader)));
    AdminHandles {
        meetings,
        reload: reload(reloader),
        calls: Arc::new(CallsDesk { calls, sip: sip.clone() }),
        records: records(store),
        ledger: Arc::new(ledger::LedgerReader(store.clone())),
    }
}

fn reload(reloader: &Arc<Reloader>) -> ReloadAdmin {
    let reloader = Arc::clone(reloader);
    Arc::new(move || {
        let reloader = Arc::clone(&reloader);
        Box::pin(async move {
            let changes = reloader.reload().await;
            let changes = changes.map(|changes| changes.into_iter().map(|change| change.key).collect());
            changes.map_err(|problems| problems.iter().map(ToString::to_string).collect())
        })
    })
}

fn records(store: &store::StoreHandle) -> RecordAdmin {
    let store = store.clone();
    Arc::new(move |query| {
        let store = store.clone();
        Box::pin(async move { store.records(query).await.map_err(Into::into) })
    })
}

struct CallsDesk {
    calls: CallsView,
    sip: sip::Handle,
}

impl CallAdmin for CallsDesk {
    fn calls(&self) -> Vec<CallView> {
        self.calls.entries().into_iter().map(view).collect()
    }

    fn call(&self, call: CallId) -> BoxedAnswer<Option<CallDetails>> {
        let (up, ended, sip) = (self.calls.entry(call), self.calls.ended(call), self.sip.clone());
        Box::pin(async move {
            let ladder = async { sip.ladder(call).await.into_iter().map(step).collect() };
            match (up, ended) {
                (Some(line), _) => {
                    let media = figures(&line).await;
                    Some(CallDetails { call: view(line), media, end_reason: None, ladder: Some(ladder.await) })
                }
                (None, Some(EndedCall { entry, cause, stats })) => Some(CallDetails {
                    call: CallView { state: "over".to_owned(), ..view(entry) },
                    media: Some(media(&stats, None)),
                    end_reason: Some(cause.verdict().label.to_owned()),
                    ladder: Some(ladder.await),
                }),
                (None, None) => None,
            }
        })
    }

    fn device_of(&self, call: CallId) -> Option<String> {
        self.calls.entry(call).or_else(|| self.calls.ended(call).map(|ended| ended.entry)).map(|line| line.device)
    }

    fn hang_up(&self, call: CallId, cause: Cause) -> bool {
        self.calls.hang_up(call, cause)
    }
}

async fn figures(line: &CallEntry) -> Option<CallMedia> {
    let (stats, profile) = tokio::time::timeout(FIGURES, line.port.as_ref()?.stats()).await.ok()??;
    Some(media(&stats, Some(profile.ptime)))
}

fn media(stats: &PortStats, ptime: Option<Duration>) -> CallMedia {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    CallMedia {
        ptime_ms: ptime.map(millis),
        received: stats.received,
        sent: stats.sent,
        lost: stats.lost,
        refused: stats.refused,
        jitter_ms: stats.jitter.as_secs_f64() * 1000.0,
        concealed_ms: millis(stats.concealed),
        round_trip_ms: stats.round_trip.map(|time| time.as_secs_f64() * 1000.0),
        mos: (stats.received > 0).then_some(stats.mos),
    }
}

fn step(line: sip::LadderLine) -> LadderStep {
    LadderStep {
        at_ms: u64::try_from(line.at.as_millis()).unwrap_or(u64::MAX),
        inbound: line.inbound,
        transport: line.transport.as_str().to_owned(),
        summary: line.summary,
        content: line.content,
    }
}

fn view(line: CallEntry) -> CallView {
    CallView {
        call: line.call.to_string(),
        device: Some(line.device),
        name: line.name,
        source: Some(line.source.to_string()),
        from: None,
        transport: Some(line.transport.as_str().to_owned()),
        state: crate::status::word(&line.stage),
        meeting: line.meeting.map(|name| name.to_string()),
        participant: line.participant.map(|who| who.to_string()),
        admitted: line.admitted,
        codec: line.codec.map(ToOwned::to_owned),
        seconds: line.began.elapsed().as_secs(),
    }
}
