//! A gateway that is told to stop while calls are up (O-4), as SIPp, a phone, and a proxy with several gateways see it.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::baresip::{Baresip, Codec, Transport};
use crate::daemon::Daemon;
use crate::kamailio::Kamailio;
use crate::load::{dial, report};
use crate::member::Member;
use crate::namespace::isolated;
use crate::sipp::Caller;
use crate::udp_phone::UdpPhone;
use crate::waiting::{eventually, seconds};

/// Calls by SIPp, in the lobby; one more, by baresip, is in a meeting.
const WAITING: usize = 19;
/// `limits.drain` of the first scenario.
const DRAIN: Duration = Duration::from_secs(10);

/// A daemon whose calls may go on for so long after SIGTERM, with a meeting whose lobby phones pass.
fn daemon(drain: &str) -> Daemon {
    Daemon::with(&format!(
        "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[limits]\ndrain = \"{drain}\"\n\
         [meeting.hall]\ntitle = \"Hall\"\nconference_id = \"2002\"\ndevices_bypass = true\n"
    ))
}

fn terminate(daemon: &Daemon) {
    Command::new("kill").args(["-TERM", &daemon.id().to_string()]).status().expect("kill can be run");
}

/// What the gateway answers to OPTIONS.
fn options() -> String {
    let phone = UdpPhone::new();
    phone.request("OPTIONS", "1001", "", "");
    phone.receives("SIP/2.0 ")
}

/// Twenty calls go on while a proxy sends new ones elsewhere and are told at the limit.
#[test]
fn o4_twenty_calls_go_on_while_a_proxy_sends_new_ones_elsewhere() {
    isolated(|| {
        let mut daemon = daemon(&format!("{}s", DRAIN.as_secs()));
        let _member = Member::join(&daemon, "hall");
        let proxy = Kamailio::dispatch(daemon.folder(), "1 sip:127.0.0.1:5060\n");
        assert!(options().starts_with("SIP/2.0 200"), "{}", options());
        report(dial(&daemon, &["sip:2002@127.0.0.1:5080"], 1));

        let waiting = Caller::many(daemon.folder(), 5090, "1001", WAITING);
        let mut phone = Baresip::start(daemon.folder(), 5070, Codec::Pcma, Transport::Udp, 1011.0);
        phone.dial("sip:2002@127.0.0.1:5060");
        let up = || daemon.status()["calls"].as_array().map_or(0, Vec::len);
        eventually(seconds(15), "twenty calls are up", || (up() == WAITING + 1).then_some(()));
        // Its prompt of welcome, then nothing but a silent meeting.
        phone.hear(6.0);

        terminate(&daemon);
        let begin = Instant::now();
        let refused = eventually(seconds(3), "the gateway says that it takes no calls", || {
            Some(options()).filter(|answer| answer.starts_with("SIP/2.0 503"))
        });
        assert!(refused.contains("\r\nRetry-After: "), "{refused}");
        eventually(seconds(5), "the proxy takes the gateway out", || proxy.log().contains("gateway down").then_some(()));
        println!("taken out by the proxy {:?} after SIGTERM", begin.elapsed());
        for (place, status) in [("sip:2002@127.0.0.1:5060", "503"), ("sip:2002@127.0.0.1:5080", "480")] {
            let refused = dial(&daemon, &[place], 1).wait_with_output().expect("it ends");
            assert!(String::from_utf8_lossy(&refused.stdout).contains(status), "{place}: {refused:?}");
        }
        assert_eq!(up(), WAITING + 1, "present calls go on");
        assert!(begin.elapsed() < DRAIN, "all of this was before the limit");

        waiting.was_hung_up_on(30);
        phone.wait_for("CALL_CLOSED", 30);
        let told = begin.elapsed();
        let last = phone.heard().last(4.0);
        println!("calls ended {told:?} after SIGTERM; the last words at {:.1} dBov", last.level());
        assert!(told >= DRAIN && told < DRAIN + seconds(15), "{told:?}");
        assert!(last.level() > -35.0, "somebody at the table hears why: {}", last.level());
        assert_eq!(daemon.ends(), 0);
    });
}

#[test]
fn o4_a_second_signal_ends_it_at_once() {
    isolated(|| {
        let mut daemon = daemon("10m");
        let waiting = Caller::many(daemon.folder(), 5090, "1001", WAITING);
        let menu = dial(&daemon, &["sip:menu@127.0.0.1"], 60);
        eventually(seconds(15), "the calls are up", || {
            (daemon.status()["calls"].as_array().map_or(0, Vec::len) == WAITING + 1).then_some(())
        });
        terminate(&daemon);
        eventually(seconds(3), "it drains", || daemon.log().contains("still up").then_some(()));
        terminate(&daemon);
        let begin = Instant::now();
        waiting.was_hung_up_on(20);
        assert_eq!(daemon.ends(), 0);
        println!("over {:?} after the second signal", begin.elapsed());
        assert!(begin.elapsed() < seconds(20));
        let menu = report(menu);
        assert!(menu["ended_by_peer"].is_string() && menu["seconds"].as_f64().is_some_and(|time| time < 50.0), "{menu}");
    });
}

/// A bye that is lost is repeated before the daemon ends and who calls for help meanwhile is told.
#[test]
fn o4_a_bye_that_is_lost_is_repeated_before_the_daemon_ends() {
    isolated(|| {
        let mut daemon = daemon("1s");
        let (phone, other) = (UdpPhone::new(), UdpPhone::new());
        phone.invite("1001");
        phone.acknowledge("1001", &phone.receives("SIP/2.0 200"));
        terminate(&daemon);
        let lost = phone.receives("BYE ");
        other.invite("112");
        let bye = phone.receives("BYE ");
        assert_eq!(bye, lost, "the same request again");
        phone.answer(&bye, "200 OK", "");
        let refused = other.receives("SIP/2.0 4");
        assert!(refused.starts_with("SIP/2.0 403"), "{refused}");
        other.acknowledge("112", &refused);
        assert_eq!(daemon.ends(), 0);
    });
}
