//! tcpdump on loopback, with the kernel's own times: what every device of a scenario receives, packet by packet, without its help;
//! and what real peers send, for those who want to imitate them badly.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::namespace::program;
use crate::patience::{eventually, seconds};
use crate::process::Process;

/// RTP and RTCP of devices, as the gateway sends it.
pub const TO_DEVICES: &str = "udp and src portrange 20000-20999";

/// A packet of 20 ms, in s, and more than half of the margin that a stream begins with.
const LATE: f64 = 0.025;

/// A running capture.
#[derive(Debug)]
pub struct Wiretap {
    process: Process,
    file: PathBuf,
}

/// One captured datagram.
#[derive(Debug, Clone)]
pub struct Datagram {
    /// In s since 1970.
    pub at: f64,
    /// From where.
    pub from: SocketAddrV4,
    /// Where to.
    pub to: SocketAddrV4,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// One RTP stream as it was sent.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// Packets.
    pub packets: u64,
    /// Sequence numbers that do not follow the one before.
    pub sequence_breaks: u64,
    /// Packets whose timestamp has not moved by one packet.
    pub timestamp_breaks: u64,
    /// The longest step of the timestamp, in ms.
    pub timestamp_gap: f64,
    /// The longest time between two packets, in ms.
    pub arrival_gap: f64,
    /// From the first to the last packet, in s.
    pub length: f64,
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
    pub fn start(folder: &Path, filter: &str) -> Self {
        let file = folder.join("capture.pcap");
        let mut command = Command::new(program("tcpdump"));
        command.args(["-i", "lo", "-n", "-U", "-Z", "root", "-B", "65536", "-s", "2048", "-w"]).arg(&file).arg(filter);
        let process = Process::start(&mut command, &folder.join("tcpdump.log"), false);
        eventually(seconds(10), "tcpdump listens", || process.log().contains("listening on").then_some(()));
        Self { process, file }
    }

    /// Ends the capture.
    ///
    /// # Panics
    /// When the kernel dropped a packet, so that the capture proves nothing.
    pub fn finish(mut self) -> Vec<Datagram> {
        let id = self.process.child.id().to_string();
        Command::new("kill").args(["-INT", &id]).status().expect("kill can be run");
        eventually(seconds(10), "tcpdump ends", || self.process.exit_code());
        let log = self.process.log();
        assert!(log.contains("\n0 packets dropped by kernel"), "the capture is not whole: {log}");
        datagrams(&std::fs::read(&self.file).expect("a capture"))
    }
}

/// Reads a capture of Ethernet frames with IPv4 and UDP; others are passed over.
fn datagrams(file: &[u8]) -> Vec<Datagram> {
    let word = |at: usize| file.get(at..at + 4).map(|bytes| u32::from_le_bytes(bytes.try_into().expect("four bytes")));
    assert_eq!(word(0), Some(0xa1b2_c3d4), "a capture of this machine's byte order, in microseconds");
    let (mut at, mut found) = (24, Vec::new());
    while let (Some(second), Some(micros), Some(length)) = (word(at), word(at + 4), word(at + 8)) {
        let frame = file.get(at + 16..at + 16 + length as usize).expect("a whole packet");
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
pub fn streams(datagrams: &[Datagram]) -> BTreeMap<(u16, u32), Stream> {
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

/// How many packets of the longest stream of this payload type to the gateway came so late after the one before that what had to be
/// played meanwhile was made up: the sender's own doing.
pub fn late(datagrams: &[Datagram], payload_type: u8) -> usize {
    let mut times: BTreeMap<SocketAddrV4, Vec<f64>> = BTreeMap::new();
    let is_meant = |one: &&Datagram| {
        one.to.port() >= 20_000
            && one.to.port().is_multiple_of(2)
            && one.bytes.get(1).is_some_and(|byte| byte & 0x7f == payload_type)
    };
    for datagram in datagrams.iter().filter(is_meant) {
        times.entry(datagram.from).or_default().push(datagram.at);
    }
    let longest = times.into_values().max_by_key(Vec::len).expect("a stream of that kind");
    longest.windows(2).filter(|pair| pair[1] - pair[0] > LATE).count()
}

impl Stream {
    fn take(&mut self, packet: Packet) {
        self.packets += 1;
        let Some(last) = self.last.replace(packet) else { return };
        // Opus, the only one with a dynamic payload type here, has a clock of 48 kHz whatever it carries.
        let clock = if packet.payload_type >= 96 { 48.0 } else { 8.0 };
        let step = packet.timestamp.wrapping_sub(last.timestamp);
        let follows = packet.sequence == last.sequence.wrapping_add(1);
        self.sequence_breaks += u64::from(!follows);
        self.timestamp_breaks += u64::from(*self.usual_step.get_or_insert(step) != step);
        self.timestamp_gap = self.timestamp_gap.max(f64::from(step) / clock);
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
    fn packets_that_a_sender_sends_late_are_counted() {
        let address = |port: u16| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let sent = |at: f64, from: u16, payload_type: u8| Datagram {
            at,
            from: address(from),
            to: address(20_000),
            bytes: vec![0x80, payload_type],
        };
        let times = [0.0, 0.02, 0.04, 0.07, 0.08, 0.1];
        let mut all: Vec<_> = times.map(|at| sent(at, 5070, 8)).into();
        all.extend([sent(0.0, 6000, 8), sent(1.0, 6000, 8), sent(0.0, 5080, 9), sent(2.0, 5080, 9)]);
        assert_eq!((late(&all, 8), late(&all, 9)), (1, 1));
    }
}
