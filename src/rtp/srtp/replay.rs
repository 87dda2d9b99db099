//! [`ReplayWindow`]: which packets of a source have come, and which index a sequence number stands for (RFC 3711 section 3.3).

/// Packets that the window remembers.
pub(super) const WINDOW: u64 = 128;

/// Half of the sequence numbers: what is further off belongs to the rollover before or after.
const HALF: u64 = 1 << 15;

/// The index after the last: 32 bits of rollovers, 16 of sequence number.
pub(super) const INDEX_LIMIT: u64 = 1 << 48;

/// The highest index of a source and which of the 127 below it have come, the highest in the lowest bit.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReplayWindow {
    highest: u64,
    seen: u128,
}

impl ReplayWindow {
    /// The window of a source whose first packet has `index`.
    pub(super) fn starting_at(index: u64) -> Self {
        Self { highest: index, seen: 1 }
    }

    /// The highest index so far.
    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// Whether a packet has not come before and is not older than the window.
    pub(super) fn is_fresh(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => true,
            Some(behind) => behind < WINDOW && self.seen >> behind & 1 == 0,
        }
    }

    /// Takes note of a packet whose tag was right.
    pub(super) fn accept(&mut self, index: u64) {
        match self.highest.checked_sub(index) {
            Some(behind) if behind < WINDOW => self.seen |= 1 << behind,
            Some(_) => {}
            None => {
                let ahead = index - self.highest;
                self.seen = if ahead < WINDOW { self.seen << ahead | 1 } else { 1 };
                self.highest = index;
            }
        }
    }
}

/// The index that `seq` stands for: the nearest to `highest` (RFC 3711 section 3.3.1 and appendix A). Before the first rollover nothing is older.
pub(super) fn estimate(highest: u64, seq: u16) -> u64 {
    let same = highest & !0xffff | u64::from(seq);
    if same + HALF < highest {
        same + (1 << 16)
    } else if same > highest + HALF {
        same.checked_sub(1 << 16).unwrap_or(same)
    } else {
        same
    }
}
