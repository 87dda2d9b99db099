//! [`ClientSide`]: a session as user agent client: what the peer answers to our INVITE, re-INVITE, UPDATE and the rest (RFC 3261 section 13.2.2,
//! 14.1, 17.1.1.3; RFC 4028 section 10).

use std::time::{Duration, Instant};

use super::early_dialogs::Taken;
use super::offer_answer::Turn;
use super::outbox::{Hop, RequestPurpose, SessionOutput};
use super::session_timer::TimerDue;
use super::state::{Phase, SessionState};
use crate::common::cause::Cause;
use crate::sip::events::Event;
use crate::sip::message::header::{NameAddr, RAck, retry_after};
use crate::sip::message::header_names;
use crate::sip::message::method::Method;
use crate::sip::message::{Body, Response, session_description};
use crate::sip::reason::shortened;
use crate::sip::transaction::Answer;

/// See the file's paragraph.
pub(super) struct ClientSide<'a> {
    pub(super) session: &'a mut SessionState,
}

impl ClientSide<'_> {
    /// A response to one of our requests.
    pub(super) fn response(&mut self, now: Instant, part: u32, answer: &Answer) {
        let status = answer.response.status;
        if status >= 200 && self.is_challenge(part, &answer.response) {
            return;
        }
        let Some(purpose) = self.session.out.get(part).map(|sent| sent.purpose) else { return };
        match (purpose, status) {
            (RequestPurpose::Invite, 100..=199) => self.progress(answer),
            (RequestPurpose::Invite | RequestPurpose::Reinvite, 200..=299) => self.accepted(now, part, answer),
            (RequestPurpose::Invite, 300..) => self.refused(&answer.response),
            (RequestPurpose::Reinvite, 300..) => self.reoffer_refused(now, part, &answer.response),
            (RequestPurpose::Refresh, 200..=299) => self.refreshed(now, &answer.response),
            (RequestPurpose::Refresh, 300..) => self.refresh_refused(now, &answer.response),
            // Whoever answers anything else is there.
            (RequestPurpose::Probe, 408 | 481) => self.session.unreachable(),
            _ => {}
        }
    }

    /// Nobody has answered, or the way is gone: as if a 408 had come (section 8.1.3.1).
    pub(super) fn timeout(&mut self, part: u32) {
        match self.session.out.get(part).map(|sent| sent.purpose) {
            Some(RequestPurpose::Invite) => self.session.failed(Cause::PeerGone, String::new()),
            Some(RequestPurpose::Reinvite | RequestPurpose::Refresh) => self.session.lost(),
            Some(RequestPurpose::Bye) => self.bye_again(part),
            Some(RequestPurpose::Probe) => self.session.unreachable(),
            // The INVITE has its own time.
            _ => {}
        }
        self.closed(part);
    }

    /// A BYE that nobody has answered by a connection goes by another one, once: the first may have been dead for long (section 18.4).
    fn bye_again(&mut self, part: u32) {
        let session = &mut *self.session;
        let Some(sent) = session.out.get(part).filter(|_| !session.is_bye_repeated) else { return };
        if sent.flow.is_none_or(|flow| flow.connection.is_none()) {
            return;
        }
        let mut bye = session.dialog.request(Method::Bye);
        for reason in sent.request.headers.lines(header_names::REASON) {
            bye.headers.push(header_names::REASON, reason);
        }
        session.is_bye_repeated = true;
        let hop = Hop::Reconnect(session.dialog.next_hop().clone());
        session.out.send(RequestPurpose::Bye, bye, hop);
    }

    /// Nothing more will be heard of a request.
    pub(super) fn closed(&mut self, part: u32) {
        if self.session.out.forget(part) == Some(RequestPurpose::Text) {
            self.session.texts.sent();
        }
    }

    /// Takes a final response. `true`: it was a challenge that is ours to answer, and the request is on its way again (section 22.2).
    fn is_challenge(&mut self, part: u32, response: &Response) -> bool {
        let session = &mut *self.session;
        let Some(sent) = session.out.get(part).filter(|sent| sent.purpose != RequestPurpose::Prack) else { return false };
        let (purpose, method) = (sent.purpose, sent.request.method.clone());
        let Some(digest) = &mut session.out.digest else { return false };
        if response.status < 300 {
            digest.accepted();
            return false;
        }
        let is_given_up = purpose != RequestPurpose::Bye && (session.is_cancelled || session.bye.is_some());
        if is_given_up || !digest.challenged(response) {
            return false;
        }
        let fresh = session.dialog.request(method);
        let Some(again) = session.out.send_again(part, fresh) else { return false };
        if let Turn::Ours { part: ours, .. } = &mut session.exchange.turn
            && *ours == part
        {
            *ours = again;
        }
        true
    }

    /// A provisional response to our INVITE: 100, or one of a branch.
    fn progress(&mut self, answer: &Answer) {
        let session = &mut *self.session;
        if session.phase != Phase::Calling || session.is_cancelled {
            return;
        }
        let (call, status) = (session.id, answer.response.status);
        if status == 100 {
            return session.tell(Event::Trying { call });
        }
        if let Some(key) = session.early.open(&session.dialog, answer) {
            session.out.put(SessionOutput::Opened(key));
        }
        if let Some(early) = session.early.get_mut(answer.essentials.to.tag()) {
            match early.progress(&answer.response) {
                Taken::Dropped => return,
                Taken::Plain => {}
                Taken::Reliable(rseq) => {
                    let mut prack = early.dialog.request(Method::Prack);
                    prack.headers.push(header_names::RACK, RAck { rseq, cseq: answer.essentials.cseq.clone() });
                    let hop = Hop::Next(early.dialog.next_hop().clone());
                    session.out.send(RequestPurpose::Prack, prack, hop);
                }
            }
        }
        session.tell(Event::Ringing { call, status });
    }

    /// A 2xx to an INVITE of ours: the first, a repeat, or one of another branch of a fork (section 13.2.2.4).
    fn accepted(&mut self, now: Instant, part: u32, answer: &Answer) {
        let Answer { flow, response, essentials } = answer;
        let (tag, cseq) = (essentials.to.tag().unwrap_or_default(), essentials.cseq.number);
        let session = &mut *self.session;
        if let Some(ack) = session.ack.as_ref().filter(|ack| ack.cseq == cseq) {
            if tag == session.key.remote {
                let repeat = SessionOutput::Transmit(ack.flow, ack.bytes.clone());
                return session.out.put(repeat);
            }
            return self.end_fork(part, answer);
        }
        let is_first = session.phase == Phase::Calling;
        let early = session.early.get_mut(Some(tag)).filter(|_| is_first);
        let (early_dialog, described) = match early {
            Some(early) => (Some(early.dialog.clone()), early.sdp.take().map(|sdp| (sdp, early.is_answered))),
            None => (None, None),
        };
        let sdp = match (session_description(&response.headers, &response.body), described) {
            // The answer of a reliable response stays the answer (RFC 3262 section 5).
            (_, Some((sdp, true))) | (Body::Sdp(sdp), _) | (_, Some((sdp, false))) => sdp,
            _ => Vec::new(),
        };
        if is_first {
            if let Some(dialog) = early_dialog {
                session.dialog = dialog;
            }
            session.dialog.confirm(response, &essentials.to);
            session.refresh_target(&response.headers);
            session.phase = Phase::Live;
            self.confirm_key();
        }
        let session = &mut *self.session;
        session.peer.flow = *flow;
        let offer = session.exchange.our_offer(part).cloned();
        let is_refresh = offer.as_ref().is_some_and(|offer| offer.is_refresh);
        if let Some(offer) = offer {
            session.exchange.turn = Turn::Idle;
            session.exchange.local = offer.sdp;
        }
        // A refresh has nothing new to say.
        let is_unchanged = session.exchange.described(&sdp);
        let (ack, hop) = (session.dialog.ack(cseq), session.next_hop());
        session.out.acknowledge(part, ack, hop);
        if session.phase == Phase::Live {
            self.settle_accepted(now, response, (is_first, is_refresh, is_unchanged), sdp);
        }
    }

    /// The dialog is known by the key that the 2xx has given it, and its early ones can no longer be asked in; what they have counted is kept for
    /// a late 2xx.
    fn confirm_key(&mut self) {
        let session = &mut *self.session;
        let old = std::mem::replace(&mut session.key, session.dialog.key());
        for key in session.early.keys().into_iter().chain([old]) {
            session.out.put(SessionOutput::Closed(key));
        }
        session.out.put(SessionOutput::Opened(session.key.clone()));
    }

    fn settle_accepted(&mut self, now: Instant, response: &Response, what: (bool, bool, bool), sdp: Vec<u8>) {
        let (is_first, is_refresh, is_unchanged) = what;
        self.refreshed(now, response);
        let session = &mut *self.session;
        let call = session.id;
        let (is_cancelled, given_up) = (session.is_cancelled, session.bye);
        if is_first && (is_cancelled || given_up.is_some()) {
            // The 2xx crossed our CANCEL (section 9.1).
            session.hang_up(given_up.unwrap_or(Cause::Cancelled));
            if given_up.is_none() {
                session.tell(Event::Failed { call, cause: Cause::Cancelled, reason: String::new() });
            }
            return;
        }
        match is_refresh {
            false => session.tell(Event::Answered { call, sdp }),
            true if is_unchanged => {}
            true => session.tell(Event::Refreshed { call, sdp }),
        }
        session.offer_if_possible();
    }

    /// Another phone behind a forking proxy answered too: thank it, and hang up.
    fn end_fork(&mut self, part: u32, answer: &Answer) {
        let Answer { flow, response, essentials } = answer;
        let session = &mut *self.session;
        let tag = essentials.to.tag();
        let early = tag.and_then(|tag| session.early.get(tag));
        let mut dialog = early.map_or(&session.dialog, |early| &early.dialog).clone();
        dialog.confirm(response, &essentials.to);
        session.out.put(SessionOutput::Ack { part, request: dialog.ack(essentials.cseq.number), hop: Hop::Only(*flow) });
        let is_ended = session.out.all().any(|sent| {
            sent.purpose == RequestPurpose::Bye
                && sent.request.headers.get(header_names::TO).and_then(NameAddr::parse).is_some_and(|to| to.tag() == tag)
        });
        if !is_ended {
            session.out.send(RequestPurpose::Bye, dialog.request(Method::Bye), Hop::Only(*flow));
        }
    }

    /// A final refusal of our first INVITE.
    fn refused(&mut self, response: &Response) {
        let session = &mut *self.session;
        let is_wanted = !session.is_cancelled && session.bye.is_none();
        if is_wanted && session.timing.lengthened(response) {
            return self.invite_again();
        }
        session.failed(Cause::Refused(response.status), shortened(&response.phrase));
    }

    /// Our first INVITE once more, with what its refusal has taught us: same Call-ID and tag, next number (section 8.1.3.5).
    fn invite_again(&mut self) {
        let session = &mut *self.session;
        if session.phase != Phase::Calling {
            return;
        }
        let Turn::Ours { offer, .. } = session.exchange.turn.clone() else { return };
        // What the refused one began is over with it.
        for key in session.early.keys() {
            session.out.put(SessionOutput::Closed(key));
        }
        session.early.0.clear();
        let (invite, hop) = (session.dialog.request(Method::Invite), Hop::By(session.peer.flow));
        session.send_invite(RequestPurpose::Invite, invite, offer, hop);
    }

    /// A final refusal of a re-INVITE of ours.
    fn reoffer_refused(&mut self, now: Instant, part: u32, response: &Response) {
        let session = &mut *self.session;
        let (wait, is_longer) = (session.out.draw(), session.timing.lengthened(response));
        if session.phase != Phase::Live {
            return;
        }
        let Some(offer) = session.exchange.our_offer(part).cloned() else { return };
        session.exchange.turn = Turn::Idle;
        match response.status {
            422 if is_longer => {
                session.exchange.reoffer.get_or_insert(offer);
                session.offer_if_possible();
            }
            491 => {
                // Section 14.1: 2.1 to 4 s for the owner of the Call-ID, up to 2 s for the other, in steps of 10 ms.
                let wait = if session.peer.is_called { 2100 + wait % 191 * 10 } else { wait % 201 * 10 };
                session.exchange.reoffer_at = Some(now + Duration::from_millis(wait));
                session.exchange.reoffer.get_or_insert(offer);
            }
            408 | 481 => session.lost(),
            status => {
                // Whoever refuses is there: the session goes on, and its next refresh comes in its turn.
                if let Some(timer) = &mut session.timing.timer {
                    timer.again(now, None);
                }
                if !offer.is_refresh {
                    session.tell(Event::ReofferFailed { call: session.id, status });
                }
                session.offer_if_possible();
            }
        }
    }

    /// A 2xx to an INVITE, re-INVITE or UPDATE of ours: the session is fresh, on these terms.
    fn refreshed(&mut self, now: Instant, response: &Response) {
        if self.session.phase == Phase::Live {
            self.session.refresh_target(&response.headers);
            self.session.timing.refreshed(now, response);
        }
    }

    /// Our UPDATE was refused. The peer is there all the same, unless it says that the dialog is not (RFC 4028 section 10).
    fn refresh_refused(&mut self, now: Instant, response: &Response) {
        let session = &mut *self.session;
        if matches!(response.status, 408 | 481) {
            return session.lost();
        }
        if session.timing.lengthened(response) {
            return session.refresh();
        }
        let glare = session.out.draw() % 201 * 10;
        if session.phase != Phase::Live {
            return;
        }
        let later = response.headers.get(header_names::RETRY_AFTER).and_then(retry_after);
        let later = later.map(|seconds| Duration::from_secs(u64::from(seconds)));
        let wait = if response.status == 491 { Some(Duration::from_millis(glare)) } else { later };
        if let (Some(wait), Some(timer)) = (wait, &mut session.timing.timer) {
            return timer.again(now, Some(wait));
        }
        // It said that it takes UPDATE, and does not.
        session.takes_update = false;
        session.refresh();
    }

    /// The session's clock strikes: refresh it, or give it up (RFC 4028 section 10).
    pub(super) fn wake_timer(&mut self, now: Instant) {
        let session = &mut *self.session;
        match session.timing.timer.as_mut().and_then(|timer| timer.due(now)) {
            Some(TimerDue::Refresh) => session.refresh(),
            Some(TimerDue::End) => {
                session.hang_up(Cause::SessionExpired);
                session.tell(Event::Ended { call: session.id, cause: Cause::SessionExpired });
            }
            None => {}
        }
    }
}
