//! S-7 as a table of histories.

use super::*;
use crate::common::split_mix::SplitMix;

const SDP: &str = "192.168.1.20:4000";
const NAT: &str = "203.0.113.7";
const PUBLIC: &str = "203.0.113.7:4000";

/// One packet: milliseconds since the start, source, negotiated payload type; accepted?, target afterwards.
type Step = (u64, &'static str, bool, bool, &'static str);

fn run(name: &str, sdp: &str, signalling: &str, steps: &[Step]) -> Latch {
    let begin = start();
    let mut latch = latch(sdp, signalling);
    for (at, &(ms, from, negotiated, accepted, target)) in steps.iter().enumerate() {
        let got = latch.accept(begin + Duration::from_millis(ms), from.parse().unwrap(), negotiated);
        assert_eq!(got, accepted, "{name}, step {at}");
        assert_eq!(latch.target().or(latch.unproven()), Some(target.parse().unwrap()), "{name}, step {at}");
    }
    latch
}

fn latch(sdp: &str, signalling: &str) -> Latch {
    let (sdp, signalling): (SocketAddr, IpAddr) = (sdp.parse().unwrap(), signalling.parse().unwrap());
    Latch::new(sdp, signalling, if sdp.ip() == signalling.to_canonical() { NamedSource::Trusted } else { NamedSource::Unproven })
}

#[allow(clippy::disallowed_methods, reason = "an arbitrary beginning of virtual time")]
fn start() -> Instant {
    Instant::now()
}

#[test]
fn s7_media_from_the_sdp_address_is_taken_at_once() {
    run("plain", PUBLIC, NAT, &[(0, PUBLIC, true, true, PUBLIC), (20, PUBLIC, true, true, PUBLIC)]);
    run(
        "sdp address although signalling differs",
        SDP,
        NAT,
        &[(0, SDP, true, false, SDP), (20, SDP, true, true, SDP), (40, "203.0.113.7:9", true, false, SDP)],
    );
}

/// Behind nat two consecutive packets from the signalling ip fix the port.
#[test]
fn s7_behind_nat_two_consecutive_packets_from_the_signalling_ip() {
    run(
        "nat",
        SDP,
        NAT,
        &[
            (0, "203.0.113.7:30001", true, false, SDP),
            (20, "203.0.113.7:30001", true, true, "203.0.113.7:30001"),
            (40, "203.0.113.7:30001", true, true, "203.0.113.7:30001"),
            (60, SDP, true, false, "203.0.113.7:30001"),
        ],
    );
    run(
        "two ports take turns: neither is consecutive",
        SDP,
        NAT,
        &[
            (0, "203.0.113.7:1001", true, false, SDP),
            (20, "203.0.113.7:1002", true, false, SDP),
            (40, "203.0.113.7:1001", true, false, SDP),
            (60, "203.0.113.7:1001", true, true, "203.0.113.7:1001"),
        ],
    );
}

#[test]
fn s7_another_ip_is_never_followed_and_spoils_nothing() {
    run(
        "bleed before",
        SDP,
        NAT,
        &[
            (0, "198.51.100.1:4000", true, false, SDP),
            (20, "198.51.100.1:4000", true, false, SDP),
            (40, "203.0.113.7:30001", true, false, SDP),
            (41, "198.51.100.1:4000", true, false, SDP),
            (60, "203.0.113.7:30001", true, true, "203.0.113.7:30001"),
        ],
    );
    run(
        "bleed after, however long the silence",
        PUBLIC,
        NAT,
        &[
            (0, PUBLIC, true, true, PUBLIC),
            (60_000, "198.51.100.1:4000", true, false, PUBLIC),
            (60_020, "198.51.100.1:4000", true, false, PUBLIC),
            (60_040, PUBLIC, true, true, PUBLIC),
        ],
    );
}

#[test]
fn s7_a_port_change_is_followed_after_one_second_of_silence() {
    run(
        "change",
        PUBLIC,
        NAT,
        &[
            (0, PUBLIC, true, true, PUBLIC),
            (500, "203.0.113.7:5000", true, false, PUBLIC),
            (520, "203.0.113.7:5000", true, false, PUBLIC),
            (600, PUBLIC, true, true, PUBLIC),
            (1599, "203.0.113.7:5000", true, false, PUBLIC),
            (1600, "203.0.113.7:5000", true, true, "203.0.113.7:5000"),
            (1610, PUBLIC, true, false, "203.0.113.7:5000"),
        ],
    );
    run(
        "a device that sends from another port than it named",
        PUBLIC,
        NAT,
        &[
            (0, "203.0.113.7:5000", true, false, PUBLIC),
            (20, "203.0.113.7:5000", true, false, PUBLIC),
            (999, "203.0.113.7:5000", true, false, PUBLIC),
            (1000, "203.0.113.7:5000", true, true, "203.0.113.7:5000"),
        ],
    );
}

#[test]
fn s7_rtcp_and_unknown_payload_types_have_no_effect() {
    run(
        "not media",
        SDP,
        NAT,
        &[
            (0, "203.0.113.7:30001", false, false, SDP),
            (20, "203.0.113.7:30001", true, false, SDP),
            (21, "203.0.113.7:30001", false, false, SDP),
            (40, "203.0.113.7:30001", true, true, "203.0.113.7:30001"),
            (2000, "203.0.113.7:30001", false, false, "203.0.113.7:30001"),
            (2020, "203.0.113.7:6", true, false, "203.0.113.7:30001"),
            (2040, "203.0.113.7:6", true, true, "203.0.113.7:6"),
        ],
    );
}

#[test]
fn s7_a_new_offer_begins_anew_and_a_refresh_does_not() {
    let mut latch =
        run("first", SDP, NAT, &[(0, "203.0.113.7:1", true, false, SDP), (20, "203.0.113.7:1", true, true, "203.0.113.7:1")]);
    assert!(!latch.renegotiated(SDP.parse().unwrap(), NAT.parse().unwrap(), NamedSource::Unproven));
    assert_eq!(latch.latched(), Some("203.0.113.7:1".parse().unwrap()));
    assert!(latch.renegotiated("192.168.1.20:4100".parse().unwrap(), NAT.parse().unwrap(), NamedSource::Unproven));
    assert_eq!((latch.latched(), latch.target(), latch.unproven()), (None, None, Some("192.168.1.20:4100".parse().unwrap())));
}

/// Nothing is sent to no address and mapped addresses are ipv4.
#[test]
fn s7_nothing_is_sent_to_no_address_and_mapped_addresses() {
    for nowhere in ["0.0.0.0:4000", "192.0.2.1:0"] {
        let trusted = Latch::new(nowhere.parse().unwrap(), NAT.parse().unwrap(), NamedSource::Trusted);
        assert_eq!((trusted.target(), latch(nowhere, NAT).unproven()), (None, None));
    }
    run("mapped", PUBLIC, "::ffff:203.0.113.7", &[(0, "[::ffff:203.0.113.7]:4000", true, true, PUBLIC)]);
    run("ipv6", "[2001:db8::1]:4000", "2001:db8::1", &[(0, "[2001:db8::1]:4000", true, true, "[2001:db8::1]:4000")]);
}

#[test]
fn s7_no_history_ever_leads_to_a_third_ip() {
    let mut random = SplitMix::new(11);
    let sources = [SDP, "192.168.1.20:9", "203.0.113.7:1", "203.0.113.7:2", "198.51.100.1:1", "198.51.100.2:4000"];
    for _ in 0..300 {
        let mut now = start();
        let mut latch = latch(SDP, NAT);
        for _ in 0..60 {
            now += Duration::from_millis(random.draw() % 800);
            let from: SocketAddr = sources[(random.draw() % 6) as usize].parse().unwrap();
            let before = latch.latched();
            let accepted = latch.accept(now, from, !random.draw().is_multiple_of(4));
            assert!(!accepted || latch.target() == Some(from));
            let Some(target) = latch.target() else { continue };
            assert!(!target.ip().to_string().starts_with("198."));
            assert!(before.is_none_or(|before| before.ip() == target.ip()));
        }
    }
}

/// An address that is only named is sent nothing before it has shown itself.
#[test]
fn s7_an_address_that_is_only_named_is_sent_nothing() {
    let begin = start();
    let (here, there): (IpAddr, SocketAddr) = (NAT.parse().unwrap(), "198.51.100.1:4000".parse().unwrap());
    let mut named = Latch::new(there, here, NamedSource::Unproven);
    assert_eq!((named.target(), named.unproven()), (None, Some(there)));
    assert!(!named.accept(begin, there, true) && named.target().is_none(), "one packet may be anybody's");
    assert!(named.accept(begin, there, true));
    assert_eq!((named.target(), named.unproven()), (Some(there), None));

    let mut listener = Latch::new(there, here, NamedSource::Unproven);
    listener.answered(begin, "198.51.100.2:4001".parse().unwrap());
    assert_eq!(listener.target(), None, "somebody else's report");
    listener.answered(begin, "198.51.100.1:4001".parse().unwrap());
    assert_eq!(listener.target(), Some(there));

    let mut barred = Latch::new(there, here, NamedSource::Barred);
    barred.answered(begin, there);
    assert_eq!((barred.target(), barred.unproven()), (None, None));
    assert!(!barred.accept(begin, there, true) && barred.accept(begin, there, true));
    assert_eq!(barred.target(), Some(there));
    assert_eq!(Latch::new(there, here, NamedSource::Trusted).target(), Some(there), "proven by password or certificate");
}

#[test]
fn s7_an_unproven_address_is_asked_six_times_and_no_more() {
    let (begin, mut trickle) = (start(), Trickle::default());
    let asked: Vec<u64> = (0..60_000).step_by(20).filter(|ms| trickle.take(begin + Duration::from_millis(*ms))).collect();
    assert_eq!(asked, [0, 200, 600, 1400, 3000, 6200]);
}

/// A valid SRTP tag is followed to another address, after two packets in a row.
#[test]
fn s7_a_valid_tag_is_followed_to_another_address() {
    let (begin, moved): (_, SocketAddr) = (start(), "198.51.100.9:9000".parse().unwrap());
    let mut latch = latch(SDP, NAT);
    let packet = |latch: &mut Latch, ms: u64, from: &str| {
        latch.accept_authenticated(begin + Duration::from_millis(ms), from.parse().unwrap())
    };
    packet(&mut latch, 0, PUBLIC);
    assert_eq!(latch.target(), Some(PUBLIC.parse().unwrap()));
    packet(&mut latch, 20, "198.51.100.9:9000");
    packet(&mut latch, 40, PUBLIC);
    packet(&mut latch, 60, "198.51.100.9:9000");
    assert_eq!(latch.target(), Some(PUBLIC.parse().unwrap()), "one packet that was caught and sent from elsewhere");
    packet(&mut latch, 80, "198.51.100.9:9000");
    assert_eq!(latch.target(), Some(moved));
}
