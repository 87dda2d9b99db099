//! [`SmppProvider`]: the task that keeps one transceiver bind alive (SMPP 3.4).

use std::time::{Duration, Instant};

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use super::super::{InboundSms, OutgoingSms, Provider, ProviderEvent, SubmitOutcome};
use super::session::{DeliveryRef, SmppInput, SmppOutput, SmppSession, SmppSessionEnd};
use super::settings::{SmppLogin, SmppSettings};
use crate::common::log_limit::LogLimit;
use crate::common::machine::{self, Machine as _};
use crate::common::redact::Redacted;
use crate::net::tls;
use crate::relay::PhoneNumber;

/// Orders that may wait for the task; more than any window has.
const ORDERS: usize = 1024;
/// Between two tries to connect, growing from the first to the second.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long a connection may take to be made.
const CONNECTS_WITHIN: Duration = Duration::from_secs(10);
/// A session that lasted this long was a good one: the next try comes soon again.
const GOOD: Duration = Duration::from_secs(30);

enum Order {
    Submit(OutgoingSms),
    Taken(u64),
}

/// The way to the task that has the connection; it ends with this.
pub(in crate::relay::provider) struct SmppProvider {
    orders: mpsc::Sender<Order>,
}

impl SmppProvider {
    pub(in crate::relay::provider) fn open(
        settings: SmppSettings,
        from: PhoneNumber,
        events: mpsc::Sender<ProviderEvent>,
    ) -> Self {
        let (orders, inbox) = mpsc::channel(ORDERS);
        tokio::spawn(Task { settings, from, events, sessions: 0, logs: Logs::default() }.run(inbox));
        Self { orders }
    }
}

impl Provider for SmppProvider {
    fn submit(&self, sms: OutgoingSms) {
        // At most a window is unanswered, and the task answers for each that it takes; without it nobody waits for an answer.
        if self.orders.try_send(Order::Submit(sms)).is_err() {
            tracing::error!("an SMS waits for the next start: the SMPP task is gone");
        }
    }

    fn taken(&self, number: u64) {
        // Without an answer the centre delivers it again.
        let _ = self.orders.try_send(Order::Taken(number));
    }
}

struct Task {
    settings: SmppSettings,
    from: PhoneNumber,
    events: mpsc::Sender<ProviderEvent>,
    /// Connections so far: an answer to what came over an earlier one has nowhere to go.
    sessions: u32,
    logs: Logs,
}

/// What a centre that comes and goes would say again and again.
#[derive(Debug, Default)]
struct Logs {
    none: LogLimit,
    bound: LogLimit,
    unanswered: LogLimit,
    unreadable: LogLimit,
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
            if let Some(unlogged) = self.logs.none.admit(machine::now()) {
                tracing::warn!(host, port, why, again_in_s = wait.as_secs(), unlogged, "no SMPP session");
            }
            let again = machine::now() + wait;
            wait = (wait * 2).min(AGAIN.1);
            loop {
                tokio::select! {
                    () = tokio::time::sleep_until(again.into()) => break,
                    order = orders.recv() => match order {
                        Some(Order::Submit(sms)) => self.say(ProviderEvent::Outcome { id: sms.id, outcome: SubmitOutcome::Later }).await,
                        Some(Order::Taken(_)) => {}
                        None => return,
                    },
                }
            }
        }
    }

    /// Whoever listens reads what it is told before long; without anybody the task ends by itself.
    async fn say(&self, event: ProviderEvent) {
        let _ = self.events.send(event).await;
    }

    /// A delivery as a number for [`ProviderEvent::Taken`].
    fn number(&self, delivery: DeliveryRef) -> u64 {
        u64::from(self.sessions) << 33 | u64::from(delivery.is_data) << 32 | u64::from(delivery.sequence)
    }

    /// The delivery of such a number, if it is of this connection.
    fn delivery(&self, number: u64) -> Option<DeliveryRef> {
        let sequence = u32::try_from(number & u64::from(u32::MAX)).ok()?;
        let delivery = DeliveryRef { sequence, is_data: number >> 32 & 1 == 1 };
        (self.number(delivery) == number).then_some(delivery)
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
        let mut session = SmppSession::new(machine::now(), self.settings.clone(), self.from.clone());
        self.sessions = self.sessions.wrapping_add(1);
        let mut buffer = BytesMut::new();
        let mut ending = false;
        let why = loop {
            match self.follow(&mut session, &mut stream).await {
                Ok(None) => {}
                Ok(Some(why)) => break why.to_string(),
                Err(error) => break error.to_string(),
            }
            let at = session.deadline().unwrap_or_else(|| machine::now() + super::session::ANSWERS_WITHIN);
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
                    Some(Order::Submit(sms)) => session.handle(machine::now(), SmppInput::Submit(sms)),
                    Some(Order::Taken(number)) => {
                        if let Some(delivery) = self.delivery(number) {
                            session.handle(machine::now(), SmppInput::Taken(delivery));
                        }
                    }
                    None => {
                        ending = true;
                        session.handle(machine::now(), SmppInput::Unbind);
                    }
                },
                () = tokio::time::sleep_until(at.into()) => session.wake(machine::now()),
            }
        };
        self.say(ProviderEvent::Takes(0)).await;
        let unanswered: Vec<u64> = session.unanswered().collect();
        if !unanswered.is_empty()
            && let Some(unlogged) = self.logs.unanswered.admit(machine::now())
        {
            tracing::warn!(messages = unanswered.len(), unlogged, "unanswered when the SMPP session ended");
        }
        for id in unanswered {
            self.say(ProviderEvent::Outcome { id, outcome: SubmitOutcome::Unknown }).await;
        }
        (!ending).then_some(why)
    }

    async fn follow(
        &mut self,
        session: &mut SmppSession,
        stream: &mut Box<dyn Stream>,
    ) -> std::io::Result<Option<SmppSessionEnd>> {
        while let Some(output) = session.poll() {
            match output {
                SmppOutput::Write(octets) => {
                    let written = tokio::time::timeout(super::session::ANSWERS_WITHIN, stream.write_all(&octets)).await;
                    written.map_err(|_| std::io::ErrorKind::TimedOut)??;
                }
                SmppOutput::Bound => {
                    if let Some(unlogged) = self.logs.bound.admit(machine::now()) {
                        tracing::info!(host = self.settings.host, unlogged, "SMPP session bound");
                    }
                }
                SmppOutput::Takes(places) => self.say(ProviderEvent::Takes(places)).await,
                SmppOutput::Outcome(id, outcome) => self.say(ProviderEvent::Outcome { id, outcome }).await,
                SmppOutput::Receipt { name, outcome } => self.say(ProviderEvent::Receipt { name, outcome }).await,
                SmppOutput::Received { from, text } => {
                    self.say(ProviderEvent::Received(InboundSms { id: None, from, text })).await
                }
                SmppOutput::Secure(delivery) => self.say(ProviderEvent::Taken(self.number(delivery))).await,
                SmppOutput::Unreadable(data_coding) => {
                    if let Some(unlogged) = self.logs.unreadable.admit(machine::now()) {
                        tracing::warn!(data_coding, unlogged, "an SMS is no text and was dropped");
                    }
                }
                SmppOutput::Close(why) => return Ok(Some(why)),
            }
        }
        Ok(None)
    }
}

fn read_frames(session: &mut SmppSession, buffer: &mut BytesMut) -> Result<(), super::pdu::BadLength> {
    let now: Instant = machine::now();
    while let Some(frame) = super::pdu::next_frame(buffer)? {
        session.handle(now, SmppInput::Frame(frame));
    }
    Ok(())
}

/// Runs a session over these octets, the answer to its bind among them or not, and on to its end or its hundredth deadline.
pub(in crate::relay::provider) fn fuzz(octets: &[u8]) {
    let login = SmppLogin { system_id: "gw".to_owned(), password: Redacted::default(), system_type: String::new() };
    let (host, enquire_every) = (String::new(), Duration::from_secs(30));
    let settings = SmppSettings { host, port: 2775, tls: None, login, window: 10, enquire_every };
    let Some(own) = PhoneNumber::parse("+12025550100") else { return };
    let (mut session, mut now) = (SmppSession::new(machine::now(), settings, own), machine::now());
    let mut buffer = BytesMut::from(octets);
    if read_frames(&mut session, &mut buffer).is_ok() {
        assert!(buffer.len() <= octets.len());
    }
    let (mut written, mut text) = (0, 0);
    for _ in 0..100 {
        while let Some(output) = session.poll() {
            match output {
                SmppOutput::Write(octets) => written += octets.len(),
                SmppOutput::Received { text: heard, .. } => text += heard.expose().len(),
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

#[cfg(test)]
mod tests;
