//! The calls of this gateway: takes them from the SIP endpoint, gives each a task, and brings each what is its own.
#![allow(clippy::disallowed_methods, reason = "these tasks drive machines: they have the clock and are spawned here")]

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, watch};

use super::admit::{Doors, Guest};
use super::board::{Board, CallLine, OwnLine};
use super::talk::Talk;
use super::{Act, Call, CallSettings, Input, Stage, Summary};
use crate::cause::Cause;
use crate::codec::CodecKind;
use crate::ids::{CallId, MeetingName, ParticipantId};
use crate::machine::{self, Flow, Machine as _, Owner, drive};
use crate::media::{Media, PortHandle, PortHeard, Profile, Reserved};
use crate::meeting::{FromGuest, GUEST_QUEUE, Knock, MeetingHandle, Registry, ToGuest};
use crate::menu::Lockout;
use crate::phrase::Phrase;
use crate::prompt::Library;
use crate::redact::Redacted;
use crate::sdp::offer::DEFAULT_PTIME;
use crate::sdp::{Ours, Preference};
use crate::sip::{self, Command, Event, Incoming};
use crate::store::{self, CallRecord};

/// What may wait for a call. Full: the call is stuck; it is ended as stalled (DESIGN §6).
pub(super) const INBOX: usize = 64;

/// What all calls share.
pub struct CallsSettings {
    /// Whom we answer.
    pub doors: Doors,
    /// Organiser PINs by meeting.
    pub pins: Arc<BTreeMap<MeetingName, Redacted<String>>>,
    /// Voices.
    pub library: Arc<Library>,
    /// Codecs, best first.
    pub codecs: Vec<CodecKind>,
    /// The address for RTP, if not the one that the device's SIP came in on.
    pub address: Option<IpAddr>,
    /// The address that devices are told, behind a NAT.
    pub advertised: Option<IpAddr>,
    /// Media.
    pub media: Media,
    /// Meetings.
    pub registry: Registry,
    /// SIP.
    pub sip: sip::Handle,
    /// Records.
    pub store: store::Handle,
}

/// All calls.
pub struct Calls {
    shared: Arc<Shared>,
    inboxes: HashMap<CallId, mpsc::Sender<Input>>,
    /// How many calls there are, for the drain.
    up: watch::Sender<usize>,
    draining: bool,
}

pub(super) struct Shared {
    pub(super) settings: CallsSettings,
    lockout: Mutex<Lockout>,
    board: Board,
}

/// What an operator may see of all calls. Cheap to clone.
#[derive(Clone)]
pub struct CallsView(Arc<Shared>);

impl CallsView {
    /// The calls that are up, the oldest first.
    #[must_use]
    pub fn lines(&self) -> Vec<CallLine> {
        self.0.board.lines()
    }

    /// Who is locked out after wrong codes (K-1): sources and meetings.
    #[must_use]
    pub fn locked(&self) -> (Vec<IpAddr>, Vec<MeetingName>) {
        self.0.lockout.lock().unwrap_or_else(PoisonError::into_inner).locked(machine::now())
    }

    /// Unlocks a source or a meeting; `false` when none of this name was locked.
    #[must_use]
    pub fn lift(&self, name: &str) -> bool {
        self.0.lockout.lock().unwrap_or_else(PoisonError::into_inner).lift(machine::now(), name)
    }
}

impl Calls {
    /// No calls yet.
    #[must_use]
    pub fn new(settings: CallsSettings) -> Self {
        let shared = Shared { settings, lockout: Mutex::default(), board: Board::default() };
        Self { shared: Arc::new(shared), inboxes: HashMap::new(), up: watch::Sender::new(0), draining: false }
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
                Some(call) = ends.recv() => {
                    self.inboxes.remove(&call);
                    self.up.send_replace(self.inboxes.len());
                }
                Ok(()) = drain.changed(), if !self.draining => {
                    self.draining = *drain.borrow();
                    if self.draining {
                        for inbox in self.inboxes.values() {
                            // A call too busy to hear it is ended by the limit of the drain.
                            let _ = inbox.try_send(Input::Drain);
                        }
                    }
                }
            }
        }
    }

    async fn event(&mut self, event: Event, ended: &mpsc::Sender<CallId>) {
        if let Event::Incoming(incoming) = event {
            let call = incoming.call;
            let (inbox, inputs) = mpsc::channel(INBOX);
            self.inboxes.insert(call, inbox.clone());
            self.up.send_replace(self.inboxes.len());
            let (shared, ended, draining) = (Arc::clone(&self.shared), ended.clone(), self.draining);
            tokio::spawn(async move {
                let refusal = draining.then_some(Cause::Draining);
                shared.serve(*incoming, refusal, inbox, inputs).await;
                let _ = ended.send(call).await;
            });
            return;
        }
        let call = event.call();
        let Some(inbox) = self.inboxes.get(&call) else { return };
        if inbox.try_send(Input::Sip(event)).is_err() && !inbox.is_closed() {
            tracing::error!(%call, cause = %Cause::Stalled, "the call takes no more events");
            self.shared.settings.sip.send(Command::Bye { call, cause: Cause::Stalled }).await;
            self.inboxes.remove(&call);
        }
    }
}

/// A call with sound both ways.
struct Established {
    talk: Talk,
    codec: CodecKind,
    port: PortHandle,
    heard: mpsc::Receiver<PortHeard>,
    /// The gateway began to stop while the call was set up (O-4).
    drained: bool,
}

impl Shared {
    async fn serve(
        self: &Arc<Self>,
        incoming: Incoming,
        refusal: Option<Cause>,
        inbox: mpsc::Sender<Input>,
        mut inputs: mpsc::Receiver<Input>,
    ) {
        let (call, source, began) = (incoming.call, incoming.source, SystemTime::now());
        if self.settings.doors.emergency.is_meant(&incoming.request_uri) {
            return self.emergency(&incoming, &mut inputs).await;
        }
        let admitted = match refusal {
            Some(cause) => Err(cause),
            None => self.settings.doors.admit(&incoming).and_then(|guest| self.not_locked(&incoming).map(|()| guest)),
        };
        let guest = match admitted {
            Ok(guest) => guest,
            Err(cause) => {
                tracing::info!(%call, %source, %cause, "call refused");
                self.settings.sip.send(Command::Reject { call, cause }).await;
                return;
            }
        };
        tracing::info!(%call, %source, device = %guest.device, transport = ?incoming.transport, "call");
        let line = self.board.put(CallLine {
            call,
            device: guest.device.clone(),
            name: guest.name.clone(),
            source,
            transport: incoming.transport,
            stage: Stage::Answering,
            meeting: None,
            participant: None,
            began: machine::now(),
            codec: None,
        });
        match self.establish(&incoming, &mut inputs).await {
            Ok(established) => {
                line.change(|line| line.codec = Some(established.codec.row().name));
                self.converse((call, line), source.ip(), guest, established, (inbox, inputs), began).await;
            }
            Err(cause) => tracing::info!(%call, %cause, "call ended before it began"),
        }
    }

    fn not_locked(&self, incoming: &Incoming) -> Result<(), Cause> {
        if self.allowed(incoming.source.ip(), None) { Ok(()) } else { Err(Cause::TooManyTries) }
    }

    fn allowed(&self, source: IpAddr, meeting: Option<&MeetingName>) -> bool {
        self.lockout.lock().unwrap_or_else(PoisonError::into_inner).allowed(machine::now(), source, meeting)
    }

    /// Answers, and waits for the ACK: after it the device surely listens.
    async fn establish(&self, incoming: &Incoming, inputs: &mut mpsc::Receiver<Input>) -> Result<Established, Cause> {
        let call = incoming.call;
        if incoming.requires_100rel {
            self.settings.sip.send(Command::Ring { call }).await;
        }
        match self.answer(incoming).await {
            Ok((talk, reserved, profile)) => self.confirmed(call, talk, reserved, profile, inputs).await,
            Err(cause) => {
                self.settings.sip.send(Command::Reject { call, cause }).await;
                Err(cause)
            }
        }
    }

    /// A port, and a conversation about it in which nothing is agreed on yet.
    pub(super) fn prepare(&self, incoming: &Incoming) -> Result<(Talk, Reserved), Cause> {
        let call = incoming.call;
        let local = self.settings.address.unwrap_or(incoming.local.ip());
        let reserved = self.settings.media.reserve(local).map_err(|error| {
            tracing::error!(%call, %error, "no media port");
            Cause::NoPorts
        })?;
        let ours = Ours {
            address: self.settings.advertised.filter(|_| !local.is_loopback()).unwrap_or(local),
            port: reserved.local().port(),
            codecs: self.settings.codecs.clone(),
            preference: Preference::Offerer,
            ptime: DEFAULT_PTIME,
            session_id: getrandom::u64().map_err(|_| Cause::Fault)? >> 2,
            rtcp_mux: false,
            previous: None,
        };
        Ok((Talk::new(ours, incoming.source.ip()), reserved))
    }

    async fn answer(&self, incoming: &Incoming) -> Result<(Talk, Reserved, Option<Profile>), Cause> {
        let call = incoming.call;
        let (mut talk, reserved) = self.prepare(incoming)?;
        let (sdp, profile) = match &incoming.offer {
            Some(offer) => talk.offered(offer).map(|(profile, sdp)| (sdp, Some(profile)))?,
            None => (talk.offer(), None),
        };
        self.settings.sip.send(Command::Answer { call, sdp }).await;
        Ok((talk, reserved, profile))
    }

    async fn confirmed(
        &self,
        call: CallId,
        mut talk: Talk,
        reserved: Reserved,
        profile: Option<Profile>,
        inputs: &mut mpsc::Receiver<Input>,
    ) -> Result<Established, Cause> {
        let mut drained = false;
        let answer = loop {
            match inputs.recv().await {
                Some(Input::Drain) => drained = true,
                Some(Input::Sip(Event::Acked { sdp, .. })) => break sdp,
                Some(Input::Sip(Event::Ended { cause, .. })) => return Err(cause),
                Some(Input::Sip(Event::Cancelled { .. })) => return Err(Cause::Cancelled),
                None => return Err(Cause::Fault),
                Some(_) => {}
            }
        };
        let agreed = match (profile, answer) {
            (Some(profile), _) => Ok(profile),
            (None, Some(answer)) => talk.answered(&answer),
            (None, None) => Err(Cause::NoCommonCodec),
        };
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
            Ok((port, codec)) => Ok(Established { talk, codec, port, heard, drained }),
            Err(cause) => {
                self.settings.sip.send(Command::Bye { call, cause }).await;
                Err(cause)
            }
        }
    }

    async fn converse(
        self: &Arc<Self>,
        (call, line): (CallId, OwnLine),
        source: IpAddr,
        guest: Guest,
        established: Established,
        (inbox, mut inputs): (mpsc::Sender<Input>, mpsc::Receiver<Input>),
        began: SystemTime,
    ) {
        let Established { talk, codec, port, mut heard, drained } = established;
        let (to_guest, mut words) = mpsc::channel::<ToGuest>(GUEST_QUEUE);
        let forward = inbox.clone();
        let forwarder = tokio::spawn(async move {
            loop {
                let input = tokio::select! {
                    Some(heard) = heard.recv() => Input::Heard(heard.heard),
                    Some(word) = words.recv() => Input::Meeting(word),
                    else => return,
                };
                if forward.send(input).await.is_err() {
                    return;
                }
            }
        });
        let settings = CallSettings {
            call,
            addressed: guest.addressed.clone(),
            directory: Arc::clone(&self.settings.doors.directory),
            pins: Arc::clone(&self.settings.pins),
            library: Arc::clone(&self.settings.library),
            language: guest.language.clone(),
            talk,
        };
        let hands =
            Hands { shared: Arc::clone(self), call, line, source, guest, port, inbox, to_guest, meeting: None, who: None };
        let mut driven = Driven { machine: Call::new(machine::now(), settings), hands, summary: None };
        if drained {
            driven.machine.handle(machine::now(), Input::Drain);
        }
        drive(&mut driven, &mut inputs).await;
        forwarder.abort();
        if let Some(summary) = &driven.summary {
            driven.hands.record(began, codec, summary).await;
        }
    }
}

/// A call's machine with its hands.
struct Driven {
    machine: Call,
    hands: Hands,
    summary: Option<Box<Summary>>,
}

impl Owner for Driven {
    type Machine = Call;

    fn machine(&mut self) -> &mut Call {
        &mut self.machine
    }

    async fn perform(&mut self, act: Act) -> Flow {
        if let Act::Done(summary) = act {
            self.summary = Some(summary);
            return Flow::Stop;
        }
        let stage = self.machine.stage();
        self.hands.line.change(|line| line.stage = stage);
        self.hands.perform(act).await;
        Flow::Continue
    }
}

/// What a call does its acts with.
struct Hands {
    shared: Arc<Shared>,
    call: CallId,
    line: OwnLine,
    source: IpAddr,
    guest: Guest,
    port: PortHandle,
    inbox: mpsc::Sender<Input>,
    to_guest: mpsc::Sender<ToGuest>,
    meeting: Option<MeetingHandle>,
    who: Option<ParticipantId>,
}

impl Hands {
    async fn perform(&mut self, act: Act) {
        let settings = &self.shared.settings;
        match act {
            Act::Sip(command) => settings.sip.send(command).await,
            Act::Play(play) => self.port.play(play).await,
            Act::StopPrompts => self.port.stop_prompts().await,
            Act::Music(on) => self.port.music(settings.library.music().filter(|_| on)).await,
            Act::Reprofile(profile) => self.port.reprofile(profile).await,
            Act::Knock(meeting) => self.knock(&meeting).await,
            Act::Guest(what) => self.tell_meeting(what).await,
            Act::WrongTry(meeting) => {
                tracing::warn!(call = %self.call, source = %self.source, meeting = meeting.as_ref().map(tracing::field::display), "wrong code");
                self.shared.lockout.lock().unwrap_or_else(PoisonError::into_inner).wrong(
                    machine::now(),
                    self.source,
                    meeting.as_ref(),
                );
                if !self.shared.allowed(self.source, meeting.as_ref()) {
                    self.back(Input::LockedOut);
                }
            }
            Act::ClosePort => self.port.close().await,
            Act::Done(_) => {}
        }
    }

    async fn knock(&mut self, name: &MeetingName) {
        if !self.shared.allowed(self.source, Some(name)) {
            self.back(Input::LockedOut);
            return;
        }
        let settings = &self.shared.settings;
        // A meeting may end between being found and being knocked at; the next one of its name is a new one.
        for _ in 0..2 {
            let Some(meeting) = settings.registry.open(name).await else { break };
            let who = ParticipantId::next();
            let knock = Knock {
                who,
                call: self.call,
                name: self.guest.name.clone(),
                device: self.guest.device.clone(),
                // What is really spoken: a language without this prompt falls back, and the ledger must say so (N-8).
                language: settings.library.spoken_in(&self.guest.language, Phrase::RecordingStarted).to_string(),
                port: self.port.clone(),
                to_guest: self.to_guest.clone(),
            };
            if meeting.knock(knock).await {
                tracing::info!(call = %self.call, meeting = %name, participant = %who, "knocks");
                self.line.change(|line| (line.meeting, line.participant) = (Some(name.clone()), Some(who)));
                self.meeting = Some(meeting);
                self.who = Some(who);
                return;
            }
        }
        self.back(Input::NoMeeting);
    }

    /// An answer of our own making to the machine; its inbox has room, since this task is the one that empties it.
    fn back(&self, input: Input) {
        if self.inbox.try_send(input).is_err() {
            tracing::error!(call = %self.call, cause = %Cause::Stalled, "the call's own queue is full");
        }
    }

    async fn tell_meeting(&mut self, what: FromGuest) {
        if let (Some(meeting), Some(who)) = (&self.meeting, self.who) {
            meeting.guest(who, what).await;
        }
    }

    async fn record(&self, began: SystemTime, codec: CodecKind, summary: &Summary) {
        let ended = SystemTime::now();
        let at = |instant: Instant| ended.checked_sub(summary.ended.saturating_duration_since(instant)).map(millis);
        tracing::info!(
            call = %self.call,
            cause = %summary.cause,
            received = summary.stats.received,
            sent = summary.stats.sent,
            lost = summary.stats.lost,
            mos = summary.stats.mos,
            "call ended"
        );
        let heard = summary.stats.received > 0;
        let record = CallRecord {
            call: self.call.to_string(),
            device: self.guest.device.clone(),
            meeting: summary.meeting.as_ref().map(ToString::to_string),
            started_at: millis(began),
            answered_at: at(summary.answered),
            lobby_at: summary.knocked.and_then(at),
            admitted_at: summary.admitted.and_then(at),
            joined_at: summary.admitted.and_then(at),
            left_at: at(summary.ended),
            codec: Some(codec.row().name.to_owned()),
            packets: summary.stats.received,
            lost: summary.stats.lost,
            jitter_ms: heard.then_some(summary.stats.jitter.as_secs_f64() * 1000.0),
            mos: heard.then_some(f64::from(summary.stats.mos)),
            notices: summary.notices,
            end_reason: summary.cause.verdict().label.to_owned(),
        };
        if let Err(error) = self.shared.settings.store.record(record).await {
            tracing::error!(call = %self.call, %error, "the call record could not be written");
        }
    }
}

/// Milliseconds since 1970.
fn millis(at: SystemTime) -> u64 {
    u64::try_from(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
