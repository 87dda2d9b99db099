//! [`ReservedPermits`]: how much of what costs something is done at once for all callers together, some of it left to those who are known.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::media::Share;

/// Permits for work of one kind. None is waited for: whoever gets none is served without that work.
#[derive(Debug)]
pub(super) struct ReservedPermits {
    permits: Arc<Semaphore>,
    for_known: usize,
}

impl ReservedPermits {
    /// So many permits in all, the last `for_known` of which are given to known callers alone.
    pub(super) fn new(all: usize, for_known: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(all)), for_known }
    }

    /// A permit, given back when it is dropped; `None`: none is left for a caller of this share.
    pub(super) fn take(&self, share: Share) -> Option<OwnedSemaphorePermit> {
        let is_left_to_known = share == Share::Strangers && self.permits.available_permits() <= self.for_known;
        if is_left_to_known { None } else { Arc::clone(&self.permits).try_acquire_owned().ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strangers leave the last permits to known callers, and a permit that is dropped can be taken again.
    #[test]
    fn x2_strangers_leave_the_last_permits_to_known_callers() {
        let permits = ReservedPermits::new(3, 1);
        let taken: Vec<_> = std::iter::from_fn(|| permits.take(Share::Strangers)).collect();
        assert_eq!(taken.len(), 2);
        let known = permits.take(Share::Known);
        assert!(known.is_some() && permits.take(Share::Known).is_none());
        drop((taken, known));
        assert!(permits.take(Share::Strangers).is_some());
    }
}
