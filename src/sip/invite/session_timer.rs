//! Session timers (RFC 4028): how long a session may go unrefreshed, who refreshes it, and when silence means that it is dead.
//!
//! Headers of the peer flow in; what to write and when to act flows out. The session sends. A peer that does not know session
//! timers is refreshed by us, so that its end is noticed and no call is cut for the lack of a refresh.

use std::time::{Duration, Instant};

use crate::sip::message::header;
use crate::sip::message::uri::Params;
use crate::sip::message::{Headers, Response, StatusCode, header_names};
use crate::sip::transaction::{Header, Reply};

/// The shortest interval of RFC 4028 section 4, and what a message without `Min-SE` means.
const SHORTEST: u32 = 90;
/// The longest `Min-SE` of a 422 that is followed; beyond it a session is as good as never refreshed.
const LONGEST: u32 = 86_400;
/// Before the end of an interval whose refresh never came, the session is ended by so much, or by a third of it (section 10).
const MARGIN: Duration = Duration::from_secs(32);

/// How sessions are kept alive. Whole seconds count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimers {
    /// The interval we ask for. Zero asks for none; what a peer asks for is still granted.
    pub expires: Duration,
    /// The shortest interval that a peer is granted; what is below is answered 422. RFC 4028 section 4 wants 90 s at least.
    pub min: Duration,
}

impl Default for SessionTimers {
    fn default() -> Self {
        Self { expires: Duration::from_secs(1800), min: Duration::from_secs(u64::from(SHORTEST)) }
    }
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// Who sends the refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refresher {
    Us,
    Peer,
}

/// Who sends the refreshes, as a header says it: seen from one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Uac,
    Uas,
}

/// What a message of the peer says about session timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    supported: bool,
    expires: Option<u32>,
    role: Option<Role>,
    min: Option<u32>,
}

/// The number in front of the parameters.
fn delta(value: &str) -> Option<u32> {
    value.split(';').next()?.trim().parse().ok()
}

impl Wish {
    /// Reads `Supported`, `Require`, `Session-Expires` and `Min-SE`; what cannot be read counts as not said.
    pub(super) fn of(headers: &Headers) -> Self {
        let names =
            |list: &'static str| headers.lines(list).flat_map(header::tokens).any(|tag| tag.eq_ignore_ascii_case("timer"));
        let session = headers.get(header_names::SESSION_EXPIRES);
        let params = session.and_then(|value| value.split_once(';')).map(|(_, params)| Params::parse(params));
        let role = match params.as_ref().and_then(|params| params.get("refresher")).map(str::to_ascii_lowercase).as_deref() {
            Some("uac") => Some(Role::Uac),
            Some("uas") => Some(Role::Uas),
            _ => None,
        };
        Self {
            supported: names(header_names::SUPPORTED) || names(header_names::REQUIRE),
            expires: session.and_then(delta),
            role,
            min: headers.get(header_names::MIN_SE).and_then(delta),
        }
    }

    /// Whether the request is to be answered 422 (section 9). One who does not know session timers could not make anything of that.
    pub(super) fn is_too_short(&self, ours: &SessionTimers) -> bool {
        self.supported && self.expires.is_some_and(|theirs| theirs < seconds(ours.min))
    }

    /// What we agree to as UAS (section 9 and its table 2). `before`: who has refreshed so far, which stays where the peer leaves it to us.
    pub(super) fn granted(&self, ours: &SessionTimers, before: Option<Refresher>) -> Option<Agreement> {
        let (wanted, least) = (seconds(ours.expires), self.min.unwrap_or(SHORTEST).min(LONGEST));
        let interval = match (self.expires, wanted) {
            (Some(theirs), 0) => theirs,
            (Some(theirs), _) => theirs.min(wanted.max(least)),
            (None, 0) => return None,
            (None, _) => wanted.max(self.min.unwrap_or(0).min(LONGEST)),
        };
        let refresher = match (self.supported, self.role) {
            (false, _) | (true, Some(Role::Uas)) => Refresher::Us,
            (true, Some(Role::Uac)) => Refresher::Peer,
            (true, None) => before.unwrap_or(Refresher::Us),
        };
        Some(Agreement { interval: interval.max(seconds(ours.min)), refresher })
    }

    /// What a 2xx to our request, in which we asked for `asked` seconds, has settled. One without `Session-Expires` comes from a peer
    /// that does not know session timers: then we refresh by ourselves.
    pub(super) fn settled(&self, ours: &SessionTimers, asked: Option<u32>) -> Option<Agreement> {
        let refresher = match (self.expires, self.role) {
            (Some(_), Some(Role::Uas)) => Refresher::Peer,
            _ => Refresher::Us,
        };
        // A peer that goes below what we granted is refreshed as often as that and no more often.
        self.expires.or(asked).map(|interval| Agreement { interval: interval.max(seconds(ours.min)), refresher })
    }

    /// The headers that go with a 2xx of ours.
    pub(super) fn answered(&self, agreement: Option<Agreement>) -> Vec<Header> {
        let Some(Agreement { interval, refresher }) = agreement else { return Vec::new() };
        let role = if refresher == Refresher::Us { "uas" } else { "uac" };
        let mut headers = vec![(header_names::SESSION_EXPIRES, format!("{interval};refresher={role}"))];
        if self.supported {
            headers.push((header_names::REQUIRE, "timer".to_owned()));
        }
        headers
    }

    /// The `Min-SE` of a 422, if asking again with it makes sense.
    pub(super) fn longer_than(&self, asked: u32) -> Option<u32> {
        self.min.filter(|min| (asked.saturating_add(1)..=LONGEST).contains(min))
    }
}

/// An interval in seconds, and who refreshes within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreement {
    pub(super) interval: u32,
    pub(super) refresher: Refresher,
}

/// The interval that we ask for in a request: what is agreed on, or what we want, and never less than the peer's side has told us.
pub(super) fn asked(ours: &SessionTimers, before: Option<Agreement>, min: u32) -> Option<u32> {
    let wanted = before.map_or(seconds(ours.expires), |agreement| agreement.interval);
    (wanted > 0).then(|| wanted.max(min))
}

/// The headers of an INVITE or UPDATE of ours (section 7.1, 7.4). `min`: the longest `Min-SE` that a 422 has told us, or 0.
pub(super) fn ask(ours: &SessionTimers, before: Option<Agreement>, min: u32) -> Vec<Header> {
    let Some(interval) = asked(ours, before, min) else { return Vec::new() };
    let role = match before.map(|agreement| agreement.refresher) {
        Some(Refresher::Us) => ";refresher=uac",
        Some(Refresher::Peer) => ";refresher=uas",
        None => "",
    };
    let mut headers = vec![(header_names::SESSION_EXPIRES, format!("{interval}{role}"))];
    let min = min.max(seconds(ours.min));
    if min != SHORTEST {
        headers.push((header_names::MIN_SE, min.to_string()));
    }
    headers
}

/// The clock of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionTimer {
    pub(super) agreement: Agreement,
    /// When to refresh, or to give the session up. `None` while our refresh is under way.
    at: Option<Instant>,
}

impl SessionTimer {
    /// A session was agreed on, or refreshed, just now.
    pub(super) fn start(now: Instant, agreement: Agreement) -> Self {
        let interval = Duration::from_secs(u64::from(agreement.interval));
        let wait = match agreement.refresher {
            Refresher::Us => interval / 2,
            Refresher::Peer => interval - MARGIN.min(interval / 3),
        };
        Self { agreement, at: Some(now + wait) }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.at
    }

    /// What is due now, once: a refresh, or the end.
    pub(super) fn due(&mut self, now: Instant) -> Option<TimerDue> {
        self.at.take_if(|at| *at <= now).map(|_| match self.agreement.refresher {
            Refresher::Us => TimerDue::Refresh,
            Refresher::Peer => TimerDue::End,
        })
    }

    /// Our refresh was not taken, though the peer is there: the next one comes after `wait`, or in its turn.
    pub(super) fn again(&mut self, now: Instant, wait: Option<Duration>) {
        if self.at.is_none() {
            let turn = Self::start(now, self.agreement).at;
            self.at = wait.map(|wait| now + wait).into_iter().chain(turn).min();
        }
    }
}

/// What a session's clock wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimerDue {
    Refresh,
    End,
}

/// How a session is kept alive: what was agreed on, and what we have been told to ask for.
#[derive(Debug)]
pub(super) struct SessionTiming {
    pub(super) ours: SessionTimers,
    /// While the session has to be refreshed.
    pub(super) timer: Option<SessionTimer>,
    /// The longest `Min-SE` that a 422 has told us, in seconds.
    min_se: u32,
}

impl SessionTiming {
    pub(super) const fn new(ours: SessionTimers) -> Self {
        Self { ours, timer: None, min_se: 0 }
    }

    fn agreement(&self) -> Option<Agreement> {
        self.timer.map(|timer| timer.agreement)
    }

    /// Begins the clock anew, as was agreed on.
    pub(super) fn start(&mut self, now: Instant, agreement: Option<Agreement>) {
        self.timer = agreement.map(|agreement| SessionTimer::start(now, agreement));
    }

    /// What we agree to as UAS; who has refreshed so far goes on with it where the peer leaves that to us.
    pub(super) fn granted(&self, wish: &Wish) -> Option<Agreement> {
        wish.granted(&self.ours, self.agreement().map(|agreement| agreement.refresher))
    }

    /// The headers of an INVITE or UPDATE of ours.
    pub(super) fn ask(&self) -> Vec<Header> {
        ask(&self.ours, self.agreement(), self.min_se)
    }

    /// A 2xx to a request of ours: the session is fresh, on these terms.
    pub(super) fn refreshed(&mut self, now: Instant, response: &Response) {
        let asked = asked(&self.ours, self.agreement(), self.min_se);
        let agreement = Wish::of(&response.headers).settled(&self.ours, asked);
        self.start(now, agreement);
    }

    /// Whether a 422 wants a longer interval than we asked for; then that is what we ask for from now on (section 7.3).
    pub(super) fn lengthened(&mut self, response: &Response) -> bool {
        if response.status != 422 {
            return false;
        }
        let asked = asked(&self.ours, self.agreement(), self.min_se);
        let longer = asked.and_then(|asked| Wish::of(&response.headers).longer_than(asked));
        self.min_se = longer.unwrap_or(self.min_se);
        longer.is_some()
    }

    /// What a request of the peer is refused for (section 9): 422 and the shortest interval.
    pub(super) fn refusal(&self, wish: &Wish) -> Option<Reply> {
        wish.is_too_short(&self.ours).then(|| too_short(&self.ours))
    }
}

/// 422 with the shortest interval that is granted.
pub(super) fn too_short(ours: &SessionTimers) -> Reply {
    Reply::new(StatusCode::SessionIntervalTooSmall).with([(header_names::MIN_SE, ours.min.as_secs().to_string())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(lines: &[(&str, &str)]) -> Wish {
        let mut headers = Headers::default();
        for (name, value) in lines {
            headers.push(name, value);
        }
        Wish::of(&headers)
    }

    fn agreed(interval: u32, refresher: Refresher) -> Option<Agreement> {
        Some(Agreement { interval, refresher })
    }

    const OFF: SessionTimers = SessionTimers { expires: Duration::ZERO, min: Duration::from_secs(90) };

    /// A peer's interval is taken or shortened and never below its least.
    #[test]
    fn a_peers_interval_is_taken_or_shortened() {
        let ours = SessionTimers::default();
        let timer = ("Supported", "100rel, timer");
        for (expires, min, granted) in [
            ("600", "90", 600),
            ("1800", "90", 1800),
            ("7200;x=y", "90", 1800),
            ("7200", "3600", 3600),
            ("86400", "86400", 86_400),
        ] {
            let wish = wish(&[timer, ("Session-Expires", expires), ("Min-SE", min)]);
            assert_eq!(wish.granted(&ours, None), agreed(granted, Refresher::Us), "{expires} {min}");
            assert!(!wish.is_too_short(&ours));
        }
        assert_eq!(wish(&[timer, ("Session-Expires", "7200")]).granted(&OFF, None), agreed(7200, Refresher::Us));
        assert_eq!(wish(&[timer]).granted(&OFF, None), None);
        assert_eq!(wish(&[timer]).granted(&ours, None), agreed(1800, Refresher::Us));
        assert_eq!(wish(&[timer, ("Min-SE", "3000")]).granted(&ours, None), agreed(3000, Refresher::Us));
        assert!(wish(&[timer, ("Session-Expires", "89")]).is_too_short(&ours));
        let proxy = wish(&[("Session-Expires", "10")]);
        assert!(!proxy.is_too_short(&ours), "a 422 is for those who know it");
        assert_eq!(proxy.granted(&ours, None), agreed(90, Refresher::Us));
        assert_eq!(wish(&[timer, ("Session-Expires", "soon")]).granted(&ours, None), agreed(1800, Refresher::Us));
    }

    #[test]
    fn who_refreshes_follows_the_table_of_the_rfc() {
        let ours = SessionTimers::default();
        let timer = ("Supported", "timer");
        for (lines, before, refresher) in [
            (&[("Session-Expires", "600")][..], None, Refresher::Us),
            (&[], None, Refresher::Us),
            (&[("Session-Expires", "600;refresher=uas"), timer], None, Refresher::Us),
            (&[("Session-Expires", "600;refresher=UAC"), timer], None, Refresher::Peer),
            (&[("Session-Expires", "600"), timer], None, Refresher::Us),
            (&[("Session-Expires", "600"), timer], Some(Refresher::Peer), Refresher::Peer),
            (&[("Session-Expires", "600"), ("Require", "timer")], Some(Refresher::Peer), Refresher::Peer),
        ] {
            let granted = wish(lines).granted(&ours, before).unwrap();
            assert_eq!(granted.refresher, refresher, "{lines:?}");
        }
        let wish = wish(&[timer]);
        let headers = wish.answered(agreed(1800, Refresher::Peer));
        assert_eq!(headers, [("Session-Expires", "1800;refresher=uac".to_owned()), ("Require", "timer".to_owned())]);
        assert_eq!(Wish { supported: false, ..wish }.answered(agreed(90, Refresher::Us)).len(), 1);
    }

    /// What a 2xx settles is kept, and a peer without timers is refreshed by us.
    #[test]
    fn what_a_2xx_settles_is_kept() {
        let ours = SessionTimers::default();
        assert_eq!(wish(&[]).settled(&ours, Some(1800)), agreed(1800, Refresher::Us));
        assert_eq!(wish(&[]).settled(&OFF, None), None);
        assert_eq!(wish(&[("Session-Expires", "900;refresher=uas")]).settled(&ours, Some(1800)), agreed(900, Refresher::Peer));
        assert_eq!(wish(&[("Session-Expires", "900")]).settled(&OFF, None), agreed(900, Refresher::Us));
        assert_eq!(wish(&[("Session-Expires", "1")]).settled(&ours, Some(1800)), agreed(90, Refresher::Us));
    }

    #[test]
    fn our_own_wish_follows_what_a_422_has_said() {
        let ours = SessionTimers::default();
        assert_eq!(ask(&ours, None, 0), [("Session-Expires", "1800".to_owned())]);
        let longer = ask(&ours, None, 3600);
        assert_eq!(longer, [("Session-Expires", "3600".to_owned()), ("Min-SE", "3600".to_owned())]);
        assert_eq!(ask(&ours, agreed(900, Refresher::Peer), 0), [("Session-Expires", "900;refresher=uas".to_owned())]);
        assert!(ask(&OFF, None, 3600).is_empty());
        let min = wish(&[("Min-SE", "3600")]);
        assert_eq!((min.longer_than(1800), min.longer_than(3600)), (Some(3600), None));
        assert_eq!(wish(&[("Min-SE", "4000000000")]).longer_than(1800), None);
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "virtual time needs one real instant to count from")]
    fn a_refresh_is_due_at_half_time_and_the_end_shortly_before_it() {
        let now = Instant::now();
        let at = |agreement: Option<Agreement>| SessionTimer::start(now, agreement.unwrap()).deadline().unwrap() - now;
        assert_eq!(at(agreed(1800, Refresher::Us)), Duration::from_secs(900));
        assert_eq!(at(agreed(1800, Refresher::Peer)), Duration::from_secs(1768));
        assert_eq!(at(agreed(90, Refresher::Peer)), Duration::from_secs(60));
        let mut timer = SessionTimer::start(now, agreed(90, Refresher::Us).unwrap());
        assert_eq!(timer.due(now), None);
        let half = now + Duration::from_secs(45);
        assert_eq!((timer.due(half), timer.due(half), timer.deadline()), (Some(TimerDue::Refresh), None, None));
        timer.again(half, Some(Duration::from_secs(3)));
        assert_eq!(timer.deadline(), Some(half + Duration::from_secs(3)));
        timer.again(half, None);
        assert_eq!(timer.deadline(), Some(half + Duration::from_secs(3)), "it is due already");
    }
}
