//! Two ends in virtual time: both roles, lost datagrams, wrong certificates, and datagrams of strangers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::*;
use crate::common::split_mix::SplitMix;
use crate::rtp::srtp::SrtpKeyPair;

#[allow(clippy::disallowed_methods, reason = "an arbitrary beginning of virtual time")]
fn start() -> Instant {
    Instant::now()
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

type Outcome = Option<Result<SrtpKeyPair, DtlsError>>;

/// A client at port 1 and a server at port 2.
struct Ends {
    now: Instant,
    client: DtlsAssociation,
    server: DtlsAssociation,
    client_outcome: Outcome,
    server_outcome: Outcome,
}

impl Ends {
    /// Two ends that name each other's certificate.
    fn new() -> Self {
        let (client, server) = (DtlsIdentity::generate().unwrap(), DtlsIdentity::generate().unwrap());
        Self::naming(&client, &server, client.fingerprint().clone(), server.fingerprint().clone())
    }

    /// The server's description names `of_client`, the client's `of_server`.
    fn naming(client: &DtlsIdentity, server: &DtlsIdentity, of_client: Fingerprint, of_server: Fingerprint) -> Self {
        let end = |role, identity: &DtlsIdentity, of_peer| {
            DtlsAssociation::new(start(), DtlsParameters { role, fingerprints: vec![of_peer], identity: identity.clone() })
        };
        Self {
            now: start(),
            client: end(DtlsRole::Client, client, of_server),
            server: end(DtlsRole::Server, server, of_client),
            client_outcome: None,
            server_outcome: None,
        }
    }

    /// Lets both ends talk for so long; those of their datagrams disappear for which `lost` says so.
    fn talk(&mut self, time: Duration, mut lost: impl FnMut() -> bool) {
        self.client.begin(self.now, address(2));
        for _ in 0..time.as_millis() / 20 {
            while let Some((to, datagram)) = self.client.poll_transmit() {
                assert_eq!(to, address(2));
                if !lost() {
                    self.server_outcome = self.server_outcome.take().or(self.server.handle(self.now, address(1), &datagram));
                }
            }
            while let Some((to, datagram)) = self.server.poll_transmit() {
                if to == address(1) && !lost() {
                    self.client_outcome = self.client_outcome.take().or(self.client.handle(self.now, address(2), &datagram));
                }
            }
            self.now += Duration::from_millis(20);
            self.client_outcome = self.client_outcome.take().or(self.client.wake(self.now).map(Err));
            self.server_outcome = self.server_outcome.take().or(self.server.wake(self.now).map(Err));
        }
    }

    fn have_the_same_keys(self) {
        let (client, server) = (self.client_outcome.unwrap().unwrap(), self.server_outcome.unwrap().unwrap());
        assert_eq!((&client.ours, &client.theirs), (&server.theirs, &server.ours));
        assert_ne!(client.ours, client.theirs);
    }
}

#[test]
fn a3_both_ends_of_a_handshake_have_the_same_keys_crosswise() {
    let mut ends = Ends::new();
    ends.talk(Duration::from_millis(100), || false);
    ends.have_the_same_keys();
}

/// Handshakes of which a fifth of all datagrams is lost come to their end by retransmissions.
#[test]
fn a3_handshakes_survive_lost_datagrams() {
    for seed in 1..=10 {
        let (mut ends, mut random) = (Ends::new(), SplitMix::new(seed));
        ends.talk(Duration::from_millis(9_900), || random.draw().is_multiple_of(5));
        ends.have_the_same_keys();
    }
}

/// The last flight of the server is lost: it is repeated after the server has its keys.
#[test]
fn a3_the_last_flight_of_a_handshake_is_repeated() {
    let (mut ends, mut sent) = (Ends::new(), 0);
    ends.talk(Duration::from_secs(5), || {
        sent += 1;
        (6..=8).contains(&sent)
    });
    assert!(sent > 8, "{sent}");
    ends.have_the_same_keys();
}

#[test]
fn a3_a_certificate_with_another_fingerprint_gives_no_keys() {
    let [client, server, stranger] = std::array::from_fn(|_| DtlsIdentity::generate().unwrap());
    let named = |identity: &DtlsIdentity| identity.fingerprint().clone();
    let mut ends = Ends::naming(&client, &server, named(&stranger), named(&server));
    ends.talk(Duration::from_secs(1), || false);
    assert_eq!(ends.server_outcome, Some(Err(DtlsError::WrongFingerprint)));
    let mut ends = Ends::naming(&client, &server, named(&client), named(&stranger));
    ends.talk(Duration::from_secs(1), || false);
    assert_eq!(ends.client_outcome, Some(Err(DtlsError::WrongFingerprint)));
}

/// Who gets no answer gives up after ten seconds, and has sent eight times till then.
#[test]
fn a3_a_handshake_that_nobody_answers_is_given_up() {
    let (mut ends, mut sent) = (Ends::new(), 0);
    ends.talk(Duration::from_millis(9_980), || {
        sent += 1;
        true
    });
    assert_eq!((&ends.client_outcome, &ends.server_outcome), (&None, &None));
    ends.talk(Duration::from_millis(40), || true);
    let timed_out = Some(Err(DtlsError::TimedOut));
    assert_eq!((&ends.client_outcome, &ends.server_outcome), (&timed_out, &timed_out));
    assert!((2..=8).contains(&sent), "{sent}");
}

/// Datagrams of strangers before and between the genuine ones change nothing: noise, alerts, and a ClientHello from elsewhere.
#[test]
fn a3_datagrams_of_strangers_do_not_disturb_a_handshake() {
    let (mut ends, mut random) = (Ends::new(), SplitMix::new(4));
    let mut other = Ends::new();
    other.client.begin(start(), address(2));
    let (_, hello) = other.client.poll_transmit().unwrap();
    assert_eq!(ends.server.handle(start(), address(3), &hello), None);
    let alert = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    for _ in 0..200 {
        let mut datagram = vec![20 + (random.draw() % 44) as u8, 254, 253];
        datagram.extend((0..random.draw() % 60).map(|_| random.draw() as u8));
        for datagram in [&datagram[..], &alert] {
            let _ = ends.client.handle(start(), address(2), datagram);
            let _ = ends.server.handle(start(), address(1), datagram);
        }
    }
    ends.talk(Duration::from_millis(200), || false);
    ends.have_the_same_keys();
}

/// Who floods an association is heard for 64 KB and from four addresses, and answered with less than it has sent.
#[test]
fn a3_a_flood_of_handshakes_is_bounded() {
    let mut ends = Ends::new();
    ends.client.begin(start(), address(2));
    let (_, hello) = ends.client.poll_transmit().unwrap();
    let (mut sources, mut answered) = (std::collections::BTreeSet::new(), 0);
    for round in 0..5_000_u16 {
        assert_eq!(ends.server.handle(start(), address(1000 + round % 100), &hello), None);
        while let Some((to, datagram)) = ends.server.poll_transmit() {
            sources.insert(to);
            answered += datagram.len();
        }
    }
    assert!(sources.len() <= 4, "{sources:?}");
    assert!(answered <= 64 * 1024, "{answered}");
}

#[test]
fn a3_fingerprints_are_read_as_descriptions_write_them() {
    let of = Fingerprint::of(b"certificate");
    assert_eq!(Fingerprint::parse(&of.to_string()), Some(of.clone()));
    assert!(of.is_of(b"certificate") && !of.is_of(b"another"));
    let lower = of.to_string().to_lowercase().replace("sha-256", "SHA-256");
    assert_eq!(Fingerprint::parse(&lower), Some(of));
    assert!(Fingerprint::parse("sha-1 DA:39:A3:EE:5E:6B:4B:0D:32:55:BF:EF:95:60:18:90:AF:D8:07:09").unwrap().is_of(b""));
    for wrong in
        ["", "sha-256", "sha-256 AA", "md5 D4:1D:8C:D9:8F:00:B2:04:E9:80:09:98:EC:F8:42:7E", "sha-1 DA39A3EE", "sha-256 +A:BB"]
    {
        assert_eq!(Fingerprint::parse(wrong), None, "{wrong}");
    }
}
