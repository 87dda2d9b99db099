//! What strangers use never takes the share of who is known: calls, transactions, connections.

use super::requests::{Bench, dialog_request, line, request, statuses};
use super::*;
use crate::sip::{Command, Identity, Known, Limits, PeerStanding, Trusted};

const STRANGER: [u8; 4] = [127, 0, 0, 2];
const TRUNK: [u8; 4] = [192, 0, 2, 20];

/// Loopback is allowed, and there is a trunk.
fn bench(limits: Limits) -> Bench {
    let addresses = vec![("192.0.2.20".parse().unwrap(), Identity::Trunk("pbx".into()))];
    let known = Known { addresses, allowed: vec!["127.0.0.0/8".parse().unwrap()], ..Known::default() };
    let trusted = Trusted::new(|address| address == IpAddr::from(TRUNK));
    Bench::with(Settings { known, trusted, limits, ..Settings::default() })
}

fn says(bench: &mut Bench, address: [u8; 4], method: &str, n: u32) -> Vec<String> {
    let flow = Flow { peer: SocketAddr::from((address, 5060)), ..flow(0, Transport::Udp) };
    let bytes = request(method, n, "", "").replace("c1", &format!("c{n}")).into_bytes();
    bench.endpoint.handle(bench.now, Input::Received { flow, bytes });
    bench.outputs()
}

fn answers(bench: &mut Bench, address: [u8; 4], method: &str, numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|n| statuses(&says(bench, address, method, n)).join(" ")).collect()
}

/// The same over a connection, which nobody can have in another's name.
fn answers_by_connection(bench: &mut Bench, address: [u8; 4], numbers: std::ops::Range<u32>) -> Vec<String> {
    let mut answer = |n: u32| {
        let flow = Flow { peer: SocketAddr::from((address, 40_000)), ..flow(0, Transport::Tcp) };
        let text = request("INVITE", n, "", "").replace("c1", &format!("c{n}")).replace("SIP/2.0/UDP", "SIP/2.0/TCP");
        bench.endpoint.handle(bench.now, Input::Received { flow, bytes: text.into_bytes() });
        statuses(&bench.outputs()).join(" ")
    };
    numbers.map(&mut answer).collect()
}

/// Four devices that are known by their addresses, 192.0.2.10 and so on, which no budget applies to.
fn known_by_address(limits: Limits) -> Bench {
    let device = |last: u8| (format!("192.0.2.{last}").parse().unwrap(), Identity::Device(format!("d{last}").into()));
    let known = Known { addresses: (10..14).map(device).collect(), ..Known::default() };
    let trusted = Trusted::new(|address| address != IpAddr::from(STRANGER));
    Bench::with(Settings { known, trusted, limits, ..Settings::default() })
}

/// Calls in the name of a device known by its address, which nobody acknowledges, are few.
#[test]
fn x2_unacknowledged_calls_by_address_shut_nobody_out() {
    let mut bench = known_by_address(Limits::default());
    let (lobby, hall) = ([192, 0, 2, 10], [192, 0, 2, 11]);
    assert_eq!(answers(&mut bench, lobby, "INVITE", 1..9), ["100"; 8]);
    assert_eq!(answers(&mut bench, lobby, "INVITE", 9..40), ["503"; 31]);
    assert_eq!(answers(&mut bench, hall, "INVITE", 41..43), ["100"; 2]);
    assert_eq!(answers_by_connection(&mut bench, lobby, 51..53), ["100"; 2]);
    // The phone itself answers when it is asked whether it is there.
    says(&mut bench, lobby, "MESSAGE", 60);
    assert_eq!(answers(&mut bench, lobby, "INVITE", 61..63), ["100"; 2]);

    let mut bench = known_by_address(Limits { max_calls: 16, ..Limits::default() });
    assert_eq!(answers(&mut bench, lobby, "INVITE", 1..9), ["100"; 8]);
    assert_eq!(answers(&mut bench, hall, "INVITE", 11..19), ["100", "100", "100", "100", "100", "100", "503", "503"]);
    assert_eq!(answers_by_connection(&mut bench, [192, 0, 2, 12], 21..24), ["100", "100", "503"]);
}

#[test]
fn x2_strangers_leave_a_quarter_of_the_calls_to_who_is_known() {
    let mut bench = bench(Limits { max_calls: 16, ..Limits::default() });
    assert_eq!(answers(&mut bench, STRANGER, "INVITE", 1..13), ["100"; 12]);
    assert_eq!(answers(&mut bench, STRANGER, "INVITE", 13..15), ["503"; 2]);
    assert_eq!(answers(&mut bench, TRUNK, "INVITE", 21..25), ["100", "100", "503", "503"], "a part is for who is proven");
    assert_eq!(answers_by_connection(&mut bench, TRUNK, 31..34), ["100", "100", "503"]);
    // Where nobody is known, nothing is kept for anybody.
    let mut open = Bench::with(Settings { limits: Limits { max_calls: 8, ..Limits::default() }, ..Settings::default() });
    assert_eq!(answers(&mut open, STRANGER, "INVITE", 1..10).iter().filter(|status| *status == "100").count(), 8);
}

/// Calls that wait too long for their answers have later ones turned away at once, those of strangers first and calls for help never.
#[test]
fn x2_calls_are_turned_away_while_answers_take_too_long() {
    let mut bench = bench(Limits { burst: 1000, ..Limits::default() });
    assert_eq!(answers_by_connection(&mut bench, TRUNK, 1..71), ["100"; 70]);
    let calls: Vec<_> = bench.events.iter().map(Event::call).collect();
    bench.now += Duration::from_millis(400);
    assert_eq!(answers(&mut bench, STRANGER, "INVITE", 101..102), ["100"]);
    bench.now += Duration::from_millis(200);
    assert_eq!(answers(&mut bench, STRANGER, "INVITE", 102..103), ["503"]);
    assert_eq!(answers_by_connection(&mut bench, TRUNK, 103..104), ["100"]);
    bench.now += Duration::from_millis(500);
    assert_eq!(answers_by_connection(&mut bench, TRUNK, 104..106), ["503"; 2]);
    assert_eq!(bench.endpoint.counters().turned_away_overload.load(std::sync::atomic::Ordering::Relaxed), 3);
    for call in calls {
        bench.commands(Command::Answer { call, sdp: SDP.to_owned() });
    }
    assert_eq!(answers_by_connection(&mut bench, TRUNK, 106..107), ["100"]);
    assert_eq!(answers(&mut bench, STRANGER, "INVITE", 107..108), ["100"]);
}

/// Strangers leave a quarter of the transactions to who is known.
#[test]
fn x2_strangers_leave_a_quarter_of_the_transactions() {
    let mut bench = bench(Limits { transactions: 8, ..Limits::default() });
    assert_eq!(answers(&mut bench, STRANGER, "OPTIONS", 1..9), ["200", "200", "200", "200", "200", "200", "", ""]);
    assert_eq!(answers(&mut bench, TRUNK, "OPTIONS", 11..14), ["200", "200", ""]);
    bench.seconds(40);
    assert_eq!(answers(&mut bench, STRANGER, "OPTIONS", 21..22), ["200"]);
}

/// A connection is silent until something can be read and known once somebody known speaks.
#[test]
fn x2_a_connection_is_silent_until_something_can_be_read() {
    let mut bench = bench(Limits::default());
    let at = |address: [u8; 4], id: u64| {
        let connection = Some(ConnectionId(id));
        Flow { connection, peer: SocketAddr::from((address, 40_000)), ..flow(0, Transport::Tcp) }
    };
    let mut hears = |address: [u8; 4], id: u64, bytes: &str| {
        bench.endpoint.handle(bench.now, Input::Received { flow: at(address, id), bytes: bytes.as_bytes().to_vec() });
        bench.outputs();
        bench.endpoint.standing(ConnectionId(id))
    };
    assert_eq!(hears(STRANGER, 1, "\r\n\r\n"), PeerStanding::Silent);
    assert_eq!(hears(STRANGER, 1, "hello\r\n\r\n"), PeerStanding::Silent);
    assert_eq!(hears(STRANGER, 1, &request("INVITE", 1, "", "")), PeerStanding::Heard);
    assert_eq!(hears(TRUNK, 2, &request("OPTIONS", 2, "", "")), PeerStanding::Heard);
    assert_eq!(hears(TRUNK, 2, &request("INVITE", 3, "", "")), PeerStanding::Known);
    assert_eq!(bench.endpoint.standing(ConnectionId(9)), PeerStanding::Silent);
}

/// Strangers leave a quarter of the subscriptions to who is known, and each address has few.
#[test]
fn x2_strangers_leave_a_quarter_of_the_subscriptions() {
    let mut bench = bench(Limits::default());
    let mut subscribes = |address: [u8; 4], n: u32| {
        let flow = Flow { peer: SocketAddr::from((address, 5060)), ..flow(0, Transport::Udp) };
        let text = request("SUBSCRIBE", n, "Event: presence\r\n", "").replace("c1", &format!("c{n}"));
        bench.endpoint.handle(bench.now, Input::Received { flow, bytes: text.into_bytes() });
        statuses(&bench.outputs())[0].to_owned()
    };
    let answers: Vec<String> = (1..10).map(|n| subscribes(STRANGER, n)).collect();
    assert_eq!((&answers[..8], answers[8].as_str()), (&["200"; 8].map(str::to_owned)[..], "503"));
    let of_stranger = |n: u32| [127, 0, 1, u8::try_from(n / 8).unwrap()];
    let taken = (8..1_008).filter(|n| subscribes(of_stranger(*n), 1_000 + n) == "200").count();
    assert_eq!(taken + 8, 750);
    assert_eq!(subscribes(TRUNK, 5_000), "200");
}

/// A call over a connection, answered and acknowledged.
fn live_by_connection(bench: &mut Bench, address: [u8; 4], n: u32) -> CallId {
    let connection = Some(ConnectionId(u64::from(n)));
    let flow = Flow { connection, peer: SocketAddr::from((address, 40_000)), ..flow(0, Transport::Tcp) };
    let says = |bench: &mut Bench, text: String| {
        let bytes = text.replace("Call-ID: c1", &format!("Call-ID: c{n}")).replace("SIP/2.0/UDP", "SIP/2.0/TCP").into_bytes();
        bench.endpoint.handle(bench.now, Input::Received { flow, bytes });
        bench.outputs()
    };
    assert_eq!(statuses(&says(bench, request("INVITE", n, "", ""))), ["100"]);
    let call = bench.events.last().unwrap().call();
    let answer = bench.commands(Command::Answer { call, sdp: SDP.to_owned() }).remove(0);
    says(bench, dialog_request("ACK", n, &line(&answer, "To"), ""));
    bench.endpoint.handle(bench.now, Input::FlowClosed(ConnectionId(u64::from(n))));
    call
}

/// Strangers who close their connections leave a quarter of those that we make to who is known.
#[test]
fn x2_strangers_leave_a_quarter_of_the_connections_that_we_make() {
    let mut bench = bench(Limits::default());
    for n in 1..=200 {
        let call = live_by_connection(&mut bench, [127, 0, 1, u8::try_from(n).unwrap()], n);
        bench.commands(Command::Bye { call, cause: Cause::HungUp });
    }
    assert_eq!(bench.connects.len(), 192);
    let call = live_by_connection(&mut bench, TRUNK, 300);
    bench.commands(Command::Bye { call, cause: Cause::HungUp });
    assert_eq!(bench.connects.len(), 193);
}
