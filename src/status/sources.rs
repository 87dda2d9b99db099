//! Where a [`Status`] is gathered from.
#![allow(clippy::disallowed_methods, reason = "reads the clock: how long everything has been up")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::{
    AccountStatus, Blocks, CallStatus, DeviceStatus, FailureStatus, MediaLoad, MeetingStatus, RegistrationStatus, Resources,
    RtpPorts, SipLoad, Status,
};
use crate::call::{CallsView, Failure};
use crate::config::Settings;
use crate::http::CallView;
use crate::media::Media;
use crate::meeting::MeetingRegistry;
use crate::relay;
use crate::sip;
use crate::store;

/// Handles of the parts that a [`Status`] and a census are gathered from.
#[derive(Clone)]
pub struct Sources {
    /// When the daemon started.
    pub started: Instant,
    /// True while calls are taken.
    pub ready: watch::Receiver<bool>,
    /// The calls.
    pub calls: CallsView,
    /// The meetings.
    pub registry: MeetingRegistry,
    /// The configuration in force.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// SIP's own threads.
    pub signalling: Handle,
    /// SIP.
    pub sip: sip::Handle,
    /// Chat by SMS.
    pub relay: Option<relay::driver::RelayHandle>,
    /// Media.
    pub media: Media,
    /// The store.
    pub store: store::StoreHandle,
}

impl Sources {
    /// The state of the daemon now.
    pub async fn gather(&self) -> Status {
        let calls = self.calls.entries();
        let count = |device: &str| calls.iter().filter(|entry| entry.device == device).count();
        let settings = Arc::clone(&self.settings.borrow());
        let registered = self.registrations().await;
        let devices = settings.devices.iter().map(|(label, device)| DeviceStatus {
            device: label.clone(),
            name: device.name.clone(),
            registrations: registered.get(label).cloned().unwrap_or_default(),
            addresses: device.addresses.iter().map(ToString::to_string).collect(),
            calls: count(label),
        });
        let devices = devices.collect();
        let (locked_sources, locked_meetings) = self.calls.locked();
        let mut meetings = Vec::new();
        for meeting in self.registry.running().await {
            let title = self.registry.title(meeting.name()).unwrap_or_default();
            meetings.push(MeetingStatus::of(&meeting, title).await);
        }
        let mut failures = Vec::new();
        for failure in self.calls.failures() {
            failures.push(self.failure(failure).await);
        }
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: if *self.ready.borrow() { "ready" } else { "draining" }.to_owned(),
            uptime_seconds: self.started.elapsed().as_secs(),
            calls: calls.into_iter().map(|entry| CallStatus::from(CallView::from(entry))).collect(),
            failures,
            meetings,
            devices,
            sms: match &self.relay {
                Some(relay) => Some(relay.totals().await.into()),
                None => None,
            },
            ledger: self.store.ledger_status().into(),
            accounts: self.sip.accounts().await.into_iter().map(AccountStatus::from).collect(),
            blocks: Blocks {
                silenced: self.sip.silenced().await.iter().map(ToString::to_string).collect(),
                locked_sources: locked_sources.iter().map(ToString::to_string).collect(),
                locked_meetings: locked_meetings.iter().map(ToString::to_string).collect(),
            },
            resources: self.resources().await,
        }
    }

    /// Registrations of devices, by label.
    async fn registrations(&self) -> BTreeMap<String, Vec<RegistrationStatus>> {
        let of = |bindings: Vec<sip::Stored>| bindings.into_iter().map(RegistrationStatus::from).collect();
        let found = self.sip.registrations().await.into_iter();
        found.map(|change| (change.device.to_string(), of(change.bindings))).collect()
    }

    async fn failure(&self, failure: Failure) -> FailureStatus {
        let line = |line: sip::LadderLine| {
            let direction = if line.inbound { '<' } else { '>' };
            format!("{} {direction} {}", line.at.as_millis(), line.summary)
        };
        FailureStatus {
            call: failure.call.to_string(),
            device: failure.device,
            dialled: failure.dialled,
            peer: failure.peer.map(|peer| peer.to_string()),
            cause: failure.cause.verdict().label.to_owned(),
            status: failure.cause.verdict().status,
            seconds_ago: failure.at.elapsed().as_secs(),
            ladder: self.sip.ladder(failure.call).await.into_iter().map(line).collect(),
        }
    }

    /// What is in use now.
    pub(super) async fn resources(&self) -> Resources {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (ports, counters) = (self.media.ports(), self.media.counters());
        let (load, counted) = (self.sip.load().await, self.sip.counters());
        Resources {
            rtp_ports: RtpPorts { taken: ports.taken, resting: ports.resting, pairs: ports.pairs },
            media: MediaLoad {
                workers: self.media.workers(),
                load_percent: self.media.load_percent(),
                open_ports: read(&counters.open),
                skipped_steps: read(&counters.skipped),
                unsent_packets: read(&counters.unsent),
                lost_events: read(&counters.lost_events),
            },
            sip: SipLoad {
                calls: load.calls,
                transactions: load.transactions,
                timers: load.timers,
                connections: load.connections,
                received: read(&counted.received),
                sent: read(&counted.sent),
                malformed: read(&counted.malformed),
                dropped: read(&counted.dropped),
                retransmitted: read(&counted.retransmitted),
                copied: read(&counted.copied),
                lost_copies: read(&counted.lost_copies),
                turned_away_full: read(&counted.turned_away_full),
                turned_away_overload: read(&counted.turned_away_overload),
                turned_away_draining: read(&counted.turned_away_draining),
            },
            control_tasks: [&Handle::current(), &self.signalling].map(|threads| threads.metrics().num_alive_tasks()).iter().sum(),
            memory_bytes: memory().unwrap_or(0),
            descriptors: std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
        }
    }
}

/// Resident memory of this process, as Linux tells it.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    kilobytes.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
