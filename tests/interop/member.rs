//! A member without sound: the page's signalling alone (a WebSocket), for scenarios in which somebody must be present (M-5).

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

use crate::daemon::{Daemon, PAGES};
use crate::waiting::{eventually, seconds};

/// How long the member listens before it looks for something to say.
const TURN: Duration = Duration::from_millis(10);

/// An organiser in a meeting. Dropped, its connection is lost without a word.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its session, as a `Cookie` header has it.
    pub(crate) cookie: String,
    says: Option<Sender<Value>>,
    /// The meeting's last snapshot.
    state: Arc<Mutex<Value>>,
    /// Those whom it has let read by SMS: the snapshot that says so comes a moment later.
    confirmed: Mutex<HashSet<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    /// Uses a link, and joins.
    pub(crate) fn join(daemon: &Daemon, meeting: &str) -> Self {
        Self::enter(&daemon.link(meeting, true), meeting)
    }

    /// Uses this link, and joins.
    pub(crate) fn enter(link: &str, meeting: &str) -> Self {
        let cookie = enter(link);
        let mut request = format!("ws://{PAGES}/m/{meeting}/ws").into_client_request().expect("a request");
        request.headers_mut().insert("Cookie", cookie.parse().expect("a header"));
        request.headers_mut().insert("Origin", format!("http://{PAGES}").parse().expect("a header"));
        let stream = TcpStream::connect(PAGES).expect("the page's server listens");
        let (socket, _) = client(request, stream).expect("a WebSocket");
        socket.get_ref().set_read_timeout(Some(TURN)).expect("a socket option");
        let (says, orders) = channel();
        let state = Arc::new(Mutex::new(Value::Null));
        let seen = Arc::clone(&state);
        let thread = std::thread::spawn(move || talk(socket, &orders, &seen));
        let member = Self { cookie, says: Some(says), state, confirmed: Mutex::default(), thread: Some(thread) };
        member.ask(json!({ "type": "join", "name": "Alice" }));
        eventually(seconds(10), "the member is inside", || (member.state()["standing"] == "in").then_some(()));
        member
    }

    /// Says something, as the page would.
    pub(crate) fn ask(&self, message: Value) {
        self.says.as_ref().expect("taken by the drop only").send(message).expect("the connection lives");
    }

    /// What the page would show.
    pub(crate) fn state(&self) -> Value {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says yes to everybody who wants to read by SMS (M-7) and has not got it yet, once somebody does.
    pub(crate) fn confirms_readers(&self) {
        let mut confirmed = self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = || {
            let rows = self.state()["participants"].as_array().cloned().unwrap_or_default();
            let mut found = Vec::new();
            for row in &rows {
                for reader in row["join"]["readers"].as_array().into_iter().flatten().filter(|one| one["state"] == "pending") {
                    let name = reader["id"].as_str().expect("an id");
                    if !confirmed.contains(name) {
                        let yes = json!({ "type": "confirm-reader", "id": row["id"], "reader": name });
                        found.push((name.to_owned(), yes));
                    }
                }
            }
            Some(found).filter(|found| !found.is_empty())
        };
        let found = eventually(seconds(10), "somebody wants to read by SMS", pending);
        for (name, yes) in found {
            confirmed.insert(name);
            self.ask(yes);
        }
    }

    /// Ids of the phones in this state: `lobby` or `in`.
    pub(crate) fn phones(&self, state: &str) -> Vec<String> {
        let rows = self.state()["participants"].as_array().cloned().unwrap_or_default();
        let here = rows.iter().filter(|row| row["kind"] == "external" && row["state"] == state);
        here.filter_map(|row| row["id"].as_str().map(ToOwned::to_owned)).collect()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.says = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Exchanges a member link; the cookie.
fn enter(link: &str) -> String {
    let token = link.split_once("token=").expect("a link with its token").1;
    let body = format!("token={token}");
    let mut stream = TcpStream::connect(PAGES).expect("the page's server listens");
    let request = format!(
        "POST /enter HTTP/1.0\r\nHost: {PAGES}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let cookie = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("set-cookie").then_some(value)
    });
    let cookie = cookie.unwrap_or_else(|| panic!("no cookie: {answer}"));
    cookie.split(';').next().unwrap_or_default().to_owned()
}

fn talk(mut socket: WebSocket<TcpStream>, orders: &Receiver<Value>, state: &Mutex<Value>) {
    loop {
        match orders.recv_timeout(Duration::from_millis(1)) {
            Ok(order) => {
                if socket.send(Message::text(order.to_string())).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        match socket.read() {
            Ok(Message::Text(text)) => {
                let told: Value = serde_json::from_str(text.as_str()).expect("JSON");
                match told["type"].as_str().unwrap_or_default() {
                    "ping" => drop(socket.send(Message::text(json!({ "type": "pong" }).to_string()))),
                    "state" => *state.lock().unwrap_or_else(PoisonError::into_inner) = told,
                    _ => {}
                }
            }
            Ok(_) => {}
            Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
}
