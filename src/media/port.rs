//! A device's leg: RTP in → frames, frames → RTP out, with the player in between.
//!
//! Pure: datagrams and time come in by the calls of [`MediaLeg`], datagrams go out by [`MediaLeg::poll_transmit`]. One per call, owned by
//! its worker. Keeps S-7 (whose packets count), A-2 (the tone of a key is not mixed), N-3 and N-8 (which packets carried a notice).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::common::ids::PortId;
use crate::common::play_outcome::PlayOutcome;
use crate::dsp::frame::Frame;
use crate::prompt::Clip;
use crate::rtp::feedback::ReportedLoss;
use crate::rtp::packet::Packet;
use crate::rtp::payload::PayloadContent;
use crate::rtp::quality::{self, Impairment};
use crate::rtp::rtcp::RtcpSession;

use super::delivery_proofs::DeliveryProofs;
use super::egress::{Egress, FramePlacement, PacketInfo};
use super::events::{MediaEvent, PortEvent};
use super::ingress::Ingress;
use super::keys::Keys;
use super::leg::{DueDatagram, MediaLeg};
use super::outbound_frame::OutboundFrame;
use super::path::{MediaPath, Received};
use super::player::{Play, PlayMark, Player};
use super::profile::{Channel, PortError, Profile};
use super::shared_mix::{SharedMix, TickSound};
use super::silence::SilenceWatch;
use super::stats::PortStats;

/// The media of one device's call.
pub struct Port {
    id: PortId,
    profile: Profile,
    path: MediaPath,
    /// The packet that came last, without its protection.
    unprotected: Vec<u8>,
    /// Comfort noise for an address that has to answer before it is sent anything else (S-7).
    probe: Option<DueDatagram<Channel>>,
    ingress: Ingress,
    keys: Keys,
    egress: Egress,
    rtcp: RtcpSession,
    outbound: OutboundFrame,
    player: Player,
    marks: Vec<PlayMark>,
    proofs: DeliveryProofs,
    /// Of our packets, by the device's reports.
    reported_loss: ReportedLoss,
    /// The payload of the last packet came from the shared encoder.
    shares_payloads: bool,
    /// Frames of the common mix, and of nothing else, that its own encoder has encoded since the last other one.
    common_frames: usize,
    rtcp_out: Option<Vec<u8>>,
    events: mpsc::Sender<PortEvent>,
    lost_events: u64,
    silence: SilenceWatch,
    opened: Instant,
    refused: u64,
    sent: u64,
}

impl Port {
    /// Opens a port.
    ///
    /// `seed` gives SSRC, first sequence number and timestamp; unpredictable outside tests (RFC 3550 section 5.1).
    ///
    /// # Errors
    /// When the codec's library refuses its settings, or the keys cannot be used.
    pub fn new(
        now: Instant,
        id: PortId,
        profile: Profile,
        seed: u64,
        media_timeout: Duration,
        events: mpsc::Sender<PortEvent>,
    ) -> Result<Self, PortError> {
        let row = profile.codec.row();
        let egress = Egress::new(&profile, seed)?;
        Ok(Self {
            id,
            path: MediaPath::new(now, &profile)?,
            unprotected: Vec::new(),
            probe: None,
            ingress: Ingress::new(&profile)?,
            keys: Keys::new(&profile),
            outbound: OutboundFrame::new(profile.codec),
            profile,
            rtcp: RtcpSession::new(now, egress.ssrc(), &format!("{id}@roomgate"), row.rtp_clock, seed),
            player: Player::new(row.sample_rate),
            marks: Vec::new(),
            proofs: DeliveryProofs::new(egress.ssrc()),
            reported_loss: ReportedLoss::default(),
            egress,
            shares_payloads: false,
            common_frames: 0,
            rtcp_out: None,
            events,
            lost_events: 0,
            silence: SilenceWatch::new(now, media_timeout),
            opened: now,
            refused: 0,
            sent: 0,
        })
    }

    /// Takes what a new offer and answer agreed on (hold, resume, another address or codec), without a gap where the codec stays.
    ///
    /// # Errors
    /// When a new codec's library refuses its settings, or new keys cannot be used; the port then stays as it was.
    pub fn reprofile(&mut self, now: Instant, profile: Profile) -> Result<(), PortError> {
        let row = profile.codec.row();
        // What can fail comes first: the port stays as it was then.
        let encoder = (profile.codec != self.profile.codec).then(|| profile.codec.encoder(profile.encoder)).transpose()?;
        self.path.renegotiate(now, &profile)?;
        if let Some(encoder) = encoder {
            self.egress.change_encoder(encoder);
            self.rtcp.set_clock(row.rtp_clock);
            self.outbound = OutboundFrame::new(profile.codec);
            self.proofs.cut_off(now, self.egress.next_sequence());
            self.player.stop_all(&mut self.marks);
            let music = self.player.music();
            self.player = Player::new(row.sample_rate);
            self.player.set_music(music);
        }
        self.egress.limit_bitrate(profile.encoder.most_bitrate);
        self.ingress.renegotiate(&profile);
        self.keys.renegotiate(&self.profile, &profile);
        if self.profile.we_send && !profile.we_send {
            self.player.stop_notices(&mut self.marks);
        }
        self.profile = profile;
        Ok(())
    }

    /// Packets that are not media of this call by S-7 are counted and dropped.
    fn receive_rtp(&mut self, now: Instant, from: SocketAddr, packet: &[u8]) {
        let Ok(packet) = Packet::parse(packet) else {
            self.refused += 1;
            return;
        };
        let content = self.ingress.content(packet.pt);
        if content.is_none() && self.path.is_from_device(from) {
            self.silence.restart(now);
            self.ingress.take_unnamed(now, &packet, &mut self.rtcp);
            return;
        }
        if !self.path.accept_rtp(now, from, content.is_some()) {
            self.refused += 1;
            return;
        }
        let first = self.rtcp.reception().expected() == 0;
        self.silence.restart(now);
        self.ingress.take(now, &packet, &mut self.rtcp);
        if first {
            self.emit(MediaEvent::Flowing);
        }
        if matches!(content, Some(PayloadContent::TelephoneEvent(_))) {
            self.keys.packet(now, &packet);
            self.emit_keys(now);
        }
    }

    fn receive_rtcp(&mut self, now: Instant, from: SocketAddr, packet: &[u8]) {
        if !self.path.accept_rtcp(from) {
            self.refused += 1;
            return;
        }
        self.rtcp.handle(now, packet);
        if self.rtcp.about_us().is_some() {
            self.path.report_received(now, from);
        }
        self.silence.restart(now);
        while let Some(span) = self.rtcp.poll_span() {
            self.proofs.reported(now, span);
            if span.packets() > 0 {
                self.reported_loss.reported(span.lost as f32 / span.packets() as f32);
            }
        }
        if let Some(percent) = self.reported_loss.percent() {
            self.egress.expect_loss(percent);
        }
        self.emit_deliveries();
    }

    /// Sends the shared payload, if nothing of this device's own has to be mixed in.
    fn send_shared(&mut self, now: Instant, mix: &mut SharedMix) -> bool {
        let pauses = self.profile.comfort_noise.is_some() && mix.frame().samples().iter().all(|sample| *sample == 0);
        let plain =
            !pauses && self.may_send() && self.player.is_transparent() && self.marks.is_empty() && !self.egress.pressing();
        let frames = std::mem::take(&mut self.common_frames);
        if !plain || !self.egress.takes_payloads(&self.profile) {
            return false;
        }
        let codec = self.profile.codec;
        mix.expect_loss(codec, self.reported_loss.percent());
        if !self.shares_payloads && !mix.joins(codec, self.egress.encoder(), frames) {
            self.common_frames = frames.saturating_add(1);
            return false;
        }
        let Some(payload) = mix.payload(codec) else { return false };
        self.egress.packet(now, &self.profile, payload);
        self.shares_payloads = true;
        true
    }

    /// Brings this port's encoder, which has not encoded what the device received last, to the state of the shared one.
    fn prime_encoder(&mut self, mix: Option<&SharedMix>) {
        if !std::mem::replace(&mut self.shares_payloads, false) {
            return;
        }
        let (Some(mix), codec) = (mix, self.profile.codec) else { return };
        for frame in mix.history(codec) {
            self.outbound.fill(Some(frame));
            self.egress.prime(self.outbound.samples());
        }
        if let Some(shared) = mix.encoder(codec) {
            self.egress.adopt(shared);
        }
    }

    /// Encodes a mix for this device alone, with our prompts and music in it.
    fn send_own(&mut self, now: Instant, mix: Option<&Frame>) {
        self.outbound.fill(mix);
        if !self.may_send() {
            // On hold, or without a known destination: what is queued to play waits for the resume (N-3), the clock goes on. What was
            // playing is reported as cut at once.
            self.egress.skip_tick(&self.profile);
            self.proofs.cut_off(now, self.egress.next_sequence());
            self.report_marks(now, self.egress.between_frames());
            return;
        }
        if self.egress.send_key(now, &self.profile) {
            return;
        }
        let placement = self.egress.placement(&self.profile);
        let speaks = self.player.speaking();
        self.player.render(self.outbound.samples_mut(), &mut self.marks);
        if !speaks && self.egress.pauses(now, &self.profile, self.outbound.samples()) {
            return;
        }
        self.report_marks(now, placement);
        self.egress.push(now, &self.profile, self.outbound.samples());
    }

    /// Records what the player did, and in which packets (N-8).
    fn report_marks(&mut self, now: Instant, placement: FramePlacement) {
        for mark in std::mem::take(&mut self.marks) {
            match mark {
                PlayMark::Began(play) => self.proofs.begins(play, placement.packet_of(0)),
                PlayMark::Completed { play, samples } => {
                    self.proofs.ends(now, play, PlayOutcome::Completed, placement.packet_of(samples.saturating_sub(1)));
                }
                PlayMark::Interrupted(play) => {
                    self.proofs.ends(now, play, PlayOutcome::Interrupted, placement.packet_before());
                }
            }
        }
        self.emit_deliveries();
    }

    fn emit_deliveries(&mut self) {
        while let Some(event) = self.proofs.poll() {
            self.emit(event);
        }
    }

    fn emit_keys(&mut self, now: Instant) {
        while let Some(event) = self.keys.poll(now) {
            self.emit(event);
        }
    }

    /// Whether audio is sent: the device listens, and its address is known.
    fn may_send(&self) -> bool {
        self.profile.we_send && self.path.target().is_some()
    }

    /// Probes an address that is only named (S-7).
    fn probe_unproven(&mut self, now: Instant) {
        if self.profile.we_send
            && let Some(to) = self.path.probe(now)
        {
            let (packet, bytes) = self.egress.comfort_noise();
            self.probe = Some(DueDatagram { socket: Channel::Rtp, to, bytes, packet: Some(packet) });
        }
    }

    fn make_report(&mut self, now: Instant) {
        if self.rtcp.due(now) {
            self.rtcp_out = Some(self.rtcp.build(now, self.ntp(now)));
        }
    }

    fn report_handshake(&mut self) {
        if let Some(outcome) = self.path.take_outcome() {
            self.emit(outcome.map_or_else(MediaEvent::NotEncrypted, MediaEvent::Encrypted));
        }
    }

    fn report_silence(&mut self, now: Instant) {
        if !self.profile.we_send {
            // A device on hold need not send; the time counts from the resume.
            self.silence.restart(now);
        } else if let Some(silent) = self.silence.poll(now) {
            self.emit(MediaEvent::Silent(silent));
        }
    }

    /// Queues a prompt or notice.
    pub fn play(&mut self, play: Play) {
        self.player.play(play, &mut self.marks);
    }

    /// Cuts prompts; notices go on (N-3).
    pub fn stop_prompts(&mut self) {
        self.player.stop_prompts(&mut self.marks);
    }

    /// Starts or ends the waiting music.
    pub fn set_music(&mut self, clip: Option<Clip>) {
        self.player.set_music(clip);
    }

    /// A packet was taken by the socket, or was not: only what has left counts as sent, and as played (N-8).
    pub fn sent(&mut self, now: Instant, packet: PacketInfo, taken: bool) {
        if taken {
            self.sent += 1;
            self.rtcp.sent(now, packet.sequence, packet.timestamp, packet.payload);
        }
        self.proofs.sent(now, packet.sequence, taken);
        self.emit_deliveries();
    }

    /// Ends the port: reports what was cut and the figures, and gives an RTCP BYE, where its destination is known.
    pub fn close(&mut self, now: Instant) -> Option<DueDatagram<Channel>> {
        self.player.stop_all(&mut self.marks);
        self.report_marks(now, self.egress.between_frames());
        self.proofs.close(now);
        self.emit_deliveries();
        let stats = self.stats();
        self.emit(MediaEvent::Closed(Box::new(stats)));
        let (socket, to) = self.path.rtcp_target()?;
        let mut bytes = self.rtcp.build_bye(now, self.ntp(now));
        self.path.protect_rtcp(&mut bytes).ok()?;
        Some(DueDatagram { socket, to, bytes, packet: None })
    }

    /// What offer and answer have agreed on.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Figures since the port was opened.
    #[must_use]
    pub fn stats(&self) -> PortStats {
        let (reception, round_trip) = (self.rtcp.reception(), self.rtcp.round_trip());
        let (expected, lost, jitter) = (reception.expected(), reception.lost(), reception.jitter());
        let loss = self.ingress.unheard(lost, expected);
        let impairment = Impairment { loss, delay: round_trip.unwrap_or_default() / 2, jitter };
        PortStats {
            received: expected.saturating_add_signed(-lost),
            sent: self.sent,
            lost,
            refused: self.refused,
            unnamed: self.ingress.unnamed(),
            unauthentic: self.path.srtp_stats().unauthentic(),
            encryption: self.path.encryption(),
            jitter,
            concealed: self.ingress.concealed(),
            round_trip,
            mos: quality::rate(self.profile.codec, impairment).mos,
        }
    }

    /// NTP timestamp of sender reports: the time since the port was opened, as RFC 3550 section 6.4.1 allows for a sender without a wall clock.
    fn ntp(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.opened);
        (since.as_secs() << 32) | ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000)
    }

    /// Queues a telephone event (RFC 4733); false if none were negotiated.
    pub fn press(&mut self, digit: char, duration: Duration) -> bool {
        self.egress.press(&self.profile, digit, duration)
    }

    /// Telephone events are still being sent.
    #[must_use]
    pub fn pressing(&self) -> bool {
        self.egress.pressing()
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> PortId {
        self.id
    }

    /// Events that found a full queue since the last call.
    pub fn take_lost_events(&mut self) -> u64 {
        std::mem::take(&mut self.lost_events)
    }

    fn emit(&mut self, event: MediaEvent) {
        // A queue that is closed belongs to a call that has ended, and misses nothing.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.events.try_send(PortEvent { port: self.id, heard: event }) {
            self.lost_events += 1;
        }
    }
}

impl MediaLeg for Port {
    type Socket = Channel;

    fn receive(&mut self, now: Instant, channel: Channel, from: SocketAddr, datagram: &[u8]) {
        let mut packet = std::mem::take(&mut self.unprotected);
        match self.path.receive(now, channel, from, datagram, &mut packet) {
            Received::Rtp => self.receive_rtp(now, from, &packet),
            Received::Rtcp => self.receive_rtcp(now, from, &packet),
            Received::Nothing => self.report_handshake(),
            Received::Stranger => self.refused += 1,
        }
        self.unprotected = packet;
    }

    fn set_complexity(&mut self, complexity: u8) {
        self.egress.set_complexity(complexity);
    }

    /// Silence while the device holds us, presses a key, or sends nothing.
    fn pull(&mut self, now: Instant, frame: &mut Frame) {
        self.ingress.pull(now, !self.profile.they_send, &mut self.keys, frame);
    }

    fn send(&mut self, now: Instant, mix: TickSound<'_>) {
        if !matches!(mix, TickSound::Common(_)) {
            self.common_frames = 0;
        }
        match mix {
            TickSound::Common(mix) => {
                if !self.send_shared(now, mix) {
                    self.prime_encoder(Some(mix));
                    self.send_own(now, Some(mix.frame()));
                }
            }
            TickSound::Own(frame, mix) => {
                self.prime_encoder(mix);
                self.send_own(now, Some(frame));
            }
            TickSound::Nothing => {
                self.prime_encoder(None);
                self.send_own(now, None);
            }
        }
    }

    fn wake(&mut self, now: Instant) {
        self.path.wake(now);
        self.report_handshake();
        self.emit_keys(now);
        self.report_silence(now);
        self.make_report(now);
        self.probe_unproven(now);
        self.proofs.expire(now);
        self.emit_deliveries();
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<DueDatagram<Channel>> {
        if let Some((socket, to, bytes)) = self.path.poll_handshake() {
            return Some(DueDatagram { socket, to, bytes, packet: None });
        }
        if let Some(mut probe) = self.probe.take()
            && self.path.protect_rtp(&mut probe.bytes).is_ok()
        {
            return Some(probe);
        }
        if let (Some(mut bytes), Some((socket, to))) = (self.rtcp_out.take(), self.path.rtcp_target())
            && self.path.protect_rtcp(&mut bytes).is_ok()
        {
            return Some(DueDatagram { socket, to, bytes, packet: None });
        }
        loop {
            let (packet, bytes) = self.egress.poll(now)?;
            if let (Some(mut bytes), Some(to)) = (bytes, self.path.target())
                && self.path.protect_rtp(&mut bytes).is_ok()
            {
                return Some(DueDatagram { socket: Channel::Rtp, to, bytes, packet: Some(packet) });
            }
            // It could not be encoded or protected, or has no destination.
            self.sent(now, packet, false);
        }
    }
}
