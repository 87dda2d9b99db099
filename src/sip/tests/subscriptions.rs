//! SUBSCRIBE of devices (RFC 6665): what there is to tell is told once it may be, in order, until its time is over.

use super::requests::{Bench, line, request, response, statuses, with_to};
use super::*;
use crate::sip::{Command, Known, Roster, RosterPerson};

fn bench() -> Bench {
    Bench::with(Settings {
        known: Known { allowed: vec!["127.0.0.0/8".parse().unwrap()], ..Known::default() },
        ..Settings::default()
    })
}

fn subscribe(number: u32, event: &str, expires: &str) -> String {
    let extra = format!("Event: {event}\r\n{expires}");
    let text = request("SUBSCRIBE", number, &extra, "");
    text.replace("Call-ID: c1", &format!("Call-ID: s{number}")).replace("z9hG4bK", &format!("z9hG4bK{number}x"))
}

/// The same subscription once more.
fn again(number: u32, first: &str, to: &str, expires: u32) -> String {
    let text = with_to("SUBSCRIBE", number, to, &format!("Event: conference\r\nExpires: {expires}\r\n"), "");
    text.replace("Call-ID: c1", &format!("Call-ID: {}", line(first, "Call-ID")))
}

fn roster(names: &[&str]) -> Roster {
    let person = |name: &&str| RosterPerson { id: name.to_lowercase(), name: (*name).to_owned(), muted: false, on_hold: false };
    Roster { title: "Demo".to_owned(), people: names.iter().map(person).collect() }
}

/// Takes a NOTIFY; its state and body.
fn takes(bench: &mut Bench, notify: &str) -> (String, String) {
    assert!(notify.starts_with("NOTIFY "), "{notify}");
    bench.says(&response(notify, 200, "", ""));
    (line(notify, "Subscription-State"), notify.split_once("\r\n\r\n").unwrap().1.to_owned())
}

/// A phone is told who is in its meeting once it is inside itself and until its call ends.
#[test]
fn a_phone_is_told_who_is_in_its_meeting_once_it_is_inside() {
    let mut bench = bench();
    let (to, _) = bench.live_with("");
    let call = bench.call();
    bench.told();
    let sent = bench.says(&subscribe(7, "conference", "Expires: 600\r\n"));
    assert_eq!((statuses(&sent[..1]), line(&sent[0], "Expires")), (vec!["200"], "600".to_owned()));
    assert_eq!(bench.told(), [Event::Watch { call, on: true }]);
    let (state, body) = takes(&mut bench, &sent[1]);
    assert_eq!((state.as_str(), body.as_str()), ("pending;expires=600", ""), "M-8");

    bench.seconds(2);
    let told = bench.commands(Command::Roster { call, roster: roster(&["Ada"]) });
    let (state, body) = takes(&mut bench, &told[0]);
    assert!(state.starts_with("active;expires=59") && body.contains("Ada"), "{state} {body}");
    assert_eq!(line(&told[0], "Event"), "conference");
    // Two changes within a second are one NOTIFY.
    assert!(bench.commands(Command::Roster { call, roster: roster(&["Ada", "Ben"]) }).is_empty());
    assert!(bench.commands(Command::Roster { call, roster: roster(&["Ben"]) }).is_empty());
    let told = bench.seconds(1);
    assert_eq!(told.len(), 1);
    let (_, body) = takes(&mut bench, &told[0]);
    assert!(body.contains("Ben") && !body.contains("Ada") && body.contains("version=\"3\""), "{body}");

    // It renews its wish, and the call ends.
    let renewed = bench.says(&again(9, &sent[0], &line(&sent[0], "To"), 3600));
    assert_eq!((statuses(&renewed[..1]), line(&renewed[0], "Expires")), (vec!["200"], "3600".to_owned()));
    bench.seconds(1).iter().for_each(|notify| drop(takes(&mut bench, notify)));
    let ended = bench.says(&with_to("BYE", 20, &to, "", ""));
    let last = ended.iter().find(|text| text.starts_with("NOTIFY ")).unwrap().clone();
    let (state, body) = takes(&mut bench, &last);
    assert_eq!((state.as_str(), body.as_str()), ("terminated;reason=noresource", ""));
    assert!(bench.told().contains(&Event::Watch { call, on: false }));
    bench.ends_empty();
}

/// A subscription ends by its own wish by time and when its phone forgets it.
#[test]
fn a_subscription_ends_by_its_own_wish_by_time() {
    let mut bench = bench();
    let (to, _) = bench.live_with("");
    let call = bench.call();
    let sent = bench.says(&subscribe(7, "conference", ""));
    assert_eq!(line(&sent[0], "Expires"), "3600");
    takes(&mut bench, &sent[1]);
    let ended = bench.says(&again(9, &sent[0], &line(&sent[0], "To"), 0));
    assert_eq!(takes(&mut bench, &ended[1]).0, "terminated;reason=timeout");
    assert_eq!(statuses(&bench.says(&again(10, &sent[0], &line(&sent[0], "To"), 600))), ["481"]);

    let sent = bench.says(&subscribe(11, "conference", "Expires: 60\r\n"));
    takes(&mut bench, &sent[1]);
    let late = bench.seconds(61);
    assert_eq!(takes(&mut bench, &late[0]).0, "terminated;reason=timeout");

    let sent = bench.says(&subscribe(12, "conference", ""));
    bench.says(&response(&sent[1], 481, "", ""));
    assert_eq!(bench.told().last(), Some(&Event::Watch { call, on: false }));
    // In the dialog of its call it needs none of its own.
    let within = with_to("SUBSCRIBE", 30, &to, "Event: conference;id=5\r\n", "");
    let sent = bench.says(&within);
    assert_eq!((statuses(&sent[..1]), line(&sent[1], "Event")), (vec!["200"], "conference;id=5".to_owned()));
    takes(&mut bench, &sent[1]);
    bench.says(&with_to("BYE", 40, &to, "", ""));
    bench.ends_empty();
}

/// What else phones subscribe to is answered truthfully and what makes no sense is refused.
#[test]
fn what_else_phones_subscribe_to_is_answered_truthfully() {
    let mut bench = bench();
    for (number, event, kind, holds) in [
        (1, "message-summary", "application/simple-message-summary", "Messages-Waiting: no"),
        (2, "dialog", "application/dialog-info+xml", "version=\"0\""),
        (3, "presence", "application/pidf+xml", "<basic>open</basic>"),
    ] {
        let sent = bench.says(&subscribe(number, event, "Expires: 0\r\n"));
        assert_eq!(statuses(&sent[..1]), ["200"], "{event}");
        assert_eq!((line(&sent[1], "Content-Type"), line(&sent[1], "Event")), (kind.to_owned(), event.to_owned()));
        let (state, body) = takes(&mut bench, &sent[1]);
        assert!(state.starts_with("terminated") && body.contains(holds), "{state} {body}");
    }
    for (number, event, expires, status) in
        [(4, "refer", "", "489"), (5, "conference", "", "403"), (6, "presence", "Expires: 5\r\n", "423")]
    {
        let sent = bench.says(&subscribe(number, event, expires));
        assert_eq!(statuses(&sent), [status], "{event}");
    }
    let refused = bench.says(&subscribe(8, "weather", ""));
    assert_eq!(line(&refused[0], "Allow-Events"), "conference, dialog, message-summary, presence");
    for number in 100..140 {
        let sent = bench.says(&subscribe(number, "presence", ""));
        let full = number >= 132;
        assert_eq!(statuses(&sent[..1]), [if full { "503" } else { "200" }], "{number}");
        sent.iter().skip(1).for_each(|notify| drop(takes(&mut bench, notify)));
    }
    let sent = bench.seconds(3601);
    let ended: std::collections::BTreeSet<String> =
        sent.iter().filter(|text| text.contains("terminated")).map(|text| line(text, "Call-ID")).collect();
    assert_eq!(ended.len(), 32);
    sent.iter().for_each(|notify| drop(bench.says(&response(notify, 200, "", ""))));
    bench.ends_empty();
}
