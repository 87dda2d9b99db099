//! Who may act in a dialog (S-7, M-1): a request that names one has to come from where its messages come from, or from somebody who is
//! who its peer was found to be. Knowing its tags is not enough: they are read by every proxy and capture server on the way.
//!
//! | the call's peer was found out by | a request in its dialog comes |
//! |---|---|
//! | a password | by the same connection, or from the same address and port; else it is asked for the password |
//! | a certificate | by a connection with that certificate |
//! | its address, or not at all | from that address, an address that its entry names, or one that it has named as its own |
//!
//! It never comes by a weaker transport than the dialog has begun with.

use std::net::IpAddr;
use std::time::Instant;

use super::auth::Verdict;
use super::dialog::DialogKey;
use super::endpoint::{ClientTransaction, Endpoint};
use super::guard::Price;
use super::identity::{Identity, Proof};
use super::invite::Call;
use super::message::{Essentials, Request};
use super::transaction::ServerKey;
use super::{Flow, Transport};
use crate::common::ids::CallId;

/// What is thought of a request in a dialog.
enum Finding {
    /// Its peer's.
    Theirs,
    /// Whose it is has to be proven.
    Unproven {
        /// The proof that it brings was right, but is too old.
        stale: bool,
    },
    /// Somebody else's.
    Foreign,
}

/// Who is at the other end of a dialog, and how that was found.
#[derive(Debug, Clone)]
pub(super) struct DialogPeer {
    /// Where its messages come from.
    pub(super) flow: Flow,
    /// The transport that the dialog began by: no weaker one is taken after that.
    class: Transport,
    pub(super) identity: Option<Identity>,
    proof: Proof,
    /// An address that is looked at is one that it has named as its own.
    has_named: bool,
}

impl DialogPeer {
    pub(super) const fn new(flow: Flow, identity: Option<Identity>, proof: Proof) -> Self {
        Self { flow, class: flow.transport, identity, proof, has_named: false }
    }

    /// The peer of a call, for a message from this address.
    pub(super) fn of(call: &Call, address: IpAddr) -> Self {
        let has_named = call.proof != Proof::Digest && call.has_named(address);
        Self { flow: call.flow, class: call.class, identity: call.identity.clone(), proof: call.proof, has_named }
    }
}

/// The same connection, or datagrams between the same addresses and ports.
fn is_same(one: &Flow, other: &Flow) -> bool {
    one.transport == other.transport && one.connection == other.connection && is_at(one.peer.ip(), other.peer.ip()) && {
        one.connection.is_some() || one.peer.port() == other.peer.port()
    }
}

fn is_at(one: IpAddr, other: IpAddr) -> bool {
    one.to_canonical() == other.to_canonical()
}

/// Whether a message by `flow` can be the same party's as those by `known`, as far as address and transport tell.
fn is_from_there(known: &Flow, flow: &Flow) -> bool {
    flow.transport >= known.transport && is_at(known.peer.ip(), flow.peer.ip())
}

impl Endpoint {
    /// Whether a request may act in the dialog of a call. `false`: it was refused.
    pub(super) fn may_act(&mut self, now: Instant, id: CallId, flow: Flow, request: &Request) -> bool {
        let peer = self.calls.get(&id).map(|call| DialogPeer::of(call, flow.peer.ip()));
        self.may(now, peer, flow, request)
    }

    /// The same in the dialog of a subscription.
    pub(super) fn may_renew(&mut self, now: Instant, number: u64, flow: Flow, request: &Request) -> bool {
        let peer = self.subscriptions.get(&number).map(|known| known.peer().clone());
        self.may(now, peer, flow, request)
    }

    fn may(&mut self, now: Instant, peer: Option<DialogPeer>, flow: Flow, request: &Request) -> bool {
        match peer.map_or(Finding::Foreign, |peer| self.examine(now, &peer, &flow, request)) {
            Finding::Theirs => return true,
            Finding::Unproven { stale } => self.challenge(now, flow, request, stale),
            Finding::Foreign => self.refuse_stranger(now, flow, request),
        }
        false
    }

    /// The same for a CANCEL, which cannot be asked for a password (RFC 3261 section 22.1). One that belongs to no INVITE is answered like any
    /// other.
    pub(super) fn may_cancel(&mut self, now: Instant, flow: Flow, request: &Request, essentials: &Essentials) -> bool {
        let invite = self.server_keys.get(&ServerKey::of_invite(request, essentials)).and_then(|id| self.servers.get(id));
        let may = invite.is_none_or(|invite| match invite.call.and_then(|id| self.calls.get(&id)) {
            Some(call) => matches!(self.judge_place(&DialogPeer::of(call, flow.peer.ip()), &flow), Finding::Theirs),
            None => is_from_there(&invite.reply, &flow),
        });
        if !may {
            self.refuse_stranger(now, flow, request);
        }
        may
    }

    /// As if there were no such dialog; kept nowhere, so that it is not in the way of what its peer sends.
    fn refuse_stranger(&mut self, now: Instant, flow: Flow, request: &Request) {
        match self.charge(now, &flow, request, Price::Request) {
            true => self.answer_statelessly(flow, request.clone(), (481, ""), &[]),
            false => self.turn_away(now, flow, request.clone()),
        }
    }

    /// The same for an ACK, which nothing can be asked about.
    pub(super) fn may_acknowledge(&self, flow: &Flow, essentials: &Essentials) -> bool {
        let key = DialogKey {
            call_id: essentials.call_id.clone(),
            local: essentials.to.tag().unwrap_or_default().to_owned(),
            remote: essentials.from.tag().unwrap_or_default().to_owned(),
        };
        let call = self.dialogs.get(&key).and_then(|id| self.calls.get(id));
        call.is_none_or(|call| is_same(&call.flow, flow) || self.is_there(&DialogPeer::of(call, flow.peer.ip()), flow))
    }

    /// What is thought of a request before a password is looked at.
    fn judge_place(&self, peer: &DialogPeer, flow: &Flow) -> Finding {
        if is_same(&peer.flow, flow) {
            return Finding::Theirs;
        }
        if flow.transport < peer.class {
            return Finding::Foreign;
        }
        let has_password =
            matches!(peer.identity, Some(Identity::Device(_))) && matches!(peer.proof, Proof::Digest | Proof::Registration);
        let is_theirs = if has_password { self.is_certified(peer, flow) } else { self.is_there(peer, flow) };
        match (is_theirs, has_password) {
            (true, _) => Finding::Theirs,
            (false, true) => Finding::Unproven { stale: false },
            (false, false) => Finding::Foreign,
        }
    }

    fn examine(&mut self, now: Instant, peer: &DialogPeer, flow: &Flow, request: &Request) -> Finding {
        let found = self.judge_place(peer, flow);
        if !matches!(found, Finding::Unproven { .. }) {
            return found;
        }
        match self.judge(now, flow, request) {
            Verdict::Proven { label } if peer.identity == Some(Identity::Device(label.clone())) => Finding::Theirs,
            Verdict::Proven { .. } => Finding::Foreign,
            Verdict::Stale => Finding::Unproven { stale: true },
            Verdict::Absent | Verdict::Wrong => Finding::Unproven { stale: false },
        }
    }

    /// Whether a message by `flow` is of a dialog's peer, as far as anything but a password tells.
    fn is_there(&self, peer: &DialogPeer, flow: &Flow) -> bool {
        if flow.transport < peer.class {
            return false;
        }
        if peer.proof == Proof::Certificate {
            return self.is_certified(peer, flow);
        }
        let address = flow.peer.ip();
        let entry = self.settings.known.by_address(address);
        is_at(address, peer.flow.peer.ip()) || (entry.is_some() && entry == peer.identity.as_ref()) || peer.has_named
    }

    fn is_certified(&self, peer: &DialogPeer, flow: &Flow) -> bool {
        flow.transport == Transport::Tls && peer.identity.is_some() && self.certified(flow) == peer.identity.as_ref()
    }

    /// Whether a response comes from where its request went.
    pub(super) fn answers(transaction: &ClientTransaction, flow: &Flow) -> bool {
        transaction.flow.is_some_and(|sent| sent.transport == flow.transport && is_at(sent.peer.ip(), flow.peer.ip()))
    }

    /// Whether a call's peer has proven who it is by more than where its messages come from.
    pub(super) fn is_proven(proof: Proof) -> bool {
        matches!(proof, Proof::Digest | Proof::Certificate)
    }
}
