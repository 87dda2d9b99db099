//! Who gets messages at all (C-2): by the device's keys and a code that is texted, or by [texting the device's join code](super::joining);
//! until STOP, `*4` or the end of the device's presence.

use std::time::Instant;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::subscription::{DIGITS, PresentDevice, State, Subscription};
use super::{CODE_LIVES, CODES_PER_PRESENCE, DailyNeed, OptInMeans, PhoneNumber, Relay, RelayAnswer, RelayOutput, TRIES};
use crate::common::ids::ParticipantId;
use crate::common::redact::Redacted;

impl Relay {
    pub(super) fn entered(&mut self, participant: ParticipantId, device: PresentDevice) {
        if self.devices.contains_key(&participant) {
            return;
        }
        let join_code = self.draw_join_code();
        self.devices.insert(participant, PresentDevice { join_code, ..device });
        self.show(participant);
    }

    /// The subscription of the number that was keyed in.
    fn keyed(&mut self, participant: ParticipantId) -> Option<(PhoneNumber, &mut Subscription)> {
        let number = self.devices.get(&participant)?.keyed.clone()?;
        let subscription = self.subscriptions.get_mut(&(participant, number.clone()))?;
        Some((number, subscription))
    }

    pub(super) fn ask(&mut self, now: Instant, participant: ParticipantId, number: PhoneNumber) {
        if self.keyed(participant).is_some_and(|(_, known)| matches!(known.state, State::Proving | State::On)) {
            return self.tell(participant, RelayAnswer::Trouble);
        }
        // The device is not inside (any more), or was never.
        let Some(device) = self.devices.get_mut(&participant) else { return self.tell(participant, RelayAnswer::Trouble) };
        let earlier = device.keyed.replace(number.clone()).map(|earlier| (participant, earlier));
        if let Some(state) = self.subscriptions.get(&(participant, number.clone())).map(|known| &known.state)
            && matches!(state, State::On)
        {
            // Its holder has texted the join code before.
            return self.tell(participant, RelayAnswer::On);
        }
        if let Some(earlier) = earlier {
            self.subscriptions.remove(&earlier);
            self.show(participant);
        }
        if !self.may_ask(now, participant, &number) {
            return self.tell(participant, RelayAnswer::TooMany);
        }
        let code = self.draw();
        let text = format!(
            "{} is your code for the chat of {}. Do not know what this is? Then ignore it.",
            code.expose(),
            self.settings.organisation
        );
        // The code itself is no message of a meeting: it leaves the allowance for those alone.
        let state = State::Asked { code, until: now + CODE_LIVES, wrong: 0 };
        let subscription = self.subscription(now, OptInMeans::Keypad, state);
        self.subscriptions.insert((participant, number.clone()), subscription);
        self.show(participant);
        let sent = self.send(now, Some(participant), number.clone(), &text, DailyNeed::Wanted);
        if let Some(RelayOutput::Send(message)) = self.outputs.back_mut().filter(|_| sent) {
            message.lives = CODE_LIVES;
        }
        self.tell(participant, if sent { RelayAnswer::CodeSent(number) } else { RelayAnswer::TooMany });
    }

    /// Whether a code may be texted to a number (C-2): not to one that may not be written to, or whose holder has said STOP, which only
    /// its holder can undo; and not too often at a device, in a meeting, or to a number.
    fn may_ask(&mut self, now: Instant, participant: ParticipantId, number: &PhoneNumber) -> bool {
        let Some(device) = self.devices.get_mut(&participant) else { return false };
        let welcome = self.settings.prefixes.allow(number) && !self.inbound.stopped.contains(number);
        if !welcome || device.codes >= CODES_PER_PRESENCE {
            return false;
        }
        // What is refused for one reason spends nothing of another's.
        let meeting = device.meeting.clone();
        let has = self.codes_in.wait(now, &meeting).is_zero() && self.codes_of.wait(now, number).is_zero();
        if has {
            self.codes_in.take(now, meeting);
            self.codes_of.take(now, number.clone());
            device.codes += 1;
        }
        has
    }

    /// Eight digits that nobody can guess from earlier ones.
    pub(super) fn draw(&mut self) -> Redacted<String> {
        self.drawn += 1;
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(self.settings.secret.expose()).expect("HMAC takes a key of any length");
        mac.update(&self.drawn.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        Redacted::new(format!("{:0DIGITS$}", number % 100_000_000))
    }

    pub(super) fn code(&mut self, now: Instant, participant: ParticipantId, given: &Redacted<String>) {
        let Some((number, subscription)) = self.keyed(participant) else { return self.tell(participant, RelayAnswer::CodeGone) };
        let State::Asked { code, until, wrong } = &mut subscription.state else {
            return self.tell(participant, RelayAnswer::CodeGone);
        };
        if *until <= now {
            subscription.state = State::Off;
            return self.tell(participant, RelayAnswer::CodeGone);
        }
        if bool::from(given.expose().as_bytes().ct_eq(code.expose().as_bytes())) {
            subscription.state = State::Proving;
            return self.prove(participant, number, OptInMeans::Keypad);
        }
        *wrong += 1;
        let told = if *wrong >= TRIES { RelayAnswer::CodeGone } else { RelayAnswer::CodeWrong };
        if told == RelayAnswer::CodeGone {
            subscription.state = State::Off;
        }
        self.tell(participant, told);
    }

    pub(super) fn prove(&mut self, participant: ParticipantId, number: PhoneNumber, means: OptInMeans) {
        let Some(PresentDevice { call, label, .. }) = self.devices.get(&participant) else { return };
        let (call, device) = (*call, label.clone());
        self.outputs.push_back(RelayOutput::Keep { participant, call, device, number, means });
    }

    pub(super) fn kept(&mut self, now: Instant, participant: ParticipantId, number: PhoneNumber, kept: bool) {
        // The device may have left while its proof was written.
        let subscription = self.subscriptions.get_mut(&(participant, number.clone()));
        let Some(subscription) = subscription.filter(|known| matches!(known.state, State::Proving)) else { return };
        subscription.state = if kept { State::On } else { State::Off };
        match (subscription.means, kept) {
            (OptInMeans::Keypad, true) => self.tell(participant, RelayAnswer::On),
            (OptInMeans::Keypad, false) => self.tell(participant, RelayAnswer::Trouble),
            (OptInMeans::Sms, true) => {
                let name = self.devices.get(&participant).map(|device| device.name.clone()).unwrap_or_default();
                let organisation = &self.settings.organisation;
                let text = format!(
                    "{organisation}: you get the chat of the meeting that {name} is in. What you answer goes to it. STOP ends it."
                );
                self.send(now, Some(participant), number, &text, DailyNeed::Wanted);
            }
            // Nobody at the device has asked; whoever has texts again.
            (OptInMeans::Sms, false) => drop(self.subscriptions.remove(&(participant, number))),
        }
        self.show(participant);
    }

    pub(super) fn stop(&mut self, participant: ParticipantId) {
        if let Some(number) = self.devices.get(&participant).and_then(|device| device.keyed.clone()) {
            self.silence(participant, &number);
        }
        self.tell(participant, RelayAnswer::Off);
    }

    /// Nothing more is sent to one of the people around a device, not even what waits.
    pub(super) fn silence(&mut self, participant: ParticipantId, number: &PhoneNumber) {
        if let Some(subscription) = self.subscriptions.get_mut(&(participant, number.clone())) {
            subscription.state = State::Off;
            subscription.held = None;
            self.outputs.push_back(RelayOutput::Forget { participant, number: Some(number.clone()) });
            self.show(participant);
        }
    }

    /// Ends with the device's presence: what waits is dropped, and one message says that nothing follows (C-7).
    pub(super) fn left(&mut self, now: Instant, participant: ParticipantId) {
        let Some(device) = self.devices.remove(&participant) else { return };
        self.outputs.push_back(RelayOutput::Forget { participant, number: None });
        let mut told = Vec::new();
        self.subscriptions.retain(|(of, number), subscription| {
            if *of == participant && subscription.is_on() {
                told.push(number.clone());
            }
            *of != participant
        });
        let text = format!("{}: you are no longer in the meeting; its chat ends here.", self.settings.organisation);
        for number in told {
            self.send_for(now, (None, Some(device.meeting.clone())), number, &text, DailyNeed::Owed);
        }
    }

    /// Whether `*4` of a device stands for this number.
    pub(super) fn is_keyed(&self, participant: ParticipantId, number: &PhoneNumber) -> bool {
        self.devices.get(&participant).is_some_and(|device| device.keyed.as_ref() == Some(number))
    }
}
