//! [`Status`]: who is up, who is kept out, and what the daemon holds at this moment.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema as _, ToSchema};

use crate::common::units::rfc3339;
use crate::meeting::MeetingHandle;
use crate::meeting::messages::ParticipantView;
use crate::relay;
use crate::sip;
use crate::store::LedgerStatus;

/// A meeting that has not answered by then is shown as one that does not answer: that is what somebody needs to know.
pub(super) const MEETING_ANSWERS: Duration = Duration::from_secs(2);

/// Everything `status` tells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Status {
    /// Of the running daemon, which may not be that of the command.
    pub version: String,
    /// `ready`, or `draining` once it has been told to stop.
    pub state: String,
    /// Since the start.
    pub uptime_seconds: u64,
    /// Calls that are up, the oldest first.
    pub calls: Vec<CallStatus>,
    /// Calls that went wrong, the newest first (S-8).
    pub failures: Vec<FailureStatus>,
    /// Meetings that are running.
    pub meetings: Vec<MeetingStatus>,
    /// Devices of the configuration.
    pub devices: Vec<DeviceStatus>,
    /// Where we register.
    pub accounts: Vec<AccountStatus>,
    /// Chat by SMS; `None`: there is none.
    pub sms: Option<SmsStatus>,
    /// The ledger of notices.
    pub ledger: LedgerHealth,
    /// Who is kept out for now.
    pub blocks: Blocks,
    /// What is in use.
    pub resources: Resources,
}

/// Whether the ledger of notices holds together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct LedgerHealth {
    /// Where it ends: count of lines, hash of the newest, key of its epoch. Kept elsewhere, it proves every line before it.
    pub head: String,
    /// When all of it was read last (RFC 3339); `None`: that is still going on.
    pub verified_at: Option<String>,
    /// What was found then; `None`: nothing is wrong.
    pub fault: Option<String>,
    /// Lines that wait in memory, because the disk does not take them.
    pub waiting: usize,
    /// Its signing key should have been changed, and could not be.
    pub stuck: bool,
}

impl From<LedgerStatus> for LedgerHealth {
    fn from(ledger: LedgerStatus) -> Self {
        let (fault, verified_at) = (ledger.fault(), ledger.verified.map(|verified| rfc3339(verified.at)));
        Self { head: ledger.head.to_string(), verified_at, fault, waiting: ledger.waiting, stuck: ledger.stuck }
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CallStatus {
    /// Its name in the log.
    pub call: String,
    /// The device's label in the configuration, or `unlisted`.
    pub device: String,
    /// Its display name.
    pub name: String,
    /// Address and port of its SIP.
    pub source: String,
    /// `UDP` or `TCP`.
    pub transport: String,
    /// `answering`, `menu`, `waiting`, `in` or `leaving`.
    pub state: String,
    /// The meeting it came to.
    pub meeting: Option<String>,
    /// Its row there.
    pub participant: Option<String>,
    /// By its SDP name.
    pub codec: Option<String>,
    /// The suite of SRTP, as `a=crypto` names it; absent for plain RTP.
    pub encryption: Option<String>,
    /// Since the INVITE.
    pub seconds: u64,
}

/// A call that was refused, or ended as nobody wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct FailureStatus {
    /// Its name in the log.
    pub call: String,
    /// The device's label in the configuration, `unlisted` or `unknown`.
    pub device: String,
    /// Whom a call that was refused had dialled: the user part, with digits masked, as it may be a code.
    pub dialled: Option<String>,
    /// Address and port of its SIP.
    pub peer: Option<String>,
    /// Why, as in the log.
    pub cause: String,
    /// The SIP status that says the same.
    pub status: u16,
    /// How long ago.
    pub seconds_ago: u64,
    /// Its SIP messages without their contents: milliseconds since its beginning, `<` from the device or `>` to it, and what.
    pub ladder: Vec<String>,
}

/// One running meeting.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct MeetingStatus {
    /// The X of `[meeting.X]`.
    pub id: String,
    /// For people.
    pub title: String,
    /// False: its task is stuck; nothing else is known of it.
    pub answers: bool,
    /// `off`, `on` or `paused`.
    pub recording: String,
    /// `off`, `on` or `paused`.
    pub transcription: String,
    /// Everybody in it and before its door.
    pub participants: Vec<ParticipantStatus>,
}

/// One row of a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ParticipantStatus {
    /// For the API.
    pub id: String,
    /// Display name.
    pub name: String,
    /// `member` or `external`.
    pub kind: String,
    /// `page` or `phone`.
    pub via: String,
    /// `waiting`, `lobby` or `in`.
    pub state: String,
    /// The microphone is closed.
    pub muted: bool,
    /// On hold.
    pub on_hold: bool,
    /// The connection is lost for the moment.
    pub reconnecting: bool,
}

/// One configured device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct DeviceStatus {
    /// The X of `[device.X]`.
    pub device: String,
    /// Display name.
    pub name: String,
    /// Where its calls come from.
    pub addresses: Vec<String>,
    /// Where it has registered; empty: it has not.
    pub registrations: Vec<RegistrationStatus>,
    /// How many calls it has now.
    pub calls: usize,
}

/// One registration of a device with us.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RegistrationStatus {
    /// Address and port of its SIP.
    pub source: String,
    /// `UDP`, `TCP` or `TLS`.
    pub transport: String,
    /// As the device calls itself.
    pub user_agent: Option<String>,
    /// How long it lives, unless it is refreshed.
    pub lives_seconds: u64,
}

/// One of our registrations at a PBX.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AccountStatus {
    /// The X of `[sip.account.X]`.
    pub account: String,
    /// As configured.
    pub registrar: String,
    /// How long the registration lives; `None`: there is none.
    pub lives_seconds: Option<u64>,
    /// What went wrong last; `None` once it went well.
    pub failure: Option<String>,
    /// The time until the next REGISTER.
    pub next_seconds: Option<u64>,
}

impl From<sip::Stored> for RegistrationStatus {
    fn from(stored: sip::Stored) -> Self {
        Self {
            source: stored.source.to_string(),
            transport: stored.transport.as_str().to_owned(),
            user_agent: stored.user_agent,
            lives_seconds: stored.expires_in.as_secs(),
        }
    }
}

impl From<sip::registration::AccountStanding> for AccountStatus {
    fn from(standing: sip::registration::AccountStanding) -> Self {
        Self {
            account: standing.label.to_string(),
            registrar: standing.registrar,
            lives_seconds: standing.lives.map(|lives| lives.as_secs()),
            failure: standing.failure,
            next_seconds: standing.next.map(|next| next.as_secs()),
        }
    }
}

/// Messages and parts of them, since the start (C-7).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SmsStatus {
    /// On their way now.
    pub waiting: usize,
    /// Taken by the provider.
    pub sent: u64,
    /// On a handset, says a receipt.
    pub delivered: u64,
    /// Refused, undeliverable, or too old.
    pub failed: u64,
    /// Submitted again though the provider may have had them.
    pub repeated: u64,
    /// Of no use any more: their device has left, or their reader has said STOP.
    pub dropped: u64,
    /// Never sent: too much was waiting, or the disk did not take them.
    pub lost: u64,
}

impl From<relay::driver::RelayTotals> for SmsStatus {
    fn from(relay::driver::RelayTotals { counts, waiting }: relay::driver::RelayTotals) -> Self {
        Self {
            waiting,
            sent: counts.accepted,
            delivered: counts.delivered,
            failed: counts.failed + counts.refused + counts.expired + counts.unknown,
            repeated: counts.repeated,
            dropped: counts.dropped,
            lost: counts.lost,
        }
    }
}

/// Who is kept out for now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Blocks {
    /// Sources over their budget, which SIP no longer answers: addresses, and callers behind trunks.
    pub silenced: Vec<String>,
    /// Callers locked out after wrong codes (K-1): addresses, devices, and callers behind trunks.
    pub locked_sources: Vec<String>,
    /// Meetings whose passcode strangers tried too often (K-1): for now they have one try each.
    pub locked_meetings: Vec<String>,
}

/// What is in use. Without calls and pages everything but memory, tasks and totals is zero, once SIP's timers have run out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Resources {
    /// Pairs of UDP ports for devices.
    pub rtp_ports: RtpPorts,
    /// The media workers.
    pub media: MediaLoad,
    /// The SIP endpoint.
    pub sip: SipLoad,
    /// Tasks of the control plane.
    pub control_tasks: usize,
    /// Resident memory; 0 where the system does not tell.
    pub memory_bytes: u64,
    /// Open file descriptors; 0 where the system does not tell.
    pub descriptors: usize,
}

/// Pairs of UDP ports for devices.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RtpPorts {
    /// In use.
    pub taken: usize,
    /// In quarantine after a call.
    pub resting: usize,
    /// Altogether.
    pub pairs: usize,
}

/// The media workers. The last three only grow: each of them was heard by somebody.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct MediaLoad {
    /// Threads.
    pub workers: usize,
    /// Share of a core that each of them takes, in percent, the lesser of the last two seconds. All at 85 or more: new calls get 503.
    pub load_percent: Vec<u8>,
    /// Devices' ports that are served.
    pub open_ports: u64,
    /// Steps of 2.5 ms that were left out because a worker came too late.
    pub skipped_steps: u64,
    /// Packets the system would not take.
    pub unsent_packets: u64,
    /// Events that found a full queue.
    pub lost_events: u64,
}

/// The SIP endpoint. From `received` on they only grow.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SipLoad {
    /// Calls that are not forgotten yet.
    pub calls: usize,
    /// Transactions of both roles.
    pub transactions: usize,
    /// Timers that are running.
    pub timers: usize,
    /// Connections.
    pub connections: usize,
    /// Messages that came.
    pub received: u64,
    /// Messages that went.
    pub sent: u64,
    /// Messages that could not be read.
    pub malformed: u64,
    /// Messages dropped unanswered.
    pub dropped: u64,
    /// Messages sent again.
    pub retransmitted: u64,
    /// Copies sent to a capture server (`sip.hep`).
    pub copied: u64,
    /// Copies that could not be sent.
    pub lost_copies: u64,
    /// INVITEs answered with 503 because as many calls were up as there may be.
    pub turned_away_full: u64,
    /// INVITEs answered with 503 because those before them waited for their answers for too long.
    pub turned_away_overload: u64,
    /// INVITEs answered with 503 because the gateway was being stopped.
    pub turned_away_draining: u64,
}

/// The schemas of a [`Status`], by name, for the API's document.
#[must_use]
pub fn schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![(Status::name().into_owned(), Status::schema())];
    Status::schemas(&mut schemas);
    schemas
}

impl MeetingStatus {
    /// What a running meeting tells of itself.
    pub(super) async fn of(meeting: &MeetingHandle, title: String) -> Self {
        let id = meeting.name().to_string();
        match tokio::time::timeout(MEETING_ANSWERS, meeting.snapshot(None)).await {
            Ok(Some(snapshot)) => Self {
                id,
                title,
                answers: true,
                recording: json_name(&snapshot.recording),
                transcription: json_name(&snapshot.transcription),
                participants: snapshot.participants.into_iter().map(ParticipantStatus::from).collect(),
            },
            // It ended at this moment: nobody is in it.
            Ok(None) => Self { id, title, answers: true, ..Self::default() },
            Err(_) => Self { id, title, answers: false, ..Self::default() },
        }
    }
}

impl From<ParticipantView> for ParticipantStatus {
    fn from(row: ParticipantView) -> Self {
        Self {
            kind: json_name(&row.kind),
            via: json_name(&row.via),
            state: json_name(&row.state),
            id: row.id,
            name: row.name,
            muted: row.muted,
            on_hold: row.on_hold,
            reconnecting: row.reconnecting,
        }
    }
}

/// The name of an enum's variant in JSON.
pub(super) fn json_name(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(ToOwned::to_owned)).unwrap_or_default()
}
