//! UPDATE (RFC 3311): with and without an offer, before and after the answer, and against offers of ours.

use super::requests::{Bench, body, dialog_request, line, request, response, statuses, with_to};
use super::*;
use crate::sip::Command;

/// An update with an offer goes to the owner and is answered without ack.
#[test]
fn an_update_with_an_offer_goes_to_the_owner_and_is_answered() {
    let mut bench = Bench::new();
    let to = bench.live();
    let call = bench.call();
    bench.told();
    let update = dialog_request("UPDATE", 2, &to, &body("application/sdp", "hold"));
    assert!(bench.says(&update).is_empty());
    assert_eq!(bench.told(), [Event::Offer { call, sdp: Some(b"hold".to_vec()) }]);
    assert!(bench.says(&update).is_empty(), "again, while its owner thinks");
    assert!(bench.seconds(40).is_empty() && bench.told().is_empty());
    let sent = bench.says(&dialog_request("UPDATE", 3, &to, &body("application/sdp", "more")));
    assert_eq!((statuses(&sent), sent[0].contains("\r\nRetry-After: ")), (vec!["500"], true));
    let sent = bench.says(&dialog_request("UPDATE", 4, &to, ""));
    assert_eq!(statuses(&sent), ["500"], "one at a time");
    let sent = bench.commands(Command::Answer { call, sdp: "held".to_owned() });
    assert_eq!(statuses(&sent), ["200"]);
    assert!(sent[0].ends_with("held") && line(&sent[0], "CSeq") == "2 UPDATE" && line(&sent[0], "Contact").contains("127.0.0.1"));
    assert_eq!(bench.says(&update), sent, "the same again");
    assert!(bench.seconds(100).is_empty(), "nothing waits for an ACK");
    bench.says(&dialog_request("UPDATE", 5, &to, &body("application/sdp", "bad")));
    assert_eq!(statuses(&bench.commands(Command::Reject { call, cause: Cause::NoCommonCodec, warning: None })), ["488"]);
    assert_eq!(statuses(&bench.says(&dialog_request("UPDATE", 6, &to, &body("text/plain", "x")))), ["415"]);
    assert_eq!(statuses(&bench.says(&with_to("UPDATE", 7, &to, "Record: on\r\n", ""))), ["403"]);
    bench.says(&dialog_request("BYE", 9, &to, ""));
    bench.ends_empty();
}

/// An update without an offer moves the target and changes nothing else.
#[test]
fn an_update_without_an_offer_moves_the_target() {
    let mut bench = Bench::new();
    let to = bench.live();
    let call = bench.call();
    bench.told();
    let moved = dialog_request("UPDATE", 2, &to, "").replace("<sip:a@127.0.0.2:5060>", "<sip:moved@127.0.0.2:5060>");
    let sent = bench.says(&moved);
    assert_eq!(statuses(&sent), ["200"]);
    assert!(line(&sent[0], "Allow").contains("UPDATE") && !sent[0].contains("application/sdp\r\n\r\n"));
    assert!(bench.told().is_empty());
    let sent = bench.commands(Command::Bye { call, cause: Cause::HungUp });
    assert!(sent[0].starts_with("BYE sip:moved@127.0.0.2:5060 "));
    bench.ends_empty();
}

/// Offers that cross ours are refused 491, and those before the answer 500.
#[test]
fn offers_that_cross_ours_are_refused_491() {
    let mut bench = Bench::new();
    let to = bench.live();
    let call = bench.call();
    let ours = bench.commands(Command::Reoffer { call, sdp: "ours".to_owned() }).remove(0);
    let sent = bench.says(&dialog_request("UPDATE", 2, &to, &body("application/sdp", "theirs")));
    assert_eq!(statuses(&sent), ["491"]);
    assert_eq!(statuses(&bench.says(&dialog_request("UPDATE", 3, &to, ""))), ["200"], "a refresh crosses nothing");
    bench.says(&response(&ours, 200, "", &body("application/sdp", "theirs")));
    assert_eq!(bench.told().last(), Some(&Event::Answered { call, sdp: b"theirs".to_vec() }));
    bench.says(&dialog_request("BYE", 9, &to, ""));
    bench.ends_empty();

    let mut bench = Bench::new();
    bench.says(&request("INVITE", 1, "", &body("application/sdp", SDP)));
    let call = bench.call();
    let ringing = bench.commands(Command::Ring { call });
    let to = line(&ringing[0], "To");
    let sent = bench.says(&dialog_request("UPDATE", 2, &to, &body("application/sdp", "early")));
    assert_eq!((statuses(&sent), sent[0].contains("\r\nRetry-After: ")), (vec!["500"], true));
    let sent = bench.says(&dialog_request("UPDATE", 3, &to, ""));
    assert_eq!((statuses(&sent), sent[0].contains("Session-Expires")), (vec!["200"], false));
    assert_eq!(statuses(&bench.commands(Command::Answer { call, sdp: SDP.to_owned() })), ["200"]);
    bench.says(&dialog_request("ACK", 1, &to, ""));
    bench.says(&dialog_request("BYE", 9, &to, ""));
    bench.ends_empty();

    let mut bench = Bench::new();
    bench.says(&request("INVITE", 1, "", ""));
    let call = bench.call();
    let offered = bench.commands(Command::Answer { call, sdp: SDP.to_owned() });
    let to = line(&offered[0], "To");
    let sent = bench.says(&dialog_request("UPDATE", 2, &to, &body("application/sdp", "theirs")));
    assert_eq!(statuses(&sent), ["491"], "our offer has no answer yet");
    bench.says(&dialog_request("ACK", 1, &to, &body("application/sdp", "answer")));
    bench.says(&dialog_request("BYE", 9, &to, ""));
    bench.ends_empty();
}

#[test]
fn an_update_that_its_owner_never_answers_ends_with_the_call() {
    let mut bench = Bench::new();
    let to = bench.live();
    bench.says(&dialog_request("UPDATE", 2, &to, &body("application/sdp", "hold")));
    let sent = bench.says(&dialog_request("BYE", 3, &to, ""));
    assert_eq!(statuses(&sent), ["200", "487"]);
    bench.ends_empty();
}
