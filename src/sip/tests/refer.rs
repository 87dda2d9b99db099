//! REFER and Replaces (RFC 3515, RFC 3891): a device hands its place over to another one of ours, and nobody else can.

use std::collections::HashMap;

use super::requests::{Bench, body, line, request, response, statuses, with_to};
use super::*;
use crate::sip::auth::{Account, Accounts, Algorithm};
use crate::sip::{Command, Identity, Known, Uri};

/// Room 1 calls from 127.0.0.2, where this bench's peer lives; the kitchen has a password, the hall an address.
fn bench() -> Bench {
    let device = |label: &str| Identity::Device(label.into());
    let users = HashMap::from([("kitchen".to_owned(), Account::new("kitchen-phone", "kitchen", "rooms.example", "sesame"))]);
    let known = Known {
        addresses: vec![("127.0.0.0/8".parse().unwrap(), device("room-1")), ("192.0.2.7".parse().unwrap(), device("hall"))],
        accounts: Accounts { realm: "rooms.example".to_owned(), algorithms: vec![Algorithm::Md5], users, secret: [9; 32] },
        callable: HashMap::from([("hall".into(), Uri::parse("sip:192.0.2.7").unwrap())]),
        ..Known::default()
    };
    Bench::with(Settings { known, ..Settings::default() })
}

fn refer(number: u32, to: &str, target: &str) -> String {
    with_to("REFER", number, to, &format!("Refer-To: {target}\r\n"), "")
}

fn devices(bench: &mut Bench) -> Vec<(String, Option<String>)> {
    let refers = bench.told().into_iter().filter_map(|event| match event {
        Event::Refer { device, replaces, .. } => Some((device.to_string(), replaces)),
        _ => None,
    });
    refers.collect()
}

/// A refer to a device of ours is followed and told how it goes on.
#[test]
fn a_refer_to_a_device_of_ours_is_followed() {
    let mut bench = bench();
    let (to, _) = bench.live_with("");
    let call = bench.call();
    assert!(bench.says(&refer(2, &to, "<sip:kitchen@rooms.example>")).is_empty(), "its owner answers");
    assert_eq!(devices(&mut bench), [("kitchen-phone".to_owned(), None)]);
    assert_eq!(statuses(&bench.says(&refer(3, &to, "<sip:192.0.2.7>"))), ["491"], "one at a time");
    let sent = bench.commands(Command::ReferAnswered { call, accepted: true });
    assert!(sent[0].starts_with("SIP/2.0 202 ") && sent[1].starts_with("NOTIFY sip:a@127.0.0.2:5060 "), "{sent:?}");
    assert_eq!((line(&sent[1], "Event"), line(&sent[1], "Content-Type")), ("refer".into(), "message/sipfrag;version=2.0".into()));
    assert!(line(&sent[1], "Subscription-State").starts_with("active") && sent[1].ends_with("SIP/2.0 100 Trying\r\n"));
    assert!(line(&sent[1], "Contact").contains("sip:roomgate@"));
    bench.says(&response(&sent[1], 200, "", ""));
    let sent = bench.commands(Command::ReferProgress { call, status: 200 });
    assert!(line(&sent[0], "Subscription-State").starts_with("terminated") && sent[0].ends_with("SIP/2.0 200 OK\r\n"));
    bench.says(&response(&sent[0], 200, "", ""));
    assert!(bench.commands(Command::ReferProgress { call, status: 200 }).is_empty(), "it is over");

    // RFC 3515 section 2.4.6: a later one says which; RFC 4488: this one does not want to know.
    let attended = "<sip:192.0.2.7?Replaces=7%40a%3Bto-tag%3Dt%3Bfrom-tag%3Df>";
    assert!(bench.says(&refer(4, &to, attended)).is_empty());
    assert_eq!(devices(&mut bench), [("hall".to_owned(), Some("7@a;to-tag=t;from-tag=f".to_owned()))]);
    let sent = bench.commands(Command::ReferAnswered { call, accepted: true });
    assert_eq!(line(&sent[1], "Event"), "refer;id=4");
    bench.says(&response(&sent[1], 200, "", ""));
    let sent = bench.commands(Command::ReferProgress { call, status: 603 });
    bench.says(&response(&sent[0], 200, "", ""));
    let quiet = refer(5, &to, "<sip:192.0.2.7>").replace("Refer-To", "Refer-Sub: false\r\nRefer-To");
    assert!(bench.says(&quiet).is_empty());
    let sent = bench.commands(Command::ReferAnswered { call, accepted: true });
    assert_eq!((sent.len(), line(&sent[0], "Refer-Sub")), (1, "false".to_owned()));
    bench.commands(Command::ReferProgress { call, status: 200 });
    assert!(bench.says(&refer(6, &to, "<sip:192.0.2.7>")).is_empty());
    let ended = bench.says(&with_to("BYE", 7, &to, "", ""));
    assert_eq!(statuses(&ended), ["200", "480"], "what is unanswered is answered at the end");
    assert!(bench.commands(Command::ReferAnswered { call, accepted: true }).is_empty(), "nobody is there to be told");
    bench.ends_empty();
}

/// A refer to anybody else is forbidden and one that makes no sense is refused.
#[test]
fn a_refer_to_anybody_else_is_forbidden() {
    let mut bench = bench();
    let (to, _) = bench.live_with("");
    for (number, target, status) in [
        (2, "<sip:900@192.0.2.99>", "403"),
        (3, "<sip:1001@rooms.example>", "403"),
        (4, "<sip:192.0.2.7;method=BYE>", "403"),
        (5, "<tel:+1900>", "403"),
        (6, "<sip:192.0.2.7?Replaces=nothing>", "400"),
        (7, "<sip:192.0.2.7>\r\nRefer-To: <sip:192.0.2.7>", "400"),
        (8, "nonsense", "400"),
    ] {
        assert_eq!(statuses(&bench.says(&refer(number, &to, target))), [status], "{target}");
    }
    assert!(devices(&mut bench).is_empty());
    bench.says(&with_to("BYE", 20, &to, "", ""));
    bench.ends_empty();
}

/// An invite with replaces names a call that is up or is refused.
#[test]
fn an_invite_with_replaces_names_a_call_that_is_up() {
    let mut bench = bench();
    let (to, _) = bench.live_with("");
    let call = bench.call();
    let tag = to.split(";tag=").nth(1).unwrap().to_owned();
    let invite = |number: u32, replaces: &str| {
        let text = request("INVITE", 1, &format!("Replaces: {replaces}\r\n"), &body("application/sdp", SDP));
        text.replace("Call-ID: c1", &format!("Call-ID: r{number}")).replace("z9hG4bK", &format!("z9hG4bK{number}"))
    };
    for (number, replaces, status) in [
        (1, format!("c1;to-tag={tag}x;from-tag=f"), "481"),
        (2, format!("c1;to-tag={tag};from-tag=f;early-only"), "486"),
        (3, "c1".to_owned(), "400"),
    ] {
        assert_eq!(statuses(&bench.says(&invite(number, &replaces))), [status], "{replaces}");
    }
    assert_eq!(statuses(&bench.says(&invite(4, &format!("c1;to-tag={tag};from-tag=f")))), ["100"]);
    match bench.events.last() {
        Some(Event::Incoming(incoming)) => assert_eq!(incoming.replaces, Some(call)),
        other => panic!("{other:?}"),
    }
}

/// A device is called where it registered or where its entry says and its refusal is told.
#[test]
fn a_device_is_called_where_it_registered_or_its_entry_says() {
    let mut bench = bench();
    let call = bench.ids.call();
    let command = |call, device: &str| Command::CallDevice {
        call,
        device: device.into(),
        from: "sip:1001@127.0.0.1".to_owned(),
        display: "Demo".to_owned(),
        sdp: SDP.to_owned(),
        replaces: Some("7@a;to-tag=t;from-tag=f".to_owned()),
    };
    assert_eq!(bench.endpoint.call_target("kitchen-phone"), None);
    bench.commands(command(call, "kitchen-phone"));
    assert!(matches!(bench.told().pop(), Some(Event::Failed { cause: Cause::NotReachable, .. })));
    // The room at 127.0.0.2 registers; its contact is where it lives.
    let registered = bench.says(&request("REGISTER", 1, "", "").replace("Call-ID: c1", "Call-ID: r1"));
    assert_eq!(statuses(&registered), ["200"]);
    let reach = bench.endpoint.call_target("room-1").unwrap();
    assert_eq!((reach.peer.to_string(), reach.local.is_some()), ("127.0.0.2:5060".to_owned(), true));
    let sent = bench.commands(command(call, "room-1"));
    assert!(sent[0].starts_with("INVITE sip:a@127.0.0.2:5060 SIP/2.0\r\n"), "{sent:?}");
    assert_eq!(line(&sent[0], "Replaces"), "7@a;to-tag=t;from-tag=f");
    assert!(line(&sent[0], "From").starts_with("\"Demo\" <sip:1001@127.0.0.1>;tag="));
    let acked = bench.says(&response(&sent[0], 486, "", ""));
    assert!(acked[0].starts_with("ACK "));
    assert_eq!(bench.told().pop(), Some(Event::Failed { call, cause: Cause::Refused(486), reason: "x".to_owned() }));
    assert_eq!(bench.endpoint.call_target("hall").map(|reach| reach.peer.to_string()), Some("192.0.2.7:5060".to_owned()));
    let sent = bench.commands(Command::CheckSync { device: "room-1".into() });
    assert!(sent[0].starts_with("NOTIFY sip:a@127.0.0.2:5060 "), "{sent:?}");
    assert_eq!(line(&sent[0], "Event"), "check-sync;reboot=false");
    bench.says(&response(&sent[0], 200, "", ""));
    bench.commands(Command::Drain(true));
    assert!(bench.commands(command(bench.ids.call(), "room-1")).is_empty(), "nobody is called any more");
    assert!(matches!(bench.told().pop(), Some(Event::Failed { cause: Cause::Draining, .. })));
}
