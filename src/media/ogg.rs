//! [`OggOpus`]: Opus packets to the bytes of an Ogg file (RFC 3533, RFC 7845). Pure: whoever calls writes the bytes.
//!
//! Pages are made by the `ogg` crate; Opus' headers and where a page ends are decided here. The crate cannot end a page without a packet, so
//! packets are held back until a page of them is due, and the newest until the next one or the end comes: the page that is marked as the
//! last one always has a packet to carry.

use ogg::writing::{PacketWriteEndInfo, PacketWriter};

/// A page is ended once it holds this much sound, in samples at 48 kHz: what is lost if the process dies.
const PAGE_SAMPLES: u64 = 48_000;

/// Segments in a page: the count is one byte (RFC 3533 section 6).
const MOST_SEGMENTS: usize = 255;

/// One logical stream of mono Opus, written from its beginning to its end.
pub struct OggOpus {
    serial: u32,
    pre_skip: u16,
    rate: u32,
    writer: PacketWriter<'static, Vec<u8>>,
    pending: Vec<Packet>,
    /// Samples at 48 kHz up to the end of the newest packet, the pre-skip among them.
    granule: u64,
    /// The granule position at the end of the newest page.
    paged: u64,
}

struct Packet {
    payload: Vec<u8>,
    /// The granule position at its end.
    granule: u64,
}

impl Packet {
    /// Lacing values: full segments, and one that is not full even if it is empty (RFC 3533 section 6).
    fn segments(length: usize) -> usize {
        length / 255 + 1
    }
}

impl OggOpus {
    /// A stream with a serial number (any, unique in its file), the encoder's look-ahead in samples at 48 kHz, and the rate of
    /// the sound that was encoded, in Hz (informative).
    #[must_use]
    pub fn new(serial: u32, pre_skip: u16, rate: u32) -> Self {
        Self { serial, pre_skip, rate, writer: PacketWriter::new(Vec::new()), pending: Vec::new(), granule: 0, paged: 0 }
    }

    /// The first two pages: identification and comment header (RFC 7845 section 5). Call once, before any packet.
    pub fn headers(&mut self) -> Vec<u8> {
        const VENDOR: &[u8; 8] = b"Roomgate";
        let mut head = b"OpusHead\x01\x01".to_vec();
        head.extend_from_slice(&self.pre_skip.to_le_bytes());
        head.extend_from_slice(&self.rate.to_le_bytes());
        // No gain; mapping family 0, which is mono or stereo.
        head.extend_from_slice(&[0, 0, 0]);
        let mut tags = b"OpusTags\x08\0\0\0".to_vec();
        tags.extend_from_slice(VENDOR);
        tags.extend_from_slice(&0_u32.to_le_bytes());
        let mut bytes = self.page(vec![Packet { payload: head, granule: 0 }], PacketWriteEndInfo::EndPage);
        bytes.extend(self.page(vec![Packet { payload: tags, granule: 0 }], PacketWriteEndInfo::EndPage));
        bytes
    }

    /// Takes one packet that decodes to `samples_48k` samples at 48 kHz, and gives a page when one is full: about every second.
    /// A packet that Opus cannot have made (empty, or larger than a page) is left out.
    pub fn packet(&mut self, opus_payload: &[u8], samples_48k: u32) -> Option<Vec<u8>> {
        let segments = Packet::segments(opus_payload.len());
        if opus_payload.is_empty() || segments > MOST_SEGMENTS {
            return None;
        }
        let used: usize = self.pending.iter().map(|packet| Packet::segments(packet.payload.len())).sum();
        let full = used + segments > MOST_SEGMENTS || self.granule - self.paged >= PAGE_SAMPLES;
        let page = if full { self.take_page(self.pending.len(), PacketWriteEndInfo::EndPage) } else { None };
        self.granule = self.granule.saturating_add(u64::from(samples_48k));
        self.pending.push(Packet { payload: opus_payload.to_vec(), granule: self.granule });
        page
    }

    /// A page of what has come so far, short as it may be: for a pause, in which no packet will push it out.
    pub fn flush(&mut self) -> Option<Vec<u8>> {
        self.take_page(self.pending.len().saturating_sub(1), PacketWriteEndInfo::EndPage)
    }

    /// The last page; empty if no packet ever came.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.take_page(self.pending.len(), PacketWriteEndInfo::EndStream).unwrap_or_default()
    }

    fn take_page(&mut self, packets: usize, end: PacketWriteEndInfo) -> Option<Vec<u8>> {
        let packets: Vec<Packet> = self.pending.drain(..packets).collect();
        self.paged = packets.last()?.granule;
        Some(self.page(packets, end))
    }

    /// One page of whole packets that are known to fit (RFC 3533 section 6).
    fn page(&mut self, packets: Vec<Packet>, end: PacketWriteEndInfo) -> Vec<u8> {
        let last = packets.len().saturating_sub(1);
        for (index, packet) in packets.into_iter().enumerate() {
            let end = if index == last { end } else { PacketWriteEndInfo::NormalPacket };
            let written = self.writer.write_packet(packet.payload, self.serial, end, packet.granule);
            written.expect("a vector takes all that is written to it");
        }
        std::mem::take(self.writer.inner_mut())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use ogg::reading::PacketReader;

    use super::*;

    /// Reads a file with another reader: its packets, each with its page's granule position and the last-packet mark.
    fn read(bytes: &[u8]) -> Vec<(Vec<u8>, u64, bool)> {
        let mut reader = PacketReader::new(Cursor::new(bytes));
        let mut packets = Vec::new();
        while let Ok(Some(packet)) = reader.read_packet() {
            packets.push((packet.data.clone(), packet.absgp_page(), packet.last_in_stream()));
        }
        packets
    }

    /// A stream of `count` packets of 20 ms, each of its own content and length.
    fn stream(count: u8) -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut ogg = OggOpus::new(7, 312, 48_000);
        let mut bytes = ogg.headers();
        let packets: Vec<Vec<u8>> = (0..count).map(|n| vec![n; 1 + usize::from(n) * 3]).collect();
        for packet in &packets {
            bytes.extend(ogg.packet(packet, 960).unwrap_or_default());
        }
        bytes.extend(ogg.finish());
        (bytes, packets)
    }

    #[test]
    fn another_reader_finds_headers_packets_and_the_end() {
        let (bytes, packets) = stream(120);
        let read = read(&bytes);
        assert_eq!(&read[0].0, b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0");
        assert_eq!(&read[1].0, b"OpusTags\x08\0\0\0Roomgate\0\0\0\0");
        let sound: Vec<_> = read[2..].iter().map(|(data, ..)| data.clone()).collect();
        assert_eq!(sound, packets);
        assert_eq!(read.last().map(|(_, granule, last)| (*granule, *last)), Some((120 * 960, true)));
        assert_eq!(read.iter().filter(|(.., last)| *last).count(), 1);
    }

    #[test]
    fn a_page_is_given_every_second_of_sound() {
        let mut ogg = OggOpus::new(7, 0, 48_000);
        ogg.headers();
        let given: Vec<u32> = (0..200).filter(|_| ogg.packet(&[1; 40], 960).is_some()).collect();
        assert_eq!(given, [50, 100, 150]);
    }

    #[test]
    fn a_page_with_all_its_segments_used_is_ended_early() {
        let mut ogg = OggOpus::new(7, 0, 48_000);
        let mut bytes = ogg.headers();
        let packets: Vec<_> = [1275, 61_298, 64_770, 1, 254, 255, 510].iter().map(|length| vec![9; *length]).collect();
        packets.iter().for_each(|packet| bytes.extend(ogg.packet(packet, 960).unwrap_or_default()));
        bytes.extend(ogg.finish());
        assert_eq!(read(&bytes)[2..].iter().map(|(data, ..)| data.clone()).collect::<Vec<_>>(), packets);
    }

    #[test]
    fn what_opus_cannot_have_made_is_left_out() {
        let mut ogg = OggOpus::new(7, 0, 48_000);
        assert!(ogg.packet(&[], 960).is_none() && ogg.packet(&[0; 255 * 255], 960).is_none());
        assert!(ogg.finish().is_empty());
    }

    #[test]
    fn a_pause_puts_out_all_but_the_newest_packet() {
        let mut ogg = OggOpus::new(7, 0, 48_000);
        let mut bytes = ogg.headers();
        (0..3).for_each(|n| assert!(ogg.packet(&[n + 1], 960).is_none()));
        bytes.extend(ogg.flush().unwrap());
        assert!(ogg.flush().is_none());
        assert_eq!(read(&bytes).len(), 4);
        bytes.extend(ogg.finish());
        assert_eq!(read(&bytes).last(), Some(&(vec![3], 2880, true)));
    }

    /// A file cut off anywhere is readable up to its last whole page.
    #[test]
    fn a_file_cut_off_anywhere_is_readable_up_to_its_last_whole() {
        let (bytes, packets) = stream(160);
        let whole = read(&bytes);
        let page_starts: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"OggS\0")).collect();
        assert_eq!(page_starts.len(), 6);
        for cut in page_starts[2]..bytes.len() {
            let read = read(&bytes[..cut]);
            let whole_pages = page_starts.iter().filter(|start| **start <= cut).count() - 1;
            let packets = if whole_pages < 2 { 0 } else { ((whole_pages - 2) * 50).min(packets.len()) };
            assert_eq!(read, whole[..2 + packets], "cut at {cut}");
        }
    }
}
