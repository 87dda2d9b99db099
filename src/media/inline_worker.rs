//! Media on the thread, the clock and the network of a test (DESIGN §15).

use std::sync::Arc;

use super::handle::{Media, MediaError, MediaSettings};
use super::worker::{self, occupancy::Occupancy};
use crate::net::udp::Net;

/// What a test sees of the workers.
pub(crate) struct InlineMedia {
    workers: Vec<Arc<Occupancy>>,
}

impl InlineMedia {
    /// Starts the workers on the local tasks of the caller.
    pub(crate) fn start(settings: &MediaSettings, net: Arc<dyn Net>) -> Result<(Media, Self), MediaError> {
        let mut workers = Vec::new();
        let media = Media::with_workers(settings, net, |_, sockets, counters| {
            let (worker, occupancy) = worker::start_inline(sockets, counters);
            workers.push(occupancy);
            Ok(worker)
        })?;
        Ok((media, Self { workers }))
    }

    /// How many ports of devices each worker has.
    pub(crate) fn ports(&self) -> Vec<usize> {
        self.workers.iter().map(|worker| worker.ports()).collect()
    }

    /// Nothing is left on any worker: no port, peer, bridge or socket.
    pub(crate) fn is_empty(&self) -> bool {
        self.workers.iter().all(|worker| worker.is_empty())
    }
}
