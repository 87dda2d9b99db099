//! Requests of ours that belong to no call: one transaction, one final answer. Dialog or not, and what to do about a challenge, is the
//! business of whoever asked.

use std::time::Instant;

use super::Flow;
use super::endpoint::{Endpoint, Purpose};
use super::message::{Request, Response};
use super::route::Way;

/// Who asked, and so whom the answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alone {
    /// One of our registrations.
    Register(u64),
    /// A subscription.
    Notify(u64),
    /// One that is over.
    LastNotify,
}

impl Endpoint {
    /// Sends a request that has everything but Via, Contact and User-Agent; ends in
    /// [`Endpoint::alone_answered`], once.
    pub(super) fn send_alone(&mut self, now: Instant, request: Request, way: Way, alone: Alone) {
        let id = self.open_transaction(now, None, request, Purpose::Alone(alone));
        self.send_client_by(now, id, way);
    }

    /// The final response and the flow it came on; `None`: nobody answered, or there is no connection.
    pub(super) fn alone_answered(&mut self, now: Instant, alone: Alone, answer: Option<(Flow, &Response)>) {
        match alone {
            Alone::Register(number) => self.registered(now, number, answer),
            Alone::Notify(number) => {
                let accepted = answer.is_some_and(|(_, response)| (200..300).contains(&response.status));
                self.notified(now, number, accepted);
            }
            Alone::LastNotify => {}
        }
    }
}
