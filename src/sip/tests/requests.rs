//! One endpoint against hand-written messages.

use super::*;
use crate::common::ids::Ids;
use crate::sip::Command;

/// A peer that writes its messages by hand.
pub(super) struct Bench {
    pub(super) endpoint: Endpoint,
    pub(super) ids: Ids,
    pub(super) now: Instant,
    pub(super) events: Vec<Event>,
    /// Connections that were asked for.
    pub(super) connects: Vec<u64>,
    /// Whether it answers, as phones do, when it is asked whether it is there (M-1).
    pub(super) is_there: bool,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(super) fn with(settings: Settings) -> Self {
        let ids = settings.ids.clone();
        let endpoint = Endpoint::new(Settings { seed: [5; 32], ..settings });
        Self { endpoint, ids, now: start(), events: Vec::new(), connects: Vec::new(), is_there: true }
    }

    /// Sends one message; gives what comes back.
    pub(super) fn says(&mut self, text: &str) -> Vec<String> {
        self.endpoint.handle(self.now, Input::Received { flow: flow(0, Transport::Udp), bytes: text.as_bytes().to_vec() });
        self.outputs()
    }

    pub(super) fn commands(&mut self, command: Command) -> Vec<String> {
        self.endpoint.handle(self.now, Input::Command(command));
        self.outputs()
    }

    pub(super) fn outputs(&mut self) -> Vec<String> {
        let mut sent = Vec::new();
        while let Some(output) = self.endpoint.poll() {
            match output {
                Output::Transmit { flow, bytes } => {
                    let text = String::from_utf8(bytes).unwrap();
                    if self.is_there && text.starts_with("OPTIONS ") {
                        let bytes = response(&text, 200, "", "").into_bytes();
                        self.endpoint.handle(self.now, Input::Received { flow, bytes });
                    } else {
                        sent.push(text);
                    }
                }
                Output::Event(event) => self.events.push(event),
                Output::Connect { token, .. } => self.connects.push(token),
                Output::Registered(_) | Output::Locate(_) | Output::Copied(_) => {}
            }
        }
        sent
    }

    /// Lets the time pass; gives what is sent meanwhile.
    pub(super) fn pass(&mut self, time: Duration) -> Vec<String> {
        let until = self.now + time;
        let mut sent = Vec::new();
        while let Some(at) = self.endpoint.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.endpoint.wake(self.now);
            sent.extend(self.outputs());
        }
        self.now = until;
        sent
    }

    pub(super) fn seconds(&mut self, seconds: u64) -> Vec<String> {
        self.pass(Duration::from_secs(seconds))
    }

    pub(super) fn told(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub(super) fn ends_empty(&mut self) {
        while let Some(at) = self.endpoint.deadline() {
            self.now = self.now.max(at);
            self.endpoint.wake(self.now);
            self.outputs();
        }
        assert!(self.endpoint.is_empty(), "{:#?}", self.endpoint);
    }

    pub(super) fn call(&mut self) -> CallId {
        self.events.first().unwrap().call()
    }

    /// A call that was answered and acknowledged; gives our To with tag.
    pub(super) fn live(&mut self) -> String {
        self.live_with("").0
    }

    /// The same with further headers in the INVITE; gives our 200 as well.
    pub(super) fn live_with(&mut self, extra: &str) -> (String, String) {
        self.says(&request("INVITE", 1, extra, &body("application/sdp", SDP)));
        let call = self.call();
        let answer = self.commands(Command::Answer { call, sdp: SDP.to_owned() }).remove(0);
        let to = line(&answer, "To");
        assert!(self.says(&dialog_request("ACK", 1, &to, "")).is_empty());
        assert_eq!(self.events.last(), Some(&Event::Acked { call, sdp: None }));
        (to, answer)
    }
}

pub(super) fn body(kind: &str, text: &str) -> String {
    format!("Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}

pub(super) fn request(method: &str, cseq: u32, extra: &str, rest: &str) -> String {
    with_to(method, cseq, "<sip:1001@127.0.0.1>", &format!("Max-Forwards: 70\r\n{extra}"), rest)
}

pub(super) fn dialog_request(method: &str, cseq: u32, to: &str, rest: &str) -> String {
    with_to(method, cseq, to, "", rest)
}

pub(super) fn with_to(method: &str, cseq: u32, to: &str, extra: &str, rest: &str) -> String {
    let rest = if rest.is_empty() { "Content-Length: 0\r\n\r\n" } else { rest };
    format!(
        "{method} sip:1001@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK{method}{cseq};rport\r\nFrom: <sip:a@127.0.0.2>;tag=f\r\n\
         To: {to}\r\nCall-ID: c1\r\nCSeq: {cseq} {method}\r\nContact: <sip:a@127.0.0.2:5060>\r\n{extra}{rest}"
    )
}

pub(super) fn line(text: &str, name: &str) -> String {
    let prefix = format!("{name}: ");
    text.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

/// A response to a request of ours.
pub(super) fn response(request: &str, status: u16, extra: &str, rest: &str) -> String {
    let rest = if rest.is_empty() { "Content-Length: 0\r\n\r\n" } else { rest };
    let copied: String =
        ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", line(request, name))).concat();
    format!("SIP/2.0 {status} x\r\n{copied}{extra}{rest}")
}

pub(super) fn statuses(sent: &[String]) -> Vec<&str> {
    sent.iter().map(|text| text.split(' ').nth(1).unwrap()).collect()
}

#[test]
fn options_tell_the_truth_and_503_while_draining() {
    let mut bench = Bench::new();
    let sent = bench.says(&request("OPTIONS", 1, "", ""));
    assert_eq!(statuses(&sent), ["200"]);
    assert_eq!(
        line(&sent[0], "Allow"),
        "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REGISTER, MESSAGE, REFER, SUBSCRIBE"
    );
    assert!(line(&sent[0], "Server").starts_with("Roomgate/"));
    assert!(line(&sent[0], "Via").contains("rport=5060") && line(&sent[0], "To").contains(";tag="));
    bench.commands(Command::Drain(true));
    let sent = bench.says(&request("OPTIONS", 2, "", ""));
    assert_eq!((statuses(&sent), line(&sent[0], "Retry-After").as_str()), (vec!["503"], "30"));
    let sent = bench.says(&request("INVITE", 3, "", ""));
    assert_eq!((statuses(&sent), line(&sent[0], "Reason").contains("Q.850")), (vec!["503"], true));
    bench.ends_empty();
}

#[test]
fn what_we_do_not_do_is_refused_truthfully() {
    let mut bench = Bench::new();
    for (method, status) in [("NOTIFY", "405"), ("invite", "501"), ("FOO", "501")] {
        let sent = bench.says(&request(method, 1, "", ""));
        assert_eq!(statuses(&sent), [status], "{method}");
        assert!(line(&sent[0], "Allow").contains("INVITE"));
        bench.ends_empty();
    }
    for (method, extra, status) in [
        ("INVITE", "Require: 100rel, timer, outbound\r\n", "420"),
        ("UPDATE", "", "481"),
        ("INVITE", "Content-Encoding: gzip\r\n", "415"),
        ("BYE", "", "481"),
        ("CANCEL", "", "481"),
        ("INFO", "", "405"),
    ] {
        let text = match method {
            "BYE" | "CANCEL" | "UPDATE" => with_to(method, 7, "<sip:x@y>;tag=none", "", ""),
            "INFO" => continue,
            _ => request(method, 7, extra, &body("application/sdp", SDP)),
        };
        let sent = bench.says(&text);
        assert_eq!(statuses(&sent), [status], "{method} {extra}");
        bench.ends_empty();
    }
    let sent = bench.says(&request("REFER", 7, "Refer-To: <sip:x@y>\r\n", ""));
    assert_eq!((statuses(&sent), line(&sent[0], "Reason").contains("not-allowed")), (vec!["403"], true), "M-12");
    let sent = bench.says(&request("INVITE", 8, "", &body("text/plain", "hello")));
    assert_eq!((statuses(&sent), line(&sent[0], "Accept").contains("application/sdp")), (vec!["415"], true));
    let sent = bench.says(&request("INVITE", 9, "Require: timer, outbound, 100rel\r\n", ""));
    assert_eq!(line(&sent[0], "Unsupported"), "outbound");
    let sent = bench.says(&request("INVITE", 10, "Accept: text/plain\r\n", ""));
    assert_eq!(statuses(&sent), ["406"]);
    let sent = bench.says(&request("INVITE", 11, "", "").replace("INVITE sip:1001@127.0.0.1", "INVITE http://x"));
    assert_eq!(statuses(&sent), ["416"]);
    bench.ends_empty();
}

/// A repeated invite gets the last provisional and a merged one 482.
#[test]
fn a_repeated_invite_gets_the_last_provisional() {
    let mut bench = Bench::new();
    let invite = request("INVITE", 1, "", "");
    assert_eq!(statuses(&bench.says(&invite)), ["100"]);
    assert_eq!(statuses(&bench.says(&invite)), ["100"]);
    let call = bench.call();
    assert_eq!(statuses(&bench.commands(Command::Ring { call })), ["180"]);
    assert_eq!(statuses(&bench.says(&invite)), ["180"]);
    assert_eq!(statuses(&bench.says(&invite.replace("z9hG4bK", "z9hG4bKother"))), ["482"]);
    assert_eq!(bench.events.len(), 1);
    let sent = bench.commands(Command::Reject { call, cause: Cause::Busy, warning: None });
    assert_eq!((statuses(&sent), line(&sent[0], "Retry-After").as_str()), (vec!["503"], "5"));
    bench.ends_empty();
}

#[test]
fn a_delayed_offer_is_answered_in_the_ack() {
    let mut bench = Bench::new();
    bench.says(&request("INVITE", 1, "Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n", ""));
    let call = bench.call();
    assert!(matches!(&bench.events[0], Event::Incoming(incoming) if incoming.offer.is_none()));
    let sent = bench.commands(Command::Answer { call, sdp: SDP.to_owned() });
    assert_eq!(line(&sent[0], "Record-Route"), "<sip:p1;lr>, <sip:p2;lr>");
    assert_eq!(line(&sent[0], "Contact"), "<sip:roomgate@127.0.0.1:5060>;isfocus");
    let to = line(&sent[0], "To");
    bench.says(&dialog_request("ACK", 1, &to, &body("application/sdp", "answer")));
    assert_eq!(bench.events.last(), Some(&Event::Acked { call, sdp: Some(b"answer".to_vec()) }));
    let bye = bench.commands(Command::Bye { call, cause: Cause::MeetingEnded });
    assert!(
        bye[0].starts_with("BYE sip:a@127.0.0.2:5060 SIP/2.0\r\n")
            && bye[0].contains("Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\n")
    );
    assert!(line(&bye[0], "Reason").starts_with("Q.850;cause=16"));
    bench.ends_empty();
}

#[test]
fn a_key_by_info_is_a_digit_and_m_12_refusals_are_told() {
    let mut bench = Bench::new();
    let to = bench.live();
    let call = bench.call();
    assert_eq!(
        statuses(&bench.says(&dialog_request("INFO", 2, &to, &body("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n")))),
        ["200"]
    );
    assert_eq!(bench.events.last(), Some(&Event::Digit { call, digit: '5', duration: Duration::from_millis(160) }));
    assert_eq!(statuses(&bench.says(&dialog_request("INFO", 3, &to, &body("text/plain", "x")))), ["415"]);
    assert_eq!(statuses(&bench.says(&dialog_request("INFO", 4, &to, ""))), ["200"]);
    assert_eq!(statuses(&bench.says(&with_to("INFO", 5, &to, "Info-Package: foo\r\n", ""))), ["469"]);
    for (number, method, extra, status) in [
        (6, "INFO", "Record: on\r\n", "403"),
        (7, "REFER", "Refer-To: <sip:x@y>\r\n", "403"),
        (8, "INVITE", "Record: On\r\n", "403"),
    ] {
        assert_eq!(statuses(&bench.says(&with_to(method, number, &to, extra, ""))), [status]);
        assert_eq!(bench.events.last(), Some(&Event::Refused { call, method: crate::sip::Method::parse(method).unwrap() }));
    }
    assert_eq!(statuses(&bench.says(&dialog_request("PUBLISH", 9, &to, ""))), ["405"]);
    let sent = bench.says(&dialog_request("INFO", 3, &to, "").replace("z9hG4bKINFO3", "z9hG4bKlate"));
    assert_eq!((statuses(&sent), sent[0].contains("Retry-After: ")), (vec!["500"], true));
    assert_eq!(statuses(&bench.says(&dialog_request("BYE", 20, &to, ""))), ["200"]);
    assert_eq!(bench.events.last(), Some(&Event::Ended { call, cause: Cause::HungUp }));
    bench.ends_empty();
}

/// A second reinvite before the answer is 500 and a cancelled one leaves the session.
#[test]
fn a_second_reinvite_before_the_answer_is_500() {
    let mut bench = Bench::new();
    let to = bench.live();
    let call = bench.call();
    assert_eq!(statuses(&bench.says(&dialog_request("INVITE", 2, &to, ""))), ["100"]);
    assert_eq!(bench.events.last(), Some(&Event::Offer { call, sdp: None }));
    assert_eq!(statuses(&bench.says(&dialog_request("INVITE", 3, &to, ""))), ["500"]);
    let cancel = dialog_request("CANCEL", 2, &to, "").replace("z9hG4bKCANCEL2", "z9hG4bKINVITE2");
    assert_eq!(statuses(&bench.says(&cancel)), ["200", "487"]);
    assert_eq!(bench.events.last(), Some(&Event::OfferWithdrawn { call }));
    assert!(bench.commands(Command::Answer { call, sdp: SDP.to_owned() }).is_empty());
    assert_eq!(statuses(&bench.says(&dialog_request("BYE", 4, &to, ""))), ["200"]);
    bench.ends_empty();
}

/// Broken requests are answered 400 and broken responses dropped.
#[test]
fn broken_requests_are_answered_400() {
    let mut bench = Bench::new();
    let good = request("OPTIONS", 1, "", "");
    for (from, to) in [
        ("Call-ID: c1\r\n", ""),
        ("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"),
        ("CSeq: 1 OPTIONS", "CSeq: 99999999999 OPTIONS"),
        ("Content-Length: 0", "Content-Length: 999"),
        ("Content-Length: 0", "Content-Length: -1"),
        ("To: <", "To: \"open <"),
        ("To: ", "To: <sip:b@c>\r\nTo: "),
    ] {
        let sent = bench.says(&good.replace(from, to));
        assert_eq!(statuses(&sent), ["400"], "{to}");
    }
    for text in [
        "SIP/2.0 200 OK\r\n\r\n",
        "SIP/2.0 999 OK\r\n\r\n",
        "hello\r\n\r\n",
        "\r\n\r\n",
        "OPTIONS sip:a SIP/7.0\r\n\r\n",
        "A B SIP/2.0\r\n\r\n",
    ] {
        assert!(bench.says(text).is_empty(), "{text}");
    }
    assert!(bench.endpoint.is_empty());
}

#[test]
fn a_flood_and_a_scanner_are_not_answered() {
    let mut bench = Bench::new();
    assert!(bench.says(&request("OPTIONS", 1, "User-Agent: friendly-scanner\r\n", "")).is_empty());
    let answered =
        (0..200).filter(|n| !bench.says(&request("INVITE", *n, "", "").replace("c1", &format!("c{n}"))).is_empty()).count();
    assert_eq!(answered, 50);
    assert_eq!(bench.endpoint.silenced(bench.now).len(), 1);
}

#[test]
fn an_rfc_2543_peer_without_branch_and_tag_can_call() {
    let mut bench = Bench::new();
    let old = |text: String| {
        text.replace(";branch=z9hG4bKINVITE1;rport", "").replace(";branch=z9hG4bKACK1;rport", "").replace(";tag=f", "")
    };
    let invite = old(request("INVITE", 1, "", ""));
    assert_eq!(statuses(&bench.says(&invite)), ["100"]);
    assert_eq!(statuses(&bench.says(&invite)), ["100"]);
    let call = bench.call();
    let sent = bench.commands(Command::Reject { call, cause: Cause::UnknownAddress, warning: None });
    let to = line(&sent[0], "To");
    assert!(bench.says(&old(dialog_request("ACK", 1, &to, ""))).is_empty());
    assert!(bench.endpoint.deadline().is_some_and(|at| at <= bench.now + Duration::from_secs(5)), "the ACK was matched");
    bench.ends_empty();
}

/// An INVITE of a call of its own.
fn new_invite(number: u32, user: &str) -> String {
    request("INVITE", 1, "", &body("application/sdp", SDP))
        .replace("INVITE sip:1001@", &format!("INVITE sip:{user}@"))
        .replace("Call-ID: c1", &format!("Call-ID: n{number}"))
        .replace("z9hG4bK", &format!("z9hG4bKn{number}"))
}

/// A stranger's call for help is answered and counts as none while all others are turned away.
#[test]
fn s10_a_stranger_s_call_for_help_counts_as_none() {
    let mut bench = Bench::new();
    bench.endpoint.core.settings.limits.max_calls = 1;
    assert_eq!(statuses(&bench.says(&new_invite(1, "1001"))), ["100"]);
    assert_eq!(statuses(&bench.says(&new_invite(2, "1001"))), ["503"], "as many as there may be");
    assert_eq!(statuses(&bench.says(&new_invite(3, "112"))), ["403"]);
    bench.commands(Command::Drain(true));
    assert_eq!(statuses(&bench.says(&new_invite(4, "1001"))), ["503"]);
    assert_eq!(statuses(&bench.says(&new_invite(5, "911"))), ["403"]);
    let counters = bench.endpoint.counters();
    let read = |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((read(&counters.turned_away_full), read(&counters.turned_away_draining)), (1, 1));
    assert_eq!((read(&counters.calls), bench.events.len()), (1, 1), "the first call alone");
}
