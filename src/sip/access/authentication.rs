//! [`Authentication`]: who sent a request (M-1): somebody known, or asked to prove who it is before an INVITE or a REGISTER costs us a transaction.
//!
//! A challenge is sent without keeping anything (RFC 3261 section 8.2.7): a flood of requests without a password leaves nothing behind.

use std::time::Instant;

use super::directory::{PeerDirectory, Sender, was_passed_on};
use super::guard::{Guard, Price};
use super::identity::{Identity, Proof};
use super::source::Source;
use crate::sip::auth::{Authenticator, DigestVerdict};
use crate::sip::core::Core;
use crate::sip::counters::count;
use crate::sip::message::method::Method;
use crate::sip::message::{Essentials, Request, StatusCode, header_names};
use crate::sip::settings::Settings;
use crate::sip::transport::Flow;

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

/// See the file's paragraph.
#[derive(Debug)]
pub(in crate::sip) struct Authentication {
    pub(in crate::sip) guard: Guard,
    authenticator: Authenticator,
}

/// Whether we want to know of a request, where it begins something, who sent it.
pub(in crate::sip) fn wants_proof(core: &Core, request: &Request) -> bool {
    matches!(request.method, Method::Register | Method::Message | Method::Subscribe)
        || (request.method == Method::Invite && !core.is_draining)
}

/// Whom a nonce is made for: an address, or a trunk with all of its addresses.
fn nonce_scope(core: &Core, flow: &Flow) -> String {
    match core.settings.known.by_address(flow.peer.ip()) {
        Some(Identity::Trunk(label)) => format!("trunk {label}"),
        _ => Source::of(flow.peer.ip()).to_string(),
    }
}

impl Authentication {
    pub(in crate::sip) fn new(settings: &Settings) -> Self {
        let guard = Guard::new(&settings.limits, settings.trusted.clone());
        Self { guard, authenticator: Authenticator::new(settings.known.accounts.clone()) }
    }

    /// Settings have changed (O-2).
    pub(in crate::sip) fn reconfigure(&mut self, settings: &Settings) {
        self.guard.reconfigure(&settings.limits, settings.trusted.clone());
        self.authenticator.reconfigure(settings.known.accounts.clone());
    }

    /// Whether a request outside of any dialog must not go on: it was challenged, or is not answered at all. Otherwise who sent it.
    pub(in crate::sip) fn admitted(
        &mut self,
        now: Instant,
        core: &mut Core,
        directory: PeerDirectory<'_>,
        (flow, request, essentials): (Flow, &Request, &Essentials),
    ) -> Option<Sender> {
        if !wants_proof(core, request) || essentials.to.tag().is_some() {
            return Some(Sender::default());
        }
        // Passwords are not looked at where too many were wrong; who needs none does not notice.
        let is_barred = self.guard.is_barred(now, &directory.guesser(core, &flow, request));
        match self.identify(now, core, directory, (flow, request, essentials)) {
            Ok(sender) => return Some(sender),
            Err(Stop::Prove { stale }) if !is_barred => self.challenge(now, core, directory, (flow, request), stale),
            Err(Stop::Prove { .. } | Stop::Spent) => self.decline_stranger(now, core, directory, flow, request),
        }
        None
    }

    /// What the password of a request is worth. A wrong one is counted, also above the sender's budget: a right one would be taken there.
    pub(in crate::sip) fn judge(
        &mut self,
        now: Instant,
        core: &Core,
        directory: PeerDirectory<'_>,
        (flow, request): (&Flow, &Request),
    ) -> DigestVerdict {
        let guesser = directory.guesser(core, flow, request);
        if self.guard.is_barred(now, &guesser) {
            return DigestVerdict::Absent;
        }
        let verdict = self.authenticator.judge(now, request, &nonce_scope(core, flow));
        if verdict == DigestVerdict::Wrong {
            let source = directory.source(core, flow, request);
            self.guard.wrong_password(now, &guesser, &source);
        }
        verdict
    }

    fn identify(
        &mut self,
        now: Instant,
        core: &Core,
        directory: PeerDirectory<'_>,
        (flow, request, essentials): (Flow, &Request, &Essentials),
    ) -> Result<Sender, Stop> {
        let (address, verdict) = (flow.peer.ip(), self.judge(now, core, directory, (&flow, request)));
        let price = Price::of(&request.method);
        let has_paid = match &verdict {
            // To register costs nothing once it is proven, so that a whole site can come back at once.
            DigestVerdict::Proven { label } if request.method == Method::Register => {
                return Ok(Sender::new(Identity::Device(label.clone()), Proof::Digest));
            }
            DigestVerdict::Proven { .. } => self.guard.charge(now, &Source::behind(address, request), price),
            _ => self.charge(now, core, directory, (&flow, request), price),
        };
        if !has_paid {
            return Err(Stop::Spent);
        }
        if let DigestVerdict::Proven { label } = verdict {
            return Ok(Sender::new(Identity::Device(label), Proof::Digest));
        }
        // A trunk registers nobody itself: what comes through it is of a phone behind it, which has a password.
        let registers = request.method == Method::Register;
        let is_phones =
            |identity: &&Identity| registers && matches!(identity, Identity::Trunk(_)) && !self.authenticator.is_empty();
        if let Some(identity) = core.certified(&flow).filter(|identity| !is_phones(identity)) {
            return Ok(Sender::new(identity.clone(), Proof::Certificate));
        }
        let by_flow = || directory.registrations.called_by(&flow, request).filter(|_| !registers);
        if let Some(identity) = directory.registrations.called(request).or_else(by_flow) {
            return Ok(Sender::new(identity, Proof::Account));
        }
        let known = &core.settings.known;
        match (verdict, known.by_address(address).filter(|identity| !is_phones(identity))) {
            (_, Some(device @ Identity::Device(_))) => return Ok(Sender::new(device.clone(), Proof::Address)),
            (DigestVerdict::Stale, _) => return Err(Stop::Prove { stale: true }),
            (DigestVerdict::Wrong, _) => return Err(Stop::Prove { stale: false }),
            (_, Some(identity)) => return Ok(Sender::new(identity.clone(), Proof::Address)),
            (_, None) => {}
        }
        if let Some(account) = directory.registrations.called_from(address, request).filter(|_| !registers) {
            return Ok(Sender::new(account, Proof::Address));
        }
        // What is registered must belong to somebody.
        let allowed = (known.allows(address) && !registers).then(|| Sender::new(Identity::Unlisted, Proof::None));
        // Whoever has a password is nobody else without it, also where others need none.
        let claims = essentials.from.uri.user_text().is_some_and(|user| self.authenticator.knows(&user));
        let open = self.authenticator.is_empty() && !registers;
        match open || (allowed.is_some() && !claims) {
            true => Ok(allowed.unwrap_or_default()),
            false => Err(Stop::Prove { stale: false }),
        }
    }

    pub(in crate::sip) fn challenge(
        &mut self,
        now: Instant,
        core: &mut Core,
        directory: PeerDirectory<'_>,
        (flow, request): (Flow, &Request),
        stale: bool,
    ) {
        if !self.charge(now, core, directory, (&flow, request), Price::Challenge) {
            return self.decline_stranger(now, core, directory, flow, request);
        }
        let lines = self.authenticator.challenge(now, &nonce_scope(core, &flow), stale);
        let headers: Vec<_> = lines.into_iter().map(|line| (header_names::WWW_AUTHENTICATE, line)).collect();
        core.answer_statelessly(flow, request.clone(), (StatusCode::Unauthorized, ""), &headers);
    }

    /// Takes a price from the budget of whoever sent a request. Where somebody is registered, all who are not known to be at their own place
    /// there share one beside it; `false`: there is none left.
    pub(in crate::sip) fn charge(
        &mut self,
        now: Instant,
        core: &Core,
        directory: PeerDirectory<'_>,
        (flow, request): (&Flow, &Request),
        price: Price,
    ) -> bool {
        let is_shared = directory.is_neighbour(core, flow, request);
        self.guard.charge(now, &directory.source(core, flow, request), price)
            && (!is_shared || self.guard.charge_together(now, flow.peer.ip(), price))
    }

    /// A stranger gets no answer. One through a trunk does: a proxy that hears nothing would take us for dead and send nobody any more. So does
    /// a caller where somebody is registered, until all there have spent what they have together.
    pub(in crate::sip) fn decline_stranger(
        &self,
        now: Instant,
        core: &mut Core,
        directory: PeerDirectory<'_>,
        flow: Flow,
        request: &Request,
    ) {
        count(&core.counters.dropped);
        let is_answered = was_passed_on(request) || !self.guard.is_spent_together(now, flow.peer.ip());
        if is_answered && matches!(directory.source(core, &flow, request), Source::Behind(..)) {
            core.answer_statelessly(flow, request.clone(), (StatusCode::TemporarilyUnavailable, ""), &[]);
        }
    }
}
