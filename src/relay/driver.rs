//! The relay's task: brings asks of calls and lines of meetings to the [`Relay`], and its messages to the provider.
#![allow(clippy::disallowed_methods, reason = "a driver: it has the clock and starts what may take time")]

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime};

use tokio::sync::{mpsc, oneshot};

use super::provider::{self, Heard, Provider, ProviderSettings};
use super::{Home, Input, Line, Number, Output, Relay, RelaySettings, Told};
use crate::ids::CallId;
use crate::machine::{self, Flow, Machine, Owner, drive};
use crate::redact::Redacted;
use crate::store::{self, Consent, StoreError};
use crate::units::unix_millis;

/// What may wait for the relay. Full: meetings and calls wait (DESIGN section 6).
const QUEUE: usize = 256;

/// What may wait of one call's inbound texts. Full: the call is stuck, and the text is lost and said to be.
pub const POSTS: usize = 16;

/// A text for the chat of a call's meeting (C-3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Who has written it; printed, it is masked.
    pub by: Number,
    /// What.
    pub text: Redacted<String>,
}

/// What the relay's task takes in.
enum Request {
    /// Answered with what the relay tells the call; what is written for it goes to its queue.
    Asked(Input, oneshot::Sender<Told>, mpsc::Sender<Posted>),
    Said(Input),
    Lines(oneshot::Sender<Vec<Line>>),
}

/// The way to the relay. Cheap to clone; the task ends with the last one.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    home: Home,
}

impl Handle {
    /// How numbers are keyed in.
    #[must_use]
    pub fn home(&self) -> Home {
        self.home.clone()
    }

    /// Asks for one call; [`Input::Ask`], [`Input::Code`] and [`Input::Stop`] are answered. What is asked is before the relay when this
    /// returns: whatever is said after it comes after it. What is written for the call's meeting goes to `posts`, until it has left.
    pub async fn ask(&self, input: Input, posts: mpsc::Sender<Posted>) -> oneshot::Receiver<Told> {
        let (reply, answer) = oneshot::channel();
        // A relay that is gone drops the reply, which says so.
        let _ = self.requests.send(Request::Asked(input, reply, posts)).await;
        answer
    }

    /// The device of this call is not in its meeting any more (C-1).
    pub async fn left(&self, call: CallId) {
        // A relay that is gone has nothing left to end.
        let _ = self.requests.send(Request::Said(Input::Left { call })).await;
    }

    /// A line of the chat in the meeting of this call's device.
    pub async fn line(&self, call: CallId, name: Redacted<String>, text: Redacted<String>) {
        let _ = self.requests.send(Request::Said(Input::Line { call, name, text })).await;
    }

    /// The subscriptions, for the operator.
    pub async fn lines(&self) -> Vec<Line> {
        let (reply, answer) = oneshot::channel();
        let _ = self.requests.send(Request::Lines(reply)).await;
        answer.await.unwrap_or_default()
    }
}

struct Driver {
    relay: Relay,
    provider: Box<dyn Provider>,
    store: store::Handle,
    own: mpsc::WeakSender<Request>,
    /// Calls that await an answer; each asks one thing at a time.
    asking: BTreeMap<CallId, oneshot::Sender<Told>>,
    /// Where the texts for a call go.
    posts: BTreeMap<CallId, mpsc::Sender<Posted>>,
}

/// Starts the relay's task, with what its store remembers.
///
/// # Errors
/// The store cannot be read: who has said STOP must not be forgotten (C-2).
pub async fn start(
    settings: RelaySettings,
    home: Home,
    provider: ProviderSettings,
    store: store::Handle,
) -> Result<Handle, StoreError> {
    let stopped = store.stops().await?.iter().filter_map(|number| Number::parse(number)).collect();
    let (requests, mut inbox) = mpsc::channel(QUEUE);
    let own = requests.downgrade();
    let (heard, mut hears) = mpsc::channel::<Heard>(QUEUE);
    let mailbox = own.clone();
    tokio::spawn(async move {
        while let Some(Heard { id, from, text }) = hears.recv().await {
            let Some(mailbox) = mailbox.upgrade() else { return };
            if mailbox.send(Request::Said(Input::Received { id, from, text })).await.is_err() {
                return;
            }
        }
    });
    let relay = Relay::new(machine::now(), settings, stopped);
    let provider = provider::open(provider, heard);
    let mut driver = Driver { relay, provider, store, own, asking: BTreeMap::new(), posts: BTreeMap::new() };
    tokio::spawn(async move { drive(&mut driver, &mut inbox).await });
    Ok(Handle { requests, home })
}

impl Machine for Driver {
    type Input = Request;
    type Output = Output;

    fn handle(&mut self, now: Instant, request: Request) {
        match request {
            Request::Asked(input, reply, posts) => {
                if let Input::Ask { call, .. } | Input::Code { call, .. } | Input::Stop { call } = &input {
                    self.asking.insert(*call, reply);
                    self.posts.insert(*call, posts);
                }
                self.relay.handle(now, input);
            }
            Request::Said(input) => {
                if let Input::Left { call } = &input {
                    self.asking.remove(call);
                    self.posts.remove(call);
                }
                self.relay.handle(now, input);
            }
            Request::Lines(reply) => drop(reply.send(self.relay.lines())),
        }
    }

    fn wake(&mut self, now: Instant) {
        self.relay.wake(now);
    }

    fn poll(&mut self) -> Option<Output> {
        self.relay.poll()
    }

    fn deadline(&self) -> Option<Instant> {
        self.relay.deadline()
    }
}

impl Owner for Driver {
    type Machine = Self;

    fn machine(&mut self) -> &mut Self {
        self
    }

    async fn perform(&mut self, output: Output) -> Flow {
        match output {
            Output::Send(message) => self.provider.submit(message),
            Output::Forget { call } => self.provider.forget(call),
            Output::Post { call, by, text } => {
                let posted = self.posts.get(&call).map(|posts| posts.try_send(Posted { by, text }));
                if !matches!(posted, Some(Ok(()))) {
                    tracing::error!(%call, "a text by SMS is lost: its call takes no more");
                }
            }
            Output::Stopped { number, stopped } => self.stopped(number, stopped),
            Output::Tell { call, told } => {
                if let Some(reply) = self.asking.remove(&call) {
                    // A call that has ended meanwhile hears nothing.
                    let _ = reply.send(told);
                }
            }
            Output::Keep { call, device, number } => self.keep(call, device, &number),
        }
        Flow::Continue
    }
}

impl Driver {
    /// C-2: what its holder has said is kept. Until it is on the disk, this run knows it all the same.
    fn stopped(&self, number: Number, stopped: bool) {
        tracing::info!(%number, stopped, "the holder of a number has said STOP or START");
        let store = self.store.clone();
        tokio::spawn(async move {
            // The store has said in the log why.
            let _ = store.stop(number.expose(), stopped, unix_millis(SystemTime::now())).await;
        });
    }

    /// C-2: writes the proof, and says whether that went well.
    fn keep(&self, call: CallId, device: String, number: &Number) {
        tracing::info!(%call, device, %number, "opted in to chat by SMS, by a texted code");
        let at = unix_millis(SystemTime::now());
        let consent =
            Consent { number: number.expose().to_owned(), device, call: call.to_string(), means: "keypad".to_owned(), at };
        let (store, own) = (self.store.clone(), self.own.clone());
        tokio::spawn(async move {
            // The store has said in the log why.
            let kept = store.consent(consent).await.is_ok();
            if let Some(own) = own.upgrade() {
                let _ = own.send(Request::Said(Input::Kept { call, kept })).await;
            }
        });
    }
}
