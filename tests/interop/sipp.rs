//! SIPp as an auto-dialler: it enters codes with RFC 4733 tones of 60 ms and pauses of 40 ms, faster than any finger (K-3).
//!
//! SIPp plays RTP from captures only, so the whole call's media is written as one: G.711 silence throughout, events in their
//! places, one SSRC and one row of sequence numbers.

use std::path::Path;
use std::process::Command;

use crate::namespace::{folder as sources, program};
use crate::process::Process;
use crate::waiting::{eventually, seconds};

/// Payload type of telephone-event in `sipp/caller.xml`.
const EVENT_PAYLOAD: u8 = 101;
/// Packets of 20 ms at 8 kHz.
const PACKET_MS: u64 = 20;
const SAMPLES: u32 = 160;
/// Three packets of 20 ms.
const TONE_PACKETS: u64 = 3;
/// A tone of 60 ms and a pause of 40 ms.
const DIGIT_PACKETS: u64 = 5;
/// How long the caller sends RTP.
const LENGTH_MS: u64 = 60_000;

/// A call that is being made.
#[derive(Debug)]
pub(crate) struct Caller {
    process: Process,
}

impl Caller {
    /// Calls `sip:user@127.0.0.1` from `port` and enters each of `codes` at its time, in ms after the answer.
    pub(crate) fn dial(folder: &Path, port: u16, user: &str, codes: &[(u64, &str)]) -> Self {
        Self::dial_at(folder, port, user, "127.0.0.1:5060", codes)
    }

    /// So many at once who enter nothing.
    pub(crate) fn many(folder: &Path, port: u16, user: &str, calls: usize) -> Self {
        Self::start(folder, port, user, "127.0.0.1:5060", &[], calls)
    }

    /// The same, to another address.
    pub(crate) fn dial_at(folder: &Path, port: u16, user: &str, target: &str, codes: &[(u64, &str)]) -> Self {
        Self::start(folder, port, user, target, codes, 1)
    }

    fn start(folder: &Path, port: u16, user: &str, target: &str, codes: &[(u64, &str)], calls: usize) -> Self {
        let folder = folder.join(format!("sipp-{port}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("media.pcap"), capture(codes)).expect("a capture");
        let mut command = Command::new(program("sipp"));
        command.args(["-sf"]).arg(sources().join("sipp/caller.xml")).args(["-s", user, target]).current_dir(&folder);
        command.args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", &port.to_string(), "-mp", &(port + 20_000).to_string()]);
        let calls = calls.to_string();
        command.args(["-m", &calls, "-l", &calls, "-r", "10", "-nostdin", "-trace_err", "-timeout", "90s", "-timeout_error"]);
        Self { process: Process::start(&mut command, &folder.join("log"), false) }
    }

    /// Waits until the other side has ended the call properly.
    pub(crate) fn was_hung_up_on(mut self, limit: u64) {
        let code = eventually(seconds(limit), "SIPp's call is ended by the other side", || self.process.exit_code());
        assert_eq!(code, 0, "{}", self.process.log());
    }

    /// Whether the call goes on.
    pub(crate) fn goes_on(&mut self) -> bool {
        self.process.exit_code().is_none()
    }
}

/// Many calls at once.
#[derive(Debug)]
pub(crate) struct Mass {
    process: Process,
}

impl Mass {
    /// Makes `calls` calls to `sip:user@127.0.0.1`, ten a second, each of so many seconds and with a tone.
    pub(crate) fn dial(folder: &Path, port: u16, user: &str, calls: u64, length: u64) -> Self {
        Self::play("mass", folder, port, user, calls, length)
    }

    /// One call of a phone behind NAT, from 127.0.0.1 by a router that keeps ports as they are.
    pub(crate) fn dial_from_behind_nat(folder: &Path, port: u16, user: &str, length: u64) -> Self {
        Self::play("natted", folder, port, user, 1, length)
    }

    fn play(scenario: &str, folder: &Path, port: u16, user: &str, calls: u64, length: u64) -> Self {
        let folder = folder.join(format!("sipp-{port}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("tone.raw"), tone()).expect("a tone");
        let mut command = Command::new(program("sipp"));
        command
            .arg("-sf")
            .arg(sources().join(format!("sipp/{scenario}.xml")))
            .args(["-s", user, "127.0.0.1:5060"])
            .current_dir(&folder);
        command.args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", &port.to_string()]);
        let (calls, length) = (calls.to_string(), (length * 1000).to_string());
        command.args(["-m", &calls, "-l", &calls, "-r", "10", "-d", &length, "-nostdin", "-trace_err"]);
        Self { process: Process::start(&mut command, &folder.join("log"), false) }
    }

    /// Makes `rate` calls a second for so many seconds; each is answered and hangs up at once.
    pub(crate) fn burst(folder: &Path, port: u16, user: &str, rate: u64, length: u64) -> Self {
        let folder = folder.join(format!("sipp-{port}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut command = Command::new(program("sipp"));
        command.arg("-sf").arg(sources().join("sipp/burst.xml")).args(["-s", user, "127.0.0.1:5060"]).current_dir(&folder);
        command.args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", &port.to_string(), "-r", &rate.to_string()]);
        command.args(["-m", &(rate * length).to_string(), "-nostdin", "-trace_err", "-trace_rtt", "-rtt_freq", "1"]);
        Self { process: Process::start(&mut command, &folder.join("log"), false) }
    }

    /// The times from each INVITE to its 200, in ms, once it has ended.
    pub(crate) fn answer_times(&self) -> Vec<f64> {
        let files = std::fs::read_dir(self.process.folder()).expect("a folder").filter_map(Result::ok).map(|entry| entry.path());
        let rtt = files.into_iter().find(|path| path.to_string_lossy().ends_with("_rtt.csv")).expect("SIPp's times");
        let text = std::fs::read_to_string(rtt).expect("a file");
        text.lines().skip(1).filter_map(|line| line.split(';').nth(1)?.parse().ok()).collect()
    }

    /// Waits for the end: every call was answered and ended as it should.
    pub(crate) fn has_ended_well(&mut self, limit: u64) {
        let code = eventually(seconds(limit), "SIPp's calls end", || self.process.exit_code());
        assert_eq!(code, 0, "{}", self.process.log());
    }

    /// Waits for the end: every call was answered and ended as it should.
    pub(crate) fn ends_well(mut self, limit: u64) {
        self.has_ended_well(limit);
    }
}

/// A second of a square wave of 500 Hz in μ-law, at about −24 dBov: played round and round it is a tone without a seam.
fn tone() -> Vec<u8> {
    // G.711: inverted bits; segment 3 of both signs.
    (0..8000).map(|n| if n / 8 % 2 == 0 { !0x48 } else { !0xc8 }).collect()
}

/// One of the scenarios in `sipp/dialogs`, against the meeting `demo`. They speak no sound: what is looked at is the dialog.
#[derive(Debug)]
pub(crate) struct Scenario {
    name: String,
    process: Process,
}

impl Scenario {
    /// Plays it from `port`, by `transport` in SIPp's words: `u1` or `t1`. A forgiving one overlooks what comes when it is not waited
    /// for: repeated messages on a connection, or those that cross its own.
    pub(crate) fn play(folder: &Path, port: u16, name: &str, transport: &str, forgiving: bool) -> Self {
        let mut manner = vec!["-s", "1001", "127.0.0.1:5060"];
        if forgiving {
            manner.extend(["-default_behaviors", "none"]);
        }
        Self::start(folder, port, name, transport, &manner)
    }

    /// Plays one that is called at `port`, by UDP, and sends back the sound that it gets.
    pub(crate) fn wait(folder: &Path, port: u16, name: &str) -> Self {
        Self::start(folder, port, name, "u1", &["-rtp_echo"])
    }

    fn start(folder: &Path, port: u16, name: &str, transport: &str, manner: &[&str]) -> Self {
        let folder = folder.join(format!("sipp-{name}-{transport}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut command = Command::new(program("sipp"));
        command.arg("-sf").arg(sources().join(format!("sipp/dialogs/{name}.xml"))).args(manner);
        command.args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", &port.to_string(), "-mp", &(port + 20_000).to_string()]);
        command.args(["-t", transport, "-m", "1", "-nostdin", "-trace_err", "-timeout", "30s", "-timeout_error"]);
        command.args(["-trace_msg", "-message_file", "messages", "-error_file", "errors"]).current_dir(&folder);
        let process = Process::start(&mut command, &folder.join("log"), false);
        Self { name: format!("{name} by {transport}"), process }
    }

    /// Waits until it has come to its end; every message that it sent and got, or what went wrong.
    pub(crate) fn outcome(mut self, limit: u64) -> Result<String, String> {
        let code = eventually(seconds(limit), &format!("{} ends", self.name), || self.process.exit_code());
        let read = |file: &str| std::fs::read_to_string(self.process.folder().join(file)).unwrap_or_default();
        let fault = || format!("{}: exit {code}\n{}\n{}", self.name, read("errors"), read("messages"));
        if code == 0 { Ok(read("messages")) } else { Err(fault()) }
    }
}

/// A capture file with Ethernet, IPv4, UDP and RTP of the whole call. SIPp puts its own addresses in.
fn capture(codes: &[(u64, &str)]) -> Vec<u8> {
    let event = |key: char| "0123456789*#ABCD".find(key).and_then(|at| u8::try_from(at).ok()).expect("a key of a telephone");
    // For each slot of 20 ms: the event in it and how many slots ago it began.
    let mut keys = vec![None; usize::try_from(LENGTH_MS / PACKET_MS).expect("small")];
    for (at, code) in codes {
        for (n, key) in (0u64..).zip(code.chars()) {
            for age in 0..TONE_PACKETS {
                let slot = usize::try_from(at / PACKET_MS + n * DIGIT_PACKETS + age).expect("small");
                keys[slot] = Some((event(key), age));
            }
        }
    }
    // libpcap's own header: microseconds, version 2.4, Ethernet.
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    let mut sequence = 4711u16;
    for (slot, key) in (0u64..).zip(keys) {
        let now = u32::try_from(slot).expect("small") * SAMPLES;
        let (payload_type, stamp, payload, copies) = match key {
            None => (0, now, vec![0xff; 160], 1),
            Some((event, age)) => {
                let past = u32::try_from(age).expect("small") * SAMPLES;
                let last = age + 1 == TONE_PACKETS;
                // RFC 4733 section 2.3: event, end bit and volume, duration; the last one is sent three times (2.5.1.4).
                let duration = u16::try_from(past + SAMPLES).expect("small").to_be_bytes();
                let payload = vec![event, if last { 0x80 | 10 } else { 10 }, duration[0], duration[1]];
                (EVENT_PAYLOAD, now - past, payload, if last { 3 } else { 1 })
            }
        };
        let marker = matches!(key, Some((_, 0))) || slot == 0;
        for copy in 0..copies {
            let mut rtp = vec![0x80, payload_type | if marker { 0x80 } else { 0 }];
            rtp.extend(sequence.to_be_bytes());
            rtp.extend(stamp.to_be_bytes());
            rtp.extend(0x5157_1234_u32.to_be_bytes());
            rtp.extend(&payload);
            sequence = sequence.wrapping_add(1);
            append(&mut file, slot * PACKET_MS * 1000 + copy * 500, &rtp);
        }
    }
    file
}

/// One captured datagram, at so many microseconds.
fn append(file: &mut Vec<u8>, micros: u64, rtp: &[u8]) {
    let udp = u16::try_from(rtp.len() + 8).expect("small");
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00, 0x45, 0]);
    frame.extend((udp + 20).to_be_bytes());
    // Identification, fragment, TTL, protocol UDP, no checksum, 127.0.0.1 twice.
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
    frame.extend(6000u16.to_be_bytes());
    frame.extend(6000u16.to_be_bytes());
    frame.extend(udp.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(rtp);
    let length = u32::try_from(frame.len()).expect("small");
    for word in [micros / 1_000_000, micros % 1_000_000].map(|part| u32::try_from(part).expect("small")) {
        file.extend(word.to_le_bytes());
    }
    file.extend(length.to_le_bytes());
    file.extend(length.to_le_bytes());
    file.extend(frame);
}
