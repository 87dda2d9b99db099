//! Who a browser is, over restarts and removals (U-1, U-4, K-1): links, sessions and passcodes at the running daemon, by its own sockets.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::daemon::{BOARD_PASSCODE, Daemon, PAGES};
use crate::member::Member;
use crate::namespace::{OUTER_ADDRESS, isolated_beside_others};
use crate::waiting::{eventually, seconds};

/// Status, head and body of an answer; `headers`: whole lines.
fn ask(address: &str, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("the page's server listens");
    stream.set_read_timeout(Some(seconds(10))).expect("a socket option");
    let host = if headers.contains("Host: ") { String::new() } else { format!("Host: {address}\r\n") };
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.1\r\n{host}{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, head.to_owned(), body.to_owned())
}

/// A connection to the page's server from this address of the machine.
fn connect_from(address: &str) -> TcpStream {
    let end = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&end(&format!("{address}:0")).into()).expect("one of this machine");
    socket.connect(&end(PAGES).into()).expect("the page's server listens");
    socket.set_read_timeout(Some(seconds(20))).expect("a socket option");
    TcpStream::from(socket)
}

/// The cookie that an answer sets.
fn cookie(head: &str) -> Option<String> {
    let line = head.lines().find_map(|line| line.to_ascii_lowercase().starts_with("set-cookie: ").then_some(&line[12..]))?;
    line.split(';').next().map(ToOwned::to_owned)
}

fn token(link: &str) -> &str {
    link.split_once("token=").expect("a link with its token").1
}

/// Exchanges a link, as a browser with these cookies.
fn enter(link: &str, cookies: &str) -> (u16, String, String) {
    let form = format!("Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://{PAGES}\r\nCookie: {cookies}\r\n");
    ask(PAGES, "POST", "/enter", &form, &format!("token={}", token(link)))
}

/// Who these cookies make of a browser in a meeting.
fn info(meeting: &str, cookies: &str) -> Value {
    let (status, _, body) = ask(PAGES, "GET", &format!("/m/{meeting}/info"), &format!("Cookie: {cookies}\r\n"), "");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

/// Sessions and used links survive a kill and a session that was ended does not come back.
#[test]
fn u4_sessions_and_used_links_survive_a_kill_and_a_session() {
    isolated_beside_others(|| {
        let mut daemon = Daemon::start();
        let (link, other) = (daemon.link("demo", false), daemon.link("demo", true));
        let (status, head, _) = enter(&link, "");
        let session = cookie(&head).expect("a cookie");
        let organiser = cookie(&enter(&other, "").1).expect("a cookie");
        assert_eq!((status, &info("demo", &session)["role"]), (303, &json!("member")));
        let sessions = daemon.get("/api/v1/sessions");
        let ended = sessions["sessions"].as_array().expect("a list").iter().find(|one| one["role"] == "organiser").expect("it");
        let ended = ended["id"].as_str().expect("an id").to_owned();
        assert_eq!(daemon.request("DELETE", &format!("/api/v1/sessions/{ended}"), "", "").0, 204);
        assert_eq!(info("demo", &organiser)["role"], "external");

        daemon.kill();
        daemon.start_again();
        assert_eq!(info("demo", &session)["role"], "member", "it outlives its daemon");
        assert_eq!(info("demo", &organiser)["role"], "external", "and what was ended stays ended");
        let path = format!("/enter?token={}", token(&link));
        assert_eq!(ask(PAGES, "GET", &path, "", "").0, 410, "used is used");
        let (status, head, _) = ask(PAGES, "GET", &path, &format!("Cookie: {session}\r\n"), "");
        assert!(status == 303 && head.to_ascii_lowercase().contains("location: /m/demo"), "{head}");

        // Made by the daemon for whoever may open its socket, with uses and time of its own.
        let twice = daemon.command(&["link", "demo", "--uses", "2", "--valid", "30d"]);
        assert_eq!([(); 3].map(|()| enter(twice.trim(), "").0), [303, 303, 410]);
        let unknown = daemon.complaint(&["link", "absent"], &[]);
        assert!(unknown.contains("no meeting is called `absent`") && unknown.contains("demo"), "{unknown}");
        daemon.kill();
        let nobody = daemon.complaint(&["link", "demo"], &[]);
        assert!(nobody.contains("is the daemon running"), "{nobody}");
    });
}

/// Who is removed is out with every socket and the cookie is worth nothing.
#[test]
fn u4_who_is_removed_is_out_with_every_socket_and_the_cookie() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let host = Member::join(&daemon, "demo");
        let eve = Member::enter(&daemon.link("demo", false), "demo");
        let mut stream = TcpStream::connect(PAGES).expect("it listens");
        stream.set_read_timeout(Some(seconds(10))).expect("a socket option");
        let request =
            format!("GET /api/v1/events HTTP/1.1\r\nHost: {PAGES}\r\nConnection: close\r\nCookie: {}\r\n\r\n", eve.cookie);
        stream.write_all(request.as_bytes()).expect("a request");
        let mut head = [0; 512];
        assert!(stream.read(&mut head).expect("an answer") > 0 && head.starts_with(b"HTTP/1.1 200"));

        let id = eve.state()["you"].as_str().expect("an id").to_owned();
        host.ask(json!({ "type": "remove", "id": id }));
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("the event stream ends at once");
        eventually(seconds(5), "she has lost her session", || (info("demo", &eve.cookie)["role"] == "external").then_some(()));
        let member = format!("Cookie: {}\r\nOrigin: http://{PAGES}\r\n", eve.cookie);
        assert_eq!(ask(PAGES, "GET", "/api/v1/meetings", &member, "").0, 401);
        assert_eq!(ask(PAGES, "POST", "/api/v1/meetings/demo/end", &member, "").0, 401);
        assert_eq!(info("demo", &host.cookie)["role"], "member");
    });
}

#[test]
fn u4_a_plain_member_ends_no_meeting_and_deletes_no_recording() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let host = Member::join(&daemon, "demo");
        let plain = Member::enter(&daemon.link("demo", false), "demo");
        let as_member = |cookie: &str| format!("Cookie: {cookie}\r\nOrigin: http://{PAGES}\r\n");
        host.ask(json!({ "type": "recording", "state": "on" }));
        eventually(seconds(10), "it is recorded", || (plain.state()["recording"] == "on").then_some(()));
        host.ask(json!({ "type": "recording", "state": "off" }));
        let recording = eventually(seconds(10), "it is kept", || {
            let list = daemon.get("/api/v1/recordings");
            list["recordings"][0]["id"].as_str().filter(|_| plain.state()["recording"] == "off").map(ToOwned::to_owned)
        });
        let path = format!("/api/v1/recordings/{recording}");
        assert_eq!(ask(PAGES, "GET", &path, &as_member(&plain.cookie), "").0 / 100, 2);
        assert_eq!(ask(PAGES, "DELETE", &path, &as_member(&plain.cookie), "").0, 403);
        assert_eq!(ask(PAGES, "POST", "/api/v1/meetings/demo/end", &as_member(&plain.cookie), "").0, 403);
        assert_eq!((&plain.state()["may_end"], &host.state()["may_end"]), (&json!(false), &json!(true)));
        // By its own socket neither.
        plain.ask(json!({ "type": "end" }));
        plain.ask(json!({ "type": "hand", "on": true }));
        eventually(seconds(5), "the meeting goes on", || {
            let rows = host.state()["participants"].as_array().cloned().unwrap_or_default();
            rows.iter().any(|row| row["hand"] == true).then_some(())
        });
        assert_eq!(ask(PAGES, "DELETE", &path, &as_member(&host.cookie), "").0, 204);
        assert!(daemon.recordings().is_empty());
    });
}

/// Nobody knocks in a browser without the passcode even where everybody may pass the lobby.
#[test]
fn k1_nobody_knocks_in_a_browser_without_the_passcode() {
    isolated_beside_others(|| {
        let daemon = Daemon::with("[meeting.board]\nbypass = \"everyone\"\n");
        let _member = Member::join(&daemon, "board");
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let knock = |cookies: &str| {
            let mut stream = TcpStream::connect(PAGES).expect("it listens");
            stream.set_read_timeout(Some(seconds(10))).expect("a socket option");
            let origin = format!("Origin: http://{PAGES}\r\nCookie: {cookies}\r\n");
            let request = format!("GET /m/board/ws HTTP/1.1\r\nHost: {PAGES}\r\n{origin}{upgrade}\r\n");
            stream.write_all(request.as_bytes()).expect("a request");
            let mut head = [0; 12];
            stream.read_exact(&mut head).expect("an answer");
            let _ = stream.shutdown(Shutdown::Both);
            String::from_utf8_lossy(&head[9..]).into_owned()
        };
        let give = |code: &str| {
            let json = format!("Content-Type: application/json\r\nOrigin: http://{PAGES}\r\n");
            ask(PAGES, "POST", "/m/board/passcode", &json, &json!({ "passcode": code }).to_string())
        };
        assert_eq!((&info("board", "")["passcode"], knock("").as_str()), (&json!(true), "403"));
        assert_eq!(&info("demo", "")["passcode"], &json!(false));
        // A guest's link carries it; a member's need not.
        let link = daemon.ask("POST", "/api/v1/meetings/board/links", "{\"role\":\"guest\"}");
        let guest = cookie(&enter(link["link"].as_str().expect("a link"), "").1).expect("a cookie");
        let told = info("board", &guest);
        assert_eq!((&told["role"], &told["passcode"], knock(&guest).as_str()), (&json!("external"), &json!(false), "101"));
        let (status, head, _) = give(BOARD_PASSCODE);
        let own = cookie(&head).expect("a cookie");
        assert_eq!((status, knock(&own).as_str()), (204, "101"));
        assert_eq!(ask(PAGES, "GET", "/api/v1/meetings", &format!("Cookie: {own}\r\n"), "").0, 401, "a guest is no member");

        // Wrong ones count as those of telephones do, and the same lock-out answers both.
        let mut answers: Vec<u16> = (0..9).map(|_| give("0000").0).collect();
        answers.push(give(BOARD_PASSCODE).0);
        assert!(answers[..8].iter().all(|status| *status == 403) && answers[9] == 429, "{answers:?}");
        let blocks = daemon.status()["blocks"].clone();
        assert_eq!(blocks["locked_sources"].as_array().map(Vec::len), Some(1), "{blocks}");
        assert_eq!(knock(&own), "101", "whoever is in already is not kept out");
        assert!(!daemon.has_logged(BOARD_PASSCODE), "codes are not logged");
    });
}

/// A guest is asked for the passcode on the page and joins with it.
#[test]
fn k1_a_guest_is_asked_for_the_passcode_on_the_page_and_joins() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let host = Member::join(&daemon, "board");
        let mut guest = Browser::start(daemon.folder(), "guest", 1011.0);
        guest.open(&format!("http://{PAGES}/m/board"));
        guest.write("name", "Gwen");
        guest.write("passcode", "9999");
        guest.click("join");
        guest.until("passcode-error", "it says so", |row| row.text.contains("not the passcode"));
        guest.write("passcode", BOARD_PASSCODE);
        guest.click("join");
        guest.wait("waiting");
        eventually(seconds(10), "she waits", || host.phones("lobby").first().cloned());
    });
}

/// One browser is a member of two meetings at once and signs out of one.
#[test]
fn u4_one_browser_is_a_member_of_two_meetings_at_once_and_signs() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        // As a browser has it: each link in the same one, and both meetings go on.
        let mut browser = Browser::start(daemon.folder(), "member", 1011.0);
        for (meeting, organiser) in [("demo", false), ("board", true)] {
            let link = daemon.link(meeting, organiser);
            browser.enter(&link);
            browser.wait("sign-out");
            // Once more: it is used, and leads on.
            browser.open(&link);
            browser.wait("sign-out");
        }
        browser.open(&format!("http://{PAGES}/m/demo"));
        browser.join("Ada");
        browser.open(&format!("http://{PAGES}/m/board"));
        browser.wait("sign-out");
        browser.click("sign-out");
        browser.wait("passcode");
        browser.open(&format!("http://{PAGES}/m/demo"));
        browser.wait("sign-out");

        let first = cookie(&enter(&daemon.link("demo", false), "").1).expect("a cookie");
        let second = cookie(&enter(&daemon.link("board", true), &first).1).expect("a cookie");
        let both = format!("{first}; {second}");
        assert_eq!((&info("demo", &both)["role"], &info("board", &both)["organiser"]), (&json!("member"), &json!(true)));
        let out = format!("Cookie: {both}\r\nOrigin: http://{PAGES}\r\n");
        assert_eq!(ask(PAGES, "POST", "/m/demo/sign-out", &out, "").0, 204);
        assert_eq!((&info("demo", &both)["role"], &info("board", &both)["role"]), (&json!("external"), &json!("member")));
    });
}

#[test]
fn u4_over_https_a_browser_keeps_its_session_to_this_very_host() {
    isolated_beside_others(|| {
        let daemon = Daemon::start_with_https();
        let link = daemon.link("demo", false);
        let mut browser = Browser::start(daemon.folder(), "member", 1011.0);
        browser.enter(&link);
        browser.wait("sign-out");
        browser.open(&link);
        browser.wait("sign-out");
        browser.click("sign-out");
        browser.gone("sign-out", "");
        browser.open(&link);
        browser.gone("sign-out", "");
    });
}

/// Only names of ours are answered to and plain http on the network serves its proxies alone.
#[test]
fn u2_only_names_of_ours_are_answered_to_and_plain_http() {
    isolated_beside_others(|| {
        let mut daemon = Daemon::with("[http]\npublic_url = \"http://meet.example:8080\"\n");
        for (host, status) in [
            (PAGES, 200),
            ("localhost:8080", 200),
            ("[::1]:8080", 200),
            ("meet.example:8080", 200),
            ("evil.example", 421),
            ("evil.example:8080", 421),
            ("meet.example.evil.example", 421),
            ("203.0.113.9:8080", 421),
        ] {
            assert_eq!(ask(PAGES, "GET", "/", &format!("Host: {host}\r\n"), "").0, status, "{host}");
        }
        assert_eq!(ask(PAGES, "GET", "/healthz", "Host: evil.example\r\n", "").0, 200, "a load balancer's name for us");
        let link = daemon.link("demo", false);
        let foreign = "Content-Type: application/x-www-form-urlencoded\r\nOrigin: https://127.0.0.1:8080\r\n";
        assert_eq!(
            ask(PAGES, "POST", "/enter", foreign, &format!("token={}", token(&link))).0,
            403,
            "another scheme is another site"
        );

        assert_eq!(daemon.stop(), 0);
        daemon.configure("[http]\naddress = \"0.0.0.0\"\ntrusted_proxies = [\"127.0.0.7\"]\n");
        daemon.start_again();
        let outer = format!("{OUTER_ADDRESS}:8080");
        for address in [PAGES, &outer] {
            assert_eq!(ask(address, "GET", "/", "", "").0, 403, "{address}");
            assert_eq!(
                ask(address, "GET", "/api/v1/meetings", &format!("Authorization: Bearer {}\r\n", daemon.token()), "").0,
                403
            );
        }
        assert_eq!(ask(PAGES, "GET", "/healthz", "", "").0, 200);
        let mut proxy = connect_from("127.0.0.7");
        let forwarded = "Host: meet.example:8080\r\nX-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\n";
        proxy.write_all(format!("GET / HTTP/1.1\r\n{forwarded}Connection: close\r\n\r\n").as_bytes()).expect("a request");
        let mut answer = String::new();
        proxy.read_to_string(&mut answer).expect("an answer");
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.to_ascii_lowercase().contains("strict-transport-security: "),
            "{answer}"
        );
    });
}

/// However many guess at tokens the operator is served and the log says it once an interval.
#[test]
fn x2_however_many_guess_at_tokens_the_operator_is_served() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let guess =
            |more: &str| format!("GET /api/v1/status HTTP/1.1\r\nHost: {PAGES}\r\nAuthorization: Bearer wrong\r\n{more}\r\n");
        let guesses = guess("").repeat(11) + &guess("Connection: close\r\n");
        for number in 1..=60 {
            let mut stream = connect_from(&format!("127.0.2.{number}"));
            stream.write_all(guesses.as_bytes()).expect("requests");
            let mut answers = String::new();
            stream.read_to_string(&mut answers).expect("answers");
            assert_eq!((answers.matches("HTTP/1.1 401").count(), answers.matches("HTTP/1.1 429").count()), (10, 2), "{answers}");
        }
        // From an address that has guessed as well.
        let mut stream = connect_from("127.0.2.1");
        let right = format!(
            "GET /api/v1/status HTTP/1.1\r\nHost: {PAGES}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            daemon.token()
        );
        stream.write_all(right.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let lines = daemon.log().matches("too many wrong tokens").count();
        assert!((1..=3).contains(&lines), "{lines} lines of 60 addresses");
    });
}
