//! tcpdump on loopback, with the kernel's own times: what every device of a scenario receives, packet by packet, without its help;
//! and what real peers send, for those who want to imitate them badly.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::audio::Tone;
use crate::namespace::program;
use crate::process::Process;
use crate::waiting::{eventually, seconds};

/// RTP and RTCP of devices, as the gateway sends it.
pub(crate) const TO_DEVICES: &str = "udp and src portrange 20000-20999";

/// A packet that is behind by so much, in s, may find the least margin of playout used up.
const LATE: f64 = 0.005;
/// So long, in s, there is nothing left to make a sound of.
const PAUSE: f64 = 0.06;
/// What is heard was sent up to so long before, in s.
const UNDERWAY: f64 = 0.5;
/// The time in which a sender shows how punctual it can be, in s.
const MEMORY: f64 = 10.0;

/// A running capture.
#[derive(Debug)]
pub(crate) struct Wiretap {
    process: Process,
    file: PathBuf,
}

/// One captured datagram.
#[derive(Debug, Clone)]
pub(crate) struct Datagram {
    /// In s since 1970.
    pub(crate) at: f64,
    /// From where.
    pub(crate) from: SocketAddrV4,
    /// Where to.
    pub(crate) to: SocketAddrV4,
    /// What is in it.
    pub(crate) bytes: Vec<u8>,
}

/// One RTP stream as it was sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stream {
    /// Packets.
    pub(crate) packets: u64,
    /// Sequence numbers that do not follow the one before.
    pub(crate) sequence_breaks: u64,
    /// Packets whose timestamp has not moved by one packet.
    pub(crate) timestamp_breaks: u64,
    /// The longest step of the timestamp, in ms.
    pub(crate) timestamp_gap: f64,
    /// The longest time between two packets, in ms.
    pub(crate) arrival_gap: f64,
    /// From the first to the last packet, in s.
    pub(crate) length: f64,
    last: Option<Packet>,
    usual_step: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Packet {
    at: f64,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
}

impl Wiretap {
    /// Listens on loopback for what `filter` says, in the language of tcpdump.
    pub(crate) fn start(folder: &Path, filter: &str) -> Self {
        let file = folder.join("capture.pcap");
        let mut command = Command::new(program("tcpdump"));
        command.args(["-i", "lo", "-n", "-U", "-Z", "root", "-B", "65536", "-s", "2048", "-w"]).arg(&file).arg(filter);
        let process = Process::start(&mut command, &folder.join("tcpdump.log"), false);
        eventually(seconds(10), "tcpdump listens", || process.log().contains("listening on").then_some(()));
        Self { process, file }
    }

    /// What was captured up to a moment ago.
    pub(crate) fn so_far(&self) -> Vec<Datagram> {
        datagrams(&std::fs::read(&self.file).expect("a capture"))
    }

    /// Ends the capture.
    ///
    /// # Panics
    /// When the kernel dropped a packet, so that the capture proves nothing.
    pub(crate) fn finish(mut self) -> Vec<Datagram> {
        let id = self.process.child.id().to_string();
        Command::new("kill").args(["-INT", &id]).status().expect("kill can be run");
        eventually(seconds(10), "tcpdump ends", || self.process.exit_code());
        let log = self.process.log();
        assert!(log.contains("\n0 packets dropped by kernel"), "the capture is not whole: {log}");
        datagrams(&std::fs::read(&self.file).expect("a capture"))
    }
}

/// Reads a capture of Ethernet frames with IPv4 and UDP; others are passed over, and so is one that is not all written yet.
fn datagrams(file: &[u8]) -> Vec<Datagram> {
    let word = |at: usize| file.get(at..at + 4).map(|bytes| u32::from_le_bytes(bytes.try_into().expect("four bytes")));
    assert_eq!(word(0), Some(0xa1b2_c3d4), "a capture of this machine's byte order, in microseconds");
    let (mut at, mut found) = (24, Vec::new());
    while let (Some(second), Some(micros), Some(length)) = (word(at), word(at + 4), word(at + 8)) {
        let Some(frame) = file.get(at + 16..at + 16 + length as usize) else { break };
        at += 16 + length as usize;
        // Ethertype IPv4, a header without options, protocol UDP.
        if frame.len() < 42 || frame[12..14] != [8, 0] || frame[14] != 0x45 || frame[23] != 17 {
            continue;
        }
        let address = |at: usize, port: usize| {
            let ip = Ipv4Addr::new(frame[at], frame[at + 1], frame[at + 2], frame[at + 3]);
            SocketAddrV4::new(ip, u16::from_be_bytes([frame[port], frame[port + 1]]))
        };
        let time = f64::from(second) + f64::from(micros) / 1e6;
        found.push(Datagram { at: time, from: address(26, 34), to: address(30, 36), bytes: frame[42..].to_vec() });
    }
    found
}

/// The RTP streams among these, by the port they were sent from and their SSRC.
pub(crate) fn streams(datagrams: &[Datagram]) -> BTreeMap<(u16, u32), Stream> {
    let mut found: BTreeMap<(u16, u32), Stream> = BTreeMap::new();
    // RTCP has the odd ports.
    for datagram in datagrams.iter().filter(|datagram| datagram.from.port().is_multiple_of(2)) {
        let Some(rtp) = datagram.bytes.get(..12) else { continue };
        let four = |at: usize| u32::from_be_bytes([rtp[at], rtp[at + 1], rtp[at + 2], rtp[at + 3]]);
        let sequence = u16::from_be_bytes([rtp[2], rtp[3]]);
        let packet = Packet { at: datagram.at, payload_type: rtp[1] & 0x7f, sequence, timestamp: four(4) };
        found.entry((datagram.from.port(), four(8))).or_default().take(packet);
    }
    found
}

/// How a sender has kept time: what is made up for its packets that come late is its own doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Punctuality {
    /// How often it has fallen behind.
    pub(crate) slips: usize,
    /// How often it has paused for longer than can be made up for.
    pub(crate) pauses: usize,
}

impl Punctuality {
    /// Whether all that is wrong with a tone can be the sender's doing.
    pub(crate) fn excuses(self, tone: &Tone) -> bool {
        tone.jumps <= self.slips && tone.gaps.len() <= self.pauses
    }
}

/// That of the longest stream of this payload type, for what is heard from `since` on: each packet against the best of the seconds
/// before it, by its timestamp.
pub(crate) fn punctuality(datagrams: &[Datagram], payload_type: u8, since: SystemTime) -> Punctuality {
    let mut sent: BTreeMap<SocketAddrV4, Vec<(f64, u32)>> = BTreeMap::new();
    for datagram in datagrams {
        // RFC 7983: version 2 of RTP; RTCP has other types.
        let Some([128..=191, kind, _, _, t0, t1, t2, t3]) = datagram.bytes.first_chunk() else { continue };
        if kind & 0x7f == payload_type {
            sent.entry(datagram.from).or_default().push((datagram.at, u32::from_be_bytes([*t0, *t1, *t2, *t3])));
        }
    }
    let longest = sent.into_values().max_by_key(Vec::len).expect("a stream of that kind");
    let first = longest[0].1;
    // When the stream would have begun, were it as punctual as this packet.
    let began: Vec<f64> = longest
        .iter()
        .map(|(at, timestamp)| at - f64::from(timestamp.wrapping_sub(first)) / clock(payload_type) / 1000.0)
        .collect();
    let behind = |n: usize| {
        let remembered = longest[..=n].iter().zip(&began).filter(|((at, _), _)| longest[n].0 - at < MEMORY);
        began[n] - remembered.map(|(_, began)| *began).fold(f64::INFINITY, f64::min)
    };
    let behind: Vec<f64> = (0..longest.len()).map(behind).collect();
    let since = since.duration_since(UNIX_EPOCH).expect("a clock that is set").as_secs_f64() - UNDERWAY;
    let steps = || behind.windows(2).zip(&longest[1..]).filter(|(_, (at, _))| *at >= since).map(|(step, _)| (step[0], step[1]));
    Punctuality {
        slips: steps().filter(|(before, now)| *now > LATE && (*before <= LATE || now - before > LATE)).count(),
        pauses: steps().filter(|(before, now)| *before <= PAUSE && *now > PAUSE).count(),
    }
}

/// Of timestamps, in kHz: Opus, the only one with a dynamic payload type here, has 48 whatever it carries, and G.722 has 8 (RFC 3551).
fn clock(payload_type: u8) -> f64 {
    if payload_type >= 96 { 48.0 } else { 8.0 }
}

impl Stream {
    fn take(&mut self, packet: Packet) {
        self.packets += 1;
        let Some(last) = self.last.replace(packet) else { return };
        let step = packet.timestamp.wrapping_sub(last.timestamp);
        let follows = packet.sequence == last.sequence.wrapping_add(1);
        self.sequence_breaks += u64::from(!follows);
        self.timestamp_breaks += u64::from(*self.usual_step.get_or_insert(step) != step);
        self.timestamp_gap = self.timestamp_gap.max(f64::from(step) / clock(packet.payload_type));
        self.arrival_gap = self.arrival_gap.max((packet.at - last.at) * 1000.0);
        self.length += packet.at - last.at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_packet_a_jump_and_a_pause_are_seen() {
        let mut stream = Stream::default();
        let steps = [(0.0, 1, 0), (0.02, 2, 160), (0.04, 3, 320), (0.08, 5, 640), (0.1, 6, 1280), (0.2, 7, 1440)];
        for (at, sequence, timestamp) in steps {
            stream.take(Packet { at, payload_type: 0, sequence, timestamp });
        }
        assert_eq!((stream.packets, stream.sequence_breaks, stream.timestamp_breaks), (6, 1, 2));
        assert!((stream.timestamp_gap - 80.0).abs() < 1e-9 && (stream.arrival_gap - 100.0).abs() < 1e-6, "{stream:?}");
        assert!((stream.length - 0.2).abs() < 1e-9);
    }

    #[test]
    fn packets_that_a_sender_sends_late_are_counted_and_its_pauses() {
        let address = |port: u16| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let sent = |at: f64, from: u16, payload_type: u8, timestamp: u32| {
            let mut bytes = vec![0x80, payload_type, 0, 0];
            bytes.extend(timestamp.to_be_bytes());
            Datagram { at, from: address(from), to: address(20_000), bytes }
        };
        // 10 ms late, then in time again; held up for 100 ms, and then all at once.
        let times = [0.0, 0.02, 0.05, 0.06, 0.08, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.22];
        let all: Vec<_> = times.iter().zip(0..).map(|(at, n)| sent(*at, 5070, 8, 160 * n)).collect();
        let mut with_others = all.clone();
        with_others.extend([sent(0.0, 6000, 8, 0), sent(1.0, 6000, 8, 160), sent(0.0, 5080, 9, 0), sent(0.02, 5080, 9, 160)]);
        assert_eq!(punctuality(&with_others, 8, UNIX_EPOCH), Punctuality { slips: 2, pauses: 1 });
        assert_eq!(punctuality(&with_others, 9, UNIX_EPOCH), Punctuality { slips: 0, pauses: 0 });
        // What a sender does not catch up with is one slip, and after it there is none.
        let shifted: Vec<_> =
            (0..1000).map(|n| sent(f64::from(n) * 0.02 + if n < 10 { 0.0 } else { 0.03 }, 5070, 8, 160 * n)).collect();
        let slips = |since: u64| punctuality(&shifted, 8, UNIX_EPOCH + seconds(since)).slips;
        assert_eq!((slips(0), slips(1)), (1, 0));
    }
}
