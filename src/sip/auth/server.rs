//! [`Authenticator`]: sets challenges and judges their answers.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::digest::{Algorithm, Fields, Ha1, Parts, quoted, same};
use super::nonce::{Name, Nonces};
use crate::sip::message::Request;
use crate::sip::message::header_names;
use crate::sip::message::uri::Uri;

/// How long a nonce is good for: longer than most phones' registration, shorter than an attacker's patience.
const LIFETIME: Duration = Duration::from_secs(3600);

/// One who may prove who it is.
#[derive(Clone)]
pub struct Account {
    /// Whose it is: the label that a proof gives.
    pub label: Arc<str>,
    hashes: [Ha1; 2],
}

impl Account {
    /// Of this user; only hashes of the password are kept.
    #[must_use]
    pub fn new(label: &str, user: &str, realm: &str, password: &str) -> Self {
        Self { label: label.into(), hashes: Algorithm::ALL.map(|algorithm| Ha1::new(algorithm, user, realm, password)) }
    }
}

/// All accounts, by user name, and the realm in which they hold.
#[derive(Clone, Default)]
pub struct Accounts {
    /// The realm.
    pub realm: String,
    /// Offered and taken, the preferred one first (RFC 8760 section 2.3).
    pub algorithms: Vec<Algorithm>,
    /// By user name.
    pub users: HashMap<String, Account>,
    /// What nonces are sealed with; must be unpredictable in production.
    pub secret: [u8; 32],
}

impl Accounts {
    fn by_label(&self) -> HashMap<Arc<str>, String> {
        self.users.iter().map(|(user, account)| (Arc::clone(&account.label), user.clone())).collect()
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("realm", &self.realm).field("users", &self.users.len()).finish_non_exhaustive()
    }
}

/// What an `Authorization` was worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestVerdict {
    /// The password is known to them.
    Proven {
        /// The account's label.
        label: Arc<str>,
    },
    /// There is none for our realm.
    Absent,
    /// The nonce is too old, used up, not ours or not of its sender: to be challenged anew with `stale=true` (RFC 7616 section 3.3). Unless
    /// it is used up, the password was not looked at: it costs and tells nobody anything.
    Stale,
    /// Unknown user, wrong password, or fields that make no sense, with a fresh nonce of the sender: all the same to whoever asks.
    Wrong,
}

/// The server's side of digest.
#[derive(Debug)]
pub struct Authenticator {
    accounts: Accounts,
    /// User names by label.
    users: HashMap<Arc<str>, String>,
    nonces: Nonces,
    /// Stands in for unknown users, so that they cost the same work.
    nobody: Account,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("label", &self.label).finish_non_exhaustive()
    }
}

impl Authenticator {
    /// For these accounts.
    #[must_use]
    pub fn new(accounts: Accounts) -> Self {
        let nonces = Nonces::new(accounts.secret, LIFETIME);
        let users = accounts.by_label();
        Self { accounts, users, nonces, nobody: Account::new("", "", "", "") }
    }

    /// For other accounts; challenges that are out stay good.
    pub fn reconfigure(&mut self, accounts: Accounts) {
        self.users = accounts.by_label();
        self.accounts = Accounts { secret: self.accounts.secret, ..accounts };
    }

    /// Whether there is an account of this name. Not to be told to peers.
    #[must_use]
    pub fn knows(&self, user: &str) -> bool {
        self.accounts.users.contains_key(user)
    }

    /// The user name of the account with this label, if it has one.
    #[must_use]
    pub fn user_of(&self, label: &str) -> Option<&str> {
        self.users.get(label).map(String::as_str)
    }

    /// Whose user name it is.
    #[must_use]
    pub fn label_of(&self, user: &str) -> Option<&Arc<str>> {
        self.accounts.users.get(user).map(|account| &account.label)
    }

    /// Whether there is any account.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.users.is_empty()
    }

    /// Judges the answer that a request from `origin` carries.
    pub fn judge(&mut self, now: Instant, request: &Request, origin: &str) -> DigestVerdict {
        let ours = |fields: &Fields| fields.get("realm") == Some(self.accounts.realm.as_str());
        let Some(fields) = request.headers.lines(header_names::AUTHORIZATION).filter_map(Fields::parse).find(ours) else {
            return DigestVerdict::Absent;
        };
        let Some(nonce) = fields.get("nonce") else { return DigestVerdict::Absent };
        let Some(name) = self.nonces.fresh(now, nonce, origin) else { return DigestVerdict::Stale };
        self.judge_fields(now, request, &fields, name).unwrap_or(DigestVerdict::Wrong)
    }

    fn judge_fields(&mut self, now: Instant, request: &Request, fields: &Fields, name: Name) -> Option<DigestVerdict> {
        let (user, nonce, uri) = (fields.get("username")?, fields.get("nonce")?, fields.get("uri")?);
        let (nc, cnonce, theirs) = (fields.get("nc")?, fields.get("cnonce")?, fields.get("response")?);
        // What was not offered would be a step down.
        let offered = |algorithm: &Algorithm| self.accounts.algorithms.contains(algorithm);
        let algorithm = Algorithm::parse(fields.get("algorithm")).filter(offered)?;
        let count = u32::from_str_radix(nc, 16).ok().filter(|_| nc.len() == 8)?;
        if fields.get("qop") != Some("auth") || !same_resource(uri, request) {
            return None;
        }
        let account = self.accounts.users.get(user);
        let known = account.is_some();
        let account = account.unwrap_or(&self.nobody);
        let [strong, weak] = &account.hashes;
        let ha1 = if algorithm == Algorithm::Sha256 { strong } else { weak };
        let ours = ha1.response(Parts { method: request.method.as_str(), uri, nonce, nc, cnonce });
        if !(same(&ours, theirs) & known) {
            return Some(DigestVerdict::Wrong);
        }
        let label = Arc::clone(&account.label);
        Some(if self.nonces.take(now, name, count) { DigestVerdict::Proven { label } } else { DigestVerdict::Stale })
    }

    /// The values of `WWW-Authenticate` for whoever is at `origin`, one line for each algorithm.
    pub fn challenge(&mut self, now: Instant, origin: &str, stale: bool) -> Vec<String> {
        let nonce = self.nonces.mint(now, origin);
        let stale = if stale { ", stale=true" } else { "" };
        let realm = quoted(&self.accounts.realm);
        let line = |algorithm: &Algorithm| {
            format!("Digest realm={realm}, nonce=\"{nonce}\", algorithm={}, qop=\"auth\"{stale}", algorithm.as_str())
        };
        self.accounts.algorithms.iter().map(line).collect()
    }
}

/// Whether the URI that was signed and the one that was asked for mean the same user here, however either is written: what stands around the user
/// part (port, parameters, escapes) may be changed on the way (RFC 3261 section 22.4, item 5). The host is the same too, unless a proxy has
/// passed the request on and put our address in the place of its own.
fn same_resource(signed: &str, request: &Request) -> bool {
    let was_passed_on = request.headers.values(header_names::VIA).nth(1).is_some();
    let parts = |text: &str| {
        let uri = Uri::parse(text)?;
        Some((uri.user_text().unwrap_or_default(), uri.host.filter(|_| !was_passed_on)))
    };
    signed == request.uri || parts(signed).is_some_and(|signed| Some(signed) == parts(&request.uri))
}
