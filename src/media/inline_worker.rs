//! Media on the thread, the clock and the network of a test (DESIGN §15).

use std::sync::Arc;

use super::{Media, MediaError, MediaSettings, worker};
use crate::net::udp::Net;

/// What a test sees of the workers.
pub(crate) struct InlineMedia {
    workers: Vec<worker::InlineWorker>,
}

impl Media {
    /// Starts the workers on the local tasks of the caller.
    pub(crate) fn start_inline(settings: &MediaSettings, net: Arc<dyn Net>) -> Result<(Self, InlineMedia), MediaError> {
        let mut here = Vec::new();
        let media = Self::with_workers(settings, net, |_, sockets, counters| {
            let (worker, shared) = worker::start_inline(sockets, counters);
            here.push(shared);
            Ok(worker)
        })?;
        Ok((media, InlineMedia { workers: here }))
    }
}

impl InlineMedia {
    /// How many ports of devices each worker has.
    pub(crate) fn ports(&self) -> Vec<usize> {
        self.workers.iter().map(worker::InlineWorker::ports).collect()
    }

    /// Nothing is left on any worker: no port, peer, bridge or socket.
    pub(crate) fn is_empty(&self) -> bool {
        self.workers.iter().all(worker::InlineWorker::is_empty)
    }
}
