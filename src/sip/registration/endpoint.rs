//! The endpoint's part in registrations of ours: addresses looked up, requests sent, answers taken.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::binding::{
    Outcome, PING_STREAM, PING_UDP, Registration, RegistrationAccount, RegistrationStatus, State, refresh_after,
};
use crate::sip::auth::{self, Credentials};
use crate::sip::endpoint::{Endpoint, Owner, Purpose, Waiting};
use crate::sip::message::{Request, Response};
use crate::sip::out_of_dialog::Alone;
use crate::sip::route::Way;
use crate::sip::uri::{Host, Params};
use crate::sip::{ConnectionId, Flow, Identity, Locate, Output, Target, Uri};

impl Endpoint {
    /// Begins to register, if nothing was begun yet.
    pub(in crate::sip) fn open_accounts(&mut self, now: Instant) {
        if self.accounts.is_empty() {
            self.signed_on = true;
            for account in self.settings.accounts.clone() {
                self.open_account(now, account);
            }
        }
    }

    fn open_account(&mut self, now: Instant, account: RegistrationAccount) {
        let (call_id, tag) = (format!("{}{}", self.token(), self.token()), self.token());
        let number = self.next_account;
        self.next_account += 1;
        self.accounts.insert(number, Registration::new(account, now, call_id, tag));
        self.schedule(Owner::Account(number));
    }

    /// Signs off where the settings do not name us any more, and on where they do now (O-2). One that is the same stays as it is.
    pub(in crate::sip) fn reconfigure_accounts(&mut self, now: Instant) {
        if !self.signed_on {
            return;
        }
        let mut wanted = self.settings.accounts.clone();
        for number in self.numbers() {
            let Some(registration) = self.accounts.get_mut(&number).filter(|known| !known.leaving) else { continue };
            match wanted.iter().position(|account| account.is_same_binding(&registration.account)) {
                Some(at) => {
                    let account = wanted.swap_remove(at);
                    if account != registration.account {
                        registration.renew(account, now);
                        self.schedule(Owner::Account(number));
                    }
                }
                None => {
                    // What proves that we are who we were may have changed there already.
                    let successor = wanted.iter().find(|account| account.is_same_user(&registration.account));
                    if let Some(successor) = successor {
                        registration.prover = auth::Client::new(successor.credentials.clone());
                    }
                    self.sign_off_one(now, number);
                }
            }
        }
        for account in wanted {
            self.open_account(now, account);
        }
    }

    fn numbers(&self) -> Vec<u64> {
        self.accounts.keys().copied().collect()
    }

    /// How all of them stand that are configured; at the stop of the daemon, how they are taken back.
    #[must_use]
    pub fn accounts(&self, now: Instant) -> Vec<RegistrationStatus> {
        let counts = |known: &&Registration| !known.leaving || !self.signed_on;
        self.accounts.values().filter(counts).map(|registration| registration.standing(now)).collect()
    }

    /// Whose account was called: the user part of the Request-URI is a Contact of ours that its registrar alone knows.
    pub(in crate::sip) fn called_account(&self, request: &Request) -> Option<Identity> {
        if self.accounts.is_empty() {
            return None;
        }
        let user = Uri::parse(&request.uri)?.user?;
        let called = self.accounts.values().find(|registration| registration.account.contact == user)?;
        Some(Identity::Account(called.account.label.clone()))
    }

    /// The user part of the Contact in a request of this account.
    pub(in crate::sip) fn account_contact(&self, number: u64) -> Option<&str> {
        self.accounts.get(&number).map(|registration| registration.account.contact.as_str())
    }

    /// The account of ours in a domain: the flow to its registrar while we are registered there, our address, and what proves it.
    pub(in crate::sip) fn account_at(&self, domain: &Host) -> Option<(Flow, Uri, Credentials)> {
        self.accounts.values().find_map(|registration| {
            let State::Bound { flow, .. } = registration.state else { return None };
            let RegistrationAccount { registrar, username, credentials, .. } = &registration.account;
            (registrar.host.as_ref() == Some(domain)).then(|| {
                let own = Uri { user: Some(username.clone()), params: Params::default(), port: None, ..registrar.clone() };
                (flow, own, credentials.clone())
            })
        })
    }

    /// Whom the certificate at the other end must name: the domain we register in, whatever the name system has led to (RFC 5922).
    pub(in crate::sip) fn name_of(&self, waiting: &Waiting) -> Option<String> {
        let Waiting::Client { id, .. } = waiting else { return None };
        match self.clients.get(id)?.purpose {
            Purpose::Alone(Alone::Register(number)) => {
                self.accounts.get(&number).map(|registration| registration.account.domain())
            }
            _ => None,
        }
    }

    /// Whether a connection leads to a registrar of ours.
    pub(in crate::sip) fn registers_by(&self, connection: ConnectionId) -> bool {
        let bound = |registration: &Registration| match &registration.state {
            State::Bound { flow, .. } => flow.connection == Some(connection),
            _ => false,
        };
        self.accounts.values().any(bound)
    }

    /// Nothing is registered any more, or on its way to be.
    #[must_use]
    pub fn has_signed_off(&self) -> bool {
        self.accounts.values().all(|registration| matches!(registration.state, State::Off))
    }

    /// Takes back what is registered, and registers no more (section 10.2.2).
    pub(in crate::sip) fn sign_off(&mut self, now: Instant) {
        self.signed_on = false;
        for number in self.numbers() {
            self.sign_off_one(now, number);
        }
    }

    fn sign_off_one(&mut self, now: Instant, number: u64) {
        let Some(registration) = self.accounts.get_mut(&number) else { return };
        registration.leaving = true;
        match registration.state {
            State::Bound { flow, .. } => self.ask(now, number, flow),
            // A REGISTER that is answered later must not stay: its answer brings us back here.
            State::Asking { .. } => {}
            State::Resting { .. } | State::Locating | State::Off => self.off(number),
        }
        self.schedule(Owner::Account(number));
    }

    /// Nothing is asked of its registrar any more. What a reload has taken out is forgotten with that, and who calls it is nobody (M-1);
    /// of what the stop of the daemon takes back, it is still told how it went.
    fn off(&mut self, number: u64) {
        if !self.signed_on {
            let Some(registration) = self.accounts.get_mut(&number) else { return };
            registration.state = State::Off;
        } else if let Some(gone) = self.accounts.remove(&number) {
            self.unschedule(gone.scheduled, Owner::Account(number));
        }
    }

    /// Until what it has granted is over, its registrar sends calls here: they are let in as before, and it is forgotten then.
    fn not_signed_off(&mut self, now: Instant, number: u64, why: String) {
        let signed_on = self.signed_on;
        let Some(registration) = self.accounts.get_mut(&number) else { return };
        let lives_until = registration.lives_until.filter(|until| *until > now);
        if let Some(until) = lives_until {
            let (account, seconds) = (&registration.account.label, until.saturating_duration_since(now).as_secs());
            tracing::warn!(%account, reason = %why, seconds, "not signed off: its registrar may send calls here for a while");
            registration.failure = Some(why);
        }
        match lives_until.filter(|_| signed_on) {
            Some(until) => registration.state = State::Resting { until },
            None => self.off(number),
        }
        self.schedule(Owner::Account(number));
    }

    pub(in crate::sip) fn wake_account(&mut self, now: Instant, number: u64) {
        let Some(registration) = self.accounts.get_mut(&number) else { return };
        match &mut registration.state {
            State::Resting { until } if *until <= now && registration.leaving => self.off(number),
            State::Resting { until } if *until <= now => self.locate(number),
            State::Bound { flow, refresh_at, ping_at } => {
                let flow = *flow;
                if *refresh_at <= now {
                    self.ask(now, number, flow);
                } else if *ping_at <= now {
                    *ping_at = now + ping(&flow);
                    self.transmit(flow, b"\r\n\r\n".to_vec());
                }
            }
            _ => {}
        }
        self.schedule(Owner::Account(number));
    }

    fn locate(&mut self, number: u64) {
        let Some(registration) = self.accounts.get_mut(&number) else { return };
        registration.state = State::Locating;
        let RegistrationAccount { registrar, transport, .. } = &registration.account;
        let (host, port, transport) = (registrar.host.clone(), registrar.port, *transport);
        if let Some(host) = host {
            self.put_out(Output::Locate(Locate { token: number, host, port, transport }));
        }
    }

    /// The registrar's addresses, the first choice first.
    pub(in crate::sip) fn located(&mut self, now: Instant, number: u64, targets: Vec<Target>) {
        let Some(registration) = self.accounts.get_mut(&number).filter(|known| matches!(known.state, State::Locating)) else {
            return;
        };
        let mut rest: VecDeque<_> = targets.into();
        match rest.pop_front() {
            Some(target) => {
                registration.state = State::Asking { target, rest };
                self.ask_at(now, number, target);
            }
            None => self.failed_account(now, number, "its address is not found".to_owned(), None),
        }
        self.schedule(Owner::Account(number));
    }

    /// A REGISTER by a flow that is there, or is opened anew if it is not.
    fn ask(&mut self, now: Instant, number: u64, flow: Flow) {
        let Some(registration) = self.accounts.get_mut(&number) else { return };
        let target = Target { address: flow.peer, transport: flow.transport };
        registration.state = State::Asking { target, rest: VecDeque::new() };
        match self.is_open(&flow) {
            true => self.send_register(now, number, Way::Open(flow)),
            false => self.ask_at(now, number, target),
        }
    }

    fn ask_at(&mut self, now: Instant, number: u64, target: Target) {
        self.send_register(now, number, Way::Connect { peer: target.address, transport: target.transport, fallback: None });
    }

    fn send_register(&mut self, now: Instant, number: u64, way: Way) {
        let cnonce = self.token();
        let Some(registration) = self.accounts.get_mut(&number) else { return };
        let request = registration.request(&cnonce);
        self.send_alone(now, request, way, Alone::Register(number));
    }

    /// The answer to a REGISTER; `None`: nobody answered, or there is no connection.
    pub(in crate::sip) fn registered(&mut self, now: Instant, number: u64, answer: Option<(Flow, &Response)>) {
        let Some(registration) = self.accounts.get_mut(&number) else { return };
        let Some((flow, response)) = answer else {
            return self.next_target(now, number, "nobody answers".to_owned(), None);
        };
        let outcome = registration.outcome(response);
        match outcome {
            Outcome::Granted(_) if registration.takes_back => {
                tracing::info!(account = %registration.account.label, "signed off");
                registration.lives_until = None;
                self.off(number);
            }
            Outcome::Granted(granted) => {
                let target = Some(flow.peer);
                if registration.failure.take().is_some() || registration.lives_until.is_none() || registration.target != target {
                    let (account, seconds) = (&registration.account.label, granted.as_secs());
                    tracing::info!(%account, registrar = %flow.peer, seconds, "registered");
                }
                (registration.target, registration.failures) = (target, 0);
                registration.lives_until = Some(now + granted);
                let (refresh_at, ping_at) = (now + refresh_after(granted), now + ping(&flow));
                registration.state = State::Bound { flow, refresh_at, ping_at };
                if registration.leaving {
                    self.ask(now, number, flow);
                }
            }
            Outcome::Again => {
                let way = if self.is_open(&flow) { Some(Way::Open(flow)) } else { None };
                match way {
                    Some(way) => self.send_register(now, number, way),
                    None => self.ask_at(now, number, Target { address: flow.peer, transport: flow.transport }),
                }
            }
            Outcome::Failed { why, retry_after } => match response.status {
                // RFC 3263 section 4.3: another server may do better.
                408 | 500..=599 => self.next_target(now, number, why, retry_after),
                _ => self.failed_account(now, number, why, retry_after),
            },
        }
        self.schedule(Owner::Account(number));
    }

    fn next_target(&mut self, now: Instant, number: u64, why: String, retry_after: Option<Duration>) {
        let Some(registration) = self.accounts.get_mut(&number) else { return };
        let next = match &mut registration.state {
            State::Asking { target, rest } => rest.pop_front().inspect(|next| *target = *next),
            _ => None,
        };
        match next {
            Some(target) => self.ask_at(now, number, target),
            None => self.failed_account(now, number, why, retry_after),
        }
        self.schedule(Owner::Account(number));
    }

    fn failed_account(&mut self, now: Instant, number: u64, why: String, retry_after: Option<Duration>) {
        let dice = self.draw();
        let Some(registration) = self.accounts.get_mut(&number) else { return };
        if registration.leaving {
            return self.not_signed_off(now, number, why);
        }
        let wait = registration.wait(dice, retry_after);
        registration.failures = registration.failures.saturating_add(1);
        registration.lives_until = registration.lives_until.filter(|until| *until > now);
        if registration.failure.as_ref() != Some(&why) {
            let account = &registration.account.label;
            tracing::warn!(%account, reason = %why, next_try_seconds = wait.as_secs(), "not registered; goes on trying");
        }
        registration.failure = Some(why);
        registration.state = State::Resting { until: now + wait };
        self.schedule(Owner::Account(number));
    }

    /// A connection is gone: the registrar can no longer reach us by it (RFC 5626 section 4.2.1).
    pub(in crate::sip) fn account_flow_closed(&mut self, now: Instant, connection: ConnectionId) {
        for number in self.numbers() {
            let lost = self.accounts.get(&number).is_some_and(|registration| match &registration.state {
                State::Bound { flow, .. } => flow.connection == Some(connection),
                _ => false,
            });
            if lost {
                self.failed_account(now, number, "its connection is gone".to_owned(), None);
            }
        }
    }
}

fn ping(flow: &Flow) -> Duration {
    if flow.connection.is_some() { PING_STREAM } else { PING_UDP }
}
