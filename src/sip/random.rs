//! [`Random`]: where tags, branches, Call-IDs and waits are drawn from. The same seed gives the same numbers, so that tests repeat.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

/// Numbers that nobody can foresee, whatever they have seen of those before.
#[derive(Debug)]
pub(super) struct Random(ChaCha20Rng);

impl Random {
    pub(super) fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// An independent source for a part of the endpoint.
    pub(super) fn fork(&mut self) -> Self {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        Self::from_seed(seed)
    }

    pub(super) fn draw(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A tag, or the rest of a branch.
    pub(super) fn token(&mut self) -> String {
        format!("{:016x}", self.draw())
    }

    /// Twice as long: a Call-ID, or a branch that is a secret.
    pub(super) fn long_token(&mut self) -> String {
        format!("{}{}", self.token(), self.token())
    }
}
