//! `smpp`: a short message centre by SMPP 3.4, bound as a transceiver.
//!
//! What waits to be sent is kept in order for each number, over every connection; a part that was submitted and not answered when its
//! connection ended is submitted again, and counted (C-7). What waits is bounded; what is over is dropped and said in the log.
#![allow(clippy::disallowed_methods, reason = "a driver: it has a socket and a clock")]

mod pdu;
mod session;
#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use super::{Heard, Provider};
use crate::ids::CallId;
use crate::machine::{self, Machine as _};
use crate::redact::Redacted;
use crate::relay::{Message, Number};
use crate::tls;
use pdu::Part;
use session::{Input, Output, Session, Why};

/// Orders that may wait for the task; it takes them at once.
const ORDERS: usize = 256;
/// Parts that may wait for the centre.
const BACKLOG: usize = 4096;
/// Between two tries to connect, growing from the first to the second.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long a connection may take to be made.
const CONNECTS_WITHIN: Duration = Duration::from_secs(10);
/// A session that lasted this long was a good one: the next try comes soon again.
const GOOD: Duration = Duration::from_secs(30);

/// As whom we bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// At most 15 characters.
    pub system_id: String,
    /// At most 8 characters.
    pub password: Redacted<String>,
    /// At most 12 characters; mostly empty.
    pub system_type: String,
}

/// Where the centre is, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmppSettings {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// By TLS, trusting the authorities in this file, or those of the system.
    pub tls: Option<Option<PathBuf>>,
    /// As whom.
    pub login: Login,
    /// Parts that may be unanswered.
    pub window: usize,
    /// How long a silent connection is left alone.
    pub enquire_every: Duration,
}

enum Order {
    Submit(Message),
    Forget(CallId),
}

/// The way to the task that has the connection; it ends with this.
pub(super) struct Smpp {
    orders: mpsc::Sender<Order>,
}

impl Smpp {
    pub(super) fn open(settings: SmppSettings, from: Number, heard: mpsc::Sender<Heard>) -> Self {
        let (orders, inbox) = mpsc::channel(ORDERS);
        tokio::spawn(Task { settings, from, heard, backlog: VecDeque::new(), reference: 0, full: false }.run(inbox));
        Self { orders }
    }
}

impl Provider for Smpp {
    fn submit(&self, message: Message) {
        if self.orders.try_send(Order::Submit(message)).is_err() {
            tracing::error!("SMS dropped: the SMPP task takes no more");
        }
    }

    fn forget(&self, call: CallId) {
        // What it would have taken out of the backlog is sent then; the relay has ended the subscription all the same.
        let _ = self.orders.try_send(Order::Forget(call));
    }
}

struct Task {
    settings: SmppSettings,
    from: Number,
    heard: mpsc::Sender<Heard>,
    backlog: VecDeque<Part>,
    reference: u8,
    /// The backlog was full, and that has been said.
    full: bool,
}

impl Task {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut wait = AGAIN.0;
        loop {
            let began = machine::now();
            let why = match self.connect().await {
                Ok(stream) => match self.converse(stream, &mut orders).await {
                    Some(why) => why,
                    None => return,
                },
                Err(error) => error,
            };
            if machine::now().saturating_duration_since(began) >= GOOD {
                wait = AGAIN.0;
            }
            let (host, port) = (&self.settings.host, self.settings.port);
            tracing::warn!(host, port, why, waiting = self.backlog.len(), again_in = ?wait, "no SMPP session");
            let again = machine::now() + wait;
            wait = (wait * 2).min(AGAIN.1);
            loop {
                tokio::select! {
                    () = tokio::time::sleep_until(again.into()) => break,
                    order = orders.recv() => match order {
                        Some(order) => self.take(order),
                        None => return,
                    },
                }
            }
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Submit(message) => {
                self.reference = self.reference.wrapping_add(1);
                let parts = pdu::parts(&message, self.reference);
                if self.backlog.len() + parts.len() > BACKLOG {
                    if !std::mem::replace(&mut self.full, true) {
                        tracing::error!(waiting = self.backlog.len(), "SMS are dropped: too many wait for the centre");
                    }
                    return;
                }
                self.full = false;
                self.backlog.extend(parts);
            }
            Order::Forget(call) => self.backlog.retain(|part| part.call != Some(call)),
        }
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, String> {
        let made = tokio::time::timeout(CONNECTS_WITHIN, self.try_connect()).await;
        made.unwrap_or_else(|_| Err("the connection takes too long".to_owned()))
    }

    async fn try_connect(&self) -> Result<Box<dyn Stream>, String> {
        let SmppSettings { host, port, tls, .. } = &self.settings;
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(|error| words(&error))?;
        stream.set_nodelay(true).map_err(|error| words(&error))?;
        let Some(authorities) = tls else { return Ok(Box::new(stream)) };
        let trust = authorities.clone().map_or(tls::Trust::System, tls::Trust::Authorities);
        let connector = TlsConnector::from(tls::client(&trust).map_err(|error| words(&error))?);
        let name = ServerName::try_from(host.clone()).map_err(|error| words(&error))?;
        Ok(Box::new(connector.connect(name, stream).await.map_err(|error| words(&error))?))
    }

    /// One session. `None`: we have ended it, for good.
    async fn converse(&mut self, mut stream: Box<dyn Stream>, orders: &mut mpsc::Receiver<Order>) -> Option<String> {
        let mut session = Session::new(machine::now(), self.settings.clone(), self.from.clone());
        let mut buffer = BytesMut::new();
        let mut ending = false;
        let why = loop {
            self.feed(&mut session);
            match self.follow(&mut session, &mut stream).await {
                Ok(None) => {}
                Ok(Some(why)) => break why.to_string(),
                Err(error) => break error.to_string(),
            }
            let at = session.deadline().unwrap_or_else(|| machine::now() + session::ANSWERS_WITHIN);
            tokio::select! {
                read = stream.read_buf(&mut buffer) => match read {
                    Ok(0) => break "the centre has closed the connection".to_owned(),
                    Err(error) => break error.to_string(),
                    Ok(_) => match read_frames(&mut session, &mut buffer) {
                        Ok(()) => {}
                        Err(error) => break error.to_string(),
                    }
                },
                order = orders.recv(), if !ending => match order {
                    Some(order) => self.take(order),
                    None => {
                        ending = true;
                        session.handle(machine::now(), Input::Unbind);
                    }
                },
                () = tokio::time::sleep_until(at.into()) => session.wake(machine::now()),
            }
        };
        let unanswered: Vec<Part> = session.unanswered().collect();
        if !unanswered.is_empty() {
            tracing::warn!(parts = unanswered.len(), "unanswered when the SMPP session ended: submitted again");
        }
        for part in unanswered.into_iter().rev() {
            self.backlog.push_front(part);
        }
        (!ending).then_some(why)
    }

    /// Gives the session what it takes: the oldest part of each number first.
    fn feed(&mut self, session: &mut Session) {
        let now = machine::now();
        let (mut passed, mut waiting) = (VecDeque::new(), HashSet::new());
        while session.has_room(now)
            && let Some(part) = self.backlog.pop_front()
        {
            if !waiting.contains(&part.to) && session.takes(now, &part.to) {
                session.handle(now, Input::Submit(Box::new(part)));
            } else {
                waiting.insert(part.to.clone());
                passed.push_back(part);
            }
        }
        passed.append(&mut self.backlog);
        self.backlog = passed;
    }

    async fn follow(&mut self, session: &mut Session, stream: &mut Box<dyn Stream>) -> std::io::Result<Option<Why>> {
        while let Some(output) = session.poll() {
            match output {
                Output::Write(octets) => {
                    let written = tokio::time::timeout(session::ANSWERS_WITHIN, stream.write_all(&octets)).await;
                    written.map_err(|_| std::io::ErrorKind::TimedOut)??;
                }
                Output::Bound => {
                    tracing::info!(host = self.settings.host, waiting = self.backlog.len(), "SMPP session bound");
                }
                Output::Accepted(part) => tracing::debug!(to = %part.to, "SMS accepted by the centre"),
                Output::Refused(part, status) => tracing::warn!(to = %part.to, ?status, "SMS refused by the centre"),
                Output::Again(part) => self.backlog.push_front(*part),
                Output::Receipt(state) if state == "DELIVRD" => tracing::debug!("SMS delivered"),
                Output::Receipt(state) => tracing::info!(state, "SMS receipt"),
                Output::Received { from, text } => {
                    if self.heard.try_send(Heard { id: None, from, text }).is_err() {
                        tracing::error!("SMS dropped on its way in: the relay takes no more");
                    }
                }
                Output::Close(why) => return Ok(Some(why)),
            }
        }
        Ok(None)
    }
}

fn read_frames(session: &mut Session, buffer: &mut BytesMut) -> Result<(), pdu::BadLength> {
    let now: Instant = machine::now();
    while let Some(frame) = pdu::next_frame(buffer)? {
        session.handle(now, Input::Frame(frame));
    }
    Ok(())
}

/// Runs a session over these octets, the answer to its bind among them or not, and on to its end or its hundredth deadline.
pub(super) fn fuzz(octets: &[u8]) {
    let login = Login { system_id: "gw".to_owned(), password: Redacted::default(), system_type: String::new() };
    let (host, enquire_every) = (String::new(), Duration::from_secs(30));
    let settings = SmppSettings { host, port: 2775, tls: None, login, window: 10, enquire_every };
    let Some(own) = Number::parse("+12025550100") else { return };
    let (mut session, mut now) = (Session::new(machine::now(), settings, own), machine::now());
    let mut buffer = BytesMut::from(octets);
    if read_frames(&mut session, &mut buffer).is_ok() {
        assert!(buffer.len() <= octets.len());
    }
    let (mut written, mut text) = (0, 0);
    for _ in 0..100 {
        while let Some(output) = session.poll() {
            match output {
                Output::Write(octets) => written += octets.len(),
                Output::Received { text: heard, .. } => text += heard.expose().len(),
                _ => {}
            }
        }
        let Some(at) = session.deadline() else { break };
        now = now.max(at);
        session.wake(now);
    }
    // Each frame of 16 octets or more is answered by one; a septet is three octets of UTF-8 at most, and a gap three more.
    assert!(written <= 4096 + 4 * octets.len() && text <= 8 * octets.len(), "{written} {text}");
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}
