//! Connections that come, register and are dropped, and others that stall: nothing of them is left, and nobody waits for them (S-1, X-1).

use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::daemon::Daemon;
use crate::load::long;
use crate::namespace::isolated_beside_others;
use crate::waiting::{eventually, seconds};

/// Peers that connect and say nothing more: half of them to TLS, half to TCP after half a message.
const STALLED: usize = 20;

/// A certificate of loopback's addresses in `sip.pem`, its key in `sip.key`, and who trusts it.
pub(crate) fn certificate(folder: &std::path::Path) -> Arc<ClientConfig> {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into()), SanType::IpAddress(Ipv6Addr::LOCALHOST.into())];
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    std::fs::write(folder.join("sip.pem"), &certificate).expect("a file");
    std::fs::write(folder.join("sip.key"), key.serialize_pem()).expect("a file");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Connects, registers under a name of its own, is told so, and is gone without a word; every other one by a reset.
fn register(config: &Arc<ClientConfig>, n: u64) {
    let name = std::net::IpAddr::from([127, 0, 0, 1]).into();
    let stream = TcpStream::connect("127.0.0.1:5061").expect("the daemon listens");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket option");
    let address = stream.local_addr().expect("an address");
    let mut tls = StreamOwned::new(ClientConnection::new(Arc::clone(config), name).expect("a client"), stream);
    let text = format!(
        "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS {address};branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\n\
         From: <sip:phone{n}@127.0.0.1>;tag={n}\r\nTo: <sip:phone{n}@127.0.0.1>\r\nCall-ID: churn{n}\r\nCSeq: 1 REGISTER\r\n\
         Contact: <sip:phone@{address};transport=tls>;reg-id=1;+sip.instance=\"<urn:uuid:{n:08}-0000-4000-8000-000000000000>\"\r\n\
         Supported: outbound, path\r\nExpires: 600\r\nContent-Length: 0\r\n\r\n"
    );
    tls.write_all(text.as_bytes()).expect("the connection is open");
    let mut answer = [0; 2048];
    let length = tls.read(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    if n.is_multiple_of(2) {
        socket2::SockRef::from(&tls.sock).set_linger(Some(Duration::ZERO)).expect("a socket option");
    }
}

/// How long an OPTIONS by UDP waits for its 200.
fn answer_time(n: u64) -> Duration {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket option");
    let address = socket.local_addr().expect("an address");
    let text = format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bKo{n}\r\nMax-Forwards: 70\r\n\
         From: <sip:o@127.0.0.1>;tag={n}\r\nTo: <sip:127.0.0.1>\r\nCall-ID: options{n}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    let sent = Instant::now();
    socket.send_to(text.as_bytes(), "127.0.0.1:5060").expect("loopback takes it");
    let length = socket.recv(&mut [0; 2048]).expect("an answer");
    assert!(length > 0);
    sent.elapsed()
}

/// Phones that connect register and vanish leave no descriptor while stalled ones delay nobody.
#[test]
fn phones_that_connect_register_and_vanish_leave_no_descriptor() {
    isolated_beside_others(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let config = certificate(folder.path());
        let daemon = Daemon::with(&format!(
            "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[sip.listen.tls]\ntransport = \"tls\"\ncertificate = \"{0}/sip.pem\"\n\
             key = \"{0}/sip.key\"\n[device.phone]\naddress = \"127.0.0.1\"\n",
            folder.path().display()
        ));
        let before = daemon.status();
        let descriptors = |status: &serde_json::Value| status["resources"]["descriptors"].as_u64().expect("a number");
        let stalled: Vec<TcpStream> = (0..STALLED)
            .map(|n| {
                let port = if n % 2 == 0 { 5061 } else { 5060 };
                let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the daemon listens");
                if port == 5060 {
                    stream
                        .write_all(b"INVITE sip:1001@127.0.0.1 SIP/2.0\r\nContent-Length: 9999\r\n\r\nhalf")
                        .expect("it is open");
                }
                stream
            })
            .collect();
        let (start, mut rounds, mut slowest) = (Instant::now(), 0, Duration::ZERO);
        let wanted = Duration::from_secs(if long() { 600 } else { 4 });
        while start.elapsed() < wanted {
            register(&config, rounds);
            if rounds.is_multiple_of(10) {
                slowest = slowest.max(answer_time(rounds));
            }
            rounds += 1;
        }
        let during = daemon.status();
        drop(stalled);
        let after = eventually(seconds(60), "descriptors are as before", || {
            Some(daemon.status()).filter(|now| descriptors(now) <= descriptors(&before))
        });
        println!(
            "{rounds} connections; descriptors {} before, {} among the stalled, {} after; memory {} and {}; OPTIONS by UDP at most {slowest:?}",
            descriptors(&before),
            descriptors(&during),
            descriptors(&after),
            before["resources"]["memory_bytes"],
            after["resources"]["memory_bytes"]
        );
        assert!(rounds > 10, "{rounds} rounds");
        assert!(!long() || slowest < Duration::from_secs(1), "{slowest:?}");
        // What was to be reached by a connection alone is gone with it (RFC 5626).
        let connections = after["resources"]["sip"]["connections"].as_u64();
        assert_eq!(connections, Some(0));
    });
}
