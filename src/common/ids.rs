//! Names of things: newtypes, so that a call is never taken for a port. Printed short in every log line.
//!
//! [`Ids`] counts them for one daemon. What outlives a run (records, ledger, log) names calls and presences by run and count, so that no id
//! begins anew at a start (M-16, N-8).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where an id's number holds the run: below it there is room for a thousand calls a second over thirty years.
const RUN_SHIFT: u32 = 40;

macro_rules! numbered_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u64);

        impl $name {
            /// The id with this number: for tests, and for reading back what [`fmt::Display`] wrote.
            #[must_use]
            pub const fn from_number(number: u64) -> Self {
                Self(number)
            }

            /// The bare number.
            #[must_use]
            pub const fn number(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                write_number(f, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                text.strip_prefix($prefix).and_then(read_number).map(Self).ok_or(BadId)
            }
        }
    };
}

/// The text is not an id of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct BadId;

numbered_id!(
    /// One SIP dialog with a device, from INVITE to BYE.
    CallId, "call-");
numbered_id!(
    /// One presence in a meeting: a member, an external in a browser, or a bridged device.
    ParticipantId, "p");
numbered_id!(
    /// The mixing place of one meeting on a media worker.
    BridgeId, "bridge-");
numbered_id!(
    /// A device's RTP end on a media worker.
    PortId, "port-");
numbered_id!(
    /// A WebRTC end on a media worker.
    PeerId, "peer-");
numbered_id!(
    /// Somebody's audio track in a room of another service.
    TrackId, "track-");
numbered_id!(
    /// One notice that one device is owed (N-8).
    NoticeId, "notice-");
numbered_id!(
    /// One clip that a player was given; its end is reported with this id.
    PlayId, "play-");

/// Writes `RUN-COUNT`, or only the count where no run is known.
fn write_number(f: &mut fmt::Formatter<'_>, number: u64) -> fmt::Result {
    match (number >> RUN_SHIFT, number & ((1 << RUN_SHIFT) - 1)) {
        (0, count) => write!(f, "{count}"),
        (run, count) => write!(f, "{run}-{count}"),
    }
}

fn read_number(text: &str) -> Option<u64> {
    let read = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse::<u64>().ok()).flatten();
    let (run, count) = match text.split_once('-') {
        Some((run, count)) => (read(run).filter(|run| *run > 0)?, read(count)?),
        None => (0, read(text)?),
    };
    (count >> RUN_SHIFT == 0 && run <= u64::MAX >> RUN_SHIFT).then_some(run << RUN_SHIFT | count)
}

/// Counts the ids of one run of the daemon. Clones share the counters.
#[derive(Debug, Clone, Default)]
pub struct Ids(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    run: u64,
    calls: AtomicU64,
    participants: AtomicU64,
    ports: AtomicU64,
    bridges: AtomicU64,
    peers: AtomicU64,
    tracks: AtomicU64,
}

impl Ids {
    /// Ids of this run of the daemon, as its store counts them; 0: runs are not counted (the test phone, tests).
    #[must_use]
    pub fn of_run(run: u32) -> Self {
        // More starts than there is room for begin at 1 again, after 16 million of them.
        let run = u64::from(run) & (u64::MAX >> RUN_SHIFT);
        Self(Arc::new(Counters { run, ..Counters::default() }))
    }

    /// The number below which no id of that run lies.
    #[must_use]
    pub fn first_of_run(run: u32) -> u64 {
        u64::from(run) << RUN_SHIFT
    }

    /// A new call's.
    #[must_use]
    pub fn call(&self) -> CallId {
        CallId(self.next(&self.0.calls))
    }

    /// A new presence's.
    #[must_use]
    pub fn participant(&self) -> ParticipantId {
        ParticipantId(self.next(&self.0.participants))
    }

    /// A new port's. Ports, bridges and peers are named only in the log, beside a call or a meeting: the bare count is unique there.
    #[must_use]
    pub fn port(&self) -> PortId {
        PortId(count(&self.0.ports))
    }

    /// A new bridge's.
    #[must_use]
    pub fn bridge(&self) -> BridgeId {
        BridgeId(count(&self.0.bridges))
    }

    /// A new peer's.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        PeerId(count(&self.0.peers))
    }

    /// A new track's.
    #[must_use]
    pub fn track(&self) -> TrackId {
        TrackId(count(&self.0.tracks))
    }

    fn next(&self, counter: &AtomicU64) -> u64 {
        self.0.run << RUN_SHIFT | count(counter)
    }
}

fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed) + 1
}

/// The configured name of a meeting: the `X` of `[meeting.X]`, and the path of its page.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct MeetingName(String);

impl MeetingName {
    /// Takes a name of 1 to 64 characters from `a-z 0-9 - _`.
    ///
    /// # Errors
    /// [`BadId`] for anything else: the name is part of URLs and file names.
    pub fn new(name: impl Into<String>) -> Result<Self, BadId> {
        let name = name.into();
        let fits = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        if fits { Ok(Self(name)) } else { Err(BadId) }
    }

    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MeetingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m16_ids_count_for_each_daemon_and_do_not_begin_anew() {
        let (first, second, nobody) = (Ids::of_run(1), Ids::of_run(2), Ids::default());
        assert_eq!(
            [first.call(), first.call(), second.call(), nobody.call()].map(|id| id.to_string()),
            ["call-1-1", "call-1-2", "call-2-1", "call-1"]
        );
        assert_eq!(second.participant().to_string(), "p2-1");
        assert_eq!(first.port().to_string(), "port-1");
        assert_eq!(first.clone().call().to_string(), "call-1-3", "clones share the counters");
    }

    #[test]
    fn an_id_is_read_back_as_it_was_written() {
        let id = Ids::of_run(16_777_215).call();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("call-7".parse(), Ok(CallId::from_number(7)));
        for nothing in [
            "call-",
            "7",
            "call--1",
            "call-0-1",
            "call-1-",
            "call-1-2-3",
            "call-+1",
            "call-99999999999999999999",
            "call-16777216-1",
            "p7",
        ] {
            assert_eq!(nothing.parse::<CallId>(), Err(BadId), "{nothing}");
        }
    }
}
