//! Who may cost us work: a budget a source for new requests and for messages that cannot be read. What is above it is dropped
//! unanswered, and so is what follows until the source pauses. A trusted address is never silenced: behind it each caller has a budget
//! of its own. The table is bounded; when it is full of busy sources, further ones share one budget.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::header::{NameAddr, Via};
use super::ladder;
use super::message::{Method, Request};
use super::uri::Host;
use super::{Limits, Trusted};
use crate::budget::{Allowance, Budgets};

/// Sources remembered at once.
const SOURCES: usize = 4096;
/// Wrong passwords of one source that are answered.
const WRONG: Allowance = Allowance { burst: 8, every: Duration::from_secs(60) };
/// How long a source with more of them is not answered.
const BARRED: Duration = Duration::from_secs(600);

/// Starts of the User-Agent of known scanners, in lower case.
const SCANNERS: &[&str] = &[
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sip-scan",
    "sipcli",
    "sipscan",
    "sundayddr",
    "iwar",
    "vaxsipuseragent",
    "pplsip",
    "sipsak-scan",
    "siparmyknife",
    "eyebeam release 3006o",
];

/// Whether a `User-Agent` is that of a known scanner.
#[must_use]
pub fn is_scanner(user_agent: &str) -> bool {
    let user_agent = user_agent.trim().to_ascii_lowercase();
    SCANNERS.iter().any(|name| user_agent.starts_with(name))
}

/// What a message costs, in eighths of an INVITE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Price {
    /// A new INVITE.
    Invite = 8,
    /// Any other new request outside a dialog, one that names an unknown dialog, or a message that cannot be read.
    Request = 6,
    /// A demand for a password, on top of the request's own price.
    Challenge = 2,
}

impl Price {
    /// What a request of this method costs.
    #[must_use]
    pub const fn of(method: &Method) -> Self {
        match method {
            Method::Invite => Self::Invite,
            _ => Self::Request,
        }
    }
}

/// Longest name of a caller behind a trusted address that is kept, in characters.
const CALLER: usize = 100;

/// Whose budget it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// An address; of IPv6 the /64: whoever has one address there has all.
    Address(IpAddr),
    /// A caller behind a trusted address: where that has it from or, if it does not say so, whom the caller claims to be.
    Behind(IpAddr, Box<str>),
}

impl Source {
    /// An address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        Self::Address(match ip {
            IpAddr::V4(_) => ip,
            IpAddr::V6(six) => match six.to_ipv4_mapped() {
                Some(four) => four.into(),
                None => std::net::Ipv6Addr::from_bits(six.to_bits() >> 64 << 64).into(),
            },
        })
    }

    /// A device of ours at an address.
    #[must_use]
    pub fn device(ip: IpAddr, label: &str) -> Self {
        match Self::of(ip) {
            Self::Address(ip) | Self::Behind(ip, _) => Self::Behind(ip, label.into()),
        }
    }

    /// The caller of a request that came through a trusted address.
    #[must_use]
    pub fn behind(ip: IpAddr, request: &Request) -> Self {
        let via = request.headers.values("Via").nth(1).and_then(Via::parse);
        let hop = via.map(|via| match via.params.get("received").and_then(|text| text.trim_matches(['[', ']']).parse().ok()) {
            Some(received) => Host::Ip(received).to_string(),
            None => via.host.to_string(),
        });
        let claimed = || {
            let from = request.headers.get("From").and_then(NameAddr::parse)?.uri;
            let host = from.host.map(|host| host.to_string()).unwrap_or_default();
            Some(format!("{}@{host}", from.user.unwrap_or_default()))
        };
        let caller = hop.or_else(claimed).unwrap_or_default();
        let plain = caller.chars().filter(|letter| !letter.is_control()).take(CALLER).collect::<String>();
        Self::Behind(ip, plain.to_ascii_lowercase().into())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(ip) => ip.fmt(f),
            Self::Behind(ip, caller) => write!(f, "{} behind {ip}", ladder::caller(caller)),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Budget {
    /// Eighths of an INVITE, times a million for fine refill.
    left: u64,
    at: Instant,
    silenced: bool,
}

const EIGHTH: u64 = 1_000_000;

/// The budgets.
#[derive(Debug)]
pub struct Guard {
    full: u64,
    per_second: u64,
    trusted: Trusted,
    budgets: HashMap<Source, Budget>,
    shared: Option<Budget>,
    tries: Option<Budgets<Source>>,
    /// Sources that gave too many wrong passwords, until when.
    barred: HashMap<Source, Instant>,
    swept: Option<Instant>,
}

impl Guard {
    /// Budgets by `limits`.
    #[must_use]
    pub fn new(limits: &Limits, trusted: Trusted) -> Self {
        let invite = Price::Invite as u64 * EIGHTH;
        let (full, per_second) = (u64::from(limits.burst.max(1)) * invite, u64::from(limits.invites_per_second.max(1)) * invite);
        Self {
            full,
            per_second,
            trusted,
            budgets: HashMap::new(),
            shared: None,
            tries: None,
            barred: HashMap::new(),
            swept: None,
        }
    }

    /// Other budgets, for those who are remembered as well.
    pub fn reconfigure(&mut self, limits: &Limits, trusted: Trusted) {
        let Self { full, per_second, trusted, .. } = Self::new(limits, trusted);
        (self.full, self.per_second, self.trusted) = (full, per_second, trusted);
    }

    /// Whether an address is trusted.
    #[must_use]
    pub fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted.trusts(ip)
    }

    fn refilled(&self, budget: Budget, now: Instant) -> Budget {
        let micros = u64::try_from(now.saturating_duration_since(budget.at).as_micros()).unwrap_or(u64::MAX);
        let left = budget.left.saturating_add(micros.saturating_mul(self.per_second) / 1_000_000).min(self.full);
        Budget { left, at: now, silenced: budget.silenced && left < self.full / 2 }
    }

    /// Takes `price` from the budget of a source; `false`: there is none left, and nothing is done for it until it pauses.
    pub fn charge(&mut self, now: Instant, source: &Source, price: Price) -> bool {
        if self.budgets.len() >= SOURCES && !self.budgets.contains_key(source) {
            self.sweep(now);
        }
        let fits = self.budgets.len() < SOURCES || self.budgets.contains_key(source);
        let before = if fits { self.budgets.get(source).copied() } else { self.shared };
        let fresh = Budget { left: self.full, at: now, silenced: false };
        let mut budget = self.refilled(before.unwrap_or(fresh), now);
        let price = price as u64 * EIGHTH;
        let granted = budget.left >= price && !budget.silenced;
        if granted {
            budget.left -= price;
        } else {
            // Whoever goes on stays silenced.
            budget.left = budget.left.saturating_sub(Price::Invite as u64 * EIGHTH);
            if !budget.silenced {
                budget.silenced = true;
                say(source, "is over its budget and is no longer answered");
            }
        }
        match fits {
            true => drop(self.budgets.insert(source.clone(), budget)),
            false => self.shared = Some(budget),
        }
        granted
    }

    /// A wrong password came from a source, or one for nobody.
    pub fn wrong_password(&mut self, now: Instant, source: &Source) {
        let tries = self.tries.get_or_insert_with(|| Budgets::new(WRONG, SOURCES, now));
        if tries.take(now, source.clone()) && tries.wait(now, source).is_zero() {
            return say(source, "gave a wrong password");
        }
        say(source, "gave a wrong password once too often and is no longer answered");
        if self.barred.len() >= SOURCES {
            self.barred.retain(|_, until| *until > now);
        }
        // With the table full of others, their common budget bars the source.
        if self.barred.len() < SOURCES {
            self.barred.insert(source.clone(), now + BARRED);
        }
    }

    /// Whether requests of a source that need a password are not looked at, because too many were wrong.
    #[must_use]
    pub fn is_barred(&self, now: Instant, source: &Source) -> bool {
        let spent = self.tries.as_ref().is_some_and(|tries| !tries.wait(now, source).is_zero());
        spent || self.barred.get(source).is_some_and(|until| *until > now)
    }

    /// Sources that are silenced now.
    #[must_use]
    pub fn silenced(&self, now: Instant) -> Vec<Source> {
        let silenced = self.budgets.iter().filter(|(_, budget)| self.refilled(**budget, now).silenced).map(|(source, _)| source);
        let barred = self.barred.iter().filter(|(_, until)| **until > now).map(|(source, _)| source);
        let mut found: Vec<Source> = silenced.chain(barred).cloned().collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Hears a source again with a full budget; `false` when it was not silenced.
    pub fn lift(&mut self, now: Instant, source: &Source) -> bool {
        let was = self.silenced(now).contains(source);
        self.budgets.remove(source);
        self.barred.remove(source);
        if let Some(tries) = &mut self.tries {
            tries.forget(source);
        }
        was
    }

    /// Forgets sources whose budget is full again.
    fn sweep(&mut self, now: Instant) {
        // Once a second is enough, and a full table must not make every packet expensive.
        if self.swept.is_some_and(|at| now.saturating_duration_since(at) < Duration::from_secs(1)) {
            return;
        }
        self.swept = Some(now);
        let full_after = |left: u64| Duration::from_micros((self.full - left.min(self.full)) * 1_000_000 / self.per_second);
        self.budgets.retain(|_, budget| now.saturating_duration_since(budget.at) < full_after(budget.left));
    }
}

/// One line for administrators, and for programs that bar an address in the firewall: those look for `source=` (`conf/fail2ban`), and must
/// not bar a trusted address for a caller behind it.
fn say(source: &Source, what: &str) {
    match source {
        Source::Address(source) => tracing::warn!(%source, "source {what}"),
        Source::Behind(behind, caller) => tracing::warn!(%behind, caller = ladder::caller(caller), "caller {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        let limits = Limits { invites_per_second: 2, burst: 4, ..Limits::default() };
        Guard::new(&limits, Trusted::new(|ip| ip == IpAddr::from([10, 0, 0, 1])))
    }

    #[allow(clippy::disallowed_methods, reason = "virtual time needs one real instant to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    fn at(octets: [u8; 4]) -> Source {
        Source::of(octets.into())
    }

    #[test]
    fn a_source_over_its_budget_is_silenced_until_it_pauses() {
        let (mut guard, now, source) = (guard(), start(), at([192, 0, 2, 1]));
        assert_eq!((0..10).filter(|_| guard.charge(now, &source, Price::Invite)).count(), 4);
        assert_eq!(guard.silenced(now), std::slice::from_ref(&source));
        // Three a second are more than its budget gets back.
        let third = Duration::from_secs(1) / 3;
        assert!((0..100).all(|n| !guard.charge(now + n * third, &source, Price::Request)));
        assert!(guard.charge(now + 100 * third + Duration::from_secs(2), &source, Price::Invite));
        assert!(guard.silenced(now + 100 * third + Duration::from_secs(2)).is_empty());
    }

    #[test]
    fn behind_a_trusted_address_each_caller_has_a_budget_of_its_own() {
        let (mut guard, now, ip) = (guard(), start(), IpAddr::from([10, 0, 0, 1]));
        assert!(guard.trusts(ip));
        let behind = |headers: &[(&str, &str)]| {
            let mut request = Request::new(crate::sip::Method::Invite, "sip:1001@x");
            headers.iter().for_each(|(name, value)| request.headers.push(name, value));
            Source::behind(ip, &request)
        };
        let via = "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1, SIP/2.0/UDP phone.local:5070;branch=z9hG4bK2;received=";
        let bad = behind(&[("Via", &format!("{via}192.0.2.9")), ("From", "<sip:a@b>")]);
        let good = behind(&[("Via", &format!("{via}[2001:db8::1]")), ("From", "<sip:a@b>")]);
        let pbx = behind(&[("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1"), ("From", "\"A\" <sip:Room@PBX>;tag=1")]);
        let number = behind(&[("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1"), ("From", "<sip:+4915112345678@10.0.0.1>;tag=1")]);
        assert_eq!(number.to_string(), "+***********78@10.0.0.1 behind 10.0.0.1", "no full number in a log (O-5)");
        assert_eq!(
            [&bad, &good, &pbx].map(ToString::to_string),
            ["192.0.2.9 behind 10.0.0.1", "[2001:db8::1] behind 10.0.0.1", "room@pbx behind 10.0.0.1"]
        );
        assert_eq!((0..100).filter(|_| guard.charge(now, &bad, Price::Invite)).count(), 4);
        (0..100).for_each(|_| guard.wrong_password(now, &bad));
        assert!(
            [&good, &pbx].into_iter().all(|source| !guard.is_barred(now, source) && guard.charge(now, source, Price::Invite))
        );
        assert!(guard.is_barred(now, &bad) && guard.silenced(now) == [bad.clone()]);
        assert!(guard.lift(now, &bad) && !guard.is_barred(now, &bad) && !guard.lift(now, &bad));
    }

    #[test]
    fn wrong_passwords_end_in_silence_for_a_while() {
        let (mut guard, now, source) = (guard(), start(), at([192, 0, 2, 1]));
        for n in 0..8 {
            assert!(!guard.is_barred(now, &source), "{n}");
            guard.wrong_password(now, &source);
        }
        assert!(guard.is_barred(now, &source) && guard.silenced(now) == [source.clone()]);
        assert!(!guard.is_barred(now, &at([192, 0, 2, 2])));
        assert!(guard.is_barred(now + BARRED - Duration::from_secs(1), &source) && !guard.is_barred(now + BARRED, &source));
        assert!(guard.lift(now, &source));
        assert!(!guard.is_barred(now, &source) && guard.silenced(now).is_empty());
        for n in 0..4_200_u32 {
            (0..8).for_each(|_| guard.wrong_password(now, &at(n.to_be_bytes())));
        }
        assert!(guard.barred.len() <= SOURCES && guard.is_barred(now, &at([203, 0, 113, 1])));
    }

    #[test]
    fn the_table_stays_bounded_and_forgets_the_quiet() {
        let (mut guard, now) = (guard(), start());
        for n in 0..20_000_u32 {
            guard.charge(now, &at(n.to_be_bytes()), Price::Invite);
        }
        assert_eq!(guard.budgets.len(), SOURCES);
        guard.charge(now + Duration::from_secs(60), &at([203, 0, 113, 1]), Price::Invite);
        assert_eq!(guard.budgets.len(), 1);
    }

    #[test]
    fn ipv6_neighbours_share_a_budget_and_scanners_are_known() {
        let (mut guard, now) = (guard(), start());
        let of = |n: u16| Source::of(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]));
        assert_eq!((0..10).filter(|&n| guard.charge(now, &of(n), Price::Invite)).count(), 4);
        assert!(is_scanner("Friendly-Scanner") && !is_scanner("PolycomRealPresence"));
    }
}
