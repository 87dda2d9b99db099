//! Who may ask the API for what (U-4).

use super::*;
use crate::http::server::LARGEST_BODY;

#[tokio::test]
async fn the_api_wants_a_token_and_says_so_as_problem_details() {
    let world = World::new().await;
    let reply = world.get("/api/v1/meetings").await;
    assert_eq!((reply.status, reply.header("content-type")), (401, Some("application/problem+json")));
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    let problem = reply.json();
    assert_eq!(
        (&problem["status"], &problem["type"], &problem["title"]),
        (&json!(401), &json!("about:blank"), &json!("Unauthorized"))
    );
    assert_eq!(world.get("/api/v1/absent").await.status, 401);
    assert_eq!(world.operator("GET", "/absent", "").await.json()["code"], "not-found");
    assert_eq!(world.operator("DELETE", "/meetings", "").await.json()["code"], "method-not-allowed");
}

#[tokio::test]
async fn x2_wrong_tokens_are_held_up_and_whoever_is_right_is_not() {
    let world = World::new().await;
    let wrong = [("Authorization", "Bearer wrong")];
    for _ in 0..10 {
        assert_eq!(world.fetch("GET", "/api/v1/meetings", &wrong, "").await.status, 401);
    }
    let refused = world.fetch("GET", "/api/v1/meetings", &wrong, "").await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    // From the very same address: the operator, the operator's Prometheus, a member's link, a provider of short messages.
    assert_eq!(world.operator("GET", "/meetings", "").await.status, 200);
    let bearer = format!("Bearer {TOKEN}");
    let proxied = [("Authorization", bearer.as_str()), ("X-Forwarded-For", "192.0.2.9")];
    assert_eq!(world.fetch("GET", "/metrics", &proxied, "").await.status, 200);
    world.enter("demo", true).await;
    assert_eq!(world.post_link("forged").await.status, 429, "links are guessed from the same allowance");
    let unsigned = world.fetch("POST", "/webhooks/sms/main", &[], "{}").await;
    assert_eq!(unsigned.status, 429);
    world.operator("GET", "/meetings", "").await;
}

#[tokio::test]
async fn x2_a_provider_that_signs_right_is_served_while_others_guess() {
    let webhook = |body: &[u8]| if body == b"signed" { StatusCode::OK } else { StatusCode::FORBIDDEN };
    let administration = TestAdministration { webhook, ..TestAdministration::default() };
    let world = World::with(Setup::answered_by(administration).await).await;
    for _ in 0..10 {
        assert_eq!(world.fetch("POST", "/webhooks/sms/main", &[], "guessed").await.status, 403);
    }
    assert_eq!(world.fetch("POST", "/webhooks/sms/main", &[], "guessed").await.status, 429);
    assert_eq!(world.fetch("POST", "/webhooks/sms/main", &[], "signed").await.status, 200);
}

/// Who opens the socket in the state directory is the operator without a token.
#[tokio::test]
async fn u1_who_opens_the_socket_in_the_state_directory() {
    let world = World::new().await;
    let socket = tokio::net::UnixStream::connect(&world.socket).await.expect("it is there");
    let status = fetch_on(socket, world.addr, "GET", "/api/v1/status", &[], "").await;
    assert_eq!((status.status, &status.json()["state"]), (200, &json!("ready")));
    assert_eq!(world.get("/api/v1/status").await.status, 401, "by the port it takes a token");
    world.shutdown.send_replace(true);
    world.task.await.expect("ends by itself");
    assert!(!world.socket.exists());
}

/// The operator sees every meeting and what nobody is in is not steered.
#[tokio::test]
async fn the_operator_sees_every_meeting_and_what_nobody() {
    let world = World::new().await;
    let idle = world.operator("GET", "/meetings", "").await.json();
    let board = json!({ "id": "board", "title": "Board", "running": false });
    assert_eq!(idle["meetings"][0], board);
    assert_eq!(world.operator("GET", "/meetings/demo/participants", "").await.json(), json!({ "participants": [] }));
    assert_eq!(world.operator("PUT", "/meetings/demo/recording", "{\"state\":\"on\"}").await.json()["code"], "not-running");
    assert_eq!(
        world.operator("PUT", "/meetings/demo/transcription", "{\"state\":\"on\"}").await.json()["code"],
        "not-configured"
    );

    assert_eq!(world.operator("DELETE", "/blocks/room@pbx%20behind%20192.0.2.9", "").await.status, 204);
    assert_eq!(world.operator("DELETE", "/blocks/192.0.2.9", "").await.status, 404);
    let refused = world.operator("POST", "/reload", "").await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (422, Some("bad-configuration")));
    assert_eq!(refused.json()["detail"], "a.toml:1: wrong\nb.toml: wrong");
}

#[tokio::test]
async fn bodies_that_are_not_understood_are_refused_with_the_reason() {
    let world = World::new().await;
    for body in ["", "{", "{\"state\":\"loud\"}", "{\"state\":\"on\",\"more\":1}", "[]"] {
        let reply = world.operator("PUT", "/meetings/demo/recording", body).await;
        assert_eq!((reply.status, reply.json()["code"].clone()), (400, json!("bad-body")), "{body}");
    }
    let huge = "x".repeat(LARGEST_BODY + 1);
    assert_eq!(world.operator("POST", "/meetings/demo/chat", &huge).await.status, 413);
}

/// A members session sees its own meeting and speaks for its own page.
#[tokio::test]
async fn a_members_session_sees_its_own_meeting_and_speaks() {
    let mut world = World::new().await;
    let cookie = world.enter("demo", false).await;
    let own = format!("http://{}", world.addr);
    let member = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
    let listed = world.fetch("GET", "/api/v1/meetings", &member, "").await.json();
    assert_eq!(listed["meetings"].as_array().map(Vec::len), Some(1));
    assert_eq!(world.fetch("GET", "/api/v1/meetings/board", &member, "").await.status, 404);
    assert_eq!(world.fetch("PUT", "/api/v1/meetings/board/recording", &member, "{\"state\":\"on\"}").await.status, 404);
    for private in ["notices", "records", "status", "devices"] {
        assert_eq!(world.fetch("GET", &format!("/api/v1/{private}"), &member, "").await.status, 403);
    }
    let put = |headers: Vec<(&'static str, String)>| {
        let world = &world;
        async move {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            world.fetch("PUT", "/api/v1/meetings/demo/recording", &headers, "{\"state\":\"on\"}").await
        }
    };
    let with = |origin: Option<&str>| {
        let origin = origin.map(|origin| ("Origin", origin.to_owned()));
        [Some(("Cookie", cookie.clone())), origin].into_iter().flatten().collect::<Vec<_>>()
    };
    assert_eq!(put(with(None)).await.status, 403, "no browser leaves `Origin` away");
    assert_eq!(put(with(Some("https://evil.example"))).await.status, 403);
    assert_eq!(put(with(Some(&own))).await.json()["code"], "not-inside", "its page is not open");

    let invite = "{\"device\":\"board-room\"}";
    let outside = world.fetch("POST", "/api/v1/meetings/demo/invite", &member, invite).await;
    assert_eq!(outside.json()["code"], "not-inside", "S-9: whoever calls a device is there to admit it");

    let (page, _) = world.join("demo", Some(&cookie), hello("Ada")).await;
    let RecordedRequest::Join { who, .. } = world.seen().await else { panic!("a join first") };
    let rooms = world.fetch("GET", "/api/v1/meetings/demo/devices", &member, "").await.json();
    assert_eq!(rooms["devices"][0], json!({ "id": "board-room", "name": "Board room", "reachable": true, "in_use": false }));
    let called = world.fetch("POST", "/api/v1/meetings/demo/invite", &member, invite).await;
    assert_eq!((called.status, called.json()["call"].as_str().is_some_and(|call| call.starts_with("call-"))), (202, true));
    assert_eq!(world.fetch("POST", "/api/v1/meetings/board/invite", &member, invite).await.status, 404);
    assert_eq!(world.operator("POST", "/devices/board-room/check-sync", "").await.status, 202);
    assert_eq!(world.operator("POST", "/devices/cellar/check-sync", "").await.status, 404);
    let unknown = world.operator("POST", "/meetings/demo/invite", "{\"device\":\"cellar\"}").await;
    assert_eq!((unknown.status, unknown.json()["code"].as_str()), (404, Some("no-such-device")));
    let reply = world.fetch("PUT", "/api/v1/meetings/demo/recording", &member, "{\"state\":\"on\"}").await;
    assert_eq!(reply.status, 204, "{}", reply.body);
    assert_eq!(world.seen().await, RecordedRequest::Ask(Some(who), MeetingRequest::Recording(Capture::On)));
    drop(page);
    assert_eq!(world.seen().await, RecordedRequest::Lost(who));
}

/// The ledger is read within limits and a store at fault is not a secret spilled.
#[tokio::test]
async fn the_ledger_is_read_within_limits_and_a_store_at_fault() {
    let administration = TestAdministration { records_fail: true, ..TestAdministration::default() };
    let world = World::with(Setup::answered_by(administration).await).await;
    assert_eq!(world.operator("GET", "/status", "").await.json(), json!({ "state": "ready" }));
    let line = async |query: &str| world.operator("GET", &format!("/notices?{query}"), "").await.json()["notices"][0].clone();
    let time = "2026-11-23T19:08:23.123Z";
    let found = line(&format!("limit=7&before=4&meeting=demo&from={time}&to={time}&kind=all")).await;
    assert_eq!((&found["sequence"], &found["meeting"], &found["at"]), (&json!(3), &json!("demo"), &json!(time)));
    assert_eq!((&found["what"], &found["kind"]), (&json!(["7 false"]), &json!("notice")));
    let phone = (&json!("+49…23"), &json!("a84b4c76e66710@pc33"), &json!(0.987));
    assert_eq!((&found["caller"], &found["dialog"], &found["received"]), phone);
    let found = line("").await;
    assert_eq!((&found["what"], &found["received"]), (&json!([format!("{LINES_BY_DEFAULT} true")]), &json!("unreported")));
    for bad in ["limit=0", "limit=1001", "limit=-1", "limit=many", "before=-1", "from=soon", "kind=other", "page=2"] {
        assert_eq!(world.operator("GET", &format!("/notices?{bad}"), "").await.status, 400, "{bad}");
    }
    assert!(!world.operator("GET", "/notices?meeting=broken", "").await.body.contains("secret path"));
    let report = world.operator("GET", "/notices/verification", "").await.json();
    assert_eq!((&report["whole"], &report["breaks_at"], &report["lines"]), (&json!(false), &json!(5), &json!(4)));
    let fault = world.operator("GET", "/records", "").await;
    assert_eq!(fault.status, 503);
    assert!(!fault.body.contains("secret path"));
}

const LINES_BY_DEFAULT: usize = 100;
