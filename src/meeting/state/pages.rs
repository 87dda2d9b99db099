//! Pages: how they join, knock, connect and leave (M-5, M-14).

use super::act::{MeetingAct, MeetingReply};
use super::input::{JoinReply, OfferReply};
use super::kept_mutes::seat_key;
use super::knock_rules::{denial_key, displaced};
use super::log_limits::StrangerLog;
use super::machine::{MeetingState, Step};
use super::names;
use super::participants::Page;
use crate::common::cause::Cause;
use crate::common::ids::{ParticipantId, PeerId};
use crate::common::redact::Redacted;
use crate::media::{Gate, MediaEnd, NegotiationError};
use crate::meeting::join::{JoinPage, PasscodeProof};
use crate::meeting::messages::{MeetingRefusal, OfferError, ToPage};
use crate::meeting::request_rate::RequestRate;
use crate::meeting::reserved_names;
use crate::meeting::roster::ParticipantOrigin;
use crate::policy::{Effect, Fact, Muted, PolicySettings, Role, Standing, Switch, Via};

impl MeetingState {
    // === Coming and going ===

    /// A page joins, or knocks. One that may have had a seat in the last run is looked up in the store before (M-5).
    pub(super) fn page_joins(&mut self, join: JoinPage, reply: JoinReply) {
        let unknown = join.resume.filter(|who| join.role == Role::External && !self.people.pages.contains_key(who));
        if let Some(had) = unknown.filter(|_| self.instant() < self.seats_until) {
            self.acts.push_back(MeetingAct::TakeSeat { join: Box::new(join), had, reply });
            return;
        }
        let joined = self.join_page(join, None);
        self.reply(MeetingReply::Joined(reply, joined));
    }

    /// `had`: the presence whose seat it had in the daemon's last run.
    pub(super) fn join_page(&mut self, join: JoinPage, had: Option<ParticipantId>) -> Result<ParticipantId, MeetingRefusal> {
        if self.policy.is_ended() {
            return Err(MeetingRefusal::Ended);
        }
        let resumed = join.resume.filter(|who| self.people.pages.contains_key(who));
        self.let_knock(&join, resumed, had.is_some())?;
        let who = resumed.unwrap_or_else(|| self.ids.participant());
        let muted = self.mute_of_page(&join, resumed, had);
        let mark = if join.role == Role::Member { "" } else { "guest" };
        let name = self.own_name(&join.name, mark, join.identity.as_deref(), who);
        let (role, organiser, hand) = (join.role, join.organiser, join.hand);
        if let Some(from) = join.from.filter(|_| role == Role::External) {
            self.people.origins.insert(who, ParticipantOrigin::Elsewhere(from.to_string()));
        }
        self.put_page(who, join);
        self.log_joined(who, role, resumed.is_some());
        if role == Role::Member {
            self.rename_others(who, &name);
        }
        if had.is_some() {
            self.fact(Fact::SeatKept { who });
        }
        self.fact(Fact::Joined { who, role, via: Via::Browser, organiser, name: Redacted::new(name), muted });
        self.report_alive(who);
        // Who gets a seat is shown the meeting and its chat with it; one that has it already, once more.
        let inside = self.policy.standing(who) == Some(Standing::In);
        if resumed.is_some() {
            self.views.show(&self.policy, &self.people, who, self.instant());
            if inside {
                self.send_chat_so_far(who);
            }
        } else if hand && inside {
            self.fact(Fact::Hand { who, to: Switch::To(true) });
        }
        self.tell_stopping(who);
        Ok(who)
    }

    /// Whether a page may join, or knock: an external by the rules of its entry, anybody while there is room (M-11, M-14, K-1).
    fn let_knock(&mut self, join: &JoinPage, resumed: Option<ParticipantId>, has_seat: bool) -> Result<(), MeetingRefusal> {
        let inside = has_seat || resumed.is_some_and(|who| self.policy.standing(who) == Some(Standing::In));
        if join.role == Role::External && !inside {
            self.entry.page_knocks(self.instant(), join)?;
            if resumed.is_none()
                && let Some(newest) = displaced(&self.policy, &self.people, join.from)?
            {
                self.fact(Fact::TurnedAway { who: newest, cause: Cause::LobbyCrowded });
            }
        }
        if resumed.is_none() {
            self.policy.has_room(join.role, Via::Browser)?;
        }
        Ok(())
    }

    /// How a page's microphone is closed when it comes (K-4).
    fn mute_of_page(&self, join: &JoinPage, resumed: Option<ParticipantId>, had: Option<ParticipantId>) -> Muted {
        let now = self.unix_millis();
        let kept = join.identity.as_ref().filter(|_| resumed.is_none()).map(|identity| self.mutes.of(identity, now));
        let seat = had.map(|had| self.mutes.of(&seat_key(had), now));
        kept.unwrap_or_default().and(seat.unwrap_or_default()).and(Muted { own: join.muted, host: false })
    }

    fn put_page(&mut self, who: ParticipantId, join: JoinPage) {
        let denial_key = denial_key(join.from, &join.name);
        let JoinPage { role, identity, from: address, proof, feed, .. } = join;
        if let Some(page) = self.people.pages.get_mut(&who) {
            // The older page of the same presence is told, should it still be there.
            page.feed.say(ToPage::Ended { reason: "replaced" });
            page.feed = feed;
            page.proof = proof;
            page.connected = true;
            return;
        }
        let (peer, admission, gate, requests) = (None, None, Gate::default(), RequestRate::new(self.instant()));
        let (seated, connected, consent) = (false, true, true);
        let page = Page {
            role,
            feed,
            peer,
            admission,
            seated,
            gate,
            connected,
            consent,
            requests,
            address,
            proof,
            identity,
            denial_key,
        };
        self.people.pages.insert(who, page);
    }

    fn log_joined(&mut self, who: ParticipantId, role: Role, resumed: bool) {
        match self.log_allows(who, StrangerLog::Came) {
            Some(unlogged) => tracing::info!(meeting = %self.name, participant = %who, %role, resumed, unlogged, "page joined"),
            None => tracing::debug!(meeting = %self.name, participant = %who, %role, resumed, "page joined"),
        }
    }

    /// A page leaves of its own will.
    pub(super) fn page_leaves(&mut self, who: ParticipantId) {
        self.fact(Fact::Left { who });
        self.people.tell_page(who, ToPage::Ended { reason: "left" });
        self.steps.push_back(Step::Effect(Effect::Dismiss { who, cause: Cause::HungUp }));
    }

    /// The name as its bearer gets it (M-1).
    pub(super) fn own_name(&self, name: &str, mark: &str, identity: Option<&str>, who: ParticipantId) -> String {
        let owned = names::owned(&self.entry, &self.policy, &self.people, who);
        reserved_names::distinct(name, mark, identity, &owned)
    }

    /// Whoever bears a name that is another's from now on, and has no right to it, gets a mark behind it (M-1).
    pub(super) fn rename_others(&mut self, owner: ParticipantId, name: &str) {
        for names::Renamed { who, via, name } in names::displaced(&self.policy, &self.people, owner, name) {
            self.fact(Fact::Joined { who, role: Role::External, via, organiser: false, name, muted: Muted::default() });
        }
    }

    /// The configuration is another one. It holds for those who wait: who may not knock any more goes, and who is let in by itself is
    /// decided anew (M-6).
    pub(super) fn reconfigured(&mut self) {
        let waits = |who: &ParticipantId| self.policy.standing(*who).is_some_and(|standing| standing != Standing::In);
        let externals = self.people.pages.iter().filter(|(_, page)| page.role == Role::External);
        let pages = externals.map(|(who, page)| (*who, &page.proof));
        // A phone has keyed what was asked when it came.
        let keyed = PasscodeProof::Link;
        let guests = self.people.guests.keys().map(|who| (*who, &keyed));
        let refused = |(who, proof): (ParticipantId, &PasscodeProof)| Some((who, self.entry.refusal(proof)?));
        let gone: Vec<_> = pages.chain(guests).filter(|(who, _)| waits(who)).filter_map(refused).collect();
        for (who, cause) in gone {
            self.fact(Fact::TurnedAway { who, cause });
        }
        let Some(PolicySettings { bypass, devices_bypass, .. }) = self.entry.policy() else { return };
        if (self.rules.bypass, self.rules.devices_bypass) != (bypass, devices_bypass) {
            (self.rules.bypass, self.rules.devices_bypass) = (bypass, devices_bypass);
            self.fact(Fact::Settings(self.rules.clone()));
        }
    }

    // === Connections ===

    /// A page's socket is gone; that of an older one says nothing about the one that has taken its place.
    pub(super) fn connection_lost(&mut self, who: ParticipantId) {
        if let Some(page) = self.people.pages.get_mut(&who).filter(|page| page.feed.is_closed()) {
            page.connected = false;
            self.report_alive(who);
        }
    }

    pub(super) fn report_alive(&mut self, who: ParticipantId) {
        if let Some(page) = self.people.pages.get(&who) {
            let alive = page.connected && page.consent;
            self.fact(Fact::Alive { who, alive });
        }
    }

    /// A page's WebRTC offer.
    pub(super) fn page_offers(&mut self, who: ParticipantId, sdp: String, reply: OfferReply) {
        let now = self.instant();
        match self.people.pages.get_mut(&who).map(|page| page.requests.offer(now)) {
            Some(true) => self.acts.push_back(MeetingAct::OpenPeer { who, sdp, reply }),
            Some(false) => self.reply(MeetingReply::Offered(reply, Err(OfferError::TooFast))),
            None => self.reply(MeetingReply::Offered(reply, Err(OfferError::NotHere))),
        }
    }

    /// There is a connection, or why there is none. It takes the seat of the one before, or the one that waits for it.
    pub(super) fn peer_opened(
        &mut self,
        who: ParticipantId,
        opened: Result<(PeerId, String), NegotiationError>,
        reply: OfferReply,
    ) {
        let (peer, answer) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.reply(MeetingReply::Offered(reply, Err(error.into()))),
        };
        let Some(page) = self.people.pages.get_mut(&who) else {
            self.acts.push_back(MeetingAct::ClosePeer(peer));
            return self.reply(MeetingReply::Offered(reply, Err(OfferError::NotHere)));
        };
        let old = page.peer.replace(peer);
        page.consent = true;
        match (page.admission.take(), old) {
            (Some(admission), _) => {
                page.seated = true;
                self.acts.push_back(MeetingAct::Seat { end: MediaEnd::Peer(peer), admission, gate: page.gate });
            }
            (None, Some(old)) if page.seated => {
                let (old, new) = (MediaEnd::Peer(old), MediaEnd::Peer(peer));
                self.acts.push_back(MeetingAct::ReplaceEnd { old, new });
            }
            (None, _) => {}
        }
        self.acts.extend(old.map(MeetingAct::ClosePeer));
        self.reply(MeetingReply::Offered(reply, Ok(answer)));
        self.report_alive(who);
    }
}
