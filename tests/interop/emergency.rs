//! Calls for help from a real phone (S-10): it hears at once that nobody answers them here.

use crate::baresip::{Baresip, Codec, Transport};
use crate::daemon::Daemon;
use crate::namespace::isolated_beside_others;
use crate::waiting::{eventually, seconds};

/// An emergency call of a phone is refused with words that it hears.
#[test]
fn an_emergency_call_of_a_phone_is_refused_with_words() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let mut phone = Baresip::start(daemon.folder(), 5070, Codec::G722, Transport::Tcp, 1011.0);
        phone.command("dial", "sip:112@127.0.0.1:5060;transport=tcp");
        let closed = phone.wait_for("CALL_CLOSED", 20);
        assert!(closed["param"].as_str().is_some_and(|why| why.contains("403")), "{closed}");
        let heard = phone.heard();
        let spoken: f64 = heard.louder_than(-35.0).iter().map(|span| span.length()).sum();
        println!("{:.1} s heard before the refusal, {spoken:.1} s of it speech", heard.length());
        // Three sentences of two seconds.
        assert!((4.0..9.0).contains(&spoken), "{spoken}");
        assert!(daemon.log().contains("emergency call refused: emergency.target is not set"), "{}", daemon.log());
        eventually(seconds(5), "its port is given back", || {
            (daemon.status()["resources"]["media"]["open_ports"] == 0).then_some(())
        });
    });
}
