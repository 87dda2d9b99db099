//! What a scrape needs of this moment. `status` shows rows, metrics count them: names, failures and their SIP messages would be gathered
//! for nothing, each few seconds, for as long as the daemon runs.

use std::sync::Arc;
use std::time::Duration;

use super::report::MEETING_ANSWERS;
use super::{Resources, SmsStatus, Sources};
use crate::call::CallStage;
use crate::policy::types::{Capture, Role, Standing};
use crate::store::LedgerStatus;

/// Numbers where [`Status`](super::Status) has rows.
#[derive(Debug, Clone, Default)]
pub struct Census {
    /// Calls are taken.
    pub ready: bool,
    /// Since the start.
    pub uptime: Duration,
    /// How far each call has come.
    pub calls: Vec<CallStage>,
    /// Meetings that are running.
    pub meetings: usize,
    /// Those of them that are being recorded.
    pub recorded: usize,
    /// Who each participant is to its meeting.
    pub kinds: Vec<Role>,
    /// Where each participant stands.
    pub standings: Vec<Standing>,
    /// Where we register, and whether we are registered there.
    pub accounts: Vec<(Arc<str>, bool)>,
    /// Chat by SMS; `None`: there is none.
    pub sms: Option<SmsStatus>,
    /// Sources that SIP does not answer.
    pub silenced: usize,
    /// Sources that are locked out (K-1).
    pub locked_sources: usize,
    /// Meetings whose passcode was tried too often (K-1).
    pub locked_meetings: usize,
    /// What is in use.
    pub resources: Resources,
    /// The ledger of notices (N-8).
    pub ledger: LedgerStatus,
}

impl Sources {
    /// How many there are now.
    pub async fn census(&self) -> Census {
        let (ready, (sources, meetings)) = (*self.ready.borrow(), self.calls.locked());
        let mut census = Census {
            ready,
            uptime: self.started.elapsed(),
            calls: self.calls.stages(),
            accounts: self.sip.accounts().await.into_iter().map(|account| (account.label, account.lives.is_some())).collect(),
            sms: match &self.relay {
                Some(relay) => Some(relay.totals().await.into()),
                None => None,
            },
            silenced: self.sip.silenced().await.len(),
            locked_sources: sources.len(),
            locked_meetings: meetings.len(),
            resources: self.resources().await,
            ledger: self.store.ledger_status(),
            ..Census::default()
        };
        for meeting in self.registry.running().await {
            census.meetings += 1;
            // One that does not answer counts as a meeting without anybody.
            let Ok(Some(snapshot)) = tokio::time::timeout(MEETING_ANSWERS, meeting.snapshot(None)).await else { continue };
            census.recorded += usize::from(snapshot.recording == Capture::On);
            census.kinds.extend(snapshot.participants.iter().map(|row| row.kind));
            census.standings.extend(snapshot.participants.iter().map(|row| row.state));
        }
        census
    }
}
