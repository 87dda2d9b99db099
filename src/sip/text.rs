//! MESSAGE of a device (RFC 3428, C-1): what somebody at the phone writes goes to the meeting that the phone is in. In the call's own
//! dialog it is clear which; outside of one it is the call of the same device, or from the same place under the same name.

use std::time::Instant;

use super::endpoint::{Endpoint, Purpose};
use super::header::ContentType;
use super::identity::Identity;
use super::invite::Phase;
use super::ladder;
use super::message::{Essentials, Request};
use super::method::Method;
use super::uas::Header;
use super::{Event, Flow};
use crate::cause::Cause;
use crate::ids::CallId;
use crate::redact::Redacted;

/// Longest text, in characters.
const LONGEST: usize = 4_000;
/// Texts of one call that wait for the meeting's answer.
const WAITING: usize = 8;

/// What a body turned out to be.
enum Text {
    Plain(String),
    /// Not plain text.
    Foreign,
    TooLong,
    /// Nothing, or not in its own character set.
    Unreadable,
}

fn read(request: &Request) -> Text {
    // RFC 2045 section 5.2: a body without a type is plain text.
    let kind = request.headers.get("Content-Type").unwrap_or("text/plain");
    let Some(kind) = ContentType::parse(kind).filter(|kind| kind.essence == "text/plain") else { return Text::Foreign };
    let charset = kind.params.get("charset").map(|charset| charset.trim_matches('"').to_ascii_lowercase());
    if charset.is_some_and(|charset| !["utf-8", "utf8", "us-ascii"].contains(&charset.as_str())) {
        return Text::Foreign;
    }
    let Ok(text) = std::str::from_utf8(&request.body) else { return Text::Unreadable };
    let text = text.trim();
    match text.chars().count() {
        0 => Text::Unreadable,
        length if length > LONGEST => Text::TooLong,
        _ => Text::Plain(text.to_owned()),
    }
}

fn not_inside() -> Vec<Header> {
    vec![("Reason", "Q.850;cause=21;text=\"not-in-a-meeting\"".to_owned())]
}

impl Endpoint {
    /// Within the dialog of a call.
    pub(super) fn text(&mut self, now: Instant, server: u64, id: CallId, request: &Request) {
        let text = match read(request) {
            Text::Plain(text) => text,
            Text::Foreign => return self.respond(now, server, 415, &[("Accept", "text/plain".to_owned())], None),
            Text::TooLong => return self.respond(now, server, 413, &[], None),
            Text::Unreadable => return self.respond(now, server, 400, &[], None),
        };
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase == Phase::Live) else {
            return self.respond(now, server, 403, &not_inside(), None);
        };
        if call.texts.len() >= WAITING {
            return self.respond(now, server, 503, &[("Retry-After", "2".to_owned())], None);
        }
        call.texts.push(server);
        self.tell(Event::Text { call: id, message: server, text: Redacted::new(text) });
    }

    /// Outside of any dialog.
    pub(super) fn text_outside(
        &mut self,
        now: Instant,
        server: u64,
        (flow, identity): (Flow, Option<Identity>),
        request: &Request,
        essentials: &Essentials,
    ) {
        match self.call_of(&flow, identity.as_ref(), essentials) {
            Some(id) => {
                if let Some(tx) = self.servers.get_mut(&server) {
                    tx.call = Some(id);
                }
                self.note(now, id, true, format!("MESSAGE ({})", essentials.cseq.number), ladder::request(request));
                self.text(now, server, id, request);
            }
            None => self.respond(now, server, 403, &not_inside(), None),
        }
    }

    /// What has become of a text: taken by the meeting, or not.
    pub(super) fn text_answered(&mut self, now: Instant, id: CallId, server: u64, refusal: Option<Cause>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let before = call.texts.len();
        call.texts.retain(|waiting| *waiting != server);
        if call.texts.len() == before {
            return;
        }
        match refusal {
            None => self.respond(now, server, 200, &[], None),
            Some(Cause::Busy) => self.respond(now, server, 503, &[("Retry-After", "5".to_owned())], None),
            Some(_) => self.respond(now, server, 403, &not_inside(), None),
        }
    }

    /// A text to the device's display.
    pub(super) fn send_text(&mut self, now: Instant, id: CallId, text: String) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase == Phase::Live && call.takes_text) else { return };
        if call.telling >= WAITING {
            return tracing::debug!(call = %id, "the device does not take its texts");
        }
        call.telling += 1;
        let mut message = call.dialog.request(Method::Message);
        message.headers.push("Content-Type", "text/plain;charset=UTF-8");
        message.body = text.into_bytes();
        self.send_request(now, id, message, Purpose::Text);
    }
}
