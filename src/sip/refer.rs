//! REFER of a peer (RFC 3515, RFC 5589; M-12, M-18): a known device hands its place in the meeting over to another device of ours. Anything
//! else that a REFER could want is refused. How far it has come is told by NOTIFY until the peer has gone or it is decided.

use std::sync::Arc;
use std::time::Instant;

use super::Event;
use super::endpoint::{Endpoint, Purpose};
use super::header::NameAddr;
use super::identity::Identity;
use super::invite::Phase;
use super::message::{Request, phrase};
use super::method::Method;
use super::replaces::Replaces;
use super::uas::{Header, reasons};
use super::uri::{Scheme, Uri};
use crate::cause::Cause;
use crate::ids::CallId;

/// Longest that a REFER which is followed may stay undecided, in seconds: told to the peer, and longer than any call rings.
const LIFE: u32 = 180;

/// A REFER that is being followed, or waits for a word on whether it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refer {
    /// While it is unanswered.
    pub(super) server: Option<u64>,
    /// Named in the NOTIFYs of all but the first of a dialog.
    id: Option<u32>,
    /// The peer wants to know how it goes on (RFC 4488).
    told: bool,
}

/// What a Refer-To asks for.
struct Wanted {
    uri: Uri,
    replaces: Option<String>,
}

/// `None`: it cannot be read, or there is not exactly one.
fn wanted(request: &Request) -> Option<Wanted> {
    let mut lines = request.headers.lines("Refer-To");
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let mut uri = NameAddr::parse(line)?.uri;
    let headers = uri.headers.take();
    let replaces = match headers.as_deref().and_then(Replaces::escaped) {
        Some(text) => Some(Replaces::parse(&text).map(|_| text)?),
        None => None,
    };
    Some(Wanted { uri, replaces })
}

impl Endpoint {
    pub(super) fn refer(&mut self, now: Instant, server: u64, id: CallId, request: &Request) {
        let Some(Wanted { uri, replaces }) = wanted(request) else {
            return self.respond(now, server, 400, &[], None);
        };
        let cseq = self.servers.get(&server).map_or(0, |tx| tx.cseq);
        let calls = uri.params.get("method").is_none_or(|method| method.eq_ignore_ascii_case("INVITE"));
        let device = self.device_meant(id, &uri).filter(|_| calls);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let may = call.phase == Phase::Live && matches!(call.identity, Some(Identity::Device(_)));
        let Some(device) = device.filter(|_| may) else {
            self.forbid(now, server);
            return self.tell(Event::Refused { call: id, method: Method::Refer });
        };
        if call.refer.is_some() {
            return self.respond(now, server, 491, &[], None);
        }
        let told = request.headers.get("Refer-Sub").is_none_or(|value| !value.trim().eq_ignore_ascii_case("false"));
        let id_of = std::mem::replace(&mut call.referred, true).then_some(cseq);
        call.refer = Some(Refer { server: Some(server), id: id_of, told });
        self.tell(Event::Refer { call: id, device, replaces });
    }

    /// The device of ours that an address is: by its name here, as its contact, by where it lives, or by what its entry says.
    fn device_meant(&self, id: CallId, uri: &Uri) -> Option<Arc<str>> {
        if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) {
            return None;
        }
        let (known, host) = (&self.settings.known, uri.host.as_ref()?);
        if let Some(device) = self.registrar.owner_of(uri) {
            return Some(Arc::clone(device));
        }
        let same = |other: &Uri| (other.user_text(), &other.host) == (uri.user_text(), &uri.host);
        if let Some((device, _)) = known.callable.iter().find(|(_, callable)| same(callable)) {
            return Some(Arc::clone(device));
        }
        let local = self.calls.get(&id)?.flow.local.ip();
        let named = host.to_string() == known.accounts.realm;
        if named || host.ip().is_some_and(|ip| ip == local || Some(ip) == self.settings.advertised) {
            let user = uri.user_text()?;
            let device = self.authenticator.label_of(&user).or_else(|| known.label(&user))?;
            return Some(Arc::clone(device));
        }
        match known.by_address(host.ip()?) {
            Some(Identity::Device(device)) => Some(Arc::clone(device)),
            _ => None,
        }
    }

    pub(super) fn refer_answered(&mut self, now: Instant, id: CallId, accepted: bool) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(refer) = call.refer.as_mut() else { return };
        let Some(server) = refer.server.take() else { return };
        if !accepted {
            call.refer = None;
            return self.respond(now, server, 480, &reasons(Cause::NotReachable), None);
        }
        let silent: &[Header] = &[("Refer-Sub", "false".to_owned())];
        let headers = if refer.told { &[] } else { silent };
        self.respond(now, server, 202, headers, None);
        self.refer_progress(now, id, 100);
    }

    pub(super) fn refer_progress(&mut self, now: Instant, id: CallId, status: u16) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(refer) = call.refer.filter(|refer| refer.server.is_none()) else { return };
        let last = status >= 200;
        if last {
            call.refer = None;
        }
        if !refer.told || call.phase != Phase::Live {
            return;
        }
        let mut notify = call.dialog.request(Method::Notify);
        notify.headers.push("Event", refer.id.map_or("refer".to_owned(), |id| format!("refer;id={id}")));
        let state = if last { "terminated;reason=noresource".to_owned() } else { format!("active;expires={LIFE}") };
        notify.headers.push("Subscription-State", state);
        notify.headers.push("Content-Type", "message/sipfrag;version=2.0");
        notify.body = format!("SIP/2.0 {status} {}\r\n", phrase(status)).into_bytes();
        self.send_request(now, id, notify, Purpose::Notify);
    }
}
