//! Large requests outside of dialogs go by TCP (S-1, RFC 3261 section 18.1.1), and a BYE outlives its connection (S-8).

use super::requests::{Bench, line, request};
use super::*;
use crate::sip::Command;
use crate::sip::message::Message;

const PEER: &str = "192.0.2.9:5060";

/// What the endpoint does with a call of ours whose description has so many bytes.
fn places(bench: &mut Bench, call: CallId, size: usize) -> Vec<Output> {
    let invite = Command::Invite {
        call,
        target: PEER.parse().unwrap(),
        transport: Transport::Udp,
        uri: "sip:room@192.0.2.9".to_owned(),
        from: "sip:gateway@192.0.2.1".to_owned(),
        display: String::new(),
        sdp: "x".repeat(size),
    };
    bench.endpoint.handle(bench.now, Input::Command(invite));
    std::iter::from_fn(|| bench.endpoint.poll()).collect()
}

/// The transport and token of the connection that is wanted, and nothing else.
fn wanted(outputs: &[Output]) -> (Transport, u64) {
    match outputs {
        [Output::Connect { peer, transport, token, .. }] if peer.to_string() == PEER => (*transport, *token),
        other => panic!("{other:?}"),
    }
}

fn by(transport: Transport) -> Flow {
    let connection = transport.is_reliable().then_some(ConnectionId(9));
    Flow { transport, listener: 0, connection, local: "192.0.2.1:5060".parse().unwrap(), peer: PEER.parse().unwrap() }
}

fn gives(bench: &mut Bench, input: Input) -> Vec<Output> {
    bench.endpoint.handle(bench.now, input);
    std::iter::from_fn(|| bench.endpoint.poll()).collect()
}

fn sent(outputs: &[Output]) -> Vec<(Transport, String)> {
    let one = |output: &Output| match output {
        Output::Transmit { flow, bytes } => {
            let Ok(Message::Request(request)) = Message::parse(bytes, &crate::sip::WireLimits::default()) else { return None };
            Some((flow.transport, format!("{} {}", request.method, request.headers.get("Via").unwrap_or_default())))
        }
        _ => None,
    };
    outputs.iter().filter_map(one).collect()
}

#[test]
fn s1_a_large_invite_goes_by_tcp_and_a_small_one_by_udp() {
    let mut bench = Bench::new();
    let small = bench.ids.call();
    assert_eq!(wanted(&places(&mut bench, small, 200)).0, Transport::Udp);
    let large = bench.ids.call();
    let (transport, token) = wanted(&places(&mut bench, large, 1300));
    assert_eq!(transport, Transport::Tcp);
    let outputs = gives(&mut bench, Input::Connected { token, flow: by(Transport::Tcp) });
    let sent = sent(&outputs);
    assert!(sent.len() == 1 && sent[0].0 == Transport::Tcp && sent[0].1.contains("INVITE SIP/2.0/TCP"), "{sent:?}");
}

/// Where no connection is to be had, the request goes by datagrams; the next one at once, for ten minutes.
#[test]
fn s1_a_large_invite_goes_by_udp_where_tcp_is_refused() {
    let mut bench = Bench::new();
    let first = bench.ids.call();
    let (_, token) = wanted(&places(&mut bench, first, 1300));
    let (transport, token) = wanted(&gives(&mut bench, Input::ConnectFailed { token }));
    assert_eq!(transport, Transport::Udp);
    let outputs = gives(&mut bench, Input::Connected { token, flow: by(Transport::Udp) });
    assert_eq!(sent(&outputs).iter().map(|(transport, _)| *transport).collect::<Vec<_>>(), [Transport::Udp]);
    let second = bench.ids.call();
    assert_eq!(wanted(&places(&mut bench, second, 1300)).0, Transport::Udp, "no second wait for the same refusal");
    bench.seconds(601);
    let third = bench.ids.call();
    assert_eq!(wanted(&places(&mut bench, third, 1300)).0, Transport::Tcp);
}

/// A BYE whose connection dies before it is answered goes by another one, once, to where the peer says that it listens (section 18.4).
#[test]
fn s8_a_bye_outlives_the_connection_that_it_went_by() {
    let known = Known { addresses: vec![("192.0.2.9".parse().unwrap(), Identity::Device("room".into()))], ..Known::default() };
    let mut bench = Bench::with(Settings { known, ..Settings::default() });
    let flow = Flow { peer: "192.0.2.9:50123".parse().unwrap(), ..by(Transport::Tcp) };
    let text = |text: String| {
        let text = text.replace("SIP/2.0/UDP 127.0.0.2:5060", "SIP/2.0/TCP 192.0.2.9:50123");
        text.replace("<sip:a@127.0.0.2:5060>", "<sip:a@192.0.2.9:5060;transport=tcp>").into_bytes()
    };
    gives(&mut bench, Input::Opened { flow, names: Vec::new() });
    bench.endpoint.handle(bench.now, Input::Received { flow, bytes: text(request("INVITE", 1, "", "")) });
    bench.outputs();
    let call = bench.call();
    let answer = bench.commands(Command::Answer { call, sdp: SDP.to_owned() }).remove(0);
    let ack = super::requests::dialog_request("ACK", 1, &line(&answer, "To"), "");
    gives(&mut bench, Input::Received { flow, bytes: text(ack) });
    let bye = bench.commands(Command::Bye { call, cause: Cause::Left }).remove(0);
    let (_, token) = wanted(&gives(&mut bench, Input::FlowClosed(ConnectionId(9))));
    let fresh = Flow { connection: Some(ConnectionId(10)), ..by(Transport::Tcp) };
    let outputs = gives(&mut bench, Input::Connected { token, flow: fresh });
    let [Output::Transmit { flow, bytes }] = outputs.as_slice() else { panic!("{outputs:?}") };
    let again = String::from_utf8(bytes.clone()).unwrap();
    assert_eq!((*flow, line(&again, "CSeq").as_str(), line(&bye, "CSeq").as_str()), (fresh, "2 BYE", "1 BYE"));
    assert_eq!(line(&again, "Reason"), line(&bye, "Reason"));
    assert!(gives(&mut bench, Input::FlowClosed(ConnectionId(10))).is_empty(), "once");
    bench.ends_empty();
}
