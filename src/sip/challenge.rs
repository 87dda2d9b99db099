//! Our own requests when they are challenged (RFC 3261 section 22.2, 22.3): sent again with our proof, where the challenge is ours to
//! answer. Only calls that were made with credentials have one; a peer that calls us gets nothing by asking.

use std::time::Instant;

use super::endpoint::{Endpoint, Purpose};
use super::invite::Turn;
use super::message::{Request, Response};
use crate::ids::CallId;

/// What a request gets anew each time it is sent.
const OWN: [&str; 12] =
    ["Via", "Max-Forwards", "Route", "From", "To", "Call-ID", "CSeq", "Contact", "Allow", "Accept", "User-Agent", "Supported"];
/// Where a proof stands.
const PROOF: [&str; 2] = ["Authorization", "Proxy-Authorization"];

impl Endpoint {
    /// Puts our proof into a request of a call, if the peer has asked for it before.
    pub(super) fn sign(&mut self, call: CallId, request: &mut Request) {
        let cnonce = self.token();
        if let Some(prover) = self.calls.get_mut(&call).and_then(|call| call.prover.as_mut()) {
            prover.sign(request, &cnonce);
        }
    }

    /// The ACK of a 2xx carries the proof of its INVITE, since it cannot be challenged itself (section 22.1).
    pub(super) fn sign_ack(&self, client: u64, ack: &mut Request) {
        let Some(tx) = self.clients.get(&client) else { return };
        for name in PROOF {
            for line in tx.request.headers.lines(name) {
                ack.headers.push(name, line);
            }
        }
    }

    /// Takes a final response to a request of ours. `true`: it was a challenge, and the request is on its way again.
    pub(super) fn proves(&mut self, now: Instant, client: u64, response: &Response) -> bool {
        let Some(tx) = self.clients.get(&client).filter(|tx| !matches!(tx.purpose, Purpose::Cancel | Purpose::Prack)) else {
            return false;
        };
        let Some(id) = tx.call else { return false };
        let (purpose, flow, asked) = (tx.purpose, tx.flow, tx.request.clone());
        let Some(call) = self.calls.get_mut(&id) else { return false };
        let Some(prover) = &mut call.prover else { return false };
        if response.status < 300 {
            prover.accepted();
            return false;
        }
        let given_up = purpose != Purpose::Bye && (call.cancelled || call.bye.is_some());
        if given_up || !prover.challenged(response) {
            return false;
        }
        let mut request = call.dialog.request(asked.method);
        for (name, value) in asked.headers.iter() {
            if !OWN.iter().chain(&PROOF).any(|own| own.eq_ignore_ascii_case(name)) {
                request.headers.push(name, value);
            }
        }
        request.body = asked.body;
        let again = self.open_client(now, id, request, purpose);
        if let Some(call) = self.calls.get_mut(&id)
            && let Turn::Ours { client: ours, .. } = &mut call.turn
            && *ours == client
        {
            *ours = again;
        }
        match flow.filter(|flow| self.is_open(flow)) {
            Some(flow) => self.begin_client(now, again, flow),
            None => self.client_failed(now, again),
        }
        true
    }
}
