//! What the device says by SIP once the call is up: new offers, texts, requests for what it may not do, and its end (S-5, C-1, M-12, M-18).

use std::time::Instant;

use super::established::{EstablishedCall, EstablishedPhase};
use super::invitation::OutboundProgress;
use super::media_refusal::MediaRefusal;
use super::messages::CallAct;
use crate::common::cause::Cause;
use crate::common::phrase::Phrase;
use crate::common::redact::Redacted;
use crate::media::Profile;
use crate::meeting::FromGuest;
use crate::menu::{DigitMeans, KeyPress};
use crate::sip;

impl EstablishedCall {
    pub(super) fn sip_event(&mut self, now: Instant, event: sip::Event) {
        match event {
            sip::Event::Digit { digit, .. } => self.key(now, KeyPress::new(digit, DigitMeans::Info)),
            sip::Event::Text { message, text, .. } => self.text(now, message, text),
            sip::Event::Offer { sdp, .. } => self.offered(sdp.as_deref()),
            sip::Event::Acked { sdp: Some(sdp), .. } => {
                let answer = self.offer_answer.answered(&sdp);
                self.renegotiated(answer);
            }
            sip::Event::Refreshed { sdp, .. } => {
                let answer = self.offer_answer.refreshed(&sdp);
                self.renegotiated(answer);
            }
            sip::Event::Watch { on, .. } => {
                self.watches = on;
                if self.is_at_meeting() {
                    self.acts.push_back(CallAct::Guest(FromGuest::Watch(on)));
                }
            }
            // M-18: who has no place has none to hand over.
            sip::Event::Refer { device, replaces, .. } => match self.phase {
                EstablishedPhase::Meeting { .. } if self.admitted.is_some() => {
                    self.acts.push_back(CallAct::Transfer { device, replaces })
                }
                _ => self.acts.push_back(CallAct::Sip(sip::Command::ReferAnswered { call: self.settings.call, accepted: false })),
            },
            // M-12: asked by a method or header that an external may not use.
            sip::Event::Refused { .. } if self.is_at_meeting() => self.say(Phrase::NotAllowed),
            sip::Event::Unreachable { .. } => {
                tracing::info!(call = %self.settings.call, "no media, and no answer to OPTIONS");
                self.part(now, Cause::MediaTimeout, true);
            }
            sip::Event::Ended { cause, .. } => self.end(now, cause, true),
            _ => {}
        }
    }

    /// C-1: chat is there for who is inside; nobody floods it from a phone.
    fn text(&mut self, now: Instant, message: u64, text: Redacted<String>) {
        let inside = self.is_at_meeting() && self.admitted.is_some();
        let refusal = match (inside, inside && self.texts.take(now)) {
            (false, _) => Some(Cause::Denied),
            (true, false) => Some(Cause::Busy),
            (true, true) => None,
        };
        if refusal.is_none() {
            self.acts.push_back(CallAct::Guest(FromGuest::Chat { text }));
        }
        self.acts.push_back(CallAct::Sip(sip::Command::TextAnswered { call: self.settings.call, message, refusal }));
    }

    /// M-18: this device stays until the other one stands at the door.
    pub(super) fn transfer(&mut self, now: Instant, step: OutboundProgress) {
        let (call, status) = (self.settings.call, step.status());
        self.acts.push_back(CallAct::Sip(sip::Command::ReferProgress { call, status }));
        if step == OutboundProgress::Knocked {
            self.part(now, Cause::Transferred, true);
        }
    }

    fn offered(&mut self, sdp: Option<&[u8]>) {
        let call = self.settings.call;
        match self.offer_answer.respond(sdp) {
            Ok((sdp, profile)) => {
                self.acts.push_back(CallAct::Sip(sip::Command::Answer { call, sdp }));
                if let Some(profile) = profile {
                    self.renegotiated(Ok(profile));
                }
            }
            Err(refusal) => self.acts.push_back(CallAct::Sip(refusal.command(call))),
        }
    }

    fn renegotiated(&mut self, profile: Result<Profile, MediaRefusal>) {
        match profile {
            Ok(profile) => {
                self.acts.push_back(CallAct::Reprofile(profile));
                if self.is_at_meeting() {
                    self.acts.push_back(CallAct::Guest(FromGuest::Hold(self.offer_answer.on_hold())));
                }
            }
            Err(MediaRefusal { cause, .. }) => {
                tracing::warn!(call = %self.settings.call, %cause, "an answer that does not fit our offer; media stay as they were")
            }
        }
    }
}
