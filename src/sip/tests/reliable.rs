//! Reliable provisional responses (RFC 3262) in both roles, and the early dialogs of forks.

use super::requests::{Bench, body, dialog_request, line, request, response, statuses};
use super::*;
use crate::sip::Command;

const REQUIRED: &str = "Require: 100rel\r\n";

/// A call that requires reliability, ringing; gives our To and the number to acknowledge.
fn ringing(bench: &mut Bench) -> (CallId, String, String) {
    bench.says(&request("INVITE", 1, REQUIRED, &body("application/sdp", SDP)));
    let call = bench.call();
    assert!(matches!(&bench.events[0], Event::Incoming(incoming) if incoming.requires_100rel));
    let sent = bench.commands(Command::Ring { call });
    assert_eq!((statuses(&sent), line(&sent[0], "Require").as_str()), (vec!["180"], "100rel"));
    (call, line(&sent[0], "To"), line(&sent[0], "RSeq"))
}

fn prack(cseq: u32, to: &str, rack: &str) -> String {
    dialog_request("PRACK", cseq, to, &format!("RAck: {rack}\r\nContent-Length: 0\r\n\r\n"))
}

/// A 180 that must arrive is repeated until its prack and the 200 waits for that.
#[test]
fn a_180_that_must_arrive_is_repeated_until_its_prack() {
    let mut bench = Bench::new();
    let (call, to, rseq) = ringing(&mut bench);
    assert!(bench.commands(Command::Ring { call }).is_empty(), "the next one would have to wait, and says nothing new");
    let again: Vec<u32> = (0..80).filter(|_| !bench.pass(Duration::from_millis(100)).is_empty()).collect();
    assert_eq!(again, [4, 14, 34, 74], "after 0.5, 1.5, 3.5 and 7.5 s");
    assert!(bench.commands(Command::Answer { call, sdp: SDP.to_owned() }).is_empty());
    for (cseq, wrong) in
        [(2, format!("{rseq} 2 INVITE")), (3, format!("{rseq}0 1 INVITE")), (4, format!("{rseq} 1 UPDATE")), (5, "x".to_owned())]
    {
        assert_eq!(statuses(&bench.says(&prack(cseq, &to, &wrong))), ["481"], "{wrong}");
    }
    let right = prack(6, &to, &format!("{rseq} 1 INVITE"));
    assert_eq!(statuses(&bench.says(&right)), ["200", "200"]);
    assert_eq!(statuses(&bench.says(&right)), ["200"], "the same PRACK again");
    assert_eq!(statuses(&bench.says(&prack(7, &to, &format!("{rseq} 1 INVITE")))), ["481"], "it is acknowledged");
    bench.says(&dialog_request("ACK", 1, &to, ""));
    assert_eq!(bench.told().last(), Some(&Event::Acked { call, sdp: None }));
    assert!(bench.seconds(60).is_empty());
    bench.says(&dialog_request("BYE", 9, &to, ""));
    bench.ends_empty();
}

#[test]
fn a_180_that_is_never_acknowledged_ends_in_504() {
    let mut bench = Bench::new();
    let (call, ..) = ringing(&mut bench);
    bench.commands(Command::Answer { call, sdp: SDP.to_owned() });
    bench.told();
    bench.pass(Duration::from_millis(31_900));
    assert!(bench.told().is_empty());
    let sent = bench.pass(Duration::from_millis(200));
    assert_eq!((statuses(&sent), line(&sent[0], "Reason").contains("Q.850")), (vec!["504"], true));
    assert_eq!(bench.told(), [Event::Ended { call, cause: Cause::NoAck }]);
    bench.ends_empty();
}

/// A caller that gives up or is refused before its prack leaves nothing.
#[test]
fn a_caller_that_gives_up_before_its_prack_leaves_nothing() {
    for cancels in [true, false] {
        let mut bench = Bench::new();
        let (call, to, rseq) = ringing(&mut bench);
        let sent = if cancels {
            bench.says(&request("CANCEL", 1, "", "").replace("z9hG4bKCANCEL1", "z9hG4bKINVITE1"))
        } else {
            bench.commands(Command::Reject { call, cause: Cause::Busy, warning: None })
        };
        assert_eq!(statuses(&sent).last(), Some(if cancels { &"487" } else { &"503" }));
        assert_eq!(statuses(&bench.says(&prack(2, &to, &format!("{rseq} 1 INVITE")))), ["481"]);
        bench.ends_empty();
    }
}

#[test]
fn an_offer_in_a_prack_is_refused_and_the_prack_counts() {
    let mut bench = Bench::new();
    let (call, to, rseq) = ringing(&mut bench);
    bench.commands(Command::Answer { call, sdp: SDP.to_owned() });
    let offer = dialog_request("PRACK", 2, &to, &format!("RAck: {rseq} 1 INVITE\r\n{}", body("application/sdp", SDP)));
    assert_eq!(statuses(&bench.says(&offer)), ["488", "200"]);
    bench.says(&dialog_request("ACK", 1, &to, ""));
    bench.says(&dialog_request("BYE", 9, &to, ""));
    bench.ends_empty();
}

/// A plain 180 is for those who can and need not and none where our offer would have to be in it.
#[test]
fn a_plain_180_is_for_those_who_can_and_need_not() {
    let mut bench = Bench::new();
    bench.says(&request("INVITE", 1, "Supported: 100rel\r\n", &body("application/sdp", SDP)));
    let call = bench.call();
    let sent = bench.commands(Command::Ring { call });
    assert_eq!((statuses(&sent), sent[0].contains("RSeq")), (vec!["180"], false));
    bench.commands(Command::Reject { call, cause: Cause::Busy, warning: None });
    bench.ends_empty();
    let mut bench = Bench::new();
    bench.says(&request("INVITE", 1, REQUIRED, ""));
    let call = bench.call();
    assert!(bench.commands(Command::Ring { call }).is_empty());
    let sent = bench.commands(Command::Answer { call, sdp: SDP.to_owned() });
    assert_eq!(statuses(&sent), ["200"]);
    bench.says(&dialog_request("BYE", 9, &line(&sent[0], "To"), ""));
    bench.ends_empty();
}

// === we call ===

/// Our INVITE.
fn calling(bench: &mut Bench) -> (CallId, String) {
    let call = bench.ids.call();
    let (uri, from, display) = ("sip:1001@127.0.0.2".to_owned(), "sip:phone@127.0.0.1".to_owned(), String::new());
    let (target, transport, sdp) = (address(1), Transport::Udp, SDP.to_owned());
    bench.commands(Command::Invite { call, target, transport, uri, from, display, sdp });
    let token = bench.connects.pop().expect("a flow is asked for");
    bench.endpoint.handle(bench.now, Input::Connected { token, flow: flow(0, Transport::Udp) });
    let invite = bench.outputs().remove(0);
    assert_eq!(line(&invite, "Supported"), "timer, 100rel, replaces, norefersub");
    (call, invite)
}

fn tagged(invite: &str, tag: &str, status: u16, extra: &str, rest: &str) -> String {
    let to = line(invite, "To");
    let extra = format!("Contact: <sip:{tag}@127.0.0.2:5060>\r\n{extra}");
    response(invite, status, &extra, rest).replace(&format!("To: {to}"), &format!("To: {to};tag={tag}"))
}

/// The ladder has each message at the time at which it left, also what is sent in answer to another message.
#[test]
fn o5_the_ladder_has_our_ack_and_bye_at_their_own_times() {
    let mut bench = Bench::new();
    let (call, invite) = calling(&mut bench);
    bench.seconds(1);
    bench.says(&tagged(&invite, "b", 200, "", &body("application/sdp", SDP)));
    let at = |bench: &Bench| {
        let last = bench.endpoint.ladder(call).pop().expect("a message");
        (last.summary, last.at)
    };
    assert_eq!(at(&bench), ("ACK (1)".to_owned(), Duration::from_secs(1)));
    bench.seconds(3);
    bench.commands(Command::Bye { call, cause: Cause::HungUp });
    assert_eq!(at(&bench), ("BYE (2)".to_owned(), Duration::from_secs(4)));
}

fn reliably(invite: &str, tag: &str, rseq: u32, rest: &str) -> String {
    tagged(invite, tag, 183, &format!("Require: 100rel\r\nRSeq: {rseq}\r\n"), rest)
}

#[test]
fn reliable_responses_are_acknowledged_once_and_in_order() {
    let mut bench = Bench::new();
    let (call, invite) = calling(&mut bench);
    let first = reliably(&invite, "a", 7, &body("application/sdp", "early"));
    let sent = bench.says(&first);
    assert!(sent[0].starts_with("PRACK sip:a@127.0.0.2:5060 "));
    assert_eq!((line(&sent[0], "RAck").as_str(), line(&sent[0], "CSeq").as_str()), ("7 1 INVITE", "2 PRACK"));
    assert!(line(&sent[0], "To").ends_with(";tag=a"));
    bench.says(&response(&sent[0], 200, "", ""));
    assert_eq!(bench.told(), [Event::Ringing { call, status: 183 }]);
    assert!(bench.says(&first).is_empty() && bench.says(&reliably(&invite, "a", 9, "")).is_empty());
    assert!(bench.told().is_empty(), "twice, and before its turn");
    let sent = bench.says(&reliably(&invite, "a", 8, &body("application/sdp", "not the answer")));
    assert_eq!((line(&sent[0], "RAck").as_str(), line(&sent[0], "CSeq").as_str()), ("8 1 INVITE", "3 PRACK"));
    let sent = bench.says(&tagged(&invite, "a", 200, "", &body("application/sdp", "not the answer either")));
    assert!(sent[0].starts_with("ACK sip:a@127.0.0.2:5060 "));
    assert_eq!(bench.told().last(), Some(&Event::Answered { call, sdp: b"early".to_vec() }));
    let sent = bench.commands(Command::Bye { call, cause: Cause::HungUp });
    assert_eq!(line(&sent[0], "CSeq"), "4 BYE");
    bench.ends_empty();
}

/// Each branch of a fork has its own dialog and the second answer is thanked and hung up on.
#[test]
fn each_branch_of_a_fork_has_its_own_dialog() {
    let mut bench = Bench::new();
    let (call, invite) = calling(&mut bench);
    for (tag, rseq) in [("a", 1), ("b", 100)] {
        let sent = bench.says(&reliably(&invite, tag, rseq, &body("application/sdp", tag)));
        assert_eq!((line(&sent[0], "RAck"), line(&sent[0], "CSeq").as_str()), (format!("{rseq} 1 INVITE"), "2 PRACK"));
    }
    bench.says(&tagged(&invite, "c", 180, "", &body("application/sdp", "only a preview")));
    let sent = bench.says(&tagged(&invite, "b", 200, "", ""));
    assert!(sent[0].starts_with("ACK sip:b@") && sent.len() == 1);
    assert_eq!(bench.told().last(), Some(&Event::Answered { call, sdp: b"b".to_vec() }));
    let late = tagged(&invite, "a", 200, "", &body("application/sdp", "a"));
    let sent = bench.says(&late);
    assert!(sent[0].starts_with("ACK sip:a@") && sent[1].starts_with("BYE sip:a@"));
    assert_eq!(line(&sent[1], "CSeq"), "3 BYE", "after the PRACK of that branch");
    let sent = bench.says(&late);
    assert!(sent[0].starts_with("ACK sip:a@") && sent.len() == 1, "thanked again, hung up on once");
    let sent = bench.says(&tagged(&invite, "b", 200, "", ""));
    assert!(sent[0].starts_with("ACK sip:b@") && sent.len() == 1);
    assert!(bench.told().is_empty());
    bench.commands(Command::Bye { call, cause: Cause::HungUp });
    bench.ends_empty();
}

#[test]
fn somebody_we_call_may_move_before_the_answer_but_not_offer() {
    let mut bench = Bench::new();
    let (call, invite) = calling(&mut bench);
    bench.says(&tagged(&invite, "a", 180, "", ""));
    let update = |cseq: u32, tag: &str, rest: &str| {
        let (from, to) = (format!("{};tag={tag}", line(&invite, "To")), line(&invite, "From"));
        let (call_id, rest) = (line(&invite, "Call-ID"), if rest.is_empty() { "Content-Length: 0\r\n\r\n" } else { rest });
        format!(
            "UPDATE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKu{tag}{cseq}\r\nFrom: {from}\r\nTo: {to}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} UPDATE\r\nContact: <sip:moved@127.0.0.2:5060>\r\n{rest}"
        )
    };
    assert_eq!(statuses(&bench.says(&update(1, "a", &body("application/sdp", "theirs")))), ["491"], "ours has no answer");
    assert_eq!(statuses(&bench.says(&update(2, "a", ""))), ["200"]);
    assert_eq!(statuses(&bench.says(&update(2, "z", ""))), ["481"]);
    assert_eq!(statuses(&bench.says(&update(1, "a", "").replace("z9hG4bKu", "z9hG4bKlate"))), ["500"]);
    let sent = bench.says(&reliably(&invite, "a", 1, &body("application/sdp", "answer")));
    assert!(sent[0].starts_with("PRACK sip:moved@127.0.0.2:5060 "));
    assert_eq!(statuses(&bench.says(&update(3, "a", &body("application/sdp", "theirs")))), ["488"]);
    assert_eq!(statuses(&bench.says(&update(4, "a", "").replace("UPDATE", "BYE"))), ["481"]);
    bench.commands(Command::Cancel { call });
    bench.says(&tagged(&invite, "a", 487, "", ""));
    assert!(matches!(bench.told().last(), Some(Event::Failed { cause: Cause::Cancelled, .. })));
    bench.ends_empty();
}

#[test]
fn a_fork_of_many_branches_does_not_grow_without_bound() {
    let mut bench = Bench::new();
    let (call, invite) = calling(&mut bench);
    let pracks = (0..50).filter(|n| !bench.says(&reliably(&invite, &format!("t{n}"), 1, "")).is_empty()).count();
    assert_eq!((pracks, bench.told().len(), bench.endpoint.sessions.get(call).unwrap().branches()), (8, 50, 8));
    bench.says(&tagged(&invite, "t40", 200, "", &body("application/sdp", SDP)));
    assert!(matches!(bench.told().last(), Some(Event::Answered { .. })));
    bench.commands(Command::Bye { call, cause: Cause::HungUp });
    bench.ends_empty();
}
