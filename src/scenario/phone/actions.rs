//! What a phone does: a sentence each.

use std::time::Duration;

use super::device::Phone;
use super::line::End;
use crate::common::phrase::Phrase;
use crate::scenario::network::Fault;
use crate::scenario::page::Page;
use crate::scenario::sip::Dialog;

impl Phone {
    /// Sends an INVITE; what comes of it is another sentence.
    pub(in crate::scenario) fn rings(&self, user: &str) {
        self.rings_as(user, |_| {});
    }

    /// Sends an INVITE that says something else of it.
    pub(in crate::scenario) fn rings_as(&self, user: &str, change: impl FnOnce(&mut Dialog)) {
        *self.calls.borrow_mut() += 1;
        let mut line = self.line_mut();
        let ours = line.sip.local_addr().expect("bound");
        let mut dialog = Dialog::new(ours, self.world.gateway(), self.voice.name, user, *self.calls.borrow());
        change(&mut dialog);
        (line.end, line.remote) = (None, None);
        line.calls += 1;
        line.answers.clear();
        line.keys.clear();
        let offer = if line.delayed { String::new() } else { line.sdp("sendrecv") };
        let invite = dialog.request("INVITE", &offer);
        line.dialog = Some(dialog);
        line.send_sip(&invite);
        line.invite = invite;
    }

    /// Calls, is answered, and is slow to say that it knows.
    pub(in crate::scenario) fn dials_and_withholds_its_ack(&self, user: &str) {
        self.line_mut().withheld = Some(String::new());
        self.dials(user);
    }

    /// Says it at last.
    pub(in crate::scenario) fn sends_its_ack(&self) {
        let ack = self.line_mut().withheld.take().expect("it was withheld");
        self.line().send_sip(&ack);
    }

    /// Sends its INVITE once more, as after a lost answer.
    pub(in crate::scenario) fn repeats_its_invite(&self) {
        self.line().send_sip(&self.line().invite);
    }

    /// Calls without an offer, and is answered with one.
    pub(in crate::scenario) fn dials_without_an_offer(&self, user: &str) {
        self.line_mut().delayed = true;
        self.dials(user);
    }

    /// Calls, and gives up at once.
    pub(in crate::scenario) fn rings_and_gives_up(&self, user: &str) {
        self.rings(user);
        self.gives_up();
    }

    /// Hangs up before it is answered.
    pub(in crate::scenario) fn gives_up(&self) {
        let mut line = self.line_mut();
        let cancel = line.dialog.as_mut().expect("a call").follow_up("CANCEL", false, "");
        line.send_sip(&cancel);
        drop(line);
        self.until("487", |line| matches!(line.end, Some(End::Refused { status: 487, .. })));
    }

    /// Offers this and nothing else from now on.
    pub(in crate::scenario) fn offers_only(&self, rtpmap: &'static str) {
        self.line_mut().odd = Some(rtpmap);
    }

    /// Nothing at all comes back for a while.
    pub(in crate::scenario) fn is_not_answered(&self) {
        self.world.passes(Duration::from_secs(5));
        assert_eq!((self.line().answers.len(), self.line().remote), (0, None), "{}", self.voice.name);
    }

    /// Calls, and is answered.
    pub(in crate::scenario) fn dials(&self, user: &str) {
        self.rings(user);
        self.until("an answer", |line| line.remote.is_some());
    }

    /// Calls, and is let into the meeting without anybody's doing.
    pub(in crate::scenario) fn joins(&self, user: &str) {
        self.dials(user);
        self.hears(Phrase::Admitted);
    }

    /// Calls the demo meeting, knocks, and is admitted by this member.
    pub(in crate::scenario) fn is_admitted_by(&self, member: &Page) {
        self.dials("1001");
        member.admits(self);
        self.hears(Phrase::Admitted);
    }

    /// Calls, and is refused with this status; gives the `Reason`.
    pub(in crate::scenario) fn is_refused(&self, user: &str, expected: u16) -> String {
        self.rings(user);
        self.is_refused_with(expected)
    }

    /// Its INVITE is refused with this status; gives the `Reason`.
    pub(in crate::scenario) fn is_refused_with(&self, expected: u16) -> String {
        self.until("a refusal", |line| line.end.is_some());
        match self.line().end.clone() {
            Some(End::Refused { status, reason }) if status == expected => reason,
            other => panic!("{}: {other:?}", self.voice.name),
        }
    }

    /// Presses these keys one after the other, by RFC 4733.
    pub(in crate::scenario) fn presses(&self, keys: &str) {
        self.keys(keys, 5);
    }

    /// Sends these keys as an auto-dialler does, with next to nothing between them.
    pub(in crate::scenario) fn auto_dials(&self, keys: &str) {
        self.keys(keys, 2);
    }

    pub(super) fn keys(&self, keys: &str, pause: usize) {
        keys.chars().for_each(|key| self.line_mut().press(key, pause));
        self.until("the last key", |line| line.keys.is_empty());
    }

    /// One press, told by INFO.
    pub(in crate::scenario) fn presses_by_info(&self, key: char) {
        let mut line = self.line_mut();
        line.answers.clear();
        let body = format!("Signal={key}\r\nDuration=100\r\n");
        let info = line.dialog.as_mut().expect("a call").request_with("INFO", "application/dtmf-relay", &body);
        line.send_sip(&info);
        drop(line);
        self.until("200 to INFO", |line| line.answers.contains(&(200, "INFO".to_owned())));
    }

    /// Sends no RTCP, as some phones do.
    pub(in crate::scenario) fn reports_nothing(&self) {
        self.line_mut().reports_nothing = true;
    }

    /// From now on this becomes of the RTP that it is sent.
    pub(in crate::scenario) fn is_cut_off(&self, fault: Option<Fault>) {
        let address = self.line().rtp.local_addr().expect("bound");
        self.world.network().breaks(address, fault);
    }

    /// Of what it sends, the network loses one packet in so many.
    pub(in crate::scenario) fn is_lost_one_in(&self, packets: u16) {
        self.line_mut().loses = packets;
    }

    /// Hangs up, and is heard.
    pub(in crate::scenario) fn hangs_up(&self) {
        let mut line = self.line_mut();
        let bye = line.dialog.as_mut().expect("a call").request("BYE", "");
        line.send_sip(&bye);
        line.remote = None;
        drop(line);
        self.until("200 to BYE", |line| line.answers.contains(&(200, "BYE".to_owned())));
    }

    pub(super) fn reinvites(&self, direction: &str) {
        let mut line = self.line_mut();
        line.answers.clear();
        let sdp = line.sdp(direction);
        let invite = line.dialog.as_mut().expect("a call").request("INVITE", &sdp);
        line.send_sip(&invite);
        drop(line);
        self.until("200 to the re-INVITE", |line| line.answers.contains(&(200, "INVITE".to_owned())));
    }

    /// Puts us on hold, with music of its own.
    pub(in crate::scenario) fn holds(&self) {
        self.line_mut().holding = true;
        self.reinvites("sendonly");
    }

    /// Is back.
    pub(in crate::scenario) fn resumes(&self) {
        self.line_mut().holding = false;
        self.reinvites("sendrecv");
    }

    /// Sends a text inside its call and is answered with this status.
    pub(in crate::scenario) fn writes(&self, text: &str, status: u16) {
        let mut line = self.line_mut();
        line.answers.clear();
        let request = line.dialog.as_mut().expect("a call").request_with("MESSAGE", "text/plain", text);
        line.send_sip(&request);
        drop(line);
        self.until("an answer", |line| line.answers.contains(&(status, "MESSAGE".to_owned())));
    }

    /// What its display has shown of the chat.
    pub(in crate::scenario) fn has_read(&self) -> Vec<String> {
        self.line().texts.clone()
    }

    /// Its power fails: nothing more comes of it.
    pub(in crate::scenario) fn falls_silent(&self) {
        let mut line = self.line_mut();
        (line.silent, line.is_dead) = (true, true);
        line.remote = None;
    }

    /// Sends neither sound nor reports, as many phones do while they are muted.
    pub(in crate::scenario) fn sends_nothing(&self) {
        let mut line = self.line_mut();
        (line.silent, line.reports_nothing) = (true, true);
    }

    /// Sends sound again.
    pub(in crate::scenario) fn sends_again(&self) {
        self.line_mut().silent = false;
    }

    /// Only listens, as its description says.
    pub(in crate::scenario) fn only_listens(&self) {
        self.line_mut().silent = true;
        self.reinvites("recvonly");
    }
}
