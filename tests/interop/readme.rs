//! Whoever follows the documents gets there: every command in them is carried out, in its order, where it says.
//!
//! A block that begins with `sh` is for the source tree, one with `sh machine` for the machine that Roomgate is installed on, which is
//! a bare Debian 12 under its own systemd here. What needs another program, or a public name, begins with `sh elsewhere` and is not carried
//! out. Commands within a line are carried out as well.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::audio::Sound;
use crate::baresip::{Baresip, Codec, Place};
use crate::browser::Browser;
use crate::debian::{Debian, PATIENCE, quoted};
use crate::namespace::{isolated_as_root, setup_folder};
use crate::process::Process;
use crate::waiting::{eventually, seconds};

/// What is followed, in this order: the README installs, and the last one goes on from there and removes.
const DOCUMENTS: &[&str] = &["README.md", "docs/CONTRIBUTING.md", "docs/OPERATIONS.md"];

/// What a command within a line begins with.
const PROGRAMS: &[&str] = &[
    "apt",
    "cargo",
    "curl",
    "docker",
    "journalctl",
    "ls",
    "make",
    "openssl",
    "roomgate",
    "sudo",
    "systemctl",
    "target/release/roomgate",
];

/// What is carried out in another form, and why.
const INSTEAD: &[(&str, &str, &str)] = &[
    ("--for 60s", "--for 2s", "whoever reads needs the time, and this does not"),
    ("make test", "make -n test", "it is what runs this"),
    ("make load", "make -n load", "minutes of calls"),
    ("make soak", "make -n soak", "minutes of calls, or an hour of them"),
    ("make bench", "make -n bench", "minutes of measuring"),
    ("make quality", "make -n quality", "a quarter of an hour of speech"),
    ("make compare", "make -n compare", "a quarter of an hour of calls"),
    ("make fuzz-smoke", "make -n fuzz-smoke", "a step of its own of what checks each change"),
    ("make fuzz TARGET", "make -n fuzz TARGET", "needs the compiler for minutes"),
    ("make check", "make -n check", "a step of its own of what checks each change"),
];

/// What is not carried out, and why.
const NOT: &[(&str, &str)] = &[
    ("roomgate dial", "named without whom to call"),
    ("roomgate link", "named without a meeting"),
    ("cargo doc --open", "opens a browser after minutes of compiling"),
];

/// The phone of the text.
const PHONE: Place<'_> = Place { network: Some("phone"), address: "192.168.1.50", port: 5070 };

/// One command or one block of them.
#[derive(Debug)]
struct Step {
    /// The document and its line.
    at: String,
    on_the_machine: bool,
    script: String,
}

/// All steps of a document, in their order.
fn steps(document: &str, text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut block: Option<(usize, String, String)> = None;
    for (number, line) in text.lines().enumerate() {
        let line_number = number + 1;
        if let Some(fence) = line.trim_start().strip_prefix("```") {
            block = match block.take() {
                None => Some((line_number, fence.to_owned(), String::new())),
                Some((line, kind, script)) => {
                    if kind == "sh" || kind == "sh machine" {
                        steps.push(Step { at: format!("{document}:{line}"), on_the_machine: kind == "sh machine", script });
                    }
                    None
                }
            };
        } else if let Some((_, _, script)) = &mut block {
            script.push_str(line);
            script.push('\n');
        } else {
            for word in line.split('`').skip(1).step_by(2) {
                let program = word.split(' ').next().unwrap_or_default();
                if word != program && PROGRAMS.contains(&program) {
                    let in_tree = ["cargo", "docker", "ls", "make", "target/release/roomgate"].contains(&program);
                    let at = format!("{document}:{line_number}");
                    steps.push(Step { at, on_the_machine: !in_tree, script: format!("{word}\n") });
                }
            }
        }
    }
    assert!(block.is_none(), "a block of {document} has no end");
    steps
}

/// A copy of the source tree without what was built, and a home whose `cargo` does not compile: what it would have made is there.
struct Tree {
    folder: TempDir,
    demo: Option<Process>,
}

impl Tree {
    fn copy() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (root, tree) = (Path::new(env!("CARGO_MANIFEST_DIR")), folder.path().join("roomgate"));
        std::fs::create_dir_all(&tree).expect("a folder");
        for entry in std::fs::read_dir(root).expect("readable").flatten() {
            let name = entry.file_name();
            if ![".git", ".setup", "target", "state"].iter().any(|built| name == *built) {
                let copied = Command::new("cp").arg("-r").arg(entry.path()).arg(&tree).status().expect("cp can be run");
                assert!(copied.success());
            }
        }
        let bin = folder.path().join("home/.cargo/bin");
        std::fs::create_dir_all(&bin).expect("a folder");
        let home = std::env::var("HOME").expect("a home");
        let path = std::env::var("PATH").expect("a path");
        let real = format!("exec env HOME={} PATH={}", quoted(&home), quoted(&path));
        let setup = setup_folder();
        // The compiler would need a quarter of an hour.
        let cargo = format!(
            "case $1 in\nbuild) [ \"$*\" = 'build --release --locked' ] && exec install -D {} target/release/roomgate ;;\n\
             deb) shift; {real} {}/bin/cargo-deb --no-build --fast \"$@\" ;;\nesac\n{real} cargo \"$@\"\n",
            env!("CARGO_BIN_EXE_roomgate"),
            setup.display()
        );
        // There is no engine; `image` carries out what it would do.
        let docker = "case \"$*\" in\n'build -t roomgate .') test -f Dockerfile ;;\n'run --rm --network host --stop-timeout 180 -v '*' roomgate') ;;\n*) exit 64 ;;\nesac\n";
        for (name, script) in [("cargo", cargo.as_str()), ("rustc", &format!("{real} rustc \"$@\"")), ("docker", docker)] {
            std::fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).expect("a file");
        }
        let made = Command::new("chmod").arg("-R").arg("755").arg(&bin).status().expect("chmod can be run");
        assert!(made.success());
        Self { folder, demo: None }
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join("roomgate").join(inside)
    }

    fn command(&self, script: &str) -> Command {
        let home = self.folder.path().join("home");
        let mut command = Command::new("bash");
        command.args(["-euc", script]).current_dir(self.path("")).env("ROOMGATE_SETUP", setup_folder());
        let path = std::env::var("PATH").expect("a path");
        command.env("PATH", format!("{}/.cargo/bin:{path}", home.display())).env("HOME", home);
        for variable in ["CARGO_TARGET_DIR", "CARGO", "MAKEFLAGS", "MAKELEVEL", "RUSTUP_TOOLCHAIN"] {
            command.env_remove(variable);
        }
        command
    }

    /// Carries out a step; `make run` goes on until the next one, or the machine, needs the ports.
    fn run(&mut self, script: &str) -> Option<Output> {
        if !script.starts_with("make run") {
            let bounded = format!("exec timeout --kill-after=5 {PATIENCE} bash -euc {}", quoted(script));
            return Some(self.command(&bounded).output().expect("bash can be run"));
        }
        self.stop_demo();
        let mut command = self.command(&format!("exec {script}"));
        let mut demo = Process::start(command.process_group(0), &self.folder.path().join("demo.log"), false);
        eventually(seconds(60), "the demo says what to open", || {
            assert!(demo.exit_code().is_none(), "{script} has ended: {}", demo.log());
            demo.log().contains("open http").then_some(())
        });
        println!("{}", demo.log().lines().filter(|line| !line.contains(" INFO ")).collect::<Vec<_>>().join("\n"));
        self.demo = Some(demo);
        None
    }

    /// Stops make and what it has started, as Ctrl-C does.
    fn stop_demo(&mut self) -> bool {
        let Some(mut demo) = self.demo.take() else { return false };
        let group = format!("-{}", demo.child.id());
        assert!(Command::new("kill").args(["-INT", "--", &group]).status().expect("kill can be run").success());
        eventually(seconds(20), "the demo ends", || demo.exit_code());
        true
    }
}

/// Whoever follows the readme gets from a bare machine to a call under systemd.
#[test]
fn whoever_follows_the_readme_gets_from_a_bare_machine() {
    isolated_as_root(|| {
        the_network_of_the_text();
        let text =
            |document: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).expect("a document");
        let mut tree = Tree::copy();
        let debian = Debian::boot();
        // Nobody is there to answer apt, and no other machine to fetch anything from.
        debian.write("/etc/apt/apt.conf.d/99-answer", "APT::Get::Assume-Yes \"true\";\n");
        let mut call: Option<(Browser, Baresip)> = None;
        let mut done = 0;
        for step in DOCUMENTS.iter().flat_map(|document| steps(document, &text(document))) {
            let Step { at, on_the_machine, mut script } = step;
            if let Some((_, why)) = NOT.iter().find(|(what, _)| script.trim_end() == *what) {
                println!("{at}: not run ({why}): {script}");
                continue;
            }
            for (what, instead, why) in INSTEAD {
                if script.contains(what) {
                    println!("{at}: `{instead}` for `{what}`: {why}");
                    script = script.replace(what, instead);
                }
            }
            if script.contains("calls/CALL") {
                script = script.replace("calls/CALL", &format!("calls/{}", the_call_that_is_up(&debian)));
            }
            println!("{at}: {}{script}", if on_the_machine { "machine: " } else { "" });
            if on_the_machine && tree.stop_demo() {
                // What was built is carried over.
                for package in std::fs::read_dir(tree.path("target/debian")).expect("make deb was run").flatten() {
                    std::fs::copy(package.path(), debian.path("/root").join(package.file_name())).expect("a copy");
                }
            }
            // It might go on for the two minutes of the text; `package` upgrades with a call up.
            if script.contains("systemctl restart")
                && let Some((_, mut phone)) = call.take()
            {
                phone.hang_up();
                phone.wait_for("CALL_CLOSED", 10);
            }
            let output = if on_the_machine { Some(debian.run(&format!("set -eu\n{script}"))) } else { tree.run(&script) };
            done += 1;
            let Some(output) = output else { continue };
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{at}: {}\n{said}{complaint}{}", output.status, debian.journal());
            if !on_the_machine && script.contains("roomgate link") {
                // The demo's address came by its environment, which is not that of the command.
                let there = |link: &str| link.starts_with("https://192.168.1.20:8443/enter?token=");
                assert!(said.lines().count() > 0 && said.lines().all(there), "{at}: {said}");
            }
            if on_the_machine && script.contains("apt install") {
                let size = |path: &Path| std::fs::metadata(path).expect("it is there").len();
                let (built, installed) =
                    (size(Path::new(env!("CARGO_BIN_EXE_roomgate"))), size(&debian.path("/usr/bin/roomgate")));
                assert!(installed < built / 2, "what debuggers need is installed as well: {installed} bytes of {built}");
            }
            if on_the_machine && script.contains("roomgate link") {
                call = Some(a_call_is_admitted(&debian, said.trim()));
            }
        }
        assert!(call.is_none() && done > 25, "{done} steps");
        assert!(
            !debian.path("/etc/roomgate").exists() && !debian.path("/var/lib/roomgate").exists(),
            "the text ends with removal"
        );
    });
}

fn the_call_that_is_up(debian: &Debian) -> String {
    let status: Value = serde_json::from_str(&debian.says("roomgate status --json")).expect("JSON");
    status["calls"][0]["call"].as_str().unwrap_or_else(|| panic!("no call: {status}")).to_owned()
}

/// The addresses that the text writes for the machine and for the phone, which is on the other end of a wire.
fn the_network_of_the_text() {
    for command in [
        "ip addr add 192.168.1.20/24 dev room0",
        // The names of namespaces are files: these shall not outlive the scenario.
        "mkdir -p /run/netns",
        "mount -t tmpfs tmpfs /run/netns",
        "ip netns add phone",
        "ip link set room1 netns phone",
        "ip -netns phone addr add 192.168.1.50/24 dev room1",
        "ip -netns phone link set room1 up",
    ] {
        let mut words = command.split(' ');
        let done = Command::new(words.next().expect("a program")).args(words).status().expect("it can be run");
        assert!(done.success(), "{command}");
    }
}

/// What the text has people do with their hands: open the link, dial, press Admit; and both hear each other.
fn a_call_is_admitted(debian: &Debian, link: &str) -> (Browser, Baresip) {
    let (alice, room) = (611.0, 1011.0);
    let mut browser = Browser::start(debian.folder(), "alice", alice);
    browser.enter(link);
    browser.join("Alice");
    let mut phone = Baresip::start_at(debian.folder(), &PHONE, Codec::G722, room);
    phone.dial("sip:menu@192.168.1.20");
    browser.until("lobby-row", "the phone waits under its name", |row| row.text.contains("Board room"));
    browser.click("admit");
    browser.until("roster-row", "the phone is inside, marked as external", |row| row.shows("external-mark"));
    phone.hear_clear(alice, 1.5);
    let hears = |sound: &Sound, hertz: f64| {
        let tone = sound.tone(hertz).unwrap_or_else(|| panic!("no tone at {hertz}; everything together has {}", sound.level()));
        assert!((tone.hertz - hertz).abs() < 2.0 && tone.gaps.is_empty(), "{tone:?}");
    };
    hears(&phone.hear(3.0), alice);
    hears(&browser.heard().last(3.0), room);
    (browser, phone)
}
