//! What a receiver's reports say of the stream that we send it (RFC 3550 section 6.4): how many packets between two reports were lost.

use rtcp::reception_report::ReceptionReport;

/// The greatest number of lost packets that a report can tell: a signed field of 24 bits. Beyond it only the fraction goes on.
const MOST_LOST: i32 = 0x7f_ffff;

/// The packets between two reports of a receiver: those after the first report's highest number, up to the second's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Extended sequence number of the last packet before them.
    pub after: u32,
    /// Extended sequence number of the last of them. The same as `after`: nothing has arrived since the report before.
    pub upto: u32,
    /// How many of them have not arrived; at most as many as there are.
    pub lost: u32,
}

impl Span {
    /// How many packets these are.
    #[must_use]
    pub const fn packets(self) -> u32 {
        self.upto.wrapping_sub(self.after)
    }
}

/// The reports so far. Sequence numbers are extended as *we* count them, from the first packet that we sent: receivers differ in how they
/// count cycles, and some do not.
#[derive(Clone, Debug, Default)]
pub struct Feedback {
    /// The last packet of ours that a report has reached; before any report the one before our first.
    upto: Option<u32>,
    last: Option<LastReport>,
}

/// The report before, as it came.
#[derive(Clone, Copy, Debug)]
struct LastReport {
    reporter: u32,
    highest: u32,
    lost: i32,
}

/// Packets lost since the beginning of reception, by a report: 24 bits, signed (negative with duplicates).
pub(super) fn cumulative(report: &ReceptionReport) -> i32 {
    (report.total_lost << 8).cast_signed() >> 8
}

impl Feedback {
    /// A packet of ours goes out; `sequence` is its extended number.
    pub fn sent(&mut self, sequence: u32) {
        self.upto.get_or_insert(sequence.wrapping_sub(1));
    }

    /// A report by `reporter` about our stream, of which `last_sent` is the last packet that went out. `None`: nobody can have received
    /// what it tells of, or it is older than the one before.
    pub fn reported(&mut self, reporter: u32, report: &ReceptionReport, last_sent: u32) -> Option<Span> {
        let after = self.upto?;
        let before = self.last.filter(|last| last.reporter == reporter);
        let upto = match before {
            // The same number again: the receiver stands still, for however long.
            Some(last) if last.highest == report.last_sequence_number => after,
            _ => last_sent.checked_add_signed(-i32::from(behind(last_sent, report.last_sequence_number)?))?,
        };
        let packets = i64::from(upto.wrapping_sub(after).cast_signed());
        if packets < 0 {
            return None;
        }
        let lost = cumulative(report);
        let since_last = i64::from(lost) - before.map_or(0, |last| i64::from(last.lost));
        // The sum says nothing of this span where another receiver tells it, one that has begun anew, or one whose counter is full. Where it and
        // the fraction contradict each other, who has lost more is believed: a notice must not count as delivered when it was not (N-8).
        let sum_goes_on = (before.is_some() || self.last.is_none()) && lost < MOST_LOST;
        let by_sum = if sum_goes_on { since_last.max(0) } else { 0 };
        let since = by_sum.max(packets * i64::from(report.fraction_lost) / 256);
        self.upto = Some(upto);
        self.last = Some(LastReport { reporter, highest: report.last_sequence_number, lost });
        Some(Span { after, upto, lost: u32::try_from(since.clamp(0, packets)).unwrap_or(0) })
    }

    /// A report by `reporter` that does not name our stream. From one that has named it before it says that nothing has arrived since
    /// (RFC 3550 section 6.4); from any other it says nothing of us.
    #[must_use]
    pub fn not_named(&self, reporter: u32) -> Option<Span> {
        let after = self.upto.filter(|_| self.last.is_some_and(|last| last.reporter == reporter))?;
        Some(Span { after, upto: after, lost: 0 })
    }
}

/// How far the highest number of a report lies behind the last packet sent, by the 16 bits that are in the packets; `None`: ahead of it.
/// Meaningful for packets of the last ten minutes.
fn behind(last_sent: u32, highest: u32) -> Option<i16> {
    let behind = (last_sent as u16).wrapping_sub(highest as u16).cast_signed();
    (behind >= 0).then_some(behind)
}

/// Share of the way that the estimate goes down with each report of less loss: half in a quarter of a minute at a report each 5 s.
const DECAY: f32 = 0.2;
/// Less than this is no loss to protect against.
const NEGLIGIBLE: f32 = 0.005;

/// The loss that our packets are to be protected against, from the reports of their receiver: at once as high as a report says, and slowly down.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReportedLoss {
    /// 0.0 to 1.0; `None` before the first report.
    share: Option<f32>,
}

impl ReportedLoss {
    /// A report says that this share (0.0 to 1.0) of the packets since the report before has not arrived.
    pub fn reported(&mut self, share: f32) {
        let before = self.share.unwrap_or(0.0);
        self.share = Some(if share >= before { share.min(1.0) } else { before + (share - before) * DECAY });
    }

    /// In percent, at least 1 where there is any; `None` before the first report.
    #[must_use]
    pub fn percent(self) -> Option<u8> {
        self.share.map(|share| if share < NEGLIGIBLE { 0 } else { (share * 100.0).round().max(1.0) as u8 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loss counts at once, and its end slowly: FEC is off within two minutes.
    #[test]
    fn a4_reported_loss_rises_at_once_and_decays() {
        let mut loss = ReportedLoss::default();
        assert_eq!(loss.percent(), None);
        loss.reported(0.1);
        assert_eq!(loss.percent(), Some(10));
        loss.reported(0.0);
        assert_eq!(loss.percent(), Some(8));
        for _ in 0..24 {
            loss.reported(0.0);
        }
        assert_eq!(loss.percent(), Some(0));
    }

    const PHONE: u32 = 20;

    fn report(highest: u32, lost: i32, fraction: u8) -> ReceptionReport {
        let total_lost = lost.cast_unsigned() & 0xff_ffff;
        ReceptionReport { last_sequence_number: highest, total_lost, fraction_lost: fraction, ..ReceptionReport::default() }
    }

    /// Our first packet is number `first`.
    fn feedback(first: u32) -> Feedback {
        let mut feedback = Feedback::default();
        feedback.sent(first);
        feedback
    }

    fn lost(span: Option<Span>) -> Option<(u32, u32)> {
        span.map(|span| (span.packets(), span.lost))
    }

    /// The loss between two reports is what the second tells more.
    #[test]
    fn n8_the_loss_between_two_reports_is_what_the_second_tells() {
        let mut us = feedback(1_000);
        assert_eq!(
            lost(us.reported(PHONE, &report(1_099, 7, 0), 1_099)),
            Some((100, 7)),
            "the first counts from our first packet"
        );
        assert_eq!(lost(us.reported(PHONE, &report(1_299, 27, 0), 1_310)), Some((200, 20)));
        assert_eq!(lost(us.reported(PHONE, &report(1_399, 900, 0), 1_399)), Some((100, 100)), "no more than there were");
    }

    #[test]
    fn n8_cycles_are_ours_however_the_receiver_counts_them() {
        for cycles in [0, 1, 7] {
            let mut us = feedback(65_500);
            assert_eq!(lost(us.reported(PHONE, &report(65_530, 0, 0), 65_530)), Some((31, 0)));
            assert_eq!(lost(us.reported(PHONE, &report(cycles << 16 | 20, 5, 0), 65_560)), Some((26, 5)), "{cycles}");
        }
    }

    #[test]
    fn n8_what_cannot_be_or_is_old_counts_for_nothing() {
        let mut us = feedback(100);
        assert_eq!(us.reported(PHONE, &report(201, 0, 0), 200), None, "ahead of what was sent");
        assert_eq!(lost(us.reported(PHONE, &report(200, 3, 0), 200)), Some((101, 3)));
        assert_eq!(us.reported(PHONE, &report(150, 1, 0), 260), None, "a report that was overtaken");
        assert_eq!(lost(us.reported(PHONE, &report(250, 3, 0), 260)), Some((50, 0)));
    }

    #[test]
    fn n8_a_sum_that_does_not_go_on_is_replaced_by_the_fraction() {
        let mut us = feedback(0);
        us.reported(PHONE, &report(99, 40, 0), 99);
        assert_eq!(lost(us.reported(PHONE, &report(199, 0, 128), 199)), Some((100, 50)), "it has begun anew");
        assert_eq!(lost(us.reported(PHONE + 1, &report(299, 77, 64), 299)), Some((100, 25)), "another receiver");
        us.reported(PHONE + 1, &report(399, MOST_LOST, 255), 399);
        assert_eq!(lost(us.reported(PHONE + 1, &report(499, MOST_LOST, 128), 499)), Some((100, 50)), "a full counter");
    }

    /// A fraction that contradicts the sum is believed, and the sum where it says more.
    #[test]
    fn n8_of_a_sum_and_a_fraction_the_greater_loss_is_believed() {
        let mut us = feedback(0);
        for highest in [99, 199, 299] {
            assert_eq!(lost(us.reported(PHONE, &report(highest, 0, 128), highest)), Some((100, 50)), "{highest}");
        }
        assert_eq!(lost(us.reported(PHONE, &report(399, 30, 25), 399)), Some((100, 30)));
    }

    #[test]
    fn n8_duplicates_hide_no_loss_and_make_none() {
        let mut us = feedback(0);
        assert_eq!(lost(us.reported(PHONE, &report(99, -5, 0), 99)), Some((100, 0)));
        assert_eq!(lost(us.reported(PHONE, &report(199, 15, 51), 199)), Some((100, 20)));
    }

    /// A receiver that stands still goes on to do so beyond the wrap.
    #[test]
    fn n8_a_receiver_that_stands_still_goes_on_to_do_so_beyond() {
        let mut us = feedback(0);
        us.reported(PHONE, &report(50, 0, 0), 50);
        for sent in [60, 32_000, 33_000, 66_000, 200_000] {
            assert_eq!(lost(us.reported(PHONE, &report(50, 0, 0), sent)), Some((0, 0)), "{sent}");
        }
    }

    #[test]
    fn n8_a_report_that_names_us_no_longer_is_a_report_of_nothing() {
        let mut us = feedback(0);
        assert_eq!(us.not_named(PHONE), None, "it has never named us");
        us.reported(PHONE, &report(50, 0, 0), 50);
        assert_eq!(lost(us.not_named(PHONE)), Some((0, 0)));
        assert_eq!(us.not_named(PHONE + 1), None);
    }
}
