//! Who may cost us work: a budget a source for new requests and for messages that cannot be read. What is above it is dropped
//! unanswered. Trusted sources are exempt. The table is bounded; when it is full of busy sources, further ones share one budget.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

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
    /// Any other new request outside a dialog, or one that names an unknown dialog.
    Request = 1,
    /// A demand for a password, on top of the request's own price.
    Challenge = 7,
    /// A message that cannot be read.
    Malformed = 4,
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
    budgets: HashMap<IpAddr, Budget>,
    shared: Option<Budget>,
    tries: Option<Budgets<IpAddr>>,
    /// Sources that gave too many wrong passwords, until when.
    barred: HashMap<IpAddr, Instant>,
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

    /// An IPv6 source is its /64: whoever has one address there has all.
    fn source(ip: IpAddr) -> IpAddr {
        match ip {
            IpAddr::V4(_) => ip,
            IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
                Some(ip) => ip.into(),
                None => std::net::Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
            },
        }
    }

    fn refilled(&self, budget: Budget, now: Instant) -> Budget {
        let micros = u64::try_from(now.saturating_duration_since(budget.at).as_micros()).unwrap_or(u64::MAX);
        let left = budget.left.saturating_add(micros.saturating_mul(self.per_second) / 1_000_000).min(self.full);
        Budget { left, at: now, silenced: budget.silenced && left < self.full / 2 }
    }

    /// Takes `price` from the budget of `ip`; `false` means: drop the message unanswered.
    pub fn charge(&mut self, now: Instant, ip: IpAddr, price: Price) -> bool {
        if self.trusted.trusts(ip) {
            return true;
        }
        let source = Self::source(ip);
        if self.budgets.len() >= SOURCES && !self.budgets.contains_key(&source) {
            self.sweep(now);
        }
        let fits = self.budgets.len() < SOURCES || self.budgets.contains_key(&source);
        let before = if fits { self.budgets.get(&source).copied() } else { self.shared };
        let fresh = Budget { left: self.full, at: now, silenced: false };
        let mut budget = self.refilled(before.unwrap_or(fresh), now);
        let price = price as u64 * EIGHTH;
        let granted = budget.left >= price && !budget.silenced;
        if granted {
            budget.left -= price;
        } else if !budget.silenced {
            budget.silenced = true;
            tracing::warn!(%source, "source is over its budget and is no longer answered");
        }
        if fits {
            self.budgets.insert(source, budget);
        } else {
            self.shared = Some(budget);
        }
        granted
    }

    /// Whether `ip` is silenced now. Its budget still fills; it is heard again when half of it is there.
    #[must_use]
    pub fn is_silenced(&self, now: Instant, ip: IpAddr) -> bool {
        let budget = self.budgets.get(&Self::source(ip)).copied().filter(|budget| budget.silenced);
        budget.is_some_and(|budget| self.refilled(budget, now).silenced)
    }

    /// A wrong password came from `ip`, or one for nobody.
    pub fn wrong_password(&mut self, now: Instant, ip: IpAddr) {
        let source = Self::source(ip);
        let trusted = self.trusted.trusts(ip);
        let tries = self.tries.get_or_insert_with(|| Budgets::new(WRONG, SOURCES, now));
        if trusted || (tries.take(now, source) && tries.wait(now, &source).is_zero()) {
            return tracing::info!(source = %ip, "wrong password");
        }
        tracing::warn!(source = %ip, "wrong password once too often: source is no longer answered");
        if self.barred.len() >= SOURCES {
            self.barred.retain(|_, until| *until > now);
        }
        // With the table full of others, their common budget bars the source.
        if self.barred.len() < SOURCES {
            self.barred.insert(source, now + BARRED);
        }
    }

    /// Whether requests of `ip` that need a password are dropped unanswered, because too many were wrong.
    #[must_use]
    pub fn is_barred(&self, now: Instant, ip: IpAddr) -> bool {
        let source = Self::source(ip);
        let spent = self.tries.as_ref().is_some_and(|tries| !tries.wait(now, &source).is_zero());
        !self.trusted.trusts(ip) && (spent || self.barred.get(&source).is_some_and(|until| *until > now))
    }

    /// Sources that are silenced now.
    #[must_use]
    pub fn silenced(&self, now: Instant) -> Vec<IpAddr> {
        let silenced = self.budgets.iter().filter(|(_, budget)| budget.silenced).map(|(ip, _)| *ip);
        let mut found: Vec<IpAddr> =
            silenced.chain(self.barred.iter().filter(|(_, until)| **until > now).map(|(ip, _)| *ip)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Hears `ip` again with a full budget.
    pub fn lift(&mut self, ip: IpAddr) {
        let source = Self::source(ip);
        self.budgets.remove(&source);
        self.barred.remove(&source);
        if let Some(tries) = &mut self.tries {
            tries.forget(&source);
        }
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

    #[test]
    fn a_source_over_its_budget_is_silenced_until_it_pauses() {
        let (mut guard, now, ip) = (guard(), start(), IpAddr::from([192, 0, 2, 1]));
        assert_eq!((0..10).filter(|_| guard.charge(now, ip, Price::Invite)).count(), 4);
        assert!(guard.is_silenced(now, ip));
        assert_eq!(guard.silenced(now), [ip]);
        assert!(!guard.is_silenced(now + Duration::from_secs(2), ip));
        assert!(guard.charge(now + Duration::from_secs(2), ip, Price::Invite));
    }

    #[test]
    fn a_trusted_source_is_never_silenced() {
        let (mut guard, now) = (guard(), start());
        assert!((0..1000).all(|_| guard.charge(now, IpAddr::from([10, 0, 0, 1]), Price::Malformed)));
        assert!(guard.silenced(now).is_empty());
    }

    #[test]
    fn wrong_passwords_end_in_silence_for_a_while_but_not_for_the_trusted() {
        let (mut guard, now, ip) = (guard(), start(), IpAddr::from([192, 0, 2, 1]));
        for n in 0..8 {
            assert!(!guard.is_barred(now, ip), "{n}");
            guard.wrong_password(now, ip);
        }
        assert!(guard.is_barred(now, ip) && guard.silenced(now) == [ip]);
        assert!(!guard.is_barred(now, IpAddr::from([192, 0, 2, 2])));
        assert!(guard.is_barred(now + BARRED - Duration::from_secs(1), ip) && !guard.is_barred(now + BARRED, ip));
        guard.lift(ip);
        assert!(!guard.is_barred(now, ip) && guard.silenced(now).is_empty());
        let trusted = IpAddr::from([10, 0, 0, 1]);
        (0..100).for_each(|_| guard.wrong_password(now, trusted));
        assert!(!guard.is_barred(now, trusted));
        for n in 0..4_200_u32 {
            (0..8).for_each(|_| guard.wrong_password(now, IpAddr::from(n.to_be_bytes())));
        }
        assert!(guard.barred.len() <= SOURCES && guard.is_barred(now, IpAddr::from([203, 0, 113, 1])));
    }

    #[test]
    fn the_table_stays_bounded_and_forgets_the_quiet() {
        let (mut guard, now) = (guard(), start());
        for n in 0..20_000_u32 {
            guard.charge(now, IpAddr::from(n.to_be_bytes()), Price::Invite);
        }
        assert_eq!(guard.budgets.len(), SOURCES);
        guard.charge(now + Duration::from_secs(60), IpAddr::from([203, 0, 113, 1]), Price::Invite);
        assert_eq!(guard.budgets.len(), 1);
    }

    #[test]
    fn ipv6_neighbours_share_a_budget_and_scanners_are_known() {
        let (mut guard, now) = (guard(), start());
        let of = |n: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]);
        assert_eq!((0..10).filter(|&n| guard.charge(now, of(n), Price::Invite)).count(), 4);
        assert!(is_scanner("Friendly-Scanner") && !is_scanner("PolycomRealPresence"));
    }
}
