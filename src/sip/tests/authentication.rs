//! Who gets in (M-1): by address, by password, or not at all.

use std::collections::HashMap;

use super::requests::{Bench, line, request, statuses};
use super::*;
use crate::sip::Command;
use crate::sip::auth::{Account, Accounts, Algorithm, Client, Credentials};
use crate::sip::{Identity, Known, Trusted};

const REALM: &str = "roomgate";

/// The board room has a password, the lobby's phone an address, the PBX another; callers of 127.0.0.2 need nothing if `open`.
pub(super) fn bench(open: bool) -> Bench {
    let users = HashMap::from([("board".to_owned(), Account::new("board-room", "board", REALM, "sesame"))]);
    let addresses = vec![
        ("192.0.2.10".parse().unwrap(), Identity::Device("lobby".into())),
        ("192.0.2.20".parse().unwrap(), Identity::Trunk("pbx".into())),
    ];
    let allowed = if open { vec!["127.0.0.0/8".parse().unwrap()] } else { Vec::new() };
    let accounts = Accounts { realm: REALM.to_owned(), algorithms: Algorithm::ALL.into(), users, secret: [9; 32] };
    let certificates = HashMap::from([("pbx.example".to_owned(), Identity::Trunk("pbx".into()))]);
    let known = Known { addresses, certificates, allowed, accounts, ..Known::default() };
    let trusted = Trusted::new(|address| address == IpAddr::from([192, 0, 2, 20]));
    let mut bench = Bench::new();
    bench.endpoint = Endpoint::new(Settings { seed: [5; 32], known, trusted, ..Settings::default() });
    bench
}

pub(super) fn client(user: &str, password: &str) -> Client {
    Client::new(Credentials { user: user.to_owned(), password: password.to_owned().into(), realm: None })
}

/// The same request with another number and the proof of `client`.
pub(super) fn signed(client: &mut Client, text: &str, number: u32) -> String {
    let limits = crate::sip::WireLimits::default();
    let text = text.replace("CSeq: 1 ", &format!("CSeq: {number} ")).replace("z9hG4bK", &format!("z9hG4bK{number}"));
    let Ok(Message::Request(mut request)) = Message::parse(text.as_bytes(), &limits) else { panic!("no request: {text}") };
    client.sign(&mut request, "c0ffee");
    String::from_utf8(request.to_bytes()).unwrap()
}

pub(super) fn challenges(client: &mut Client, sent: &[String]) -> bool {
    let Ok(Message::Response(response)) = Message::parse(sent[0].as_bytes(), &crate::sip::WireLimits::default()) else {
        panic!("no response: {sent:?}")
    };
    client.challenged(&response)
}

pub(super) fn identity(bench: &Bench) -> Option<Identity> {
    match bench.events.last() {
        Some(Event::Incoming(incoming)) => incoming.identity.clone(),
        other => panic!("{other:?}"),
    }
}

pub(super) fn from(text: &str, user: &str) -> String {
    text.replace("From: <sip:a@", &format!("From: <sip:{user}@"))
}

/// A device with a password calls after digest and a challenge keeps nothing.
#[test]
fn a_device_with_a_password_calls_after_digest() {
    let mut bench = bench(false);
    let invite = from(&request("INVITE", 1, "", ""), "board");
    let mut phone = client("board", "sesame");
    let sent = bench.says(&invite);
    assert_eq!(statuses(&sent), ["401"]);
    assert!(bench.endpoint.is_empty() && bench.events.is_empty());
    assert_eq!(line(&bench.says(&invite)[0], "To"), line(&sent[0], "To"), "the same tag for the same request");
    assert!(challenges(&mut phone, &sent));
    assert!(bench.says(&format!("{}\r\n", invite.replace("INVITE", "ACK"))).is_empty());
    let second = signed(&mut phone, &invite, 2);
    assert_eq!(statuses(&bench.says(&second)), ["100"]);
    assert_eq!(identity(&bench), Some(Identity::Device("board-room".into())));
    assert_eq!(statuses(&bench.says(&second)), ["100"], "sent again it is no replay");
    let replay = second.replace("z9hG4bK", "z9hG4bKreplay").replace("Call-ID: c1", "Call-ID: c2");
    let sent = bench.says(&replay);
    assert_eq!(statuses(&sent), ["401"]);
    assert!(line(&sent[0], "WWW-Authenticate").contains("stale=true"));
}

/// Addresses say who calls and open networks let anybody in but not under a name with a password.
#[test]
fn addresses_say_who_calls_and_open_networks_let_anybody_in() {
    let mut bench = bench(true);
    assert_eq!(statuses(&bench.says(&request("INVITE", 1, "", ""))), ["100"]);
    assert_eq!(identity(&bench), Some(Identity::Unlisted));
    for (number, last, expected) in [(2, 10, Identity::Device("lobby".into())), (3, 20, Identity::Trunk("pbx".into()))] {
        let flow = Flow { peer: SocketAddr::from(([192, 0, 2, last], 5060)), ..flow(0, Transport::Udp) };
        let bytes = request("INVITE", number, "", "").replace("c1", &format!("c{number}")).into_bytes();
        bench.endpoint.handle(bench.now, Input::Received { flow, bytes });
        bench.outputs();
        assert_eq!(identity(&bench), Some(expected));
    }
    let calls = bench.events.len();
    let claimed = from(&request("INVITE", 4, "", ""), "board").replace("c1", "c4");
    assert_eq!((statuses(&bench.says(&claimed)), bench.events.len()), (vec!["401"], calls));
}

/// Who has no account is asked like who has one and both are silenced for guessing.
#[test]
fn who_has_no_account_is_asked_like_who_has_one() {
    for user in ["board", "nobody"] {
        let mut bench = bench(false);
        let invite = from(&request("INVITE", 1, "", ""), user);
        let mut answers = Vec::new();
        for number in 2..20 {
            let mut thief = client(user, "guess");
            let challenged = bench.says(&invite);
            if challenged.is_empty() {
                break;
            }
            assert!(challenges(&mut thief, &challenged));
            answers.extend(statuses(&bench.says(&signed(&mut thief, &invite, number))).into_iter().map(str::to_owned));
        }
        assert_eq!(answers, ["401"; 8], "{user}");
        assert_eq!(bench.endpoint.silenced(bench.now).len(), 1);
        let mut phone = client("board", "sesame");
        assert!(bench.says(&signed(&mut phone, &invite, 30)).is_empty() && bench.events.is_empty());
        bench.now += Duration::from_secs(601);
        assert_eq!(statuses(&bench.says(&invite)), ["401"], "it may try again after a while");
    }
}

/// A flood of calls without a password is challenged within the budget and leaves nothing.
#[test]
fn a_flood_of_calls_without_a_password_is_challenged() {
    let mut bench = bench(false);
    let answered =
        (0..2000).filter(|n| !bench.says(&request("INVITE", 1, "", "").replace("c1", &format!("c{n}"))).is_empty()).count();
    assert!(answered < 50, "{answered}");
    assert!(bench.endpoint.is_empty() && bench.events.is_empty());
}

/// A device registers with its password under its own name alone.
#[test]
fn a_device_registers_with_its_password_under_its_own_name() {
    let mut bench = bench(true);
    let register = |user: &str| {
        from(&request("REGISTER", 1, "", ""), user).replace("To: <sip:1001@127.0.0.1>", &format!("To: <sip:{user}@127.0.0.1>"))
    };
    let sent = bench.says(&register("board"));
    assert_eq!(statuses(&sent), ["401"], "an open network is no reason to keep somebody's address");
    let mut phone = client("board", "sesame");
    assert!(challenges(&mut phone, &sent) && bench.endpoint.is_empty());
    let sent = bench.says(&signed(&mut phone, &register("board"), 2));
    assert_eq!((statuses(&sent), line(&sent[0], "Contact").as_str()), (vec!["200"], "<sip:a@127.0.0.2:5060>;expires=3600"));
    assert_eq!(line(&sent[0], "Supported"), "path, outbound");
    phone.accepted();
    assert_eq!(statuses(&bench.says(&signed(&mut phone, &register("other"), 3))), ["403"]);
    let registered = bench.endpoint.registrations(bench.now + Duration::from_secs(600));
    assert_eq!((&*registered[0].device, registered[0].bindings[0].expires_in.as_secs()), ("board-room", 3000));
    for (last, number, status) in [(10, 4, "200"), (20, 5, "401")] {
        let flow = Flow { peer: SocketAddr::from(([192, 0, 2, last], 5060)), ..flow(0, Transport::Udp) };
        let bytes =
            register("anybody").replace("CSeq: 1", &format!("CSeq: {number}")).replace("z9hG4bK", &format!("z9hG4bK{number}"));
        bench.endpoint.handle(bench.now, Input::Received { flow, bytes: bytes.into_bytes() });
        assert_eq!(
            statuses(&bench.outputs()),
            [status],
            "a device known by its address may register, whoever is behind a trunk not"
        );
    }
    bench.now += Duration::from_secs(3601);
    bench.ends_empty();
    assert!(bench.endpoint.registrations(bench.now).is_empty());
}

/// A phone behind a proxy that is a trunk is asked for its password, and registers with it.
#[test]
fn s3_a_phone_behind_a_trunk_registers_with_its_password() {
    let register = from(&request("REGISTER", 1, "", ""), "board").replace("To: <sip:1001@", "To: <sip:board@");
    for (transport, peer) in [(Transport::Udp, [192, 0, 2, 20]), (Transport::Tls, [198, 51, 100, 7])] {
        let mut bench = bench(false);
        let flow = Flow { peer: SocketAddr::from((peer, 5060)), ..flow(0, transport) };
        bench.endpoint.handle(bench.now, Input::Opened { flow, names: vec!["pbx.example".to_owned()] });
        let mut says = |text: String| {
            let bytes = text.replace("SIP/2.0/UDP", &format!("SIP/2.0/{}", transport.as_str())).into_bytes();
            bench.endpoint.handle(bench.now, Input::Received { flow, bytes });
            bench.outputs()
        };
        let mut phone = client("board", "sesame");
        assert!(challenges(&mut phone, &says(register.clone())));
        assert_eq!(statuses(&says(signed(&mut phone, &register, 2))), ["200"]);
        assert_eq!(&*bench.endpoint.registrations(bench.now)[0].device, "board-room");
    }
}

/// A certificate says who calls for as long as its connection lives.
#[test]
fn a_certificate_says_who_calls_while_its_connection_lives() {
    let mut bench = bench(false);
    let flow = flow(0, Transport::Tls);
    let invite = |number: u32| {
        request("INVITE", number, "", "").replace("SIP/2.0/UDP", "SIP/2.0/TLS").replace("c1", &format!("c{number}"))
    };
    for (number, names, expected) in
        [(1, vec!["x".to_owned()], "401"), (2, vec!["y".to_owned(), "pbx.example".to_owned()], "100")]
    {
        bench.endpoint.handle(bench.now, Input::Opened { flow, names });
        bench.endpoint.handle(bench.now, Input::Received { flow, bytes: invite(number).into_bytes() });
        assert_eq!(statuses(&bench.outputs()), [expected]);
    }
    assert_eq!(identity(&bench), Some(Identity::Trunk("pbx".into())));
    let call = bench.events[0].call();
    let sent = bench.commands(Command::Answer { call, sdp: SDP.to_owned() });
    assert_eq!(line(&sent[0], "Contact"), "<sip:roomgate@127.0.0.1:5060;transport=tls>;isfocus");
    bench.endpoint.handle(bench.now, Input::FlowClosed(ConnectionId(1)));
    bench.endpoint.handle(bench.now, Input::Received { flow, bytes: invite(3).into_bytes() });
    assert_eq!(statuses(&bench.outputs()), ["401"]);
}

#[test]
fn a_call_that_began_with_sips_stays_with_it() {
    let mut bench = bench(true);
    bench.says(&request("INVITE", 1, "", "").replace("INVITE sip:", "INVITE sips:"));
    let call = bench.events[0].call();
    let sent = bench.commands(Command::Answer { call, sdp: SDP.to_owned() });
    assert_eq!(line(&sent[0], "Contact"), "<sips:roomgate@127.0.0.1:5060>;isfocus");
}

/// 0 has a password, 1 asks for one.
fn asked(password: &str) -> Pair {
    let credentials = Credentials { user: "board".to_owned(), password: password.to_owned().into(), realm: None };
    let users = HashMap::from([("board".to_owned(), Account::new("board-room", "board", REALM, "sesame"))]);
    let known = Known {
        accounts: Accounts { realm: REALM.to_owned(), algorithms: Algorithm::ALL.into(), users, secret: [9; 32] },
        ..Known::default()
    };
    let caller = Settings { seed: [1; 32], credentials: Some(credentials), ..Settings::default() };
    Pair::with(Transport::Udp, [caller, Settings { seed: [2; 32], known, ..Settings::default() }])
}

#[test]
fn a_call_of_ours_answers_a_challenge_and_goes_on() {
    let mut pair = asked("sesame");
    let (caller, callee) = pair.live();
    assert_eq!(pair.sent("0 INVITE"), 2);
    assert_eq!((pair.sent("1 401 INVITE"), pair.sent("0 ACK")), (1, 2), "{:?}", pair.log);
    pair.command(0, Command::Bye { call: caller, cause: Cause::HungUp });
    pair.millis(100);
    assert_eq!(pair.take(1), [Event::Ended { call: callee, cause: Cause::HungUp }]);
    pair.nothing_left();
}

#[test]
fn a_call_of_ours_with_a_wrong_password_fails_after_one_try() {
    let mut pair = asked("guess");
    let call = pair.ids.call();
    let (target, transport, display) = (address(1), Transport::Udp, String::new());
    let (uri, from, sdp) = ("sip:1001@127.0.0.2".to_owned(), "sip:board@127.0.0.1".to_owned(), SDP.to_owned());
    pair.command(0, Command::Invite { call, target, transport, uri, from, display, sdp });
    pair.millis(1000);
    assert!(matches!(pair.take(0)[..], [Event::Failed { cause: Cause::Refused(401), .. }]));
    assert_eq!((pair.sent("0 INVITE"), pair.take(1)), (2, vec![]));
    pair.nothing_left();
}

#[test]
fn a_peer_that_calls_us_gets_no_proof_by_asking() {
    let mut bench = Bench::new();
    let credentials = Credentials { user: "board".to_owned(), password: "sesame".to_owned().into(), realm: None };
    bench.endpoint = Endpoint::new(Settings { seed: [5; 32], credentials: Some(credentials), ..Settings::default() });
    bench.live();
    let call = bench.call();
    let bye = bench.commands(Command::Bye { call, cause: Cause::HungUp }).remove(0);
    let copied: String =
        ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", line(&bye, name))).concat();
    let challenge = "WWW-Authenticate: Digest realm=\"x\", nonce=\"n\"\r\n";
    assert!(bench.says(&format!("SIP/2.0 401 Unauthorized\r\n{copied}{challenge}\r\n")).is_empty());
    bench.ends_empty();
}

/// Behind a trunk one caller over its budget is told so and the next is heard.
#[test]
fn behind_a_trunk_one_caller_over_its_budget_is_told_so() {
    let mut bench = bench(false);
    let mut call = |user: &str, number: u32| {
        let flow = Flow { peer: SocketAddr::from(([192, 0, 2, 20], 5060)), ..flow(0, Transport::Udp) };
        let text = from(&request("INVITE", number, "", ""), user).replace("c1", &format!("{user}{number}"));
        bench.endpoint.handle(bench.now, Input::Received { flow, bytes: text.into_bytes() });
        statuses(&bench.outputs()).join(" ")
    };
    let answers: Vec<String> = (1..=60).map(|number| call("dialler", number)).collect();
    assert!(answers[..50].iter().all(|answer| answer == "100"), "{answers:?}");
    assert!(answers[50..].iter().all(|answer| answer == "480"), "a proxy that hears nothing would take us for dead: {answers:?}");
    assert_eq!(call("somebody", 61), "100");
    let silenced: Vec<String> = bench.endpoint.silenced(bench.now).iter().map(ToString::to_string).collect();
    assert_eq!(silenced, ["dialler@127.0.0.2 behind 192.0.2.20"]);
}

#[test]
fn a_whole_site_behind_one_address_registers_at_once() {
    let account = |n: u32| (format!("room{n}"), Account::new(&format!("room-{n}"), &format!("room{n}"), REALM, "sesame"));
    let users = (0..200).map(account).collect();
    let accounts = Accounts { realm: REALM.to_owned(), algorithms: Algorithm::ALL.into(), users, secret: [9; 32] };
    let mut bench = Bench::with(Settings { known: Known { accounts, ..Known::default() }, ..Settings::default() });
    let register = |n: u32| {
        let text = request("REGISTER", 1, "", "").replace("c1", &format!("c{n}")).replace("z9hG4bK", &format!("z9hG4bK{n}x"));
        from(&text, &format!("room{n}")).replace("To: <sip:1001@127.0.0.1>", &format!("To: <sip:room{n}@127.0.0.1>"))
    };
    let mut waiting: Vec<u32> = (0..200).collect();
    // As often as RFC 3261 has a phone repeat a REGISTER that is not answered: at once, after half a second, a second…
    for wait in [500, 1000, 2000] {
        let challenged: Vec<(u32, Vec<String>)> = waiting.iter().map(|&n| (n, bench.says(&register(n)))).collect();
        for (n, sent) in challenged.iter().filter(|(_, sent)| !sent.is_empty()) {
            let mut phone = client(&format!("room{n}"), "sesame");
            assert!(challenges(&mut phone, sent));
            assert_eq!(statuses(&bench.says(&signed(&mut phone, &register(*n), 2))), ["200"]);
        }
        waiting.retain(|n| challenged.iter().any(|(other, sent)| other == n && sent.is_empty()));
        bench.now += Duration::from_millis(wait);
    }
    assert!(waiting.is_empty(), "{} still wait", waiting.len());
}

/// A flood of invites into calls that do not exist is within the budget too.
#[test]
fn a_flood_of_invites_into_unknown_calls_is_within_the_budget() {
    let mut bench = bench(true);
    let answered = (0..2000).filter(|n| {
        let text = request("INVITE", 1, "", "").replace("c1", &format!("c{n}")).replace("z9hG4bK", &format!("z9hG4bK{n}"));
        !bench.says(&text.replace("To: <sip:1001@127.0.0.1>", "To: <sip:1001@127.0.0.1>;tag=none")).is_empty()
    });
    assert_eq!(answered.count(), 50);
}

#[test]
fn a_registration_may_require_what_the_registrar_knows() {
    let mut bench = bench(false);
    let register = from(&request("REGISTER", 1, "Require: path, outbound\r\n", ""), "board")
        .replace("To: <sip:1001@127.0.0.1>", "To: <sip:board@127.0.0.1>");
    let sent = bench.says(&register);
    assert_eq!(statuses(&sent), ["401"]);
    let mut phone = client("board", "sesame");
    assert!(challenges(&mut phone, &sent));
    assert_eq!(statuses(&bench.says(&signed(&mut phone, &register, 2))), ["200"]);
}

/// A reload keeps the registrations of devices known by address and forgets those that are gone.
#[test]
fn o2_a_reload_keeps_registrations_of_devices_known_by_address() {
    let mut bench = bench(false);
    let flow = Flow { peer: SocketAddr::from(([192, 0, 2, 10], 5060)), ..flow(0, Transport::Udp) };
    let bytes = from(&request("REGISTER", 1, "", ""), "lobby").into_bytes();
    bench.endpoint.handle(bench.now, Input::Received { flow, bytes });
    assert_eq!(statuses(&bench.outputs()), ["200"]);
    let mut settings = bench.endpoint.core.settings.clone();
    bench.commands(Command::Reconfigure(Box::new(settings.clone())));
    assert_eq!(bench.endpoint.registrations(bench.now).len(), 1);
    settings.known.addresses.clear();
    bench.commands(Command::Reconfigure(Box::new(settings)));
    assert!(bench.endpoint.registrations(bench.now).is_empty());
}
