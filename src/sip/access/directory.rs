//! [`PeerDirectory`]: who is known at which place (M-1, M-18): by certificates and addresses of the configuration, by registrations here, and by
//! registrations of ours elsewhere. It only reads.

use std::sync::Arc;

use super::guard::Guesser;
use super::identity::{Identity, Proof, is_stranger};
use super::source::Source;
use crate::sip::core::Core;
use crate::sip::invite::refer_target;
use crate::sip::message::Request;
use crate::sip::message::header_names;
use crate::sip::message::method::Method;
use crate::sip::message::uri::{Scheme, Uri};
use crate::sip::registrar::RegisterUsage;
use crate::sip::registration::RegistrationClient;
use crate::sip::transport::Flow;

/// Who sent a request, and how that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::sip) struct Sender {
    /// `None`: somebody unknown, whom the call layer refuses.
    pub(in crate::sip) identity: Option<Identity>,
    pub(in crate::sip) proof: Proof,
}

impl Sender {
    pub(in crate::sip) const fn new(identity: Identity, proof: Proof) -> Self {
        Self { identity: Some(identity), proof }
    }

    /// A device, trunk or account of ours.
    pub(in crate::sip) const fn is_known(&self) -> bool {
        !is_stranger(self.identity.as_ref())
    }

    /// Nothing but the address that it came from says who sent it.
    pub(in crate::sip) const fn is_by_address(&self) -> bool {
        self.identity.is_some() && matches!(self.proof, Proof::Address | Proof::None)
    }
}

/// Whether a proxy has passed a request on: it has a second Via.
pub(super) fn was_passed_on(request: &Request) -> bool {
    request.headers.values(header_names::VIA).nth(1).is_some()
}

/// See the file's paragraph.
#[derive(Debug, Clone, Copy)]
pub(in crate::sip) struct PeerDirectory<'a> {
    pub(in crate::sip) registered: &'a RegisterUsage,
    pub(in crate::sip) registrations: &'a RegistrationClient,
}

impl PeerDirectory<'_> {
    /// Whether somebody who is registered lives at the address of a flow, perhaps beside others.
    pub(in crate::sip) fn is_home(&self, flow: &Flow) -> bool {
        self.registered.registrar().is_home(flow.peer.ip())
    }

    /// Whose budget a request is charged to. Behind a router that others share, too, one must not silence all: where somebody is
    /// registered, each caller has a budget.
    pub(in crate::sip) fn source(&self, core: &Core, flow: &Flow, request: &Request) -> Source {
        let is_pbx = || self.registrations.is_registrar(flow.peer.ip()) || self.registrations.called(request).is_some();
        let is_shared = core.is_trusted(flow) || self.is_home(flow) || is_pbx();
        match is_shared {
            true => Source::behind(flow.peer.ip(), request),
            false => Source::of(flow.peer.ip()),
        }
    }

    /// Whose wrong passwords are counted together: those of a device at the place it has registered from, or else of a caller. Strangers
    /// behind the same router or proxy are others.
    pub(in crate::sip) fn guesser(&self, core: &Core, flow: &Flow, request: &Request) -> Guesser {
        let address = flow.peer.ip();
        if let Some(device) = self.registered_at(flow, request) {
            return Guesser::registered(address, device);
        }
        let caller = Source::behind(address, request);
        match core.is_trusted(flow) || self.registered.registrar().is_home_of_many(address) {
            true => Guesser::Neighbour(caller),
            false => Guesser::Caller(caller),
        }
    }

    /// Whether a request is of somebody beside a device that is registered from the same address: who those are is what they say.
    pub(in crate::sip) fn is_neighbour(&self, core: &Core, flow: &Flow, request: &Request) -> bool {
        !core.is_trusted(flow) && self.is_home(flow) && self.registered_at(flow, request).is_none()
    }

    /// The device that has registered from the place of a flow and speaks from there itself: a request that was passed on is of somebody,
    /// whoever that is.
    fn registered_at(&self, flow: &Flow, request: &Request) -> Option<&Arc<str>> {
        self.registered.registrar().device_at(flow).filter(|_| !was_passed_on(request))
    }

    /// Whose tries of codes a call's are (K-1, X-2): a stranger's are its address's, a trunk's or account's are each caller's own, and a
    /// device's follow the device, so that phones behind one router do not answer for each other.
    pub(in crate::sip) fn caller(core: &Core, flow: &Flow, identity: Option<&Identity>, request: &Request) -> Source {
        let address = flow.peer.ip();
        match identity {
            Some(Identity::Device(label)) => Source::device(address, label),
            Some(Identity::Trunk(_) | Identity::Account(_)) => Source::behind(address, request),
            _ if core.is_trusted(flow) => Source::behind(address, request),
            Some(Identity::Unlisted) | None => Source::of(address),
        }
    }

    /// Whom we know by the certificate of a connection, a registration from the very same place, or an address; also where nobody asked
    /// for proof.
    pub(in crate::sip) fn at(&self, core: &Core, flow: &Flow, request: &Request) -> Option<Sender> {
        let (known, address) = (&core.settings.known, flow.peer.ip());
        if let Some(identity) = core.certified(flow) {
            return Some(Sender::new(identity.clone(), Proof::Certificate));
        }
        if let Some(device) = self.registered_at(flow, request) {
            return Some(Sender::new(Identity::Device(device.clone()), Proof::Registration));
        }
        if let Some(identity) = known.by_address(address) {
            return Some(Sender::new(identity.clone(), Proof::Address));
        }
        if let Some(account) = self.registrations.called_from(address, request) {
            return Some(Sender::new(account, Proof::Address));
        }
        known.allows(address).then(|| Sender::new(Identity::Unlisted, Proof::None))
    }

    /// The device of ours that a REFER means (M-18). `flow`: by which the call's messages come.
    pub(in crate::sip) fn referee(&self, core: &Core, flow: &Flow, request: &Request) -> Option<Arc<str>> {
        if request.method != Method::Refer {
            return None;
        }
        self.device_at(core, flow, &refer_target(request)?.uri)
    }

    /// The device of ours that an address is: by its name here, as its contact, by where it lives, or by what its entry says. `flow`: by which
    /// it was named.
    fn device_at(&self, core: &Core, flow: &Flow, uri: &Uri) -> Option<Arc<str>> {
        if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) {
            return None;
        }
        let (known, host) = (&core.settings.known, uri.host.as_ref()?);
        if let Some(device) = self.registered.registrar().owner_of(uri) {
            return Some(Arc::clone(device));
        }
        let is_same = |other: &Uri| (other.user_text(), &other.host) == (uri.user_text(), &uri.host);
        if let Some((device, _)) = known.callable.iter().find(|(_, callable)| is_same(callable)) {
            return Some(Arc::clone(device));
        }
        let local = flow.local.ip();
        let is_named = host.to_string() == known.accounts.realm;
        if is_named || host.ip().is_some_and(|ip| ip == local || Some(ip) == core.settings.advertised) {
            let user = uri.user_text()?;
            let account = known.accounts.users.get(&user).map(|account| &account.label);
            return account.or_else(|| known.label(&user)).map(Arc::clone);
        }
        match known.by_address(host.ip()?) {
            Some(Identity::Device(device)) => Some(Arc::clone(device)),
            _ => None,
        }
    }
}
