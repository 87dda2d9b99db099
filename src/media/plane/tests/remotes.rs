//! Connections to an SFU: ICE, DTLS, SRTP and SCTP in virtual time, with a second connection as the SFU.

use super::*;
use crate::common::ids::{ParticipantId, TrackId};
use crate::media::peer::remote_sfu::Sfu;
use crate::media::peer::{OfferRequest, PeerFactory, RemotePeer, RemotePeerEvent, RemotePeerSettings};
use crate::media::remote::{RemoteLeg, RemotePeerCommand};
use crate::policy::{Role, Via};
use tokio::sync::oneshot;

/// A connection to an SFU that is reached over a network, in a rig.
struct Remote {
    id: PeerId,
    ours: SocketAddr,
    sfu: Sfu,
    events: mpsc::Receiver<RemotePeerEvent>,
    told: Vec<RemotePeerEvent>,
    /// Nothing arrives, either way.
    cut: bool,
    /// What we send does not arrive.
    unheard: bool,
}

fn number(number: u64) -> TrackId {
    TrackId::from_number(number)
}

impl Remote {
    fn open(rig: &mut Rig, id: u64, settings: RemotePeerSettings) -> Self {
        let ours = SocketAddr::from(([192, 0, 2, 1], 40_000 + id as u16));
        let factory = PeerFactory::new().expect("a certificate");
        let (says, events) = mpsc::channel(64);
        let peer = RemotePeer::new(rig.now, &factory, settings, &[ours], 0x0005_1234_0009_8765 + id).expect("a peer");
        let id = PeerId::from_number(id);
        rig.planes[0].adopt_remote(id, RemoteLeg::new(peer, says));
        let sfu = Sfu::new(rig.now, SocketAddr::from(([203, 0, 113, 9], 7882)));
        Self { id, ours, sfu, events, told: Vec::new(), cut: false, unheard: false }
    }

    fn ask<T>(&self, rig: &mut Rig, command: impl FnOnce(oneshot::Sender<T>) -> RemotePeerCommand) -> T {
        let (reply, mut answer) = oneshot::channel();
        let now = rig.now;
        rig.planes[0].command_remote(now, self.id, command(reply));
        answer.try_recv().expect("an answer at once")
    }

    /// Offers, and is answered with a line for each of `names`, who hum.
    fn negotiate(&mut self, rig: &mut Rig, request: OfferRequest, names: &[(u64, f32)]) -> Vec<(String, u64)> {
        let offer = self.ask(rig, |reply| RemotePeerCommand::Offer(request, reply)).expect("an offer");
        let (sdp, mids) = self.sfu.answer(rig.now, offer, names);
        let lines = mids.iter().map(|(mid, name)| (mid.clone(), number(*name))).collect();
        self.ask(rig, |reply| RemotePeerCommand::Answer { sdp, lines, reply }).expect("it fits");
        mids
    }

    /// Lets time pass, 2.5 ms at a time.
    fn run(&mut self, rig: &mut Rig, milliseconds: u64) {
        for step in 0..milliseconds * 2 / 5 {
            rig.run_one(&mut |rig, transmit| self.carry(rig, transmit));
            self.sfu.wake(rig.now);
            if step % 8 == 5 {
                self.sfu.speak(rig.now);
            }
            while let Some((to, datagram)) = self.sfu.poll_transmit() {
                if to == self.ours && !self.cut {
                    let (now, from) = (rig.now, self.sfu.address());
                    rig.planes[0].receive(now, SocketId::Remote(self.id, self.ours), from, &datagram);
                }
            }
            self.told.extend(std::iter::from_fn(|| self.events.try_recv().ok()));
        }
    }

    fn carry(&mut self, rig: &Rig, transmit: &Transmit) {
        let SocketId::Remote(id, from) = transmit.socket else { return };
        assert_eq!((id, from), (self.id, self.ours), "no other socket is used");
        if transmit.to == self.sfu.address() && !self.cut && !self.unheard {
            self.sfu.receive(rig.now, from, &transmit.bytes);
        }
    }

    /// Lets time pass until the connection stands; how long it took.
    fn connect(&mut self, rig: &mut Rig) -> Duration {
        let began = rig.now;
        while !self.told.contains(&RemotePeerEvent::Connected) {
            self.run(rig, 5);
            assert!(rig.now - began < Duration::from_secs(10), "never connected");
        }
        rig.now - began
    }

    fn seat(rig: &mut Rig, track: u64) {
        let admission = rig.admission(ParticipantId::from_number(2_000 + track), Role::Member, Via::Browser);
        assert!(rig.planes[0].seat(MediaEnd::Track(number(track)), bridge(0), admission, OPEN));
    }

    /// Everybody leaves, and nothing is left.
    fn ends(self, mut rig: Rig) {
        rig.planes[0].close_remote(self.id);
        rig.ends();
    }
}

fn ear(audio_lines: usize) -> RemotePeerSettings {
    RemotePeerSettings { publishes: None, audio_lines }
}

fn publisher() -> RemotePeerSettings {
    RemotePeerSettings { publishes: Some("room-7".to_owned()), audio_lines: 0 }
}

/// Whoever speaks in a room of an SFU is heard by a phone, and hears nothing by this connection.
#[test]
fn a_phone_hears_the_tracks_of_a_room_elsewhere() {
    let mut rig = Rig::new();
    let phone = rig.seated_phone(CodecKind::G722, 440.0);
    let mut remote = Remote::open(&mut rig, 3, ear(2));
    remote.negotiate(&mut rig, OfferRequest::default(), &[(1, 700.0), (2, 950.0)]);
    (1..=2).for_each(|track| Remote::seat(&mut rig, track));
    let took = remote.connect(&mut rig);
    assert!(took < Duration::from_millis(500), "{took:?}");
    remote.run(&mut rig, 1_000);
    rig.phones[phone].listener();
    remote.run(&mut rig, 1_000);
    let levels = rig.phones[phone].hears(&[700.0, 950.0, 440.0]);
    assert!(is_as_loud_as_it_was_hummed(levels[0]) && is_as_loud_as_it_was_hummed(levels[1]), "{levels:?}");
    assert!(levels[2] < QUIET, "{levels:?}");
    remote.ends(rig);
}

/// What a phone says is published behind its gate; in silence hardly anything is sent, and who listens there is told where speech begins.
#[test]
fn a_phone_is_published_and_its_silence_costs_little() {
    let mut rig = Rig::new();
    let phone = rig.seated_phone(CodecKind::G722, 440.0);
    let other = rig.seated_phone(CodecKind::Pcmu, 950.0);
    let mut remote = Remote::open(&mut rig, 3, publisher());
    let end = MediaEnd::Port(rig.phones[phone].port);
    rig.planes[0].publish(end, Some(remote.id));
    remote.negotiate(&mut rig, OfferRequest::default(), &[]);
    remote.connect(&mut rig);
    remote.run(&mut rig, 500);
    remote.sfu.listener();
    remote.run(&mut rig, 1_000);
    let heard = remote.sfu.listener();
    let levels = [440.0, 950.0].map(|freq| level(&heard, Hz::FULL, freq));
    assert!(is_as_loud_as_it_was_hummed(levels[0]) && levels[1] < QUIET, "{levels:?}");
    let packet = remote.sfu.published.last().expect("packets");
    assert_eq!(packet.header.get_extension(1).as_deref(), Some(&[0x80 | 15][..]));

    rig.gate(phone, Gate { hear: true, speak: false });
    remote.run(&mut rig, 1_000);
    remote.sfu.published.clear();
    remote.run(&mut rig, 10_000);
    assert_eq!(remote.sfu.published.len(), 25);
    assert!(level(&remote.sfu.listener()[24_000..], Hz::FULL, 440.0) < QUIET);
    rig.gate(phone, OPEN);
    remote.sfu.published.clear();
    remote.run(&mut rig, 1_000);
    let marked: Vec<_> = remote.sfu.published.iter().map(|packet| packet.header.marker).collect();
    assert_eq!(marked.iter().filter(|marked| **marked).count(), 1);
    rig.planes[0].publish(end, None);
    remote.run(&mut rig, 100);
    remote.sfu.published.clear();
    rig.phones[other].listener();
    remote.run(&mut rig, 1_000);
    assert_eq!(remote.sfu.published.len(), 0);
    assert!(is_as_loud_as_it_was_hummed(rig.phones[other].hears(&[440.0])[0]));
    remote.ends(rig);
}

/// Lines are added while others go on, and one that is free is used again by somebody else.
#[test]
fn lines_grow_and_one_that_is_free_is_used_again() {
    let mut rig = Rig::new();
    let phone = rig.seated_phone(CodecKind::G722, 440.0);
    let mut remote = Remote::open(&mut rig, 3, ear(1));
    let first = remote.negotiate(&mut rig, OfferRequest::default(), &[(1, 700.0)]);
    (1..=3).for_each(|track| Remote::seat(&mut rig, track));
    remote.connect(&mut rig);
    remote.run(&mut rig, 500);

    let both = remote.negotiate(&mut rig, OfferRequest { audio_lines: 1, restart_ice: false }, &[(1, 700.0), (2, 950.0)]);
    assert_eq!(both[0], first[0]);
    remote.run(&mut rig, 500);
    rig.phones[phone].listener();
    remote.run(&mut rig, 1_000);
    let levels = rig.phones[phone].hears(&[700.0, 950.0]);
    assert!(is_as_loud_as_it_was_hummed(levels[0]) && is_as_loud_as_it_was_hummed(levels[1]), "{levels:?}");

    remote.negotiate(&mut rig, OfferRequest::default(), &[(2, 950.0)]);
    remote.run(&mut rig, 500);
    let again = remote.negotiate(&mut rig, OfferRequest::default(), &[(2, 950.0), (3, 1_200.0)]);
    assert_eq!(again[1], (first[0].0.clone(), 3));
    remote.run(&mut rig, 1_000);
    rig.phones[phone].listener();
    remote.run(&mut rig, 1_000);
    let levels = rig.phones[phone].hears(&[700.0, 950.0, 1_200.0]);
    assert!(levels[0] < QUIET, "{levels:?}");
    assert!(is_as_loud_as_it_was_hummed(levels[1]) && is_as_loud_as_it_was_hummed(levels[2]), "{levels:?}");
    remote.ends(rig);
}

/// Somebody who sends no packets while there is nothing to say loses none, and is heard again from the first word.
#[test]
fn silence_without_packets_is_neither_loss_nor_concealed() {
    let mut rig = Rig::new();
    let phone = rig.seated_phone(CodecKind::G722, 440.0);
    let mut remote = Remote::open(&mut rig, 3, ear(1));
    remote.negotiate(&mut rig, OfferRequest::default(), &[(1, 700.0)]);
    Remote::seat(&mut rig, 1);
    remote.connect(&mut rig);
    remote.run(&mut rig, 1_000);
    for _ in 0..5 {
        remote.sfu.silence(1, true);
        remote.run(&mut rig, 3_000);
        remote.sfu.silence(1, false);
        remote.run(&mut rig, 1_000);
    }
    let stats = remote.ask(&mut rig, RemotePeerCommand::Stats).tracks[0].1;
    assert_eq!(stats.lost, 0, "{stats:?}");
    assert!(stats.concealed < Duration::from_millis(5 * 250), "{stats:?}");
    rig.phones[phone].listener();
    remote.run(&mut rig, 1_000);
    let heard = rig.phones[phone].hears(&[700.0])[0];
    assert!(heard > LEVEL - 2.0, "{heard}");
    remote.ends(rig);
}

/// A path that is lost is told within seconds; after a restart of ICE all goes on, with the same lines.
#[test]
fn a_lost_path_is_told_and_a_restart_of_ice_brings_it_back() {
    let mut rig = Rig::new();
    let phone = rig.seated_phone(CodecKind::G722, 440.0);
    let mut remote = Remote::open(&mut rig, 3, RemotePeerSettings { audio_lines: 1, ..publisher() });
    let end = MediaEnd::Port(rig.phones[phone].port);
    rig.planes[0].publish(end, Some(remote.id));
    remote.negotiate(&mut rig, OfferRequest::default(), &[(1, 700.0)]);
    Remote::seat(&mut rig, 1);
    remote.connect(&mut rig);
    remote.run(&mut rig, 1_000);
    remote.cut = true;
    remote.run(&mut rig, 4_500);
    assert_eq!(remote.told, [RemotePeerEvent::Connected, RemotePeerEvent::Disconnected]);
    remote.cut = false;
    remote.negotiate(&mut rig, OfferRequest { audio_lines: 0, restart_ice: true }, &[(1, 700.0)]);
    let began = rig.now;
    while remote.told.len() < 3 {
        remote.run(&mut rig, 5);
        assert!(rig.now - began < Duration::from_secs(1), "{:?}", remote.told);
    }
    assert_eq!(remote.told[2], RemotePeerEvent::Connected);
    remote.run(&mut rig, 1_000);
    rig.phones[phone].listener();
    remote.sfu.listener();
    remote.run(&mut rig, 1_000);
    let heard = rig.phones[phone].hears(&[700.0])[0];
    assert!(is_as_loud_as_it_was_hummed(heard), "{heard} {:?}", remote.ask(&mut rig, RemotePeerCommand::Stats));
    assert!(is_as_loud_as_it_was_hummed(level(&remote.sfu.listener(), Hz::FULL, 440.0)));
    remote.cut = true;
    remote.run(&mut rig, 80_000);
    assert_eq!(remote.told[3..], [RemotePeerEvent::Disconnected, RemotePeerEvent::Failed]);
    remote.ends(rig);
}

/// A path by which we hear all and are heard by nobody is told as lost, and comes back by itself.
#[test]
fn a_path_that_works_one_way_only_is_lost() {
    let mut rig = Rig::new();
    let mut remote = Remote::open(&mut rig, 3, ear(1));
    remote.negotiate(&mut rig, OfferRequest::default(), &[(1, 700.0)]);
    remote.connect(&mut rig);
    remote.run(&mut rig, 20_000);
    assert_eq!(remote.told.len(), 1);
    remote.unheard = true;
    remote.run(&mut rig, 9_000);
    assert_eq!(remote.told[1..], [RemotePeerEvent::Disconnected]);
    remote.unheard = false;
    remote.run(&mut rig, 3_000);
    assert_eq!(remote.told[2..], [RemotePeerEvent::Connected]);
    remote.ends(rig);
}

/// Messages go by both channels, and an offer that was not answered is replaced by the next one.
#[test]
fn messages_go_by_both_channels_both_ways() {
    let mut rig = Rig::new();
    let mut remote = Remote::open(&mut rig, 3, publisher());
    let send = |remote: &Remote, rig: &mut Rig, reliable: bool, bytes: Vec<u8>| {
        remote.ask(rig, |reply| RemotePeerCommand::SendData { reliable, bytes, reply })
    };
    assert!(!send(&remote, &mut rig, true, b"too early".to_vec()));
    let lost = remote.ask(&mut rig, |reply| RemotePeerCommand::Offer(OfferRequest::default(), reply));
    assert!(lost.is_some_and(|offer| offer.contains("a=rtcp-fb:111 nack") && offer.contains("ssrc-audio-level")));
    remote.negotiate(&mut rig, OfferRequest::default(), &[]);
    remote.connect(&mut rig);
    remote.run(&mut rig, 500);
    assert!(send(&remote, &mut rig, true, vec![1; 15_000]));
    assert!(send(&remote, &mut rig, false, b"lossy".to_vec()));
    assert!(!send(&remote, &mut rig, true, vec![1; 100_000]));
    remote.run(&mut rig, 500);
    let lengths: Vec<_> = remote.sfu.data.iter().map(Vec::len).collect();
    assert_eq!(lengths, [15_000, 5]);
    assert!(rig.planes[0].abandoned_remotes().is_empty());
    remote.sfu.send(rig.now, b"from the room");
    remote.run(&mut rig, 500);
    assert_eq!(remote.told[1..], [RemotePeerEvent::Data { reliable: true, bytes: b"from the room".to_vec() }]);
    remote.events.close();
    assert_eq!(rig.planes[0].abandoned_remotes(), [remote.id]);
    remote.ends(rig);
}
