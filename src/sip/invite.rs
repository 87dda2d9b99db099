//! One INVITE usage of a dialog: whose turn the offer/answer exchange is (RFC 3264, RFC 3261 section 14), and our 2xx until its ACK.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::auth;
use super::capabilities::allows;
use super::dialog::{Dialog, DialogKey};
use super::identity::{Identity, Proof};
use super::ladder::Ladder;
use super::message::Headers;
use super::method::Method;
use super::refer::Refer;
use super::reliable::{Branch, Reliable};
use super::session_timer::{Agreement, Refresher, SessionTimer};
use super::transaction::Timers;
use super::{Flow, Roster, Transport};
use crate::cause::Cause;

/// Who has the word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nobody: either side may begin.
    Idle,
    /// Their INVITE, or their UPDATE with an offer, waits for our final response.
    Theirs {
        /// The server transaction.
        server: u64,
    },
    /// Our INVITE waits for their final response.
    Ours {
        /// The client transaction.
        client: u64,
        /// What we offered, for another try after glare.
        offer: Reoffer,
    },
}

/// A description that we offer in a re-INVITE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reoffer {
    pub(super) sdp: String,
    /// It is our last one again, only to refresh the session; the call's owner knows nothing of it.
    pub(super) refresh: bool,
}

/// Where the dialog stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Their INVITE has not been answered.
    Ringing,
    /// Our INVITE has not been answered.
    Calling,
    /// There is a session.
    Live,
    /// Our BYE is under way, or theirs was answered while a transaction of ours was.
    Over,
}

/// Our 2xx, which only an ACK stops (RFC 3261 section 13.3.1.4), on any transport.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) bytes: Vec<u8>,
    pub(super) flow: Flow,
    pub(super) cseq: u32,
    /// The 2xx carried our offer, so the ACK carries their answer.
    pub(super) offered: bool,
    resend_at: Instant,
    interval: Duration,
    give_up: Instant,
}

impl Accepted {
    pub(super) fn new(now: Instant, timers: &Timers, flow: Flow, cseq: u32, offered: bool, bytes: Vec<u8>) -> Self {
        let (resend_at, interval, give_up) = (now + timers.t1, timers.t1, now + timers.lifetime());
        Self { bytes, flow, cseq, offered, resend_at, interval, give_up }
    }

    /// Whether to send it again now.
    pub(super) fn wake(&mut self, now: Instant, timers: &Timers) -> bool {
        if now < self.resend_at {
            return false;
        }
        self.interval = (self.interval * 2).min(timers.t2);
        self.resend_at = now + self.interval;
        true
    }

    /// Whether the ACK will not come any more.
    pub(super) fn is_lost(&self, now: Instant) -> bool {
        now >= self.give_up
    }

    pub(super) fn deadline(&self) -> Instant {
        self.resend_at.min(self.give_up)
    }
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) dialog: Dialog,
    pub(super) key: DialogKey,
    /// Where the peer's last request or response came from.
    pub(super) flow: Flow,
    /// Whose calls this one is counted among.
    pub(super) source: IpAddr,
    /// The peer's own idea of its address is not where its messages come from, so its Contact is not to be believed.
    pub(super) nat: bool,
    pub(super) phase: Phase,
    /// It is told that calls for help are not answered here, and that is all (S-10).
    pub(super) for_help: bool,
    pub(super) turn: Turn,
    pub(super) accepted: Option<Accepted>,
    /// Our last ACK of a 2xx, for repeats of it.
    pub(super) ack: Option<(u32, Vec<u8>, Flow)>,
    /// We sent the first INVITE, so the Call-ID is ours (decides the wait after glare).
    pub(super) ours: bool,
    /// An offer of ours that waits for its turn.
    pub(super) reoffer: Option<Reoffer>,
    /// Not before this time (glare).
    pub(super) reoffer_at: Option<Instant>,
    /// Hang up as soon as our 2xx is acknowledged (RFC 3261 section 15).
    pub(super) bye: Option<Cause>,
    /// We gave our INVITE up.
    pub(super) cancelled: bool,
    /// Our provisional response that waits for its PRACK, and the number of the last one.
    pub(super) reliable: Option<Reliable>,
    pub(super) rseq: Option<u32>,
    /// The early dialogs of our INVITE.
    pub(super) branches: Vec<Branch>,
    /// What we described ourselves as last, and what the peer did: a refresh must change neither.
    pub(super) local: String,
    pub(super) remote: Vec<u8>,
    /// The peer takes UPDATE, as its `Allow` says.
    pub(super) takes_update: bool,
    /// The peer takes MESSAGE, as its `Allow` says.
    pub(super) takes_text: bool,
    /// Texts to the peer that it has not answered.
    pub(super) telling: usize,
    /// While the session has to be refreshed (RFC 4028).
    pub(super) timer: Option<SessionTimer>,
    /// The longest `Min-SE` that a 422 has told us, in seconds.
    pub(super) min_se: u32,
    /// Client transactions that still need the dialog.
    pub(super) clients: usize,
    /// Proves who we are, in calls of ours that were made with credentials.
    pub(super) prover: Option<auth::Client>,
    /// Who called, or was called (M-1).
    pub(super) identity: Option<Identity>,
    /// By what that was found out.
    pub(super) proof: Proof,
    /// The transport that it began by: no weaker one is taken after that.
    pub(super) class: Transport,
    /// It has acknowledged a 2xx of ours: what we send arrives where its messages come from.
    pub(super) reached: bool,
    /// The dialog that our INVITE takes the place of, where it does (RFC 3891).
    pub(super) replaces: Option<String>,
    /// Their REFER, until it has come to an end.
    pub(super) refer: Option<Refer>,
    /// A REFER came before in this dialog: later ones are told apart by their number (RFC 3515 section 2.4.6).
    pub(super) referred: bool,
    /// Who is in its meeting, while it is in there itself and has subscribed to that.
    pub(super) roster: Option<Roster>,
    /// Texts of the peer that wait for the meeting's answer, by server transaction.
    pub(super) texts: Vec<u64>,
    pub(super) began: Instant,
    pub(super) ladder: Ladder,
    pub(super) scheduled: Option<Instant>,
}

impl Call {
    pub(super) fn new(now: Instant, dialog: Dialog, flow: Flow, phase: Phase, turn: Turn) -> Self {
        Self {
            key: dialog.key(),
            dialog,
            flow,
            source: flow.peer.ip(),
            nat: false,
            phase,
            for_help: false,
            turn,
            accepted: None,
            ack: None,
            ours: phase == Phase::Calling,
            reoffer: None,
            reoffer_at: None,
            bye: None,
            cancelled: false,
            reliable: None,
            rseq: None,
            branches: Vec::new(),
            local: String::new(),
            remote: Vec::new(),
            takes_update: false,
            takes_text: false,
            telling: 0,
            timer: None,
            min_se: 0,
            clients: 0,
            prover: None,
            identity: None,
            proof: Proof::None,
            class: flow.transport,
            reached: false,
            replaces: None,
            refer: None,
            referred: false,
            roster: None,
            texts: Vec::new(),
            began: now,
            ladder: Ladder::default(),
            scheduled: None,
        }
    }

    /// A target refresh by a request or a 2xx of the peer: its Contact, and what it allows now.
    pub(super) fn refresh_target(&mut self, headers: &Headers) {
        self.dialog.refresh(headers.values("Contact"));
        self.takes_update = allows(headers, &Method::Update).unwrap_or(self.takes_update);
        self.takes_text = allows(headers, &Method::Message).unwrap_or(self.takes_text);
    }

    /// Whether an offer of ours may go out now.
    pub(super) fn may_offer(&self) -> bool {
        self.phase == Phase::Live && self.turn == Turn::Idle && self.accepted.is_none()
    }

    /// The session's clock, while it counts: an unacknowledged 2xx has a clock of its own.
    pub(super) fn timer(&self) -> Option<SessionTimer> {
        self.timer.filter(|_| self.phase == Phase::Live && self.accepted.is_none() && self.bye.is_none())
    }

    /// What the refreshes of this session were agreed to be.
    pub(super) fn agreement(&self) -> Option<Agreement> {
        self.timer.map(|timer| timer.agreement)
    }

    pub(super) fn refresher(&self) -> Option<Refresher> {
        self.agreement().map(|agreement| agreement.refresher)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let accepted = self.accepted.as_ref().map(Accepted::deadline);
        let glare = self.reoffer_at.filter(|_| self.may_offer());
        let reliable = self.reliable.as_ref().map(Reliable::deadline);
        accepted.into_iter().chain(reliable).chain(glare).chain(self.timer().and_then(|timer| timer.deadline())).min()
    }
}
