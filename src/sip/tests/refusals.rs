//! Refusals say exactly what the trouble is (S-8), on the wire.

use super::requests::{Bench, body, dialog_request, line, request, statuses, with_to};
use super::*;
use crate::sip::{Command, Known, ReachableUsers, Warning};

fn warning(code: u16, text: &str) -> Option<Warning> {
    Some(Warning { code, text: text.to_owned() })
}

/// A 488 names its cause in a Warning with our address as its agent (RFC 3261 section 20.43), at the start of a call and in it.
#[test]
fn s8_a_488_says_in_a_warning_what_the_trouble_is() {
    let mut bench = Bench::new();
    bench.says(&request("INVITE", 1, "", &body("application/sdp", SDP)));
    let call = bench.call();
    let sent =
        bench.commands(Command::Reject { call, cause: Cause::NoCommonCodec, warning: warning(305, "No \"common\" codec\r\n") });
    assert_eq!((statuses(&sent), line(&sent[0], "Warning")), (vec!["488"], "305 127.0.0.1:5060 \"No common codec\"".to_owned()));
    assert_eq!(line(&sent[0], "Reason"), "Q.850;cause=65;text=\"no-common-codec\"");

    let mut bench = Bench::new();
    let to = bench.live();
    let call = bench.call();
    bench.says(&dialog_request("INVITE", 2, &to, &body("application/sdp", SDP)));
    let sent = bench.commands(Command::Reject { call, cause: Cause::NoCommonEncryption, warning: None });
    assert_eq!(line(&sent[0], "Warning"), "399 127.0.0.1:5060 \"no-common-encryption\"", "never without one");
    assert!(!bench.commands(Command::Bye { call, cause: Cause::Left }).iter().any(|sent| sent.contains("Warning:")));
}

/// Other versions of SIP are answered 505, by the way that their own Via says (RFC 4475 section 3.1.2.16).
#[test]
fn s8_another_version_of_sip_is_answered_505() {
    let mut bench = Bench::new();
    for (line_version, via_version) in [("7.0", "7.0"), ("7.0", "2.0"), ("3.0", "3.0"), ("1.0", "1.0")] {
        let text = request("OPTIONS", 1, "", "").replacen("SIP/2.0\r\n", &format!("SIP/{line_version}\r\n"), 1);
        let sent = bench.says(&text.replace("Via: SIP/2.0", &format!("Via: SIP/{via_version}")));
        assert_eq!(statuses(&sent), ["505"], "{line_version} {via_version}");
        assert!(line(&sent[0], "Via").starts_with(&format!("SIP/{via_version}/UDP 127.0.0.2:5060;")), "{}", sent[0]);
    }
}

/// The same Call-ID, From tag and number by another way are merged (RFC 3261 section 8.2.2.2), unless the method is another one.
#[test]
fn s8_requests_are_merged_by_their_method_too() {
    let mut bench = Bench::new();
    let other_way = |text: String| text.replace(";branch=z9hG4bK", ";branch=z9hG4bKother");
    assert_eq!(statuses(&bench.says(&request("INVITE", 1, "", &body("application/sdp", SDP)))), ["100"]);
    assert_eq!(statuses(&bench.says(&request("OPTIONS", 1, "", ""))), ["200"], "its number is that of the INVITE");
    assert_eq!(statuses(&bench.says(&other_way(request("INVITE", 1, "", &body("application/sdp", SDP))))), ["482"]);
    assert_eq!(statuses(&bench.says(&other_way(request("OPTIONS", 1, "", "")))), ["482"]);
}

/// OPTIONS is answered as an INVITE would be (section 11.2); who may not call learns of nobody.
#[test]
fn s8_options_for_an_unknown_user_is_answered_404() {
    let known = Known { allowed: vec!["127.0.0.0/8".parse().unwrap()], ..Known::default() };
    let reachable = Some(ReachableUsers::new(|user| ["1001", "menu"].contains(&user)));
    let mut bench = Bench::with(Settings { known, reachable: reachable.clone(), ..Settings::default() });
    let mut number = 0;
    let mut asks = |bench: &mut Bench, uri: &str| {
        number += 1;
        let sent = bench.says(&request("OPTIONS", number, "", "").replacen("sip:1001@127.0.0.1", uri, 1));
        sent[0].split(' ').nth(1).unwrap().to_owned()
    };
    for (uri, status) in
        [("sip:1001@127.0.0.1", "200"), ("sip:127.0.0.1", "200"), ("sip:menu@127.0.0.1", "200"), ("sip:nobody@127.0.0.1", "404")]
    {
        assert_eq!(asks(&mut bench, uri), status, "{uri}");
    }
    bench.commands(Command::Drain(true));
    assert_eq!(asks(&mut bench, "sip:nobody@127.0.0.1"), "503");
    let mut closed = Bench::with(Settings { reachable, ..Settings::default() });
    assert_eq!(
        (asks(&mut closed, "sip:1001@127.0.0.1"), asks(&mut closed, "sip:127.0.0.1")),
        ("404".to_owned(), "200".to_owned())
    );
}

/// A body that must be understood, and is not, is refused with what we take (RFC 3261 section 21.4.13).
#[test]
fn s8_a_part_that_must_be_handled_is_answered_415_with_accept() {
    let parts = |handling: &str| {
        let text = format!(
            "--x\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--x\r\nContent-Type: application/ISUP\r\n\
             Content-Disposition: signal;handling={handling}\r\n\r\n1\r\n--x--\r\n"
        );
        body("multipart/mixed;boundary=x", &text)
    };
    let mut bench = Bench::new();
    let sent = bench.says(&request("INVITE", 1, "", &parts("required")));
    assert_eq!(statuses(&sent), ["415"]);
    assert!(line(&sent[0], "Accept").starts_with("application/sdp"));
    assert_eq!(statuses(&bench.says(&request("INVITE", 2, "", &parts("optional")))), ["100"]);
}

/// A head beyond its limit is answered as far as it can be read, and so is a length that is none.
#[test]
fn s8_a_message_without_an_end_is_answered_all_the_same() {
    let mut bench = Bench::new();
    let long = request("OPTIONS", 1, &format!("X-Long: {}\r\n", "y".repeat(20_000)), "");
    assert_eq!(statuses(&bench.says(&long)), ["513"]);
    let endless = request("OPTIONS", 2, "", "").replace("Content-Length: 0\r\n\r\n", &"X: y\r\n".repeat(10_000));
    assert_eq!(statuses(&bench.says(&endless)), ["400"], "too many lines, of which the first ones are read");
    let broken = request("OPTIONS", 3, "", "").replace("Content-Length: 0", "Content-Length: many");
    assert_eq!(statuses(&bench.says(&broken)), ["400"]);
    assert!(bench.says(&"x".repeat(20_000)).is_empty());
}

/// A description of a refused refresh of ours needs none; nothing of this leaves anything behind.
#[test]
fn s8_offers_where_none_is_taken_are_warned_of() {
    let mut bench = Bench::new();
    bench.says(&request("INVITE", 1, "Require: 100rel\r\n", &body("application/sdp", SDP)));
    let call = bench.call();
    let ringing = bench.commands(Command::Ring { call }).remove(0);
    let rack = format!("RAck: {} 1 INVITE\r\n", line(&ringing, "RSeq"));
    let prack = with_to("PRACK", 2, &line(&ringing, "To"), &rack, &body("application/sdp", SDP));
    let sent = bench.says(&prack);
    assert_eq!((statuses(&sent[..1]), &line(&sent[0], "Warning")[..4]), (vec!["488"], "399 "));
    bench.commands(Command::Bye { call, cause: Cause::Left });
    let refused = with_to("ACK", 1, &line(&ringing, "To"), "", "").replace("z9hG4bKACK1", "z9hG4bKINVITE1");
    bench.says(&refused);
    bench.ends_empty();
}
