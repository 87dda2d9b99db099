//! The service manager's watchdog (O-3), fed by what the daemon really gets done: each media worker has taken steps, the SIP task and
//! the control plane have had a turn. Where one of them has not, nothing is sent, and the manager puts a new process in our place.
//!
//! Not watched: the store and the recorders. A disk that hangs is no reason to end calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime;

use super::run_error::RunError;
use crate::media::Steps;
use crate::sip::Pulse;

/// Checks within the manager's interval: the last one may still see progress from before a thread stopped.
const CHECKS: u32 = 4;

/// Starts the watchdog, if a service manager wants one.
///
/// # Errors
/// The system gives no thread.
pub(super) fn start(media: Steps, sip: Pulse, control: &runtime::Handle) -> Result<(), RunError> {
    let mut limit = 0;
    if !sd_notify::watchdog_enabled(false, &mut limit) || limit == 0 {
        return Ok(());
    }
    let every = Duration::from_micros(limit) / CHECKS;
    tracing::info!(seconds = Duration::from_micros(limit).as_secs_f64(), "the service manager's watchdog is fed");
    let mut watched = Watched { media, sip, control: control.clone(), turn: Arc::new(AtomicBool::new(true)), seen: Vec::new() };
    let thread = std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        let mut quiet = false;
        loop {
            match watched.stuck() {
                None => {
                    quiet = false;
                    let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Watchdog]);
                }
                Some(stuck) => {
                    if !std::mem::replace(&mut quiet, true) {
                        tracing::error!(stuck, "no progress: the service manager's watchdog is not fed");
                    }
                }
            }
            std::thread::sleep(every);
        }
    });
    thread.map(drop).map_err(RunError::Runtime)
}

struct Watched {
    media: Steps,
    sip: Pulse,
    control: runtime::Handle,
    /// SIP and the control plane have run a task since the last check.
    turn: Arc<AtomicBool>,
    /// The workers' steps at the last check.
    seen: Vec<u64>,
}

impl Watched {
    /// The part that has made no progress since the last check.
    fn stuck(&mut self) -> Option<String> {
        let before = std::mem::replace(&mut self.seen, self.media.count());
        let resting = self.seen.iter().zip(before).position(|(now, before)| *now == before);
        if let Some(worker) = resting {
            return Some(format!("media worker {worker}"));
        }
        if !self.turn.swap(false, Ordering::AcqRel) {
            return Some("SIP or the control plane".to_owned());
        }
        let (turn, sip) = (Arc::clone(&self.turn), self.sip.clone());
        self.control.spawn(async move {
            sip.beat().await;
            turn.store(true, Ordering::Release);
        });
        None
    }
}
