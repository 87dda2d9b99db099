//! [`Endpoint`]: gives each message, command and deadline to whom it belongs. What is done with it is the business of the transaction layer below, of
//! sessions and usages beside each other above it.

use std::sync::Arc;
use std::time::Instant;

use super::access::address_verification::{AddressProof, AddressVerification};
use super::access::admission::{AdmissionControl, Passed, Subject};
use super::access::authentication::Authentication;
use super::access::directory::{PeerDirectory, Sender};
use super::access::identity::Identity;
use super::access::source::Source;
use super::core::Core;
use super::counters::count;
use super::device_target;
use super::dialog::DialogKey;
use super::invite::{Invitation, InviteSessions, SessionInput, SessionNews, invite};
use super::message::StatusCode;
use super::outbound;
use super::reason;
use super::registration::AccountStanding;
use super::token::Token;
use super::transaction::{Answer, InboundRequest, TransactionEvent};
use super::usage::{Admitted, Environment, Usage};
use super::usages::Usages;
use super::{
    CallTarget, Change, Command, ConnectionId, Counters, Input, LadderLine, Load, Method, Output, PeerStanding, Settings, Uri,
};
use crate::common::cause::Cause;
use crate::common::ids::CallId;
use crate::common::machine::Machine;

/// The SIP machine.
#[derive(Debug)]
pub struct Endpoint {
    pub(super) core: Core,
    authentication: Authentication,
    verification: AddressVerification,
    pub(super) sessions: InviteSessions,
    pub(super) usages: Usages,
}

impl Endpoint {
    /// An endpoint without calls.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            authentication: Authentication::new(&settings),
            verification: AddressVerification::default(),
            sessions: InviteSessions::default(),
            usages: Usages::new(&settings),
            core: Core::new(settings),
        }
    }

    /// What was counted so far; shared with the endpoint.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.core.counters)
    }

    /// What it holds now.
    #[must_use]
    pub fn load(&self) -> Load {
        let ((calls, timers), (transactions, more, connections)) = (self.sessions.load(), self.core.layer.load());
        let waiting = self.usages.timers() + self.verification.waiting();
        Load { calls, transactions, timers: timers + more + waiting, connections }
    }

    /// Sources that are silenced, for `status`.
    #[must_use]
    pub fn silenced(&self, now: Instant) -> Vec<Source> {
        self.authentication.guard.silenced(now)
    }

    /// Hears a silenced source again; `false` when it was not silenced.
    pub fn lift(&mut self, now: Instant, source: &Source) -> bool {
        self.authentication.guard.lift(now, source)
    }

    /// Where registered devices are to be found.
    #[must_use]
    pub fn registrations(&self, now: Instant) -> Vec<Change> {
        self.usages.registered.registrar().all(now)
    }

    /// How all registrations of ours stand that are configured; at the stop of the daemon, how they are taken back.
    #[must_use]
    pub fn accounts(&self, now: Instant) -> Vec<AccountStanding> {
        self.usages.registrations.status(now)
    }

    /// Nothing is registered any more, or on its way to be.
    #[must_use]
    pub fn has_signed_off(&self) -> bool {
        self.usages.registrations.has_signed_off()
    }

    /// The last messages of a call, oldest first; of those that are over, the latest are remembered.
    #[must_use]
    pub fn ladder(&self, call: CallId) -> Vec<LadderLine> {
        self.sessions.ladder(call)
    }

    /// The Call-ID of a call that is up.
    #[must_use]
    pub fn dialog(&self, call: CallId) -> Option<String> {
        self.sessions.get(call).map(|session| session.dialog().call_id().to_owned())
    }

    /// Where a device could be called now; `None`: nowhere.
    #[must_use]
    pub fn call_target(&self, device: &str) -> Option<CallTarget> {
        device_target::find(&self.core, self.usages.directory(), device).map(|target| target.public())
    }

    /// Calls that are not over.
    #[must_use]
    pub fn live_calls(&self) -> usize {
        self.sessions.count_live()
    }

    /// Whether no call is up, and each request of ours in one has its final response or has been given up.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.live_calls() == 0 && !self.core.layer.is_pending(|token| matches!(token, Token::Session(..)))
    }

    /// Whether nothing is left: no call, no transaction, no deadline.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let waits = self.verification.waiting() + self.usages.timers() > 0;
        self.sessions.is_empty() && self.usages.subscriptions.is_empty() && self.core.layer.is_empty() && !waits
    }

    /// Whether a connection carries a call or leads to a device that is registered or subscribed, so that it must not be closed for silence.
    #[must_use]
    pub fn uses(&self, connection: ConnectionId) -> bool {
        self.sessions.uses(connection) || self.usages.all().iter().any(|usage| usage.uses(connection))
    }

    /// What is known of whoever is at the other end of a connection.
    #[must_use]
    pub fn standing(&self, connection: ConnectionId) -> PeerStanding {
        self.core.standing(connection)
    }

    /// The usages, and what they work with.
    fn usages(&mut self, now: Instant) -> (&mut Usages, Environment<'_>) {
        let Self { core, sessions, usages, .. } = self;
        (usages, Environment { now, core, sessions })
    }

    /// Tells all usages.
    fn tell_all(&mut self, now: Instant, what: impl FnMut(&mut dyn Usage, &mut Environment<'_>)) {
        let (usages, mut env) = self.usages(now);
        usages.tell(&mut env, what);
    }

    fn admission(&mut self, now: Instant) -> AdmissionControl<'_> {
        let Self { core, authentication, verification, sessions, usages } = self;
        AdmissionControl { now, core, sessions, authentication, verification, directory: usages.directory() }
    }

    // === requests of peers ===

    fn request(&mut self, now: Instant, inbound: Box<InboundRequest>) {
        let essentials = &inbound.essentials;
        let dialog = essentials.to.tag().map(|_| DialogKey::of_request(essentials));
        let subject = match &dialog {
            None => Subject::Outside,
            Some(dialog) => match (self.sessions.find(dialog), self.usages.peer_in(dialog)) {
                (Some(call), _) => Subject::Call(call),
                (None, Some(peer)) => Subject::OtherUsage(Box::new(peer.clone())),
                (None, None) => Subject::Unknown,
            },
        };
        let Some(Passed { sender, verification, is_for_help, refusal }) = self.admission(now).admit(&inbound, &subject) else {
            return;
        };
        let server = self.core.layer.accept(&inbound);
        if let Some(refusal) = refusal {
            return self.core.respond(now, server, refusal);
        }
        let admitted = Admitted { server, inbound, identity: sender.identity, proof: sender.proof };
        match (subject, dialog) {
            (Subject::Outside, _) if verification == AddressProof::Wanted => {
                self.verification.hold(now, &mut self.core, admitted)
            }
            _ if admitted.inbound.request.method == Method::Cancel => {
                self.sessions.cancel(now, &mut self.core, server, &admitted.inbound);
            }
            (Subject::Call(call), _) => self.request_in_call(now, call, admitted),
            (Subject::OtherUsage(_), Some(dialog)) => self.tell_all(now, |usage, env| {
                if usage.peer_in(&dialog).is_some() {
                    usage.in_dialog(env, &dialog, server, &admitted.inbound);
                }
            }),
            (Subject::Outside, _) => self.request_outside(now, admitted, is_for_help),
            (Subject::Unknown | Subject::OtherUsage(_), _) => {
                self.core.refuse_unknown(now, server, &admitted.inbound.request.method)
            }
        }
    }

    /// A request that begins something.
    fn request_outside(&mut self, now: Instant, admitted: Admitted, is_for_help: bool) {
        let (usages, mut env) = self.usages(now);
        let Some(admitted) = usages.offer(&mut env, admitted, |usage, env, admitted| usage.request(env, admitted)) else {
            return;
        };
        let server = admitted.server;
        match &admitted.inbound.request.method {
            Method::Options if !self.is_reachable(&admitted.inbound) => {
                self.core.respond(now, server, reason::refusal(StatusCode::NotFound, Cause::UnknownAddress));
            }
            Method::Options => self.core.answer_options(now, server),
            Method::Invite => {
                let InboundRequest { flow, request, .. } = &*admitted.inbound;
                let caller = PeerDirectory::caller(&self.core, flow, admitted.identity.as_ref(), request);
                let has_answered = |peer| self.verification.is_proven(now, peer);
                let invitation = Invitation { admitted, caller, is_for_help, has_answered: &has_answered };
                invite(now, &mut self.core, &mut self.sessions, invitation);
            }
            Method::Refer => self.core.forbid(now, server),
            _ => self.core.refuse_unknown(now, server, &admitted.inbound.request.method),
        }
    }

    /// Whether an INVITE to the target of an OPTIONS would be taken (section 11.2). To a sender that may not call, each user is unknown.
    fn is_reachable(&self, inbound: &InboundRequest) -> bool {
        let InboundRequest { flow, request, .. } = inbound;
        let Some(reachable) = self.core.settings.reachable.as_ref().filter(|_| !self.core.is_draining) else { return true };
        let user = Uri::parse(&request.uri).and_then(|uri| uri.user_text()).unwrap_or_default();
        let directory = self.usages.directory();
        let is_taken = match directory.at(&self.core, flow, request) {
            // What a PBX asks for is its own number for us, if nothing else.
            Some(Sender { identity: Some(Identity::Account(_)), .. }) => true,
            Some(_) => reachable.contains(&user),
            None => false,
        };
        is_taken || user.is_empty() || directory.registrations.called(request).is_some()
    }

    fn request_in_call(&mut self, now: Instant, call: CallId, admitted: Admitted) {
        let Admitted { server, inbound, .. } = admitted;
        let referee = self.usages.directory().referee(&self.core, &inbound.flow, &inbound.request);
        self.sessions.request(now, &mut self.core, call, (server, inbound), referee);
    }

    fn ack(&mut self, now: Instant, ack: &InboundRequest) {
        let call = self.sessions.find(&DialogKey::of_request(&ack.essentials));
        if self.admission(now).may_acknowledge(ack, call) {
            self.core.layer.acknowledge(now, ack);
            self.sessions.acknowledge(now, &mut self.core, ack);
        }
    }

    // === what the layer and the sessions tell ===

    /// Goes on until nobody has anything to tell any more.
    fn run(&mut self, now: Instant) {
        loop {
            if let Some(event) = self.core.layer.event() {
                self.transaction_event(now, event);
            } else if let Some(news) = self.sessions.progress(now, &mut self.core) {
                self.session_news(now, news);
            } else if let Some(event) = self.core.layer.event() {
                // What the sessions have sent just now: it is traced at this time and not with the next input.
                self.transaction_event(now, event);
            } else {
                return self.sessions.settle();
            }
        }
    }

    fn transaction_event(&mut self, now: Instant, event: TransactionEvent<Token>) {
        match event {
            TransactionEvent::Request(inbound) => self.request(now, inbound),
            TransactionEvent::Ack(ack) => self.ack(now, &ack),
            TransactionEvent::Incomplete { flow, request, header } => self.admission(now).incomplete(flow, *request, header),
            TransactionEvent::Malformed { flow, bytes, error } => self.admission(now).malformed(flow, &bytes, error),
            // Who waits outside of calls waits for what is final.
            TransactionEvent::Response { token, answer } if answer.is_final() || token.is_session() => {
                self.response(now, token, Some(answer))
            }
            TransactionEvent::Response { .. } => {}
            TransactionEvent::Timeout { token } => self.response(now, token, None),
            TransactionEvent::Closed { token } => self.sessions.closed(now, token),
            TransactionEvent::Stray(answer) => {
                if let Some(admitted) = self.verification.answered(now, &answer) {
                    self.request_outside(now, admitted, false);
                }
            }
            TransactionEvent::Traced { token, inbound, flow, message } => {
                self.sessions.traced(now, &mut self.core, token, inbound, (flow, *message));
            }
            // A new connection is made to whom we know, since the port stands in the request alone.
            TransactionEvent::Undeliverable { flow, bytes } => {
                if self.core.is_trusted(&flow) || self.usages.directory().is_home(&flow) {
                    self.core.layer.reconnect(flow, bytes);
                }
            }
        }
    }

    fn response(&mut self, now: Instant, token: Token, answer: Option<Box<Answer>>) {
        let Token::Session(call, part) = token else {
            return self.tell_all(now, |usage, env| usage.response(env, token, answer.as_deref()));
        };
        let input = match answer {
            Some(answer) => SessionInput::Response { part, answer },
            None => SessionInput::Timeout { part },
        };
        self.sessions.handle(now, call, input);
    }

    fn session_news(&mut self, now: Instant, news: SessionNews) {
        match news {
            SessionNews::Over(call) => self.tell_all(now, |usage, env| usage.call_over(env, call)),
            SessionNews::Foreign { call, server, inbound } => {
                let (usages, mut env) = self.usages(now);
                let offer = |usage: &mut dyn Usage, env: &mut Environment<'_>, ()| {
                    (!usage.in_call(env, call, server, &inbound)).then_some(())
                };
                let unclaimed = usages.offer(&mut env, (), offer);
                if unclaimed.is_some() {
                    self.core.refuse_method(now, server, &inbound.request.method);
                }
            }
        }
    }

    fn command(&mut self, now: Instant, command: Command) {
        let (usages, mut env) = self.usages(now);
        let Some(command) = usages.offer(&mut env, command, |usage, env, command| usage.command(env, command)) else { return };
        if let Some(call) = command.call_in_place() {
            if matches!(command, Command::Bye { cause: Cause::Stalled, .. }) {
                count(&self.core.counters.stalled);
            }
            return self.sessions.handle(now, call, SessionInput::Command(command));
        }
        match command {
            Command::Drain(on) => self.core.is_draining = on,
            Command::Reconfigure(settings) => {
                self.core.settings.adopt(&settings);
                self.authentication.reconfigure(&settings);
                self.sessions.reconfigure(settings.session_timers);
                self.tell_all(now, |usage, env| usage.reconfigured(env));
            }
            command => {
                outbound::perform(now, &mut self.core, &mut self.sessions, self.usages.directory(), command);
            }
        }
    }
}

impl Machine for Endpoint {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Received { flow, bytes } => {
                let limits = self.core.settings.limits.wire;
                self.core.layer.received(now, flow, &bytes, &limits);
            }
            Input::Opened { flow, names } => self.core.layer.opened(&flow, names),
            Input::FlowClosed(connection) => {
                self.core.layer.closed(connection);
                self.tell_all(now, |usage, env| usage.flow_closed(env, connection));
            }
            Input::Connected { token, flow } => self.core.layer.connected(now, token, flow),
            Input::ConnectFailed { token } => self.core.layer.connect_failed(now, token),
            Input::Located { token, targets } => {
                self.tell_all(now, |usage, env| usage.located(env, token, &targets));
            }
            Input::Command(command) => self.command(now, command),
        }
        self.run(now);
    }

    fn wake(&mut self, now: Instant) {
        self.core.layer.wake(now);
        self.run(now);
        self.sessions.wake(now);
        self.tell_all(now, |usage, env| usage.wake(env));
        self.verification.wake(now, &mut self.core);
        self.run(now);
    }

    fn poll(&mut self) -> Option<Output> {
        self.core.poll()
    }

    fn deadline(&self) -> Option<Instant> {
        let usages = self.usages.all().into_iter().filter_map(|usage| usage.deadline());
        let own = [self.core.layer.deadline(), self.sessions.deadline(), self.verification.deadline()];
        own.into_iter().flatten().chain(usages).min()
    }
}
