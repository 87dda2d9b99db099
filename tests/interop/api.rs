//! The API as programs meet it: `schemathesis` sends to each operation of the document what fits and what does not, as each role (U-4),
//! and a call is watched, ended and found again in the records (M-16).

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::baresip::{Baresip, Codec, Transport};
use crate::daemon::{Daemon, PAGES};
use crate::member::Member;
use crate::namespace::{isolated_beside_others, program};
use crate::waiting::{eventually, seconds};

/// What a program of a room shows.
const PANEL: &str = "what-the-panel-shows";

/// Calls the meeting `demo`.
fn call(daemon: &Daemon, time: &str) -> Child {
    let mut dial = Command::new(env!("CARGO_BIN_EXE_roomgate"));
    dial.args(["dial", "sip:1001@127.0.0.1", "--codec", "g722", "--for", time]);
    dial.current_dir(daemon.folder()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("roomgate dial can be run")
}

/// Runs `schemathesis` with these headers; what it sends is drawn from a fixed seed.
fn examine(daemon: &Daemon, who: &str, headers: &[String], document: &str, without: &str) -> String {
    let mut command = Command::new(program("schemathesis"));
    let config = daemon.folder().join("schemathesis.toml");
    command.arg("--config-file").arg(config).args(["run", document, "--url", &format!("http://{PAGES}/api/v1")]);
    command.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "12", "--seed", "1", "--no-color", "--no-shrink"]);
    // The stream never ends, and has a test of its own.
    command.args(["--exclude-path", "/events"]);
    command.args(["--continue-on-failure", "--exclude-checks", &format!("ignored_auth,positive_data_acceptance{without}")]);
    for header in headers {
        command.args(["--header", header]);
    }
    let output = command.current_dir(daemon.folder()).output().expect("schemathesis can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "as {who}:\n{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("Rate limited"), "as {who} too little was answered:\n{text}");
    let summary = text.split("SUMMARY").nth(1).unwrap_or_default();
    println!("as {who}: {summary}");
    assert!(summary.contains("generated"), "as {who} nothing was sent:\n{text}");
    text.into_owned()
}

/// The document without its ways to sign in: of wrong tokens `schemathesis` would make so many that nothing else is answered for a while.
fn without_tokens(daemon: &Daemon) -> String {
    let mut document = daemon.get("/api/v1/openapi.json");
    document.as_object_mut().and_then(|all| all.remove("security")).expect("security");
    document["components"].as_object_mut().and_then(|all| all.remove("securitySchemes")).expect("ways to sign in");
    let path = daemon.folder().join("openapi.json");
    std::fs::write(&path, document.to_string()).expect("a file");
    path.display().to_string()
}

/// Schemathesis finds no server error and nothing undocumented as any role.
#[test]
fn schemathesis_finds_no_server_error_and_nothing_undocumented() {
    isolated_beside_others(|| {
        // What it sends in seconds is far more than anybody may ask for.
        let daemon = Daemon::with(&format!(
            "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[limits]\napi_requests_per_second = 10000\n\
             [device.panel]\naddress = \"127.0.0.9\"\napi_token = \"{PANEL}\"\n"
        ));
        let alice = Member::join(&daemon, "demo");
        let mut dial = call(&daemon, "300s");
        let up = eventually(seconds(10), "the call waits", || {
            alice.phones("lobby").first().cloned().map(|who| (who, daemon.get("/api/v1/calls")["calls"][0]["call"].clone()))
        });
        let (phone, call) = (up.0, up.1.as_str().expect("a call").to_owned());
        let _other = Member::join(&daemon, "board");
        let sessions = daemon.get("/api/v1/sessions");
        let other = sessions["sessions"].as_array().and_then(|all| all.iter().find(|one| one["meeting"] == "board"));
        let session = other.and_then(|one| one["id"].as_str()).expect("the other's session");
        // What is asked of the meeting's one phone and of the call reaches them; what would end the rest, the member's own session
        // among it, goes to another meeting.
        let config = format!(
            "[parameters]\n\"path.meeting\" = \"demo\"\n\"path.participant\" = \"{phone}\"\n\"path.call\" = \"{call}\"\n\
             \"path.session\" = \"{session}\"\n\n\
             [[operations]]\ninclude-path = \"/meetings/{{meeting}}/end\"\nparameters = {{ \"path.meeting\" = \"board\" }}\n"
        );
        std::fs::write(daemon.folder().join("schemathesis.toml"), config).expect("a file");
        let document = without_tokens(&daemon);
        examine(&daemon, "the operator", &[format!("Authorization: Bearer {}", daemon.token())], &document, "");
        let member = [format!("Cookie: {}", alice.cookie), format!("Origin: http://{PAGES}")];
        examine(&daemon, "a member", &member, &document, "");
        examine(&daemon, "a device", &[format!("Authorization: Bearer {PANEL}")], &document, "");
        // Who is nobody does not even learn which methods there are.
        let nobody = examine(&daemon, "nobody", &[], &document, ",unsupported_method");
        let paths = daemon.get("/api/v1/openapi.json")["paths"].as_object().cloned().expect("paths");
        let operations: usize = paths.values().filter_map(|path| path.as_object().map(|methods| methods.len())).sum();
        // All but the document itself and the stream.
        let refused = format!("{} operations returned only 401/403 responses", operations - 2);
        assert!(nobody.contains(&refused), "{refused}: {nobody}");
        assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
        // It was hung up.
        dial.wait().expect("it ends");
    });
}

/// A call is heard of while it is up ended by the operator and found in the records.
#[test]
fn a_call_is_heard_of_while_it_is_up_ended_by_the_operator() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let alice = Member::join(&daemon, "demo");
        let mut dial = call(&daemon, "60s");
        let phone = eventually(seconds(10), "the call waits", || alice.phones("lobby").first().cloned());
        assert_eq!(daemon.request("POST", &format!("/api/v1/meetings/demo/participants/{phone}/admit"), "", "").0, 204);
        let calls = eventually(seconds(5), "it is inside", || {
            Some(daemon.get("/api/v1/calls")).filter(|calls| calls["calls"][0]["state"] == "in")
        });
        let name = calls["calls"][0]["call"].as_str().expect("its name").to_owned();
        let path = format!("/api/v1/calls/{name}");
        let one = eventually(seconds(10), "media flows", || {
            Some(daemon.get(&path)).filter(|one| one["media"]["received"].as_u64() > Some(100))
        });
        println!("{one:#}");
        let media = &one["media"];
        assert_eq!(
            (&one["codec"], &media["ptime_ms"], &media["lost"], &one["meeting"]),
            (&"G722".into(), &20.into(), &0.into(), &"demo".into())
        );
        assert!(media["mos"].as_f64() > Some(3.5) && media["sent"].as_u64() > Some(50), "{media}");
        assert!(one["ladder"][0]["summary"].as_str().is_some_and(|first| first.starts_with("INVITE")), "{one}");

        assert_eq!(daemon.request("DELETE", &path, "", "").0, 202);
        let over = eventually(seconds(15), "it is over", || Some(daemon.get(&path)).filter(|one| one["state"] == "over"));
        assert_eq!(over["end_reason"], "ended-by-operator", "{over}");
        let ladder = over["ladder"].as_array().expect("a ladder");
        assert!(
            ladder.iter().any(|step| step["inbound"] == false && step["summary"].as_str().is_some_and(|s| s.starts_with("BYE"))),
            "{over}"
        );
        assert!(dial.wait().expect("it ends").success());
        assert_eq!(daemon.request("DELETE", &path, "", "").0, 404, "twice");

        let records = eventually(seconds(5), "its record", || {
            Some(daemon.get("/api/v1/records?meeting=demo&device=unlisted")["records"][0].clone()).filter(Value::is_object)
        });
        assert_eq!((&records["call"], &records["end_reason"]), (&name.into(), &"ended-by-operator".into()), "{records}");
        for known in ["started_at", "lobby_at", "admitted_at", "joined_at", "left_at", "codec", "jitter_ms", "mos"] {
            assert!(!records[known].is_null(), "M-16: {known} in {records}");
        }
        let (status, head, table) = daemon.request("GET", "/api/v1/records/host-export?meeting=demo", "Accept: text/csv\r\n", "");
        println!("{table}");
        assert!(status == 200 && head.contains("text/csv") && table.contains("\"Anonymous\""), "{head}\n{table}");
        assert!(!table.contains("127.0.0.1") && !table.contains("unlisted"), "M-16: {table}");
        assert_eq!(daemon.get("/api/v1/records?to=1970-01-01T00:00:01Z")["records"].as_array().map(Vec::len), Some(0));
    });
}

/// The names of the events so far.
fn names(stream: &str) -> Vec<&str> {
    stream.lines().filter_map(|line| line.strip_prefix("event: ")).collect()
}

/// The whole way of a call is told as events and can be read again.
#[test]
fn the_whole_way_of_a_call_is_told_as_events_and_can_be_read() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let file = daemon.folder().join("events.txt");
        let curl = |after: &str, into: &Path| {
            let mut curl = Command::new(program("curl"));
            curl.args(["--silent", "--no-buffer", "--header", &format!("Authorization: Bearer {}", daemon.token())]);
            curl.args(["--header", after, &format!("http://{PAGES}/api/v1/events")]);
            curl.stdout(std::fs::File::create(into).expect("a file")).spawn().expect("curl can be run")
        };
        let mut listener = curl("X-Nothing: 1", &file);
        let read = |file: &Path| std::fs::read_to_string(file).expect("readable");
        // The stream is open once its first event comes.
        let alice = eventually(seconds(10), "a member is told of", || {
            let alice = Member::join(&daemon, "demo");
            names(&read(&file)).contains(&"admitted").then_some(alice)
        });
        let mut dial = call(&daemon, "60s");
        let phone = eventually(seconds(10), "the call waits", || alice.phones("lobby").first().cloned());
        let ask = |method: &str, path: &str, body: &str| {
            let (status, _, text) = daemon.request(method, &format!("/api/v1/meetings/demo{path}"), "", body);
            assert_eq!(status, 204, "{path}: {text}");
        };
        ask("POST", &format!("/participants/{phone}/admit"), "");
        ask("PUT", "/recording", "{\"state\":\"on\"}");
        ask("PUT", "/recording", "{\"state\":\"off\"}");
        ask("POST", &format!("/participants/{phone}/mute"), "");
        alice.ask(json!({ "type": "hand", "on": true }));
        alice.ask(json!({ "type": "chat", "text": "a word for nobody else" }));
        eventually(seconds(10), "the chat is told of", || names(&read(&file)).contains(&"chat").then_some(()));
        ask("POST", &format!("/participants/{phone}/remove"), "");
        eventually(seconds(15), "the call is over", || names(&read(&file)).contains(&"ended").then_some(()));
        dial.wait().expect("it ends");
        let told = read(&file);
        let of_the_phone: Vec<_> = names(&told).into_iter().skip_while(|name| *name != "ringing").collect();
        println!("{of_the_phone:?}");
        let expected =
            ["ringing", "answered", "lobby", "admitted", "recording", "recording", "muted", "hand", "chat", "left", "ended"];
        let mut rest = of_the_phone.iter();
        for name in expected {
            assert!(rest.any(|told| *told == name), "{name} in {of_the_phone:?}");
        }
        assert!(!told.contains("a word for nobody else"), "{told}");
        for reason in ["\"removed\"", "\"state\":\"off\""] {
            assert!(told.contains(reason), "{reason}: {told}");
        }
        listener.kill().expect("a child can be killed");
        listener.wait().expect("it ends");

        let ids: Vec<_> = told.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
        let again = daemon.folder().join("again.txt");
        let mut listener = curl(&format!("Last-Event-ID: {}", ids[0]), &again);
        let count = names(&told).len() - 1;
        let repeated =
            eventually(seconds(5), "all of it again", || Some(read(&again)).filter(|again| names(again).len() >= count));
        assert_eq!(names(&repeated)[..count], names(&told)[1..]);
        listener.kill().expect("a child can be killed");
        listener.wait().expect("it ends");
    });
}

/// A panel at a rooms door sees and steers the rooms own call and no other.
#[test]
fn a_panel_at_a_rooms_door_sees_and_steers_the_rooms_own_call() {
    isolated_beside_others(|| {
        let daemon = Daemon::with(&format!(
            "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n\
             [device.room]\naddress = \"127.0.0.1\"\napi_token = \"{PANEL}\"\ndefault_meeting = \"demo\"\n\
             [device.other]\nusername = \"other\"\npassword = \"correct-horse\"\napi_token = \"{PANEL}-of-another\"\n"
        ));
        let alice = Member::join(&daemon, "demo");
        let panel = |token: &str, method: &str, path: &str, body: &str| {
            let mut curl = Command::new(program("curl"));
            curl.args(["--silent", "--request", method, "--header", &format!("Authorization: Bearer {token}")]);
            curl.args(["--header", "Content-Type: application/json", "--write-out", "\n%{http_code}"]);
            curl.args(["--data", body, &format!("http://{PAGES}/api/v1{path}")]);
            let output = curl.output().expect("curl can be run");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let (body, status) = text.rsplit_once('\n').expect("a status");
            (status.parse::<u16>().expect("a number"), body.to_owned())
        };
        let other = format!("{PANEL}-of-another");
        let streams = [PANEL, other.as_str()].map(|token| {
            let into = std::fs::File::create(daemon.folder().join(token)).expect("a file");
            let mut curl = Command::new(program("curl"));
            curl.args(["--silent", "--no-buffer", "--header", &format!("Authorization: Bearer {token}")]);
            curl.arg(format!("http://{PAGES}/api/v1/events?after=0")).stdout(into).spawn().expect("curl can be run")
        });
        let told = |token: &str| std::fs::read_to_string(daemon.folder().join(token)).expect("readable");

        let mut dial = call(&daemon, "60s");
        let phone = eventually(seconds(10), "the call waits", || alice.phones("lobby").first().cloned());
        assert_eq!(panel(PANEL, "GET", "/meetings/demo", "").0, 404, "not before it is inside (M-6)");
        let admit = format!("/meetings/demo/participants/{phone}/admit");
        assert_eq!(panel(PANEL, "POST", &admit, "").0, 404, "M-7");
        assert_eq!(daemon.request("POST", &format!("/api/v1{admit}"), "", "").0, 204);
        eventually(seconds(10), "it sees that it is inside", || {
            panel(PANEL, "GET", "/calls", "").1.contains("\"state\":\"in\"").then_some(())
        });
        assert_eq!(panel(&other, "GET", "/calls", ""), (200, "{\"calls\":[]}".to_owned()));
        assert_eq!(panel(PANEL, "POST", &format!("/meetings/demo/participants/{phone}/mute"), "").0, 204);
        assert_eq!(panel(PANEL, "PUT", "/meetings/demo/recording", "{\"state\":\"on\"}").0, 403, "M-12");
        assert_eq!(daemon.request("PUT", "/api/v1/meetings/demo/recording", "", "{\"state\":\"on\"}").0, 204);
        eventually(seconds(5), "it shows that it is recorded", || {
            panel(PANEL, "GET", "/meetings/demo", "").1.contains("\"recording\":\"on\"").then_some(())
        });
        assert_eq!(panel(PANEL, "GET", "/recordings", ""), (200, "{\"recordings\":[]}".to_owned()));
        let name = daemon.get("/api/v1/calls")["calls"][0]["call"].as_str().expect("a call").to_owned();
        assert_eq!(panel(&other, "DELETE", &format!("/calls/{name}"), "").0, 404);
        assert_eq!(panel(PANEL, "DELETE", &format!("/calls/{name}"), "").0, 202);
        dial.wait().expect("it ends");
        let mine = eventually(seconds(15), "its end is told", || Some(told(PANEL)).filter(|told| names(told).contains(&"ended")));
        for name in ["ringing", "answered", "lobby", "admitted", "muted", "recording", "left"] {
            assert!(names(&mine).contains(&name), "{name} in {mine}");
        }
        assert!(mine.contains("\"reason\":\"left\""), "{mine}");
        assert!(names(&told(&other)).iter().all(|name| *name == "lagged"), "{}", told(&other));
        for mut stream in streams {
            stream.kill().expect("a child can be killed");
            stream.wait().expect("it ends");
        }
    });
}

/// A meeting that was made is called recorded and gone and a reload keeps it.
#[test]
fn a_meeting_that_was_made_is_called_recorded_and_gone() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let made = daemon.ask("POST", "/api/v1/meetings", "{\"id\":\"standup\",\"conference_id\":\"4711\"}");
        let taken = daemon.request("POST", "/api/v1/meetings", "", "{\"id\":\"other\",\"conference_id\":\"4711\"}");
        assert_eq!(taken.0, 409, "{}", taken.2);
        daemon.configure("[log]\nlevel = \"debug\"\n");
        assert_eq!(daemon.ask("POST", "/api/v1/reload", "")["changed"], json!(["log.level"]));
        daemon.configure("[log]\nlevel = \"loud\"\n");
        let (status, _, refused) = daemon.request("POST", "/api/v1/reload", "", "");
        assert!(status == 422 && refused.contains("z.toml:2"), "{status} {refused}");

        let link = format!("http://{PAGES}{}", made["link"].as_str().expect("a link"));
        let alice = Member::enter(&link, "standup");
        let mut dial = Command::new(env!("CARGO_BIN_EXE_roomgate"));
        dial.args(["dial", "sip:4711@127.0.0.1", "--for", "60s"]).current_dir(daemon.folder());
        let mut dial = dial.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("roomgate dial can be run");
        let phone = eventually(seconds(10), "the call waits", || alice.phones("lobby").first().cloned());
        let ask = |method: &str, path: &str, body: &str| {
            let (status, _, text) = daemon.request(method, &format!("/api/v1{path}"), "", body);
            assert_eq!(status, 204, "{path}: {text}");
        };
        ask("POST", &format!("/meetings/standup/participants/{phone}/admit"), "");
        ask("PUT", "/meetings/standup/recording", "{\"state\":\"on\"}");
        let recordings = daemon.get("/api/v1/recordings")["recordings"].clone();
        let id = recordings[0]["id"].as_str().expect("a recording").to_owned();
        assert_eq!(recordings[0]["meeting"], "standup");
        let path = format!("/api/v1/recordings/{id}");
        assert_eq!(daemon.request("DELETE", &path, "", "").0, 409, "it goes on");
        let size = || daemon.get("/api/v1/recordings")["recordings"][0]["bytes"].as_u64();
        eventually(seconds(20), "some of it is on the disk", || (size() > Some(8000)).then_some(()));
        ask("PUT", "/meetings/standup/recording", "{\"state\":\"off\"}");
        let fetched = daemon.folder().join("fetched.ogg");
        let curl = Command::new(program("curl"))
            .args(["--silent", "--fail", "--header", &format!("Authorization: Bearer {}", daemon.token()), "--output"])
            .arg(&fetched)
            .arg(format!("http://{PAGES}{path}"))
            .status();
        assert!(curl.expect("curl can be run").success());
        let length = daemon.play(&fetched).length();
        println!("{length} s of recording fetched");
        assert!(length > 1.0, "{length}");
        ask("DELETE", &format!("/recordings/{id}"), "");
        assert!(daemon.recordings().is_empty());

        ask("DELETE", "/meetings/standup", "");
        dial.wait().expect("it ends with its meeting");
        assert_eq!(daemon.request("GET", "/api/v1/meetings/standup", "", "").0, 404);
        let audit = daemon.get("/api/v1/audit").to_string();
        for path in ["/meetings/standup", "/reload", &format!("/recordings/{id}")] {
            assert!(audit.contains(&format!("\"{path}\"")), "{path} in {audit}");
        }
        assert!(daemon.log().contains("roomgate::audit"), "{}", daemon.log());
    });
}

/// What a phone and the daemon have said, seen by the operator: from the INVITE to the BYE, and nobody's number (O-5).
#[test]
fn the_sip_messages_of_a_phones_call_are_shown() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let mut phone = Baresip::start(daemon.folder(), 5070, Codec::G722, Transport::Tcp, 1011.0);
        phone.dial("sip:1002@127.0.0.1:5060");
        let name = eventually(seconds(10), "the call is up", || {
            daemon.get("/api/v1/calls")["calls"][0]["call"].as_str().map(ToOwned::to_owned)
        });
        phone.press("4321#");
        let path = format!("/api/v1/calls/{name}");
        eventually(seconds(30), "it waits", || (daemon.get(&path)["state"] == "waiting").then_some(()));
        phone.hang_up();
        let over = eventually(seconds(10), "it is over", || Some(daemon.get(&path)).filter(|one| one["state"] == "over"));
        let ladder = over["ladder"].as_array().expect("a ladder");
        let text = |step: &Value, what: &str| step[what].as_str().unwrap_or_default().to_owned();
        for step in ladder {
            let way = if step["inbound"] == true { '<' } else { '>' };
            println!(
                "{} ms {way} {} {}\n{}",
                step["at_ms"],
                text(step, "transport"),
                text(step, "summary"),
                text(step, "content")
            );
        }
        let said: Vec<_> =
            ladder.iter().map(|step| text(step, "summary").split(' ').next().unwrap_or_default().to_owned()).collect();
        let mut rest = said.iter();
        for expected in ["INVITE", "200", "ACK", "BYE", "200"] {
            assert!(rest.any(|is| is == expected), "{expected} in {said:?}");
        }
        let all = over["ladder"].to_string();
        assert!(ladder.iter().all(|step| step["transport"] == "TCP"), "{all}");
        assert!(text(&ladder[0], "content").starts_with("INVITE sip:****@127.0.0.1"), "{all}");
        assert!(all.contains("a=rtpmap:9 G722/8000") && all.contains("m=audio"), "{all}");
        for secret in ["sip:1002", "1002@", "Signal="] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
    });
}
