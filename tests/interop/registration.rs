//! Real phones prove who they are: they register by digest and call in, over UDP, TCP and TLS, or show a certificate (M-1, S-1, S-3).

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use serde_json::json;

use crate::baresip::{Baresip, Codec, Login, Pem, Transport};
use crate::daemon::Daemon;
use crate::load::rows;
use crate::namespace::isolated_beside_others;
use crate::pjsip::Pjsip;
use crate::waiting::{eventually, seconds};

const PASSWORD: &str = "correct-horse-battery";

/// Certificates of one authority in a folder: `ca.pem`, `server.pem` with `server.key`, `phone.pem` with its key in it.
fn certificates() -> PathBuf {
    // It stays as long as the test's own process: a daemon may read its certificate anew at any time.
    let folder = tempfile::tempdir().expect("a folder").keep();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Test authority");
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    fs::write(folder.join("ca.pem"), issuer.pem()).expect("a file");
    let issue = |common: &str, names: Vec<SanType>| {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common);
        params.subject_alt_names = names;
        (params.signed_by(&key, &issuer).expect("a certificate").pem(), key.serialize_pem())
    };
    let (server, key) = issue("127.0.0.1", vec![SanType::IpAddress([127, 0, 0, 1].into())]);
    fs::write(folder.join("server.pem"), server).expect("a file");
    fs::write(folder.join("server.key"), key).expect("a file");
    let (phone, key) = issue("board-phone.example", vec![SanType::DnsName("board-phone.example".try_into().expect("a name"))]);
    fs::write(folder.join("phone.pem"), phone + &key).expect("a file");
    folder
}

/// Debian's baresip gives up where a challenge offers what it does not know.
const MD5: &str = "[\"md5\"]";
const BOTH: &str = "[\"sha-256\", \"md5\"]";

/// A daemon that nobody calls without proof. TLS on 5061, with certificates asked for on 5071.
fn daemon(pem: &Path, digest: &str) -> Daemon {
    let file = |name: &str| pem.join(name).display().to_string();
    let tls = format!("transport = \"tls\"\ncertificate = \"{}\"\nkey = \"{}\"\n", file("server.pem"), file("server.key"));
    Daemon::with(&format!(
        "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[sip]\nallowed = []\ndigest = {digest}\n[sip.listen.tls]\n{tls}\
         [sip.listen.mutual]\nport = 5071\nclient_ca = \"{}\"\n{tls}\
         [device.board-room]\nusername = \"board\"\npassword = \"{PASSWORD}\"\nname = \"Board room\"\ndefault_meeting = \"demo\"\n\
         [device.lobby]\ncertificate = \"board-phone.example\"\n",
        file("ca.pem")
    ))
}

fn knocks(daemon: &Daemon, device: &str) -> usize {
    let label = format!("device={device}");
    daemon.log().lines().filter(|line| line.contains(" call ") && line.contains(&label)).count()
}

/// Baresip registers by digest over every transport and its calls are the devices.
#[test]
fn baresip_registers_by_digest_over_every_transport() {
    isolated_beside_others(|| {
        let pem = certificates();
        let daemon = daemon(&pem, MD5);
        for (port, transport) in (5080..).step_by(10).zip(Transport::ALL) {
            let at = if transport == Transport::Tls { "127.0.0.1:5061" } else { "127.0.0.1:5060" };
            let login = Login { user: "board", password: PASSWORD, at };
            let ca = pem.join("ca.pem");
            let with = (transport, Some(Pem { ca: &ca, own: None }));
            let mut phone = Baresip::start_with(daemon.folder(), port, Codec::Pcmu, with, 1011.0, Some(login));
            assert!(phone.registered(), "{transport:?}: {}", daemon.log());
            let devices = daemon.devices();
            assert_eq!(devices.last().map(|device| &device["device"]), Some(&json!("board-room")), "{devices:?}");
            assert!(devices.iter().any(|device| device["transport"] == transport.name()), "{devices:?}");
            // S-9: it is called where it is registered; over TCP and TLS by the connection that it has opened.
            daemon.invite("demo", "board-room");
            let established = phone.wait_for("CALL_ESTABLISHED", 10);
            let dialog = established["id"].as_str().expect("baresip tells the Call-ID");
            let placed = |line: &str| line.contains("call placed") && line.contains(dialog);
            assert!(daemon.log().lines().any(placed), "{dialog} is not in\n{}", daemon.log());
            assert!(phone.hear(2.0).level() > -50.0, "{transport:?}: which meeting it is called into");
            phone.hang_up();
            phone.wait_for("CALL_CLOSED", 10);
            phone.forgets();
            let before = knocks(&daemon, "board-room");
            phone.dial(&format!("sip:menu@{at};transport={}", transport.name()));
            assert!(phone.hear(3.0).level() > -50.0, "{transport:?}: our voice");
            assert_eq!(knocks(&daemon, "board-room"), before + 1, "{}", daemon.log());
            phone.hang_up();
        }
    });
}

/// Pjsip registers by digest over every transport and its calls are the devices.
#[test]
fn pjsip_registers_by_digest_over_every_transport_and_its_calls() {
    isolated_beside_others(|| {
        let pem = certificates();
        let daemon = daemon(&pem, BOTH);
        for (port, transport) in (5082..).step_by(10).zip(Transport::ALL) {
            let at = if transport == Transport::Tls { "127.0.0.1:5061" } else { "127.0.0.1:5060" };
            let registrar = format!("sip:{at};transport={}", transport.name());
            let mut account =
                json!({ "transport": transport.name(), "registrar": registrar, "user": "board", "password": PASSWORD });
            if transport == Transport::Tls {
                account["ca"] = json!(pem.join("ca.pem"));
            }
            let mut phone = Pjsip::start_with(daemon.folder(), port, 1011.0, &account);
            assert_eq!(phone.wait_for("registered", 15)["status"], 200, "{transport:?}: {}", daemon.log());
            phone.dial(&format!("sip:1001@{at};transport={}", transport.name()));
            assert!(phone.hear(3.0).level() > -50.0, "{transport:?}: our voice");
            phone.hang_up();
        }
        assert_eq!(knocks(&daemon, "board-room"), 3, "{}", daemon.log());
    });
}

#[test]
fn a_wrong_password_is_refused_and_then_met_with_silence() {
    isolated_beside_others(|| {
        let pem = certificates();
        let daemon = daemon(&pem, MD5);
        // This phone tries its password again and again by itself.
        let login = Login { user: "board", password: "guess", at: "127.0.0.1:5060" };
        let _thief = Baresip::start_with(daemon.folder(), 5080, Codec::Pcmu, (Transport::Udp, None), 1011.0, Some(login));
        eventually(seconds(15), "the source is no longer answered", || daemon.log().contains("once too often").then_some(()));
        assert_eq!(daemon.log().matches("wrong password").count(), 8);
        assert!(daemon.devices().is_empty());
        let mut phone = Pjsip::start_with(
            daemon.folder(),
            5062,
            1011.0,
            &json!({ "registrar": "sip:127.0.0.1:5060", "user": "board", "password": PASSWORD }),
        );
        assert_eq!(phone.wait_for("registered", 40)["status"], 408, "whoever comes from there hears nothing");
        assert_eq!(knocks(&daemon, "board-room"), 0);
    });
}

#[test]
fn a_phone_with_a_certificate_calls_without_a_password() {
    isolated_beside_others(|| {
        let pem = certificates();
        let daemon = daemon(&pem, BOTH);
        let (ca, own) = (pem.join("ca.pem"), pem.join("phone.pem"));
        let with = (Transport::Tls, Some(Pem { ca: &ca, own: Some(&own) }));
        let mut phone = Baresip::start_with(daemon.folder(), 5080, Codec::G722, with, 1011.0, None);
        phone.dial("sip:1001@127.0.0.1:5071;transport=tls");
        assert!(phone.hear(3.0).level() > -50.0, "our voice");
        assert_eq!(knocks(&daemon, "lobby"), 1, "{}", daemon.log());
        phone.hang_up();
        phone.wait_for("CALL_CLOSED", 10);
        let stranger = (Transport::Tls, Some(Pem { ca: &ca, own: None }));
        let mut stranger = Baresip::start_with(daemon.folder(), 5090, Codec::G722, stranger, 1011.0, None);
        stranger.command("dial", "sip:1001@127.0.0.1:5071;transport=tls");
        stranger.wait_for("CALL_CLOSED", 40);
        assert_eq!(knocks(&daemon, "lobby"), 1);
    });
}

#[test]
fn registrations_are_there_again_after_kill_9() {
    isolated_beside_others(|| {
        let pem = certificates();
        let mut daemon = daemon(&pem, MD5);
        let login = Login { user: "board", password: PASSWORD, at: "127.0.0.1:5060" };
        let mut phone = Baresip::start_with(daemon.folder(), 5080, Codec::Pcmu, (Transport::Udp, None), 1011.0, Some(login));
        assert!(phone.registered());
        let before = eventually(seconds(5), "one contact", || daemon.devices().pop());
        eventually(seconds(5), "it is on the disk", || (rows(&daemon).get("registrations") == Some(&1)).then_some(()));
        drop(phone);
        daemon.kill();
        daemon.start_again();
        let after = daemon.devices().pop().expect("the contact is there again");
        assert_eq!((&after["contact"], &after["device"]), (&before["contact"], &before["device"]));
        assert!(after["expires_in_s"].as_u64() <= before["expires_in_s"].as_u64(), "{before} {after}");
    });
}
