//! [`Relay`]: a meeting's chat and SMS, for the people around one device (C-1 to C-4). Pure; time is an input.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::daily_limits::{DailyLimits, DailyNeed, DailySpending, DailySpent};
use super::inbound_limits::Inbound;
use super::messages::{RelayAnswer, RelayInput, RelayOutput, SmsText, SubscriptionLine};
use super::number::{PhoneNumber, Prefixes};
use super::readers::{OptInMeans, ReaderId};
use super::subscription::{Held, PresentDevice, State, Subscription, around, plain};
use crate::common::display_name;
use crate::common::ids::{MeetingName, ParticipantId};
use crate::common::machine::Machine;
use crate::common::rate_limit::{RateLimit, RateLimiter, TokenBucket};
use crate::common::redact::Redacted;

/// How long a texted code can be keyed in.
pub const CODE_LIVES: Duration = Duration::from_secs(10 * 60);
/// Wrong codes, in all, of one that was texted.
pub const TRIES: u8 = 3;
/// Codes texted to one number: it is nobody's to be pestered by (C-2).
pub const CODES_PER_NUMBER: RateLimit = RateLimit { burst: 3, every: Duration::from_secs(30 * 60) };
/// Codes asked for in one presence of a device.
pub const CODES_PER_PRESENCE: u8 = 5;
/// Codes texted for one meeting: whoever dials around makes no bill, and shuts out nobody elsewhere.
pub const CODES_PER_MEETING: RateLimit = RateLimit { burst: 30, every: Duration::from_secs(60) };
/// Numbers, and meetings, whose codes are told apart.
const NUMBERS: usize = 4096;
/// How long a message is worth sending: what is older tells of a meeting that has gone on.
pub const LIVES: Duration = Duration::from_secs(3600);
/// People around one device who get messages.
pub const PEOPLE: usize = 50;
/// Parts of one message at most; what is longer is shortened.
pub const LONGEST: usize = 4;
/// Parts of a digest at most: an allowance that is spent has to grow for it, and news that come late are worth less.
const DIGEST: usize = 2;
/// Characters of the name before a line (C-3).
const NAME: usize = 20;

/// How the relay behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelaySettings {
    /// The organisation's name, in the words of the relay itself.
    pub organisation: String,
    /// Parts of messages to one number (C-4).
    pub segments: RateLimit,
    /// Our own number: what comes from it is our own.
    pub number: PhoneNumber,
    /// Numbers that begin like this may be written to, and no others (C-2).
    pub prefixes: Prefixes,
    /// Parts of messages in a day (C-2).
    pub daily: DailyLimits,
    /// Answers to who is in no meeting, in a minute; above that they stay without one (C-2).
    pub answers_per_minute: u32,
    /// What codes are drawn from.
    pub secret: Redacted<[u8; 32]>,
}

/// Chat by SMS, of all meetings.
#[derive(Debug)]
pub struct Relay {
    pub(super) settings: RelaySettings,
    /// Devices that are inside a meeting.
    pub(super) devices: BTreeMap<ParticipantId, PresentDevice>,
    /// Of the people around these devices; gone with the device's presence.
    pub(super) subscriptions: BTreeMap<(ParticipantId, PhoneNumber), Subscription>,
    pub(super) codes_of: RateLimiter<PhoneNumber>,
    pub(super) codes_in: RateLimiter<MeetingName>,
    pub(super) drawn: u64,
    readers: u64,
    pub(super) inbound: Inbound,
    spending: DailySpending,
    /// Bounded by what one input can cause: a few, or four for each subscription.
    pub(super) outputs: VecDeque<RelayOutput>,
}

impl Relay {
    /// A relay without subscriptions, that sends nothing to who has said STOP, and goes on with the day's accounts.
    #[must_use]
    pub fn new(now: Instant, settings: RelaySettings, stopped: BTreeSet<PhoneNumber>, spent: DailySpent) -> Self {
        Self {
            spending: DailySpending::new(now, settings.daily, spent),
            inbound: Inbound::new(now, stopped, settings.answers_per_minute),
            settings,
            devices: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            codes_of: RateLimiter::new(CODES_PER_NUMBER, NUMBERS, now),
            codes_in: RateLimiter::new(CODES_PER_MEETING, NUMBERS, now),
            drawn: 0,
            readers: 0,
            outputs: VecDeque::new(),
        }
    }

    /// The subscriptions, the oldest presence first.
    #[must_use]
    pub fn lines(&self) -> Vec<SubscriptionLine> {
        let line = |((participant, number), of): (&(ParticipantId, PhoneNumber), &Subscription)| SubscriptionLine {
            reader: of.id.to_string(),
            call: self.devices.get(participant).map(|device| device.call.to_string()).unwrap_or_default(),
            device: self.devices.get(participant).map(|device| device.label.clone()).unwrap_or_default(),
            number: number.to_string(),
            means: of.means,
            state: of.state.word(),
            segments: of.segments,
            held: of.held.as_ref().map_or(0, |held| held.lines),
        };
        self.subscriptions.iter().map(line).collect()
    }

    /// A new one of the people around a device.
    pub(super) fn subscription(&mut self, now: Instant, means: OptInMeans, state: State) -> Subscription {
        self.readers += 1;
        Subscription {
            id: ReaderId::from_number(self.readers),
            means,
            state,
            budget: TokenBucket::new(self.settings.segments, now),
            held: None,
            segments: 0,
            limited: None,
        }
    }

    /// The devices with this number around them, the oldest presence first.
    pub(super) fn presences_of(&self, number: &PhoneNumber, wanted: impl Fn(&State) -> bool) -> Vec<ParticipantId> {
        let theirs = self.subscriptions.iter().filter(|((_, known), of)| known == number && wanted(&of.state));
        theirs.map(|((participant, _), _)| *participant).collect()
    }

    /// C-4: to everybody within the allowance; who is over it is told later, in one message.
    fn line(&mut self, now: Instant, participant: ParticipantId, line: u64, name: &str, text: &str) {
        let Some(meeting) = self.devices.get(&participant).map(|device| Some(device.meeting.clone())) else { return };
        let (name, text) = (label(name), plain(text));
        let whole = super::segment::fit(&format!("{name}: {text}"), LONGEST);
        let parts = parts(&whole);
        let (mut due, mut limited) = (Vec::new(), Vec::new());
        for ((_, number), subscription) in self.subscriptions.range_mut(around(participant)).filter(|(_, one)| one.is_on()) {
            let affordable = self.spending.has(now, &meeting, parts, DailyNeed::Wanted);
            // What waits is older, and must not be overtaken.
            if subscription.held.is_none() && affordable && subscription.takes(now, parts) {
                self.spending.take(now, &meeting, parts, DailyNeed::Wanted);
                due.push(number.clone());
                continue;
            }
            if !affordable && subscription.limited.replace(self.spending.ends()) != Some(self.spending.ends()) {
                limited.push(number.clone());
            }
            let lines = subscription.held.take().map_or(1, |held| held.lines + 1);
            subscription.held = Some(Held { lines, name: name.clone(), text: Redacted::new(text.clone()) });
        }
        for to in due {
            self.outputs.push_back(RelayOutput::Spent { meeting: meeting.clone(), parts });
            let text = Redacted::new(whole.clone());
            self.outputs.push_back(RelayOutput::Send(SmsText {
                participant: Some(participant),
                to,
                text,
                line: Some(line),
                lives: LIVES,
            }));
        }
        let text =
            format!("{}: no more messages today, as their number is limited. The chat goes on.", self.settings.organisation);
        for number in limited {
            self.send(now, Some(participant), number, &text, DailyNeed::Owed);
        }
    }

    /// N-10: to everybody, whatever was sent before.
    fn notice(&mut self, now: Instant, participant: ParticipantId, text: &str) {
        let text = super::segment::fit(&plain(text), LONGEST);
        let mut due = Vec::new();
        for ((_, number), subscription) in self.subscriptions.range_mut(around(participant)).filter(|(_, one)| one.is_on()) {
            subscription.segments += parts(&text);
            due.push(number.clone());
        }
        for number in due {
            self.send(now, Some(participant), number, &text, DailyNeed::Owed);
        }
    }

    /// Tells of what was held in one message, as soon as the allowance has room for it (C-4).
    fn digest(&mut self, now: Instant) {
        let mut due = Vec::new();
        for ((participant, number), subscription) in &mut self.subscriptions {
            let (Some(held), Some(device)) = (&subscription.held, self.devices.get(participant)) else { continue };
            let last = format!("{}: {}", held.name, held.text.expose());
            let text = if held.lines == 1 { last } else { format!("({} lines left out) {last}", held.lines - 1) };
            let text = super::segment::fit(&text, DIGEST);
            let (meeting, parts) = (Some(device.meeting.clone()), parts(&text));
            if self.spending.has(now, &meeting, parts, DailyNeed::Wanted) && subscription.takes(now, parts) {
                subscription.held = None;
                due.push((*participant, number.clone(), text));
            }
        }
        for (participant, number, text) in due {
            self.send(now, Some(participant), number, &text, DailyNeed::Wanted);
        }
    }

    /// Sends a text of our own, to whom and as much as may be sent (C-2); `false`: it is not.
    pub(super) fn send(
        &mut self,
        now: Instant,
        participant: Option<ParticipantId>,
        to: PhoneNumber,
        text: &str,
        need: DailyNeed,
    ) -> bool {
        let meeting = participant.and_then(|participant| self.devices.get(&participant)).map(|device| device.meeting.clone());
        self.send_for(now, (participant, meeting), to, text, need)
    }

    pub(super) fn send_for(
        &mut self,
        now: Instant,
        (participant, meeting): (Option<ParticipantId>, Option<MeetingName>),
        to: PhoneNumber,
        text: &str,
        need: DailyNeed,
    ) -> bool {
        let parts = parts(text);
        if !self.settings.prefixes.allow(&to) || !self.spending.take(now, &meeting, parts, need) {
            return false;
        }
        self.outputs.push_back(RelayOutput::Spent { meeting, parts });
        let message = SmsText { participant, to, text: Redacted::new(text.to_owned()), line: None, lives: LIVES };
        self.outputs.push_back(RelayOutput::Send(message));
        true
    }

    pub(super) fn tell(&mut self, participant: ParticipantId, told: RelayAnswer) {
        self.outputs.push_back(RelayOutput::Tell { participant, told });
    }
}

fn parts(text: &str) -> u64 {
    super::segment::segments(text).len() as u64
}

/// A name fit to stand before a line (C-3).
fn label(name: &str) -> String {
    let clean = display_name::clean(name, "Someone");
    clean.chars().take(NAME).collect::<String>().trim_end().to_owned()
}

impl Machine for Relay {
    type Input = RelayInput;
    type Output = RelayOutput;

    fn handle(&mut self, now: Instant, input: RelayInput) {
        match input {
            RelayInput::Organisation { name } => self.settings.organisation = name,
            RelayInput::Entered { participant, call, meeting, device, name } => {
                self.entered(participant, PresentDevice::new(call, meeting, device, name));
            }
            RelayInput::Ask { participant, number } => self.ask(now, participant, number),
            RelayInput::Code { participant, code } => self.code(now, participant, &code),
            RelayInput::Confirm { participant, reader } => self.confirm(participant, reader),
            RelayInput::Remove { participant, reader } => self.remove(now, participant, reader),
            RelayInput::Kept { participant, number, kept } => self.kept(now, participant, number, kept),
            RelayInput::Stop { participant } => self.stop(participant),
            RelayInput::Left { participant } => self.left(now, participant),
            RelayInput::Received { id, from, text } => self.received(now, id, &from, text.expose()),
            RelayInput::Notice { participant, text } => self.notice(now, participant, text.expose()),
            RelayInput::Line { participant, line, name, text } => self.line(now, participant, line, name.expose(), text.expose()),
        }
    }

    fn wake(&mut self, now: Instant) {
        self.lapse(now);
        self.digest(now);
    }

    fn poll(&mut self) -> Option<RelayOutput> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        let at = |((participant, _), known): (&(ParticipantId, PhoneNumber), &Subscription)| match known.state {
            State::Pending { until } => Some(until),
            _ => {
                let ready = known.held.as_ref().map(|_| known.budget.ready_at(u32::try_from(DIGEST).unwrap_or(1)))?;
                let meeting = self.devices.get(participant).map(|device| device.meeting.clone());
                let affordable = self.spending.left(&meeting, DailyNeed::Wanted) >= DIGEST as u64;
                Some(if affordable { ready } else { ready.max(self.spending.ends()) })
            }
        };
        self.subscriptions.iter().filter_map(at).min()
    }
}

#[cfg(test)]
mod tests;
