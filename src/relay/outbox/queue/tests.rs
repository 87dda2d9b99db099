mod histories;
mod receipts;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::*;
use crate::common::ids::ParticipantId;
use crate::relay::PhoneNumber;

const ROOM: ParticipantId = ParticipantId::from_number(1);

fn start() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    Instant::now()
}

fn number(last: u32) -> PhoneNumber {
    PhoneNumber::parse(&format!("+4917155{last:05}")).expect("a number")
}

fn settings(on_unknown: OnUnknown, cuts: bool) -> OutboxSettings {
    OutboxSettings { on_unknown, cuts, secret: Redacted::new([3; 32]) }
}

/// An outbox, its disk and its provider.
struct World {
    outbox: Outbox,
    settings: OutboxSettings,
    now: Instant,
    disk: BTreeMap<u64, OutboxRow>,
    /// Writes that the disk has not done yet.
    queue: VecDeque<OutboxOutput>,
    /// The disk takes writes.
    writes: bool,
    /// With the provider, unanswered.
    out: VecDeque<OutgoingSms>,
    /// All that was ever submitted.
    submitted: Vec<(String, String)>,
    progress: Vec<LineDelivery>,
    wiped: usize,
}

impl World {
    fn new(on_unknown: OnUnknown, cuts: bool) -> Self {
        let (settings, now) = (settings(on_unknown, cuts), start());
        let mut world = Self {
            outbox: Outbox::new(now, settings.clone(), Vec::new(), 1),
            settings,
            now,
            disk: BTreeMap::new(),
            queue: VecDeque::new(),
            writes: true,
            out: VecDeque::new(),
            submitted: Vec::new(),
            progress: Vec::new(),
            wiped: 0,
        };
        world.input(OutboxInput::Takes(2));
        world
    }

    fn input(&mut self, input: OutboxInput) {
        self.outbox.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.outbox.poll() {
            match output {
                OutboxOutput::Submit(sms) => {
                    self.submitted.push((sms.reference.clone(), sms.text.expose().clone()));
                    self.out.push_back(sms);
                }
                OutboxOutput::Progress { standing, .. } => self.progress.push(standing),
                OutboxOutput::Wipe => self.wiped += 1,
                write => self.queue.push_back(write),
            }
        }
    }

    /// The disk does its oldest write; `false`: there is none.
    fn write(&mut self) -> bool {
        let Some(write) = self.queue.pop_front() else { return false };
        let written = self.writes;
        let answer = match write {
            OutboxOutput::Keep(row) => {
                let id = row.sms.id;
                if written {
                    self.disk.insert(id, *row);
                }
                Some(OutboxInput::Kept { id, written })
            }
            OutboxOutput::Mark { id, submitted } => {
                if let Some(row) = self.disk.get_mut(&id).filter(|_| written) {
                    row.state = if submitted { RowState::Submitted } else { RowState::Waiting };
                }
                Some(if submitted { OutboxInput::Marked { id, written } } else { OutboxInput::Unmarked { id, written } })
            }
            OutboxOutput::Close { id, receipts } => {
                match receipts {
                    _ if !written => {}
                    None => drop(self.disk.remove(&id)),
                    Some((name, until)) => {
                        let row = self.disk.get_mut(&id).expect("a row");
                        (row.state, row.until, row.sms.text) = (RowState::Accepted(name), until, Redacted::default());
                    }
                }
                Some(OutboxInput::Closed { id, written })
            }
            OutboxOutput::Settle { id } => {
                self.disk.remove(&id);
                None
            }
            other => panic!("no write: {other:?}"),
        };
        if let Some(answer) = answer {
            self.input(answer);
        }
        true
    }

    fn settle(&mut self) {
        while self.write() {}
    }

    fn sends(&mut self, to: PhoneNumber, text: &str) {
        let text = Redacted::new(text.to_owned());
        let message = SmsText { participant: Some(ROOM), to, text, line: Some(1), lives: Duration::from_secs(600) };
        // A second for each item that there was before.
        let created = SystemTime::UNIX_EPOCH + Duration::from_secs(self.submitted.len() as u64);
        self.input(OutboxInput::Enqueue { message, created });
    }

    /// The provider answers the oldest.
    fn answers(&mut self, outcome: impl FnOnce(&OutgoingSms) -> SubmitOutcome) -> bool {
        let Some(sms) = self.out.pop_front() else { return false };
        let outcome = outcome(&sms);
        self.input(OutboxInput::Outcome { id: sms.id, outcome });
        true
    }

    fn accepts(&mut self) -> bool {
        self.answers(|sms| SubmitOutcome::Accepted { name: Some(format!("n{}", sms.id)) })
    }

    fn after(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(due) = self.outbox.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.outbox.wake(self.now);
            self.drain();
            self.settle();
        }
        self.now = until;
    }

    /// `kill -9`: what was not written is gone; the provider keeps what it has. Returns what it may have and has not answered, as far as
    /// the disk knows.
    fn crashes(&mut self) -> Vec<String> {
        self.queue.clear();
        self.out.clear();
        let rows: Vec<OutboxRow> = self.disk.values().cloned().collect();
        let unanswered: Vec<_> = rows.iter().filter(|row| row.state == RowState::Submitted).collect();
        let unanswered = unanswered.into_iter().map(|row| row.sms.reference.clone()).collect();
        self.outbox = Outbox::new(self.now, self.settings.clone(), rows, 1_000);
        self.drain();
        self.input(OutboxInput::Takes(2));
        unanswered
    }

    fn texts(&self) -> Vec<&str> {
        self.submitted.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Everything is done, and everybody answers.
    fn ends(&mut self) {
        self.writes = true;
        for _ in 0..10_000 {
            self.settle();
            if !self.accepts() && self.queue.is_empty() {
                if self.outbox.is_empty() {
                    return;
                }
                self.after(31);
            }
        }
        panic!("it never ends: {:?}", self.outbox.lines());
    }
}

/// Nothing is submitted before it is on the disk and marked there.
#[test]
fn c7_nothing_is_submitted_before_it_is_on_the_disk_and_marked() {
    let mut world = World::new(OnUnknown::Resend, true);
    world.after(0);
    world.sends(number(1), "one");
    assert!(world.submitted.is_empty(), "the disk has not said yes");
    world.write();
    assert_eq!((world.texts(), world.progress.as_slice()), (vec!["one"], &[LineDelivery::Waiting][..]));
    assert!(world.disk.values().all(|row| row.state == RowState::Submitted));
    world.accepts();
    assert!(world.disk.values().all(|row| row.sms.text.expose() == "one"), "the answer is not on the disk yet");
    world.settle();
    assert!(world.disk.values().all(|row| row.sms.text.expose().is_empty()));
    world.after(1);
    assert_eq!(world.wiped, 2, "at the start, and after it");
    world.input(OutboxInput::Receipt { name: "n1".to_owned(), outcome: DeliveryOutcome::Delivered });
    world.settle();
    assert!(world.disk.is_empty());
    assert_eq!(world.progress, [LineDelivery::Waiting, LineDelivery::Sent, LineDelivery::Delivered]);
    let counts = world.outbox.counts();
    assert_eq!((counts.kept, counts.accepted, counts.delivered, counts.repeated), (1, 1, 1, 0));
}

/// Messages to one number go one after the other and those to others beside them.
#[test]
fn messages_to_one_number_go() {
    let mut world = World::new(OnUnknown::Resend, true);
    for text in ["a1", "a2"] {
        world.sends(number(1), text);
    }
    for (to, text) in [(2, "b1"), (3, "c1")] {
        world.sends(number(to), text);
    }
    world.settle();
    assert_eq!(world.texts(), ["a1", "b1"], "two places");
    world.answers(|_| SubmitOutcome::Later);
    world.settle();
    assert_eq!(world.texts(), ["a1", "b1", "c1"], "a place is free, but nothing overtakes a1");
    world.ends();
    let of_a: Vec<_> = world.texts().into_iter().filter(|text| text.starts_with('a')).collect();
    assert_eq!(of_a, ["a1", "a1", "a2"]);
}

/// What was unanswered at a crash is sent again with the same reference and counted or dropped.
#[test]
fn c7_what_was_unanswered_at_a_crash_is_sent() {
    for (policy, expected, counted) in [(OnUnknown::Resend, 2, (1, 0)), (OnUnknown::Drop, 1, (0, 1))] {
        let mut world = World::new(policy, true);
        world.sends(number(1), "one");
        world.sends(number(1), "two");
        world.settle();
        world.crashes();
        world.ends();
        let ones: Vec<_> = world.submitted.iter().filter(|(_, text)| text == "one").map(|(reference, _)| reference).collect();
        assert_eq!(ones.len(), expected, "{policy:?}");
        assert!(ones.iter().all(|reference| *reference == ones[0]));
        assert_eq!(world.texts().iter().filter(|text| **text == "two").count(), 1);
        let counts = world.outbox.counts();
        assert_eq!((counts.repeated, counts.unknown), counted, "{policy:?}");
    }
}

/// A provider that knows references wants the same from each run, and what it refuses of a repeat says nothing of the first try.
#[test]
fn c7_what_is_sent_again_says_so_with_its_first_date() {
    let mut world = World::new(OnUnknown::Resend, false);
    world.sends(number(2), "before");
    world.settle();
    world.accepts();
    world.sends(number(1), "one");
    world.settle();
    let first = world.out.front().cloned().expect("it is out");
    assert!(!first.again);
    // Throttled, it was surely not taken, and is new once more.
    world.answers(|_| SubmitOutcome::Later);
    world.settle();
    world.after(2);
    world.settle();
    assert_eq!(world.out.front(), Some(&first));
    // Unanswered, and then throttled: the earlier try counts, also for another run.
    world.answers(|_| SubmitOutcome::Unknown);
    world.after(10);
    world.answers(|_| SubmitOutcome::Later);
    world.settle();
    world.crashes();
    world.settle();
    let again = world.out.front().cloned().expect("it is out again");
    assert_eq!(again, OutgoingSms { again: true, ..first });
    world.answers(|_| SubmitOutcome::Unknowable);
    world.settle();
    let counts = world.outbox.counts();
    assert_eq!((counts.unknown, counts.refused, world.outbox.is_empty()), (1, 0, true));
}

/// What waits is dropped with its device or its number and what is out does not come again.
#[test]
fn c7_what_waits_is_dropped_with_its_device_or_its_number() {
    let (left, stopped) = (
        OutboxInput::Forget { participant: ROOM, number: None },
        OutboxInput::Forget { participant: ROOM, number: Some(number(1)) },
    );
    for input in [left, stopped, OutboxInput::DropNumber { number: number(1) }] {
        let mut world = World::new(OnUnknown::Resend, true);
        world.sends(number(1), "one");
        world.sends(number(1), "two");
        world.settle();
        world.input(input);
        world.answers(|_| SubmitOutcome::Later);
        world.ends();
        assert_eq!(world.texts(), ["one"]);
        assert!(world.disk.is_empty(), "{:?}", world.disk);
        assert_eq!(world.outbox.counts().dropped, 2);
    }
}

#[test]
fn a_message_that_loses_a_part_is_not_sent_on_and_is_told_once() {
    let mut world = World::new(OnUnknown::Resend, true);
    world.sends(number(1), &"a".repeat(400));
    world.settle();
    world.accepts();
    world.settle();
    world.answers(|_| SubmitOutcome::Refused("no such number".to_owned()));
    world.ends();
    assert_eq!(world.submitted.len(), 2, "three parts, the third is of no use");
    assert_eq!(world.progress, [LineDelivery::Waiting, LineDelivery::Failed]);
    world.input(OutboxInput::Receipt { name: "n1".to_owned(), outcome: DeliveryOutcome::Delivered });
    assert_eq!(world.progress.len(), 2);
}

/// What is put off is tried ever more rarely and dropped when it is too old.
#[test]
fn what_is_put_off_is_tried_ever_more_rarely_and_dropped() {
    let mut world = World::new(OnUnknown::Resend, true);
    world.sends(number(1), "one");
    world.settle();
    for _ in 0..700 {
        world.answers(|_| SubmitOutcome::Later);
        world.settle();
        world.after(1);
    }
    assert!((20..=30).contains(&world.submitted.len()), "{}", world.submitted.len());
    assert!(world.disk.is_empty() && world.outbox.is_empty());
    assert_eq!((world.outbox.counts().expired, world.progress.last()), (1, Some(&LineDelivery::Failed)));
}

#[test]
fn a_provider_that_comes_back_gets_what_waits_at_once() {
    let mut world = World::new(OnUnknown::Resend, true);
    world.sends(number(1), "one");
    world.settle();
    world.input(OutboxInput::Takes(0));
    world.answers(|_| SubmitOutcome::Unknown);
    world.settle();
    world.after(300);
    assert_eq!(world.submitted.len(), 1);
    world.input(OutboxInput::Takes(2));
    world.settle();
    assert_eq!((world.submitted.len(), world.outbox.counts().repeated), (2, 1));
}

#[test]
fn a_disk_that_takes_nothing_loses_only_what_was_never_accepted() {
    let mut world = World::new(OnUnknown::Resend, true);
    world.sends(number(1), "kept");
    world.settle();
    world.writes = false;
    world.sends(number(2), "never on the disk");
    world.settle();
    assert_eq!((world.progress.last(), world.outbox.counts().lost), (Some(&LineDelivery::Failed), 1));
    world.accepts();
    for _ in 0..5 {
        world.write();
    }
    assert!(!world.outbox.is_empty(), "its end must be on the disk, else it would be sent twice");
    world.writes = true;
    world.after(2);
    assert!(world.outbox.is_empty());
    assert_eq!(world.texts(), ["kept"]);
}

#[test]
fn what_is_over_the_bound_is_refused_and_told() {
    let mut world = World::new(OnUnknown::Resend, true);
    world.input(OutboxInput::Takes(0));
    for _ in 0..=MOST {
        world.sends(number(1), "text");
    }
    world.settle();
    assert_eq!((world.disk.len(), world.outbox.counts().lost), (MOST, 1));
    assert_eq!(world.progress.iter().filter(|standing| **standing == LineDelivery::Failed).count(), 1);
}

/// What is not on its way when the daemon stops is not taken for submitted by the next run.
#[test]
fn o4_what_is_not_on_its_way_when_the_daemon_stops_is_not_taken() {
    let mut world = World::new(OnUnknown::Drop, true);
    world.sends(number(1), "out");
    world.settle();
    world.sends(number(2), "being written");
    world.input(OutboxInput::Suspend);
    world.sends(number(3), "too late");
    world.settle();
    assert!(!world.outbox.is_still(), "one is unanswered");
    world.accepts();
    world.settle();
    assert!(world.outbox.is_still());
    world.crashes();
    world.ends();
    assert_eq!(world.texts(), ["out", "being written", "too late"], "none is lost, none comes twice");
}

#[test]
fn references_are_uuids_and_never_the_same() {
    let mut world = World::new(OnUnknown::Resend, false);
    for to in 0..50 {
        world.sends(number(to), "text");
    }
    world.ends();
    let all: BTreeSet<_> = world.submitted.iter().map(|(reference, _)| reference.clone()).collect();
    assert_eq!(all.len(), 50);
    for reference in all {
        let lengths: Vec<_> = reference.split('-').map(str::len).collect();
        assert_eq!((lengths.as_slice(), &reference[14..15]), (&[8, 4, 4, 4, 12][..], "8"), "{reference}");
    }
}
