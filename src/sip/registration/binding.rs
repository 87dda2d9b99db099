//! Where we register ourselves (S-3): at a PBX that then sends us its calls as to any of its phones (RFC 3261 section 10.2).
//!
//! Each [`RegistrationAccount`] is asked for again before the registrar forgets it, at the next of the registrar's addresses when one fails, and,
//! whatever happens, without end: at growing distances with jitter (RFC 5626 section 4.5). A challenge of another realm is not answered.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::sip::auth;
use crate::sip::message::header::{CSeq, NameAddr};
use crate::sip::message::header_names;
use crate::sip::message::method::Method;
use crate::sip::message::uri::Uri;
use crate::sip::message::{Headers, Request, Response};
use crate::sip::{Flow, Target, Transport};

/// Keeps the way through a router open: well below the half minute after which the worst of them forget UDP.
pub(super) const PING_UDP: Duration = Duration::from_secs(25);
/// The same for connections (RFC 5626 section 4.4.1).
pub(super) const PING_STREAM: Duration = Duration::from_secs(100);
/// A registration that is to live for less than this is refreshed as if it lived for so long: no registrar makes us ask in a loop.
const SHORTEST: Duration = Duration::from_secs(10);

/// One `[sip.account.X]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationAccount {
    /// The X.
    pub label: Arc<str>,
    /// Whose registrar it is: the Request-URI, and the domain of our address there.
    pub registrar: Uri,
    /// By what we go there; `None`: as the name system says (RFC 3263).
    pub transport: Option<Transport>,
    /// Our user name there.
    pub username: String,
    /// What proves it.
    pub credentials: auth::Credentials,
    /// The life of a registration that we ask for.
    pub expires: Duration,
    /// The user part of our Contact, which nobody can guess: whoever calls it has it from the registrar.
    pub contact: String,
}

impl RegistrationAccount {
    /// Whether both stand for one and the same binding at one registrar.
    pub(super) fn is_same_binding(&self, other: &Self) -> bool {
        let Self { label, registrar, transport, username, contact, credentials: _, expires: _ } = self;
        // Another transport is another Contact, and the flow that calls come by.
        (label, registrar, transport, username, contact)
            == (&other.label, &other.registrar, &other.transport, &other.username, &other.contact)
    }

    /// Whether both stand for one user at one registrar.
    pub(super) fn is_same_user(&self, other: &Self) -> bool {
        self.registrar == other.registrar && self.username == other.username
    }

    /// The domain of our address there.
    pub(super) fn domain(&self) -> String {
        self.registrar.host.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

/// The user part of an account's Contact: the same after each start, so that no old one lingers at the registrar, and known to nobody
/// who does not know the password.
#[must_use]
pub fn contact(label: &str, username: &str, password: &str) -> String {
    let parts = [b"roomgate contact".as_slice(), label.as_bytes(), username.as_bytes(), password.as_bytes()];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// How an account stands, for `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountStanding {
    /// The X of `[sip.account.X]`.
    pub label: Arc<str>,
    /// The registrar, as configured.
    pub registrar: String,
    /// How long the registration lives from now on; `None`: there is none.
    pub lives: Option<Duration>,
    /// What went wrong last; `None` once it went well.
    pub failure: Option<String>,
    /// The time until the next REGISTER.
    pub next: Option<Duration>,
}

#[derive(Debug)]
pub(super) enum AccountState {
    /// Until the next try.
    Resting { until: Instant },
    /// The registrar's addresses are being looked up.
    Locating,
    /// A REGISTER is on its way; `rest` is tried after it.
    Asking { target: Target, rest: VecDeque<Target> },
    /// Registered; the flow by which is kept open.
    Bound { flow: Flow, refresh_at: Instant, ping_at: Instant },
    /// Signed off.
    Off,
}

/// One account with its registration.
#[derive(Debug)]
pub(super) struct AccountBinding {
    pub(super) account: RegistrationAccount,
    pub(super) state: AccountState,
    pub(super) prover: auth::Client,
    call_id: String,
    tag: String,
    cseq: u32,
    /// What is asked for: more than configured where the registrar wants that (423).
    expires: Duration,
    /// What the registrar has granted lives until then.
    pub(super) lives_until: Option<Instant>,
    pub(super) failures: u32,
    pub(super) failure: Option<String>,
    /// Where the flow that was used last leads.
    pub(super) target: Option<SocketAddr>,
    pub(super) leaving: bool,
    /// The REGISTER that was sent last takes the registration back.
    pub(super) takes_back: bool,
}

/// What an answer means.
pub(super) enum RegisterOutcome {
    /// Registered for so long.
    Granted(Duration),
    /// Ask the same again, with what was learned.
    Again,
    /// Ask elsewhere, or later.
    Failed { why: String, retry_after: Option<Duration> },
}

impl AccountBinding {
    pub(in crate::sip) fn new(account: RegistrationAccount, now: Instant, call_id: String, tag: String) -> Self {
        let prover = auth::Client::new(account.credentials.clone());
        let (state, expires) = (AccountState::Resting { until: now }, account.expires);
        let (cseq, failures, leaving, takes_back) = (0, 0, false, false);
        let (lives_until, failure, target) = (None, None, None);
        Self { account, state, prover, call_id, tag, cseq, expires, lives_until, failures, failure, target, leaving, takes_back }
    }

    /// The same binding, asked for in another way from now on.
    pub(super) fn renew(&mut self, account: RegistrationAccount, now: Instant) {
        self.prover = auth::Client::new(account.credentials.clone());
        (self.expires, self.failures) = (account.expires, 0);
        self.account = account;
        match &mut self.state {
            AccountState::Resting { until } => *until = now,
            AccountState::Bound { refresh_at, .. } => *refresh_at = now,
            // What is under way is answered first, and refreshed as is then known.
            AccountState::Locating | AccountState::Asking { .. } | AccountState::Off => {}
        }
    }

    pub(in crate::sip) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            AccountState::Resting { until } => Some(*until),
            AccountState::Bound { refresh_at, ping_at, .. } => Some(*refresh_at.min(ping_at)),
            AccountState::Locating | AccountState::Asking { .. } | AccountState::Off => None,
        }
    }

    pub(super) fn standing(&self, now: Instant) -> AccountStanding {
        let left = |at: Instant| at.saturating_duration_since(now);
        AccountStanding {
            label: Arc::clone(&self.account.label),
            registrar: self.account.registrar.to_string(),
            lives: self.lives_until.map(left).filter(|left| !left.is_zero()),
            failure: self.failure.clone(),
            next: match &self.state {
                AccountState::Resting { until } => Some(left(*until)),
                AccountState::Bound { refresh_at, .. } => Some(left(*refresh_at)),
                AccountState::Locating | AccountState::Asking { .. } => Some(Duration::ZERO),
                AccountState::Off => None,
            },
        }
    }

    /// The next REGISTER, without Via and Contact; signed where a challenge was answered before.
    pub(super) fn request(&mut self, cnonce: &str) -> Request {
        self.cseq += 1;
        self.takes_back = self.leaving;
        let address = format!("<sip:{}@{}>", self.account.username, self.account.domain());
        let mut request = Request::new(Method::Register, &self.account.registrar);
        request.headers.push(header_names::MAX_FORWARDS, 70);
        request.headers.push(header_names::FROM, format!("{address};tag={}", self.tag));
        request.headers.push(header_names::TO, address);
        request.headers.push(header_names::CALL_ID, &self.call_id);
        request.headers.push(header_names::CSEQ, CSeq { number: self.cseq, method: Method::Register });
        let expires = if self.leaving { 0 } else { self.expires.as_secs() };
        request.headers.push(header_names::EXPIRES, expires);
        self.prover.sign(&mut request, cnonce);
        request
    }

    /// Section 10.2.4, 10.2.8: what has become of it.
    pub(super) fn outcome(&mut self, response: &Response) -> RegisterOutcome {
        let failed =
            |why: String| RegisterOutcome::Failed { why, retry_after: seconds(&response.headers, header_names::RETRY_AFTER) };
        match response.status {
            200..=299 => {
                self.prover.accepted();
                RegisterOutcome::Granted(self.granted(&response.headers))
            }
            401 | 407 if self.prover.challenged(response) => RegisterOutcome::Again,
            401 | 407 => failed("user name, password or realm is not taken".to_owned()),
            423 => match seconds(&response.headers, header_names::MIN_EXPIRES).filter(|least| *least > self.expires) {
                Some(least) => {
                    self.expires = least;
                    RegisterOutcome::Again
                }
                None => failed("423 without a longer time".to_owned()),
            },
            status => failed(format!("{status} {}", crate::sip::reason::shortened(&response.phrase))),
        }
    }

    /// Our own Contact says how long we are known; without that the whole answer does (section 10.2.4). A Contact that stands alone is ours, also
    /// where something on the way has written another address in the place of it.
    fn granted(&self, headers: &Headers) -> Duration {
        let contacts: Vec<NameAddr> = headers.values(header_names::CONTACT).filter_map(NameAddr::parse).collect();
        let is_ours = |contact: &&NameAddr| contact.uri.user.as_deref() == Some(&self.account.contact) || contacts.len() == 1;
        let expires = |contact: &NameAddr| leading_seconds(contact.params.get("expires")?);
        let granted = contacts.iter().filter(is_ours).find_map(expires);
        granted
            .or_else(|| seconds(headers, header_names::EXPIRES))
            .unwrap_or(self.expires)
            .clamp(SHORTEST, self.expires.max(SHORTEST))
    }
}

/// A number of seconds in a header; what follows it is a comment or a parameter.
fn seconds(headers: &Headers, name: &str) -> Option<Duration> {
    leading_seconds(headers.get(name)?)
}

fn leading_seconds(value: &str) -> Option<Duration> {
    let digits: String = value.trim().chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()))
}

/// When to ask again for what was granted: an eighth of it before its end, at most a minute.
pub(super) fn refresh_after(granted: Duration) -> Duration {
    granted - (granted / 8).min(Duration::from_secs(60))
}
