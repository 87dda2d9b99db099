//! `roomgate link`: a link into a meeting, made by the daemon that runs (U-1).

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::control::{self, AskError};
use crate::cli::{ExitStatus, LinkArgs, LinkRoleArg};
use crate::common::ids::MeetingName;
use crate::common::printable::printable;
use crate::config::Settings;
use crate::http::session;

/// Why no link was made.
#[derive(Debug, thiserror::Error)]
pub enum LinkCommandError {
    /// No such meeting.
    #[error("no meeting is called `{wanted}`; there are: {known}")]
    UnknownMeeting {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// The daemon.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// What it answered.
    #[error("the daemon's answer holds no link; one of an earlier version has to be restarted first")]
    NoLink,
}

impl LinkCommandError {
    const fn status(&self) -> ExitStatus {
        match self {
            Self::UnknownMeeting { .. } | Self::Ask(AskError::Refused(_)) => ExitStatus::Configuration,
            Self::Ask(_) | Self::NoLink => ExitStatus::Unavailable,
        }
    }
}

impl From<LinkRoleArg> for session::LinkRole {
    fn from(role: LinkRoleArg) -> Self {
        match role {
            LinkRoleArg::Guest => Self::Guest,
            LinkRoleArg::Member => Self::Member,
            LinkRoleArg::Organiser => Self::Organiser,
        }
    }
}

/// The link that was asked for, as the daemon says that browsers reach it: it may run with another address than these settings have, and
/// know meetings that they do not name.
///
/// # Errors
/// [`LinkCommandError`], with what to do about it.
pub fn make(settings: &Settings, args: &LinkArgs) -> Result<String, LinkCommandError> {
    let directory = &settings.store.directory;
    let unknown = |known: Vec<String>| LinkCommandError::UnknownMeeting {
        wanted: printable(&args.meeting).into_owned(),
        known: printable(&known.join(", ")).into_owned(),
    };
    let configured = || settings.meetings.keys().map(MeetingName::to_string).collect();
    let name = MeetingName::new(args.meeting.as_str()).map_err(|_| unknown(meetings(directory).unwrap_or_else(configured)))?;
    let wanted = json!({ "role": session::LinkRole::from(args.role), "uses": args.uses, "valid_seconds": args.valid.as_secs() });
    let answer = control::ask(directory, "POST", &format!("/meetings/{name}/links"), &wanted.to_string());
    let answer = answer.map_err(|error| match error {
        AskError::Refused(text) if text.starts_with("404") => unknown(meetings(directory).unwrap_or_else(configured)),
        AskError::Unreachable { .. } if !settings.meetings.contains_key(&name) => unknown(configured()),
        other => other.into(),
    })?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|_| LinkCommandError::NoLink)?;
    answer["url"].as_str().map(str::to_owned).ok_or(LinkCommandError::NoLink)
}

/// The meetings of the daemon that runs; `None` where it does not say.
fn meetings(state_directory: &Path) -> Option<Vec<String>> {
    let answer = control::ask(state_directory, "GET", "/meetings", "").ok()?;
    let answer: Value = serde_json::from_slice(&answer).ok()?;
    answer["meetings"].as_array()?.iter().map(|meeting| meeting["id"].as_str().map(str::to_owned)).collect()
}

/// The command: prints the link.
#[must_use]
pub fn run(settings: &Settings, args: &LinkArgs) -> ExitCode {
    match make(settings, args) {
        Ok(link) => {
            // A reader that has gone away is not our fault.
            let _ = writeln!(std::io::stdout(), "{}", printable(&link));
            ExitStatus::Clean.into()
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            error.status().into()
        }
    }
}
