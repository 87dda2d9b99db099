//! [`Nonces`]: nonces that need no memory until somebody has proved a password with one (RFC 7616 section 5.4).
//!
//! A nonce is its time, a number, and an HMAC over both and over where it was sent; so a flood of unauthenticated requests costs no
//! memory, and nobody can make one up, keep one beyond its time or use that of somebody else. The counts of nonces in use are kept, so
//! that none can be played again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Nonces whose counts are kept. Beyond that the older half goes stale early: their owners are challenged anew.
const KEPT: usize = 16_384;
/// Counts of one nonce that may overtake each other, as datagrams do.
const WINDOW: u32 = 64;

/// When a nonce was made (milliseconds since our start), and which one of that time it is.
pub(super) type Name = (u64, u64);

#[derive(Debug, Clone, Copy)]
struct Used {
    highest: u32,
    /// Bit n: `highest - n` was used.
    seen: u64,
}

/// See the file's paragraph.
pub(super) struct Nonces {
    secret: Zeroizing<[u8; 32]>,
    lifetime: Duration,
    begun: Option<Instant>,
    drawn: u64,
    used: BTreeMap<Name, Used>,
    /// Nonces up to this one are stale whatever their age.
    forgotten: Option<Name>,
}

impl Nonces {
    pub(super) fn new(secret: [u8; 32], lifetime: Duration) -> Self {
        let secret = Zeroizing::new(secret);
        Self { secret, lifetime, begun: None, drawn: 0, used: BTreeMap::new(), forgotten: None }
    }

    fn millis(&mut self, now: Instant) -> u64 {
        let begun = *self.begun.get_or_insert(now);
        u64::try_from(now.saturating_duration_since(begun).as_millis()).unwrap_or(u64::MAX)
    }

    /// A new one for whoever is at `origin`.
    pub(super) fn mint(&mut self, now: Instant, origin: &str) -> String {
        self.drawn = self.drawn.wrapping_add(1);
        let name = (self.millis(now), self.drawn);
        let mut bytes = Vec::with_capacity(32);
        bytes.extend_from_slice(&name.0.to_be_bytes());
        bytes.extend_from_slice(&name.1.to_be_bytes());
        bytes.extend_from_slice(&self.seal(name, origin));
        STANDARD_NO_PAD.encode(bytes)
    }

    /// The name of a nonce that is ours, was made for whoever is at `origin`, and is not too old.
    pub(super) fn fresh(&mut self, now: Instant, nonce: &str, origin: &str) -> Option<Name> {
        let name = self.open(nonce, origin)?;
        let age = self.millis(now).saturating_sub(name.0);
        let is_over = u128::from(age) > self.lifetime.as_millis() || self.forgotten.is_some_and(|last| name <= last);
        (!is_over).then_some(name)
    }

    /// Takes one use of a fresh nonce; `false` when this count was used before.
    pub(super) fn take(&mut self, now: Instant, name: Name, count: u32) -> bool {
        if let Some(used) = self.used.get_mut(&name) {
            return used.take(count);
        }
        self.make_room(now);
        count > 0 && self.used.insert(name, Used { highest: count, seen: 1 }).is_none()
    }

    fn open(&self, nonce: &str, origin: &str) -> Option<Name> {
        let bytes = STANDARD_NO_PAD.decode(nonce).ok()?;
        let (at, rest) = bytes.split_first_chunk::<8>()?;
        let (number, seal) = rest.split_first_chunk::<8>()?;
        let name = (u64::from_be_bytes(*at), u64::from_be_bytes(*number));
        bool::from(self.seal(name, origin).ct_eq(seal)).then_some(name)
    }

    fn seal(&self, name: Name, origin: &str) -> [u8; 16] {
        let mut mac = <Hmac<Sha256>>::new_from_slice(self.secret.as_slice()).expect("HMAC takes a key of any length");
        mac.update(&name.0.to_be_bytes());
        mac.update(&name.1.to_be_bytes());
        mac.update(origin.as_bytes());
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        whole.first_chunk::<16>().copied().unwrap_or_default()
    }

    fn make_room(&mut self, now: Instant) {
        if self.used.len() < KEPT {
            return;
        }
        let lifetime = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX);
        let oldest = self.millis(now).saturating_sub(lifetime);
        self.used = self.used.split_off(&(oldest, 0));
        if self.used.len() >= KEPT
            && let Some(middle) = self.used.keys().nth(KEPT / 2).copied()
        {
            let kept = self.used.split_off(&middle);
            self.forgotten = self.used.last_key_value().map(|(name, _)| *name);
            self.used = kept;
        }
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.used.len()
    }
}

impl Used {
    fn take(&mut self, count: u32) -> bool {
        if let Some(ahead) = count.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let behind = self.highest - count;
        let bit = 1_u64.checked_shl(behind).filter(|_| behind < WINDOW && count > 0);
        let fresh = bit.is_some_and(|bit| self.seen & bit == 0);
        self.seen |= bit.unwrap_or(0);
        fresh
    }
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nonces").field("used", &self.used.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[allow(clippy::disallowed_methods, reason = "virtual time needs one real instant to count from")]
    fn start() -> (Nonces, Instant) {
        (Nonces::new([7; 32], MINUTE), Instant::now())
    }

    const HERE: &str = "192.0.2.1";

    impl Nonces {
        fn uses(&mut self, now: Instant, nonce: &str, count: u32) -> bool {
            self.fresh(now, nonce, HERE).is_some_and(|name| self.take(now, name, count))
        }
    }

    #[test]
    fn a_nonce_is_good_for_its_time_and_for_each_count_once() {
        let (mut nonces, t0) = start();
        let nonce = nonces.mint(t0, HERE);
        assert_eq!(nonces.kept(), 0, "a challenge costs no memory");
        assert!(nonces.uses(t0, &nonce, 1) && nonces.uses(t0, &nonce, 4) && nonces.uses(t0, &nonce, 2));
        assert!(!nonces.uses(t0, &nonce, 4) && !nonces.uses(t0, &nonce, 2) && !nonces.uses(t0, &nonce, 0));
        assert!(nonces.uses(t0, &nonce, 100) && !nonces.uses(t0, &nonce, 3), "what left the window is taken for used");
        assert!(nonces.uses(t0, &nonce, 99) && nonces.uses(t0, &nonce, 37) && !nonces.uses(t0, &nonce, 36));
        assert!(nonces.uses(t0 + MINUTE, &nonce, u32::MAX));
        assert!(!nonces.uses(t0 + MINUTE + Duration::from_millis(1), &nonce, 102));
    }

    #[test]
    fn a_nonce_cannot_be_made_up_or_changed() {
        let (mut nonces, t0) = start();
        let nonce = nonces.mint(t0, HERE);
        let mut bytes = STANDARD_NO_PAD.decode(&nonce).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert!(!nonces.uses(t0, &STANDARD_NO_PAD.encode(&bytes), 1), "{at}");
            bytes[at] ^= 1;
        }
        for bad in ["", "x", "AAAA", &nonce[1..], &format!("{nonce}AAAA")] {
            assert!(!nonces.uses(t0, bad, 1), "{bad}");
        }
        let other = Nonces::new([8; 32], MINUTE).mint(t0, HERE);
        assert!(!nonces.uses(t0, &other, 1));
        assert!(nonces.uses(t0, &nonce, 1));
    }

    #[test]
    fn x2_a_nonce_is_good_for_whom_it_was_made_alone() {
        let (mut nonces, t0) = start();
        let nonce = nonces.mint(t0, "192.0.2.2");
        assert!(nonces.fresh(t0, &nonce, HERE).is_none() && nonces.fresh(t0, &nonce, "192.0.2.2").is_some());
        assert!(nonces.fresh(t0 + MINUTE + Duration::from_millis(1), &nonce, "192.0.2.2").is_none());
    }

    /// The table stays bounded and what it forgets cannot be played again.
    #[test]
    fn the_table_stays_bounded() {
        let (mut nonces, t0) = start();
        let first = nonces.mint(t0, HERE);
        assert!(nonces.uses(t0, &first, 1));
        let mut last = String::new();
        for n in 0..40_000 {
            last = nonces.mint(t0 + Duration::from_millis(n / 10), HERE);
            assert!(nonces.uses(t0 + Duration::from_millis(n / 10), &last, 1));
        }
        assert!(nonces.kept() <= KEPT, "{}", nonces.kept());
        assert!(!nonces.uses(t0, &first, 1) && !nonces.uses(t0, &first, 2));
        assert!(!nonces.uses(t0 + MINUTE, &last, 1) && nonces.uses(t0 + MINUTE, &last, 2));
    }
}
