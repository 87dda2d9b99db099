//! [`Negotiation`]: offers and answers of one peer connection, one at a time, each known by its number.

use super::proto::{SessionDescription, TrickleRequest};
use crate::media::OfferRequest;

/// How far the newest offer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Idle,
    /// The peer connection makes it.
    Making,
    /// The server has it.
    Sent,
    /// The peer connection takes the answer.
    Settling,
}

/// An answer that the peer connection is to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) sdp: String,
    /// The track that each line (by its `mid`) carries from now on.
    pub(super) lines: Vec<(String, String)>,
}

/// See the file's paragraph.
#[derive(Debug, Default)]
pub(super) struct Negotiation {
    stage: Stage,
    /// Offers so far.
    count: u32,
    /// What is wanted of the next offer.
    wanted: Option<OfferRequest>,
    offer: Option<SessionDescription>,
    answer: Option<SessionDescription>,
    restarts: bool,
}

impl Negotiation {
    /// An offer is wanted: now (what is to be made), or after the one that is on its way.
    pub(super) fn want(&mut self, request: OfferRequest) -> Option<OfferRequest> {
        let wanted = self.wanted.get_or_insert_default();
        wanted.audio_lines += request.audio_lines;
        wanted.restart_ice |= request.restart_ice;
        self.next()
    }

    fn next(&mut self) -> Option<OfferRequest> {
        if self.stage != Stage::Idle {
            return None;
        }
        let request = self.wanted.take()?;
        self.stage = Stage::Making;
        self.restarts |= request.restart_ice;
        Some(request)
    }

    /// The peer connection has made the offer; what is to be sent.
    pub(super) fn offered(&mut self, sdp: String) -> Option<SessionDescription> {
        if self.stage != Stage::Making {
            return None;
        }
        self.stage = Stage::Sent;
        self.count += 1;
        let offer = SessionDescription { r#type: "offer".to_owned(), sdp, id: self.count, ..SessionDescription::default() };
        self.offer = Some(offer.clone());
        Some(offer)
    }

    /// The server's answer; one to an older offer is dropped.
    pub(super) fn answered(&mut self, answer: SessionDescription) -> Option<Answer> {
        if self.stage != Stage::Sent || answer.id != self.count {
            return None;
        }
        self.stage = Stage::Settling;
        let lines = answer.mid_to_track_id.iter().map(|(mid, track)| (mid.clone(), track.clone())).collect();
        let sdp = answer.sdp.clone();
        self.answer = Some(answer);
        Some(Answer { sdp, lines })
    }

    /// The peer connection has taken the answer; the next offer, where one is wanted.
    pub(super) fn settled(&mut self) -> Option<OfferRequest> {
        self.stage = Stage::Idle;
        self.next()
    }

    /// What was on its way is lost with the WebSocket.
    pub(super) fn forget_pending(&mut self) {
        self.stage = Stage::Idle;
    }

    /// The last offer, and the last answer.
    pub(super) fn last(&self) -> (Option<SessionDescription>, Option<SessionDescription>) {
        (self.offer.clone(), self.answer.clone())
    }

    /// There has been an answer, so there can be a path.
    pub(super) const fn has_answer(&self) -> bool {
        self.answer.is_some()
    }

    /// A path works: the next loss of it is another one.
    pub(super) const fn has_path(&mut self) {
        self.restarts = false;
    }

    /// Since the last path worked, all have been tried anew.
    pub(super) const fn restarts(&self) -> bool {
        self.restarts
    }

    /// The candidate that a message brings: `candidate` of an `RTCIceCandidateInit`.
    pub(super) fn candidate(trickle: &TrickleRequest) -> Option<String> {
        let init: serde_json::Value = serde_json::from_str(&trickle.candidate_init).ok()?;
        let candidate = init.get("candidate")?.as_str()?.trim();
        (trickle.target == 0 && !candidate.is_empty()).then(|| candidate.to_owned())
    }
}
