//! PJSIP as a SIP phone (`phone.py`): the one that holds, plays music meanwhile, and goes on hearing after it resumes.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::audio::Sound;
use crate::namespace::{folder as sources, program, setup_folder};
use crate::process::Process;
use crate::waiting::{eventually, seconds};

/// The tone that the phone plays to those it holds.
pub(crate) const HOLD_MUSIC: f64 = 2011.0;

/// One phone.
#[derive(Debug)]
pub(crate) struct Pjsip {
    orders: ChildStdin,
    events: Receiver<String>,
    recording: PathBuf,
    process: Process,
}

impl Pjsip {
    /// Starts a phone with PCMU that listens on `port` and sends a tone of `hertz` in its calls at −18 dBov.
    pub(crate) fn start(folder: &Path, port: u16, hertz: f64) -> Self {
        Self::start_with(folder, port, hertz, &json!({}))
    }

    /// The same with an account: `transport`, `registrar`, `user`, `password`, `ca`, `mailbox`; `srtp`, a suite that it encrypts by;
    /// `strict` makes session timers of 90 s and reliable provisional responses mandatory.
    pub(crate) fn start_with(folder: &Path, port: u16, hertz: f64, account: &Value) -> Self {
        let file = |name: &str| folder.join(format!("pjsip-{port}-{name}.wav"));
        let (voice, music, recording) = (file("voice"), file("music"), file("heard"));
        Sound::sine(8000, hertz, -18.0, 120.0).write(&voice);
        Sound::sine(8000, HOLD_MUSIC, -18.0, 60.0).write(&music);
        let python = setup_folder().join("venv/bin/python");
        assert!(python.exists(), "{} is missing; run: tests/setup.sh", python.display());
        let mut command = Command::new(program("python"));
        command.arg(sources().join("phone.py")).arg(port.to_string()).args([&voice, &music, &recording]).arg(account.to_string());
        let mut process = Process::start(&mut command, &folder.join(format!("pjsip-{port}.log")), true);
        let orders = process.child.stdin.take().expect("a pipe");
        let output = BufReader::new(process.child.stdout.take().expect("a pipe"));
        // A call has a dozen events at most; a full queue lets the phone wait, and its scenario fails by its own limit.
        let (sender, events) = sync_channel(64);
        std::thread::spawn(move || {
            // PJSIP itself prints a few lines before its logging can be turned down.
            for line in output.lines().map_while(Result::ok).filter(|line| line.starts_with('{')) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut phone = Self { orders, events, recording, process };
        phone.wait_for("ready", 30);
        phone
    }

    fn order(&mut self, order: &Value) {
        writeln!(self.orders, "{order}").expect("the phone takes an order");
    }

    /// Waits for an event; those before it are forgotten.
    pub(crate) fn wait_for(&mut self, event: &str, limit: u64) -> Value {
        let end = Instant::now() + seconds(limit);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.events.recv_timeout(left).unwrap_or_else(|_| {
                panic!("{event} did not happen within {limit} s (exit {:?}): {}", self.process.exit_code(), self.process.log())
            });
            let told: Value = serde_json::from_str(&line).expect("JSON");
            if told["event"] == event {
                return told;
            }
            assert!(told["event"] != "ended", "the call ended before {event}: {told}");
        }
    }

    /// Dials, and waits until the call is answered and sound flows.
    pub(crate) fn dial(&mut self, uri: &str) {
        self.order(&json!({ "do": "call", "uri": uri }));
        self.wait_for("talking", 10);
    }

    /// Presses keys, each for 200 ms, and waits until the last has been sent.
    pub(crate) fn press(&mut self, keys: &str) {
        self.order(&json!({ "do": "press", "keys": keys }));
        self.wait_for("pressed", 20);
    }

    /// Holds the call and plays music to the other side.
    pub(crate) fn hold(&mut self) {
        self.order(&json!({ "do": "hold" }));
        self.wait_for("held", 10);
    }

    /// Takes the call back.
    pub(crate) fn resume(&mut self) {
        self.order(&json!({ "do": "resume" }));
        self.wait_for("talking", 10);
    }

    /// Hands its place in the call over to somebody else (REFER); how that goes comes as `transferred`.
    pub(crate) fn transfer(&mut self, uri: &str) {
        self.order(&json!({ "do": "transfer", "uri": uri }));
    }

    /// Writes a text in its call (MESSAGE), and waits until it is answered with 200.
    pub(crate) fn write(&mut self, text: &str) {
        self.order(&json!({ "do": "write", "text": text }));
        assert_eq!(self.wait_for("written", 10)["status"], 200);
    }

    /// Asks somebody by a second call, and waits until that is answered.
    pub(crate) fn consult(&mut self, uri: &str) {
        self.order(&json!({ "do": "consult", "uri": uri }));
        self.wait_for("talking", 10);
    }

    /// Hands its first call over to whoever it has asked by the second (REFER with Replaces).
    pub(crate) fn join(&mut self) {
        self.order(&json!({ "do": "join" }));
    }

    /// Hangs up.
    pub(crate) fn hang_up(&mut self) {
        self.order(&json!({ "do": "hang-up" }));
        self.wait_for("ended", 10);
    }

    /// Everything heard so far, in all its calls; the newest quarter of a second may still be missing.
    pub(crate) fn heard(&self) -> Sound {
        Sound::read(&self.recording).unwrap_or(Sound { rate: 8000, samples: Vec::new() })
    }

    /// Waits until somebody's tone fills the last two seconds. PJSIP's own clock wanders on a busy machine and bends a tone for
    /// a while; how well a tone is carried is measured with baresip and Chromium, here it only has to come through.
    pub(crate) fn hears(&self, hertz: f64) {
        eventually(Duration::from_secs(15), &format!("PJSIP hears {hertz} Hz"), || self.heard().last(2.0).tone(hertz).map(drop));
    }

    /// Waits until so many more seconds have been heard, and gives exactly those.
    pub(crate) fn hear(&self, length: f64) -> Sound {
        let start = self.heard().length();
        eventually(Duration::from_secs_f64(length + 10.0), &format!("{length} s more are heard by PJSIP"), || {
            (self.heard().length() >= start + length).then_some(())
        });
        self.heard().since(start)
    }

    /// Waits until so many seconds on end hold this tone and nothing else: what was said before is over.
    ///
    /// # Panics
    /// When that has not come within 15 s.
    pub(crate) fn hear_clear(&self, hertz: f64, length: f64) {
        let start = self.heard().length();
        eventually(seconds(15), &format!("{length} s of {hertz} Hz and nothing else are heard"), || {
            self.hear(0.2);
            let heard = self.heard().since(start);
            (heard.length() >= length && heard.last(length).is_clear(hertz)).then_some(())
        });
    }
}
