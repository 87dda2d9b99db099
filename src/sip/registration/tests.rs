//! Our own registrations at a PBX that answers by hand, in virtual time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::*;
use crate::common::machine::Machine as _;
use crate::sip::auth::{self, Credentials};
use crate::sip::message::Message;
use crate::sip::message::wire::WireLimits;
use crate::sip::{Command, Endpoint, Flow, Input, Output, Settings, Target, Transport, Uri};

/// A PBX at two addresses, and what it has been sent.
struct Bench {
    endpoint: Endpoint,
    now: Instant,
    /// What was sent, and where to.
    sent: Vec<(SocketAddr, String)>,
    located: usize,
}

const FIRST: &str = "192.0.2.1:5060";
const SECOND: &str = "192.0.2.2:5060";

#[allow(clippy::disallowed_methods, reason = "virtual time needs one real instant to count from")]
fn start() -> Instant {
    Instant::now()
}

impl Bench {
    fn new() -> Self {
        let credentials = Credentials { user: "7000".into(), password: "sesame".to_owned().into(), realm: Some("pbx".into()) };
        let account = RegistrationAccount {
            label: "pbx".into(),
            registrar: Uri::parse("sip:pbx.example.com").unwrap(),
            transport: None,
            username: "7000".into(),
            contact: contact("pbx", "7000", "sesame"),
            credentials,
            expires: Duration::from_secs(600),
        };
        let settings = Settings { accounts: vec![account], seed: [5; 32], ..Settings::default() };
        let mut bench = Self { endpoint: Endpoint::new(settings), now: start(), sent: Vec::new(), located: 0 };
        bench.does(Command::SignOn);
        bench
    }

    /// Registered for ten minutes.
    fn registered() -> Self {
        let mut bench = Self::new();
        let first = bench.registers().remove(0);
        bench.answers(&first, 200, "Expires: 600");
        bench
    }

    /// Has the endpoint do this.
    fn does(&mut self, command: Command) {
        self.endpoint.handle(self.now, Input::Command(command));
        self.settle();
    }

    /// A reload with another password; what it sends.
    fn takes_another_password(&mut self) -> Vec<(SocketAddr, String)> {
        let new = with_accounts(self, |account| {
            account.credentials.password = "other".to_owned().into();
            account.contact = contact("pbx", "7000", "other");
        });
        self.does(new);
        self.registers()
    }

    /// Lets the endpoint do what it wants now.
    fn settle(&mut self) {
        loop {
            if self.endpoint.deadline().is_some_and(|at| at <= self.now) {
                self.endpoint.wake(self.now);
            }
            let Some(output) = self.endpoint.poll() else {
                if self.endpoint.deadline().is_some_and(|at| at <= self.now) {
                    continue;
                }
                return;
            };
            match output {
                Output::Transmit { flow, bytes } => self.sent.push((flow.peer, String::from_utf8(bytes).unwrap())),
                Output::Locate(wanted) => {
                    self.located += 1;
                    let transport = Transport::Udp;
                    let targets = [FIRST, SECOND].map(|target| Target { address: target.parse().unwrap(), transport }).to_vec();
                    self.endpoint.handle(self.now, Input::Located { token: wanted.token, targets });
                }
                Output::Connect { peer, transport, token, .. } => {
                    let local = "198.51.100.1:5060".parse().unwrap();
                    let flow = Flow { transport, listener: 0, connection: None, local, peer };
                    self.endpoint.handle(self.now, Input::Connected { token, flow });
                }
                Output::Event(_) | Output::Registered(_) | Output::Copied(_) => {}
            }
        }
    }

    fn passes(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.endpoint.deadline().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.settle();
        }
        self.now = end;
        self.settle();
    }

    /// The REGISTERs sent since, without keep-alives and repeats.
    fn registers(&mut self) -> Vec<(SocketAddr, String)> {
        let mut found: Vec<(SocketAddr, String)> = Vec::new();
        for (to, text) in std::mem::take(&mut self.sent) {
            if text.starts_with("REGISTER ") && !found.iter().any(|(_, known)| *known == text) {
                found.push((to, text));
            }
        }
        found
    }

    fn answers(&mut self, register: &(SocketAddr, String), status: u16, more: &str) {
        let Ok(Message::Request(request)) = Message::parse(register.1.as_bytes(), &WireLimits::default()) else { panic!() };
        let mut response = request.response(status, Some("t"));
        for line in more.lines() {
            let (name, value) = line.split_once(": ").unwrap();
            response.headers.push(name, value);
        }
        let local = "198.51.100.1:5060".parse().unwrap();
        // By the way that the request has come.
        let via = register.1.lines().find_map(|line| line.strip_prefix("Via: SIP/2.0/")?.split(' ').next()).unwrap();
        let flow = Flow { transport: Transport::parse(via).unwrap(), listener: 0, connection: None, local, peer: register.0 };
        self.endpoint.handle(self.now, Input::Received { flow, bytes: response.to_bytes() });
        self.settle();
    }

    fn standing(&self) -> AccountStanding {
        self.endpoint.accounts(self.now).remove(0)
    }
}

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";

#[test]
fn it_registers_with_its_password_and_again_before_that_is_over() {
    let mut bench = Bench::new();
    let first = bench.registers().remove(0);
    let contact = contact("pbx", "7000", "sesame");
    for part in [
        "REGISTER sip:pbx.example.com SIP/2.0\r\n",
        "To: <sip:7000@pbx.example.com>\r\n",
        "Expires: 600\r\n",
        &format!("Contact: <sip:{contact}@198.51.100.1:5060>\r\n"),
    ] {
        assert!(first.1.contains(part), "{part}: {}", first.1);
    }
    bench.answers(&first, 401, CHALLENGE);
    let proven = bench.registers().remove(0);
    assert!(
        proven.1.contains("Authorization: Digest username=\"7000\"") && proven.1.contains("CSeq: 2 REGISTER"),
        "{}",
        proven.1
    );
    let granted = format!("Contact: <sip:other@x>;expires=9, <sip:{contact}@198.51.100.1:5060>;expires=300");
    bench.answers(&proven, 200, &granted);
    assert_eq!((bench.standing().lives, bench.standing().failure), (Some(Duration::from_secs(300)), None));
    bench.passes(Duration::from_secs(262));
    assert!(bench.registers().is_empty());
    assert!(bench.located == 1, "the same flow as long as it is there");
    bench.passes(Duration::from_secs(2));
    assert_eq!(bench.registers().len(), 1);
}

#[test]
fn the_way_through_a_router_is_kept_open() {
    let mut bench = Bench::registered();
    bench.passes(Duration::from_secs(300));
    assert_eq!(bench.sent.iter().filter(|(_, text)| text == "\r\n\r\n").count(), 12);
}

/// A server that does not answer is followed by the next and then by waits that grow without end.
#[test]
fn a_server_that_does_not_answer_is_followed_by_the_next() {
    let mut bench = Bench::new();
    bench.registers();
    bench.passes(Duration::from_secs(33));
    let second = bench.registers().pop().unwrap();
    assert_eq!(second.0, SECOND.parse::<SocketAddr>().unwrap());
    bench.answers(&second, 503, "Retry-After: 60");
    let AccountStanding { failure, next, .. } = bench.standing();
    assert_eq!((failure.as_deref(), next), (Some("503 Service Unavailable"), Some(Duration::from_secs(60))));
    // A day without an answer: each round takes 32 s for each address and a wait of 150 to 300 s.
    bench.passes(Duration::from_secs(86_400));
    let tries = bench.registers().len();
    assert!((450..900).contains(&tries), "{tries}");
    let last = loop {
        bench.passes(Duration::from_secs(1));
        if let Some(last) = bench.registers().pop() {
            break last;
        }
    };
    bench.answers(&last, 200, "Expires: 600");
    assert!(bench.standing().lives.is_some() && bench.standing().failure.is_none());
}

/// A challenge of another realm and a refused password are not answered again.
#[test]
fn a_refused_password_is_not_given_again() {
    let mut bench = Bench::new();
    let first = bench.registers().remove(0);
    bench.answers(&first, 401, &CHALLENGE.replace("realm=\"pbx\"", "realm=\"bank\""));
    assert!(bench.registers().is_empty());
    assert_eq!(bench.standing().failure.as_deref(), Some("user name, password or realm is not taken"));
    bench.passes(Duration::from_secs(5));
    let again = bench.registers().remove(0);
    bench.answers(&again, 401, CHALLENGE);
    let proven = bench.registers().remove(0);
    bench.answers(&proven, 401, &CHALLENGE.replace("n1", "n2"));
    assert!(bench.registers().is_empty() && bench.standing().lives.is_none());
}

#[test]
fn a_longer_time_is_asked_for_where_the_registrar_wants_it() {
    let mut bench = Bench::new();
    let first = bench.registers().remove(0);
    bench.answers(&first, 423, "Min-Expires: 1800");
    let longer = bench.registers().remove(0);
    assert!(longer.1.contains("Expires: 1800\r\n"));
    bench.answers(&longer, 200, "Expires: 1800");
    assert_eq!(bench.standing().lives, Some(Duration::from_secs(1800)));
}

#[test]
fn at_the_end_it_is_taken_back_and_stays_so() {
    let mut bench = Bench::registered();
    bench.does(Command::SignOff);
    assert!(!bench.endpoint.has_signed_off());
    let last = bench.registers().remove(0);
    assert!(last.1.contains("Expires: 0\r\n"), "{}", last.1);
    bench.answers(&last, 200, "");
    assert!(bench.endpoint.has_signed_off());
    bench.passes(Duration::from_secs(86_400));
    assert!(bench.sent.is_empty() && bench.standing().next.is_none());
}

#[test]
fn a_week_of_refreshes_leaves_tables_and_timers_as_they_were() {
    let mut bench = Bench::new();
    let mut before = None;
    for _ in 0..1_100 {
        let register = bench.registers().pop().unwrap();
        bench.answers(&register, 200, "Expires: 600");
        bench.passes(Duration::from_secs(100));
        bench.sent.clear();
        let held = bench.endpoint.load();
        assert_eq!(held, *before.get_or_insert(held));
        bench.passes(Duration::from_secs(440));
    }
    assert_eq!(bench.located, 1);
}

/// The settings of [`Bench::new`] with other accounts.
fn with_accounts(bench: &Bench, change: impl FnOnce(&mut RegistrationAccount)) -> Command {
    let mut settings = bench.endpoint.core.settings.clone();
    change(&mut settings.accounts[0]);
    Command::Reconfigure(Box::new(settings))
}

#[test]
fn o2_a_reload_leaves_an_account_alone_that_is_the_same() {
    let mut bench = Bench::registered();
    let same = with_accounts(&bench, |_| {});
    bench.does(same);
    assert!(bench.sent.is_empty(), "{:?}", bench.sent);
}

#[test]
fn o2_a_new_password_signs_the_old_contact_off_and_a_new_one_on() {
    let mut bench = Bench::registered();
    let both = bench.takes_another_password();
    let [off, on] = both.as_slice() else { panic!("{both:?}") };
    assert!(off.1.contains("Expires: 0\r\n") && off.1.contains(&contact("pbx", "7000", "sesame")), "{}", off.1);
    assert!(on.1.contains("Expires: 600\r\n") && on.1.contains(&contact("pbx", "7000", "other")), "{}", on.1);
    bench.answers(off, 200, "");
    bench.answers(on, 200, "Expires: 600");
    assert_eq!(bench.endpoint.accounts(bench.now).len(), 1, "the old one is told of no more");
    assert_eq!(bench.standing().lives, Some(Duration::from_secs(600)));
}

/// What reloads have replaced is forgotten once it is signed off.
#[test]
fn o2_what_reloads_have_replaced_is_forgotten() {
    let mut bench = Bench::registered();
    for n in 0..5 {
        let new = with_accounts(&bench, |account| account.contact = contact("pbx", "7000", &format!("password {n}")));
        bench.does(new);
        for request in bench.registers() {
            let lives = if request.1.contains("Expires: 0\r\n") { "" } else { "Expires: 600" };
            bench.answers(&request, 200, lives);
        }
        assert_eq!(bench.endpoint.usages.registrations.len(), 1, "the one there is");
    }
}

/// Whether this password is the one that a REGISTER answers [`CHALLENGE`] with.
fn is_proven_by(register: &str, password: &str) -> bool {
    let parse = |text: &str| match Message::parse(text.as_bytes(), &WireLimits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    };
    let sent = parse(register);
    let proof = sent.headers.get("Authorization").expect("a proof");
    let cnonce = proof.split_once("cnonce=\"").and_then(|(_, rest)| rest.split('"').next()).expect("a cnonce");
    let mut anew = parse(&register.replace(&format!("Authorization: {proof}\r\n"), ""));
    let mut challenge = anew.response(401, Some("t"));
    challenge.headers.push("WWW-Authenticate", CHALLENGE.split_once(": ").unwrap().1.to_owned());
    let credentials = Credentials { user: "7000".into(), password: password.to_owned().into(), realm: Some("pbx".into()) };
    let mut client = auth::Client::new(credentials);
    assert!(client.challenged(&challenge));
    client.sign(&mut anew, cnonce);
    anew.headers.get("Authorization") == Some(proof)
}

/// The old contact is signed off with the new password and one that cannot be lets calls in while it lives.
#[test]
fn o2_the_old_contact_is_signed_off_with_the_new_password() {
    let mut bench = Bench::registered();
    let both = bench.takes_another_password();
    for request in &both {
        bench.answers(request, 401, CHALLENGE);
    }
    let proofs = bench.registers();
    let [off, on] = proofs.as_slice() else { panic!("{proofs:?}") };
    assert!(off.1.contains("Expires: 0\r\n") && on.1.contains("Expires: 600\r\n"), "{proofs:?}");
    assert!(is_proven_by(&off.1, "other") && is_proven_by(&on.1, "other") && !is_proven_by(&off.1, "sesame"));
    bench.answers(on, 200, "Expires: 600");
    bench.answers(off, 403, "");

    let called = |bench: &Bench, password: &str| {
        let text = format!("INVITE sip:{}@198.51.100.1 SIP/2.0\r\n\r\n", contact("pbx", "7000", password));
        let Ok(Message::Request(request)) = Message::parse(text.as_bytes(), &WireLimits::default()) else { panic!() };
        bench.endpoint.usages.registrations.called(&request).is_some()
    };
    assert!(called(&bench, "sesame") && called(&bench, "other"));
    assert_eq!(bench.endpoint.accounts(bench.now).len(), 1, "only what is configured is told of");
    bench.passes(Duration::from_secs(601));
    assert!(!called(&bench, "sesame") && called(&bench, "other"));
    assert_eq!(bench.endpoint.usages.registrations.len(), 1);
}

/// A registrar that refuses to forget us is told of and no call waits for it.
#[test]
fn o4_a_registrar_that_refuses_to_forget_us_is_told_of() {
    let mut bench = Bench::registered();
    bench.does(Command::SignOff);
    assert!(bench.endpoint.is_at_rest() && !bench.endpoint.has_signed_off());
    let off = bench.registers().remove(0);
    bench.answers(&off, 403, "");
    assert!(bench.endpoint.has_signed_off());
    let standing = bench.standing();
    assert_eq!(standing.lives, Some(Duration::from_secs(600)));
    assert!(standing.failure.is_some_and(|why| why.contains("403")));
}

#[test]
fn o2_another_life_is_asked_for_at_once_with_the_same_contact() {
    let mut bench = Bench::registered();
    let new = with_accounts(&bench, |account| account.expires = Duration::from_secs(1200));
    bench.does(new);
    let again = bench.registers();
    assert!(again.len() == 1 && again[0].1.contains("Expires: 1200\r\n"), "{again:?}");
}

#[test]
fn o2_an_account_that_is_taken_out_is_signed_off() {
    let mut bench = Bench::registered();
    let settings = Settings { accounts: Vec::new(), ..bench.endpoint.core.settings.clone() };
    bench.does(Command::Reconfigure(Box::new(settings)));
    let off = bench.registers();
    assert!(off.len() == 1 && off[0].1.contains("Expires: 0\r\n"), "{off:?}");
    bench.answers(&off[0], 200, "");
    assert!(bench.endpoint.accounts(bench.now).is_empty());
    bench.passes(Duration::from_secs(86_400));
    assert!(bench.sent.is_empty());
}

/// Another transport signs the old contact off and goes the new way.
#[test]
fn o2_another_transport_signs_the_old_contact_off() {
    let mut bench = Bench::registered();
    let new = with_accounts(&bench, |account| account.transport = Some(Transport::Tcp));
    bench.does(new);
    assert_eq!(bench.located, 2, "where it is by the new transport is asked anew");
    let both = bench.registers();
    let [off, on] = both.as_slice() else { panic!("{both:?}") };
    assert!(off.1.contains("Expires: 0\r\n") && on.1.contains("Expires: 600\r\n"), "{both:?}");
}

/// A Contact that stands alone is ours, whatever something on the way has made of it; beside others ours is the one that we know.
#[test]
fn s3_a_lone_contact_says_how_long_we_are_known() {
    let ours = format!("sip:{}@198.51.100.1:5060", contact("pbx", "7000", "sesame"));
    for (answer, seconds) in [
        ("Contact: <sip:7000-x1@192.0.2.1:6000;ob>;expires=20".to_owned(), 20),
        ("Contact: <sip:7000-x1@192.0.2.1:6000>\nExpires: 30".to_owned(), 30),
        ("Contact: <sip:7000@192.0.2.1>;expires=\"40\"\nExpires: 90".to_owned(), 90),
        (format!("Contact: <sip:7000@192.0.2.7>;expires=500\nContact: <{ours}>;expires=50"), 50),
        ("Contact: <sip:7000@192.0.2.7>;expires=500\nContact: <sip:7000@192.0.2.8>;expires=400\nExpires: 60".to_owned(), 60),
        ("Contact: <sip:7000@192.0.2.7>;expires=20.5".to_owned(), 20),
    ] {
        let mut bench = Bench::new();
        let first = bench.registers().remove(0);
        bench.answers(&first, 200, &answer);
        assert_eq!(bench.standing().lives, Some(Duration::from_secs(seconds)), "{answer}");
    }
}

/// What comes over the connection or from the address of a registrar is a call of that account, whatever user part it asks for.
#[test]
fn s3_a_call_from_a_registrar_is_one_of_its_account() {
    let bench = Bench::registered();
    let request = |user: &str| {
        let text = format!("INVITE sip:{user}@198.51.100.1 SIP/2.0\r\nTo: <sip:{user}@pbx.example.com>\r\n\r\n");
        let Ok(Message::Request(request)) = Message::parse(text.as_bytes(), &WireLimits::default()) else { panic!() };
        request
    };
    let registrations = &bench.endpoint.usages.registrations;
    let account = Some(crate::sip::Identity::Account("pbx".into()));
    for user in ["1001", "+49301234567", "7000", "nobody"] {
        let request = request(user);
        assert_eq!(registrations.called_from([192, 0, 2, 1].into(), &request), account, "{user}");
        assert_eq!(registrations.called_from([192, 0, 2, 2].into(), &request), None, "it is not registered there");
        let flow = |transport| Flow {
            transport,
            listener: 0,
            connection: None,
            local: "198.51.100.1:5060".parse().unwrap(),
            peer: FIRST.parse().unwrap(),
        };
        assert_eq!(registrations.called_by(&flow(Transport::Tcp), &request), account);
        assert_eq!(registrations.called_by(&flow(Transport::Udp), &request), None, "a datagram may be forged");
    }
}

/// The endpoint takes such a call for one of the account, known by its address alone.
#[test]
fn s3_a_call_from_a_registrar_is_let_in() {
    let mut bench = Bench::registered();
    let text = "INVITE sip:1001@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\nFrom: <sip:4711@pbx>;tag=a\r\n\
        To: <sip:1001@pbx>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:4711@192.0.2.1>\r\nContent-Length: 0\r\n\r\n";
    let local = "198.51.100.1:5060".parse().unwrap();
    let flow = |peer: &str| Flow { transport: Transport::Udp, listener: 0, connection: None, local, peer: peer.parse().unwrap() };
    let mut calls = |peer: &str, call_id: &str| {
        let bytes = text.replace("Call-ID: c", &format!("Call-ID: {call_id}")).replace("z9hG4bK1", call_id).into_bytes();
        bench.endpoint.handle(bench.now, Input::Received { flow: flow(peer), bytes });
        let mut identity = None;
        while let Some(output) = bench.endpoint.poll() {
            if let Output::Event(crate::sip::Event::Incoming(incoming)) = output {
                identity = incoming.identity.map(|identity| (identity, incoming.proof));
            }
        }
        identity
    };
    let account = (crate::sip::Identity::Account("pbx".into()), crate::sip::Proof::Address);
    assert_eq!(calls("192.0.2.1:5060", "z9hG4bKone"), Some(account.clone()));
    assert_eq!(calls("192.0.2.1:5099", "z9hG4bKtwo"), Some(account), "any port of its address");
    assert_eq!(calls("203.0.113.7:5060", "z9hG4bKthree"), None);
}
