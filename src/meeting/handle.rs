//! [`MeetingHandle`]: how pages, calls, the API and the gateway reach a live meeting.

use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use super::guest::{FromGuest, Knock};
use super::join::JoinPage;
use super::messages::{ChatLine, Granted, MeetingRefusal, MeetingRequest, OfferError, Snapshot, ToPage};
use super::state::MeetingInput;
use super::task::TaskInput;
use crate::common::cause::Cause;
use crate::common::ids::{MeetingName, ParticipantId};

/// Requests that may wait for a meeting. Full: whoever asks waits, as requests go down.
pub(super) const MAILBOX: usize = 256;

/// A live meeting, to be asked. Cheap to clone. Asking one that has just ended is answered as ended, never an error to handle.
#[derive(Clone)]
pub struct MeetingHandle {
    name: MeetingName,
    mailbox: mpsc::Sender<TaskInput>,
}

impl MeetingHandle {
    /// The meeting of this name, whose task reads the other end of `mailbox`.
    pub(super) const fn new(name: MeetingName, mailbox: mpsc::Sender<TaskInput>) -> Self {
        Self { name, mailbox }
    }

    /// Its configured name.
    #[must_use]
    pub const fn name(&self) -> &MeetingName {
        &self.name
    }

    pub(super) fn is_over(&self) -> bool {
        self.mailbox.is_closed()
    }

    /// Waits until it has closed.
    pub async fn over(&self) {
        self.mailbox.closed().await;
    }

    async fn ask_for<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> MeetingInput) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.mailbox.send(request(reply).into()).await.ok()?;
        answer.await.ok()
    }

    /// Says what is not answered; a meeting that has just ended has nothing to do about it.
    async fn tell(&self, input: MeetingInput) {
        let _ = self.mailbox.send(input.into()).await;
    }

    /// The configuration is another one (O-2).
    pub(super) async fn reconfigured(&self) {
        self.tell(MeetingInput::Reconfigured).await;
    }

    /// The gateway stops by then (O-4).
    pub(super) async fn stopping(&self, by: Instant) {
        self.tell(MeetingInput::Stopping { by }).await;
    }

    /// A page joins, or knocks.
    ///
    /// # Errors
    /// [`MeetingRefusal::Ended`] if the meeting ended at this moment.
    pub async fn join_page(&self, join: JoinPage) -> Result<ParticipantId, MeetingRefusal> {
        self.ask_for(|reply| MeetingInput::JoinPage(join, reply)).await.unwrap_or(Err(MeetingRefusal::Ended))
    }

    /// A page's WebRTC offer, answered.
    ///
    /// # Errors
    /// [`OfferError`], with a text for people.
    pub async fn offer(&self, who: ParticipantId, sdp: String) -> Result<String, OfferError> {
        self.ask_for(|reply| MeetingInput::Offer { who, sdp, reply }).await.unwrap_or(Err(OfferError::NotHere))
    }

    /// A page's socket is gone without notice; its seat is kept for a while (M-5).
    pub async fn connection_lost(&self, who: ParticipantId) {
        self.tell(MeetingInput::ConnectionLost(who)).await;
    }

    /// The page that was closed a moment ago was loaded anew: its seat is kept as after any loss (M-5).
    pub async fn page_reloaded(&self, who: ParticipantId) {
        self.tell(MeetingInput::PageReloaded(who)).await;
    }

    /// Somebody (`None`: the operator) asks for something.
    ///
    /// # Errors
    /// [`MeetingRefusal`].
    pub async fn ask(&self, who: Option<ParticipantId>, ask: MeetingRequest) -> Result<Granted, MeetingRefusal> {
        self.ask_for(|reply| MeetingInput::Ask { who, ask, reply }).await.unwrap_or(Err(MeetingRefusal::Ended))
    }

    /// What `viewer` (`None`: the operator) may see; `None` once the meeting is over.
    pub async fn snapshot(&self, viewer: Option<ParticipantId>) -> Option<Snapshot> {
        self.ask_for(|reply| MeetingInput::Snapshot { viewer, reply }).await
    }

    /// The chat so far.
    pub async fn chat(&self) -> Vec<ChatLine> {
        self.ask_for(MeetingInput::Chat).await.unwrap_or_default()
    }

    /// How the call to a device goes that somebody in it has asked for (S-9): told to those who may admit it.
    pub async fn calling(&self, device: String, name: String, state: &'static str) {
        self.tell(MeetingInput::Calling(ToPage::Calling { device, name, state })).await;
    }

    /// A device knocks. False: the meeting has just ended; ask the registry again.
    pub async fn knock(&self, knock: Knock) -> bool {
        self.mailbox.send(TaskInput::Knock(Box::new(knock))).await.is_ok()
    }

    /// Something from a device's call.
    pub async fn guest(&self, who: ParticipantId, what: FromGuest) {
        self.tell(MeetingInput::Guest(who, what)).await;
    }

    /// Ends the meeting from outside, because the gateway stops, and waits until it has closed.
    pub async fn close(&self, cause: Cause) {
        self.tell(MeetingInput::Close(cause)).await;
        self.mailbox.closed().await;
    }
}
