//! The Debian package on a bare Debian 12, under its systemd: installed, started, upgraded, removed (O-3, O-4).

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::baresip::{Baresip, Codec, Login, Transport};
use crate::daemon::ask;
use crate::debian::{Debian, package};
use crate::namespace::{isolated_as_root_beside_others, program};
use crate::process::Process;
use crate::smsc::Smsc;
use crate::waiting::{eventually, seconds};

const PASSWORD: &str = "correct-horse-battery";
const UNIT: &str = "/usr/lib/systemd/system/roomgate.service";

/// What an administrator writes first: a phone with a password, a message centre; and not to wait long for calls.
const DROP_IN: &str = "[sip]\ndigest = [\"md5\"]\n[device.board-room]\nusername = \"board\"\npassword = { file = \"/etc/roomgate/board.password\" }\n\
                       [limits]\ndrain = \"2s\"\n";

/// The administrator's test phone, on the machine that the tests run on.
pub(crate) fn dial() -> Value {
    let mut dial = Command::new(env!("CARGO_BIN_EXE_roomgate"));
    let output = dial.args(["dial", "sip:1001@127.0.0.1", "--for", "1s"]).output().expect("roomgate dial can be run");
    let report = serde_json::from_slice(&output.stdout).expect("a report in JSON");
    assert!(output.status.success(), "{report}");
    report
}

/// One of an earlier release, if there is one (`ROOMGATE_EARLIER_PACKAGE`); else of this very binary: what an upgrade does to the service
/// and to the state directory does not depend on what has changed, and that older stores are taken up is a test of the store's own.
fn earlier_package(folder: &Path) -> PathBuf {
    std::env::var_os("ROOMGATE_EARLIER_PACKAGE").map_or_else(|| package("0.0.9-1", folder), PathBuf::from)
}

fn get(debian: &Debian, path: &str, list: &str) -> Vec<Value> {
    let answer = ask(&debian.path("/var/lib/roomgate/api-token"), "GET", path, "");
    answer[list].as_array().unwrap_or_else(|| panic!("no list: {answer}")).clone()
}

/// Every file of the machine but what its package manager and its log write of their own accord.
fn files(debian: &Debian) -> BTreeSet<String> {
    let all = debian.says("find / -xdev -not -path '/proc/*' -not -path '/root/*' -not -path '/tmp/*'");
    let own = ["/var/log/", "/var/lib/dpkg/", "/var/lib/apt/", "/var/cache/", "/var/tmp/", "/etc/.pwd.lock"];
    all.lines().filter(|path| !own.iter().any(|own| path.starts_with(own))).map(str::to_owned).collect()
}

/// The package installs starts upgrades by a drain and is removed without a trace.
#[test]
fn o3_and_o4_the_package_installs_starts_upgrades_by_a_drain() {
    isolated_as_root_beside_others(|| {
        let built = tempfile::tempdir().expect("a folder");
        let (earlier, later) = (earlier_package(built.path()), package("0.1.0-1", built.path()));
        let debian = Debian::boot();
        let before = files(&debian);
        let began = Instant::now();
        debian.install(&earlier);
        println!("{} bytes, installed and ready in {:?}", earlier.metadata().expect("it is there").len(), began.elapsed());

        // A service of type notify is up when it has said READY=1: not sooner, and then a call is taken at once.
        dial();
        assert_eq!(debian.says("systemctl is-active roomgate; systemctl is-enabled roomgate"), "active\nenabled\n");
        assert_eq!(
            debian.says("stat -c '%U:%G %a' /var/lib/roomgate /etc/roomgate/roomgate.d"),
            "roomgate:roomgate 750\nroot:roomgate 750\n"
        );
        // U-1: under the hardened unit as well, and for nobody but the daemon's user and root.
        assert_eq!(debian.says("stat -c '%U:%G %a %F' /var/lib/roomgate/roomgate.sock"), "roomgate:roomgate 600 socket\n");
        debian.says("roomgate status && setpriv --reuid roomgate --regid roomgate --clear-groups roomgate status");
        let stranger = debian.run("setpriv --reuid nobody --regid roomgate --clear-groups roomgate status 2>&1");
        assert_eq!(stranger.status.code(), Some(69), "{}", String::from_utf8_lossy(&stranger.stdout));
        let process = debian.says("ps -o user=,args= -p $(systemctl show -P MainPID roomgate)");
        assert_eq!(process.trim(), "roomgate /usr/bin/roomgate run --config /etc/roomgate");
        let verified = debian.run("systemd-analyze verify roomgate.service 2>&1");
        assert!(verified.status.success() && verified.stdout.is_empty(), "{}", String::from_utf8_lossy(&verified.stdout));
        an_exposure_of_at_most(&debian, 1.5);

        every_drop_in_is_taken(&debian);

        // A phone registers and calls, a call is over, messages wait at a centre that does not answer.
        debian.write("/etc/roomgate/board.password", PASSWORD);
        debian.write("/etc/roomgate/roomgate.d/own.toml", &format!("{DROP_IN}{}number = \"+4915112345678\"\n", Smsc::PROVIDER));
        debian.says("rm /etc/roomgate/roomgate.d/demo.toml && roomgate check-config");
        debian.write("/etc/roomgate/roomgate.d/meetings.toml", "[meeting.weekly]\nconference_id = \"1001\"\n");
        let mut centre = Smsc::start(debian.folder());
        debian.says("systemctl restart roomgate");
        eventually(seconds(10), "it is bound", || (centre.count("bound") == 1).then_some(()));
        let login = Login { user: "board", password: PASSWORD, at: "127.0.0.1:5060" };
        let mut phone = Baresip::start_with(debian.folder(), 5080, Codec::G722, (Transport::Udp, None), 1011.0, Some(login));
        assert!(phone.registered(), "{}", debian.journal());
        dial();
        centre.order(&json!({ "hang": true }));
        (0..3).for_each(|handset| centre.write(&format!("4917155500{handset:02}"), "hello?", 1));
        eventually(seconds(10), "three are unanswered", || (centre.count("submitted") == 3).then_some(()));
        phone.dial("sip:1001@127.0.0.1:5060");
        assert!(phone.hear(2.0).level() > -50.0, "our voice");
        let kept = |debian: &Debian| (get(debian, "/api/v1/devices", "devices"), get(debian, "/api/v1/records", "records"));
        let (devices, records) = kept(&debian);
        assert_eq!((devices.len(), records.is_empty()), (1, false), "{devices:?} {records:?}");

        // What is told to the phone before it is hung up is the same as at any stop (O-4).
        let began = Instant::now();
        debian.install(&later);
        println!("upgraded with a call up in {:?}", began.elapsed());
        phone.wait_for("CALL_CLOSED", 10);
        dial();
        assert_eq!(debian.says("dpkg-query -W -f '${Version}' roomgate"), "0.1.0-1");
        let (devices_after, records_after) = eventually(seconds(5), "the last call is recorded", || {
            Some(kept(&debian)).filter(|(_, after)| after.len() >= records.len() + 2)
        });
        let contact = |devices: &[Value]| devices.iter().map(|device| device["contact"].clone()).collect::<Vec<_>>();
        assert_eq!(contact(&devices_after), contact(&devices), "the phone need not register anew");
        for record in &records {
            // A later release may tell more of it.
            let all_of_it =
                |after: &Value| record.as_object().is_some_and(|said| said.iter().all(|(key, said)| after[key] == *said));
            assert!(records_after.iter().any(all_of_it), "{record} is not in {records_after:?}");
        }
        assert_eq!(
            records_after.len(),
            records.len() + 2,
            "what was ended by the upgrade, and what came after it: {records_after:?}"
        );
        let call = records_after[0]["call"].as_str().expect("a call");
        let lines =
            debian.says(&format!("journalctl -u roomgate -o cat --no-pager ROOMGATE_CALL={call} ROOMGATE_MEETING=weekly"));
        assert!(lines.contains("knocks") && lines.contains(call), "{lines}");
        centre.order(&json!({ "hang": false }));
        eventually(seconds(20), "all messages are accepted", || {
            let outbox = ask(&debian.path("/var/lib/roomgate/api-token"), "GET", "/api/v1/relay/outbox", "");
            (outbox["counts"]["accepted"] == 3).then_some(())
        });
        assert!(!debian.path("/etc/roomgate/roomgate.d/demo.toml").exists(), "what was deleted stays so");

        drop(phone);
        a_drain_that_is_longer_than_the_units_limit_is_waited_for(&debian);
        is_ready_under_any_supervisor_once_it_takes_calls(&debian);
        debian.says("apt-get remove -y roomgate 2>&1");
        assert!(!debian.path("/usr/bin/roomgate").exists() && debian.path("/var/lib/roomgate/roomgate.db").exists());
        debian.says("apt-get purge -y roomgate 2>&1");
        let left: Vec<_> = files(&debian).difference(&before).cloned().collect();
        assert!(
            left.iter().all(|path| ["/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-"].contains(&path.as_str())),
            "{left:?}"
        );
        assert!(
            debian.says("getent passwd roomgate").ends_with(":/usr/sbin/nologin\n"),
            "the user stays, and nobody logs in as it"
        );
        assert_eq!(debian.says("systemctl --failed --no-legend | wc -l"), "0\n");
    });
}

/// The shipped examples, all of them at once, but the one that systemd 252 does not know.
fn every_drop_in_is_taken(debian: &Debian) {
    let (examples, own) = ("/usr/share/doc/roomgate/examples/systemd", "/etc/systemd/system/roomgate.service.d");
    assert_eq!(debian.says(&format!("ls {examples}")), "credentials.conf\nlow-ports.conf\nnotify-reload.conf\nreal-time.conf\n");
    debian.says(&format!("install -D -m 644 -t {own} {examples}/* && rm {own}/notify-reload.conf"));
    debian.says(&format!("umask 077 && echo {PASSWORD} > /etc/roomgate/pbx.password"));
    debian.write(
        "/etc/roomgate/roomgate.d/tried.toml",
        "[http]\nport = 443\n[device.tried]\nusername = \"tried\"\npassword = { credential = \"pbx.password\" }\n",
    );
    let verified = debian.says("systemctl daemon-reload && systemd-analyze verify roomgate.service 2>&1");
    assert!(verified.is_empty(), "{verified}");
    debian.says("systemctl restart roomgate");
    assert!(debian.says("chrt -p $(systemctl show -P MainPID roomgate)").contains("SCHED_RR"));
    // It asks at port 443, and knows the configuration that names a credential.
    debian.says("CREDENTIALS_DIRECTORY=/run/credentials/roomgate.service roomgate status");
    dial();
    debian
        .says(&format!("rm -r {own} /etc/roomgate/pbx.password /etc/roomgate/roomgate.d/tried.toml && systemctl daemon-reload"));
}

/// However long calls hold it up (`limits.drain`): systemd is told, and does not kill it at `TimeoutStopSec=`.
fn a_drain_that_is_longer_than_the_units_limit_is_waited_for(debian: &Debian) {
    let (own, patient) = ("/etc/systemd/system/roomgate.service.d", "/etc/roomgate/roomgate.d/patient.toml");
    debian.says(&format!("mkdir {own}"));
    debian.write(&format!("{own}/short.conf"), "[Service]\nTimeoutStopSec=3\n");
    debian.write(patient, "[limits]\ndrain = \"10m\"\n");
    debian.says("systemctl daemon-reload && systemctl restart roomgate");
    let mut dial = Command::new(env!("CARGO_BIN_EXE_roomgate"));
    dial.args(["dial", "sip:1001@127.0.0.1", "--for", "8s"]).stdout(Stdio::piped());
    let call = dial.spawn().expect("roomgate dial can be run");
    eventually(seconds(5), "the call is up", || {
        let status: Value = serde_json::from_str(&debian.says("roomgate status --json")).expect("JSON");
        (status["calls"].as_array().map(Vec::len) == Some(1)).then_some(())
    });
    let began = Instant::now();
    debian.says("systemctl stop roomgate");
    println!("stopped after {:?}", began.elapsed());
    let call = call.wait_with_output().expect("it ends");
    assert!(call.status.success(), "{}", String::from_utf8_lossy(&call.stdout));
    assert_eq!(debian.says("systemctl show -P Result roomgate"), "success\n", "{}", debian.journal());
    debian.says(&format!("rm -r {own} {patient} && systemctl daemon-reload && systemctl start roomgate"));
}

fn an_exposure_of_at_most(debian: &Debian, limit: f64) {
    let report = debian.says(&format!("systemd-analyze security --offline=yes {UNIT} | tail -n 1"));
    println!("{}", report.trim());
    let exposure = report.split_whitespace().find_map(|word| word.parse::<f64>().ok()).expect("a figure");
    assert!(exposure <= limit, "{report}");
}

/// Starts what the unit starts, as the unit's user, and holds the socket that the unit's systemd would hold.
fn is_ready_under_any_supervisor_once_it_takes_calls(debian: &Debian) {
    debian.says("systemctl stop roomgate && install -d -m 755 /run/supervisor");
    let unit = std::fs::read_to_string(debian.path(UNIT)).expect("the unit");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("what is started");
    let path = debian.path("/run/supervisor/notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("its mode");
    socket.set_read_timeout(Some(seconds(20))).expect("a socket option");
    let mut command = debian.command(&format!(
        "cd /var/lib/roomgate && umask 0077 && NOTIFY_SOCKET=/run/supervisor/notify STATE_DIRECTORY=/var/lib/roomgate \
         exec setpriv --reuid roomgate --regid roomgate --clear-groups --bounding-set=-all --no-new-privs {start}"
    ));
    let _daemon = Process::start(&mut command, &debian.folder().join("supervised.log"), false);
    let hear = || {
        let mut told = [0; 1024];
        let count = socket.recv(&mut told).expect("it says something");
        String::from_utf8_lossy(&told[..count]).into_owned()
    };
    let until = |wanted: &str| while !hear().lines().any(|line| line == wanted) {};
    until("READY=1");
    dial();
    debian.says("pkill -TERM -u roomgate -x roomgate");
    until("STOPPING=1");
}

#[test]
fn lintian_finds_nothing_in_the_package() {
    let folder = tempfile::tempdir().expect("a folder");
    let checked = Command::new(program("lintian"))
        .args(["--fail-on", "error,warning", "--tag-display-limit", "0"])
        .arg(package("0.1.0-1", folder.path()))
        .output()
        .expect("lintian can be run");
    let found = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    println!("{found}");
    assert!(checked.status.success() && !found.contains("\nW:") && !found.contains("\nE:"), "{found}");
}

/// The package has the version of the program and its manual names every command.
#[test]
fn the_package_has_the_version_of_the_program_and_its_manual() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let changelog = std::fs::read_to_string(root.join("systemd/debian/changelog")).expect("the changelog");
    assert!(changelog.starts_with(&format!("roomgate ({}-", env!("CARGO_PKG_VERSION"))), "{changelog}");
    let manual = std::fs::read_to_string(root.join("systemd/debian/roomgate.1")).expect("the manual page").replace("\\-", "-");
    let help = Command::new(env!("CARGO_BIN_EXE_roomgate")).arg("--help").stderr(Stdio::null()).output().expect("it can be run");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<_> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 5, "{help}");
    for command in commands {
        assert!(manual.contains(&format!(".B {command}\n")), "the manual page does not tell of `{command}`");
    }
}
