//! Pages, the links that open them, and sessions (U-1, U-6).

use super::*;

#[tokio::test]
async fn pages_and_their_files_are_served_hardened_and_cached_by_content() {
    let world = World::new().await;
    let page = world.get("/m/demo").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert!(page.header("permissions-policy").is_some_and(|policy| policy.contains("microphone=(self)")));
    let tag = page.header("etag").expect("a tag").to_owned();
    let again = world.fetch("GET", "/m/demo", &[("If-None-Match", &tag)], "").await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(world.get("/assets/app.js").await.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(world.get("/").await.body.contains(env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn an_unknown_meeting_or_file_is_a_friendly_404() {
    let world = World::new().await;
    for path in
        ["/m/absent", "/m/UPPER", "/m/%2e%2e", "/m/demo/absent", "/assets/absent.js", "/assets/..%2f..%2fetc%2fpasswd", "/absent"]
    {
        let reply = world.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.body.contains("<h1>"), "{path}: {}", reply.body);
    }
    assert_eq!(status_of(world.open("absent", &[]).await.expect_err("refused")), 404);
}

#[tokio::test]
async fn g28_the_door_and_pages_of_errors_look_like_the_product() {
    let world = World::new().await;
    let token = world.link("demo", true);
    let (door, absent) = (world.get(&format!("/enter?token={token}")).await, world.get("/m/absent").await);
    for page in [&door, &absent, &world.get("/enter?token=forged").await] {
        assert!(page.body.contains("class=\"mark\"") && page.body.contains("/assets/plain.css"), "{}", page.body);
        assert!(page.body.contains(" · Roomgate</title>"), "{}", page.body);
    }
    assert!(door.body.contains("Example Ltd"), "whose door it is: {}", door.body);
}

#[tokio::test]
async fn health_and_readiness_are_told_without_a_token() {
    let world = World::new().await;
    assert_eq!((world.get("/healthz").await.status, world.get("/readyz").await.status), (200, 200));
    world.ready.send_replace(false);
    assert_eq!((world.get("/healthz").await.status, world.get("/readyz").await.status), (200, 503));
}

#[tokio::test]
async fn a_link_is_exchanged_by_a_click_and_only_once() {
    let world = World::new().await;
    let token = world.link("demo", true);
    for _ in 0..3 {
        let door = world.get(&format!("/enter?token={token}")).await;
        assert_eq!(door.status, 200);
        assert!(door.body.contains("data-testid=\"enter\"") && door.body.contains("Demo &lt;meeting&gt;"));
        assert_eq!(door.header("referrer-policy"), Some("same-origin"), "or browsers would send `Origin: null`");
    }
    let entered = world.post_link(&token).await;
    assert_eq!(entered.status, 303);
    let cookie = entered.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("roomgate_session=") && cookie.contains("; HttpOnly; SameSite=Strict; Max-Age=43200"));
    assert!(!cookie.contains("Secure"), "plain HTTP would never send it back");
    assert_eq!(world.post_link(&token).await.status, 410);
    assert_eq!(world.get(&format!("/enter?token={token}")).await.status, 410);
}

#[tokio::test]
async fn a_link_cannot_be_exchanged_from_another_site_or_without_being_ours() {
    let world = World::new().await;
    let token = world.link("demo", false);
    let form = "application/x-www-form-urlencoded";
    let foreign = [("Content-Type", form), ("Origin", "https://evil.example")];
    assert_eq!(world.fetch("POST", "/enter", &foreign, &format!("token={token}")).await.status, 403);
    let own = format!("http://{}", world.addr);
    let forged = world.fetch("POST", "/enter", &[("Content-Type", form), ("Origin", &own)], "token=forged").await;
    assert_eq!(forged.status, 400);
    assert!(forged.header("set-cookie").is_none());
    assert_eq!(world.get("/enter").await.status, 400);
    assert_eq!(world.get("/enter?token=%3Cscript%3E").await.status, 400);
    assert_eq!(
        world.fetch("POST", "/enter", &[("Content-Type", form), ("Origin", &own)], &format!("token={token}")).await.status,
        303
    );
}

#[tokio::test]
async fn the_page_learns_who_it_is_and_a_cookie_of_one_meeting_is_nothing_in_another() {
    let world = World::new().await;
    let cookie = world.enter("demo", true).await;
    let own = world.fetch("GET", "/m/demo/info", &[("Cookie", &format!("x=1; {cookie}"))], "").await;
    assert_eq!(
        own.json(),
        json!({
            "meeting": "demo", "title": "Demo <meeting>", "role": "member", "organiser": true, "organisation": "Example Ltd",
            "ice_servers": [{ "urls": ["turn:turn.example"], "username": "u", "credential": "secret" }],
            "media": { "candidates": ["192.0.2.1:8189"] }, "transcription": false, "sms": true, "suggested_name": "",
        })
    );
    let other = world.fetch("GET", "/m/board/info", &[("Cookie", &cookie)], "").await.json();
    assert_eq!((&other["role"], &other["organiser"]), (&json!("external"), &json!(false)));
    let forged = world.fetch("GET", "/m/demo/info", &[("Cookie", "roomgate_session=AAAA.AAAA")], "").await.json();
    assert_eq!(forged["role"], "external");
    assert_eq!(world.get("/m/absent/info").await.header("content-type"), Some("application/problem+json"));
}
