//! Readers by text (C-2, M-7): whoever texts the join code of a device waits until one who may admit has confirmed it; whoever is removed
//! leaves a join code behind that is worth nothing.

use std::time::{Duration, Instant};

use subtle::ConstantTimeEq;

use super::subscription::{DIGITS, State, around};
use super::{DailyNeed, OptInMeans, PEOPLE, PhoneNumber, ReaderId, Relay, RelayOutput, SmsReader};
use crate::common::ids::ParticipantId;
use crate::common::redact::Redacted;

/// People around one device who wait to be confirmed; more are told nothing.
const PENDING: usize = 20;
/// How long they wait.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(15 * 60);

impl Relay {
    /// A join code that no other device has.
    pub(super) fn draw_join_code(&mut self) -> Redacted<String> {
        loop {
            let code = self.draw();
            if self.devices.values().all(|device| *device.join_code.expose() != *code.expose()) {
                return code;
            }
        }
    }

    /// The device whose join code a text is, with a word before it or not. Who has tried too many wrong ones is not listened to: the text
    /// is one like any other, and so is a code of nobody.
    pub(super) fn joined_by(&mut self, now: Instant, from: &PhoneNumber, text: &str) -> Option<ParticipantId> {
        let mut words = text.split_whitespace().rev();
        let code = words.next().filter(|_| words.count() <= 1)?;
        let is_code = code.len() == DIGITS && code.bytes().all(|byte| byte.is_ascii_digit());
        if !is_code || !self.inbound.wrong_joins.wait(now, from).is_zero() {
            return None;
        }
        let mut found = None;
        for (participant, device) in &self.devices {
            if bool::from(device.join_code.expose().as_bytes().ct_eq(code.as_bytes())) {
                found = Some(*participant);
            }
        }
        if found.is_none() {
            self.inbound.wrong_joins.take(now, from.clone());
        }
        found
    }

    /// Somebody has texted a device's join code. They are told once that it has to be confirmed.
    pub(super) fn join(&mut self, now: Instant, participant: ParticipantId, number: &PhoneNumber) {
        let key = (participant, number.clone());
        let known = self.subscriptions.get(&key).map(|known| &known.state);
        // C-2: START alone lifts a STOP.
        let waits = matches!(known, Some(State::Pending { .. } | State::Proving | State::On));
        if waits || self.inbound.stopped.contains(number) || !self.settings.prefixes.allow(number) {
            return;
        }
        let (mut people, mut pending) = (0, 0);
        for (_, one) in self.subscriptions.range(around(participant)) {
            match one.state {
                State::Pending { .. } => pending += 1,
                State::Proving | State::On => people += 1,
                State::Asked { .. } | State::Off => {}
            }
        }
        if people >= PEOPLE || pending >= PENDING {
            if self.inbound.crowded.admit(now).is_some() {
                tracing::warn!(%participant, people, pending, "a join code is not taken: too many people around one device");
            }
            return;
        }
        let subscription = self.subscription(now, OptInMeans::Sms, State::Pending { until: now + CONFIRMED_WITHIN });
        self.subscriptions.insert(key, subscription);
        self.show(participant);
        let name = self.devices.get(&participant).map(|device| device.name.clone()).unwrap_or_default();
        let text = format!(
            "{}: somebody in the meeting that {name} is in has to confirm that you get its chat. STOP ends it.",
            self.settings.organisation
        );
        self.send(now, Some(participant), number.clone(), &text, DailyNeed::Wanted);
    }

    fn reader(&self, participant: ParticipantId, reader: ReaderId) -> Option<PhoneNumber> {
        let mut all = self.subscriptions.range(around(participant));
        all.find(|(_, one)| one.id == reader).map(|((_, number), _)| number.clone())
    }

    /// M-7: one who may admit has said yes.
    pub(super) fn confirm(&mut self, participant: ParticipantId, reader: ReaderId) {
        let Some(number) = self.reader(participant, reader) else { return };
        let Some(known) = self.subscriptions.get_mut(&(participant, number.clone())) else { return };
        if matches!(known.state, State::Pending { .. }) {
            known.state = State::Proving;
            self.prove(participant, number, OptInMeans::Sms);
        }
    }

    /// One who may admit has said no: whoever knows the join code by it knows one that is void.
    pub(super) fn remove(&mut self, now: Instant, participant: ParticipantId, reader: ReaderId) {
        let Some(number) = self.reader(participant, reader) else { return };
        let Some(removed) = self.subscriptions.remove(&(participant, number.clone())) else { return };
        tracing::info!(%participant, %number, "a reader by SMS was removed, and the join code with it");
        self.outputs.push_back(RelayOutput::Forget { participant, number: Some(number.clone()) });
        if self.is_keyed(participant, &number) {
            self.outputs.push_back(RelayOutput::Ended { participant });
        }
        let join = self.draw_join_code();
        if let Some(device) = self.devices.get_mut(&participant) {
            device.join_code = join;
            device.keyed.take_if(|keyed| *keyed == number);
        }
        self.show(participant);
        if removed.is_on() {
            let text = format!("{}: you were taken off the chat of the meeting; it ends here.", self.settings.organisation);
            self.send(now, Some(participant), number, &text, DailyNeed::Owed);
        }
    }

    /// Whom nobody has confirmed in time waits no longer, and may text the code again.
    pub(super) fn lapse(&mut self, now: Instant) {
        let late = |state: &State| matches!(state, State::Pending { until } if *until <= now);
        let participants: Vec<ParticipantId> =
            self.subscriptions.iter().filter(|(_, one)| late(&one.state)).map(|((participant, _), _)| *participant).collect();
        self.subscriptions.retain(|_, one| !late(&one.state));
        for participant in participants {
            self.show(participant);
        }
    }

    /// Shows how people around a device get the chat and who does, if that has changed.
    pub(super) fn show(&mut self, participant: ParticipantId) {
        let readers: Vec<SmsReader> =
            self.subscriptions.range(around(participant)).filter_map(|((_, number), one)| one.reader(number)).collect();
        let Some(device) = self.devices.get_mut(&participant) else { return };
        let shown = (device.join_code.clone(), readers);
        if device.shown.as_ref() != Some(&shown) {
            device.shown = Some(shown.clone());
            let (code, readers) = shown;
            self.outputs.push_back(RelayOutput::Readers { participant, code, readers });
        }
    }
}
