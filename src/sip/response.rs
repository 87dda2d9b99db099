//! Responses of peers to our own requests (RFC 3261 section 8.1.3, 13.2.2, 14.1, 17.1.1.3).

use std::time::{Duration, Instant};

use super::counters::count;
use super::endpoint::{ClientMachine, Endpoint, Owner, Purpose, Waiting};
use super::header::NameAddr;
use super::invite::{Phase, Turn};
use super::ladder;
use super::message::{Body, Essentials, Request, Response, session_description};
use super::method::Method;
use super::route::Way;
use super::transaction::{Action, MAGIC};
use super::uac::{client_key, hop_by_hop};
use super::uas::shortened;
use super::{Event, Flow};
use crate::cause::Cause;
use crate::ids::CallId;

impl Endpoint {
    pub(super) fn response(&mut self, now: Instant, flow: Flow, response: Response) {
        let Ok(essentials) = Essentials::read(&response.headers) else { return count(&self.counters.malformed) };
        if self.is_round_trip(now, &flow, &response, &essentials) {
            return;
        }
        let branch = essentials.via.branch().unwrap_or_default();
        // Section 18.1.2: one that is not for us is dropped. One whose transaction is over may still be a 2xx that wants its ACK again.
        let Some(&id) = self.client_keys.get(&client_key(branch, &essentials.cseq.method)) else { return };
        let Some(tx) = self.clients.get_mut(&id).filter(|tx| Self::answers(tx, &flow)) else { return };
        let act = match &mut tx.machine {
            ClientMachine::Waiting(_) => Action::Nothing,
            ClientMachine::Invite(machine) => machine.response(now, response.status),
            ClientMachine::Other(machine) => machine.response(now, response.status),
        };
        let call = tx.call;
        if let Some(call) = call.filter(|_| act != Action::Nothing) {
            self.note(now, call, true, format!("{} ({})", response.status, essentials.cseq), ladder::response(&response));
        }
        match act {
            Action::AckAndPass => {
                self.ack_refusal(id, response.headers.get("To"));
                if !self.proves(now, id, &response) {
                    self.refused(now, id, &response);
                }
            }
            Action::Ack => self.ack_refusal(id, None),
            Action::Pass if response.status >= 200 && self.proves(now, id, &response) => {}
            Action::Pass => self.passed(now, id, flow, &response, &essentials),
            _ => {}
        }
        self.schedule(Owner::Client(id));
    }

    /// Section 17.1.1.3.
    fn ack_refusal(&mut self, id: u64, to: Option<&str>) {
        let Some(tx) = self.clients.get_mut(&id) else { return };
        if let Some(to) = to {
            tx.ack = hop_by_hop(&tx.request, Method::Ack, Some(to)).to_bytes();
        }
        if let Some(flow) = tx.flow {
            let bytes = tx.ack.clone();
            self.transmit(flow, bytes);
        }
    }

    fn passed(&mut self, now: Instant, id: u64, flow: Flow, response: &Response, essentials: &Essentials) {
        let Some(tx) = self.clients.get(&id) else { return };
        if let Purpose::Alone(alone) = tx.purpose
            && response.status >= 200
        {
            return self.alone_answered(now, alone, Some((flow, response)));
        }
        let (Some(call), purpose) = (tx.call, tx.purpose) else { return };
        match (purpose, response.status) {
            (Purpose::Invite, 100..=199) => self.provisional(now, id, response, essentials),
            (Purpose::Invite | Purpose::Reinvite, 200..=299) => self.accepted(now, id, flow, response, essentials),
            (Purpose::Refresh, 200..=299) => self.refreshed(now, call, response),
            (Purpose::Refresh, 300..) => self.refresh_refused(now, call, response),
            _ => {}
        }
    }

    /// A 2xx to an INVITE of ours: the first, a repeat, or one of another branch of a fork (section 13.2.2.4).
    fn accepted(&mut self, now: Instant, client: u64, flow: Flow, response: &Response, essentials: &Essentials) {
        let Some((Some(id), cseq)) = self.clients.get(&client).map(|tx| (tx.call, tx.cseq)) else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Some((_, bytes, flow)) = call.ack.clone().filter(|(number, ..)| *number == cseq) {
            if essentials.to.tag().unwrap_or_default() == call.key.remote {
                return self.transmit(flow, bytes);
            }
            return self.end_fork(now, id, flow, response, essentials);
        }
        let first = call.phase == Phase::Calling;
        let tag = essentials.to.tag().unwrap_or_default();
        let mut branch = call.branches.iter_mut().find(|branch| first && branch.key.remote == tag);
        let early = branch.as_mut().and_then(|branch| branch.sdp.take().map(|sdp| (sdp, branch.answered)));
        let sdp = match (session_description(&response.headers, &response.body), early) {
            // The answer of a reliable response stays the answer (RFC 3262 section 5).
            (_, Some((sdp, true))) | (Body::Sdp(sdp), _) | (_, Some((sdp, false))) => sdp,
            _ => Vec::new(),
        };
        if first {
            if let Some(branch) = branch {
                call.dialog = branch.dialog.clone();
            }
            call.dialog.confirm(response, &essentials.to);
            call.refresh_target(&response.headers);
            call.phase = Phase::Live;
            let old = std::mem::replace(&mut call.key, call.dialog.key());
            let key = call.key.clone();
            self.close_branches(id);
            self.dialogs.remove(&old);
            self.dialogs.insert(key, id);
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.flow = flow;
        let mut refresh = false;
        if let Turn::Ours { client: ours, offer } = call.turn.clone()
            && ours == client
        {
            call.turn = Turn::Idle;
            call.local = offer.sdp;
            refresh = offer.refresh;
        }
        // One that gives no answer to a refresh has nothing new to say.
        let unchanged = sdp.is_empty() || sdp == call.remote;
        if !sdp.is_empty() {
            call.remote.clone_from(&sdp);
        }
        let (live, cancelled, given_up) = (call.phase == Phase::Live, call.cancelled, call.bye);
        let (mut ack, hop) = (call.dialog.ack(cseq), call.dialog.next_hop().clone());
        self.sign_ack(client, &mut ack);
        match self.way(id, &hop, 0) {
            Some(Way::Open(flow)) => self.send_ack(now, id, ack, cseq, flow),
            Some(Way::Connect { peer, transport, .. }) => {
                // Too many connections under way: the peer repeats its 2xx.
                let _lost = self.connect(peer, transport, Waiting::Ack(id, ack, cseq));
            }
            None => {}
        }
        if !live {
            return;
        }
        self.refreshed(now, id, response);
        if first && (cancelled || given_up.is_some()) {
            // The 2xx crossed our CANCEL (section 9.1).
            self.hang_up(now, id, given_up.unwrap_or(Cause::Cancelled));
            if given_up.is_none() {
                self.tell(Event::Failed { call: id, cause: Cause::Cancelled, reason: String::new() });
            }
            return;
        }
        match refresh {
            false => self.tell(Event::Answered { call: id, sdp }),
            true if unchanged => {}
            true => self.tell(Event::Refreshed { call: id, sdp }),
        }
        self.offer_if_possible(now, id);
    }

    pub(super) fn send_ack(&mut self, now: Instant, id: CallId, mut ack: Request, cseq: u32, flow: Flow) {
        let branch = format!("{MAGIC}{}", self.token());
        let via = self.via(&flow, &branch);
        ack.headers.push_front("Via", via);
        let bytes = ack.to_bytes();
        if let Some(call) = self.calls.get_mut(&id) {
            call.ack = Some((cseq, bytes.clone(), flow));
        }
        self.note(now, id, false, format!("ACK ({cseq})"), ladder::request(&ack));
        self.transmit(flow, bytes);
    }

    /// Another phone behind a forking proxy answered too: thank it, and hang up.
    fn end_fork(&mut self, now: Instant, id: CallId, flow: Flow, response: &Response, essentials: &Essentials) {
        let Some(call) = self.calls.get(&id) else { return };
        let tag = essentials.to.tag().unwrap_or_default();
        let branch = call.branches.iter().find(|branch| branch.key.remote == tag);
        let mut dialog = branch.map_or(&call.dialog, |branch| &branch.dialog).clone();
        dialog.confirm(response, &essentials.to);
        let mut ack = dialog.ack(essentials.cseq.number);
        let branch = format!("{MAGIC}{}", self.token());
        let via = self.via(&flow, &branch);
        ack.headers.push_front("Via", via);
        self.transmit(flow, ack.to_bytes());
        let known = self.clients.values().any(|tx| {
            tx.purpose == Purpose::Bye
                && tx.call == Some(id)
                && tx.request.headers.get("To").and_then(NameAddr::parse).is_some_and(|to| to.tag() == essentials.to.tag())
        });
        if !known {
            let bye = self.open_client(now, id, dialog.request(Method::Bye), Purpose::Bye);
            self.begin_client(now, bye, flow);
        }
    }

    /// A final refusal of our INVITE or re-INVITE.
    fn refused(&mut self, now: Instant, client: u64, response: &Response) {
        let Some((Some(id), purpose)) = self.clients.get(&client).map(|tx| (tx.call, tx.purpose)) else { return };
        if purpose == Purpose::Invite {
            let wanted = self.calls.get(&id).is_some_and(|call| !call.cancelled && call.bye.is_none());
            if wanted && self.lengthened(id, response) {
                return self.invite_again(now, id);
            }
            return self.failed(now, id, Cause::Refused(response.status), shortened(&response.phrase));
        }
        let (wait, longer) = (self.draw(), self.lengthened(id, response));
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase == Phase::Live) else { return };
        let Turn::Ours { client: ours, offer } = call.turn.clone() else { return };
        if ours != client {
            return;
        }
        call.turn = Turn::Idle;
        match response.status {
            422 if longer => {
                call.reoffer.get_or_insert(offer);
                self.offer_if_possible(now, id);
            }
            491 => {
                // Section 14.1: 2.1 to 4 s for the owner of the Call-ID, up to 2 s for the other, in steps of 10 ms.
                let wait = if call.ours { 2100 + wait % 191 * 10 } else { wait % 201 * 10 };
                call.reoffer_at = Some(now + Duration::from_millis(wait));
                call.reoffer.get_or_insert(offer);
                self.schedule(Owner::Call(id));
            }
            408 | 481 => self.lost(now, id),
            status => {
                // Whoever refuses is there: the session goes on, and its next refresh comes in its turn.
                if let Some(timer) = &mut call.timer {
                    timer.again(now, None);
                }
                if !offer.refresh {
                    self.tell(Event::ReofferFailed { call: id, status });
                }
                self.offer_if_possible(now, id);
            }
        }
    }
}
