//! A new configuration while calls are up (O-2): taken as a whole or refused with its line, and no call notices.

use std::process::Command;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::baresip::{Baresip, Codec, Login, Transport};
use crate::daemon::Daemon;
use crate::load::{dial, report};
use crate::member::Member;
use crate::namespace::isolated;
use crate::waiting::{eventually, seconds};
use crate::wiretap::{Wiretap, punctuality};

/// A meeting whose lobby phones pass.
const HALL: &str = "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n\
    [meeting.hall]\ntitle = \"Hall\"\nconference_id = \"2002\"\ndevices_bypass = true\n";

/// Drop-ins with a mistake or with something that takes a restart, and what the log must say of each.
const BAD: [(&str, &str); 7] = [
    ("[log\n", "z.toml:1"),
    ("[device.hall]\naddress = \"192.0.2.1\"\nadress = \"x\"\n", "z.toml:3"),
    ("[http]\nport = 8081\n", "z.toml:2"),
    ("[meeting.other]\nconference_id = \"2002\"\n", "z.toml:2"),
    ("[prompts]\ndirectory = \"/nowhere\"\n", "/nowhere"),
    ("[media]\nrtp_ports = \"30000-30999\"\n", "z.toml:2"),
    ("[device.hall]\nusername = \"hall\"\npassword = { file = \"/nowhere/at/all\" }\n", "z.toml:3"),
];

impl Daemon {
    /// Sends SIGHUP, waits for what comes of it, and gives the lines that it has logged.
    fn reload(&self) -> String {
        let ends = |log: &str| log.matches("configuration reloaded").count() + log.matches("configuration refused").count();
        let before = self.log();
        let sent = Command::new("kill").args(["-HUP", &self.id().to_string()]).status().expect("kill can be run");
        assert!(sent.success());
        let log =
            eventually(seconds(20), "the reload comes to an end", || Some(self.log()).filter(|log| ends(log) > ends(&before)));
        log[before.len()..].to_owned()
    }

    /// Has it take a changed drop-in.
    fn takes(&self, settings: &str) -> String {
        self.configure(settings);
        let said = self.reload();
        assert!(said.contains("configuration reloaded"), "{settings}: {said}");
        said
    }
}

/// A hundred reloads half of them bad are not noticed by any call.
#[test]
fn o2_a_hundred_reloads_half_of_them_bad_are_not_noticed() {
    isolated(|| {
        let daemon = Daemon::with(HALL);
        let wire = Wiretap::start(daemon.folder(), "udp and dst portrange 20000-20999");
        // A meeting begins with a member.
        let member = Member::join(&daemon, "hall");
        let mut speaker = Baresip::start(daemon.folder(), 5070, Codec::Pcma, Transport::Udp, 1011.0);
        let mut hearer = Baresip::start(daemon.folder(), 5080, Codec::G722, Transport::Tcp, 1511.0);
        speaker.dial("sip:2002@127.0.0.1:5060");
        hearer.dial("sip:2002@127.0.0.1:5060;transport=tcp");
        // Prompts of welcome, and each hears that the other has come.
        hearer.hear(8.0);
        let (begin, began) = (hearer.heard().length(), SystemTime::now());
        let others = ["sip:2002@127.0.0.1", "sip:1001@127.0.0.1"].map(|place| dial(&daemon, &[place, "--codec", "opus"], 6));
        let mut refused = BAD.iter().cycle();
        for turn in 0..50 {
            let level = if turn % 2 == 0 { "debug" } else { "info" };
            let said = daemon.takes(&format!(
                "[log]\nlevel = \"{level}\"\n[device.d{turn}]\naddress = \"192.0.2.{turn}\"\n[meeting.hall]\ntitle = \"Hall {turn}\"\n"
            ));
            assert!(said.contains(&format!("device.d{turn}")) && said.contains("meeting.hall"), "{said}");
            let (bad, place) = refused.next().expect("there is always a next one");
            daemon.configure(bad);
            let said = daemon.reload();
            assert!(said.contains("configuration refused") && said.contains(place), "{bad}: {said}");
        }
        for dial in others {
            let report = report(dial);
            let arrived = &report["arrived"];
            assert_eq!((&arrived["sequence_breaks"], &arrived["timestamp_breaks"]), (&0.into(), &0.into()), "{arrived}");
        }
        let (heard, _present) = (hearer.heard().since(begin), member);
        let tone = heard.tone(1011.0).expect("the speaker is heard");
        // PCMA has payload type 8.
        let speaker = punctuality(&wire.finish(), 8, began);
        println!("{:.1} s with 100 reloads: {tone:?}; {speaker:?}", heard.length());
        assert!(speaker.excuses(&tone), "{tone:?}; {speaker:?}");
        // The configuration on the disk is spoilt; the daemon is not.
        assert_eq!(daemon.status()["resources"]["media"]["lost_events"], 0);

        daemon.configure("[organisation]\nname = \"Other\"\n");
        let taken = daemon.ask("POST", "/api/v1/reload", "");
        assert_eq!(taken["changed"], json!(["device.d49", "meeting.hall", "organisation.name"]), "since the last good one");
        let checked = daemon.command(&["check-config"]);
        assert!(checked.contains("no mistakes"), "{checked}");
    });
}

/// What is new holds for the next call and what is gone stays for the one that is up.
#[test]
fn o2_what_is_new_holds_for_the_next_call_and_what_is_gone() {
    isolated(|| {
        let daemon = Daemon::with(HALL);
        // A meeting begins with a member.
        let member = Member::join(&daemon, "hall");
        let hall = dial(&daemon, &["sip:2002@127.0.0.1"], 12);
        let inside = |meeting: &str, now: &Value| {
            now["calls"]
                .as_array()
                .is_some_and(|calls| calls.iter().any(|call| call["meeting"] == meeting && call["state"] == "in"))
        };
        eventually(seconds(10), "a call is in the hall", || inside("hall", &daemon.status()).then_some(()));
        daemon.takes(
            "[meeting.hall]\nenabled = false\n\
             [meeting.new]\nconference_id = \"3003\"\ndevices_bypass = true\n\
             [sip]\ndigest = [\"md5\"]\n\
             [device.kitchen]\nusername = \"kitchen\"\npassword = \"sesame-street\"\n",
        );
        let other = Member::join(&daemon, "new");
        let refused = dial(&daemon, &["sip:2002@127.0.0.1"], 1).wait_with_output().expect("it ends");
        assert!(String::from_utf8_lossy(&refused.stdout).contains("404"), "nobody new gets into a meeting that is gone");
        let new = dial(&daemon, &["sip:3003@127.0.0.1"], 4);
        eventually(seconds(4), "the new meeting takes calls", || inside("new", &daemon.status()).then_some(()));
        assert!(inside("hall", &daemon.status()), "who was in the old one still is: {}", daemon.status());
        report(new);
        drop(other);

        let login = Some(Login { user: "kitchen", password: "sesame-street", at: "127.0.0.1" });
        let mut kitchen = Baresip::start_with(daemon.folder(), 5070, Codec::Pcma, (Transport::Udp, None), 1011.0, login);
        eventually(seconds(10), "the new device registers", || kitchen.registered().then_some(()));
        daemon.takes("[meeting.hall]\nenabled = false\n");
        eventually(seconds(5), "a device that is gone is not to be found", || daemon.devices().is_empty().then_some(()));
        let report = report(hall);
        assert_eq!(report["arrived"]["sequence_breaks"], 0, "{report}");
        member.ask(json!({ "type": "end" }));
        eventually(seconds(10), "the old meeting ends", || {
            let now = daemon.status();
            now["meetings"]
                .as_array()
                .is_some_and(|meetings| meetings.iter().all(|meeting| meeting["id"] != "hall"))
                .then_some(())
        });
    });
}
