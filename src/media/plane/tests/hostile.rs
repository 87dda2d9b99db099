//! What strangers and broken peers send (S-7, X-1).

use super::*;
use crate::common::split_mix::SplitMix;

const STRANGER: &str = "203.0.113.66:4000";

/// What two phones in a call, and one that waits, are sent in two seconds, while `disturb` is called every 20 ms.
fn sent_in_a_call(mut disturb: impl FnMut(&mut Rig)) -> Vec<Vec<Got>> {
    let mut rig = Rig::new();
    rig.seated_phone(CodecKind::Pcmu, 440.0);
    rig.seated_phone(CodecKind::G722, 610.0);
    let waiting = rig.phone(CodecKind::Pcmu);
    rig.port_of(waiting).set_music(Some(tone(1_000.0, millis(700))));
    for _ in 0..100 {
        disturb(&mut rig);
        rig.run(20);
    }
    let got = rig.phones.iter_mut().map(|phone| std::mem::take(&mut phone.got)).collect();
    rig.ends();
    got
}

/// Rtp from a foreign address reaches nobody and changes nothing.
#[test]
fn s7_rtp_from_a_foreign_address_reaches_nobody_and_changes() {
    let from = STRANGER.parse().expect("an address");
    let undisturbed = sent_in_a_call(|_| {});
    let mut sent = 0;
    let disturbed = sent_in_a_call(|rig| {
        for at in 0..rig.phones.len() {
            // The very packet that the phone will send next, but with other sound in it: same source, number and time.
            let mut forged = rig.phones[at].outgoing.clone();
            let (phone, now) = (&rig.phones[at], rig.now);
            let mut packet = Vec::new();
            forged.packet(phone.profile.payload_type_send, false, &[0x2A; 160], 160, &mut packet);
            rig.planes[0].receive(now, SocketId::Port(phone.port, Channel::Rtp), from, &packet);
            rig.planes[0].receive(now, SocketId::Port(phone.port, Channel::Rtcp), from, &[0x81, 203, 0, 1, 0, 0, 0, 1]);
            sent += 1;
        }
    });
    assert_same(&disturbed, &undisturbed);
    assert_eq!(sent, 300);
}

/// Rtp from a foreign address is counted and never followed even where it comes first.
#[test]
fn s7_rtp_from_a_foreign_address_is_counted_and_never_followed() {
    let from = STRANGER.parse().expect("an address");
    let mut rig = Rig::new();
    let phone = rig.phone(CodecKind::Pcmu);
    let port = rig.phones[phone].port;
    let packets: Vec<_> = std::iter::repeat_with(|| rig.phones[phone].voice()).take(20).collect();
    for packet in packets {
        let now = rig.now;
        rig.planes[0].receive(now, SocketId::Port(port, Channel::Rtp), from, &packet);
    }
    assert!(rig.phones[phone].events().is_empty(), "nothing flows");
    // The rig itself watches that nothing is sent to the stranger.
    rig.run(500);
    assert!(matches!(rig.phones[phone].events()[..], [MediaEvent::Flowing]));
    let stats = rig.port_of(phone).stats();
    assert_eq!((stats.refused, stats.lost), (20, 0));
    rig.ends();
}

/// `datagram`, with a few bytes changed, cut off or added.
fn mutated(random: &mut SplitMix, datagram: &[u8]) -> Vec<u8> {
    let mut bytes = datagram.to_vec();
    for _ in 0..1 + random.draw() % 6 {
        let at = random.draw() as usize % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = random.draw() as u8;
        }
    }
    match random.draw() % 4 {
        0 => bytes.truncate(random.draw() as usize % (bytes.len() + 1)),
        1 => bytes.extend((0..random.draw() % 64).map(|at| at as u8)),
        _ => {}
    }
    bytes
}

/// A STUN binding request for a peer of ours, without the integrity that only its browser can give.
fn check() -> Vec<u8> {
    let name = b"AbCdEfGh:browser1";
    let mut bytes = vec![0, 1, 0, 24, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 6, 0, 17];
    bytes.extend_from_slice(name);
    bytes.resize(20 + 24, 0);
    bytes
}

#[test]
fn ten_thousand_mutated_datagrams_leave_a_call_untouched() {
    let undisturbed = sent_in_a_call(|_| {});
    let from: SocketAddr = STRANGER.parse().expect("an address");
    let webrtc: SocketAddr = rig::WEBRTC.parse().expect("an address");
    let mut random = SplitMix::new(2_026);
    let mut sent = 0;
    let disturbed = sent_in_a_call(|rig| {
        for _ in 0..25 {
            let at = random.draw() as usize % rig.phones.len();
            let mut forged = rig.phones[at].outgoing.clone();
            let mut voice = Vec::new();
            forged.packet(rig.phones[at].profile.payload_type_send, false, &[0x2A; 160], 160, &mut voice);
            let (port, own, now) = (rig.phones[at].port, rig.phones[at].profile.remote_rtcp, rig.now);
            let report = report_up_to(rig.phones[at].got.first().map_or(0, |packet| packet.ssrc), 1, 0);
            let plane = &mut rig.planes[0];
            plane.receive(now, SocketId::Port(port, Channel::Rtp), from, &mutated(&mut random, &voice));
            // Reports of the phone's own are no better than what is in them.
            plane.receive(now, SocketId::Port(port, Channel::Rtcp), own, &mutated(&mut random, &report));
            plane.receive(now, SocketId::Port(port, Channel::Rtcp), from, &mutated(&mut random, &report));
            plane.receive(now, SocketId::WebRtc(webrtc), from, &mutated(&mut random, &check()));
            sent += 4;
        }
    });
    assert_same(&disturbed, &undisturbed);
    assert_eq!(sent, 10_000);
}

/// A phone that sends rubbish for a while is heard again after it.
#[test]
fn a_phone_that_sends_rubbish_for_a_while_is_heard() {
    let mut rig = Rig::new();
    let broken = rig.seated_phone(CodecKind::Pcmu, 440.0);
    let listener = rig.seated_phone(CodecKind::Pcmu, 610.0);
    let mut random = SplitMix::new(7);
    for _ in 0..100 {
        for _ in 0..20 {
            let mut forged = rig.phones[broken].outgoing.clone();
            let mut packet = Vec::new();
            forged.packet(0, false, &[0x2A; 160], 160, &mut packet);
            rig.sends(broken, &mutated(&mut random, &packet));
        }
        rig.run(20);
    }
    rig.settle(1_000);
    rig.run(1_000);
    let heard = rig.phones[listener].hears(&[440.0])[0];
    // So uneven and so loud, the tone was levelled meanwhile.
    assert!((LEVEL - 6.0..LEVEL + 1.0).contains(&heard), "{heard}");
    let heard = rig.phones[broken].hears(&[610.0])[0];
    assert!(is_as_loud_as_it_was_hummed(heard), "{heard}");
    rig.ends();
}
