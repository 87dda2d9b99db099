//! A device's end: RTP in → frames, frames → RTP out, with the player in between.
//!
//! Pure: datagrams and time come in by calls, datagrams go out by [`Port::poll_transmit`]. One per call, owned by its worker.
//! Keeps S-7 (whose packets count), A-2 (a key is never heard), N-3 and N-8 (which packets carried a notice).

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::codec::{CodecError, CodecKind};
use crate::common::ids::PortId;
use crate::common::redact::Redacted;
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::dsp::resample::{Resampler, between};
use crate::prompt::Clip;
use crate::rtp::dtmf::DtmfReceiver;
use crate::rtp::latch::{Latch, NamedSource, Trickle};
use crate::rtp::packet::{Packet, is_rtcp};
use crate::rtp::quality::{self, Impairment};
use crate::rtp::receive::AudioReceiver;
use crate::rtp::rtcp::RtcpSession;

use super::delivery::DeliveryProofs;
use super::egress::{Egress, Numbered, packet_samples};
use super::events::{MediaEvent, PlayOutcome, PortEvent};
use super::player::{Play, PlayMark, Player};
use super::shared_mix::{SharedMix, TickSound};
use super::stats::PortStats;

/// Telephone-event as negotiated (RFC 4733).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEventFormat {
    /// The payload type the device sends.
    pub payload_type: u8,
    /// The payload type we send.
    pub send_payload_type: u8,
    /// Its clock.
    pub clock: Hz,
}

/// What offer and answer agreed on for a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// The codec, the same both ways.
    pub codec: CodecKind,
    /// Payload type we send.
    pub payload_type_send: u8,
    /// Payload type the device sends.
    pub payload_type_receive: u8,
    /// Keys.
    pub telephone_event: Option<TelephoneEventFormat>,
    /// How much audio we put into a packet: 10 to 60 ms.
    pub ptime: Duration,
    /// Where the description says RTP goes.
    pub remote: SocketAddr,
    /// Where the description says RTCP goes.
    pub remote_rtcp: SocketAddr,
    /// Where the signalling came from (S-7).
    pub signalling: IpAddr,
    /// What is thought of `remote` (S-7).
    pub named: NamedSource,
    /// We may send (the device listens).
    pub we_send: bool,
    /// The device sends.
    pub they_send: bool,
}

/// A datagram that is due. What became of it is told by [`Port::sent`].
#[derive(Debug)]
pub struct DueDatagram {
    /// By which socket.
    pub channel: Channel,
    /// To whom.
    pub to: SocketAddr,
    /// What.
    pub bytes: Vec<u8>,
    /// The RTP packet that it is, if it is one.
    pub packet: Option<Numbered>,
}

/// Which of a port's two sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// RTP.
    Rtp,
    /// RTCP.
    Rtcp,
}

/// A device's media end.
pub struct Port {
    id: PortId,
    profile: Profile,
    latch: Latch,
    trickle: Trickle,
    /// For an address that has to answer before it is sent anything else.
    question: Option<DueDatagram>,
    receiver: AudioReceiver,
    dtmf: DtmfReceiver,
    egress: Egress,
    rtcp: RtcpSession,
    inbound_resampler: Option<Resampler>,
    outbound_resampler: Option<Resampler>,
    player: Player,
    marks: Vec<PlayMark>,
    proofs: DeliveryProofs,
    scratch: Vec<i16>,
    /// The last packet was one that many were sent.
    follows: bool,
    rtcp_out: Option<Vec<u8>>,
    heard: mpsc::Sender<PortEvent>,
    unheard: u64,
    media_timeout: Duration,
    opened: Instant,
    last_packet: Instant,
    silence_told: bool,
    refused: u64,
    sent: u64,
}

impl Port {
    /// Opens a port.
    ///
    /// `seed` gives SSRC, first sequence number and timestamp; unpredictable outside tests (RFC 3550 section 5.1).
    ///
    /// # Errors
    /// When the codec's library refuses its settings.
    pub fn new(
        now: Instant,
        id: PortId,
        profile: Profile,
        seed: u64,
        media_timeout: Duration,
        heard: mpsc::Sender<PortEvent>,
    ) -> Result<Self, CodecError> {
        let row = profile.codec.row();
        let egress = Egress::new(&profile, seed)?;
        Ok(Self {
            id,
            profile,
            latch: Latch::new(profile.remote, profile.signalling, profile.named),
            trickle: Trickle::default(),
            question: None,
            receiver: AudioReceiver::new(profile.codec, profile.payload_type_receive)?,
            dtmf: DtmfReceiver::new(),
            rtcp: RtcpSession::new(now, egress.ssrc(), &format!("{id}@roomgate"), row.rtp_clock, seed),
            inbound_resampler: between(row.sample_rate, Hz::FULL),
            outbound_resampler: between(Hz::FULL, row.sample_rate),
            player: Player::new(row.sample_rate),
            marks: Vec::new(),
            proofs: DeliveryProofs::new(egress.ssrc()),
            egress,
            scratch: Vec::new(),
            follows: false,
            rtcp_out: None,
            heard,
            unheard: 0,
            media_timeout,
            opened: now,
            last_packet: now,
            silence_told: false,
            refused: 0,
            sent: 0,
        })
    }

    /// Takes what a new offer and answer agreed on (hold, resume, another address or codec), without a gap where the codec stays.
    ///
    /// # Errors
    /// When a new codec's library refuses its settings; the port then stays as it was.
    pub fn reprofile(&mut self, now: Instant, profile: Profile) -> Result<(), CodecError> {
        let row = profile.codec.row();
        if profile.codec != self.profile.codec {
            self.rtcp.set_clock(row.rtp_clock);
            let receiver = AudioReceiver::new(profile.codec, profile.payload_type_receive)?;
            self.egress.change_codec(&profile)?;
            self.receiver = receiver;
            self.inbound_resampler = between(row.sample_rate, Hz::FULL);
            self.outbound_resampler = between(Hz::FULL, row.sample_rate);
            self.proofs.cut_off(now, self.egress.next_sequence());
            self.player.stop_all(&mut self.marks);
            let music = self.player.music();
            self.player = Player::new(row.sample_rate);
            self.player.set_music(music);
        }
        if profile.telephone_event != self.profile.telephone_event {
            self.dtmf = DtmfReceiver::new();
        }
        if self.latch.renegotiated(profile.remote, profile.signalling, profile.named) {
            self.trickle = Trickle::default();
        }
        if self.profile.we_send && !profile.we_send {
            self.player.stop_notices(&mut self.marks);
        }
        self.profile = profile;
        Ok(())
    }

    /// An RTP datagram came in. Anything that is not media of this call by S-7 is counted and forgotten.
    pub fn receive_rtp(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        if is_rtcp(datagram) {
            // Unasked on the RTP port (RFC 5761), as some devices do.
            return self.receive_rtcp(now, from, datagram);
        }
        let Ok(packet) = Packet::parse(datagram) else {
            self.refused += 1;
            return;
        };
        let event = self.profile.telephone_event.filter(|event| event.payload_type == packet.pt);
        let audio = packet.pt == self.profile.payload_type_receive;
        if !self.latch.accept(now, from, audio || event.is_some()) {
            self.refused += 1;
            return;
        }
        let first = self.rtcp.reception().expected() == 0;
        self.last_packet = now;
        self.silence_told = false;
        self.rtcp.received(now, &packet);
        if first {
            self.say(MediaEvent::Flowing);
        }
        // Keys count in the sequence too: left out, they would look like loss.
        self.receiver.insert(now, &packet);
        if event.is_some()
            && let Some(digit) = self.dtmf.handle(now, &packet)
        {
            self.say(MediaEvent::Digit(Redacted::new(digit.digit)));
        }
    }

    /// An RTCP datagram came in.
    pub fn receive_rtcp(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let known =
            from.ip() == self.profile.remote_rtcp.ip() || self.latch.target().is_some_and(|target| target.ip() == from.ip());
        if !known {
            self.refused += 1;
            return;
        }
        self.rtcp.handle(now, datagram);
        if self.rtcp.about_us().is_some() {
            self.latch.answered(now, from);
        }
        self.last_packet = now;
        while let Some(span) = self.rtcp.poll_span() {
            self.proofs.reported(now, span);
        }
        self.say_proofs();
    }

    /// The device's next 20 ms at 48 kHz; silence while it holds, presses a key, or sends nothing.
    pub fn pull(&mut self, now: Instant, frame: &mut Frame) {
        let mut own = Frame::silence(self.profile.codec.row().sample_rate);
        self.receiver.pull(now, &mut own);
        if !self.profile.they_send || self.dtmf.active(now) {
            own = Frame::silence(own.rate());
        }
        match &mut self.inbound_resampler {
            Some(resampler) => {
                self.scratch.clear();
                resampler.process(own.samples(), &mut self.scratch);
                *frame = Frame::from_samples(Hz::FULL, &self.scratch);
            }
            None => *frame = own,
        }
    }

    /// Sends 20 ms: what the device may hear of the meeting (48 kHz), with our voices over it.
    pub fn send(&mut self, now: Instant, meeting: TickSound<'_>) {
        self.report_silence(now);
        self.make_report(now);
        self.ask_unproven(now);
        self.proofs.expire(now);
        self.say_proofs();
        match meeting {
            TickSound::Common(mix) => {
                if !self.follow(now, mix) {
                    self.go_alone(Some(mix));
                    self.send_own(now, Some(mix.frame()));
                }
            }
            TickSound::Own(frame, mix) => {
                self.go_alone(mix);
                self.send_own(now, Some(frame));
            }
            TickSound::Nothing => {
                self.go_alone(None);
                self.send_own(now, None);
            }
        }
    }

    /// Sends the payload that many are sent, if nothing of this device's own has to go into it.
    fn follow(&mut self, now: Instant, mix: &mut SharedMix) -> bool {
        let plain = self.may_send() && self.player.is_transparent() && self.marks.is_empty() && !self.egress.pressing();
        if !plain || !self.egress.takes_payloads(&self.profile) {
            return false;
        }
        let Some(payload) = mix.payload(self.profile.codec) else { return false };
        self.egress.packet(now, &self.profile, payload);
        self.follows = true;
        true
    }

    /// From here on its own encoder is heard again, which knows nothing yet of what the device heard last.
    fn go_alone(&mut self, mix: Option<&SharedMix>) {
        if !std::mem::replace(&mut self.follows, false) {
            return;
        }
        let (Some(mix), codec) = (mix, self.profile.codec) else { return };
        for frame in mix.past(codec) {
            self.resample_outbound(Some(frame));
            self.egress.take_over(&self.scratch);
        }
    }

    /// Puts 20 ms at the codec's rate into `scratch`.
    fn resample_outbound(&mut self, frame: Option<&Frame>) {
        self.scratch.clear();
        match (frame, &mut self.outbound_resampler) {
            (Some(frame), Some(resampler)) => resampler.process(frame.samples(), &mut self.scratch),
            (Some(frame), None) => self.scratch.extend_from_slice(frame.samples()),
            // Keeps the filter's history in step, so that audio starts without a click.
            (None, Some(resampler)) => resampler.process(Frame::silence(Hz::FULL).samples(), &mut self.scratch),
            (None, None) => {}
        }
        let length = self.profile.codec.row().sample_rate.samples(Duration::from_millis(20));
        self.scratch.resize(length, 0);
    }

    fn send_own(&mut self, now: Instant, meeting: Option<&Frame>) {
        self.resample_outbound(meeting);
        if !self.may_send() {
            // On hold, or nobody known to send to: what comes now waits for the resume (N-3), the clock goes on. What was cut is told at once.
            self.egress.rest(&self.profile);
            let next = self.egress.next_sequence();
            self.proofs.cut_off(now, next);
            self.report_marks(now, Place { next, packet: 1, gathered: 0 });
            return;
        }
        if self.egress.press_on(now, &self.profile) {
            return;
        }
        let gathered = self.egress.gathered();
        self.player.render(&mut self.scratch, &mut self.marks);
        let place = Place { next: self.egress.next_sequence(), packet: packet_samples(&self.profile).max(1), gathered };
        self.report_marks(now, place);
        self.egress.push(now, &self.profile, &self.scratch);
    }

    /// Takes note of what the player did, and in which packets (N-8).
    fn report_marks(&mut self, now: Instant, place: Place) {
        for mark in std::mem::take(&mut self.marks) {
            match mark {
                PlayMark::Began(play) => self.proofs.begins(play, place.of(0)),
                PlayMark::Completed { play, samples } => {
                    self.proofs.ends(now, play, PlayOutcome::Completed, place.of(samples.saturating_sub(1)));
                }
                PlayMark::Interrupted(play) => self.proofs.ends(now, play, PlayOutcome::Interrupted, place.before()),
            }
        }
        self.say_proofs();
    }

    fn say_proofs(&mut self) {
        while let Some(heard) = self.proofs.poll() {
            self.say(heard);
        }
    }

    /// Whether what is played goes out: the device listens, and it is known where it is.
    fn may_send(&self) -> bool {
        self.profile.we_send && self.latch.target().is_some()
    }

    /// S-7: a device that waits to be sent something first can answer; whoever else lives at that address gets next to nothing.
    fn ask_unproven(&mut self, now: Instant) {
        if self.profile.we_send
            && let Some(to) = self.latch.unproven()
            && self.trickle.take(now)
        {
            let (packet, bytes) = self.egress.comfort_noise();
            self.question = Some(DueDatagram { channel: Channel::Rtp, to, bytes, packet: Some(packet) });
        }
    }

    fn make_report(&mut self, now: Instant) {
        if self.rtcp.due(now) {
            self.rtcp_out = Some(self.rtcp.build(now, self.ntp(now)));
        }
    }

    fn report_silence(&mut self, now: Instant) {
        if !(self.profile.we_send && self.profile.they_send) {
            // On hold nothing need come; the time counts from the resume.
            self.last_packet = now;
            self.silence_told = false;
            return;
        }
        let silent = now.saturating_duration_since(self.last_packet);
        if silent >= self.media_timeout && !self.silence_told {
            self.silence_told = true;
            self.say(MediaEvent::Silent(silent));
        }
    }

    /// Adds something to play.
    pub fn play(&mut self, play: Play) {
        self.player.play(play, &mut self.marks);
    }

    /// Cuts prompts; notices go on (N-3).
    pub fn stop_prompts(&mut self) {
        self.player.stop_prompts(&mut self.marks);
    }

    /// Sets or ends the waiting music.
    pub fn set_music(&mut self, clip: Option<Clip>) {
        self.player.set_music(clip);
    }

    /// The next datagram that is due. What became of it must be told by [`Port::sent`].
    pub fn poll_transmit(&mut self, now: Instant) -> Option<DueDatagram> {
        if let Some(question) = self.question.take() {
            return Some(question);
        }
        if let (Some(bytes), Some(to)) = (self.rtcp_out.take(), self.rtcp_target()) {
            return Some(DueDatagram { channel: Channel::Rtcp, to, bytes, packet: None });
        }
        loop {
            let (packet, bytes) = self.egress.poll(now)?;
            match (bytes, self.latch.target()) {
                (Some(bytes), Some(to)) => return Some(DueDatagram { channel: Channel::Rtp, to, bytes, packet: Some(packet) }),
                // It could not be encoded, or there is nobody to send it to.
                _ => self.sent(now, packet, false),
            }
        }
    }

    /// A packet was taken by the socket, or was not: only what has left counts as sent, and as said (N-8).
    pub fn sent(&mut self, now: Instant, packet: Numbered, left: bool) {
        if left {
            self.sent += 1;
            self.rtcp.sent(now, packet.sequence, packet.timestamp, packet.payload);
        }
        self.proofs.went(now, packet.sequence, left);
        self.say_proofs();
    }

    /// RTCP follows the address of RTP: behind a NAT the described one leads nowhere, and another one was only named (S-7).
    fn rtcp_target(&self) -> Option<SocketAddr> {
        let (target, described) = (self.latch.target()?, self.profile.remote_rtcp);
        let as_described = target == self.profile.remote && described.ip() == target.ip();
        Some(if as_described { described } else { SocketAddr::new(target.ip(), target.port().saturating_add(1)) })
    }

    /// Ends the port: says goodbye by RTCP where it is known to whom, reports what was cut, and gives the figures.
    pub fn close(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        self.player.stop_all(&mut self.marks);
        let next = self.egress.next_sequence();
        self.report_marks(now, Place { next, packet: 1, gathered: 0 });
        self.proofs.close(now);
        self.say_proofs();
        let stats = self.stats();
        self.say(MediaEvent::Closed(Box::new(stats)));
        let target = self.rtcp_target()?;
        Some((target, self.rtcp.build_bye(now, self.ntp(now))))
    }

    /// What offer and answer have agreed on.
    #[must_use]
    pub const fn agreed(&self) -> &Profile {
        &self.profile
    }

    /// What was counted so far.
    #[must_use]
    pub fn stats(&self) -> PortStats {
        let received = self.receiver.stats();
        let reception = self.rtcp.reception();
        let expected = reception.expected();
        let lost = reception.lost();
        let ticks = u64::from(reception.jitter_ticks());
        let jitter = Duration::from_micros(ticks * 1_000_000 / u64::from(self.profile.codec.row().rtp_clock.0));
        let loss = if expected > 0 { lost.max(0) as f32 / expected as f32 } else { 0.0 };
        let round_trip = self.rtcp.round_trip();
        let impairment = Impairment { loss, delay: round_trip.unwrap_or_default() / 2, jitter };
        PortStats {
            received: expected.saturating_add_signed(-lost),
            sent: self.sent,
            lost,
            refused: self.refused,
            jitter,
            concealed: received.concealed,
            round_trip,
            mos: quality::rate(self.profile.codec, impairment).mos,
        }
    }

    /// Time for sender reports: since the port opened, as RFC 3550 section 6.4.1 allows for a sender without a wall clock.
    fn ntp(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.opened);
        (since.as_secs() << 32) | ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000)
    }

    /// Sends a key, as a phone does; false if the device takes none.
    pub fn press(&mut self, digit: char, duration: Duration) -> bool {
        self.egress.press(&self.profile, digit, duration)
    }

    /// Keys are still going out.
    #[must_use]
    pub fn pressing(&self) -> bool {
        self.egress.pressing()
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> PortId {
        self.id
    }

    fn say(&mut self, heard: MediaEvent) {
        if self.heard.try_send(PortEvent { port: self.id, heard }).is_err() {
            self.unheard += 1;
        }
    }
}

/// Where a frame lies in the packets that are made of it.
#[derive(Clone, Copy)]
struct Place {
    /// Extended sequence number of the next packet.
    next: u32,
    /// Samples of a packet.
    packet: usize,
    /// Samples that are there for the next packet already.
    gathered: usize,
}

impl Place {
    /// The packet of a sample of the frame.
    fn of(self, sample: usize) -> u32 {
        self.next.wrapping_add(u32::try_from((self.gathered + sample) / self.packet).unwrap_or(0))
    }

    /// The packet of the last sample before the frame.
    fn before(self) -> u32 {
        if self.gathered > 0 { self.next } else { self.next.wrapping_sub(1) }
    }
}
