//! A service for short messages that is reached by HTTP: `vendor.py` plays it, and the vendors' own packages check and sign.

use std::io::Write as _;
use std::path::Path;
use std::process::{ChildStdin, Command};

use serde_json::{Value, json};

use crate::namespace::{folder as sources, setup_folder};
use crate::process::Process;
use crate::smsc::Smsc;
use crate::waiting::{eventually, seconds};

/// The service, on port 9090. Dropped, it ends.
pub(crate) struct Vendor {
    orders: ChildStdin,
    process: Process,
}

impl Vendor {
    /// The provider that speaks to it.
    pub(crate) fn provider(kind: &str) -> String {
        let own = match kind {
            "azure" => {
                "endpoint = \"http://127.0.0.1:9090\"\naccess_key = \"dGhlIGFjY2VzcyBrZXkgb2YgYSByZXNvdXJjZQ==\"\n\
                 webhook_key = \"the key of the subscription\"\n"
            }
            "twilio" => {
                "api = \"http://127.0.0.1:9090\"\naccount = \"AC00000000000000000000000000000000\"\ntoken = \"a token of twilio\"\n"
            }
            _ => "url = \"http://127.0.0.1:9090/messages\"\nsecret = \"a secret of sixteen and more\"\n",
        };
        format!(
            "[http]\npublic_url = \"http://127.0.0.1:8080\"\n[relay]\n{}[relay.provider.demo]\nkind = \"{kind}\"\n{own}",
            Smsc::CROWD
        )
    }

    /// Starts it.
    pub(crate) fn start(folder: &Path, kind: &str) -> Self {
        let mut command = Command::new(setup_folder().join("venv/bin/python"));
        command.arg(sources().join("vendor.py")).arg(kind);
        let mut process = Process::start(&mut command, &folder.join("vendor.log"), true);
        let orders = process.child.stdin.take().expect("a pipe");
        let vendor = Self { orders, process };
        vendor.wait_for("it listens", |event| event["event"] == "listening");
        vendor
    }

    /// What has happened so far.
    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        let events = self.process.log();
        let events = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|known| known["event"] == event).collect()
    }

    /// Waits for something to have happened.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(seconds(20), what, || {
            let log = self.process.log();
            let events = log.lines().filter_map(|line| serde_json::from_str(line).ok());
            events.into_iter().find(|event| wanted(event))
        })
    }

    /// Gives an order, and waits for what comes of it.
    pub(crate) fn does(&mut self, order: &Value, event: &str) -> Value {
        let before = self.events(event).len();
        self.order(order);
        eventually(seconds(20), event, || self.events(event).into_iter().nth(before))
    }

    /// Calls the webhook with just this; its status, body and headers.
    pub(crate) fn posts(&mut self, url: &str, body: &str, headers: &Value) -> Value {
        self.does(&json!({ "post": { "url": url, "body": body, "headers": headers } }), "called")
    }

    /// Gives an order.
    pub(crate) fn order(&mut self, order: &Value) {
        writeln!(self.orders, "{order}").expect("the service takes an order");
    }
}
