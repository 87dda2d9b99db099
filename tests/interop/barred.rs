//! Wrong passwords and calls for help at the running daemon (X-2, S-10): nobody is shut out by somebody else, and who calls for help is
//! answered whatever stands against its address.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use roomgate::sip::message::Request;

use crate::daemon::Daemon;
use crate::namespace::isolated_beside_others;
use crate::probe::Probe;
use crate::waiting::seconds;

/// Nobody gets in without proof but the trunk at 127.0.1.20 and the lobby's phone at 127.0.1.10.
const SETTINGS: &str = "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[sip]\nallowed = []\n\
    [device.board]\nusername = \"board\"\npassword = \"correct-horse-battery\"\n\
    [device.lobby]\naddress = \"127.0.1.10\"\n\
    [sip.trunk.pbx]\naddresses = [\"127.0.1.20\"]\n";
const PASSWORD: &str = "correct-horse-battery";
const HERE: &str = "sip:127.0.0.1";

fn with_header(mut request: Request, name: &str, value: &str) -> Request {
    request.headers.push(name, value);
    request
}

/// The status of the answer to a call for help.
fn calls_for_help(probe: &mut Probe, number: &str) -> Option<u16> {
    let invite = probe.request("INVITE", &format!("sip:{number}@127.0.0.1"));
    probe.asks(&invite, seconds(2)).map(|(response, _)| response.status)
}

/// Who is barred over its budget or unknown is answered when it calls for help.
#[test]
fn s10_who_is_barred_over_its_budget_or_unknown_is_answered() {
    isolated_beside_others(|| {
        let daemon = Daemon::with(&format!("{SETTINGS}[sip.emergency]\ntarget = \"sip:112@pbx.example.com\"\n"));
        // A phone with an old password: after its ninth REGISTER it hears nothing.
        let phone = || Probe::at([127, 0, 1, 1], "board").with_password("old");
        let statuses: Vec<_> = (0..9).map(|_| phone().proves("REGISTER", HERE, seconds(1)).map(|(status, _)| status)).collect();
        assert_eq!((&statuses[..8], statuses[8]), (&[Some(401); 8][..], None));
        for number in ["112", "+112", "0112", "9112", "911", "%2B112"] {
            assert_eq!(calls_for_help(&mut phone(), number), Some(302), "{number}");
        }
        // Over its budget.
        let mut busy = Probe::at([127, 0, 1, 2], "busy");
        for _ in 0..500 {
            let options = busy.request("OPTIONS", HERE);
            busy.send(&options);
        }
        // What was answered before it was silenced is no answer to this.
        let options = busy.request("OPTIONS", HERE);
        assert!(busy.asks(&options, seconds(1)).is_none());
        assert_eq!(calls_for_help(&mut busy, "112"), Some(302));
        // Somebody unknown, by TCP, and by a scanner's name.
        let mut stranger = Probe::at([127, 0, 1, 3], "stranger");
        let scanner = with_header(stranger.request("INVITE", "sip:112@127.0.0.1"), "User-Agent", "friendly-scanner");
        assert_eq!(stranger.asks(&scanner, seconds(2)).map(|(response, _)| response.status), Some(302));
        let mut stream = TcpStream::connect("127.0.0.1:5060").expect("a connection");
        stream.set_read_timeout(Some(seconds(2))).expect("a socket option");
        stream.write_all(&stranger.request("INVITE", "urn:service:sos.fire").to_bytes()).expect("a request");
        let mut answer = [0; 64];
        let length = stream.read(&mut answer).expect("an answer");
        assert!(answer[..length].starts_with(b"SIP/2.0 302"), "{}", String::from_utf8_lossy(&answer));
        assert_eq!(daemon.status()["resources"]["sip"]["calls"], 0, "nothing is kept of any of them");
        let lines = daemon.log().lines().filter(|line| line.contains("emergency call redirected")).count();
        assert!((1..=10).contains(&lines), "{lines} lines");
    });
}

#[test]
fn x2_thousands_of_invented_digests_shut_nobody_out() {
    isolated_beside_others(|| {
        let daemon = Daemon::with(SETTINGS);
        let invented = "Digest username=\"board\", realm=\"roomgate\", nonce=\"bm90IG91cnM\", uri=\"sip:127.0.0.1\", \
            response=\"0123456789abcdef0123456789abcdef\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"x\"";
        for n in 0..4_200_u16 {
            let [high, low] = n.to_be_bytes();
            let mut one = Probe::at([127, 9, high, low], "board");
            let register = with_header(one.request("REGISTER", HERE), "Authorization", invented);
            one.send(&register);
        }
        let mut board = Probe::at([127, 0, 1, 1], "board").with_password(PASSWORD);
        assert_eq!(board.proves("REGISTER", HERE, seconds(3)).map(|(status, _)| status), Some(200));
        for address in [[127, 0, 1, 10], [127, 0, 1, 20]] {
            let mut known = Probe::at(address, "somebody");
            let invite = known.request("INVITE", "sip:nowhere@127.0.0.1");
            assert_eq!(known.asks(&invite, seconds(3)).map(|(response, _)| response.status), Some(404), "{address:?}");
        }
        assert_eq!(calls_for_help(&mut Probe::at([127, 9, 0, 1], "board"), "112"), Some(403));
        assert_eq!(daemon.status()["blocks"]["silenced"].as_array().map(Vec::len), Some(0));
        let log = daemon.log();
        assert!(log.lines().count() < 100, "{log}");
    });
}
