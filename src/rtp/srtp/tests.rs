//! Two ends in virtual time: wraps, replays, forgeries, new keys. `vectors` has the packets of the RFCs.

mod vectors;

use std::time::{Duration, Instant};

use super::replay::{ReplayWindow, WINDOW, estimate};
use super::*;
use crate::common::split_mix::SplitMix;
use crate::rtp::packet::write_header;

#[allow(clippy::disallowed_methods, reason = "an arbitrary beginning of virtual time")]
fn start() -> Instant {
    Instant::now()
}

/// The bytes of a text in hexadecimal.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn keys(suite: CryptoSuite, seed: u8) -> SrtpKeys {
    KeyGenerator::new([seed; 32]).generate(suite)
}

fn with_identifier(keys: &SrtpKeys, value: u128, length: usize) -> MasterKey {
    let identifier = MasterKeyIdentifier::new(value, length);
    MasterKey::new(keys.suite, keys.keys[0].material().to_vec(), identifier).unwrap()
}

fn rtp(ssrc: u32, seq: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    write_header(8, false, seq, u32::from(seq) * 160, ssrc, &mut packet);
    packet.extend_from_slice(b"twenty ms of speech");
    packet
}

fn report(ssrc: u32) -> Vec<u8> {
    [&[0x80, 201, 0, 1][..], &ssrc.to_be_bytes()].concat()
}

/// Two ends with the same key, and the time.
struct Pair {
    sender: SrtpSender,
    receiver: SrtpReceiver,
    now: Instant,
    scratch: Vec<u8>,
}

impl Pair {
    fn new(keys: &SrtpKeys) -> Self {
        let (sender, receiver) = (SrtpSender::new(keys).unwrap(), SrtpReceiver::new(keys).unwrap());
        Self { sender, receiver, now: start(), scratch: Vec::new() }
    }

    fn protect(&mut self, ssrc: u32, seq: u16) -> Vec<u8> {
        let mut packet = rtp(ssrc, seq);
        self.sender.protect_rtp(&mut packet).unwrap();
        packet
    }

    fn unprotect(&mut self, datagram: &[u8]) -> Result<Vec<u8>, SrtpError> {
        self.receiver.unprotect_rtp(self.now, datagram, &mut self.scratch)?;
        Ok(self.scratch.clone())
    }

    fn passes(&mut self, ssrc: u32, seq: u16) {
        let datagram = self.protect(ssrc, seq);
        assert_eq!(self.unprotect(&datagram), Ok(rtp(ssrc, seq)), "{seq}");
    }
}

#[test]
fn a3_each_suite_protects_rtp_and_rtcp_with_and_without_mki() {
    for suite in CryptoSuite::ALL {
        for identifier in [None, Some((1, 1)), Some((0x1234_5678, 4)), Some((7, 128))] {
            let mut keys = keys(suite, 1);
            if let Some((value, length)) = identifier {
                keys.keys = vec![with_identifier(&keys, value, length)];
            }
            let mut pair = Pair::new(&keys);
            let extra = identifier.map_or(0, |(_, length)| length);
            let datagram = pair.protect(7, 100);
            assert_eq!(datagram.len(), rtp(7, 100).len() + suite.rtp_tag_length() + extra, "{suite:?}");
            assert!(!datagram.windows(6).any(|bytes| bytes == b"speech"));
            assert_eq!(pair.unprotect(&datagram), Ok(rtp(7, 100)), "{suite:?} {identifier:?}");

            let plain = [report(7), report(9)].concat();
            let mut datagram = plain.clone();
            pair.sender.protect_rtcp(&mut datagram).unwrap();
            assert_eq!(datagram.len(), plain.len() + 4 + suite.rtcp_tag_length() + extra);
            let mut out = Vec::new();
            assert_eq!(pair.receiver.unprotect_rtcp(pair.now, &datagram, &mut out), Ok(()));
            assert_eq!(out, plain, "{suite:?} {identifier:?}");
            assert_eq!(pair.receiver.unprotect_rtcp(pair.now, &datagram, &mut out), Err(SrtpError::Replayed));
        }
    }
}

/// Two hours on hold: the sender goes on, through five wraps.
#[test]
fn a3_two_hours_of_packets_are_followed_through_every_wrap() {
    let mut pair = Pair::new(&keys(CryptoSuite::AesCm128HmacSha1Tag80, 2));
    for number in 0..2 * 3600 * 50_u32 {
        pair.passes(7, (number + 40_000) as u16);
    }
    assert_eq!(pair.receiver.stats(), SrtpStats { accepted: 360_000, ..SrtpStats::default() });
}

/// Ninety days: steps of 20,000 between the wraps, 64 packets around each.
#[test]
fn a3_ninety_days_of_wraps_are_followed() {
    let mut pair = Pair::new(&keys(CryptoSuite::AeadAes128Gcm, 3));
    let packets = 90 * 86_400 * 50_u64;
    let mut wraps = 0;
    for wrap in (65_536..packets).step_by(65_536) {
        for step in [45_536, 25_536] {
            pair.passes(7, (wrap - step) as u16);
        }
        (wrap - 32..wrap + 32).for_each(|number| pair.passes(7, number as u16));
        wraps += 1;
    }
    assert_eq!(wraps, 5_932);
    assert_eq!(pair.receiver.stats().rejected + pair.receiver.stats().replayed, 0);
}

#[test]
fn a3_packets_out_of_order_around_a_wrap_are_taken_once() {
    let mut pair = Pair::new(&keys(CryptoSuite::AesCm128HmacSha1Tag32, 4));
    let mut datagrams: Vec<_> = (65_500..65_600_u32).map(|number| (number as u16, pair.protect(7, number as u16))).collect();
    datagrams.chunks_mut(10).for_each(<[_]>::reverse);
    for (seq, datagram) in &datagrams {
        assert_eq!(pair.unprotect(datagram), Ok(rtp(7, *seq)), "{seq}");
    }
    for (seq, datagram) in &datagrams {
        assert_eq!(pair.unprotect(datagram), Err(SrtpError::Replayed), "{seq}");
    }
    assert_eq!(pair.receiver.stats(), SrtpStats { accepted: 100, rejected: 0, replayed: 100 });
}

#[test]
fn a3_the_replay_window_is_128_packets() {
    let mut window = ReplayWindow::starting_at(1_000);
    window.accept(2_000);
    assert_eq!(WINDOW, 128);
    assert!(window.is_fresh(2_001) && !window.is_fresh(2_000) && window.is_fresh(1_873) && !window.is_fresh(1_872));
    window.accept(1_873);
    assert!(!window.is_fresh(1_873));
    window.accept(2_001);
    assert!(window.is_fresh(1_999) && !window.is_fresh(1_873) && !window.is_fresh(2_000));
    window.accept(u64::MAX >> 16);
    assert!(!window.is_fresh(2_002));
}

#[test]
fn a3_a_sequence_number_stands_for_the_nearest_index() {
    assert_eq!(estimate(65_535, 0), 65_536);
    assert_eq!(estimate(65_536, 65_535), 65_535);
    assert_eq!(estimate(100, 60_000), 60_000, "nothing is older than the first rollover");
    assert_eq!(estimate(3 << 16 | 10, 65_000), (2 << 16) | 65_000);
    assert_eq!(estimate(3 << 16 | 65_000, 10), (4 << 16) | 10);
}

/// A stream joined behind its first wrap, and one that was interrupted for half an hour.
#[test]
fn a3_a_missed_wrap_is_found_again() {
    let mut pair = Pair::new(&keys(CryptoSuite::AesCm128HmacSha1Tag80, 5));
    (65_000..65_540_u32).for_each(|number| drop(pair.protect(7, number as u16)));
    pair.passes(7, 5);
    for step in 1..=4_u32 {
        drop(pair.protect(7, (5 + step * 20_000) as u16));
    }
    pair.passes(7, (5 + 4 * 20_000_u32 + 1) as u16);
}

/// Forged packets, with the SSRC of the device or any other, before its first one and after, take nothing and leave nothing.
#[test]
fn a3_forged_packets_are_counted_and_never_matter() {
    for suite in CryptoSuite::ALL {
        let mut pair = Pair::new(&keys(suite, 6));
        let mut random = SplitMix::new(6);
        let mut forged = 0;
        for seq in 0..300_u16 {
            for _ in 0..20 {
                let ssrc = if random.draw().is_multiple_of(2) { 7 } else { random.draw() as u32 };
                let mut datagram = rtp(ssrc, random.draw() as u16);
                datagram.extend((0..suite.rtp_tag_length()).map(|_| random.draw() as u8));
                forged += u64::from(pair.unprotect(&datagram).is_err());
            }
            pair.passes(7, seq);
        }
        let stats = pair.receiver.stats();
        assert_eq!((forged, stats.accepted, stats.rejected + stats.replayed), (6_000, 300, 6_000), "{suite:?}");
    }
}

/// SRTCP without the E flag is not taken, whatever its tag: nobody has agreed on it.
#[test]
fn a3_reports_without_encryption_are_not_taken() {
    for suite in CryptoSuite::ALL {
        let mut pair = Pair::new(&keys(suite, 7));
        let mut datagram = report(7);
        datagram.extend_from_slice(&[0; 16]);
        datagram.extend_from_slice(&1_u32.to_be_bytes());
        datagram.extend_from_slice(&[0; 10]);
        let result = pair.receiver.unprotect_rtcp(pair.now, &datagram, &mut Vec::new());
        assert!(matches!(result, Err(SrtpError::NotEncrypted | SrtpError::WrongTag)), "{suite:?} {result:?}");
        assert_eq!(pair.receiver.stats().rejected, 1);
    }
}

#[test]
fn a3_packets_of_the_key_before_are_taken_for_five_seconds() {
    let (old, new) = (keys(CryptoSuite::AesCm128HmacSha1Tag80, 8), keys(CryptoSuite::AeadAes256Gcm, 9));
    let mut pair = Pair::new(&old);
    pair.passes(7, 1);
    let under_way = pair.protect(7, 2);
    let late = pair.protect(7, 3);
    pair.receiver.rekey(pair.now, &new).unwrap();
    assert_eq!(pair.unprotect(&under_way), Ok(rtp(7, 2)));
    pair.sender = SrtpSender::new(&new).unwrap();
    pair.passes(7, 4);
    pair.now += Duration::from_secs(6);
    assert!(pair.unprotect(&late).is_err());
    assert_eq!(pair.receiver.suite(), Some(CryptoSuite::AeadAes256Gcm));
}

/// A refresh with the same keys goes on with rollover counter and replay window.
#[test]
fn a3_the_same_key_again_goes_on_where_it_was() {
    let keys = keys(CryptoSuite::AesCm128HmacSha1Tag80, 10);
    let mut pair = Pair::new(&keys);
    let before = pair.protect(7, 65_530);
    assert!(pair.unprotect(&before).is_ok());
    (65_531..65_540_u32).for_each(|number| pair.passes(7, number as u16));
    pair.receiver.rekey(pair.now, &keys).unwrap();
    assert_eq!(pair.unprotect(&before), Err(SrtpError::Replayed));
    pair.passes(7, 10);
}

#[test]
fn a3_of_several_keys_each_packet_names_its_own() {
    let suite = CryptoSuite::AesCm128HmacSha1Tag80;
    let (one, other) = (with_identifier(&keys(suite, 11), 1, 2), with_identifier(&keys(suite, 12), 2, 2));
    let both = SrtpKeys { suite, keys: vec![one.clone(), other.clone()] };
    let mut pair = Pair::new(&both);
    pair.passes(7, 1);
    pair.sender = SrtpSender::new(&SrtpKeys { suite, keys: vec![other] }).unwrap();
    pair.passes(7, 2);
    let stranger = with_identifier(&keys(suite, 13), 3, 2);
    pair.sender = SrtpSender::new(&SrtpKeys { suite, keys: vec![stranger] }).unwrap();
    let datagram = pair.protect(7, 3);
    assert_eq!(pair.unprotect(&datagram), Err(SrtpError::UnknownKey));
}

#[test]
fn a3_identifiers_are_numbers_of_a_length() {
    assert_eq!(MasterKeyIdentifier::new(258, 2).unwrap().bytes(), [1, 2]);
    assert_eq!(MasterKeyIdentifier::new(258, 1), None);
    assert_eq!(MasterKeyIdentifier::new(1, 0), None);
    assert_eq!(MasterKeyIdentifier::new(1, 129), None);
    assert_eq!(MasterKeyIdentifier::new(u128::MAX, 17).unwrap().value(), u128::MAX);
}

/// A device that takes another SSRC again and again is followed; without end it is not.
#[test]
fn a3_sources_under_one_key_are_bounded() {
    let mut pair = Pair::new(&keys(CryptoSuite::AesCm128HmacSha1Tag80, 14));
    (0..256).for_each(|ssrc| pair.passes(ssrc, 1));
    let datagram = pair.protect(256, 1);
    assert_eq!(pair.unprotect(&datagram), Err(SrtpError::TooManySources));
    pair.passes(255, 2);
}

#[test]
fn a3_keys_are_never_printed() {
    let keys = keys(CryptoSuite::AesCm128HmacSha1Tag80, 15);
    let printed = format!("{keys:?} {:?}", KeyGenerator::new([15; 32]));
    let secret = format!("{:?}", keys.keys[0].material());
    assert!(!printed.contains(&secret[1..20]), "{printed}");
    assert_ne!(KeyGenerator::new([1; 32]).generate(keys.suite), KeyGenerator::new([2; 32]).generate(keys.suite));
}

/// Mutated datagrams of every suite never panic, and none is taken.
#[test]
fn a3_mutated_datagrams_never_panic_and_are_never_taken() {
    let mut random = SplitMix::new(16);
    for suite in CryptoSuite::ALL {
        let mut pair = Pair::new(&keys(suite, 16));
        for round in 0..3_000_u16 {
            let mut datagram = pair.protect(7, round);
            if round % 2 == 0 {
                datagram = report(7);
                pair.sender.protect_rtcp(&mut datagram).unwrap();
            }
            let genuine = datagram.clone();
            datagram.truncate((random.draw() % 100) as usize);
            for _ in 0..random.draw() % 4 {
                let at = (random.draw() as usize) % datagram.len().max(1);
                if let Some(byte) = datagram.get_mut(at) {
                    *byte = random.draw() as u8;
                }
            }
            if datagram != genuine {
                assert!(pair.unprotect(&datagram).is_err());
                let now = pair.now;
                assert!(pair.receiver.unprotect_rtcp(now, &datagram, &mut Vec::new()).is_err());
            }
        }
    }
}
