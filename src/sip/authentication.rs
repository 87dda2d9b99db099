//! Who gets in (M-1): before an INVITE or a REGISTER costs us a transaction, its sender is known, or asked to prove who it is.
//!
//! A challenge is sent without keeping anything (RFC 3261 section 8.2.7): a flood of requests without a password leaves nothing behind.

use std::time::Instant;

use super::Flow;
use super::auth::Verdict;
use super::endpoint::Endpoint;
use super::guard::{Guesser, Price, Source};
use super::identity::{Identity, Proof};
use super::message::{Essentials, Request};
use super::method::Method;

/// Who sent a request, and how that was found.
#[derive(Debug, Default)]
pub(super) struct Sender {
    /// `None`: somebody unknown, whom the call layer refuses.
    pub(super) identity: Option<Identity>,
    pub(super) proof: Proof,
}

impl Sender {
    pub(super) const fn new(identity: Identity, proof: Proof) -> Self {
        Self { identity: Some(identity), proof }
    }

    /// A device, trunk or account of ours.
    pub(super) const fn is_known(&self) -> bool {
        matches!(&self.identity, Some(Identity::Device(_) | Identity::Trunk(_) | Identity::Account(_)))
    }

    /// Nothing but the address that it came from says who sent it.
    pub(super) const fn is_by_address(&self) -> bool {
        self.identity.is_some() && matches!(self.proof, Proof::Address | Proof::None)
    }
}

/// Why a sender does not get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// It has to prove who it is.
    Prove {
        /// The nonce of its last proof was too old or not its own.
        stale: bool,
    },
    /// Its budget is spent.
    Spent,
}

impl Endpoint {
    /// Whether a request outside of any dialog must not go on: it was challenged, or is not answered at all. Otherwise who sent it.
    pub(super) fn admitted(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Request,
        essentials: &Essentials,
    ) -> Result<Sender, ()> {
        if !self.wants_proof(request) || essentials.to.tag().is_some() {
            return Ok(Sender::default());
        }
        // Passwords are not looked at where too many were wrong; who needs none does not notice.
        let is_barred = self.guard.is_barred(now, &self.guesser(&flow, request));
        self.identify(now, flow, request, essentials).map_err(|stop| match stop {
            Stop::Prove { stale } if !is_barred => self.challenge(now, flow, request, stale),
            Stop::Prove { .. } | Stop::Spent => self.turn_away(flow, request.clone()),
        })
    }

    /// What the password of a request is worth. A wrong one is counted, also above the sender's budget: a right one would be taken there.
    pub(super) fn judge(&mut self, now: Instant, flow: &Flow, request: &Request) -> Verdict {
        let guesser = self.guesser(flow, request);
        if self.guard.is_barred(now, &guesser) {
            return Verdict::Absent;
        }
        let verdict = self.authenticator.judge(now, request, &self.origin(flow));
        if verdict == Verdict::Wrong {
            let source = self.source(flow, request);
            self.guard.wrong_password(now, &guesser, &source);
        }
        verdict
    }

    /// Whose wrong passwords are counted together: those of a device at the place it has registered from, or else of a caller. Strangers
    /// behind the same router are others.
    fn guesser(&self, flow: &Flow, request: &Request) -> Guesser {
        match self.registrar.device_at(flow) {
            Some(device) => Guesser::registered(flow.peer.ip(), device),
            None => Guesser::Caller(Source::behind(flow.peer.ip(), request)),
        }
    }

    /// Whom a nonce is made for: an address, or a trunk with all of its addresses.
    fn origin(&self, flow: &Flow) -> String {
        match self.settings.known.by_address(flow.peer.ip()) {
            Some(Identity::Trunk(label)) => format!("trunk {label}"),
            _ => Source::of(flow.peer.ip()).to_string(),
        }
    }

    /// Whether we want to know of a request, where it begins something, who sent it.
    pub(super) fn wants_proof(&self, request: &Request) -> bool {
        matches!(request.method, Method::Register | Method::Message | Method::Subscribe)
            || (request.method == Method::Invite && !self.draining)
    }

    /// Whom the certificate of a connection names.
    pub(super) fn certified(&self, flow: &Flow) -> Option<&Identity> {
        self.settings.known.by_certificate(&self.connections.get(&flow.connection?)?.names)
    }

    fn identify(&mut self, now: Instant, flow: Flow, request: &Request, essentials: &Essentials) -> Result<Sender, Stop> {
        let (address, verdict) = (flow.peer.ip(), self.judge(now, &flow, request));
        let payer = match &verdict {
            // To register costs nothing once it is proven, so that a whole site can come back at once.
            Verdict::Proven { label } if request.method == Method::Register => {
                return Ok(Sender::new(Identity::Device(label.clone()), Proof::Digest));
            }
            Verdict::Proven { .. } => Source::behind(address, request),
            _ => self.source(&flow, request),
        };
        if !self.guard.charge(now, &payer, Price::of(&request.method)) {
            return Err(Stop::Spent);
        }
        if let Verdict::Proven { label } = verdict {
            return Ok(Sender::new(Identity::Device(label), Proof::Digest));
        }
        if let Some(identity) = self.certified(&flow) {
            return Ok(Sender::new(identity.clone(), Proof::Certificate));
        }
        if let Some(identity) = self.called_account(request) {
            return Ok(Sender::new(identity, Proof::Account));
        }
        let known = &self.settings.known;
        match (verdict, known.by_address(address)) {
            (_, Some(device @ Identity::Device(_))) => return Ok(Sender::new(device.clone(), Proof::Address)),
            (Verdict::Stale, _) => return Err(Stop::Prove { stale: true }),
            (Verdict::Wrong, _) => return Err(Stop::Prove { stale: false }),
            (_, Some(identity)) => return Ok(Sender::new(identity.clone(), Proof::Address)),
            (_, None) => {}
        }
        // What is registered must belong to somebody.
        let registers = request.method == Method::Register;
        let allowed = (known.allows(address) && !registers).then(|| Sender::new(Identity::Unlisted, Proof::None));
        // Whoever has a password is nobody else without it, also where others need none.
        let claims = essentials.from.uri.user_text().is_some_and(|user| self.authenticator.knows(&user));
        let open = self.authenticator.is_empty() && !registers;
        match open || (allowed.is_some() && !claims) {
            true => Ok(allowed.unwrap_or_default()),
            false => Err(Stop::Prove { stale: false }),
        }
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

    pub(super) fn challenge(&mut self, now: Instant, flow: Flow, request: &Request, stale: bool) {
        let source = self.source(&flow, request);
        if !self.guard.charge(now, &source, Price::Challenge) {
            return self.turn_away(flow, request.clone());
        }
        let lines = self.authenticator.challenge(now, &self.origin(&flow), stale);
        let headers: Vec<_> = lines.into_iter().map(|line| ("WWW-Authenticate", line)).collect();
        self.answer_statelessly(flow, request.clone(), (401, ""), &headers);
    }
}
