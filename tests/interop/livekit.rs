//! A LiveKit server, and people in its rooms by LiveKit's own SDK (`sfu_people.py`).

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use serde_json::{Value, json};

use crate::audio::Sound;
use crate::namespace::{folder as sources, program, setup_folder};
use crate::process::Process;
use crate::waiting::{eventually, seconds};

/// Where the server is.
const URL: &str = "ws://127.0.0.1:7880";
const KEY: &str = "devkey";
const SECRET: &str = "a-secret-of-at-least-32-characters";

/// The section of the configuration that names this server, and a meeting `demo` in its room `board` that takes devices in by itself once
/// somebody is there.
pub(crate) fn settings() -> String {
    // The table of the meeting is open already where these follow.
    format!(
        "service = \"lk\"\nroom = \"board\"\ndevices_bypass = true\nspeakers = 5\n\
         [media]\nwebrtc_addresses = [\"127.0.0.1\"]\n\
         [service.lk]\nkind = \"livekit\"\nurl = \"{URL}\"\nkey = \"{KEY}\"\nsecret = \"{SECRET}\"\n"
    )
}

/// A server on port 7880 with rooms that anybody makes who has a token.
#[derive(Debug)]
pub(crate) struct LiveKit {
    process: Option<Process>,
    folder: PathBuf,
}

impl LiveKit {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut server = Self { process: None, folder: folder.to_owned() };
        server.start_again();
        server
    }

    /// Starts it anew; its rooms are gone.
    pub(crate) fn start_again(&mut self) {
        let configuration = self.folder.join("livekit.yaml");
        let text = format!(
            "port: 7880\nbind_addresses: [\"127.0.0.1\"]\nkeys: {{{KEY}: {SECRET}}}\n\
             rtc: {{tcp_port: 7881, udp_port: 7882, use_external_ip: false, enable_loopback_candidate: true, interfaces: {{includes: [lo]}}}}\n"
        );
        std::fs::write(&configuration, text).expect("a configuration");
        let path = setup_folder().join("livekit/server");
        assert!(path.exists(), "{} is missing; run: tests/setup.sh", path.display());
        let mut command = Command::new(path);
        command.arg("--config").arg(&configuration);
        self.process = Some(Process::start(&mut command, &self.folder.join("livekit.log"), false));
        eventually(seconds(20), "the LiveKit server listens", || std::net::TcpStream::connect("127.0.0.1:7880").ok().map(drop));
    }

    /// Kills it, as by a fault of the machine.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }
}

/// People, who come and go as they are told.
#[derive(Debug)]
pub(crate) struct People {
    orders: ChildStdin,
    events: Receiver<String>,
    folder: PathBuf,
    process: Process,
}

impl People {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut command = Command::new(program("python"));
        command.arg(sources().join("sfu_people.py")).args([URL, KEY, SECRET]).arg(folder);
        let mut process = Process::start(&mut command, &folder.join("people.log"), true);
        let orders = process.child.stdin.take().expect("a pipe");
        let output = BufReader::new(process.child.stdout.take().expect("a pipe"));
        // A scenario has some hundreds of events at most.
        let (sender, events) = sync_channel(4096);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let people = Self { orders, events, folder: folder.to_owned(), process };
        people.until("they are there", 30, |told| told["event"] == "ready");
        people
    }

    pub(crate) fn order(&mut self, order: &Value) {
        writeln!(self.orders, "{order}").expect("they take an order");
    }

    /// Somebody joins the room `board`, and says a tone.
    pub(crate) fn join(&mut self, who: &str, hertz: f64) {
        self.order(&json!({ "do": "join", "who": who, "room": "board", "hertz": hertz }));
        self.until(&format!("{who} is in"), 20, |told| told["event"] == "joined" && told["who"] == who);
    }

    /// Waits for an event; those before it are forgotten.
    pub(crate) fn until(&self, what: &str, limit: u64, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + seconds(limit);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.events.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("{what}: not within {limit} s: {}", self.process.log()));
            let told: Value = serde_json::from_str(&line).expect("JSON");
            assert!(told["event"] != "failed", "{what}: {told}");
            if wanted(&told) {
                return told;
            }
        }
    }

    /// Waits until somebody sees a device come into the room; its identity.
    pub(crate) fn device_comes(&self, who: &str) -> String {
        let is_device = |told: &Value| told["kind"] == 3 && told["attributes"]["sip.callID"].is_string();
        let came = self.until("a device comes in", 20, |told| told["event"] == "came" && told["who"] == who && is_device(told));
        came["identity"].as_str().expect("an identity").to_owned()
    }

    /// What somebody has heard of another one so far.
    pub(crate) fn heard(&self, who: &str, identity: &str) -> Sound {
        let path = self.folder.join(format!("{who}-hears-{identity}.wav"));
        Sound::read(&path).unwrap_or(Sound { rate: 48_000, samples: Vec::new() })
    }

    /// Waits until so much more was heard of somebody, and gives that.
    pub(crate) fn hear(&self, who: &str, identity: &str, length: f64) -> Sound {
        let start = self.heard(who, identity).length();
        eventually(seconds(20), &format!("{who} hears {length} s of {identity}"), || {
            (self.heard(who, identity).length() >= start + length).then_some(())
        });
        self.heard(who, identity).since(start)
    }
}
