//! C-10: providers that are reached by HTTP, each checked against its vendor's own package.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::load::long;
use crate::namespace::isolated_beside_others;
use crate::vendor::Vendor;
use crate::waiting::{eventually, random_moment, seconds};

const HOOK: &str = "http://127.0.0.1:8080/webhooks/sms/demo";

fn counts(daemon: &Daemon, names: &[&str]) -> Vec<u64> {
    let counts = &daemon.outbox()["counts"];
    names.iter().map(|name| counts[*name].as_u64().expect("a count")).collect()
}

/// What every one of them must do: somebody asks for help and gets it, signed as the vendor wants it; the receipt is believed; the same
/// message again is not; what is forged is refused; rests are kept, and nothing is lost when there is no answer.
fn carries_messages(kind: &str) -> (Daemon, Vendor) {
    let daemon = Daemon::with(&Vendor::provider(kind));
    let mut vendor = Vendor::start(daemon.folder(), kind);
    let helps = |vendor: &mut Vendor, id: &str, from: &str, other: bool| {
        vendor.does(&json!({ "write": { "id": id, "sender": from, "text": "HELP", "other": other } }), "called")
    };
    assert_eq!(helps(&mut vendor, "in-1", "+491715550101", false)["status"], 200);
    let sent = vendor.wait_for("an answer", |event| event["event"] == "submitted");
    assert!(sent["signed"] == true && sent["from"] == "+12025550100" && sent["to"] == "+491715550101", "{sent}");
    assert!(sent["text"].as_str().is_some_and(|text| text.contains("the chat of the meeting")), "{sent}");
    // It comes twice, and once in the vendor's other form.
    assert_eq!(helps(&mut vendor, "in-1", "+491715550101", true)["status"], 200);
    let forged = json!({ "write": { "id": "in-2", "sender": "+491715550102", "text": "HELP" }, "forged": true });
    let refused = vendor.does(&forged, "forged");
    assert_eq!(refused["status"], if kind == "azure" { 200 } else { 403 }, "azure signs nothing: its address is its key");
    eventually(seconds(10), "two have got help", || (counts(&daemon, &["accepted"]) == [2]).then_some(()));

    let name = vendor.wait_for("its answer", |event| event["event"] == "answered")["name"].clone();
    for other in [false, true] {
        let called = vendor.does(&json!({ "receipt": { "id": name, "other": other } }), "called");
        assert_eq!(called["status"], 200, "{called}");
    }
    assert_eq!(counts(&daemon, &["delivered"]), [1], "a receipt that comes twice counts once");

    // A rest that is asked for is kept; then it goes on by itself.
    vendor.order(&json!({ "answer": 429, "rest": 1 }));
    helps(&mut vendor, "in-3", "+491715550103", false);
    eventually(seconds(10), "it was put off", || (counts(&daemon, &["put_off"]) == [1]).then_some(()));
    let good = if kind == "twilio" { 201 } else { 202 };
    vendor.order(&json!({ "answer": good }));
    eventually(seconds(10), "it is taken", || (counts(&daemon, &["accepted"]) == [3]).then_some(()));
    // No answer at all: it comes again, and by its reference can be known.
    vendor.order(&json!({ "answer": 0 }));
    helps(&mut vendor, "in-4", "+491715550104", false);
    eventually(seconds(10), "it was not answered", || (counts(&daemon, &["repeated"])[0] > 0).then_some(()));
    vendor.order(&json!({ "answer": good }));
    eventually(seconds(20), "it is taken", || (counts(&daemon, &["accepted"]) == [4]).then_some(()));
    if kind != "twilio" {
        let submitted = vendor.events("submitted");
        let references =
            |to: &str| submitted.iter().filter(|one| one["to"] == to).map(|one| one["reference"].clone()).collect::<Vec<_>>();
        let same = references("+491715550104");
        assert!(same.len() > 1 && same.iter().all(|one| *one == same[0]), "{same:?}");
    }
    vendor.order(&json!({ "answer": 400 }));
    helps(&mut vendor, "in-5", "+491715550105", false);
    eventually(seconds(10), "it is refused for good", || (counts(&daemon, &["refused"]) == [1]).then_some(()));
    assert!(vendor.events("submitted").iter().all(|one| one["signed"] == true));
    let log = daemon.log();
    assert!(!log.contains("4917155501") && !log.contains("the chat of the meeting"), "{log}");
    (daemon, vendor)
}

/// Azure accepts what we sign as its own package signs it and its events are taken in both schemas.
#[test]
fn c10_azure_accepts_what_we_sign_as_its_own_package_signs() {
    isolated_beside_others(|| {
        let (_daemon, mut vendor) = carries_messages("azure");
        let ours = vendor.events("submitted")[0]["shape"].clone();
        vendor.order(&json!({ "answer": 202 }));
        assert_eq!(vendor.does(&json!({ "sdk": true }), "sdk")["successful"], true);
        let theirs = vendor.events("submitted").last().expect("the package's")["shape"].clone();
        let within = |part: &str| {
            let list = |shape: &Value| shape[part].as_array().expect("a list").clone();
            let theirs = list(&theirs);
            list(&ours).iter().all(|name| theirs.contains(name))
        };
        assert!(within("message") && within("recipient") && within("options"), "{ours} {theirs}");

        // Event Grid asks first whether its events are wanted, in either of its two ways.
        let hook = format!("{HOOK}?key=the+key+of+the+subscription");
        let asks = json!([{ "id": "1", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": { "validationCode": "abc" } }]);
        let answer = vendor.posts(&hook, &asks.to_string(), &json!({ "aeg-event-type": "SubscriptionValidation" }));
        assert!(answer["status"] == 200 && answer["body"] == "{\"validationResponse\":\"abc\"}", "{answer}");
        let asks = json!({ "post": { "url": hook, "body": "", "headers": { "WebHook-Request-Origin": "eventgrid.azure.net" }, "method": "OPTIONS" } });
        let answer = vendor.does(&asks, "called");
        assert!(answer["status"] == 200 && answer["headers"]["webhook-allowed-origin"] == "eventgrid.azure.net", "{answer}");
        let stranger = vendor.posts(&format!("{HOOK}?key=a+guess"), "[]", &json!({}));
        assert_eq!(stranger["status"], 403);
    });
}

/// Twilio and we accept each others signatures by form and by json.
#[test]
fn c10_twilio_and_we_accept_each_others_signatures_by_form() {
    isolated_beside_others(|| {
        let (_daemon, vendor) = carries_messages("twilio");
        assert_eq!(vendor.events("submitted")[0]["callback"], HOOK);
        let answers = vendor.events("called");
        assert!(answers.iter().all(|one| one["body"].as_str().is_some_and(|body| body.ends_with("<Response/>"))), "{answers:?}");
    });
}

/// A service of ones own is reached by signed json both ways.
#[test]
fn c10_a_service_of_ones_own_is_reached_by_signed_json_both() {
    isolated_beside_others(|| {
        let (_daemon, mut vendor) = carries_messages("webhook");
        for (body, status) in [("{}", 403), ("", 403)] {
            let old = vendor.posts(HOOK, body, &json!({ "Roomgate-Signature": "t=1,v1=00" }));
            assert_eq!(old["status"], status);
        }
        let nobody = vendor.posts("http://127.0.0.1:8080/webhooks/sms/other", "{}", &json!({}));
        assert_eq!(nobody["status"], 404);
    });
}

/// A service that knows references shows no message twice after kill 9.
#[test]
fn c7_a_service_that_knows_references_shows_no_message_twice() {
    isolated_beside_others(|| nobody_gets_anything_twice_however_often_the_daemon_is_killed("webhook"));
}

/// By its id and its first date a repeat is known there, and both are those of the first try.
#[test]
fn c7_azure_shows_no_message_twice_after_kill_9() {
    isolated_beside_others(|| nobody_gets_anything_twice_however_often_the_daemon_is_killed("azure"));
}

fn nobody_gets_anything_twice_however_often_the_daemon_is_killed(kind: &str) {
    let kills = if long() { 100 } else { 20 };
    let mut daemon = Daemon::with(&Vendor::provider(kind));
    let mut vendor = Vendor::start(daemon.folder(), kind);
    vendor.order(&json!({ "crowd": 8 }));
    for _ in 0..kills {
        random_moment();
        daemon.kill();
        daemon.start_again();
    }
    vendor.order(&json!({ "crowd": 0 }));
    eventually(seconds(60), "everybody is believed and answered", || {
        let tally = vendor.does(&json!({ "tally": true }), "tally");
        let believed = tally["believed"].as_object().is_some_and(|all| Some(all.len() as u64) == tally["people"].as_u64());
        (believed && daemon.has_sent_all()).then_some(())
    });
    // Anew: what was counted before the outbox was looked at may lack the last answers.
    let tally = vendor.does(&json!({ "tally": true }), "tally");
    let mut answers: BTreeMap<&str, u64> = BTreeMap::new();
    let mut again = 0;
    for times in tally["taken"].as_object().expect("a table").values().filter_map(Value::as_array) {
        *answers.entry(times[0].as_str().expect("a number")).or_default() += 1;
        again += times.len() - 1;
    }
    for (number, tries) in tally["believed"].as_object().expect("a table") {
        let got = answers.get(number.as_str()).copied().unwrap_or_default();
        assert!(got >= 1, "{number} was believed and has got nothing");
        assert!(got <= tries.as_u64().expect("a count"), "{number} has got {got} answers to what it said {tries} times");
    }
    println!("{kind}, {kills} kills: {} answered, {again} known by their reference and shown once", answers.len());
    assert_eq!(tally["changed"], 0, "a repeat is not what was sent first");
    assert!(answers.len() > kills, "messages have flowed");
}
