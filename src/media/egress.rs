//! The sending half of a device's port: frames and telephone events become paced RTP packets.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::codec::{CodecError, Encoder};
use crate::common::units::Hz;
use crate::rtp::dtmf::DtmfSender;
use crate::rtp::sender::RtpSender;

use super::profile::Profile;

/// Packets made but not yet due (a 10 ms ptime makes two a tick); far more than any ptime needs. Full: the oldest is lost, which the gap
/// in the sequence numbers shows.
const PACED: usize = 8;
/// Telephone events waiting to be sent. Full: the newest is dropped.
const KEYS: usize = 64;
/// Interval in which frames come.
const TICK: Duration = Duration::from_millis(20);
/// Interval of the packets of a telephone event (RFC 4733 section 2.5.1.2): one tick.
const EVENT_PACKET: Duration = TICK;
/// The payload type of comfort noise (RFC 3551), and its least level (RFC 3389).
const COMFORT_NOISE: u8 = 13;
const SILENCE: u8 = 127;
/// Ticks of silence after which comfort noise takes the place of audio: the reverberation in a codec is over by then.
const SILENT_BEFORE: u32 = 10;
/// Comfort noise is sent every so many ticks: a second, so that mappings of NATs and time-outs of devices see packets.
const NOISE_EVERY: u32 = 50;
/// Pause between two telephone events.
const BETWEEN_KEYS: Duration = Duration::from_millis(80);

/// What delivery tracking and sender reports need to know of an RTP packet of ours.
#[derive(Debug, Clone, Copy)]
pub struct PacketInfo {
    /// Sequence number, extended as receivers extend it (RFC 3550 appendix A.1).
    pub(super) sequence: u32,
    /// RTP timestamp of its first sample.
    pub(super) timestamp: u32,
    /// Length of the payload in bytes.
    pub(super) payload: usize,
}

/// A packet that is not due yet. Without bytes it could not be encoded: it is lost like one that a socket refuses.
struct Paced {
    due: Instant,
    packet: PacketInfo,
    bytes: Option<Vec<u8>>,
}

/// Where the samples of a frame lie in the packets that are made of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct FramePlacement {
    /// Extended sequence number of the next packet.
    next: u32,
    /// Samples in a packet, at least 1.
    packet: usize,
    /// Samples gathered for the next packet before this frame.
    gathered: usize,
}

impl FramePlacement {
    /// The packet of a sample of the frame.
    pub(super) fn packet_of(self, sample: usize) -> u32 {
        self.next.wrapping_add(u32::try_from((self.gathered + sample) / self.packet).unwrap_or(0))
    }

    /// The packet of the last sample before the frame.
    pub(super) fn packet_before(self) -> u32 {
        if self.gathered > 0 { self.next } else { self.next.wrapping_sub(1) }
    }
}

/// Turns frames into packets.
pub(super) struct Egress {
    encoder: Box<dyn Encoder>,
    complexity: u8,
    outgoing: RtpSender,
    /// Extended sequence number of the next packet.
    extended: u32,
    fifo: Vec<i16>,
    payload: Vec<u8>,
    paced: VecDeque<Paced>,
    next_due: Option<Instant>,
    /// The last tick was sent, so that the next packet does not begin a talkspurt (RFC 3551 section 4.1).
    in_talkspurt: bool,
    /// Ticks of nothing but silence until now.
    silent: u32,
    keys: VecDeque<DtmfSender>,
    key_at: Option<u32>,
    quiet_until: Option<Instant>,
}

impl Egress {
    pub(super) fn new(profile: &Profile, seed: u64) -> Result<Self, CodecError> {
        let outgoing = RtpSender::new(seed);
        Ok(Self {
            encoder: profile.codec.encoder(profile.encoder)?,
            complexity: profile.encoder.complexity,
            extended: u32::from(outgoing.seq),
            outgoing,
            fifo: Vec::new(),
            payload: Vec::new(),
            paced: VecDeque::new(),
            next_due: None,
            in_talkspurt: false,
            silent: 0,
            keys: VecDeque::new(),
            key_at: None,
            quiet_until: None,
        })
    }

    /// Goes on with another codec; samples of the old one's rate that wait for a packet are dropped.
    pub(super) fn change_encoder(&mut self, encoder: Box<dyn Encoder>) {
        self.encoder = encoder;
        self.encoder.set_complexity(self.complexity);
        self.fifo.clear();
    }

    pub(super) const fn ssrc(&self) -> u32 {
        self.outgoing.ssrc
    }

    pub(super) const fn next_sequence(&self) -> u32 {
        self.extended
    }

    /// Where the samples of the next frame will lie.
    pub(super) fn placement(&self, profile: &Profile) -> FramePlacement {
        FramePlacement { next: self.extended, packet: packet_samples(profile).max(1), gathered: self.fifo.len() }
    }

    /// The boundary before the next packet, where no frame is being sent.
    pub(super) const fn between_frames(&self) -> FramePlacement {
        FramePlacement { next: self.extended, packet: 1, gathered: 0 }
    }

    /// Sends nothing for one tick; the timestamp goes on (RFC 3550 section 5.1).
    pub(super) fn skip_tick(&mut self, profile: &Profile) {
        self.fifo.clear();
        self.next_due = None;
        self.in_talkspurt = false;
        self.outgoing.advance(ticks(profile, EVENT_PACKET));
    }

    /// Queues a telephone event; false if none were negotiated, the digit is none, or too many wait.
    pub(super) fn press(&mut self, profile: &Profile, digit: char, duration: Duration) -> bool {
        let Some(event) = profile.telephone_event else { return false };
        match DtmfSender::new(digit, duration, EVENT_PACKET, event.clock) {
            Some(key) if self.keys.len() < KEYS => {
                self.keys.push_back(key);
                true
            }
            _ => false,
        }
    }

    /// Telephone events are still being sent.
    pub(super) fn pressing(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Sends one tick of a telephone event instead of audio. False: none is to be sent now.
    pub(super) fn send_key(&mut self, now: Instant, profile: &Profile) -> bool {
        let Some(event) = profile.telephone_event else { return false };
        if self.quiet_until.is_some_and(|until| now < until) {
            return false;
        }
        let Some(key) = self.keys.front_mut() else { return false };
        let timestamp = *self.key_at.get_or_insert(self.outgoing.timestamp);
        match key.next_packet() {
            Some(packet) => {
                let mut bytes = Vec::with_capacity(16);
                let numbered = self.number(packet.payload.len());
                self.outgoing.event(event.send_payload_type, packet.marker, timestamp, &packet.payload, &mut bytes);
                self.queue(now, numbered, Some(bytes));
                self.skip_tick(profile);
                true
            }
            None => {
                self.keys.pop_front();
                self.key_at = None;
                self.quiet_until = Some(now + BETWEEN_KEYS);
                false
            }
        }
    }

    /// A packet of comfort noise (RFC 3389) that probes an address, apart from what is played: it takes a sequence number, and no time.
    pub(super) fn comfort_noise(&mut self) -> (PacketInfo, Vec<u8>) {
        self.noise(COMFORT_NOISE)
    }

    fn noise(&mut self, payload_type: u8) -> (PacketInfo, Vec<u8>) {
        let mut bytes = Vec::with_capacity(13);
        let numbered = self.number(1);
        self.outgoing.event(payload_type, false, self.outgoing.timestamp, &[SILENCE], &mut bytes);
        (numbered, bytes)
    }

    /// Sends comfort noise (RFC 3389) in place of a tick of silence, where that is agreed on and has lasted for a while. False: the tick is to be
    /// sent as audio.
    pub(super) fn pauses(&mut self, now: Instant, profile: &Profile, samples: &[i16]) -> bool {
        let Some(payload_type) = profile.comfort_noise.filter(|_| samples.iter().all(|sample| *sample == 0)) else {
            self.silent = 0;
            return false;
        };
        self.silent = self.silent.saturating_add(1);
        let Some(ticks) = self.silent.checked_sub(SILENT_BEFORE + 1) else { return false };
        if ticks.is_multiple_of(NOISE_EVERY) {
            let (numbered, bytes) = self.noise(payload_type);
            self.queue(now, numbered, Some(bytes));
        }
        self.skip_tick(profile);
        true
    }

    /// Takes the samples of one tick, at the codec's rate, and makes the packets that are full. One that cannot be encoded leaves a gap in
    /// the sequence, like one that is lost.
    pub(super) fn push(&mut self, now: Instant, profile: &Profile, samples: &[i16]) {
        self.fifo.extend_from_slice(samples);
        let packet = packet_samples(profile);
        let mut at = now;
        while packet > 0 && self.fifo.len() >= packet {
            let mut payload = std::mem::take(&mut self.payload);
            payload.clear();
            let encoded = self.encoder.encode(self.fifo.get(..packet).unwrap_or_default(), &mut payload);
            self.fifo.drain(..packet);
            match encoded {
                Ok(()) => self.packet(at, profile, &payload),
                Err(_) => {
                    let numbered = self.number(0);
                    self.outgoing.seq = self.outgoing.seq.wrapping_add(1);
                    self.outgoing.advance(ticks(profile, profile.ptime));
                    let due = self.due(at, profile);
                    self.queue(due, numbered, None);
                }
            }
            self.payload = payload;
            at += profile.ptime;
        }
    }

    /// Whether the next packet can carry a payload of 20 ms that the shared encoder made.
    pub(super) fn takes_payloads(&self, profile: &Profile) -> bool {
        profile.ptime == TICK && self.fifo.is_empty() && !profile.encoder.is_limited()
    }

    /// The encoder.
    pub(super) fn encoder(&self) -> &dyn Encoder {
        &*self.encoder
    }

    /// Lets the encoder go on from the state of the shared one; false where states of this codec are not copied.
    pub(super) fn adopt(&mut self, shared: &dyn Encoder) -> bool {
        self.encoder.adopt(shared)
    }

    /// Lets the encoder encode what the shared one has encoded until now, so that it goes on from the same state. Nothing is sent.
    pub(super) fn prime(&mut self, samples: &[i16]) {
        self.payload.clear();
        // What fails here fails again at the next packet, where it counts.
        let _ = self.encoder.encode(samples, &mut self.payload);
    }

    /// Effort of the encoder, 0 to 10.
    pub(super) fn set_complexity(&mut self, complexity: u8) {
        self.complexity = complexity;
        self.encoder.set_complexity(complexity);
    }

    /// The device takes so many bits per second at most.
    pub(super) fn limit_bitrate(&mut self, most: u32) {
        self.encoder.limit_bitrate(most);
    }

    /// The device does not get this share of the packets, in percent: the encoder protects those to come.
    pub(super) fn expect_loss(&mut self, percent: u8) {
        self.encoder.expect_loss(percent);
    }

    /// Sends a payload of one packet time: its own encoder's, or the shared one's.
    pub(super) fn packet(&mut self, now: Instant, profile: &Profile, payload: &[u8]) {
        let mut bytes = Vec::with_capacity(12 + payload.len());
        let marker = !std::mem::replace(&mut self.in_talkspurt, true);
        let numbered = self.number(payload.len());
        self.outgoing.packet(profile.payload_type_send, marker, payload, ticks(profile, profile.ptime), &mut bytes);
        let due = self.due(now, profile);
        self.queue(due, numbered, Some(bytes));
    }

    /// Takes the next sequence number.
    fn number(&mut self, payload: usize) -> PacketInfo {
        let numbered = PacketInfo { sequence: self.extended, timestamp: self.outgoing.timestamp, payload };
        self.extended = self.extended.wrapping_add(1);
        numbered
    }

    /// When a packet leaves that could leave at `at`: a packet time behind the one before, as near as that is. Packets that are no multiple of a
    /// tick become full too early by up to the rest; more is left of ticks that came closer together when the device was seated on a bridge, and
    /// would delay everything from then on.
    fn due(&mut self, at: Instant, profile: &Profile) -> Instant {
        let early = Duration::from_nanos((profile.ptime.subsec_nanos() % TICK.subsec_nanos()).into());
        let most = if profile.ptime > TICK { at + early } else { at };
        let due = match self.next_due {
            Some(due) if at.saturating_duration_since(due) < profile.ptime => due.min(most),
            _ => at,
        };
        self.next_due = Some(due + profile.ptime);
        due
    }

    fn queue(&mut self, due: Instant, packet: PacketInfo, bytes: Option<Vec<u8>>) {
        if self.paced.len() >= PACED {
            self.paced.pop_front();
        }
        self.paced.push_back(Paced { due, packet, bytes });
    }

    /// The next packet that is due; without bytes, one that cannot be sent.
    pub(super) fn poll(&mut self, now: Instant) -> Option<(PacketInfo, Option<Vec<u8>>)> {
        if self.paced.front()?.due > now {
            return None;
        }
        self.paced.pop_front().map(|paced| (paced.packet, paced.bytes))
    }
}

/// Samples of a packet, at the codec's rate.
fn packet_samples(profile: &Profile) -> usize {
    profile.codec.row().sample_rate.samples(profile.ptime)
}

fn ticks(profile: &Profile, time: Duration) -> u32 {
    let clock: Hz = profile.codec.row().rtp_clock;
    u32::try_from(clock.samples(time)).unwrap_or(0)
}
