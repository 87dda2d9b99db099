//! A phone: SIP by hand, RTP by hand, a hum of its own and an ear. What it does is a sentence; what it must hear is one too.

mod called;

use std::cell::{Ref, RefCell, RefMut};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::ear::{Ear, Print};
use super::sip::{Dialog, Text};
use super::world::{LOUD, Voice, World, assert_heard};
use crate::codec::{CodecKind, Decoder, Encoder, EncoderSettings};
use crate::dsp::tone::Sine;
use crate::machine;
use crate::phrase::Phrase;
use crate::udp::{Net as _, Reader, Socket, Traffic};

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
    pub(super) ear: Ear,
    pub(super) got: Vec<Got>,
    ticks: u32,
    silent: bool,
    /// Of its RTP packets the network loses each of so many; 0: none.
    loses: u16,
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
            self.ear.hear(at, &samples);
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

    /// A receiver report and a name (RFC 3550 sections 6.4.2 and 6.5).
    fn report(&self, to: SocketAddr) {
        let Some(last) = self.got.last() else { return };
        let wraps = self.got.windows(2).filter(|pair| pair[0].seq > 0xF000 && pair[1].seq < 0x1000).count();
        let highest = u32::try_from(wraps).expect("few") << 16 | u32::from(last.seq);
        let mut packet = vec![0x81, 201, 0, 7];
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(last.ssrc.to_be_bytes());
        for word in [0, highest, 0, 0, 0] {
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
async fn run(line: Rc<RefCell<Line>>, mut sip: Reader, mut rtp: Reader, phase: Duration) {
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
            ear: Ear::new(row.sample_rate),
            got: Vec::new(),
            ticks: 0,
            silent: false,
            loses: 0,
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

    // === What it does ===

    /// Sends an INVITE; what comes of it is another sentence.
    pub(super) fn rings(&self, user: &str) {
        self.rings_as(user, |_| {});
    }

    /// Sends an INVITE that says something else of it.
    pub(super) fn rings_as(&self, user: &str, change: impl FnOnce(&mut Dialog)) {
        *self.calls.borrow_mut() += 1;
        let mut line = self.line_mut();
        let ours = line.sip.local_addr().expect("bound");
        let mut dialog = Dialog::new(ours, self.world.gateway(), self.voice.name, user, *self.calls.borrow());
        change(&mut dialog);
        (line.end, line.remote) = (None, None);
        line.answers.clear();
        line.keys.clear();
        let offer = if line.delayed { String::new() } else { line.sdp("sendrecv") };
        let invite = dialog.request("INVITE", &offer);
        line.dialog = Some(dialog);
        line.send_sip(&invite);
        line.invite = invite;
    }

    /// Calls, is answered, and is slow to say that it knows.
    pub(super) fn dials_and_withholds_its_ack(&self, user: &str) {
        self.line_mut().withheld = Some(String::new());
        self.dials(user);
    }

    /// Says it at last.
    pub(super) fn sends_its_ack(&self) {
        let ack = self.line_mut().withheld.take().expect("it was withheld");
        self.line().send_sip(&ack);
    }

    /// Sends its INVITE once more, as after a lost answer.
    pub(super) fn repeats_its_invite(&self) {
        self.line().send_sip(&self.line().invite);
    }

    /// Calls without an offer, and is answered with one.
    pub(super) fn dials_without_an_offer(&self, user: &str) {
        self.line_mut().delayed = true;
        self.dials(user);
    }

    /// Calls, and gives up at once.
    pub(super) fn rings_and_gives_up(&self, user: &str) {
        self.rings(user);
        self.gives_up();
    }

    /// Hangs up before it is answered.
    pub(super) fn gives_up(&self) {
        let mut line = self.line_mut();
        let cancel = line.dialog.as_mut().expect("a call").follow_up("CANCEL", false, "");
        line.send_sip(&cancel);
        drop(line);
        self.until("487", |line| matches!(line.end, Some(End::Refused { status: 487, .. })));
    }

    /// Offers this and nothing else from now on.
    pub(super) fn offers_only(&self, rtpmap: &'static str) {
        self.line_mut().odd = Some(rtpmap);
    }

    /// Nothing at all comes back for a while.
    pub(super) fn is_not_answered(&self) {
        self.world.passes(Duration::from_secs(5));
        assert_eq!((self.line().answers.len(), self.line().remote), (0, None), "{}", self.voice.name);
    }

    /// Calls, and is answered.
    pub(super) fn dials(&self, user: &str) {
        self.rings(user);
        self.until("an answer", |line| line.remote.is_some());
    }

    /// Calls, and is refused with this status; gives the `Reason`.
    pub(super) fn is_refused(&self, user: &str, expected: u16) -> String {
        self.rings(user);
        self.is_refused_with(expected)
    }

    /// Its INVITE is refused with this status; gives the `Reason`.
    pub(super) fn is_refused_with(&self, expected: u16) -> String {
        self.until("a refusal", |line| line.end.is_some());
        match self.line().end.clone() {
            Some(End::Refused { status, reason }) if status == expected => reason,
            other => panic!("{}: {other:?}", self.voice.name),
        }
    }

    /// Presses these keys one after the other, by RFC 4733.
    pub(super) fn presses(&self, keys: &str) {
        self.keys(keys, 5);
    }

    /// Sends these keys as an auto-dialler does, with next to nothing between them.
    pub(super) fn auto_dials(&self, keys: &str) {
        self.keys(keys, 2);
    }

    fn keys(&self, keys: &str, pause: usize) {
        keys.chars().for_each(|key| self.line_mut().press(key, pause));
        self.until("the last key", |line| line.keys.is_empty());
    }

    /// One press, told by INFO.
    pub(super) fn presses_by_info(&self, key: char) {
        let mut line = self.line_mut();
        line.answers.clear();
        let body = format!("Signal={key}\r\nDuration=100\r\n");
        let info = line.dialog.as_mut().expect("a call").request_with("INFO", "application/dtmf-relay", &body);
        line.send_sip(&info);
        drop(line);
        self.until("200 to INFO", |line| line.answers.contains(&(200, "INFO".to_owned())));
    }

    /// Of what it sends, the network loses one packet in so many.
    pub(super) fn is_lost_one_in(&self, packets: u16) {
        self.line_mut().loses = packets;
    }

    /// Hangs up, and is heard.
    pub(super) fn hangs_up(&self) {
        let mut line = self.line_mut();
        let bye = line.dialog.as_mut().expect("a call").request("BYE", "");
        line.send_sip(&bye);
        line.remote = None;
        drop(line);
        self.until("200 to BYE", |line| line.answers.contains(&(200, "BYE".to_owned())));
    }

    fn reinvites(&self, direction: &str) {
        let mut line = self.line_mut();
        line.answers.clear();
        let sdp = line.sdp(direction);
        let invite = line.dialog.as_mut().expect("a call").request("INVITE", &sdp);
        line.send_sip(&invite);
        drop(line);
        self.until("200 to the re-INVITE", |line| line.answers.contains(&(200, "INVITE".to_owned())));
    }

    /// Puts us on hold, with music of its own.
    pub(super) fn holds(&self) {
        self.line_mut().holding = true;
        self.reinvites("sendonly");
    }

    /// Is back.
    pub(super) fn resumes(&self) {
        self.line_mut().holding = false;
        self.reinvites("sendrecv");
    }

    /// Sends a text inside its call and is answered with this status.
    pub(super) fn writes(&self, text: &str, status: u16) {
        let mut line = self.line_mut();
        line.answers.clear();
        let request = line.dialog.as_mut().expect("a call").request_with("MESSAGE", "text/plain", text);
        line.send_sip(&request);
        drop(line);
        self.until("an answer", |line| line.answers.contains(&(status, "MESSAGE".to_owned())));
    }

    /// What its display has shown of the chat.
    pub(super) fn has_read(&self) -> Vec<String> {
        self.line().texts.clone()
    }

    /// Its power fails: nothing more comes of it.
    pub(super) fn falls_silent(&self) {
        let mut line = self.line_mut();
        line.silent = true;
        line.remote = None;
    }

    // === What it hears ===

    /// Hears the whole of this prompt, after those that earlier sentences named.
    pub(super) fn hears(&self, phrase: Phrase) -> Heard {
        self.hears_print(&format!("{phrase:?}"), &self.world.print(phrase))
    }

    fn hears_print(&self, what: &str, print: &Print) -> Heard {
        let began = self.world.now();
        let mut from = *self.cursor.borrow();
        loop {
            let found = self.line().ear.find(print, from);
            if let Some(at) = found {
                let ear = &self.line().ear;
                *self.cursor.borrow_mut() = at + print.len() - SHORT;
                // Not the very first and last samples, which a resampler may put into the packet before or after.
                return Heard { from: ear.when(at + SHORT / 4), to: ear.when(at + print.len() - SHORT / 4) };
            }
            if self.world.now() - began > PATIENCE {
                let heard = self.has_heard(*self.cursor.borrow());
                panic!("{} never heard {what}, but {heard:?}; {:?}", self.voice.name, self.line().end);
            }
            // What was long enough ago to have been heard whole has been looked at.
            from = from.max(self.line().ear.len().saturating_sub(print.len() + 2 * SHORT));
            self.world.passes(Duration::from_millis(200));
        }
    }

    /// Hears how this prompt begins.
    pub(super) fn begins_to_hear(&self, phrase: Phrase) {
        self.hears_print(&format!("{phrase:?} begin"), &self.world.beginning(phrase));
    }

    /// Hears the waiting music.
    pub(super) fn hears_music(&self) {
        self.hears_print("the music", &self.world.music());
    }

    /// Nothing was said to it since.
    pub(super) fn heard_no_prompt_since(&self, since: Instant) {
        let from = self.line().ear.since(since);
        assert_eq!(self.has_heard(from), [], "{}", self.voice.name);
    }

    /// The sequence number of the packet that came then.
    pub(super) fn packet_at(&self, at: Instant) -> u16 {
        self.line().got.iter().find(|got| got.at == at).expect("a packet").seq
    }

    fn has_heard(&self, from: usize) -> Vec<Phrase> {
        let heard = |phrase: &Phrase| self.line().ear.find(&self.world.print(*phrase), from).is_some();
        Phrase::ALL.iter().copied().filter(heard).collect()
    }

    /// Nothing is said to it for so long.
    pub(super) fn hears_no_prompt_for(&self, time: Duration) {
        let from = self.line().ear.len();
        self.world.passes(time);
        assert_eq!(self.has_heard(from), [], "{}", self.voice.name);
    }

    /// Heard these voices and no other meanwhile.
    pub(super) fn heard_only(&self, voices: &[Voice], from: Instant, to: Instant) {
        let all = self.world.voices_with(MUSIC);
        let freqs: Vec<f32> = all.iter().map(|voice| voice.freq).collect();
        assert_heard(self.voice.name, &all, &self.line().ear.tones(from, to, &freqs), voices);
    }

    /// Hears these voices and no other.
    pub(super) fn hears_only(&self, voices: &[Voice]) {
        let (from, to) = self.world.listens();
        self.heard_only(voices, from, to);
    }

    pub(super) fn hears_nobody(&self) {
        self.hears_only(&[]);
    }

    /// The call was ended by the gateway, for this reason (Q.850 cause in the text).
    pub(super) fn is_hung_up(&self) -> String {
        self.until("BYE", |line| line.end.is_some());
        match self.line().end.clone() {
            Some(End::HungUp { reason }) => reason,
            other => panic!("{}: {other:?}", self.voice.name),
        }
    }

    /// Nothing was missing in what it was sent since `since`: sequence numbers and timestamps in line, no gap above one frame.
    pub(super) fn had_no_gap(&self, since: Instant) {
        let line = self.line();
        let step = u32::try_from(line.codec.row().rtp_clock.samples(PTIME)).expect("fits");
        let got: Vec<&Got> = line.got.iter().filter(|got| got.at >= since).collect();
        assert!(got.len() > 10, "{} packets", got.len());
        for pair in got.windows(2) {
            let (one, next) = (pair[0], pair[1]);
            assert_eq!(next.ssrc, one.ssrc);
            assert_eq!(next.seq, one.seq.wrapping_add(1), "after {:?}", one.at - since);
            assert_eq!(next.timestamp, one.timestamp.wrapping_add(step), "after {:?}", one.at - since);
            assert!(next.at - one.at <= 2 * PTIME, "{:?} after {:?}", next.at - one.at, one.at - since);
        }
    }
}
