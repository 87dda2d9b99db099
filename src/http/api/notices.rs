//! The ledger (N-8): its lines by pages, and whether it holds together.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer::{Answer, store_fault};
use super::caller::ApiCaller;
use super::extract::InQuery;
use super::paging::lines;
use super::query_time::{moment, natural};
use crate::http::administration::LedgerReport;
use crate::http::state::AppState;
use crate::store::{LedgerQuery, LedgerRow};

/// Which lines are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// What devices were told.
    Notice,
    /// Consents, deletions of recordings and changes of the signing key as well.
    All,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct NoticeQuery {
    /// How many at most; 100 unless said.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// With sequence numbers below this one: the next page after the last line's `sequence`.
    #[param(minimum = 0)]
    before: Option<i64>,
    /// Of what happened at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Of what happened before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
    /// Of this meeting.
    meeting: Option<String>,
    /// Which kind of lines; `notice` unless said.
    #[param(inline)]
    kind: Option<Kind>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Notices {
    notices: Vec<LedgerRow>,
}

/// The ledger of notices, the newest line first.
#[utoipa::path(get, path = "/notices", tag = "operator", params(NoticeQuery), responses(
    (status = 200, description = "Those that fit; numbers of callers are masked.", body = Notices),
))]
pub(super) async fn notices(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    InQuery(wanted): InQuery<NoticeQuery>,
) -> Answer {
    caller.operator_only()?;
    let NoticeQuery { limit, before, from, to, meeting, kind } = wanted;
    let (limit, before) = (lines(limit)?, natural(before)?);
    let (from, to) = (moment(from.as_deref())?, moment(to.as_deref())?);
    let query = LedgerQuery { limit, before, from, to, meeting, notices: kind != Some(Kind::All) };
    let found = app.administration().ledger_lines(query).await.map_err(|error| store_fault("notices", &error))?;
    Ok(Json(Notices { notices: found }).into_response())
}

/// Reads the whole ledger and says whether it holds together. To find out whether lines are missing at its end, or whether all of it was
/// written anew, `roomgate ledger verify --heads FILE` holds it against heads that were copied elsewhere.
#[utoipa::path(get, path = "/notices/verification", tag = "operator", responses(
    (status = 200, description = "What was found.", body = LedgerReport),
))]
pub(super) async fn verification(State(app): State<Arc<AppState>>, caller: ApiCaller) -> Answer {
    caller.operator_only()?;
    Ok(Json(app.administration().verify_ledger().await).into_response())
}
