//! The WebSocket of a page: frames in and out, with its limits.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use serde::Serialize;
use std::net::IpAddr;

use tokio::sync::watch;

use crate::common::ids::{MeetingName, ParticipantId};
use crate::common::machine::{self, Machine as _};
use crate::meeting::messages::Role;
use crate::meeting::page_feed::{self, PageFeedReader};
use crate::meeting::{JoinPage, MeetingHandle, MeetingRefusal, MeetingRegistry, MeetingRequest, PasscodeProof};

use super::conversation::{Conversation, Farewell, Joining, LEAVE_WITHIN, PageInput, PageOutput};
use super::ice::PageIceServer;

use super::resume::ResumeKey;

/// The largest frame and the largest message of a page, in bytes (X-2). An offer is some 5 KB.
pub const LARGEST_MESSAGE: usize = 64 * 1024;
/// A frame that the page does not take for so long ends the connection.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// Who the page is, as its session says.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Which meeting.
    pub meeting: MeetingName,
    /// Member by session, else external (M-3).
    pub role: Role,
    /// May do what only the organiser may.
    pub organiser: bool,
    /// Its session, under which a host's mute is kept (K-4).
    pub identity: Option<String>,
    /// Where it is, as far as that is known.
    pub from: Option<IpAddr>,
    /// What it has shown of the passcode (K-1).
    pub proof: PasscodeProof,
    /// Shown if the page gives no usable name (M-4).
    pub fallback_name: &'static str,
    /// For its peer connection; told with the welcome.
    pub ice_servers: Vec<PageIceServer>,
}

/// What becomes of rows of the meeting by a page's doing, for whoever keeps its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageEffects {
    /// The page has this row.
    Joined(ParticipantId),
    /// The page has had this row removed.
    Removed(ParticipantId),
}

/// What carries a page's frames: its WebSocket.
pub(crate) trait Frames: Send {
    /// The next frame; `None` once the connection is over.
    fn recv(&mut self) -> impl Future<Output = Option<Result<Message, axum::Error>>> + Send;
    /// Sends a frame, and waits until it has left.
    fn send(&mut self, frame: Message) -> impl Future<Output = Result<(), axum::Error>> + Send;
}

impl Frames for WebSocket {
    async fn recv(&mut self) -> Option<Result<Message, axum::Error>> {
        WebSocket::recv(self).await
    }

    async fn send(&mut self, frame: Message) -> Result<(), axum::Error> {
        WebSocket::send(self, frame).await
    }
}

/// Carries one page's conversation with its meeting until either side ends it, or `shutdown` turns true. The meeting is
/// brought to life by the `join`, not by the connection. `seen` is told of rows. Unless the presence is over,
/// the meeting hears at the end that the connection is lost (M-5).
pub(crate) async fn serve(
    mut socket: impl Frames,
    registry: MeetingRegistry,
    visitor: Visitor,
    resume_key: ResumeKey,
    seen: impl Fn(PageEffects) + Send,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut conversation = Conversation::new(visitor.clone(), resume_key, machine::now());
    let mut page = Page { registry, visitor, present: None, from_meeting: None };
    let mut closed = false;
    let farewell = loop {
        match page.perform(&mut conversation, &mut socket, &seen).await {
            Performed::All => {}
            Performed::Ended(farewell) => break farewell,
        }
        let deadline = conversation.deadline().unwrap_or_else(machine::now);
        let input = tokio::select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) => PageInput::Text(text.as_str().to_owned()),
                Some(Ok(Message::Binary(_))) => PageInput::Binary,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                    conversation.idle_frame(machine::now());
                    continue;
                }
                Some(Ok(Message::Close(frame))) => {
                    // A browser that closes a page says so (RFC 6455 section 7.4.1); a network that is gone says nothing.
                    closed = frame.is_some_and(|frame| frame.code == close_code::AWAY);
                    break None;
                }
                None => break None,
                // The library refuses to read on after a frame above the limit.
                Some(Err(error)) => break is_too_big(&error).then_some(Farewell::TooBig),
            },
            told = next_word(&mut page.from_meeting) => match told {
                Some(page_feed::PageUpdate::Message(message)) => PageInput::Told(message),
                Some(page_feed::PageUpdate::View(view)) => PageInput::Scene(view),
                None => PageInput::Dropped,
            },
            () = tokio::time::sleep_until(deadline.into()) => {
                conversation.wake(machine::now());
                continue;
            }
            // The meeting has closed before: what it said last, that the server restarts, is not lost to the stop.
            _ = shutdown.wait_for(|stop| *stop) => match page.from_meeting.as_mut().and_then(PageFeedReader::waiting_message) {
                Some(word) => PageInput::Told(word),
                None => break Some(Farewell::Stopping),
            },
        };
        conversation.handle(machine::now(), input);
    };
    if closed {
        page.closes().await;
    }
    // The meeting takes a loss to be one only when nobody listens any more.
    page.from_meeting = None;
    if let Some((meeting, who)) = page.present.filter(|_| farewell != Some(Farewell::Over)) {
        meeting.connection_lost(who).await;
    }
    if let Some(farewell) = farewell {
        let (code, reason) = farewell.code_and_reason();
        let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        // The page answers with its own close frame; until then what it still sends is read and dropped, or the
        // close frame could be lost to a reset.
        let _ = tokio::time::timeout(LEAVE_WITHIN, async {
            if socket.send(close).await.is_ok() {
                while let Some(Ok(_)) = socket.recv().await {}
            }
        })
        .await;
    }
}

/// What a page that is present brings about by one message, counted: for the fuzz target.
pub(crate) fn heard(text: &str) -> usize {
    let now = machine::now();
    let Ok(meeting) = MeetingName::new("demo") else { return 0 };
    let (identity, from, proof, ice_servers) = (None, None, PasscodeProof::Nothing, Vec::new());
    let visitor =
        Visitor { meeting, role: Role::External, organiser: false, identity, from, proof, fallback_name: "Guest", ice_servers };
    let mut conversation = Conversation::new(visitor, ResumeKey::new([3; 32]), now);
    conversation.handle(now, PageInput::Text(r#"{"type":"join","name":"Ada"}"#.to_owned()));
    conversation.handle(now, PageInput::Joined(ParticipantId::from_number(1)));
    while conversation.poll().is_some() {}
    conversation.handle(now, PageInput::Text(text.to_owned()));
    std::iter::from_fn(|| conversation.poll()).count()
}

fn is_too_big(error: &axum::Error) -> bool {
    // The error's type belongs to a library that is not ours to name; its words are covered by a test.
    std::error::Error::source(error).is_some_and(|source| source.to_string().contains("too long"))
}

/// The next word of the meeting; never, before there is one to hear.
async fn next_word(from_meeting: &mut Option<PageFeedReader>) -> Option<page_feed::PageUpdate> {
    match from_meeting {
        Some(from_meeting) => from_meeting.next().await,
        None => std::future::pending().await,
    }
}

enum Performed {
    /// Nothing is left to do for now.
    All,
    /// The connection is over, with this close frame if it can still take one.
    Ended(Option<Farewell>),
}

/// What [`serve`] holds between two messages.
struct Page {
    registry: MeetingRegistry,
    visitor: Visitor,
    present: Option<(MeetingHandle, ParticipantId)>,
    from_meeting: Option<PageFeedReader>,
}

impl Page {
    /// Does what the conversation wants done. Only this page waits meanwhile.
    async fn perform(
        &mut self,
        conversation: &mut Conversation,
        socket: &mut impl Frames,
        seen: &(impl Fn(PageEffects) + Send),
    ) -> Performed {
        while let Some(output) = conversation.poll() {
            let outcome = match output {
                PageOutput::Say(said) => {
                    if send(socket, &said).await.is_err() {
                        return Performed::Ended(None);
                    }
                    continue;
                }
                PageOutput::Tell(told) => {
                    if send(socket, &told).await.is_err() {
                        return Performed::Ended(None);
                    }
                    continue;
                }
                PageOutput::Close(farewell) => return Performed::Ended(Some(farewell)),
                PageOutput::Join(joining) => match self.join(joining).await {
                    Ok(who) => {
                        seen(PageEffects::Joined(who));
                        PageInput::Joined(who)
                    }
                    Err(refusal) => PageInput::Done(Err(refusal)),
                },
                PageOutput::Offer(sdp) => match &self.present {
                    Some((meeting, who)) => {
                        PageInput::Answered(meeting.offer(*who, sdp).await.map_err(|error| error.to_string()))
                    }
                    None => PageInput::Done(Err(MeetingRefusal::NotInside)),
                },
                PageOutput::Ask(ask) => match &self.present {
                    Some((meeting, who)) => {
                        let removed = if let MeetingRequest::Remove(other) = &ask { Some(*other) } else { None };
                        let done = meeting.ask(Some(*who), ask).await.map(drop);
                        if let (Some(removed), Ok(())) = (removed, &done) {
                            seen(PageEffects::Removed(removed));
                        }
                        PageInput::Done(done)
                    }
                    None => PageInput::Done(Err(MeetingRefusal::NotInside)),
                },
            };
            conversation.handle(machine::now(), outcome);
        }
        Performed::All
    }

    /// The page is being closed, or loaded anew.
    async fn closes(&self) {
        if let Some((meeting, who)) = &self.present {
            let _ = meeting.ask(Some(*who), MeetingRequest::Close).await;
        }
    }

    async fn join(&mut self, joining: Joining) -> Result<ParticipantId, MeetingRefusal> {
        let Visitor { role, organiser, from, .. } = self.visitor;
        let Joining { name, resume, muted, hand, key } = joining;
        let identity = self.visitor.identity.clone().or_else(|| key.map(|key| format!("guest/{key}")));
        // A meeting that ends at this very moment is opened anew, once.
        for last_try in [false, true] {
            let gone = if self.registry.is_stopped() { MeetingRefusal::Restarting } else { MeetingRefusal::Ended };
            let meeting = self.registry.open(&self.visitor.meeting).await.ok_or(gone)?;
            let (feed, from_meeting) = page_feed::feed();
            let (name, identity, proof) = (name.clone(), identity.clone(), self.visitor.proof.clone());
            match meeting.join_page(JoinPage { role, organiser, name, resume, identity, muted, hand, from, proof, feed }).await {
                Ok(who) => {
                    self.present = Some((meeting, who));
                    self.from_meeting = Some(from_meeting);
                    return Ok(who);
                }
                Err(MeetingRefusal::Ended) if !last_try => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Err(MeetingRefusal::Ended)
    }
}

/// The page is gone, or does not read.
struct Gone;

async fn send(socket: &mut impl Frames, message: &(impl Serialize + Sync)) -> Result<(), Gone> {
    let text = serde_json::to_string(message).map_err(|_| Gone)?;
    match tokio::time::timeout(SEND_WITHIN, socket.send(Message::Text(text.into()))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}
