//! Browsers: the whole of ICE, DTLS and SRTP in virtual time, with a second connection as the browser.

use super::*;
use crate::media::peer::browser::Browser;
use crate::media::peer::{NegotiationError, PeerChange, PeerFactory};

fn connected(rig: &Rig) -> usize {
    let is_connected = |told: &&BridgeEvent| matches!(told, BridgeEvent::Peer { change: PeerChange::Connected, .. });
    rig.told.iter().filter(is_connected).count()
}

/// Lets time pass until every browser is connected; how long it took.
fn connect(rig: &mut Rig) -> Duration {
    let began = rig.now;
    while connected(rig) < rig.browsers.len() || !rig.browsers.iter().all(|(_, browser)| browser.is_connected()) {
        rig.run(5);
        assert!(rig.now - began < Duration::from_secs(10), "never connected");
    }
    rig.now - began
}

fn hears(rig: &mut Rig, browser: usize, freqs: &[f32]) -> Vec<f32> {
    let listener = rig.browsers[browser].1.listener();
    freqs.iter().map(|freq| level(&listener, Hz::FULL, *freq)).collect()
}

/// A phone and a browser hear each other and are connected within a second.
#[test]
fn a_phone_and_a_browser_hear_each_other_and_are_connected() {
    let mut rig = Rig::new();
    let phone = rig.seated_phone(CodecKind::Pcmu, 440.0);
    let browser = rig.browser(50_000, 700.0);
    let took = connect(&mut rig);
    assert!(took < Duration::from_secs(1), "{took:?}");
    rig.settle(1_000);
    rig.run(2_000);
    let levels = hears(&mut rig, browser, &[440.0, 700.0]);
    assert!(is_as_loud_as_it_was_hummed(levels[0]) && levels[1] < QUIET, "the browser: {levels:?}");
    let levels = rig.phones[phone].hears(&[700.0, 440.0]);
    assert!(is_as_loud_as_it_was_hummed(levels[0]) && levels[1] < QUIET, "the phone: {levels:?}");
    rig.ends();
}

/// Two browsers on one socket are told apart and one leaving is nothing to the other.
#[test]
fn two_browsers_on_one_socket_are_told_apart_and_one_leaving() {
    let mut rig = Rig::new();
    let phone = rig.seated_phone(CodecKind::G722, 440.0);
    let (one, two) = (rig.browser(50_000, 700.0), rig.browser(50_002, 950.0));
    connect(&mut rig);
    rig.settle(1_000);
    rig.run(1_000);
    let levels = [hears(&mut rig, one, &[440.0, 700.0, 950.0]), hears(&mut rig, two, &[440.0, 950.0, 700.0])];
    assert!(is_as_loud_as_it_was_hummed(levels[0][0]) && levels[0][1] < QUIET && is_as_loud_as_it_was_hummed(levels[0][2]));
    assert!(is_as_loud_as_it_was_hummed(levels[1][0]) && levels[1][1] < QUIET && is_as_loud_as_it_was_hummed(levels[1][2]));

    let id = rig.browsers[one].0;
    rig.planes[0].close_peer(rig.now, id);
    rig.settle(500);
    rig.run(1_000);
    let levels = hears(&mut rig, two, &[440.0, 700.0]);
    assert!(is_as_loud_as_it_was_hummed(levels[0]) && levels[1] < QUIET, "{levels:?}");
    let levels = rig.phones[phone].hears(&[950.0, 700.0]);
    assert!(is_as_loud_as_it_was_hummed(levels[0]) && levels[1] < QUIET, "{levels:?}");
    rig.ends();
}

/// A connection that takes over an address keeps it when the old one is closed.
#[test]
fn a_connection_that_takes_over_an_address_keeps() {
    let mut rig = Rig::new();
    let phone = rig.seated_phone(CodecKind::Pcmu, 440.0);
    rig.browser(50_000, 700.0);
    connect(&mut rig);
    let (old, _) = rig.browsers.remove(0);
    rig.told.clear();
    rig.browser(50_000, 950.0);
    connect(&mut rig);
    rig.settle(500);
    rig.planes[0].close_peer(rig.now, old);
    rig.run(500);
    let level = rig.phones[phone].hears(&[950.0])[0];
    assert!(is_as_loud_as_it_was_hummed(level), "{level}");
    rig.planes[0].unseat(MediaEnd::Peer(old));
    rig.ends();
}

fn changes(rig: &mut Rig) -> Vec<PeerChange> {
    let told = std::mem::take(&mut rig.told);
    told.into_iter().filter_map(|told| if let BridgeEvent::Peer { change, .. } = told { Some(change) } else { None }).collect()
}

/// A browser that falls silent is told as not alive comes back and is given up in the end.
#[test]
fn m5_a_browser_that_falls_silent_is_told_as_not_alive_comes() {
    let mut rig = Rig::new();
    let phone = rig.seated_phone(CodecKind::Pcmu, 440.0);
    rig.browser(50_000, 700.0);
    connect(&mut rig);
    assert_eq!(changes(&mut rig), [PeerChange::Connected]);
    let away = rig.browsers.remove(0);
    rig.run(5_500);
    assert_eq!(changes(&mut rig), []);
    rig.run(2_000);
    assert_eq!(changes(&mut rig), [PeerChange::Alive(false)]);
    rig.browsers.push(away);
    rig.run(3_000);
    assert_eq!(changes(&mut rig), [PeerChange::Alive(true)]);
    rig.settle(500);
    rig.run(1_000);
    assert!(is_as_loud_as_it_was_hummed(rig.phones[phone].hears(&[700.0])[0]));

    let (gone, _) = rig.browsers.remove(0);
    rig.run(74_000);
    assert_eq!(changes(&mut rig), [PeerChange::Alive(false)]);
    rig.run(2_000);
    assert_eq!(changes(&mut rig), [PeerChange::Gone]);
    assert!(rig.planes[0].legs.peers.is_empty(), "the connection is; its seat is the meeting's to take");
    rig.planes[0].unseat(MediaEnd::Peer(gone));
    rig.ends();
}

/// What strangers send to the socket is nothing to a browser in the meeting.
#[test]
fn what_strangers_send_to_the_socket_is_nothing_to_a_browser() {
    let mut rig = Rig::new();
    let phone = rig.seated_phone(CodecKind::Pcmu, 440.0);
    let browser = rig.browser(50_000, 700.0);
    connect(&mut rig);
    rig.settle(1_000);
    let mut random = crate::common::split_mix::SplitMix::new(11);
    let (ours, own) = (rig::WEBRTC.parse().expect("an address"), rig.browsers[browser].1.address());
    for round in 0..100_u16 {
        for kind in 0..10_u8 {
            let first = [0x80, 0x80, 0x16, 0x15, 0x00, 0xFE, 0x40, 0x90, 0x14, 0x17][usize::from(kind)];
            let mut datagram = vec![first];
            datagram.extend((0..random.draw() % 200).map(|_| random.draw() as u8));
            let stranger = SocketAddr::from(([203, 0, 113, kind], 1_000 + round));
            let now = rig.now;
            rig.planes[0].receive(now, SocketId::WebRtc(ours), stranger, &datagram);
            rig.planes[0].receive(now, SocketId::WebRtc(ours), own, &datagram);
        }
        rig.run(20);
    }
    let levels = hears(&mut rig, browser, &[440.0]);
    assert!(is_as_loud_as_it_was_hummed(levels[0]), "the browser: {levels:?}");
    let levels = rig.phones[phone].hears(&[700.0]);
    assert!(is_as_loud_as_it_was_hummed(levels[0]), "the phone: {levels:?}");
    rig.ends();
}

/// An offer that wants a data channel is refused however it is written.
#[test]
fn x1_an_offer_that_wants_a_data_channel_is_refused() {
    let (rig, address) = (Rig::new(), "192.0.2.7:50000".parse().expect("an address"));
    let (_, offer) = Browser::offer(rig.now, address);
    let factory = PeerFactory::new().expect("a certificate");
    let ours: SocketAddr = rig::WEBRTC.parse().expect("an address");
    let negotiate = |offer: String| factory.negotiate(rig.now, offer, &[ours], [7; 32]).map(drop);
    assert!(negotiate(offer.clone()).is_ok());
    for section in [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sctp-port:5000\r\n",
        "m=application 9 DTLS/SCTP 5000\nc=IN IP4 0.0.0.0\na=mid:1\na=sctpmap:5000 webrtc-datachannel 256\n",
        " M=Application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n",
        "a=sctp-port:5000\r\n",
    ] {
        let refused = negotiate(format!("{offer}{section}"));
        assert!(matches!(refused, Err(NegotiationError::DataChannel)), "{section}: {refused:?}");
    }
}
