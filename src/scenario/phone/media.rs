//! The media of a phone: RTP and RTCP (RFC 3550), telephone events (RFC 4733), a tone of its own.

use std::net::SocketAddr;
use std::time::Instant;

use crate::common::machine;

use super::line::{Got, KEYS, Line, PTIME};

impl Line {
    pub(super) fn rtp(&mut self, at: Instant, datagram: &[u8]) {
        if self.dtls.is_some() && (self.takes_handshake(at, datagram) || matches!(datagram[1], 200..=207)) {
            return;
        }
        let unprotected = match (&mut self.srtp, &mut self.dtls) {
            (Some(srtp), _) => Some(srtp.unprotect_rtp(datagram)),
            (None, Some(dtls)) => dtls.unprotect_rtp(datagram),
            (None, None) => Some(datagram.to_vec()),
        };
        let Some(packet) = unprotected else { return };
        let datagram = packet.as_slice();
        assert!(datagram.len() >= 12 && datagram[0] == 0x80, "RTP without extras");
        let word = |at: usize| u32::from_be_bytes(datagram[at..at + 4].try_into().expect("four"));
        let seq = u16::from_be_bytes([datagram[2], datagram[3]]);
        self.got.push(Got { at, seq, timestamp: word(4), ssrc: word(8) });
        if datagram[1] & 0x7F == self.payload_type() {
            let mut samples = Vec::new();
            self.decoder.decode(&datagram[12..], &mut samples).expect("our codec");
            self.listener.hear(at, &samples);
        }
    }

    pub(super) fn tick(&mut self) {
        let Some(remote) = self.remote else { return };
        self.ticks += 1;
        if self.repeats_handshake(machine::now()) {
            return;
        }
        if self.ticks.is_multiple_of(50) {
            self.report(SocketAddr::new(remote.ip(), remote.port() + 1));
        }
        if self.silent {
            return;
        }
        let row = self.codec.row();
        let timestamp = self.timestamp;
        self.timestamp = timestamp.wrapping_add(u32::try_from(row.rtp_clock.samples(PTIME)).expect("fits"));
        match self.keys.pop_front() {
            Some(Some((payload, first))) => {
                if first {
                    self.key_began = timestamp;
                }
                self.packet(remote, KEYS, first, self.key_began, &payload);
            }
            Some(None) => {}
            None => {
                let mut samples = vec![0; row.sample_rate.samples(PTIME)];
                if self.holding {
                    self.music.fill(&mut samples)
                } else {
                    self.tone.fill(&mut samples)
                }
                let mut payload = Vec::new();
                self.encoder.encode(&samples, &mut payload).expect("encodes");
                self.packet(remote, self.payload_type(), false, timestamp, &payload);
            }
        }
    }

    /// RFC 3550 section 5.1.
    fn packet(&mut self, to: SocketAddr, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) {
        let mut packet = vec![0x80, payload_type | u8::from(marker) << 7];
        packet.extend(self.seq.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(payload);
        self.seq = self.seq.wrapping_add(1);
        if self.loses == 0 || !self.seq.is_multiple_of(self.loses) {
            let datagram = self.protected(packet);
            self.rtp.send_to(&datagram, to).expect("sent");
        }
    }

    /// A receiver report and a name (RFC 3550 sections 6.4.2 and 6.5), as if it had heard everything since its call began.
    fn report(&mut self, to: SocketAddr) {
        let stream = |got: &&Got| self.got.last().is_some_and(|last| last.ssrc == got.ssrc);
        let (Some(first), Some(last)) = (self.got.iter().find(stream), self.got.last()) else { return };
        if self.reports_nothing {
            return;
        }
        let of_it: Vec<&Got> = self.got.iter().filter(stream).collect();
        let wraps = of_it.windows(2).filter(|pair| pair[0].seq > 0xF000 && pair[1].seq < 0x1000).count();
        let highest = u32::try_from(wraps).expect("few") << 16 | u32::from(last.seq);
        let expected = highest - u32::from(first.seq) + 1;
        let lost = expected - u32::try_from(of_it.len()).expect("few");
        let mut packet = vec![0x81, 201, 0, 7];
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(last.ssrc.to_be_bytes());
        for word in [lost, highest, 0, 0, 0] {
            packet.extend(u32::to_be_bytes(word));
        }
        packet.extend([0x81, 202, 0, 3]);
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend([1, 5, b'p', b'h', b'o', b'n', b'e', 0]);
        if let Some(srtp) = &mut self.srtp {
            packet = srtp.protect_rtcp(&packet);
        }
        if let Some(dtls) = &mut self.dtls {
            // Both share a port.
            let to = SocketAddr::new(to.ip(), to.port() - 1);
            self.rtp.send_to(&dtls.protect_rtcp(&packet), to).expect("sent");
            return;
        }
        self.rtcp.send_to(&packet, to).expect("sent");
    }

    /// One press (RFC 4733 section 2.5): three packets, the end three times, and a pause of so many packets.
    pub(super) fn press(&mut self, key: char, pause: usize) {
        let event = b"0123456789*#".iter().position(|known| char::from(*known) == key).expect("a key") as u8;
        let step = u16::try_from(self.codec.row().rtp_clock.samples(PTIME)).expect("fits");
        for n in 1..=3_u16 {
            let [high, low] = (n * step).to_be_bytes();
            self.keys.push_back(Some(([event, 10, high, low], n == 1)));
        }
        let [high, low] = (4 * step).to_be_bytes();
        self.keys.extend([Some(([event, 0x80 | 10, high, low], false)); 3]);
        self.keys.extend(std::iter::repeat_n(None, pause));
    }
}
