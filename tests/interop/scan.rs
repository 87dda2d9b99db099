//! Scanners and floods against the running daemon: they are met with silence, learn nothing, and nobody else notices.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::Daemon;
use crate::load::{dial, long, report};
use crate::member::Member;
use crate::namespace::{isolated, program};
use crate::waiting::{eventually, seconds};
use crate::wiretap::Wiretap;

const PASSWORD: &str = "correct-horse-battery";
/// Nobody calls without proof, by MD5, the only one that SIPVicious knows. 280 is a user name that is there; its neighbours are not.
const SETTINGS: &str = "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[sip]\nallowed = []\ndigest = [\"md5\"]\n\
    [device.bait]\nusername = \"280\"\npassword = \"correct-horse-battery\"\n\
    [device.board]\nusername = \"board\"\npassword = \"correct-horse-battery\"\n\
    [meeting.hall]\ntitle = \"Hall\"\nconference_id = \"2002\"\ndevices_bypass = true\n";
/// Runs a tool of SIPVicious from an address of its own (it has an option for that, which does nothing), and with another `User-Agent`
/// than `friendly-scanner`, which would give it away.
const RUN: &str = "import socket, sys
sys.path.insert(0, '/usr/share/sipvicious')
from sipvicious.libs import svhelper
tool, own, agent = sys.argv[1:4]
del sys.argv[1:4]
class Bound(socket.socket):
    def bind(self, address):
        super().bind((own, address[1]))
socket.socket = Bound
given = svhelper.makeRequest.__defaults__
svhelper.makeRequest.__defaults__ = tuple(agent if one == 'friendly-scanner' else one for one in given)
__import__('sipvicious.' + tool, fromlist=['main']).main()";

/// What a tool has printed.
fn scan(tool: &str, own: &str, disguised: bool, arguments: &[&str]) -> String {
    let agent = if disguised { "Yealink SIP-T46S 66.85" } else { "friendly-scanner" };
    let mut command = Command::new(program("python3"));
    // A hundred a second.
    command.args(["-c", RUN, tool, own, agent, "-t", "0.01", "--maximumtime", "1"]).args(arguments).arg("127.0.0.1");
    let output = command.output().expect("SIPVicious can be run");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

type Scan<'a> = (&'a str, &'a str, bool, &'a [&'a str]);

/// What each of these has printed, run at the same time.
fn at_once(scans: &[Scan<'_>]) -> Vec<String> {
    std::thread::scope(|threads| {
        let started = scans.iter().map(|(tool, own, disguised, with)| threads.spawn(|| scan(tool, own, *disguised, with)));
        let started: Vec<_> = started.collect();
        started.into_iter().map(|thread| thread.join().expect("a scan ends")).collect()
    })
}

/// For how long somebody at `own` was answered, from its first message on; and how many messages it sent and got.
fn answered(captured: &[crate::wiretap::Datagram], own: &str) -> (f64, usize, usize) {
    let own: Ipv4Addr = own.parse().expect("an address");
    let sent: Vec<f64> = captured.iter().filter(|one| *one.from.ip() == own).map(|one| one.at).collect();
    let got: Vec<f64> = captured.iter().filter(|one| *one.to.ip() == own).map(|one| one.at).collect();
    let first = sent.first().copied().unwrap_or_default();
    (got.last().map_or(0.0, |last| last - first), sent.len(), got.len())
}

/// How many guesses of svcrack were answered: its second request of each dialog. How often it asks for a challenge is a matter of 10 ms.
fn guesses_answered(captured: &[crate::wiretap::Datagram], own: &str) -> usize {
    let own: Ipv4Addr = own.parse().expect("an address");
    let answers = captured.iter().filter(|one| *one.to.ip() == own);
    answers.filter(|one| String::from_utf8_lossy(&one.bytes).contains("CSeq: 2 REGISTER")).count()
}

/// Scanners are silenced within two seconds and learn no user name.
#[test]
fn scanners_are_silenced_within_two_seconds_and_learn_no_user() {
    isolated(|| {
        let daemon = Daemon::with(SETTINGS);
        let wiretap = Wiretap::start(daemon.folder(), "udp and port 5060");
        let words = daemon.folder().join("words");
        let guesses: String = (0..120).map(|n| format!("guess{n}\n")).collect();
        std::fs::write(&words, guesses).expect("a file");
        let words = words.display().to_string();
        let scans: [Scan<'_>; 6] = [
            ("svwar", "127.0.0.61", true, &["--force", "-e", "100-300", "-m", "REGISTER"]),
            ("svwar", "127.0.0.62", true, &["--force", "-e", "100-300", "-m", "INVITE"]),
            ("svcrack", "127.0.0.64", true, &["-u", "280", "-d", &words]),
            ("svcrack", "127.0.0.65", true, &["-u", "281", "-d", &words]),
            ("svwar", "127.0.0.63", true, &["--force", "-t", "0.005", "-e", "100-300", "-m", "OPTIONS"]),
            ("svwar", "127.0.0.66", false, &["--force", "-e", "100-300"]),
        ];
        // Two at a time: each has a core to itself, and a hundred messages a second are soon sent; OPTIONS, which cost less, twice as
        // many. Whoever guesses a password for a name that is there, and whoever does so for one that is not, find the same daemon.
        let said: Vec<String> = scans.chunks(2).flat_map(at_once).collect();
        let captured = wiretap.finish();
        let mut cracked = Vec::new();
        for ((tool, own, disguised, _), said) in scans.iter().zip(&said) {
            let (time, sent, got) = answered(&captured, own);
            println!("{tool} from {own}: {sent} sent, {got} answered, the last after {time:.2} s\n{said}");
            // Asked for a password for a name that cannot be there, or not answered at all, svwar gives up at once.
            assert!(sent >= 1, "it has really asked: {said}");
            assert!(time < 2.0 && (*disguised || got == 0), "{tool} from {own}: {got} of {sent} answered, for {time:.2} s");
            assert!(!said.contains("280  ") && !said.contains(" 280 |"), "a name was found: {said}");
            if *tool == "svcrack" {
                cracked.push(guesses_answered(&captured, own));
            }
        }
        assert_eq!(cracked[0], cracked[1], "a name that is there is answered as one that is not");

        let status = daemon.status();
        println!("silenced: {}", status["blocks"]["silenced"]);
        let filter = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/fail2ban/roomgate.conf");
        let log = daemon.folder().join("daemon.log");
        let found = Command::new(program("fail2ban-regex")).arg(&log).arg(filter).output().expect("fail2ban-regex can be run");
        let found = String::from_utf8_lossy(&found.stdout).into_owned();
        let matched = found.lines().find(|line| line.starts_with("Lines:")).unwrap_or_default();
        println!("fail2ban: {matched}");
        assert!(matched.contains(" 3 matched"), "{found}\n{}", daemon.log());
    });
}

/// INVITEs of nobody from `sockets`, so many a second, for so many seconds.
fn flood(sockets: &[UdpSocket], rate: u32, length: u32) -> u64 {
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, 5060));
    let (start, mut sent) = (Instant::now(), 0_u64);
    for tick in 0..length * 50 {
        for _ in 0..rate / 50 {
            let socket = &sockets[usize::try_from(sent).expect("small") % sockets.len()];
            let here = socket.local_addr().expect("an address");
            let text = format!(
                "INVITE sip:{user}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{sent};rport\r\nMax-Forwards: 70\r\n\
                 From: <sip:{user}@127.0.0.1>;tag={sent}\r\nTo: <sip:1001@127.0.0.1>\r\nCall-ID: flood{sent}\r\nCSeq: 1 INVITE\r\n\
                 Contact: <sip:x@{here}>\r\nUser-Agent: Phone\r\nContent-Length: 0\r\n\r\n",
                user = 1000 + sent % 9000,
            );
            // The receiver's queue may be full: that is the network's way, too.
            let _ = socket.send_to(text.as_bytes(), target);
            sent += 1;
        }
        std::thread::sleep((Duration::from_millis(20) * (tick + 1)).saturating_sub(start.elapsed()));
    }
    sent
}

fn memory(status: &Value) -> u64 {
    status["resources"]["memory_bytes"].as_u64().expect("a number")
}

/// A flood of calls from many ports takes no memory and neither calls nor callers notice.
#[test]
fn a_flood_of_calls_from_many_ports_takes_no_memory_and_neither() {
    isolated(|| {
        let daemon = Daemon::with(SETTINGS);
        std::fs::write(daemon.folder().join("password"), PASSWORD).expect("a file");
        let _member = Member::join(&daemon, "hall");
        let length = if long() { 60 } else { 5 };
        let proof = ["--user", "board", "--password-file", "password"];
        let call = |codec: &str, length: u32| {
            dial(&daemon, &[&["sip:2002@127.0.0.1", "--codec", codec], &proof[..]].concat(), length.into())
        };
        let up: Vec<_> = ["pcmu", "g722", "opus", "pcma"].into_iter().map(|codec| call(codec, length + 3)).collect();
        let all = |status: &Value| status["calls"].as_array().is_some_and(|calls| calls.len() == up.len());
        let before = eventually(seconds(20), "the calls are up", || Some(daemon.status()).filter(all));

        // Half of it from one address, half from two hundred that stay within their budgets for a while.
        let open =
            |n: u32| UdpSocket::bind((Ipv4Addr::new(127, 3, 0, u8::try_from(n % 200).expect("small")), 0)).expect("a socket");
        let many: Vec<_> = (0..600).map(open).collect();
        let one: Vec<_> = (0..200).map(|_| UdpSocket::bind((Ipv4Addr::new(127, 4, 0, 1), 0)).expect("a socket")).collect();
        let floods = [many, one].map(|sockets| std::thread::spawn(move || flood(&sockets, 1000, length)));
        let caller = report(call("pcmu", 3));
        let sent: u64 = floods.into_iter().map(|flood| flood.join().expect("it ends")).sum();
        let after = daemon.status();
        println!("{sent} INVITEs; memory {} before, {} after; {}", memory(&before), memory(&after), after["resources"]["sip"]);
        println!("a caller's set-up in the middle of it: {} ms", caller["answered_ms"]);
        assert!(memory(&after) < memory(&before) + (64 << 20), "{} to {}", memory(&before), memory(&after));
        assert_eq!(after["resources"]["sip"]["calls"], before["resources"]["sip"]["calls"], "none of them became a call");
        for dial in up {
            let report = report(dial);
            let arrived = &report["arrived"];
            println!("{arrived}");
            assert_eq!((&arrived["sequence_breaks"], &arrived["timestamp_breaks"]), (&0.into(), &0.into()));
        }
        if long() {
            assert!(caller["answered_ms"].as_f64().is_some_and(|ms| ms < 100.0), "{caller}");
        }
        assert!(daemon.log().lines().count() < 1000, "the log is flooded");
    });
}
