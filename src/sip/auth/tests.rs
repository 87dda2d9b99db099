//! Both roles against each other, in virtual time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::*;
use crate::sip::message::method::Method;
use crate::sip::message::{Request, Response};

const REALM: &str = "roomgate";
const HERE: &str = "192.0.2.1";

fn accounts() -> Accounts {
    let users = HashMap::from([("board".to_owned(), Account::new("board-room", "board", REALM, "sesame"))]);
    Accounts { realm: REALM.to_owned(), algorithms: Algorithm::ALL.into(), users, secret: [3; 32] }
}

fn client(user: &str, password: &str) -> Client {
    Client::new(Credentials { user: user.to_owned(), password: Zeroizing::new(password.to_owned()), realm: None })
}

fn register() -> Request {
    Request::new(Method::Register, "sip:gateway.example")
}

struct Pair {
    server: Authenticator,
    now: Instant,
}

impl Pair {
    #[allow(clippy::disallowed_methods, reason = "virtual time needs one real instant to count from")]
    fn new() -> Self {
        Self { server: Authenticator::new(accounts()), now: Instant::now() }
    }

    fn challenge(&mut self, stale: bool) -> Response {
        let mut response = register().response(401, None);
        for line in self.server.challenge(self.now, HERE, stale) {
            response.headers.push("WWW-Authenticate", line);
        }
        response
    }

    /// Signs a request and has it judged.
    fn tries(&mut self, client: &mut Client, mut request: Request) -> (DigestVerdict, Request) {
        client.sign(&mut request, "c0ffee");
        (self.server.judge(self.now, &request, HERE), request)
    }
}

fn proven() -> DigestVerdict {
    DigestVerdict::Proven { label: "board-room".into() }
}

#[test]
fn who_knows_the_password_is_proven_and_a_replay_is_not() {
    let mut pair = Pair::new();
    let mut client = client("board", "sesame");
    assert_eq!(pair.server.judge(pair.now, &register(), HERE), DigestVerdict::Absent);
    let challenge = pair.challenge(false);
    let offered: Vec<_> = challenge.headers.lines("WWW-Authenticate").collect();
    assert!(offered[0].contains("algorithm=SHA-256") && offered[1].contains("algorithm=MD5"), "{offered:?}");
    assert!(client.challenged(&challenge));
    let (verdict, request) = pair.tries(&mut client, register());
    assert_eq!(verdict, proven());
    assert!(request.headers.get("Authorization").is_some_and(|line| line.contains("algorithm=SHA-256")));
    assert_eq!(pair.server.judge(pair.now, &request, HERE), DigestVerdict::Stale, "the same count again");
    client.accepted();
    assert_eq!(pair.tries(&mut client, register()).0, proven(), "the next count of the same nonce");
}

#[test]
fn a_phone_that_knows_only_md5_is_proven_too() {
    let mut pair = Pair::new();
    let mut client = client("board", "sesame");
    let mut challenge = register().response(401, None);
    challenge.headers.push("WWW-Authenticate", pair.server.challenge(pair.now, HERE, false).remove(1));
    assert!(client.challenged(&challenge));
    assert_eq!(pair.tries(&mut client, register()).0, proven());
}

/// An expired nonce is stale whatever the password and so is one of somebody else.
#[test]
fn x2_an_expired_nonce_is_stale_whatever_the_password() {
    let mut pair = Pair::new();
    let (mut right, mut wrong) = (client("board", "sesame"), client("board", "guess"));
    let challenge = pair.challenge(false);
    assert!(right.challenged(&challenge) && wrong.challenged(&challenge));
    pair.now += Duration::from_secs(3601);
    assert_eq!(pair.tries(&mut right, register()).0, DigestVerdict::Stale);
    assert_eq!(pair.tries(&mut wrong, register()).0, DigestVerdict::Stale, "who guesses learns nothing from it");
    let challenge = pair.challenge(true);
    assert!(right.challenged(&challenge));
    let (verdict, request) = pair.tries(&mut right, register());
    assert_eq!(verdict, proven());
    assert_eq!(pair.server.judge(pair.now, &request, "192.0.2.2"), DigestVerdict::Stale, "it was made for another sender");
}

#[test]
fn an_unknown_user_and_a_wrong_password_are_answered_alike() {
    let mut pair = Pair::new();
    for (user, password) in [("board", "guess"), ("nobody", "guess"), ("", "")] {
        let mut client = client(user, password);
        let challenge = pair.challenge(false);
        assert!(client.challenged(&challenge));
        assert_eq!(pair.tries(&mut client, register()).0, DigestVerdict::Wrong, "{user}");
    }
}

#[test]
fn a_proof_holds_for_its_method_and_user_alone() {
    let mut pair = Pair::new();
    let mut client = client("board", "sesame");
    let challenge = pair.challenge(false);
    assert!(client.challenged(&challenge));
    let mut signed = Request::new(Method::Invite, "sip:1001@proxy.example");
    client.sign(&mut signed, "c");
    let with = |method: Method, uri: &str| Request { method, uri: uri.to_owned(), ..signed.clone() };
    assert_eq!(pair.server.judge(pair.now, &with(Method::Bye, "sip:1001@proxy.example"), HERE), DigestVerdict::Wrong);
    assert_eq!(pair.server.judge(pair.now, &with(Method::Invite, "sip:1002@proxy.example"), HERE), DigestVerdict::Wrong);
    let mut behind_a_proxy = with(Method::Invite, "sip:1001@192.0.2.1:5060;transport=tcp");
    behind_a_proxy.headers.push("Via", "SIP/2.0/UDP 192.0.2.9, SIP/2.0/UDP 192.0.2.8");
    assert_eq!(pair.server.judge(pair.now, &behind_a_proxy, HERE), proven());
}

#[test]
fn fields_that_are_missing_or_foreign_prove_nothing() {
    let mut pair = Pair::new();
    let mut client = client("board", "sesame");
    let challenge = pair.challenge(false);
    assert!(client.challenged(&challenge));
    let mut signed = register();
    client.sign(&mut signed, "c");
    let line = signed.headers.get("Authorization").unwrap().to_owned();
    let verdict = |pair: &mut Pair, line: &str| {
        let mut request = register();
        request.headers.push("Authorization", line);
        pair.server.judge(pair.now, &request, HERE)
    };
    for (from, to) in [
        ("qop=auth", "qop=auth-int"),
        (", qop=auth", ""),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=0000000g"),
        ("algorithm=SHA-256", "algorithm=SHA-256-sess"),
        ("algorithm=SHA-256", "algorithm=MD5"),
        ("response=\"", "response=\"0"),
        ("cnonce=\"c\"", "cnonce=\"d\""),
    ] {
        assert!(line.contains(from), "{from}");
        assert_eq!(verdict(&mut pair, &line.replace(from, to)), DigestVerdict::Wrong, "{to}");
    }
    for foreign in
        [line.replace("realm=\"roomgate\"", "realm=\"other\""), "Basic Ym9hcmQ6c2VzYW1l".to_owned(), "Digest".to_owned()]
    {
        assert_eq!(verdict(&mut pair, &foreign), DigestVerdict::Absent, "{foreign}");
    }
    assert_eq!(verdict(&mut pair, &line), proven(), "tries that failed have not used the count up");
}

#[test]
fn a_client_answers_once_and_again_only_when_stale() {
    let mut pair = Pair::new();
    let mut client = client("board", "guess");
    let challenge = pair.challenge(false);
    assert!(client.challenged(&challenge));
    assert!(!client.challenged(&challenge), "the same nonce again");
    assert!(!client.challenged(&pair.challenge(false)), "a new nonce, but the password was refused");
    let answered = (0..20).filter(|_| client.challenged(&pair.challenge(true))).count();
    assert_eq!(answered, 3, "a peer that calls everything stale is not followed for ever");
    client.accepted();
    assert!(client.challenged(&pair.challenge(true)));
}

#[test]
fn a_client_answers_nothing_that_is_not_its_own_to_answer() {
    let mut client = client("board", "sesame");
    let challenge = |status: u16, header: &str, line: &str| {
        let mut response = register().response(status, None);
        response.headers.push(header, line);
        response
    };
    for (status, header, line) in [
        (401, "WWW-Authenticate", "Basic realm=\"roomgate\""),
        (401, "WWW-Authenticate", "Digest realm=\"roomgate\", nonce=\"\""),
        (401, "WWW-Authenticate", "Digest realm=\"roomgate\", nonce=\"n\", qop=\"auth-int\""),
        (401, "WWW-Authenticate", "Digest realm=\"roomgate\", nonce=\"n\", algorithm=SHA-512"),
        (401, "Proxy-Authenticate", "Digest realm=\"roomgate\", nonce=\"n\""),
        (403, "WWW-Authenticate", "Digest realm=\"roomgate\", nonce=\"n\""),
    ] {
        assert!(!client.challenged(&challenge(status, header, line)), "{line}");
    }
    let mut unsigned = register();
    client.sign(&mut unsigned, "c");
    assert_eq!(unsigned.headers.get("Authorization"), None);
    assert!(client.challenged(&challenge(407, "Proxy-Authenticate", "Digest realm=\"pbx\", nonce=\"n\", opaque=\"o\"")));
    let mut signed = register();
    client.sign(&mut signed, "c");
    let line = signed.headers.get("Proxy-Authorization").unwrap();
    assert!(line.contains("opaque=\"o\"") && !line.contains("qop"), "{line}");
    let foreign = challenge(401, "WWW-Authenticate", "Digest realm=\"evil\", nonce=\"m\", qop=\"auth\", stale=true");
    assert!(!client.challenged(&foreign), "a realm that was not ours before");
}

#[test]
fn an_algorithm_that_is_not_offered_proves_nothing() {
    let mut pair = Pair::new();
    pair.server = Authenticator::new(Accounts { algorithms: vec![Algorithm::Sha256], ..accounts() });
    let challenge = pair.challenge(false);
    assert_eq!(challenge.headers.lines("WWW-Authenticate").count(), 1);
    let mut weakened = register().response(401, None);
    let line = challenge.headers.get("WWW-Authenticate").unwrap().replace("SHA-256", "MD5");
    weakened.headers.push("WWW-Authenticate", line);
    let (mut strong, mut weak) = (client("board", "sesame"), client("board", "sesame"));
    assert!(strong.challenged(&challenge) && weak.challenged(&weakened));
    assert_eq!(pair.tries(&mut weak, register()).0, DigestVerdict::Wrong);
    assert_eq!(pair.tries(&mut strong, register()).0, proven());
}

/// What was signed and what was asked for mean the same where a proxy may have changed how it is written, and no other user or host.
#[test]
fn s3_a_uri_may_be_written_otherwise_than_it_was_signed() {
    let judged = |signed: &str, asked: &str, proxies: usize| {
        let mut pair = Pair::new();
        let mut client = client("board", "sesame");
        assert!(client.challenged(&pair.challenge(false)));
        let mut request = Request::new(Method::Invite, signed);
        client.sign(&mut request, "c0ffee");
        asked.clone_into(&mut request.uri);
        for via in 0..=proxies {
            request.headers.push("Via", format!("SIP/2.0/UDP 192.0.2.{via};branch=z9hG4bK{via}"));
        }
        pair.server.judge(pair.now, &request, HERE) == proven()
    };
    let signed = "sip:1001@gateway.example";
    for asked in [
        signed,
        "sip:1001@gateway.example:5060",
        "sip:1001@GATEWAY.example",
        "sip:1001@gateway.example;transport=tcp;lr",
        "sip:100%31@gateway.example;user=phone",
        "sips:1001@gateway.example:5061",
    ] {
        assert!(judged(signed, asked, 0) && judged(asked, signed, 0), "{asked}");
    }
    for asked in ["sip:1002@gateway.example", "sip:gateway.example", "sip:10010@gateway.example", "nothing"] {
        assert!(!judged(signed, asked, 0) && !judged(signed, asked, 1), "{asked}");
    }
    assert!(!judged(signed, "sip:1001@192.0.2.1", 0), "nobody was there to change the host");
    assert!(judged(signed, "sip:1001@192.0.2.1", 1), "a proxy has put our address in the place of its own");
}
