//! Hostile datagrams against the running daemon while a call is up: it lives, the call does not notice, memory returns.
//!
//! What is mutated is what the real peers of the scenario have sent, taken off the wire: SIP, RTP, RTCP, STUN with the right user
//! name, DTLS and SRTP. `ROOMGATE_SEED` repeats a run.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::audio::Sound;
use crate::baresip::{Baresip, Codec, Transport};
use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::load::long;
use crate::namespace::isolated;
use crate::waiting::{eventually, seconds};
use crate::wiretap::{Datagram, Punctuality, Wiretap, punctuality};

const ALICE: f64 = 611.0;
const PHONE: f64 = 1011.0;
/// Datagrams of one round.
const DATAGRAMS: usize = 10_000;
/// They come at a thousand a second.
const PACE: Duration = Duration::from_millis(20);
const EACH: usize = 20;
/// Payload types (RFC 3551, and the one that the page gives Opus).
const PCMU: u8 = 0;
const OPUS: u8 = 111;
/// A mutated INVITE may be answered 200: no ACK comes for 64·T1, and then none to our BYE for as long (RFC 3261 section 17).
const RETURNED: Duration = Duration::from_secs(90);
/// Addresses they come from: enough that budgets do not silence them all at once.
const SOURCES: u8 = 100;
/// What a daemon may hold on to: caches of its allocator, grown tables.
const KEPT: u64 = 16 << 20;

/// The same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides.max(1)
    }
}

fn seed() -> u64 {
    let given = std::env::var("ROOMGATE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or(20_261_125);
    println!("ROOMGATE_SEED={seed}");
    seed
}

/// Changes at least one byte.
fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    const PIECES: &[&[u8]] =
        &[b"\r\n", b"\"", b"<", b";", b",", b":", b"%", b"[", b"\0", b"\xff", b"99999999999", b";tag=", b"\r\n "];
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(bytes.len());
        match dice.roll(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..(at + 1 + dice.roll(20)).min(bytes.len()))),
            2 => drop(bytes.splice(at..at, PIECES[dice.roll(PIECES.len())].iter().copied())),
            3 => bytes.extend((0..dice.roll(64)).map(|_| u8::try_from(dice.roll(256)).expect("a byte"))),
            _ => {
                let change = u8::try_from(1 + dice.roll(255)).expect("a byte");
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= change;
                }
            }
        }
    }
}

/// SIP as the phone has sent it, and its relatives; with another Call-ID, as of somebody who cannot read the phone's calls.
fn sip(invite: &str, dice: &mut Dice) -> Vec<u8> {
    let method = ["INVITE", "INVITE", "OPTIONS", "BYE", "ACK", "CANCEL", "REGISTER", "INFO", "REFER", "FOO"][dice.roll(10)];
    let stranger = format!("Call-ID: {}@stranger", dice.roll(1 << 30));
    let branch = format!("branch=z9hG4bK{}", dice.roll(1 << 30));
    let line = |line: &str| match line {
        line if line.to_ascii_lowercase().starts_with("call-id:") => stranger.clone(),
        line if line.starts_with("INVITE ") => line.replacen("INVITE", method, 1),
        line if line.starts_with("CSeq:") => line.replacen("INVITE", method, 1),
        line => line.split_once("branch=").map_or_else(
            || line.to_owned(),
            |(before, after)| format!("{before}{branch}{}", after.find(';').and_then(|at| after.get(at..)).unwrap_or_default()),
        ),
    };
    invite.split("\r\n").map(line).collect::<Vec<_>>().join("\r\n").into_bytes()
}

/// What was sent to the gateway, by kind.
struct Seeds {
    invite: String,
    rtp: Vec<Datagram>,
    rtcp: Vec<Datagram>,
    webrtc: Vec<Datagram>,
}

impl Seeds {
    fn of(captured: &[Datagram]) -> Self {
        let to = |wanted: &dyn Fn(u16) -> bool| {
            captured.iter().filter(|datagram| wanted(datagram.to.port())).cloned().collect::<Vec<_>>()
        };
        let sip = to(&|port| port == 5060);
        let invite = sip.iter().map(|datagram| String::from_utf8_lossy(&datagram.bytes)).find(|text| text.starts_with("INVITE "));
        let media = |odd: bool| to(&|port| (20_000..21_000).contains(&port) && port.is_multiple_of(2) != odd);
        let webrtc = to(&|port| (8189..8192).contains(&port));
        // RFC 7983: the first byte tells STUN, DTLS and SRTP apart.
        let kinds = [0..=3, 20..=63, 128..=191]
            .map(|range| webrtc.iter().filter(|one| range.contains(&one.bytes[0])).take(60).cloned().collect::<Vec<_>>());
        println!("seeds: STUN {}, DTLS {}, SRTP {}", kinds[0].len(), kinds[1].len(), kinds[2].len());
        assert!(kinds.iter().all(|kind| !kind.is_empty()), "the browser has sent all three");
        Self { invite: invite.expect("an INVITE").into_owned(), rtp: media(false), rtcp: media(true), webrtc: kinds.concat() }
    }

    /// One mutated datagram, and where to.
    fn draw(&self, dice: &mut Dice) -> (SocketAddr, Vec<u8>) {
        let pick = |list: &[Datagram], dice: &mut Dice| {
            let datagram = &list[dice.roll(list.len())];
            (SocketAddr::V4(datagram.to), datagram.bytes.clone())
        };
        let (to, mut bytes) = match dice.roll(8) {
            0..=2 => (SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)), sip(&self.invite, dice)),
            3 => pick(&self.rtp, dice),
            4 => pick(&self.rtcp, dice),
            _ => pick(&self.webrtc, dice),
        };
        mutate(dice, &mut bytes);
        (to, bytes)
    }
}

/// Sends a round from many addresses, and from the peers' own with other ports.
fn storm(seeds: &Seeds, dice: &mut Dice) {
    let open = |n: u8| {
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, n), 0)).expect("a socket");
        socket.set_nonblocking(true).expect("a socket option");
        socket
    };
    let sockets: Vec<_> = (1..=SOURCES).map(open).collect();
    let start = Instant::now();
    for (n, sent) in (0_u32..).zip((0..DATAGRAMS).step_by(EACH)) {
        for _ in sent..DATAGRAMS.min(sent + EACH) {
            let (to, bytes) = seeds.draw(dice);
            // An answer may have been refused by an earlier socket: ICMP errors come back here and mean nothing.
            let _ = sockets[dice.roll(sockets.len())].send_to(&bytes, to);
        }
        std::thread::sleep((PACE * (n + 1)).saturating_sub(start.elapsed()));
    }
}

/// Calls, ports and SIP as before; `None` until then.
fn returned(now: &Value, before: &Value) -> Option<()> {
    let ((now, calls), before) = ((&now["resources"], &now["calls"]), &before["resources"]);
    let sip = ["calls", "transactions", "timers", "connections"].iter().all(|what| now["sip"][what] == before["sip"][what]);
    // The first name in a description starts the resolver's own task, which stays.
    let count = |of: &Value| of["control_tasks"].as_u64().expect("a number");
    let tasks = (0..=1).contains(&(count(now).wrapping_sub(count(before)))) && now["descriptors"] == before["descriptors"];
    (sip && tasks && now["rtp_ports"] == before["rtp_ports"] && calls.as_array().is_some_and(|calls| calls.len() == 1))
        .then_some(())
}

/// A tone without a hole or a jump that its sender has not made itself.
fn assert_untouched(sound: &Sound, hertz: f64, sender: Punctuality, who: &str) {
    let tone = sound.tone(hertz).unwrap_or_else(|| panic!("{who}: no tone at {hertz}"));
    println!("{who}, {:.1} s: {tone:?}; {sender:?}", sound.length());
    assert!(sender.excuses(&tone) && (tone.level + 18.0).abs() < 3.0, "{who}: {tone:?}; {sender:?}");
}

/// Ten thousand mutated datagrams leave the daemon alive a call untouched and no memory taken.
#[test]
fn ten_thousand_mutated_datagrams_leave_the_daemon_alive_a_call() {
    isolated(|| {
        let mut dice = Dice(seed());
        let daemon = Daemon::start();
        let wiretap =
            Wiretap::start(daemon.folder(), "udp and (dst port 5060 or dst portrange 8189-8191 or dst portrange 20000-20999)");
        let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
        alice.enter(&daemon.link("demo", true));
        alice.join("Alice");
        let mut phone = Baresip::start(daemon.folder(), 5070, Codec::Pcmu, Transport::Udp, PHONE);
        phone.dial("sip:1001@127.0.0.1:5060");
        alice.wait("lobby-row");
        alice.click("admit");
        // Its words of welcome, and the first RTCP reports.
        phone.hear(8.0);
        let seeds = Seeds::of(&wiretap.so_far());
        let settled = |now: &Value| now["resources"]["sip"]["transactions"] == 0;
        let before = eventually(seconds(45), "SIP is at rest", || Some(daemon.status()).filter(settled));

        let begin = SystemTime::now();
        let (at_phone, at_alice) = (phone.heard().length(), alice.heard().length());
        for round in 0..if long() { 20 } else { 1 } {
            let logged = daemon.log().lines().count();
            storm(&seeds, &mut dice);
            // The last words of the storm are answered too.
            phone.hear(1.0);
            let during = daemon.status();
            println!("round {round}: {}", during["resources"]);
            println!(
                "{} sources silenced, {} lines logged",
                during["blocks"]["silenced"].as_array().map_or(0, Vec::len),
                daemon.log().lines().count() - logged
            );
            assert!(daemon.log().lines().count() - logged < DATAGRAMS / 4, "the log is flooded");
        }
        let (by_phone, by_alice) = (phone.heard().since(at_phone), alice.heard().since(at_alice));
        let sent = wiretap.finish();
        assert_untouched(&by_phone, ALICE, punctuality(&sent, OPUS, begin), "the phone hears Alice");
        assert_untouched(&by_alice, PHONE, punctuality(&sent, PCMU, begin), "Alice hears the phone");
        eventually(RETURNED, "ports, transactions and tasks return", || returned(&daemon.status(), &before));
        let memory = |status: &Value| status["resources"]["memory_bytes"].as_u64().expect("a number");
        let after = daemon.status();
        println!("memory: {} before, {} after", memory(&before), memory(&after));
        assert!(memory(&after) < memory(&before) + KEPT, "{} to {}", memory(&before), memory(&after));

        // Who was not silenced still gets through.
        phone.hang_up();
        alice.gone("roster-row", "External");
        let mut another = Baresip::start(daemon.folder(), 5080, Codec::G722, Transport::Tcp, PHONE);
        another.dial("sip:1001@127.0.0.1:5060;transport=tcp");
        alice.wait("lobby-row");
    });
}
