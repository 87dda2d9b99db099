//! Calls and their records (U-4, M-16), and who sees how much of them.

use super::*;

/// The operator sees and ends a call and a member only those of the own meeting.
#[tokio::test]
async fn the_operator_sees_and_ends_a_call_and_a_member() {
    let mut world = World::new().await;
    let all = world.operator("GET", "/calls", "").await.json();
    assert_eq!((&all["calls"][0]["call"], &all["calls"][0]["source"]), (&json!("call-1"), &json!("192.0.2.7:5060")));
    let one = world.operator("GET", "/calls/call-1", "").await.json();
    assert_eq!((&one["device"], &one["ladder"][0]["summary"]), (&json!("board-room"), &json!("INVITE 1")));
    for nothing in ["call-2", "1", "call-", "call--1", "call-99999999999999999999"] {
        assert_eq!(world.operator("GET", &format!("/calls/{nothing}"), "").await.status, 404, "{nothing}");
    }
    assert_eq!(world.operator("DELETE", "/calls/call-1", "").await.status, 202);
    assert_eq!(world.operator("DELETE", "/calls/call-2", "").await.status, 404);

    let own = format!("http://{}", world.addr);
    let stranger = world.enter("board", true).await;
    let member = [("Cookie", stranger.as_str()), ("Origin", own.as_str())];
    assert_eq!(world.fetch("GET", "/api/v1/calls", &member, "").await.json(), json!({ "calls": [] }));
    assert_eq!(world.fetch("GET", "/api/v1/calls/call-1", &member, "").await.status, 404);
    assert_eq!(world.fetch("DELETE", "/api/v1/calls/call-1", &member, "").await.status, 404);

    let host = world.enter("demo", false).await;
    let member = [("Cookie", host.as_str()), ("Origin", own.as_str())];
    let theirs = world.fetch("GET", "/api/v1/calls/call-1", &member, "").await.json();
    assert_eq!((&theirs["name"], &theirs["codec"]), (&json!("Board room"), &json!("G722")));
    for hidden in ["device", "source", "ladder"] {
        assert_eq!(theirs[hidden], Value::Null, "{hidden} is the operator's");
    }
    // M-8: of one that was not let in a member learns its name and how long it waits.
    for (path, pick) in [("/calls/call-3", ""), ("/calls", "/calls/1")] {
        let waits = world.fetch("GET", &format!("/api/v1{path}"), &member, "").await.json();
        let waits = waits.pointer(pick).expect("the second call");
        assert_eq!((&waits["name"], &waits["state"]), (&json!("Hall"), &json!("waiting")), "{waits}");
        for hidden in ["device", "source", "ladder", "transport", "codec", "media"] {
            assert_eq!(waits[hidden], Value::Null, "{hidden}: {waits}");
        }
    }
    let operator = world.operator("GET", "/calls/call-3", "").await.json();
    assert!(operator["codec"].is_string() && operator["media"].is_object(), "{operator}");
    let (_page, _) = world.join("demo", Some(&host), hello("Ada")).await;
    let RecordedRequest::Join { who, .. } = world.seen().await else { panic!("a join first") };
    // M-1: a member sees it under the name that its row has.
    let named = world.fetch("GET", "/api/v1/calls/call-1", &member, "").await.json();
    assert_eq!((&named["name"], &named["device"], &named["from"]), (&json!("Ada"), &Value::Null, &Value::Null));
    let reply = world.fetch("DELETE", "/api/v1/calls/call-1", &member, "").await;
    assert_eq!(
        world.seen().await,
        RecordedRequest::Ask(Some(who), MeetingRequest::Remove(ParticipantId::from_number(1))),
        "decided by the meeting"
    );
    assert_eq!(reply.status, 202, "{}", reply.body);
}

/// A member does not see the bare name that a call claims whose row is not there, unless it is a device of ours.
#[tokio::test]
async fn m1_a_member_does_not_see_an_impostors_name_bare() {
    let administration = TestAdministration { devices: Vec::new(), ..TestAdministration::default() };
    let world = World::with(Setup::answered_by(administration).await).await;
    let host = world.enter("demo", true).await;
    let calls = world.fetch("GET", "/api/v1/calls", &[("Cookie", &host)], "").await.json();
    let names = calls["calls"].as_array().expect("calls").iter().map(|call| call["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names, [json!("Board room (caller)"), json!("Hall (caller)"), json!("Kitchen")]);
    assert_eq!(world.operator("GET", "/calls/call-1", "").await.json()["name"], "Board room");
}

/// Whoever may have devices called sees the call that rings and stops it, with its page open.
#[tokio::test]
async fn s9_who_may_call_rooms_sees_and_stops_a_call_that_rings() {
    let mut world = World::new().await;
    let own = format!("http://{}", world.addr);
    let host = world.enter("demo", true).await;
    let member = [("Cookie", host.as_str()), ("Origin", own.as_str())];
    let rings = world.fetch("GET", "/api/v1/calls/call-5", &member, "").await.json();
    assert_eq!((&rings["state"], &rings["meeting"]), (&json!("calling"), &json!("demo")));
    assert_eq!(world.fetch("DELETE", "/api/v1/calls/call-5", &member, "").await.json()["code"], "not-inside");
    let (_page, _) = world.join("demo", Some(&host), hello("Ada")).await;
    assert_eq!(world.fetch("DELETE", "/api/v1/calls/call-5", &member, "").await.status, 202);
    let stranger = world.enter("board", true).await;
    let other = [("Cookie", stranger.as_str()), ("Origin", own.as_str())];
    assert_eq!(world.fetch("DELETE", "/api/v1/calls/call-5", &other, "").await.status, 404);
}

#[tokio::test]
async fn records_are_found_by_page_and_are_a_table_without_formulas() {
    let world = World::new().await;
    let found = world
        .operator(
            "GET",
            "/records?meeting=demo&before=4&limit=1&from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00%2B01:00&device=x",
            "",
        )
        .await
        .json();
    assert_eq!((&found["records"][0]["id"], &found["records"][0]["meeting"]), (&json!(3), &json!("demo")));
    for bad in ["from=-1", "to=253402300800000", "to=soon", "before=x", "format=xml", "order=id", "limit=0"] {
        assert_eq!(world.operator("GET", &format!("/records?{bad}"), "").await.status, 400, "{bad}");
    }
    let table = world.operator("GET", "/records?format=csv", "").await;
    assert_eq!(table.header("content-type"), Some("text/csv; charset=utf-8"));
    let lines: Vec<_> = table.body.split("\r\n").collect();
    assert!(lines[0].starts_with("id,call,device,meeting,started_at,"), "{}", lines[0]);
    let expected = "7,\"call-1\",\"'=cmd|'/c calc'!A1\",,2026-11-23T19:08:23.123Z,2026-11-23T19:08:23.200Z,,,,,\"PCMU\",50,-1,1.5,4.25,2,\"hung-up\"";
    let phone = "\"a84b4c76e66710@pc33\",\"192.0.2.7:5060\",\"'+49…23\",\"digest\",\"AES_CM_128_HMAC_SHA1_80\"";
    assert_eq!(lines[1..], [&format!("{expected},{phone}"), ""], "M-16: to be found in the PBX, with a masked number");
    assert_eq!(
        (&found["records"][0]["caller"], &found["records"][0]["dialog"]),
        (&json!("+49…23"), &json!("a84b4c76e66710@pc33"))
    );
    let bearer = format!("Bearer {TOKEN}");
    let accept = [("Authorization", bearer.as_str()), ("Accept", "text/csv")];
    assert_eq!(world.fetch("GET", "/api/v1/records", &accept, "").await.body, table.body);
}

#[tokio::test]
async fn the_host_gets_the_own_meetings_records_and_nobody_in_them() {
    let world = World::new().await;
    let own = format!("http://{}", world.addr);
    assert_eq!(world.operator("GET", "/records/host-export", "").await.status, 400, "of which meeting?");
    assert_eq!(world.operator("GET", "/records/host-export?meeting=absent", "").await.status, 404);
    let (organiser, guest) = (world.enter("demo", true).await, world.enter("demo", false).await);
    let organiser = [("Cookie", organiser.as_str()), ("Origin", own.as_str())];
    let guest = [("Cookie", guest.as_str()), ("Origin", own.as_str())];
    let export = "/api/v1/records/host-export";
    assert_eq!(world.fetch("GET", export, &guest, "").await.status, 403);
    assert_eq!(world.fetch("GET", &format!("{export}?meeting=board"), &organiser, "").await.status, 404);
    let mine = world.fetch("GET", export, &organiser, "").await;
    let record = &mine.json()["records"][0];
    assert_eq!((&record["device"], &record["meeting"], &record["mos"]), (&json!("Anonymous"), &json!("demo"), &json!(4.25)));
    assert_eq!((&record["call"], &record["answered_at"], &record["id"]), (&Value::Null, &Value::Null, &Value::Null));
    let table = world.fetch("GET", &format!("{export}?format=csv"), &organiser, "").await.body;
    assert!(table.starts_with("device,meeting,started_at,"), "{table}");
    for body in [&mine.body, &table] {
        assert!(
            !body.contains("call-1") && !body.contains("cmd") && !body.contains("192.0.2") && !body.contains("+49"),
            "M-16: {body}"
        );
    }
    let head = format!("7:{}", "ab".repeat(32));
    assert_eq!(mine.json()["ledger_head"], json!(head), "N-8: published where the daemon cannot take it back");
    assert_eq!(crate::store::read_heads(&table), crate::store::read_heads(&mine.body));
    assert_eq!(crate::store::read_heads(&table)[0].to_string(), head);
    let theirs = world
        .operator("GET", "/records/host-export?meeting=board&from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z", "")
        .await
        .json();
    let waited = &theirs["records"][0];
    assert_eq!((&waited["meeting"], &waited["end_reason"]), (&json!("board"), &json!("hung-up")));
    for hidden in ["codec", "packets", "lost", "jitter_ms", "mos"] {
        assert_eq!(waited[hidden], Value::Null, "M-8: it was never let in: {waited}");
    }
}
