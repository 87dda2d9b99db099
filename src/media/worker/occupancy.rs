//! What a test sees of a worker.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What was left on a worker when it last did something.
#[derive(Debug)]
pub(crate) struct Occupancy {
    ports: AtomicUsize,
    is_empty: AtomicBool,
}

impl Default for Occupancy {
    fn default() -> Self {
        Self { ports: AtomicUsize::new(0), is_empty: AtomicBool::new(true) }
    }
}

impl Occupancy {
    pub(super) fn record(&self, ports: usize, is_empty: bool) {
        self.ports.store(ports, Ordering::Relaxed);
        self.is_empty.store(is_empty, Ordering::Relaxed);
    }

    /// How many devices have their port on the worker.
    pub(crate) fn ports(&self) -> usize {
        self.ports.load(Ordering::Relaxed)
    }

    /// Nothing is left: no port, peer, bridge or socket.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_empty.load(Ordering::Relaxed)
    }
}
