//! What the daemon begins by itself: calls of ours (S-9, M-18), and NOTIFYs outside of subscriptions.

use std::time::Instant;

use super::access::directory::PeerDirectory;
use super::access::identity::Proof;
use super::core::Core;
use super::device_target::{self, ResolvedTarget};
use super::dialog::Dialog;
use super::events::{Command, Event};
use super::invite::{InviteSessions, OutgoingCall};
use super::message::header::NameAddr;
use super::message::method::Method;
use super::message::uri::Uri;
use super::token::Token;
use super::transaction::{HOP_HEADERS, LocalContact, OutgoingRequest, Route};
use crate::common::cause::Cause;
use crate::sip::message::header_names;

/// Does such a command.
pub(super) fn perform(
    now: Instant,
    core: &mut Core,
    sessions: &mut InviteSessions,
    directory: PeerDirectory<'_>,
    command: Command,
) {
    match command {
        Command::CheckSync { device } => {
            if let Some(target) = device_target::find(core, directory, &device) {
                check_sync(now, core, target);
            }
        }
        Command::Invite { .. } => invite_peer(now, core, sessions, command),
        Command::CallDevice { .. } => call_device(now, core, sessions, directory, command),
        _ => {}
    }
}

fn invite_peer(now: Instant, core: &mut Core, sessions: &mut InviteSessions, command: Command) {
    let Command::Invite { call, target, transport, uri, from, display, sdp } = command else { return };
    let (Some(uri), Some(from)) = (Uri::parse(&uri), Uri::parse(&from)) else {
        return core.tell(Event::Failed { call, cause: Cause::UnknownAddress, reason: "not a SIP address".to_owned() });
    };
    let from = NameAddr { display: Some(display).filter(|name| !name.is_empty()), ..NameAddr::of(from) };
    let (route, credentials) = (Route::connect(target, transport), core.settings.credentials.clone());
    let (routes, identity, proof, replaces) = (Vec::new(), None, Proof::None, None);
    let outgoing = OutgoingCall { uri, from, routes, route, sdp, credentials, identity, proof, replaces };
    sessions.place(now, core, call, outgoing);
}

fn call_device(now: Instant, core: &mut Core, sessions: &mut InviteSessions, directory: PeerDirectory<'_>, command: Command) {
    let Command::CallDevice { call, device, from, display, sdp, replaces } = command else { return };
    if core.is_draining {
        return core.tell(Event::Failed { call, cause: Cause::Draining, reason: String::new() });
    }
    match device_target::find(core, directory, &device).zip(Uri::parse(&from)) {
        Some((target, from)) => {
            let outgoing = target.call(device, (from, display), sdp, replaces);
            sessions.place(now, core, call, outgoing);
        }
        None => core.tell(Event::Failed { call, cause: Cause::NotReachable, reason: String::new() }),
    }
}

/// NOTIFY `check-sync`: has a device fetch its configuration anew. Phones know this event without having subscribed to it, and nobody waits for
/// the answer.
fn check_sync(now: Instant, core: &mut Core, target: ResolvedTarget) {
    let ResolvedTarget { uri, routes, route, .. } = target;
    let host = match route {
        Route::Open(flow) => core.layer.local().sent_by(&flow).to_string(),
        Route::Connect { .. } => core.settings.known.accounts.realm.clone(),
    };
    let Some(from) = Uri::parse(&format!("sip:roomgate@{host}")) else { return };
    let (tag, call_id) = (core.random.token(), core.call_id());
    let mut dialog = Dialog::to_invite(call_id, NameAddr::of(from).with_tag(&tag), uri, routes);
    let mut request = dialog.request(Method::Notify);
    request.headers.push(header_names::EVENT, "check-sync;reboot=false");
    request.headers.push(header_names::SUBSCRIPTION_STATE, "terminated;reason=noresource");
    let (contact, token) = (Some(LocalContact::default()), Token::Nobody(core.layer.number()));
    let route = route.for_size(request.to_bytes().len() + HOP_HEADERS);
    core.layer.send(now, OutgoingRequest { request, route, contact, server_name: None, token });
}
