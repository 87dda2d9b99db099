//! [`Census`]: the counts of a scrape. Rows of `status`, with names, failures and their SIP messages, would be gathered for nothing every few
//! seconds.

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

impl Census {
    /// Counts everything as it is now.
    pub async fn of(sources: &Sources) -> Self {
        let (ready, (locked_sources, locked_meetings)) = (*sources.ready.borrow(), sources.calls.locked());
        let mut census = Self {
            ready,
            uptime: sources.started.elapsed(),
            calls: sources.calls.stages(),
            accounts: sources.sip.accounts().await.into_iter().map(|account| (account.label, account.lives.is_some())).collect(),
            sms: match &sources.relay {
                Some(relay) => Some(relay.totals().await.into()),
                None => None,
            },
            silenced: sources.sip.silenced().await.len(),
            locked_sources: locked_sources.len(),
            locked_meetings: locked_meetings.len(),
            resources: sources.resources().await,
            ledger: sources.store.ledger_status(),
            ..Self::default()
        };
        for meeting in sources.registry.running().await {
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
