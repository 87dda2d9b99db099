//! How much later a sound leaves the daemon than it came in: phones click in turn, and every other phone notes when it hears it.
//!
//! Counted from the packet that brings a click to the packet that carries it on, so the time that a packet takes to fill belongs
//! to the phones and not to the daemon.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::load::long;
use crate::member::Member;
use crate::namespace::isolated;

/// Phones, each with a phase of its own within the 20 ms of a packet.
const PHONES: usize = 8;
const PACKET: Duration = Duration::from_millis(20);
/// Packets between two clicks: quiet long enough for the detector to tell them apart.
const BETWEEN_CLICKS: usize = 15;
/// Packets before the first click: the lobby, the notice-free entry, the first filling of the jitter buffers.
const SETTLING: usize = 150;
/// µ-law: silence, and the loudest there is.
const SILENCE: u8 = 0xFF;
const LOUD: u8 = 0x80;

/// When who clicked.
type Clicks = Arc<Mutex<Vec<(usize, Instant)>>>;

struct Phone {
    index: usize,
    sip: UdpSocket,
    rtp: UdpSocket,
    to_tag: String,
}

impl Phone {
    /// Calls the hall, and is let in.
    fn call(index: usize) -> Self {
        let socket = || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
            socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket option");
            socket
        };
        let (sip, rtp) = (socket(), socket());
        sip.connect("127.0.0.1:5060").expect("an address");
        let mut phone = Self { index, sip, rtp, to_tag: String::new() };
        let port = phone.rtp.local_addr().expect("an address").port();
        let offer = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        );
        phone.send("INVITE", 1, &offer);
        let answer = phone.ok();
        let to = answer.lines().find(|line| line.starts_with("To:")).expect("a To");
        phone.to_tag = to.split_once(";tag=").expect("a tag").1.trim().to_owned();
        let media = answer.lines().find_map(|line| line.strip_prefix("m=audio ")).expect("audio");
        let port: u16 = media.split(' ').next().and_then(|port| port.parse().ok()).expect("a port");
        phone.rtp.connect(SocketAddr::from(([127, 0, 0, 1], port))).expect("an address");
        phone.send("ACK", 1, "");
        phone
    }

    fn send(&self, method: &str, sequence: u32, body: &str) {
        let (local, index) = (self.sip.local_addr().expect("an address"), self.index);
        let tag = if self.to_tag.is_empty() { String::new() } else { format!(";tag={}", self.to_tag) };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let message = format!(
            "{method} sip:2002@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bK{method}{index}\r\nMax-Forwards: 70\r\n\
             From: <sip:clicker{index}@127.0.0.1>;tag={index}\r\nTo: <sip:2002@127.0.0.1>{tag}\r\nCall-ID: click{index}@127.0.0.1\r\n\
             CSeq: {sequence} {method}\r\nContact: <sip:clicker{index}@{local}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.sip.send(message.as_bytes()).expect("a request");
    }

    /// The 200 that comes after whatever is provisional.
    fn ok(&self) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = self.sip.recv(&mut buffer).expect("an answer");
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if !text.starts_with("SIP/2.0 1") {
                assert!(text.starts_with("SIP/2.0 200"), "{text}");
                return text;
            }
        }
    }

    /// Sends a packet every 20 ms until `packets` are sent, clicks when it is its turn, and gives the delay of each click it heard.
    fn click_and_hear(&self, packets: usize, clicks: &Clicks) -> Vec<Duration> {
        let start = Instant::now() + PACKET * u32::try_from(self.index).unwrap_or(0) / PHONES as u32;
        let (mut buffer, mut delays, mut quiet) = ([0; 512], Vec::new(), 0);
        for number in 0..packets {
            let due = start + PACKET * u32::try_from(number).expect("few");
            while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                self.rtp.set_read_timeout(Some(left)).expect("a socket option");
                let Ok(length) = self.rtp.recv(&mut buffer) else { continue };
                let heard = Instant::now();
                let loud = buffer[12..length.max(12)].iter().any(|byte| byte & 0x7F < 0x20);
                if loud && quiet > 5 {
                    let clicks = clicks.lock().expect("nobody panicked");
                    let last = clicks.iter().rev().find(|(_, at)| *at <= heard);
                    delays.extend(last.filter(|(who, _)| *who != self.index).map(|(_, at)| heard - *at));
                }
                quiet = if loud { 0 } else { quiet + 1 };
            }
            let turn = number.checked_sub(SETTLING).filter(|turn| turn % BETWEEN_CLICKS == 0).map(|turn| turn / BETWEEN_CLICKS);
            let mine = turn.is_some_and(|turn| turn % PHONES == self.index);
            let mut packet = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, self.index as u8];
            packet[2..4].copy_from_slice(&u16::try_from(number).expect("few").to_be_bytes());
            packet[4..8].copy_from_slice(&(160 * u32::try_from(number).expect("few")).to_be_bytes());
            packet.resize(172, SILENCE);
            if mine {
                // Both signs, so that it is a sound and not a step.
                packet[12..92].chunks_mut(8).for_each(|wave| wave.copy_from_slice(&[[LOUD; 4], [0x00; 4]].concat()));
                clicks.lock().expect("nobody panicked").push((self.index, Instant::now()));
            }
            self.rtp.send(&packet).expect("a packet");
        }
        delays
    }

    fn hang_up(&self) {
        self.send("BYE", 2, "");
        self.ok();
    }
}

/// every click is heard by everybody else. How soon half of them have left is asked by `make load` alone: a machine that
/// tests many things at once has the jitter buffers of all phones deeper than they would be.
#[test]
fn a_click_is_heard_by_all_others_and_within_40_ms_alone() {
    isolated(|| {
        let daemon = Daemon::with(
            "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n\
             [meeting.hall]\ntitle = \"Hall\"\nconference_id = \"2002\"\ndevices_bypass = true\n",
        );
        let _member = Member::join(&daemon, "hall");
        let packets = SETTLING + BETWEEN_CLICKS * PHONES * if long() { 20 } else { 3 };
        let (clicks, together) = (Clicks::default(), Arc::new(Barrier::new(PHONES)));
        let phones = (0..PHONES).map(|index| {
            let (clicks, together, phone) = (Arc::clone(&clicks), Arc::clone(&together), Phone::call(index));
            thread::spawn(move || {
                together.wait();
                let delays = phone.click_and_hear(packets, &clicks);
                phone.hang_up();
                delays
            })
        });
        let phones: Vec<_> = phones.collect();
        let mut delays: Vec<Duration> = phones.into_iter().flat_map(|phone| phone.join().expect("it ends well")).collect();
        delays.sort_unstable();
        let clicked = clicks.lock().expect("nobody panicked").len();
        let share = |percent: usize| delays[(delays.len() - 1) * percent / 100];
        println!(
            "{} clicks heard of {}: p5 {:.1?}, p50 {:.1?}, p95 {:.1?}, longest {:.1?}",
            delays.len(),
            clicked * (PHONES - 1),
            share(5),
            share(50),
            share(95),
            share(100)
        );
        assert!(delays.len() * 10 > clicked * (PHONES - 1) * 9, "nine of ten clicks are heard everywhere");
        if long() {
            assert!(share(50) <= Duration::from_millis(40), "{:?}", share(50));
        }
    });
}
