//! What is sent where (S-7): no address that only stands in a message is written or connected to, and no call is touched from elsewhere.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use crate::daemon::Daemon;
use crate::load::{dial, report};
use crate::namespace::isolated_beside_others;
use crate::raw::{DAEMON, Raw, header, offer, rtp};
use crate::waiting::{eventually, seconds};
use crate::wiretap::{Datagram, Wiretap};

/// A caller that everybody may be (the demo lets private ranges in), and an address that others have.
const CALLER: &str = "127.0.0.2:5090";
const VICTIM: &str = "10.88.0.1";
/// IPv4 and UDP.
const HEADERS: usize = 28;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// Gives this machine an address that the daemon does not know as its own: it was not there when it started.
fn appears(victim: &str) {
    let added = std::process::Command::new("ip").args(["addr", "add", &format!("{victim}/32"), "dev", "lo"]).status();
    assert!(added.expect("ip can be run").success());
}

/// Datagrams and octets, headers included, that come within `limit` of the last one.
fn gets(socket: &UdpSocket, limit: Duration) -> (usize, usize) {
    socket.set_read_timeout(Some(limit)).expect("a socket option");
    let (mut datagrams, mut octets, mut bytes) = (0, 0, [0; 2048]);
    while let Ok(length) = socket.recv(&mut bytes) {
        (datagrams, octets) = (datagrams + 1, octets + length + HEADERS);
    }
    (datagrams, octets)
}

fn hang_up_all(daemon: &Daemon) {
    let calls = daemon.get("/api/v1/calls");
    for call in calls["calls"].as_array().into_iter().flatten() {
        let id = call["call"].as_str().or(call["id"].as_str()).expect("a name");
        let (status, _, body) = daemon.request("DELETE", &format!("/api/v1/calls/{id}"), "", "");
        // One that was on its way out when it was listed may be gone by now.
        assert!((200..300).contains(&status) || status == 404, "{status} {body}");
    }
}

/// A contact or route to somebody else is neither written nor connected to.
#[test]
fn s7_a_contact_or_route_to_somebody_else_is_neither_written() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let bait = TcpListener::bind("127.0.0.1:6379").expect("a listener");
        bait.set_nonblocking(true).expect("a socket option");
        let other = UdpSocket::bind("127.0.0.3:5070").expect("a socket");
        let phone = Raw::at(CALLER, "x");
        let headers = [
            "Contact: <sip:x@127.0.0.1:6379;transport=tcp>\r\n",
            "Contact: <sips:x@127.0.0.1:6379>\r\n",
            "Contact: <sip:x@127.0.0.3:5070>\r\n",
            "Record-Route: <sip:127.0.0.1:6379;transport=tcp;lr>\r\n",
            "Record-Route: <sip:127.0.0.3:5070;lr>\r\n",
        ];
        for header in headers {
            let call = phone.call("sip:1001@127.0.0.1", header, address("127.0.0.2:40000"));
            assert_eq!(call.status, 200, "{header}");
            hang_up_all(&daemon);
            assert!(phone.is_hung_up(&call, seconds(15)), "the BYE goes back to where the call came from: {header}");
        }
        assert!(bait.accept().is_err(), "somebody has connected: {}", daemon.log());
        assert_eq!(gets(&other, Duration::from_millis(100)), (0, 0));
    });
}

/// Media named to a third party is less than what named it until it comes from there.
#[test]
fn s7_media_named_to_a_third_party_is_less_than_what_named() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        appears(VICTIM);
        let victim = UdpSocket::bind((VICTIM, 40_000)).expect("a socket");
        let inward = UdpSocket::bind("127.0.0.3:40000").expect("a socket");
        let phone = Raw::at(CALLER, "x");
        for number in ["112", "1001"] {
            for (socket, place) in [(&victim, format!("{VICTIM}:40000")), (&inward, "127.0.0.3:40000".to_owned())] {
                let mut call = phone.dialog();
                call.cseq = 1;
                let invite = phone.request(
                    &call,
                    "INVITE",
                    &format!("sip:{number}@127.0.0.1"),
                    "Content-Type: application/sdp\r\n",
                    &offer(address(&place)),
                );
                call.cseq = 0;
                phone.send(&invite);
                let ours = call.call_id.clone();
                let fits = |message: &str| header(message, "Call-ID") == ours && !message.starts_with("SIP/2.0 100");
                let answer = phone.wait(seconds(10), fits).expect("an answer");
                call.to = header(&answer, "To").to_owned();
                call.cseq = 1;
                phone.send(&phone.request(&call, "ACK", "sip:roomgate@127.0.0.1", "", ""));
                let (datagrams, octets) = gets(socket, seconds(4));
                println!(
                    "{number}: INVITE of {} octets, {datagrams} datagrams of {octets} octets to {place}",
                    invite.len() + HEADERS
                );
                assert!(octets < invite.len() + HEADERS, "{number} to {place}: {octets} octets for {}", invite.len());
                assert!(place.starts_with(VICTIM) || datagrams == 0, "{place}: nobody elsewhere can mean it");
                hang_up_all(&daemon);
            }
        }
        // Whoever really has its sound elsewhere is heard by two packets, and hears everything from then on.
        let call = phone.call("sip:1001@127.0.0.1", "", address(&format!("{VICTIM}:40000")));
        let port = call.response.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok());
        let port: u16 = port.expect("a port");
        for sequence in 0..2 {
            victim.send_to(&rtp(sequence), ("127.0.0.1", port)).expect("a datagram");
        }
        victim.set_read_timeout(Some(seconds(5))).expect("a socket option");
        let mut bytes = [0; 2048];
        let spoken = (0..60).filter(|_| victim.recv(&mut bytes).is_ok_and(|length| length == 172)).count();
        assert!(spoken > 50, "{spoken} packets of our voice");
    });
}

#[test]
fn s7_a_call_by_password_survives_whoever_knows_its_tags() {
    isolated_beside_others(|| {
        let daemon = Daemon::with("[device.board]\nusername = \"board\"\npassword = \"sesame-open\"\n");
        std::fs::write(daemon.folder().join("password"), "sesame-open").expect("a file");
        let wiretap = Wiretap::start(daemon.folder(), "udp and src port 5060");
        // One codec: with all of them and credentials the INVITE is too large for UDP (S-1).
        let phone =
            dial(&daemon, &["sip:1001@127.0.0.1", "--codec", "pcma", "--user", "board", "--password-file", "password"], 6);
        let answer = eventually(seconds(10), "it is answered", || {
            let texts = wiretap.so_far().into_iter().map(|one| String::from_utf8_lossy(&one.bytes).into_owned());
            texts.into_iter().find(|text| text.starts_with("SIP/2.0 200") && header(text, "CSeq").ends_with("INVITE"))
        });
        // From the phone's own host, and from another one; a device there would be let in by its address.
        for stranger in ["127.0.0.1:5999", "127.0.0.66:5070"].map(|place| Raw::at(place, "board")) {
            let mut stolen = stranger.dialog();
            (stolen.call_id, stolen.cseq) = (header(&answer, "Call-ID").to_owned(), 100);
            (stolen.from, stolen.to) = (header(&answer, "From").to_owned(), header(&answer, "To").to_owned());
            for method in ["BYE", "INVITE", "UPDATE", "INFO", "REFER", "MESSAGE"] {
                let status = stranger.ask(&mut stolen, method, "sip:roomgate@127.0.0.1", "", "");
                assert_eq!(status, Some(401), "{method}");
            }
            let replaces = format!(
                "Replaces: {};to-tag={};from-tag={}\r\n",
                stolen.call_id,
                stolen.to.rsplit("tag=").next().unwrap_or_default(),
                stolen.from.rsplit("tag=").next().unwrap_or_default()
            );
            assert_eq!(stranger.as_user("y").call("sip:1001@127.0.0.1", &replaces, stranger.address).status, 403);
        }
        report(phone);
        let ours = |one: &&Datagram| one.from.to_string() == DAEMON && one.bytes.starts_with(b"BYE ");
        let ends = wiretap.finish().iter().filter(ours).count();
        assert_eq!(ends, 0, "the phone itself hangs up");
    });
}
