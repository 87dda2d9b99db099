//! The layer with tokens that are mere numbers: it knows no usage.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sip::message::{Message, Request};
use crate::sip::random::Random;
use crate::sip::transaction::{LocalIdentity, OutgoingRequest, Route, Timers, TransactionEvent, TransactionLayer, Transmission};
use crate::sip::{Flow, Method, Transport, WireLimits};

struct Bench {
    layer: TransactionLayer<u8>,
    now: Instant,
}

fn flow() -> Flow {
    let (local, peer) = ("127.0.0.1:5060".parse().unwrap(), "127.0.0.2:5060".parse().unwrap());
    Flow { transport: Transport::Udp, listener: 0, connection: None, local, peer }
}

impl Bench {
    #[allow(clippy::disallowed_methods, reason = "virtual time needs one real instant to count from")]
    fn new() -> Self {
        let local = LocalIdentity { advertised: None, user_agent: "Roomgate".to_owned() };
        let timers = Timers::with_t1(Duration::from_millis(500));
        Self { layer: TransactionLayer::new(timers, local, Random::from_seed([1; 32]), Arc::default()), now: Instant::now() }
    }

    fn sends(&mut self, method: Method, token: u8) {
        let mut request = Request::new(method.clone(), "sip:peer@127.0.0.2");
        for (name, value) in [("From", "<sip:a@127.0.0.1>;tag=1"), ("To", "<sip:b@127.0.0.2>"), ("Call-ID", "c")] {
            request.headers.push(name, value);
        }
        request.headers.push("CSeq", format!("1 {method}"));
        let route = Route::Open(flow());
        self.layer.send(self.now, OutgoingRequest { request, route, contact: None, server_name: None, token });
    }

    /// Requests on the wire since the last look.
    fn sent(&mut self) -> Vec<Request> {
        let mut requests = Vec::new();
        while let Some(Transmission::Send { bytes, .. }) = self.layer.transmission() {
            if let Ok(Message::Request(request)) = Message::parse(&bytes, &WireLimits::default()) {
                requests.push(request);
            }
        }
        requests
    }

    fn answers(&mut self, request: &Request, status: u16) {
        let bytes = request.response(status, Some("2")).to_bytes();
        self.layer.received(self.now, flow(), &bytes, &WireLimits::default());
    }

    /// What the user hears, but for traces.
    fn hears(&mut self) -> Vec<String> {
        let mut heard = Vec::new();
        while let Some(event) = self.layer.event() {
            match event {
                TransactionEvent::Response { token, answer } => heard.push(format!("{} {token}", answer.response.status)),
                TransactionEvent::Timeout { token } => heard.push(format!("timeout {token}")),
                TransactionEvent::Closed { token } => heard.push(format!("closed {token}")),
                TransactionEvent::Stray(_) => heard.push("stray".to_owned()),
                TransactionEvent::Traced { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        heard
    }

    /// Lets all deadlines pass.
    fn ends(&mut self) {
        while let Some(at) = self.layer.deadline() {
            self.now = at;
            self.layer.wake(at);
        }
        assert!(self.layer.is_empty(), "{:#?}", self.layer);
    }
}

#[test]
fn an_answer_comes_with_the_token_of_its_request() {
    let mut bench = Bench::new();
    bench.sends(Method::Options, 7);
    bench.sends(Method::Register, 8);
    let requests = bench.sent();
    bench.answers(&requests[1], 200);
    bench.answers(&requests[0], 404);
    bench.answers(&requests[0], 404);
    assert_eq!(bench.hears(), ["200 8", "404 7"], "the repeat is absorbed");
    bench.ends();
    let mut closed = bench.hears();
    closed.sort();
    assert_eq!(closed, ["closed 7", "closed 8"]);
    bench.answers(&requests[0], 200);
    assert_eq!(bench.hears(), ["stray"]);
}

#[test]
fn what_nobody_answers_times_out_once() {
    for (method, times) in [(Method::Invite, 7), (Method::Options, 11)] {
        let mut bench = Bench::new();
        bench.sends(method, 7);
        assert!(bench.layer.is_pending(|token| token == 7) && !bench.layer.is_pending(|token| token == 8));
        bench.ends();
        assert_eq!((bench.sent().len(), bench.hears()), (times, vec!["timeout 7".to_owned()]));
    }
}

#[test]
fn a_cancel_follows_the_first_provisional_response() {
    let mut bench = Bench::new();
    bench.sends(Method::Invite, 7);
    let invite = bench.sent().remove(0);
    bench.layer.cancel(bench.now, 7);
    assert!(bench.sent().is_empty());
    bench.answers(&invite, 180);
    let cancel = bench.sent().remove(0);
    assert_eq!((cancel.method.clone(), cancel.headers.get("CSeq")), (Method::Cancel, Some("1 CANCEL")));
    assert_eq!(cancel.headers.get("Via"), invite.headers.get("Via"), "the same branch");
    bench.answers(&cancel, 200);
    bench.answers(&invite, 487);
    assert_eq!(bench.hears(), ["180 7", "487 7"], "the answer to a CANCEL changes nothing");
    assert_eq!(bench.sent()[0].method, Method::Ack);
    bench.ends();
}
