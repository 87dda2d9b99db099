//! Log lines on standard error, as text for people or one JSON object a line (O-5). Where that is the journal of systemd, text goes there with
//! its fields ([`super::journal`]).
//!
//! Each folder writes its own lines; digits, numbers, names and texts reach them only inside [`crate::common::redact::Redacted`].

use std::io::{self, IsTerminal};

use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, reload};

use super::journal::Journal;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Rooms of the WebRTC stack that log what peers send: several lines a browser, at levels that would drown our own.
/// Whoever names one in the level gets it.
const QUIET: [&str; 8] = ["rtc", "rtc_dtls", "rtc_ice", "rtc_interceptor", "rtc_rtp", "rtc_sctp", "rtc_srtp", "rtc_stun"];

/// The target of the ledger's heads.
const HEADS: &str = "roomgate::ledger";

/// Why log lines cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Neither a level nor a list of levels by room.
    #[error("{0:?} is no log level")]
    Level(String),
    /// This process writes log lines already.
    #[error("log lines are being written already")]
    Twice,
}

/// Writes log lines from now on. Once a process.
///
/// `level` is one of `error`, `warn`, `info`, `debug`, `trace`, or such levels by room: `info,roomgate::sip=debug`.
///
/// # Errors
/// [`InitError`]; nothing is changed then.
pub fn init(format: LogFormat, level: &str) -> Result<Levels, InitError> {
    let filter = filter(level).ok_or_else(|| InitError::Level(level.to_owned()))?;
    let (filter, levels) = reload::Layer::new(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_span_events(FmtSpan::NONE);
    let lines = match (format, Journal::of_standard_error()) {
        (LogFormat::Text, Some(journal)) => journal.boxed(),
        (LogFormat::Text, None) => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        (LogFormat::Json, _) => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init().map_err(|_| InitError::Twice)?;
    Ok(Levels(levels))
}

/// Changes what is written, while it is being written (O-2).
#[derive(Debug, Clone)]
pub struct Levels(reload::Handle<EnvFilter, Registry>);

impl Levels {
    /// Sets the level from now on; nothing changes if it cannot be parsed.
    ///
    /// # Errors
    /// [`InitError::Level`].
    pub fn set(&self, level: &str) -> Result<(), InitError> {
        let wrong = || InitError::Level(level.to_owned());
        self.0.reload(filter(level).ok_or_else(wrong)?).map_err(|_| wrong())
    }
}

/// Whether [`init`] takes this as a level.
#[must_use]
pub fn is_level(level: &str) -> bool {
    filter(level).is_some()
}

fn filter(level: &str) -> Option<EnvFilter> {
    // A filter without `=` would be taken for a target of which every line is wanted.
    let bare = |part: &str| ["error", "warn", "info", "debug", "trace", "off"].contains(&part);
    let fits = level.split(',').map(str::trim).all(|part| part.contains('=') || bare(part));
    // What proves the ledger is published whatever else is wanted (N-8).
    let heads = if level.contains(HEADS) { String::new() } else { format!(",{HEADS}=info") };
    let quiet = QUIET.iter().filter(|room| !level.contains(**room)).map(|room| format!(",{room}=error")).collect::<String>();
    if fits { EnvFilter::builder().parse(format!("{level}{quiet}{heads}")).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_none_is_refused_and_a_second_start_too() {
        for level in ["loud", "", "info,", "info,sip", "roomgate=loud", "=", "5"] {
            assert!(matches!(init(LogFormat::Text, level), Err(InitError::Level(_))), "{level}");
        }
        let levels = init(LogFormat::Json, "warn,roomgate::sip=debug").expect("the first start");
        assert!(levels.set("debug").is_ok() && matches!(levels.set("loud"), Err(InitError::Level(_))));
        assert!(matches!(init(LogFormat::Text, "info"), Err(InitError::Twice)));
    }
}
