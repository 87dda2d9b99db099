//! REFER of a peer (RFC 3515, RFC 5589; M-12, M-18): a known device hands its place in the meeting over to another device of ours. Anything
//! else that a REFER could want is refused. How far it has come is told by NOTIFY until the peer has gone or it is decided.

use super::replaces::Replaces;
use crate::common::cause::Cause;
use crate::sip::message::header::NameAddr;
use crate::sip::message::uri::Uri;
use crate::sip::message::{ACCEPTED, Request, StatusCode, header_names, phrase};
use crate::sip::reason;
use crate::sip::transaction::{Reply, ServerId};

/// Longest that a REFER which is followed may stay undecided, in seconds: told to the peer, and longer than any call rings.
const LIFE: u32 = 180;

/// A REFER that is being followed, or waits for a word on whether it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Refer {
    /// While it is unanswered.
    server: Option<ServerId>,
    /// Named in the NOTIFYs of all but the first of a dialog.
    id: Option<u32>,
    /// The peer wants to know how it goes on (RFC 4488).
    is_told: bool,
}

/// What a Refer-To asks for.
#[derive(Debug)]
pub(in crate::sip) struct ReferTarget {
    pub(in crate::sip) uri: Uri,
    pub(in crate::sip) replaces: Option<String>,
}

impl ReferTarget {
    /// Whether a call is wanted, and not another request.
    pub(in crate::sip) fn is_call(&self) -> bool {
        self.uri.params.get("method").is_none_or(|method| method.eq_ignore_ascii_case("INVITE"))
    }
}

/// `None`: it cannot be read, or there is not exactly one.
pub(in crate::sip) fn refer_target(request: &Request) -> Option<ReferTarget> {
    let mut lines = request.headers.lines(header_names::REFER_TO);
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let mut uri = NameAddr::parse(line)?.uri;
    let headers = uri.headers.take();
    let replaces = match headers.as_deref().and_then(Replaces::escaped) {
        Some(text) => Some(Replaces::parse(&text).map(|_| text)?),
        None => None,
    };
    Some(ReferTarget { uri, replaces })
}

/// The REFERs of one dialog.
#[derive(Debug, Default)]
pub(super) struct Transfer {
    /// Until it has come to an end.
    refer: Option<Refer>,
    /// One came before: later ones are told apart by their number (RFC 3515 section 2.4.6).
    has_referred: bool,
}

impl Transfer {
    /// Takes a REFER; `false`: another one is being followed.
    pub(super) fn begin(&mut self, server: ServerId, cseq: u32, request: &Request) -> bool {
        if self.refer.is_some() {
            return false;
        }
        let is_told =
            request.headers.get(header_names::REFER_SUB).is_none_or(|value| !value.trim().eq_ignore_ascii_case("false"));
        let id = std::mem::replace(&mut self.has_referred, true).then_some(cseq);
        self.refer = Some(Refer { server: Some(server), id, is_told });
        true
    }

    /// Whether it is followed; the answer to it.
    pub(super) fn answer(&mut self, accepted: bool) -> Option<(ServerId, Reply)> {
        let refer = self.refer.as_mut()?;
        let server = refer.server.take()?;
        if !accepted {
            self.refer = None;
            return Some((server, reason::refusal(StatusCode::TemporarilyUnavailable, Cause::NotReachable)));
        }
        let silent = if refer.is_told { None } else { Some((header_names::REFER_SUB, "false".to_owned())) };
        Some((server, Reply::new(ACCEPTED).with(silent)))
    }

    /// How far it has come; what a NOTIFY has to say of that, if anybody wants to know.
    pub(super) fn progress(&mut self, status: u16) -> Option<TransferProgress> {
        let refer = self.refer.filter(|refer| refer.server.is_none())?;
        let is_last = status >= 200;
        if is_last {
            self.refer = None;
        }
        refer.is_told.then_some(TransferProgress { id: refer.id, is_last, status })
    }

    /// The session is over; gives a REFER that was not answered.
    pub(super) fn end(&mut self) -> Option<ServerId> {
        self.refer.take().and_then(|refer| refer.server)
    }
}

/// What a NOTIFY says of a REFER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TransferProgress {
    id: Option<u32>,
    is_last: bool,
    status: u16,
}

impl TransferProgress {
    /// Puts it into a NOTIFY.
    pub(super) fn write(&self, notify: &mut Request) {
        let Self { id, is_last, status } = *self;
        notify.headers.push(header_names::EVENT, id.map_or("refer".to_owned(), |id| format!("refer;id={id}")));
        let state = if is_last { "terminated;reason=noresource".to_owned() } else { format!("active;expires={LIFE}") };
        notify.headers.push(header_names::SUBSCRIPTION_STATE, state);
        notify.headers.push(header_names::CONTENT_TYPE, "message/sipfrag;version=2.0");
        notify.body = format!("SIP/2.0 {status} {}\r\n", phrase(status)).into_bytes();
    }
}
