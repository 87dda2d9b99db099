//! Who gets in (M-1): before an INVITE or a REGISTER costs us a transaction, its sender is known, or asked to prove who it is.
//!
//! A challenge is sent without keeping anything (RFC 3261 section 8.2.7): a flood of requests without a password leaves nothing behind.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Instant;

use super::Flow;
use super::auth::Verdict;
use super::endpoint::Endpoint;
use super::guard::{Price, Source};
use super::identity::{Identity, Proof};
use super::message::{Essentials, Method, Request};
use super::uas::reply_flow;
use super::uri::Uri;

/// Why a sender does not get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// It has to prove who it is.
    Prove {
        /// Its last proof was right, but too old.
        stale: bool,
    },
    /// Its budget is spent.
    Spent,
}

impl Endpoint {
    /// Whether a request outside of any dialog must not go on: it was challenged, or is not answered at all. Otherwise who sent it;
    /// `None` is somebody unknown, whom the call layer refuses.
    pub(super) fn admitted(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Request,
        essentials: &Essentials,
    ) -> Result<Option<(Identity, Proof)>, ()> {
        if !self.wants_proof(request) || essentials.to.tag().is_some() {
            return Ok(None);
        }
        if self.guard.is_barred(now, &self.source(&flow, request)) && self.certified(&flow).is_none() {
            self.turn_away(flow, request.clone());
            return Err(());
        }
        self.identify(now, flow, request, essentials).map_err(|stop| match stop {
            Stop::Prove { stale } => self.challenge(now, flow, request, essentials, stale),
            Stop::Spent => self.turn_away(flow, request.clone()),
        })
    }

    /// Whether we want to know of a request, where it begins something, who sent it.
    pub(super) fn wants_proof(&self, request: &Request) -> bool {
        matches!(request.method, Method::Register | Method::Message | Method::Subscribe)
            || (request.method == Method::Invite && (!self.draining || self.is_for_help(request)))
    }

    /// Whether an INVITE calls for help (S-10).
    fn is_for_help(&self, request: &Request) -> bool {
        Uri::parse(&request.uri).is_some_and(|uri| self.settings.emergency.is_meant(&uri))
    }

    /// Whom the certificate of a connection names.
    pub(super) fn certified(&self, flow: &Flow) -> Option<&Identity> {
        self.settings.known.by_certificate(self.connections.get(&flow.connection?)?)
    }

    fn identify(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Request,
        essentials: &Essentials,
    ) -> Result<Option<(Identity, Proof)>, Stop> {
        let (address, verdict) = (flow.peer.ip(), self.authenticator.judge(now, request));
        let payer = match &verdict {
            // To register costs nothing once it is proven, so that a whole site can come back at once.
            Verdict::Proven { label } if request.method == Method::Register => {
                return Ok(Some((Identity::Device(label.clone()), Proof::Digest)));
            }
            Verdict::Proven { .. } => Source::behind(address, request),
            _ => self.source(&flow, request),
        };
        if !self.guard.charge(now, &payer, Price::of(&request.method)) {
            return Err(Stop::Spent);
        }
        if let Verdict::Proven { label } = verdict {
            return Ok(Some((Identity::Device(label), Proof::Digest)));
        }
        if let Some(identity) = self.certified(&flow) {
            return Ok(Some((identity.clone(), Proof::Certificate)));
        }
        if let Some(identity) = self.called_account(request) {
            return Ok(Some((identity, Proof::Account)));
        }
        match verdict {
            Verdict::Stale => return Err(Stop::Prove { stale: true }),
            Verdict::Wrong => {
                self.guard.wrong_password(now, &payer);
                return Err(Stop::Prove { stale: false });
            }
            Verdict::Absent | Verdict::Proven { .. } => {}
        }
        let known = &self.settings.known;
        if let Some(identity) = known.by_address(address) {
            return Ok(Some((identity.clone(), Proof::Address)));
        }
        // What is registered must belong to somebody.
        let registers = request.method == Method::Register;
        let allowed = (known.allows(address) && !registers).then_some((Identity::Unlisted, Proof::None));
        // Whoever has a password is nobody else without it, also where others need none.
        let claims = essentials.from.uri.user_text().is_some_and(|user| self.authenticator.knows(&user));
        let open = self.authenticator.is_empty() && !registers;
        if open || (allowed.is_some() && !claims) { Ok(allowed) } else { Err(Stop::Prove { stale: false }) }
    }

    /// A REGISTER of somebody who was let in. A device with a user name registers under that alone (RFC 3261 section 10.3 item 4).
    pub(super) fn register(
        &mut self,
        now: Instant,
        id: u64,
        (flow, identity): (Flow, Option<Identity>),
        request: &Request,
        essentials: &Essentials,
    ) {
        let Some(Identity::Device(device)) = identity else { return self.respond(now, id, 403, &[], None) };
        let user = essentials.to.uri.user_text();
        if self.authenticator.user_of(&device).is_some_and(|own| user.as_deref() != Some(own)) {
            return self.respond(now, id, 403, &[], None);
        }
        let answer = self.registrar.register(now, &device, flow, request, essentials);
        self.respond(now, id, answer.status, &answer.headers, None);
    }

    pub(super) fn challenge(&mut self, now: Instant, flow: Flow, request: &Request, essentials: &Essentials, stale: bool) {
        let source = self.source(&flow, request);
        if !self.guard.charge(now, &source, Price::Challenge) {
            return self.turn_away(flow, request.clone());
        }
        let mut hasher = DefaultHasher::new();
        (self.settings.seed, &essentials.call_id, essentials.via.branch(), essentials.cseq.number).hash(&mut hasher);
        let tag = format!("{:016x}", hasher.finish());
        let mut response = request.response(401, Some(&tag));
        for line in self.authenticator.challenge(now, stale) {
            response.headers.push("WWW-Authenticate", line);
        }
        response.headers.push("Server", &self.settings.user_agent);
        self.send_response(reply_flow(flow, &essentials.via), response.to_bytes());
    }
}
