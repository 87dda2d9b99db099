//! Members who call rooms (S-9): who may, how often, and what it takes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::daemon::{Daemon, PAGES};
use crate::member::Member;
use crate::namespace::isolated_beside_others;
use crate::raw::Raw;
use crate::waiting::{eventually, seconds};

const ROOMS: usize = 24;

/// Rooms that ring and never answer, each at an address of its own.
fn settings() -> String {
    let room = |n: usize| format!("[device.room{n}]\naddress = \"127.0.1.{n}\"\ncall = \"sip:room@127.0.1.{n}:5070\"\n");
    (1..=ROOMS).map(room).collect::<String>() + "[meeting.board]\ncall_rooms = \"nobody\"\n"
}

/// The status of an invitation by this member.
fn invites(member: &Member, meeting: &str, device: &str) -> u16 {
    let body = json!({ "device": device }).to_string();
    let mut stream = TcpStream::connect(PAGES).expect("the API listens");
    let request = format!(
        "POST /api/v1/meetings/{meeting}/invite HTTP/1.1\r\nHost: {PAGES}\r\nOrigin: http://{PAGES}\r\nCookie: {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        member.cookie,
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status: {answer}"))
}

#[test]
fn s9_a_member_rings_a_room_once_in_a_while_and_empties_no_pool() {
    isolated_beside_others(|| {
        let daemon = Daemon::with(&settings());
        let rooms: Vec<Raw> = (1..=ROOMS).map(|n| Raw::at(&format!("127.0.1.{n}:5070"), "room")).collect();
        let host = Member::join(&daemon, "demo");
        let taken = || daemon.status()["resources"]["rtp_ports"]["taken"].as_u64().expect("a number");
        let rung = (0..50).filter(|_| invites(&host, "demo", "room1") == 202).count();
        assert_eq!(rung, 1, "once in 20 s");
        let invited =
            eventually(seconds(10), "it rings", || rooms[0].next(seconds(1)).filter(|text| text.starts_with("INVITE ")));
        assert!(invited.contains("sip:room@127.0.1.1"), "{invited}");
        let more = (2..=ROOMS).filter(|n| invites(&host, "demo", &format!("room{n}")) == 202).count();
        assert_eq!(more, 2, "three in a minute by one session");
        assert!(taken() <= 3, "{}", taken());
        // The operator is nobody's victim, and still not all ports ring at once.
        for n in 4..=ROOMS {
            daemon.invite("demo", &format!("room{n}"));
        }
        eventually(seconds(10), "they ring", || (taken() >= 16).then_some(()));
        assert!(taken() <= 16, "{}", taken());
    });
}

#[test]
fn s9_who_may_call_rooms_is_the_meetings_to_say() {
    isolated_beside_others(|| {
        let daemon = Daemon::with(&settings());
        let _room = Raw::at("127.0.1.1:5070", "room");
        let host = Member::join(&daemon, "demo");
        let plain = Member::enter(&daemon.link("demo", false), "demo");
        let board = Member::join(&daemon, "board");
        assert_eq!(host.state()["may_call_rooms"], true);
        assert_eq!(plain.state()["may_call_rooms"], false);
        assert_eq!(invites(&plain, "demo", "room1"), 403);
        assert_eq!(invites(&board, "board", "room1"), 403, "nobody but the operator");
        daemon.invite("board", "room1");
        assert_eq!(invites(&host, "demo", "room2"), 202);
    });
}
