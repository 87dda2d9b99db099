//! Meetings that are made, recordings, the audit and the limits of the API (U-4, X-2).

use super::test_administration::HeldReload;
use super::*;

#[tokio::test]
async fn the_operator_makes_and_removes_meetings() {
    let world = World::new().await;
    let made = world.operator("POST", "/meetings", "{\"id\":\"standup\",\"title\":\"Stand-up\",\"passcode\":\"4711\"}").await;
    assert_eq!((made.status, &made.json()["title"], &made.json()["conference_id"]), (201, &json!("Stand-up"), &Value::Null));
    assert!(made.json()["link"].as_str().is_some_and(|link| link.starts_with("/enter?token=")), "{}", made.body);
    assert!(!made.body.contains("4711"), "{}", made.body);
    for bad in [
        "{\"id\":\"Stand up\"}",
        "{\"id\":\"a\",\"title\":\" \"}",
        "{\"id\":\"a\",\"conference_id\":\"12a\"}",
        "{\"id\":\"a\",\"passcode\":\"123\"}",
    ] {
        assert_eq!(world.operator("POST", "/meetings", bad).await.json()["code"], "bad-meeting", "{bad}");
    }
    let taken = world.operator("POST", "/meetings", "{\"id\":\"a\",\"conference_id\":\"1001\"}").await;
    assert_eq!((taken.status, &taken.json()["code"]), (409, &json!("taken")));
    assert_eq!(world.operator("DELETE", "/meetings/board", "").await.status, 204);
    assert_eq!(world.operator("DELETE", "/meetings/demo", "").await.json()["code"], "configured");
    assert_eq!(world.operator("DELETE", "/meetings/absent", "").await.status, 404);
}

/// A player fetches a part of a recording, and is told how much there is.
#[tokio::test]
async fn u4_a_recording_is_fetched_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("demo-20261127T080137.998Z.ogg"), b"OggS456789").expect("a file");
    let world = World::with(Setup::with_recordings(folder.path()).await).await;
    let bearer = format!("Bearer {TOKEN}");
    let part = async |range: &str| {
        let headers = [("Authorization", bearer.as_str()), ("Range", range)];
        world.fetch("GET", "/api/v1/recordings/demo-20261127T080137.998Z", &headers, "").await
    };
    let middle = part("bytes=4-6").await;
    assert_eq!((middle.status, middle.body.as_str(), middle.header("content-length")), (206, "456", Some("3")));
    assert_eq!(middle.header("content-range"), Some("bytes 4-6/10"));
    let tail = part("bytes=-2").await;
    assert_eq!((tail.status, tail.body.as_str(), tail.header("content-range")), (206, "89", Some("bytes 8-9/10")));
    let beyond = part("bytes=10-").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */10")));
    assert_eq!(beyond.json()["code"], "no-such-range");
    let all = part("bytes=0-1,4-5").await;
    assert_eq!((all.status, all.body.as_str(), all.header("accept-ranges")), (200, "OggS456789", Some("bytes")));
}

/// Recordings are for the operator and their own meeting and nothing else is reached by their names.
#[tokio::test]
async fn recordings_are_for_the_operator_and_their_own_meeting() {
    let folder = tempfile::tempdir().expect("a folder");
    let (older, newer) = ("demo-20261127T080137.998Z", "demo-20261128T080137.998Z");
    for name in [older, newer, "board-20261128T080137.998Z"] {
        std::fs::write(folder.path().join(format!("{name}.ogg")), b"OggS").expect("a file");
    }
    std::fs::write(folder.path().join("api-token.ogg"), b"secret").expect("a file");
    let world = World::with(Setup::with_recordings(folder.path()).await).await;
    let all = world.operator("GET", "/recordings", "").await.json();
    assert_eq!(all["recordings"].as_array().map(Vec::len), Some(3), "{all}");
    assert_eq!(
        (&all["recordings"][2]["id"], &all["recordings"][2]["started_at"]),
        (&json!(older), &json!("2026-11-27T08:01:37.998Z"))
    );
    assert_eq!(world.operator("GET", "/recordings?limit=1", "").await.json()["recordings"].as_array().map(Vec::len), Some(1));
    for elsewhere in ["api-token", "..%2Fapi-token", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "demo"] {
        assert_eq!(world.operator("GET", &format!("/recordings/{elsewhere}"), "").await.status, 404, "{elsewhere}");
    }
    let cookie = world.enter("demo", false).await;
    let own = format!("http://{}", world.addr);
    let member = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
    let theirs = world.fetch("GET", "/api/v1/recordings", &member, "").await.json();
    assert_eq!(theirs["recordings"].as_array().map(Vec::len), Some(2));
    let fetched = world.fetch("GET", &format!("/api/v1/recordings/{newer}"), &member, "").await;
    assert_eq!((fetched.status, fetched.header("content-type"), fetched.body.as_str()), (200, Some("audio/ogg"), "OggS"));
    for method in ["GET", "DELETE"] {
        let others = world.fetch(method, "/api/v1/recordings/board-20261128T080137.998Z", &member, "").await;
        assert_eq!(others.status, 404, "{method}");
    }
    // What cannot be had back is not every member's to delete.
    let refused = world.fetch("DELETE", &format!("/api/v1/recordings/{older}"), &member, "").await;
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("not-allowed")));
    let cookie = world.enter("demo", true).await;
    let organiser = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
    assert_eq!(world.fetch("DELETE", &format!("/api/v1/recordings/{older}"), &organiser, "").await.status, 204);
    assert_eq!(world.operator("GET", &format!("/recordings/{older}"), "").await.status, 404);
    let audit = world.operator("GET", "/audit", "").await.json();
    let told: Vec<_> =
        audit["audit"].as_array().expect("lines").iter().map(|line| (&line["who"], &line["method"], &line["status"])).collect();
    assert!(told.contains(&(&json!("organiser of demo"), &json!("DELETE"), &json!(204))), "{audit}");
    assert!(told.contains(&(&json!("member of demo"), &json!("GET"), &json!(200))), "fetching one is written down: {audit}");
}

#[tokio::test]
async fn what_changes_something_is_written_down_without_what_was_sent() {
    let world = World::new().await;
    world.operator("GET", "/meetings", "").await;
    world.operator("POST", "/meetings", "{\"id\":\"standup\",\"passcode\":\"4711\"}").await;
    world.operator("POST", "/meetings/demo/end?secret=4711", "").await;
    let audit = world.operator("GET", "/audit", "").await;
    let lines = audit.json()["audit"].as_array().cloned().expect("lines");
    let told: Vec<_> = lines.iter().map(|line| (line["path"].as_str().unwrap_or_default(), line["status"].as_u64())).collect();
    assert_eq!(told, [("/meetings/demo/end", Some(409)), ("/meetings", Some(201))], "the newest first");
    assert_eq!((&lines[0]["who"], &lines[0]["address"]), (&json!("operator"), &json!("127.0.0.1")));
    assert!(!audit.body.contains("4711"), "{}", audit.body);
    assert_eq!(world.operator("GET", "/audit?limit=1", "").await.json()["audit"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn who_asks_too_much_waits_and_others_do_not() {
    let mut setup = Setup::new().await;
    setup.settings.requests_per_second = 1;
    let world = World::with(setup).await;
    for _ in 0..10 {
        assert_eq!(world.operator("GET", "/meetings", "").await.status, 200);
    }
    let refused = world.operator("GET", "/meetings", "").await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (429, Some("too-many-requests")));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let cookie = world.enter("demo", false).await;
    assert_eq!(world.fetch("GET", "/api/v1/meetings", &[("Cookie", &cookie)], "").await.status, 200, "another's allowance");
}

/// What was asked by somebody who then hung up is done to its end and written down.
#[tokio::test]
async fn u4_what_was_asked_by_somebody_who_then_hung_up_is_done() {
    let (begun, mut begins) = mpsc::channel(1);
    let (go_on, goes_on) = watch::channel(false);
    let administration = TestAdministration { reload: Some(HeldReload { begun, goes_on }), ..TestAdministration::default() };
    let world = World::with(Setup::answered_by(administration).await).await;
    let mut stream = world.tcp().await;
    let request =
        format!("POST /api/v1/reload HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    begins.recv().await.expect("it is asked");
    drop(stream);
    // Whoever asks next is served after the server has seen that.
    assert_eq!(world.operator("GET", "/audit", "").await.json()["audit"], json!([]));
    go_on.send_replace(true);
    let told = async {
        loop {
            let audit = world.operator("GET", "/audit", "").await.json();
            if audit["audit"] != json!([]) {
                return audit["audit"][0]["path"].clone();
            }
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(20), told).await.expect("it is written down");
    assert_eq!(told, json!("/reload"));
}

/// Members of a meeting that was removed are nobody in its namesake.
#[tokio::test]
async fn u4_members_of_a_meeting_that_was_removed_are_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let (before, after) = ("board-20000101T000000.000Z", "board-21000101T000000.000Z");
    for name in [before, after] {
        std::fs::write(folder.path().join(format!("{name}.ogg")), b"OggS").expect("a file");
    }
    let world = World::with(Setup::with_recordings(folder.path()).await).await;
    // Those of a meeting that was configured under this name, as it were.
    let (old, unused) = (world.enter("board", true).await, world.link("board", true).await);
    let listed = async |cookie: &str| world.fetch("GET", "/api/v1/recordings", &[("Cookie", cookie)], "").await;
    assert_eq!(listed(&old).await.json()["recordings"].as_array().map(Vec::len), Some(2));
    let made = world.operator("POST", "/meetings", "{\"id\":\"board\"}").await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!((listed(&old).await.status, world.post_link(&unused).await.status), (401, 404));
    let link = made.json()["link"].as_str().and_then(|link| link.split('=').nth(1)).expect("a link").to_owned();
    let entered = world.post_link(&link).await;
    let new = entered.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
    let theirs = listed(&new).await.json();
    assert_eq!((theirs["recordings"].as_array().map(Vec::len), &theirs["recordings"][0]["id"]), (Some(1), &json!(after)));
}
