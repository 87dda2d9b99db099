//! MESSAGE of a device (RFC 3428, C-1): what somebody at the phone writes goes to the meeting that the phone is in. In the call's own
//! dialog it is clear which; outside of one it is the call of the same device, or from the same place under the same name.

use crate::common::cause::Cause;
use crate::sip::message::header::ContentType;
use crate::sip::message::{Request, StatusCode, header_names};
use crate::sip::reason;
use crate::sip::transaction::{Reply, ServerId};

/// Longest text, in characters.
const LONGEST: usize = 4_000;
/// Texts of one call that wait for the meeting's answer.
const WAITING: usize = 8;

/// What a body turned out to be.
enum MessageText {
    Plain(String),
    /// Not plain text.
    Foreign,
    TooLong,
    /// Nothing, or not in its own character set.
    Unreadable,
}

fn read(request: &Request) -> MessageText {
    // RFC 2045 section 5.2: a body without a type is plain text.
    let kind = request.headers.get(header_names::CONTENT_TYPE).unwrap_or("text/plain");
    let Some(kind) = ContentType::parse(kind).filter(|kind| kind.essence == "text/plain") else { return MessageText::Foreign };
    let charset = kind.params.get("charset").map(|charset| charset.trim_matches('"').to_ascii_lowercase());
    if charset.is_some_and(|charset| !["utf-8", "utf8", "us-ascii"].contains(&charset.as_str())) {
        return MessageText::Foreign;
    }
    let Ok(text) = std::str::from_utf8(&request.body) else { return MessageText::Unreadable };
    let text = text.trim();
    match text.chars().count() {
        0 => MessageText::Unreadable,
        length if length > LONGEST => MessageText::TooLong,
        _ => MessageText::Plain(text.to_owned()),
    }
}

/// 403: the phone is in no meeting.
pub(in crate::sip) fn not_inside() -> Reply {
    Reply::new(StatusCode::Forbidden).with([(header_names::REASON, "Q.850;cause=21;text=\"not-in-a-meeting\"".to_owned())])
}

/// The text of a MESSAGE, or the answer that refuses it.
pub(super) fn text_of(request: &Request) -> Result<String, Reply> {
    match read(request) {
        MessageText::Plain(text) => Ok(text),
        MessageText::Foreign => {
            Err(Reply::new(StatusCode::UnsupportedMediaType).with([(header_names::ACCEPT, "text/plain".to_owned())]))
        }
        MessageText::TooLong => Err(Reply::new(StatusCode::RequestEntityTooLarge)),
        MessageText::Unreadable => Err(Reply::new(StatusCode::BadRequest)),
    }
}

/// Texts of one call on their way, in both directions.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Of the peer, waiting for the meeting's answer.
    inbound: Vec<ServerId>,
    /// To the peer, which it has not answered.
    outbound: usize,
}

impl Texts {
    /// Takes one of the peer; `Err`: too many wait.
    pub(super) fn take(&mut self, server: ServerId) -> Result<(), Reply> {
        if self.inbound.len() >= WAITING {
            return Err(reason::retry_after(StatusCode::ServiceUnavailable, 2));
        }
        self.inbound.push(server);
        Ok(())
    }

    /// The answer to a text, if it still waits: taken by the meeting, or not.
    pub(super) fn answer(&mut self, message: u64, refusal: Option<Cause>) -> Option<(ServerId, Reply)> {
        let at = self.inbound.iter().position(|server| server.0 == message)?;
        let reply = match refusal {
            None => Reply::new(StatusCode::OK),
            Some(Cause::Busy) => reason::retry_after(StatusCode::ServiceUnavailable, 5),
            Some(_) => not_inside(),
        };
        Some((self.inbound.remove(at), reply))
    }

    /// All of the peer that wait; none after that.
    pub(super) fn unanswered(&mut self) -> Vec<ServerId> {
        std::mem::take(&mut self.inbound)
    }

    /// One more goes to the peer; `false`: it does not take those before.
    pub(super) fn send(&mut self) -> bool {
        let has_room = self.outbound < WAITING;
        self.outbound += usize::from(has_room);
        has_room
    }

    /// Nothing more will be heard of one that went to the peer.
    pub(super) fn sent(&mut self) {
        self.outbound = self.outbound.saturating_sub(1);
    }
}
