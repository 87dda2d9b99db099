//! A [`Census`] and what was counted, as OpenMetrics text for `/metrics` (U-5). Names and labels stay once shipped; `conf/prometheus`
//! lists them.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Census;
use crate::call::CallStage;
use crate::policy::types::{Role, Standing};
use crate::store::HEAD_METRIC;
use crate::telemetry::metrics::{Counted, PREFIX};

/// The text that a scrape gets.
#[must_use]
pub fn text(census: Census, counted: &Counted) -> String {
    let census = Arc::new(census);
    let mut registry = Registry::default();
    counted.register(&mut registry);
    registry.sub_registry_with_prefix(PREFIX).register_collector(Box::new(GatewayMetrics(Arc::clone(&census))));
    registry.register_collector(Box::new(ProcessMetrics(census)));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    text
}

/// Metrics of any process, by the names that all exporters use.
#[derive(Debug)]
struct ProcessMetrics(Arc<Census>);

/// Metrics of the gateway.
#[derive(Debug)]
struct GatewayMetrics(Arc<Census>);

/// Labels of each family; a variant without one would be missing in every sum.
const STAGES: [(CallStage, &str); 6] = [
    (CallStage::Calling, "calling"),
    (CallStage::Answering, "answering"),
    (CallStage::Menu, "menu"),
    (CallStage::Waiting, "waiting"),
    (CallStage::In, "in"),
    (CallStage::Leaving, "leaving"),
];
const KINDS: [(Role, &str); 2] = [(Role::Member, "member"), (Role::External, "external")];
const STATES: [(Standing, &str); 3] = [(Standing::Waiting, "waiting"), (Standing::Lobby, "lobby"), (Standing::In, "in")];

/// Rows of one metric: values of its label, and numbers.
type Rows = Vec<(&'static str, u64)>;

struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let value = ConstGauge::new(value.cast_signed());
        value.encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let value = ConstCounter::new(value);
        value.encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn gauges<L: AsRef<str>>(&mut self, name: &str, help: &str, label: &str, rows: &[(L, u64)]) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (value, number) in rows {
            ConstGauge::new(number.cast_signed()).encode(family.encode_family(&[(label, value.as_ref())])?)?;
        }
        Ok(())
    }

    fn counters(&mut self, name: &str, help: &str, label: &str, rows: &Rows) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, number) in rows {
            ConstCounter::new(*number).encode(family.encode_family(&[(label, *value)])?)?;
        }
        Ok(())
    }
}

fn many(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// How often each of the known ones occurs.
fn tally<T: PartialEq>(known: &[(T, &'static str)], found: &[T]) -> Rows {
    known.iter().map(|(one, label)| (*label, many(found.iter().filter(|other| *other == one).count()))).collect()
}

impl Collector for ProcessMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (mut writer, resources) = (Writer(encoder), &self.0.resources);
        writer.gauge("process_resident_memory_bytes", "Resident memory", resources.memory_bytes)?;
        writer.gauge("process_open_fds", "Open file descriptors", many(resources.descriptors))
    }
}

impl Collector for GatewayMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer(encoder);
        self.daemon(&mut writer)?;
        self.calls(&mut writer)?;
        self.media(&mut writer)?;
        self.sip(&mut writer)?;
        self.ledger(&mut writer)?;
        self.sms(&mut writer)
    }
}

impl GatewayMetrics {
    fn daemon(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let census = &*self.0;
        writer.gauges("build", "Always 1; the version is its label", "version", &[(env!("CARGO_PKG_VERSION"), 1)])?;
        writer.gauge("ready", "1 while calls are taken, 0 while draining", u64::from(census.ready))?;
        writer.gauge("uptime_seconds", "Since the daemon has started", census.uptime.as_secs())?;
        writer.gauge("tasks", "Tasks of the control plane", many(census.resources.control_tasks))
    }

    fn calls(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let census = &*self.0;
        writer.gauges("calls", "Calls that are up, by how far they have come", "state", &tally(&STAGES, &census.calls))?;
        writer.gauge("meetings", "Meetings that live", many(census.meetings))?;
        writer.gauge("meetings_recorded", "Meetings that are being recorded", many(census.recorded))?;
        writer.gauges("participants", "Participants of meetings, by kind", "kind", &tally(&KINDS, &census.kinds))?;
        let states = tally(&STATES, &census.standings);
        writer.gauges("participants_by_state", "Participants of meetings, by state", "state", &states)
    }

    fn media(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let (media, ports) = (&self.0.resources.media, &self.0.resources.rtp_ports);
        writer.gauge("media_workers", "Threads that carry audio", many(media.workers))?;
        let loads = media.load_percent.iter().enumerate().map(|(worker, load)| (worker.to_string(), u64::from(*load)));
        let help = "Share of a core that a thread of audio takes, in percent";
        writer.gauges("media_worker_load_percent", help, "worker", &loads.collect::<Vec<_>>())?;
        writer.gauge("media_open_ports", "Devices whose audio is served", media.open_ports)?;
        writer.counter("media_skipped_steps", "Steps of 2.5 ms left out because a worker came too late", media.skipped_steps)?;
        writer.counter("media_unsent_packets", "Packets that the system would not take", media.unsent_packets)?;
        writer.counter("media_lost_events", "Events that found a full queue", media.lost_events)?;
        let uses = [("taken", many(ports.taken)), ("resting", many(ports.resting))];
        writer.gauges("rtp_port_pairs", "Pairs of UDP ports for devices, by use", "use", &uses)?;
        writer.gauge("rtp_port_pairs_configured", "Pairs of UDP ports for devices altogether", many(ports.pairs))
    }

    fn sip(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let sip = &self.0.resources.sip;
        let ways = vec![
            ("received", sip.received),
            ("sent", sip.sent),
            ("malformed", sip.malformed),
            ("dropped", sip.dropped),
            ("retransmitted", sip.retransmitted),
        ];
        writer.counters("sip_messages", "SIP messages, by what became of them", "way", &ways)?;
        let away =
            vec![("full", sip.turned_away_full), ("overload", sip.turned_away_overload), ("draining", sip.turned_away_draining)];
        writer.counters("sip_turned_away", "Calls answered with 503 before anything else, by why", "why", &away)?;
        let copies = vec![("sent", sip.copied), ("lost", sip.lost_copies)];
        writer.counters("hep_packets", "Copies of SIP messages for a capture server", "outcome", &copies)?;
        writer.gauge("sip_transactions", "SIP transactions of both roles", many(sip.transactions))?;
        writer.gauge("sip_connections", "SIP connections", many(sip.connections))?;
        let accounts: Vec<_> = self.0.accounts.iter().map(|(label, registered)| (label, u64::from(*registered))).collect();
        writer.gauges("account_registered", "1 while we are registered at this PBX", "account", &accounts)?;
        let blocked = [
            ("silenced", many(self.0.silenced)),
            ("locked_source", many(self.0.locked_sources)),
            ("locked_meeting", many(self.0.locked_meetings)),
        ];
        writer.gauges("blocks", "Sources and meetings that are kept out for now", "kind", &blocked)
    }

    fn ledger(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let ledger = &self.0.ledger;
        let head = [(ledger.head.to_string(), 1)];
        writer.gauges(HEAD_METRIC, "Where the ledger of notices ends: count, hash and key", "head", &head)?;
        writer.gauge("ledger_lines", "Lines of the ledger of notices", ledger.head.count)?;
        writer.gauge("ledger_waiting_lines", "Lines of the ledger that the disk does not take", many(ledger.waiting))?;
        writer.gauge("ledger_intact", "0 once the ledger was found not to hold together", u64::from(ledger.fault().is_none()))?;
        writer.gauge("ledger_key_stuck", "1 while the key of the ledger cannot be changed", u64::from(ledger.stuck))?;
        let at = ledger.verified.as_ref().map_or(0, |verified| verified.at / 1000);
        writer.gauge("ledger_verified_timestamp_seconds", "When the whole ledger was read last", at)
    }

    fn sms(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let sms = self.0.sms.clone().unwrap_or_default();
        let outcomes = vec![
            ("sent", sms.sent),
            ("delivered", sms.delivered),
            ("failed", sms.failed),
            ("repeated", sms.repeated),
            ("dropped", sms.dropped),
            ("lost", sms.lost),
        ];
        writer.counters("sms_parts", "Parts of short messages, by outcome", "outcome", &outcomes)?;
        writer.gauge("sms_waiting", "Parts of short messages on their way", many(sms.waiting))
    }
}

#[cfg(test)]
mod tests;
