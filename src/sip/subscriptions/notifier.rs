//! [`Notifier`]: SUBSCRIBEs of devices answered, and their NOTIFYs sent (RFC 6665).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::documents;
use super::package::{Package, SubscriptionRequest, bad_event, requested};
use super::subscription::Subscription;
use crate::common::ids::CallId;
use crate::sip::access::identity::is_stranger;
use crate::sip::core::Core;
use crate::sip::deadlines::Deadlines;
use crate::sip::dialog::{Dialog, DialogKey};
use crate::sip::dialog_peer::DialogPeer;
use crate::sip::events::{Command, Event, Roster};
use crate::sip::invite::Phase;
use crate::sip::message::method::Method;
use crate::sip::message::{StatusCode, header_names};
use crate::sip::reason;
use crate::sip::token::Token;
use crate::sip::transaction::{Answer, InboundRequest, LocalContact, OutgoingRequest, Reply, ServerId};
use crate::sip::transport::{ConnectionId, Flow};
use crate::sip::usage::{Admitted, Environment, Usage};

/// Subscriptions at once, over all.
const ALL: usize = 1000;
/// Subscriptions at once of one address.
const EACH: usize = 32;
/// The same of strangers, where there is anybody who is known.
const EACH_STRANGER: usize = 8;
/// Between two NOTIFYs of a subscription (RFC 4575 section 3.10).
const PAUSE: Duration = Duration::from_secs(1);

/// What a subscription is in: a dialog of its own, or that of a call; with whom, and the call that it is about.
struct Place {
    dialog: Option<Dialog>,
    call: Option<CallId>,
    peer: DialogPeer,
}

/// See the file's paragraph.
#[derive(Debug, Default)]
pub(in crate::sip) struct Notifier {
    all: HashMap<u64, Subscription>,
    dialogs: HashMap<DialogKey, u64>,
    /// Who is in the meeting of a call, while that is known and the call is up.
    rosters: HashMap<CallId, Roster>,
    deadlines: Deadlines<u64>,
}

impl Notifier {
    /// A SUBSCRIBE that begins a dialog.
    fn begin_outside(&mut self, env: &mut Environment<'_>, admitted: &Admitted) {
        let Admitted { server, inbound, identity, proof } = admitted;
        let InboundRequest { flow, request, essentials } = &**inbound;
        let wanted = match requested(request) {
            Ok(wanted) => wanted,
            Err(refusal) => return env.core.respond(env.now, *server, refusal),
        };
        let is_conference = wanted.package == Package::Conference;
        let call = is_conference.then(|| env.sessions.call_of(flow, identity.as_ref(), essentials));
        if identity.is_none() || call == Some(None) {
            return env.core.forbid(env.now, *server);
        }
        let dialog = Dialog::of_invite(request, essentials, &env.core.layer.tag(*server), flow.peer);
        let peer = DialogPeer::at(*flow, identity.clone(), *proof);
        let place = Place { dialog: Some(dialog), call: call.flatten(), peer };
        self.begin(env, *server, place, wanted);
    }

    fn begin(&mut self, env: &mut Environment<'_>, server: ServerId, place: Place, wanted: SubscriptionRequest) {
        let Place { dialog, call, peer } = place;
        let SubscriptionRequest { package, id, life } = wanted;
        if self.is_full(env.core, &peer) {
            return env.core.respond(env.now, server, reason::retry_after(StatusCode::ServiceUnavailable, 60));
        }
        let number = env.core.layer.number();
        if let Some(dialog) = &dialog {
            self.dialogs.insert(dialog.key(), number);
        }
        let ends_at = env.now + Duration::from_secs(life.into());
        let (version, is_telling, has_news, rests_until) = (0, false, true, env.now);
        let subscription = Subscription { dialog, call, package, id, peer, ends_at, version, is_telling, has_news, rests_until };
        self.all.insert(number, subscription);
        self.accept(env, server, number, life);
        if package == Package::Conference
            && let Some(call) = call
        {
            env.core.tell(Event::Watch { call, on: true });
        }
    }

    /// Whether there are as many as there may be: altogether, of one address, or of strangers, who leave a part to those who are known.
    fn is_full(&self, core: &Core, peer: &DialogPeer) -> bool {
        let yields = core.yields_to_known(peer.identity.as_ref());
        let mine = self.all.values().filter(|known| known.peer.flow.peer.ip() == peer.flow.peer.ip()).count();
        let strangers = || self.all.values().filter(|known| is_stranger(known.peer.identity.as_ref())).count();
        // Many phones may come through one trunk or proxy.
        let is_over = mine >= if yields { EACH_STRANGER } else { EACH } && !core.is_trusted(&peer.flow);
        is_over || self.all.len() >= ALL || (yields && strangers() >= core.settings.limits.of_strangers(ALL))
    }

    fn renew(&mut self, env: &mut Environment<'_>, server: ServerId, number: u64, (flow, life): (Flow, u32)) {
        if let Some(known) = self.all.get_mut(&number) {
            known.peer.flow = flow;
            known.ends_at = env.now + Duration::from_secs(life.into());
            known.has_news = true;
        }
        self.accept(env, server, number, life);
    }

    fn accept(&mut self, env: &mut Environment<'_>, server: ServerId, number: u64, life: u32) {
        let reply = Reply::new(StatusCode::OK).with([(header_names::EXPIRES, life.to_string())]).contact(LocalContact::default());
        env.core.respond(env.now, server, reply);
        match life {
            0 => self.end(env, number, "timeout"),
            _ => self.tell_if_due(env, number),
        }
    }

    /// What there is to tell is told, if it is time.
    fn tell_if_due(&mut self, env: &mut Environment<'_>, number: u64) {
        let Some(known) = self.all.get_mut(&number) else { return };
        if known.ends_at <= env.now {
            return self.end(env, number, "timeout");
        }
        if known.has_news && !known.is_telling && known.rests_until <= env.now {
            (known.has_news, known.is_telling, known.rests_until) = (false, true, env.now + PAUSE);
            let left = known.ends_at.saturating_duration_since(env.now).as_secs();
            self.notify(env, number, &format!("expires={left}"), false);
        }
        self.schedule(number);
    }

    /// The last NOTIFY, after which nothing is left of a subscription.
    fn end(&mut self, env: &mut Environment<'_>, number: u64, why: &str) {
        self.notify(env, number, &format!("reason={why}"), true);
        self.forget(env, number);
    }

    fn forget(&mut self, env: &mut Environment<'_>, number: u64) {
        let Some(known) = self.all.remove(&number) else { return };
        self.deadlines.remove(number);
        if let Some(dialog) = &known.dialog {
            self.dialogs.remove(&dialog.key());
        }
        let watches = |other: &Subscription| other.call == known.call && other.package == Package::Conference;
        if known.package == Package::Conference
            && let Some(call) = known.call
            && !self.all.values().any(watches)
        {
            env.core.tell(Event::Watch { call, on: false });
        }
    }

    fn notify(&mut self, env: &mut Environment<'_>, number: u64, more: &str, is_last: bool) {
        let Some(known) = self.all.get_mut(&number) else { return };
        let (flow, package, call) = (known.peer.flow, known.package, known.call);
        known.version += 1;
        let (version, is_for_stranger) = (known.version, known.peer.yields_to_known(env.core));
        let (event, device) = (known.event(), known.dialog.as_ref().map(|dialog| dialog.local().uri.to_string()));
        let request = match &mut known.dialog {
            Some(dialog) => Some(dialog.request(Method::Notify)),
            None => call.and_then(|call| env.sessions.request_in(call, Method::Notify)),
        };
        let Some(mut request) = request else { return };
        let own = env.core.layer.local().contact_uri(&LocalContact::default(), &flow);
        let document = match package {
            // M-8: before the call is admitted there is nothing to be seen.
            Package::Conference => {
                call.and_then(|call| self.rosters.get(&call)).map(|roster| documents::conference(&own, version, roster))
            }
            Package::Dialog => Some(documents::dialogs(device.as_deref().unwrap_or(&own), version)),
            Package::MessageSummary => Some(documents::no_messages()),
            Package::Presence => Some(documents::present(device.as_deref().unwrap_or(&own))),
        };
        let state = match (is_last, &document) {
            (true, _) => "terminated",
            (false, Some(_)) => "active",
            (false, None) => "pending",
        };
        request.headers.push(header_names::EVENT, event);
        request.headers.push(header_names::SUBSCRIPTION_STATE, format!("{state};{more}"));
        if let Some((kind, text)) = document {
            request.headers.push(header_names::CONTENT_TYPE, kind);
            request.body = text.into_bytes();
        }
        let unique = env.core.layer.number();
        let token = if is_last { Token::Nobody(unique) } else { Token::Subscription(number, unique) };
        let (route, contact) = (env.core.route_by(flow).made_for(is_for_stranger), Some(LocalContact::default()));
        env.core.layer.send(env.now, OutgoingRequest { request, route, contact, server_name: None, token });
    }

    /// The answer to a NOTIFY; a device that does not know it any more wants no more of them (RFC 6665 section 4.2.2).
    fn notified(&mut self, env: &mut Environment<'_>, number: u64, is_accepted: bool) {
        if !is_accepted {
            return self.forget(env, number);
        }
        if let Some(known) = self.all.get_mut(&number) {
            known.is_telling = false;
        }
        self.tell_if_due(env, number);
    }

    /// Who is in the meeting of a call now.
    fn roster(&mut self, env: &mut Environment<'_>, call: CallId, roster: Roster) {
        let is_live = env.sessions.get(call).is_some_and(|session| session.phase() == Phase::Live);
        if !is_live || self.rosters.get(&call) == Some(&roster) {
            return;
        }
        self.rosters.insert(call, roster);
        let about = |known: &Subscription| known.call == Some(call) && known.package == Package::Conference;
        let numbers: Vec<u64> = self.all.iter().filter(|(_, known)| about(known)).map(|(number, _)| *number).collect();
        for number in numbers {
            if let Some(known) = self.all.get_mut(&number) {
                known.has_news = true;
            }
            self.tell_if_due(env, number);
        }
    }

    fn schedule(&mut self, number: u64) {
        let at = self.all.get(&number).and_then(Subscription::deadline);
        self.deadlines.set(number, at);
    }

    pub(in crate::sip) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.dialogs.is_empty() && self.rosters.is_empty()
    }
}

impl Usage for Notifier {
    fn request(&mut self, env: &mut Environment<'_>, admitted: Admitted) -> Option<Admitted> {
        if admitted.inbound.request.method != Method::Subscribe {
            return Some(admitted);
        }
        self.begin_outside(env, &admitted);
        None
    }

    fn peer_in(&self, dialog: &DialogKey) -> Option<&DialogPeer> {
        self.dialogs.get(dialog).and_then(|number| self.all.get(number)).map(|known| &known.peer)
    }

    /// A SUBSCRIBE in the dialog of a subscription: it is renewed, or ended.
    fn in_dialog(&mut self, env: &mut Environment<'_>, dialog: &DialogKey, server: ServerId, inbound: &InboundRequest) {
        let InboundRequest { flow, request, essentials } = inbound;
        let number = self.dialogs.get(dialog).copied();
        let known = number.and_then(|number| self.all.get_mut(&number));
        let (Some(number), Some(known)) = (number, known) else {
            return env.core.refuse(env.now, server, StatusCode::CallTransactionDoesNotExist);
        };
        if request.method != Method::Subscribe {
            return env.core.refuse_method(env.now, server, &request.method);
        }
        if known.dialog.as_mut().is_some_and(|dialog| !dialog.accepts(essentials.cseq.number)) {
            return env.core.respond(env.now, server, reason::retry_after(StatusCode::ServerInternalError, 1));
        }
        match requested(request) {
            Ok(wanted) if wanted.package == known.package => {
                if let Some(dialog) = &mut known.dialog {
                    dialog.refresh(request.headers.values(header_names::CONTACT));
                }
                self.renew(env, server, number, (*flow, wanted.life));
            }
            // RFC 6665 section 4.5.2: one dialog of its own, one subscription.
            Ok(_) => env.core.respond(env.now, server, bad_event()),
            Err(refusal) => env.core.respond(env.now, server, refusal),
        }
    }

    fn in_call(&mut self, env: &mut Environment<'_>, call: CallId, server: ServerId, inbound: &InboundRequest) -> bool {
        if inbound.request.method != Method::Subscribe {
            return false;
        }
        let wanted = match requested(&inbound.request) {
            Ok(wanted) => wanted,
            Err(refusal) => {
                env.core.respond(env.now, server, refusal);
                return true;
            }
        };
        let live = env.sessions.get(call).filter(|session| session.phase() == Phase::Live);
        let Some(peer) = live.map(|session| session.peer().clone()) else {
            env.core.forbid(env.now, server);
            return true;
        };
        let is_same = |known: &Subscription| {
            known.dialog.is_none() && known.call == Some(call) && known.package == wanted.package && known.id == wanted.id
        };
        match self.all.iter().find(|(_, known)| is_same(known)).map(|(number, _)| *number) {
            Some(number) => self.renew(env, server, number, (peer.flow, wanted.life)),
            None => self.begin(env, server, Place { dialog: None, call: Some(call), peer }, wanted),
        }
        true
    }

    /// What the device was told of the meeting ends with its call.
    fn call_over(&mut self, env: &mut Environment<'_>, call: CallId) {
        self.rosters.remove(&call);
        let theirs = self.all.iter().filter(|(_, known)| known.call == Some(call));
        let theirs: Vec<(u64, bool)> = theirs.map(|(number, known)| (*number, known.dialog.is_some())).collect();
        for (number, has_dialog) in theirs {
            match has_dialog {
                true => self.end(env, number, "noresource"),
                // Its dialog is over.
                false => self.forget(env, number),
            }
        }
    }

    fn response(&mut self, env: &mut Environment<'_>, token: Token, answer: Option<&Answer>) {
        if let Token::Subscription(number, _) = token {
            let is_accepted = answer.is_some_and(|answer| (200..300).contains(&answer.response.status));
            self.notified(env, number, is_accepted);
        }
    }

    fn command(&mut self, env: &mut Environment<'_>, command: Command) -> Option<Command> {
        let Command::Roster { call, roster } = command else { return Some(command) };
        self.roster(env, call, roster);
        None
    }

    fn uses(&self, connection: ConnectionId) -> bool {
        self.all.values().any(|known| known.is_told_by(connection))
    }

    fn wake(&mut self, env: &mut Environment<'_>) {
        while let Some(number) = self.deadlines.due(env.now) {
            self.tell_if_due(env, number);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadlines.first()
    }

    fn timers(&self) -> usize {
        self.deadlines.len()
    }
}
