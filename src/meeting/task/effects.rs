//! What the policy decided is done here, in its order: seats and gates on the bridge, words to pages and calls, the recorder.
#![allow(clippy::disallowed_methods, reason = "part of the meeting's task: it has the clock and starts what may be slow")]

use std::time::{Instant, SystemTime};

use super::log_lines::LineCause;
use super::{MeetingAct, MeetingTask};
use crate::common::cause::Cause;
use crate::common::ids::ParticipantId;
use crate::common::machine;
use crate::media::{Gate, MediaEnd};
use crate::meeting::messages::{MeetingRefusal, ToPage};
use crate::meeting::mutes::RunEnd;
use crate::meeting::recording::ActiveRecording;
use crate::meeting::{OfferError, ToGuest};
use crate::policy::{Admission, Capture, CaptureKind, Effect, Fact, Role};

impl MeetingTask {
    pub(super) async fn negotiate(&mut self, who: ParticipantId, sdp: String) -> Result<String, OfferError> {
        if !self.pages.contains_key(&who) {
            return Err(OfferError::NotHere);
        }
        let (peer, answer) = self.bridge.open_peer(sdp, self.heard.clone()).await?;
        let Some(page) = self.pages.get_mut(&who) else { return Err(OfferError::NotHere) };
        let old = page.peer.replace(peer.clone());
        page.consent = true;
        match page.admission.take() {
            Some(admission) => {
                page.seated = true;
                self.bridge.seat_peer(&peer, admission, page.gate).await;
            }
            None if page.seated => {
                if let Some(old) = &old {
                    self.bridge.replace(MediaEnd::Peer(old.id()), MediaEnd::Peer(peer.id())).await;
                }
            }
            None => {}
        }
        if let Some(old) = old {
            old.close().await;
        }
        self.report_alive(machine::now(), who);
        Ok(answer)
    }

    pub(super) async fn perform_effect(&mut self, effect: Effect) {
        let now = machine::now();
        match effect {
            Effect::Seat { who, admission } => self.seat(now, who, admission).await,
            Effect::Unseat { who } => self.unseat(who).await,
            Effect::Gate { who, hear, speak } => self.gate(now, who, Gate { hear, speak }).await,
            Effect::Tell { who, notice, phrases, changes } => {
                let told = changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                tracing::info!(meeting = %self.name, participant = %who, %notice, changes = told, "notice");
                self.tell_guest(now, who, ToGuest::Tell { notice, phrases });
            }
            Effect::Say { who, phrase } => self.tell_guest(now, who, ToGuest::Say(phrase)),
            Effect::Dismiss { who, cause } => self.dismiss(now, who, cause).await,
            Effect::Capture { what, want } => self.capture(now, what, want).await,
            Effect::Ledger(entry) => self.ledger(entry),
            Effect::Alarm { who, what } => {
                self.shared.counted.alarm();
                tracing::error!(meeting = %self.name, participant = %who, alarm = %what, "a notice was not heard as it must be; the microphone is closed");
            }
            Effect::Changed => self.changed(now),
            Effect::AskedToUnmute { by, who } => self.asked_to_unmute(by, who),
            Effect::Refused { by, refusal } => {
                match self.says_of_asker(now, by, LineCause::Refused) {
                    Some(unsaid) => tracing::info!(meeting = %self.name, %by, %refusal, unsaid, "refused"),
                    None => tracing::debug!(meeting = %self.name, %by, %refusal, "refused"),
                }
                self.answer(Err(refusal.into()));
            }
            Effect::Ended { cause } => {
                tracing::info!(meeting = %self.name, %cause, "meeting ended");
                let changes = self.policy.changes();
                self.raise_changes(now, &changes.rows);
                if !self.closing {
                    let ending = if self.asked.is_some() { RunEnd::ForAll } else { RunEnd::Left };
                    let change = self.forget_mutes(ending);
                    self.acts.extend(change.map(MeetingAct::Mute));
                }
                self.over = true;
            }
        }
    }

    async fn seat(&mut self, now: Instant, who: ParticipantId, admission: Admission) {
        if let Some(guest) = self.guests.get(&who) {
            self.bridge.seat_port(&guest.port, admission, Gate::default()).await;
            tracing::info!(meeting = %self.name, participant = %who, "device admitted");
            self.tell_guest(now, who, ToGuest::Seated);
        } else if let Some(page) = self.pages.get_mut(&who) {
            match &page.peer {
                Some(peer) => {
                    page.seated = true;
                    self.bridge.seat_peer(peer, admission, page.gate).await;
                }
                None => page.admission = Some(admission),
            }
            if page.role == Role::External {
                drop(self.shared.store.keep_seat(who.number(), self.name.as_str()).await);
            }
            self.send_chat_so_far(who);
        }
    }

    fn end_of(&self, who: ParticipantId) -> Option<MediaEnd> {
        let guest = self.guests.get(&who).map(|guest| MediaEnd::Port(guest.port.id()));
        guest.or_else(|| self.pages.get(&who)?.peer.as_ref().map(|peer| MediaEnd::Peer(peer.id())))
    }

    async fn unseat(&mut self, who: ParticipantId) {
        if let Some(page) = self.pages.get_mut(&who) {
            page.seated = false;
            page.admission = None;
            // At a stop it is kept for the next run.
            if page.role == Role::External && !self.stopped {
                drop(self.shared.store.give_up_seat(who.number()).await);
                self.forget_seat_mute(who);
            }
        }
        if let Some(end) = self.end_of(who) {
            self.bridge.unseat(end).await;
        }
    }

    async fn gate(&mut self, now: Instant, who: ParticipantId, gate: Gate) {
        if let Some(page) = self.pages.get_mut(&who) {
            page.gate = gate;
        }
        if let Some(end) = self.end_of(who) {
            self.bridge.gate(end, gate).await;
        }
        if (gate.hear || gate.speak)
            && let Some(guest) = self.guests.get_mut(&who)
            && !std::mem::replace(&mut guest.joined, true)
        {
            self.tell_guest(now, who, ToGuest::Joined);
        }
    }

    async fn dismiss(&mut self, now: Instant, who: ParticipantId, cause: Cause) {
        self.goes(who, cause);
        let says = self.says_of(now, who, LineCause::Left);
        // One that was turned away, and has no row, is not denied anew.
        if cause == Cause::Denied && self.raised.knows(who) {
            self.denied(now, who);
        }
        if let Some(page) = self.pages.remove(&who) {
            let reason = match cause {
                Cause::Draining if self.snapshot.outlasts_a_restart(&self.name) => "restarting",
                Cause::Draining => "not-kept",
                cause => cause.verdict().label,
            };
            page.feed.say(ToPage::Ended { reason });
            if let Some(peer) = page.peer {
                peer.close().await;
            }
        } else {
            self.tell_guest(now, who, ToGuest::Dismiss(cause));
            self.guests.remove(&who);
            self.joins.remove(&who);
        }
        self.origins.remove(&who);
        match says {
            Some(unsaid) => tracing::info!(meeting = %self.name, participant = %who, %cause, unsaid, "left"),
            None => tracing::debug!(meeting = %self.name, participant = %who, %cause, "left"),
        }
    }

    async fn capture(&mut self, now: Instant, what: CaptureKind, want: Capture) {
        // Nothing here can transcribe; the policy refuses before it comes to this (N-11).
        if what == CaptureKind::Transcription {
            return;
        }
        let state = match (want, self.recording.take()) {
            (Capture::Off, Some(recording)) => {
                self.finishing = Some(recording.stop(&self.bridge).await);
                Capture::Off
            }
            (Capture::Off, None) => Capture::Off,
            (want, Some(recording)) => {
                self.bridge.pause_recording(want == Capture::Paused).await;
                self.recording = Some(recording);
                want
            }
            (want, None) => {
                let heard = self.heard.clone();
                match ActiveRecording::start(&self.shared.recordings, &self.name, &self.bridge, heard, SystemTime::now()).await {
                    Ok(recording) => {
                        tracing::info!(meeting = %self.name, file = %recording.file().display(), "recording");
                        self.bridge.pause_recording(want == Capture::Paused).await;
                        self.recording = Some(recording);
                        want
                    }
                    Err(error) => {
                        tracing::error!(meeting = %self.name, directory = %self.shared.recordings.display(), %error, "recording cannot be started");
                        self.answer(Err(MeetingRefusal::RecorderFailed));
                        Capture::Off
                    }
                }
            }
        };
        self.fact(now, Fact::CaptureIs { what, state });
    }
}
