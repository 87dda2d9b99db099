//! Reliable provisional responses (RFC 3262), both roles, and the early dialogs in which they live.
//!
//! A caller that requires them gets its 180 again and again until its PRACK comes; our 200 waits for that. When we call, every branch
//! of a fork begins an early dialog of its own, with its own row of numbers.

use std::time::{Duration, Instant};

use super::capabilities::requires;
use super::counters::count;
use super::dialog::{Dialog, DialogKey};
use super::endpoint::{Endpoint, Owner, Purpose};
use super::header::RAck;
use super::invite::{Phase, Turn};
use super::message::{Body, Essentials, Request, Response, session_description};
use super::method::Method;
use super::transaction::Timers;
use super::uas::reasons;
use super::{Event, Flow};
use crate::cause::Cause;
use crate::ids::CallId;

/// Branches of a fork that are followed; those beyond are heard only when they answer.
const BRANCHES: usize = 8;

/// Our provisional response until its PRACK (section 3).
#[derive(Debug)]
pub(super) struct Reliable {
    pub(super) rseq: u32,
    bytes: Vec<u8>,
    flow: Flow,
    cseq: u32,
    /// The 200 that waits for the PRACK.
    pub(super) then: Option<String>,
    resend_at: Instant,
    interval: Duration,
    give_up: Instant,
}

impl Reliable {
    pub(super) fn deadline(&self) -> Instant {
        self.resend_at.min(self.give_up)
    }

    /// Whether to send it again now: after T1, and then at twice the time before, on any transport.
    fn wake(&mut self, now: Instant) -> bool {
        let due = now >= self.resend_at;
        if due {
            self.interval *= 2;
            self.resend_at = now + self.interval;
        }
        due
    }

    fn is_acknowledged_by(&self, rack: &RAck) -> bool {
        rack.rseq == self.rseq && rack.cseq.number == self.cseq && rack.cseq.method == Method::Invite
    }
}

/// A dialog that a provisional response to our INVITE has begun (RFC 3261 section 12.1.2).
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) dialog: Dialog,
    pub(super) key: DialogKey,
    /// The last reliable response that was taken.
    rseq: Option<u32>,
    /// The last description; the first one of a reliable response is the answer and stays.
    pub(super) sdp: Option<Vec<u8>>,
    pub(super) answered: bool,
}

impl Endpoint {
    // === theirs ===

    /// 180 or 183, reliably where the caller requires that. Without an offer of theirs ours would have to be in it: then only our 200
    /// speaks.
    pub(super) fn provisional_of_ours(&mut self, now: Instant, id: CallId, status: u16, sdp: Option<&str>) {
        let Some(call) = self.calls.get(&id).filter(|call| call.phase == Phase::Ringing) else { return };
        let (&Turn::Theirs { server }, flow) = (&call.turn, call.flow) else { return };
        let Some(request) = self.servers.get(&server).and_then(|tx| tx.request.as_ref()) else { return };
        let mut headers = self.abilities(id, &flow);
        if !requires(&request.headers, "100rel") {
            return self.respond(now, server, status, &headers, sdp);
        }
        if call.reliable.is_some() || session_description(&request.headers, &request.body) == Body::Nothing {
            return;
        }
        let drawn = u32::try_from(self.draw() % (1 << 30)).unwrap_or_default();
        let rseq = self.calls.get(&id).and_then(|call| call.rseq).unwrap_or(drawn) + 1;
        headers.push(("Require", "100rel".to_owned()));
        headers.push(("RSeq", rseq.to_string()));
        self.respond(now, server, status, &headers, sdp);
        let Timers { t1, .. } = self.timers;
        let give_up = now + self.timers.lifetime();
        if let (Some(tx), Some(call)) = (self.servers.get(&server), self.calls.get_mut(&id)) {
            let (bytes, flow, cseq) = (tx.last.clone(), tx.reply, tx.cseq);
            call.rseq = Some(rseq);
            call.reliable = Some(Reliable { rseq, bytes, flow, cseq, then: None, resend_at: now + t1, interval: t1, give_up });
        }
        self.schedule(Owner::Call(id));
    }

    /// Section 3: a PRACK that fits nothing is answered 481.
    pub(super) fn prack(&mut self, now: Instant, server: u64, id: CallId, request: &Request) {
        let rack = request.headers.get("RAck").and_then(RAck::parse);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let taken = call.reliable.take_if(|waiting| rack.is_some_and(|rack| waiting.is_acknowledged_by(&rack)));
        let Some(taken) = taken else { return self.respond(now, server, 481, &[], None) };
        self.schedule(Owner::Call(id));
        // Their offer in the INVITE has no answer yet: another one has no place here (section 5).
        let offers = session_description(&request.headers, &request.body) != Body::Nothing;
        self.respond(now, server, if offers { 488 } else { 200 }, &[], None);
        if let Some(sdp) = taken.then {
            self.answer(now, id, &sdp);
        }
    }

    /// Sends our provisional response again, or refuses the INVITE when its PRACK will not come any more.
    pub(super) fn wake_reliable(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let (Some(waiting), &Turn::Theirs { server }) = (&mut call.reliable, &call.turn) else { return };
        if now >= waiting.give_up {
            call.reliable = None;
            call.turn = Turn::Idle;
            self.respond(now, server, 504, &reasons(Cause::NoAck), None);
            self.end(now, id);
            self.tell(Event::Ended { call: id, cause: Cause::NoAck });
        } else if waiting.wake(now) {
            let (flow, bytes) = (waiting.flow, waiting.bytes.clone());
            count(&self.counters.retransmitted);
            self.send_response(flow, bytes);
        }
    }

    // === ours ===

    /// A provisional response to our INVITE: 100, or one of a branch. One that comes twice or before its turn is dropped (section 4).
    pub(super) fn provisional(&mut self, now: Instant, client: u64, response: &Response, essentials: &Essentials) {
        let Some(id) = self.clients.get(&client).and_then(|tx| tx.call) else { return };
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase == Phase::Calling) else { return };
        if call.cancelled {
            let sent = self.clients.values().any(|tx| tx.call == Some(id) && tx.purpose == Purpose::Cancel);
            if !sent {
                self.cancel_ours(now, id);
            }
            return;
        }
        if response.status == 100 {
            return self.tell(Event::Trying { call: id });
        }
        let rseq = response
            .headers
            .get("RSeq")
            .and_then(|number| number.trim().parse().ok())
            .filter(|_| requires(&response.headers, "100rel"));
        self.open_branch(id, response, essentials);
        if let Some(branch) = self.branch(id, essentials) {
            if let (Some(rseq), Some(last)) = (rseq, branch.rseq)
                && u64::from(rseq) != u64::from(last) + 1
            {
                return;
            }
            branch.rseq = rseq.or(branch.rseq);
            if let Body::Sdp(sdp) = session_description(&response.headers, &response.body)
                && !branch.answered
            {
                branch.sdp = Some(sdp);
                branch.answered = rseq.is_some();
            }
            if let Some(rseq) = rseq {
                let mut prack = branch.dialog.request(Method::Prack);
                let hop = branch.dialog.next_hop().clone();
                prack.headers.push("RAck", RAck { rseq, cseq: essentials.cseq.clone() });
                self.send_request_to(now, id, &hop, prack, Purpose::Prack);
            }
        }
        self.tell(Event::Ringing { call: id, status: response.status });
    }

    /// The early dialog of this response; a new one where there is room.
    fn open_branch(&mut self, id: CallId, response: &Response, essentials: &Essentials) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let known = call.branches.iter().any(|branch| branch.key.remote == essentials.to.tag().unwrap_or_default());
        if known || essentials.to.tag().is_none() || call.branches.len() >= BRANCHES {
            return;
        }
        let mut dialog = call.dialog.clone();
        dialog.confirm(response, &essentials.to);
        let key = dialog.key();
        call.branches.push(Branch { dialog, key: key.clone(), rseq: None, sdp: None, answered: false });
        self.dialogs.insert(key, id);
    }

    fn branch(&mut self, id: CallId, essentials: &Essentials) -> Option<&mut Branch> {
        let tag = essentials.to.tag()?;
        self.calls.get_mut(&id)?.branches.iter_mut().find(|branch| branch.key.remote == tag)
    }

    /// The early dialogs of a call can no longer be asked in; what they have counted is kept for a late 2xx.
    pub(super) fn close_branches(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        for branch in &call.branches {
            self.dialogs.remove(&branch.key);
        }
    }

    /// A request of somebody we are calling. What the session will be is not open for change before the answer (RFC 3311 section 5.2).
    pub(super) fn early_request(&mut self, now: Instant, server: u64, id: CallId, request: &Request, essentials: &Essentials) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let tag = essentials.from.tag().unwrap_or_default();
        let Some(branch) = call.branches.iter_mut().find(|branch| branch.key.remote == tag) else {
            return self.respond(now, server, 481, &[], None);
        };
        if !branch.dialog.accepts(essentials.cseq.number) {
            return self.respond(now, server, 500, &[("Retry-After", "1".to_owned())], None);
        }
        let (answered, flow) = (branch.answered, call.flow);
        match (&request.method, session_description(&request.headers, &request.body)) {
            (Method::Update, Body::Nothing) => {
                branch.dialog.refresh(request.headers.values("Contact"));
                let headers = self.abilities(id, &flow);
                self.respond(now, server, 200, &headers, None);
            }
            (Method::Update, _) => self.respond(now, server, if answered { 488 } else { 491 }, &[], None),
            (Method::Options, _) => self.options(now, server),
            _ => self.respond(now, server, 481, &[], None),
        }
    }
}
