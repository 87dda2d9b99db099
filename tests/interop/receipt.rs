//! What the ledger says of a notice that was lost on the way, or could not be sent, with a real phone (N-3, N-6, N-8). The namespace's
//! own packet filter loses the phone's RTP; its RTCP goes on.

use std::process::Command;

use serde_json::{Value, json};

use crate::audio::Sound;
use crate::baresip::{Baresip, Codec, Transport};
use crate::daemon::Daemon;
use crate::member::Member;
use crate::namespace::{isolated_as_root_beside_others, program};
use crate::waiting::{eventually, seconds};

const HUM: f64 = 1011.0;
/// Ports that baresip takes for RTP and RTCP, by its SIP port 5070.
const PHONE_PORTS: std::ops::RangeInclusive<u16> = 41_400..=41_418;
/// From a change to its line: the notice, the phone's next report (5 s), and a busy machine.
const LINE_WITHIN: u64 = 30;

/// A rule of the packet filter; dropped, it is taken away.
struct Fault(Vec<String>);

impl Fault {
    fn set(chain: &str, port: u16, more: &[&str]) -> Self {
        let port = port.to_string();
        let rule = [&[chain, "-p", "udp", "--dport", port.as_str()], more, &["-j", "DROP"]].concat();
        let rule: Vec<String> = rule.into_iter().map(str::to_owned).collect();
        Self::filter("-A", &rule);
        Self(rule)
    }

    /// Of so many packets to this port one is lost on the way.
    fn loses_one_in(packets: u32, port: u16) -> Self {
        let every = packets.to_string();
        let one = ["-m", "statistic", "--mode", "nth", "--every", every.as_str(), "--packet", "0"];
        Self::set("INPUT", port, if packets > 1 { &one } else { &[] })
    }

    /// Nothing can be sent to this port: `sendto` fails with EPERM.
    fn refuses(port: u16) -> Self {
        Self::set("OUTPUT", port, &[])
    }

    fn filter(what: &str, rule: &[String]) {
        let done = Command::new(program("iptables")).arg(what).args(rule).output().expect("iptables can be run");
        assert!(done.status.success(), "iptables {what} {rule:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        Self::filter("-D", &self.0);
    }
}

/// The phone's RTP port: the even one of the two that it has bound.
fn rtp_port() -> u16 {
    let table = std::fs::read_to_string("/proc/net/udp").expect("readable");
    let local = |line: &str| u16::from_str_radix(line.split_whitespace().nth(1)?.split(':').nth(1)?, 16).ok();
    let port = table.lines().filter_map(local).find(|port| PHONE_PORTS.contains(port) && port.is_multiple_of(2));
    port.expect("the phone has bound its RTP")
}

/// A phone in the meeting, a while after it was let in: it has reported on what it hears.
struct Talk {
    daemon: Daemon,
    member: Member,
    phone: Baresip,
}

impl Talk {
    fn begin() -> Self {
        let daemon = Daemon::start();
        let member = Member::join(&daemon, "demo");
        let mut phone = Baresip::start(daemon.folder(), 5070, Codec::Pcmu, Transport::Udp, HUM);
        phone.dial("sip:1001@127.0.0.1:5060");
        let knocked = eventually(seconds(15), "the phone knocks", || member.phones("lobby").pop());
        member.ask(json!({ "type": "admit", "id": knocked }));
        phone.hear(8.0);
        Self { daemon, member, phone }
    }

    fn records(&self, state: &str) {
        self.member.ask(json!({ "type": "recording", "state": state }));
        eventually(seconds(5), "the recording's state", || (self.member.state()["recording"] == state).then_some(()));
    }

    /// The first lines of the ledger, once there are so many.
    fn lines(&self, count: usize) -> Vec<Value> {
        let lines = || {
            let mut lines = self.daemon.notices();
            lines.reverse();
            (lines.len() >= count).then(|| lines[..count].to_vec())
        };
        let lines = eventually(seconds(LINE_WITHIN * count as u64), &format!("{count} lines"), lines);
        println!("{lines:#?}");
        lines
    }

    /// How often it was said that a microphone is closed.
    fn alarms(&self) -> u32 {
        let (_, _, text) = self.daemon.request("GET", "/metrics", "", "");
        let count = text.lines().find_map(|line| line.strip_prefix("roomgate_notice_alarms_total "));
        count.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| panic!("no count of alarms: {text}"))
    }

    /// Ends the recording; what is in it of the last seconds before.
    fn recorded(&self) -> Sound {
        self.records("off");
        let file = eventually(seconds(10), "a recording is there", || self.daemon.recordings().pop());
        self.daemon.play(&file).last(4.0)
    }
}

fn received(line: &Value) -> Option<u64> {
    line["received"].as_f64().map(|share| (share * 1000.0).round() as u64)
}

fn said_whole(line: &Value) -> bool {
    line["outcome"] == "completed" && line["first_seq"].is_u64() && line["last_seq"].is_u64() && line["ssrc"].is_u64()
}

/// Without loss and with 5 percent a notice is said once and counts as received.
#[test]
fn n8_without_loss_and_with_5_percent_a_notice_is_said_once() {
    isolated_as_root_beside_others(|| {
        for (packets, least, most) in [(0, 1000, 1000), (20, 930, 970)] {
            let mut talk = Talk::begin();
            let fault = (packets > 0).then(|| Fault::loses_one_in(packets, rtp_port()));
            talk.phone.hear(6.0);
            talk.records("on");
            let lines = talk.lines(1);
            assert!(
                said_whole(&lines[0]) && received(&lines[0]).is_some_and(|share| (least..=most).contains(&share)),
                "{lines:?}"
            );
            // As long as it would take to say it again.
            talk.phone.hear(8.0);
            assert_eq!((talk.daemon.notices().len(), talk.alarms()), (1, 0));
            assert!(talk.recorded().tone(HUM).is_some(), "the microphone is open");
            drop(fault);
        }
    });
}

/// With 20 percent and with all lost it is said again until it is received with the microphone closed.
#[test]
fn n8_with_20_percent_and_with_all_lost_it_is_said() {
    isolated_as_root_beside_others(|| {
        for (packets, least, most) in [(5, 750, 850), (1, 0, 100)] {
            let mut talk = Talk::begin();
            let fault = Fault::loses_one_in(packets, rtp_port());
            if packets > 1 {
                // Until it has reported once under this loss.
                talk.phone.hear(6.0);
            }
            talk.records("on");
            let lines = talk.lines(2);
            for line in &lines {
                assert!(said_whole(line) && line["what"] == json!(["recording started"]), "{line}");
                assert!(received(line).is_some_and(|share| (least..=most).contains(&share)), "{line}");
            }
            eventually(seconds(2), "an alarm", || (talk.alarms() == 1).then_some(()));
            drop(fault);
            talk.phone.hear(5.0);
            // It has not received it yet: it is said again within 30 s.
            let again = talk.lines(3);
            assert!(said_whole(&again[2]) && received(&again[2]).is_some_and(|share| share > 900), "{}", again[2]);
            talk.phone.hear(5.0);
            assert!(talk.recorded().tone(HUM).is_some(), "the microphone is open again");
        }
    });
}

/// With all lost the recording holds nothing of who was not told.
#[test]
fn n8_with_all_lost_the_recording_holds_nothing() {
    isolated_as_root_beside_others(|| {
        let talk = Talk::begin();
        let _fault = Fault::loses_one_in(1, rtp_port());
        talk.records("on");
        talk.lines(2);
        eventually(seconds(2), "an alarm", || (talk.alarms() == 1).then_some(()));
        let closed = std::time::Instant::now();
        eventually(seconds(10), "a few seconds more", || (closed.elapsed() > seconds(5)).then_some(()));
        assert!(talk.recorded().tone(HUM).is_none(), "the microphone is closed");
    });
}

#[test]
fn n6_what_cannot_be_sent_has_failed_and_is_said_when_it_can() {
    isolated_as_root_beside_others(|| {
        let mut talk = Talk::begin();
        let fault = Fault::refuses(rtp_port());
        talk.records("on");
        for line in talk.lines(2) {
            assert_eq!((&line["outcome"], &line["first_seq"], &line["last_seq"]), (&json!("failed"), &Value::Null, &Value::Null));
            assert_eq!(received(&line), None, "{line}");
        }
        assert!(talk.alarms() >= 2);
        drop(fault);
        talk.phone.hear(5.0);
        let lines = talk.lines(3);
        assert!(said_whole(&lines[2]) && received(&lines[2]).is_some_and(|share| share > 900), "{}", lines[2]);
        talk.phone.hear(5.0);
        assert!(talk.recorded().tone(HUM).is_some(), "the microphone is open again");
    });
}
