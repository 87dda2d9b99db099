//! Wrong passwords (X-2): only a try that could have been right counts, and against nobody but its own sender.

use super::authentication::{bench, challenges, client, from, signed};
use super::requests::{Bench, request, statuses};
use super::*;
use crate::sip::Known;
use crate::sip::auth::{Account, Accounts, Algorithm};

fn register(n: u32) -> String {
    from(&request("REGISTER", 1, "", ""), "board")
        .replace("To: <sip:1001@127.0.0.1>", "To: <sip:board@127.0.0.1>")
        .replace("c1", &format!("r{n}"))
        .replace("z9hG4bK", &format!("z9hG4bK{n}r"))
}

fn says_from(bench: &mut Bench, peer: ([u8; 4], u16), text: &str) -> Vec<String> {
    let flow = Flow { peer: SocketAddr::from(peer), ..flow(0, Transport::Udp) };
    bench.endpoint.handle(bench.now, Input::Received { flow, bytes: text.as_bytes().to_vec() });
    bench.outputs()
}

fn invented(n: u32) -> String {
    let line = format!(
        "Authorization: Digest username=\"board\", realm=\"roomgate\", nonce=\"{n:032x}\", uri=\"sip:127.0.0.1\", \
         response=\"{n:064x}\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"x\"\r\n"
    );
    register(n).replace("Max-Forwards", &format!("{line}Max-Forwards"))
}

/// Invented digests bar nobody and cost their own sender alone.
#[test]
fn x2_invented_digests_bar_nobody() {
    let mut bench = bench(false);
    for n in 0..5_000_u32 {
        let [_, _, high, low] = n.to_be_bytes();
        let sent = says_from(&mut bench, ([198, 51, high, low], 5060), &invented(n));
        assert_eq!(statuses(&sent), ["401"], "asked anew like anybody");
    }
    for (peer, text, expected) in [
        ([203, 0, 113, 9], register(9_001), "401"),
        ([192, 0, 2, 20], request("INVITE", 1, "", ""), "100"),
        ([192, 0, 2, 10], request("INVITE", 2, "", "").replace("c1", "c2"), "100"),
    ] {
        assert_eq!(statuses(&says_from(&mut bench, (peer, 5060), &text)), [expected], "{peer:?}");
    }
    assert!(bench.endpoint.silenced(bench.now).is_empty());
    let one = (0..1_000).filter(|n| !says_from(&mut bench, ([198, 51, 100, 1], 5060), &invented(*n)).is_empty()).count();
    assert!((30..60).contains(&one), "one sender has its budget, {one}");
    assert_eq!(bench.endpoint.silenced(bench.now).len(), 1);
}

#[test]
fn x2_a_nonce_of_somebody_else_is_no_try_and_its_proof_no_proof() {
    let mut bench = bench(false);
    let (here, there) = (([198, 51, 100, 1], 5060), ([198, 51, 100, 2], 5060));
    let (mut phone, mut thief) = (client("board", "sesame"), client("board", "guess"));
    let challenge = says_from(&mut bench, here, &register(1));
    assert!(challenges(&mut phone, &challenge) && challenges(&mut thief, &challenge));
    for n in 2..30 {
        let sent = says_from(&mut bench, there, &signed(&mut thief, &register(n), n));
        assert_eq!(statuses(&sent), ["401"]);
        assert!(sent[0].contains("stale=true"), "whatever the password");
    }
    let sent = says_from(&mut bench, there, &signed(&mut phone, &register(30), 30));
    assert!(statuses(&sent) == ["401"] && sent[0].contains("stale=true"), "{sent:?}");
    assert!(bench.endpoint.silenced(bench.now).is_empty());
    assert_eq!(statuses(&says_from(&mut bench, here, &signed(&mut phone, &register(31), 31))), ["200"]);
}

fn by(user: &str, text: &str) -> String {
    text.replace("From: <sip:board@", &format!("From: <sip:{user}@"))
}

/// Guesses under a name, each time with a nonce that it is given anew, until it is not answered so any more; how many guesses were.
fn guesses(bench: &mut Bench, peer: ([u8; 4], u16), user: &str, first: u32) -> usize {
    let guess = |n: &u32| {
        let mut thief = client("board", "guess");
        let challenge = says_from(bench, peer, &by(user, &invented(*n)));
        let challenged = statuses(&challenge) == ["401"] && challenges(&mut thief, &challenge);
        challenged && statuses(&says_from(bench, peer, &signed(&mut thief, &by(user, &register(*n)), 1_000_000 + n))) == ["401"]
    };
    (first..first + 100).take_while(guess).count()
}

/// Neighbours behind one address are barred one by one up to a cap and a registered phone never is.
#[test]
fn x2_neighbours_behind_one_address_are_barred() {
    let mut bench = bench(false);
    let address = [198, 51, 100, 1];
    let mut phone = client("board", "sesame");
    let challenge = says_from(&mut bench, (address, 5070), &register(1));
    assert!(challenges(&mut phone, &challenge));
    assert_eq!(statuses(&says_from(&mut bench, (address, 5070), &signed(&mut phone, &register(2), 2))), ["200"]);
    let mut answered = Vec::new();
    for neighbour in 0..10_u32 {
        bench.now += Duration::from_secs(1);
        answered.push(guesses(&mut bench, (address, 6000), &format!("n{neighbour}"), 1_000 * (neighbour + 1)));
    }
    assert_eq!(answered[..4], [8, 8, 8, 8], "each has its own tries: {answered:?}");
    assert_eq!(answered[5..].iter().sum::<usize>(), 0, "and all together no more than forty: {answered:?}");
    // The phone at the place that it has registered from.
    phone.accepted();
    let answer = says_from(&mut bench, (address, 5070), &signed(&mut phone, &register(20_000), 20_000));
    assert_eq!(statuses(&answer), ["200"], "{answer:?}");
}

/// Who is known by address is never judged by passwords, and each caller behind a trunk has tries of its own.
#[test]
fn x2_who_is_known_by_address_is_never_judged_by_passwords() {
    let mut bench = bench(false);
    let (lobby, trunk) = (([192, 0, 2, 10], 5060), ([192, 0, 2, 20], 5060));
    let mut phone = client("board", "sesame");
    let challenge = says_from(&mut bench, trunk, &invented(1));
    assert!(challenges(&mut phone, &challenge));
    let by_lobby: usize = (0..20).map(|n| guesses(&mut bench, lobby, &format!("u{n}"), 1_000 * (n + 1))).sum();
    let by_trunk: usize = (0..10).map(|n| guesses(&mut bench, trunk, &format!("u{n}"), 1_000 * (n + 200))).sum();
    assert_eq!((by_lobby, by_trunk), (0, 80), "each caller behind it has its own tries");
    for (n, peer) in [(1, lobby), (2, trunk)] {
        let text = request("INVITE", n, "", "").replace("c1", &format!("c{n}"));
        assert_eq!(statuses(&says_from(&mut bench, peer, &text)), ["100"]);
    }
    assert_eq!(statuses(&says_from(&mut bench, trunk, &signed(&mut phone, &register(900), 900))), ["200"], "and bars no other");
}

/// Where a device is registered, strangers of its address share a budget, whatever they call themselves.
#[test]
fn x2_strangers_where_a_device_is_registered_share_a_budget() {
    let mut bench = bench(false);
    let address = [198, 51, 100, 1];
    let mut phone = client("board", "sesame");
    let challenge = says_from(&mut bench, (address, 5070), &register(1));
    assert!(challenges(&mut phone, &challenge));
    assert_eq!(statuses(&says_from(&mut bench, (address, 5070), &signed(&mut phone, &register(2), 2))), ["200"]);
    let invite = |n: &u32| {
        let text = from(&request("INVITE", 1, "", ""), &format!("u{n}"));
        text.replace("c1", &format!("i{n}")).replace("z9hG4bK", &format!("z9hG4bK{n}i"))
    };
    let answered = (0..3_000).filter(|n| !says_from(&mut bench, (address, 6000), &invite(n)).is_empty()).count();
    assert!((100..=200).contains(&answered), "{answered}");
    assert_eq!(statuses(&says_from(&mut bench, (address, 5070), &register(3))), ["401"], "the phone at its own place");
    bench.now += Duration::from_secs(10);
    assert_eq!(statuses(&says_from(&mut bench, (address, 6001), &invite(&5_000))), ["401"], "who pauses is heard again");
}

/// A request that a proxy has passed on, which wants to be on the way back.
fn passed_on(text: &str, behind: &str) -> String {
    let hop = format!("Via: SIP/2.0/UDP {behind}:5060;branch=z9hG4bKhop\r\nPath: <sip:198.51.100.1;lr>\r\nFrom:");
    text.replacen("From:", &hop, 1)
}

/// Strangers who guess through a proxy bar none of the phones that register through it.
#[test]
fn x2_strangers_behind_a_proxy_bar_no_phone_behind_it() {
    let account = |n: u32| (format!("q{n}"), Account::new(&format!("q{n}"), &format!("q{n}"), "roomgate", "sesame"));
    let users = (1..4).map(account).collect();
    let accounts = Accounts { realm: "roomgate".to_owned(), algorithms: Algorithm::ALL.into(), users, secret: [9; 32] };
    let mut bench = Bench::with(Settings { known: Known { accounts, ..Known::default() }, ..Settings::default() });
    let proxy = ([198, 51, 100, 1], 5060);
    let text = |n: u32, user: &str, behind: &str| passed_on(&register(n).replace("sip:board@", &format!("sip:{user}@")), behind);
    let registers = |bench: &mut Bench, n: u32| {
        let (user, mut phone) = (format!("q{}", n % 10), client(&format!("q{}", n % 10), "sesame"));
        let text = text(n, &user, &format!("192.0.2.{}", n % 10));
        let challenge = says_from(bench, proxy, &text);
        statuses(&challenge) == ["401"] && challenges(&mut phone, &challenge) && {
            statuses(&says_from(bench, proxy, &signed(&mut phone, &text, n + 1))) == ["200"]
        }
    };
    assert!(registers(&mut bench, 11) && registers(&mut bench, 12));
    for n in 100..145_u32 {
        let (user, mut thief) = (format!("s{n}"), client(&format!("s{n}"), "guess"));
        let text = text(n, &user, &format!("203.0.113.{n}"));
        let challenge = says_from(&mut bench, proxy, &text);
        assert!(challenges(&mut thief, &challenge), "{n}");
        assert_eq!(statuses(&says_from(&mut bench, proxy, &signed(&mut thief, &text, n + 1))), ["401"], "{n}");
    }
    for n in [21, 22, 23] {
        assert!(registers(&mut bench, n), "q{}: {:?}", n % 10, bench.endpoint.silenced(bench.now));
    }
}

#[test]
fn x2_guesses_above_the_budget_count_as_well() {
    let mut bench = bench(false);
    let peer = ([198, 51, 100, 1], 5060);
    let (mut thief, mut phone) = (client("board", "guess"), client("board", "sesame"));
    let challenge = says_from(&mut bench, peer, &register(1));
    assert!(challenges(&mut thief, &challenge) && challenges(&mut phone, &challenge));
    // Over its budget it is not answered; a right password would be.
    (0..200).for_each(|n| drop(says_from(&mut bench, peer, &invented(n + 100))));
    for n in 1_000..1_008 {
        assert!(says_from(&mut bench, peer, &signed(&mut thief, &register(n), n)).is_empty());
    }
    assert!(says_from(&mut bench, peer, &signed(&mut phone, &register(2_000), 2_000)).is_empty());
}
