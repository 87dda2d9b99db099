//! When each thing of the endpoint wants to be woken, and how it is forgotten once nothing needs it.

use std::time::Instant;

use super::endpoint::{ClientMachine, Endpoint, Owner, Purpose, ServerMachine};
use super::invite::{Phase, Turn};
use crate::ids::CallId;

/// Calls that are over and whose messages can still be told.
const PAST: usize = 200;

impl Endpoint {
    pub(in crate::sip) fn schedule(&mut self, owner: Owner) {
        let wanted = match owner {
            Owner::Server(id) => self.servers.get_mut(&id).map(|tx| {
                let wanted = match &tx.machine {
                    ServerMachine::Invite(machine) => machine.deadline(),
                    ServerMachine::Other(machine) => machine.deadline(),
                };
                (std::mem::replace(&mut tx.scheduled, wanted), wanted)
            }),
            Owner::Client(id) => self.clients.get_mut(&id).map(|tx| {
                let wanted = match &tx.machine {
                    ClientMachine::Waiting(until) => Some(*until),
                    ClientMachine::Invite(machine) => machine.deadline(),
                    ClientMachine::Other(machine) => machine.deadline(),
                };
                (std::mem::replace(&mut tx.scheduled, wanted), wanted)
            }),
            Owner::Call(id) => self.calls.get_mut(&id).map(|call| {
                let wanted = call.deadline();
                (std::mem::replace(&mut call.scheduled, wanted), wanted)
            }),
            Owner::Account(number) => self.accounts.get_mut(&number).map(|account| {
                let wanted = account.deadline();
                (std::mem::replace(&mut account.scheduled, wanted), wanted)
            }),
            Owner::Subscription(number) => self.subscriptions.get_mut(&number).map(|subscription| {
                let wanted = subscription.deadline();
                (std::mem::replace(&mut subscription.scheduled, wanted), wanted)
            }),
            Owner::Held(server) => self.round_trips.held.get_mut(&server).map(|held| {
                let wanted = Some(held.deadline());
                (std::mem::replace(&mut held.scheduled, wanted), wanted)
            }),
        };
        let Some((before, wanted)) = wanted else { return };
        if before != wanted {
            self.unschedule(before, owner);
            if let Some(at) = wanted {
                self.deadlines.insert((at, owner));
            }
        }
    }

    pub(in crate::sip) fn unschedule(&mut self, at: Option<Instant>, owner: Owner) {
        if let Some(at) = at {
            self.deadlines.remove(&(at, owner));
        }
    }

    pub(in crate::sip) fn forget_server(&mut self, id: u64) {
        if let Some(tx) = self.servers.remove(&id) {
            self.unschedule(tx.scheduled, Owner::Server(id));
            self.server_keys.remove(&tx.key);
            if let Some(merge) = tx.merge {
                self.merges.remove(&merge);
            }
        }
    }

    pub(in crate::sip) fn forget_client(&mut self, id: u64) {
        if let Some(tx) = self.clients.remove(&id) {
            self.unschedule(tx.scheduled, Owner::Client(id));
            self.client_keys.remove(&tx.key);
            let Some(id) = tx.call else { return };
            if let Some(call) = self.calls.get_mut(&id) {
                call.clients = call.clients.saturating_sub(1);
                call.telling = call.telling.saturating_sub(usize::from(tx.purpose == Purpose::Text));
            }
            self.settle(id);
        }
    }

    /// Forgets a call that is over once no transaction of ours needs its dialog.
    pub(in crate::sip) fn settle(&mut self, id: CallId) {
        if self.calls.get(&id).is_some_and(|call| call.phase == Phase::Over && call.clients == 0)
            && let Some(call) = self.calls.remove(&id)
        {
            self.unschedule(call.scheduled, Owner::Call(id));
            if self.past.len() >= PAST {
                self.past.pop_front();
            }
            self.past.push_back((id, call.ladder));
            self.dialogs.remove(&call.key);
            for branch in &call.branches {
                self.dialogs.remove(&branch.key);
            }
        }
    }

    /// The session is over: whatever repeats or waits for it stops.
    pub(in crate::sip) fn end(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase != Phase::Over) else { return };
        call.phase = Phase::Over;
        call.accepted = None;
        call.reoffer = None;
        call.reoffer_at = None;
        call.timer = None;
        call.reliable = None;
        let (source, mut unanswered) = (call.source, std::mem::take(&mut call.texts));
        unanswered.extend(call.refer.take().and_then(|refer| refer.server));
        let open = match call.turn {
            Turn::Theirs { server } => Some(server),
            _ => None,
        };
        call.turn = Turn::Idle;
        if let Some(calls) = self.sources.get_mut(&source) {
            *calls -= 1;
            if *calls == 0 {
                self.sources.remove(&source);
            }
        }
        if let Some(server) = open {
            self.respond(now, server, 487, &[], None);
        }
        for server in unanswered {
            self.respond(now, server, 480, &[], None);
        }
        self.end_subscriptions_of(now, id);
        self.schedule(Owner::Call(id));
        self.settle(id);
    }
}
