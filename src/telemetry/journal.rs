//! Log lines for systemd's journal by its native protocol, so that `journalctl ROOMGATE_CALL=call-7` finds the lines of one call and
//! `ROOMGATE_MEETING=demo` those of one meeting (O-5). The text of a line is the same as on standard error, without time and level, which the journal has itself.
//!
//! A field is `NAME=value` and a line end, or, where the value itself has line ends, the name, a line end, the length as 64 bits and the
//! value (systemd's "Native Journal Protocol").

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::common::printable::escaped;

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// A way to the journal. A journal that does not read, because its disk hangs, loses lines: calls and the watchdog do not wait for it.
pub(super) struct Journal {
    socket: UnixDatagram,
    /// Lines that it has not taken since the last one that it has.
    lost: AtomicU64,
}

impl Journal {
    /// The journal, if standard error goes there already (`$JOURNAL_STREAM`, systemd.exec(5)).
    pub(super) fn of_standard_error() -> Option<Self> {
        let named = std::env::var("JOURNAL_STREAM").ok()?;
        let here = std::fs::metadata("/proc/self/fd/2").ok()?;
        (named == format!("{}:{}", here.dev(), here.ino())).then_some(())?;
        Self::at(Path::new(SOCKET)).ok()
    }

    fn at(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, lost: AtomicU64::new(0) })
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let (Line { message, fields }, metadata) = (line, event.metadata());
        let mut message = format!("{}: {message}", metadata.target());
        for (name, value) in &fields {
            let _ = write!(message, " {name}={value}");
        }
        let mut datagram = entry(*metadata.level(), metadata.target(), &message);
        for (name, value) in &fields {
            put(&mut datagram, &format!("ROOMGATE_{}", name.to_ascii_uppercase().replace('.', "_")), value);
        }
        match self.socket.send(&datagram) {
            Ok(_) => self.report_lost(),
            // Standard error would be waited for, by whatever thread this is.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
            // A journal that is being started anew, or a line that is too long for it: standard error goes there as well.
            Err(_) => {
                let _ = writeln!(io::stderr(), "{message}");
            }
        }
    }
}

impl Journal {
    /// Says how many lines are missing, once there is room again.
    fn report_lost(&self) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost == 0 {
            return;
        }
        let message = format!("the journal did not read for a while: {lost} lines are lost");
        let datagram = entry(Level::WARN, module_path!(), &message);
        if self.socket.send(&datagram).is_err() {
            self.lost.fetch_add(lost, Ordering::Relaxed);
        }
    }
}

/// What every line has.
fn entry(level: Level, room: &str, message: &str) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(512);
    put(&mut datagram, "PRIORITY", priority(level));
    put(&mut datagram, "SYSLOG_IDENTIFIER", env!("CARGO_PKG_NAME"));
    put(&mut datagram, "ROOMGATE_ROOM", room);
    put(&mut datagram, "MESSAGE", message);
    datagram
}

/// As syslog counts.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

/// A value comes from whoever sent it: what a terminal would obey is escaped.
fn put(datagram: &mut Vec<u8>, name: &str, value: &str) {
    let value = escaped(value);
    datagram.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        datagram.push(b'\n');
        datagram.extend_from_slice(&u64::try_from(value.len()).unwrap_or(u64::MAX).to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend_from_slice(value.as_bytes());
    datagram.push(b'\n');
}

/// The fields of an event.
#[derive(Default)]
struct Line {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.fields.push((field.name(), format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// A line comes with its call and meeting as fields and a text with line ends whole.
    #[test]
    fn o5_a_line_comes_with_its_call_and_meeting_as_fields() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = UnixDatagram::bind(&path).unwrap();
        let lines = tracing_subscriber::registry().with(Journal::at(&path).unwrap());
        let next = || {
            let mut buffer = [0; 4096];
            let length = journal.recv(&mut buffer).unwrap();
            buffer[..length].to_vec()
        };
        tracing::subscriber::with_default(lines, || {
            tracing::warn!(call = %"call-7", meeting = "demo", lost = 3, "call ended");
            tracing::error!(hint = "one\ntwo", "wrong");
            tracing::info!(agent = "phone\u{1b}]0;x\u{7}\u{9b}31m\r", "device registered");
        });
        let first = String::from_utf8(next()).unwrap();
        for field in [
            "PRIORITY=4\n",
            "SYSLOG_IDENTIFIER=roomgate\n",
            "MESSAGE=roomgate::telemetry::journal::tests: call ended call=call-7 meeting=demo lost=3\n",
            "ROOMGATE_CALL=call-7\n",
            "ROOMGATE_MEETING=demo\n",
            "ROOMGATE_LOST=3\n",
        ] {
            assert!(first.contains(field), "{field} is not in {first}");
        }
        let second = next();
        let length = 7_u64.to_le_bytes();
        let field = [b"ROOMGATE_HINT\n".as_slice(), &length, b"one\ntwo\n"].concat();
        assert!(second.windows(field.len()).any(|part| part == field), "{second:?}");
        let third = String::from_utf8(next()).unwrap();
        assert!(third.contains("ROOMGATE_AGENT=phone\\u{1b}]0;x\\u{7}\\u{9b}31m\\r\n"), "no control character: {third:?}");
    }

    /// A journal that does not read is not waited for and what it missed is counted.
    #[test]
    fn o3_a_journal_that_does_not_read_is_not_waited() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = UnixDatagram::bind(&path).unwrap();
        journal.set_nonblocking(true).unwrap();
        let lines = tracing_subscriber::registry().with(Journal::at(&path).unwrap());
        let mut buffer = [0; 4096];
        let mut read = || {
            let length = journal.recv(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
        };
        tracing::subscriber::with_default(lines, || {
            // More than any kernel queues for a socket that nobody reads.
            (0..10_000).for_each(|n| tracing::info!(n, "line"));
            let kept = std::iter::from_fn(&mut read).count();
            tracing::info!("there again");
            assert!(read().unwrap().contains("there again"));
            assert!(read().unwrap().contains(&format!("{} lines are lost", 10_000 - kept)));
            tracing::info!("and on");
            assert!(read().unwrap().contains("and on") && read().is_none(), "said once");
        });
    }
}
