//! The way down to the SIP task.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::common::ids::CallId;
use crate::sip::access::source::Source;
use crate::sip::registration::AccountStanding;
use crate::sip::{CallTarget, Change, Command, Counters, LadderLine, Load};

/// How long peers may take to answer that their call is over.
const FAREWELL: Duration = Duration::from_secs(4);

/// What the task is asked.
#[derive(Debug)]
pub(super) enum TaskRequest {
    Command(Command),
    Ladder(CallId, oneshot::Sender<Vec<LadderLine>>),
    Silenced(oneshot::Sender<Vec<Source>>),
    Load(oneshot::Sender<Load>),
    Lift(Source, oneshot::Sender<bool>),
    Dialog(CallId, oneshot::Sender<Option<String>>),
    CallTarget(String, oneshot::Sender<Option<CallTarget>>),
    Addresses(String, oneshot::Sender<Vec<IpAddr>>),
    Registrations(oneshot::Sender<Vec<Change>>),
    Accounts(oneshot::Sender<Vec<AccountStanding>>),
    SignOff(oneshot::Sender<()>),
    Rest(oneshot::Sender<()>),
    Ping(oneshot::Sender<()>),
    #[cfg(test)]
    IsEmpty(oneshot::Sender<bool>),
}

/// The way down to the SIP task, which ends when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) asks: mpsc::Sender<TaskRequest>,
    pub(super) counters: Arc<Counters>,
}

impl Handle {
    /// Hands a command over; waits for space. Does nothing once the task has ended.
    pub async fn send(&self, command: Command) {
        let _ended = self.asks.send(TaskRequest::Command(command)).await;
    }

    /// The last messages of a call, oldest first; of those that are over, the latest are remembered.
    pub async fn ladder(&self, call: CallId) -> Vec<LadderLine> {
        let (answer, answered) = oneshot::channel();
        let _ended = self.asks.send(TaskRequest::Ladder(call, answer)).await;
        answered.await.unwrap_or_default()
    }

    /// The Call-ID of a call that is up.
    pub async fn dialog(&self, call: CallId) -> Option<String> {
        let (answer, answered) = oneshot::channel();
        let _ended = self.asks.send(TaskRequest::Dialog(call, answer)).await;
        answered.await.ok().flatten()
    }

    /// Sources that are silenced now.
    pub async fn silenced(&self) -> Vec<Source> {
        let (answer, answered) = oneshot::channel();
        let _ended = self.asks.send(TaskRequest::Silenced(answer)).await;
        answered.await.unwrap_or_default()
    }

    /// What the endpoint holds now.
    pub async fn load(&self) -> Load {
        let (answer, answered) = oneshot::channel();
        let _ended = self.asks.send(TaskRequest::Load(answer)).await;
        answered.await.unwrap_or_default()
    }

    /// Where registered devices are to be found (S-3).
    pub async fn registrations(&self) -> Vec<Change> {
        let (answer, answered) = oneshot::channel();
        let _ended = self.asks.send(TaskRequest::Registrations(answer)).await;
        answered.await.unwrap_or_default()
    }

    /// The addresses of a host, by the name servers of SIP; none where there are none. Comes back when the name system has answered.
    pub async fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let (answer, answered) = oneshot::channel();
        let _ended = self.asks.send(TaskRequest::Addresses(name.to_owned(), answer)).await;
        answered.await.unwrap_or_default()
    }

    /// How our own registrations stand (S-3).
    pub async fn accounts(&self) -> Vec<AccountStanding> {
        let (answer, answered) = oneshot::channel();
        let _ended = self.asks.send(TaskRequest::Accounts(answer)).await;
        answered.await.unwrap_or_default()
    }

    /// Takes our own registrations back; comes back when their registrars have said that they are, or cannot be reached.
    pub async fn sign_off(&self) {
        let (answer, answered) = oneshot::channel();
        let _ended = self.asks.send(TaskRequest::SignOff(answer)).await;
        let _ended = answered.await;
    }

    /// Waits until no call is up and each request of ours in one is answered or given up; `false` after 4 s, in which a BYE that is
    /// lost was repeated three times (RFC 3261 section 17.1.2). Who ends earlier leaves its phone in a call that is over. For one caller
    /// at a time.
    pub async fn farewell(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        let at_rest = async {
            let _ended = self.asks.send(TaskRequest::Rest(answer)).await;
            let _ended = answered.await;
        };
        tokio::time::timeout(FAREWELL, at_rest).await.is_ok()
    }

    /// Hears a source again that is named as [`Handle::silenced`] names it; `false` when it was not silenced.
    pub async fn lift(&self, source: &str) -> bool {
        let mut lifted = false;
        // Of numbers that differ in what is masked, all are meant.
        for source in self.silenced().await.into_iter().filter(|silenced| silenced.to_string() == source) {
            let (answer, answered) = oneshot::channel();
            let _ended = self.asks.send(TaskRequest::Lift(source, answer)).await;
            lifted |= answered.await.unwrap_or_default();
        }
        lifted
    }

    /// Nothing is left of any call: no dialog, transaction or timer.
    #[cfg(test)]
    pub(crate) async fn is_empty(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        let _ended = self.asks.send(TaskRequest::IsEmpty(answer)).await;
        answered.await.unwrap_or(true)
    }

    /// Where a device could be called now (S-9); `None`: nowhere.
    pub async fn call_target(&self, device: &str) -> Option<CallTarget> {
        let (answer, answered) = oneshot::channel();
        let _ended = self.asks.send(TaskRequest::CallTarget(device.to_owned(), answer)).await;
        answered.await.ok().flatten()
    }

    /// Tells whether the task goes on (O-3).
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        Pulse(self.asks.downgrade())
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// Tells whether the SIP task goes on, without keeping it.
#[derive(Debug, Clone)]
pub struct Pulse(mpsc::WeakSender<TaskRequest>);

impl Pulse {
    /// Comes back once the task has had a turn, or has ended in order.
    pub async fn beat(&self) {
        let Some(asks) = self.0.upgrade() else { return };
        let (answer, answered) = oneshot::channel();
        let _ended = asks.send(TaskRequest::Ping(answer)).await;
        drop(asks);
        let _ended = answered.await;
    }
}
