//! Kamailio as the PBX at which Roomgate is registered, and as the proxy that stands before it (S-3, S-2, X-2).

use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};

use crate::baresip::{Baresip, Codec, Transport};
use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::namespace::{folder as sources, isolated_beside_others, program};
use crate::process::Process;
use crate::waiting::{eventually, seconds};

const ALICE: f64 = 611.0;
const PHONE: f64 = 1011.0;
const ACCOUNT: &str = "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[sip]\nallowed = []\n\
    [sip.account.pbx]\nregistrar = \"127.0.0.1:5080\"\nusername = \"7000\"\npassword = \"secret\"\ndefault_meeting = \"demo\"\n";

/// A running PBX, or a proxy before gateways, on port 5080.
pub(crate) struct Kamailio {
    process: Process,
    folder: PathBuf,
}

impl Kamailio {
    /// A PBX.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_as("pbx", &folder.join("kamailio"))
    }

    /// A proxy that asks `gateways` (lines of a group and an address) whether they take calls.
    pub(crate) fn dispatch(folder: &Path, gateways: &str) -> Self {
        let folder = folder.join("kamailio");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("gateways"), gateways).expect("a file");
        Self::start_as("dispatcher", &folder)
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    fn start_as(role: &str, folder: &Path) -> Self {
        let folder = folder.to_owned();
        std::fs::create_dir_all(&folder).expect("a folder");
        let modules = glob_modules();
        let text = std::fs::read_to_string(sources().join(format!("kamailio/{role}.cfg"))).expect("its configuration");
        let text = text.replace("MODULES", &modules).replace("FOLDER", &folder.display().to_string());
        std::fs::write(folder.join("kamailio.cfg"), text).expect("a file");
        certificates(&folder);
        let process = Self::launch(&folder);
        Self { process, folder }
    }

    fn launch(folder: &Path) -> Process {
        let mut command = Command::new(program("kamailio"));
        command.args(["-DD", "-E", "-m", "64", "-M", "8", "-f"]).arg(folder.join("kamailio.cfg"));
        command.arg("-Y").arg(folder).arg("-P").arg(folder.join("pid"));
        Process::start(&mut command, &folder.join("log"), false)
    }

    /// Its memory, and so every registration, is gone.
    fn restart(&mut self) {
        let id = self.process.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().expect("kill can be run");
        eventually(seconds(10), "Kamailio ends", || self.process.exit_code());
        self.process = Self::launch(&self.folder);
    }
}

/// A name server on port 53 that knows these records, in the words of dnsmasq.
pub(crate) fn names(folder: &Path, records: &[&str]) -> Process {
    let mut command = Command::new(program("dnsmasq"));
    command.args(["--keep-in-foreground", "--no-resolv", "--no-hosts", "--bind-interfaces", "--user=root", "--pid-file"]);
    command.arg("--listen-address=127.0.0.1").args(records);
    Process::start(&mut command, &folder.join("dnsmasq.log"), false)
}

/// An authority in `ca.pem`, and a certificate of it for the domain `pbx.test`.
fn certificates(folder: &Path) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    std::fs::write(folder.join("ca.pem"), issuer.pem()).expect("a file");
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::DnsName("pbx.test".try_into().expect("a name"))];
    std::fs::write(folder.join("server.pem"), params.signed_by(&key, &issuer).expect("a certificate").pem()).expect("a file");
    std::fs::write(folder.join("server.key"), key.serialize_pem()).expect("a file");
}

/// Where Debian keeps Kamailio's modules: it depends on the kind of processor.
fn glob_modules() -> String {
    let libraries = std::fs::read_dir("/usr/lib").expect("libraries");
    let modules = libraries.filter_map(Result::ok).map(|entry| entry.path().join("kamailio/modules")).find(|path| path.is_dir());
    format!("{}/", modules.expect("Kamailio's modules").display())
}

fn registered(daemon: &Daemon) -> Option<u64> {
    daemon.status()["accounts"][0]["lives_seconds"].as_u64()
}

/// A phone calls, is admitted and heard, and hears.
fn talks(alice: &mut Browser, phone: &mut Baresip) {
    alice.wait("lobby-row");
    alice.click("admit");
    phone.hear_clear(ALICE, 1.5);
    let (by_phone, by_alice) = (phone.hear(4.0), alice.heard().last(4.0));
    let levels = (by_phone.steady(ALICE), by_alice.steady(PHONE));
    println!("Alice at the phone, the phone at Alice: {levels:.1?} dBov");
    assert!(levels.0 > -30.0 && levels.1 > -30.0, "{levels:?}");
}

/// Roomgate registers at kamailio is called there and comes back after its restart.
#[test]
fn roomgate_registers_at_kamailio_is_called_there_and_comes() {
    isolated_beside_others(|| {
        let mut daemon = Daemon::with(ACCOUNT);
        // Not there yet: the gateway says so, and goes on trying.
        eventually(seconds(45), "a registrar that is not there is seen", || {
            daemon.log().contains("not registered; goes on trying").then_some(())
        });
        println!("before: {}", daemon.status()["accounts"]);
        let mut pbx = Kamailio::start(daemon.folder());
        eventually(seconds(30), "it is registered", || registered(&daemon));
        println!("registered: {}", daemon.status()["accounts"]);

        let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
        alice.enter(&daemon.link("demo", true));
        alice.join("Alice");
        let mut phone = Baresip::start(daemon.folder(), 5070, Codec::Pcmu, Transport::Udp, PHONE);
        // A meeting's own phone rings by the number that the PBX gave us.
        phone.dial("sip:7000@127.0.0.1:5080");
        talks(&mut alice, &mut phone);
        phone.hang_up();
        alice.gone("roster-row", "External");

        pbx.restart();
        // Nobody tells us; the next refresh does it.
        let mut before = registered(&daemon);
        eventually(seconds(40), "it has registered anew", || {
            let now = registered(&daemon);
            std::mem::replace(&mut before, now).zip(now).filter(|(before, now)| now > before)
        });
        let mut second = Baresip::start(daemon.folder(), 5090, Codec::G722, Transport::Tcp, PHONE);
        second.dial("sip:7000@127.0.0.1:5080;transport=tcp");
        talks(&mut alice, &mut second);
        second.hang_up();
        assert_eq!(daemon.stop(), 0);
        assert!(daemon.log().contains("signed off"), "{}", daemon.log());
    });
}

/// A call through a proxy that records its route is held resumed and ended from both sides.
#[test]
fn a_call_through_a_proxy_that_records_its_route_is_held() {
    isolated_beside_others(|| {
        let daemon = Daemon::with(
            "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[sip]\nallowed = []\n[sip.trunk.proxy]\naddresses = [\"127.0.0.1\"]\n",
        );
        let _pbx = Kamailio::start(daemon.folder());
        let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
        alice.enter(&daemon.link("demo", true));
        alice.join("Alice");
        for (port, ends_itself) in [(5070, true), (5090, false)] {
            let mut phone = Baresip::start(daemon.folder(), port, Codec::Pcma, Transport::Udp, PHONE);
            phone.dial("sip:881001@127.0.0.1:5080");
            talks(&mut alice, &mut phone);
            phone.command("hold", "");
            alice.until("roster-row", "the phone is on hold", |row| row.shows("on-hold"));
            phone.command("resume", "");
            alice.until("roster-row", "the phone is back", |row| row.text.contains("External") && !row.shows("on-hold"));
            match ends_itself {
                true => phone.hang_up(),
                false => {
                    alice.click_in("roster-row", "External", "row-menu");
                    alice.click("row-remove");
                    alice.click("confirm-ok");
                    phone.wait_for("CALL_CLOSED", 15);
                }
            }
            alice.gone("roster-row", "External");
        }
        let calls = eventually(seconds(10), "both calls are over", || {
            let status = daemon.status();
            status["calls"].as_array().is_some_and(Vec::is_empty).then_some(status)
        });
        println!("{}", calls["resources"]["sip"]);
    });
}

/// A registrar is found by naptr and srv and its certificate must name the domain.
#[test]
fn a_registrar_is_found_by_naptr_and_srv_and_its_certificate() {
    isolated_beside_others(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let _pbx = Kamailio::start(folder.path());
        let _names = names(
            folder.path(),
            &[
                "--naptr-record=pbx.test,20,10,s,SIP+D2U,,_sip._udp.pbx.test",
                "--naptr-record=pbx.test,10,10,s,SIPS+D2T,,_sips._tcp.pbx.test",
                // The first choice is dead.
                "--srv-host=_sips._tcp.pbx.test,dead.pbx.test,5999,10,1",
                "--srv-host=_sips._tcp.pbx.test,live.pbx.test,5081,20,1",
                "--host-record=dead.pbx.test,127.0.0.1",
                "--host-record=live.pbx.test,127.0.0.1",
            ],
        );

        let account = |ca: &str| {
            format!(
                "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[sip]\nallowed = []\nname_servers = [\"127.0.0.1\"]\nca = \"{ca}\"\n\
                 [sip.account.pbx]\nregistrar = \"pbx.test\"\nusername = \"7000\"\npassword = \"secret\"\n"
            )
        };
        // An authority that has not issued this certificate.
        let other = Daemon::certificate(folder.path());
        let mistrusting = Daemon::with(&account(&other.display().to_string()));
        eventually(seconds(30), "a certificate of somebody else is refused", || {
            let failure = mistrusting.status()["accounts"][0]["failure"].clone();
            failure.as_str().map(str::to_owned).inspect(|failure| println!("{failure}"))
        });
        assert!(registered(&mistrusting).is_none());
        drop(mistrusting);

        let daemon = Daemon::with(&account(&folder.path().join("kamailio/ca.pem").display().to_string()));
        eventually(seconds(30), "it is registered", || registered(&daemon));
        println!("{}", daemon.status()["accounts"]);
        assert!(daemon.log().contains("registered account=pbx registrar=127.0.0.1:5081"), "{}", daemon.log());
        let mut phone = Baresip::start(daemon.folder(), 5070, Codec::Pcmu, Transport::Udp, PHONE);
        phone.dial("sip:7000@127.0.0.1:5080");
        // The menu's first words.
        assert!(phone.hear(3.0).level() > -40.0);
        phone.hang_up();
    });
}
