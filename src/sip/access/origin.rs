//! Who may act in a dialog, of a call or of another usage (S-7, M-1): a request that names one has to come from where its messages come from, or from somebody who is
//! who its peer was found to be. Knowing its tags is not enough: they are read by every proxy and capture server on the way.
//!
//! | the dialog's peer was found out by | a request in its dialog comes |
//! |---|---|
//! | a password | by the same connection, or from the same address and port; else it is asked for the password |
//! | a certificate | by a connection with that certificate |
//! | its address, or not at all | from that address, an address that its entry names, or one that it has named as its own |
//!
//! It never comes by a weaker transport than the dialog has begun with.

use std::net::IpAddr;
use std::sync::Arc;

use super::identity::{Identity, Proof};
use crate::sip::core::Core;
use crate::sip::dialog::Dialog;
use crate::sip::dialog_peer::DialogPeer;
use crate::sip::message::uri::{Host, Uri};
use crate::sip::transport::{Flow, Transport};

/// Whose a message in a dialog is, as far as anything but a password tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sip) enum RequestOrigin {
    /// Its peer's.
    Peer,
    /// This device has to prove that it is its.
    ByPassword(Arc<str>),
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

/// Whose a request is that came by `flow` for the dialog of a peer; `dialog`: where that may have named places of its own.
pub(in crate::sip) fn origin(core: &Core, peer: &DialogPeer, dialog: Option<&Dialog>, flow: &Flow) -> RequestOrigin {
    if is_same(&peer.flow, flow) {
        return RequestOrigin::Peer;
    }
    if flow.transport < peer.class {
        return RequestOrigin::Foreign;
    }
    let device = match &peer.identity {
        Some(Identity::Device(label)) if matches!(peer.proof, Proof::Digest | Proof::Registration) => label.clone(),
        _ if is_there(core, peer, dialog, flow) => return RequestOrigin::Peer,
        _ => return RequestOrigin::Foreign,
    };
    if is_certified(core, peer, flow) { RequestOrigin::Peer } else { RequestOrigin::ByPassword(device) }
}

/// The same for an ACK, which nothing can be asked about.
pub(in crate::sip) fn may_acknowledge(core: &Core, peer: &DialogPeer, dialog: &Dialog, flow: &Flow) -> bool {
    is_same(&peer.flow, flow) || is_there(core, peer, Some(dialog), flow)
}

/// Whether a message by `flow` is of a dialog's peer, as far as anything but a password tells.
fn is_there(core: &Core, peer: &DialogPeer, dialog: Option<&Dialog>, flow: &Flow) -> bool {
    if flow.transport < peer.class {
        return false;
    }
    if peer.proof == Proof::Certificate {
        return is_certified(core, peer, flow);
    }
    let address = flow.peer.ip();
    let entry = core.settings.known.by_address(address);
    // It has named the address itself as the place where it is reached.
    let is_named_place = |uri: &Uri| uri.host.as_ref().and_then(Host::ip).is_some_and(|ip| is_at(ip, address));
    let is_named = peer.proof != Proof::Digest && dialog.is_some_and(|dialog| dialog.places().any(is_named_place));
    is_at(address, peer.flow.peer.ip()) || (entry.is_some() && entry == peer.identity.as_ref()) || is_named
}

fn is_certified(core: &Core, peer: &DialogPeer, flow: &Flow) -> bool {
    flow.transport == Transport::Tls && peer.identity.is_some() && core.certified(flow) == peer.identity.as_ref()
}
