//! `roomgate link`: a link into a meeting, made by the daemon that runs (U-1).

use std::io::Write as _;
use std::net::SocketAddr;
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
    #[error("no meeting is called `{wanted}`; in the configuration are: {known}")]
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
    #[error("the daemon's answer holds no link")]
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

/// The link that was asked for. The daemon may know meetings that its configuration does not name.
///
/// # Errors
/// [`LinkCommandError`], with what to do about it.
pub fn make(settings: &Settings, args: &LinkArgs) -> Result<String, LinkCommandError> {
    let unknown = || LinkCommandError::UnknownMeeting {
        wanted: printable(&args.meeting).into_owned(),
        known: settings.meetings.keys().map(MeetingName::as_str).collect::<Vec<_>>().join(", "),
    };
    let name = MeetingName::new(args.meeting.as_str()).map_err(|_| unknown())?;
    let wanted = json!({ "role": session::LinkRole::from(args.role), "uses": args.uses, "valid_seconds": args.valid.as_secs() });
    let path = format!("/meetings/{name}/links");
    let answer = control::ask(&settings.store.directory, "POST", &path, &wanted.to_string());
    let answer = answer.map_err(|error| match error {
        AskError::Refused(text) if text.starts_with("404") => unknown(),
        AskError::Unreachable { .. } if !settings.meetings.contains_key(&name) => unknown(),
        other => other.into(),
    })?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|_| LinkCommandError::NoLink)?;
    let token = answer["link"].as_str().and_then(|link| link.strip_prefix("/enter?token=")).ok_or(LinkCommandError::NoLink)?;
    Ok(url(settings, SocketAddr::new(settings.http.address, settings.http.port), token))
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

/// Where a token is exchanged: at the public URL, or at the address that is listened at.
pub(crate) fn url(settings: &Settings, address: SocketAddr, token: &str) -> String {
    let base = settings.http.public_url.clone().unwrap_or_else(|| {
        let scheme = if settings.http.tls.is_some() { "https" } else { "http" };
        let any = address.ip().is_unspecified();
        let host = if any { settings.media.webrtc_addresses.first().copied() } else { Some(address.ip()) };
        match host {
            Some(host) => format!("{scheme}://{}", SocketAddr::new(host, address.port())),
            None => format!("{scheme}://localhost:{}", address.port()),
        }
    });
    format!("{}/enter?token={token}", base.trim_end_matches('/'))
}
