//! The exchange of a meeting's chat and SMS for the people around one device (C-1 to C-4): who has asked for it and proved it, and what
//! is written to whom.
//!
//! Asks of calls and lines of meetings flow in; messages to send, proofs to keep and answers to calls flow out. One [`Relay`] serves the
//! whole gateway; [`driver`] runs it. A number gets nothing before its holder has keyed in the code that was texted to it, and nothing of
//! a meeting in which the device is not: every call begins with nothing, also with a number that is known (M-18).

pub mod driver;
mod inbound;
mod keyword;
mod number;
pub mod outbox;
pub mod parcel;
pub mod provider;
pub mod segment;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use hmac::{Hmac, Mac};
use serde::Serialize;
use sha2::Sha256;
use subtle::ConstantTimeEq;

pub use keyword::Keyword;
pub use number::{Home, Number};

use crate::budget::{Allowance, Budget, Budgets};
use crate::display_name;
use crate::ids::CallId;
use crate::machine::Machine;
use crate::redact::Redacted;

/// How long a texted code can be keyed in.
pub const CODE_LIVES: Duration = Duration::from_secs(10 * 60);
/// Wrong codes, in all, of one that was texted.
pub const TRIES: u8 = 3;
/// Codes texted to one number: it is nobody's to be pestered by (C-2).
pub const CODES_PER_NUMBER: Allowance = Allowance { burst: 3, every: Duration::from_secs(30 * 60) };
/// Codes asked for in one call.
pub const CODES_PER_CALL: u8 = 5;
/// Codes texted altogether: whoever dials around makes no bill.
pub const CODES: Allowance = Allowance { burst: 30, every: Duration::from_secs(60) };
/// Numbers whose codes are told apart; beyond, they share one allowance.
const NUMBERS: usize = 4096;
/// How long a message is worth sending: what is older tells of a meeting that has gone on.
pub const LIVES: Duration = Duration::from_secs(3600);
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
    pub segments: Allowance,
    /// Our own number: what comes from it is our own.
    pub number: Number,
    /// What codes are drawn from.
    pub secret: Redacted<[u8; 32]>,
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The call that it belongs to, and is dropped with while it waits; `None`: an answer of our own.
    pub call: Option<CallId>,
    /// To whom.
    pub to: Number,
    /// At most [`LONGEST`] parts of it.
    pub text: Redacted<String>,
    /// The line of the chat that it brings, for whoever wants to know how far it has come.
    pub line: Option<u64>,
    /// How long it is worth sending.
    pub lives: Duration,
}

/// What is told to the call that asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The code is on its way to this number, which is to be read back.
    CodeSent(Number),
    /// Too many codes were asked for, or the number's holder wants no messages.
    TooMany,
    /// The code was right, the proof is kept: the chat comes by SMS.
    On,
    /// The code was wrong; it can be keyed in again.
    CodeWrong,
    /// No code is awaited (any more): too many tries, or too late.
    CodeGone,
    /// The chat does not come by SMS (any more).
    Off,
    /// Something of ours failed; nothing has changed.
    Trouble,
}

/// What happens to a [`Relay`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Somebody at a device has keyed in a number (`*4`). Answered by [`Output::Tell`].
    Ask {
        /// The call of the device, which is inside a meeting.
        call: CallId,
        /// The device's label, for the proof.
        device: String,
        /// The number.
        number: Number,
    },
    /// Somebody at a device has keyed in a code. Answered by [`Output::Tell`].
    Code {
        /// The call.
        call: CallId,
        /// As keyed in.
        code: Redacted<String>,
    },
    /// The proof of a consent was written, or could not be.
    Kept {
        /// Of this call.
        call: CallId,
        /// It is on the disk.
        kept: bool,
    },
    /// Somebody at a device wants no more messages (`*4`). Answered by [`Output::Tell`].
    Stop {
        /// The call.
        call: CallId,
    },
    /// The device is not in its meeting any more (C-1).
    Left {
        /// The call.
        call: CallId,
    },
    /// Somebody has written to us.
    Received {
        /// The provider's name for the message, where it has one.
        id: Option<String>,
        /// Who.
        from: Number,
        /// What, all parts of it.
        text: Redacted<String>,
    },
    /// A line of the chat in the meeting that this device is in.
    Line {
        /// The call.
        call: CallId,
        /// The line's number in the meeting.
        line: u64,
        /// Who writes.
        name: Redacted<String>,
        /// What.
        text: Redacted<String>,
    },
}

/// What a [`Relay`] wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this.
    Send(Message),
    /// Drop what still waits to be sent for this call (C-7).
    Forget {
        /// The call.
        call: CallId,
    },
    /// Drop what still waits to be sent to this number (C-2).
    Hush {
        /// The number.
        number: Number,
    },
    /// Keep the proof that this number's holder has opted in, then say [`Input::Kept`] (C-2).
    Keep {
        /// The call in which.
        call: CallId,
        /// The device's label.
        device: String,
        /// Who.
        number: Number,
    },
    /// Put this into the chat of the meeting that this call's device is in (C-3).
    Post {
        /// The call.
        call: CallId,
        /// Who has written it.
        by: Number,
        /// What.
        text: Redacted<String>,
    },
    /// Let this call know that its messages were stopped by SMS.
    Ended {
        /// The call.
        call: CallId,
    },
    /// Keep that this number's holder has said STOP or START (C-2).
    Stopped {
        /// Whose.
        number: Number,
        /// Nothing is sent to it.
        stopped: bool,
    },
    /// Answer the call that asked.
    Tell {
        /// The call.
        call: CallId,
        /// What.
        told: Told,
    },
}

/// One subscription, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The call it belongs to, and ends with.
    pub call: String,
    /// The device's label.
    pub device: String,
    /// Masked.
    pub number: String,
    /// How far it has come.
    pub state: &'static str,
    /// Parts of messages sent.
    pub segments: u64,
    /// Lines that wait to be told of in one message (C-4).
    pub held: u64,
}

/// What a subscription can be.
#[derive(Debug)]
enum State {
    /// The code is on its way.
    Asked { code: Redacted<String>, until: Instant, wrong: u8 },
    /// The code was right; the proof is being written.
    Proving,
    /// Lines are relayed.
    On,
    /// It was stopped, or never came to be; counts what was asked for.
    Off,
}

impl State {
    const fn word(&self) -> &'static str {
        match self {
            Self::Asked { .. } => "asked",
            Self::Proving => "proving",
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// Lines over the allowance, to be told of in one message (C-4).
#[derive(Debug)]
struct Held {
    lines: u64,
    name: String,
    text: Redacted<String>,
}

#[derive(Debug)]
struct Subscription {
    device: String,
    number: Number,
    state: State,
    codes: u8,
    budget: Budget,
    held: Option<Held>,
    segments: u64,
}

impl Subscription {
    /// Counts a text against the allowance; `false`: there is no room for all of it.
    fn takes(&mut self, now: Instant, text: &str) -> bool {
        let parts = segment::segments(text).len();
        let taken = self.budget.take_all(now, u32::try_from(parts).unwrap_or(u32::MAX));
        if taken {
            self.segments += parts as u64;
        }
        taken
    }
}

/// Chat by SMS, of all calls.
#[derive(Debug)]
pub struct Relay {
    settings: RelaySettings,
    /// One for each call that has asked; gone with the call.
    subscriptions: BTreeMap<CallId, Subscription>,
    codes_of: Budgets<Number>,
    codes: Budget,
    drawn: u64,
    inbound: inbound::Inbound,
    /// Bounded by what one input can cause: two, or one digest for each subscription.
    outputs: VecDeque<Output>,
}

impl Relay {
    /// A relay without subscriptions, that sends nothing to who has said STOP.
    #[must_use]
    pub fn new(now: Instant, settings: RelaySettings, stopped: BTreeSet<Number>) -> Self {
        Self {
            settings,
            subscriptions: BTreeMap::new(),
            codes_of: Budgets::new(CODES_PER_NUMBER, NUMBERS, now),
            codes: Budget::new(CODES, now),
            drawn: 0,
            inbound: inbound::Inbound::new(now, stopped),
            outputs: VecDeque::new(),
        }
    }

    /// The subscriptions, the oldest call first.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let line = |(call, of): (&CallId, &Subscription)| Line {
            call: call.to_string(),
            device: of.device.clone(),
            number: of.number.to_string(),
            state: of.state.word(),
            segments: of.segments,
            held: of.held.as_ref().map_or(0, |held| held.lines),
        };
        self.subscriptions.iter().map(line).collect()
    }

    fn ask(&mut self, now: Instant, call: CallId, device: String, number: Number) {
        let known = self.subscriptions.get(&call);
        if known.is_some_and(|known| matches!(known.state, State::Proving | State::On)) {
            return self.tell(call, Told::Trouble);
        }
        let (codes, segments) = known.map_or((0, 0), |known| (known.codes, known.segments));
        // C-2: only its holder can allow messages again.
        if self.inbound.stopped.contains(&number) {
            return self.tell(call, Told::TooMany);
        }
        // The allowance of all is asked first: it must not be spent by who is refused anyway, nor a number's by a full gateway.
        if codes >= CODES_PER_CALL || !self.codes.has(now) || !self.codes_of.take(now, number.clone()) {
            return self.tell(call, Told::TooMany);
        }
        self.codes.take(now);
        let code = self.draw();
        let text = format!(
            "{} is your code for the chat of {}. Do not know what this is? Then ignore it.",
            code.expose(),
            self.settings.organisation
        );
        let state = State::Asked { code, until: now + CODE_LIVES, wrong: 0 };
        // The code itself is no message of a meeting: it leaves the allowance for those alone.
        let budget = Budget::new(self.settings.segments, now);
        let subscription = Subscription { device, number: number.clone(), state, codes: codes + 1, budget, held: None, segments };
        self.subscriptions.insert(call, subscription);
        let text = Redacted::new(text);
        let message = Message { call: Some(call), to: number.clone(), text, line: None, lives: CODE_LIVES };
        self.outputs.push_back(Output::Send(message));
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

    fn code(&mut self, now: Instant, call: CallId, given: &Redacted<String>) {
        let Some(subscription) = self.subscriptions.get_mut(&call) else { return self.tell(call, Told::CodeGone) };
        let State::Asked { code, until, wrong } = &mut subscription.state else { return self.tell(call, Told::CodeGone) };
        if *until <= now {
            subscription.state = State::Off;
            return self.tell(call, Told::CodeGone);
        }
        if bool::from(given.expose().as_bytes().ct_eq(code.expose().as_bytes())) {
            subscription.state = State::Proving;
            let (device, number) = (subscription.device.clone(), subscription.number.clone());
            return self.outputs.push_back(Output::Keep { call, device, number });
        }
        *wrong += 1;
        let told = if *wrong >= TRIES { Told::CodeGone } else { Told::CodeWrong };
        if told == Told::CodeGone {
            subscription.state = State::Off;
        }
        self.tell(call, told);
    }

    fn kept(&mut self, call: CallId, kept: bool) {
        // The device may have left while its proof was written.
        let Some(subscription) = self.subscriptions.get_mut(&call).filter(|known| matches!(known.state, State::Proving)) else {
            return;
        };
        subscription.state = if kept { State::On } else { State::Off };
        self.tell(call, if kept { Told::On } else { Told::Trouble });
    }

    fn stop(&mut self, call: CallId) {
        self.silence(call);
        self.tell(call, Told::Off);
    }

    /// Nothing more is sent for this call, not even what waits.
    fn silence(&mut self, call: CallId) {
        if let Some(subscription) = self.subscriptions.get_mut(&call) {
            subscription.state = State::Off;
            subscription.held = None;
            self.outputs.push_back(Output::Forget { call });
        }
    }

    /// The calls with this number, the oldest first.
    fn calls_of(&self, number: &Number, wanted: impl Fn(&State) -> bool) -> Vec<CallId> {
        let theirs = self.subscriptions.iter().filter(|(_, known)| known.number == *number && wanted(&known.state));
        theirs.map(|(call, _)| *call).collect()
    }

    /// Ends with the device's presence: what waits is dropped, and one message says that nothing follows (C-7).
    fn left(&mut self, call: CallId) {
        let Some(subscription) = self.subscriptions.remove(&call) else { return };
        self.outputs.push_back(Output::Forget { call });
        if matches!(subscription.state, State::On) {
            let text = format!("{}: you are no longer in the meeting; its chat ends here.", self.settings.organisation);
            self.send(None, subscription.number, &text);
        }
    }

    fn line(&mut self, now: Instant, call: CallId, line: u64, name: &str, text: &str) {
        let Some(subscription) = self.subscriptions.get_mut(&call).filter(|known| matches!(known.state, State::On)) else {
            return;
        };
        let (name, text) = (label(name), plain(text));
        let message = segment::fit(&format!("{name}: {text}"), LONGEST);
        // What waits is older, and must not be overtaken.
        if subscription.held.is_none() && subscription.takes(now, &message) {
            let to = subscription.number.clone();
            let message = Message { call: Some(call), to, text: Redacted::new(message), line: Some(line), lives: LIVES };
            return self.outputs.push_back(Output::Send(message));
        }
        let lines = subscription.held.take().map_or(1, |held| held.lines + 1);
        subscription.held = Some(Held { lines, name, text: Redacted::new(text) });
    }

    /// Tells of what was held in one message, as soon as the allowance has room for it (C-4).
    fn digest(&mut self, now: Instant) {
        let mut due = Vec::new();
        for (call, subscription) in &mut self.subscriptions {
            let Some(held) = &subscription.held else { continue };
            let last = format!("{}: {}", held.name, held.text.expose());
            let text = if held.lines == 1 { last } else { format!("({} lines left out) {last}", held.lines - 1) };
            let text = segment::fit(&text, DIGEST);
            if subscription.takes(now, &text) {
                subscription.held = None;
                due.push((*call, subscription.number.clone(), text));
            }
        }
        for (call, number, text) in due {
            self.send(Some(call), number, &text);
        }
    }

    fn send(&mut self, call: Option<CallId>, to: Number, text: &str) {
        let message = Message { call, to, text: Redacted::new(text.to_owned()), line: None, lives: LIVES };
        self.outputs.push_back(Output::Send(message));
    }

    fn tell(&mut self, call: CallId, told: Told) {
        self.outputs.push_back(Output::Tell { call, told });
    }
}

/// A name fit to stand before a line (C-3).
fn label(name: &str) -> String {
    let clean = display_name::clean(name, "Someone");
    clean.chars().take(NAME).collect::<String>().trim_end().to_owned()
}

/// A text without what a phone's display could make nothing of (C-9); its lines stay lines.
fn plain(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect::<String>().trim().to_owned()
}

impl Machine for Relay {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Ask { call, device, number } => self.ask(now, call, device, number),
            Input::Code { call, code } => self.code(now, call, &code),
            Input::Kept { call, kept } => self.kept(call, kept),
            Input::Stop { call } => self.stop(call),
            Input::Left { call } => self.left(call),
            Input::Received { id, from, text } => self.received(now, id, &from, text.expose()),
            Input::Line { call, line, name, text } => self.line(now, call, line, name.expose(), text.expose()),
        }
    }

    fn wake(&mut self, now: Instant) {
        self.digest(now);
    }

    fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        let waiting = self.subscriptions.values().filter(|known| known.held.is_some());
        waiting.map(|known| known.budget.ready_at(u32::try_from(DIGEST).unwrap_or(1))).min()
    }
}
