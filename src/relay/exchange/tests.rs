use super::*;
use crate::common::ids::CallId;
use crate::relay::subscription::DIGITS;
use crate::relay::{ReaderState, SmsReader, segment};

const ROOM: ParticipantId = ParticipantId::from_number(1);
const OTHER: ParticipantId = ParticipantId::from_number(2);

fn start() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    Instant::now()
}

fn number(last: u32) -> PhoneNumber {
    PhoneNumber::parse(&format!("+4917155{last:05}")).expect("a number")
}

/// A relay and what came out of it.
struct World {
    relay: Relay,
    now: Instant,
    sent: Vec<(PhoneNumber, String)>,
    told: Vec<RelayAnswer>,
    posted: Vec<(ParticipantId, String)>,
    stopped: Vec<bool>,
    joins: BTreeMap<ParticipantId, String>,
    readers: BTreeMap<ParticipantId, Vec<SmsReader>>,
    /// The disk takes proofs.
    writes: bool,
}

impl World {
    fn new(burst: u32) -> Self {
        Self::with(|settings| settings.segments.burst = burst)
    }

    fn with(change: impl FnOnce(&mut RelaySettings)) -> Self {
        let mut settings = RelaySettings {
            organisation: "Example".to_owned(),
            number: number(99_999),
            prefixes: Prefixes::new(vec!["+49".to_owned()]),
            daily: DailyLimits { meeting: 100_000_000, all: 1_000_000_000 },
            answers_per_minute: 10,
            segments: RateLimit { burst: 10, every: Duration::from_secs(6) },
            secret: Redacted::new([7; 32]),
        };
        change(&mut settings);
        let now = start();
        Self {
            relay: Relay::new(now, settings, BTreeSet::new(), DailySpent::default()),
            now,
            sent: Vec::new(),
            told: Vec::new(),
            posted: Vec::new(),
            stopped: Vec::new(),
            joins: BTreeMap::new(),
            readers: BTreeMap::new(),
            writes: true,
        }
    }

    fn input(&mut self, input: RelayInput) {
        if let RelayInput::Left { participant } = &input {
            self.joins.remove(participant);
        }
        self.relay.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.relay.poll() {
            match output {
                RelayOutput::Send(message) => self.sent.push((message.to, message.text.into_inner())),
                RelayOutput::Tell { told, .. } => self.told.push(told),
                RelayOutput::Post { participant, text, .. } => self.posted.push((participant, text.into_inner())),
                RelayOutput::Stopped { stopped, .. } => self.stopped.push(stopped),
                // What a provider holds is its own; nothing waits here.
                RelayOutput::Forget { .. }
                | RelayOutput::DropNumber { .. }
                | RelayOutput::Ended { .. }
                | RelayOutput::Spent { .. } => {}
                RelayOutput::Readers { participant, code, readers } => {
                    self.joins.insert(participant, code.into_inner());
                    self.readers.insert(participant, readers);
                }
                RelayOutput::Keep { participant, number, .. } => {
                    let kept = self.writes;
                    self.relay.handle(self.now, RelayInput::Kept { participant, number, kept });
                }
            }
        }
    }

    fn after(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        while let Some(due) = self.relay.deadline().filter(|due| *due <= self.now) {
            self.relay.wake(due);
            self.drain();
        }
    }

    fn asks(&mut self, participant: ParticipantId, number: PhoneNumber) {
        if !self.joins.contains_key(&participant) {
            self.enters(participant, "demo", "Board");
        }
        self.input(RelayInput::Ask { participant, number });
    }

    fn enters(&mut self, participant: ParticipantId, meeting: &str, name: &str) {
        let meeting = MeetingName::new(meeting).expect("a name");
        self.input(RelayInput::Entered {
            participant,
            call: CallId::from_number(1),
            meeting,
            device: "board-room".to_owned(),
            name: name.to_owned(),
        });
    }

    /// Somebody texts the join code, and a member says yes.
    fn joins(&mut self, participant: ParticipantId, number: &PhoneNumber) {
        let code = self.joins[&participant].clone();
        self.hears(number, &code);
        self.confirms(participant);
    }

    /// A member says yes to all who wait.
    fn confirms(&mut self, participant: ParticipantId) {
        for reader in self.readers[&participant].clone().into_iter().filter(|one| one.state == ReaderState::Pending) {
            self.input(RelayInput::Confirm { participant, reader: reader.id });
        }
    }

    fn removes(&mut self, participant: ParticipantId, number: &PhoneNumber) {
        let masked = number.to_string();
        let reader = self.readers[&participant].iter().find(|one| one.number == masked).expect("a reader").id;
        self.input(RelayInput::Remove { participant, reader });
    }

    fn keys(&mut self, participant: ParticipantId, code: &str) {
        self.input(RelayInput::Code { participant, code: Redacted::new(code.to_owned()) });
    }

    /// The code in the last message.
    fn code(&self) -> String {
        self.sent.last().expect("a message").1.chars().take(DIGITS).collect()
    }

    fn subscribes(&mut self, participant: ParticipantId, number: PhoneNumber) {
        self.asks(participant, number);
        let code = self.code();
        self.keys(participant, &code);
        assert_eq!(self.told.last(), Some(&RelayAnswer::On));
        self.sent.clear();
    }

    fn writes(&mut self, participant: ParticipantId, name: &str, text: &str) {
        self.input(RelayInput::Line { participant, line: 1, name: name.to_owned().into(), text: text.to_owned().into() });
    }

    fn hears(&mut self, from: &PhoneNumber, text: &str) {
        self.input(RelayInput::Received { id: None, from: from.clone(), text: text.to_owned().into() });
    }

    fn texts(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sent).into_iter().map(|(_, text)| text).collect()
    }
}

/// Nothing of the chat is sent before the texted code is keyed in and proof is kept.
#[test]
fn c2_nothing_of_the_chat_is_sent_before_the_texted_code() {
    let mut world = World::new(10);
    world.writes(ROOM, "Alice", "before anybody asked");
    world.asks(ROOM, number(1));
    assert_eq!(world.told, [RelayAnswer::CodeSent(number(1))]);
    world.writes(ROOM, "Alice", "while the code is on its way");
    let code = world.code();
    assert_eq!(
        world.texts(),
        [format!("{code} is your code for the chat of Example. Do not know what this is? Then ignore it.")]
    );
    world.keys(ROOM, "000000");
    world.writes(ROOM, "Alice", "after a wrong code");
    assert!(world.sent.is_empty());
    world.keys(ROOM, &code);
    assert_eq!(world.told, [RelayAnswer::CodeSent(number(1)), RelayAnswer::CodeWrong, RelayAnswer::On]);
    world.writes(ROOM, "Alice", "now");
    assert_eq!(world.sent, [(number(1), "Alice: now".to_owned())]);
}

#[test]
fn c2_a_consent_that_cannot_be_proved_is_none() {
    let mut world = World::new(10);
    world.writes = false;
    world.asks(ROOM, number(1));
    let code = world.code();
    world.keys(ROOM, &code);
    assert_eq!(world.told.last(), Some(&RelayAnswer::Trouble));
    world.sent.clear();
    world.writes(ROOM, "Alice", "hello");
    assert!(world.sent.is_empty());
}

/// A code has three tries and ten minutes and is good for its own device alone.
#[test]
fn c2_a_code_has_three_tries_and_ten_minutes_and_is_good() {
    let mut world = World::new(10);
    world.asks(ROOM, number(1));
    let code = world.code();
    world.keys(OTHER, &code);
    assert_eq!(world.told.last(), Some(&RelayAnswer::CodeGone));
    for told in [RelayAnswer::CodeWrong, RelayAnswer::CodeWrong, RelayAnswer::CodeGone] {
        world.keys(ROOM, "12");
        assert_eq!(world.told.last(), Some(&told));
    }
    world.keys(ROOM, &code);
    assert_eq!(world.told.last(), Some(&RelayAnswer::CodeGone));
    world.asks(ROOM, number(1));
    let code = world.code();
    world.after(601);
    world.keys(ROOM, &code);
    assert_eq!(world.told.last(), Some(&RelayAnswer::CodeGone));
}

#[test]
fn c2_nobody_is_pestered_with_codes() {
    let mut world = World::new(10);
    for participant in [11, 12, 13, 14] {
        world.asks(ParticipantId::from_number(participant), number(1));
    }
    assert_eq!(world.told.pop(), Some(RelayAnswer::TooMany), "three to one number");
    for n in 2..=6 {
        world.asks(ParticipantId::from_number(9), number(n));
    }
    world.asks(ParticipantId::from_number(9), number(7));
    assert_eq!(world.told.pop(), Some(RelayAnswer::TooMany), "five in one call");
    let codes: BTreeSet<_> = world.sent.iter().map(|(_, text)| text.chars().take(DIGITS).collect::<String>()).collect();
    assert_eq!(codes.len(), world.sent.len(), "no code twice");
    for n in 100..200 {
        world.asks(ParticipantId::from_number(n.into()), number(n));
    }
    assert_eq!(world.sent.len(), 30, "and thirty for one meeting");
    world.enters(OTHER, "other", "Hall");
    world.asks(OTHER, number(300));
    assert_eq!(world.told.pop(), Some(RelayAnswer::CodeSent(number(300))), "which shuts out nobody elsewhere");
}

/// Star 4 again or leaving ends it with one closing message at most.
#[test]
fn c1_star_4_again_or_leaving_ends_it_with_one_closing_message() {
    let mut world = World::new(10);
    world.subscribes(ROOM, number(1));
    world.input(RelayInput::Stop { participant: ROOM });
    assert_eq!(world.told.last(), Some(&RelayAnswer::Off));
    world.writes(ROOM, "Alice", "hello");
    world.input(RelayInput::Left { participant: ROOM });
    assert!(world.sent.is_empty(), "who has stopped it hears nothing more");
    world.subscribes(OTHER, number(2));
    world.input(RelayInput::Left { participant: OTHER });
    world.input(RelayInput::Left { participant: OTHER });
    world.writes(OTHER, "Alice", "hello");
    assert_eq!(world.texts(), ["Example: you are no longer in the meeting; its chat ends here."]);
    world.asks(OTHER, number(2));
    assert_eq!(world.told.last(), Some(&RelayAnswer::CodeSent(number(2))), "a number that is known proves itself anew");
}

#[test]
fn c3_a_line_carries_a_clean_name_of_at_most_20_characters() {
    let mut world = World::new(50);
    world.subscribes(ROOM, number(1));
    world.writes(ROOM, "Ada\u{202E}\n Lovelace", "one\r\ntwo\u{7}");
    world.writes(ROOM, "Maximiliane Freifrau von und zu", "x");
    world.writes(ROOM, "\u{200B}", "x");
    assert_eq!(world.texts(), ["Ada Lovelace: one\ntwo", "Maximiliane Freifrau: x", "Someone: x"]);
}

/// Over the allowance the last line is told with the number of those left out.
#[test]
fn c4_over_the_allowance_the_last_line_is_told_with_the_number() {
    let mut world = World::new(4);
    world.subscribes(ROOM, number(1));
    for n in 0..10 {
        world.writes(ROOM, "Alice", &format!("line {n}"));
    }
    assert_eq!(world.texts(), ["Alice: line 0", "Alice: line 1", "Alice: line 2", "Alice: line 3"]);
    assert_eq!(world.relay.lines()[0].held, 6);
    world.after(12);
    assert_eq!(world.texts(), ["(5 lines left out) Alice: line 9"]);
    world.after(60);
    world.writes(ROOM, "Alice", "later");
    assert_eq!(world.texts(), ["Alice: later"]);
    assert!(world.relay.deadline().is_none());
}

#[test]
fn c4_a_line_of_4000_characters_is_shortened_to_four_parts() {
    let mut world = World::new(4);
    world.subscribes(ROOM, number(1));
    world.writes(ROOM, "Alice", &"word ".repeat(800));
    let text = world.texts().pop().expect("a message");
    assert_eq!(segment::segments(&text).len(), LONGEST);
    assert!(text.ends_with("..."));
}

#[test]
fn c8_neither_texts_nor_numbers_nor_codes_are_printed() {
    let mut world = World::new(4);
    world.asks(ROOM, number(12_345));
    let code = world.code();
    for n in 0..10 {
        world.writes(ROOM, "Alice", &format!("whisper {n}"));
    }
    let text = Redacted::new("whisper".to_owned());
    let message = SmsText { participant: None, to: number(12_345), text, line: None, lives: LIVES };
    let printed = format!("{:?} {:?} {message:?}", world.relay, world.relay.lines());
    assert!(!printed.contains("12345") && !printed.contains(&code) && !printed.contains("whisper"), "{printed}");
}

/// An answer goes into the one meeting in which the device is.
#[test]
fn c5_an_answer_goes_into_the_one_meeting_in_which_the_device() {
    let mut world = World::new(10);
    world.subscribes(ROOM, number(1));
    world.subscribes(OTHER, number(2));
    world.hears(&number(1), " We are late ");
    assert_eq!(world.posted, [(ROOM, "We are late".to_owned())]);
    assert!(world.sent.is_empty());
}

/// Who is at two devices is asked for which one and the text goes there.
#[test]
fn c5_who_is_at_two_devices_is_asked_for_which_one_and_the_text() {
    let mut world = World::new(10);
    world.subscribes(ROOM, number(1));
    world.subscribes(OTHER, number(1));
    world.hears(&number(1), "We are late");
    assert_eq!(world.texts(), ["Which room do you write for? Answer 1 for Board, 2 for Board."]);
    world.hears(&number(1), "3");
    assert!(world.posted.is_empty());
    assert_eq!(world.texts().len(), 1, "asked again");
    world.hears(&number(1), "by ten minutes");
    world.hears(&number(1), "2");
    assert_eq!(world.posted, [(OTHER, "We are late\nby ten minutes".to_owned())]);
}

/// Who is in no meeting gets one answer a day and reaches nobody.
#[test]
fn c5_who_is_in_no_meeting_gets_one_answer_a_day_and_reaches() {
    let mut world = World::new(10);
    world.subscribes(ROOM, number(2));
    for text in ["hello", "anybody?", "I say"] {
        world.hears(&number(1), text);
    }
    assert_eq!(world.texts(), ["Example: you are in no meeting at the moment, so nobody has got your message."]);
    world.after(24 * 3600);
    world.hears(&number(1), "hello again");
    assert_eq!(world.texts().len(), 1);
    assert!(world.posted.is_empty());
}

/// Stop ends it everywhere and only its holder allows messages again.
#[test]
fn c2_stop_ends_it_everywhere_and_only_its_holder_allows() {
    let mut world = World::new(10);
    world.subscribes(ROOM, number(1));
    world.subscribes(OTHER, number(1));
    world.hears(&number(1), "Stop.");
    assert_eq!(world.texts(), ["Example: you will get no more messages. Answer START to allow them again."]);
    for participant in [ROOM, OTHER] {
        world.writes(participant, "Alice", "hello");
        world.input(RelayInput::Left { participant });
    }
    world.hears(&number(1), "hello");
    world.hears(&number(1), "help");
    world.asks(ROOM, number(1));
    assert_eq!(world.told.last(), Some(&RelayAnswer::TooMany), "not even a code");
    assert!(world.sent.is_empty(), "{:?}", world.sent);
    world.hears(&number(1), "START");
    assert_eq!(world.texts().len(), 1);
    assert_eq!(world.stopped, [true, false], "kept over a restart");
    world.subscribes(ROOM, number(1));
}

#[test]
fn c6_loops_are_cut() {
    let mut world = World::new(10);
    world.subscribes(ROOM, number(1));
    world.hears(&number(99_999), "our own number");
    for _ in 0..5 {
        world.hears(&number(1), "Out of office");
    }
    assert_eq!(world.posted.len(), 2, "the third of the same text in a minute is one too many");
    for id in ["m1", "m1", "m2"] {
        let (id, text) = (Some(id.to_owned()), format!("text of {id}").into());
        world.input(RelayInput::Received { id, from: number(1), text });
    }
    assert_eq!(world.posted.len(), 4, "a message that the provider repeats counts once");
    for _ in 0..20 {
        world.hears(&number(1), "help");
    }
    assert_eq!(world.sent.len(), 4, "a machine at the other end is not talked to for ever");
}

/// What must be known is told to everybody around the device whatever the allowance says.
#[test]
fn n10_what_must_be_known_is_told_to_everybody_around() {
    let mut world = World::new(4);
    world.subscribes(ROOM, number(1));
    world.subscribes(OTHER, number(2));
    for n in 0..10 {
        world.writes(ROOM, "Alice", &format!("line {n}"));
    }
    world.sent.clear();
    world.input(RelayInput::Notice { participant: ROOM, text: "This meeting is being recorded.".to_owned().into() });
    assert_eq!(world.sent, [(number(1), "This meeting is being recorded.".to_owned())]);
}

mod joining;
mod limits;
mod storm;

/// Messages speak for the organisation by the name that it has now.
#[test]
fn o2_messages_speak_for_the_organisation_by_the_name() {
    let mut world = World::new(12);
    world.input(RelayInput::Organisation { name: "Other Ltd".to_owned() });
    world.asks(ParticipantId::from_number(77_777), number(1));
    let (_, text) = world.sent.last().expect("a message");
    assert!(text.contains("Other Ltd") && !text.contains("Example"), "{text}");
}
