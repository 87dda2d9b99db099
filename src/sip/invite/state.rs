//! [`SessionState`]: what the two roles of a session share: its dialog, its phase, and how it ends.

use super::acceptance::Acceptance;
use super::early_dialogs::EarlyDialogs;
use super::offer_answer::{OfferAnswer, Reoffer, Turn};
use super::outbox::{Hop, RequestPurpose, SessionOutbox, SessionOutput};
use super::reliable::ReliableProvisionals;
use super::session_timer::SessionTiming;
use super::text::Texts;
use super::transfer::Transfer;
use crate::common::cause::Cause;
use crate::common::ids::CallId;
use crate::sip::capabilities::{ACCEPT, ALLOW, SUPPORTED, allows};
use crate::sip::dialog::{Dialog, DialogKey};
use crate::sip::dialog_peer::DialogPeer;
use crate::sip::events::Event;
use crate::sip::message::method::Method;
use crate::sip::message::{Headers, Request, StatusCode, header_names};
use crate::sip::reason;
use crate::sip::transaction::{LocalContact, Reply, Timers};
use crate::sip::transport::Flow;

/// Where the session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sip) enum Phase {
    /// Their INVITE has not been answered.
    Ringing,
    /// Our INVITE has not been answered.
    Calling,
    /// There is a session.
    Live,
    /// Our BYE is under way, or theirs was answered while a transaction of ours was.
    Over,
}

/// The latest ACK of a 2xx to an INVITE of ours, for repeats of that.
#[derive(Debug)]
pub(super) struct SentAck {
    pub(super) cseq: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) flow: Flow,
}

/// See the file's paragraph.
#[derive(Debug)]
pub(super) struct SessionState {
    pub(super) id: CallId,
    pub(super) dialog: Dialog,
    pub(super) key: DialogKey,
    pub(super) peer: DialogPeer,
    pub(super) phase: Phase,
    pub(super) exchange: OfferAnswer,
    pub(super) acceptance: Option<Acceptance>,
    pub(super) ack: Option<SentAck>,
    /// Hang up as soon as our 2xx is acknowledged (RFC 3261 section 15).
    pub(super) bye: Option<Cause>,
    /// A BYE of ours that was lost with its connection has gone by another one.
    pub(super) is_bye_repeated: bool,
    /// We gave our INVITE up.
    pub(super) is_cancelled: bool,
    pub(super) provisionals: ReliableProvisionals,
    pub(super) early: EarlyDialogs,
    /// The peer takes UPDATE, or MESSAGE, as its `Allow` says.
    pub(super) takes_update: bool,
    pub(super) takes_text: bool,
    pub(super) timing: SessionTiming,
    pub(super) timers: Timers,
    /// The dialog that our INVITE takes the place of, where it does (RFC 3891).
    pub(super) replaces: Option<String>,
    pub(super) transfer: Transfer,
    pub(super) texts: Texts,
    pub(super) out: SessionOutbox,
}

/// How a session begins.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) id: CallId,
    pub(super) dialog: Dialog,
    pub(super) peer: DialogPeer,
    pub(super) timing: SessionTiming,
    pub(super) timers: Timers,
    pub(super) out: SessionOutbox,
}

impl SessionState {
    pub(super) fn new(beginning: Beginning, phase: Phase, turn: Turn) -> Self {
        let Beginning { id, dialog, peer, timing, timers, mut out } = beginning;
        let key = dialog.key();
        out.put(SessionOutput::Opened(key.clone()));
        Self {
            id,
            dialog,
            key,
            peer,
            phase,
            exchange: OfferAnswer::new(turn),
            acceptance: None,
            ack: None,
            bye: None,
            is_bye_repeated: false,
            is_cancelled: false,
            provisionals: ReliableProvisionals::default(),
            early: EarlyDialogs::default(),
            takes_update: false,
            takes_text: false,
            timing,
            timers,
            replaces: None,
            transfer: Transfer::default(),
            texts: Texts::default(),
            out,
        }
    }

    pub(super) fn contact(&self) -> LocalContact {
        LocalContact::in_dialog(self.dialog.is_secure())
    }

    pub(super) fn allowed(&mut self, headers: &Headers) {
        self.takes_update = allows(headers, &Method::Update).unwrap_or(self.takes_update);
        self.takes_text = allows(headers, &Method::Message).unwrap_or(self.takes_text);
    }

    /// A target refresh by a request or a 2xx of the peer: its Contact, and what it allows now.
    pub(super) fn refresh_target(&mut self, headers: &Headers) {
        self.dialog.refresh(headers.values(header_names::CONTACT));
        self.allowed(headers);
    }

    pub(super) fn next_hop(&self) -> Hop {
        Hop::Next(self.dialog.next_hop().clone())
    }

    /// Sends a request in the dialog.
    pub(super) fn send(&mut self, purpose: RequestPurpose, request: Request) -> u32 {
        let hop = self.next_hop();
        self.out.send(purpose, request, hop)
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.out.tell(event);
    }

    /// What goes with a response that carries or confirms a session (section 13.3.1.4).
    pub(super) fn abilities(&self, status: StatusCode) -> Reply {
        let headers = [
            (header_names::ALLOW, ALLOW.to_owned()),
            (header_names::ACCEPT, ACCEPT.to_owned()),
            (header_names::SUPPORTED, SUPPORTED.to_owned()),
        ];
        Reply::new(status).contact(self.contact().with_focus()).with(headers)
    }

    /// Whether an offer of ours may go out now.
    pub(super) fn may_offer(&self) -> bool {
        self.phase == Phase::Live && self.exchange.turn == Turn::Idle && self.acceptance.is_none()
    }

    /// Whether the session's clock counts: an unacknowledged 2xx has a clock of its own.
    pub(super) fn is_timed(&self) -> bool {
        self.phase == Phase::Live && self.acceptance.is_none() && self.bye.is_none()
    }

    /// The headers of an INVITE of ours; it has the word from now on.
    pub(super) fn send_invite(&mut self, purpose: RequestPurpose, mut invite: Request, offer: Reoffer, hop: Hop) {
        for (name, value) in self.timing.ask() {
            invite.headers.push(name, value);
        }
        if let Some(replaces) = self.replaces.as_deref().filter(|_| purpose == RequestPurpose::Invite) {
            invite.headers.push(header_names::REPLACES, replaces);
        }
        invite.headers.push(header_names::CONTENT_TYPE, "application/sdp");
        invite.body = offer.sdp.as_bytes().to_vec();
        let part = self.out.send(purpose, invite, hop);
        self.exchange.turn = Turn::Ours { part, offer };
    }

    /// Offers something else, as soon as it is our turn.
    pub(super) fn reoffer(&mut self, sdp: String) {
        if self.phase == Phase::Live && self.bye.is_none() {
            self.exchange.reoffer = Some(Reoffer { sdp, is_refresh: false });
            self.offer_if_possible();
        }
    }

    /// Sends the waiting offer if it is our turn.
    pub(super) fn offer_if_possible(&mut self) {
        if self.may_offer()
            && self.exchange.reoffer_at.is_none()
            && self.bye.is_none()
            && let Some(offer) = self.exchange.reoffer.take()
        {
            let (invite, hop) = (self.dialog.request(Method::Invite), self.next_hop());
            self.send_invite(RequestPurpose::Reinvite, invite, offer, hop);
        }
    }

    /// Sends BYE; the session is over with that, whatever the answer (section 15.1.1).
    pub(super) fn hang_up(&mut self, cause: Cause) {
        if self.phase != Phase::Live {
            return;
        }
        let mut bye = self.dialog.request(Method::Bye);
        for (name, value) in reason::headers(cause).into_iter().filter(|(name, _)| *name == header_names::REASON) {
            bye.headers.push(name, value);
        }
        self.send(RequestPurpose::Bye, bye);
        self.end();
    }

    /// The session is over: whatever repeats or waits for it stops.
    pub(super) fn end(&mut self) {
        if self.phase == Phase::Over {
            return;
        }
        self.phase = Phase::Over;
        self.acceptance = None;
        self.timing.timer = None;
        self.provisionals.waiting = None;
        if let Some(server) = self.exchange.end() {
            self.out.refuse(server, StatusCode::RequestTerminated);
        }
        for server in self.texts.unanswered().into_iter().chain(self.transfer.end()) {
            self.out.refuse(server, StatusCode::TemporarilyUnavailable);
        }
        self.out.put(SessionOutput::Over);
    }

    /// The peer no longer knows the dialog or does not answer in it (section 12.2.1.2).
    pub(super) fn lost(&mut self) {
        if self.phase != Phase::Live {
            return;
        }
        let is_told = self.bye.is_none();
        self.exchange.turn = Turn::Idle;
        self.hang_up(Cause::PeerGone);
        if is_told {
            self.tell(Event::Ended { call: self.id, cause: Cause::PeerGone });
        }
    }

    /// Our first INVITE is over without a session.
    pub(super) fn failed(&mut self, cause: Cause, reason: String) {
        if self.phase != Phase::Calling {
            return;
        }
        let cause = if self.is_cancelled { Cause::Cancelled } else { cause };
        let is_told = self.bye.is_none();
        self.end();
        if is_told {
            self.tell(Event::Failed { call: self.id, cause, reason });
        }
    }

    /// Refreshes the session: by UPDATE where the peer takes it; else by a re-INVITE that changes nothing: same description, same version.
    pub(super) fn refresh(&mut self) {
        if self.phase != Phase::Live || self.bye.is_some() {
            return;
        }
        if self.takes_update {
            let mut update = self.dialog.request(Method::Update);
            for (name, value) in self.timing.ask() {
                update.headers.push(name, value);
            }
            self.send(RequestPurpose::Refresh, update);
        } else {
            // An offer that waits for its turn refreshes as well.
            let sdp = self.exchange.local.clone();
            self.exchange.reoffer.get_or_insert(Reoffer { sdp, is_refresh: true });
            self.offer_if_possible();
        }
    }

    /// Gives our INVITE up.
    pub(super) fn cancel(&mut self) {
        if self.phase != Phase::Calling {
            return;
        }
        self.is_cancelled = true;
        if let Turn::Ours { part, .. } = self.exchange.turn {
            self.out.put(SessionOutput::Cancel(part));
        }
    }

    /// A text to the device's display.
    pub(super) fn send_text(&mut self, text: String) {
        if self.phase != Phase::Live || !self.takes_text {
            return;
        }
        if !self.texts.send() {
            return tracing::debug!(call = %self.id, "the device does not take its texts");
        }
        let mut message = self.dialog.request(Method::Message);
        message.headers.push(header_names::CONTENT_TYPE, "text/plain;charset=UTF-8");
        message.body = text.into_bytes();
        self.send(RequestPurpose::Text, message);
    }

    /// Asks whether the peer is still there, unless an answer to that is awaited already.
    pub(super) fn probe(&mut self) {
        let is_asked = self.out.all().any(|sent| sent.purpose == RequestPurpose::Probe);
        if self.phase == Phase::Live && self.bye.is_none() && !is_asked {
            let options = self.dialog.request(Method::Options);
            self.send(RequestPurpose::Probe, options);
        }
    }

    /// Nobody has answered a probe, or the dialog is unknown there.
    pub(super) fn unreachable(&mut self) {
        if self.phase == Phase::Live && self.bye.is_none() {
            self.tell(Event::Unreachable { call: self.id });
        }
    }

    /// How far a REFER has come.
    pub(super) fn report_transfer(&mut self, status: u16) {
        if let Some(progress) = self.transfer.progress(status)
            && self.phase == Phase::Live
        {
            let mut notify = self.dialog.request(Method::Notify);
            progress.write(&mut notify);
            self.send(RequestPurpose::Notify, notify);
        }
    }
}
