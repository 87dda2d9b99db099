//! Pages, the links that open them, and sessions (U-1, U-6).

use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::*;

/// Pages and their files are served hardened and cached by content.
#[tokio::test]
async fn pages_and_their_files_are_served_hardened_and_cached() {
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
    for path in [
        "/m/absent",
        "/m/UPPER",
        "/m/%2e%2e",
        "/m/%ff",
        "/assets/%ff",
        "/m/demo/absent",
        "/assets/absent.js",
        "/assets/..%2f..%2fetc%2fpasswd",
        "/absent",
    ] {
        let reply = world.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.body.contains("<h1>"), "{path}: {}", reply.body);
    }
    assert_eq!(status_of(world.open("absent", &[]).await.expect_err("refused")), 404);
}

#[tokio::test]
async fn u1_first_page_and_pages_of_errors_look_like_the_product() {
    let world = World::new().await;
    let token = world.link("demo", true).await;
    let (door, absent) = (world.get(&format!("/enter?token={token}")).await, world.get("/m/absent").await);
    for page in [&door, &absent, &world.get("/enter?token=forged").await] {
        assert!(page.body.contains("class=\"mark\"") && page.body.contains("/assets/plain.css"), "{}", page.body);
        assert!(page.body.contains(" · Roomgate</title>"), "{}", page.body);
    }
    assert!(door.body.contains("Example Ltd"), "whose door it is: {}", door.body);
    for (method, path) in [("POST", "/m/demo"), ("DELETE", "/enter"), ("PUT", "/")] {
        let wrong = world.fetch(method, path, &[], "").await;
        assert_eq!((wrong.status, wrong.body.contains("class=\"mark\"")), (405, true), "{method} {path}");
    }
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
    let token = world.link("demo", true).await;
    for _ in 0..3 {
        let door = world.get(&format!("/enter?token={token}")).await;
        assert_eq!(door.status, 200);
        assert!(door.body.contains("data-testid=\"enter\"") && door.body.contains("Demo &lt;meeting&gt;"));
        assert_eq!(door.header("referrer-policy"), Some("same-origin"), "or browsers would send `Origin: null`");
    }
    let entered = world.post_link(&token).await;
    assert_eq!(entered.status, 303);
    let cookie = entered.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("roomgate-demo=") && cookie.contains("; Path=/; HttpOnly; SameSite=Lax; Max-Age=43200"));
    assert!(!cookie.contains("Secure"), "plain HTTP would never send it back");
    assert_eq!(world.post_link(&token).await.status, 410);
    assert_eq!(world.get(&format!("/enter?token={token}")).await.status, 410);
}

/// A link cannot be exchanged from another site or without being ours.
#[tokio::test]
async fn a_link_cannot_be_exchanged_from_another_site() {
    let world = World::new().await;
    let token = world.link("demo", false).await;
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

/// The page learns who it is and a cookie of one meeting is nothing in another.
#[tokio::test]
async fn the_page_learns_who_it_is_and_a_cookie_of_one_meeting() {
    let world = World::new().await;
    let cookie = world.enter("demo", true).await;
    let own = world.fetch("GET", "/m/demo/info", &[("Cookie", &format!("x=1; {cookie}"))], "").await;
    assert_eq!(
        own.json(),
        json!({
            "meeting": "demo", "title": "Demo <meeting>", "role": "member", "organiser": true, "organisation": "Example Ltd",
            "media": { "candidates": ["192.0.2.1:8189"] }, "transcription": false, "sms": true, "suggested_name": "",
            "passcode": false,
        })
    );
    let other = world.fetch("GET", "/m/board/info", &[("Cookie", &cookie)], "").await.json();
    assert_eq!((&other["role"], &other["organiser"]), (&json!("external"), &json!(false)));
    let forged = world.fetch("GET", "/m/demo/info", &[("Cookie", "roomgate-demo=AAAA.AAAA")], "").await.json();
    assert_eq!(forged["role"], "external");
    assert_eq!(world.get("/m/absent/info").await.header("content-type"), Some("application/problem+json"));
}

/// A used link leads into the meeting for whoever has a session there and nobody else.
#[tokio::test]
async fn u1_a_used_link_leads_into_the_meeting() {
    let world = World::new().await;
    let token = world.link("demo", false).await;
    let entered = world.post_link(&token).await;
    let cookie = entered.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
    let door = format!("/enter?token={token}");
    let own = [("Cookie", cookie.as_str())];
    let again = world.fetch("GET", &door, &own, "").await;
    assert_eq!((again.status, again.header("location")), (303, Some("/m/demo")));
    let form = [("Cookie", cookie.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(world.fetch("POST", "/enter", &form, &format!("token={token}")).await.status, 303);
    assert_eq!(world.get(&door).await.status, 410, "another browser");
    let board = world.enter("board", true).await;
    assert_eq!(world.fetch("GET", &door, &[("Cookie", &board)], "").await.status, 410, "a session of another meeting");
    // A link that gives nothing new is not used up by whoever is in already; one that gives more is.
    let another = world.link("demo", false).await;
    assert_eq!(world.fetch("GET", &format!("/enter?token={another}"), &own, "").await.status, 303);
    assert_eq!(world.get(&format!("/enter?token={another}")).await.status, 200);
    let more = world.link("demo", true).await;
    let upgraded = world.fetch("POST", "/enter", &form, &format!("token={more}")).await;
    let new = upgraded.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
    let role =
        async |cookie: &str| world.fetch("GET", "/m/demo/info", &[("Cookie", cookie)], "").await.json()["organiser"].clone();
    assert_eq!(role(&new).await, json!(true));
    assert_eq!(world.fetch("GET", "/m/demo/info", &own, "").await.json()["role"], "external", "the one before is over");
}

/// A browser that gives the passcodes of many meetings loses the oldest of them, and keeps the one that it has just been let in by.
#[tokio::test]
async fn u4_a_browser_with_many_passcodes_loses_the_oldest() {
    let world = World::new().await;
    let mut cookies = vec![world.enter("demo", false).await];
    for number in 1..=15_u64 {
        let meeting = MeetingName::new(format!("m-{number}")).expect("a name");
        let (code, at) = (Redacted::new("1111".to_owned()), SystemTime::now() - Duration::from_secs(100 - number));
        let arrival = session::BrowserArrival::default();
        let (_, cookie) = world.sessions.with_passcode(&meeting, 0, &code, &arrival, at).await.expect("in");
        cookies.push(format!("roomgate-{meeting}={cookie}"));
    }
    let (cookies, own) = (cookies.join("; "), format!("http://{}", world.addr));
    let headers = [("Cookie", cookies.as_str()), ("Origin", own.as_str()), ("Content-Type", "application/json")];
    let reply = world.fetch("POST", "/m/vault/passcode", &headers, "{\"passcode\":\"4321\"}").await;
    assert_eq!(reply.status, 204, "{}", reply.body);
    assert!(reply.head.contains("roomgate-vault=") && reply.head.contains("roomgate-m-1=; "), "{}", reply.head);
    let info = world.fetch("GET", "/m/demo/info", &headers, "").await.json();
    assert_eq!(info["role"], "member", "a member's session goes last");
}

/// A page that comes back to a seat connects without the passcode; its `join` tells whether it has one.
#[tokio::test]
async fn k1_a_page_that_comes_back_connects_without_the_passcode() {
    let world = World::new().await;
    assert_eq!(status_of(world.open("vault", &[]).await.expect_err("refused")), 403);
    let request = format!("ws://{}/m/vault/ws?back=1", world.addr).into_client_request().expect("a request");
    assert!(client_async(request, world.tcp().await).await.is_ok());
}

/// Whoever was removed does not come back by the link that had let them in, however often it may be used.
#[tokio::test]
async fn u4_who_was_removed_does_not_come_back_by_the_same_link() {
    let mut world = World::new().await;
    let meeting = MeetingName::new("demo").expect("a name");
    let link = NewLink { meeting, made_at: 0, role: LinkRole::Member, uses: 9, valid: LINK_VALID, maker: None };
    let token = world.sessions.make_link(link, SystemTime::now()).await.expect("a link").1;
    let cookie = |reply: &Reply| reply.header("set-cookie").and_then(|line| line.split(';').next()).expect("a cookie").to_owned();
    let (eve, other) = (cookie(&world.post_link(&token).await), cookie(&world.post_link(&token).await));
    let (_page, _) = world.join("demo", Some(&eve), hello("Eve")).await;
    let RecordedRequest::Join { who, .. } = world.seen().await else { panic!("a join first") };
    assert_eq!(world.operator("POST", &format!("/meetings/demo/participants/{who}/remove"), "").await.status, 204);
    assert_eq!(world.post_link(&token).await.status, 410);
    let role = async |cookie: &str| world.fetch("GET", "/m/demo/info", &[("Cookie", cookie)], "").await.json()["role"].clone();
    assert_eq!((role(&eve).await, role(&other).await), (json!("external"), json!("member")), "who has entered by it stays");
}

/// One browser is a member of several meetings and of so many only.
#[tokio::test]
async fn u4_one_browser_is_a_member_of_several_meetings() {
    let world = World::new().await;
    let (demo, board) = (world.enter("demo", false).await, world.enter("board", true).await);
    let both = format!("{demo}; {board}");
    let info = async |meeting: &str, cookie: &str| {
        world.fetch("GET", &format!("/m/{meeting}/info"), &[("Cookie", cookie)], "").await.json()
    };
    assert_eq!((&info("demo", &both).await["role"], &info("board", &both).await["organiser"]), (&json!("member"), &json!(true)));
    let listed = world.fetch("GET", "/api/v1/meetings", &[("Cookie", &both)], "").await.json();
    assert_eq!(listed["meetings"].as_array().map(Vec::len), Some(2), "{listed}");
    // What is the organiser's in one is not in the other.
    let own = format!("http://{}", world.addr);
    let member = [("Cookie", both.as_str()), ("Origin", own.as_str())];
    assert_eq!(world.fetch("GET", "/api/v1/meetings/demo/links", &member, "").await.status, 403);
    assert_eq!(world.fetch("GET", "/api/v1/meetings/board/links", &member, "").await.status, 200);
    // A cookie under another meeting's name is nothing.
    let value = demo.split_once('=').expect("a value").1;
    assert_eq!(info("board", &format!("roomgate-board={value}")).await["role"], "external");
}

#[tokio::test]
async fn u4_signing_out_ends_the_session_and_its_pages_at_once() {
    let mut world = World::new().await;
    let cookie = world.enter("demo", false).await;
    let (mut page, _) = world.join("demo", Some(&cookie), hello("Ada")).await;
    let RecordedRequest::Join { who, .. } = world.seen().await else { panic!("a join first") };
    let foreign = [("Cookie", cookie.as_str()), ("Origin", "https://evil.example")];
    assert_eq!(world.fetch("POST", "/m/demo/sign-out", &foreign, "").await.status, 403);
    let own = format!("http://{}", world.addr);
    let out = world.fetch("POST", "/m/demo/sign-out", &[("Cookie", &cookie), ("Origin", &own)], "").await;
    assert_eq!(out.status, 204);
    assert!(out.header("set-cookie").is_some_and(|line| line.starts_with("roomgate-demo=; ") && line.contains("Max-Age=0")));
    assert_eq!(world.seen().await, RecordedRequest::Ask(Some(who), MeetingRequest::Leave));
    assert_eq!(hear(&mut page).await["type"], "ended");
    assert_eq!(world.fetch("GET", "/m/demo/info", &[("Cookie", &cookie)], "").await.json()["role"], "external");
}

#[tokio::test]
async fn u4_who_is_removed_loses_the_session_with_every_page_of_it() {
    let mut world = World::new().await;
    let (host, eve) = (world.enter("demo", true).await, world.enter("demo", false).await);
    let (mut page, _) = world.join("demo", Some(&host), hello("Ada")).await;
    world.seen().await;
    let (lost, _) = world.join("demo", Some(&eve), hello("Eve")).await;
    let RecordedRequest::Join { who, .. } = world.seen().await else { panic!("a join first") };
    // Her connection is lost, and she is open in another tab that has not joined.
    drop(lost);
    assert_eq!(world.seen().await, RecordedRequest::Lost(who));
    let mut tab = world.open("demo", &[("Cookie", &eve)]).await.expect("opens");
    say(&mut page, &json!({ "type": "remove", "id": who.to_string() })).await;
    while let Some(Ok(_)) = tab.next().await {}
    assert_eq!(world.fetch("GET", "/m/demo/info", &[("Cookie", &eve)], "").await.json()["role"], "external");
    assert_eq!(world.fetch("GET", "/api/v1/meetings", &[("Cookie", &eve)], "").await.status, 401);
    assert_eq!(world.fetch("GET", "/m/demo/info", &[("Cookie", &host)], "").await.json()["role"], "member");
}

/// A link is told as a whole, with the public URL that is in force.
#[tokio::test]
async fn u4_a_link_is_told_as_a_whole_too() {
    let mut setup = Setup::new().await;
    let (reload, settings) = watch::channel(Arc::new(web()));
    setup.handles.web = settings;
    let world = World::with(setup).await;
    for (public_url, base) in
        [(None, format!("http://{}", world.addr)), (Some("https://meet.example"), "https://meet.example".into())]
    {
        reload.send_replace(Arc::new(WebSettings { public_url: public_url.map(str::to_owned), ..web() }));
        for (path, wanted) in [("/meetings/demo/links", "{\"role\":\"guest\"}"), ("/meetings", "{\"id\":\"standup\"}")] {
            let made = world.operator("POST", path, wanted).await.json();
            let link = made["link"].as_str().expect("a path");
            assert!(link.starts_with("/enter?token="), "{made}");
            assert_eq!(made["url"], format!("{base}{link}"), "{path}");
        }
    }
}

#[tokio::test]
async fn u4_links_are_made_listed_and_taken_back_by_whom_they_concern() {
    let world = World::new().await;
    let own = format!("http://{}", world.addr);
    let (member, organiser) = (world.enter("demo", false).await, world.enter("demo", true).await);
    let ask = async |cookie: &str, method: &str, path: &str, body: &str| {
        world.fetch(method, &format!("/api/v1{path}"), &[("Cookie", cookie), ("Origin", &own)], body).await
    };
    let links = "/meetings/demo/links";
    for (cookie, role, status) in [
        (&member, "guest", 201),
        (&member, "member", 403),
        (&member, "organiser", 403),
        (&organiser, "member", 201),
        (&organiser, "organiser", 201),
    ] {
        let reply = ask(cookie, "POST", links, &json!({ "role": role }).to_string()).await;
        assert_eq!(reply.status, status, "{role}: {}", reply.body);
    }
    assert_eq!(ask(&organiser, "POST", "/meetings/board/links", "{\"role\":\"guest\"}").await.status, 404);
    for bad in
        ["{\"role\":\"member\",\"uses\":0}", "{\"role\":\"member\",\"uses\":1001}", "{\"role\":\"member\",\"valid_seconds\":0}"]
    {
        assert_eq!(world.operator("POST", links, bad).await.json()["code"], "bad-link", "{bad}");
    }
    let made = world.operator("POST", links, "{\"role\":\"member\",\"uses\":2,\"valid_seconds\":2592000}").await.json();
    let token = made["link"].as_str().and_then(|link| link.strip_prefix("/enter?token=")).expect("a link").to_owned();
    assert_eq!(world.post_link(&token).await.status, 303);
    let listed = ask(&organiser, "GET", links, "").await.json();
    assert_eq!(listed["links"].as_array().map(Vec::len), Some(4), "{listed}");
    assert!(listed["links"].as_array().expect("links").iter().any(|link| link["id"] == made["id"] && link["uses"] == 1));
    assert!(!listed.to_string().contains(&token), "what opens the door is told once");
    assert_eq!(ask(&member, "DELETE", &format!("{links}/{}", made["id"].as_str().expect("an id")), "").await.status, 403);
    assert_eq!(ask(&organiser, "DELETE", &format!("{links}/{}", made["id"].as_str().expect("an id")), "").await.status, 204);
    assert_eq!(world.post_link(&token).await.status, 410);
    assert_eq!(ask(&organiser, "DELETE", &format!("{links}/absent"), "").await.status, 404);
    // Sessions: the organiser's are those of the own meeting.
    world.enter("board", true).await;
    assert_eq!(ask(&member, "GET", "/sessions", "").await.status, 403);
    let theirs = ask(&organiser, "GET", "/sessions", "").await.json();
    assert!(theirs["sessions"].as_array().expect("sessions").iter().all(|session| session["meeting"] == "demo"), "{theirs}");
    let all = world.operator("GET", "/sessions", "").await.json();
    assert_eq!(all["sessions"].as_array().map(Vec::len), Some(4), "{all}");
    let board = all["sessions"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(ask(&organiser, "DELETE", &format!("/sessions/{board}"), "").await.status, 404);
}
