//! A short message centre that we did not write: `smsc.mjs` holds the npm package `smpp`, this gives the orders.

use std::io::Write as _;
use std::path::Path;
use std::process::{ChildStdin, Command};

use serde_json::{Value, json};

use crate::namespace::{folder as sources, program, setup_folder};
use crate::process::Process;
use crate::waiting::{eventually, seconds};

/// The centre, on port 2775. Dropped, it ends.
pub(crate) struct Smsc {
    orders: ChildStdin,
    process: Process,
}

impl Smsc {
    /// The provider that binds to it.
    pub(crate) const PROVIDER: &str =
        "[relay.provider.demo]\nkind = \"smpp\"\nhost = \"127.0.0.1\"\nsystem_id = \"roomgate\"\npassword = \"secret\"\n";

    /// Keys of `[relay]` for a crowd: whoever writes, from handsets of this country, is answered.
    pub(crate) const CROWD: &str =
        "country_code = \"49\"\nanswers_per_minute = 1000000\ndaily_limit = 100000000\ndaily_limit_per_meeting = 10000000\n";

    /// Starts it.
    pub(crate) fn start(folder: &Path) -> Self {
        let mut command = Command::new(program("node"));
        command.arg(sources().join("smsc.mjs")).env("ROOMGATE_SETUP", setup_folder());
        let mut process = Process::start(&mut command, &folder.join("smsc.log"), true);
        let orders = process.child.stdin.take().expect("a pipe");
        let centre = Self { orders, process };
        centre.wait_for("it listens", |event| event["event"] == "listening");
        centre
    }

    fn events(&self) -> Vec<Value> {
        self.process.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for something to have happened.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(seconds(20), what, || self.events().into_iter().find(|event| wanted(event)))
    }

    /// All that was of this kind, in this order.
    pub(crate) fn all(&self, event: &str) -> Vec<Value> {
        self.events().into_iter().filter(|known| known["event"] == event).collect()
    }

    /// How often something has happened.
    pub(crate) fn count(&self, event: &str) -> usize {
        self.all(event).len()
    }

    /// What was submitted, in this order.
    pub(crate) fn texts(&self) -> Vec<String> {
        let submitted = self.events().into_iter().filter(|event| event["event"] == "submitted");
        submitted.filter_map(|event| Some(event["text"].as_str()?.to_owned())).collect()
    }

    /// The references of what was submitted to a handset, in this order.
    pub(crate) fn references(&self, to: &str) -> Vec<u64> {
        let submitted = self.events().into_iter().filter(|event| event["event"] == "submitted" && event["to"] == to);
        submitted.filter_map(|event| event["reference"].as_u64()).collect()
    }

    /// Waits for a message, a part of which says this.
    pub(crate) fn text(&self, wanted: &str) -> String {
        let says = |event: &Value| event["text"].as_str().is_some_and(|text| text.contains(wanted));
        self.wait_for(wanted, says)["text"].as_str().expect("a text").to_owned()
    }

    /// Somebody writes from a handset.
    pub(crate) fn write(&mut self, from: &str, text: &str, parts: u8) {
        self.order(&json!({ "write": { "from": from, "text": text, "parts": parts, "shuffled": true } }));
    }

    /// A handset sends these octets, said to be in this data coding.
    pub(crate) fn send(&mut self, from: &str, coding: u8, octets: &[u8]) {
        let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        self.order(&json!({ "write": { "from": from, "hex": hex, "coding": coding } }));
    }

    /// What has come of the crowd.
    pub(crate) fn tally(&mut self) -> Value {
        let before = self.count("tally");
        self.order(&json!({ "tally": true }));
        eventually(seconds(10), "a tally", || self.events().into_iter().filter(|event| event["event"] == "tally").nth(before))
    }

    /// Gives an order.
    pub(crate) fn order(&mut self, order: &Value) {
        writeln!(self.orders, "{order}").expect("the centre takes an order");
    }
}
