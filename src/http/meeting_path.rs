//! The meeting that a path names.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::state::AppState;
use crate::common::ids::MeetingName;

/// A name in the path, empty where it is not UTF-8: that names nothing here.
pub(super) struct NameInPath(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for NameInPath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let found = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(found.map(|Path(name)| name).unwrap_or_default()))
    }
}

/// The meeting of this name, with its title.
pub(super) fn known_meeting(app: &AppState, name: &str) -> Option<(MeetingName, String)> {
    let name = MeetingName::new(name).ok()?;
    let title = app.handles.registry.title(&name)?;
    Some((name, title))
}
