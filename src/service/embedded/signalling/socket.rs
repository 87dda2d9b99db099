//! The WebSocket of a page: frames in and out, with its limits.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use serde::Serialize;
use tokio::sync::watch;

use crate::common::ids::{MeetingName, ParticipantId};
use crate::common::machine::{self, Machine as _};
use crate::meeting::messages::Role;
use crate::meeting::page_feed::{self, PageFeedReader};
use crate::meeting::{JoinPage, MeetingHandle, MeetingRefusal, MeetingRegistry, MeetingRequest, PasscodeProof};

use super::conversation::{CloseReason, Conversation, Joining, LEAVE_WITHIN, PageInput, PageOutput};
use super::resume::ResumeKey;
use super::visitor::Visitor;

/// A frame that the page does not take for so long ends the connection.
const SEND_WITHIN: Duration = Duration::from_secs(10);

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
    let reason = loop {
        match page.perform(&mut conversation, &mut socket, &seen).await {
            Performed::All => {}
            Performed::Ended(reason) => break reason,
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
                    // A browser that closes a page sends a close frame (RFC 6455 section 7.4.1); a lost network sends nothing.
                    closed = frame.is_some_and(|frame| frame.code == close_code::AWAY);
                    break None;
                }
                None => break None,
                // The library refuses to read on after a frame above the limit.
                Some(Err(error)) => break is_too_big(&error).then_some(CloseReason::TooBig),
            },
            told = next_update(&mut page.from_meeting) => match told {
                Some(page_feed::PageUpdate::Message(message)) => PageInput::Told(message),
                Some(page_feed::PageUpdate::View(view)) => PageInput::Scene(view),
                None => PageInput::Dropped,
            },
            () = tokio::time::sleep_until(deadline.into()) => {
                conversation.wake(machine::now());
                continue;
            }
            // The meeting has closed before: its last message, that the server restarts, is sent before the stop.
            _ = shutdown.wait_for(|stop| *stop) => match page.from_meeting.as_mut().and_then(PageFeedReader::waiting_message) {
                Some(word) => PageInput::Told(word),
                None => break Some(CloseReason::Stopping),
            },
        };
        conversation.handle(machine::now(), input);
    };
    page.end(closed, reason).await;
    if let Some(reason) = reason {
        close(&mut socket, reason).await;
    }
}

/// Closes the connection in order (RFC 6455 section 7.1.2). Until the page answers with its own close frame its messages are read and dropped:
/// a reset could overtake ours.
async fn close(socket: &mut impl Frames, reason: CloseReason) {
    let (code, reason) = reason.code_and_reason();
    let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    let _ = tokio::time::timeout(LEAVE_WITHIN, async {
        if socket.send(close).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    })
    .await;
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
    // The error's type belongs to a dependency of axum; a test covers its text.
    std::error::Error::source(error).is_some_and(|source| source.to_string().contains("too long"))
}

/// The next message of the meeting; pending while the page has not joined.
async fn next_update(from_meeting: &mut Option<PageFeedReader>) -> Option<page_feed::PageUpdate> {
    match from_meeting {
        Some(from_meeting) => from_meeting.next().await,
        None => std::future::pending().await,
    }
}

enum Performed {
    /// Nothing is left to do for now.
    All,
    /// The connection is over, with this close frame if it can still take one.
    Ended(Option<CloseReason>),
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
                PageOutput::Close(reason) => return Performed::Ended(Some(reason)),
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

    /// Tells the meeting that the connection is over; `closed`: the page is being closed, or loaded anew.
    async fn end(&mut self, closed: bool, reason: Option<CloseReason>) {
        if let Some((meeting, who)) = self.present.as_ref().filter(|_| closed) {
            let _ = meeting.ask(Some(*who), MeetingRequest::Close).await;
        }
        // The meeting counts a connection as lost only once its feed has no reader.
        self.from_meeting = None;
        if let Some((meeting, who)) = self.present.take().filter(|_| reason != Some(CloseReason::Over)) {
            meeting.connection_lost(who).await;
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
