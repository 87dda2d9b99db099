//! [`LiveCalls`]: the calls that are not over, in numbers. Each INVITE asks for them, while calls that are over remain until the timers of their
//! transactions have run out: so nothing is counted by going through all of them.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::common::ids::CallId;

/// So many calls may wait for their answer for long, because names of their media are looked up or a refusal is spoken: more do so under overload
/// alone.
const SLOW_ANSWERS: usize = 64;

/// What a call counts among.
#[derive(Debug, Clone, Copy)]
struct CountedCall {
    began: Instant,
    source: IpAddr,
    is_strangers: bool,
}

/// See the file's paragraph.
#[derive(Debug, Default)]
pub(super) struct LiveCalls {
    calls: HashMap<CallId, CountedCall>,
    strangers: usize,
    of_source: HashMap<IpAddr, usize>,
    /// INVITEs of peers without a final answer, the oldest first.
    unanswered: BTreeSet<(Instant, CallId)>,
}

impl LiveCalls {
    /// A call begins: of an address, and perhaps of a stranger.
    pub(super) fn begin(&mut self, now: Instant, id: CallId, source: IpAddr, is_strangers: bool) {
        if self.calls.insert(id, CountedCall { began: now, source, is_strangers }).is_none() {
            self.strangers += usize::from(is_strangers);
            *self.of_source.entry(source).or_insert(0) += 1;
        }
    }

    /// The call's INVITE waits for an answer of ours.
    pub(super) fn awaits_answer(&mut self, id: CallId) {
        if let Some(call) = self.calls.get(&id) {
            self.unanswered.insert((call.began, id));
        }
    }

    /// It is answered.
    pub(super) fn answered(&mut self, id: CallId) {
        if let Some(call) = self.calls.get(&id) {
            self.unanswered.remove(&(call.began, id));
        }
    }

    /// Whether more INVITEs than answers may be slow have waited for more than `patience`. Whatever comes on top would wait for longer still, until
    /// callers give up: it is better told at once (RFC 6357).
    pub(super) fn is_overloaded(&self, now: Instant, patience: Duration) -> bool {
        let oldest = self.unanswered.iter().nth(SLOW_ANSWERS);
        oldest.is_some_and(|(began, _)| now.saturating_duration_since(*began) > patience)
    }

    /// A call is over.
    pub(super) fn end(&mut self, id: CallId) {
        self.answered(id);
        let Some(CountedCall { source, is_strangers, .. }) = self.calls.remove(&id) else { return };
        self.strangers -= usize::from(is_strangers);
        if let Some(calls) = self.of_source.get_mut(&source) {
            *calls -= 1;
            if *calls == 0 {
                self.of_source.remove(&source);
            }
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = CallId> {
        self.calls.keys().copied()
    }

    pub(super) fn count(&self) -> usize {
        self.calls.len()
    }

    /// Those of strangers.
    pub(super) const fn count_of_strangers(&self) -> usize {
        self.strangers
    }

    /// Those that an address has.
    pub(super) fn count_of(&self, source: IpAddr) -> usize {
        self.of_source.get(&source).copied().unwrap_or(0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.of_source.is_empty() && self.unanswered.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call counts once from its beginning to its end, however often either is reported.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "virtual time needs one real instant to count from")]
    fn x2_a_call_counts_once_from_its_beginning_to_its_end() {
        let (now, ids) = (Instant::now(), crate::common::ids::Ids::default());
        let (first, second) = (ids.call(), ids.call());
        let (here, there) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut live = LiveCalls::default();
        live.begin(now, first, here, true);
        live.begin(now, first, here, true);
        live.begin(now, second, there, false);
        assert_eq!((live.count(), live.count_of_strangers(), live.count_of(here), live.count_of(there)), (2, 1, 1, 1));
        live.end(first);
        live.end(first);
        assert_eq!((live.count(), live.count_of_strangers(), live.count_of(here)), (1, 0, 0));
        live.awaits_answer(second);
        live.end(second);
        assert!(live.is_empty() && live.ids().next().is_none());
    }
}
