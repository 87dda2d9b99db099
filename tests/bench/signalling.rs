//! A call's four messages through the endpoint, beside the same bytes through a parser alone.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use criterion::Criterion;
use roomgate::common::machine::Machine as _;
use roomgate::sip::message::Message;
use roomgate::sip::wire::WireLimits;
use roomgate::sip::{Command, Endpoint, Event, Flow, Input, Limits, Output, Settings, Transport, Trusted};

const SDP: &str = "v=0\r\no=phone 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 9 0 8 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

fn flow() -> Flow {
    let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let (local, peer) = (address("192.0.2.1:5060"), address("192.0.2.10:5060"));
    Flow { transport: Transport::Udp, listener: 0, connection: None, local, peer }
}

/// A request of the phone's. `to_tag` is ours, once it is known.
fn request(method: &str, number: u64, to_tag: Option<&str>) -> Vec<u8> {
    let (sequence, body) = if method == "INVITE" { (1, SDP) } else { (if method == "ACK" { 1 } else { 2 }, "") };
    let to_tag = to_tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:1001@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK{method}{number}\r\n\
         Max-Forwards: 70\r\nFrom: \"Board room\" <sip:board@192.0.2.10>;tag=phone{number}\r\nTo: <sip:1001@192.0.2.1>{to_tag}\r\n\
         Call-ID: {number}@192.0.2.10\r\nCSeq: {sequence} {method}\r\nContact: <sip:board@192.0.2.10:5060>\r\n\
         User-Agent: Phone 1.0\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

struct Caller {
    endpoint: Endpoint,
    now: Instant,
    number: u64,
}

impl Caller {
    fn new() -> Self {
        let limits = Limits { invites_per_second: 1_000_000, burst: 1_000_000, ..Limits::default() };
        let settings = Settings { limits, trusted: Trusted::new(|_| true), seed: [7; 32], ..Settings::default() };
        Self { endpoint: Endpoint::new(settings), now: Instant::now(), number: 0 }
    }

    /// INVITE, 200, ACK, BYE, 200; gives the time that the endpoint took, and what it was sent.
    fn call(&mut self) -> (Duration, Vec<Vec<u8>>) {
        self.number += 1;
        // As on a line that is used all day: what earlier calls left behind runs out meanwhile.
        self.now += Duration::from_millis(50);
        let (mut spent, mut messages) = (Duration::ZERO, Vec::new());
        let mut tag = None;
        for method in ["INVITE", "ACK", "BYE"] {
            let bytes = request(method, self.number, tag.as_deref());
            messages.push(bytes.clone());
            let began = Instant::now();
            let sent = self.handle(Input::Received { flow: flow(), bytes });
            spent += began.elapsed();
            if method == "INVITE" {
                tag = Some(to_tag(sent.last().expect("a 200")));
            }
            messages.extend(sent);
        }
        (spent, messages)
    }

    fn handle(&mut self, input: Input) -> Vec<Vec<u8>> {
        if self.endpoint.deadline().is_some_and(|at| at <= self.now) {
            self.endpoint.wake(self.now);
        }
        self.endpoint.handle(self.now, input);
        let mut sent = Vec::new();
        while let Some(output) = self.endpoint.poll() {
            match output {
                Output::Transmit { bytes, .. } => sent.push(bytes),
                Output::Event(Event::Incoming(incoming)) => {
                    let answer = Command::Answer { call: incoming.call, sdp: SDP.to_owned() };
                    self.endpoint.handle(self.now, Input::Command(answer));
                }
                _ => {}
            }
        }
        sent
    }
}

/// The tag of the `To` in a response of ours.
fn to_tag(response: &[u8]) -> String {
    let text = String::from_utf8_lossy(response);
    assert!(text.starts_with("SIP/2.0 200"), "{text}");
    let to = text.lines().find(|line| line.starts_with("To:")).expect("a To");
    to.split(";tag=").nth(1).expect("a tag").split(';').next().expect("a tag").to_owned()
}

/// An INVITE as PBXs send them: 900 bytes with its body.
fn long_invite() -> Vec<u8> {
    let write = |user_agent: &str| {
        format!(
            "INVITE sip:1001@192.0.2.1:5060;transport=udp SIP/2.0\r\n\
             Via: SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bK0a1b2c3d4e5f;rport\r\n\
             Via: SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bK776asdhds;received=192.0.2.10;rport=5062\r\n\
             Record-Route: <sip:192.0.2.20;lr>\r\nMax-Forwards: 69\r\n\
             From: \"Board room\" <sip:board@pbx.example.com>;tag=1928301774\r\nTo: <sip:1001@pbx.example.com>\r\n\
             Call-ID: a84b4c76e66710@192.0.2.10\r\nCSeq: 314159 INVITE\r\nContact: <sip:board@192.0.2.10:5062>\r\n\
             Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO, UPDATE\r\nSupported: replaces, timer, 100rel\r\n\
             Session-Expires: 1800;refresher=uac\r\nUser-Agent: {user_agent}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
            SDP.len()
        )
    };
    let missing = 900 - write("").len();
    write(&"A phone of some maker, with a long name and a version of its software 1.2.3.4567"[..missing]).into_bytes()
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let invite = long_invite();
    assert_eq!(invite.len(), 900);
    let text = String::from_utf8_lossy(&invite).into_owned();
    let mut group = criterion.benchmark_group("parse");
    group.bench_function("invite-of-900-bytes", |bencher| {
        bencher.iter(|| Message::parse(black_box(&invite), &WireLimits::default()).expect("we read it"));
    });
    group.bench_function("rsip-invite-of-900-bytes", |bencher| {
        bencher.iter(|| rsip::SipMessage::try_from(black_box(text.as_str())).expect("rsip reads it"));
    });
    group.finish();
    let mut group = criterion.benchmark_group("call");
    let mut caller = Caller::new();
    group.bench_function("endpoint", |bencher| {
        bencher.iter_custom(|iterations| (0..iterations).map(|_| caller.call().0).sum());
    });
    let (_, messages) = caller.call();
    let messages: Vec<_> = messages.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    group.bench_function("rsip-parses-the-same-bytes", |bencher| {
        bencher.iter(|| {
            for message in &messages {
                black_box(rsip::SipMessage::try_from(message.as_str()).expect("rsip reads it"));
            }
        });
    });
    group.finish();
}
