//! Whom a server lets in, while its files change under it (S-1).

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevocationReason, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use super::*;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issues(&self, serial: u64) -> (CertificateDer<'static>, KeyPair) {
        let (key, mut params) = (KeyPair::generate().unwrap(), CertificateParams::new(vec!["localhost".to_owned()]).unwrap());
        params.serial_number = Some(SerialNumber::from(serial));
        (params.signed_by(&key, &self.0).unwrap().der().clone(), key)
    }

    fn revokes(&self, serials: &[u64]) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2036, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).unwrap().pem().unwrap()
    }
}

/// Whether a client with this certificate gets in, by a handshake in memory.
fn gets_in(server: Arc<ServerConfig>, (certificate, key): &(CertificateDer<'static>, KeyPair), root: &Authority) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(root.0.der().clone()).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut client = ClientConnection::new(Arc::new(client), "localhost".try_into().unwrap()).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    for _ in 0..10 {
        let mut octets = Vec::new();
        client.write_tls(&mut octets).unwrap();
        server.read_tls(&mut octets.as_slice()).unwrap();
        if server.process_new_packets().is_err() {
            return false;
        }
        let mut octets = Vec::new();
        server.write_tls(&mut octets).unwrap();
        client.read_tls(&mut octets.as_slice()).unwrap();
        client.process_new_packets().unwrap();
    }
    !server.is_handshaking() && server.peer_certificates().is_some()
}

/// Authorities and revocations of clients are read again when their files change.
#[test]
fn s1_authorities_and_revocations_of_clients_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let own = ours.issues(1);
    fs::write(file("cert.pem"), own_pem(&own.0)).unwrap();
    fs::write(file("key.pem"), own.1.serialize_pem()).unwrap();
    fs::write(file("ca.pem"), ours.0.pem()).unwrap();
    fs::write(file("crl.pem"), ours.revokes(&[])).unwrap();
    let files = TlsFiles { certificate: file("cert.pem"), key: file("key.pem") };
    let clients = ClientFiles { ca: file("ca.pem"), crl: Some(file("crl.pem")) };
    let server = TlsServer::open(files.clone(), &[], Some(clients.clone())).unwrap();
    #[allow(clippy::disallowed_methods, reason = "the files are looked at by the clock")]
    let (start, today) = (Instant::now(), SystemTime::now());
    let at = |seconds| server.0.at(start + Duration::from_secs(seconds));
    // Files that are written within one tick of the clock must differ all the same.
    let write = |name: &str, text: &str, later: u64| {
        fs::write(file(name), text).unwrap();
        fs::File::options().write(true).open(file(name)).unwrap().set_modified(today + Duration::from_secs(later)).unwrap();
    };
    let (good, bad, strange) = (ours.issues(2), ours.issues(3), other.issues(4));
    let who = |config: Arc<ServerConfig>| [&good, &bad, &strange].map(|client| gets_in(Arc::clone(&config), client, &ours));
    assert_eq!(who(at(2)), [true, true, false]);

    write("crl.pem", &ours.revokes(&[3]), 10);
    assert_eq!(who(at(4)), [true, false, false], "a revoked certificate opens nothing");
    write("crl.pem", "rubbish", 20);
    assert_eq!(who(at(6)), [true, false, false], "the last good list stays");
    fs::remove_file(file("crl.pem")).unwrap();
    assert_eq!(who(at(8)), [true, false, false], "also when there is none any more");
    write("ca.pem", &format!("{}{}", ours.0.pem(), other.0.pem()), 30);
    write("crl.pem", &format!("{}{}", ours.revokes(&[3]), other.revokes(&[])), 30);
    assert_eq!(who(at(10)), [true, false, true], "another authority is let in");
    write("crl.pem", &ours.revokes(&[]), 40);
    assert_eq!(who(at(12)), [true, true, false], "an authority without a list is not believed");

    fs::write(file("crl.pem"), "").unwrap();
    let refused = TlsServer::open(files, &[], Some(clients)).map(drop).map_err(|error| error.to_string());
    assert!(refused.is_err_and(|error| error.ends_with("no revocation list in it")));
}

fn own_pem(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
