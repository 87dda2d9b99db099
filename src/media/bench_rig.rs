//! A meeting in virtual time and without sockets, for benchmarks: what 20 ms cost the plane, apart from what they cost the
//! phones and browsers around it.
#![allow(clippy::disallowed_methods, reason = "a stopwatch")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::bridge::{Bridge, BridgeLegs};
use super::events::{BridgeEvent, PortEvent};
use super::leg::MediaEnd;
use super::peer::PeerFactory;
use super::peer::browser::Browser;
use super::plane::{Plane, SLOTS, SocketId, Transmit};
use super::port::Port;
use super::profile::{Channel, Profile};
use super::seat::Gate;
use super::shared_mix::TickSound;
use crate::codec::{CodecKind, Encoder, EncoderSettings};
use crate::common::ids::{BridgeId, ParticipantId, PeerId, PortId};
use crate::common::machine::Machine as _;
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::dsp::resample::Resampler;
use crate::policy::{Admission, Effect, Fact, Policy, PolicySettings, Role, Via};
use crate::rtp::latch::NamedSource;
use crate::rtp::payload::{PayloadContent, PayloadFormat};
use crate::rtp::sender::RtpSender;
use crate::rtp::transport::Protection;

const STEP: Duration = Duration::from_micros(2_500);
const FRAME: Duration = Duration::from_millis(20);
const BRIDGE: BridgeId = BridgeId::from_number(8);
const OPEN: Gate = Gate { hear: true, speak: true };

struct Phone {
    port: PortId,
    address: SocketAddr,
    encoder: Box<dyn Encoder>,
    outgoing: RtpSender,
    profile: Profile,
    voice: Voice,
    packets: usize,
    // The port's owner, who must be there to be told.
    _heard: mpsc::Receiver<PortEvent>,
}

struct Guest {
    peer: PeerId,
    browser: Browser,
    voice: Option<Voice>,
}

/// What somebody says, over and over.
struct Voice {
    samples: Vec<i16>,
    at: usize,
}

/// Phones and browsers around one bridge.
pub struct BenchMeeting {
    plane: Plane,
    now: Instant,
    steps: u32,
    policy: Policy,
    factory: PeerFactory,
    phones: Vec<Phone>,
    guests: Vec<Guest>,
    tell: mpsc::Sender<BridgeEvent>,
    heard: mpsc::Receiver<BridgeEvent>,
}

impl Default for BenchMeeting {
    fn default() -> Self {
        Self::new()
    }
}

impl BenchMeeting {
    /// Nobody is there.
    #[must_use]
    pub fn new() -> Self {
        let (tell, heard) = mpsc::channel(4096);
        let mut plane = Plane::default();
        plane.open_bridge(BRIDGE, 4, tell.clone());
        let policy = Policy::new(PolicySettings::default());
        let factory = PeerFactory::new().expect("a certificate");
        Self { plane, now: Instant::now(), steps: 0, policy, factory, phones: vec![], guests: vec![], tell, heard }
    }

    /// Seats a phone that says `speech` (16 kHz) over and over.
    pub fn seat_phone(&mut self, codec: CodecKind, speech: &[i16]) {
        let index = u16::try_from(self.phones.len()).expect("few");
        let row = codec.row();
        let address = SocketAddr::from(([198, 51, 100, 10], 4000 + 2 * index));
        let payload_type = row.static_payload_type.unwrap_or(96);
        let profile = Profile {
            codec,
            encoder: EncoderSettings::default(),
            payload_type_send: payload_type,
            formats: vec![PayloadFormat { payload_type, content: PayloadContent::Audio(codec) }],
            telephone_event: None,
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
        };
        let (says, heard) = mpsc::channel(64);
        let port = PortId::from_number(1000 + u64::from(index));
        let opened =
            Port::new(self.now, port, profile.clone(), u64::from(index), Duration::from_secs(60), says).expect("a codec");
        self.plane.adopt_port(opened);
        let admission = self.admission(2000 + u64::from(index));
        assert!(self.plane.seat(MediaEnd::Port(port), BRIDGE, admission, OPEN), "the port is there");
        self.phones.push(Phone {
            port,
            address,
            encoder: codec.encoder(EncoderSettings::default()).expect("a codec"),
            outgoing: RtpSender::new(u64::from(index)),
            profile,
            voice: Voice::new(speech, row.sample_rate),
            packets: 0,
            _heard: heard,
        });
    }

    /// Seats a browser that says `speech` (16 kHz) over and over; without one its microphone is open in a quiet room.
    pub fn seat_browser(&mut self, speech: Option<&[i16]>) {
        let index = u8::try_from(self.guests.len()).expect("few");
        let address = SocketAddr::from(([198, 51, 100, 200], 5000 + u16::from(index)));
        let (mut browser, offer) = Browser::offer(self.now, address);
        let ours = SocketAddr::from(([192, 0, 2, 1], 8189));
        let mut seed = [index; 32];
        seed.iter_mut().zip(0_u8..).for_each(|(byte, at)| *byte = byte.wrapping_mul(31).wrapping_add(at));
        let (peer, answer) = self.factory.negotiate(self.now, offer, &[ours], seed).expect("an answer");
        browser.answered(self.now, answer);
        // Softer than -80 dBov.
        browser.hums(100.0, 4.0);
        let id = PeerId::from_number(1 + u64::from(index));
        self.plane.adopt_peer(id, peer, self.tell.clone());
        let admission = self.admission(3000 + u64::from(index));
        assert!(self.plane.seat(MediaEnd::Peer(id), BRIDGE, admission, OPEN), "the peer is there");
        self.guests.push(Guest { peer: id, browser, voice: speech.map(|speech| Voice::new(speech, Hz::FULL)) });
    }

    /// Lets all browsers connect, and their sound begin.
    pub fn begin(&mut self) {
        for _ in 0..150 {
            self.frame();
        }
        assert!(self.guests.iter().all(|guest| guest.browser.is_connected()), "connected in three seconds");
        self.heard();
    }

    /// Lets 20 ms pass, and gives the time that the plane took for them.
    pub fn frame(&mut self) -> Duration {
        let mut spent = Duration::ZERO;
        for step in 0..SLOTS {
            self.now += STEP;
            let sent = self.say(step);
            let began = Instant::now();
            for (socket, from, datagram) in &sent {
                self.plane.receive(self.now, *socket, *from, datagram);
            }
            self.plane.tick(self.now, u8::try_from(self.steps % u32::from(SLOTS)).unwrap_or(0));
            self.plane.pace(self.now);
            let received: Vec<Transmit> = std::iter::from_fn(|| self.plane.poll_transmit()).collect();
            received.iter().for_each(|transmit| self.plane.sent(self.now, transmit, true));
            spent += began.elapsed();
            self.steps += 1;
            self.hear(received);
        }
        spent
    }

    /// What everybody sends in this step; each speaks in a step of its own.
    fn say(&mut self, step: u8) -> Vec<(SocketId, SocketAddr, Vec<u8>)> {
        let mut sent = Vec::new();
        for phone in self.phones.iter_mut().filter(|phone| phone.port.number() % 8 == u64::from(step)) {
            let samples = phone.voice.next(phone.profile.codec.row().sample_rate.samples(FRAME));
            let (mut payload, mut packet) = (Vec::new(), Vec::new());
            phone.encoder.encode(&samples, &mut payload).expect("encodes");
            let ticks = u32::try_from(phone.profile.codec.row().rtp_clock.samples(FRAME)).expect("fits");
            phone.outgoing.packet(phone.profile.payload_type_send, false, &payload, ticks, &mut packet);
            sent.push((SocketId::Port(phone.port, Channel::Rtp), phone.address, packet));
        }
        for guest in &mut self.guests {
            guest.browser.wake(self.now);
            if guest.peer.number() % 8 == u64::from(step) {
                match &mut guest.voice {
                    Some(voice) => guest.browser.say(self.now, voice.next(960).as_slice().try_into().expect("960 samples")),
                    None => guest.browser.speak(self.now),
                }
            }
            while let Some((to, datagram)) = guest.browser.poll_transmit() {
                sent.push((SocketId::WebRtc(to), guest.browser.address(), datagram));
            }
        }
        sent
    }

    fn hear(&mut self, received: Vec<Transmit>) {
        for Transmit { socket, to, bytes, .. } in received {
            match socket {
                SocketId::Port(port, Channel::Rtp) => {
                    self.phones.iter_mut().filter(|phone| phone.port == port).for_each(|phone| phone.packets += 1);
                }
                SocketId::Port(_, Channel::Rtcp) | SocketId::Remote(..) => {}
                SocketId::WebRtc(from) => {
                    if let Some(guest) = self.guests.iter_mut().find(|guest| guest.browser.address() == to) {
                        guest.browser.receive(self.now, from, &bytes);
                    }
                }
            }
        }
        while self.heard.try_recv().is_ok() {}
    }

    /// Packets that each phone got, and the loudest sample that each browser heard, since the last call: whether the meeting
    /// that was measured was one.
    pub fn heard(&mut self) -> (Vec<usize>, Vec<i16>) {
        let packets = self.phones.iter_mut().map(|phone| std::mem::take(&mut phone.packets)).collect();
        let loudest = |guest: &mut Guest| guest.browser.listener().into_iter().map(i16::saturating_abs).max().unwrap_or(0);
        (packets, self.guests.iter_mut().map(loudest).collect())
    }

    fn admission(&mut self, number: u64) -> Admission {
        admission(&mut self.policy, self.now, number)
    }
}

/// The right to a seat, as a meeting's rules give it to a member.
fn admission(policy: &mut Policy, now: Instant, number: u64) -> Admission {
    let who = ParticipantId::from_number(number);
    let name = "Somebody".to_owned().into();
    policy.handle(
        now,
        Fact::Joined {
            who,
            role: Role::Member,
            via: Via::Browser,
            organiser: false,
            name,
            muted: crate::policy::Muted::default(),
        },
    );
    let effects: Vec<_> = std::iter::from_fn(|| policy.poll()).collect();
    let seat = effects.into_iter().find_map(|effect| match effect {
        Effect::Seat { admission, .. } => Some(admission),
        _ => None,
    });
    seat.expect("members are let in")
}

/// A bridge whose legs are samples in and Opus out: its mixing and its encodings, and nothing else.
pub struct Crowd {
    bridge: Bridge,
    now: Instant,
    voices: Vec<Voice>,
    legs: CrowdLegs,
}

/// The legs of a [`Crowd`]: the first of them talk.
struct CrowdLegs {
    talking: Vec<Frame>,
    encoders: Vec<Box<dyn Encoder>>,
    payload: Vec<u8>,
}

impl BridgeLegs for CrowdLegs {
    fn pull(&mut self, _now: Instant, end: MediaEnd, frame: &mut Frame) {
        match self.talking.get(index(end)) {
            Some(talking) => frame.samples_mut().copy_from_slice(talking.samples()),
            None => frame.samples_mut().fill(1),
        }
    }

    fn send(&mut self, _now: Instant, end: MediaEnd, mix: TickSound<'_>) {
        let payload = &mut self.payload;
        payload.clear();
        match mix {
            TickSound::Common(mix) => payload.extend_from_slice(mix.payload(CodecKind::Opus).expect("encodes")),
            TickSound::Own(frame, _) => self.encoders[index(end)].encode(frame.samples(), payload).expect("encodes"),
            TickSound::Nothing => {}
        }
        assert!(!payload.is_empty(), "every leg is sent something");
    }

    fn publish(&mut self, _now: Instant, _publisher: PeerId, _sound: Option<(&Frame, f32)>) {}
}

impl Crowd {
    /// So many members; each voice is one of them who talks.
    #[must_use]
    pub fn new(members: usize, voices: &[&[i16]]) -> Self {
        let now = Instant::now();
        let (mut bridge, mut policy) = (Bridge::new(0, 4), Policy::new(PolicySettings::default()));
        for number in 0..members as u64 {
            bridge.seat(MediaEnd::Peer(PeerId::from_number(number)), admission(&mut policy, now, 1 + number), OPEN);
        }
        let encoder = |_| CodecKind::Opus.encoder(EncoderSettings::default()).expect("Opus");
        let voices = voices.iter().map(|speech| Voice::new(speech, Hz::FULL)).collect();
        let encoders = (0..members).map(encoder).collect();
        Self { bridge, now, voices, legs: CrowdLegs { talking: Vec::new(), encoders, payload: Vec::new() } }
    }

    /// Lets 20 ms pass, and gives the time they took; a payload was there for everybody.
    pub fn frame(&mut self) -> Duration {
        self.now += FRAME;
        self.legs.talking = self.voices.iter_mut().map(|voice| Frame::from_samples(Hz::FULL, &voice.next(960))).collect();
        let began = Instant::now();
        self.bridge.tick(self.now, &mut self.legs);
        began.elapsed()
    }
}

fn index(end: MediaEnd) -> usize {
    match end {
        MediaEnd::Peer(peer) => usize::try_from(peer.number()).expect("few"),
        MediaEnd::Port(_) | MediaEnd::Track(_) => usize::MAX,
    }
}

impl Voice {
    fn new(speech: &[i16], rate: Hz) -> Self {
        let mut samples = Vec::new();
        Resampler::new(Hz::WIDE, rate).process(speech, &mut samples);
        Self { samples, at: 0 }
    }

    fn next(&mut self, length: usize) -> Vec<i16> {
        let at = self.at;
        self.at += length;
        let sample = |at: usize| self.samples.get(at % self.samples.len().max(1)).copied().unwrap_or(0);
        (at..at + length).map(sample).collect()
    }
}
