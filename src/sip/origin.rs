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
use crate::ids::CallId;

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
pub(super) fn is_from_there(known: &Flow, flow: &Flow) -> bool {
    flow.transport >= known.transport && is_at(known.peer.ip(), flow.peer.ip())
}

impl Endpoint {
    /// Whether a request may act in the dialog of a call. `false`: it was refused.
    pub(super) fn may_act(&mut self, now: Instant, id: CallId, flow: Flow, request: &Request) -> bool {
        match self.examine(now, id, &flow, request) {
            Finding::Theirs => return true,
            Finding::Unproven { stale } => self.challenge(now, flow, request, stale),
            Finding::Foreign => self.refuse_stranger(now, flow, request),
        }
        false
    }

    /// The same for a CANCEL. One that belongs to no INVITE is answered like any other.
    pub(super) fn may_cancel(&mut self, now: Instant, flow: Flow, request: &Request, essentials: &Essentials) -> bool {
        let invite = self.server_keys.get(&ServerKey::of_invite(request, essentials)).and_then(|id| self.servers.get(id));
        let may = invite.is_none_or(|invite| is_from_there(&invite.reply, &flow));
        if !may {
            self.refuse_stranger(now, flow, request);
        }
        may
    }

    /// As if there were no such dialog; kept nowhere, so that it is not in the way of what its peer sends.
    fn refuse_stranger(&mut self, now: Instant, flow: Flow, request: &Request) {
        let source = self.source(&flow, request);
        match self.guard.charge(now, &source, Price::Request) {
            true => self.answer_statelessly(flow, request.clone(), (481, ""), &[]),
            false => self.turn_away(flow, request.clone()),
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
        call.is_none_or(|call| is_same(&call.flow, flow) || self.is_there(call, flow))
    }

    fn examine(&mut self, now: Instant, id: CallId, flow: &Flow, request: &Request) -> Finding {
        let Some(call) = self.calls.get(&id) else { return Finding::Foreign };
        if is_same(&call.flow, flow) {
            return Finding::Theirs;
        }
        if flow.transport < call.class {
            return Finding::Foreign;
        }
        let device = match &call.identity {
            Some(Identity::Device(label)) if matches!(call.proof, Proof::Digest | Proof::Registration) => label.clone(),
            _ if self.is_there(call, flow) => return Finding::Theirs,
            _ => return Finding::Foreign,
        };
        if self.is_certified(call, flow) {
            return Finding::Theirs;
        }
        match self.judge(now, flow, request) {
            Verdict::Proven { label } if label == device => Finding::Theirs,
            Verdict::Proven { .. } => Finding::Foreign,
            Verdict::Stale => Finding::Unproven { stale: true },
            Verdict::Absent | Verdict::Wrong => Finding::Unproven { stale: false },
        }
    }

    /// Whether a message by `flow` is of a call's peer, as far as anything but a password tells.
    fn is_there(&self, call: &Call, flow: &Flow) -> bool {
        if flow.transport < call.class {
            return false;
        }
        if call.proof == Proof::Certificate {
            return self.is_certified(call, flow);
        }
        let address = flow.peer.ip();
        let entry = self.settings.known.by_address(address);
        let named = call.proof != Proof::Digest && call.has_named(address);
        is_at(address, call.flow.peer.ip()) || (entry.is_some() && entry == call.identity.as_ref()) || named
    }

    fn is_certified(&self, call: &Call, flow: &Flow) -> bool {
        flow.transport == Transport::Tls && call.identity.is_some() && self.certified(flow) == call.identity.as_ref()
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
