//! Calls for help (S-10): answered before everything that keeps others out, and without keeping anything.

use super::authentication::{bench, challenges, client, from, identity, signed};
use super::requests::{Bench, body, line, request, statuses};
use super::*;
use crate::sip::{Command, Identity, Limits};

fn dials(number: &str, id: &str) -> String {
    let branch = format!("z9hG4bK{id}x");
    request("INVITE", 1, "", "")
        .replace("INVITE sip:1001@", &format!("INVITE sip:{number}@"))
        .replace("c1", id)
        .replace("z9hG4bK", &branch)
}

/// The same with an offer.
fn dials_with_sound(number: &str, id: &str) -> String {
    let empty = "Content-Length: 0\r\n\r\n";
    dials(number, id).replace(empty, &body("application/sdp", SDP))
}

fn says_from(bench: &mut Bench, address: [u8; 4], text: String) -> Vec<String> {
    let flow = Flow { peer: SocketAddr::from((address, 5060)), ..flow(0, Transport::Udp) };
    bench.endpoint.handle(bench.now, Input::Received { flow, bytes: text.into_bytes() });
    bench.outputs()
}

fn with_target(bench: &mut Bench) {
    let mut settings = bench.endpoint.core.settings.clone();
    settings.emergency.target = Some("sip:112@pbx.example.com".to_owned());
    bench.commands(Command::Reconfigure(Box::new(settings)));
}

/// A stranger's call for help is answered without state and again when it is repeated.
#[test]
fn s10_a_stranger_s_call_for_help_is_answered_without_state() {
    for (target, status) in [(false, "403"), (true, "302")] {
        for number in ["112", "+112", "0112", "9112", "%2B112", "1-1-2", "112#", "112;phone-context=+49"] {
            let mut bench = bench(false);
            if target {
                with_target(&mut bench);
            }
            let sent = bench.says(&dials(number, "h1"));
            assert_eq!(statuses(&sent), [status], "{number}");
            match target {
                true => assert_eq!(line(&sent[0], "Contact"), "<sip:112@pbx.example.com>"),
                false => assert!(line(&sent[0], "Reason").contains("no-emergency-calls")),
            }
            assert!(line(&sent[0], "To").contains(";tag="));
            assert_eq!(bench.says(&dials(number, "h1")), sent, "the same answer, its tag included");
            assert!(bench.endpoint.is_empty() && bench.events.is_empty(), "nothing is kept");
            assert!(bench.says(&dials(number, "h1").replace("INVITE", "ACK")).is_empty(), "its ACK is absorbed");
            assert!(bench.endpoint.is_empty());
        }
    }
    let mut bench = bench(false);
    for urn in ["urn:service:sos", "URN:service:sos.ambulance", "tel:112", "sip:112@no host"] {
        let sent = bench.says(&dials("112", "h1").replace("sip:112@127.0.0.1 SIP", &format!("{urn} SIP")));
        assert_eq!(statuses(&sent), ["403"], "{urn}");
    }
}

#[test]
fn s10_no_limit_keeps_a_call_for_help_from_its_answer() {
    // Over its budget.
    let mut spent = bench(false);
    (0..2000).for_each(|n| drop(spent.says(&request("INVITE", 1, "", "").replace("c1", &format!("c{n}")))));
    assert!(spent.says(&request("INVITE", 1, "", "")).is_empty());
    // A scanner.
    let scanner = dials("112", "h1").replace("\r\nMax-Forwards", "\r\nUser-Agent: friendly-scanner\r\nMax-Forwards");
    // No transaction and no call is free.
    let limits = Limits { transactions: 0, max_calls: 0, ..Limits::default() };
    let full = Bench::with(Settings { limits, ..Settings::default() });
    // Draining.
    let mut draining = bench(true);
    draining.commands(Command::Drain(true));
    for mut bench in [spent, full, draining] {
        for text in [dials("112", "h1"), dials_with_sound("911", "h2"), scanner.clone()] {
            assert_eq!(statuses(&bench.says(&text)), ["403"]);
        }
        for _ in 0..1000 {
            assert_eq!(statuses(&bench.says(&dials("112", "h3"))), ["403"]);
        }
        assert!(bench.endpoint.is_empty() && bench.events.is_empty());
    }
    // What cannot be read as a whole, or wants what there is not.
    let mut bench = bench(true);
    for broken in [
        dials("112", "h1").replace("Content-Length: 0", "Content-Length: 900"),
        dials("112", "h1").replace("CSeq: 1", "CSeq: x"),
        dials_with_sound("112", "h2").replace("Max-Forwards: 70", "Max-Forwards: 70\r\nRequire: nothing"),
        dials_with_sound("112", "h3").replace("Max-Forwards: 70", "Max-Forwards: 70\r\nAccept: text/plain"),
        dials("112", "h4").replace("Content-Length: 0\r\n\r\n", &body("text/plain", "help")),
    ] {
        assert_eq!(statuses(&bench.says(&broken)), ["403"], "{broken}");
    }
    assert!(bench.endpoint.is_empty() && bench.events.is_empty());
}

/// Four known callers at once are told by voice and the rest by status.
#[test]
fn s10_four_known_callers_at_once_are_told_by_voice() {
    let mut bench = bench(false);
    for n in 1..=6 {
        let expected = if n <= 4 { "100" } else { "403" };
        let sent = says_from(&mut bench, [192, 0, 2, 10], dials_with_sound("112", &format!("h{n}")));
        assert_eq!(statuses(&sent), [expected], "{n}");
    }
    assert_eq!(identity(&bench), Some(Identity::Device("lobby".into())));
    assert_eq!(bench.events.len(), 4);
    let Some(Event::Incoming(first)) = bench.events.first() else { panic!("{:?}", bench.events) };
    assert!(first.emergency);
    let call = first.call;
    let sent = bench.commands(Command::Reject { call, cause: Cause::NoEmergencyCalls, warning: None });
    assert_eq!(statuses(&sent), ["403"]);
    let sent = says_from(&mut bench, [192, 0, 2, 20], dials_with_sound("911", "h7"));
    assert_eq!(statuses(&sent), ["100"], "there is room again");
    assert_eq!(statuses(&says_from(&mut bench, [192, 0, 2, 99], dials_with_sound("112", "h8"))), ["403"], "a stranger");
    with_target(&mut bench);
    assert_eq!(statuses(&says_from(&mut bench, [192, 0, 2, 10], dials_with_sound("112", "h9"))), ["302"], "nothing to say");
}

#[test]
fn s10_a_phone_with_an_old_password_reaches_help() {
    let mut bench = bench(false);
    let register =
        |number: u32| from(&request("REGISTER", number, "", ""), "board").replace("z9hG4bK", &format!("z9hG4bK{number}y"));
    let mut answers = Vec::new();
    for number in 1..20 {
        let mut phone = client("board", "old");
        let challenge = bench.says(&register(2 * number));
        if challenge.is_empty() {
            break;
        }
        assert!(challenges(&mut phone, &challenge));
        answers.extend(bench.says(&signed(&mut phone, &register(1), 2 * number + 1)));
    }
    assert_eq!((answers.len(), bench.endpoint.silenced(bench.now).len()), (8, 1));
    assert_eq!(statuses(&bench.says(&from(&dials("112", "h1"), "board"))), ["403"]);
}
