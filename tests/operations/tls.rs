//! SIP over TLS and over IPv6 with the real binary (S-1): its own test phone is the peer, on loopback.

#![allow(clippy::disallowed_methods, reason = "a test of the running daemon lives in real time")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa, KeyIdMethod, KeyPair,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use super::shipped;

/// An authority and what it has issued, as PEM files in a folder.
struct Authority<'a> {
    folder: &'a Path,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl<'a> Authority<'a> {
    fn new(folder: &'a Path) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        fs::write(folder.join("ca.pem"), issuer.pem()).expect("a file");
        Self { folder, issuer }
    }

    fn issues(&self, file: &str, names: Vec<SanType>) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.serial_number = Some(serial(file));
        let issued = params.signed_by(&key, &self.issuer).expect("a certificate");
        fs::write(self.folder.join(format!("{file}.pem")), issued.pem()).expect("a file");
        fs::write(self.folder.join(format!("{file}.key")), key.serialize_pem()).expect("a file");
    }

    /// Writes the list of those that are revoked.
    fn revokes(&self, files: &[&str]) {
        let revoked = |file: &&str| RevokedCertParams {
            serial_number: serial(file),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2036, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: files.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).and_then(|list| list.pem()).expect("a list");
        fs::write(self.folder.join("crl.pem"), list).expect("a file");
    }
}

/// Another one for each file that these tests name.
fn serial(file: &str) -> SerialNumber {
    SerialNumber::from(file.bytes().fold(1_u64, |sum, byte| sum * 31 + u64::from(byte)))
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().expect("a name"))
}

/// The daemon, with the addresses that it has logged.
struct Daemon {
    child: Child,
    sip: Vec<SocketAddr>,
}

impl Daemon {
    fn start(folder: &Path, settings: &str) -> Self {
        Self::start_with_media(folder, "127.0.0.1", settings)
    }

    /// With media at another address: what comes by IPv6 has it there too (S-8).
    fn start_with_media(folder: &Path, address: &str, settings: &str) -> Self {
        let common = format!(
            "[http]\nport = 0\n[media]\naddress = \"{address}\"\nworkers = 1\nwebrtc_port = {}\n[log]\nformat = \"json\"\n{settings}",
            free_udp_port()
        );
        fs::write(folder.join("conf/roomgate.d/test.toml"), common).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_roomgate"));
        command.args(["run", "--config", "conf"]).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary can be run");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
        let (mut sip, mut said, mut line) = (Vec::new(), String::new(), String::new());
        while !line.contains("\"WebRTC\"") {
            line.clear();
            assert!(log.read_line(&mut line).expect("text") > 0, "the daemon has ended: {said}");
            said.push_str(&line);
            let told: Value = serde_json::from_str(&line).unwrap_or_default();
            let fields = told.get("fields").unwrap_or(&told);
            if fields["message"] == "SIP" {
                sip.push(fields["address"].as_str().expect("an address").parse().expect("an address"));
            }
        }
        // Read on, so that the daemon never waits for us.
        std::thread::spawn(move || log.read_to_string(&mut String::new()));
        Self { child, sip }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_udp_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port()
}

fn dial(folder: &Path, arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomgate"));
    let output = command.arg("dial").args(arguments).args(["--for", "1s", "--codec", "pcmu"]).current_dir(folder).output();
    let output = output.expect("roomgate dial can be run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

const ONLY: &str = "[sip.listen.udp]\nenabled = false\n[sip.listen.tcp]\nenabled = false\n";

/// A phone calls over tls checks our certificate and gets the new one without a restart.
#[test]
fn a_phone_calls_over_tls_checks_our_certificate_and_gets() {
    let folder = shipped();
    let path = folder.path();
    let authority = Authority::new(path);
    authority.issues("old", vec![dns("old.example")]);
    authority.issues("server", vec![dns("localhost"), SanType::IpAddress([127, 0, 0, 1].into())]);
    let copy = |from: &str| {
        for ending in ["pem", "key"] {
            fs::copy(path.join(format!("{from}.{ending}")), path.join(format!("used.{ending}"))).expect("a copy");
        }
    };
    copy("old");
    let listen = "[sip.listen.tls]\ntransport = \"tls\"\naddress = \"127.0.0.1\"\nport = 0\ncertificate = \"used.pem\"\nkey = \"used.key\"\n";
    let daemon = Daemon::start(path, &format!("{ONLY}{listen}"));
    let target = format!("sip:1001@127.0.0.1:{}", daemon.sip[0].port());
    let refused = dial(path, &[&target, "--transport", "tls", "--ca", "ca.pem"]);
    assert_eq!(refused["answered"], false, "a certificate for another name: {refused}");
    assert_eq!(dial(path, &[&target, "--transport", "tls", "--insecure"])["answered"], true);
    copy("server");
    let end = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let report = dial(path, &[&target, "--transport", "tls", "--ca", "ca.pem"]);
        if report["answered"] == true {
            assert!(report["packets_received"].as_u64().is_some_and(|packets| packets > 10), "{report}");
            break;
        }
        // The files are looked at once a second at most.
        assert!(std::time::Instant::now() < end, "the new certificate is not served: {report}");
    }
    let sips = dial(path, &[&format!("sips:1001@localhost:{}", daemon.sip[0].port()), "--ca", "ca.pem"]);
    assert_eq!(sips["answered"], true, "{sips}");
}

#[test]
fn a_password_opens_over_ipv6_and_a_wrong_one_does_not() {
    let folder = shipped();
    let path = folder.path();
    fs::write(path.join("right"), "correct horse battery\n").expect("a file");
    fs::write(path.join("wrong"), "guess\n").expect("a file");
    let listen = "[sip]\nallowed = []\n[sip.listen.six]\naddress = \"::1\"\nport = 0\n[sip.listen.six-tcp]\ntransport = \"tcp\"\naddress = \"::1\"\nport = 0\n";
    let device = "[device.board]\nusername = \"board\"\npassword = { file = \"right\" }\n";
    let daemon = Daemon::start_with_media(path, "::1", &format!("{ONLY}{listen}{device}"));
    for (index, transport) in ["udp", "tcp"].into_iter().enumerate() {
        let target = format!("sip:1001@[::1]:{}", daemon.sip[index].port());
        let with = |arguments: &[&str]| dial(path, &[&[target.as_str(), "--transport", transport], arguments].concat());
        assert!(with(&[])["error"].as_str().is_some_and(|error| error.contains("401")), "{transport}");
        let wrong = with(&["--user", "board", "--password-file", "wrong"]);
        assert!(wrong["error"].as_str().is_some_and(|error| error.contains("401")), "{transport}: {wrong}");
        let right = with(&["--user", "board", "--password-file", "right"]);
        assert_eq!(right["answered"], true, "{transport}: {right}");
    }
}

/// A TLS connection to the daemon with the certificate of `client`, none for "", before anything is said.
fn connected(path: &Path, address: SocketAddr, client: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(path.join("ca.pem")).expect("a certificate")).expect("a root");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = if client.is_empty() {
        builder.with_no_client_auth()
    } else {
        let chain = vec![CertificateDer::from_pem_file(path.join(format!("{client}.pem"))).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(path.join(format!("{client}.key"))).expect("a key");
        builder.with_client_auth_cert(chain, key).expect("a client")
    };
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().expect("a name")).expect("a client");
    let socket = TcpStream::connect(address).expect("a connection");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket option");
    StreamOwned::new(connection, socket)
}

/// Whether the daemon speaks to `client`: it answers a ping (RFC 5626 section 4.4.1), which is no request and costs no budget.
fn is_let_in(path: &Path, address: SocketAddr, client: &str) -> bool {
    let mut stream = connected(path, address, client);
    let mut pong = [0; 2];
    stream.write_all(b"\r\n\r\n").is_ok() && stream.read_exact(&mut pong).is_ok()
}

/// The status of a call over TLS to this address, by this client's certificate (none: an empty name); `None`: there is no connection.
fn calls(path: &Path, address: SocketAddr, client: &str) -> Option<String> {
    let mut stream = connected(path, address, client);
    // Another call each time: a repeat of one would be answered where that came from.
    let client = format!("{client}{}", stream.sock.local_addr().expect("an address").port());
    // A ping first (RFC 5626 section 4.4.1), then a message that cannot be read, then a call: all on one connection.
    let broken = "NONSENSE\r\nContent-Length: 3\r\n\r\nxyz";
    let invite = format!(
        "INVITE sip:nobody@localhost SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK{client}\r\nMax-Forwards: 70\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:nobody@localhost>\r\nCall-ID: {client}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(format!("\r\n\r\n{broken}{invite}").as_bytes()).ok()?;
    let mut heard = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(length) => heard.extend_from_slice(&piece[..length]),
        }
        let text = String::from_utf8_lossy(&heard).into_owned();
        let status = text.lines().filter_map(|line| line.strip_prefix("SIP/2.0 ")).find(|line| !line.starts_with("100"));
        if let Some(status) = status {
            assert!(text.starts_with("\r\n"), "the pong comes first: {text:?}");
            return Some(status.get(..3).unwrap_or_default().to_owned());
        }
    }
}

#[test]
fn a_certificate_lets_its_trunk_in_and_nobody_comes_without_one() {
    let folder = shipped();
    let path = folder.path();
    let authority = Authority::new(path);
    authority.issues("server", vec![dns("localhost")]);
    authority.issues("pbx", vec![dns("pbx.example")]);
    authority.issues("other", vec![dns("other.example")]);
    let listen = "[sip]\nallowed = []\n[sip.listen.tls]\ntransport = \"tls\"\naddress = \"127.0.0.1\"\nport = 0\n\
                  certificate = \"server.pem\"\nkey = \"server.key\"\nclient_ca = \"ca.pem\"\n[sip.trunk.pbx]\ncertificate = \"pbx.example\"\n";
    let daemon = Daemon::start(path, &format!("{ONLY}{listen}"));
    let calls = |client: &str| calls(path, daemon.sip[0], client);
    assert_eq!(calls("pbx").as_deref(), Some("404"), "the trunk is let in, and told that nobody has that name");
    assert_eq!(calls("other").as_deref(), Some("403"), "a certificate that names nobody we know");
    assert_eq!(calls(""), None, "without a certificate there is no connection");
}

/// A certificate that is revoked opens nothing any more without a restart.
#[test]
fn s1_a_certificate_that_is_revoked_opens_nothing() {
    let folder = shipped();
    let path = folder.path();
    let authority = Authority::new(path);
    authority.issues("server", vec![dns("localhost")]);
    authority.issues("pbx", vec![dns("pbx.example")]);
    authority.issues("other", vec![dns("other.example")]);
    authority.revokes(&[]);
    let listen = "[sip]\nallowed = []\n[sip.listen.tls]\ntransport = \"tls\"\naddress = \"127.0.0.1\"\nport = 0\ncertificate = \"server.pem\"\n\
                  key = \"server.key\"\nclient_ca = \"ca.pem\"\nclient_crl = \"crl.pem\"\n[sip.trunk.pbx]\ncertificate = \"pbx.example\"\n";
    let daemon = Daemon::start(path, &format!("{ONLY}{listen}"));
    let calls = |client: &str| calls(path, daemon.sip[0], client);
    assert_eq!((calls("pbx").as_deref(), calls("other").as_deref()), (Some("404"), Some("403")));
    authority.revokes(&["pbx"]);
    let end = std::time::Instant::now() + Duration::from_secs(20);
    // The files are looked at once a second at most.
    while is_let_in(path, daemon.sip[0], "pbx") {
        assert!(std::time::Instant::now() < end, "it is still let in");
    }
    assert_eq!(calls("other").as_deref(), Some("403"), "who is not revoked gets in as before");
}
