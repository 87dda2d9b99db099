//! The way down (O-4): no new calls; present ones may end by themselves, then they are told; pages, messages and the store come after them.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::reload::Reloader;
use super::{Gateway, sms};
use crate::app::retention;
use crate::cli::signals::Signals;
use crate::common::cause::Cause;
use crate::common::machine;
use crate::media::Media;
use crate::meeting::MeetingRegistry;
use crate::relay;
use crate::sip;
use crate::store;

/// How long registrars may take to forget us.
const SIGN_OFF: Duration = Duration::from_secs(3);
/// How long a drain waits between two lines that say who is still there.
const DRAIN_REPORT: Duration = Duration::from_secs(5);
/// How long the service manager has patience from each report on, in µs: until the next one, and for all that follows a drain.
const GRACE: u32 = 120_000_000;
/// How long the store may take to write what it was given.
const STORE_CLOSES: Duration = Duration::from_secs(10);
/// How long last words and figures may take once nothing else is left to do.
const LAST_WORDS: Duration = Duration::from_secs(15);

/// The server of pages and API.
pub(super) struct PageServer {
    pub(super) task: JoinHandle<()>,
    pub(super) shutdown: watch::Sender<bool>,
}

/// What runs, and is stopped in order.
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
    /// True: present calls are ended with spoken words.
    drain: watch::Sender<bool>,
    /// How many calls are up.
    present: watch::Receiver<usize>,
    calls: JoinHandle<()>,
    /// Those that sweep the store and listen for SIGHUP.
    keepers: [JoinHandle<()>; 5],
}

impl RunningParts {
    /// Takes calls.
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
        let keepers = [
            tokio::spawn(retention::run(directory, store.clone(), targets.recordings.subscribe())),
            tokio::spawn(retention::ledger(store.clone())),
            // Without the organisation's policy there is one all the same (C-8).
            tokio::spawn(retention::chats(store.clone(), targets.chat.subscribe())),
            tokio::spawn(retention::records(store.clone(), targets.records.subscribe())),
            tokio::spawn(reload_on(hangup, Arc::clone(&reloader))),
        ];
        Self { media, sip, registry, relay, store, store_thread, reloader, pages, ready, drain, present, calls, keepers }
    }

    /// Stops in order. Another signal ends the wait for present calls, and for the answers of those that were ended.
    pub(super) async fn stop(self, signals: &mut Signals) {
        tracing::info!("stopping: no new calls; present ones are told (a second signal stops at once)");
        self.ready.send_replace(false);
        self.sip.send(sip::Command::Drain(true)).await;
        let limit = self.reloader.targets.settings.borrow().limits.drain;
        self.registry.stop_by(machine::now() + limit).await;
        // Before anything else: a PBX shall send its callers elsewhere.
        if tokio::time::timeout(SIGN_OFF, self.sip.sign_off()).await.is_err() {
            tracing::warn!("a registrar has not answered: it will still send calls here for a while");
        }
        let in_order = tokio::select! {
            () = drain_calls(self.present, &self.drain, limit) => true,
            () = signals.next() => false,
        };
        // Pages come back by themselves: to the next daemon, not to a meeting of this one.
        self.registry.stop();
        for meeting in self.registry.running().await {
            if tokio::time::timeout(LAST_WORDS, meeting.close(Cause::Draining)).await.is_err() {
                tracing::warn!(meeting = %meeting.name(), "did not close in time");
            }
        }
        // After a second signal there are still those in the menu, and those that ring.
        self.drain.send_replace(true);
        self.pages.shutdown.send_replace(true);
        // A server task that panicked has said so in the log; there is nothing left to stop.
        let _ = tokio::time::timeout(LAST_WORDS, self.pages.task).await;
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
        // Cancelled or ended: what it held of the store is let go. The SIP task ends with its last handle, and then what keeps registrations.
        let _ = self.calls.await;
        if let Some(relay) = self.relay {
            sms::rest(&relay).await;
        }
        for keeper in self.keepers {
            keeper.abort();
            // Cancelled: store and SIP are let go by it as well.
            let _ = keeper.await;
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

/// Each SIGHUP is a reload (O-2), said in the log.
async fn reload_on(mut hangup: Signal, reloader: Arc<Reloader>) {
    while hangup.recv().await.is_some() {
        // Told in the log, which is what whoever sends a signal looks at.
        let _ = reloader.reload().await;
    }
}

/// Present calls may go on for `limit`, then they are ended with spoken words (O-4).
async fn drain_calls(mut up: watch::Receiver<usize>, drain: &watch::Sender<bool>, limit: Duration) {
    let all_gone = async |up: &mut watch::Receiver<usize>| {
        // The sender lives in the calls' task; without it there are no calls.
        let _ = up.wait_for(|calls| *calls == 0).await;
    };
    let report = async |up: watch::Receiver<usize>| {
        loop {
            tracing::info!(calls = *up.borrow(), "still up");
            // However long the drain may take: its limit is ours, and not `TimeoutStopSec=`.
            let _ = sd_notify::notify(false, &[NotifyState::ExtendTimeoutUsec(GRACE)]);
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
    let _ = tokio::time::timeout(LAST_WORDS, all_gone(&mut up)).await;
}
