//! [`Registrar`]: where registered devices are to be found (S-3; RFC 3261 section 10.3, RFC 3327, RFC 5626).
//!
//! REGISTER requests of devices that have proved who they are flow in; answers, and [`Change`]s for the store, flow out. A device is
//! its own address-of-record. Bindings die at their deadline; time is an input. Bounded by the devices there are, and for each by
//! [`RegistrarSettings::contacts`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::contact::{AskedContact, Contacts};
use crate::sip::message::header;
use crate::sip::message::uri::Uri;
use crate::sip::message::{Request, StatusCode, header_names};
use crate::sip::transaction::{InboundRequest, Reply};
use crate::sip::transport::{ConnectionId, Flow};

use super::binding::{ContactBinding, Stored};

/// Extensions that a REGISTER may require.
const SUPPORTED: [&str; 2] = ["path", "outbound"];
/// Values of a Path; what is above is refused.
const PATHS: usize = 8;

/// How long and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrarSettings {
    /// A shorter wish is answered 423.
    pub min_expires: Duration,
    /// A longer wish is cut to this.
    pub max_expires: Duration,
    /// Without a wish.
    pub default_expires: Duration,
    /// Contacts of one device.
    pub contacts: usize,
}

impl Default for RegistrarSettings {
    fn default() -> Self {
        let hour = Duration::from_secs(3600);
        Self { min_expires: Duration::from_secs(60), max_expires: hour, default_expires: hour, contacts: 8 }
    }
}

/// What a device has now, for the store: all of it, so that one lost change is mended by the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The device's label.
    pub device: Arc<str>,
    /// Its bindings; none: it is gone.
    pub bindings: Vec<Stored>,
}

/// The contacts of each device, until they die.
#[derive(Debug)]
pub(in crate::sip) struct Registrar {
    settings: RegistrarSettings,
    pub(super) devices: BTreeMap<Arc<str>, Vec<ContactBinding>>,
    /// When the next binding dies.
    next: Option<Instant>,
    /// Where the bindings came from.
    sources: BTreeSet<IpAddr>,
    pub(super) changes: VecDeque<Change>,
}

impl Registrar {
    /// Nobody has registered yet.
    pub(in crate::sip) fn new(settings: RegistrarSettings) -> Self {
        Self { settings, devices: BTreeMap::new(), next: None, sources: BTreeSet::new(), changes: VecDeque::new() }
    }

    /// Other lives and numbers from now on; devices that are no longer known are no longer to be found.
    pub(in crate::sip) fn reconfigure(&mut self, now: Instant, settings: RegistrarSettings, known: impl Fn(&Arc<str>) -> bool) {
        self.settings = settings;
        let gone: Vec<_> = self.devices.keys().filter(|device| !known(device)).cloned().collect();
        for device in gone {
            self.set(now, &device, Vec::new());
        }
    }

    /// Takes up what an earlier run has kept; who has registered since then keeps what it said.
    pub(in crate::sip) fn restore(&mut self, now: Instant, changes: Vec<Change>) {
        for Change { device, bindings } in changes {
            let bindings: Vec<_> = bindings.into_iter().take(self.settings.contacts).map(|stored| stored.revive(now)).collect();
            if !bindings.is_empty() {
                self.devices.entry(device).or_insert(bindings);
            }
        }
        self.look_ahead();
    }

    /// Everything that is bound now.
    pub(in crate::sip) fn all(&self, now: Instant) -> Vec<Change> {
        let of = |(device, bindings): (&Arc<str>, &Vec<ContactBinding>)| Change {
            device: Arc::clone(device),
            bindings: bindings.iter().map(|binding| binding.stored(now)).collect(),
        };
        self.devices.iter().map(of).collect()
    }

    /// Where a device wants to be called most, and the flow that leads there: the highest q, of those the one that was heard of last.
    pub(in crate::sip) fn best(&self, device: &str) -> Option<(&Stored, Option<Flow>)> {
        self.devices.get(device)?.iter().max_by_key(|binding| binding.preference()).map(ContactBinding::way)
    }

    /// Whose contact an address is.
    pub(in crate::sip) fn owner_of(&self, contact: &Uri) -> Option<&Arc<str>> {
        let theirs = |(_, bindings): &(&Arc<str>, &Vec<ContactBinding>)| bindings.iter().any(|binding| binding.is_at(contact));
        self.devices.iter().find(theirs).map(|(device, _)| device)
    }

    fn look_ahead(&mut self) {
        self.next = self.devices.values().flatten().map(|binding| binding.dies_at).min();
        self.sources = self.devices.values().flatten().map(ContactBinding::source).collect();
    }

    /// Whether somebody who is registered lives at this address, perhaps beside others.
    pub(in crate::sip) fn is_home(&self, address: IpAddr) -> bool {
        self.sources.contains(&address)
    }

    /// Whether several devices have registered from this address.
    pub(in crate::sip) fn is_home_of_many(&self, address: IpAddr) -> bool {
        let lives_there = |bindings: &&Vec<ContactBinding>| bindings.iter().any(|binding| binding.source() == address);
        self.is_home(address) && self.devices.values().filter(lives_there).nth(1).is_some()
    }

    /// The device that registered from the very place of a flow: the same connection, or the same address and port. `None` also where that
    /// is a proxy's: others speak from there as well.
    pub(in crate::sip) fn device_at(&self, flow: &Flow) -> Option<&Arc<str>> {
        if !self.is_home(flow.peer.ip()) {
            return None;
        }
        let mut there = self.devices.iter().filter(|(_, bindings)| bindings.iter().any(|binding| binding.came_by(flow)));
        let (device, bindings) = there.next()?;
        let is_its_own = there.next().is_none() && bindings.iter().all(|binding| binding.is_direct() || !binding.came_by(flow));
        is_its_own.then_some(device)
    }

    /// A device that is who it says registers, asks, or unregisters.
    pub(in crate::sip) fn register(&mut self, now: Instant, device: &Arc<str>, inbound: &InboundRequest) -> Reply {
        let request = &inbound.request;
        self.wake(now);
        let required = request.headers.lines(header_names::REQUIRE).flat_map(header::tokens);
        let unknown: Vec<&str> = required.filter(|tag| !SUPPORTED.iter().any(|known| known.eq_ignore_ascii_case(tag))).collect();
        if !unknown.is_empty() {
            return Reply::new(StatusCode::BadExtension).with([(header_names::UNSUPPORTED, unknown.join(", "))]);
        }
        let before = self.devices.get(device).cloned().unwrap_or_default();
        let (after, outbound) = match self.updated(now, &before, inbound) {
            Ok(updated) => updated,
            Err(refusal) => return refusal,
        };
        if after != before {
            self.set(now, device, after);
        }
        self.accepted(now, device, request, outbound)
    }

    /// The bindings as the request wants them, and whether by an outbound flow: all of it or nothing (RFC 3261 section 10.3 item 7).
    fn updated(
        &self,
        now: Instant,
        before: &[ContactBinding],
        inbound: &InboundRequest,
    ) -> Result<(Vec<ContactBinding>, bool), Reply> {
        let InboundRequest { request, essentials, .. } = inbound;
        let mut after = before.to_vec();
        let asked = match Contacts::read(request).ok_or_else(|| Reply::new(StatusCode::BadRequest))? {
            Contacts::None => return Ok((after, false)),
            Contacts::All => {
                if before.iter().any(|binding| !binding.yields_to(essentials)) {
                    return Err(Reply::new(StatusCode::ServerInternalError));
                }
                return Ok((Vec::new(), false));
            }
            Contacts::Some(asked) => asked,
        };
        let path: Vec<String> = request.headers.values(header_names::PATH).map(str::to_owned).collect();
        if path.len() > PATHS {
            return Err(Reply::new(StatusCode::BadRequest));
        }
        let outbound = wants_outbound(request, &asked);
        if outbound && !first_hop_is_outbound(request, &path) {
            return Err(Reply::new(StatusCode::FirstHopLacksOutboundSupport));
        }
        let is_alone = asked.len() == 1;
        for asked in asked {
            let life = self.life(&asked)?;
            let flows = outbound && asked.reg_id.is_some();
            let same = |binding: &ContactBinding| binding.is_meant_by(&asked, flows);
            let moved = |binding: &ContactBinding| is_alone && !flows && binding.was_moved_to(&asked.uri, inbound);
            let place = after.iter().position(same).or_else(|| after.iter().position(moved));
            if place.and_then(|at| after.get(at)).is_some_and(|binding| !binding.yields_to(essentials)) {
                return Err(Reply::new(StatusCode::ServerInternalError));
            }
            let fresh = (!life.is_zero()).then(|| ContactBinding::new(now + life, asked, flows, &path, inbound));
            match (place, fresh) {
                (Some(at), Some(fresh)) => after.splice(at..=at, [fresh]).for_each(drop),
                (Some(at), None) => drop(after.remove(at)),
                (None, Some(fresh)) => after.push(fresh),
                (None, None) => {}
            }
        }
        if after.len() > self.settings.contacts {
            return Err(Reply::new(StatusCode::Forbidden));
        }
        Ok((after, outbound))
    }

    /// How long a contact is to live (section 10.2.1.1, 10.3 item 7).
    fn life(&self, asked: &AskedContact) -> Result<Duration, Reply> {
        let RegistrarSettings { min_expires, max_expires, default_expires, .. } = self.settings;
        match asked.expires.map(|seconds| Duration::from_secs(seconds.into())) {
            None => Ok(default_expires),
            Some(wish) if !wish.is_zero() && wish < min_expires => {
                let seconds = min_expires.as_secs().to_string();
                Err(Reply::new(StatusCode::IntervalTooBrief).with([(header_names::MIN_EXPIRES, seconds)]))
            }
            Some(wish) => Ok(wish.min(max_expires)),
        }
    }

    /// 200 with all that is bound now (section 10.3 item 8).
    fn accepted(&self, now: Instant, device: &Arc<str>, request: &Request, outbound: bool) -> Reply {
        let bindings = self.devices.get(device).map(Vec::as_slice).unwrap_or_default();
        let mut headers: Vec<_> = bindings.iter().map(|binding| (header_names::CONTACT, binding.contact(now))).collect();
        // RFC 3327 section 5.3: who does not know Path gets none back.
        let knows_path =
            request.headers.lines(header_names::SUPPORTED).flat_map(header::tokens).any(|tag| tag.eq_ignore_ascii_case("path"));
        if knows_path {
            headers.extend(request.headers.lines(header_names::PATH).map(|path| (header_names::PATH, path.to_owned())));
        }
        if outbound {
            headers.push((header_names::REQUIRE, "outbound".to_owned()));
        }
        headers.push((header_names::SUPPORTED, SUPPORTED.join(", ")));
        Reply::new(StatusCode::OK).with(headers)
    }

    fn set(&mut self, now: Instant, device: &Arc<str>, bindings: Vec<ContactBinding>) {
        let stored = bindings.iter().map(|binding| binding.stored(now)).collect();
        // One change for each device is enough: it says everything.
        self.changes.retain(|change| change.device != *device);
        self.changes.push_back(Change { device: Arc::clone(device), bindings: stored });
        let (was, is) = (self.devices.get(device).map_or(0, Vec::len), bindings.len());
        if was != is {
            tracing::info!(%device, contacts = is, "registered contacts changed");
        }
        if bindings.is_empty() {
            self.devices.remove(device);
        } else {
            self.devices.insert(Arc::clone(device), bindings);
        }
        self.look_ahead();
    }

    fn keep(&mut self, now: Instant, keeps: impl Fn(&ContactBinding) -> bool) {
        let changed: Vec<_> = self.devices.iter().filter(|(_, bindings)| !bindings.iter().all(&keeps)).collect();
        let changed: Vec<_> = changed
            .into_iter()
            .map(|(device, bindings)| (Arc::clone(device), bindings.iter().filter(|binding| keeps(binding)).cloned().collect()))
            .collect();
        for (device, bindings) in changed {
            self.set(now, &device, bindings);
        }
    }

    /// Forgets what is over its time.
    pub(in crate::sip) fn wake(&mut self, now: Instant) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.keep(now, |binding| binding.dies_at > now);
        }
    }

    /// A connection is gone: what was to be reached by it alone cannot be reached any more (RFC 5626 section 5.3).
    pub(in crate::sip) fn flow_closed(&mut self, now: Instant, connection: ConnectionId) {
        self.keep(now, |binding| !(binding.is_flow() && binding.connection() == Some(connection)));
    }

    /// Whether a device is to be reached by this connection.
    pub(in crate::sip) fn uses(&self, connection: ConnectionId) -> bool {
        self.devices.values().flatten().any(|binding| binding.connection() == Some(connection))
    }

    /// What changed and was not told yet.
    pub(in crate::sip) fn poll(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// When the next binding dies.
    pub(in crate::sip) const fn deadline(&self) -> Option<Instant> {
        self.next
    }
}

/// RFC 5626 section 6: asked for by `reg-id`, an instance and the option tag together.
fn wants_outbound(request: &Request, asked: &[AskedContact]) -> bool {
    let named = |name: &str| request.headers.lines(name).flat_map(header::tokens).any(|tag| tag.eq_ignore_ascii_case("outbound"));
    (named(header_names::SUPPORTED) || named(header_names::REQUIRE))
        && asked.iter().any(|asked| asked.reg_id.is_some() && asked.instance.is_some())
}

/// RFC 5626 section 6: we are the first hop ourselves, or the first hop has said that it keeps the flow.
fn first_hop_is_outbound(request: &Request, path: &[String]) -> bool {
    let first = path.last().and_then(|hop| header::NameAddr::parse(hop));
    request.headers.values(header_names::VIA).count() == 1 || first.is_some_and(|hop| hop.uri.params.has("ob"))
}
