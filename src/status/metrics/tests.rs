//! Names are a promise: what is scraped, what is listed and what is asked for are the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::status::report::{MediaLoad, Resources};
use crate::store::{self, Broken, BrokenReason, LedgerHead, LedgerStatus, Verification, VerifyError};
use crate::telemetry::metrics::Unwritten;

/// A scrape in which every metric has a sample.
fn scrape() -> String {
    let counted = Counted::default();
    counted.call_ended("hung-up");
    counted.answered_after(Duration::from_millis(30));
    counted.heard(4.2, 100, 1);
    counted.notice("completed");
    counted.alarm();
    counted.unwritten(Unwritten::Ledger);
    counted.reloaded(false);
    let calls = vec![CallStage::In, CallStage::In, CallStage::Menu];
    let media = MediaLoad { load_percent: vec![7, 12], ..MediaLoad::default() };
    let resources = Resources { media, ..Resources::default() };
    text(Census { calls, resources, accounts: vec![("pbx".into(), false)], ready: true, ..Census::default() }, &counted)
}

/// Names of what is sampled.
fn sampled() -> BTreeSet<String> {
    let text = scrape();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.split(['{', ' ']).next().unwrap_or_default().to_owned()).collect()
}

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("conf").join(name)).expect(name)
}

/// Names of metrics in a query.
fn named(text: &str) -> BTreeSet<String> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let ours = |word: &&str| word.starts_with("roomgate_") || word.starts_with("process_");
    text.split(word).filter(ours).map(ToOwned::to_owned).collect()
}

#[test]
fn o5_a_scrape_says_what_is_up_and_what_has_been() {
    let text = scrape();
    for line in [
        "roomgate_ready 1",
        "roomgate_calls{state=\"in\"} 2",
        "roomgate_calls{state=\"menu\"} 1",
        "roomgate_calls{state=\"leaving\"} 0",
        "roomgate_calls_ended_total{cause=\"hung-up\"} 1",
        "roomgate_call_answer_seconds_bucket{le=\"0.05\"} 1",
        "roomgate_call_packets_lost_total 1",
        "roomgate_notices_total{outcome=\"completed\"} 1",
        "roomgate_store_failures_total{what=\"ledger\"} 1",
        "roomgate_config_reloads_total{outcome=\"refused\"} 1",
        "roomgate_config_last_reload_successful 0",
        "roomgate_account_registered{account=\"pbx\"} 0",
        "roomgate_ledger_intact 1",
        "roomgate_ledger_waiting_lines 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}

/// A scrape publishes the head and says when the ledger is broken.
#[test]
fn n8_a_scrape_publishes_the_head_and_says_when_the_ledger() {
    let head = LedgerHead { count: 9, hash: [0xab; 32], key: Some([1; 32]) };
    let outcome = Err(VerifyError::Broken(Broken { at: 5, why: BrokenReason::Changed }));
    let ledger = LedgerStatus { head, waiting: 2, stuck: true, verified: Some(Verification { at: 5000, outcome }) };
    let text = text(Census { ledger, ..Census::default() }, &Counted::default());
    assert_eq!(store::read_heads(&text), [head]);
    for line in [
        "ledger_intact 0",
        "ledger_waiting_lines 2",
        "ledger_key_stuck 1",
        "ledger_verified_timestamp_seconds 5",
        "ledger_lines 9",
    ] {
        assert!(text.lines().any(|found| found == format!("roomgate_{line}")), "{line} is not in\n{text}");
    }
}

/// Every metric is listed for the administrator and nothing else is.
#[test]
fn o5_every_metric_is_listed_for_the_administrator_and_nothing() {
    let base = |name: &String| {
        let ends = ["_bucket", "_sum", "_count"].into_iter().find_map(|end| name.strip_suffix(end));
        ends.unwrap_or(name).to_owned()
    };
    let scraped: BTreeSet<_> = sampled().iter().map(base).collect();
    let list = file("prometheus/METRICS.md");
    let listed: BTreeSet<_> = list
        .lines()
        .filter_map(|line| {
            line.strip_prefix("| `")?.split('`').next().map(|name| name.split('{').next().unwrap_or(name).to_owned())
        })
        .collect();
    assert_eq!(listed, scraped);
}

/// Every query of the dashboard and of the rules asks for what there is.
#[test]
fn o5_every_query_of_the_dashboard_and_of_the_rules_asks() {
    let known = sampled();
    let dashboard: serde_json::Value = serde_json::from_str(&file("grafana/roomgate.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries: Vec<_> = targets.map(|target| target["expr"].as_str().expect("a query").to_owned()).collect();
    assert!(queries.len() >= 10, "a dashboard of {} queries", queries.len());
    let rules = file("prometheus/roomgate.rules.yml");
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("expr:"));
    for query in queries.iter().map(String::as_str).chain(alerts) {
        let asked = named(query);
        assert!(!asked.is_empty() || query.contains("up{"), "{query} asks for nothing");
        assert!(asked.is_subset(&known), "{query} asks for {:?}", asked.difference(&known));
    }
}
