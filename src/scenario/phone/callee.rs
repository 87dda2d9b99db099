//! A phone that is called, or hands its place over (S-9, M-18).

use std::net::SocketAddr;

use super::device::Phone;
use super::line::{End, Line};
use crate::scenario::sip::{Dialog, Text};

impl Line {
    /// An INVITE of the gateway: it rings until somebody picks up.
    pub(super) fn is_called(&mut self, invite: &Text) {
        let ours = self.sip.local_addr().expect("bound");
        self.calls += 1;
        self.send_to_gateway(&invite.reply("180 Ringing", "callee", ours, ""));
        self.ringing = Some(invite.clone());
    }

    /// The gateway gives up: its CANCEL is answered, and so is the INVITE.
    pub(super) fn is_called_no_more(&mut self, cancel: &Text) {
        self.send_to_gateway(&cancel.accepted());
        if let Some(invite) = self.ringing.take() {
            let ours = self.sip.local_addr().expect("bound");
            self.send_to_gateway(&invite.reply("487 Request Terminated", "callee", ours, ""));
        }
    }

    fn send_to_gateway(&self, text: &str) {
        self.sip.send_to(text.as_bytes(), SocketAddr::from(([10, 0, 0, 1], 5060))).expect("sent");
    }
}

impl Phone {
    fn is_rung(&self) -> Text {
        self.until("a call", |line| line.ringing.is_some());
        self.line_mut().ringing.take().expect("it rings")
    }

    /// Somebody takes the call that comes.
    pub(in crate::scenario) fn picks_up(&self) {
        let invite = self.is_rung();
        let mut line = self.line_mut();
        let ours = line.sip.local_addr().expect("bound");
        line.dialog = Some(Dialog::called(ours, self.world.gateway(), self.voice.name, &invite));
        (line.end, line.remote) = (None, None);
        let answer = invite.reply("200 OK", "callee", ours, &line.sdp("sendrecv"));
        line.send_sip(&answer);
        line.answered_calls += 1;
        line.answered(&invite.body);
    }

    /// Nobody wants the call that comes.
    pub(in crate::scenario) fn declines(&self) {
        let invite = self.is_rung();
        let line = self.line();
        let ours = line.sip.local_addr().expect("bound");
        line.send_to_gateway(&invite.reply("603 Decline", "callee", ours, ""));
    }

    /// The display while it rings.
    pub(in crate::scenario) fn shows_who_calls(&self, text: &str) {
        self.until("a call", |line| line.ringing.is_some());
        let line = self.line();
        let from = line.ringing.as_ref().expect("it rings").header("from");
        assert!(from.contains(text), "{from}");
    }

    /// Hands its place over to whoever is at this address, and is answered with this status.
    pub(in crate::scenario) fn hands_over_to(&self, target: &str, status: u16) {
        let mut line = self.line_mut();
        line.answers.clear();
        let dialog = line.dialog.as_mut().expect("a call");
        dialog.more = format!("Refer-To: <{target}>\r\n");
        let refer = dialog.request("REFER", "");
        dialog.more.clear();
        line.send_sip(&refer);
        drop(line);
        self.until("an answer to REFER", |line| line.answers.contains(&(status, "REFER".to_owned())));
    }

    /// What it was told of how its handing over goes on.
    pub(in crate::scenario) fn was_notified(&self) -> Vec<String> {
        self.line().notified.clone()
    }

    /// Its display wants to know who is in the meeting (RFC 4575), within its call.
    pub(in crate::scenario) fn subscribes_to_the_roster(&self) {
        let mut line = self.line_mut();
        line.answers.clear();
        let dialog = line.dialog.as_mut().expect("a call");
        dialog.more = "Event: conference\r\nExpires: 600\r\n".to_owned();
        let subscribe = dialog.request("SUBSCRIBE", "");
        dialog.more.clear();
        line.send_sip(&subscribe);
        drop(line);
        self.until("200 to SUBSCRIBE", |line| line.answers.contains(&(200, "SUBSCRIBE".to_owned())));
    }

    /// The roster that it was told last.
    pub(in crate::scenario) fn shows_on_its_display(&self) -> Option<String> {
        self.line().display.clone()
    }

    /// Its last call, as another phone names it that takes its place (RFC 3891).
    pub(in crate::scenario) fn as_replaced(&self) -> String {
        let line = self.line();
        let dialog = line.dialog.as_ref().expect("a call");
        let tag = |of: &str| of.split(";tag=").nth(1).expect("a tag").to_owned();
        format!("{};to-tag={};from-tag={}", dialog.call_id, tag(&dialog.to), tag(&dialog.from()))
    }

    /// The gateway has hung up, or refused.
    pub(in crate::scenario) fn has_ended(&self) -> bool {
        matches!(self.line().end, Some(End::HungUp { .. } | End::Refused { .. }))
    }
}
