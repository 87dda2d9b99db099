//! [`RegistrationClient`]: all registrations of ours: addresses looked up, requests sent, answers taken.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::binding::{
    AccountBinding, AccountStanding, AccountState, PING_STREAM, PING_UDP, RegisterOutcome, RegistrationAccount, refresh_after,
};
use super::retry;
use crate::sip::access::identity::Identity;
use crate::sip::auth::{self, Credentials};
use crate::sip::deadlines::Deadlines;
use crate::sip::events::Command;
use crate::sip::interface::Output;
use crate::sip::message::uri::{Host, Params, Uri};
use crate::sip::message::{NameAddr, Request, Response, header_names};
use crate::sip::resolver::{Locate, Target};
use crate::sip::token::Token;
use crate::sip::transaction::{Answer, HOP_HEADERS, LocalContact, OutgoingRequest, Route};
use crate::sip::transport::{ConnectionId, Flow};
use crate::sip::usage::{Environment, Usage};

/// See the file's paragraph.
#[derive(Debug, Default)]
pub(in crate::sip) struct RegistrationClient {
    /// By numbers that are not given twice: what is still under way for one that is gone finds nobody.
    all: BTreeMap<u64, AccountBinding>,
    next: u64,
    /// They are wanted: nobody has signed off yet.
    is_signed_on: bool,
    deadlines: Deadlines<u64>,
}

impl RegistrationClient {
    /// Begins to register, if nothing was begun yet.
    fn sign_on(&mut self, env: &mut Environment<'_>) {
        if self.all.is_empty() {
            self.is_signed_on = true;
            for account in env.core.settings.accounts.clone() {
                self.open(env, account);
            }
        }
    }

    fn open(&mut self, env: &mut Environment<'_>, account: RegistrationAccount) {
        let (call_id, tag) = (env.core.call_id(), env.core.random.token());
        let number = self.next;
        self.next += 1;
        self.all.insert(number, AccountBinding::new(account, env.now, call_id, tag));
        self.schedule(number);
    }

    /// Signs off where the settings do not name us any more, and on where they do now (O-2). One that is the same stays as it is.
    fn reconfigure(&mut self, env: &mut Environment<'_>) {
        if !self.is_signed_on {
            return;
        }
        let mut wanted = env.core.settings.accounts.clone();
        for number in self.numbers() {
            let Some(registration) = self.all.get_mut(&number).filter(|known| !known.leaving) else { continue };
            match wanted.iter().position(|account| account.is_same_binding(&registration.account)) {
                Some(at) => {
                    let account = wanted.swap_remove(at);
                    if account != registration.account {
                        registration.renew(account, env.now);
                        self.schedule(number);
                    }
                }
                None => {
                    // What proves that we are who we were may have changed there already.
                    let successor = wanted.iter().find(|account| account.is_same_user(&registration.account));
                    if let Some(successor) = successor {
                        registration.prover = auth::Client::new(successor.credentials.clone());
                    }
                    self.sign_off_one(env, number);
                }
            }
        }
        for account in wanted {
            self.open(env, account);
        }
    }

    fn numbers(&self) -> Vec<u64> {
        self.all.keys().copied().collect()
    }

    /// How all of them stand that are configured; at the stop of the daemon, how they are taken back.
    pub(in crate::sip) fn status(&self, now: Instant) -> Vec<AccountStanding> {
        let counts = |known: &&AccountBinding| !known.leaving || !self.is_signed_on;
        self.all.values().filter(counts).map(|registration| registration.standing(now)).collect()
    }

    /// Whose account was called: the user part of the Request-URI is a Contact of ours that its registrar alone knows.
    pub(in crate::sip) fn called(&self, request: &Request) -> Option<Identity> {
        if self.all.is_empty() {
            return None;
        }
        let user = Uri::parse(&request.uri)?.user?;
        let called = self.all.values().find(|registration| registration.account.contact == user)?;
        Some(Identity::Account(called.account.label.clone()))
    }

    /// Whose account a call over a connection belongs to, whatever it asks for (S-3): that whose registrar is at its other end.
    pub(in crate::sip) fn called_by(&self, flow: &Flow, request: &Request) -> Option<Identity> {
        let registrars = self.registered().filter(|registration| registration.target == Some(flow.peer));
        if flow.transport.is_reliable() { meant(registrars, request) } else { None }
    }

    /// The same of a request from the address of a registrar, which a datagram alone may have forged.
    pub(in crate::sip) fn called_from(&self, address: IpAddr, request: &Request) -> Option<Identity> {
        meant(self.at(address), request)
    }

    /// Whether a registrar of ours is at an address.
    pub(in crate::sip) fn is_registrar(&self, address: IpAddr) -> bool {
        self.at(address).next().is_some()
    }

    fn at(&self, address: IpAddr) -> impl Iterator<Item = &AccountBinding> {
        let address = address.to_canonical();
        let is_there = move |target: SocketAddr| target.ip().to_canonical() == address;
        self.registered().filter(move |registration| registration.target.is_some_and(is_there))
    }

    /// Those that a registrar has granted, which it may call.
    fn registered(&self) -> impl Iterator<Item = &AccountBinding> {
        self.all.values().filter(|registration| registration.lives_until.is_some())
    }

    /// The account of ours in a domain: the flow to its registrar while we are registered there, our address, and what proves it.
    pub(in crate::sip) fn account_at(&self, domain: &Host) -> Option<(Flow, Uri, Credentials)> {
        self.all.values().find_map(|registration| {
            let AccountState::Bound { flow, .. } = registration.state else { return None };
            let RegistrationAccount { registrar, username, credentials, .. } = &registration.account;
            (registrar.host.as_ref() == Some(domain)).then(|| {
                let own = Uri { user: Some(username.clone()), params: Params::default(), port: None, ..registrar.clone() };
                (flow, own, credentials.clone())
            })
        })
    }

    /// Whether a connection leads to a registrar of ours.
    fn registers_by(&self, connection: ConnectionId) -> bool {
        let bound = |registration: &AccountBinding| match &registration.state {
            AccountState::Bound { flow, .. } => flow.connection == Some(connection),
            _ => false,
        };
        self.all.values().any(bound)
    }

    /// Nothing is registered any more, or on its way to be.
    pub(in crate::sip) fn has_signed_off(&self) -> bool {
        self.all.values().all(|registration| matches!(registration.state, AccountState::Off))
    }

    /// Takes back what is registered, and registers no more (section 10.2.2).
    fn sign_off(&mut self, env: &mut Environment<'_>) {
        self.is_signed_on = false;
        for number in self.numbers() {
            self.sign_off_one(env, number);
        }
    }

    fn sign_off_one(&mut self, env: &mut Environment<'_>, number: u64) {
        let Some(registration) = self.all.get_mut(&number) else { return };
        registration.leaving = true;
        match registration.state {
            AccountState::Bound { flow, .. } => self.ask(env, number, flow),
            // A REGISTER that is answered later must not stay: its answer brings us back here.
            AccountState::Asking { .. } => {}
            AccountState::Resting { .. } | AccountState::Locating | AccountState::Off => self.off(number),
        }
        self.schedule(number);
    }

    /// Nothing is asked of its registrar any more. What a reload has taken out is forgotten with that, and who calls it is nobody (M-1);
    /// of what the stop of the daemon takes back, it is still told how it went.
    fn off(&mut self, number: u64) {
        if !self.is_signed_on {
            let Some(registration) = self.all.get_mut(&number) else { return };
            registration.state = AccountState::Off;
        } else if self.all.remove(&number).is_some() {
            self.deadlines.remove(number);
        }
    }

    /// Until what it has granted is over, its registrar sends calls here: they are let in as before, and it is forgotten then.
    fn not_signed_off(&mut self, env: &mut Environment<'_>, number: u64, why: String) {
        let signed_on = self.is_signed_on;
        let Some(registration) = self.all.get_mut(&number) else { return };
        let lives_until = registration.lives_until.filter(|until| *until > env.now);
        if let Some(until) = lives_until {
            let (account, seconds) = (&registration.account.label, until.saturating_duration_since(env.now).as_secs());
            tracing::warn!(%account, reason = %why, seconds, "not signed off: its registrar may send calls here for a while");
            registration.failure = Some(why);
        }
        match lives_until.filter(|_| signed_on) {
            Some(until) => registration.state = AccountState::Resting { until },
            None => self.off(number),
        }
        self.schedule(number);
    }

    fn wake_one(&mut self, env: &mut Environment<'_>, number: u64) {
        let Some(registration) = self.all.get_mut(&number) else { return };
        match &mut registration.state {
            AccountState::Resting { until } if *until <= env.now && registration.leaving => self.off(number),
            AccountState::Resting { until } if *until <= env.now => self.locate(env, number),
            AccountState::Bound { flow, refresh_at, ping_at } => {
                let flow = *flow;
                if *refresh_at <= env.now {
                    self.ask(env, number, flow);
                } else if *ping_at <= env.now {
                    *ping_at = env.now + ping(&flow);
                    env.core.layer.transmit(flow, b"\r\n\r\n".to_vec());
                }
            }
            _ => {}
        }
        self.schedule(number);
    }

    fn locate(&mut self, env: &mut Environment<'_>, number: u64) {
        let Some(registration) = self.all.get_mut(&number) else { return };
        registration.state = AccountState::Locating;
        let RegistrationAccount { registrar, transport, .. } = &registration.account;
        let (host, port, transport) = (registrar.host.clone(), registrar.port, *transport);
        if let Some(host) = host {
            env.core.emit(Output::Locate(Locate { token: number, host, port, transport }));
        }
    }

    /// A REGISTER by a flow that is there, or is opened anew if it is not.
    fn ask(&mut self, env: &mut Environment<'_>, number: u64, flow: Flow) {
        let Some(registration) = self.all.get_mut(&number) else { return };
        let target = Target { address: flow.peer, transport: flow.transport };
        registration.state = AccountState::Asking { target, rest: VecDeque::new() };
        match env.core.layer.flows().is_open(&flow) {
            true => self.send_register(env, number, Route::Open(flow)),
            false => self.ask_at(env, number, target),
        }
    }

    fn ask_at(&mut self, env: &mut Environment<'_>, number: u64, target: Target) {
        self.send_register(env, number, Route::connect(target.address, target.transport));
    }

    fn send_register(&mut self, env: &mut Environment<'_>, number: u64, route: Route) {
        let cnonce = env.core.random.token();
        let Some(registration) = self.all.get_mut(&number) else { return };
        let request = registration.request(&cnonce);
        let account = &registration.account;
        let (contact, server_name) = (Some(LocalContact::of_user(&account.contact)), Some(account.domain()));
        let token = Token::Registration(number, env.core.layer.number());
        let route = route.for_size(request.to_bytes().len() + HOP_HEADERS);
        env.core.layer.send(env.now, OutgoingRequest { request, route, contact, server_name, token });
    }

    /// The answer to a REGISTER; `None`: nobody answered, or there is no connection.
    fn answered(&mut self, env: &mut Environment<'_>, number: u64, answer: Option<(Flow, &Response)>) {
        let Some(registration) = self.all.get_mut(&number) else { return };
        let Some((flow, response)) = answer else {
            return self.next_target(env, number, "nobody answers".to_owned(), None);
        };
        let outcome = registration.outcome(response);
        match outcome {
            RegisterOutcome::Granted(_) if registration.takes_back => {
                tracing::info!(account = %registration.account.label, "signed off");
                registration.lives_until = None;
                self.off(number);
            }
            RegisterOutcome::Granted(granted) => {
                let target = Some(flow.peer);
                if registration.failure.take().is_some() || registration.lives_until.is_none() || registration.target != target {
                    let (account, seconds) = (&registration.account.label, granted.as_secs());
                    tracing::info!(%account, registrar = %flow.peer, seconds, "registered");
                }
                (registration.target, registration.failures) = (target, 0);
                registration.lives_until = Some(env.now + granted);
                let (refresh_at, ping_at) = (env.now + refresh_after(granted), env.now + ping(&flow));
                registration.state = AccountState::Bound { flow, refresh_at, ping_at };
                if registration.leaving {
                    self.ask(env, number, flow);
                }
            }
            RegisterOutcome::Again => {
                let route = if env.core.layer.flows().is_open(&flow) { Some(Route::Open(flow)) } else { None };
                match route {
                    Some(route) => self.send_register(env, number, route),
                    None => self.ask_at(env, number, Target { address: flow.peer, transport: flow.transport }),
                }
            }
            RegisterOutcome::Failed { why, retry_after } => match response.status {
                // RFC 3263 section 4.3: another server may do better.
                408 | 500..=599 => self.next_target(env, number, why, retry_after),
                _ => self.failed(env, number, why, retry_after),
            },
        }
        self.schedule(number);
    }

    fn next_target(&mut self, env: &mut Environment<'_>, number: u64, why: String, retry_after: Option<Duration>) {
        let Some(registration) = self.all.get_mut(&number) else { return };
        let next = match &mut registration.state {
            AccountState::Asking { target, rest } => rest.pop_front().inspect(|next| *target = *next),
            _ => None,
        };
        match next {
            Some(target) => self.ask_at(env, number, target),
            None => self.failed(env, number, why, retry_after),
        }
        self.schedule(number);
    }

    fn failed(&mut self, env: &mut Environment<'_>, number: u64, why: String, retry_after: Option<Duration>) {
        let random = env.core.random.draw();
        let Some(registration) = self.all.get_mut(&number) else { return };
        if registration.leaving {
            return self.not_signed_off(env, number, why);
        }
        let wait = retry::wait(registration.failures, random, retry_after);
        registration.failures = registration.failures.saturating_add(1);
        registration.lives_until = registration.lives_until.filter(|until| *until > env.now);
        if registration.failure.as_ref() != Some(&why) {
            let account = &registration.account.label;
            tracing::warn!(%account, reason = %why, next_try_seconds = wait.as_secs(), "not registered; goes on trying");
        }
        registration.failure = Some(why);
        registration.state = AccountState::Resting { until: env.now + wait };
        self.schedule(number);
    }

    /// A connection is gone: the registrar can no longer reach us by it (RFC 5626 section 4.2.1).
    fn lost_flow(&mut self, env: &mut Environment<'_>, connection: ConnectionId) {
        for number in self.numbers() {
            let lost = self.all.get(&number).is_some_and(|registration| match &registration.state {
                AccountState::Bound { flow, .. } => flow.connection == Some(connection),
                _ => false,
            });
            if lost {
                self.failed(env, number, "its connection is gone".to_owned(), None);
            }
        }
    }

    fn schedule(&mut self, number: u64) {
        let at = self.all.get(&number).and_then(AccountBinding::deadline);
        self.deadlines.set(number, at);
    }

    #[cfg(test)]
    pub(in crate::sip) fn len(&self) -> usize {
        self.all.len()
    }
}

impl Usage for RegistrationClient {
    fn response(&mut self, env: &mut Environment<'_>, token: Token, answer: Option<&Answer>) {
        if let Token::Registration(number, _) = token {
            self.answered(env, number, answer.map(|answer| (answer.flow, &answer.response)));
        }
    }

    /// The registrar's addresses, the first choice first.
    fn located(&mut self, env: &mut Environment<'_>, number: u64, targets: &[Target]) {
        let Some(registration) = self.all.get_mut(&number).filter(|known| matches!(known.state, AccountState::Locating)) else {
            return;
        };
        let mut rest: VecDeque<_> = targets.iter().copied().collect();
        match rest.pop_front() {
            Some(target) => {
                registration.state = AccountState::Asking { target, rest };
                self.ask_at(env, number, target);
            }
            None => self.failed(env, number, "its address is not found".to_owned(), None),
        }
        self.schedule(number);
    }

    fn command(&mut self, env: &mut Environment<'_>, command: Command) -> Option<Command> {
        match command {
            Command::SignOn => self.sign_on(env),
            Command::SignOff => self.sign_off(env),
            other => return Some(other),
        }
        None
    }

    fn reconfigured(&mut self, env: &mut Environment<'_>) {
        self.reconfigure(env);
    }

    fn flow_closed(&mut self, env: &mut Environment<'_>, connection: ConnectionId) {
        self.lost_flow(env, connection);
    }

    fn uses(&self, connection: ConnectionId) -> bool {
        self.registers_by(connection)
    }

    fn wake(&mut self, env: &mut Environment<'_>) {
        while let Some(number) = self.deadlines.due(env.now) {
            self.wake_one(env, number);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadlines.first()
    }

    fn timers(&self) -> usize {
        self.deadlines.len()
    }
}

/// Which of several accounts at one registrar a request means: the one whose user name it asks for, or else the first.
fn meant<'a>(accounts: impl Iterator<Item = &'a AccountBinding>, request: &Request) -> Option<Identity> {
    let to = request.headers.get(header_names::TO).and_then(NameAddr::parse).and_then(|to| to.uri.user_text());
    let users = [Uri::parse(&request.uri).and_then(|uri| uri.user_text()), to];
    let is_named = |account: &&AccountBinding| users.iter().flatten().any(|user| *user == account.account.username);
    let accounts: Vec<&AccountBinding> = accounts.collect();
    let named = accounts.iter().copied().find(is_named).or_else(|| accounts.first().copied());
    named.map(|account| Identity::Account(account.account.label.clone()))
}

fn ping(flow: &Flow) -> Duration {
    if flow.connection.is_some() { PING_STREAM } else { PING_UDP }
}
