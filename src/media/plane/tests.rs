//! A plane with phones and browsers around it, in virtual time. Everybody hums a tone of their own, and a detector tells the tones
//! apart (DESIGN §15). Every scenario ends with an empty plane.

mod browsers;
mod encryption;
mod gates;
mod hostile;
mod keys;
mod notices;
mod packets;
mod payloads;
mod remotes;
mod rig;
mod shared_mix;

use std::time::Duration;

use super::*;
use crate::codec::CodecKind;
use crate::common::ids::PlayId;
use crate::dsp::tone::Sine;
use crate::media::events::{MediaEvent, SentPackets};
use crate::media::player::PlayKind;
use rig::{Got, KEYS, LEVEL, LOUD, OPEN, QUIET, Rig, bridge, is_as_loud_as_it_was_hummed, level, play, tone};

const SHUT: Gate = Gate { hear: false, speak: false };

fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn is_silence(packet: &Got) -> bool {
    packet.payload.iter().all(|byte| *byte == 0xFF)
}

/// Names the first difference of two worlds, without its content.
fn assert_same(left: &[Vec<Got>], right: &[Vec<Got>]) {
    assert_eq!(left.len(), right.len());
    for (phone, (left, right)) in left.iter().zip(right).enumerate() {
        assert_eq!(left.len(), right.len(), "packets of phone {phone}");
        let first = left.iter().zip(right).position(|(left, right)| left != right);
        assert_eq!(first, None, "the first packet of phone {phone} that is another");
    }
}

/// The largest step from one sample to the next: where it is no larger than a tone's own, nothing clicks.
fn steepest(samples: &[i16]) -> i32 {
    samples.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
}

/// A device's receiver report on what it was sent, up to a packet.
fn report_up_to(ssrc: u32, seq: u16, lost: u32) -> Vec<u8> {
    let block = rtcp::reception_report::ReceptionReport {
        ssrc,
        last_sequence_number: seq.into(),
        total_lost: lost,
        ..Default::default()
    };
    let report = rtcp::receiver_report::ReceiverReport { ssrc: 1, reports: vec![block], ..Default::default() };
    rtcp::packet::marshal(&[Box::new(report)]).expect("marshals").to_vec()
}
