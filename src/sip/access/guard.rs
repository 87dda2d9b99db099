//! Who may cost us work: a budget a source for new requests and for messages that cannot be read. What is above it is dropped
//! unanswered, and so is what follows until the source pauses. A trusted address is never silenced: behind it each caller has a budget
//! of its own. Tables are bounded and forget what is oldest in them: whoever is not in one has a full budget and is not barred.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use hashlink::LruCache;

use super::limits::{Limits, Trusted};
use super::source::Source;
use crate::common::log_limit::LogLimit;
use crate::common::rate_limit::{RateLimit, RateLimiter, TokenBucket};
use crate::sip::masking;
use crate::sip::message::method::Method;

/// What log lines on sources stand under. Filters of firewalls look for it (`conf/fail2ban`): the name stays, wherever the code goes.
const TARGET: &str = "roomgate::sip::guard";
/// Sources remembered at once.
const SOURCES: usize = 4096;
/// How many times the budget of an address its callers have together, where a device of ours is registered beside them.
const TOGETHER: u32 = 4;
/// Wrong passwords of one caller that are answered.
const WRONG: RateLimit = RateLimit { burst: 8, every: Duration::from_secs(60) };
/// Wrong passwords of all callers of one address: a caller is who it says it is, and whoever guesses says many.
const WRONG_TOGETHER: RateLimit = RateLimit { burst: 40, every: Duration::from_secs(30) };
/// How long whoever gives more of them is not answered.
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

/// Who gives passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guesser {
    /// A device at the very place that it has registered from: nobody else speaks from there.
    Registered(Source),
    /// A caller beside others of the same address, who share a cap.
    Caller(Source),
    /// A caller behind a trunk, a proxy or a router that several devices of ours are behind, too: no cap of all bars those with it.
    Neighbour(Source),
}

impl Guesser {
    /// The device with this label, at an address. No caller can say a name with a blank in it.
    #[must_use]
    pub fn registered(ip: IpAddr, device: &str) -> Self {
        Self::Registered(Source::Behind(ip, format!("device {device}").into()))
    }

    const fn source(&self) -> &Source {
        match self {
            Self::Registered(source) | Self::Caller(source) | Self::Neighbour(source) => source,
        }
    }

    /// Whose tries count as well.
    fn shared(&self) -> Option<Source> {
        match self {
            Self::Registered(_) | Self::Neighbour(_) => None,
            Self::Caller(source) => Some(source.address()),
        }
    }
}

/// What one source has left.
#[derive(Debug, Clone, Copy)]
struct Budget {
    bucket: TokenBucket,
    silenced: bool,
}

/// Tokens that an eighth of an INVITE costs one source. All callers of an address pay one for it, and so have [`TOGETHER`] times as much.
const EIGHTH: u32 = TOGETHER;

/// The budgets.
pub struct Guard {
    allowance: RateLimit,
    trusted: Trusted,
    budgets: LruCache<Source, Budget>,
    wrong: Option<WrongPasswords>,
    /// What the log says of sources over their budget, and of those that guess.
    silenced_lines: LogLimit,
    wrong_lines: LogLimit,
}

/// Wrong passwords of late: of each caller, and of all callers of an address together.
struct WrongPasswords {
    of_callers: RateLimiter<Source>,
    of_addresses: RateLimiter<Source>,
    /// Those that gave too many, until when.
    barred: LruCache<Source, Instant>,
}

impl WrongPasswords {
    fn new(now: Instant) -> Self {
        let budgets = |allowance| RateLimiter::new(allowance, SOURCES, now);
        Self { of_callers: budgets(WRONG), of_addresses: budgets(WRONG_TOGETHER), barred: LruCache::new(SOURCES) }
    }

    /// Counts one; who is not listened to any more.
    fn count(&mut self, now: Instant, guesser: &Guesser) -> Vec<Source> {
        let spends = |budgets: &mut RateLimiter<Source>, source: Source| {
            let spent = !budgets.take(now, source.clone()) || !budgets.wait(now, &source).is_zero();
            spent.then_some(source)
        };
        let own = spends(&mut self.of_callers, guesser.source().clone());
        let shared = guesser.shared().and_then(|address| spends(&mut self.of_addresses, address));
        let over: Vec<Source> = own.into_iter().chain(shared).collect();
        for source in &over {
            self.barred.insert(source.clone(), now + BARRED);
        }
        over
    }

    fn is_barred(&self, now: Instant, guesser: &Guesser) -> bool {
        let is_barred = |source: &Source| self.barred.peek(source).is_some_and(|until| *until > now);
        is_barred(guesser.source()) || guesser.shared().as_ref().is_some_and(is_barred)
    }

    fn forget(&mut self, source: &Source) {
        self.of_callers.forget(source);
        self.of_addresses.forget(source);
        self.barred.remove(source);
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("budgets", &self.budgets.len()).finish_non_exhaustive()
    }
}

impl Guard {
    /// Budgets by `limits`.
    #[must_use]
    pub fn new(limits: &Limits, trusted: Trusted) -> Self {
        let (allowance, budgets, lines) = (Self::allowance(limits), LruCache::new(SOURCES), LogLimit::of_sources);
        Self { allowance, trusted, budgets, wrong: None, silenced_lines: lines(), wrong_lines: lines() }
    }

    fn allowance(limits: &Limits) -> RateLimit {
        let invite = Price::Invite as u32 * EIGHTH;
        let every = Duration::from_secs(1) / limits.invites_per_second.max(1).saturating_mul(invite);
        RateLimit { burst: limits.burst.max(1).saturating_mul(invite), every }
    }

    /// Other budgets, for those who are remembered as well.
    pub fn reconfigure(&mut self, limits: &Limits, trusted: Trusted) {
        self.allowance = Self::allowance(limits);
        self.trusted = trusted;
    }

    /// Whether an address is trusted.
    #[must_use]
    pub fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted.trusts(ip)
    }

    /// A budget as it is now: whoever is silenced is so until half of it is back.
    fn refilled(&self, budget: Budget, now: Instant) -> Budget {
        let bucket = budget.bucket.under(self.allowance, now);
        Budget { bucket, silenced: budget.silenced && bucket.ready_at(self.allowance.burst / 2) > now }
    }

    /// Takes `price` from the budget of a source; `false`: there is none left, and nothing is done for it until it pauses.
    pub fn charge(&mut self, now: Instant, source: &Source, price: Price) -> bool {
        self.spend(now, source, price, EIGHTH)
    }

    /// The same from what all callers of an address have together, where each has a budget, too: who they are, they say themselves.
    pub fn charge_together(&mut self, now: Instant, ip: IpAddr, price: Price) -> bool {
        self.spend(now, &Source::together(ip), price, EIGHTH / TOGETHER)
    }

    /// Whether all callers of an address have spent what they have together.
    #[must_use]
    pub fn is_spent_together(&self, now: Instant, ip: IpAddr) -> bool {
        self.budgets.peek(&Source::together(ip)).is_some_and(|budget| self.refilled(*budget, now).silenced)
    }

    /// Takes `price` from a budget of which an eighth of an INVITE costs so many tokens.
    fn spend(&mut self, now: Instant, source: &Source, price: Price, eighth: u32) -> bool {
        let fresh = Budget { bucket: TokenBucket::new(self.allowance, now), silenced: false };
        let mut budget = self.refilled(self.budgets.peek(source).copied().unwrap_or(fresh), now);
        let granted = !budget.silenced && budget.bucket.take_all(now, price as u32 * eighth);
        if !granted {
            // Whoever goes on stays silenced.
            budget.bucket.drain(now, Price::Invite as u32 * eighth);
            if !budget.silenced {
                budget.silenced = true;
                if let Some(unlogged) = self.silenced_lines.admit(now) {
                    say(source, "is over its budget and is no longer answered", unlogged);
                }
            }
        }
        self.budgets.insert(source.clone(), budget);
        granted
    }

    /// A wrong password came, or one for nobody, that could have been right: with a nonce of ours that was made for its sender. `source` is
    /// whom the log names.
    pub fn wrong_password(&mut self, now: Instant, guesser: &Guesser, source: &Source) {
        let over = self.wrong.get_or_insert_with(|| WrongPasswords::new(now)).count(now, guesser);
        let Some(unlogged) = self.wrong_lines.admit(now) else { return };
        let what = match over.is_empty() {
            true => "gave a wrong password",
            false => "gave a wrong password once too often and is no longer answered",
        };
        say(source, what, unlogged);
    }

    /// Whether passwords of somebody are not looked at, because too many of it, or of its address, were wrong.
    #[must_use]
    pub fn is_barred(&self, now: Instant, guesser: &Guesser) -> bool {
        self.wrong.as_ref().is_some_and(|wrong| wrong.is_barred(now, guesser))
    }

    /// Sources that are silenced now.
    #[must_use]
    pub fn silenced(&self, now: Instant) -> Vec<Source> {
        let silenced = self.budgets.iter().filter(|(_, budget)| self.refilled(**budget, now).silenced).map(|(source, _)| source);
        let barred = self.wrong.iter().flat_map(|wrong| wrong.barred.iter());
        let barred = barred.filter(|(_, until)| **until > now).map(|(source, _)| source);
        let mut found: Vec<Source> = silenced.chain(barred).cloned().collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Hears a source again with a full budget; `false` when it was not silenced.
    pub fn lift(&mut self, now: Instant, source: &Source) -> bool {
        let was = self.silenced(now).contains(source);
        self.budgets.remove(source);
        if let Some(wrong) = &mut self.wrong {
            wrong.forget(source);
        }
        was
    }
}

/// One line for administrators, and for programs that bar an address in the firewall: those look for `source=` (`conf/fail2ban`), and must
/// not bar a trusted address for a caller behind it.
fn say(source: &Source, what: &str, unlogged: u64) {
    if unlogged > 0 {
        tracing::warn!(target: TARGET, unlogged, "of others that did the same nothing was written");
    }
    match source {
        Source::Address(source) => tracing::warn!(target: TARGET, %source, "source {what}"),
        Source::Behind(behind, caller) => {
            tracing::warn!(target: TARGET, %behind, caller = masking::caller(caller), "caller {what}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Request;

    fn guard() -> Guard {
        let limits = Limits { invites_per_second: 2, burst: 4, ..Limits::default() };
        Guard::new(&limits, Trusted::new(|ip| ip == IpAddr::from([10, 0, 0, 1])))
    }

    #[allow(clippy::disallowed_methods, reason = "virtual time needs one real instant to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    fn caller(octets: [u8; 4], name: impl ToString) -> Guesser {
        Guesser::Caller(Source::Behind(octets.into(), name.to_string().into()))
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
    fn the_filter_for_firewalls_looks_where_lines_on_sources_stand() {
        let filter = include_str!("../../../conf/fail2ban/roomgate.conf");
        assert!(filter.contains(&format!("\\b{TARGET}: source ")) && filter.contains(&format!("\"target\":\"{TARGET}\"")));
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
        let is_barred = |guard: &Guard, source: &Source| guard.is_barred(now, &Guesser::Caller(source.clone()));
        (0..9).for_each(|_| guard.wrong_password(now, &Guesser::Caller(bad.clone()), &bad));
        for source in [&good, &pbx] {
            assert!(!is_barred(&guard, source) && guard.charge(now, source, Price::Invite));
        }
        assert!(is_barred(&guard, &bad) && guard.silenced(now) == [bad.clone()]);
        assert!(guard.lift(now, &bad) && !is_barred(&guard, &bad) && !guard.lift(now, &bad));
    }

    #[test]
    fn wrong_passwords_end_in_silence_for_a_while() {
        let (mut guard, now, here) = (guard(), start(), [192, 0, 2, 1]);
        for n in 0..8 {
            assert!(!guard.is_barred(now, &caller(here, "a")), "{n}");
            guard.wrong_password(now, &caller(here, "a"), &at(here));
        }
        let source = caller(here, "a").source().clone();
        assert!(guard.is_barred(now, &caller(here, "a")) && guard.silenced(now) == [source.clone()]);
        assert!(!guard.is_barred(now, &caller(here, "b")), "somebody else behind the same address");
        assert!(guard.is_barred(now + BARRED - Duration::from_secs(1), &caller(here, "a")));
        assert!(!guard.is_barred(now + BARRED, &caller(here, "a")));
        assert!(guard.lift(now, &source));
        assert!(!guard.is_barred(now, &caller(here, "a")) && guard.silenced(now).is_empty());
    }

    #[test]
    fn x2_whoever_guesses_under_many_names_is_barred_as_an_address() {
        let (mut guard, now, here) = (guard(), start(), [192, 0, 2, 1]);
        for n in 0..40 {
            assert!(!guard.is_barred(now, &caller(here, n)), "{n}");
            guard.wrong_password(now, &caller(here, n), &at(here));
        }
        assert!(guard.is_barred(now, &caller(here, 1000)) && guard.silenced(now) == [at(here)]);
        assert!(!guard.is_barred(now, &caller([192, 0, 2, 2], 1)));
        assert!(!guard.is_barred(now, &Guesser::registered(here.into(), "board")), "a device where it has registered");
        let neighbour = |n: u32| Guesser::Neighbour(caller(here, n).source().clone());
        assert!(!guard.is_barred(now, &neighbour(2000)), "nor a caller where several devices are");
        (3000..3100).for_each(|n| guard.wrong_password(now, &neighbour(n), &at(here)));
        assert_eq!(guard.silenced(now), [at(here)], "each has its own tries alone");
        assert!(guard.lift(now, &at(here)) && !guard.is_barred(now, &caller(here, 1000)));
    }

    /// Full tables stay bounded and bar nobody who is not in them.
    #[test]
    fn x2_full_tables_stay_bounded_and_bar_nobody() {
        let (mut guard, now) = (guard(), start());
        for n in 0..20_000_u32 {
            let source = at(n.to_be_bytes());
            assert!(guard.charge(now, &source, Price::Invite), "each has a full budget");
            (0..8).for_each(|_| guard.wrong_password(now, &Guesser::Caller(source.clone()), &source));
            for _ in 0..4 {
                guard.charge(now, &source, Price::Invite);
            }
        }
        let (old, new, strange) = (at(1_u32.to_be_bytes()), at(19_999_u32.to_be_bytes()), at([203, 0, 113, 1]));
        let is_barred = |guard: &Guard, source: &Source| guard.is_barred(now, &Guesser::Caller(source.clone()));
        assert!(guard.budgets.len() <= SOURCES && guard.silenced(now).len() <= 2 * SOURCES);
        assert!(is_barred(&guard, &new) && !guard.charge(now, &new, Price::Request), "who is remembered is");
        for source in [old, strange] {
            assert!(!is_barred(&guard, &source) && guard.charge(now, &source, Price::Invite), "{source}");
        }
    }

    #[test]
    fn ipv6_neighbours_share_a_budget_and_scanners_are_known() {
        let (mut guard, now) = (guard(), start());
        let of = |n: u16| Source::of(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]));
        assert_eq!((0..10).filter(|&n| guard.charge(now, &of(n), Price::Invite)).count(), 4);
        assert!(is_scanner("Friendly-Scanner") && !is_scanner("PolycomRealPresence"));
    }
}
