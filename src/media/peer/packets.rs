//! Packets as the WebRTC stack gives them, read like those of devices.

use crate::rtp::packet::Packet;

/// A received packet, whose payload stays where it is.
pub(super) fn received(packet: &rtp::Packet) -> Packet<'_> {
    let header = &packet.header;
    Packet {
        pt: header.payload_type,
        marker: header.marker,
        seq: header.sequence_number,
        timestamp: header.timestamp,
        ssrc: header.ssrc,
        payload: &packet.payload,
    }
}
