//! [`OfferAnswer`]: whose turn the offer/answer exchange of a session is (RFC 3264, RFC 3261 section 14), and what both sides have described.

use std::time::Instant;

use super::session_timer::Wish;
use crate::sip::capabilities::requires;
use crate::sip::message::method::Method;
use crate::sip::message::{Body, session_description};
use crate::sip::transaction::{InboundRequest, ServerId};

/// Their INVITE, or their UPDATE with an offer, that waits for our final response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenRequest {
    pub(super) server: ServerId,
    pub(super) is_invite: bool,
    pub(super) cseq: u32,
    pub(super) offer: Body,
    pub(super) wish: Wish,
    pub(super) requires_100rel: bool,
}

impl OpenRequest {
    pub(super) fn of(server: ServerId, inbound: &InboundRequest) -> Self {
        let request = &inbound.request;
        Self {
            server,
            is_invite: request.method == Method::Invite,
            cseq: inbound.essentials.cseq.number,
            offer: session_description(&request.headers, &request.body),
            wish: Wish::of(&request.headers),
            requires_100rel: requires(&request.headers, "100rel"),
        }
    }
}

/// Who has the word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nobody: either side may begin.
    Idle,
    /// They wait for our answer.
    Theirs(Box<OpenRequest>),
    /// Our INVITE waits for their final response; what we offered is kept for another try after glare.
    Ours { part: u32, offer: Reoffer },
}

/// A description that we offer in a re-INVITE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reoffer {
    pub(super) sdp: String,
    /// It is our last one again, only to refresh the session; the call's owner knows nothing of it.
    pub(super) is_refresh: bool,
}

/// See the file's paragraph.
#[derive(Debug)]
pub(super) struct OfferAnswer {
    pub(super) turn: Turn,
    /// An offer of ours that waits for its turn.
    pub(super) reoffer: Option<Reoffer>,
    /// It is not sent before this time (glare).
    pub(super) reoffer_at: Option<Instant>,
    /// What we described ourselves as last, and what the peer did: a refresh must change neither.
    pub(super) local: String,
    pub(super) remote: Vec<u8>,
}

impl OfferAnswer {
    pub(super) const fn new(turn: Turn) -> Self {
        Self { turn, reoffer: None, reoffer_at: None, local: String::new(), remote: Vec::new() }
    }

    /// Their request that waits for our final response.
    pub(super) fn open_request(&self) -> Option<&OpenRequest> {
        match &self.turn {
            Turn::Theirs(open) => Some(open),
            Turn::Idle | Turn::Ours { .. } => None,
        }
    }

    /// Ends their turn; gives the request that was open.
    pub(super) fn close_request(&mut self) -> Option<ServerId> {
        let server = self.open_request()?.server;
        self.turn = Turn::Idle;
        Some(server)
    }

    /// The offer of our INVITE, if `part` is the one that has the word.
    pub(super) fn our_offer(&self, part: u32) -> Option<&Reoffer> {
        match &self.turn {
            Turn::Ours { part: ours, offer } if *ours == part => Some(offer),
            _ => None,
        }
    }

    /// The session is over: nothing waits any more.
    pub(super) fn end(&mut self) -> Option<ServerId> {
        let open = self.close_request();
        (self.turn, self.reoffer, self.reoffer_at) = (Turn::Idle, None, None);
        open
    }

    /// Their answer or offer; `true`: it is the one that we know.
    pub(super) fn described(&mut self, theirs: &[u8]) -> bool {
        let unchanged = theirs.is_empty() || theirs == self.remote;
        if !theirs.is_empty() {
            self.remote = theirs.to_vec();
        }
        unchanged
    }
}
