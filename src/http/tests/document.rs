//! The API's document (U-4): what it lists is served, and each role gets no more than what is its own.

use super::*;

/// What stands for the parameters of a path.
fn filled(path: &str, meeting: &str) -> String {
    let parameters = [
        ("{meeting}", meeting),
        ("{participant}", "p1"),
        ("{act}", "admit"),
        ("{reader}", "reader-1"),
        ("{device}", "board-room"),
        ("{call}", "call-1"),
        ("{link}", "AAAAAAAAAAAAAAAAAAAAAA"),
        ("{session}", "AAAAAAAAAAAAAAAAAAAAAA"),
        ("{recording}", "demo-20261128T080137.998Z"),
    ];
    parameters.into_iter().fold(path.replace("{name}", "192.0.2.9"), |path, (name, value)| path.replace(name, value))
}

struct Operation {
    method: String,
    path: String,
    open: bool,
    answers: Vec<u16>,
}

fn operations(document: &Value) -> Vec<Operation> {
    let object = |value: &Value| value.as_object().cloned().expect("an object");
    let of = |(path, item): (String, Value)| {
        object(&item).into_iter().map(move |(method, operation)| Operation {
            method: method.to_uppercase(),
            path: path.clone(),
            open: operation["security"] == json!([{}]),
            answers: object(&operation["responses"]).keys().filter_map(|status| status.parse().ok()).collect(),
        })
    };
    object(&document["paths"]).into_iter().flat_map(of).collect()
}

#[tokio::test]
async fn every_route_of_the_document_is_served_and_answers_as_it_says() {
    let world = World::new().await;
    let reply = world.get("/api/v1/openapi.json").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let document = reply.json();
    assert_eq!((&document["openapi"], &document["servers"][0]["url"]), (&json!("3.1.0"), &json!("/api/v1")));
    let problem = &document["paths"]["/meetings/{meeting}"]["get"]["responses"]["404"]["content"]["application/problem+json"];
    assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem");
    let operations = operations(&document);
    assert!(operations.len() > 18, "{}", operations.len());
    for Operation { method, path, answers, open } in operations.into_iter().filter(|one| one.path != "/events") {
        let filled = filled(&path, "demo");
        let reply = world.operator(&method, &filled, "").await;
        assert!(answers.contains(&reply.status), "{method} {path}: {} {}", reply.status, reply.body);
        assert!(!reply.body.contains("such resource"), "{method} {path} is not served");
        if !open {
            let nobody = world.fetch(&method, &format!("/api/v1{filled}"), &[], "").await;
            assert_eq!(nobody.status, 401, "{method} {path}");
        }
    }
}

/// A member of one meeting gets nothing of another and nothing of the operators.
#[tokio::test]
async fn a_member_of_one_meeting_gets_nothing_of_another_and_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = World::with(Setup::with_recordings(folder.path()).await).await;
    let cookie = world.enter("board", true).await;
    let own = format!("http://{}", world.addr);
    let member = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
    // Its page is open: what is refused is not refused for being away.
    let (_page, _) = world.join("board", Some(&cookie), hello("Ada")).await;
    let document = world.get("/api/v1/openapi.json").await.json();
    // The stream has tests of its own, since it never ends.
    for Operation { method, path, open, .. } in operations(&document).into_iter().filter(|one| one.path != "/events") {
        let theirs = method == "GET"
            && ["/meetings", "/calls", "/records/host-export", "/recordings", "/sessions"].contains(&path.as_str());
        let body = match path.rsplit('/').next() {
            Some("chat") => "{\"text\":\"hello\"}",
            Some("invite") => "{\"device\":\"board-room\"}",
            _ => "{\"state\":\"on\"}",
        };
        let reply = world.fetch(&method, &format!("/api/v1{}", filled(&path, "demo")), &member, body).await;
        let expected: &[u16] = if open || theirs { &[200] } else { &[403, 404] };
        assert!(expected.contains(&reply.status), "{method} {path}: {} {}", reply.status, reply.body);
        assert!(!reply.body.contains("demo") || open, "{method} {path}: {}", reply.body);
    }
}
