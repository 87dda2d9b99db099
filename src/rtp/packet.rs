//! The RTP packet (RFC 3550 §5.1): read without allocation and without trust, written without options.

/// A received packet; the payload is borrowed from the datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// Payload type, 0 to 127.
    pub pt: u8,
    /// For audio: first packet after a silence (RFC 3551 §4.1). Never needed here.
    pub marker: bool,
    /// Sequence number.
    pub seq: u16,
    /// Sampling instant of the first sample, in ticks of the codec's RTP clock.
    pub timestamp: u32,
    /// Synchronization source.
    pub ssrc: u32,
    /// What is left after CSRCs, extension and padding. May be empty.
    pub payload: &'a [u8],
}

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PacketError {
    /// It ends before its header does.
    #[error("shorter than its header says")]
    Short,
    /// Its version is not 2: STUN, DTLS or noise.
    #[error("not RTP version 2")]
    Version,
    /// It is RTCP on the same port (RFC 5761 §4: types 192 to 223 where RTP has marker and payload type).
    #[error("RTCP, not RTP")]
    Rtcp,
    /// The padding is longer than the payload, or counts no byte.
    #[error("padding does not fit")]
    Padding,
}

/// Bytes of the fixed header.
pub const HEADER_LENGTH: usize = 12;

impl<'a> Packet<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// When it is not an RTP packet; it is to be dropped and counted.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let length = header_length(datagram)?;
        let (header, _) = datagram.split_first_chunk::<HEADER_LENGTH>().ok_or(PacketError::Short)?;
        let [first, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3] = *header;
        let mut rest = datagram.get(length..).ok_or(PacketError::Short)?;
        if first & 0x20 != 0 {
            let padding = usize::from(*rest.last().ok_or(PacketError::Padding)?);
            let length = rest.len().checked_sub(padding).filter(|_| padding > 0).ok_or(PacketError::Padding)?;
            rest = rest.get(..length).ok_or(PacketError::Padding)?;
        }
        Ok(Self {
            pt: second & 0x7f,
            marker: second & 0x80 != 0,
            seq: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
            payload: rest,
        })
    }
}

/// Where the payload of an RTP packet begins: behind fixed header, contributors and extension. The payload is not looked at, so it may be encrypted.
///
/// # Errors
/// When it is not an RTP packet, or ends before its header does.
pub fn header_length(datagram: &[u8]) -> Result<usize, PacketError> {
    let (&[first, second, ..], mut rest) = datagram.split_first_chunk::<HEADER_LENGTH>().ok_or(PacketError::Short)?;
    if first >> 6 != 2 {
        return Err(PacketError::Version);
    }
    if (192..=223).contains(&second) {
        return Err(PacketError::Rtcp);
    }
    let contributors = usize::from(first & 0x0f) * 4;
    rest = rest.get(contributors..).ok_or(PacketError::Short)?;
    if first & 0x10 != 0 {
        // The extension's inside is not looked at: its length alone says where the payload begins.
        let ([_, _, high, low], behind) = rest.split_first_chunk::<4>().ok_or(PacketError::Short)?;
        rest = behind.get(usize::from(u16::from_be_bytes([*high, *low])) * 4..).ok_or(PacketError::Short)?;
    }
    Ok(datagram.len() - rest.len())
}

/// Appends a header without CSRC, extension or padding; the payload is to follow.
pub fn write_header(pt: u8, marker: bool, seq: u16, timestamp: u32, ssrc: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x80, pt & 0x7f | if marker { 0x80 } else { 0 }]);
    out.extend_from_slice(&seq.to_be_bytes());
    out.extend_from_slice(&timestamp.to_be_bytes());
    out.extend_from_slice(&ssrc.to_be_bytes());
}

/// Whether a datagram on a shared port is RTCP (RFC 5761 §4).
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, _, _, _, _, _, _, ..] if first >> 6 == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut datagram = Vec::new();
        write_header(111, true, 0xfffe, 0xdead_beef, 0x0102_0304, &mut datagram);
        datagram.extend_from_slice(b"voice");
        let packet = Packet::parse(&datagram).unwrap();
        assert_eq!(
            packet,
            Packet { pt: 111, marker: true, seq: 0xfffe, timestamp: 0xdead_beef, ssrc: 0x0102_0304, payload: b"voice" }
        );
    }

    #[test]
    fn contributors_extension_and_padding_are_no_payload() {
        let mut datagram = vec![0x80 | 0x20 | 0x10 | 2, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        datagram.extend_from_slice(&[9; 8]);
        datagram.extend_from_slice(&[0xbe, 0xde, 0, 2, 0xf0, 1, 2, 3, 4, 5, 6, 7]);
        datagram.extend_from_slice(b"abc");
        datagram.extend_from_slice(&[0, 0, 3]);
        assert_eq!(Packet::parse(&datagram).unwrap().payload, b"abc");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let fixed = [0x80, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        assert_eq!(Packet::parse(&fixed).unwrap().payload, b"");
        assert_eq!(Packet::parse(&fixed[..11]), Err(PacketError::Short));
        let with_first = |first: u8| [&[first], &fixed[1..]].concat();
        assert_eq!(Packet::parse(&with_first(0x40)), Err(PacketError::Version));
        assert_eq!(Packet::parse(&with_first(0x81)), Err(PacketError::Short));
        assert_eq!(Packet::parse(&with_first(0x90)), Err(PacketError::Short));
        assert_eq!(Packet::parse(&with_first(0xa0)), Err(PacketError::Padding));
        assert_eq!(Packet::parse(&[&with_first(0xa0)[..], &[1, 0]].concat()), Err(PacketError::Padding));
        assert_eq!(Packet::parse(&[&with_first(0xa0)[..], &[1, 9]].concat()), Err(PacketError::Padding));
        let report = [0x80, 200, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        assert_eq!(Packet::parse(&report), Err(PacketError::Rtcp));
        assert!(is_rtcp(&report) && !is_rtcp(&fixed) && !is_rtcp(&report[..3]));
    }

    /// Mutated packets never panic and never give more than they hold.
    #[test]
    fn mutated_packets_never_panic_and_never_give() {
        let mut random = crate::common::split_mix::SplitMix::new(7);
        let base = [&[0xb3, 0x88][..], &[0x5a; 90]].concat();
        for _ in 0..20_000 {
            let mut datagram = base.clone();
            datagram.truncate((random.draw() % 92) as usize);
            for _ in 0..random.draw() % 6 {
                let at = (random.draw() as usize) % datagram.len().max(1);
                if let Some(byte) = datagram.get_mut(at) {
                    *byte = random.draw() as u8;
                }
            }
            if let Ok(packet) = Packet::parse(&datagram) {
                assert!(packet.payload.len() + HEADER_LENGTH <= datagram.len());
            }
        }
    }
}
