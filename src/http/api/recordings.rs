//! Recordings (N-12): for the operator all, for a member those of the own meeting.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use futures_util::stream;
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use utoipa::ToSchema;

use super::answer::Answer;
use super::caller::ApiCaller;
use super::extract::{InPath, InQuery};
use super::paging::{Window, lines};
use super::recording_range::{ByteRange, byte_range};
use crate::common::ids::MeetingName;
use crate::common::units::{read_file_time, rfc3339, unix_millis};
use crate::http::problem_details::ProblemDetails;
use crate::http::state::AppState;
use crate::policy::Capture;
use crate::store::Deletion;

/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// One recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Recording {
    /// Its file's name without its ending.
    id: String,
    /// Of which meeting.
    meeting: String,
    /// When it began (RFC 3339).
    started_at: String,
    /// So far.
    bytes: u64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Recordings {
    recordings: Vec<Recording>,
}

/// Meeting and beginning, as the recorder has put them into a file's name: `demo-20261128T080137.998Z`.
fn read_name(id: &str) -> Option<(MeetingName, String)> {
    let (meeting, stamp) = id.rsplit_once('-')?;
    Some((MeetingName::new(meeting).ok()?, rfc3339(read_file_time(stamp)?)))
}

/// All of them, the newest first.
fn all(directory: &Path) -> io::Result<Vec<Recording>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        let id = path.file_stem().and_then(|name| name.to_str()).filter(|_| path.extension().is_some_and(|kind| kind == "ogg"));
        let Some((id, (meeting, started_at))) = id.and_then(|id| Some((id, read_name(id)?))) else { continue };
        // One that was deleted meanwhile is not there.
        let Ok(file) = entry.metadata() else { continue };
        if file.is_file() {
            found.push(Recording { id: id.to_owned(), meeting: meeting.to_string(), started_at, bytes: file.len() });
        }
    }
    found.sort_by(|one, other| other.started_at.cmp(&one.started_at).then_with(|| one.id.cmp(&other.id)));
    Ok(found)
}

fn fault(error: &dyn std::error::Error) -> ProblemDetails {
    tracing::error!(%error, "the recordings cannot be read for the API");
    ProblemDetails::new(StatusCode::SERVICE_UNAVAILABLE, "recordings", "The recordings cannot be read at the moment.")
}

/// Those the caller may know of: none for a device, even of the meeting that it is in.
async fn theirs(app: &AppState, caller: &ApiCaller) -> Result<Vec<Recording>, ProblemDetails> {
    let directory = app.settings.recordings.clone();
    let found = tokio::task::spawn_blocking(move || all(&directory)).await.map_err(|error| fault(&error))?;
    let knows = |one: &Recording| {
        let theirs = |meeting: MeetingName| caller.belongs_to(&meeting) && one.started_at >= rfc3339(caller.since(&meeting));
        MeetingName::new(one.meeting.as_str()).is_ok_and(theirs)
    };
    Ok(found.map_err(|error| fault(&error))?.into_iter().filter(knows).collect())
}

/// One of them, with its file.
async fn find(app: &AppState, caller: &ApiCaller, id: &str) -> Result<(Recording, PathBuf), ProblemDetails> {
    // Only what was found by looking is opened: a name that leads elsewhere is none.
    let found = theirs(app, caller).await?.into_iter().find(|one| one.id == id);
    let found = found.ok_or_else(|| ProblemDetails::not_found("recording"))?;
    let file = app.settings.recordings.join(format!("{}.ogg", found.id));
    Ok((found, file))
}

/// Recordings.
#[utoipa::path(get, path = "/recordings", tag = "recordings", params(Window), responses(
    (status = 200, description = "The newest first; for a member those of the own meeting.", body = Recordings),
))]
pub(super) async fn recordings(State(app): State<Arc<AppState>>, caller: ApiCaller, InQuery(window): InQuery<Window>) -> Answer {
    let limit = lines(window.limit)?;
    let mut recordings = theirs(&app, &caller).await?;
    recordings.truncate(limit);
    Ok(Json(Recordings { recordings }).into_response())
}

/// The file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "what the document says of an answer")]
struct Audio(Vec<u8>);

/// Fetches one, or a part of it; of one that still goes on, what there is so far.
#[utoipa::path(get, path = "/recordings/{recording}", operation_id = "recording_audio", tag = "recordings", params(
    ("recording" = String, Path, description = "Its id."),
    ("Range" = Option<String>, Header, description = "One part in bytes, such as `bytes=0-65535`; of several at once all of it is sent."),
), responses(
    (status = 200, description = "Opus in Ogg.", body = Audio, content_type = "audio/ogg"),
    (status = 206, description = "The part that was asked for; `Content-Range` says which.", body = Audio, content_type = "audio/ogg"),
    (status = 416, description = "`no-such-range`: it has no such bytes; `Content-Range` says how many it has."),
))]
pub(super) async fn recording(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    InPath(id): InPath<String>,
    asked: HeaderMap,
) -> Answer {
    let (found, path) = find(&app, &caller, &id).await?;
    let (status, first, last) = match byte_range(&asked, found.bytes) {
        ByteRange::All => (StatusCode::OK, 0, found.bytes.saturating_sub(1)),
        ByteRange::Part(first, last) => (StatusCode::PARTIAL_CONTENT, first, last),
        ByteRange::Nothing => {
            let problem = ProblemDetails::new(StatusCode::RANGE_NOT_SATISFIABLE, "no-such-range", "It has no such bytes.");
            return Ok(([(header::CONTENT_RANGE, format!("bytes */{}", found.bytes))], problem).into_response());
        }
    };
    let length = found.bytes.min(last.saturating_add(1)).saturating_sub(first);
    let mut file = match tokio::fs::File::open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ProblemDetails::not_found("recording")),
        Err(error) => return Err(fault(&error)),
    };
    file.seek(io::SeekFrom::Start(first)).await.map_err(|error| fault(&error))?;
    // A recording that goes on grows while it is sent: no more is sent than `Content-Length`.
    let pieces = stream::try_unfold(file.take(length), async |mut file| {
        let mut piece = vec![0; PIECE];
        let count = file.read(&mut piece).await?;
        piece.truncate(count);
        io::Result::Ok((count > 0).then(|| (Bytes::from(piece), file)))
    });
    let headers = [
        (header::CONTENT_TYPE, "audio/ogg".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.ogg\"", found.id)),
    ];
    let mut answer = (status, headers, Body::from_stream(pieces)).into_response();
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(part) = format!("bytes {first}-{last}/{}", found.bytes).parse()
    {
        answer.headers_mut().insert(header::CONTENT_RANGE, part);
    }
    Ok(answer)
}

/// Deletes one: the operator, and the organiser of its meeting.
#[utoipa::path(delete, path = "/recordings/{recording}", tag = "recordings", params(
    ("recording" = String, Path, description = "Its id."),
), responses(
    (status = 204, description = "It is gone."),
    (status = 403, description = "`not-allowed`: a member who is not the organiser deletes nothing."),
    (status = 409, description = "`going-on`: it is still being made."),
))]
pub(super) async fn forget(State(app): State<Arc<AppState>>, caller: ApiCaller, InPath(id): InPath<String>) -> Answer {
    let (found, path) = find(&app, &caller, &id).await?;
    let meeting = MeetingName::new(found.meeting.as_str()).map_err(|_| ProblemDetails::not_found("recording"))?;
    caller.organiser_only(&meeting)?;
    let newest = theirs(&app, &caller).await?.into_iter().find(|one| one.meeting == found.meeting);
    if newest.is_some_and(|newest| newest.id == found.id) && is_recording(&app, &found.meeting).await {
        return Err(ProblemDetails::new(StatusCode::CONFLICT, "going-on", "This recording is still being made."));
    }
    match tokio::fs::remove_file(path).await {
        Ok(()) => {
            let (by, at) = (caller.ledger_name(&meeting).to_owned(), unix_millis(SystemTime::now()));
            let Recording { id: recording, meeting, .. } = found;
            // It is gone, whether or not the disk has room to write that down now.
            app.administration().note_deletion(Deletion { meeting, recording, by, at }).await;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ProblemDetails::not_found("recording")),
        Err(error) => Err(fault(&error)),
    }
}

async fn is_recording(app: &AppState, meeting: &str) -> bool {
    let Ok(name) = MeetingName::new(meeting) else { return false };
    let Some(handle) = app.running_meeting(&name).await else { return false };
    handle.snapshot(None).await.is_some_and(|snapshot| snapshot.recording != Capture::Off)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A files name tells meeting and beginning and nothing else is a recording.
    #[test]
    fn a_files_name_tells_meeting_and_beginning_and_nothing_else() {
        let (meeting, started) = read_name("board-room-20261128T080137.998Z").expect("a recording");
        assert_eq!((meeting.as_str(), started.as_str()), ("board-room", "2026-11-28T08:01:37.998Z"));
        for other in ["", "demo", "demo-20261128T080137.998", "../x-20261128T080137.998Z", "demo-2026112xT080137.998Z", "demo-é"]
        {
            assert_eq!(read_name(other), None, "{other}");
        }
    }
}
