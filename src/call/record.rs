//! The record that each call leaves (M-16), also one that was never set up.
#![allow(clippy::disallowed_methods, reason = "part of the calls' tasks: it has the clock")]

use std::time::{Instant, SystemTime};

use super::CallSummary;
use super::router::RoutedCall;
use super::task::CallsShared;
use crate::codec::CodecKind;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName};
use crate::common::units::unix_millis;
use crate::store::CallRecord;
use crate::telemetry::metrics::Unwritten;

impl CallsShared {
    /// Of a call that had media. Strangers who come to no meeting leave a few: they would fill the store.
    pub(super) async fn record(
        &self,
        (call, guest): (CallId, &RoutedCall),
        began: SystemTime,
        codec: CodecKind,
        summary: &CallSummary,
    ) {
        if summary.meeting.is_none() && !self.lines.has_record(guest, true) {
            return;
        }
        let ended = SystemTime::now();
        let at = |instant: Instant| ended.checked_sub(summary.ended.saturating_duration_since(instant)).map(unix_millis);
        let heard = summary.stats.received > 0;
        self.write(CallRecord {
            meeting: summary.meeting.as_ref().map(ToString::to_string),
            answered_at: at(summary.answered),
            lobby_at: summary.knocked.and_then(at),
            admitted_at: summary.admitted.and_then(at),
            joined_at: summary.joined.and_then(at),
            left_at: at(summary.ended),
            codec: Some(codec.row().name.to_owned()),
            packets: summary.stats.received,
            lost: summary.stats.lost,
            jitter_ms: heard.then_some(summary.stats.jitter.as_secs_f64() * 1000.0),
            mos: heard.then_some(f64::from(summary.stats.mos)),
            notices: summary.notices,
            ..bare((call, guest), began, ended, summary.cause)
        })
        .await;
    }

    /// Of a call that was refused, given up or went wrong before it had media: of each of somebody we know, of a few of strangers. `meeting`:
    /// the one it was called into.
    pub(super) async fn record_failed(
        &self,
        (call, guest): (CallId, &RoutedCall),
        meeting: Option<&MeetingName>,
        began: SystemTime,
        cause: Cause,
    ) {
        if !self.lines.has_record(guest, false) {
            return;
        }
        let record = bare((call, guest), began, SystemTime::now(), cause);
        self.write(CallRecord { meeting: meeting.map(ToString::to_string), ..record }).await;
    }

    async fn write(&self, record: CallRecord) {
        let call = record.call.clone();
        if let Err(error) = self.settings.store.record(record).await {
            self.settings.counted.unwritten(Unwritten::Record);
            tracing::error!(call, %error, "the call record could not be written");
        }
    }
}

/// What is known of every call.
fn bare((call, guest): (CallId, &RoutedCall), began: SystemTime, ended: SystemTime, cause: Cause) -> CallRecord {
    CallRecord {
        call: call.to_string(),
        phone: guest.phone.clone(),
        device: guest.device.clone(),
        meeting: None,
        started_at: unix_millis(began),
        answered_at: None,
        lobby_at: None,
        admitted_at: None,
        joined_at: None,
        left_at: Some(unix_millis(ended)),
        codec: None,
        packets: 0,
        lost: 0,
        jitter_ms: None,
        mos: None,
        notices: 0,
        end_reason: cause.verdict().label.to_owned(),
    }
}
