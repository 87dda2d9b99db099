//! Whose microphone stays closed whatever happens to their seat (K-4): kept for each run of a meeting, in memory and in the store.
//!
//! A run goes on over a restart of the daemon and while nobody is there for a quarter of an hour; whoever ends the meeting for all ends
//! its mutes too. What a host has closed is kept of everybody; what its owner has closed, of devices, since a page brings that along.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::common::ids::MeetingName;
use crate::policy::Muted;
use crate::store::{MuteChange, StoredMute};

/// A run that nobody ends is not remembered for longer than that.
const KEPT: Duration = Duration::from_secs(12 * 60 * 60);
/// A meeting that has ended because nobody was left goes on if somebody comes back within that.
const GOES_ON: Duration = Duration::from_secs(15 * 60);
/// Microphones that are kept of one meeting; one more, and the one that would die first goes.
const MOST: usize = 2000;

/// How a run of a meeting ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunEnd {
    /// For all, because somebody has ended it.
    ForAll,
    /// Nobody is left.
    Left,
}

/// All that is kept, by meeting and identity. Cheap to clone: all meetings share one.
#[derive(Debug, Clone, Default)]
pub struct MuteRegistry(Arc<Mutex<BTreeMap<String, BTreeMap<String, StoredMute>>>>);

impl MuteRegistry {
    /// What the store has kept.
    #[must_use]
    pub fn new(stored: Vec<StoredMute>) -> Self {
        let mut kept: BTreeMap<String, BTreeMap<String, StoredMute>> = BTreeMap::new();
        for mute in stored {
            kept.entry(mute.meeting.clone()).or_default().insert(mute.who.clone(), mute);
        }
        Self(Arc::new(Mutex::new(kept)))
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, StoredMute>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run of a meeting that begins, or goes on, at `now` (milliseconds since 1970).
    pub(super) fn run(&self, meeting: &MeetingName, now: u64) -> u64 {
        let mut kept = self.kept();
        let Some(mutes) = kept.get_mut(meeting.as_str()) else { return now };
        mutes.retain(|_, mute| mute.dies_at > now);
        mutes.values().map(|mute| mute.run).max().unwrap_or(now)
    }

    /// How somebody's microphone was closed.
    pub(super) fn of(&self, meeting: &MeetingName, who: &str, now: u64) -> Muted {
        let kept = self.kept();
        let found = kept.get(meeting.as_str()).and_then(|mutes| mutes.get(who)).filter(|mute| mute.dies_at > now);
        found.map_or_else(Muted::default, |mute| Muted { own: mute.own, host: mute.host })
    }

    /// Somebody's microphone is like this now; what the store is to be told, if that is new.
    pub(super) fn set(&self, (meeting, run): (&MeetingName, u64), who: &str, muted: Muted, now: u64) -> Option<MuteChange> {
        if self.of(meeting, who, now) == muted {
            return None;
        }
        let dies_at = now.saturating_add(millis(KEPT));
        let (meeting, who) = (meeting.to_string(), who.to_owned());
        let mute = StoredMute { meeting, run, who, own: muted.own, host: muted.host, dies_at };
        let mut kept = self.kept();
        let mutes = kept.entry(mute.meeting.clone()).or_default();
        if muted.is_closed() {
            if mutes.len() >= MOST
                && let Some(first) = mutes.values().min_by_key(|mute| mute.dies_at).map(|mute| mute.who.clone())
            {
                mutes.remove(&first);
            }
            mutes.insert(mute.who.clone(), mute.clone());
        } else {
            mutes.remove(&mute.who);
        }
        Some(MuteChange::Put(mute))
    }

    /// A run is over; what the store is to be told, if anything is kept of it.
    pub(super) fn over(&self, meeting: &MeetingName, ending: RunEnd, now: u64) -> Option<MuteChange> {
        let mut kept = self.kept();
        let dies_at = match ending {
            RunEnd::ForAll => {
                kept.remove(meeting.as_str())?;
                now
            }
            RunEnd::Left => {
                let dies_at = now.saturating_add(millis(GOES_ON));
                kept.get_mut(meeting.as_str())?.values_mut().for_each(|mute| mute.dies_at = dies_at);
                dies_at
            }
        };
        Some(MuteChange::Over { meeting: meeting.to_string(), dies_at })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Muted = Muted { own: false, host: true };

    /// A hosts mute outlives the process and an empty room but not the meeting.
    #[test]
    fn k4_a_hosts_mute_outlives_the_process_and_an_empty_room() {
        let meeting = MeetingName::new("demo").expect("a name");
        let mutes = MuteRegistry::default();
        assert_eq!(mutes.run(&meeting, 1_000), 1_000);
        let Some(MuteChange::Put(row)) = mutes.set((&meeting, 1_000), "device/room-1", HOST, 2_000) else { panic!("it is new") };
        assert_eq!(mutes.set((&meeting, 1_000), "device/room-1", HOST, 3_000), None, "it is not new");
        // The daemon starts anew with what it has written.
        let mutes = MuteRegistry::new(vec![row]);
        assert_eq!((mutes.run(&meeting, 60_000), mutes.of(&meeting, "device/room-1", 60_000)), (1_000, HOST));
        assert_eq!(mutes.of(&meeting, "device/room-2", 60_000), Muted::default());
        // Everybody is lost for ten minutes, then for a night.
        mutes.over(&meeting, RunEnd::Left, 60_000).expect("something is kept");
        assert_eq!(mutes.of(&meeting, "device/room-1", 660_000), HOST);
        assert_eq!(mutes.of(&meeting, "device/room-1", 60_000 + millis(GOES_ON)), Muted::default());
        mutes.over(&meeting, RunEnd::ForAll, 660_000).expect("something is kept");
        assert_eq!((mutes.run(&meeting, 700_000), mutes.of(&meeting, "device/room-1", 700_000)), (700_000, Muted::default()));
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_open_is_not_kept() {
        let meeting = MeetingName::new("demo").expect("a name");
        let mutes = MuteRegistry::default();
        for number in 0..3_000_u64 {
            mutes.set((&meeting, 0), &format!("guest/{number}"), HOST, number);
        }
        assert_eq!(mutes.kept()["demo"].len(), MOST);
        assert!(mutes.set((&meeting, 0), "guest/2999", Muted::default(), 3_000).is_some());
        assert_eq!(mutes.of(&meeting, "guest/2999", 3_000), Muted::default());
    }
}
