//! The calls of this gateway: takes them from the SIP endpoint, gives each a task, and brings each what is its own.
#![allow(clippy::disallowed_methods, reason = "these tasks drive machines: they have the clock and are spawned here")]

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{mpsc, watch};

use super::effects::{CallEffects, DrivenCall};
use super::failures::{Failure, Failures};
use super::history::{CallHistory, EndedCall};
use super::log::{CallLine, CallLog};
use super::offer_answer::{OfferAnswer, RemoteMedia};
use super::outbound::{INVITATIONS, Invitation, OutboundCalls, OutboundProgress};
use super::registry::{CallEntry, CallRegistry, OwnCallEntry};
use super::router::{CallRouter, RoutedCall, UNKNOWN};
use super::{Call, CallInput, CallSettings, CallStage};
use crate::codec::CodecKind;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, Ids, MeetingName};
use crate::common::machine::{self, Machine as _, drive};
use crate::common::redact::{Redacted, masked_user};
use crate::media::{Media, PortEvent, PortHandle, Profile, Reserved, Share};
use crate::meeting::{GUEST_QUEUE, MeetingRefusal, MeetingRegistry, ToGuest};
use crate::menu::{Addressed, SharedLockout};
use crate::prompt::Library;
use crate::relay;
use crate::sdp::offer::DEFAULT_PTIME;
use crate::sdp::{LocalCapabilities, Preference};
use crate::sip::{self, Command, Event, Incoming, Proof, Source};
use crate::speech::Synthesizer;
use crate::store;
use crate::telemetry::events::{Draft, EventKind, Events};
use crate::telemetry::metrics::Counted;

/// What may wait for a call. Full: the call is stuck; it is ended as stalled (DESIGN §6).
pub(super) const INBOX: usize = 64;
/// What is kept of that until the call has its media; above it comes nothing that matters.
const EARLY: usize = 16;
/// How long the ACK of a call that shall end is waited for, so that it ends with words: far longer than any way to a phone and back.
const ACK_AWAITED: Duration = Duration::from_secs(2);
/// Characters of a Call-ID that the log shows: enough to find the call in the log of a PBX.
const LOGGED_CALL_ID: usize = 128;

/// What new calls are given, and a reload of the configuration may change: each call keeps what it began with (O-2).
pub struct RuntimeConfig {
    /// Whom we answer.
    pub router: CallRouter,
    /// Organiser PINs by meeting.
    pub pins: Arc<BTreeMap<MeetingName, Redacted<String>>>,
    /// Voices.
    pub library: Arc<Library>,
    /// What reads the chat aloud, where it is configured.
    pub speaker: Option<Synthesizer>,
    /// Codecs, best first.
    pub codecs: Vec<CodecKind>,
}

/// What all calls share.
pub struct CallsSettings {
    /// Names presences, and the calls that we place.
    pub ids: Ids,
    /// What is configured at the moment.
    pub runtime_config: watch::Receiver<Arc<RuntimeConfig>>,
    /// The address for RTP, if not the one that the device's SIP came in on.
    pub address: Option<IpAddr>,
    /// The address that devices are told, behind a NAT.
    pub advertised: Option<IpAddr>,
    /// Addresses of this machine: media goes there only for who is there.
    pub own: Vec<IpAddr>,
    /// Media.
    pub media: Media,
    /// Meetings.
    pub registry: MeetingRegistry,
    /// SIP.
    pub sip: sip::Handle,
    /// Chat by SMS, where a provider is configured.
    pub relay: Option<relay::driver::RelayHandle>,
    /// Wrong codes of late, of calls and pages alike (K-1).
    pub lockout: SharedLockout,
    /// Records.
    pub store: store::StoreHandle,
    /// For those who look after it.
    pub counted: Counted,
    /// What happens (M-17).
    pub raised: Events,
}

/// All calls.
pub struct Calls {
    shared: Arc<CallsShared>,
    invitations: mpsc::Receiver<(CallId, Invitation)>,
    /// How many calls there are, for the drain.
    up: watch::Sender<usize>,
    draining: bool,
}

pub(super) struct CallsShared {
    pub(super) settings: CallsSettings,
    pub(super) calls_up: CallRegistry,
    pub(super) failures: Failures,
    pub(super) past: CallHistory,
    pub(super) inviter: OutboundCalls,
    pub(super) lines: CallLog,
    inboxes: Mutex<HashMap<CallId, mpsc::Sender<CallInput>>>,
}

/// What an operator may see of all calls. Cheap to clone.
#[derive(Clone)]
pub struct CallsView(Arc<CallsShared>);

impl CallsView {
    /// Calls a device into a meeting (S-9). How it goes is told to the invitation's own queue.
    ///
    /// # Errors
    /// [`MeetingRefusal`], when nobody is called.
    pub fn invite(&self, invitation: Invitation) -> Result<CallId, MeetingRefusal> {
        if !self.0.runtime_config().router.devices.contains_key(&invitation.device) {
            return Err(MeetingRefusal::NoSuchDevice);
        }
        self.0.inviter.ask(invitation)
    }

    /// The calls that are up, the oldest first.
    #[must_use]
    pub fn lines(&self) -> Vec<CallEntry> {
        self.0.calls_up.lines()
    }

    /// How far each of them has come.
    #[must_use]
    pub fn stages(&self) -> Vec<CallStage> {
        self.0.calls_up.stages()
    }

    /// One call that is up.
    #[must_use]
    pub fn line(&self, call: CallId) -> Option<CallEntry> {
        self.0.calls_up.line(call)
    }

    /// One of the calls that ended last.
    #[must_use]
    pub fn past(&self, call: CallId) -> Option<EndedCall> {
        self.0.past.find(call)
    }

    /// Ends a call, with spoken words where they can be heard; `false` when it is not there (any more).
    #[must_use]
    pub fn hang_up(&self, call: CallId, cause: Cause) -> bool {
        // A call too busy to hear it ends as stalled.
        self.0.inboxes().get(&call).is_some_and(|inbox| inbox.try_send(CallInput::End(cause)).is_ok())
    }

    /// The calls that went wrong last, the newest first.
    #[must_use]
    pub fn failures(&self) -> Vec<Failure> {
        self.0.failures.all()
    }

    /// Who is locked out after wrong codes (K-1): callers, and meetings that strangers are held up at.
    #[must_use]
    pub fn locked(&self) -> (Vec<Source>, Vec<MeetingName>) {
        self.0.settings.lockout.get().locked(machine::now())
    }

    /// The lock-out itself, for those who take codes elsewhere.
    #[must_use]
    pub fn lockout(&self) -> SharedLockout {
        self.0.settings.lockout.clone()
    }

    /// Unlocks a caller or a meeting; `false` when none of this name was locked.
    #[must_use]
    pub fn lift(&self, name: &str) -> bool {
        self.0.settings.lockout.get().lift(machine::now(), name)
    }
}

impl Calls {
    /// No calls yet.
    #[must_use]
    pub fn new(settings: CallsSettings) -> Self {
        let (invites, invitations) = mpsc::channel(INVITATIONS);
        let inviter = OutboundCalls::new(settings.ids.clone(), invites, settings.media.ports().pairs);
        let (calls_up, inboxes) = (CallRegistry::default(), Mutex::default());
        let (failures, past, lines) = (Failures::default(), CallHistory::default(), CallLog::default());
        let shared = CallsShared { settings, calls_up, failures, past, inviter, lines, inboxes };
        Self { shared: Arc::new(shared), invitations, up: watch::Sender::new(0), draining: false }
    }

    /// How many calls there are.
    #[must_use]
    pub fn up(&self) -> watch::Receiver<usize> {
        self.up.subscribe()
    }

    /// For `status`.
    #[must_use]
    pub fn view(&self) -> CallsView {
        CallsView(Arc::clone(&self.shared))
    }

    /// Serves the endpoint's events until it is gone. `drain` turning true ends every call with spoken words (O-4).
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>, mut drain: watch::Receiver<bool>) {
        let (ended, mut ends) = mpsc::channel::<CallId>(INBOX);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.event(event, &ended).await,
                    None => return,
                },
                Some((call, invitation)) = self.invitations.recv() => self.invite(call, invitation, &ended),
                Some(call) = ends.recv() => {
                    let mut inboxes = self.shared.inboxes();
                    inboxes.remove(&call);
                    self.up.send_replace(inboxes.len());
                }
                Ok(()) = drain.changed(), if !self.draining => {
                    self.draining = *drain.borrow();
                    if self.draining {
                        for inbox in self.shared.inboxes().values() {
                            // A call too busy to hear it is ended by the limit of the drain.
                            let _ = inbox.try_send(CallInput::End(Cause::Draining));
                        }
                    }
                }
            }
        }
    }

    async fn event(&mut self, event: Event, ended: &mpsc::Sender<CallId>) {
        if let Event::Incoming(incoming) = event {
            let call = incoming.call;
            let (inbox, inputs) = self.open_inbox(call);
            let (shared, ended, draining) = (Arc::clone(&self.shared), ended.clone(), self.draining);
            tokio::spawn(async move {
                let refusal = draining.then_some(Cause::Draining);
                shared.serve(*incoming, refusal, inbox, inputs).await;
                let _ = ended.send(call).await;
            });
            return;
        }
        let call = event.call();
        let Some(inbox) = self.shared.inboxes().get(&call).cloned() else { return };
        if inbox.try_send(CallInput::Sip(event)).is_err() && !inbox.is_closed() {
            tracing::error!(%call, cause = %Cause::Stalled, "the call takes no more events");
            self.shared.settings.sip.send(Command::Bye { call, cause: Cause::Stalled }).await;
            self.shared.inboxes().remove(&call);
        }
    }

    fn open_inbox(&self, call: CallId) -> (mpsc::Sender<CallInput>, mpsc::Receiver<CallInput>) {
        let (inbox, inputs) = mpsc::channel(INBOX);
        let mut inboxes = self.shared.inboxes();
        inboxes.insert(call, inbox.clone());
        self.up.send_replace(inboxes.len());
        (inbox, inputs)
    }

    fn invite(&self, call: CallId, invitation: Invitation, ended: &mpsc::Sender<CallId>) {
        if self.draining {
            let _ = invitation.progress.try_send(OutboundProgress::Failed(Cause::Draining));
            return;
        }
        let (inbox, inputs) = self.open_inbox(call);
        let (shared, ended) = (Arc::clone(&self.shared), ended.clone());
        tokio::spawn(async move {
            shared.invite(call, invitation, inbox, inputs).await;
            let _ = ended.send(call).await;
        });
    }
}

/// What comes next for a call that is set up, if it comes by `until`.
async fn next(inputs: &mut mpsc::Receiver<CallInput>, until: Option<Instant>) -> Option<CallInput> {
    match until {
        Some(until) => tokio::time::timeout_at(until.into(), inputs.recv()).await.ok().flatten(),
        None => inputs.recv().await,
    }
}

/// A call with sound both ways.
pub(super) struct EstablishedCall {
    offer_answer: OfferAnswer,
    pub(super) codec: CodecKind,
    port: PortHandle,
    heard: mpsc::Receiver<PortEvent>,
    /// What came while the call was set up: that the gateway stops (O-4), or a request that overtook the ACK.
    early: Vec<CallInput>,
}

impl CallsShared {
    /// What is configured at the moment.
    pub(super) fn runtime_config(&self) -> Arc<RuntimeConfig> {
        Arc::clone(&self.settings.runtime_config.borrow())
    }

    fn inboxes(&self) -> MutexGuard<'_, HashMap<CallId, mpsc::Sender<CallInput>>> {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(
        self: &Arc<Self>,
        incoming: Incoming,
        refusal: Option<Cause>,
        inbox: mpsc::Sender<CallInput>,
        mut inputs: mpsc::Receiver<CallInput>,
    ) {
        let (call, source, began) = (incoming.call, incoming.source, SystemTime::now());
        let dialog: String = incoming.call_id_header.chars().take(LOGGED_CALL_ID).collect();
        let runtime_config = self.runtime_config();
        if incoming.emergency {
            return self.emergency(&incoming, &mut inputs).await;
        }
        let known = runtime_config.router.admit(&incoming);
        let locked = || self.not_locked(&runtime_config.router, known.as_ref().ok()?).err();
        let refused = refusal.or(known.as_ref().err().copied()).or_else(locked);
        let mut guest = match (known, refused) {
            (Ok(guest), None) => guest,
            (known, refused) => {
                let (guest, cause) = (known.ok(), refused.unwrap_or(Cause::Fault));
                let dialled = masked_user(&incoming.request_uri.user_text().unwrap_or_default());
                if let Some(unlogged) = self.lines.refusal(&incoming) {
                    tracing::info!(%call, %source, dialog, dialled, %cause, unlogged, "call refused");
                }
                let device = guest.as_ref().map_or(UNKNOWN, |guest| guest.device.as_str()).to_owned();
                self.failed(Failure { call, device, dialled: Some(dialled), peer: Some(source), cause, at: machine::now() });
                self.settings.sip.send(Command::Reject { call, cause }).await;
                // Strangers leave none: they would fill the store.
                if let Some(guest) = guest {
                    self.record_failed((call, &guest), None, began, cause).await;
                }
                return;
            }
        };
        if let Some(unlogged) = self.lines.line(&guest, CallLine::Began) {
            let transport = incoming.transport.as_str();
            tracing::info!(%call, %source, dialog, device = %guest.device, transport, unlogged, "call");
        }
        let line = self.calls_up.put(CallEntry {
            call,
            device: guest.device.clone(),
            name: guest.name.clone(),
            source,
            transport: incoming.transport,
            stage: CallStage::Answering,
            meeting: None,
            participant: None,
            began: machine::now(),
            admitted: false,
            codec: None,
            port: None,
        });
        let replaced = incoming.replaces.and_then(|replaced| self.calls_up.line(replaced));
        guest.heir_of = replaced.as_ref().and_then(|line| line.participant);
        if let Some(meeting) = replaced.and_then(|line| line.meeting) {
            // M-18: it knocks there anew. That the meeting's code was known has been shown by the call that it takes the place of.
            let passcode = runtime_config.router.directory.by_name(&meeting).and_then(|entry| entry.passcode.clone());
            guest.addressed = Addressed::Meeting { name: meeting, passcode };
        }
        let raise = |what| self.settings.raised.raise(Draft::of(what).call(Some(call)));
        raise(EventKind::Ringing);
        let rang = machine::now();
        match self.establish(&incoming, &mut inputs).await {
            Ok(established) => {
                self.settings.counted.answered_after(machine::now().saturating_duration_since(rang));
                if let Some(replaced) = incoming.replaces.and_then(|replaced| self.inboxes().get(&replaced).cloned()) {
                    // One that is gone meanwhile has nothing more to hear.
                    let _ = replaced.try_send(CallInput::Replaced);
                }
                raise(EventKind::Answered);
                line.change(|line| line.codec = Some(established.codec.row().name));
                self.converse((call, line), source, (guest, None), established, (inbox, inputs), began).await;
            }
            Err(cause) => {
                if let Some(unlogged) = self.lines.line(&guest, CallLine::NotSetUp) {
                    tracing::info!(%call, %cause, unlogged, "call ended before it began");
                }
                self.over(call, &guest.device, Some(source), cause);
                self.ended(call, None, cause);
                self.record_failed((call, &guest), None, began, cause).await;
            }
        }
    }

    /// Says so to who listens (M-17). Who was never let in rang for nobody, and its end is no event.
    pub(super) fn ended(&self, call: CallId, meeting: Option<&MeetingName>, cause: Cause) {
        let draft = Draft::of(EventKind::Ended).call(Some(call)).reason(cause.verdict().label);
        self.settings.raised.raise(match meeting {
            Some(meeting) => draft.meeting(meeting),
            None => draft,
        });
    }

    /// A call is over: counted, and remembered for who asks why it did not work (S-8).
    pub(super) fn over(&self, call: CallId, device: &str, peer: Option<SocketAddr>, cause: Cause) {
        self.failed(Failure { call, device: device.to_owned(), dialled: None, peer, cause, at: machine::now() });
    }

    fn failed(&self, failure: Failure) {
        self.settings.counted.call_ended(failure.cause.verdict().label);
        self.failures.note(failure);
    }

    /// K-1: whoever would be asked for a code that is not looked at is told so at once.
    fn not_locked(&self, router: &CallRouter, guest: &RoutedCall) -> Result<(), Cause> {
        let locked = router.asks_passcode(guest) && self.settings.lockout.get().is_locked(machine::now(), &guest.caller);
        if locked { Err(Cause::TooManyTries) } else { Ok(()) }
    }

    /// Answers, and waits for the ACK: after it the device surely listens.
    async fn establish(&self, incoming: &Incoming, inputs: &mut mpsc::Receiver<CallInput>) -> Result<EstablishedCall, Cause> {
        let call = incoming.call;
        if incoming.requires_100rel {
            self.settings.sip.send(Command::Ring { call }).await;
        }
        match self.answer(incoming).await {
            Ok((offer_answer, reserved, profile)) => self.confirmed(call, offer_answer, reserved, profile, inputs).await,
            Err(cause) => {
                self.settings.sip.send(Command::Reject { call, cause }).await;
                Err(cause)
            }
        }
    }

    /// A port, and a conversation about it in which nothing is agreed on yet.
    /// `local`: our address on the way to the peer; `signalling`: where its SIP comes from, and by what it has proven who it is.
    pub(super) fn prepare(
        &self,
        call: CallId,
        (local, signalling, proof): (IpAddr, IpAddr, Proof),
        share: Share,
    ) -> Result<(OfferAnswer, Reserved), Cause> {
        let local = self.settings.address.unwrap_or(local);
        let reserved = self.settings.media.reserve(local, share).map_err(|error| {
            if let Some(unlogged) = self.lines.no_port() {
                tracing::error!(%call, %error, unlogged, "no media port");
            }
            Cause::NoPorts
        })?;
        let ours = LocalCapabilities {
            address: self.settings.advertised.filter(|_| !local.is_loopback()).unwrap_or(local),
            port: reserved.local().port(),
            codecs: self.runtime_config().codecs.clone(),
            preference: Preference::Offerer,
            ptime: DEFAULT_PTIME,
            session_id: getrandom::u64().map_err(|_| Cause::Fault)? >> 2,
            rtcp_mux: false,
            previous: None,
        };
        let proven = matches!(proof, Proof::Digest | Proof::Certificate | Proof::Registration);
        let own = [&self.settings.own[..], &[local, ours.address]].concat();
        Ok((OfferAnswer::new(ours, RemoteMedia { signalling, proven, own }), reserved))
    }

    async fn answer(&self, incoming: &Incoming) -> Result<(OfferAnswer, Reserved, Option<Profile>), Cause> {
        let (call, share) = (incoming.call, self.runtime_config().router.share(incoming));
        let far = (incoming.local.ip(), incoming.source.ip(), incoming.proof);
        let (mut offer_answer, reserved) = self.prepare(call, far, share)?;
        let (sdp, profile) = match &incoming.offer {
            Some(offer) => offer_answer.offered(offer).map(|(profile, sdp)| (sdp, Some(profile)))?,
            None => (offer_answer.offer(), None),
        };
        self.settings.sip.send(Command::Answer { call, sdp }).await;
        Ok((offer_answer, reserved, profile))
    }

    async fn confirmed(
        &self,
        call: CallId,
        mut offer_answer: OfferAnswer,
        reserved: Reserved,
        profile: Option<Profile>,
        inputs: &mut mpsc::Receiver<CallInput>,
    ) -> Result<EstablishedCall, Cause> {
        let mut early = Vec::new();
        // Why the call shall end, and until when its ACK is waited for then.
        let mut ends: Option<(Cause, Instant)> = None;
        let answer = loop {
            let Some(input) = next(inputs, ends.map(|(_, until)| until)).await else {
                // A BYE may not go before the ACK (RFC 3261 section 15): the endpoint keeps it until then, and nobody here waits for it.
                let cause = ends.map_or(Cause::Fault, |(cause, _)| cause);
                self.settings.sip.send(Command::Bye { call, cause }).await;
                return Err(cause);
            };
            match input {
                CallInput::Sip(Event::Acked { sdp, .. }) => break sdp,
                CallInput::Sip(Event::Ended { cause, .. }) => return Err(cause),
                CallInput::Sip(Event::Cancelled { .. }) => return Err(Cause::Cancelled),
                CallInput::End(cause) if ends.is_none() => {
                    ends = Some((cause, machine::now() + ACK_AWAITED));
                    early.push(CallInput::End(cause));
                }
                CallInput::End(_) => {}
                other if early.len() < EARLY => early.push(other),
                _ => {}
            }
        };
        let agreed = match (profile, answer) {
            (Some(profile), _) => Ok(profile),
            (None, Some(answer)) => offer_answer.answered(&answer),
            (None, None) => Err(Cause::NoCommonCodec),
        };
        self.opened(call, offer_answer, reserved, agreed, early).await
    }

    /// Opens the port as agreed, or hangs up.
    pub(super) async fn opened(
        &self,
        call: CallId,
        offer_answer: OfferAnswer,
        reserved: Reserved,
        agreed: Result<Profile, Cause>,
        early: Vec<CallInput>,
    ) -> Result<EstablishedCall, Cause> {
        let (says, heard) = mpsc::channel(INBOX);
        let opened = match agreed {
            Ok(profile) => match self.settings.media.open_port(reserved, profile, says).await {
                Ok(port) => Ok((port, profile.codec)),
                Err(error) => {
                    tracing::error!(%call, %error, "media");
                    Err(Cause::Fault)
                }
            },
            Err(cause) => Err(cause),
        };
        match opened {
            Ok((port, codec)) => Ok(EstablishedCall { offer_answer, codec, port, heard, early }),
            Err(cause) => {
                self.settings.sip.send(Command::Bye { call, cause }).await;
                Err(cause)
            }
        }
    }

    /// `asked`: whoever has called the device into its meeting.
    pub(super) async fn converse(
        self: &Arc<Self>,
        (call, line): (CallId, OwnCallEntry),
        source: SocketAddr,
        (guest, asked): (RoutedCall, Option<mpsc::Sender<OutboundProgress>>),
        established: EstablishedCall,
        (inbox, mut inputs): (mpsc::Sender<CallInput>, mpsc::Receiver<CallInput>),
        began: SystemTime,
    ) {
        let EstablishedCall { offer_answer, codec, port, mut heard, early } = established;
        let (to_guest, mut words) = mpsc::channel::<ToGuest>(GUEST_QUEUE);
        let forward = inbox.clone();
        let forwarder = tokio::spawn(async move {
            loop {
                let input = tokio::select! {
                    Some(heard) = heard.recv() => CallInput::Heard(heard.heard),
                    Some(word) = words.recv() => CallInput::Meeting(word),
                    else => return,
                };
                if forward.send(input).await.is_err() {
                    return;
                }
            }
        });
        let runtime_config = self.runtime_config();
        line.change(|line| line.port = Some(port.clone()));
        let settings = CallSettings {
            call,
            device: guest.device.clone(),
            name: guest.name.clone(),
            text: guest.text,
            speaks: runtime_config.speaker.is_some(),
            chat: self.settings.relay.as_ref().map(relay::driver::RelayHandle::home),
            addressed: guest.addressed.clone(),
            directory: Arc::clone(&runtime_config.router.directory),
            pins: Arc::clone(&runtime_config.pins),
            library: Arc::clone(&runtime_config.library),
            language: guest.language.clone(),
            offer_answer,
        };
        let (shared, meeting, who) = (Arc::clone(self), None, None);
        let hushed = false;
        let effects =
            CallEffects { shared, runtime_config, call, line, source, guest, port, inbox, to_guest, meeting, who, asked, hushed };
        let mut driven = DrivenCall { machine: Call::new(machine::now(), settings), effects, summary: None };
        for input in early {
            driven.machine.handle(machine::now(), input);
        }
        drive(&mut driven, &mut inputs).await;
        forwarder.abort();
        if let Some(summary) = &driven.summary {
            driven.effects.report(OutboundProgress::Failed(summary.cause));
            driven.effects.record(began, codec, summary).await;
        }
    }
}
