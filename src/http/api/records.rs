//! Records of calls (M-16): for the operator as they are, for the host without what tells who called; as JSON or CSV (RFC 4180).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer::{Answer, bad_query, store_fault};
use super::caller::ApiCaller;
use super::csv::{Cell, Format, csv, format_of};
use super::extract::InQuery;
use super::paging::lines;
use super::query_time::{moment, natural};
use crate::http::problem_details::ProblemDetails;
use crate::http::state::AppState;
use crate::store::{CallRecord, HEAD_COLUMN, RecordQuery, RecordRow};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RecordsQuery {
    /// How many at most; 100 unless said.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// With ids below this one: the next page after the last record's `id`.
    #[param(minimum = 0)]
    before: Option<i64>,
    /// Of calls that came at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Of calls that came before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
    /// Of this meeting.
    meeting: Option<String>,
    /// Of this device.
    device: Option<String>,
    /// How it is written; unless said, as `Accept` wants it.
    #[param(inline)]
    format: Option<Format>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Exported {
    /// How many at most; 100 unless said.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// Of calls that came at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Of calls that came before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
    /// Of this meeting; an organiser may leave it away.
    meeting: Option<String>,
    /// How it is written; unless said, as `Accept` wants it.
    #[param(inline)]
    format: Option<Format>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Records {
    records: Vec<RecordRow>,
}

/// A record for the host: who called is not told.
#[derive(Serialize, ToSchema)]
struct HostRecord {
    /// `Anonymous`.
    device: &'static str,
    /// The meeting's name, once one was chosen.
    meeting: Option<String>,
    /// The call came.
    #[serde(serialize_with = "crate::common::units::moment")]
    #[schema(value_type = String, format = DateTime)]
    started_at: u64,
    /// The wait for a host or in the lobby began.
    #[serde(serialize_with = "crate::common::units::moment_if_any")]
    #[schema(value_type = Option<String>, format = DateTime)]
    lobby_at: Option<u64>,
    /// A member, or the bypass policy, let it in.
    #[serde(serialize_with = "crate::common::units::moment_if_any")]
    #[schema(value_type = Option<String>, format = DateTime)]
    admitted_at: Option<u64>,
    /// Sound passed between it and the meeting for the first time: after a notice that it was owed.
    #[serde(serialize_with = "crate::common::units::moment_if_any")]
    #[schema(value_type = Option<String>, format = DateTime)]
    joined_at: Option<u64>,
    /// It left the meeting, or hung up while it waited.
    #[serde(serialize_with = "crate::common::units::moment_if_any")]
    #[schema(value_type = Option<String>, format = DateTime)]
    left_at: Option<u64>,
    /// The audio codec's name; this and what follows of its sound only where it was let in.
    codec: Option<String>,
    /// RTP packets received.
    packets: Option<u64>,
    /// Packets lost.
    lost: Option<i64>,
    /// Interarrival jitter at the end, in milliseconds.
    jitter_ms: Option<f64>,
    /// Mean opinion score by the E-model, 1 to 4.5.
    mos: Option<f64>,
    /// Notices played (N-1).
    notices: u32,
    /// Why the call ended.
    end_reason: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct HostRecords {
    records: Vec<HostRecord>,
    /// Where the ledger of notices ends: whoever keeps this can prove later that no line before it was changed.
    ledger_head: String,
}

impl From<RecordRow> for HostRecord {
    fn from(RecordRow { record, .. }: RecordRow) -> Self {
        // What it is, but that it waited, is no matter of a meeting that has not let it in (M-8).
        let admitted = record.admitted_at.is_some();
        Self {
            device: "Anonymous",
            meeting: record.meeting,
            started_at: record.started_at,
            lobby_at: record.lobby_at,
            admitted_at: record.admitted_at,
            joined_at: record.joined_at,
            left_at: record.left_at,
            codec: record.codec.filter(|_| admitted),
            packets: admitted.then_some(record.packets),
            lost: admitted.then_some(record.lost),
            jitter_ms: record.jitter_ms.filter(|_| admitted),
            mos: record.mos.filter(|_| admitted),
            notices: record.notices,
            end_reason: record.end_reason,
        }
    }
}

async fn look_up(app: &AppState, query: RecordQuery) -> Result<Vec<RecordRow>, ProblemDetails> {
    app.administration().records(query).await.map_err(|error| store_fault("records", &error))
}

/// Records of calls that are over, the newest first. A device gets its own.
#[utoipa::path(get, path = "/records", tag = "records", params(RecordsQuery), responses(
    (status = 200, description = "Those that fit.", content((Records = "application/json"), (String = "text/csv"))),
))]
pub(super) async fn records(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    headers: HeaderMap,
    InQuery(wanted): InQuery<RecordsQuery>,
) -> Answer {
    let RecordsQuery { limit, before, from, to, meeting, device, format } = wanted;
    let device = match &caller {
        ApiCaller::Device { label: own, .. } => Some(own.clone()),
        ApiCaller::Operator | ApiCaller::Member(_) => caller.operator_only().map(|()| device)?,
    };
    let (limit, before, from, to) = (lines(limit)?, natural(before)?, moment(from.as_deref())?, moment(to.as_deref())?);
    let found = look_up(&app, RecordQuery { limit, before, from, to, meeting, device }).await?;
    Ok(match format_of(format, &headers) {
        Format::Json => Json(Records { records: found }).into_response(),
        Format::Csv => csv("records", &FULL, found.into_iter().map(full)),
    })
}

/// The records of a meeting for its host, in which each device is `Anonymous` (M-16).
#[utoipa::path(get, path = "/records/host-export", tag = "records", params(Exported), responses(
    (status = 200, description = "Those that fit, the newest first.", content((HostRecords = "application/json"), (String = "text/csv"))),
    (status = 404, description = "There is no such meeting, or none that the caller may see."),
))]
pub(super) async fn host_export(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    headers: HeaderMap,
    InQuery(wanted): InQuery<Exported>,
) -> Answer {
    let meeting = match (&caller, wanted.meeting) {
        (ApiCaller::Device { .. }, _) => return Err(ProblemDetails::for_organisers()),
        (ApiCaller::Operator, Some(meeting)) => caller.named(&app, &meeting)?.0,
        (ApiCaller::Operator, None) => return Err(bad_query("`meeting` says whose records are wanted.")),
        (ApiCaller::Member(sessions), wanted) => {
            let organised = sessions.iter().find(|session| session.organises()).ok_or_else(ProblemDetails::for_organisers)?;
            wanted.map_or_else(|| Ok(organised.meeting.clone()), |meeting| caller.named(&app, &meeting).map(|(name, _)| name))?
        }
    };
    caller.organiser_only(&meeting)?;
    let since = Some(caller.since(&meeting)).filter(|since| *since > 0);
    let (limit, from, to) = (lines(wanted.limit)?, moment(wanted.from.as_deref())?.max(since), moment(wanted.to.as_deref())?);
    let query = RecordQuery { limit, meeting: Some(meeting.to_string()), from, to, ..RecordQuery::default() };
    let found = look_up(&app, query).await?.into_iter().map(HostRecord::from);
    let ledger_head = app.administration().ledger_head();
    Ok(match format_of(wanted.format, &headers) {
        Format::Json => Json(HostRecords { records: found.collect(), ledger_head }).into_response(),
        Format::Csv => csv("host-export", &HOST, found.map(|record| host(record, &ledger_head))),
    })
}

const FULL: [&str; 22] = [
    "id",
    "call",
    "device",
    "meeting",
    "started_at",
    "answered_at",
    "lobby_at",
    "admitted_at",
    "joined_at",
    "left_at",
    "codec",
    "packets",
    "lost",
    "jitter_ms",
    "mos",
    "notices",
    "end_reason",
    "dialog",
    "address",
    "caller",
    "proof",
    "encryption",
];

fn full(RecordRow { id, record }: RecordRow) -> [Cell; 22] {
    let CallRecord { call, phone, device, meeting, started_at, answered_at, lobby_at, admitted_at, joined_at, left_at, .. } =
        record;
    [
        Cell::number(Some(id)),
        Cell::Text(call),
        Cell::Text(device),
        Cell::text(meeting),
        Cell::time(Some(started_at)),
        Cell::time(answered_at),
        Cell::time(lobby_at),
        Cell::time(admitted_at),
        Cell::time(joined_at),
        Cell::time(left_at),
        Cell::text(record.codec),
        Cell::number(Some(record.packets)),
        Cell::number(Some(record.lost)),
        Cell::number(record.jitter_ms),
        Cell::number(record.mos),
        Cell::number(Some(record.notices)),
        Cell::Text(record.end_reason),
        Cell::Text(phone.dialog),
        Cell::Text(phone.address),
        Cell::Text(phone.caller.to_string()),
        Cell::Text(phone.proof),
        Cell::text(record.encryption),
    ]
}

const HOST: [&str; 15] = [
    "device",
    "meeting",
    "started_at",
    "lobby_at",
    "admitted_at",
    "joined_at",
    "left_at",
    "codec",
    "packets",
    "lost",
    "jitter_ms",
    "mos",
    "notices",
    "end_reason",
    HEAD_COLUMN,
];

fn host(record: HostRecord, ledger_head: &str) -> [Cell; 15] {
    [
        Cell::Text(record.device.to_owned()),
        Cell::text(record.meeting),
        Cell::time(Some(record.started_at)),
        Cell::time(record.lobby_at),
        Cell::time(record.admitted_at),
        Cell::time(record.joined_at),
        Cell::time(record.left_at),
        Cell::text(record.codec),
        Cell::number(record.packets),
        Cell::number(record.lost),
        Cell::number(record.jitter_ms),
        Cell::number(record.mos),
        Cell::number(Some(record.notices)),
        Cell::Text(record.end_reason),
        Cell::Text(ledger_head.to_owned()),
    ]
}
