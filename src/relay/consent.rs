//! Who gets messages at all (C-2): by the device's keys and a code that is texted, or by texting the device's join code; until STOP, `*4`
//! or the end of the device's presence.

use std::time::Instant;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{CODE_LIVES, CODES_PER_CALL, Means, Message, Number, Output, PEOPLE, Relay, Room, State, Subscription, TRIES, Told};
use crate::ids::CallId;
use crate::redact::Redacted;

impl Relay {
    pub(super) fn entered(&mut self, call: CallId, device: String, name: String) {
        if self.rooms.contains_key(&call) {
            return;
        }
        let mut join = self.draw();
        while self.rooms.values().any(|room| *room.join.expose() == *join.expose()) {
            join = self.draw();
        }
        self.outputs.push_back(Output::JoinCode { call, code: join.clone() });
        self.rooms.insert(call, Room { device, name, join, keyed: None, codes: 0 });
    }

    /// The subscription of the number that was keyed in.
    fn keyed(&mut self, call: CallId) -> Option<(Number, &mut Subscription)> {
        let number = self.rooms.get(&call)?.keyed.clone()?;
        let subscription = self.subscriptions.get_mut(&(call, number.clone()))?;
        Some((number, subscription))
    }

    pub(super) fn ask(&mut self, now: Instant, call: CallId, number: Number) {
        if self.keyed(call).is_some_and(|(_, known)| matches!(known.state, State::Proving | State::On)) {
            return self.tell(call, Told::Trouble);
        }
        // The device is not inside (any more), or was never.
        let Some(room) = self.rooms.get_mut(&call) else { return self.tell(call, Told::Trouble) };
        let earlier = room.keyed.replace(number.clone()).map(|earlier| (call, earlier));
        if let Some(state) = self.subscriptions.get(&(call, number.clone())).map(|known| &known.state)
            && matches!(state, State::On)
        {
            // Its holder has texted the join code before.
            return self.tell(call, Told::On);
        }
        if let Some(earlier) = earlier {
            self.subscriptions.remove(&earlier);
        }
        // C-2: only its holder can allow messages again.
        if self.inbound.stopped.contains(&number) {
            return self.tell(call, Told::TooMany);
        }
        // The allowance of all is asked first: it must not be spent by who is refused anyway, nor a number's by a full gateway.
        let asked = self.rooms.get(&call).map_or(0, |room| room.codes);
        if asked >= CODES_PER_CALL || !self.codes.has(now) || !self.codes_of.take(now, number.clone()) {
            return self.tell(call, Told::TooMany);
        }
        self.codes.take(now);
        if let Some(room) = self.rooms.get_mut(&call) {
            room.codes += 1;
        }
        let code = self.draw();
        let text = format!(
            "{} is your code for the chat of {}. Do not know what this is? Then ignore it.",
            code.expose(),
            self.settings.organisation
        );
        // The code itself is no message of a meeting: it leaves the allowance for those alone.
        let state = State::Asked { code, until: now + CODE_LIVES, wrong: 0 };
        let subscription = Subscription::new(now, self.settings.segments, Means::Keypad, state);
        self.subscriptions.insert((call, number.clone()), subscription);
        let (to, text) = (number.clone(), Redacted::new(text));
        self.outputs.push_back(Output::Send(Message { call: Some(call), to, text, line: None, lives: CODE_LIVES }));
        self.tell(call, Told::CodeSent(number));
    }

    /// Six digits that nobody can guess from earlier ones.
    fn draw(&mut self) -> Redacted<String> {
        self.drawn += 1;
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(self.settings.secret.expose()).expect("HMAC takes a key of any length");
        mac.update(&self.drawn.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        Redacted::new(format!("{:06}", number % 1_000_000))
    }

    pub(super) fn code(&mut self, now: Instant, call: CallId, given: &Redacted<String>) {
        let Some((number, subscription)) = self.keyed(call) else { return self.tell(call, Told::CodeGone) };
        let State::Asked { code, until, wrong } = &mut subscription.state else { return self.tell(call, Told::CodeGone) };
        if *until <= now {
            subscription.state = State::Off;
            return self.tell(call, Told::CodeGone);
        }
        if bool::from(given.expose().as_bytes().ct_eq(code.expose().as_bytes())) {
            subscription.state = State::Proving;
            return self.prove(call, number, Means::Keypad);
        }
        *wrong += 1;
        let told = if *wrong >= TRIES { Told::CodeGone } else { Told::CodeWrong };
        if told == Told::CodeGone {
            subscription.state = State::Off;
        }
        self.tell(call, told);
    }

    /// The device whose join code this is.
    pub(super) fn joined_by(&self, code: &str) -> Option<CallId> {
        let is = |room: &Room| bool::from(room.join.expose().as_bytes().ct_eq(code.as_bytes()));
        self.rooms.iter().find(|(_, room)| is(room)).map(|(call, _)| *call)
    }

    /// Somebody has texted a device's join code.
    pub(super) fn join(&mut self, now: Instant, call: CallId, number: &Number) {
        let key = (call, number.clone());
        let known = self.subscriptions.get(&key).map(|known| &known.state);
        // C-2: START alone lifts a STOP.
        if self.inbound.stopped.contains(number) || matches!(known, Some(State::Proving | State::On)) {
            return;
        }
        if self.subscriptions.keys().filter(|(of, _)| *of == call).count() >= PEOPLE {
            tracing::warn!(%call, %number, "a join code is not taken: too many people around one device");
            return;
        }
        self.subscriptions.insert(key, Subscription::new(now, self.settings.segments, Means::Sms, State::Proving));
        self.prove(call, number.clone(), Means::Sms);
    }

    fn prove(&mut self, call: CallId, number: Number, means: Means) {
        let device = self.rooms.get(&call).map(|room| room.device.clone()).unwrap_or_default();
        self.outputs.push_back(Output::Keep { call, device, number, means });
    }

    pub(super) fn kept(&mut self, call: CallId, number: Number, kept: bool) {
        // The device may have left while its proof was written.
        let subscription = self.subscriptions.get_mut(&(call, number.clone()));
        let Some(subscription) = subscription.filter(|known| matches!(known.state, State::Proving)) else { return };
        subscription.state = if kept { State::On } else { State::Off };
        match (subscription.means, kept) {
            (Means::Keypad, true) => self.tell(call, Told::On),
            (Means::Keypad, false) => self.tell(call, Told::Trouble),
            (Means::Sms, true) => {
                let name = self.rooms.get(&call).map(|room| room.name.clone()).unwrap_or_default();
                let organisation = &self.settings.organisation;
                let text = format!(
                    "{organisation}: you get the chat of the meeting that {name} is in. What you answer goes to it. STOP ends it."
                );
                self.send(Some(call), number, &text);
            }
            // Nobody at the device has asked; whoever has texts again.
            (Means::Sms, false) => drop(self.subscriptions.remove(&(call, number))),
        }
    }

    pub(super) fn stop(&mut self, call: CallId) {
        if let Some(number) = self.rooms.get(&call).and_then(|room| room.keyed.clone()) {
            self.silence(call, &number);
        }
        self.tell(call, Told::Off);
    }

    /// Nothing more is sent to one of the people around a device, not even what waits.
    pub(super) fn silence(&mut self, call: CallId, number: &Number) {
        if let Some(subscription) = self.subscriptions.get_mut(&(call, number.clone())) {
            subscription.state = State::Off;
            subscription.held = None;
            self.outputs.push_back(Output::Forget { call, number: Some(number.clone()) });
        }
    }

    /// Ends with the device's presence: what waits is dropped, and one message says that nothing follows (C-7).
    pub(super) fn left(&mut self, call: CallId) {
        if self.rooms.remove(&call).is_none() {
            return;
        }
        self.outputs.push_back(Output::Forget { call, number: None });
        let mut told = Vec::new();
        self.subscriptions.retain(|(of, number), subscription| {
            if *of == call && matches!(subscription.state, State::On) {
                told.push(number.clone());
            }
            *of != call
        });
        let text = format!("{}: you are no longer in the meeting; its chat ends here.", self.settings.organisation);
        for number in told {
            self.send(None, number, &text);
        }
    }

    /// Whether a call's `*4` stands for this number.
    pub(super) fn is_keyed(&self, call: CallId, number: &Number) -> bool {
        self.rooms.get(&call).is_some_and(|room| room.keyed.as_ref() == Some(number))
    }
}
