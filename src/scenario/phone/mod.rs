//! A phone: SIP by hand, RTP by hand, a hum of its own and an ear. What it does is a sentence; what it must hear is one too.

mod called;
mod does;
mod hears;

use std::cell::{Ref, RefCell, RefMut};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::listener::{Ear, Print};
use super::sip::{Dialog, Text};
use super::world::{LOUD, Voice, World, assert_heard};
use crate::codec::{CodecKind, Decoder, Encoder, EncoderSettings};
use crate::common::machine;
use crate::common::phrase::Phrase;
use crate::dsp::tone::Sine;
use crate::net::udp::{Net as _, Socket, SocketReader, Traffic};

/// A packet.
const PTIME: Duration = Duration::from_millis(20);
/// The payload type of keys.
const KEYS: u8 = 101;
/// The music of a phone that holds us.
pub(super) const MUSIC: Voice = Voice { name: "hold music", freq: 1_850.0 };
/// A packet of what an ear hears.
const SHORT: usize = 160;
/// How long a sentence waits for what it says.
const PATIENCE: Duration = Duration::from_secs(40);

/// An RTP packet that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) at: Instant,
    pub(super) seq: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
}

/// When a prompt was heard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    /// When its first packet came.
    pub(super) from: Instant,
    /// When its last one did.
    pub(super) to: Instant,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The INVITE was refused.
    Refused { status: u16, reason: String },
    /// The gateway said BYE.
    HungUp { reason: String },
}

/// What the phone's task and the sentences share.
pub(super) struct Line {
    pub(super) sip: Box<dyn Socket>,
    rtp: Box<dyn Socket>,
    rtcp: Box<dyn Socket>,
    codec: CodecKind,
    pub(super) dialog: Option<Dialog>,
    /// Final responses, with the method they answer.
    pub(super) answers: Vec<(u16, String)>,
    /// The INVITE that was sent last.
    invite: String,
    /// The gateway's INVITE that nobody has taken yet.
    ringing: Option<Text>,
    /// What was sent to its display.
    texts: Vec<String>,
    /// Who is in the meeting, as NOTIFY told it last.
    display: Option<String>,
    /// First lines of what NOTIFY told it of a REFER.
    notified: Vec<String>,
    pub(super) end: Option<End>,
    /// How often it has called, or was called.
    pub(super) calls: usize,
    /// How many of its calls were answered.
    pub(super) answered_calls: usize,
    /// Where the gateway wants RTP.
    pub(super) remote: Option<SocketAddr>,
    holding: bool,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    hum: Sine,
    music: Sine,
    seq: u16,
    timestamp: u32,
    ssrc: u32,
    /// The rest of what its keys send: RTP payload, whether it is the first packet, and at which timestamp.
    keys: VecDeque<Option<([u8; 4], bool)>>,
    key_began: u32,
    pub(super) listener: Ear,
    pub(super) got: Vec<Got>,
    ticks: u32,
    silent: bool,
    /// Of its RTP packets the network loses each of so many; 0: none.
    loses: u16,
    /// It sends no RTCP.
    reports_nothing: bool,
    /// It called without an offer, and answers ours in the ACK.
    delayed: bool,
    /// Its ACK, which it is slow to send.
    withheld: Option<String>,
    /// Offered instead of its codec.
    odd: Option<&'static str>,
}

/// A phone.
#[derive(Clone)]
pub(super) struct Phone {
    world: World,
    pub(super) voice: Voice,
    line: Rc<RefCell<Line>>,
    /// Up to here its ear has been asked.
    cursor: Rc<RefCell<usize>>,
    calls: Rc<RefCell<u32>>,
}

// === impl Line ===

impl Line {
    fn send_sip(&self, text: &str) {
        let gateway = self.dialog.as_ref().expect("a dialog").gateway;
        self.sip.send_to(text.as_bytes(), gateway).expect("sent");
    }

    fn payload_type(&self) -> u8 {
        self.codec.row().static_payload_type.unwrap_or(96)
    }

    /// RFC 4566, as a phone writes it.
    fn sdp(&self, direction: &str) -> String {
        let row = self.codec.row();
        let (host, port) = (self.rtp.local_addr().expect("bound").ip(), self.rtp.local_addr().expect("bound").port());
        if let Some(odd) = self.odd {
            let pt = odd.split(' ').next().unwrap_or_default();
            let common = format!("v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n");
            return format!("{common}m=audio {port} RTP/AVP {pt}\r\na=rtpmap:{odd}\r\n");
        }
        let (pt, name, clock) = (self.payload_type(), row.name, row.rtp_clock.0);
        let channels = if row.sdp_channels == 2 { "/2" } else { "" };
        format!(
            "v=0\r\no=- 1 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP {pt} {KEYS}\r\n\
             a=rtpmap:{pt} {name}/{clock}{channels}\r\na=rtpmap:{KEYS} telephone-event/{clock}\r\na=fmtp:{KEYS} 0-15\r\n\
             a={direction}\r\n",
            version = self.dialog.as_ref().map_or(1, |dialog| dialog.cseq + 1),
        )
    }

    fn answered(&mut self, sdp: &str) {
        let line = |start: &str| sdp.lines().find_map(|line| line.strip_prefix(start)).unwrap_or_default();
        let host = line("c=IN IP4 ").trim();
        let mut media = line("m=audio ").trim().split(' ');
        let port: u16 = media.next().and_then(|port| port.parse().ok()).expect("a port");
        let ours = self.payload_type().to_string();
        assert!(media.skip(1).any(|theirs| theirs == ours), "our codec: {sdp}");
        self.remote = Some(SocketAddr::new(host.parse().expect("an address"), port));
    }

    fn sip(&mut self, datagram: &[u8]) {
        let text = Text::read(datagram);
        match text.status() {
            Some(status) => self.response(status, &text),
            None if text.method() == "ACK" => {}
            None if text.method() == "INVITE" => self.is_called(&text),
            None if text.method() == "CANCEL" => self.is_called_no_more(&text),
            None => {
                match (text.method(), text.header("event")) {
                    ("NOTIFY", event) if event.starts_with("refer") => {
                        self.notified.extend(text.body.lines().next().map(str::to_owned))
                    }
                    ("MESSAGE", _) => self.texts.push(text.body.clone()),
                    ("NOTIFY", _) if !text.body.is_empty() => self.display = Some(text.body.clone()),
                    _ => {}
                }
                self.send_sip(&text.accepted());
                if text.method() == "BYE" {
                    self.end = Some(End::HungUp { reason: text.header("reason").to_owned() });
                    self.remote = None;
                }
            }
        }
    }

    fn response(&mut self, status: u16, text: &Text) {
        if status < 200 {
            return;
        }
        self.answers.push((status, text.of().to_owned()));
        if text.of() != "INVITE" {
            return;
        }
        let accepted = status < 300;
        let Some(dialog) = self.dialog.as_mut() else { return };
        if accepted {
            dialog.to = text.header("to").to_owned();
            let contact = text.header("contact").trim_start_matches('<');
            if dialog.contact.is_none() {
                self.answered_calls += 1;
            }
            dialog.contact = contact.split('>').next().map(str::to_owned);
        } else if dialog.contact.is_none() {
            dialog.to = text.header("to").to_owned();
        }
        let answer = if accepted && self.delayed { self.sdp("sendrecv") } else { String::new() };
        let Some(dialog) = self.dialog.as_mut() else { return };
        let ack = dialog.follow_up("ACK", accepted, &answer);
        match &mut self.withheld {
            Some(withheld) if accepted => *withheld = ack,
            _ => self.send_sip(&ack),
        }
        if accepted {
            self.answered(&text.body);
            self.delayed = false;
        } else if self.remote.is_none() {
            self.end = Some(End::Refused { status, reason: text.header("reason").to_owned() });
        }
    }

    fn rtp(&mut self, at: Instant, datagram: &[u8]) {
        assert!(datagram.len() >= 12 && datagram[0] == 0x80, "RTP without extras");
        let word = |at: usize| u32::from_be_bytes(datagram[at..at + 4].try_into().expect("four"));
        let seq = u16::from_be_bytes([datagram[2], datagram[3]]);
        self.got.push(Got { at, seq, timestamp: word(4), ssrc: word(8) });
        if datagram[1] & 0x7F == self.payload_type() {
            let mut samples = Vec::new();
            self.decoder.decode(&datagram[12..], &mut samples).expect("our codec");
            self.listener.hear(at, &samples);
        }
    }

    fn tick(&mut self) {
        let Some(remote) = self.remote else { return };
        self.ticks += 1;
        if self.ticks.is_multiple_of(50) {
            self.report(SocketAddr::new(remote.ip(), remote.port() + 1));
        }
        if self.silent {
            return;
        }
        let row = self.codec.row();
        let timestamp = self.timestamp;
        self.timestamp = timestamp.wrapping_add(u32::try_from(row.rtp_clock.samples(PTIME)).expect("fits"));
        match self.keys.pop_front() {
            Some(Some((payload, first))) => {
                if first {
                    self.key_began = timestamp;
                }
                self.packet(remote, KEYS, first, self.key_began, &payload);
            }
            Some(None) => {}
            None => {
                let mut samples = vec![0; row.sample_rate.samples(PTIME)];
                if self.holding {
                    self.music.fill(&mut samples)
                } else {
                    self.hum.fill(&mut samples)
                }
                let mut payload = Vec::new();
                self.encoder.encode(&samples, &mut payload).expect("encodes");
                self.packet(remote, self.payload_type(), false, timestamp, &payload);
            }
        }
    }

    /// RFC 3550 section 5.1.
    fn packet(&mut self, to: SocketAddr, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) {
        let mut packet = vec![0x80, payload_type | u8::from(marker) << 7];
        packet.extend(self.seq.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(payload);
        self.seq = self.seq.wrapping_add(1);
        if self.loses == 0 || !self.seq.is_multiple_of(self.loses) {
            self.rtp.send_to(&packet, to).expect("sent");
        }
    }

    /// A receiver report and a name (RFC 3550 sections 6.4.2 and 6.5), as if it had heard everything since its call began.
    fn report(&self, to: SocketAddr) {
        let stream = |got: &&Got| self.got.last().is_some_and(|last| last.ssrc == got.ssrc);
        let (Some(first), Some(last)) = (self.got.iter().find(stream), self.got.last()) else { return };
        if self.reports_nothing {
            return;
        }
        let of_it: Vec<&Got> = self.got.iter().filter(stream).collect();
        let wraps = of_it.windows(2).filter(|pair| pair[0].seq > 0xF000 && pair[1].seq < 0x1000).count();
        let highest = u32::try_from(wraps).expect("few") << 16 | u32::from(last.seq);
        let expected = highest - u32::from(first.seq) + 1;
        let lost = expected - u32::try_from(of_it.len()).expect("few");
        let mut packet = vec![0x81, 201, 0, 7];
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(last.ssrc.to_be_bytes());
        for word in [lost, highest, 0, 0, 0] {
            packet.extend(u32::to_be_bytes(word));
        }
        packet.extend([0x81, 202, 0, 3]);
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend([1, 5, b'p', b'h', b'o', b'n', b'e', 0]);
        self.rtcp.send_to(&packet, to).expect("sent");
    }

    /// One press (RFC 4733 section 2.5): three packets, the end three times, and a pause of so many packets.
    fn press(&mut self, key: char, pause: usize) {
        let event = b"0123456789*#".iter().position(|known| char::from(*known) == key).expect("a key") as u8;
        let step = u16::try_from(self.codec.row().rtp_clock.samples(PTIME)).expect("fits");
        for n in 1..=3_u16 {
            let [high, low] = (n * step).to_be_bytes();
            self.keys.push_back(Some(([event, 10, high, low], n == 1)));
        }
        let [high, low] = (4 * step).to_be_bytes();
        self.keys.extend([Some(([event, 0x80 | 10, high, low], false)); 3]);
        self.keys.extend(std::iter::repeat_n(None, pause));
    }
}

/// Runs a phone: its two kinds of traffic, and the time.
async fn run(line: Rc<RefCell<Line>>, mut sip: SocketReader, mut rtp: SocketReader, phase: Duration) {
    let mut clock = tokio::time::interval_at(tokio::time::Instant::now() + phase, PTIME);
    let (mut message, mut packet) = ([0; 65_536], [0; 2_048]);
    loop {
        tokio::select! {
            biased;
            Ok((length, _)) = sip.recv_from(&mut message) => line.borrow_mut().sip(&message[..length]),
            Ok((length, _)) = rtp.recv_from(&mut packet) => line.borrow_mut().rtp(machine::now(), &packet[..length]),
            _ = clock.tick() => line.borrow_mut().tick(),
        }
    }
}

// === impl Phone ===

impl Phone {
    pub(super) fn new(world: World, voice: Voice, host: [u8; 4], codec: CodecKind) -> Self {
        let bind = |port| world.network().bind(SocketAddr::from((host, port)), Traffic::Voice).expect("free");
        let (sip, rtp, rtcp) = (bind(5060), bind(4000), bind(4001));
        let row = codec.row();
        let line = Rc::new(RefCell::new(Line {
            codec,
            dialog: None,
            answers: Vec::new(),
            invite: String::new(),
            ringing: None,
            texts: Vec::new(),
            display: None,
            notified: Vec::new(),
            end: None,
            calls: 0,
            answered_calls: 0,
            remote: None,
            holding: false,
            encoder: codec.encoder(EncoderSettings::default()).expect("a codec"),
            decoder: codec.decoder().expect("a codec"),
            hum: Sine::new(row.sample_rate, voice.freq, LOUD),
            music: Sine::new(row.sample_rate, MUSIC.freq, LOUD),
            seq: 0xFFF0,
            timestamp: 0xFFFF_F000,
            ssrc: u32::from(host[3]) << 16 | 7,
            keys: VecDeque::new(),
            key_began: 0,
            listener: Ear::new(row.sample_rate),
            got: Vec::new(),
            ticks: 0,
            silent: false,
            loses: 0,
            reports_nothing: false,
            delayed: false,
            withheld: None,
            odd: None,
            sip,
            rtp,
            rtcp,
        }));
        let readers = (line.borrow().sip.reader().expect("ours"), line.borrow().rtp.reader().expect("ours"));
        let phase = Duration::from_millis(1 + u64::from(host[3]) * 7 % 20);
        world.spawn(run(Rc::clone(&line), readers.0, readers.1, phase));
        Self { world, voice, line, cursor: Rc::default(), calls: Rc::default() }
    }

    pub(super) fn shared(&self) -> Rc<RefCell<Line>> {
        Rc::clone(&self.line)
    }

    pub(super) fn line(&self) -> Ref<'_, Line> {
        self.line.borrow()
    }

    fn line_mut(&self) -> RefMut<'_, Line> {
        self.line.borrow_mut()
    }

    fn until(&self, what: &str, met: impl Fn(&Line) -> bool) {
        let began = self.world.now();
        while !met(&self.line()) {
            assert!(self.world.now() - began < PATIENCE, "{}: {what} never came; {:?}", self.voice.name, self.line().end);
            self.world.passes(Duration::from_millis(20));
        }
    }
}
