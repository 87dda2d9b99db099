//! A port whose media is encrypted: forged and replayed packets, and a device that moves.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::rig;
use crate::codec::CodecKind;
use crate::common::ids::PortId;
use crate::common::machine;
use crate::common::split_mix::SplitMix;
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::media::{Channel, MediaLeg as _, Port, PortEvent, PortStats, Profile, TickSound};
use crate::rtp::ice::IceCredentials;
use crate::rtp::sender::RtpSender;
use crate::rtp::srtp::{CryptoSuite, KeyGenerator, SrtpKeyPair, SrtpSender};
use crate::rtp::stun;
use crate::rtp::transport::{Encryption, Protection};

const DEVICE: &str = "198.51.100.10:4000";
const ELSEWHERE: &str = "203.0.113.9:9000";

/// A port on its own, and the device's end of its stream.
struct EncryptedCall {
    port: Port,
    device: SrtpSender,
    numbers: RtpSender,
    now: Instant,
    // Its queue must stay open: the port speaks to it.
    _events: mpsc::Receiver<PortEvent>,
}

impl EncryptedCall {
    fn new() -> Self {
        let mut made = KeyGenerator::new([9; 32]);
        let suite = CryptoSuite::AesCm128HmacSha1Tag80;
        let (ours, theirs) = (made.generate(suite), made.generate(suite));
        let device = SrtpSender::new(&theirs).expect("a key");
        let mut profile = rig::profile(CodecKind::Pcmu, DEVICE.parse().expect("an address"));
        profile.protection = Protection::Sdes(SrtpKeyPair { ours, theirs });
        let (events, heard) = mpsc::channel(64);
        let now = machine::now();
        let port = Port::new(now, PortId::from_number(1), profile, 7, Duration::from_secs(30), events).expect("a codec");
        Self { port, device, numbers: RtpSender::new(8), now, _events: heard }
    }

    /// The device's next packet, 20 ms on.
    fn packet(&mut self) -> Vec<u8> {
        self.now += Duration::from_millis(20);
        let mut packet = Vec::new();
        self.numbers.packet(0, false, &[0x2A; 160], 160, &mut packet);
        self.device.protect_rtp(&mut packet).expect("RTP");
        packet
    }

    fn receives(&mut self, from: &str, datagram: &[u8]) {
        self.port.receive(self.now, Channel::Rtp, from.parse().expect("an address"), datagram);
    }

    fn ticks(&mut self) {
        let mut frame = Frame::silence(Hz::FULL);
        self.port.pull(self.now, &mut frame);
        self.port.wake(self.now);
        self.port.send(self.now, TickSound::Nothing);
    }

    /// Where the port sends RTP.
    fn target(&mut self) -> Option<SocketAddr> {
        std::iter::from_fn(|| self.port.poll_transmit(self.now)).filter(|due| due.socket == Channel::Rtp).last().map(|due| due.to)
    }
}

/// A thousand forged and a thousand replayed packets a second change nothing but their counter.
#[test]
fn a3_forged_and_replayed_packets_leave_the_score_unchanged() {
    let figures = |disturbs: bool| {
        let (mut call, mut random, mut caught) = (EncryptedCall::new(), SplitMix::new(3), Vec::new());
        for _ in 0..500 {
            let packet = call.packet();
            for _ in 0..if disturbs { 20 } else { 0 } {
                let mut forged = packet.clone();
                forged[2..4].copy_from_slice(&(random.draw() as u16).to_be_bytes());
                let last = forged.len() - 1;
                forged[last] ^= 1 + random.draw() as u8 % 255;
                call.receives(if random.draw().is_multiple_of(2) { DEVICE } else { ELSEWHERE }, &forged);
                if !caught.is_empty() {
                    let replayed: &Vec<u8> = &caught[random.draw() as usize % caught.len()];
                    call.receives(DEVICE, &replayed.clone());
                }
            }
            call.receives(DEVICE, &packet);
            caught.push(packet);
            call.ticks();
        }
        call.port.stats()
    };
    let (quiet, disturbed) = (figures(false), figures(true));
    assert_eq!(disturbed.unauthentic, 500 * 20 + 499 * 20);
    assert_eq!((quiet.received, quiet.lost, quiet.unauthentic, quiet.refused), (500, 0, 0, 0));
    assert_eq!(PortStats { unauthentic: 0, ..disturbed }, quiet);
    assert_eq!(quiet.encryption.map(Encryption::name), Some("AES_CM_128_HMAC_SHA1_80"));
}

/// A device behind a NAT is where its checks come from: they are answered, and media goes where it nominates. Others' checks do nothing.
#[test]
fn a3_media_goes_where_ice_has_nominated() {
    let mut call = EncryptedCall::new();
    let ice = IceCredentials { ufrag: "ours".into(), password: "p".repeat(24), remote_ufrag: "dev1".into() };
    let profile = Profile { ice: Some(ice.clone()), ..call.port.profile().clone() };
    call.port.reprofile(call.now, profile).expect("the same codec");
    let check = |password: &str, nominates| stun::request("ours:dev1", password, nominates);
    call.receives("192.0.2.66:7000", &check("another password of 24..", true));
    call.ticks();
    assert_eq!((call.target(), call.port.stats().refused), (DEVICE.parse().ok(), 1));
    call.receives(ELSEWHERE, &check(&ice.password, true));
    let response = call.port.poll_transmit(call.now).expect("a response");
    assert_eq!((response.to, &response.bytes[..2]), (ELSEWHERE.parse().expect("an address"), &[1, 1][..]));
    call.now += Duration::from_millis(20);
    call.ticks();
    assert_eq!(call.target(), ELSEWHERE.parse().ok());
}

/// Media follows a device to another address by its tags, and nobody else by anything.
#[test]
fn s7_a_device_that_moves_is_followed_by_its_tags() {
    let mut call = EncryptedCall::new();
    for from in [DEVICE, ELSEWHERE, ELSEWHERE] {
        let packet = call.packet();
        call.receives(from, &packet);
        call.ticks();
    }
    assert_eq!(call.target(), ELSEWHERE.parse().ok());
    let mut packet = call.packet();
    packet[20] ^= 1;
    call.receives("192.0.2.66:7000", &packet);
    call.receives("192.0.2.66:7000", &packet);
    call.ticks();
    assert_eq!(call.target(), ELSEWHERE.parse().ok());
    assert_eq!(call.port.stats().received, 3);
}
