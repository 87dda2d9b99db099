//! A page's socket: what it may say, and what ends it.

use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::*;

#[tokio::test]
async fn the_role_comes_from_the_cookie_and_never_from_the_page() {
    let mut world = World::new().await;
    let cookie = world.enter("demo", false).await;
    let lie = json!({ "type": "join", "name": "Eve", "role": "member", "organiser": true });
    let (_guest, welcome) = world.join("demo", None, lie.clone()).await;
    assert_eq!((&welcome["role"], &welcome["organiser"]), (&json!("external"), &json!(false)));
    let (_stranger, welcome) = world.join("board", Some(&cookie), lie.clone()).await;
    assert_eq!(welcome["role"], "external", "the cookie is the demo's");
    let (_member, welcome) = world.join("demo", Some(&cookie), lie).await;
    assert_eq!((&welcome["role"], &welcome["organiser"]), (&json!("member"), &json!(false)));
    for role in [Role::External, Role::External, Role::Member] {
        assert!(matches!(world.seen().await, RecordedRequest::Join { role: told, organiser: false, .. } if told == role));
    }
}

#[tokio::test]
async fn asks_reach_the_meeting_and_answers_and_refusals_the_page() {
    let mut world = World::new().await;
    let (mut page, welcome) = world.join("demo", None, hello(" Ada\u{202E} \n Lovelace ")).await;
    let RecordedRequest::Join { who, name, .. } = world.seen().await else { panic!("a join first") };
    assert_eq!((name.as_str(), &welcome["you"]), ("Ada Lovelace", &json!(who.to_string())));
    let ice = json!([{ "urls": ["turn:turn.example"], "username": "u", "credential": "secret" }]);
    assert_eq!(welcome["ice_servers"], ice, "told to who has joined, and nobody else");

    say(&mut page, &json!({ "type": "offer", "sdp": "v=0" })).await;
    assert_eq!(hear(&mut page).await, json!({ "type": "answer", "sdp": "answer to v=0" }));
    say(&mut page, &json!({ "type": "hand", "on": true })).await;
    assert_eq!(world.seen().await, RecordedRequest::Ask(Some(who), MeetingRequest::Hand(true)));
    say(&mut page, &json!({ "type": "admit", "id": "p999999" })).await;
    assert_eq!(hear(&mut page).await["code"], "not-allowed", "M-7: an external may not admit");
    say(&mut page, &json!({ "type": "transcription", "state": "on" })).await;
    assert_eq!(hear(&mut page).await["code"], "not-configured");
    say(&mut page, &json!({ "type": "chat", "text": "hello" })).await;
    let line = hear(&mut page).await;
    assert_eq!((&line["type"], &line["text"]), (&json!("chat"), &json!("hello")));

    say(&mut page, &json!({ "type": "leave" })).await;
    assert_eq!(hear(&mut page).await, json!({ "type": "ended", "reason": "left" }));
    assert_eq!(farewell(&mut page).await.0, 1000);
}

/// A lost connection is told and its presence is resumed by the signed token alone.
#[tokio::test]
async fn a_lost_connection_is_told_and_its_presence_is_resumed() {
    let mut world = World::new().await;
    let (page, welcome) = world.join("demo", None, hello("Ada")).await;
    let RecordedRequest::Join { who, .. } = world.seen().await else { panic!("a join first") };
    drop(page);
    assert_eq!(world.seen().await, RecordedRequest::Lost(who));

    let resume = welcome["resume"].as_str().expect("a token").to_owned();
    let back = json!({ "type": "join", "name": "Ada", "resume": resume });
    let (_page, welcome) = world.join("demo", None, back.clone()).await;
    assert_eq!(welcome["you"], json!(who.to_string()));
    assert!(matches!(world.seen().await, RecordedRequest::Join { resume: Some(told), .. } if told == who));

    let cookie = world.enter("demo", false).await;
    let (_elsewhere, _) = world.join("board", None, back.clone()).await;
    assert!(matches!(world.seen().await, RecordedRequest::Join { resume: None, .. }), "another meeting");
    let (_member, _) = world.join("demo", Some(&cookie), back).await;
    assert!(matches!(world.seen().await, RecordedRequest::Join { resume: None, .. }), "another role");
    let (_liar, _) = world.join("demo", None, json!({ "type": "join", "name": "Eve", "resume": format!("{who}.AAAA") })).await;
    assert!(matches!(world.seen().await, RecordedRequest::Join { resume: None, .. }), "not signed");
}

/// A page that is closed says so itself or by its browser and one loaded anew says that.
#[tokio::test]
async fn m5_a_page_that_is_closed_says_so_itself_or_by_its_browser() {
    let mut world = World::new().await;
    let (mut page, welcome) = world.join("demo", None, hello("Ada")).await;
    let RecordedRequest::Join { who, .. } = world.seen().await else { panic!("a join first") };
    say(&mut page, &json!({ "type": "close" })).await;
    assert_eq!(world.seen().await, RecordedRequest::Ask(Some(who), MeetingRequest::Close));
    drop(page);
    assert_eq!(world.seen().await, RecordedRequest::Lost(who));
    let token = welcome["resume"].as_str().expect("a token");
    for token in [format!("{token}A").as_str(), token] {
        let reply = world.fetch("GET", "/m/demo/info", &[("X-Roomgate-Resume", token)], "").await;
        assert_eq!(reply.status, 200);
    }
    assert_eq!(world.seen().await, RecordedRequest::Reloaded(who), "the forged one has said nothing");

    let (mut page, _) = world.join("demo", None, hello("Bob")).await;
    let RecordedRequest::Join { who, .. } = world.seen().await else { panic!("a join first") };
    let away = CloseFrame { code: CloseCode::Away, reason: "".into() };
    page.close(Some(away)).await.expect("sends");
    assert_eq!(world.seen().await, RecordedRequest::Ask(Some(who), MeetingRequest::Close));
}

#[tokio::test]
async fn a_socket_of_another_site_is_refused_and_one_of_ours_is_not() {
    let world = World::new().await;
    for foreign in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(status_of(world.open("demo", &[("Origin", foreign)]).await.expect_err("refused")), 403, "{foreign}");
    }
    let own = format!("http://{}", world.addr);
    assert!(world.open("demo", &[("Origin", &own)]).await.is_ok());
}

/// Messages that make no sense are refused and twenty end the connection.
#[tokio::test]
async fn messages_that_make_no_sense_are_refused_and_twenty_end() {
    let world = World::new().await;
    let mut page = world.open("demo", &[]).await.expect("opens");
    let hostile = [
        "",
        "nonsense",
        "[]",
        "{}",
        "null",
        "{\"type\":\"fly\"}",
        "{\"type\":\"mute\",\"id\":7,\"on\":1}",
        "{\"type\":\"chat\",\"text\":\"early\"}",
    ];
    for text in hostile.iter().cycle().take(19) {
        page.send(Message::text(*text)).await.expect("sends");
        assert_eq!(hear(&mut page).await["code"], "bad-message", "{text}");
    }
    page.send(Message::text("[".repeat(60_000))).await.expect("sends");
    assert_eq!(farewell(&mut page).await, (1008, "too many messages that make no sense".into()));
}

/// A binary frame an oversized one and a flood each end the connection with a reason.
#[tokio::test]
async fn a_binary_frame_an_oversized_one_and_a_flood_each_end() {
    let world = World::new().await;
    let mut binary = world.open("demo", &[]).await.expect("opens");
    binary.send(Message::binary(vec![0; 10])).await.expect("sends");
    assert_eq!(farewell(&mut binary).await.0, 1003);

    let mut big = world.open("demo", &[]).await.expect("opens");
    big.send(Message::text("x".repeat(70_000))).await.expect("sends");
    assert_eq!(farewell(&mut big).await, (1009, "message too big".into()));

    let mut flood = world.open("demo", &[]).await.expect("opens");
    for _ in 0..2000 {
        if flood.feed(Message::text("{\"type\":\"pong\"}")).await.is_err() {
            break;
        }
    }
    let _ = flood.flush().await;
    assert_eq!(farewell(&mut flood).await, (1008, "too many messages".into()));
}

#[tokio::test]
async fn bytes_that_are_no_websocket_frames_end_that_connection_alone() {
    let mut world = World::new().await;
    let mut state = 0x0123_4567_89AB_CDEF_u64;
    for _ in 0..50 {
        let page = world.open("demo", &[]).await.expect("opens");
        let mut raw = page.into_inner();
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            u8::try_from(state >> 56).expect("eight bits")
        })
        .take(200)
        .collect();
        let _ = raw.write_all(&noise).await;
    }
    let (_page, welcome) = world.join("demo", None, hello("Ada")).await;
    assert_eq!(welcome["role"], "external");
}

#[tokio::test]
async fn at_the_stop_pages_are_told_and_their_meetings_hear_of_it() {
    let mut world = World::new().await;
    let (mut page, _) = world.join("demo", None, hello("Ada")).await;
    let RecordedRequest::Join { who, .. } = world.seen().await else { panic!("a join first") };
    world.shutdown.send_replace(true);
    assert_eq!(farewell(&mut page).await.0, 1001);
    assert_eq!(world.seen().await, RecordedRequest::Lost(who));
    drop(page);
    world.task.await.expect("ends by itself");
    assert!(TcpStream::connect(world.addr).await.is_err());
}
