//! What the device says by SIP once the call is up: new offers, texts, requests for what it may not do, and its end (S-5, C-1, M-12, M-18).

use std::time::Instant;

use super::{Call, CallAct, OutboundProgress, Phase};
use crate::common::cause::Cause;
use crate::common::phrase::Phrase;
use crate::common::redact::Redacted;
use crate::media::Profile;
use crate::meeting::FromGuest;
use crate::menu::{DigitMeans, KeyPress};
use crate::sip;

impl Call {
    pub(super) fn sip_says(&mut self, now: Instant, event: sip::Event) {
        match event {
            sip::Event::Digit { digit, .. } => self.key(now, KeyPress::new(digit, DigitMeans::Info)),
            sip::Event::Text { message, text, .. } => self.text(now, message, text),
            sip::Event::Offer { sdp, .. } => self.offered(sdp.as_deref()),
            sip::Event::Acked { sdp: Some(sdp), .. } => {
                let heard = self.settings.offer_answer.answered(&sdp);
                self.renegotiated(heard);
            }
            sip::Event::Refreshed { sdp, .. } => {
                let heard = self.settings.offer_answer.refreshed(&sdp);
                self.renegotiated(heard);
            }
            sip::Event::Watch { on, .. } => {
                self.watches = on;
                if matches!(self.phase, Phase::Meeting { .. }) {
                    self.acts.push_back(CallAct::Guest(FromGuest::Watch(on)));
                }
            }
            // M-18: who has no place has none to hand over.
            sip::Event::Refer { device, replaces, .. } => match self.phase {
                Phase::Meeting { .. } if self.admitted.is_some() => self.acts.push_back(CallAct::Transfer { device, replaces }),
                _ => self.acts.push_back(CallAct::Sip(sip::Command::ReferAnswered { call: self.settings.call, accepted: false })),
            },
            sip::Event::Refused { .. } => {
                // M-12: asked by a method or header that an external may not use.
                if matches!(self.phase, Phase::Meeting { .. }) {
                    self.say(Phrase::NotAllowed);
                }
            }
            sip::Event::Ended { cause, .. } => {
                self.peer_gone = true;
                self.part(now, cause, true);
            }
            _ => {}
        }
    }

    /// C-1: chat is there for who is inside; nobody floods it from a phone.
    fn text(&mut self, now: Instant, message: u64, text: Redacted<String>) {
        let inside = matches!(self.phase, Phase::Meeting { .. }) && self.admitted.is_some();
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
        match sdp {
            None => {
                let sdp = self.settings.offer_answer.offer();
                self.acts.push_back(CallAct::Sip(sip::Command::Answer { call, sdp }));
            }
            Some(sdp) => match self.settings.offer_answer.offered(sdp) {
                Ok((profile, answer)) => {
                    self.acts.push_back(CallAct::Sip(sip::Command::Answer { call, sdp: answer }));
                    self.renegotiated(Ok(profile));
                }
                Err(cause) => self.acts.push_back(CallAct::Sip(sip::Command::Reject { call, cause })),
            },
        }
    }

    fn renegotiated(&mut self, profile: Result<Profile, Cause>) {
        match profile {
            Ok(profile) => {
                self.acts.push_back(CallAct::Reprofile(profile));
                if matches!(self.phase, Phase::Meeting { .. }) {
                    self.acts.push_back(CallAct::Guest(FromGuest::Hold(self.settings.offer_answer.on_hold())));
                }
            }
            Err(cause) => {
                tracing::warn!(call = %self.settings.call, %cause, "an answer that does not fit our offer; media stay as they were")
            }
        }
    }
}
