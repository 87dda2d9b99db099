//! What inbound messages leave behind: names of those that were seen, and how often their writers may be answered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::number::PhoneNumber;
use crate::common::log_limit::LogLimit;
use crate::common::rate_limit::{RateLimit, RateLimiter, TokenBucket};
use crate::common::redact::Redacted;

/// Wrong join codes of one number: nobody tries them out, and nobody's are another's to pay for.
const WRONG_JOINS: RateLimit = RateLimit { burst: 5, every: Duration::from_secs(120) };
/// Messages of providers that are remembered: one that comes twice counts once (C-6).
const REMEMBERED: usize = 4096;
/// Answers of our own to one number that is in no meeting (C-5).
const ANSWERS: RateLimit = RateLimit { burst: 1, every: Duration::from_secs(24 * 3600) };
/// Answers to keywords: a machine at the other end must not make two of us talk for ever.
const KEYWORDS: RateLimit = RateLimit { burst: 4, every: Duration::from_secs(15 * 60) };
/// The same text from one number: what is more is a loop (C-6).
const SAME: RateLimit = RateLimit { burst: 2, every: Duration::from_secs(30) };
/// Numbers that are told apart in each of these.
const NUMBERS: usize = 4096;

/// The names of messages that came last, as digests: a provider chooses how long they are.
#[derive(Debug, Default)]
struct SeenIds {
    order: VecDeque<[u8; 32]>,
    known: BTreeSet<[u8; 32]>,
}

impl SeenIds {
    fn push(&mut self, name: [u8; 32]) {
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(name);
        self.known.insert(name);
    }
}

/// What one kind of sender may be answered and has said: what strangers write takes nothing from readers.
#[derive(Debug)]
pub(super) struct SenderLimits {
    seen: SeenIds,
    pub(super) keywords: RateLimiter<PhoneNumber>,
}

impl SenderLimits {
    fn new(now: Instant) -> Self {
        Self { seen: SeenIds::default(), keywords: RateLimiter::new(KEYWORDS, NUMBERS, now) }
    }
}

/// What inbound messages have left behind.
#[derive(Debug)]
pub(super) struct Inbound {
    /// Numbers whose holders have said STOP: nothing is sent to them until they say START.
    pub(super) stopped: BTreeSet<PhoneNumber>,
    readers: SenderLimits,
    strangers: SenderLimits,
    /// Answers to those who are in no meeting, of all of them together: each costs money (C-2).
    pub(super) strangers_answers: TokenBucket,
    pub(super) answers: RateLimiter<PhoneNumber>,
    /// Of readers alone.
    pub(super) same: RateLimiter<(PhoneNumber, Redacted<String>)>,
    pub(super) wrong_joins: RateLimiter<PhoneNumber>,
    /// Texts for one of several meetings, until their writers have said which.
    pub(super) asked: BTreeMap<PhoneNumber, (Redacted<String>, Instant)>,
    pub(super) crowded: LogLimit,
}

impl Inbound {
    /// `answers`: to strangers, in a minute.
    pub(super) fn new(now: Instant, stopped: BTreeSet<PhoneNumber>, answers: u32) -> Self {
        let answers = answers.max(1);
        Self {
            stopped,
            readers: SenderLimits::new(now),
            strangers: SenderLimits::new(now),
            strangers_answers: TokenBucket::new(RateLimit { burst: answers, every: Duration::from_secs(60) / answers }, now),
            answers: RateLimiter::new(ANSWERS, NUMBERS, now),
            same: RateLimiter::new(SAME, NUMBERS, now),
            wrong_joins: RateLimiter::new(WRONG_JOINS, NUMBERS, now),
            asked: BTreeMap::new(),
            crowded: LogLimit::default(),
        }
    }

    pub(super) fn limits(&mut self, reads: bool) -> &mut SenderLimits {
        if reads { &mut self.readers } else { &mut self.strangers }
    }

    /// Whether a provider's message is new; it is remembered.
    pub(super) fn is_new(&mut self, reads: bool, id: Option<String>) -> bool {
        let Some(id) = id else { return true };
        let name: [u8; 32] = Sha256::digest(id.as_bytes()).into();
        if self.readers.seen.known.contains(&name) || self.strangers.seen.known.contains(&name) {
            return false;
        }
        self.limits(reads).seen.push(name);
        true
    }
}
