//! The relay's task and the way to it: what meetings ask and write comes in, messages go to the provider.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::{mpsc, oneshot};

use super::super::outbox::{self, OnUnknown, Outbox, OutboxSettings};
use super::super::provider::{self, InboundSms, Provider, ProviderEvent, ProviderSettings, WebhookAnswer, WebhookCall};
use super::super::{
    DailySpent, NumberingPlan, OptInMeans, PhoneNumber, Relay, RelayAnswer, RelayInput, RelayOutput, RelaySettings,
    SubscriptionLine,
};
use super::rows::RowClock;
use crate::common::ids::{CallId, MeetingName, ParticipantId};
use crate::common::log_limit::LogLimit;
use crate::common::machine::{self, DriveFlow, Machine, MachineOwner, drive};
use crate::common::redact::MaskedCaller;
use crate::common::units::unix_millis;
use crate::net::tls::TlsError;
use crate::store::{self, Consent, OutboxChange, StoreError};

use super::messages::{InboundText, LineProgress, OutboxSurvey, Readers, RelayEvent, RelayTotals};

/// What may wait for the relay. Full: meetings wait, as requests go down.
const QUEUE: usize = 256;

/// What may wait for one meeting. Full: the meeting is stalled; a text is lost, and the log says so.
pub const EVENTS: usize = 256;

/// Where what the relay has for the devices of a meeting goes.
pub type RelayEvents = mpsc::Sender<(ParticipantId, RelayEvent)>;

/// What the relay's task takes in.
enum Request {
    /// A device is inside; what comes for it goes to this queue.
    Entered(RelayInput, ParticipantId, RelayEvents),
    /// Answered with what is told to whoever has keyed it.
    Asked(RelayInput, oneshot::Sender<RelayAnswer>),
    Input(RelayInput),
    /// A write of the outbox has ended.
    Written(outbox::OutboxInput),
    Event(ProviderEvent),
    Lines(oneshot::Sender<Vec<SubscriptionLine>>),
    Totals(oneshot::Sender<RelayTotals>),
    Survey(oneshot::Sender<OutboxSurvey>),
    Flush(oneshot::Sender<()>),
    Suspend(oneshot::Sender<()>),
    /// Answered when all that was said before is on the disk, or where it belongs.
    Barrier(oneshot::Sender<()>),
}

/// The way to the relay. Cheap to clone; the task ends with the last one.
#[derive(Clone)]
pub struct RelayHandle {
    requests: mpsc::Sender<Request>,
    provider: Arc<dyn Provider>,
    home: NumberingPlan,
}

impl RelayHandle {
    /// How numbers are keyed in.
    #[must_use]
    pub fn home(&self) -> NumberingPlan {
        self.home.clone()
    }

    /// A device is inside its meeting. What comes for it goes to `events`, until it has left.
    /// `entered` is an [`RelayInput::Entered`].
    pub async fn entered(&self, participant: ParticipantId, entered: RelayInput, events: RelayEvents) {
        // A relay that is gone drops the queue, which says so.
        let _ = self.requests.send(Request::Entered(entered, participant, events)).await;
    }

    /// Asks for a device; [`RelayInput::Ask`], [`RelayInput::Code`] and [`RelayInput::Stop`] are answered. What is asked is before the relay when this
    /// returns: whatever is said after it comes after it.
    pub async fn ask(&self, input: RelayInput) -> oneshot::Receiver<RelayAnswer> {
        let (reply, answer) = oneshot::channel();
        // A relay that is gone drops the reply, which says so.
        let _ = self.requests.send(Request::Asked(input, reply)).await;
        answer
    }

    /// Says something that is not answered.
    pub async fn say(&self, input: RelayInput) {
        // A relay that is gone has nothing left to do.
        let _ = self.requests.send(Request::Input(input)).await;
    }

    /// The subscriptions, for the operator.
    pub async fn lines(&self) -> Vec<SubscriptionLine> {
        self.query(Request::Lines).await
    }

    /// How much is on its way, and has been.
    pub async fn totals(&self) -> RelayTotals {
        self.query(Request::Totals).await
    }

    /// What is on its way, for the operator.
    pub async fn survey(&self) -> OutboxSurvey {
        self.query(Request::Survey).await
    }

    /// Returns when nothing waits any more.
    pub async fn flush(&self) {
        self.query(Request::Flush).await;
    }

    /// Submits nothing more, and returns when nothing is unanswered: what was never answered would have to be sent again (C-7).
    pub async fn rest(&self) {
        self.query(Request::Suspend).await;
    }

    /// What a provider's call at its webhook is answered; what it brings is safe by then.
    pub async fn webhook(&self, call: &WebhookCall) -> WebhookAnswer {
        let mut answer = self.provider.webhook(call);
        let events = std::mem::take(&mut answer.events);
        if !events.is_empty() {
            for event in events {
                let _ = self.requests.send(Request::Event(event)).await;
            }
            self.query(Request::Barrier).await;
        }
        answer
    }

    async fn query<T: Default>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> T {
        let (reply, answer) = oneshot::channel();
        let _ = self.requests.send(request(reply)).await;
        answer.await.unwrap_or_default()
    }
}

/// Why the relay cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// What it must know.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whom it is to trust.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

struct Driver {
    relay: Relay,
    outbox: Outbox,
    provider: Arc<dyn Provider>,
    /// Our own number.
    number: PhoneNumber,
    store: store::StoreHandle,
    own: mpsc::WeakSender<Request>,
    /// Devices whose keys await an answer; each asks one thing at a time.
    asking: BTreeMap<ParticipantId, oneshot::Sender<RelayAnswer>>,
    /// Where what comes for a device goes.
    events: BTreeMap<ParticipantId, RelayEvents>,
    /// Who wants to know that all before is safe.
    secure: VecDeque<Secure>,
    /// Whoever waits for nothing to be on its way.
    flushing: Option<oneshot::Sender<()>>,
    /// Whoever waits for nothing to be unanswered.
    resting: Option<oneshot::Sender<()>>,
    logs: Logs,
}

/// What others can bring about as often as they like.
#[derive(Debug, Default)]
struct Logs {
    stopped: LogLimit,
    lost: LogLimit,
}

/// Starts the relay's task, with what its store remembers.
///
/// # Errors
/// The store cannot be read: who has said STOP must not be forgotten (C-2), nor what was accepted (C-7). Or the authorities that the
/// provider is to trust cannot be read.
pub async fn start(
    settings: RelaySettings,
    home: NumberingPlan,
    on_unknown: OnUnknown,
    provider: ProviderSettings,
    store: store::StoreHandle,
) -> Result<RelayHandle, RelayError> {
    let stopped: BTreeSet<PhoneNumber> = store.stops().await?.iter().filter_map(|number| PhoneNumber::parse(number)).collect();
    let clock = RowClock { now: machine::now(), today: SystemTime::now() };
    let rows: Vec<_> = store.messages().await?.into_iter().filter_map(|sms| super::rows::load(clock, sms)).collect();
    if !rows.is_empty() {
        tracing::info!(messages = rows.len(), "SMS of an earlier run are on their way");
    }
    let outbox = OutboxSettings { on_unknown, cuts: provider.kind.cuts(), secret: settings.secret.clone() };
    // Counted up from the date, no id comes twice, also over restarts.
    let mut outbox = Outbox::new(clock.now, outbox, rows, unix_millis(clock.today));
    for number in stopped.iter().cloned() {
        outbox.handle(clock.now, outbox::OutboxInput::DropNumber { number });
    }

    let (requests, mut inbox) = mpsc::channel(QUEUE);
    let own = requests.downgrade();
    let (events, mut reported) = mpsc::channel::<ProviderEvent>(QUEUE);
    let mailbox = own.clone();
    tokio::spawn(async move {
        while let Some(event) = reported.recv().await {
            let Some(mailbox) = mailbox.upgrade() else { return };
            if mailbox.send(Request::Event(event)).await.is_err() {
                return;
            }
        }
    });
    let number = settings.number.clone();
    let relay = Relay::new(clock.now, settings, stopped, spent(&store, clock).await?);
    let provider = provider::open(provider, events)?;
    let (asking, devices, secure) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
    let handle = RelayHandle { requests, provider: Arc::clone(&provider), home };
    let (flushing, resting, logs) = (None, None, Logs::default());
    let mut driver =
        Driver { relay, outbox, provider, number, store, own, asking, events: devices, secure, flushing, resting, logs };
    tokio::spawn(async move { drive(&mut driver, &mut inbox).await });
    Ok(handle)
}

/// What was sent today before this run.
async fn spent(store: &store::StoreHandle, clock: RowClock) -> Result<DailySpent, StoreError> {
    let parts = store.texted(clock.day()).await?;
    let known = |(meeting, parts): (String, u64)| (MeetingName::new(meeting).ok(), parts);
    Ok(DailySpent { left: clock.day_left(), parts: parts.into_iter().map(known).collect() })
}

/// What one of the three wants done.
enum Wanted {
    Relay(RelayOutput),
    Outbox(outbox::OutboxOutput),
    /// That all writes so far are on the disk.
    Secure(Secure),
}

/// Who wants to know that what was said before is safe.
enum Secure {
    /// The provider, by this number.
    Provider(u64),
    /// Whoever has asked.
    Asked(oneshot::Sender<()>),
}

impl Machine for Driver {
    type Input = Request;
    type Output = Wanted;

    fn handle(&mut self, now: Instant, request: Request) {
        match request {
            Request::Entered(input, participant, events) => {
                self.events.insert(participant, events);
                self.relay.handle(now, input);
            }
            Request::Asked(input, reply) => {
                if let RelayInput::Ask { participant, .. }
                | RelayInput::Code { participant, .. }
                | RelayInput::Stop { participant } = &input
                {
                    self.asking.insert(*participant, reply);
                }
                self.relay.handle(now, input);
            }
            Request::Input(input) => {
                if let RelayInput::Left { participant } = &input {
                    self.asking.remove(participant);
                    self.events.remove(participant);
                }
                self.relay.handle(now, input);
            }
            Request::Written(input) => self.outbox.handle(now, input),
            Request::Event(event) => self.event(now, event),
            Request::Lines(reply) => drop(reply.send(self.relay.lines())),
            Request::Totals(reply) => drop(reply.send(self.totals())),
            Request::Survey(reply) => {
                let RelayTotals { counts, waiting } = self.totals();
                drop(reply.send(OutboxSurvey { counts, waiting, messages: self.outbox.lines() }));
            }
            Request::Barrier(reply) => self.secure.push_back(Secure::Asked(reply)),
            Request::Flush(reply) => self.flushing = Some(reply),
            Request::Suspend(reply) => {
                self.outbox.handle(now, outbox::OutboxInput::Suspend);
                self.resting = Some(reply);
            }
        }
    }

    fn wake(&mut self, now: Instant) {
        self.relay.wake(now);
        self.outbox.wake(now);
    }

    fn poll(&mut self) -> Option<Wanted> {
        let wanted = self.relay.poll().map(Wanted::Relay).or_else(|| self.outbox.poll().map(Wanted::Outbox));
        let wanted = wanted.or_else(|| self.secure.pop_front().map(Wanted::Secure));
        if wanted.is_none() {
            let (empty, still) = (self.outbox.is_empty(), self.outbox.is_still());
            let done = [self.flushing.take_if(|_| empty), self.resting.take_if(|_| still)];
            for reply in done.into_iter().flatten() {
                // Who does not wait any more need not hear it.
                let _ = reply.send(());
            }
        }
        wanted
    }

    fn deadline(&self) -> Option<Instant> {
        [self.relay.deadline(), self.outbox.deadline()].into_iter().flatten().min()
    }
}

impl MachineOwner for Driver {
    type Machine = Self;

    fn machine(&mut self) -> &mut Self {
        self
    }

    async fn perform(&mut self, wanted: Wanted) -> DriveFlow {
        match wanted {
            Wanted::Relay(output) => self.relay_wants(output).await,
            Wanted::Outbox(output) => self.outbox_wants(output).await,
            Wanted::Secure(whose) => {
                let (begun, provider) = (self.store.barrier().await, Arc::clone(&self.provider));
                tokio::spawn(async move {
                    // On a disk that takes nothing it is lost, and would be the next time; what is for a meeting is there already.
                    let _ = begun.await;
                    match whose {
                        Secure::Provider(number) => provider.taken(number),
                        Secure::Asked(reply) => {
                            // Who does not wait any more need not hear it.
                            let _ = reply.send(());
                        }
                    }
                });
            }
        }
        DriveFlow::Continue
    }
}

impl Driver {
    fn totals(&self) -> RelayTotals {
        RelayTotals { counts: self.outbox.counts(), waiting: self.outbox.len() }
    }

    fn event(&mut self, now: Instant, event: ProviderEvent) {
        let input = match event {
            ProviderEvent::Takes(places) => outbox::OutboxInput::Takes(places),
            ProviderEvent::Outcome { id, outcome } => outbox::OutboxInput::Outcome { id, outcome },
            ProviderEvent::Receipt { name, outcome } => outbox::OutboxInput::Receipt { name, outcome },
            ProviderEvent::Taken(number) => return self.secure.push_back(Secure::Provider(number)),
            ProviderEvent::Received(InboundSms { id, from, text }) => {
                return self.relay.handle(now, RelayInput::Received { id, from, text });
            }
        };
        self.outbox.handle(now, input);
    }

    async fn relay_wants(&mut self, output: RelayOutput) {
        let now = machine::now();
        match output {
            RelayOutput::Send(message) => {
                self.outbox.handle(now, outbox::OutboxInput::Enqueue { message, created: SystemTime::now() });
            }
            RelayOutput::Forget { participant, number } => {
                self.outbox.handle(now, outbox::OutboxInput::Forget { participant, number })
            }
            RelayOutput::DropNumber { number } => self.outbox.handle(now, outbox::OutboxInput::DropNumber { number }),
            RelayOutput::Post { participant, by, text } => {
                if !self.send_event(participant, RelayEvent::Text(InboundText { by, text }))
                    && let Some(unlogged) = self.logs.lost.admit(now)
                {
                    tracing::error!(%participant, unlogged, "a text by SMS is lost: the queue of its meeting is full");
                }
            }
            // A meeting that is stalled shows less, until the next change.
            RelayOutput::Readers { participant, code, readers } => {
                self.send_event(participant, RelayEvent::Readers(Readers { code, to: self.number.clone(), readers }));
            }
            RelayOutput::Spent { meeting, parts } => {
                let meeting = meeting.as_ref().map_or("", MeetingName::as_str);
                // Not written, the next run sends a little more; the store says in the log why.
                drop(self.store.count_texted(RowClock { now, today: SystemTime::now() }.day(), meeting, parts).await);
            }
            RelayOutput::Ended { participant } => {
                // Lost, it is asked to end them again with the keys, and the answer is that there are none.
                self.send_event(participant, RelayEvent::Stopped);
            }
            RelayOutput::Stopped { number, stopped } => {
                if let Some(unlogged) = self.logs.stopped.admit(now) {
                    tracing::info!(%number, stopped, unlogged, "the holder of a number has said STOP or START");
                }
                // Until it is on the disk, this run knows it all the same; the store says in the log why it is not.
                drop(self.store.stop(number.expose(), stopped, unix_millis(SystemTime::now())).await);
            }
            RelayOutput::Tell { participant, told } => {
                if let Some(reply) = self.asking.remove(&participant) {
                    // A device that has left meanwhile is told nothing.
                    let _ = reply.send(told);
                }
            }
            RelayOutput::Keep { participant, call, device, number, means } => {
                self.keep((participant, call), device, number, means)
            }
        }
    }

    async fn outbox_wants(&mut self, output: outbox::OutboxOutput) {
        let clock = RowClock { now: machine::now(), today: SystemTime::now() };
        match output {
            outbox::OutboxOutput::Keep(row) => {
                let id = row.sms.id;
                let change = OutboxChange::Keep(Box::new(super::rows::store(clock, *row)));
                self.write(change, move |written| outbox::OutboxInput::Kept { id, written }).await;
            }
            outbox::OutboxOutput::Mark { id, submitted } => {
                let told = move |written| match submitted {
                    true => outbox::OutboxInput::Marked { id, written },
                    false => outbox::OutboxInput::Unmarked { id, written },
                };
                self.write(OutboxChange::Mark { id, submitted }, told).await;
            }
            outbox::OutboxOutput::Close { id, receipts } => {
                let change = match receipts {
                    Some((name, until)) => OutboxChange::Accept { id, name, expires_at: clock.date(until) },
                    None => OutboxChange::Remove { id },
                };
                self.write(change, move |written| outbox::OutboxInput::Closed { id, written }).await;
            }
            // Not written, it goes when its time is over.
            outbox::OutboxOutput::Settle { id } => drop(self.store.outbox(OutboxChange::Remove { id }).await),
            outbox::OutboxOutput::Wipe => self.wipe(),
            outbox::OutboxOutput::Submit(sms) => self.provider.submit(sms),
            outbox::OutboxOutput::Progress { participant, line, message, standing } => {
                // Only shown: a meeting that is stalled shows less.
                self.send_event(participant, RelayEvent::Progress(LineProgress { line, message, standing }));
            }
        }
    }

    /// Writes in the order of these calls, and says how that went.
    async fn write(&self, change: OutboxChange, told: impl FnOnce(bool) -> outbox::OutboxInput + Send + 'static) {
        let (begun, own) = (self.store.outbox(change).await, self.own.clone());
        tokio::spawn(async move {
            let written = matches!(begun.await, Ok(Ok(_)));
            if let Some(own) = own.upgrade() {
                let _ = own.send(Request::Written(told(written))).await;
            }
        });
    }

    fn wipe(&self) {
        let (store, own) = (self.store.clone(), self.own.clone());
        tokio::spawn(async move {
            if matches!(store.wipe().await, Ok(true)) {
                return;
            }
            tracing::debug!("texts of SMS that are done with stay in the store's journal for now");
            if let Some(own) = own.upgrade() {
                let _ = own.send(Request::Written(outbox::OutboxInput::NotWiped)).await;
            }
        });
    }

    fn send_event(&self, participant: ParticipantId, what: RelayEvent) -> bool {
        self.events.get(&participant).is_some_and(|events| events.try_send((participant, what)).is_ok())
    }

    /// C-2: writes the proof, and says whether that went well.
    fn keep(&self, (participant, call): (ParticipantId, CallId), device: String, number: PhoneNumber, means: OptInMeans) {
        let means = match means {
            OptInMeans::Keypad => "keypad",
            OptInMeans::Sms => "sms",
        };
        tracing::info!(%call, %participant, device, %number, means, "opted in to chat by SMS");
        let at = unix_millis(SystemTime::now());
        let (call, means) = (call.to_string(), means.to_owned());
        let consent = Consent { number: MaskedCaller::new(number.expose()), device, call, means, at };
        let (store, own) = (self.store.clone(), self.own.clone());
        tokio::spawn(async move {
            // The store has said in the log why.
            let kept = store.consent(consent).await.is_ok();
            if let Some(own) = own.upgrade() {
                let _ = own.send(Request::Input(RelayInput::Kept { participant, number, kept })).await;
            }
        });
    }
}
