//! What every device of a scenario receives: tcpdump takes the gateway's RTP off the wire with the kernel's own times, and each
//! stream in it is looked at packet by packet. No caller needs to cooperate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::namespace::program;
use crate::patience::{eventually, seconds};
use crate::process::Process;

/// Enough of a packet for the headers down to RTP.
const SNAPPED: usize = 96;
/// Ethernet without VLAN, IPv4 without options, UDP.
const HEADERS: usize = 14 + 20 + 8;

/// A running capture.
#[derive(Debug)]
pub struct Wiretap {
    process: Process,
    file: PathBuf,
}

/// One RTP stream as it was sent.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// Packets.
    pub packets: u64,
    /// Sequence numbers that do not follow the one before.
    pub sequence_breaks: u64,
    /// Packets that follow in number, but whose timestamp has not moved by one packet.
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
    /// In s since 1970.
    at: f64,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
}

impl Wiretap {
    /// Listens on loopback to what is sent from ports `20000-20999`.
    pub fn start(folder: &Path) -> Self {
        let file = folder.join("rtp.pcap");
        let mut command = Command::new(program("tcpdump"));
        command.args(["-i", "lo", "-n", "-U", "-Z", "root", "-B", "32768", "-s", &SNAPPED.to_string(), "-w"]);
        command.arg(&file).arg("udp and src portrange 20000-20999");
        let process = Process::start(&mut command, &folder.join("tcpdump.log"), false);
        eventually(seconds(10), "tcpdump listens", || process.log().contains("listening on").then_some(()));
        Self { process, file }
    }

    /// Ends the capture: the streams by the port they were sent from and their SSRC.
    ///
    /// # Panics
    /// When the kernel dropped a packet, so that the capture proves nothing.
    pub fn finish(mut self) -> BTreeMap<(u16, u32), Stream> {
        let id = self.process.child.id().to_string();
        Command::new("kill").args(["-INT", &id]).status().expect("kill can be run");
        eventually(seconds(10), "tcpdump ends", || self.process.exit_code());
        let log = self.process.log();
        assert!(log.contains("\n0 packets dropped by kernel"), "the capture is not whole: {log}");
        streams(&std::fs::read(&self.file).expect("a capture"))
    }
}

/// Reads a capture in the order of its packets.
fn streams(file: &[u8]) -> BTreeMap<(u16, u32), Stream> {
    let word = |at: usize| file.get(at..at + 4).map(|bytes| u32::from_le_bytes(bytes.try_into().expect("four bytes")));
    assert_eq!(word(0), Some(0xa1b2_c3d4), "a capture of this machine's byte order, in microseconds");
    let mut found: BTreeMap<(u16, u32), Stream> = BTreeMap::new();
    let mut at = 24;
    while let (Some(second), Some(micros), Some(length)) = (word(at), word(at + 4), word(at + 8)) {
        let frame = file.get(at + 16..at + 16 + length as usize).expect("a whole packet");
        at += 16 + length as usize;
        let port = u16::from_be_bytes([frame[34], frame[35]]);
        // RTCP has the odd port.
        let Some(rtp) = frame.get(HEADERS..HEADERS + 12).filter(|_| port.is_multiple_of(2)) else { continue };
        let four = |at: usize| u32::from_be_bytes([rtp[at], rtp[at + 1], rtp[at + 2], rtp[at + 3]]);
        let packet = Packet {
            at: f64::from(second) + f64::from(micros) / 1e6,
            payload_type: rtp[1] & 0x7f,
            sequence: u16::from_be_bytes([rtp[2], rtp[3]]),
            timestamp: four(4),
        };
        found.entry((port, four(8))).or_default().take(packet);
    }
    found
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
}
