//! SUBSCRIBE of a device and our NOTIFYs (RFC 6665; S-4): who is in its meeting (RFC 4575), and the little that is true of `dialog`,
//! `message-summary` and `presence` here, so that no phone asks again and again.
//!
//! A subscription to a meeting belongs to the call that the device has in it: before that call is admitted it is pending and tells nothing
//! (M-8), and it ends with the call. At most one NOTIFY of a subscription is on its way; what changes meanwhile goes into the next.

use std::time::{Duration, Instant};

use super::documents;
use crate::ids::CallId;
use crate::sip::dialog::{Dialog, DialogKey};
use crate::sip::endpoint::{Endpoint, Owner};
use crate::sip::identity::Identity;
use crate::sip::invite::{Call, Phase};
use crate::sip::message::{Essentials, Request};
use crate::sip::method::Method;
use crate::sip::origin::is_from_there;
use crate::sip::out_of_dialog::Alone;
use crate::sip::uas::Header;
use crate::sip::uri::Params;
use crate::sip::{ConnectionId, Event, Flow, Roster};

/// Subscriptions at once, over all.
const ALL: usize = 1000;
/// Subscriptions at once of one address.
const EACH: usize = 32;
/// A shorter wish is refused (RFC 6665 section 4.2.1.1).
const SHORTEST: u32 = 60;
/// Without a wish, and the longest life, in seconds.
const LONGEST: u32 = 3600;
/// Between two NOTIFYs of a subscription (RFC 4575 section 3.10).
const PAUSE: Duration = Duration::from_secs(1);

/// What can be subscribed to, as in `Event` and `Allow-Events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sip) enum Package {
    Conference,
    Dialog,
    MessageSummary,
    Presence,
}

impl Package {
    const ALL: [Self; 4] = [Self::Conference, Self::Dialog, Self::MessageSummary, Self::Presence];

    const fn name(self) -> &'static str {
        match self {
            Self::Conference => "conference",
            Self::Dialog => "dialog",
            Self::MessageSummary => "message-summary",
            Self::Presence => "presence",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|package| package.name() == name)
    }
}

/// One subscription of a device.
#[derive(Debug)]
pub(in crate::sip) struct Subscription {
    /// Its own dialog; `None`: that of its call.
    dialog: Option<Dialog>,
    /// The call whose meeting it is about.
    call: Option<CallId>,
    package: Package,
    /// The `id` of `Event`, which tells subscriptions of one dialog apart.
    id: Option<String>,
    flow: Flow,
    ends_at: Instant,
    /// Counts documents.
    version: u32,
    /// A NOTIFY is on its way.
    telling: bool,
    /// There is something that it has not been told.
    news: bool,
    rests_until: Instant,
    pub(in crate::sip) scheduled: Option<Instant>,
}

impl Subscription {
    pub(in crate::sip) fn deadline(&self) -> Option<Instant> {
        let tells_at = (self.news && !self.telling).then_some(self.rests_until);
        Some(tells_at.map_or(self.ends_at, |at| at.min(self.ends_at)))
    }

    /// Whether its device is told by this connection.
    pub(in crate::sip) fn is_told_by(&self, connection: ConnectionId) -> bool {
        self.flow.connection == Some(connection)
    }

    fn event(&self) -> String {
        let name = self.package.name();
        self.id.as_ref().map_or(name.to_owned(), |id| format!("{name};id={id}"))
    }
}

/// `Event` and `Expires` of a SUBSCRIBE.
struct Wish {
    package: Package,
    id: Option<String>,
    /// Zero: the state once, or the end of the subscription.
    life: u32,
}

/// The header that says what can be subscribed to.
fn allow_events() -> Header {
    ("Allow-Events", Package::ALL.map(Package::name).join(", "))
}

fn wish(request: &Request) -> Result<Wish, (u16, Header)> {
    let event = request.headers.get("Event").unwrap_or_default();
    let (name, params) = event.split_once(';').unwrap_or((event, ""));
    let package = Package::parse(name.trim()).ok_or_else(|| (489, allow_events()))?;
    let id = Params::parse(params).get("id").map(str::to_owned);
    let life = request.headers.get("Expires").map_or(LONGEST, |value| value.trim().parse().unwrap_or(LONGEST)).min(LONGEST);
    if (1..SHORTEST).contains(&life) {
        return Err((423, ("Min-Expires", SHORTEST.to_string())));
    }
    Ok(Wish { package, id, life })
}

impl Endpoint {
    /// The live call of whoever sends a request outside of it: of the same device, or from the same place under the same name.
    pub(in crate::sip) fn call_of(&self, flow: &Flow, identity: Option<&Identity>, essentials: &Essentials) -> Option<CallId> {
        let identity = identity?;
        let is_theirs = |call: &Call| {
            let same_caller = || call.source == flow.peer.ip() && call.dialog.remote().uri.is_equivalent(&essentials.from.uri);
            call.identity.as_ref() == Some(identity) && (matches!(identity, Identity::Device(_)) || same_caller())
        };
        let live = self.calls.iter().filter(|(_, call)| call.phase == Phase::Live && is_theirs(call));
        live.max_by_key(|(_, call)| call.began).map(|(id, _)| *id)
    }

    /// A SUBSCRIBE that begins a dialog.
    pub(in crate::sip) fn subscribe_outside(
        &mut self,
        now: Instant,
        server: u64,
        (flow, identity): (Flow, Option<Identity>),
        request: &Request,
        essentials: &Essentials,
    ) {
        let wish = match wish(request) {
            Ok(wish) => wish,
            Err((status, header)) => return self.respond(now, server, status, &[header], None),
        };
        let call = (wish.package == Package::Conference).then(|| self.call_of(&flow, identity.as_ref(), essentials));
        if identity.is_none() || call == Some(None) {
            return self.forbid(now, server);
        }
        let tag = self.servers.get(&server).map(|tx| tx.tag.clone()).unwrap_or_default();
        let dialog = Dialog::of_invite(request, essentials, &tag, flow.peer);
        self.begin_subscription(now, server, Some(dialog), call.flatten(), flow, wish);
    }

    /// A SUBSCRIBE in the dialog of a call.
    pub(in crate::sip) fn subscribe_in_call(&mut self, now: Instant, server: u64, call: CallId, request: &Request) {
        let wish = match wish(request) {
            Ok(wish) => wish,
            Err((status, header)) => return self.respond(now, server, status, &[header], None),
        };
        let Some(flow) = self.calls.get(&call).filter(|call| call.phase == Phase::Live).map(|call| call.flow) else {
            return self.forbid(now, server);
        };
        let same = |known: &Subscription| {
            known.dialog.is_none() && known.call == Some(call) && known.package == wish.package && known.id == wish.id
        };
        match self.subscriptions.iter().find(|(_, known)| same(known)).map(|(number, _)| *number) {
            Some(number) => self.renew_subscription(now, server, number, flow, wish.life),
            None => self.begin_subscription(now, server, None, Some(call), flow, wish),
        }
    }

    /// A SUBSCRIBE in the dialog of a subscription: it is renewed, or ended.
    pub(in crate::sip) fn subscribe_again(
        &mut self,
        now: Instant,
        server: u64,
        number: u64,
        flow: Flow,
        request: &Request,
        cseq: u32,
    ) {
        let known = self.subscriptions.get_mut(&number).filter(|known| is_from_there(&known.flow, &flow));
        let Some(known) = known else { return self.respond(now, server, 481, &[], None) };
        if request.method != Method::Subscribe {
            return self.refuse_method(now, server, request.method.clone());
        }
        if known.dialog.as_mut().is_some_and(|dialog| !dialog.accepts(cseq)) {
            return self.respond(now, server, 500, &[("Retry-After", "1".to_owned())], None);
        }
        match wish(request) {
            Ok(wish) if wish.package == known.package => {
                if let Some(dialog) = &mut known.dialog {
                    dialog.refresh(request.headers.values("Contact"));
                }
                self.renew_subscription(now, server, number, flow, wish.life);
            }
            // RFC 6665 section 4.5.2: one dialog of its own, one subscription.
            Ok(_) => self.respond(now, server, 489, &[allow_events()], None),
            Err((status, header)) => self.respond(now, server, status, &[header], None),
        }
    }

    fn begin_subscription(
        &mut self,
        now: Instant,
        server: u64,
        dialog: Option<Dialog>,
        call: Option<CallId>,
        flow: Flow,
        Wish { package, id, life }: Wish,
    ) {
        let mine = self.subscriptions.values().filter(|known| known.flow.peer.ip() == flow.peer.ip()).count();
        // Many phones may come through one trunk or proxy.
        let over = mine >= EACH && !self.is_trusted(&flow);
        if self.subscriptions.len() >= ALL || over {
            return self.respond(now, server, 503, &[("Retry-After", "60".to_owned())], None);
        }
        let number = self.number();
        if let Some(dialog) = &dialog {
            self.subscription_dialogs.insert(dialog.key(), number);
        }
        let ends_at = now + Duration::from_secs(life.into());
        let (version, telling, news, rests_until, scheduled) = (0, false, true, now, None);
        let subscription =
            Subscription { dialog, call, package, id, flow, ends_at, version, telling, news, rests_until, scheduled };
        self.subscriptions.insert(number, subscription);
        self.accept_subscription(now, server, number, &flow, life);
        if package == Package::Conference
            && let Some(call) = call
        {
            self.tell(Event::Watch { call, on: true });
        }
    }

    fn renew_subscription(&mut self, now: Instant, server: u64, number: u64, flow: Flow, life: u32) {
        if let Some(known) = self.subscriptions.get_mut(&number) {
            known.flow = flow;
            known.ends_at = now + Duration::from_secs(life.into());
            known.news = true;
        }
        self.accept_subscription(now, server, number, &flow, life);
    }

    fn accept_subscription(&mut self, now: Instant, server: u64, number: u64, flow: &Flow, life: u32) {
        let headers = [("Expires", life.to_string()), ("Contact", self.contact(flow))];
        self.respond(now, server, 200, &headers, None);
        match life {
            0 => self.end_subscription(now, number, "timeout"),
            _ => self.wake_subscription(now, number),
        }
    }

    /// What there is to tell is told, if it is time.
    pub(in crate::sip) fn wake_subscription(&mut self, now: Instant, number: u64) {
        let Some(known) = self.subscriptions.get_mut(&number) else { return };
        if known.ends_at <= now {
            return self.end_subscription(now, number, "timeout");
        }
        if known.news && !known.telling && known.rests_until <= now {
            (known.news, known.telling, known.rests_until) = (false, true, now + PAUSE);
            let left = known.ends_at.saturating_duration_since(now).as_secs();
            self.notify(now, number, &format!("expires={left}"), false);
        }
        self.schedule(Owner::Subscription(number));
    }

    /// The last NOTIFY, after which nothing is left of a subscription.
    fn end_subscription(&mut self, now: Instant, number: u64, why: &str) {
        self.notify(now, number, &format!("reason={why}"), true);
        self.forget_subscription(number);
    }

    fn forget_subscription(&mut self, number: u64) {
        let Some(known) = self.subscriptions.remove(&number) else { return };
        self.unschedule(known.scheduled, Owner::Subscription(number));
        if let Some(dialog) = &known.dialog {
            self.subscription_dialogs.remove(&dialog.key());
        }
        let watches = |other: &Subscription| other.call == known.call && other.package == Package::Conference;
        if known.package == Package::Conference
            && let Some(call) = known.call
            && !self.subscriptions.values().any(watches)
        {
            self.tell(Event::Watch { call, on: false });
        }
    }

    fn notify(&mut self, now: Instant, number: u64, more: &str, last: bool) {
        let Some(known) = self.subscriptions.get_mut(&number) else { return };
        let (flow, package, call) = (known.flow, known.package, known.call);
        known.version += 1;
        let version = known.version;
        let (event, device) = (known.event(), known.dialog.as_ref().map(|dialog| dialog.local().uri.to_string()));
        let request = match &mut known.dialog {
            Some(dialog) => Some(dialog.request(Method::Notify)),
            None => call.and_then(|call| self.calls.get_mut(&call)).map(|call| call.dialog.request(Method::Notify)),
        };
        let Some(mut request) = request else { return };
        let own = self.contact_uri(&flow);
        let roster = call.and_then(|call| self.calls.get(&call)).and_then(|call| call.roster.as_ref());
        let document = match package {
            // M-8: before the call is admitted there is nothing to be seen.
            Package::Conference => roster.map(|roster| documents::conference(&own, version, roster)),
            Package::Dialog => Some(documents::dialogs(device.as_deref().unwrap_or(&own), version)),
            Package::MessageSummary => Some(documents::no_messages()),
            Package::Presence => Some(documents::present(device.as_deref().unwrap_or(&own))),
        };
        let state = match (last, &document) {
            (true, _) => "terminated",
            (false, Some(_)) => "active",
            (false, None) => "pending",
        };
        request.headers.push("Event", event);
        request.headers.push("Subscription-State", format!("{state};{more}"));
        if let Some((kind, text)) = document {
            request.headers.push("Content-Type", kind);
            request.body = text.into_bytes();
        }
        let alone = if last { Alone::LastNotify } else { Alone::Notify(number) };
        self.send_alone(now, request, self.way_by(flow), alone);
    }

    /// The answer to a NOTIFY; a device that does not know it any more wants no more of them (RFC 6665 section 4.2.2).
    pub(in crate::sip) fn notified(&mut self, now: Instant, number: u64, accepted: bool) {
        if !accepted {
            return self.forget_subscription(number);
        }
        if let Some(known) = self.subscriptions.get_mut(&number) {
            known.telling = false;
        }
        self.wake_subscription(now, number);
    }

    /// Who is in the meeting of a call now.
    pub(in crate::sip) fn roster(&mut self, now: Instant, id: CallId, roster: Roster) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase == Phase::Live) else { return };
        if call.roster.as_ref() == Some(&roster) {
            return;
        }
        call.roster = Some(roster);
        let about = |known: &Subscription| known.call == Some(id) && known.package == Package::Conference;
        let numbers: Vec<u64> = self.subscriptions.iter().filter(|(_, known)| about(known)).map(|(number, _)| *number).collect();
        for number in numbers {
            if let Some(known) = self.subscriptions.get_mut(&number) {
                known.news = true;
            }
            self.wake_subscription(now, number);
        }
    }

    /// A call is over, and with it what its device was told of the meeting.
    pub(in crate::sip) fn end_subscriptions_of(&mut self, now: Instant, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.roster = None;
        }
        let theirs: Vec<(u64, bool)> = self
            .subscriptions
            .iter()
            .filter(|(_, known)| known.call == Some(id))
            .map(|(number, known)| (*number, known.dialog.is_some()))
            .collect();
        for (number, own_dialog) in theirs {
            match own_dialog {
                true => self.end_subscription(now, number, "noresource"),
                // Its dialog is over.
                false => self.forget_subscription(number),
            }
        }
    }

    /// The subscription that a request belongs to by its dialog.
    pub(in crate::sip) fn subscription_in(&self, dialog: Option<&DialogKey>) -> Option<u64> {
        dialog.and_then(|dialog| self.subscription_dialogs.get(dialog)).copied()
    }
}
