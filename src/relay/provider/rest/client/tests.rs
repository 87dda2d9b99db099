use std::time::{Duration, SystemTime};

use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use proptest::prelude::*;
use sha2::Digest as _;

use super::super::azure::{Azure, AzureSettings};
use super::super::twilio::{Twilio, TwilioSettings};
use super::super::webhook::{Webhook, WebhookSettings};
use super::*;
use crate::common::redact::Redacted;
use crate::relay::PhoneNumber;
use crate::relay::provider::{DeliveryOutcome, InboundSms};

const TODAY: SystemTime = SystemTime::UNIX_EPOCH;
/// What the vendor's own client signs this request by (`azure-communication-sms` 1.1.0).
const AZURE_SAYS: &str =
    "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=Y2GCZQJB5Wf5zSxxtBpifZXHliT6dIjPMlGsN8129IE=";

fn own() -> PhoneNumber {
    PhoneNumber::parse("+12025550100").expect("a number")
}

fn sms(text: &str) -> OutgoingSms {
    let to = PhoneNumber::parse("+491715550101").expect("a number");
    let reference = "00000000-0000-8000-8000-000000000001".to_owned();
    OutgoingSms { id: 1, reference, to, text: text.to_owned().into(), cut: None, created: TODAY, again: false }
}

fn twilio(token: &str) -> Twilio {
    let (api, account) = ("https://api.example".to_owned(), "AC1".to_owned());
    let callback = Some("https://meet.example/webhooks/sms/x".to_owned());
    Twilio::new(TwilioSettings { api, account, token: token.to_owned().into(), callback }, own())
}

fn azure() -> Azure {
    let endpoint = "https://example.communication.azure.com".to_owned();
    let (access_key, webhook_key) = (Redacted::new(b"key".to_vec()), "grid".to_owned().into());
    Azure::new(AzureSettings { endpoint, access_key, webhook_key }, own())
}

fn webhook() -> Webhook {
    Webhook::new(
        WebhookSettings { url: "https://sms.example/out".to_owned(), secret: "sixteen letters!".to_owned().into() },
        own(),
    )
}

fn call(url: &str, headers: &[(&str, &str)], body: &str) -> WebhookCall {
    let header = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).expect("a name"), HeaderValue::try_from(*value).expect("a value"))
    };
    let headers: HeaderMap = headers.iter().map(header).collect();
    WebhookCall { method: Method::POST, url: url.to_owned(), headers, body: body.to_owned().into() }
}

/// The example that Twilio has published with its token, its address and its parameters.
#[test]
fn c10_the_signature_that_twilio_has_published_is_accepted() {
    let body = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    let form = ("content-type", "application/x-www-form-urlencoded");
    let signature = ("x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    let status = |call: &WebhookCall| twilio("12345").webhook(call, TODAY).status;
    // It is signed; that it names no message is another matter.
    assert_eq!(status(&call(url, &[form, signature], body)), StatusCode::BAD_REQUEST);
    assert_eq!(
        status(&call("https://mycompany.com:443/myapp.php?foo=1&bar=2", &[form, signature], body)),
        StatusCode::BAD_REQUEST
    );
    for (url, headers, body) in [
        (url, vec![form], body),
        (url, vec![form, signature], &body[1..]),
        ("https://mycompany.com/myapp.php?foo=1&bar=3", vec![form, signature], body),
        (url, vec![("content-type", "application/json"), signature], body),
    ] {
        assert_eq!(status(&call(url, &headers, body)), StatusCode::FORBIDDEN, "{url}");
    }
}

/// An address with a port of its own, or without: signed with it, without it, and with the usual one where it has none.
#[test]
fn c10_twilio_signs_the_address_with_its_port_or_without() {
    let hook = "/webhooks/sms/x";
    let status = |url: &str, signed: &str| {
        let signature = by_sha1("t", &format!("{signed}MessageSidSM1"));
        let call = call(url, &[("x-twilio-signature", &signature)], "MessageSid=SM1");
        twilio("t").webhook(&call, TODAY).status
    };
    for (host, right, wrong) in [
        (
            "https://gw.example.org:8443",
            &["https://gw.example.org", "https://gw.example.org:8443"][..],
            "https://gw.example.org:8444",
        ),
        ("https://gw.example.org", &["https://gw.example.org", "https://gw.example.org:443"], "https://gw.example.org:8443"),
        ("https://gw.example.org:443", &["https://gw.example.org", "https://gw.example.org:443"], "http://gw.example.org"),
        ("http://gw.example.org", &["http://gw.example.org", "http://gw.example.org:80"], "https://gw.example.org"),
        ("https://[2001:db8::1]", &["https://[2001:db8::1]", "https://[2001:db8::1]:443"], "https://[2001:db8:"),
        ("https://[2001:db8::1]:8443", &["https://[2001:db8::1]", "https://[2001:db8::1]:8443"], "https://[2001:db8:"),
    ] {
        let url = format!("{host}{hook}");
        for signed in right {
            assert_eq!(status(&url, &format!("{signed}{hook}")), StatusCode::OK, "{host} signed as {signed}");
        }
        for signed in [wrong, "https://other.example.org"] {
            assert_eq!(status(&url, &format!("{signed}{hook}")), StatusCode::FORBIDDEN, "{host} signed as {signed}");
        }
    }
}

#[test]
fn c10_twilio_is_asked_by_form_and_its_no_is_for_good() {
    let request = twilio("t").request(&sms("10 € & more"), TODAY).expect("a request");
    assert_eq!(request.uri(), "https://api.example/2010-04-01/Accounts/AC1/Messages.json");
    let body = "To=%2B491715550101&From=%2B12025550100&Body=10+%E2%82%AC+%26+more\
                &StatusCallback=https%3A%2F%2Fmeet.example%2Fwebhooks%2Fsms%2Fx";
    assert_eq!(request.body(), body);
    assert_eq!(request.headers()["authorization"], "Basic QUMxOnQ=");
    let says = |status, body: &str| twilio("t").verdict(&sms(""), status, body.as_bytes());
    let name = Some("SM1".to_owned());
    assert_eq!(says(StatusCode::CREATED, "{\"sid\":\"SM1\"}"), SubmitVerdict::Ended(SubmitOutcome::Accepted { name }));
    let no = SubmitVerdict::Ended(SubmitOutcome::Refused("status 400, code 21610".to_owned()));
    assert_eq!(says(StatusCode::BAD_REQUEST, "{\"code\":21610,\"message\":\"opted out: +49…\"}"), no);
    assert_eq!(says(StatusCode::OK, "<html>Please log in to this network"), SubmitVerdict::Ended(SubmitOutcome::Unknown));
}

/// What came as JSON is covered by the signature through its digest in the address: another body under the same address is a forgery.
#[test]
fn c10_a_json_body_that_was_changed_under_a_right_signature() {
    let body = r#"{"MessageSid":"SM1","From":"+491715550101","Body":"yes"}"#;
    let digest: String = sha2::Sha256::digest(body).iter().map(|octet| format!("{octet:02x}")).collect();
    let url = format!("https://meet.example/webhooks/sms/x?bodySHA256={digest}");
    let signature = by_sha1("t", &url);
    let headers = [("content-type", "application/json"), ("x-twilio-signature", signature.as_str())];
    let right = twilio("t").webhook(&call(&url, &headers, body), TODAY);
    assert_eq!((right.status, right.events.len()), (StatusCode::OK, 1));
    let changed = twilio("t").webhook(&call(&url, &headers, &body.replace("yes", "no!")), TODAY);
    assert_eq!((changed.status, changed.events.len()), (StatusCode::FORBIDDEN, 0));
    // Nor does a signed address without a digest carry anything.
    let bare = "https://meet.example/webhooks/sms/x";
    let headers = [("content-type", "application/json"), ("x-twilio-signature", &by_sha1("t", bare))];
    assert_eq!(twilio("t").webhook(&call(bare, &headers, body), TODAY).status, StatusCode::FORBIDDEN);
}

/// Azure gets what is signed with date host and digest and a reference that it knows again.
#[test]
fn c10_azure_gets_what_is_signed_with_date_host_and_digest() {
    let request = azure().request(&sms("hello"), TODAY + Duration::from_secs(1)).expect("a request");
    assert_eq!(request.uri(), "https://example.communication.azure.com/sms?api-version=2021-03-07");
    assert_eq!(request.headers()["x-ms-date"], "Thu, 01 Jan 1970 00:00:01 GMT");
    let body = std::str::from_utf8(request.body()).expect("JSON");
    assert!(body.contains("\"repeatabilityRequestId\":\"00000000-0000-8000-8000-000000000001\""), "{body}");
    let says = |body: &str| azure().verdict(&sms(""), StatusCode::ACCEPTED, body.as_bytes());
    let result = |status: u16| {
        format!(
            "{{\"value\":[{{\"to\":\"x\",\"messageId\":\"m1\",\"httpStatusCode\":{status},\"successful\":{}}}]}}",
            status < 300
        )
    };
    assert_eq!(says(&result(202)), SubmitVerdict::Ended(SubmitOutcome::Accepted { name: Some("m1".to_owned()) }));
    assert_eq!(says(&result(400)), SubmitVerdict::Ended(SubmitOutcome::Refused("status 400".to_owned())));
    assert_eq!(says(&result(429)), SubmitVerdict::Rest);
    assert_eq!(says(&result(500)), SubmitVerdict::Ended(SubmitOutcome::Unknown));
    assert_eq!(says("<html>Please log in to this network"), SubmitVerdict::Ended(SubmitOutcome::Unknown));
}

/// OASIS Repeatable Requests 1.0: the id and the date of a repeat are those of the first try, and a repeat can be refused as one.
#[test]
fn c7_azure_sees_a_repeat_as_one_and_its_no_to_the_repetition() {
    let hour = Duration::from_secs(3600);
    let again = OutgoingSms { created: TODAY + hour, again: true, ..sms("hello") };
    let sent = |now| azure().request(&again, now).expect("a request").body().clone();
    assert_eq!(sent(TODAY + hour), sent(TODAY + 2 * hour), "also another day the same");
    let text = String::from_utf8(sent(TODAY).to_vec()).expect("JSON");
    assert!(text.contains("\"repeatabilityFirstSent\":\"Thu, 01 Jan 1970 01:00:00 GMT\""), "{text}");
    let refused = |status: u16| SubmitVerdict::Ended(SubmitOutcome::Refused(format!("status {status}")));
    let body = r#"{"value":[{"to":"x","httpStatusCode":400,"repeatabilityResult":"Rejected","successful":false}]}"#;
    for (status, code, body) in [(409, 409, ""), (412, 412, ""), (202, 400, body)] {
        let verdict = |sms| azure().verdict(sms, StatusCode::from_u16(status).expect("a status"), body.as_bytes());
        assert_eq!(verdict(&again), SubmitVerdict::Ended(SubmitOutcome::Unknowable), "{status}");
        assert_eq!(verdict(&sms("hello")), refused(code), "{status}");
    }
    assert_eq!(azure().verdict(&again, StatusCode::BAD_REQUEST, b""), refused(400), "what is wrong with it was wrong before");
}

/// Signed is the host as the request's own field says it.
#[test]
fn c10_the_usual_port_in_an_endpoint_changes_nothing_that_azure() {
    let signature = |endpoint: &str| {
        let (access_key, webhook_key) = (Redacted::new(b"key".to_vec()), String::new().into());
        let azure = Azure::new(AzureSettings { endpoint: endpoint.to_owned(), access_key, webhook_key }, own());
        azure.request(&sms("hello"), TODAY).expect("a request").headers()["authorization"].clone()
    };
    let plain = signature("https://example.communication.azure.com");
    assert_eq!(plain, AZURE_SAYS);
    assert_eq!(signature("https://example.communication.azure.com:443"), plain);
    assert_ne!(signature("https://example.communication.azure.com:444"), plain);
}

/// Events of event grid come in bundles twice and in any order.
#[test]
fn c10_events_of_event_grid_come_in_bundles_twice() {
    let hook = "https://meet.example/webhooks/sms/x?key=grid";
    let received = r#"{"id":"1","eventType":"Microsoft.Communication.SMSReceived","data":{"messageId":"m1","from":"491715550101","message":"hello"}}"#;
    let report = r#"{"id":"2","eventType":"Microsoft.Communication.SMSDeliveryReportReceived","data":{"MessageId":"m0","DeliveryStatus":"Failed"}}"#;
    let unreadable = r#"{"id":"4","eventType":"Microsoft.Communication.SMSReceived","data":{"messageId":"m1","from":"nobody"}}"#;
    let other = r#"{"id":"3","eventType":"Microsoft.Communication.ChatMessageReceived","data":{}}"#;
    let answer = azure().webhook(&call(hook, &[], &format!("[{report},{received},{other},{unreadable},{received},17]")), TODAY);
    let from = PhoneNumber::parse("+491715550101").expect("a number");
    let heard = ProviderEvent::Received(InboundSms { id: Some("m1".to_owned()), from, text: "hello".to_owned().into() });
    let failed = ProviderEvent::Receipt { name: "m0".to_owned(), outcome: DeliveryOutcome::Failed };
    assert_eq!((answer.status, answer.events), (StatusCode::OK, vec![failed, heard.clone(), heard]));
    assert_eq!(azure().webhook(&call(hook, &[], "nonsense"), TODAY).status, StatusCode::BAD_REQUEST);
    for stranger in ["https://meet.example/webhooks/sms/x", "https://meet.example/webhooks/sms/x?key=grie"] {
        assert_eq!(azure().webhook(&call(stranger, &[], "[]"), TODAY).status, StatusCode::FORBIDDEN);
    }
}

#[test]
fn c9_a_picture_by_sms_is_one_word_and_no_markup() {
    let texts = [("", "1", "[picture]"), ("look", "2", "look [picture]"), ("look", "0", "look")];
    for (body, media, expected) in texts {
        let form = format!("MessageSid=SM1&From=%2B491715550101&Body={body}&NumMedia={media}");
        // Signed as its sender would.
        let parameters = [("Body", body), ("From", "+491715550101"), ("MessageSid", "SM1"), ("NumMedia", media)];
        let url = "https://meet.example/webhooks/sms/x";
        let signed = parameters.iter().fold(url.to_owned(), |signed, (name, value)| format!("{signed}{name}{value}"));
        let call = call(url, &[("x-twilio-signature", &by_sha1("t", &signed))], &form);
        let answer = twilio("t").webhook(&call, TODAY);
        let Some(ProviderEvent::Received(heard)) = answer.events.first() else { panic!("{answer:?}") };
        assert_eq!(heard.text.expose(), expected);
    }
}

fn by_sha1(key: &str, text: &str) -> String {
    use base64::Engine as _;
    use hmac::Mac as _;
    let mut mac = <hmac::Hmac<sha1::Sha1> as hmac::Mac>::new_from_slice(key.as_bytes()).expect("a key");
    mac.update(text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

/// What we sign we would accept: with the same clock, and for five minutes.
#[test]
fn c10_a_signed_message_is_taken_while_it_is_fresh_and_no_other() {
    let request = webhook().request(&sms("hello"), TODAY + Duration::from_secs(1_000)).expect("a request");
    let signature = request.headers()["roomgate-signature"].to_str().expect("text").to_owned();
    assert_eq!(request.headers()["idempotency-key"], "00000000-0000-8000-8000-000000000001");
    let body = std::str::from_utf8(request.body()).expect("JSON");
    let at = |seconds: u64, body: &str| {
        let call = call("https://meet.example/", &[("roomgate-signature", &signature)], body);
        webhook().webhook(&call, TODAY + Duration::from_secs(seconds)).status
    };
    // It is signed; that it is no message to us is another matter.
    assert_eq!([at(1_000, body), at(1_300, body), at(700, body)], [StatusCode::BAD_REQUEST; 3]);
    assert_eq!([at(1_301, body), at(699, body), at(1_000, &body[1..])], [StatusCode::FORBIDDEN; 3]);
    let says = |status, body: &str| webhook().verdict(&sms(""), status, body.as_bytes());
    let known = SubmitVerdict::Ended(SubmitOutcome::Accepted { name: Some(sms("").reference) });
    assert_eq!((says(StatusCode::CONFLICT, ""), says(StatusCode::NO_CONTENT, "")), (known.clone(), known));
}

/// `conf/sms-webhook.schema.json` says what really travels: its names are those of the messages, and its examples are understood.
#[test]
fn the_schema_of_the_webhook_is_kept_true() {
    let schema =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/conf/sms-webhook.schema.json")).expect("the schema");
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    let names = |of: &str| {
        let properties = schema["$defs"][of]["properties"].as_object().expect("properties");
        let mut names: Vec<_> = properties.keys().cloned().collect();
        names.sort();
        let required: Vec<_> =
            schema["$defs"][of]["required"].as_array().expect("a list").iter().filter_map(|name| name.as_str()).collect();
        assert_eq!(required.len(), names.len(), "{of}: all are required");
        names
    };
    let request = webhook().request(&sms("hello"), TODAY).expect("a request");
    let sent: serde_json::Value = serde_json::from_slice(request.body()).expect("JSON");
    let mut sent: Vec<_> = sent.as_object().expect("an object").keys().cloned().collect();
    sent.sort();
    assert_eq!(names("outgoing"), sent);
    assert_eq!(
        (names("message").join(" "), names("receipt").join(" ")),
        ("from id text type".to_owned(), "id state type".to_owned())
    );
    let states = schema["$defs"]["receipt"]["properties"]["state"]["enum"].as_array().expect("a list").clone();
    let examples =
        [("message", &schema["$defs"]["message"]["examples"][0]), ("receipt", &schema["$defs"]["receipt"]["examples"][0])];
    let receipts: Vec<_> =
        states.iter().map(|state| serde_json::json!({ "type": "receipt", "id": "1", "state": state })).collect();
    for body in examples.iter().map(|(_, example)| (*example).clone()).chain(receipts) {
        let body = body.to_string();
        let signature = webhook().sign(TODAY, body.as_bytes());
        let call = call("https://meet.example/", &[("roomgate-signature", &signature)], &body);
        let answer = webhook().webhook(&call, TODAY);
        assert!(answer.status == StatusCode::OK && answer.events.len() == 1, "{body}: {answer:?}");
    }
}

/// A wrong key or address is the same for all messages: none of them is lost by it.
#[test]
fn c7_what_a_status_says_of_us_costs_no_message() {
    let of = |status: u16| concern(StatusCode::from_u16(status).expect("a status"));
    assert!([301, 308, 401, 402, 403, 404, 405, 407, 410].iter().all(|status| of(*status) == Concern::Us));
    assert!([200, 202, 400, 409, 412, 413, 422].iter().all(|status| of(*status) == Concern::Message));
    assert!([429, 503].iter().all(|status| of(*status) == Concern::Pace));
    assert!([500, 502, 504].iter().all(|status| of(*status) == Concern::Service));
    assert_eq!(of(408), Concern::Time);
}

/// A service says when it wants to be asked again in seconds or by a date.
#[test]
fn a_service_says_when_it_wants_to_be_asked_again_in_seconds() {
    let after = |value: &'static str| {
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static(value))]);
        retry_after(&headers, TODAY + Duration::from_secs(60))
    };
    assert_eq!(after("120"), Some(Duration::from_secs(120)));
    assert_eq!(after("Thu, 01 Jan 1970 00:02:00 GMT"), Some(Duration::from_secs(60)));
    assert_eq!((after("Thu, 01 Jan 1970 00:00:00 GMT"), after("soon")), (Some(Duration::ZERO), None));
}

/// Somebody takes the connection and says nothing more: no request has left.
#[tokio::test(start_paused = true)]
async fn c7_a_connection_that_is_never_made_has_taken_no_message() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}/out", silent.local_addr().expect("an address"));
    let dialect = Webhook::new(WebhookSettings { url, secret: "sixteen letters!".to_owned().into() }, own());
    let (events, mut said) = mpsc::channel(8);
    let rest = RestProvider::open(Box::new(dialect), None, events).expect("a client");
    assert_eq!(said.recv().await, Some(ProviderEvent::Takes(TAKES)));
    rest.submit(sms("hello"));
    assert_eq!(said.recv().await, Some(ProviderEvent::Outcome { id: 1, outcome: SubmitOutcome::Later }));
}

proptest! {
    #[test]
    fn whatever_a_stranger_posts_does_no_harm(
        body in ".{0,200}",
        octets in proptest::collection::vec(0_u8.., 0..200),
        signature in "[ -~]{0,60}",
        query in "[ -~]{0,60}",
    ) {
        let (json, form) = ("application/json", "application/x-www-form-urlencoded");
        for kind in [json, form] {
            let headers = [("content-type", kind), ("x-twilio-signature", signature.as_str()), ("roomgate-signature", signature.as_str())];
            let mut call = call(&format!("https://meet.example/?{query}"), &headers, &body);
            for body in [body.clone().into(), Bytes::from(octets.clone())] {
                call.body = body;
                prop_assert_eq!(twilio("t").webhook(&call, TODAY).status, StatusCode::FORBIDDEN);
                prop_assert_eq!(webhook().webhook(&call, TODAY).status, StatusCode::FORBIDDEN);
                prop_assert!(azure().webhook(&call, TODAY).events.is_empty());
                let mut known = call.clone();
                known.url = "https://meet.example/?key=grid".to_owned();
                prop_assert!(azure().webhook(&known, TODAY).status != StatusCode::FORBIDDEN);
                let _ = (twilio("t").verdict(&sms(""), StatusCode::OK, &call.body), azure().verdict(&sms(""), StatusCode::ACCEPTED, &call.body));
            }
        }
    }
}
