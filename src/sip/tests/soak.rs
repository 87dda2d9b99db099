//! A week in a moment: what is refreshed again and again leaves nothing behind.

use std::collections::HashMap;

use super::requests::{Bench, request, statuses};
use super::*;
use crate::sip::Known;
use crate::sip::auth::{Account, Accounts, Algorithm, Client, Credentials};

const WEEK: Duration = Duration::from_secs(7 * 86_400);
const REALM: &str = "roomgate";

/// A week of registrations leaves tables and timers as they were.
#[test]
fn a_week_of_registrations_leaves_tables_and_timers() {
    const PHONES: u32 = 20;
    let account = |n: u32| (format!("room{n}"), Account::new(&format!("room-{n}"), &format!("room{n}"), REALM, "sesame"));
    let users: HashMap<_, _> = (0..PHONES).map(account).collect();
    let accounts = Accounts { realm: REALM.to_owned(), algorithms: vec![Algorithm::Md5], users, secret: [9; 32] };
    let mut bench = Bench::with(Settings { known: Known { accounts, ..Known::default() }, ..Settings::default() });
    let credentials =
        |n: u32| Credentials { user: format!("room{n}"), password: "sesame".to_owned().into(), realm: Some(REALM.to_owned()) };
    let mut phones: Vec<Client> = (0..PHONES).map(|n| Client::new(credentials(n))).collect();
    let limits = crate::sip::WireLimits::default();
    let mut before = None;
    // Each asks for an hour, and comes again every half of it.
    for round in 1..=u32::try_from(WEEK.as_secs() / 1800).unwrap() {
        for (n, phone) in (0..PHONES).zip(&mut phones) {
            let user = format!("room{n}");
            let register = |number: u32| {
                let text = request("REGISTER", number, "", "").replace("Call-ID: c1", &format!("Call-ID: {user}"));
                let text = text.replace("z9hG4bK", &format!("z9hG4bK{user}x{number}x"));
                text.replace("<sip:a@", &format!("<sip:{user}@")).replace("To: <sip:1001@", &format!("To: <sip:{user}@"))
            };
            let mut number = round * 2;
            loop {
                let Ok(Message::Request(mut asked)) = Message::parse(register(number).as_bytes(), &limits) else { panic!() };
                phone.sign(&mut asked, "c0ffee");
                let sent = bench.says(std::str::from_utf8(&asked.to_bytes()).unwrap());
                if statuses(&sent) == ["200"] {
                    phone.accepted();
                    break;
                }
                let Ok(Message::Response(challenge)) = Message::parse(sent[0].as_bytes(), &limits) else { panic!("{sent:?}") };
                assert!(phone.challenged(&challenge), "{sent:?}");
                number += 1;
            }
        }
        bench.pass(Duration::from_secs(1800));
        let held = (bench.endpoint.load(), bench.endpoint.registrations(bench.now).len());
        assert_eq!(held, *before.get_or_insert(held));
        assert_eq!(held.1, PHONES as usize);
    }
    bench.pass(Duration::from_secs(3600));
    assert!(bench.endpoint.registrations(bench.now).is_empty() && bench.endpoint.is_empty());
}
