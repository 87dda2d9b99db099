//! Two endpoints, a network that loses what a test says, and a clock that jumps from deadline to deadline.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::message::Message;
use super::*;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, Ids};
use crate::common::machine::Machine;

const SDP: &str = "v=0\r\nm=audio 1 RTP/AVP 0\r\n";

#[allow(clippy::disallowed_methods, reason = "virtual time needs one real instant to count from")]
fn start() -> Instant {
    Instant::now()
}

/// A message on its way: its first word or status, and its method by CSeq.
type Loses = Box<dyn FnMut(&str) -> bool>;

struct Pair {
    ends: [Endpoint; 2],
    ids: Ids,
    now: Instant,
    /// Arrival time, receiving end, flow as that end sees it, bytes.
    network: VecDeque<(Instant, usize, Flow, Vec<u8>)>,
    events: [Vec<Event>; 2],
    log: Vec<String>,
    loses: Loses,
    transport: Transport,
}

fn address(end: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, if end == 0 { 1 } else { 2 }], 5060))
}

fn flow(end: usize, transport: Transport) -> Flow {
    let connection = transport.is_reliable().then_some(ConnectionId(1));
    Flow { transport, listener: 0, connection, local: address(end), peer: address(1 - end) }
}

/// `INVITE`, `200 INVITE`…
fn summary(bytes: &[u8]) -> String {
    let limits = crate::sip::WireLimits::default();
    match Message::parse(bytes, &limits) {
        Ok(Message::Request(request)) => request.method.to_string(),
        Ok(Message::Response(response)) => {
            let cseq = response.headers.get("CSeq").unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
            format!("{} {cseq}", response.status)
        }
        Err(_) => "?".to_owned(),
    }
}

impl Pair {
    fn new() -> Self {
        Self::over(Transport::Udp)
    }

    fn over(transport: Transport) -> Self {
        Self::with(transport, [Settings::default(), Settings::default()])
    }

    fn with(transport: Transport, settings: [Settings; 2]) -> Self {
        let mut seed = 0;
        let ids = Ids::default();
        let ends = settings.map(|settings| {
            seed += 1;
            Endpoint::new(Settings { seed: [seed; 32], ids: ids.clone(), ..settings })
        });
        let (network, events, log) = (VecDeque::new(), [Vec::new(), Vec::new()], Vec::new());
        Self { ends, ids, now: start(), network, events, log, loses: Box::new(|_| false), transport }
    }

    fn give(&mut self, end: usize, input: Input) {
        let now = self.now;
        self.ends[end].handle(now, input);
        self.perform();
    }

    fn command(&mut self, end: usize, command: Command) {
        self.give(end, Input::Command(command));
    }

    fn perform(&mut self) {
        for end in 0..2 {
            while let Some(output) = self.ends[end].poll() {
                match output {
                    Output::Transmit { flow: out, bytes } => {
                        assert_eq!(out.peer.ip(), address(1 - end).ip());
                        let summary = summary(&bytes);
                        let lost = (self.loses)(&summary);
                        self.log.push(format!("{end} {summary}{}", if lost { " lost" } else { "" }));
                        if !lost {
                            self.network.push_back((
                                self.now + Duration::from_millis(10),
                                1 - end,
                                flow(1 - end, out.transport),
                                bytes,
                            ));
                        }
                    }
                    Output::Connect { token, transport, .. } => {
                        let input = Input::Connected { token, flow: flow(end, transport) };
                        let now = self.now;
                        self.ends[end].handle(now, input);
                    }
                    Output::Event(event) => self.events[end].push(event),
                    Output::Registered(_) | Output::Locate(_) | Output::Copied(_) => {}
                }
            }
        }
    }

    /// Lets the time pass; everything that happens meanwhile happens.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..100_000 {
            let arrival = self.network.iter().map(|(at, ..)| *at).min();
            let next = self.ends.iter().filter_map(Endpoint::deadline).chain(arrival).min();
            let Some(at) = next.filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = at.max(self.now);
            while let Some(index) = self.network.iter().position(|(at, ..)| *at <= self.now) {
                let (_, end, flow, bytes) = self.network.remove(index).unwrap();
                self.give(end, Input::Received { flow, bytes });
            }
            for end in 0..2 {
                if self.ends[end].deadline().is_some_and(|at| at <= self.now) {
                    let now = self.now;
                    self.ends[end].wake(now);
                }
            }
            self.perform();
        }
        panic!("time does not pass");
    }

    fn millis(&mut self, millis: u64) {
        self.pass(Duration::from_millis(millis));
    }

    fn take(&mut self, end: usize) -> Vec<Event> {
        std::mem::take(&mut self.events[end])
    }

    fn sent(&self, line: &str) -> usize {
        self.log.iter().filter(|sent| *sent == line).count()
    }

    /// 0 calls 1, which has not answered. Gives both ids.
    fn ringing(&mut self) -> (CallId, CallId) {
        let call = self.ids.call();
        self.command(
            0,
            Command::Invite {
                call,
                target: address(1),
                transport: self.transport,
                uri: "sip:1001@127.0.0.2".to_owned(),
                from: "sip:phone@127.0.0.1".to_owned(),
                display: "Board Room".to_owned(),
                sdp: SDP.to_owned(),
            },
        );
        self.millis(100);
        let incoming = self.incoming();
        self.command(1, Command::Ring { call: incoming.call });
        (call, incoming.call)
    }

    fn incoming(&mut self) -> Incoming {
        let mut events = self.take(1);
        assert_eq!(events.len(), 1, "{events:?}");
        match events.remove(0) {
            Event::Incoming(incoming) => *incoming,
            other => panic!("{other:?}"),
        }
    }

    /// 0 and 1 in a call.
    fn live(&mut self) -> (CallId, CallId) {
        let (caller, callee) = self.ringing();
        self.millis(100);
        self.command(1, Command::Answer { call: callee, sdp: SDP.to_owned() });
        self.millis(1000);
        assert!(matches!(self.take(0).last(), Some(Event::Answered { .. })));
        assert_eq!(self.take(1), [Event::Acked { call: callee, sdp: None }]);
        (caller, callee)
    }

    fn nothing_left(&mut self) {
        self.pass(Duration::from_secs(200));
        for end in &self.ends {
            assert!(end.is_empty(), "{end:#?}");
            assert_eq!(end.deadline(), None);
        }
    }

    fn hang_up_and_nothing_left(&mut self, call: CallId) {
        self.command(0, Command::Bye { call, cause: Cause::HungUp });
        self.nothing_left();
    }
}

#[test]
fn a_call_is_set_up_and_ended_with_nothing_left() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut pair = Pair::over(transport);
        let (caller, callee) = pair.ringing();
        pair.millis(100);
        assert_eq!(pair.take(0), [Event::Trying { call: caller }, Event::Ringing { call: caller, status: 180 }]);
        pair.command(1, Command::Answer { call: callee, sdp: SDP.to_owned() });
        pair.millis(100);
        assert_eq!(pair.take(0), [Event::Answered { call: caller, sdp: SDP.into() }]);
        assert_eq!(pair.take(1), [Event::Acked { call: callee, sdp: None }]);
        pair.command(1, Command::Bye { call: callee, cause: Cause::MeetingEnded });
        pair.millis(100);
        assert_eq!(pair.take(0), [Event::Ended { call: caller, cause: Cause::HungUp }]);
        pair.nothing_left();
        assert_eq!(pair.log, ["0 INVITE", "1 100 INVITE", "1 180 INVITE", "1 200 INVITE", "0 ACK", "1 BYE", "0 200 BYE"]);
    }
}

#[test]
fn lost_messages_are_sent_again() {
    for lost in ["INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"] {
        let mut pair = Pair::new();
        let mut left = 2;
        pair.loses = Box::new(move |summary| {
            let loses = summary == lost && left > 0;
            left -= i32::from(loses);
            loses
        });
        let (caller, callee) = {
            let call = pair.ids.call();
            let target = address(1);
            let (uri, from) = ("sip:1@127.0.0.2".to_owned(), "sip:2@127.0.0.1".to_owned());
            let (transport, display, sdp) = (Transport::Udp, String::new(), SDP.to_owned());
            pair.command(0, Command::Invite { call, target, transport, uri, from, display, sdp });
            pair.millis(3000);
            (call, pair.incoming().call)
        };
        pair.command(1, Command::Answer { call: callee, sdp: SDP.to_owned() });
        pair.millis(10_000);
        assert_eq!(pair.take(1), [Event::Acked { call: callee, sdp: None }], "{lost}: {:?}", pair.log);
        assert!(pair.take(0).contains(&Event::Answered { call: caller, sdp: SDP.into() }));
        pair.command(0, Command::Bye { call: caller, cause: Cause::HungUp });
        pair.millis(10_000);
        assert_eq!(pair.take(1), [Event::Ended { call: callee, cause: Cause::HungUp }], "{lost}");
        assert!(pair.take(0).is_empty());
        pair.nothing_left();
    }
}

#[test]
fn a_2xx_whose_ack_never_comes_ends_the_call_with_bye() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut pair = Pair::over(transport);
        let (_, callee) = pair.ringing();
        pair.loses = Box::new(|summary| summary == "ACK");
        pair.command(1, Command::Answer { call: callee, sdp: SDP.to_owned() });
        pair.pass(Duration::from_millis(31_900));
        assert!(pair.take(1).is_empty());
        pair.millis(200);
        assert_eq!(pair.take(1), [Event::Ended { call: callee, cause: Cause::NoAck }]);
        assert!(pair.sent("1 BYE") >= 1);
        assert_eq!(pair.sent("1 200 INVITE"), 11);
        pair.nothing_left();
    }
}

#[test]
fn an_endpoint_is_at_rest_once_a_bye_that_was_lost_is_answered() {
    let mut pair = Pair::new();
    let (caller, _) = pair.live();
    assert!(!pair.ends[0].is_at_rest(), "a call is up");
    pair.loses = Box::new(|summary| summary == "BYE");
    pair.command(0, Command::Bye { call: caller, cause: Cause::HungUp });
    pair.millis(100);
    assert!(!pair.ends[0].is_at_rest() && !pair.ends[1].is_at_rest());
    pair.loses = Box::new(|_| false);
    pair.millis(500);
    assert!(pair.ends[0].is_at_rest() && pair.ends[1].is_at_rest(), "{:?}", pair.log);
    assert_eq!(pair.sent("0 BYE"), 1, "the one that arrived");
}

#[test]
fn a_bye_of_ours_waits_for_the_ack() {
    let mut pair = Pair::new();
    let (_, callee) = pair.ringing();
    pair.loses = Box::new(|summary| summary == "ACK");
    pair.command(1, Command::Answer { call: callee, sdp: SDP.to_owned() });
    pair.millis(2000);
    pair.command(1, Command::Bye { call: callee, cause: Cause::Denied });
    pair.millis(100);
    assert_eq!(pair.sent("1 BYE"), 0);
    pair.loses = Box::new(|_| false);
    pair.millis(5000);
    assert_eq!(pair.sent("1 BYE"), 1);
    assert!(pair.take(1).is_empty(), "after Bye nothing more is told");
    pair.nothing_left();
}

#[test]
fn a_caller_that_gives_up_is_answered_487() {
    let mut pair = Pair::new();
    let (caller, callee) = pair.ringing();
    pair.millis(100);
    pair.take(0);
    pair.command(0, Command::Cancel { call: caller });
    pair.millis(100);
    assert_eq!(pair.take(1), [Event::Cancelled { call: callee }]);
    assert!(matches!(pair.take(0)[..], [Event::Failed { cause: Cause::Cancelled, .. }]));
    assert_eq!(pair.log[pair.log.len() - 4..], ["0 CANCEL", "1 200 CANCEL", "1 487 INVITE", "0 ACK"]);
    pair.nothing_left();
}

#[test]
fn a_cancel_waits_for_the_first_provisional_response() {
    let mut pair = Pair::new();
    pair.loses = Box::new(|summary| summary == "INVITE");
    let call = pair.ids.call();
    let (target, uri, from) = (address(1), "sip:1@127.0.0.2".to_owned(), "sip:2@127.0.0.1".to_owned());
    pair.command(
        0,
        Command::Invite { call, target, transport: Transport::Udp, uri, from, display: String::new(), sdp: SDP.to_owned() },
    );
    pair.millis(100);
    pair.command(0, Command::Cancel { call });
    assert_eq!(pair.sent("0 CANCEL"), 0);
    pair.loses = Box::new(|_| false);
    pair.millis(2000);
    assert_eq!(pair.sent("0 CANCEL"), 1);
    assert!(matches!(pair.take(0)[..], [Event::Failed { cause: Cause::Cancelled, .. }]));
    pair.nothing_left();
}

/// A cancel that crosses the 200 changes nothing but the caller hangs up.
#[test]
fn a_cancel_that_crosses_the_200_changes_nothing() {
    let mut pair = Pair::new();
    let (caller, callee) = pair.ringing();
    pair.millis(100);
    pair.command(0, Command::Cancel { call: caller });
    pair.command(1, Command::Answer { call: callee, sdp: SDP.to_owned() });
    pair.millis(100);
    assert_eq!((pair.sent("1 200 CANCEL"), pair.sent("1 487 INVITE"), pair.sent("0 BYE")), (1, 0, 1));
    assert!(matches!(pair.take(0).last(), Some(Event::Failed { cause: Cause::Cancelled, .. })));
    assert_eq!(pair.take(1).last(), Some(&Event::Ended { call: callee, cause: Cause::HungUp }));
    pair.nothing_left();
}

#[test]
fn byes_that_cross_are_both_answered_200() {
    let mut pair = Pair::new();
    let (caller, callee) = pair.live();
    pair.command(0, Command::Bye { call: caller, cause: Cause::HungUp });
    pair.command(1, Command::Bye { call: callee, cause: Cause::HungUp });
    pair.millis(100);
    assert_eq!((pair.sent("0 200 BYE"), pair.sent("1 200 BYE")), (1, 1));
    assert!(pair.take(0).is_empty() && pair.take(1).is_empty());
    pair.nothing_left();
}

#[test]
fn either_side_may_reoffer_and_be_refused() {
    let mut pair = Pair::new();
    let (caller, callee) = pair.live();
    for (from, offerer, answerer) in [(0, caller, callee), (1, callee, caller)] {
        pair.command(from, Command::Reoffer { call: offerer, sdp: "hold".to_owned() });
        pair.millis(100);
        assert_eq!(pair.take(1 - from), [Event::Offer { call: answerer, sdp: Some(b"hold".to_vec()) }]);
        pair.command(1 - from, Command::Answer { call: answerer, sdp: "held".to_owned() });
        pair.millis(100);
        assert_eq!(pair.take(from), [Event::Answered { call: offerer, sdp: b"held".to_vec() }]);
        assert_eq!(pair.take(1 - from), [Event::Acked { call: answerer, sdp: None }]);
        pair.command(from, Command::Reoffer { call: offerer, sdp: "bad".to_owned() });
        pair.millis(100);
        pair.command(1 - from, Command::Reject { call: answerer, cause: Cause::NoCommonCodec, warning: None });
        pair.millis(100);
        assert_eq!(pair.take(from), [Event::ReofferFailed { call: offerer, status: 488 }]);
        pair.take(1 - from);
    }
    pair.hang_up_and_nothing_left(caller);
}

#[test]
fn offers_that_cross_are_both_refused_491_and_tried_again() {
    let mut pair = Pair::new();
    let (caller, callee) = pair.live();
    pair.command(0, Command::Reoffer { call: caller, sdp: "a".to_owned() });
    pair.command(1, Command::Reoffer { call: callee, sdp: "b".to_owned() });
    pair.millis(100);
    assert_eq!((pair.sent("0 491 INVITE"), pair.sent("1 491 INVITE")), (1, 1));
    for _ in 0..50 {
        pair.millis(100);
        for (end, call) in [(0, caller), (1, callee)] {
            if pair.events[end].iter().any(|event| matches!(event, Event::Offer { .. })) {
                pair.events[end].retain(|event| !matches!(event, Event::Offer { .. }));
                pair.command(end, Command::Answer { call, sdp: "ok".to_owned() });
            }
        }
    }
    for end in 0..2 {
        assert!(pair.take(end).iter().any(|event| matches!(event, Event::Answered { .. })), "{:?}", pair.log);
    }
    pair.hang_up_and_nothing_left(caller);
}

#[test]
fn a_peer_that_lost_the_dialog_ends_the_call() {
    let mut pair = Pair::new();
    let (caller, _) = pair.live();
    pair.ends[1] = Endpoint::new(Settings { seed: [9; 32], ..Settings::default() });
    pair.command(0, Command::Reoffer { call: caller, sdp: "a".to_owned() });
    pair.millis(200);
    assert_eq!(pair.sent("1 481 INVITE"), 1);
    assert_eq!(pair.take(0), [Event::Ended { call: caller, cause: Cause::PeerGone }]);
    pair.nothing_left();
}

#[test]
fn nobody_there_is_a_failure_after_64_t1() {
    let mut pair = Pair::new();
    pair.loses = Box::new(|_| true);
    let call = pair.ids.call();
    let (target, uri, from) = (address(1), "sip:1@127.0.0.2".to_owned(), "sip:2@127.0.0.1".to_owned());
    pair.command(
        0,
        Command::Invite { call, target, transport: Transport::Udp, uri, from, display: String::new(), sdp: SDP.to_owned() },
    );
    pair.pass(Duration::from_secs(33));
    assert!(matches!(pair.take(0)[..], [Event::Failed { cause: Cause::PeerGone, .. }]));
    assert_eq!(pair.sent("0 INVITE lost"), 7);
    pair.nothing_left();
}

#[test]
fn a_refused_call_says_why() {
    let mut pair = Pair::new();
    let (caller, callee) = pair.ringing();
    pair.command(1, Command::Reject { call: callee, cause: Cause::UnknownAddress, warning: None });
    pair.millis(100);
    let failed = Event::Failed { call: caller, cause: Cause::Refused(404), reason: "Not Found".to_owned() };
    assert_eq!(pair.take(0).last(), Some(&failed));
    pair.nothing_left();
}

#[test]
fn calls_survive_a_network_that_loses_a_third() {
    for seed in 0..20_u64 {
        let mut pair = Pair::new();
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        pair.loses = Box::new(move |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % 3 == 0
        });
        let call = pair.ids.call();
        let (target, uri, from) = (address(1), "sip:1@127.0.0.2".to_owned(), "sip:2@127.0.0.1".to_owned());
        pair.command(
            0,
            Command::Invite { call, target, transport: Transport::Udp, uri, from, display: String::new(), sdp: SDP.to_owned() },
        );
        pair.pass(Duration::from_secs(5));
        let callee = pair.events[1].first().map(Event::call);
        if let Some(callee) = callee {
            pair.command(1, Command::Answer { call: callee, sdp: SDP.to_owned() });
        }
        pair.pass(Duration::from_secs(10));
        pair.command(0, Command::Bye { call, cause: Cause::HungUp });
        pair.nothing_left();
    }
}

mod address_verification;
mod authentication;
mod capacity;
mod emergency_calls;
mod hostile;
mod large_requests;
mod password_guessing;
mod probe;
mod refer;
mod refusals;
mod reliable;
mod requests;
mod routes;
mod sessions;
mod soak;
mod subscriptions;
mod text;
mod update;
