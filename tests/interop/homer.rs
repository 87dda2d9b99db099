//! Copies of SIP messages as a capture server gets them: `homer.mjs` holds the decoder of the Homer project (O-5).

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::baresip::{Baresip, Codec, Transport};
use crate::daemon::Daemon;
use crate::load::{dial, report};
use crate::namespace::{folder as sources, isolated_beside_others, program, setup_folder};
use crate::process::Process;
use crate::waiting::{eventually, seconds};
use crate::wiretap::{Datagram, Wiretap};

const SETTINGS: &str = "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n\
                        [sip.hep]\nserver = \"127.0.0.1:9060\"\nid = 77\npassword = \"let-me-in\"\n";

/// Tags and branches of the SIP messages among these.
fn secrets(datagrams: &[Datagram]) -> BTreeSet<String> {
    let texts = datagrams.iter().map(|datagram| String::from_utf8_lossy(&datagram.bytes).into_owned());
    let pieces = |text: String| text.split([';', '\r', '\n', '>']).map(str::to_owned).collect::<Vec<_>>();
    let value = |piece: String| piece.strip_prefix("tag=").or(piece.strip_prefix("branch=")).map(str::to_owned);
    texts.flat_map(pieces).filter_map(value).collect()
}

/// Homers own decoder reads the copies of a phones call and no number in them.
#[test]
fn o5_homers_own_decoder_reads_the_copies_of_a_phones_call() {
    isolated_beside_others(|| {
        let daemon = Daemon::with(SETTINGS);
        // Nobody listens yet: a call does not mind.
        report(dial(&daemon, &["sip:1001@127.0.0.1"], 1));

        let mut command = Command::new(program("node"));
        command.arg(sources().join("homer.mjs")).env("ROOMGATE_SETUP", setup_folder());
        let homer = Process::start(&mut command, &daemon.folder().join("homer.log"), false);
        let events = || homer.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Value>>();
        eventually(seconds(20), "it listens", || events().first().cloned());
        let wiretap = Wiretap::start(daemon.folder(), "udp and port 5060");
        let mut phone = Baresip::start(daemon.folder(), 5070, Codec::G722, Transport::Udp, 1011.0);
        phone.dial("sip:1002@127.0.0.1:5060");
        phone.press("4321#");
        let waits = || daemon.get("/api/v1/calls")["calls"][0]["state"] == "waiting";
        eventually(seconds(30), "it waits", || waits().then_some(()));
        phone.hang_up();
        let is_bye = |event: &Value| event["payload"].as_str().is_some_and(|text| text.starts_with("BYE "));
        eventually(seconds(10), "the end is copied", || events().iter().any(is_bye).then_some(()));
        eventually(seconds(10), "and its answer", || {
            events().last()?["payload"].as_str().is_some_and(|text| text.starts_with("SIP/2.0 200")).then_some(())
        });

        let packets: Vec<_> = events().into_iter().filter(|event| event["event"] == "packet").collect();
        println!("{:#}", packets[0]);
        let starts: Vec<_> =
            packets.iter().filter_map(|one| Some(one["payload"].as_str()?.split(' ').next()?.to_owned())).collect();
        let mut rest = starts.iter();
        for expected in ["INVITE", "SIP/2.0", "ACK", "BYE", "SIP/2.0"] {
            assert!(rest.any(|start| start == expected), "{expected} in {starts:?}");
        }
        let about = &packets[0]["rcinfo"];
        assert_eq!((&about["srcIp"], &about["dstIp"]), (&"127.0.0.1".into(), &"127.0.0.1".into()), "{about}");
        assert_eq!((&about["srcPort"], &about["dstPort"]), (&5070.into(), &5060.into()), "{about}");
        assert_eq!((&about["captureId"], &about["capturePass"]), (&77.into(), &"let-me-in".into()), "{about}");
        let wiretapped = wiretap.finish();
        let secrets = secrets(&wiretapped);
        assert!(secrets.len() >= 4, "two tags and some branches: {secrets:?}");
        let call_id =
            packets[0]["payload"].as_str().and_then(|text| text.lines().find_map(|line| line.strip_prefix("Call-ID: ")));
        for packet in &packets {
            let text = packet["payload"].as_str().expect("a text");
            assert_eq!(packet["rcinfo"]["correlation_id"].as_str(), call_id, "one call: {packet}");
            let (head, body) = text.split_once("\r\n\r\n").expect("a blank line");
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
            assert_eq!(length, Some(body.len()), "{text}");
            // Numbers of random names and times may hold the same digits.
            let words = text.split(|c: char| !c.is_ascii_alphanumeric());
            assert!(words.into_iter().all(|word| word != "1002" && word != "4321"), "{text}");
            assert!(!text.contains("Signal="), "{text}");
            // Whoever reads copies has nothing to act in the call with.
            assert!(secrets.iter().all(|secret| !text.contains(secret.as_str())), "{secrets:?} in {text}");
        }
        let sip = &daemon.status()["resources"]["sip"];
        assert!(sip["copied"].as_u64() > Some(packets.len() as u64) && sip["lost_copies"] == 0, "{sip}");
    });
}
