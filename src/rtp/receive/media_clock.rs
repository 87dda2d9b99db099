//! [`MediaClock`]: when each packet of a stream was spoken, also where its sender counts timestamps by another clock than the codec's.
//!
//! Senders of Opus count 160, 320 or 480 for 20 ms where RFC 7587 section 4.1 wants 960, senders of G.722 count 320 where RFC 3551 section 4.5.2
//! wants 160, and others let the timestamp stand, count milliseconds or step back. How long a packet lasts is known from its payload, so a
//! timestamp is checked against it: two consecutive packets are as far apart as the first one lasts, or further where the sender has paused.
//! A step that is neither is answered by playing on. Where that happens again and again, timestamps are no longer looked at: numbers and payloads
//! say then where a packet belongs, until the timestamps have been right for a while.

use std::time::{Duration, Instant};

use crate::common::units::Hz;

/// Wrong steps in a row after which timestamps are not looked at any more.
const WRONG: u32 = 3;
/// Right steps in a row after which they are looked at again.
const RIGHT: u32 = 50;
/// Consecutive packets after which timestamps that run ahead are compared with the time of arrival.
const COMPARED: u32 = 6;
/// A pause that is longer than the time since the last packet by this much has not been: the sender's timeline has jumped.
const JUMP: Duration = Duration::from_secs(1);
/// A packet that came late lies this far back at most.
const FURTHEST_BACK: Duration = Duration::from_secs(10);

/// The timeline of one source.
#[derive(Debug)]
pub(super) struct MediaClock {
    clock: Hz,
    newest: Option<Stamp>,
    /// What is added to a timestamp of the sender.
    offset: u32,
    /// Timestamps are not looked at.
    ignores_timestamps: bool,
    wrong: u32,
    right: u32,
    ahead: Option<Ahead>,
}

/// The packet with the highest number.
#[derive(Clone, Copy, Debug)]
struct Stamp {
    seq: i64,
    timestamp: u32,
    /// Its place on our timeline.
    place: u32,
    /// How long it lasts.
    ticks: u32,
    arrived: Instant,
}

/// Consecutive packets that are all further apart than they last.
#[derive(Clone, Copy, Debug)]
struct Ahead {
    since: Instant,
    packets: u32,
    /// Those that came as fast as they last.
    prompt: u32,
    /// How long they last, in ticks.
    ticks: u64,
    /// How far apart they are by their timestamps.
    claimed: u64,
}

/// What a timestamp says of the time since the packet before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// As long as that one lasts.
    Right,
    /// Longer: a pause, or packets that are lost.
    Longer,
    /// Impossible.
    Wrong,
}

/// Where a packet belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// On the timeline of the codec's clock.
    pub(super) timestamp: u32,
    /// The packets before it were put too far apart: playout begins anew here.
    pub(super) anew: bool,
}

impl MediaClock {
    /// The timeline of a source that has sent nothing yet, in ticks of `clock`.
    pub(super) fn new(clock: Hz) -> Self {
        Self { clock, newest: None, offset: 0, ignores_timestamps: false, wrong: 0, right: 0, ahead: None }
    }

    /// In what it counts.
    pub(super) fn clock(&self) -> Hz {
        self.clock
    }

    /// Places a packet of audio that lasts `ticks`.
    pub(super) fn place(&mut self, now: Instant, seq: i64, timestamp: u32, ticks: u32) -> Place {
        let place = |timestamp| Place { timestamp, anew: false };
        let Some(newest) = self.newest else {
            self.newest = Some(Stamp { seq, timestamp, place: timestamp, ticks, arrived: now });
            return place(timestamp);
        };
        if seq <= newest.seq {
            return place(self.locate(seq, timestamp));
        }
        let ignored_before = self.ignores_timestamps;
        let step = self.judge(now, newest, seq, timestamp);
        self.learn(now, newest, (seq, timestamp), step);
        let is_usable = step != Step::Wrong && !self.ignores_timestamps;
        let at = if is_usable { timestamp.wrapping_add(self.offset) } else { counted(newest, seq) };
        self.offset = at.wrapping_sub(timestamp);
        self.newest = Some(Stamp { seq, timestamp, place: at, ticks, arrived: now });
        Place { timestamp: at, anew: self.ignores_timestamps && !ignored_before && step == Step::Longer }
    }

    /// The place of a packet that teaches nothing: it came late, or carries no audio.
    pub(super) fn locate(&self, seq: i64, timestamp: u32) -> u32 {
        let Some(newest) = self.newest else { return timestamp };
        let place = timestamp.wrapping_add(self.offset);
        if seq > newest.seq && !self.ignores_timestamps {
            return place;
        }
        let back = newest.place.wrapping_sub(place).cast_signed();
        let furthest = i32::try_from(self.clock.samples(FURTHEST_BACK)).unwrap_or(i32::MAX);
        if !self.ignores_timestamps && (0..=furthest).contains(&back) { place } else { counted(newest, seq) }
    }

    fn judge(&self, now: Instant, newest: Stamp, seq: i64, timestamp: u32) -> Step {
        let step = i64::from(timestamp.wrapping_sub(newest.timestamp).cast_signed());
        let lasts = i64::from(newest.ticks);
        // A little less or more is a clock that is read when the packet is sent.
        let tolerance = lasts / 8;
        if step < lasts - tolerance {
            return Step::Wrong;
        }
        if seq == newest.seq + 1 && step <= lasts + tolerance {
            return Step::Right;
        }
        let claimed = self.clock.duration(usize::try_from(step).unwrap_or(0));
        if claimed > now.saturating_duration_since(newest.arrived) + JUMP { Step::Wrong } else { Step::Longer }
    }

    /// Follows how often steps are right.
    fn learn(&mut self, now: Instant, newest: Stamp, (seq, timestamp): (i64, u32), step: Step) {
        match step {
            Step::Right => {
                (self.wrong, self.ahead) = (0, None);
                self.right += 1;
                if self.right >= RIGHT {
                    self.ignores_timestamps = false;
                }
            }
            Step::Wrong => {
                (self.right, self.ahead) = (0, None);
                self.wrong += 1;
                self.ignores_timestamps |= self.wrong >= WRONG;
            }
            Step::Longer if seq == newest.seq + 1 => {
                self.right = 0;
                let step = timestamp.wrapping_sub(newest.timestamp);
                self.ignores_timestamps |= self.runs_ahead(now, newest, step);
            }
            // What lies between is lost, so that nothing is known.
            Step::Longer => self.ahead = None,
        }
    }

    /// Whether the last packets came as fast as they last, and not as slowly as their timestamps say. Those of a sender that pauses after each
    /// packet (discontinuous transmission) come as slowly as they say, and those that come all at once after a stall say nothing.
    fn runs_ahead(&mut self, now: Instant, newest: Stamp, step: u32) -> bool {
        let clock = self.clock;
        let is_prompt = |took: Duration, ticks: u64, claimed: u64| {
            let time = |ticks: u64| clock.duration(usize::try_from(ticks).unwrap_or(usize::MAX));
            took > time(ticks) / 2 && took < time(ticks + claimed) / 2
        };
        let (lasts, step) = (u64::from(newest.ticks), u64::from(step));
        let ahead = self.ahead.get_or_insert(Ahead { since: newest.arrived, packets: 0, prompt: 0, ticks: 0, claimed: 0 });
        ahead.packets += 1;
        ahead.prompt += u32::from(is_prompt(now.saturating_duration_since(newest.arrived), lasts, step));
        ahead.ticks += lasts;
        ahead.claimed += step;
        if ahead.packets < COMPARED {
            return false;
        }
        let Ahead { since, prompt, ticks, claimed, .. } = *ahead;
        self.ahead = None;
        let all_are_prompt = is_prompt(now.saturating_duration_since(since), ticks, claimed);
        2 * claimed >= 3 * ticks && 2 * prompt >= COMPARED && all_are_prompt
    }
}

/// Where a packet belongs by its number, if all packets last as long as the newest.
fn counted(newest: Stamp, seq: i64) -> u32 {
    let packets = (seq - newest.seq) as u32;
    newest.place.wrapping_add(newest.ticks.wrapping_mul(packets))
}
