//! `roomgate link`: a member link, made with the daemon's own key and without asking it (U-1).
#![allow(clippy::disallowed_methods, reason = "a command: it says from when its link is valid")]

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::SystemTime;

use crate::cli::{LinkArgs, LinkRole, Status};
use crate::config::Settings;
use crate::http::Sessions;
use crate::http::session::SecretError;
use crate::ids::MeetingName;

/// Why no link was made.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No such meeting.
    #[error("no meeting is called `{wanted}`; there are: {known}")]
    UnknownMeeting {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// The key of the state directory.
    #[error("{0} (run this as the daemon's own user)")]
    Key(#[from] SecretError),
}

impl LinkError {
    const fn status(&self) -> Status {
        match self {
            Self::UnknownMeeting { .. } => Status::Configuration,
            Self::Key(_) => Status::Unavailable,
        }
    }
}

/// The link for a member, or the organiser, of `meeting`, valid for ten minutes and one use.
///
/// # Errors
/// [`LinkError`], with what to do about it.
pub fn make(settings: &Settings, meeting: &str, organiser: bool) -> Result<String, LinkError> {
    let unknown = || LinkError::UnknownMeeting {
        wanted: meeting.to_owned(),
        known: settings.meetings.keys().map(MeetingName::as_str).collect::<Vec<_>>().join(", "),
    };
    let name = MeetingName::new(meeting).ok().filter(|name| settings.meetings.contains_key(name)).ok_or_else(unknown)?;
    let token = Sessions::open(&settings.store.directory)?.mint_link(&name, 0, organiser, SystemTime::now())?;
    Ok(url(settings, SocketAddr::new(settings.http.address, settings.http.port), &token))
}

/// The command: prints the link.
#[must_use]
pub fn run(settings: &Settings, args: &LinkArgs) -> ExitCode {
    match make(settings, &args.meeting, args.role == LinkRole::Organiser) {
        Ok(link) => {
            // A reader that has gone away is not our fault.
            let _ = writeln!(std::io::stdout(), "{link}");
            Status::Clean.into()
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
