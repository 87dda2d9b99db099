//! Who is known by an address alone proves to be there before its requests over UDP have an effect (M-1).

use super::authentication::{bench, challenges, client, from, signed};
use super::requests::{Bench, body, line, request, response, statuses};
use super::*;
use crate::sip::Command;

/// The lobby's phone, known by its address.
const LOBBY: [u8; 4] = [192, 0, 2, 10];
/// A trunk, known by its address.
const TRUNK: [u8; 4] = [192, 0, 2, 20];

fn says_from(bench: &mut Bench, peer: ([u8; 4], u16), text: &str) -> Vec<String> {
    let flow = Flow { peer: SocketAddr::from(peer), ..flow(0, Transport::Udp) };
    bench.endpoint.handle(bench.now, Input::Received { flow, bytes: text.as_bytes().to_vec() });
    bench.outputs()
}

/// A bench whose peers do not answer by themselves.
fn silent() -> Bench {
    Bench { is_there: false, ..bench(true) }
}

fn numbered(method: &str, n: u32) -> String {
    request(method, n, "Event: conference\r\n", "").replace("c1", &format!("c{n}"))
}

fn message(n: u32, text: &str) -> String {
    request("MESSAGE", n, "", &body("text/plain", text)).replace("c1", &format!("c{n}"))
}

/// A datagram in the name of a known address has no effect until that place has answered.
#[test]
fn m1_a_datagram_in_the_name_of_a_known_address_has_no_effect() {
    for method in ["REGISTER", "MESSAGE", "SUBSCRIBE"] {
        for peer in [(LOBBY, 5060), (TRUNK, 5062), ([127, 0, 0, 2], 5060)] {
            // Whoever is no device has to give a password first.
            if method == "REGISTER" && peer.0 != LOBBY {
                continue;
            }
            let mut bench = silent();
            let asked = says_from(&mut bench, peer, &numbered(method, 2));
            assert_eq!(asked.len(), 1);
            assert!(asked[0].starts_with(&format!("OPTIONS sip:{}", SocketAddr::from(peer))), "{asked:?}");
            assert!(bench.endpoint.registrations(bench.now).is_empty() && bench.events.is_empty());
            assert!(says_from(&mut bench, peer, &numbered(method, 2)).is_empty(), "repeated, it still waits");
            let late = bench.pass(Duration::from_millis(1001));
            assert_eq!((statuses(&late), line(&late[0], "Retry-After").as_str()), (vec!["503"], "2"), "{method}");
            bench.ends_empty();
        }
    }
}

/// An answer from the very place lets the request through and holds for five minutes.
#[test]
fn m1_an_answer_from_the_very_place_lets_the_request_through() {
    let mut bench = silent();
    let place = (LOBBY, 5060);
    let asked = says_from(&mut bench, place, &numbered("REGISTER", 2)).remove(0);
    let answer = response(&asked, 200, "", "");
    let provisional = response(&asked, 180, "", "");
    let call_id = line(&asked, "Call-ID");
    let branch = line(&asked, "Via").split_once("branch=").unwrap().1.split(';').next().unwrap().to_owned();
    assert!(branch.len() >= 7 + 32 && call_id.len() >= 32);
    for (from, wrong) in [
        ((LOBBY, 5061), answer.clone()),
        (([192, 0, 2, 11], 5060), answer.clone()),
        (place, provisional),
        (place, answer.replace(&call_id, "guess")),
        (place, answer.replace(&branch, "z9hG4bKguess")),
    ] {
        assert!(says_from(&mut bench, from, &wrong).is_empty(), "{wrong}");
        assert!(bench.endpoint.registrations(bench.now).is_empty());
    }
    bench.now += Duration::from_millis(900);
    let refusal = response(&asked, 405, "", "");
    assert_eq!(statuses(&says_from(&mut bench, place, &refusal)), ["200"], "any final response shows that it is there");
    assert_eq!(bench.endpoint.registrations(bench.now).len(), 1);
    assert!(says_from(&mut bench, place, &answer).is_empty(), "once");
    bench.now += Duration::from_secs(299);
    assert_eq!(statuses(&says_from(&mut bench, place, &numbered("REGISTER", 3))), ["200"]);
    let other = says_from(&mut bench, (LOBBY, 5061), &numbered("REGISTER", 4));
    assert!(other[0].starts_with("OPTIONS "), "another port proves itself: {other:?}");
    bench.now += Duration::from_secs(2);
    assert!(says_from(&mut bench, place, &numbered("REGISTER", 5))[0].starts_with("OPTIONS "), "five minutes are over");
}

/// An address is asked once a second and a place that has answered before for itself.
#[test]
fn m1_an_address_is_asked_once_a_second() {
    let mut bench = silent();
    let texts = |n: u32, user: &str| from(&message(n, "hello"), user);
    let place = (TRUNK, 5060);
    let mut asked = 0;
    for n in 0..1_000_u32 {
        let port = u16::try_from(10_000 + n).unwrap();
        let sent = says_from(&mut bench, (TRUNK, port), &texts(n + 10, &format!("u{n}")));
        match sent[0].starts_with("OPTIONS ") {
            true => asked += 1,
            false => assert_eq!((statuses(&sent), line(&sent[0], "Retry-After").as_str()), (vec!["503"], "2")),
        }
        bench.pass(Duration::from_millis(10));
    }
    assert_eq!(asked, 10, "in ten seconds");
    bench.pass(Duration::from_secs(1));
    let question = says_from(&mut bench, place, &texts(3_000, "real")).remove(0);
    let let_through = ["403"];
    assert_eq!(statuses(&says_from(&mut bench, place, &response(&question, 200, "", ""))), let_through, "it is in no call");
    bench.pass(Duration::from_secs(301));
    // Somebody keeps the address busy.
    assert!(says_from(&mut bench, (TRUNK, 10_000), &texts(5_000, "u"))[0].starts_with("OPTIONS "));
    let question = says_from(&mut bench, place, &texts(5_001, "real")).remove(0);
    assert!(question.starts_with("OPTIONS "), "{question}");
    assert_eq!(statuses(&says_from(&mut bench, place, &response(&question, 200, "", ""))), let_through);
}

/// A text in the name of a phone in a call waits for the phone.
#[test]
fn m1_a_text_in_the_name_of_a_phone_in_a_call_waits() {
    let mut bench = silent();
    bench.live();
    let call = bench.call();
    let outside = message(7, "spoofed");
    let question = bench.says(&outside).remove(0);
    assert!(question.starts_with("OPTIONS ") && !bench.events.iter().any(|event| matches!(event, Event::Text { .. })));
    assert!(bench.says(&response(&question, 200, "", "")).is_empty());
    let Some(Event::Text { call: of, message, .. }) = bench.events.last() else { panic!("{:?}", bench.events) };
    let (of, message) = (*of, *message);
    assert_eq!(of, call);
    assert_eq!(statuses(&bench.commands(Command::TextAnswered { call, message, refusal: None })), ["200"]);
}

#[test]
fn m1_a_password_a_connection_and_a_call_are_proof_enough() {
    let mut bench = silent();
    // A password.
    let register = from(&request("REGISTER", 1, "", ""), "board").replace("To: <sip:1001@", "To: <sip:board@");
    let mut phone = client("board", "sesame");
    assert!(challenges(&mut phone, &bench.says(&register)));
    assert_eq!(statuses(&bench.says(&signed(&mut phone, &register, 2))), ["200"]);
    // A connection from a known address.
    let flow = Flow { peer: SocketAddr::from((LOBBY, 5060)), ..flow(0, Transport::Tcp) };
    let bytes = numbered("REGISTER", 3).replace("SIP/2.0/UDP", "SIP/2.0/TCP").into_bytes();
    bench.endpoint.handle(bench.now, Input::Received { flow, bytes });
    assert_eq!(statuses(&bench.outputs()), ["200"]);
    // An INVITE has no effect before its ACK, which is a round trip itself.
    assert_eq!(statuses(&says_from(&mut bench, (LOBBY, 5060), &numbered("INVITE", 4))), ["100"]);
}

/// Strangers who do not answer leave a quarter of the requests that wait to who is known.
#[test]
fn x2_strangers_leave_a_quarter_of_the_requests_that_wait() {
    let mut bench = silent();
    let asked = |n: &u32| {
        let [_, _, high, low] = n.to_be_bytes();
        says_from(&mut bench, ([127, 1, high, low], 5060), &numbered("SUBSCRIBE", *n))[0].starts_with("OPTIONS ")
    };
    assert_eq!((300..1_300).filter(asked).count(), 768);
    assert!(says_from(&mut bench, (LOBBY, 5060), &numbered("SUBSCRIBE", 5_000))[0].starts_with("OPTIONS "));
}
