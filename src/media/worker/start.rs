//! How a worker is started, and reached.
#![allow(clippy::disallowed_methods, reason = "starts the thread and the runtime of a worker")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::command::WorkerCommand;
use super::counters::MediaCounters;
use super::load::FULL_LOAD_PERCENT;
#[cfg(test)]
use super::occupancy::Occupancy;
use super::sockets::BrowserSocket;
use super::task::Worker;

/// Commands that may wait for a worker. Full: the sender waits, as requests go down (DESIGN §6).
const INBOX: usize = 1024;

/// A running worker, as others reach it.
#[derive(Clone, Debug)]
pub(crate) struct WorkerHandle {
    /// Where commands go.
    pub(crate) inbox: mpsc::Sender<WorkerCommand>,
    /// How often its clock has gone round: it only stops where the worker does.
    pub(crate) rounds: Arc<AtomicU64>,
    /// Share of a core that it takes, in percent.
    pub(crate) load: Arc<AtomicU8>,
}

impl WorkerHandle {
    /// Whether it has no time for another call.
    pub(crate) fn is_full(&self) -> bool {
        self.load.load(Ordering::Relaxed) >= FULL_LOAD_PERCENT
    }
}

/// Starts a worker on its own thread, with sockets already bound for WebRTC.
///
/// # Errors
/// When the thread or its runtime cannot be made.
pub(crate) fn start(index: usize, webrtc: Vec<BrowserSocket>, counters: Arc<MediaCounters>) -> io::Result<WorkerHandle> {
    let (inbox, commands) = mpsc::channel(INBOX);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (rounds, load) = (Arc::<AtomicU64>::default(), Arc::<AtomicU8>::default());
    let mut worker = Worker::new(webrtc, counters, Arc::clone(&rounds));
    let shown = Arc::clone(&load);
    std::thread::Builder::new().name(format!("media-{index}")).spawn(move || {
        worker.measure_load(shown);
        LocalSet::new().block_on(&runtime, worker.run(commands, |_| {}));
    })?;
    Ok(WorkerHandle { inbox, rounds, load })
}

/// Starts a worker on the local tasks of the caller: on the thread and the clock of a test.
#[cfg(test)]
pub(crate) fn start_inline(webrtc: Vec<BrowserSocket>, counters: Arc<MediaCounters>) -> (WorkerHandle, Arc<Occupancy>) {
    let (inbox, commands) = mpsc::channel(INBOX);
    let (rounds, occupancy) = (Arc::<AtomicU64>::default(), Arc::<Occupancy>::default());
    let worker = Worker::new(webrtc, counters, Arc::clone(&rounds));
    let seen = Arc::clone(&occupancy);
    tokio::task::spawn_local(worker.run(commands, move |worker| seen.record(worker.ports(), worker.is_empty())));
    (WorkerHandle { inbox, rounds, load: Arc::default() }, occupancy)
}
