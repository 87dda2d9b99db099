//! [`Conversation`]: the machine of one page's connection. It decides what each message means, whether messages come too fast, and when the
//! page is lost.
#![deny(clippy::disallowed_methods, reason = "pure, unlike the driver above it")]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize};

use super::ice::PageIceServer;
use super::resume::ResumeKey;
use super::shown::{Delta, PageChange, PageState, Whole};
use super::visitor::Visitor;
use crate::common::display_name;
use crate::common::ids::ParticipantId;
use crate::common::machine::Machine;
use crate::common::rate_limit::{RateLimit, TokenBucket};
use crate::meeting::messages::{Capture, Role};
use crate::meeting::roster::RosterView;
use crate::meeting::{MeetingRefusal, MeetingRequest, ToPage};
use crate::relay::ReaderId;

/// The largest frame and the largest message of a page, in bytes. An offer is some 5 KB.
pub const LARGEST_MESSAGE: usize = 64 * 1024;
/// Messages of a page. Beyond, it is closed with a reason.
const MESSAGES: RateLimit = RateLimit { burst: 100, every: Duration::from_millis(20) };
/// Messages that cannot be understood, in one connection. Then it is closed with a reason.
const BAD_MESSAGES: u32 = 20;
/// A page is asked whether it is there this often…
const PING_EVERY: Duration = Duration::from_secs(5);
/// …and counts as lost without an answer for so long (M-5).
const SILENCE: Duration = Duration::from_secs(15);
/// From the connection to its `join`.
const JOIN_WITHIN: Duration = Duration::from_secs(10);
/// From `leave` to the meeting's answer.
pub(super) const LEAVE_WITHIN: Duration = Duration::from_secs(2);
/// The longest session description, in bytes.
const LONGEST_SDP: usize = LARGEST_MESSAGE - 4 * 1024;

/// Whole states that a page may ask for once more.
const RESYNCS: RateLimit = RateLimit { burst: 3, every: Duration::from_secs(2) };
/// How long requests of an external are ignored that has sent too many.
const IGNORED_FOR: Duration = Duration::from_millis(250);
/// The longest key of a browser, in characters; ours are 32.
const LONGEST_KEY: usize = 64;

/// Why the connection ends, as the page is told in the close frame (RFC 6455 section 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The presence is over.
    Over,
    /// The daemon stops; another may take the page soon.
    Stopping,
    /// Not text.
    NotText,
    /// More than [`LARGEST_MESSAGE`].
    TooBig,
    /// Faster than 50 messages a second.
    TooMany,
    /// Too many that make no sense.
    Nonsense,
    /// No `join` came.
    NoJoin,
    /// No `pong` came.
    Silent,
    /// The meeting could not be joined, or has dropped this page because it did not read.
    ComeBack,
}

impl CloseReason {
    pub(super) const fn code_and_reason(self) -> (u16, &'static str) {
        match self {
            Self::Over => (1000, "over"),
            Self::Stopping => (1001, "the server is stopping"),
            Self::NotText => (1003, "only text is understood here"),
            Self::TooBig => (1009, "message too big"),
            Self::TooMany => (1008, "too many messages"),
            Self::Nonsense => (1008, "too many messages that make no sense"),
            Self::NoJoin => (1008, "no join came"),
            Self::Silent => (1008, "no pong came"),
            Self::ComeBack => (1013, "try again"),
        }
    }
}

/// A message of a page.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum FromPage {
    Join {
        name: String,
        #[serde(default)]
        resume: Option<String>,
        /// It understands differences of states.
        #[serde(default)]
        deltas: bool,
        /// Its owner had closed the microphone (K-4).
        #[serde(default)]
        muted: bool,
        /// Its owner had raised the hand.
        #[serde(default)]
        hand: bool,
        /// By which its browser is known again: random, of its own making.
        #[serde(default)]
        key: Option<String>,
    },
    Offer {
        sdp: String,
    },
    MuteSelf {
        on: bool,
    },
    Hand {
        on: bool,
    },
    Admit {
        #[serde(deserialize_with = "participant")]
        id: ParticipantId,
    },
    AdmitAll,
    Deny {
        #[serde(deserialize_with = "participant")]
        id: ParticipantId,
    },
    Mute {
        #[serde(deserialize_with = "participant")]
        id: ParticipantId,
        on: bool,
    },
    Remove {
        #[serde(deserialize_with = "participant")]
        id: ParticipantId,
    },
    ConfirmReader {
        #[serde(deserialize_with = "participant")]
        id: ParticipantId,
        #[serde(deserialize_with = "reader")]
        reader: ReaderId,
    },
    RemoveReader {
        #[serde(deserialize_with = "participant")]
        id: ParticipantId,
        #[serde(deserialize_with = "reader")]
        reader: ReaderId,
    },
    Recording {
        state: Capture,
    },
    Transcription {
        state: Capture,
    },
    Chat {
        text: String,
    },
    Leave,
    Close,
    End,
    Pong,
    Resync,
}

/// What a page that joins brings along.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Joining {
    /// Cleaned (M-4).
    pub(super) name: String,
    /// The presence it had.
    pub(super) resume: Option<ParticipantId>,
    /// Its owner had closed the microphone (K-4).
    pub(super) muted: bool,
    /// Its hand was up.
    pub(super) hand: bool,
    /// By which its browser is known again.
    pub(super) key: Option<String>,
}

fn participant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ParticipantId, D::Error> {
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

fn reader<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ReaderId, D::Error> {
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

/// A message to a page beside [`ToPage`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum ServerMessage {
    Welcome { you: String, role: Role, organiser: bool, resume: String, ice_servers: Vec<PageIceServer> },
    Answer { sdp: String },
    State(Box<Whole>),
    Delta(Box<Delta>),
    Ping,
}

/// What happens to a [`Conversation`].
#[derive(Debug)]
pub(super) enum PageInput {
    /// A text frame.
    Text(String),
    /// A binary frame.
    Binary,
    /// The meeting has taken the page in.
    Joined(ParticipantId),
    /// The meeting did what was asked, or not.
    Done(Result<(), MeetingRefusal>),
    /// The meeting's answer to an offer; the error is for people.
    Answered(Result<String, String>),
    /// The meeting's word.
    Told(ToPage),
    /// How the meeting is now.
    Scene(RosterView),
    /// The meeting has let go of the page.
    Dropped,
}

/// What a [`Conversation`] wants done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PageOutput {
    Say(ServerMessage),
    Tell(ToPage),
    Join(Joining),
    Offer(String),
    Ask(MeetingRequest),
    Close(CloseReason),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No `join` yet; the connection ends at this time.
    Silent { until: Instant },
    /// Between `join` and the meeting's answer.
    Joining,
    /// In the meeting or before its door.
    Present,
    /// `leave` was said; the meeting has the last word, or the time.
    Leaving { until: Instant },
    /// Nothing follows.
    Closed,
}

/// What passes between a page and its meeting.
pub(super) struct Conversation {
    visitor: Visitor,
    resume_key: ResumeKey,
    stage: Stage,
    budget: TokenBucket,
    resyncs: TokenBucket,
    shown: PageState,
    /// Until then what an external asks for too often is not passed on, nor refused once more.
    ignored_until: Option<Instant>,
    bad_messages: u32,
    ping_at: Instant,
    heard_at: Instant,
    outputs: VecDeque<PageOutput>,
}

impl Conversation {
    pub(super) fn new(visitor: Visitor, resume_key: ResumeKey, now: Instant) -> Self {
        Self {
            visitor,
            resume_key,
            stage: Stage::Silent { until: now + JOIN_WITHIN },
            budget: TokenBucket::new(MESSAGES, now),
            resyncs: TokenBucket::new(RESYNCS, now),
            shown: PageState::default(),
            ignored_until: None,
            bad_messages: 0,
            ping_at: now + PING_EVERY,
            heard_at: now,
            outputs: VecDeque::new(),
        }
    }

    /// Counts a frame without a message (a WebSocket ping or pong): a flood of them is limited as well.
    pub(super) fn idle_frame(&mut self, now: Instant) {
        if !self.budget.take(now) {
            self.close(CloseReason::TooMany);
        }
    }

    fn read(&mut self, now: Instant, text: &str) {
        if !self.budget.take(now) {
            return self.close(CloseReason::TooMany);
        }
        let message = match serde_json::from_str(text) {
            Ok(message) => message,
            Err(_) => return self.bad("This message is not understood."),
        };
        let ask = match (self.stage, message) {
            (_, FromPage::Pong) => {
                self.heard_at = now;
                return;
            }
            (Stage::Present, FromPage::Resync) => {
                if self.resyncs.take(now) {
                    let again = self.shown.show_again(now);
                    self.shows(again);
                }
                return;
            }
            (Stage::Silent { .. }, FromPage::Join { name, resume, deltas, muted, hand, key }) => {
                self.stage = Stage::Joining;
                let name = display_name::clean(&name, self.visitor.fallback_name);
                let resume = resume.and_then(|token| self.resume_key.unseal(&token, &self.visitor));
                if deltas {
                    self.shown.send_deltas();
                }
                let key = key.filter(|key| key.len() <= LONGEST_KEY && key.chars().all(|c| c.is_ascii_alphanumeric()));
                return self.outputs.push_back(PageOutput::Join(Joining { name, resume, muted, hand, key }));
            }
            (Stage::Silent { .. }, _) => return self.bad("Join first."),
            (_, FromPage::Join { .. }) => return self.bad("You have joined already."),
            (Stage::Leaving { .. } | Stage::Closed, _) | (_, FromPage::Resync) => return,
            (_, FromPage::Offer { sdp }) if sdp.len() > LONGEST_SDP => return self.bad("This offer is too long."),
            (_, FromPage::Offer { sdp }) => return self.outputs.push_back(PageOutput::Offer(sdp)),
            (_, FromPage::Leave) => {
                self.stage = Stage::Leaving { until: now + LEAVE_WITHIN };
                MeetingRequest::Leave
            }
            (_, FromPage::Close) => MeetingRequest::Close,
            (_, FromPage::MuteSelf { on }) => MeetingRequest::MuteSelf(on),
            (_, FromPage::Hand { on }) => MeetingRequest::Hand(on),
            (_, FromPage::Admit { id }) => MeetingRequest::Admit(id),
            (_, FromPage::AdmitAll) => MeetingRequest::AdmitAll,
            (_, FromPage::Deny { id }) => MeetingRequest::Deny(id),
            (_, FromPage::Mute { id, on }) => MeetingRequest::Mute(id, on),
            (_, FromPage::Remove { id }) => MeetingRequest::Remove(id),
            (_, FromPage::ConfirmReader { id, reader }) => MeetingRequest::ConfirmReader(id, reader),
            (_, FromPage::RemoveReader { id, reader }) => MeetingRequest::RemoveReader(id, reader),
            (_, FromPage::Recording { state }) => MeetingRequest::Recording(state),
            (_, FromPage::Transcription { state }) => MeetingRequest::Transcription(state),
            (_, FromPage::Chat { text }) => MeetingRequest::Chat(text),
            (_, FromPage::End) => MeetingRequest::End,
        };
        if !self.is_ignored(now, &ask) {
            self.outputs.push_back(PageOutput::Ask(ask));
        }
    }

    /// A crowd that waits and asks without end costs its meeting nothing (M-14). What closes a microphone, and what somebody has
    /// written, is always passed on.
    fn is_ignored(&self, now: Instant, ask: &MeetingRequest) -> bool {
        let passes = matches!(
            ask,
            MeetingRequest::MuteSelf(true) | MeetingRequest::Leave | MeetingRequest::Close | MeetingRequest::Chat(_)
        );
        self.visitor.role == Role::External && !passes && self.ignored_until.is_some_and(|until| now < until)
    }

    fn shows(&mut self, change: Option<PageChange>) {
        self.outputs.extend(change.map(|change| {
            PageOutput::Say(match change {
                PageChange::Whole(whole) => ServerMessage::State(whole),
                PageChange::Delta(delta) => ServerMessage::Delta(delta),
            })
        }));
    }

    fn bad(&mut self, text: &str) {
        self.refuse("bad-message", text.to_owned());
        self.bad_messages += 1;
        if self.bad_messages >= BAD_MESSAGES {
            self.close(CloseReason::Nonsense);
        }
    }

    fn refuse(&mut self, code: &'static str, text: String) {
        self.outputs.push_back(PageOutput::Tell(ToPage::Refused { code, text }));
    }

    fn close(&mut self, reason: CloseReason) {
        self.stage = Stage::Closed;
        self.outputs.push_back(PageOutput::Close(reason));
    }
}

impl Machine for Conversation {
    type Input = PageInput;
    type Output = PageOutput;

    fn handle(&mut self, now: Instant, input: PageInput) {
        if self.stage == Stage::Closed {
            return;
        }
        match input {
            PageInput::Text(text) => self.read(now, &text),
            PageInput::Binary => self.close(CloseReason::NotText),
            PageInput::Joined(who) => {
                self.stage = Stage::Present;
                let resume = self.resume_key.seal(who, &self.visitor);
                let Visitor { role, organiser, .. } = self.visitor;
                let (you, ice_servers) = (who.to_string(), self.visitor.ice_servers.clone());
                self.outputs.push_back(PageOutput::Say(ServerMessage::Welcome { you, role, organiser, resume, ice_servers }));
            }
            PageInput::Done(Ok(())) => {}
            PageInput::Done(Err(refusal)) => {
                if refusal == MeetingRefusal::TooFast {
                    self.ignored_until = Some(now + IGNORED_FOR);
                }
                self.refuse(refusal.code(), refusal.to_string());
                if self.stage == Stage::Joining {
                    self.close(CloseReason::ComeBack);
                }
            }
            PageInput::Answered(Ok(sdp)) => self.outputs.push_back(PageOutput::Say(ServerMessage::Answer { sdp })),
            PageInput::Answered(Err(text)) => self.refuse("offer-refused", text),
            PageInput::Told(told) => {
                let over = matches!(told, ToPage::Ended { .. });
                self.outputs.push_back(PageOutput::Tell(told));
                if over {
                    self.close(CloseReason::Over);
                }
            }
            PageInput::Scene(scene) => {
                let change = self.shown.show(now, scene);
                self.shows(change);
            }
            PageInput::Dropped => {
                let leaving = matches!(self.stage, Stage::Leaving { .. });
                self.close(if leaving { CloseReason::Over } else { CloseReason::ComeBack });
            }
        }
    }

    fn wake(&mut self, now: Instant) {
        match self.stage {
            Stage::Closed => return,
            Stage::Silent { until } if now >= until => return self.close(CloseReason::NoJoin),
            Stage::Leaving { until } if now >= until => return self.close(CloseReason::Over),
            _ => {}
        }
        if now >= self.heard_at + SILENCE {
            return self.close(CloseReason::Silent);
        }
        if now >= self.ping_at {
            self.ping_at = now + PING_EVERY;
            self.outputs.push_back(PageOutput::Say(ServerMessage::Ping));
        }
    }

    fn poll(&mut self) -> Option<PageOutput> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        let alive = self.ping_at.min(self.heard_at + SILENCE);
        match self.stage {
            Stage::Closed => None,
            Stage::Silent { until } | Stage::Leaving { until } => Some(until.min(alive)),
            Stage::Joining | Stage::Present => Some(alive),
        }
    }
}

#[cfg(test)]
mod tests;
