//! [`Client`]: answers challenges to requests of ours, once each, and only those that are ours to answer.

use std::fmt;

use zeroize::Zeroizing;

use super::digest::{Algorithm, Fields, Ha1, Parts, quoted};
use crate::sip::message::header_names;
use crate::sip::message::{Request, Response};

/// Challenges answered in a row, however stale the peer says our answers are.
const TRIES: u8 = 4;

/// What proves who we are to somebody.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: Zeroizing<String>,
    /// The realm they hold in; `None`: that of the first challenge.
    pub realm: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).field("realm", &self.realm).finish_non_exhaustive()
    }
}

/// The client's side of digest, for one conversation with one peer.
#[derive(Debug)]
pub struct Client {
    credentials: Credentials,
    /// What the last challenge that we answered said.
    answered: Option<Challenge>,
    /// Challenges answered since the last request that went through.
    tries: u8,
    /// Uses of its nonce.
    count: u32,
}

#[derive(Debug, Clone)]
struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// With `qop=auth`; without it the peer speaks RFC 2069.
    auth: bool,
    stale: bool,
    /// 407: it came from a proxy.
    proxy: bool,
}

impl Client {
    /// Nothing was asked yet.
    #[must_use]
    pub const fn new(credentials: Credentials) -> Self {
        Self { credentials, answered: None, tries: 0, count: 0 }
    }

    /// Takes a 401 or 407; `true` when the request is worth sending again with [`Client::sign`]. Not for another realm than ours, and
    /// not when the same password was refused already.
    pub fn challenged(&mut self, response: &Response) -> bool {
        let Some(challenge) = self.ours(response) else { return false };
        let refused = self.answered.as_ref().is_some_and(|last| {
            last.realm == challenge.realm && self.tries > 0 && (!challenge.stale || last.nonce == challenge.nonce)
        });
        if refused || self.tries >= TRIES {
            return false;
        }
        self.tries += 1;
        self.count = 0;
        self.credentials.realm.get_or_insert_with(|| challenge.realm.clone());
        self.answered = Some(challenge);
        true
    }

    /// The last request went through.
    pub fn accepted(&mut self) {
        self.tries = 0;
    }

    /// Puts our proof into a request, if somebody has asked for it before. `cnonce` must not be foreseeable.
    pub fn sign(&mut self, request: &mut Request, cnonce: &str) {
        let Some(challenge) = &self.answered else { return };
        self.count = self.count.saturating_add(1);
        let Challenge { realm, nonce, algorithm, .. } = challenge;
        let Credentials { user, password, .. } = &self.credentials;
        let nc = format!("{:08x}", self.count);
        let ha1 = Ha1::new(*algorithm, user, realm, password);
        let parts = Parts { method: request.method.as_str(), uri: &request.uri, nonce, nc: &nc, cnonce };
        let response = if challenge.auth { ha1.response(parts) } else { ha1.old_response(parts) };
        let mut line = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\", algorithm={}",
            quoted(user),
            quoted(realm),
            quoted(nonce),
            quoted(&request.uri),
            algorithm.as_str()
        );
        if challenge.auth {
            line.push_str(&format!(", qop=auth, nc={nc}, cnonce={}", quoted(cnonce)));
        }
        if let Some(opaque) = &challenge.opaque {
            line.push_str(&format!(", opaque={}", quoted(opaque)));
        }
        request.headers.push(if challenge.proxy { header_names::PROXY_AUTHORIZATION } else { header_names::AUTHORIZATION }, line);
    }

    /// The strongest challenge of our realm that we can answer.
    fn ours(&self, response: &Response) -> Option<Challenge> {
        let (header, proxy) = match response.status {
            401 => (header_names::WWW_AUTHENTICATE, false),
            407 => (header_names::PROXY_AUTHENTICATE, true),
            _ => return None,
        };
        let lines = response.headers.lines(header).filter_map(Fields::parse);
        let mut challenges: Vec<Challenge> = lines.filter_map(|fields| Challenge::read(&fields, proxy)).collect();
        challenges.retain(|challenge| self.credentials.realm.as_ref().is_none_or(|realm| *realm == challenge.realm));
        Algorithm::ALL.into_iter().find_map(|algorithm| challenges.iter().find(|found| found.algorithm == algorithm).cloned())
    }
}

impl Challenge {
    fn read(fields: &Fields, proxy: bool) -> Option<Self> {
        let qop = fields.get("qop");
        let auth = qop.is_some_and(|list| list.split(',').any(|word| word.trim().eq_ignore_ascii_case("auth")));
        if qop.is_some() && !auth {
            return None;
        }
        Some(Self {
            realm: fields.get("realm")?.to_owned(),
            nonce: fields.get("nonce").filter(|nonce| !nonce.is_empty())?.to_owned(),
            opaque: fields.get("opaque").map(str::to_owned),
            algorithm: Algorithm::parse(fields.get("algorithm"))?,
            auth,
            stale: fields.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            proxy,
        })
    }
}
