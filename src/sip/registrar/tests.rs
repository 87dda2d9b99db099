//! REGISTER after REGISTER, in virtual time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::sip::message::{Essentials, Message};
use crate::sip::transaction::InboundRequest;
use crate::sip::{ConnectionId, Flow, Transport};

struct Bench {
    registrar: Registrar,
    now: Instant,
    flow: Flow,
    device: Arc<str>,
}

impl Bench {
    #[allow(clippy::disallowed_methods, reason = "virtual time needs one real instant to count from")]
    fn new() -> Self {
        let address = |last| std::net::SocketAddr::from(([192, 0, 2, last], 5060));
        let flow = Flow {
            transport: Transport::Tcp,
            listener: 0,
            connection: Some(ConnectionId(7)),
            local: address(1),
            peer: address(9),
        };
        let settings = RegistrarSettings { contacts: 3, ..RegistrarSettings::default() };
        Self { registrar: Registrar::new(settings), now: Instant::now(), flow, device: "board-room".into() }
    }

    /// Sends a REGISTER with these lines; gives the status, the Contacts and the rest.
    fn says(&mut self, call_id: &str, cseq: u32, lines: &str) -> (u16, Vec<String>, Vec<(&'static str, String)>) {
        let text = format!(
            "REGISTER sip:r SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nFrom: <sip:board@r>;tag=f\r\nTo: <sip:board@r>\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n{lines}\r\n"
        );
        let Ok(Message::Request(request)) = Message::parse(text.as_bytes(), &crate::sip::WireLimits::default()) else {
            panic!("{text}")
        };
        let essentials = Essentials::read(&request.headers).unwrap();
        let inbound = InboundRequest { flow: self.flow, request, essentials };
        let answer = self.registrar.register(self.now, &self.device.clone(), &inbound);
        let (contacts, rest): (Vec<_>, Vec<_>) = answer.headers.into_iter().partition(|(name, _)| *name == "Contact");
        (answer.status, contacts.into_iter().map(|(_, value)| value).collect(), rest)
    }

    fn contacts(&mut self) -> Vec<String> {
        self.says("query", 1, "").1
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.registrar.wake(self.now);
    }
}

#[test]
fn contacts_are_bound_listed_refreshed_and_die_at_their_time() {
    let mut bench = Bench::new();
    let (status, contacts, _) = bench.says("c", 1, "Contact: <sip:board@192.0.2.9>;q=0.5;expires=100, <sip:board@192.0.2.8>\r\n");
    assert_eq!(status, 200);
    assert_eq!(contacts, ["<sip:board@192.0.2.9>;q=0.500;expires=100", "<sip:board@192.0.2.8>;expires=3600"]);
    bench.pass(60);
    let (_, contacts, _) = bench.says("c", 2, "Contact: <sip:board@192.0.2.9>\r\nExpires: 200\r\n");
    assert_eq!(contacts, ["<sip:board@192.0.2.9>;expires=200", "<sip:board@192.0.2.8>;expires=3540"]);
    bench.pass(199);
    assert_eq!(bench.contacts().len(), 2);
    assert_eq!(bench.registrar.deadline(), Some(bench.now + Duration::from_secs(1)));
    bench.pass(1);
    assert_eq!(bench.contacts(), ["<sip:board@192.0.2.8>;expires=3340"]);
    bench.pass(4000);
    assert!(bench.contacts().is_empty() && bench.registrar.deadline().is_none() && bench.registrar.devices.is_empty());
}

#[test]
fn wishes_are_kept_within_bounds() {
    let mut bench = Bench::new();
    let (status, contacts, headers) = bench.says("c", 1, "Contact: <sip:a@b>;expires=59\r\n");
    assert_eq!((status, contacts.len(), headers), (423, 0, vec![("Min-Expires", "60".to_owned())]));
    assert_eq!(bench.says("c", 2, "Contact: <sip:a@b>;expires=99999999999\r\n").1, ["<sip:a@b>;expires=3600"]);
    assert_eq!(bench.says("c", 3, "Contact: <sip:a@b>;expires=soon\r\n").1, ["<sip:a@b>;expires=3600"]);
    assert_eq!(bench.says("c", 4, "Contact: <sip:1@b>, <sip:2@b>\r\n").0, 200);
    assert_eq!(bench.says("c", 5, "Contact: <sip:3@b>\r\n").0, 403, "a fourth contact");
    assert_eq!(bench.contacts().len(), 3, "nothing has changed by that");
}

#[test]
fn contacts_go_by_expiry_0_and_all_by_a_star() {
    let mut bench = Bench::new();
    bench.says("c", 1, "Contact: <sip:1@b>, <sip:2@b>, <sip:3@b>\r\n");
    assert_eq!(bench.says("c", 2, "Contact: <sip:1@b>;expires=0, <sip:9@b>;expires=0\r\n").1.len(), 2);
    for lines in
        ["Contact: *\r\n", "Contact: *\r\nExpires: 60\r\n", "Contact: *, <sip:1@b>\r\nExpires: 0\r\n", "Contact: <tel:1>\r\n"]
    {
        assert_eq!(bench.says("c", 3, lines).0, 400, "{lines}");
    }
    assert_eq!(bench.says("c", 1, "Contact: *\r\nExpires: 0\r\n").0, 500, "not later than what it would remove");
    assert_eq!(
        bench.says("c", 4, "Contact: *\r\nExpires: 0\r\n"),
        (200, vec![], vec![("Supported", "path, outbound".to_owned())])
    );
}

#[test]
fn an_older_request_of_the_same_call_id_changes_nothing() {
    let mut bench = Bench::new();
    bench.says("c", 5, "Contact: <sip:a@b>\r\n");
    assert_eq!(bench.says("c", 5, "Contact: <sip:a@b>;expires=0\r\n").0, 500);
    assert_eq!(bench.says("c", 4, "Contact: <sip:new@b>, <sip:a@b>;expires=0\r\n").0, 500);
    assert_eq!(bench.contacts(), ["<sip:a@b>;expires=3600"], "all or nothing");
    assert_eq!(bench.says("restarted", 1, "Contact: <sip:a@b>;expires=0\r\n").1.len(), 0);
}

#[test]
fn a_contact_is_the_same_however_it_is_written() {
    let mut bench = Bench::new();
    bench.says("c", 1, "Contact: <sip:a%62@Host.example;transport=TCP;x=1>\r\n");
    assert_eq!(bench.says("c", 2, "Contact: \"B\" <SIP:ab@host.EXAMPLE;Transport=tcp>\r\n").1.len(), 1);
    assert_eq!(bench.says("c", 3, "Contact: <sip:ab@host.example>, <sip:ab@host.example:5060;transport=tcp>\r\n").1.len(), 3);
}

/// Outbound flows are known by instance and number and go with their connection.
#[test]
fn outbound_flows_are_known_by_instance_and_number() {
    let mut bench = Bench::new();
    let flow = |number: u32, host: &str| {
        format!("Supported: path, outbound\r\nContact: <sip:a@{host}>;reg-id={number};+sip.instance=\"<urn:uuid:1>\"\r\n")
    };
    let (status, contacts, headers) = bench.says("c", 1, &flow(1, "b"));
    assert_eq!(
        (status, contacts.as_slice()),
        (200, ["<sip:a@b>;expires=3600;+sip.instance=\"<urn:uuid:1>\";reg-id=1".to_owned()].as_slice())
    );
    assert!(headers.contains(&("Require", "outbound".to_owned())));
    assert_eq!(bench.says("d", 1, &flow(1, "elsewhere")).1.len(), 1, "the same flow from a new address");
    bench.flow.connection = Some(ConnectionId(8));
    assert_eq!(bench.says("e", 1, &flow(2, "elsewhere")).1.len(), 2, "a second flow of the same address");
    let plain = flow(3, "f").replace("Supported: path, outbound\r\n", "");
    let (_, contacts, headers) = bench.says("f", 1, &plain);
    assert!(contacts[2].ends_with("+sip.instance=\"<urn:uuid:1>\"") && !headers.iter().any(|(name, _)| *name == "Require"));
    assert!(bench.registrar.uses(ConnectionId(7)) && bench.registrar.uses(ConnectionId(8)));
    bench.registrar.flow_closed(bench.now, ConnectionId(8));
    assert_eq!(bench.contacts().len(), 2, "a plain contact can be reached by a new connection");
}

#[test]
fn a_flow_through_a_proxy_needs_one_that_keeps_it() {
    let mut bench = Bench::new();
    let through = |path: &str| {
        format!(
            "Via: SIP/2.0/UDP phone;branch=z9hG4bK2\r\nSupported: path, outbound\r\n{path}Contact: <sip:a@b>;reg-id=1;+sip.instance=\"<u>\"\r\n"
        )
    };
    assert_eq!(bench.says("c", 1, &through("")).0, 439);
    assert_eq!(bench.says("c", 2, &through("Path: <sip:p;lr>\r\n")).0, 439);
    let (status, _, headers) = bench.says("c", 3, &through("Path: <sip:q;lr>, <sip:p;lr;ob>\r\n"));
    assert!(status == 200 && headers.contains(&("Path", "<sip:q;lr>, <sip:p;lr;ob>".to_owned())), "{headers:?}");
    let stored = bench.registrar.poll().unwrap().bindings;
    assert_eq!(stored[0].path, ["<sip:q;lr>", "<sip:p;lr;ob>"]);
}

#[test]
fn extensions_that_are_required_are_known_or_refused_by_name() {
    let mut bench = Bench::new();
    let refused = bench.says("c", 1, "Require: path, gruu, outbound\r\nContact: <sip:a@b>\r\n");
    assert_eq!(refused, (420, vec![], vec![("Unsupported", "gruu".to_owned())]));
    assert_eq!(bench.says("c", 2, "Require: path\r\nContact: <sip:a@b>\r\n").0, 200);
}

/// Changes are told whole and what was stored lives on after a restart.
#[test]
fn changes_are_told_whole() {
    let mut bench = Bench::new();
    bench.says("c", 1, "User-Agent: Desk\r\nContact: <sip:a@b>;q=0.25\r\n");
    bench.says("c", 2, "Contact: <sip:b@b>;expires=100\r\n");
    let change = bench.registrar.poll().unwrap();
    assert_eq!(change.bindings.iter().map(|stored| stored.uri.as_str()).collect::<Vec<_>>(), ["sip:a@b", "sip:b@b"]);
    assert_eq!((change.bindings[0].user_agent.as_deref(), bench.registrar.poll()), (Some("Desk"), None));
    let mut later = Bench::new();
    later.now = bench.now + Duration::from_secs(5);
    later.registrar.restore(later.now, vec![change]);
    assert_eq!(later.contacts(), ["<sip:a@b>;q=0.250;expires=3600", "<sip:b@b>;expires=100"]);
    assert_eq!(later.says("c", 2, "Contact: <sip:b@b>\r\n").0, 500, "its order is remembered too");
    later.pass(101);
    assert_eq!(later.registrar.poll().unwrap().bindings.len(), 1);
}

#[test]
fn a_week_of_refreshes_leaves_nothing_behind() {
    let mut bench = Bench::new();
    for turn in 0..(7 * 24 * 2) {
        let (device, call_id) = (turn % 5, turn / 50);
        bench.device = format!("phone-{device}").as_str().into();
        assert_eq!(bench.says(&format!("c{call_id}"), turn + 1, "Contact: <sip:a@b>;expires=1800\r\n").0, 200);
        bench.pass(1800);
        while bench.registrar.poll().is_some() {}
        assert!(bench.registrar.devices.len() <= 5);
    }
    bench.pass(3600);
    while bench.registrar.poll().is_some() {}
    assert!(bench.registrar.devices.is_empty() && bench.registrar.deadline().is_none() && bench.registrar.changes.is_empty());
}

/// A contact that something on the way has given another port does not leave its old one behind, but a second device address stays one.
#[test]
fn s3_a_contact_that_was_rewritten_replaces_its_old_one() {
    let mut bench = Bench::new();
    bench.says("c", 1, "Contact: <sip:board@192.0.2.9:5060>\r\nExpires: 300\r\n");
    let moved = bench.says("c", 2, "Contact: <sip:board@192.0.2.9:61022>;expires=120\r\nExpires: 300\r\n").1;
    assert_eq!(moved, ["<sip:board@192.0.2.9:61022>;expires=120"], "the parameter counts before the header");
    assert_eq!(bench.says("c", 3, "Contact: <sip:board@203.0.113.4:61023>\r\nExpires: 300\r\n").1.len(), 1);
    assert_eq!(bench.says("other", 1, "Contact: <sip:board@192.0.2.8>\r\n").1.len(), 2, "another device");
    assert_eq!(bench.says("other", 2, "Contact: <sip:board@192.0.2.8;transport=tcp>\r\n").1.len(), 3, "another way to it");
    assert_eq!(bench.says("c", 4, "Contact: <sip:board@192.0.2.9:5099>;expires=0\r\n").1.len(), 2);
}
