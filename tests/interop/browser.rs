//! Headless Chromium as a person with the meeting's page: `browser.mjs` holds it, this gives the orders.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::audio::Sound;
use crate::namespace::{folder as sources, program, setup_folder};
use crate::process::Process;
use crate::waiting::{eventually, seconds};

/// One visible element of the page.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What a person reads.
    pub(crate) text: String,
    /// Its `data-…` attributes.
    pub(crate) data: Value,
    /// The test ids of what is visible in it.
    pub(crate) inside: Vec<String>,
}

impl Row {
    /// Whether that mark (`external-mark`, `on-hold`…) is to be seen in it.
    pub(crate) fn shows(&self, testid: &str) -> bool {
        self.inside.iter().any(|inside| inside == testid)
    }
}

/// One browser with one page.
#[derive(Debug)]
pub(crate) struct Browser {
    orders: ChildStdin,
    answers: Receiver<String>,
    asked: u64,
    recording: PathBuf,
    /// Killed last: its log is shown when a scenario fails.
    process: Process,
}

impl Browser {
    /// Starts a browser whose microphone has a tone of `hertz` at −18 dBov.
    pub(crate) fn start(folder: &Path, name: &str, hertz: f64) -> Self {
        Self::start_with(folder, name, hertz, 0)
    }

    /// The same with somebody who takes so many milliseconds to allow the microphone.
    pub(crate) fn start_with(folder: &Path, name: &str, hertz: f64, microphone_delay: u32) -> Self {
        let (voice, recording) = (folder.join(format!("{name}-voice.wav")), folder.join(format!("{name}-heard.wav")));
        Sound::sine(44_100, hertz, -18.0, 240.0).write(&voice);
        program("chromium");
        let setup = setup_folder();
        let library = setup.join("node_modules/playwright-core");
        assert!(library.is_dir(), "{} is missing; run: tests/setup.sh", library.display());
        let mut command = Command::new(program("node"));
        command.arg(sources().join("browser.mjs")).args([&voice, &recording]).env("ROOMGATE_SETUP", setup);
        command.env("MICROPHONE_DELAY_MS", microphone_delay.to_string());
        let mut process = Process::start(&mut command, &folder.join(format!("{name}.log")), true);
        let orders = process.child.stdin.take().expect("a pipe");
        let output = BufReader::new(process.child.stdout.take().expect("a pipe"));
        // One answer an order, so one place is enough; the thread ends with the browser's standard output.
        let (sender, answers) = sync_channel(1);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut browser = Self { orders, answers, asked: 0, recording, process };
        browser.answer();
        browser
    }

    fn answer(&mut self) -> Value {
        // Longer than the longest step of browser.mjs, and than Chromium's start on a loaded machine.
        let line = self.answers.recv_timeout(seconds(60)).unwrap_or_else(|error| {
            panic!("the browser does not answer ({error}); exit {:?}: {}", self.process.exit_code(), self.process.log())
        });
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(answer["id"], self.asked, "{answer}");
        assert!(answer["error"].is_null(), "{}", answer["error"]);
        answer["value"].clone()
    }

    fn order(&mut self, act: &str, mut parameters: Value) -> Value {
        self.asked += 1;
        parameters["id"] = self.asked.into();
        parameters["do"] = act.into();
        writeln!(self.orders, "{parameters}").expect("the browser takes an order");
        self.answer()
    }

    /// Opens a page.
    pub(crate) fn open(&mut self, url: &str) {
        self.order("open", json!({ "url": url }));
    }

    /// Opens a member link and goes in by its one button.
    pub(crate) fn enter(&mut self, link: &str) {
        self.open(link);
        self.click("enter");
        self.order("url", json!({ "part": "/m/" }));
    }

    /// Writes into a field.
    pub(crate) fn write(&mut self, testid: &str, text: &str) {
        self.order("fill", json!({ "testid": testid, "value": text }));
    }

    /// Asks to be let into the meeting whose page is open, as somebody without a link, and waits until the page says so.
    pub(crate) fn knock(&mut self, name: &str) {
        self.write("name", name);
        self.click("join");
        self.wait("waiting");
    }

    /// Joins the meeting whose page is open, and waits until sound flows.
    pub(crate) fn join(&mut self, name: &str) {
        self.write("name", name);
        self.click("join");
        self.connected();
    }

    /// Waits until the meeting is shown and its sound flows.
    pub(crate) fn connected(&mut self) {
        self.wait("meeting");
        eventually(seconds(15), "the page's sound is connected", || {
            self.rows("media-state").iter().any(|row| row.data["state"] == "connected").then_some(())
        });
    }

    /// Clicks the first visible element with that test id.
    pub(crate) fn click(&mut self, testid: &str) {
        self.order("click", json!({ "testid": testid }));
    }

    /// Clicks what has that test id in the row (`lobby-row`, `roster-row`) that holds `text`.
    pub(crate) fn click_in(&mut self, row: &str, text: &str, testid: &str) {
        self.order("click", json!({ "within": row, "text": text, "testid": testid }));
    }

    /// Presses a button in the row of somebody of this name, and says after how many milliseconds they have a row with the test id `until`.
    pub(crate) fn timed(&mut self, (row, name, testid): (&str, &str, &str), until: &str) -> f64 {
        let took = self.order("timed", json!({ "within": row, "text": name, "testid": testid, "until": until }));
        took.as_f64().expect("milliseconds")
    }

    /// Waits until something with that test id is to be seen.
    pub(crate) fn wait(&mut self, testid: &str) {
        self.order("wait", json!({ "testid": testid }));
    }

    /// Waits until nothing with that test id that holds `text` is to be seen any more.
    pub(crate) fn gone(&mut self, testid: &str, text: &str) {
        self.order("gone", json!({ "testid": testid, "text": text }));
    }

    /// Whatever is visible with that test id.
    pub(crate) fn rows(&mut self, testid: &str) -> Vec<Row> {
        let found = self.order("rows", json!({ "testid": testid }));
        let row = |value: &Value| Row {
            text: value["text"].as_str().unwrap_or_default().to_owned(),
            data: value["data"].clone(),
            inside: value["inside"].as_array().into_iter().flatten().filter_map(|id| id.as_str().map(str::to_owned)).collect(),
        };
        found.as_array().into_iter().flatten().map(row).collect()
    }

    /// Waits until a visible row with that test id is as wanted.
    pub(crate) fn until(&mut self, testid: &str, what: &str, mut wanted: impl FnMut(&Row) -> bool) -> Row {
        eventually(seconds(10), what, || self.rows(testid).into_iter().find(|row| wanted(row)))
    }

    /// Takes a picture of the page: `target/tmp/NAME.png`.
    pub(crate) fn picture(&mut self, name: &str) {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        self.order("screenshot", json!({ "path": path }));
    }

    /// Loads the page anew.
    pub(crate) fn reload(&mut self) {
        self.order("reload", json!({}));
    }

    /// Closes the tab.
    pub(crate) fn close(&mut self) {
        self.order("close", json!({}));
    }

    /// Gives the keyboard to the first visible element with that test id.
    pub(crate) fn focus(&mut self, testid: &str) {
        self.order("focus", json!({ "testid": testid }));
    }

    /// Presses a key, or keys: `Escape`, `Shift+Tab`.
    pub(crate) fn press(&mut self, key: &str) {
        self.order("press", json!({ "key": key }));
    }

    /// What screen readers were told so far, in this order.
    pub(crate) fn announced(&mut self) -> Vec<String> {
        let told = self.order("announced", json!({}));
        told.as_array().into_iter().flatten().filter_map(|sentence| sentence.as_str().map(str::to_owned)).collect()
    }

    /// Waits until screen readers were told a sentence that holds `text`.
    pub(crate) fn hears_said(&mut self, text: &str) {
        eventually(seconds(15), text, || self.announced().iter().any(|told| told.contains(text)).then_some(()));
    }

    /// The test id, or else the id, of what has the keyboard.
    pub(crate) fn focused(&mut self) -> String {
        self.order("focused", json!({})).as_str().unwrap_or_default().to_owned()
    }

    /// Packets received, lost and concealed in the newest connection.
    pub(crate) fn received(&mut self) -> Value {
        self.order("received", json!({}))
    }

    /// Everything the page has played so far.
    pub(crate) fn heard(&self) -> Sound {
        Sound::read(&self.recording).unwrap_or(Sound { rate: 48_000, samples: Vec::new() })
    }

    /// Waits until so many more seconds have been played, and gives exactly those.
    pub(crate) fn hear(&self, length: f64) -> Sound {
        let start = self.heard().length();
        eventually(Duration::from_secs_f64(length + 10.0), &format!("{length} s more are played in the page"), || {
            (self.heard().length() >= start + length).then_some(())
        });
        self.heard().since(start)
    }
}
