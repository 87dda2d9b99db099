//! [`RtcpSession`]: when we report, what we send, and what is reported about us.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use rtcp::goodbye::Goodbye;
use rtcp::packet::Packet as RtcpPacket;
use rtcp::receiver_report::ReceiverReport;
use rtcp::reception_report::ReceptionReport;
use rtcp::sender_report::SenderReport;

use super::reception::ReceptionStats;
use crate::common::units::Hz;
use crate::rtp::feedback::{Feedback, Span, cumulative};
use crate::rtp::packet::Packet;

/// Mean time between our reports (RFC 3550 §6.2: the minimum; a call of two never needs more).
const INTERVAL: Duration = Duration::from_secs(5);
/// e - 3/2: what timer reconsideration makes of the mean (RFC 3550 §6.3.1).
const COMPENSATION: f64 = 1.21828;
/// Sub-packets looked at in one datagram; hostile ones can hold thousands.
const MOST_PACKETS: usize = 32;
/// Sender reports remembered for the round trip; a peer answers the last one or the one before.
const REMEMBERED: usize = 4;

/// What the other end last said of our stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerReport {
    /// Share of our packets lost since its report before, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost since the beginning; negative with duplicates.
    pub lost: i32,
    /// Highest sequence number received: 16 bits of cycles as the peer counts them, 16 bits of number.
    pub highest_seq: u32,
    /// Interarrival jitter at the peer, in ticks.
    pub jitter: u32,
    /// Round trip, where the report answers one of ours.
    pub round_trip: Option<Duration>,
}

/// RTCP of one stream pair: ours out, the peer's in.
#[derive(Clone, Debug)]
pub struct RtcpSession {
    ssrc: u32,
    cname: Vec<u8>,
    clock: Hz,
    random: ChaCha20Rng,
    next: Instant,
    packets: u32,
    octets: u32,
    /// The last packet sent: when, and its timestamp and extended number.
    last_sent: Option<(Instant, u32, u32)>,
    /// Whether something was sent since the report before.
    sending: bool,
    reception: ReceptionStats,
    /// Middle bits of the peer's last sender report, and when it came.
    peer_report_time: Option<(u32, Instant)>,
    /// Middle bits of our last sender reports, and when they went, newest last.
    ours: Vec<(u32, Instant)>,
    about_us: Option<PeerReport>,
    feedback: Feedback,
    /// What reports have told of our packets and nobody has taken yet. Full: the oldest is forgotten, as if its report had been lost.
    spans: VecDeque<Span>,
    goodbye: bool,
}

// === impl RtcpSession ===

impl RtcpSession {
    /// For a stream of ours with `ssrc` and RTP clock `clock`. `cname` must not name the device (RFC 7022: a random text is
    /// best); at most 255 bytes of it are used.
    #[must_use]
    pub fn new(now: Instant, ssrc: u32, cname: &str, clock: Hz, seed: u64) -> Self {
        let mut session = Self {
            ssrc,
            cname: cname.bytes().take(255).collect(),
            clock,
            random: ChaCha20Rng::seed_from_u64(seed),
            next: now,
            packets: 0,
            octets: 0,
            last_sent: None,
            sending: false,
            reception: ReceptionStats::default(),
            peer_report_time: None,
            ours: Vec::new(),
            about_us: None,
            feedback: Feedback::default(),
            spans: VecDeque::new(),
            goodbye: false,
        };
        // The first report comes after half the interval (RFC 3550 §6.2).
        session.next = now + session.interval() / 2;
        session
    }

    /// The codec was renegotiated: another RTP clock from now on.
    pub fn set_clock(&mut self, clock: Hz) {
        self.clock = clock;
    }

    /// Takes note of an RTP packet that left us; `sequence` is its extended number.
    pub fn sent(&mut self, now: Instant, sequence: u32, timestamp: u32, payload_length: usize) {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(u32::try_from(payload_length).unwrap_or(0));
        self.last_sent = Some((now, timestamp, sequence));
        self.sending = true;
        self.feedback.sent(sequence);
    }

    /// Takes note of an RTP packet that the peer sent, whatever its payload type. `clock` is what its timestamps count by.
    pub fn received(&mut self, now: Instant, packet: &Packet<'_>, clock: Hz) {
        if self.reception.ssrc().is_some_and(|ssrc| ssrc != packet.ssrc) {
            self.peer_report_time = None;
        }
        self.reception.received(now, packet, clock);
    }

    /// The peer's next packet begins another source or sequence: reports begin anew, what was counted stays counted.
    pub fn begin_anew(&mut self) {
        self.peer_report_time = None;
        self.reception.begin_anew();
    }

    /// When the next report is due.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.next
    }

    /// Whether a report is due.
    #[must_use]
    pub fn due(&self, now: Instant) -> bool {
        now >= self.next
    }

    /// Builds the compound packet that is due and plans the next. `wallclock_ntp`: NTP time, 32.32 bits (RFC 3550 §4).
    pub fn build(&mut self, now: Instant, wallclock_ntp: u64) -> Vec<u8> {
        self.next = now + self.interval();
        self.compound(now, wallclock_ntp)
    }

    /// Builds the last compound packet of the stream, with BYE.
    pub fn build_bye(&mut self, now: Instant, wallclock_ntp: u64) -> Vec<u8> {
        let mut bytes = self.compound(now, wallclock_ntp);
        bytes.extend(marshal(Box::new(Goodbye { sources: vec![self.ssrc], ..Goodbye::default() })));
        bytes
    }

    /// Reads a compound packet. What is malformed or about somebody else is passed over.
    pub fn handle(&mut self, now: Instant, datagram: &[u8]) {
        let mut rest = datagram;
        for _ in 0..MOST_PACKETS {
            // Cut by the length field first, so that one unreadable packet does not spoil the others.
            let &[first, _, high, low, ..] = rest else { return };
            let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
            if first >> 6 != 2 || length > rest.len() {
                return;
            }
            let (mut one, behind) = rest.split_at(length);
            rest = behind;
            for packet in rtcp::packet::unmarshal(&mut one).unwrap_or_default() {
                self.handle_packet(now, packet.as_ref());
            }
        }
    }

    /// What the other end last said of our stream.
    #[must_use]
    pub fn about_us(&self) -> Option<PeerReport> {
        self.about_us
    }

    /// What a report told of our packets since the report before it (N-8), the oldest first.
    pub fn poll_span(&mut self) -> Option<Span> {
        self.spans.pop_front()
    }

    /// The last round trip that was measured.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.about_us.and_then(|report| report.round_trip)
    }

    /// What has come of the peer's stream.
    #[must_use]
    pub fn reception(&self) -> &ReceptionStats {
        &self.reception
    }

    /// Whether the peer has said goodbye.
    #[must_use]
    pub fn said_goodbye(&self) -> bool {
        self.goodbye
    }

    fn handle_packet(&mut self, now: Instant, packet: &dyn RtcpPacket) {
        if let Some(report) = packet.as_any().downcast_ref::<SenderReport>() {
            if self.reception.ssrc().is_none_or(|ssrc| ssrc == report.ssrc) {
                self.peer_report_time = Some(((report.ntp_time >> 16) as u32, now));
            }
            self.handle_reports(now, report.ssrc, &report.reports);
        } else if let Some(report) = packet.as_any().downcast_ref::<ReceiverReport>() {
            self.handle_reports(now, report.ssrc, &report.reports);
        } else if let Some(goodbye) = packet.as_any().downcast_ref::<Goodbye>() {
            self.goodbye |= self.reception.ssrc().is_some_and(|ssrc| goodbye.sources.contains(&ssrc));
        }
    }

    fn handle_reports(&mut self, now: Instant, reporter: u32, reports: &[ReceptionReport]) {
        let Some((_, _, last_sent)) = self.last_sent else { return };
        let Some(report) = reports.iter().find(|report| report.ssrc == self.ssrc) else {
            let span = self.feedback.not_named(reporter);
            self.note(span);
            return;
        };
        let span = self.feedback.reported(reporter, report, last_sent);
        // Nobody can have received what was not sent yet; what is older than the last one is no news.
        if span.is_none() {
            return;
        }
        self.note(span);
        let sent = self.ours.iter().find(|(middle, _)| *middle == report.last_sender_report && *middle != 0);
        let round_trip = sent.and_then(|(_, at)| {
            let held = Duration::from_micros(u64::from(report.delay) * 1_000_000 / 65_536);
            now.saturating_duration_since(*at).checked_sub(held)
        });
        self.about_us = Some(PeerReport {
            fraction_lost: report.fraction_lost,
            lost: cumulative(report),
            highest_seq: report.last_sequence_number,
            jitter: report.jitter,
            round_trip: round_trip.or(self.round_trip()),
        });
    }

    fn note(&mut self, span: Option<Span>) {
        let Some(span) = span else { return };
        if self.spans.len() >= MOST_PACKETS {
            self.spans.pop_front();
        }
        self.spans.push_back(span);
    }

    fn compound(&mut self, now: Instant, wallclock_ntp: u64) -> Vec<u8> {
        let reports = self.reception.report().map(|report| self.answered(now, report)).into_iter().collect();
        let first: Box<dyn RtcpPacket> = match self.last_sent.filter(|_| self.sending) {
            Some((at, timestamp, _)) => {
                self.ours.push(((wallclock_ntp >> 16) as u32, now));
                if self.ours.len() > REMEMBERED {
                    self.ours.remove(0);
                }
                let since = now.saturating_duration_since(at).as_micros() * u128::from(self.clock.0) / 1_000_000;
                Box::new(SenderReport {
                    ssrc: self.ssrc,
                    ntp_time: wallclock_ntp,
                    rtp_time: timestamp.wrapping_add(since as u32),
                    packet_count: self.packets,
                    octet_count: self.octets,
                    reports,
                    ..SenderReport::default()
                })
            }
            None => Box::new(ReceiverReport { ssrc: self.ssrc, reports, ..ReceiverReport::default() }),
        };
        self.sending = false;
        let mut bytes = marshal(first);
        self.append_sdes(&mut bytes);
        bytes
    }

    /// Appends SDES with our CNAME (RFC 3550 §6.5). Written here, because the crate fills up with other octets than null.
    fn append_sdes(&self, out: &mut Vec<u8>) {
        let length = (4 + 2 + self.cname.len() + 1).div_ceil(4);
        out.extend_from_slice(&[0x81, 202, 0, u8::try_from(length).unwrap_or(u8::MAX)]);
        let begin = out.len();
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(&[1, u8::try_from(self.cname.len()).unwrap_or(u8::MAX)]);
        out.extend_from_slice(&self.cname);
        out.resize(begin + length * 4, 0);
    }

    /// The report block with the answer to the peer's last sender report.
    fn answered(&self, now: Instant, mut report: ReceptionReport) -> ReceptionReport {
        if let Some((middle, at)) = self.peer_report_time {
            let held = now.saturating_duration_since(at).as_micros() * 65_536 / 1_000_000;
            report.last_sender_report = middle;
            report.delay = u32::try_from(held).unwrap_or(u32::MAX);
        }
        report
    }

    /// A half to one and a half times the mean, so that the reports of many calls do not march in step (RFC 3550 §6.3.1).
    fn interval(&mut self) -> Duration {
        let share = (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        INTERVAL.mul_f64((0.5 + share) / COMPENSATION)
    }
}

/// The bytes of one packet.
pub(super) fn marshal(packet: Box<dyn RtcpPacket>) -> Vec<u8> {
    // Fails only for more reports than we ever put in; then nothing is sent.
    rtcp::packet::marshal(&[packet]).map(|bytes| bytes.to_vec()).unwrap_or_default()
}

/// The share of the packets of `ssrc`, 0.0 to 1.0, that a report says were lost since the report before it (RFC 3550 section 6.4.1).
#[must_use]
pub fn fraction_lost(packet: &dyn RtcpPacket, ssrc: u32) -> Option<f32> {
    let any = packet.as_any();
    let of_sender = any.downcast_ref::<SenderReport>().map(|report| &report.reports);
    let reports = of_sender.or_else(|| any.downcast_ref::<ReceiverReport>().map(|report| &report.reports))?;
    reports.iter().find(|report| report.ssrc == ssrc).map(|report| f32::from(report.fraction_lost) / 256.0)
}
