//! Strangers at full tilt: while they register with invented digests, call, and open connections that say nothing, a known device, a
//! trunk's caller and somebody who calls for help are answered as if nobody else were there.
//!
//! `make test` runs five seconds of it, `make load` (`ROOMGATE_LOAD=long`) a minute.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::load::{cpu, long};
use crate::namespace::isolated;
use crate::probe::Probe;
use crate::waiting::{eventually, seconds};

const PASSWORD: &str = "correct-horse-battery";
const SETTINGS: &str = "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[sip]\nallowed = []\n\
    [device.board]\nusername = \"board\"\npassword = \"correct-horse-battery\"\n\
    [device.lobby]\naddress = \"127.0.2.10\"\n\
    [sip.trunk.pbx]\naddresses = [\"127.0.2.20\"]\n";

/// In a second.
const REGISTERS: u32 = 5_000;
const INVITES: u32 = 50;
const CONNECTIONS: u32 = 2_000;
/// Of each kind one part of that.
const TICKS: u32 = 100;
/// Strangers' addresses: 127.0.1.1 and so on.
const ADDRESSES: u8 = 200;
/// Connections that are left open; older ones end. It is more than the daemon keeps.
const OPEN: usize = 3_000;
/// How often each of those who must be answered asks.
const ASKS: Duration = Duration::from_millis(100);
/// As none may be: who waits so long has not been answered.
const LATEST: Duration = Duration::from_millis(500);

fn stranger(n: u32) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, 1 + u8::try_from(n % u32::from(ADDRESSES)).expect("small"))
}

/// `ticks` times at even intervals, until `stop`.
fn at_intervals(stop: &AtomicBool, mut each: impl FnMut(u32)) {
    let begin = Instant::now();
    for tick in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        each(tick);
        std::thread::sleep((Duration::from_secs(1) / TICKS * (tick + 1)).saturating_sub(begin.elapsed()));
    }
}

/// Datagrams from all strangers; how many of both kinds.
fn datagrams(stop: &AtomicBool) -> u64 {
    let sockets: Vec<_> = (0..u32::from(ADDRESSES)).map(|n| UdpSocket::bind((stranger(n), 0)).expect("a socket")).collect();
    let owns: Vec<SocketAddr> = sockets.iter().map(|socket| socket.local_addr().expect("an address")).collect();
    let mut sent = 0_u64;
    let mut send = |method: &str, uri: &str, proof: &str| {
        let at = usize::try_from(sent).expect("small") % sockets.len();
        let own = owns[at];
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{sent};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:board@{own}>;tag={sent}\r\nTo: <sip:board@127.0.0.1>\r\nCall-ID: {sent}@flood\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:board@{own}>\r\n{proof}Content-Length: 0\r\n\r\n"
        );
        // What the kernel does not take is not sent.
        let _ = sockets[at].send_to(text.as_bytes(), (Ipv4Addr::LOCALHOST, 5060));
        sent += 1;
    };
    at_intervals(stop, |tick| {
        for n in 0..REGISTERS / TICKS {
            let proof = format!(
                "Authorization: Digest username=\"board\", realm=\"roomgate\", nonce=\"{tick:016x}{n:016x}\", uri=\"sip:127.0.0.1\", \
                 response=\"{tick:032x}{n:032x}\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"x\"\r\n"
            );
            send("REGISTER", "sip:127.0.0.1", &proof);
        }
        if tick % (TICKS / INVITES) == 0 {
            send("INVITE", "sip:1001@127.0.0.1", "");
        }
    });
    sent
}

/// Connections from all strangers, that say nothing; how many were opened.
fn connections(stop: &AtomicBool) -> u64 {
    use socket2::{Domain, Socket, Type};
    let gateway = SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)).into();
    let mut open: VecDeque<Socket> = VecDeque::new();
    let mut opened = 0;
    at_intervals(stop, |tick| {
        for n in 0..CONNECTIONS / TICKS {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            socket.bind(&SocketAddr::from((stranger(tick + 7 * n), 0)).into()).expect("an address");
            socket.set_nonblocking(true).expect("a socket option");
            // It is under way, or its address has no port left for a moment.
            let _ = socket.connect(&gateway);
            open.push_back(socket);
            opened += 1;
            if open.len() > OPEN
                && let Some(oldest) = open.pop_front()
            {
                // Without lingering: the ports of a flood would be used up soon.
                oldest.set_linger(Some(Duration::ZERO)).expect("a socket option");
            }
        }
    });
    opened
}

/// Somebody who must be answered: asks over and over, and gives how long each answer took.
fn asked(stop: &AtomicBool, mut ask: impl FnMut() -> Option<Duration>) -> Vec<Duration> {
    let mut took = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let begin = Instant::now();
        took.push(ask().unwrap_or(Duration::MAX));
        std::thread::sleep(ASKS.saturating_sub(begin.elapsed()));
    }
    took
}

/// Connects, and has an answer to OPTIONS.
fn by_tcp(own: [u8; 4], number: u32) -> Option<Duration> {
    use std::io::{Read as _, Write as _};
    let begin = Instant::now();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).ok()?;
    socket.bind(&SocketAddr::from((own, 0)).into()).ok()?;
    socket.connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)).into(), LATEST).ok()?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(LATEST)).ok()?;
    let own = stream.local_addr().ok()?;
    let text = format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP {own};branch=z9hG4bKt{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:phone@{own}>;tag=t{number}\r\nTo: <sip:127.0.0.1>\r\nCall-ID: t{number}@{own}\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    );
    stream.write_all(text.as_bytes()).ok()?;
    let mut answer = [0; 2048];
    let length = stream.read(&mut answer).ok()?;
    answer[..length].starts_with(b"SIP/2.0 200").then(|| begin.elapsed())
}

/// Known callers and calls for help are answered at once while strangers flood everything.
#[test]
fn x2_known_callers_and_calls_for_help_are_answered_at_once() {
    isolated(|| {
        let length = if long() { 60 } else { 5 };
        let daemon = Daemon::with(SETTINGS);
        let before = daemon.status();
        let (daemon_began, own_began) = (cpu(daemon.id()), cpu(std::process::id()));
        let stop = Arc::new(AtomicBool::new(false));
        let flag = || Arc::clone(&stop);
        let floods = [datagrams, connections].map(|flood| {
            let stop = flag();
            std::thread::spawn(move || flood(&stop))
        });
        let (by_device, by_lobby, by_trunk, by_stranger, by_flooder) = (flag(), flag(), flag(), flag(), flag());
        let asks = [
            ("a device with a password", {
                let mut board = Probe::at([127, 0, 2, 1], "board").with_password(PASSWORD);
                std::thread::spawn(move || asked(&by_device, || board.calls("sip:1001@127.0.0.1", LATEST)))
            }),
            ("a device's new connection", {
                let mut number = 0;
                let ask = move || {
                    number += 1;
                    by_tcp([127, 0, 2, 10], number)
                };
                std::thread::spawn(move || asked(&by_lobby, ask))
            }),
            ("a trunk's caller", {
                let mut caller = Probe::at([127, 0, 2, 20], "caller");
                std::thread::spawn(move || asked(&by_trunk, || caller.calls("sip:menu@127.0.0.1", LATEST)))
            }),
            ("a stranger's 112", {
                let mut caller = Probe::at([127, 0, 2, 30], "stranger");
                std::thread::spawn(move || asked(&by_stranger, || caller.is_refused("sip:112@127.0.0.1", LATEST)))
            }),
            ("a flooder's 112", {
                let mut caller = Probe::at([127, 0, 1, 1], "stranger");
                std::thread::spawn(move || asked(&by_flooder, || caller.is_refused("sip:112@127.0.0.1", LATEST)))
            }),
        ];
        let end = Instant::now() + seconds(length);
        eventually(seconds(length + 10), "its time has passed", || (Instant::now() >= end).then_some(()));
        let during = daemon.status();
        stop.store(true, Ordering::Relaxed);
        let answers = asks.map(|(who, asks)| (who, asks.join().expect("it ends")));
        let [datagrams, connections] = floods.map(|flood| flood.join().expect("it ends"));
        let (daemon_used, own_used) = (cpu(daemon.id()) - daemon_began, cpu(std::process::id()) - own_began);
        println!("{datagrams} datagrams, {connections} connections in {length} s; {}", during["resources"]);
        println!("CPU: {daemon_used:.1} s of the daemon, {own_used:.1} s of everybody else here");
        for (who, mut took) in answers {
            took.sort();
            let at = |share: f64| took[(share * (took.len() - 1) as f64) as usize];
            println!("{who}: {} answers, p50 {:?}, p99 {:?}, latest {:?}", took.len(), at(0.5), at(0.99), at(1.0));
            assert!(at(1.0) <= LATEST, "{who}: {took:?}");
            // The share of a machine that other tests run on says nothing of the daemon.
            assert!(!long() || at(0.99) <= Duration::from_millis(100), "{who}: {took:?}");
        }
        assert!(datagrams + 2 * u64::from(REGISTERS) / 10 >= u64::from(REGISTERS) * length, "the flood was one: {datagrams}");
        assert!(connections + u64::from(CONNECTIONS) / 5 >= u64::from(CONNECTIONS) * length, "{connections}");
        assert!(own_used <= 0.7 * length as f64 + 1.0, "{own_used} s");
        let lines = daemon.log().lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).count();
        assert!(lines <= 60 + usize::try_from(length).expect("small"), "{lines} lines of log");
        let memory = |status: &serde_json::Value| status["resources"]["memory_bytes"].as_u64().expect("a number");
        let after = daemon.status();
        println!("memory: {} before, {} after", memory(&before), memory(&after));
        assert!(memory(&after) < memory(&before) + (64 << 20));
    });
}
