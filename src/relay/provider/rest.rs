//! Providers that are reached by HTTP: one request for each parcel, and webhooks for what comes back.
//!
//! What differs between them is a [`Dialect`], which has neither socket nor clock; what they share is here: connections, time limits,
//! rests that are asked for, and for each parcel exactly one outcome. A request that never left is put off; one that was never answered
//! may have arrived (C-7).
#![allow(clippy::disallowed_methods, reason = "a driver: it has sockets and a clock")]

pub(super) mod azure;
#[cfg(test)]
mod tests;
pub(super) mod twilio;
pub(super) mod webhook;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{HeaderMap, Request, StatusCode, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::mpsc;

use super::{Event, Outcome, Parcel, Provider, WebhookAnswer, WebhookCall};
use crate::tls;

/// Requests that may be unanswered.
const TAKES: usize = 8;
/// How long a connection may take to be made, and a request to be answered.
const CONNECTS_WITHIN: Duration = Duration::from_secs(10);
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// Octets of an answer that are read.
const LARGEST_ANSWER: usize = 64 * 1024;
/// How long a rest is that is asked for without a time, and the longest that is taken.
const RESTS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The parcel has ended so.
    Ended(Outcome),
    /// The service wants to be left alone for a while, and has not taken the parcel.
    Rest,
}

/// What one service wants to hear, and what it says.
pub(super) trait Dialect: Send + Sync {
    /// The request that submits a parcel; `None`: it cannot be written.
    fn request(&self, parcel: &Parcel, now: SystemTime) -> Option<Request<Bytes>>;

    /// What an answer of this status and body says of a parcel. 429, 503 and what is 5xx otherwise is dealt with before.
    fn verdict(&self, parcel: &Parcel, status: StatusCode, body: &[u8]) -> Verdict;

    /// What the service has called us for.
    fn webhook(&self, call: &WebhookCall, now: SystemTime) -> WebhookAnswer;
}

type Web = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

struct Shared {
    dialect: Box<dyn Dialect>,
    web: Web,
    events: mpsc::Sender<Event>,
    rests: AtomicBool,
    /// The last request was not answered, and that has been said.
    failing: AtomicBool,
}

/// A service that is reached by HTTP.
pub(super) struct Rest(Arc<Shared>);

impl Rest {
    /// `ca`: trust the authorities in this file in the place of those of the system.
    pub(super) fn open(
        dialect: Box<dyn Dialect>,
        ca: Option<PathBuf>,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, tls::TlsError> {
        let trust = ca.map_or(tls::Trust::System, tls::Trust::Authorities);
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECTS_WITHIN));
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let config = tls::client(&trust)?.as_ref().clone();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().wrap_connector(connector);
        let mut web = Client::builder(TokioExecutor::new());
        web.pool_timer(TokioTimer::new()).pool_max_idle_per_host(TAKES).pool_idle_timeout(Duration::from_secs(60));
        let shared =
            Shared { dialect, web: web.build(connector), events, rests: AtomicBool::new(false), failing: AtomicBool::new(false) };
        // The first word: there is room for it.
        let _ = shared.events.try_send(Event::Takes(TAKES));
        Ok(Self(Arc::new(shared)))
    }
}

impl Provider for Rest {
    fn submit(&self, parcel: Parcel) {
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            let outcome = shared.ask(&parcel).await;
            // Without anybody who listens the daemon stops.
            let _ = shared.events.send(Event::Outcome { id: parcel.id, outcome }).await;
        });
    }

    fn webhook(&self, call: &WebhookCall) -> WebhookAnswer {
        self.0.dialect.webhook(call, SystemTime::now())
    }
}

impl Shared {
    async fn ask(self: &Arc<Self>, parcel: &Parcel) -> Outcome {
        if self.rests.load(Ordering::Relaxed) {
            return Outcome::Later;
        }
        let Some(request) = self.dialect.request(parcel, SystemTime::now()) else {
            return Outcome::Refused("it cannot be written for this service".to_owned());
        };
        let (head, body) = request.into_parts();
        let answer = tokio::time::timeout(ANSWERS_WITHIN, self.web.request(Request::from_parts(head, Full::new(body)))).await;
        let answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                self.fails(&reason(&error));
                return if error.is_connect() { Outcome::Later } else { Outcome::Unknown };
            }
            Err(_) => {
                self.fails("it does not answer");
                return Outcome::Unknown;
            }
        };
        let (head, body) = answer.into_parts();
        let body = tokio::time::timeout(ANSWERS_WITHIN, Limited::new(body, LARGEST_ANSWER).collect()).await;
        let body = body.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default();
        self.answered(parcel, head.status, &head.headers, &body)
    }

    fn answered(self: &Arc<Self>, parcel: &Parcel, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Outcome {
        let verdict = match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Verdict::Rest,
            _ if status.is_server_error() => {
                self.fails(status.as_str());
                return Outcome::Unknown;
            }
            _ => self.dialect.verdict(parcel, status, body),
        };
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            self.fails("it does not know us: see the keys of [relay.provider]");
        } else if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("the SMS service answers again");
        }
        match verdict {
            Verdict::Ended(outcome) => outcome,
            Verdict::Rest => {
                self.rest(retry_after(headers));
                Outcome::Later
            }
        }
    }

    /// Takes nothing for a while; whoever asks for it first decides how long.
    fn rest(self: &Arc<Self>, length: Option<Duration>) {
        if self.rests.swap(true, Ordering::Relaxed) {
            return;
        }
        let (shared, length) = (Arc::clone(self), length.unwrap_or(RESTS.0).min(RESTS.1));
        tracing::info!(?length, "the SMS service asks for a rest");
        tokio::spawn(async move {
            let _ = shared.events.send(Event::Takes(0)).await;
            tokio::time::sleep(length).await;
            shared.rests.store(false, Ordering::Relaxed);
            let _ = shared.events.send(Event::Takes(TAKES)).await;
        });
    }

    /// Said once, until it works again.
    fn fails(&self, why: &str) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(why, "the SMS service does not take messages; they are kept and tried again");
        }
    }
}

/// The innermost error: the others say only where it happened.
fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// RFC 9110 section 10.2.3, in seconds; a date is taken for a rest of the usual length.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Another answer than one that takes the parcel: a service that says no says so for good.
fn refused(status: StatusCode, code: Option<&str>) -> Verdict {
    Verdict::Ended(Outcome::Refused(match code {
        Some(code) => format!("status {}, code {}", status.as_u16(), code.chars().take(64).collect::<String>()),
        None => format!("status {}", status.as_u16()),
    }))
}
