//! A plane or two in virtual time, with phones and browsers around them. Names are fixed, so that the same scenario gives the
//! same packets.

use std::time::Duration;

use tokio::sync::mpsc::Receiver;

use super::*;
use crate::codec::{CodecKind, Decoder, Encoder, EncoderSettings};
use crate::common::ids::{ParticipantId, PlayId};
use crate::common::machine::Machine as _;
use crate::dsp::tone::Sine;
use crate::dsp::tone_detector;
use crate::media::events::{MediaEvent, PortEvent};
use crate::media::peer::PeerFactory;
use crate::media::peer::browser::Browser;
use crate::media::player::{Play, PlayKind};
use crate::media::profile::{Profile, TelephoneEventFormat};
use crate::policy::{Asker, Effect, Fact, Policy, PolicySettings, Role, Via};
use crate::prompt::Clip;
use crate::rtp::latch::NamedSource;
use crate::rtp::packet::Packet;
use crate::rtp::payload::{PayloadContent, PayloadFormat};
use crate::rtp::sender::RtpSender;
use crate::rtp::transport::Protection;

/// How loud everybody hums.
pub(super) const LOUD: f32 = 8_000.0;
/// The same in dBov.
pub(super) const LEVEL: f32 = -15.3;
/// Far below what anybody hears under a voice.
pub(super) const QUIET: f32 = -60.0;
/// The payload type of keys.
pub(super) const KEYS: u8 = 101;
/// Both gates open.
pub(super) const OPEN: Gate = Gate { hear: true, speak: true };
/// Our WebRTC socket.
pub(super) const WEBRTC: &str = "192.0.2.1:8189";

const STEP: Duration = Duration::from_micros(2_500);
const FRAME: Duration = Duration::from_millis(20);

/// The instant from which all scenarios count.
#[allow(clippy::disallowed_methods, reason = "an instant to count from")]
pub(super) fn start() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// A packet that a phone was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) at: Instant,
    pub(super) seq: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
    pub(super) payload: Vec<u8>,
}

pub(super) struct Phone {
    pub(super) port: PortId,
    pub(super) address: SocketAddr,
    pub(super) profile: Profile,
    pub(super) plane: usize,
    /// What it sends in the next packet times instead of its hum.
    pub(super) script: VecDeque<Vec<Vec<u8>>>,
    pub(super) outgoing: RtpSender,
    pub(super) got: Vec<Got>,
    pub(super) reports: Vec<Vec<u8>>,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    hum: Option<Sine>,
    listener: Vec<i16>,
    heard: Receiver<PortEvent>,
    /// In which of the eight steps of a frame it sends.
    phase: u32,
}

pub(super) struct Rig {
    pub(super) planes: [Plane; 2],
    pub(super) now: Instant,
    pub(super) phones: Vec<Phone>,
    pub(super) browsers: Vec<(PeerId, Browser)>,
    pub(super) told: Vec<BridgeEvent>,
    steps: u32,
    /// Whose socket takes no RTP.
    pub(super) refuses: Option<PortId>,
    policy: Policy,
    meeting: Receiver<BridgeEvent>,
    tell: mpsc::Sender<BridgeEvent>,
    factory: PeerFactory,
    /// Browsers so far.
    opened: u8,
}

/// The meeting's bridge on each plane.
pub(super) fn bridge(plane: usize) -> BridgeId {
    BridgeId::from_number([5, 14][plane])
}

pub(super) fn profile(codec: CodecKind, address: SocketAddr) -> Profile {
    let row = codec.row();
    let payload_type = row.static_payload_type.unwrap_or(96);
    Profile {
        codec,
        encoder: EncoderSettings::default(),
        payload_type_send: payload_type,
        formats: vec![
            PayloadFormat { payload_type, content: PayloadContent::Audio(codec) },
            PayloadFormat { payload_type: KEYS, content: PayloadContent::TelephoneEvent(row.rtp_clock) },
        ],
        telephone_event: Some(TelephoneEventFormat { payload_type: KEYS, send_payload_type: KEYS, clock: row.rtp_clock }),
        comfort_noise: None,
        inband_keys: false,
        ptime: FRAME,
        remote: address,
        remote_rtcp: SocketAddr::new(address.ip(), address.port() + 1),
        signalling: address.ip(),
        named: NamedSource::Trusted,
        rtcp_mux: false,
        protection: Protection::Plain,
        ice: None,
        we_send: true,
        they_send: true,
    }
}

pub(super) fn tone(freq: f32, length: Duration) -> Clip {
    let rate = Hz::NARROW;
    let mut samples = vec![0; rate.samples(length)];
    Sine::new(rate, freq, LOUD).fill(&mut samples);
    Clip { rate, samples: samples.into() }
}

pub(super) fn play(id: u64, kind: PlayKind, clip: Clip) -> Play {
    Play { id: PlayId::from_number(id), clips: vec![clip], kind }
}

/// The level of a tone, in dBov.
pub(super) fn level(samples: &[i16], rate: Hz, freq: f32) -> f32 {
    tone_detector::heard(samples, rate, &[freq])[0]
}

pub(super) fn is_as_loud_as_it_was_hummed(level: f32) -> bool {
    (level - LEVEL).abs() < 1.0
}

impl Phone {
    /// Hums `freq` from now on.
    pub(super) fn hums(&mut self, freq: f32) {
        self.hum = Some(Sine::new(self.rate(), freq, LOUD));
    }

    /// Hums no longer.
    pub(super) fn is_silent(&mut self) {
        self.hum = None;
    }

    pub(super) fn rate(&self) -> Hz {
        self.profile.codec.row().sample_rate
    }

    /// What it has heard since it was asked last.
    pub(super) fn listener(&mut self) -> Vec<i16> {
        std::mem::take(&mut self.listener)
    }

    /// The level at which it has heard `freq` since it was asked last.
    pub(super) fn hears(&mut self, freqs: &[f32]) -> Vec<f32> {
        let rate = self.rate();
        tone_detector::heard(&self.listener(), rate, freqs)
    }

    /// What its call was told since it was asked last.
    pub(super) fn events(&mut self) -> Vec<MediaEvent> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).map(|told| told.heard).collect()
    }

    /// A packet of its own: the hum's next 20 ms, or silence.
    pub(super) fn voice(&mut self) -> Vec<u8> {
        let row = self.profile.codec.row();
        let mut samples = vec![0; row.sample_rate.samples(FRAME)];
        if let Some(hum) = &mut self.hum {
            hum.fill(&mut samples);
        }
        self.sound(&samples)
    }

    /// A packet of its own with this sound.
    pub(super) fn sound(&mut self, samples: &[i16]) -> Vec<u8> {
        let (mut payload, mut packet) = (Vec::new(), Vec::new());
        self.encoder.encode(samples, &mut payload).expect("encodes");
        let ticks = u32::try_from(self.profile.codec.row().rtp_clock.samples(FRAME)).expect("fits");
        self.outgoing.packet(self.profile.payload_type_send, false, &payload, ticks, &mut packet);
        packet
    }

    fn receive(&mut self, at: Instant, datagram: &[u8]) {
        let packet = Packet::parse(datagram).expect("RTP");
        let payload = packet.payload.to_vec();
        if packet.pt == self.profile.payload_type_send {
            self.decoder.decode(&payload, &mut self.listener).expect("our own codec");
        }
        self.got.push(Got { at, seq: packet.seq, timestamp: packet.timestamp, ssrc: packet.ssrc, payload });
    }
}

impl Rig {
    pub(super) fn new() -> Self {
        let (tell, meeting) = mpsc::channel(1024);
        let mut planes = [Plane::default(), Plane::default()];
        for (at, plane) in planes.iter_mut().enumerate() {
            plane.open_bridge(bridge(at), 4, tell.clone());
        }
        let mut rig = Self {
            planes,
            now: start(),
            phones: Vec::new(),
            browsers: Vec::new(),
            told: Vec::new(),
            steps: 0,
            refuses: None,
            policy: Policy::new(PolicySettings::default()),
            meeting,
            tell,
            factory: PeerFactory::new().expect("a certificate"),
            opened: 0,
        };
        rig.joins(HOST, Role::Member, Via::Browser);
        rig
    }

    // === Who is here ===

    /// A phone calls; it waits.
    pub(super) fn phone(&mut self, codec: CodecKind) -> usize {
        self.phone_with(codec, |_| {})
    }

    pub(super) fn phone_with(&mut self, codec: CodecKind, wishes: impl FnOnce(&mut Profile)) -> usize {
        let index = self.phones.len();
        let number = u16::try_from(index).expect("few");
        let address = SocketAddr::from(([198, 51, 100, 10 + number as u8], 4000 + 2 * number));
        let mut profile = profile(codec, address);
        wishes(&mut profile);
        let (says, heard) = mpsc::channel(64);
        let port = PortId::from_number(100 + 3 * u64::from(number));
        let opened =
            Port::new(self.now, port, profile.clone(), 1 + u64::from(number), Duration::from_secs(30), says).expect("a codec");
        self.planes[0].adopt_port(opened);
        self.phones.push(Phone {
            port,
            address,
            profile,
            plane: 0,
            script: VecDeque::new(),
            outgoing: RtpSender::new(1000 + u64::from(number)),
            got: Vec::new(),
            reports: Vec::new(),
            encoder: codec.encoder(EncoderSettings::default()).expect("a codec"),
            decoder: codec.decoder().expect("a codec"),
            hum: None,
            listener: Vec::new(),
            heard,
            phase: (3 * u32::from(number) + 1) % 8,
        });
        index
    }

    /// A phone that is seated, with both gates open, and hums.
    pub(super) fn seated_phone(&mut self, codec: CodecKind, freq: f32) -> usize {
        let phone = self.phone(codec);
        self.phones[phone].hums(freq);
        self.seat(phone, OPEN);
        phone
    }

    /// The meeting lets a phone in.
    pub(super) fn seat(&mut self, phone: usize, gate: Gate) {
        let who = ParticipantId::from_number(10 + phone as u64);
        let admission = self.admission(who, Role::External, Via::Phone);
        let (port, plane) = (self.phones[phone].port, self.phones[phone].plane);
        assert!(self.planes[plane].seat(MediaEnd::Port(port), bridge(plane), admission, gate));
    }

    pub(super) fn gate(&mut self, phone: usize, gate: Gate) {
        let (port, plane) = (self.phones[phone].port, self.phones[phone].plane);
        self.planes[plane].gate(MediaEnd::Port(port), gate);
    }

    /// Opens a connection to a browser; it is seated and hums.
    pub(super) fn browser(&mut self, port: u16, freq: f32) -> usize {
        let index = self.browsers.len();
        let (mut browser, offer) = Browser::offer(self.now, SocketAddr::from(([198, 51, 100, 200], port)));
        let ours = WEBRTC.parse().expect("an address");
        self.opened += 1;
        let mut seed = [self.opened; 32];
        seed[..24].iter_mut().enumerate().for_each(|(at, byte)| *byte = byte.wrapping_add(7 * at as u8));
        let (peer, answer) = self.factory.negotiate(self.now, offer, &[ours], seed).expect("an answer");
        browser.answered(self.now, answer);
        browser.hums(freq, LOUD);
        let id = PeerId::from_number(40 + 3 * u64::from(self.opened));
        self.planes[0].adopt_peer(id, peer, self.tell.clone());
        let admission = self.admission(ParticipantId::from_number(1000 + u64::from(self.opened)), Role::Member, Via::Browser);
        assert!(self.planes[0].seat(MediaEnd::Peer(id), bridge(0), admission, OPEN));
        self.browsers.push((id, browser));
        index
    }

    fn joins(&mut self, who: ParticipantId, role: Role, via: Via) -> Option<Admission> {
        let joined = Fact::Joined {
            who,
            role,
            via,
            organiser: false,
            name: "Somebody".to_owned().into(),
            muted: crate::policy::Muted::default(),
        };
        self.policy.handle(self.now, joined);
        self.seated()
    }

    /// The right to a seat, as the meeting's own rules give it.
    pub(super) fn admission(&mut self, who: ParticipantId, role: Role, via: Via) -> Admission {
        let joined = self.joins(who, role, via);
        joined
            .or_else(|| {
                self.policy.handle(self.now, Fact::Admit { by: Asker::Participant(HOST), who });
                self.seated()
            })
            .expect("the rules admit it")
    }

    fn seated(&mut self) -> Option<Admission> {
        let effects: Vec<_> = std::iter::from_fn(|| self.policy.poll()).collect();
        effects.into_iter().find_map(|effect| match effect {
            Effect::Seat { admission, .. } => Some(admission),
            _ => None,
        })
    }

    // === Time ===

    /// Lets time pass.
    pub(super) fn run(&mut self, milliseconds: u64) {
        let until = self.now + Duration::from_millis(milliseconds);
        while self.now + STEP <= until {
            self.run_one(&mut |_, _| {});
        }
    }

    /// Lets 2.5 ms pass; what is sent to neither phone nor browser goes to `others`.
    pub(super) fn run_one(&mut self, others: &mut dyn FnMut(&Self, &Transmit)) {
        self.now += STEP;
        self.steps += 1;
        self.phones_speak();
        self.browsers_speak();
        let slot = u8::try_from(self.steps % 8).expect("a slot");
        for at in 0..self.planes.len() {
            self.planes[at].tick(self.now, slot);
            self.planes[at].pace(self.now);
            self.carry(at, others);
        }
        self.told.extend(std::iter::from_fn(|| self.meeting.try_recv().ok()));
    }

    /// Lets time pass, and forgets what was heard meanwhile.
    pub(super) fn settle(&mut self, milliseconds: u64) {
        self.run(milliseconds);
        for phone in &mut self.phones {
            phone.listener();
            phone.got.clear();
        }
        for (_, browser) in &mut self.browsers {
            browser.listener();
        }
    }

    fn phones_speak(&mut self) {
        for at in 0..self.phones.len() {
            let phone = &mut self.phones[at];
            if self.steps % 8 != phone.phase || !phone.profile.they_send {
                continue;
            }
            let voice = phone.script.pop_front();
            let datagrams = voice.unwrap_or_else(|| vec![phone.voice()]);
            for datagram in datagrams {
                self.sends(at, &datagram);
            }
        }
    }

    /// An RTP datagram of a phone, from its own address.
    pub(super) fn sends(&mut self, phone: usize, datagram: &[u8]) {
        let Phone { port, plane, address, .. } = self.phones[phone];
        self.planes[plane].receive(self.now, SocketId::Port(port, Channel::Rtp), address, datagram);
    }

    fn browsers_speak(&mut self) {
        for (_, browser) in &mut self.browsers {
            browser.wake(self.now);
            if self.steps % 8 == 2 {
                browser.speak(self.now);
            }
            while let Some((to, datagram)) = browser.poll_transmit() {
                self.planes[0].receive(self.now, SocketId::WebRtc(to), browser.address(), &datagram);
            }
        }
    }

    /// Brings what a plane sends to whom it is for.
    fn carry(&mut self, plane: usize, others: &mut dyn FnMut(&Self, &Transmit)) {
        while let Some(transmit) = self.planes[plane].poll_transmit() {
            let refused = matches!(transmit.socket, SocketId::Port(port, Channel::Rtp) if self.refuses == Some(port));
            self.planes[plane].sent(self.now, &transmit, !refused);
            others(self, &transmit);
            let Transmit { socket, to, bytes, .. } = transmit;
            match socket {
                SocketId::Remote(..) => {}
                SocketId::Port(..) if refused => {}
                SocketId::Port(port, channel) => {
                    let phone = self.phones.iter_mut().find(|phone| phone.port == port).expect("one of ours");
                    assert_eq!(to.ip(), phone.address.ip(), "nobody else is sent anything");
                    match channel {
                        Channel::Rtp => {
                            assert_eq!(to, phone.address);
                            phone.receive(self.now, &bytes);
                        }
                        Channel::Rtcp => phone.reports.push(bytes),
                    }
                }
                SocketId::WebRtc(from) => {
                    if let Some((_, browser)) = self.browsers.iter_mut().find(|(_, browser)| browser.address() == to) {
                        browser.receive(self.now, from, &bytes);
                    }
                }
            }
        }
    }

    // === Ends ===

    /// Gives a phone's port to the other plane.
    pub(super) fn moves(&mut self, phone: usize) {
        let Phone { port, plane, .. } = self.phones[phone];
        let port = self.planes[plane].release_port(port).expect("it is there");
        self.planes[1 - plane].adopt_port(port);
        self.phones[phone].plane = 1 - plane;
    }

    /// Takes what a new offer and answer agreed on.
    pub(super) fn reprofile(&mut self, phone: usize, wishes: impl FnOnce(&mut Profile)) {
        wishes(&mut self.phones[phone].profile);
        let Phone { port, plane, .. } = self.phones[phone];
        let (now, profile) = (self.now, self.phones[phone].profile.clone());
        self.port(plane, port).reprofile(now, profile).expect("the same codec");
    }

    fn port(&mut self, plane: usize, port: PortId) -> &mut Port {
        self.planes[plane].port(port).expect("it is there")
    }

    pub(super) fn port_of(&mut self, phone: usize) -> &mut Port {
        let Phone { port, plane, .. } = self.phones[phone];
        self.port(plane, port)
    }

    /// Everybody leaves, and nothing is left.
    pub(super) fn ends(mut self) {
        for at in 0..self.phones.len() {
            let Phone { port, plane, .. } = self.phones[at];
            self.planes[plane].close_port(self.now, port);
            let events = self.phones[at].events();
            assert!(matches!(events.last(), Some(MediaEvent::Closed(_))), "{events:?}");
        }
        for (id, _) in &self.browsers {
            self.planes[0].unseat(MediaEnd::Peer(*id));
            self.planes[0].close_peer(self.now, *id);
        }
        for (at, plane) in self.planes.iter_mut().enumerate() {
            plane.close_bridge(bridge(at));
            assert!(plane.is_empty());
            assert!(plane.routes.is_empty());
            assert_eq!(plane.take_lost_events(), 0);
        }
    }
}

/// The member who lets everybody in.
const HOST: ParticipantId = ParticipantId::from_number(1);
