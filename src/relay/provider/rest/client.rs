//! [`RestProvider`]: one HTTP request for each message, with its time-outs and repeats.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{HeaderMap, Request, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::mpsc;

use super::super::{OutgoingSms, Provider, ProviderEvent, SubmitOutcome, WebhookAnswer, WebhookCall};
use super::connector::SmsConnector;
use crate::common::log_limit::LogLimit;
use crate::common::machine;
use crate::net::tls;

/// Requests that may be unanswered.
const TAKES: usize = 8;
/// How long a request may take to be answered; longer than a [connection](connector) may take to be made.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// Octets of an answer that are read.
const LARGEST_ANSWER: usize = 64 * 1024;
/// How long a rest is that is asked for without a time, and the longest that is taken.
const RESTS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));
/// How long a service is left alone that does not know us: until then nobody has mended the configuration.
const UNWELCOME_FOR: Duration = Duration::from_secs(30);

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::relay::provider) enum SubmitVerdict {
    /// The item has ended so.
    Ended(SubmitOutcome),
    /// The service wants to be left alone for a while, and has not taken the item.
    Rest,
}

/// What is wrong with a service. Each is said once, until the service takes something again.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Unreachable = 1,
    Unanswered = 2,
    Unwelcome = 4,
}

impl Trouble {
    const fn place(self) -> usize {
        (self as u8).trailing_zeros() as usize
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Unreachable => "the SMS service cannot be reached; messages are kept and tried again",
            Self::Unanswered => {
                "the SMS service does not answer; on_unknown decides whether what it may have taken is sent again"
            }
            Self::Unwelcome => {
                "the SMS service does not serve us: see addresses and keys in [relay.provider]; messages are kept and tried again"
            }
        }
    }
}

/// What one service wants to hear, and what it says.
pub(in crate::relay::provider) trait RestDialect: Send + Sync {
    /// The request that submits an item; `None`: it cannot be written.
    fn request(&self, sms: &OutgoingSms, now: SystemTime) -> Option<Request<Bytes>>;

    /// What an answer of this status and body says of an item; only of those that speak of the item.
    fn verdict(&self, sms: &OutgoingSms, status: StatusCode, body: &[u8]) -> SubmitVerdict;

    /// What the service has called us for.
    fn webhook(&self, call: &WebhookCall, now: SystemTime) -> WebhookAnswer;
}

struct Shared {
    dialect: Box<dyn RestDialect>,
    web: Client<SmsConnector, Full<Bytes>>,
    events: mpsc::Sender<ProviderEvent>,
    rests: AtomicBool,
    log: Mutex<LogState>,
}

/// Lines about the service that the log has, and how often it may have them.
#[derive(Debug, Default)]
struct LogState {
    /// Each [`Trouble`] since it took something last.
    troubles: u8,
    /// Since when each may be said again, however often the service comes and goes.
    limits: [LogLimit; 3],
    again: LogLimit,
    rest: LogLimit,
    unread: LogLimit,
}

/// A service that is reached by HTTP.
pub(in crate::relay::provider) struct RestProvider(Arc<Shared>);

impl RestProvider {
    /// `ca`: trust the authorities in this file in the place of those of the system.
    pub(in crate::relay::provider) fn open(
        dialect: Box<dyn RestDialect>,
        ca: Option<PathBuf>,
        events: mpsc::Sender<ProviderEvent>,
    ) -> Result<Self, tls::TlsError> {
        let trust = ca.map_or(tls::Trust::System, tls::Trust::Authorities);
        let connector = SmsConnector::new(tls::client(&trust)?.as_ref().clone());
        let mut web = Client::builder(TokioExecutor::new());
        web.pool_timer(TokioTimer::new()).pool_max_idle_per_host(TAKES).pool_idle_timeout(Duration::from_secs(60));
        let (web, rests, log) = (web.build(connector), AtomicBool::new(false), Mutex::default());
        let shared = Shared { dialect, web, events, rests, log };
        // The first word: there is room for it.
        let _ = shared.events.try_send(ProviderEvent::Takes(TAKES));
        Ok(Self(Arc::new(shared)))
    }
}

impl Provider for RestProvider {
    fn submit(&self, sms: OutgoingSms) {
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            let outcome = shared.ask(&sms).await;
            // Without anybody who listens the daemon stops.
            let _ = shared.events.send(ProviderEvent::Outcome { id: sms.id, outcome }).await;
        });
    }

    fn webhook(&self, call: &WebhookCall) -> WebhookAnswer {
        let answer = self.0.dialect.webhook(call, SystemTime::now());
        if answer.unread > 0
            && let Some(unlogged) = self.0.log().unread.admit(machine::now())
        {
            tracing::warn!(events = answer.unread, unlogged, "events of the SMS service cannot be read");
        }
        answer
    }
}

impl Shared {
    async fn ask(self: &Arc<Self>, sms: &OutgoingSms) -> SubmitOutcome {
        if self.rests.load(Ordering::Relaxed) {
            return SubmitOutcome::Later;
        }
        let Some(request) = self.dialect.request(sms, SystemTime::now()) else {
            return SubmitOutcome::Refused("it cannot be written for this service".to_owned());
        };
        let (head, body) = request.into_parts();
        let answer = tokio::time::timeout(ANSWERS_WITHIN, self.web.request(Request::from_parts(head, Full::new(body)))).await;
        let answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                // Nothing travels before there is a connection.
                let (trouble, outcome) = match error.is_connect() {
                    true => (Trouble::Unreachable, SubmitOutcome::Later),
                    false => (Trouble::Unanswered, SubmitOutcome::Unknown),
                };
                self.fails(trouble, &reason(&error));
                return outcome;
            }
            Err(_) => {
                self.fails(Trouble::Unanswered, "it takes too long");
                return SubmitOutcome::Unknown;
            }
        };
        let (head, body) = answer.into_parts();
        let body = tokio::time::timeout(ANSWERS_WITHIN, Limited::new(body, LARGEST_ANSWER).collect()).await;
        let body = body.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default();
        self.answered(sms, head.status, &head.headers, &body)
    }

    fn answered(self: &Arc<Self>, sms: &OutgoingSms, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> SubmitOutcome {
        let verdict = match concern(status) {
            Concern::Message => self.dialect.verdict(sms, status, body),
            Concern::Pace => SubmitVerdict::Rest,
            Concern::Time => return SubmitOutcome::Later,
            Concern::Us => {
                self.fails(Trouble::Unwelcome, status.as_str());
                self.rest(UNWELCOME_FOR);
                return SubmitOutcome::Later;
            }
            Concern::Service => {
                self.fails(Trouble::Unanswered, status.as_str());
                return SubmitOutcome::Unknown;
            }
        };
        {
            let mut log = self.log();
            if std::mem::take(&mut log.troubles) != 0
                && let Some(unlogged) = log.again.admit(machine::now())
            {
                tracing::info!(unlogged, "the SMS service answers again");
            }
        }
        match verdict {
            SubmitVerdict::Ended(outcome) => outcome,
            SubmitVerdict::Rest => {
                let length = retry_after(headers, SystemTime::now()).unwrap_or(RESTS.0).min(RESTS.1);
                if self.rest(length)
                    && let Some(unlogged) = self.log().rest.admit(machine::now())
                {
                    tracing::info!(seconds = length.as_secs(), unlogged, "the SMS service asks for a rest");
                }
                SubmitOutcome::Later
            }
        }
    }

    /// Takes nothing for a while; whoever asks for it first decides how long. `false`: it rests already.
    fn rest(self: &Arc<Self>, length: Duration) -> bool {
        if self.rests.swap(true, Ordering::Relaxed) {
            return false;
        }
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let _ = shared.events.send(ProviderEvent::Takes(0)).await;
            tokio::time::sleep(length).await;
            shared.rests.store(false, Ordering::Relaxed);
            let _ = shared.events.send(ProviderEvent::Takes(TAKES)).await;
        });
        true
    }

    fn fails(&self, trouble: Trouble, why: &str) {
        let mut log = self.log();
        let new = log.troubles & trouble as u8 == 0;
        log.troubles |= trouble as u8;
        let limit = log.limits.get_mut(trouble.place()).filter(|_| new);
        if let Some(unlogged) = limit.and_then(|limit| limit.admit(machine::now())) {
            tracing::warn!(why, unlogged, "{}", trouble.words());
        }
    }

    fn log(&self) -> MutexGuard<'_, LogState> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a status speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concern {
    /// Of the item: its service knows more.
    Message,
    /// We are too quick.
    Pace,
    /// We were too slow: the service has not got all of it (RFC 9110 section 15.5.9).
    Time,
    /// Of keys, accounts and addresses, which are the same for all items: none of them is to blame.
    Us,
    /// The service has a fault, and the item or not.
    Service,
}

fn concern(status: StatusCode) -> Concern {
    match status.as_u16() {
        429 | 503 => Concern::Pace,
        408 => Concern::Time,
        300..=399 | 401..=405 | 407 | 410 => Concern::Us,
        500.. => Concern::Service,
        _ => Concern::Message,
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

/// RFC 9110 section 10.2.3: in seconds, or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let until = |date: SystemTime| date.duration_since(now).unwrap_or_default();
    value.parse().map(Duration::from_secs).ok().or_else(|| httpdate::parse_http_date(value).ok().map(until))
}

/// Another answer than one that takes the item: a service that says no says so for good.
pub(super) fn refused(status: StatusCode, code: Option<&str>) -> SubmitVerdict {
    SubmitVerdict::Ended(SubmitOutcome::Refused(match code {
        Some(code) => format!("status {}, code {}", status.as_u16(), code.chars().take(64).collect::<String>()),
        None => format!("status {}", status.as_u16()),
    }))
}

#[cfg(test)]
mod tests;
