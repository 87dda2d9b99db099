//! Bad days: a full disk and one that is or turns read-only, a clock that jumps, no descriptor left, RTP ports that others hold, names that
//! nobody resolves. Calls that are up do not notice, the log says it once, and it is over when the cause is.

use std::collections::HashSet;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use roomgate::common::units::read_rfc3339;
use serde_json::{Value, json};

use crate::audio::Tone;
use crate::baresip::{Baresip, Codec, Transport};
use crate::daemon::Daemon;
use crate::kamailio::{Kamailio, names};
use crate::load::{dial, report};
use crate::member::Member;
use crate::namespace::{isolated, isolated_as_root};
use crate::waiting::{eventually, seconds};
use crate::wiretap::{Wiretap, punctuality};

/// A meeting whose lobby phones pass, and a way for a test to go on.
fn settings(more: &str) -> String {
    format!(
        "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\nrtp_ports = \"20000-20011\"\n\
         [meeting.hall]\ntitle = \"Hall\"\nconference_id = \"2002\"\ndevices_bypass = true\n{more}"
    )
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The payload type that the speaker's packets have (RFC 3551).
const PCMA: u8 = 8;

/// Two phones in the meeting `hall`, of which one hears the other.
struct Talk {
    member: Member,
    speaker: Baresip,
    hearer: Baresip,
    begin: f64,
    began: SystemTime,
    wire: Wiretap,
}

impl Talk {
    fn begin(daemon: &Daemon) -> Self {
        let wire = Wiretap::start(daemon.folder(), "udp and dst portrange 20000-20011");
        // A meeting begins with a member.
        let member = Member::join(daemon, "hall");
        let mut speaker = Baresip::start(daemon.folder(), 5070, Codec::Pcma, Transport::Udp, 1011.0);
        let mut hearer = Baresip::start(daemon.folder(), 5080, Codec::G722, Transport::Udp, 1511.0);
        speaker.dial("sip:2002@127.0.0.1:5060");
        hearer.dial("sip:2002@127.0.0.1:5060");
        // Prompts of welcome, and each hears that the other has come.
        hearer.hear(8.0);
        let (begin, began) = (hearer.heard().length(), SystemTime::now());
        Self { member, speaker, hearer, begin, began, wire }
    }

    /// The tone since it began, a second later.
    fn goes_on(&mut self) -> Tone {
        self.hearer.hear(1.0);
        let heard = self.hearer.heard().since(self.begin);
        let tone = heard.tone(1011.0).expect("the speaker is heard");
        println!("{:.1} s of it: {tone:?}", heard.length());
        tone
    }

    /// Nobody has noticed anything, to the end.
    fn ends(mut self) {
        let tone = self.goes_on();
        self.speaker.hang_up();
        self.hearer.hang_up();
        drop(self.member);
        let speaker = punctuality(&self.wire.finish(), PCMA, self.began);
        assert!(speaker.excuses(&tone), "{tone:?}; {speaker:?}");
    }
}

/// A call that only rings through: answered, heard, ended.
fn call(daemon: &Daemon) -> Value {
    report(dial(daemon, &["sip:1001@127.0.0.1"], 1))
}

/// How often the log says this.
fn said(daemon: &Daemon, what: &str) -> usize {
    daemon.log().matches(what).count()
}

/// The descriptor that the daemon gets after so many others.
fn free_descriptor(daemon: &Daemon, others: usize) -> u32 {
    let open = std::fs::read_dir(format!("/proc/{}/fd", daemon.id())).expect("a running process").flatten();
    let open: HashSet<u32> = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    (0..).filter(|number| !open.contains(number)).nth(others).expect("there is always one more")
}

fn records(daemon: &Daemon) -> usize {
    daemon.records().len()
}

/// A disk of its own for the state directory, as large as a stamp.
fn small_disk(daemon: &Daemon) -> PathBuf {
    let disk = daemon.folder().join("disk");
    std::fs::create_dir(&disk).expect("a folder");
    run("mount", &["-t", "tmpfs", "-o", "size=4m", "tmpfs", &disk.display().to_string()]);
    disk
}

fn fill(disk: &Path) -> PathBuf {
    let filler = disk.join("filler");
    let mut size = 1 << 20;
    let mut contents = Vec::new();
    while size >= 512 {
        contents.resize(contents.len() + size, 0);
        if std::fs::write(&filler, &contents).is_err() {
            contents.truncate(contents.len() - size);
            size /= 2;
        }
    }
    let _ = std::fs::write(&filler, &contents);
    filler
}

/// A full disk loses records and says so but no call and one that is read only is named at the start.
#[test]
fn a_full_disk_loses_records_and_says_so_but_no_call() {
    isolated(|| {
        let mut daemon = Daemon::with(&settings(""));
        daemon.kill();
        let disk = small_disk(&daemon);
        daemon.start_again_in(&disk);
        let mut talk = Talk::begin(&daemon);
        call(&daemon);
        eventually(seconds(5), "the first record", || (records(&daemon) == 1).then_some(()));

        let filler = fill(&disk);
        for _ in 0..3 {
            call(&daemon);
        }
        eventually(seconds(5), "the loss is told", || (said(&daemon, "the store cannot be written") > 0).then_some(()));
        assert_eq!(said(&daemon, "the store cannot be written"), 1, "once, not for each call: {}", daemon.log());
        talk.goes_on();
        let lost = records(&daemon);
        std::fs::remove_file(filler).expect("a file");
        eventually(seconds(20), "with room on the disk records are kept again", || {
            call(&daemon);
            (records(&daemon) > lost).then_some(())
        });

        talk.ends();
        assert_eq!(daemon.stop(), 0);

        let disk = disk.display().to_string();
        run("mount", &["-o", "remount,ro", &disk]);
        let said = daemon.complaint(&["run"], &[]);
        assert!(said.lines().filter(|line| line.contains("ERROR")).count() == 1 && said.contains(&disk), "{said}");
        run("mount", &["-o", "remount,rw", &disk]);
        daemon.start_again();
        call(&daemon);
        assert_eq!(daemon.stop(), 0);
        run("umount", &[&disk]);
    });
}

/// A disk for the state directory that an error turns read-only, as most are set up to be.
struct FragileDisk {
    image: PathBuf,
    mounted: PathBuf,
}

impl FragileDisk {
    fn new(daemon: &Daemon) -> Self {
        let disk = Self { image: daemon.folder().join("disk.image"), mounted: daemon.folder().join("disk") };
        let image = std::fs::File::create(&disk.image).expect("a file");
        image.set_len(64 << 20).expect("room");
        run("mkfs.ext4", &["-q", &disk.image.display().to_string()]);
        std::fs::create_dir(&disk.mounted).expect("a folder");
        disk.mount();
        disk
    }

    fn mount(&self) {
        run("mount", &["-o", "loop,errors=remount-ro", &self.image.display().to_string(), &self.mounted.display().to_string()]);
    }

    /// The kernel takes it for broken.
    fn breaks(&self) {
        let mounts = std::fs::read_to_string("/proc/mounts").expect("readable");
        let mounted = self.mounted.display().to_string();
        let device = mounts.lines().find_map(|line| line.split_once(' ').filter(|(_, rest)| rest.starts_with(&mounted)));
        let name = device.and_then(|(device, _)| device.strip_prefix("/dev/")).expect("a mounted device");
        std::fs::write(format!("/sys/fs/ext4/{name}/trigger_fs_error"), "1").expect("an error");
        std::fs::write(self.mounted.join("more"), "").expect_err("nothing can be written");
    }

    /// What an administrator does once the daemon has stopped.
    fn is_repaired(&self) {
        run("umount", &[&self.mounted.display().to_string()]);
        let repair = Command::new("e2fsck").args(["-f", "-y"]).arg(&self.image).output().expect("e2fsck can be run");
        assert!(repair.status.code().is_some_and(|code| code <= 1), "{repair:?}");
        self.mount();
    }
}

/// A disk that turns read only under the daemon ends no call and after its repair all is there.
#[test]
fn a_disk_that_turns_read_only_under_the_daemon_ends_no_call() {
    isolated_as_root(|| {
        let mut daemon = Daemon::with(&settings(""));
        daemon.kill();
        let disk = FragileDisk::new(&daemon);
        daemon.start_again_in(&disk.mounted);
        let talk = Talk::begin(&daemon);
        call(&daemon);
        eventually(seconds(5), "the first record", || (records(&daemon) == 1).then_some(()));

        disk.breaks();
        for _ in 0..3 {
            call(&daemon);
        }
        eventually(seconds(5), "the loss is told", || (said(&daemon, "the store cannot be written") > 0).then_some(()));
        assert_eq!(said(&daemon, "the store cannot be written"), 1, "once, not for each call: {}", daemon.log());
        talk.member.ask(json!({ "type": "recording", "state": "on" }));
        eventually(seconds(5), "it is told that nothing is recorded", || {
            (said(&daemon, "recording cannot be started") == 1).then_some(())
        });
        assert_eq!(talk.member.state()["recording"], "off", "nobody is told of a recording that there is not");
        talk.ends();
        assert_eq!(daemon.stop(), 0);

        disk.is_repaired();
        daemon.start_again();
        assert_eq!(records(&daemon), 1, "what was kept before is there");
        call(&daemon);
        eventually(seconds(5), "records are kept again", || (records(&daemon) == 2).then_some(()));
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn a_clock_that_jumps_an_hour_forth_and_back_disturbs_no_call() {
    isolated(|| {
        let mut daemon = Daemon::with(&settings(""));
        daemon.kill();
        let clock = daemon.folder().join("clock");
        let set = |to: &str| std::fs::write(&clock, format!("{to}\n")).expect("a file");
        set("+0");
        daemon.start_again_by_clock(&clock);
        let mut talk = Talk::begin(&daemon);
        for jump in ["+1h", "-1h", "+0"] {
            set(jump);
            call(&daemon);
            talk.goes_on();
            assert_eq!(daemon.status()["state"], "ready");
        }
        let kept = daemon.records();
        let began = |record: &Value| record["started_at"].as_str().and_then(read_rfc3339).expect("a time");
        let times: Vec<_> = kept.iter().map(began).collect();
        let spread = times.iter().max().zip(times.iter().min()).map(|(last, first)| last - first).expect("records");
        assert!(spread > 7_000_000, "the clock was really moved: {times:?}");
        for record in &kept {
            let lasted = record["left_at"].as_str().and_then(read_rfc3339).expect("a time") - began(record);
            assert!(lasted < 60_000, "{record}");
        }
        talk.ends();
    });
}

/// Without descriptors or ports new calls are refused and present ones go on until there are some again.
#[test]
fn without_descriptors_or_ports_new_calls_are_refused() {
    isolated(|| {
        let daemon = Daemon::with(&settings(""));
        let mut talk = Talk::begin(&daemon);
        let refused = |daemon: &Daemon| {
            let output = dial(daemon, &["sip:1001@127.0.0.1"], 1).wait_with_output().expect("it ends");
            let report: Value = serde_json::from_slice(&output.stdout).expect("a report in JSON");
            assert!(report["error"].as_str().is_some_and(|error| error.contains("503")), "{report}");
        };
        // The two calls hold two of six pairs.
        let held: Vec<_> = (20_000..20_012).filter_map(|port| UdpSocket::bind(("0.0.0.0", port)).ok()).collect();
        assert!(held.len() >= 6, "{} ports were free", held.len());
        refused(&daemon);
        drop(held);
        eventually(seconds(10), "there are ports again", || {
            dial(&daemon, &["sip:1001@127.0.0.1"], 1).wait_with_output().is_ok_and(|output| output.status.success()).then_some(())
        });
        talk.goes_on();

        let limit = |to: &str| run("prlimit", &["--pid", &daemon.id().to_string(), &format!("--nofile={to}:4096")]);
        let before = said(&daemon, "no media port");
        // All below are held from the start, and whatever is opened gets the lowest that is free.
        limit("10");
        refused(&daemon);
        refused(&daemon);
        assert_eq!(said(&daemon, "no media port") - before, 2, "one line for each call that was refused");
        talk.goes_on();
        // However few are left: who is answered is spoken to.
        let mut answered = 0;
        for left in 0..8 {
            // What is opened gets the lowest that is free, so the limit is the one after as many.
            limit(&free_descriptor(&daemon, left).to_string());
            let output = dial(&daemon, &["sip:1001@127.0.0.1"], 1).wait_with_output().expect("it ends");
            let report: Value = serde_json::from_slice(&output.stdout).expect("a report in JSON");
            println!("{left} left: {} {}", report["error"], report["packets_received"]);
            let heard = report["packets_received"].as_u64().is_some_and(|count| count > 0);
            assert!(heard || report["error"].as_str().is_some_and(|error| error.contains("503")), "{left} left: {report}");
            answered += usize::from(heard);
        }
        assert!(answered > 0, "eight are enough");
        limit("4096");
        call(&daemon);
        talk.ends();
    });
}

/// Without names calls go on and the registration comes when they do.
#[test]
fn without_names_calls_go_on_and_the_registration_comes() {
    isolated(|| {
        let account = "[sip]\nname_servers = [\"127.0.0.1\"]\n\
             [sip.account.pbx]\nregistrar = \"pbx.test:5080\"\ntransport = \"udp\"\nusername = \"7000\"\npassword = \"secret\"\n";
        let daemon = Daemon::with(&settings(account));
        eventually(seconds(30), "the failure is told", || (said(&daemon, "its address is not found") > 0).then_some(()));
        call(&daemon);
        let _pbx = Kamailio::start(daemon.folder());
        let _names = names(daemon.folder(), &["--host-record=pbx.test,127.0.0.1"]);
        eventually(seconds(60), "it registers by itself", || {
            daemon.status()["accounts"][0]["lives_seconds"].as_u64().filter(|lives| *lives > 0)
        });
        assert_eq!(said(&daemon, "its address is not found"), 1, "{}", daemon.log());
    });
}
