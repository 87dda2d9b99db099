//! [`LossRate`]: whether packets are being lost.

/// Packets over which the rate is averaged: 1.3 s at 20 ms.
const AVERAGED: f32 = 64.0;
/// Loss is present from one loss on.
const PRESENT: f32 = 0.01;
/// It is over when the average has decayed to this: 4 s after a single loss, 5 s after the last of 5 %.
const OVER: f32 = 0.001;
/// Losses in a row that count; more is an outage.
const MOST_IN_A_ROW: i64 = 5;

/// Share of packets that never came in time, with exponential forgetting.
#[derive(Debug, Default)]
pub(super) struct LossRate {
    rate: f32,
    is_present: bool,
}

impl LossRate {
    /// A packet is played, and `missing` before it were not.
    pub(super) fn observe(&mut self, missing: i64) {
        self.rate += missing.clamp(0, MOST_IN_A_ROW) as f32 / AVERAGED;
        self.rate -= self.rate / AVERAGED;
        self.is_present = self.rate > if self.is_present { OVER } else { PRESENT };
    }

    /// Whether there is loss worth waiting for what repairs it.
    pub(super) fn is_present(&self) -> bool {
        self.is_present
    }
}
