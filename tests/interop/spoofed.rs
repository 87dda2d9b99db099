//! Datagrams in the name of a known address at the running daemon (M-1): no effect before that place has answered.

use crate::daemon::Daemon;
use crate::namespace::isolated_beside_others;
use crate::probe::Probe;
use crate::waiting::{eventually, seconds};

const SETTINGS: &str =
    "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[sip]\nallowed = []\n[device.lobby]\naddress = \"127.0.1.10\"\n";

/// Who is known by address over udp registers once it has answered from there.
#[test]
fn m1_who_is_known_by_address_over_udp_registers_once() {
    isolated_beside_others(|| {
        let daemon = Daemon::with(SETTINGS);
        let registered = || daemon.get("/api/v1/devices").to_string().contains("spoofer");
        // Whoever writes the address of the phone into a datagram does not hear what is sent there.
        let mut spoofer = Probe::at([127, 0, 1, 10], "spoofer");
        spoofer.answers = false;
        let register = spoofer.request("REGISTER", "sip:127.0.0.1");
        let (answer, took) = spoofer.asks(&register, seconds(3)).expect("an answer");
        assert_eq!((answer.status, answer.headers.get("Retry-After")), (503, Some("2")));
        assert!((0.9..2.0).contains(&took.as_secs_f64()), "{took:?}");
        assert!(!registered());
        // The phone is there.
        let mut phone = Probe::at([127, 0, 1, 10], "phone");
        eventually(seconds(5), "it has registered", || {
            let register = phone.request("REGISTER", "sip:127.0.0.1");
            let (answer, _) = phone.asks(&register, seconds(2))?;
            (answer.status == 200).then_some(())
        });
        phone.answers = false;
        let again = phone.request("REGISTER", "sip:127.0.0.1");
        assert_eq!(phone.asks(&again, seconds(2)).map(|(answer, _)| answer.status), Some(200), "for five minutes");
        assert!(!registered());
    });
}
