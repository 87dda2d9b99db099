//! The torture messages of RFC 4475 and RFC 5118 against the running daemon (S-2, X-1): for each and by each transport, what comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::churn::certificate;
use crate::daemon::Daemon;
use crate::load::long;
use crate::namespace::isolated;
use crate::udp_phone::SDP;

/// Everybody on IPv6 is one device of ours; one user name has a password. Each case has a device of its own besides.
const SETTINGS: &str = "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n\
    [sip.listen.six-udp]\naddress = \"::1\"\nport = 5060\ntransport = \"udp\"\n\
    [sip.listen.six-tcp]\naddress = \"::1\"\nport = 5060\ntransport = \"tcp\"\n\
    [sip.registrar]\ncontacts = 32\n[device.six]\naddress = [\"::1\"]\n\
    [device.locked]\nusername = \"locked\"\npassword = \"open sesame\"\n";
/// What is silent for so long stays silent: an answer takes a few milliseconds.
const PATIENCE: Duration = Duration::from_millis(400);
/// The same where an answer is expected: the machine may stand still meanwhile.
const MORE_PATIENCE: Duration = Duration::from_secs(4);
/// The slowest answer of all.
const PROMPT: Duration = Duration::from_millis(50);

/// What is to come back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Outcome {
    /// Final statuses, in their order.
    statuses: Vec<u16>,
    /// The connection is closed with that; if not, it takes further messages.
    closed: bool,
    /// The message is not whole, and so the next one is a part of it.
    waits: bool,
}

#[derive(Debug)]
struct Case<'a> {
    name: &'a str,
    udp: Outcome,
    tcp: Outcome,
    /// It comes from somebody whom nobody knows.
    stranger: bool,
    message: String,
}

impl Outcome {
    /// How long to wait for something of it.
    fn patience(&self) -> Duration {
        if self.closed || !self.statuses.is_empty() { MORE_PATIENCE } else { PATIENCE }
    }
}

/// `silence`, or `200 then 501`, and `closed` or `waits`.
fn outcome(text: &str) -> Outcome {
    let mut outcome = Outcome::default();
    for word in text.split_whitespace() {
        match word {
            "silence" | "then" => {}
            "closed" => outcome.closed = true,
            "waits" => outcome.waits = true,
            status => outcome.statuses.push(status.parse().unwrap_or_else(|_| panic!("{status}"))),
        }
    }
    outcome
}

fn cases(file: &'static str) -> Vec<Case<'static>> {
    let read = |section: &'static str| {
        let (head, rest) = section.split_once('\n').expect("a head line");
        let (expected, message) = rest.split_once('\n').expect("what is expected");
        let expected: Vec<&str> = expected.strip_prefix("--- ").expect("what is expected").split(", ").collect();
        let by = |transport: &str| {
            outcome(expected.iter().find_map(|part| part.strip_prefix(transport)).expect("an outcome for each transport"))
        };
        Case {
            name: head.split_once(':').expect("a name").0,
            udp: by("udp "),
            tcp: by("tcp "),
            stranger: expected.contains(&"stranger"),
            // The line end before the next section is the message's.
            message: format!("{message}\n"),
        }
    };
    file.split("\n=== ").skip(1).map(read).collect()
}

impl Case<'_> {
    /// The message as it is sent from `here`.
    fn bytes(&self, transport: &str, here: SocketAddr) -> Vec<u8> {
        let name = format!("{}-{}", self.name, transport.to_lowercase());
        let filled = self
            .message
            .replace("{via}", &format!("SIP/2.0/{transport} {here}"))
            .replace("{transport}", transport)
            .replace("{here}", &here.to_string())
            .replace("{name}", &name)
            .replace("{long}", &"long".repeat(200))
            .replace("{digits}", &"0123456789".repeat(4))
            .replace("{null}", "\0")
            .replace("{escape}", "\u{1b}")
            .replace('\n', "\r\n")
            .replace("{sdp}\r\n", SDP)
            .replace("{sdp}", SDP);
        let body = filled.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
        filled.replace("{length}", &body.to_string()).into_bytes()
    }
}

/// An OPTIONS that shows whether a connection is of use.
fn probe(here: SocketAddr) -> Vec<u8> {
    let lines = [
        "OPTIONS sip:127.0.0.1 SIP/2.0".to_owned(),
        format!("Via: SIP/2.0/TCP {here};branch=z9hG4bKprobe{}", here.port()),
        "Max-Forwards: 70".to_owned(),
        "From: <sip:probe@127.0.0.1>;tag=probe".to_owned(),
        "To: <sip:127.0.0.1>".to_owned(),
        format!("Call-ID: probe-{here}"),
        "CSeq: 77 OPTIONS".to_owned(),
        "Content-Length: 0\r\n\r\n".to_owned(),
    ];
    lines.join("\r\n").into_bytes()
}

/// The final statuses of what has come, without repeats of the same answer, and whether the probe was answered.
fn statuses(received: &str) -> (Vec<u16>, bool) {
    let mut found: Vec<(u16, &str)> = Vec::new();
    let mut answered = false;
    for (at, _) in received.match_indices("SIP/2.0 ") {
        if !(at == 0 || received[..at].ends_with('\n')) {
            continue;
        }
        let message = &received[at..];
        let message = message.split_once("\r\n\r\n").map_or(message, |(head, _)| head);
        let status: u16 = message[8..11].parse().expect("a status of three digits");
        if message.contains("CSeq: 77 OPTIONS") {
            answered = true;
            continue;
        }
        let via = message.lines().find(|line| line.to_ascii_lowercase().starts_with("via")).unwrap_or_default();
        if status >= 200 && !found.contains(&(status, via)) {
            found.push((status, via));
        }
    }
    (found.into_iter().map(|(status, _)| status).collect(), answered)
}

/// The 200 of a phone to a question whether it is there (M-1).
fn here(question: &str) -> String {
    let copied = |line: &&str| ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name));
    let copied: Vec<&str> = question.lines().filter(copied).collect();
    format!("SIP/2.0 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n", copied.join("\r\n"))
}

/// A phone by UDP: it answers when it is asked whether it is there, and comes back, from another port, when it is told to.
fn by_udp(case: &Case, own: IpAddr, daemon: SocketAddr) -> (Outcome, Option<Duration>) {
    let (outcome, first, told_to_come_back) = once_by_udp(case, own, daemon);
    if told_to_come_back && case.udp.statuses != [503] {
        let (outcome, first, _) = once_by_udp(case, own, daemon);
        return (outcome, first);
    }
    (outcome, first)
}

fn once_by_udp(case: &Case, own: IpAddr, daemon: SocketAddr) -> (Outcome, Option<Duration>, bool) {
    let socket = UdpSocket::bind((own, 0)).expect("a socket");
    socket.set_read_timeout(Some(case.udp.patience())).expect("a socket option");
    let bytes = case.bytes("UDP", socket.local_addr().expect("an address"));
    let (sent, mut first, mut received) = (Instant::now(), None, String::new());
    socket.send_to(&bytes, daemon).expect("loopback takes it");
    let mut buffer = [0; 65_536];
    // A final answer ends it; its repetitions do not matter.
    while statuses(&received).0.is_empty()
        && let Ok(length) = socket.recv(&mut buffer)
    {
        first.get_or_insert(sent.elapsed());
        let message = String::from_utf8_lossy(&buffer[..length]);
        if message.starts_with("OPTIONS ") {
            socket.send_to(here(&message).as_bytes(), daemon).expect("loopback takes it");
        } else {
            received.push_str(&message);
        }
    }
    let told_to_come_back = received.contains("\r\nRetry-After: ");
    if told_to_come_back {
        // Until there may be another question to this address.
        socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a socket option");
        while socket.recv(&mut buffer).is_ok() {}
    }
    (Outcome { statuses: statuses(&received).0, ..Outcome::default() }, first, told_to_come_back)
}

fn connect(case: &Case, own: IpAddr, daemon: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::for_address(daemon), socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::new(own, 0).into()).expect("an address of loopback");
    socket.connect(&daemon.into()).expect("the daemon listens");
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true).expect("a socket option");
    stream.set_read_timeout(Some(case.tcp.patience())).expect("a socket option");
    stream
}

fn by_tcp(case: &Case, own: IpAddr, daemon: SocketAddr) -> (Outcome, Option<Duration>) {
    let stream = connect(case, own, daemon);
    let here = stream.local_addr().expect("an address");
    by_stream(case, "TCP", stream, here)
}

fn by_tls(case: &Case, own: IpAddr, daemon: SocketAddr, config: &Arc<ClientConfig>) -> (Outcome, Option<Duration>) {
    let stream = connect(case, own, SocketAddr::new(daemon.ip(), 5061));
    let here = stream.local_addr().expect("an address");
    let client = ClientConnection::new(Arc::clone(config), daemon.ip().into()).expect("a client");
    let mut stream = StreamOwned::new(client, stream);
    // The handshake is no part of the answer's time.
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).expect("a handshake");
    }
    by_stream(case, "TLS", stream, here)
}

fn by_stream(case: &Case, transport: &str, mut stream: impl Read + Write, here: SocketAddr) -> (Outcome, Option<Duration>) {
    let sent = Instant::now();
    stream.write_all(&case.bytes(transport, here)).expect("the connection is open");
    let (mut first, mut received, mut closed, mut probed) = (None, Vec::new(), false, false);
    let mut buffer = [0; 65_536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => closed = true,
            Ok(length) => {
                if !probed {
                    first.get_or_insert(sent.elapsed());
                }
                received.extend_from_slice(&buffer[..length]);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) && !probed => {
                probed = true;
                // May find the connection closed, which the next reading tells.
                let _ = stream.write_all(&probe(here));
            }
            Err(error) => closed |= matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof),
        }
        let (found, answered) = statuses(&String::from_utf8_lossy(&received));
        if closed || answered || (probed && sent.elapsed() > 3 * case.tcp.patience()) {
            return (Outcome { statuses: found, closed, waits: !closed && !answered }, first);
        }
        // All that is expected is there: the probe at once.
        if !probed && !case.tcp.closed && found.len() >= case.tcp.statuses.len().max(1) {
            probed = true;
            let _ = stream.write_all(&probe(here));
        }
    }
}

/// Plays all cases of a file from addresses of its own, so that no budget runs out; what was not as expected.
fn play(cases: &[Case], own: impl Fn(&Case, u8) -> IpAddr, daemon: SocketAddr, tls: &Arc<ClientConfig>) -> Vec<String> {
    let (mut wrong, mut slowest) = (Vec::new(), (Duration::ZERO, String::new()));
    for (n, case) in (1_u8..).zip(cases) {
        let own = own(case, n);
        for (transport, wanted, (seen, first)) in [
            ("UDP", &case.udp, by_udp(case, own, daemon)),
            ("TCP", &case.tcp, by_tcp(case, own, daemon)),
            ("TLS", &case.tcp, by_tls(case, own, daemon, tls)),
        ] {
            if seen != *wanted {
                wrong.push(format!("{} by {transport}: {seen:?} instead of {wanted:?}", case.name));
            }
            slowest = slowest.max((first.unwrap_or_default(), format!("{} by {transport}", case.name)));
        }
    }
    println!("{} cases; the slowest first answer after {:?}: {}", cases.len(), slowest.0, slowest.1);
    if long() {
        assert!(slowest.0 < PROMPT, "{slowest:?}");
    }
    wrong
}

#[test]
fn every_torture_message_has_its_outcome_by_each_transport() {
    isolated(|| {
        // Off in a scenario's namespace, for the browsers' sake.
        std::fs::write("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "0").expect("IPv6 can be switched on");
        let devices = (1..=49).map(|n| format!("[device.case-{n}]\naddress = [\"127.1.0.{n}\"]\n"));
        let folder = tempfile::tempdir().expect("a folder");
        let tls = certificate(folder.path());
        let listen = ["127.0.0.1", "::1"].map(|address| {
            let (name, folder) = (address.replace([':', '.'], "x"), folder.path().display());
            format!(
                "[sip.listen.tls-{name}]\ntransport = \"tls\"\naddress = \"{address}\"\ncertificate = \"{folder}/sip.pem\"\n\
                 key = \"{folder}/sip.key\"\n"
            )
        });
        let daemon = Daemon::with(&(SETTINGS.to_owned() + &listen.concat() + &devices.collect::<String>()));
        let four = cases(include_str!("torture/rfc4475.txt"));
        let six = cases(include_str!("torture/rfc5118.txt"));
        assert_eq!((four.len(), six.len()), (49, 11));
        let from = |case: &Case, n| IpAddr::V4(Ipv4Addr::new(127, if case.stranger { 2 } else { 1 }, 0, n));
        let mut wrong = play(&four, from, SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)), &tls);
        let six = play(&six, |_, _| Ipv6Addr::LOCALHOST.into(), SocketAddr::from((Ipv6Addr::LOCALHOST, 5060)), &tls);
        wrong.extend(six);
        assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), daemon.log());
    });
}
