//! What is noted of a call that is over: log, metrics, history, events, and the record that each call leaves (M-16), also one that was
//! never set up.
#![allow(clippy::disallowed_methods, reason = "part of the calls' tasks: it has the clock")]

use std::time::{Instant, SystemTime};

use super::effects::CallEffects;
use super::failures::Failure;
use super::history::EndedCall;
use super::invitation::OutboundProgress;
use super::log::CallLine;
use super::messages::{CallEnd, CallSummary};
use super::registry::OwnCallEntry;
use super::router::RoutedCall;
use super::shared::CallsShared;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName};
use crate::common::machine;
use crate::common::units::unix_millis;
use crate::store::CallRecord;
use crate::telemetry::metrics::Unwritten;

/// What is known of every call.
#[derive(Clone, Copy)]
pub(super) struct RecordedCall<'a> {
    pub(super) call: CallId,
    pub(super) routed: &'a RoutedCall,
    pub(super) began: SystemTime,
}

impl RecordedCall<'_> {
    fn bare(&self, ended: SystemTime, cause: Cause) -> CallRecord {
        CallRecord {
            call: self.call.to_string(),
            phone: self.routed.phone.clone(),
            device: self.routed.device.clone(),
            meeting: None,
            started_at: unix_millis(self.began),
            answered_at: None,
            lobby_at: None,
            admitted_at: None,
            joined_at: None,
            left_at: Some(unix_millis(ended)),
            codec: None,
            encryption: None,
            packets: 0,
            lost: 0,
            jitter_ms: None,
            mos: None,
            notices: 0,
            end_reason: cause.verdict().label.to_owned(),
        }
    }
}

/// Notes the end of a call, once.
pub(super) async fn conclude(mut effects: CallEffects, end: CallEnd) {
    let (cause, meeting) = match &end {
        CallEnd::Announced => return,
        CallEnd::NotSetUp { cause, meeting } => (*cause, meeting.as_ref()),
        CallEnd::Ended(summary) => (summary.cause, summary.meeting.as_ref()),
    };
    log_end(&effects, &end);
    let CallEffects { shared, call, routed, peer, .. } = &effects;
    let device = routed.device.clone();
    shared.note_failure(Failure { call: *call, device, dialled: None, peer: *peer, cause, at: machine::now() });
    shared.raise_ended(*call, meeting, cause);
    effects.report(OutboundProgress::Failed(cause));
    let CallEffects { shared, call, routed, began, entry, .. } = &effects;
    let recorded = RecordedCall { call: *call, routed, began: *began };
    match &end {
        CallEnd::Ended(summary) => {
            note_media(shared, entry.as_ref(), summary);
            of_ended(shared, recorded, summary).await;
        }
        CallEnd::Announced | CallEnd::NotSetUp { .. } => of_failed(shared, recorded, meeting, cause).await,
    }
}

fn log_end(effects: &CallEffects, end: &CallEnd) {
    let (call, routed, log) = (effects.call, &effects.routed, &effects.shared.log);
    match end {
        CallEnd::Announced => {}
        CallEnd::NotSetUp { cause, meeting: Some(meeting) } => {
            tracing::info!(%call, device = %routed.device, %meeting, %cause, "nobody comes");
        }
        CallEnd::NotSetUp { cause, meeting: None } => {
            if let Some(unlogged) = log.line(routed, CallLine::NotSetUp) {
                tracing::info!(%call, %cause, unlogged, "call ended before it began");
            }
        }
        CallEnd::Ended(summary) => {
            if let Some(unlogged) = log.line(routed, CallLine::Ended) {
                tracing::info!(
                    %call,
                    cause = %summary.cause,
                    received = summary.stats.received,
                    sent = summary.stats.sent,
                    lost = summary.stats.lost,
                    unnamed = summary.stats.unnamed,
                    mos = summary.stats.mos,
                    unlogged,
                    "call ended"
                );
            }
        }
    }
}

/// What the media of a call came to, for metrics and history.
fn note_media(shared: &CallsShared, entry: Option<&OwnCallEntry>, summary: &CallSummary) {
    if summary.stats.received > 0 {
        shared.settings.counted.heard(summary.stats.mos, summary.stats.received, summary.stats.lost);
    }
    if let Some(entry) = entry.and_then(OwnCallEntry::read) {
        shared.history.note(EndedCall { entry, cause: summary.cause, stats: summary.stats });
    }
}

/// The record of a call that had media. Strangers who come to no meeting leave a few: they would fill the store.
async fn of_ended(shared: &CallsShared, recorded: RecordedCall<'_>, summary: &CallSummary) {
    if summary.meeting.is_none() && !shared.log.has_record(recorded.routed, true) {
        return;
    }
    let ended = SystemTime::now();
    let at = |instant: Instant| ended.checked_sub(summary.ended.saturating_duration_since(instant)).map(unix_millis);
    let heard = summary.stats.received > 0;
    let record = CallRecord {
        meeting: summary.meeting.as_ref().map(ToString::to_string),
        answered_at: at(summary.answered),
        lobby_at: summary.knocked.and_then(at),
        admitted_at: summary.admitted.and_then(at),
        joined_at: summary.joined.and_then(at),
        left_at: at(summary.ended),
        codec: Some(summary.codec.row().name.to_owned()),
        encryption: summary.stats.encryption.map(|encryption| encryption.name().to_owned()),
        packets: summary.stats.received,
        lost: summary.stats.lost,
        jitter_ms: heard.then_some(summary.stats.jitter.as_secs_f64() * 1000.0),
        mos: heard.then_some(f64::from(summary.stats.mos)),
        notices: summary.notices,
        ..recorded.bare(ended, summary.cause)
    };
    write(shared, record).await;
}

/// The record of a call that was refused, given up or went wrong before it had media: of each of somebody we know, of a few of strangers.
/// `meeting`: the one it was called into.
pub(super) async fn of_failed(shared: &CallsShared, recorded: RecordedCall<'_>, meeting: Option<&MeetingName>, cause: Cause) {
    if !shared.log.has_record(recorded.routed, false) {
        return;
    }
    let record = CallRecord { meeting: meeting.map(ToString::to_string), ..recorded.bare(SystemTime::now(), cause) };
    write(shared, record).await;
}

async fn write(shared: &CallsShared, record: CallRecord) {
    let call = record.call.clone();
    if let Err(error) = shared.settings.store.record(record).await {
        shared.settings.counted.unwritten(Unwritten::Record);
        tracing::error!(call, %error, "the call record could not be written");
    }
}
