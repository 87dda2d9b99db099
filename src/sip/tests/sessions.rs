//! Session timers (RFC 4028): in both roles, with either side as the refresher, and with peers that know nothing of them.

use super::requests::{Bench, body, dialog_request, line, request, response, statuses, with_to};
use super::*;
use crate::sip::Command;
use crate::sip::SessionTimers;

const TIMER: &str = "Supported: timer\r\n";

fn timers(expires: u64, min: u64) -> Settings {
    let session_timers = SessionTimers { expires: Duration::from_secs(expires), min: Duration::from_secs(min) };
    Settings { session_timers, ..Settings::default() }
}

fn method(text: &str) -> &str {
    text.split(' ').next().unwrap()
}

fn methods(sent: &[String]) -> Vec<&str> {
    sent.iter().map(|text| method(text)).collect()
}

#[test]
fn two_of_us_keep_a_call_for_hours_by_updates_of_one_side() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut pair = Pair::over(transport);
        let (caller, _) = pair.live();
        pair.pass(Duration::from_secs(895));
        assert_eq!(pair.sent("1 UPDATE"), 0);
        pair.pass(Duration::from_secs(3 * 3600));
        assert_eq!(
            (pair.sent("1 UPDATE"), pair.sent("0 200 UPDATE"), pair.sent("0 UPDATE"), pair.sent("1 INVITE")),
            (12, 12, 0, 0)
        );
        assert!(pair.take(0).is_empty() && pair.take(1).is_empty());
        pair.hang_up_and_nothing_left(caller);
    }
}

#[test]
fn when_the_network_dies_each_side_ends_by_its_own_clock() {
    let mut pair = Pair::new();
    let (caller, callee) = pair.live();
    pair.loses = Box::new(|_| true);
    pair.pass(Duration::from_secs(900 + 33));
    assert_eq!(pair.take(1), [Event::Ended { call: callee, cause: Cause::PeerGone }], "its refresh is not answered");
    assert!(pair.take(0).is_empty());
    pair.pass(Duration::from_secs(1768 - 900 - 33));
    assert_eq!(pair.take(0), [Event::Ended { call: caller, cause: Cause::SessionExpired }], "no refresh comes");
    pair.nothing_left();
}

/// An interval too short for the callee is asked for again with a longer one.
#[test]
fn an_interval_too_short_for_the_callee_is_asked_for_again() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut pair = Pair::with(transport, [timers(1800, 90), timers(3600, 3600)]);
        let (caller, _) = pair.live();
        assert_eq!((pair.sent("0 INVITE"), pair.sent("1 422 INVITE"), pair.sent("0 ACK")), (2, 1, 2));
        pair.pass(Duration::from_secs(1790));
        assert_eq!(pair.sent("1 UPDATE"), 0);
        pair.pass(Duration::from_secs(20));
        assert_eq!(pair.sent("1 UPDATE"), 1);
        pair.hang_up_and_nothing_left(caller);
    }
}

#[test]
fn a_reinvite_too_short_is_asked_for_again_too() {
    let mut bench = Bench::new();
    bench.live();
    let call = bench.call();
    let offered = bench.commands(Command::Reoffer { call, sdp: "hold".to_owned() });
    assert_eq!(line(&offered[0], "Session-Expires"), "1800;refresher=uac");
    let sent = bench.says(&response(&offered[0], 422, "Min-SE: 2400\r\n", ""));
    assert_eq!(methods(&sent), ["ACK", "INVITE"]);
    assert_eq!(
        (line(&sent[1], "Session-Expires"), line(&sent[1], "Min-SE")),
        ("2400;refresher=uac".to_owned(), "2400".to_owned())
    );
    assert!(sent[1].ends_with("hold"));
    let sent = bench.says(&response(&sent[1], 422, "Min-SE: 2400\r\n", ""));
    assert_eq!(methods(&sent), ["ACK"], "a peer that never has enough is not asked for ever");
    assert_eq!(bench.told().last(), Some(&Event::ReofferFailed { call, status: 422 }));
    bench.commands(Command::Bye { call, cause: Cause::HungUp });
    bench.ends_empty();
}

/// A caller is refused an interval below ours and told the least.
#[test]
fn a_caller_is_refused_an_interval_below_ours() {
    let mut bench = Bench::new();
    let sent = bench.says(&request("INVITE", 1, &format!("{TIMER}x: 60\r\n"), &body("application/sdp", SDP)));
    assert_eq!((statuses(&sent), line(&sent[0], "Min-SE").as_str()), (vec!["422"], "90"));
    assert!(bench.events.is_empty());
    bench.ends_empty();
}

/// A caller that refreshes and falls silent is hung up on with the reason.
#[test]
fn a_caller_that_refreshes_and_falls_silent_is_hung_up_on() {
    let mut bench = Bench::new();
    let (to, answer) = bench.live_with(&format!("{TIMER}Session-Expires: 600;refresher=uac\r\n"));
    assert_eq!((line(&answer, "Session-Expires").as_str(), line(&answer, "Require").as_str()), ("600;refresher=uac", "timer"));
    assert!(line(&answer, "Supported").contains("timer"));
    let call = bench.call();
    bench.told();
    assert!(bench.seconds(500).is_empty());
    let sent = bench.says(&with_to("UPDATE", 2, &to, &format!("{TIMER}Session-Expires: 600;refresher=uac\r\n"), ""));
    assert_eq!((statuses(&sent), line(&sent[0], "Session-Expires").as_str()), (vec!["200"], "600;refresher=uac"));
    assert!(bench.seconds(500).is_empty());
    bench.says(&with_to(
        "INVITE",
        3,
        &to,
        &format!("{TIMER}Session-Expires: 600;refresher=uac\r\n"),
        &body("application/sdp", SDP),
    ));
    assert_eq!(bench.told(), [Event::Offer { call, sdp: Some(SDP.into()) }]);
    let answer = bench.commands(Command::Answer { call, sdp: SDP.to_owned() });
    assert_eq!(line(&answer[0], "Session-Expires"), "600;refresher=uac");
    bench.says(&dialog_request("ACK", 3, &to, ""));
    bench.told();
    assert!(bench.seconds(567).is_empty());
    let sent = bench.seconds(1);
    assert_eq!((methods(&sent), line(&sent[0], "Reason").as_str()), (vec!["BYE"], "Q.850;cause=102;text=\"session-expired\""));
    assert_eq!(bench.told(), [Event::Ended { call, cause: Cause::SessionExpired }]);
    bench.ends_empty();
}

/// A phone without session timers and update is kept by reinvites that change nothing.
#[test]
fn a_phone_without_session_timers_and_update_is_kept() {
    let mut bench = Bench::new();
    let (_, answer) = bench.live_with("Allow: INVITE, ACK, BYE, CANCEL\r\n");
    assert_eq!(line(&answer, "Session-Expires"), "1800;refresher=uas");
    assert!(!answer.contains("Require:"), "it could not make anything of that");
    let call = bench.call();
    bench.told();
    for round in 0..4 {
        assert!(bench.seconds(899).is_empty(), "{round}");
        let sent = bench.seconds(1);
        assert_eq!(methods(&sent), ["INVITE"]);
        assert_eq!(line(&sent[0], "Session-Expires"), "1800;refresher=uac");
        assert!(sent[0].ends_with(SDP), "the description that was sent last");
        let acked = match round {
            // Another description, a refusal, and none at all: the call goes on.
            1 => bench.says(&response(&sent[0], 200, "", &body("application/sdp", "held"))),
            2 => bench.says(&response(&sent[0], 488, "", "")),
            3 => bench.says(&response(&sent[0], 200, "", "")),
            _ => bench.says(&response(&sent[0], 200, "", &body("application/sdp", SDP))),
        };
        assert_eq!(methods(&acked), ["ACK"]);
        let told = if round == 1 { vec![Event::Refreshed { call, sdp: b"held".to_vec() }] } else { Vec::new() };
        assert_eq!(bench.told(), told, "{round}");
    }
    let sent = bench.seconds(900);
    let sent = bench.says(&response(&sent[0], 481, "", ""));
    assert_eq!(methods(&sent), ["ACK", "BYE"]);
    assert_eq!(bench.told(), [Event::Ended { call, cause: Cause::PeerGone }]);
    bench.ends_empty();
}

/// An update that is refused waits asks for longer or becomes a reinvite.
#[test]
fn an_update_that_is_refused_waits_or_becomes_a_reinvite() {
    let mut bench = Bench::new();
    bench.live_with(&format!("{TIMER}Allow: INVITE, UPDATE\r\nSession-Expires: 600;refresher=uas\r\n"));
    let call = bench.call();
    bench.told();
    let mut sent = bench.seconds(300);
    assert_eq!((methods(&sent), line(&sent[0], "Session-Expires").as_str()), (vec!["UPDATE"], "600;refresher=uac"));
    assert!(line(&sent[0], "Contact").contains("127.0.0.1:5060"));
    assert!(bench.says(&response(&sent[0], 500, "Retry-After: 7\r\n", "")).is_empty());
    assert!(bench.seconds(6).is_empty());
    sent = bench.seconds(1);
    assert!(bench.says(&response(&sent[0], 491, "", "")).is_empty());
    sent = bench.seconds(3);
    sent.dedup();
    assert_eq!(methods(&sent), ["UPDATE"]);
    sent = bench.says(&response(&sent[0], 422, "Min-SE: 900\r\n", ""));
    assert_eq!((methods(&sent), line(&sent[0], "Session-Expires").as_str()), (vec!["UPDATE"], "900;refresher=uac"));
    sent = bench.says(&response(&sent[0], 405, "Allow: INVITE\r\n", ""));
    assert_eq!(methods(&sent), ["INVITE"]);
    sent = bench.says(&response(&sent[0], 200, "Session-Expires: 900;refresher=uas\r\nContact: <sip:b@127.0.0.2>\r\n", ""));
    assert_eq!(methods(&sent), ["ACK"]);
    assert!(bench.seconds(867).is_empty(), "they refresh now");
    sent = bench.seconds(1);
    assert!(sent[0].starts_with("BYE sip:b@127.0.0.2 "));
    assert_eq!(bench.told(), [Event::Ended { call, cause: Cause::SessionExpired }]);
    bench.ends_empty();
}

/// Without a wish of ours a peer's is granted and else nothing is refreshed.
#[test]
fn without_a_wish_of_ours_a_peers_is_granted() {
    let mut bench = Bench::with(timers(0, 90));
    let (_, answer) = bench.live_with(TIMER);
    assert!(!answer.contains("Session-Expires"));
    assert!(bench.seconds(100_000).is_empty());
    let call = bench.call();
    bench.commands(Command::Bye { call, cause: Cause::HungUp });
    bench.ends_empty();
    let mut bench = Bench::with(timers(0, 90));
    let (_, answer) = bench.live_with(&format!("{TIMER}Session-Expires: 7200\r\n"));
    assert_eq!(line(&answer, "Session-Expires"), "7200;refresher=uas");
    assert_eq!(methods(&bench.seconds(3600)), ["INVITE"]);
    bench.says(&dialog_request("BYE", 9, &line(&answer, "To"), ""));
    bench.ends_empty();
}

#[test]
fn a_refresh_waits_for_their_reinvite_and_is_not_lost() {
    let mut bench = Bench::new();
    let to = bench.live();
    let call = bench.call();
    bench.seconds(895);
    bench.says(&dialog_request("INVITE", 2, &to, &body("application/sdp", "hold")));
    assert!(bench.seconds(10).is_empty());
    let sent = bench.commands(Command::Reject { call, cause: Cause::NoCommonCodec, warning: None });
    assert_eq!((sent[0].split(' ').nth(1), method(&sent[1])), (Some("488"), "INVITE"));
    bench.says(&dialog_request("ACK", 2, &to, "").replace("z9hG4bKACK2", "z9hG4bKINVITE2"));
    bench.says(&response(&sent[1], 200, "", &body("application/sdp", SDP)));
    bench.says(&dialog_request("BYE", 9, &to, ""));
    bench.ends_empty();
}

#[test]
fn a_week_of_refreshes_leaves_nothing_behind() {
    let mut pair = Pair::new();
    let (caller, _) = pair.live();
    let held = |pair: &Pair| pair.ends.iter().map(Endpoint::load).collect::<Vec<_>>();
    pair.pass(Duration::from_secs(800));
    let before = held(&pair);
    for _ in 0..7 {
        pair.pass(Duration::from_secs(24 * 3600));
        assert_eq!(held(&pair), before);
        pair.log.clear();
    }
    assert!(pair.take(0).is_empty() && pair.take(1).is_empty());
    pair.hang_up_and_nothing_left(caller);
}
