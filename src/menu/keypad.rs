//! The keypad in a meeting: star commands, their timing, and the organiser's PIN (K-2, K-3).

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::voice_menu::Code;
use super::{BETWEEN_DIGITS, KeyPress, SAME_PRESS, SILENCE, TRIES};
use crate::common::machine::Machine;
use crate::common::redact::Redacted;

/// After `*`, and after each key that follows, a command is waited for this long (K-3).
const AFTER_STAR: Duration = Duration::from_secs(3);

/// What a key sequence is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyBinding {
    /// The keys, explained.
    Help,
    /// Raise or lower the hand.
    Hand,
    /// Mute or unmute.
    Mute,
    /// The organiser's PIN follows.
    Pin,
    /// Leave.
    Leave,
    /// Let everybody in who waits.
    AdmitAll,
    /// The chat by SMS, on or off.
    Chat,
    /// The chat, by text-to-speech.
    Read,
    /// A sequence whose function is not there: it answers "not available" (K-2).
    Reserved,
}

/// Which sequence does what. A table, so that an organisation may have its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    /// What follows the `*`, to its meaning.
    bindings: BTreeMap<String, KeyBinding>,
}

impl Default for Keymap {
    /// The keys of K-2. Reserved: roll call, mute all others, entry and exit sounds, lock.
    fn default() -> Self {
        let known = [
            ("1", KeyBinding::Help),
            ("5", KeyBinding::Hand),
            ("6", KeyBinding::Mute),
            ("8", KeyBinding::Pin),
            ("9", KeyBinding::Leave),
            ("21", KeyBinding::AdmitAll),
            ("3", KeyBinding::Reserved),
            ("4", KeyBinding::Chat),
            ("7", KeyBinding::Read),
            ("22", KeyBinding::Reserved),
            ("23", KeyBinding::Reserved),
            ("24", KeyBinding::Reserved),
        ];
        Self { bindings: known.into_iter().map(|(keys, binding)| (keys.to_owned(), binding)).collect() }
    }
}

impl Keymap {
    /// A table of sequences, each one to four digits without the `*`.
    ///
    /// `None` when a sequence is anything else.
    #[must_use]
    pub fn new(bindings: impl IntoIterator<Item = (String, KeyBinding)>) -> Option<Self> {
        let bindings: BTreeMap<String, KeyBinding> = bindings.into_iter().collect();
        let fits = bindings.keys().all(|keys| (1..=4).contains(&keys.len()) && keys.bytes().all(|b| b.is_ascii_digit()));
        fits.then_some(Self { bindings })
    }

    fn get(&self, keys: &str) -> Option<KeyBinding> {
        self.bindings.get(keys).copied()
    }

    /// Some longer sequence begins with `keys`.
    fn goes_on(&self, keys: &str) -> bool {
        self.bindings.keys().any(|known| known.len() > keys.len() && known.starts_with(keys))
    }
}

/// What happens to a keypad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeypadInput {
    /// A press of a key, of which a [`DigitFilter`](super::DigitFilter) has let one report through (K-3).
    Press(KeyPress),
    /// The device is inside the meeting, or waits for it. A new keypad waits.
    Inside(bool),
    /// Digits are awaited for this long: the next ones, up to `#`, are [`KeyCommand::Digits`]. Star commands work meanwhile.
    Collect(Duration),
    /// The PIN is not looked at any more ([`super::Lockout`]), whether it was right or not.
    LockedOut,
}

/// What a caller wants. The owner speaks the confirmation (K-2) where the policy does not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyCommand {
    /// Explain the keys.
    Help,
    /// Raise or lower the hand.
    ToggleHand,
    /// Mute or unmute.
    ToggleMute,
    /// Leave.
    Leave,
    /// Let everybody in who waits; whether this call may is decided by the policy (M-7).
    AdmitAll,
    /// The chat by SMS, on or off (`*4`).
    Chat,
    /// Read the chat by text-to-speech (`*7`).
    Read,
    /// What was awaited by [`KeypadInput::Collect`]; empty when the time is over.
    Digits(Redacted<String>),
    /// Ask for the PIN; keys go to it until `#`.
    AskPin,
    /// The PIN was right: this call has the organiser's powers (K-2).
    PinAccepted,
    /// The PIN was wrong; count it against the caller.
    PinWrong,
    /// No more tries in this call: at the third wrong one, and at every `*8` after it.
    PinLocked,
    /// The key's function is not there, or not for one who waits.
    NotAvailable,
}

#[derive(Debug)]
enum Entry {
    /// No sequence is open; a digit alone means nothing.
    Rest,
    /// A `*`, and what followed it.
    Star(String),
    /// The PIN.
    Pin(Code),
    /// A number or code that was asked for.
    Digits(Code),
}

/// What is to be had in a call beside what always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeypadRights {
    /// Chat by SMS.
    pub chat: bool,
    /// A text-to-speech voice for the chat.
    pub speech: bool,
}

/// The keypad of one call. Waiting, it offers help, leaving and the PIN (an organiser may be at the phone), and with the PIN accepted also
/// admitting: of others, since a call never lets itself in.
#[derive(Debug)]
pub struct Keypad {
    keymap: Keymap,
    pin: Option<Redacted<String>>,
    has: KeypadRights,
    inside: bool,
    accepted: bool,
    wrong: u8,
    entry: Entry,
    /// The last command's keys, and when.
    last: Option<(String, Instant)>,
    deadline: Option<Instant>,
    /// Until when digits are awaited that need no `*`.
    collects: Option<Instant>,
    /// Bounded by what one input can cause: three, a PIN closed by time and a command.
    outputs: VecDeque<KeyCommand>,
}

impl Keypad {
    /// A keypad with this table; without a PIN its key is not available, nor is a key for what there is not.
    #[must_use]
    pub fn new(keymap: Keymap, pin: Option<Redacted<String>>, has: KeypadRights) -> Self {
        Self {
            keymap,
            pin,
            has,
            inside: false,
            accepted: false,
            wrong: 0,
            entry: Entry::Rest,
            last: None,
            deadline: None,
            collects: None,
            outputs: VecDeque::new(),
        }
    }

    fn press(&mut self, now: Instant, digit: char) {
        match (std::mem::replace(&mut self.entry, Entry::Rest), digit) {
            (_, '*') => {
                self.entry = Entry::Star(String::new());
                self.deadline = now.checked_add(AFTER_STAR);
            }
            (Entry::Star(mut keys), digit) if digit.is_ascii_digit() => {
                keys.push(digit);
                self.sequence(now, keys);
            }
            // `#` ends a sequence at once, where a longer one was still possible.
            (Entry::Star(keys), '#') => self.close(now, &keys),
            (Entry::Pin(mut code), digit) if digit.is_ascii_digit() => {
                code.push(digit);
                self.entry = Entry::Pin(code);
                self.deadline = now.checked_add(BETWEEN_DIGITS);
            }
            (Entry::Pin(code), '#') => self.submit(&code),
            (Entry::Digits(mut code), digit) if digit.is_ascii_digit() => {
                code.push(digit);
                self.entry = Entry::Digits(code);
                self.deadline = now.checked_add(BETWEEN_DIGITS);
            }
            (Entry::Digits(code), '#') => self.collected(code),
            (Entry::Rest, digit) if digit.is_ascii_digit() && self.collects.is_some() => {
                let mut code = Code::default();
                code.push(digit);
                self.entry = Entry::Digits(code);
                self.deadline = now.checked_add(BETWEEN_DIGITS);
            }
            (open, _) => self.entry = open,
        }
    }

    /// The longest match wins: a sequence that can go on is waited for.
    fn sequence(&mut self, now: Instant, keys: String) {
        if self.keymap.goes_on(&keys) {
            self.entry = Entry::Star(keys);
            self.deadline = now.checked_add(AFTER_STAR);
        } else {
            self.close(now, &keys);
        }
    }

    fn close(&mut self, now: Instant, keys: &str) {
        self.deadline = None;
        match self.keymap.get(keys) {
            Some(binding) => self.command(now, keys, binding),
            // A lone `*` was a slip.
            None if keys.is_empty() => {}
            None => self.outputs.push_back(KeyCommand::NotAvailable),
        }
    }

    fn command(&mut self, now: Instant, keys: &str, binding: KeyBinding) {
        let last = self.last.replace((keys.to_owned(), now));
        let repeated = last.is_some_and(|(last, at)| last == keys && now.saturating_duration_since(at) < SAME_PRESS);
        let command = match binding {
            KeyBinding::Help => KeyCommand::Help,
            KeyBinding::Leave => KeyCommand::Leave,
            KeyBinding::Pin => self.open_pin(now),
            KeyBinding::AdmitAll if self.inside || self.accepted => KeyCommand::AdmitAll,
            KeyBinding::Chat if self.inside && self.has.chat => KeyCommand::Chat,
            KeyBinding::Read if self.inside && self.has.speech => KeyCommand::Read,
            KeyBinding::Hand if self.inside => KeyCommand::ToggleHand,
            KeyBinding::Mute if self.inside => KeyCommand::ToggleMute,
            KeyBinding::AdmitAll
            | KeyBinding::Chat
            | KeyBinding::Read
            | KeyBinding::Hand
            | KeyBinding::Mute
            | KeyBinding::Reserved => KeyCommand::NotAvailable,
        };
        if !repeated {
            // Whatever was awaited for it before is asked for anew.
            self.collects = self.collects.filter(|_| command != KeyCommand::Chat);
            self.outputs.push_back(command);
        }
    }

    fn open_pin(&mut self, now: Instant) -> KeyCommand {
        if self.pin.is_none() {
            return KeyCommand::NotAvailable;
        }
        if self.accepted {
            return KeyCommand::PinAccepted;
        }
        if self.wrong >= TRIES {
            return KeyCommand::PinLocked;
        }
        self.entry = Entry::Pin(Code::default());
        // The question is spoken first, so the first digit has longer than those that follow.
        self.deadline = now.checked_add(SILENCE);
        KeyCommand::AskPin
    }

    /// What was awaited is there; more digits than any number has are none.
    fn collected(&mut self, code: Code) {
        (self.deadline, self.collects) = (None, None);
        self.outputs.push_back(KeyCommand::Digits(if code.too_long { Redacted::default() } else { code.digits }));
    }

    fn submit(&mut self, code: &Code) {
        self.deadline = None;
        if code.is_empty() {
            return;
        }
        if self.pin.as_ref().is_some_and(|pin| code.is(pin)) {
            self.accepted = true;
            self.outputs.push_back(KeyCommand::PinAccepted);
            return;
        }
        self.wrong = self.wrong.saturating_add(1);
        self.outputs.push_back(KeyCommand::PinWrong);
        if self.wrong >= TRIES {
            self.outputs.push_back(KeyCommand::PinLocked);
        }
    }
}

impl Machine for Keypad {
    type Input = KeypadInput;
    type Output = KeyCommand;

    fn handle(&mut self, now: Instant, input: KeypadInput) {
        self.wake(now);
        match input {
            KeypadInput::Press(press) => self.press(now, press.digit()),
            KeypadInput::Inside(inside) => self.inside = inside,
            KeypadInput::Collect(within) => self.collects = now.checked_add(within),
            KeypadInput::LockedOut => {
                (self.accepted, self.wrong) = (false, TRIES);
                self.outputs.push_back(KeyCommand::PinLocked);
            }
        }
    }

    fn wake(&mut self, now: Instant) {
        if self.deadline.is_some_and(|at| at <= now) {
            self.deadline = None;
            match std::mem::replace(&mut self.entry, Entry::Rest) {
                Entry::Rest => {}
                Entry::Star(keys) => self.close(now, &keys),
                Entry::Pin(code) => self.submit(&code),
                Entry::Digits(code) => self.collected(code),
            }
        }
        if self.collects.is_some_and(|at| at <= now) && !matches!(self.entry, Entry::Digits(_)) {
            self.collects = None;
            self.outputs.push_back(KeyCommand::Digits(Redacted::default()));
        }
    }

    fn poll(&mut self) -> Option<KeyCommand> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        // While digits are keyed in, the time between them counts.
        let collects = self.collects.filter(|_| !matches!(self.entry, Entry::Digits(_)));
        [self.deadline, collects].into_iter().flatten().min()
    }
}
