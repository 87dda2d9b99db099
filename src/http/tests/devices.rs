//! Programs of a room with the device's token (U-4): what is its own, and nothing else.

use super::events::Stream;
use super::test_administration::contact;
use super::*;
use crate::telemetry::events::{Draft, EventKind};

const OWN: &str = "the-board-rooms-own-token";
const OTHER: &str = "the-kitchens-own-token";

fn with_tokens(tokens: &[(&str, &str)]) -> Arc<WebSettings> {
    let device_tokens = tokens.iter().map(|(label, token)| ((*label).to_owned(), ApiToken::new(token))).collect();
    Arc::new(WebSettings { device_tokens, ..web() })
}

async fn world() -> World {
    world_with(watch::channel(with_tokens(&[("board-room", OWN), ("kitchen", OTHER)])).1, Events::default()).await
}

async fn world_with(web: watch::Receiver<Arc<WebSettings>>, events: Events) -> World {
    let contacts = vec![contact("kitchen", "sip:a"), contact("board-room", "sip:b")];
    let administration = TestAdministration { contacts, ..TestAdministration::default() };
    let mut setup = Setup::answered_by(administration).await;
    (setup.handles.web, setup.handles.events) = (web, events);
    World::with(setup).await
}

async fn ask(world: &World, token: &str, method: &str, path: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    world.fetch(method, &format!("/api/v1{path}"), &[("Authorization", &bearer)], "").await
}

/// A device sees its own calls contacts and records and the meeting it is in.
#[tokio::test]
async fn u4_a_device_sees_its_own_calls_contacts_and_records() {
    let world = world().await;
    let own = ask(&world, OWN, "GET", "/calls").await.json();
    assert_eq!((&own["calls"][0]["call"], &own["calls"][0]["device"]), (&json!("call-1"), &json!("board-room")));
    let one = ask(&world, OWN, "GET", "/calls/call-1").await.json();
    assert_eq!((&one["codec"], &one["ladder"]), (&json!("G722"), &Value::Null), "SIP messages are the operator's");
    let contacts = ask(&world, OWN, "GET", "/devices?limit=1").await.json();
    assert_eq!(contacts["devices"], json!([contact("board-room", "sip:b")]));
    assert_eq!(ask(&world, OWN, "GET", "/records?device=kitchen").await.json()["records"][0]["device"], "board-room");
    assert_eq!(ask(&world, OWN, "GET", "/meetings").await.json()["meetings"][0]["id"], "demo");

    let others = ask(&world, OTHER, "GET", "/calls").await.json();
    let named: Vec<&Value> = others["calls"].as_array().unwrap().iter().map(|call| &call["call"]).collect();
    assert_eq!(named, [&json!("call-5")], "it rings there");
    assert_eq!(ask(&world, OTHER, "GET", "/meetings").await.json(), json!({ "meetings": [] }));
    for path in ["/calls/call-1", "/meetings/demo", "/meetings/demo/participants", "/meetings/demo/chat"] {
        assert_eq!(ask(&world, OTHER, "GET", path).await.status, 404, "{path}");
    }
    for path in ["/status", "/notices", "/audit", "/relay/outbox", "/relay/subscriptions", "/chats", "/records/host-export"] {
        assert_eq!(ask(&world, OWN, "GET", path).await.status, 403, "{path}");
    }
    assert_eq!(ask(&world, "the-board-rooms-old-token", "GET", "/calls").await.status, 401);
}

/// A device acts as its row in the meeting and hangs up its own calls only.
#[tokio::test]
async fn u4_a_device_acts_as_its_row_in_the_meeting_and_hangs() {
    let mut world = world().await;
    let (host, phone) = (world.enter("demo", false).await, ParticipantId::from_number(1));
    let (_page, _) = world.join("demo", Some(&host), hello("Ada")).await;
    assert!(matches!(world.seen().await, RecordedRequest::Join { .. }), "a meeting that runs");
    let reply = ask(&world, OWN, "POST", "/meetings/demo/participants/p1/mute").await;
    assert_eq!(
        world.seen().await,
        RecordedRequest::Ask(Some(phone), MeetingRequest::Mute(phone, true)),
        "decided by the meeting"
    );
    assert_eq!(reply.status, 204, "{}", reply.body);
    assert_eq!(ask(&world, OTHER, "POST", "/meetings/demo/participants/p1/mute").await.status, 404);
    assert_eq!(ask(&world, OWN, "POST", "/meetings/board/end").await.status, 404, "it is in another one");
    assert_eq!(ask(&world, OWN, "POST", "/reload").await.status, 403);
    assert_eq!(ask(&world, OTHER, "DELETE", "/calls/call-1").await.status, 404);
    assert_eq!(ask(&world, OWN, "DELETE", "/calls/call-1").await.status, 202);
}

/// A token that a reload takes away ends the event stream that it has opened.
#[tokio::test]
async fn o2_a_token_that_a_reload_takes_away_ends_the_event_stream() {
    let (lever, web) = watch::channel(with_tokens(&[("board-room", OWN), ("kitchen", OTHER)]));
    let events = Events::default();
    let world = world_with(web, events.clone()).await;
    let bearer = |token: &str| format!("Bearer {token}");
    let mut own = Stream::open(&world, &[("Authorization", &bearer(OWN))], "").await;
    let mut other = Stream::open(&world, &[("Authorization", &bearer(OTHER))], "").await;
    lever.send_replace(with_tokens(&[("board-room", OWN), ("kitchen", "the-kitchens-new-token")]));
    other.ends().await;
    lever.send_replace(with_tokens(&[("board-room", OWN)]));
    events.raise(Draft::of(EventKind::Ringing).call(Some(CallId::from_number(1))));
    assert_eq!(own.next().await.0, "ringing", "what is not its own does not concern it");
    lever.send_replace(with_tokens(&[]));
    own.ends().await;
}
