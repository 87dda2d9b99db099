//! Where requests inside a dialog go, and who may act in one (S-7, M-1).

use std::collections::HashMap;

use super::requests::{Bench, dialog_request, line, request, response, statuses, with_to};
use super::*;
use crate::sip::auth::{Account, Accounts, Algorithm, Client, Credentials};
use crate::sip::{Command, Identity, Known};

const REALM: &str = "roomgate";
/// A trunk and another address of it, a device known by its address, and one that has a password.
const TRUNK: [u8; 4] = [192, 0, 2, 20];
const TRUNK_TOO: [u8; 4] = [192, 0, 2, 21];
const PASSWORD: [u8; 4] = [192, 0, 2, 30];
const STRANGER: [u8; 4] = [198, 51, 100, 9];
/// Ours.
const HERE: [u8; 4] = [192, 0, 2, 1];

fn bench() -> Bench {
    let users = HashMap::from([("board".to_owned(), Account::new("board-room", "board", REALM, "sesame"))]);
    let trunk = || Identity::Trunk("pbx".into());
    let addresses = vec![("192.0.2.20".parse().unwrap(), trunk()), ("192.0.2.21".parse().unwrap(), trunk())];
    let accounts = Accounts { realm: REALM.to_owned(), algorithms: Algorithm::ALL.into(), users, secret: [9; 32] };
    let certificates = HashMap::from([("room.example".to_owned(), Identity::Device("room".into()))]);
    let allowed = vec!["198.51.100.0/24".parse().unwrap()];
    let known = Known { addresses, certificates, allowed, accounts, ..Known::default() };
    Bench::with(Settings { known, own: vec![HERE.into(), [10, 77, 0, 1].into()], ..Settings::default() })
}

fn by(transport: Transport, peer: [u8; 4], port: u16) -> Flow {
    let connection = transport.is_reliable().then_some(ConnectionId(u64::from(port)));
    Flow { transport, listener: 0, connection, local: (HERE, 5060).into(), peer: (peer, port).into() }
}

/// What comes out of it: the way of each message, and connections that are asked for.
fn hears(bench: &mut Bench, flow: Flow, text: &str) -> Vec<(Flow, String)> {
    // Nobody here is behind NAT.
    let text = text.replace("127.0.0.2:5060;branch", &format!("{};branch", flow.peer));
    bench.endpoint.handle(bench.now, Input::Received { flow, bytes: text.into_bytes() });
    leaves(bench)
}

fn leaves(bench: &mut Bench) -> Vec<(Flow, String)> {
    let mut sent = Vec::new();
    while let Some(output) = bench.endpoint.poll() {
        match output {
            Output::Transmit { flow, bytes } => sent.push((flow, String::from_utf8(bytes).unwrap())),
            Output::Connect { peer, transport, .. } => {
                sent.push((Flow { peer, ..by(transport, STRANGER, 1) }, "connect".to_owned()))
            }
            Output::Event(event) => bench.events.push(event),
            _ => {}
        }
    }
    sent
}

fn said(sent: &[(Flow, String)]) -> Vec<String> {
    let texts: Vec<String> = sent.iter().map(|(_, text)| text.clone()).collect();
    statuses(&texts).into_iter().map(str::to_owned).collect()
}

/// An INVITE from there, answered and acknowledged; gives our To with its tag.
fn live(bench: &mut Bench, flow: Flow, extra: &str) -> String {
    let invite = request("INVITE", 1, extra, "");
    let invite = match extra.contains("Contact:") {
        true => invite.replace("Contact: <sip:a@127.0.0.2:5060>\r\n", ""),
        false => invite,
    };
    hears(bench, flow, &invite);
    let Some(Event::Incoming(incoming)) = bench.events.last() else { panic!("no call: {:?}", bench.events) };
    let call = incoming.call;
    bench.endpoint.handle(bench.now, Input::Command(Command::Answer { call, sdp: SDP.to_owned() }));
    let to = line(&leaves(bench)[0].1, "To");
    hears(bench, flow, &dialog_request("ACK", 1, &to, ""));
    assert!(matches!(bench.events.last(), Some(Event::Acked { .. })), "{:?}", bench.events);
    bench.events.clear();
    bench.events.push(Event::Trying { call });
    to
}

fn hangs_up(bench: &mut Bench) -> (Flow, String) {
    let call = bench.call();
    bench.endpoint.handle(bench.now, Input::Command(Command::Bye { call, cause: Cause::Left }));
    leaves(bench).remove(0)
}

#[test]
fn s7_a_contact_that_names_somebody_else_is_not_followed() {
    for contact in [
        "127.0.0.1:6379",
        "127.0.0.1:6379;transport=tcp",
        "10.1.1.1",
        "[::1]:22;transport=tcp",
        "169.254.169.254:80;transport=tcp",
        "224.0.0.1",
        "203.0.113.5",
        "192.0.2.1:5060",
        "10.77.0.1:8080;transport=tcp",
        "198.51.100.9:6379;transport=tcp",
        "x.example",
    ] {
        for header in [format!("Contact: <sip:a@{contact}>\r\n"), format!("Record-Route: <sip:{contact};lr>\r\n")] {
            let (mut bench, flow) = (bench(), by(Transport::Udp, STRANGER, 5080));
            live(&mut bench, flow, &header);
            let (out, bye) = hangs_up(&mut bench);
            assert!(bye.starts_with("BYE "), "{header}: {bye}");
            assert_eq!((out.peer, out.transport, out.connection), (flow.peer, Transport::Udp, None), "{header}");
        }
    }
}

/// A configured trunk may name another place once it has answered but never an inward one.
#[test]
fn s7_a_configured_trunk_may_name_another_place() {
    let flow = by(Transport::Udp, TRUNK, 5060);
    for (contact, goes) in
        [("203.0.113.5:5070", "203.0.113.5:5070"), ("127.0.0.1:6379", "192.0.2.20:5060"), ("10.77.0.1:5060", "192.0.2.20:5060")]
    {
        let mut bench = bench();
        live(&mut bench, flow, &format!("Contact: <sip:a@{contact}>\r\n"));
        assert_eq!(hangs_up(&mut bench).0.peer, goes.parse::<SocketAddr>().unwrap(), "{contact}");
    }
    // Its name alone, in a datagram that anybody may have sent, makes us write to nobody.
    let mut bench = bench();
    hears(&mut bench, flow, &request("INVITE", 1, "", "").replace("<sip:a@127.0.0.2:5060>", "<sip:a@203.0.113.5>"));
    let call = bench.call();
    bench.endpoint.handle(bench.now, Input::Command(Command::Answer { call, sdp: SDP.to_owned() }));
    leaves(&mut bench);
    let end = bench.now + Duration::from_secs(60);
    while let Some(at) = bench.endpoint.deadline().filter(|at| *at < end) {
        bench.endpoint.wake(at);
        assert!(leaves(&mut bench).iter().all(|(out, _)| out.peer == flow.peer));
    }
}

/// A connection that is gone is made anew to its source alone.
#[test]
fn s7_a_connection_that_is_gone_is_made_anew_to_its_source() {
    for (peer, goes) in [(STRANGER, "198.51.100.9:50000"), (TRUNK, "192.0.2.20:5070")] {
        let (mut bench, flow) = (bench(), by(Transport::Tcp, peer, 50_000));
        let there = IpAddr::from(peer);
        live(&mut bench, flow, &format!("Contact: <sip:a@{there}:5070;transport=tcp>\r\n"));
        bench.endpoint.handle(bench.now, Input::FlowClosed(ConnectionId(50_000)));
        let (out, what) = hangs_up(&mut bench);
        assert_eq!((what.as_str(), out.peer, out.transport), ("connect", goes.parse::<SocketAddr>().unwrap(), Transport::Tcp));
    }
}

/// Each request that could move, change or end a call.
fn attempts(to: &str) -> Vec<String> {
    let methods = ["BYE", "INVITE", "UPDATE", "INFO", "MESSAGE", "REFER", "OPTIONS", "SUBSCRIBE", "PRACK"];
    (2..).zip(methods).map(|(number, method)| with_to(method, number, to, "", "")).collect()
}

#[test]
fn s7_nobody_elsewhere_acts_in_a_call_by_knowing_its_tags() {
    for peer in [STRANGER, TRUNK] {
        let mut bench = bench();
        let to = live(&mut bench, by(Transport::Udp, peer, 5080), "Contact: <sip:a@203.0.113.77>\r\n");
        for attempt in attempts(&to) {
            let sent = hears(&mut bench, by(Transport::Udp, [198, 51, 100, 66], 5080), &attempt);
            assert_eq!(said(&sent), ["481"], "{attempt}");
        }
        assert_eq!(bench.told().len(), 1, "its owner hears of none of them");
    }
    // Where it came from it may act from another port, and a trunk from another address of its entry.
    let mut bench = bench();
    let to = live(&mut bench, by(Transport::Udp, STRANGER, 5080), "");
    assert_eq!(said(&hears(&mut bench, by(Transport::Udp, STRANGER, 5099), &with_to("OPTIONS", 2, &to, "", ""))), ["200"]);
    let mut bench = self::bench();
    let to = live(&mut bench, by(Transport::Udp, TRUNK, 5060), "");
    assert_eq!(said(&hears(&mut bench, by(Transport::Udp, TRUNK_TOO, 5060), &with_to("BYE", 2, &to, "", ""))), ["200"]);
}

/// A call by certificate is touched by that certificate alone.
#[test]
fn s7_a_call_by_certificate_is_touched_by_that_certificate() {
    let mut bench = bench();
    let (flow, again) = (by(Transport::Tls, STRANGER, 50_000), by(Transport::Tls, STRANGER, 50_001));
    let names = vec!["room.example".to_owned()];
    bench.endpoint.handle(bench.now, Input::Opened { flow, names: names.clone() });
    let to = live(&mut bench, flow, "");
    let others =
        [by(Transport::Udp, STRANGER, 5060), by(Transport::Udp, STRANGER, 50_000), by(Transport::Tcp, STRANGER, 50_009), again];
    for other in others {
        for attempt in attempts(&to) {
            assert_eq!(said(&hears(&mut bench, other, &attempt)), ["481"], "{other:?}: {attempt}");
        }
    }
    bench.endpoint.handle(bench.now, Input::Opened { flow: again, names });
    assert_eq!(said(&hears(&mut bench, again, &with_to("BYE", 20, &to, "", ""))), ["200"]);
}

/// A call by password is asked for it again from anywhere else.
#[test]
fn s7_a_call_by_password_is_asked_for_it_again_from_elsewhere() {
    let mut bench = bench();
    let mut phone = Client::new(Credentials { user: "board".to_owned(), password: "sesame".to_owned().into(), realm: None });
    let mut sign = |text: &str, challenge: Option<&str>| {
        let limits = crate::sip::WireLimits::default();
        if let Some(challenge) = challenge
            && let Ok(Message::Response(response)) = Message::parse(challenge.as_bytes(), &limits)
        {
            // What it proved before was taken.
            phone.accepted();
            assert!(phone.challenged(&response));
        }
        let Ok(Message::Request(mut request)) = Message::parse(text.as_bytes(), &limits) else { panic!("no request") };
        phone.sign(&mut request, "c0ffee");
        String::from_utf8(request.to_bytes()).unwrap()
    };
    let flow = by(Transport::Udp, PASSWORD, 5060);
    let invite = request("INVITE", 1, "", "").replace("From: <sip:a@", "From: <sip:board@");
    let asked = hears(&mut bench, flow, &invite);
    let signed = sign(&invite.replace("z9hG4bK", "z9hG4bKagain"), Some(&asked[0].1));
    hears(&mut bench, flow, &signed);
    let call = bench.call();
    bench.endpoint.handle(bench.now, Input::Command(Command::Answer { call, sdp: SDP.to_owned() }));
    let to = line(&leaves(&mut bench)[0].1, "To");
    let inside = |method: &str, number: u32| with_to(method, number, &to, "", "").replace("From: <sip:a@", "From: <sip:board@");
    hears(&mut bench, flow, &inside("ACK", 1));
    bench.told();

    let moved = by(Transport::Udp, [203, 0, 113, 30], 5060);
    for elsewhere in [by(Transport::Udp, PASSWORD, 5061), moved] {
        for attempt in attempts(&to).iter().map(|attempt| attempt.replace("From: <sip:a@", "From: <sip:board@")) {
            assert_eq!(said(&hears(&mut bench, elsewhere, &attempt)), ["401"], "{attempt}");
        }
    }
    assert!(bench.told().is_empty());
    let asked = hears(&mut bench, moved, &inside("BYE", 20));
    let bye = sign(&inside("BYE", 21), Some(&asked[0].1));
    assert_eq!(said(&hears(&mut bench, moved, &bye)), ["200"], "the phone itself has moved");
    assert!(matches!(bench.told()[..], [Event::Ended { .. }]));
}

/// Sends a request, and once more with the password that it is asked for; what is answered to that.
fn proves(bench: &mut Bench, flow: Flow, text: &str) -> Vec<(Flow, String)> {
    let limits = crate::sip::WireLimits::default();
    let mut phone = Client::new(Credentials { user: "board".to_owned(), password: "sesame".to_owned().into(), realm: None });
    let asked = hears(bench, flow, text);
    let Ok(Message::Response(response)) = Message::parse(asked[0].1.as_bytes(), &limits) else { panic!("{asked:?}") };
    assert!(phone.challenged(&response));
    let again = text.replace("z9hG4bK", "z9hG4bKagain");
    let Ok(Message::Request(mut request)) = Message::parse(again.as_bytes(), &limits) else { panic!("no request") };
    phone.sign(&mut request, "c0ffee");
    hears(bench, flow, &String::from_utf8(request.to_bytes()).unwrap())
}

/// A subscription proven by a password is asked for it again from anywhere else.
#[test]
fn s7_a_subscription_by_password_moves_with_the_password_alone() {
    let mut bench = bench();
    let flow = by(Transport::Udp, PASSWORD, 5060);
    let wish = |expires: u32| format!("Event: presence\r\nExpires: {expires}\r\n");
    let named = |text: String| text.replace("From: <sip:a@", "From: <sip:board@");
    let sent = proves(&mut bench, flow, &named(request("SUBSCRIBE", 1, &wish(600), "")));
    assert_eq!(said(&sent[..1]), ["200"]);
    let to = line(&sent[0].1, "To");
    let inside = |number: u32, expires: u32| named(with_to("SUBSCRIBE", number, &to, &wish(expires), ""));
    for elsewhere in [by(Transport::Udp, PASSWORD, 5061), by(Transport::Udp, STRANGER, 5060)] {
        assert_eq!(said(&hears(&mut bench, elsewhere, &inside(5, 0))), ["401"], "{elsewhere:?}");
    }
    assert_eq!(said(&hears(&mut bench, flow, &inside(6, 600))[..1]), ["200"]);
    let moved = proves(&mut bench, by(Transport::Udp, PASSWORD, 5061), &inside(7, 600));
    assert_eq!(said(&moved[..1]), ["200"], "the phone itself has moved");
    // One of somebody else stays at its address.
    let sent = hears(
        &mut bench,
        by(Transport::Tcp, STRANGER, 50_000),
        &request("SUBSCRIBE", 1, &wish(600), "").replace("Call-ID: c1", "Call-ID: c2"),
    );
    let foreign = with_to("SUBSCRIBE", 5, &line(&sent[0].1, "To"), &wish(0), "").replace("Call-ID: c1", "Call-ID: c2");
    assert_eq!(said(&hears(&mut bench, by(Transport::Tcp, TRUNK, 50_001), &foreign)), ["481"]);
}

/// A CANCEL of a call proven by a password comes from its very place: it cannot be asked for the password.
#[test]
fn s7_a_call_by_password_is_cancelled_from_its_place_alone() {
    let mut bench = bench();
    let flow = by(Transport::Udp, PASSWORD, 5060);
    let named = |text: String| text.replace("From: <sip:a@", "From: <sip:board@");
    assert_eq!(said(&proves(&mut bench, flow, &named(request("INVITE", 1, "", "")))), ["100"]);
    let cancel = named(request("CANCEL", 1, "", "")).replace("z9hG4bKCANCEL", "z9hG4bKagainINVITE");
    let cancel = cancel.replace("127.0.0.2:5060;branch", &format!("{};branch", flow.peer));
    assert_eq!(said(&hears(&mut bench, by(Transport::Udp, PASSWORD, 5061), &cancel)), ["481"]);
    assert_eq!(said(&hears(&mut bench, flow, &cancel)), ["200", "487"]);
}

#[test]
fn s7_a_cancel_and_a_response_come_from_where_the_call_is() {
    let mut bench = bench();
    let flow = by(Transport::Udp, STRANGER, 5080);
    hears(&mut bench, flow, &request("INVITE", 1, "", ""));
    let elsewhere = by(Transport::Udp, [198, 51, 100, 66], 5080);
    // Its sent-by and branch are those of the INVITE, as they have to be.
    let cancel = request("CANCEL", 1, "", "").replace("z9hG4bKCANCEL", "z9hG4bKINVITE");
    let cancel = cancel.replace("127.0.0.2:5060;branch", &format!("{};branch", flow.peer));
    assert_eq!(said(&hears(&mut bench, elsewhere, &cancel)), ["481"]);
    assert_eq!(said(&hears(&mut bench, flow, &cancel)), ["200", "487"], "and was not in the way of this one");

    let mut bench = self::bench();
    live(&mut bench, flow, "");
    let (_, bye) = hangs_up(&mut bench);
    hears(&mut bench, elsewhere, &response(&bye, 200, "", ""));
    assert!(!bench.endpoint.is_at_rest(), "somebody else's 200");
    hears(&mut bench, flow, &response(&bye, 200, "", ""));
    assert!(bench.endpoint.is_at_rest());
}

/// A CANCEL is judged by the INVITE that it means, also where it names a dialog of its sender's own.
#[test]
fn s7_nobody_cancels_anothers_call_through_one_of_its_own() {
    let mut bench = bench();
    let (flow, elsewhere) = (by(Transport::Udp, STRANGER, 5080), by(Transport::Udp, [198, 51, 100, 66], 5080));
    let to = live(&mut bench, elsewhere, "");
    let theirs = |text: String| text.replace("Call-ID: c1", "Call-ID: c2").replace("z9hG4bKINVITE", "z9hG4bKtheirs");
    assert_eq!(said(&hears(&mut bench, flow, &theirs(request("INVITE", 1, "", "")))), ["100"]);
    let cancel = with_to("CANCEL", 1, &to, "", "").replace("z9hG4bKCANCEL", "z9hG4bKtheirs");
    let cancel = cancel.replace("127.0.0.2:5060;branch", &format!("{};branch", flow.peer));
    assert_eq!(said(&hears(&mut bench, elsewhere, &cancel)), ["481"]);
    assert_eq!(said(&hears(&mut bench, flow, &cancel.replace("Call-ID: c1", "Call-ID: c2"))), ["200", "487"]);
}

/// Tags and branches come from the seed and are as long as they look.
#[test]
fn s7_tags_and_branches_come_from_the_seed() {
    let draw = |seed: u8| {
        let mut endpoint = Endpoint::new(Settings { seed: [seed; 32], ..Settings::default() });
        (0..1000).map(|_| endpoint.core.random.token()).collect::<Vec<_>>()
    };
    let (one, same, other) = (draw(1), draw(1), draw(2));
    assert_eq!(one, same, "tests repeat");
    assert!(one.iter().all(|token| token.len() == 16 && !other.contains(token)));
    assert_eq!(one.iter().collect::<std::collections::BTreeSet<_>>().len(), 1000);
}
