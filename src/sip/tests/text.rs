//! MESSAGE of a device (RFC 3428): which call it belongs to, what it may carry, and who answers for it.

use super::requests::{Bench, body, dialog_request, line, request, statuses};
use super::*;
use crate::sip::{Command, Known};

/// Callers from anywhere on loopback need no entry.
fn bench() -> Bench {
    Bench::with(Settings {
        known: Known { allowed: vec!["127.0.0.0/8".parse().unwrap()], ..Known::default() },
        ..Settings::default()
    })
}

fn text(bench: &Bench) -> (CallId, u64, String) {
    match bench.events.last() {
        Some(Event::Text { call, message, text }) => (*call, *message, text.expose().clone()),
        other => panic!("{other:?}"),
    }
}

/// A text in a call and one outside of it by the same phone reach it and are answered as the meeting says.
#[test]
fn texts_in_a_call_and_outside_of_it_reach_it() {
    let mut bench = bench();
    let (to, _) = bench.live_with("");
    let call = bench.call();
    assert!(bench.says(&dialog_request("MESSAGE", 2, &to, &body("text/plain;charset=UTF-8", "Grüße\r\n"))).is_empty());
    let (of, message, said) = text(&bench);
    assert_eq!((of, said.as_str()), (call, "Grüße"));
    assert_eq!(statuses(&bench.commands(Command::TextAnswered { call, message, refusal: None })), ["200"]);
    assert!(bench.commands(Command::TextAnswered { call, message, refusal: None }).is_empty(), "once");

    let outside = request("MESSAGE", 7, "", &body("text/plain", "hello")).replace("Call-ID: c1", "Call-ID: c2");
    assert!(bench.says(&outside).is_empty());
    let (of, message, said) = text(&bench);
    assert_eq!((of, said.as_str()), (call, "hello"));
    let sent = bench.commands(Command::TextAnswered { call, message, refusal: Some(Cause::Denied) });
    assert_eq!((statuses(&sent), line(&sent[0], "Reason").contains("not-in-a-meeting")), (vec!["403"], true));
    let stranger = outside.replace("sip:a@", "sip:b@").replace("c2", "c3").replace("z9hG4bK", "z9hG4bKb");
    assert_eq!(statuses(&bench.says(&stranger)), ["403"], "somebody else at the same address has no call");
}

/// What is no text is refused and what nobody answers ends with the call.
#[test]
fn what_is_no_text_is_refused() {
    let mut bench = bench();
    let (to, _) = bench.live_with("");
    let call = bench.call();
    let long = "x".repeat(4001);
    for (number, kind, text, status) in [
        (2, "text/html", "<b>", "415"),
        (3, "text/plain;charset=utf-16", "x", "415"),
        (4, "text/plain", " ", "400"),
        (5, "text/plain", long.as_str(), "413"),
    ] {
        let sent = bench.says(&dialog_request("MESSAGE", number, &to, &body(kind, text)));
        assert_eq!(statuses(&sent), [status], "{kind}");
    }
    for number in 6..14 {
        assert!(bench.says(&dialog_request("MESSAGE", number, &to, &body("text/plain", "hello"))).is_empty());
    }
    assert_eq!(statuses(&bench.says(&dialog_request("MESSAGE", 14, &to, &body("text/plain", "hello")))), ["503"]);
    assert!(format!("{:?}", bench.events).contains("***") && !format!("{:?}", bench.events).contains("hello"));
    let sent = bench.commands(Command::Bye { call, cause: Cause::MeetingEnded });
    assert_eq!(sent.iter().filter(|text| text.starts_with("SIP/2.0 480")).count(), 8);
    bench.says(&super::requests::response(&sent[0], 200, "", ""));
    bench.pass(Duration::from_secs(60));
    bench.ends_empty();
}

/// A phone is sent texts if it takes them and not more than it acknowledges.
#[test]
fn a_phone_is_sent_texts_if_it_takes_them() {
    let send = |call, text: &str| Command::Text { call, text: text.to_owned().into() };
    let mut deaf = bench();
    deaf.live_with("Allow: INVITE, ACK, BYE\r\n");
    let call = deaf.call();
    assert!(deaf.commands(send(call, "hello")).is_empty());

    let mut bench = bench();
    let (to, _) = bench.live_with("Allow: INVITE, ACK, BYE, MESSAGE\r\n");
    let call = bench.call();
    let sent = bench.commands(send(call, "Ada: Grüße"));
    assert!(sent[0].starts_with("MESSAGE sip:a@127.0.0.2:5060 ") && sent[0].ends_with("\r\n\r\nAda: Grüße"), "{sent:?}");
    assert_eq!(line(&sent[0], "Content-Type"), "text/plain;charset=UTF-8");
    let further: Vec<_> = (0..9).flat_map(|_| bench.commands(send(call, "more"))).collect();
    assert_eq!(further.len(), 7, "eight are on their way");
    bench.says(&super::requests::response(&sent[0], 200, "", ""));
    bench.pass(Duration::from_secs(6));
    assert_eq!(bench.commands(send(call, "again")).len(), 1);
    bench.says(&dialog_request("BYE", 30, &to, ""));
    bench.ends_empty();
}
