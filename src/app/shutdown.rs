//! Shutdown in order (O-4): no new calls; present ones may end by themselves, then they are ended; pages, messages and the store after them.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::gateway::Gateway;
use super::reload::Reloader;
use super::{retention, sms};
use crate::cli::signals::Signals;
use crate::common::cause::Cause;
use crate::common::machine;
use crate::media::Media;
use crate::meeting::MeetingRegistry;
use crate::relay;
use crate::sip;
use crate::store;

/// How long registrars may take to answer that our registrations are removed.
const SIGN_OFF: Duration = Duration::from_secs(3);
/// The time between two log lines of a drain.
const DRAIN_REPORT: Duration = Duration::from_secs(5);
/// The time that the service manager is asked for with each report, in µs: until the next one, and for all that follows a drain.
const EXTENSION: u32 = 120_000_000;
/// How long the store may take to write what it was given.
const STORE_CLOSES: Duration = Duration::from_secs(10);
/// How long closing announcements, records and pages may take each.
const CLOSES_WITHIN: Duration = Duration::from_secs(15);

/// The server of pages and API.
pub(super) struct PageServer {
    pub(super) task: JoinHandle<()>,
    pub(super) shutdown: watch::Sender<bool>,
}

/// The parts that run.
pub(super) struct RunningParts {
    pub(super) media: Media,
    pub(super) sip: sip::Handle,
    registry: MeetingRegistry,
    relay: Option<relay::driver::RelayHandle>,
    store: store::StoreHandle,
    store_thread: std::thread::JoinHandle<()>,
    reloader: Arc<Reloader>,
    pages: PageServer,
    /// True while calls are taken.
    ready: watch::Sender<bool>,
    /// True: present calls are ended with an announcement.
    drain: watch::Sender<bool>,
    /// How many calls are up.
    present: watch::Receiver<usize>,
    calls: JoinHandle<()>,
    /// Tasks of retention, of the ledger and of SIGHUP.
    housekeeping: [JoinHandle<()>; 5],
}

impl RunningParts {
    /// Begins to take calls.
    pub(super) async fn start(
        gateway: Gateway,
        reloader: Arc<Reloader>,
        pages: PageServer,
        ready: watch::Sender<bool>,
        hangup: Signal,
    ) -> Self {
        let Gateway { media, store, store_thread, relay, registry, sip, calls, events, targets, .. } = gateway;
        let (drain, draining) = watch::channel(false);
        let present = calls.up();
        let calls = tokio::spawn(calls.run(events, draining));
        // Whoever registers is called: not before calls are taken.
        sip.send(sip::Command::SignOn).await;
        let directory = targets.settings.borrow().recording.directory.clone();
        let housekeeping = [
            tokio::spawn(retention::run(directory, store.clone(), targets.recordings.subscribe())),
            tokio::spawn(retention::ledger(store.clone())),
            // Without the organisation's policy there is one all the same (C-8).
            tokio::spawn(retention::chats(store.clone(), targets.chat.subscribe())),
            tokio::spawn(retention::records(store.clone(), targets.records.subscribe())),
            tokio::spawn(reload_on(hangup, Arc::clone(&reloader))),
        ];
        Self { media, sip, registry, relay, store, store_thread, reloader, pages, ready, drain, present, calls, housekeeping }
    }

    /// Stops in order. Another signal ends the wait for present calls, and for the answers of those that were ended.
    pub(super) async fn stop(self, signals: &mut Signals) {
        tracing::info!("stopping: no new calls; present ones are ended after limits.drain (a second signal stops at once)");
        self.ready.send_replace(false);
        self.sip.send(sip::Command::Drain(true)).await;
        let limit = self.reloader.settings().limits.drain;
        self.registry.stop_by(machine::now() + limit).await;
        // Before anything else: a PBX shall send its callers elsewhere.
        if tokio::time::timeout(SIGN_OFF, self.sip.sign_off()).await.is_err() {
            tracing::warn!("a registrar has not answered: it will still send calls here for a while");
        }
        let in_order = tokio::select! {
            () = drain_calls(self.present, &self.drain, limit) => true,
            () = signals.next() => false,
        };
        // Pages reconnect by themselves: to the next daemon, not to a meeting of this one.
        self.registry.stop();
        for meeting in self.registry.running().await {
            if tokio::time::timeout(CLOSES_WITHIN, meeting.close(Cause::Draining)).await.is_err() {
                tracing::warn!(meeting = %meeting.name(), "did not close in time");
            }
        }
        // After a second signal calls in the menu and ringing ones are still up.
        self.drain.send_replace(true);
        self.pages.shutdown.send_replace(true);
        // The log says why a server task panicked; there is nothing left to stop.
        let _ = tokio::time::timeout(CLOSES_WITHIN, self.pages.task).await;
        // Calls for help are still served meanwhile (S-10).
        if in_order {
            tokio::select! {
                over = self.sip.farewell() => if !over {
                    tracing::warn!("a call is still up, or its phone has not answered that it is over");
                },
                () = signals.next() => {}
            }
        }
        self.calls.abort();
        // Cancelled or ended, it drops its handle of the store. The SIP task ends with its last handle, and then the task of registrations.
        let _ = self.calls.await;
        if let Some(relay) = self.relay {
            sms::stop(&relay).await;
        }
        for task in self.housekeeping {
            task.abort();
            // Cancelled, it drops its handles of the store and of SIP.
            let _ = task.await;
        }
        drop((self.sip, self.registry, self.store, self.reloader));
        let thread = self.store_thread;
        let closed = tokio::task::spawn_blocking(move || thread.join());
        if !matches!(tokio::time::timeout(STORE_CLOSES, closed).await, Ok(Ok(Ok(())))) {
            tracing::error!("the store did not close in order");
        }
        tracing::info!("stopped");
    }
}

/// Each SIGHUP is a reload (O-2).
async fn reload_on(mut hangup: Signal, reloader: Arc<Reloader>) {
    while hangup.recv().await.is_some() {
        // The log has its outcome, which is where an administrator who sends a signal looks.
        let _ = reloader.reload().await;
    }
}

/// Present calls may go on for `limit`, then they are ended with an announcement (O-4).
async fn drain_calls(mut up: watch::Receiver<usize>, drain: &watch::Sender<bool>, limit: Duration) {
    let all_gone = async |up: &mut watch::Receiver<usize>| {
        // The sender lives in the calls' task; without it there are no calls.
        let _ = up.wait_for(|calls| *calls == 0).await;
    };
    let report = async |up: watch::Receiver<usize>| {
        loop {
            tracing::info!(calls = *up.borrow(), "still up");
            // However long the drain may take: its limit is ours, and not `TimeoutStopSec=`.
            let _ = sd_notify::notify(false, &[NotifyState::ExtendTimeoutUsec(EXTENSION)]);
            tokio::time::sleep(DRAIN_REPORT).await;
        }
    };
    let reported = up.clone();
    tokio::select! {
        () = all_gone(&mut up) => return,
        () = tokio::time::sleep(limit) => {}
        () = report(reported) => {}
    }
    drain.send_replace(true);
    let _ = tokio::time::timeout(CLOSES_WITHIN, all_gone(&mut up)).await;
}
