//! Many guests at the door of the daemon's own meeting, and what a host is shown and may do meanwhile (M-1, M-8, M-11, M-14, K-4).

use std::time::Duration;

use futures_util::stream::FuturesUnordered;

use super::live::{Demo, hear_a, meetings, registry};
use super::*;

/// Everything a page is told until nothing comes for a moment.
async fn told(page: &mut Page) -> Vec<Value> {
    let mut told = Vec::new();
    while let Ok(message) = tokio::time::timeout(Duration::from_millis(400), hear(page)).await {
        told.push(message);
    }
    told
}

fn of_type(told: &[Value], kind: &str) -> usize {
    told.iter().filter(|message| message["type"] == kind).count()
}

impl Demo {
    async fn guest(&self, hello: Value) -> (Page, Value) {
        let mut page = self.world.open("demo", &[]).await.expect("opens");
        say(&mut page, &hello).await;
        let first = hear(&mut page).await;
        (page, first)
    }

    async fn rows(&self) -> Vec<Value> {
        let people = self.world.operator("GET", "/meetings/demo/participants", "").await.json();
        people["participants"].as_array().expect("rows").clone()
    }
}

#[tokio::test]
async fn m14_a_crowd_that_waits_and_toggles_costs_the_host_nothing() {
    let mut demo = Demo::new().await;
    let mut crowd = Vec::new();
    for number in 0..40 {
        crowd.push(demo.guest(hello(&format!("Guest {number}"))).await.0);
    }
    told(&mut demo.member).await;
    let mut toggles: FuturesUnordered<_> = crowd
        .iter_mut()
        .map(|guest| async move {
            for number in 0..60 {
                say(guest, &json!({ "type": "mute-self", "on": number % 2 == 0 })).await;
                say(guest, &json!({ "type": "hand", "on": number % 2 == 0 })).await;
                tokio::time::sleep(Duration::from_millis(45)).await;
            }
        })
        .collect();
    let mut done = 0;
    while let Some(()) = toggles.next().await {
        done += 1;
    }
    drop(toggles);
    assert_eq!(done, 40);
    assert_eq!(told(&mut demo.member).await, Vec::<Value>::new(), "nothing of it is to be seen");
    let guests = told(&mut crowd[0]).await;
    assert!(of_type(&guests, "refused") > 0, "and who asks too often is told so");
    say(&mut demo.member, &json!({ "type": "admit", "id": demo.guest_id })).await;
    assert!(of_type(&told(&mut demo.member).await, "state") > 0);
    assert_eq!(demo.row().await["state"], "in");
}

#[tokio::test]
async fn m14_many_changes_at_once_are_shown_as_one() {
    let mut demo = Demo::new().await;
    told(&mut demo.member).await;
    let hello = |number: usize| hello(&format!("Guest {number}"));
    let mut crowd = Vec::new();
    let began = std::time::Instant::now();
    for number in 0..60 {
        crowd.push(demo.guest(hello(number)).await);
    }
    let took = began.elapsed();
    let states = of_type(&told(&mut demo.member).await, "state") as u128;
    assert!((1..=took.as_millis() / 100 + 2).contains(&states), "{states} states in {took:?}");
    assert_eq!(demo.rows().await.len(), 62);
}

/// An address that knocks without end and one who was denied are told to wait.
#[tokio::test]
async fn m14_an_address_that_knocks_without_end() {
    let mut demo = Demo::new().await;
    assert_eq!(demo.act("deny").await.status, 204);
    assert_eq!(hear_a(&mut demo.guest, "ended").await["reason"], "denied");
    let (mut again, refused) = demo.guest(hello("Bob")).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("refused"), &json!("denied-just-now")));
    assert_eq!(farewell(&mut again).await.0, 1013);
    let mut codes = Vec::new();
    let mut kept = Vec::new();
    for number in 0..130 {
        let mut page = match demo.world.open("demo", &[]).await {
            Ok(page) => page,
            Err(error) => panic!("{number}: {error}"),
        };
        say(&mut page, &hello(&format!("Eve {number}"))).await;
        codes.push(hear(&mut page).await["code"].clone());
        // Only the first ones stay, so that no limit on connections is met.
        if number < 30 {
            kept.push(page);
        }
    }
    assert!(codes.contains(&json!("too-many-knocks")), "{codes:?}");
    assert!(codes[..90].iter().all(Value::is_null), "a house full of people may come at once");
    let (_, member) = demo.world.join("demo", Some(&demo.cookie), hello("Ada")).await;
    assert_eq!(member["role"], "member", "members do not knock");
}

/// Where nobody from outside may join a page is told so from the next join on.
#[tokio::test]
async fn m11_where_nobody_from_outside_may_join_a_page_is_told() {
    let mut demo = Demo::new().await;
    let mut closed = meetings();
    closed.values_mut().for_each(|settings| settings.anonymous_join = false);
    demo.registry.reconfigure(closed).await;
    assert_eq!(hear_a(&mut demo.guest, "ended").await["reason"], "anonymous-off", "who waits already is told as well");
    assert_eq!(demo.row().await, Value::Null);
    let (mut page, refused) = demo.guest(hello("Eve")).await;
    assert_eq!(refused["code"], "anonymous-off");
    assert_eq!(farewell(&mut page).await.0, 1013);
    assert_eq!(demo.world.get("/m/demo/info").await.json()["role"], "none");
    let (_, welcome) = demo.world.join("demo", Some(&demo.cookie.clone()), hello("Ada")).await;
    assert_eq!(welcome["role"], "member");
    demo.registry.reconfigure(meetings()).await;
    let (_, welcome) = demo.guest(hello("Eve")).await;
    assert_eq!(welcome["type"], "welcome");
}

/// A passcode that is set while somebody waits is asked of them too, and who is inside stays.
#[tokio::test]
async fn k1_a_passcode_set_while_somebody_waits_is_asked_of_them() {
    let mut demo = Demo::new().await;
    let (_inside, welcome) = demo.guest(hello("Carol")).await;
    let carol = welcome["you"].as_str().expect("an id").to_owned();
    demo.world.operator("POST", &format!("/meetings/demo/participants/{carol}/admit"), "").await;
    let mut early = demo.world.open("demo", &[]).await.expect("no passcode is set yet");
    let mut coded = meetings();
    coded.values_mut().for_each(|settings| settings.passcode = Some("4321".to_owned().into()));
    demo.registry.reconfigure(coded).await;
    assert_eq!(hear_a(&mut demo.guest, "ended").await["reason"], "passcode-wanted");
    say(&mut early, &hello("Eve")).await;
    assert_eq!(hear(&mut early).await["code"], "passcode-wanted", "who has connected before and joins now");
    let rows = demo.rows().await;
    assert_eq!(rows.iter().find(|row| row["id"] == carol.as_str()).expect("a row")["state"], "in");
    let token = demo.world.link_as("demo", LinkRole::Guest).await;
    let entered = demo.world.post_link(&token).await;
    let cookie = entered.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
    let (_page, welcome) = demo.world.join("demo", Some(&cookie), hello("Dan")).await;
    assert_eq!(welcome["role"], "external", "a signed link stands for it");
}

/// Whoever is inside comes back to the seat after the passcode was changed; without a seat it is asked for.
#[tokio::test]
async fn k1_a_seat_inside_survives_a_changed_passcode() {
    let demo = Demo::new().await;
    let (page, welcome) = demo.guest(hello("Carol")).await;
    let carol = welcome["you"].as_str().expect("an id").to_owned();
    demo.world.operator("POST", &format!("/meetings/demo/participants/{carol}/admit"), "").await;
    let mut coded = meetings();
    coded.values_mut().for_each(|settings| settings.passcode = Some("4321".to_owned().into()));
    demo.registry.reconfigure(coded).await;
    drop(page);
    let back = json!({ "type": "join", "name": "Carol", "resume": welcome["resume"] });
    let (_page, again) = demo.guest(back).await;
    assert_eq!((&again["type"], &again["you"]), (&json!("welcome"), &json!(carol)));
    let forged = json!({ "type": "join", "name": "Eve", "resume": "p1.AAAA" });
    assert_eq!(demo.guest(forged).await.1["code"], "passcode-wanted");
}

/// A meeting that the API has made does not promise to be there again after a restart, and a configured one does.
#[tokio::test]
async fn o4_only_what_outlasts_a_restart_says_that_it_comes_back() {
    for (outlasts, reason) in [(true, "restarting"), (false, "not-kept")] {
        let mut demo = Demo::new().await;
        let mut made = meetings();
        made.values_mut().for_each(|settings| settings.outlasts_a_restart = outlasts);
        demo.registry.reconfigure(made).await;
        demo.registry.stop_by(crate::common::machine::now() + Duration::from_secs(60)).await;
        assert_eq!(hear_a(&mut demo.guest, "stopping").await["comes_back"], outlasts);
        for meeting in demo.registry.running().await {
            meeting.close(crate::common::cause::Cause::Draining).await;
        }
        assert_eq!(hear_a(&mut demo.guest, "ended").await["reason"], reason);
    }
}

/// Who passes the lobby is what is set now, also for who waits since before.
#[tokio::test]
async fn m6_who_passes_the_lobby_is_set_for_those_who_wait_too() {
    let demo = Demo::new().await;
    assert_eq!(demo.row().await["state"], "lobby");
    let mut open = meetings();
    open.values_mut().for_each(|settings| settings.policy.bypass = crate::policy::Bypass::Everyone);
    demo.registry.reconfigure(open).await;
    assert_eq!(demo.row().await["state"], "in");
    demo.registry.reconfigure(meetings()).await;
    let (_page, welcome) = demo.guest(hello("Eve")).await;
    let rows = demo.rows().await;
    assert_eq!(rows.iter().find(|row| row["id"] == welcome["you"]).expect("a row")["state"], "lobby");
}

/// A crowd of one address that waits gives way to others, and none is told that the meeting is full because of it.
#[tokio::test]
async fn m14_a_crowd_of_one_address_that_waits_gives_way() {
    let folder = tempfile::tempdir().expect("a directory");
    let trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let mut setup = Setup::new().await;
    setup.handles.web = watch::channel(Arc::new(WebSettings { trusted_proxies, ..web() })).1;
    let registry = registry(folder.path(), &setup.handles.events);
    let mut small = meetings();
    small.values_mut().for_each(|settings| settings.policy.limits.participants = 3);
    registry.reconfigure(small).await;
    let mut world = World::on(setup, registry, mpsc::channel(1).1).await;
    let cookie = world.enter("demo", true).await;
    let (_host, _) = world.join("demo", Some(&cookie), hello("Alice")).await;
    let knock = async |from: &str| {
        let mut page = world.open("demo", &[("x-forwarded-for", from)]).await.expect("opens");
        say(&mut page, &hello("Guest")).await;
        let first = hear(&mut page).await;
        (page, first)
    };
    let mut crowd = Vec::new();
    for _ in 0..3 {
        let (page, first) = knock("192.0.2.1").await;
        assert_eq!(first["type"], "welcome");
        crowd.push(page);
    }
    assert_eq!(knock("192.0.2.1").await.1["code"], "too-many-knocks");
    let (_honest, first) = knock("198.51.100.1").await;
    assert_eq!(first["type"], "welcome");
    assert_eq!(hear_a(crowd.last_mut().expect("three"), "ended").await["reason"], "lobby-crowded", "the newest of them");
    let (_other, first) = knock("203.0.113.1").await;
    assert_eq!(first["code"], Value::Null, "one of two gives way");
    assert_eq!(knock("203.0.113.9").await.1["code"], "meeting-full", "nobody crowds the door any more");
}

/// A host asks a guest that is muted by itself and the answer says so.
#[tokio::test]
async fn k4_a_host_asks_a_guest_that_is_muted_by_itself() {
    let mut demo = Demo::new().await;
    demo.act("admit").await;
    say(&mut demo.guest, &json!({ "type": "mute-self", "on": true })).await;
    say(&mut demo.guest, &json!({ "type": "chat", "text": "muted" })).await;
    hear_a(&mut demo.member, "chat").await;
    assert_eq!(demo.act("unmute").await.status, 202, "asked, not done");
    assert_eq!(hear_a(&mut demo.guest, "unmute-asked").await["by"], "Operator");
    say(&mut demo.member, &json!({ "type": "mute", "id": demo.guest_id, "on": false })).await;
    assert_eq!(hear_a(&mut demo.guest, "unmute-asked").await["by"], "Alice");
    assert_eq!((&demo.row().await["muted"], &demo.row().await["muted_by"]), (&json!(true), &json!("owner")));
    assert_eq!(demo.act("mute").await.status, 204);
    assert_eq!(demo.row().await["muted_by"], "both");
    assert_eq!(demo.act("unmute").await.status, 202);
    assert_eq!(demo.row().await["muted_by"], "owner");
}

#[tokio::test]
async fn k4_a_hosts_mute_and_ones_own_are_there_again_in_a_new_seat() {
    let mut demo = Demo::new().await;
    let hello = json!({ "type": "join", "name": "Carol", "key": "c0ffee" });
    let find = async |demo: &Demo, id: &Value| demo.rows().await.into_iter().find(|row| row["id"] == *id).expect("a row");
    let act = async |demo: &Demo, id: &Value, act: &str| {
        let id = id.as_str().expect("an id");
        demo.world.operator("POST", &format!("/meetings/demo/participants/{id}/{act}"), "").await.status
    };
    let (mut carol, welcome) = demo.guest(hello.clone()).await;
    assert_eq!((act(&demo, &welcome["you"], "admit").await, act(&demo, &welcome["you"], "mute").await), (204, 204));
    say(&mut carol, &json!({ "type": "leave" })).await;
    hear_a(&mut carol, "ended").await;

    let mut muted = hello.clone();
    muted["muted"] = json!(true);
    for (hello, by) in [(hello, "host"), (muted, "both")] {
        let (mut carol, welcome) = demo.guest(hello).await;
        assert_eq!(act(&demo, &welcome["you"], "admit").await, 204);
        assert_eq!(find(&demo, &welcome["you"]).await["muted_by"], by);
        say(&mut carol, &json!({ "type": "mute-self", "on": false })).await;
        assert_eq!(hear_a(&mut carol, "refused").await["code"], "mute-locked");
        say(&mut carol, &json!({ "type": "leave" })).await;
        hear_a(&mut carol, "ended").await;
    }
    let (_, other) = demo.guest(json!({ "type": "join", "name": "Carol", "key": "another" })).await;
    assert_eq!(act(&demo, &other["you"], "admit").await, 204);
    assert_eq!(find(&demo, &other["you"]).await["muted"], false);
    told(&mut demo.member).await;
}

/// A host's mute holds for every tab of a person, and a tab that waits does not shed what is kept of it.
#[tokio::test]
async fn k4_a_hosts_mute_holds_for_every_tab_of_a_person() {
    let demo = Demo::new().await;
    let hello = json!({ "type": "join", "name": "Carol", "key": "c0ffee" });
    let act = async |id: &Value, act: &str| {
        let id = id.as_str().expect("an id");
        demo.world.operator("POST", &format!("/meetings/demo/participants/{id}/{act}"), "").await.status
    };
    let muted_by =
        async |id: &Value| demo.rows().await.into_iter().find(|row| row["id"] == *id).expect("a row")["muted_by"].clone();
    let (mut one, inside) = demo.guest(hello.clone()).await;
    let (mut two, waits) = demo.guest(hello.clone()).await;
    assert_eq!((act(&inside["you"], "admit").await, act(&inside["you"], "mute").await), (204, 204));
    say(&mut two, &json!({ "type": "mute-self", "on": true })).await;
    say(&mut two, &json!({ "type": "mute-self", "on": false })).await;
    assert_eq!(hear_a(&mut two, "refused").await["code"], "mute-locked");
    assert_eq!(act(&waits["you"], "admit").await, 204);
    assert_eq!((muted_by(&waits["you"]).await, muted_by(&inside["you"]).await), (json!("both"), json!("host")));
    for page in [&mut one, &mut two] {
        say(page, &json!({ "type": "leave" })).await;
        hear_a(page, "ended").await;
    }
    let (_third, back) = demo.guest(hello).await;
    assert_eq!(act(&back["you"], "admit").await, 204);
    assert_eq!(muted_by(&back["you"]).await, "host");
    let (_fourth, more) = demo.guest(json!({ "type": "join", "name": "Carol", "key": "c0ffee" })).await;
    assert_eq!((act(&more["you"], "admit").await, act(&more["you"], "unmute").await), (204, 204));
    assert_eq!((muted_by(&back["you"]).await, muted_by(&more["you"]).await), (Value::Null, Value::Null), "lifted for both");
}

#[tokio::test]
async fn m1_a_guest_gets_neither_a_members_name_nor_the_operators() {
    let demo = Demo::new().await;
    for (claimed, shown) in [("ALICE", "ALICE (guest)"), ("operator", "operator (guest)"), ("Alicia", "Alicia")] {
        let (_page, welcome) = demo.guest(hello(claimed)).await;
        let rows = demo.rows().await;
        assert_eq!(rows.iter().find(|row| row["id"] == welcome["you"]).expect("a row")["name"], shown);
    }
    // Bob was a guest's name; now it is a member's.
    let mut world = demo.world;
    let (_bob, _) = world.join("demo", Some(&demo.cookie), hello("Bob")).await;
    let people = world.operator("GET", "/meetings/demo/participants", "").await.json();
    let named = |name: &str| people["participants"].as_array().expect("rows").iter().find(|row| row["name"] == name).cloned();
    assert_eq!(named("Bob").expect("the member")["kind"], "member");
    assert_eq!(named("Bob (guest)").expect("the guest")["id"], demo.guest_id.as_str());
}
