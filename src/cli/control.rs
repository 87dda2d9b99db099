//! How a command of ours asks the daemon that runs: over the Unix socket in its state directory, which only the daemon's own user and root may
//! open (U-1). No token leaves a process by it, and whoever else listens at the daemon's port hears nothing.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::common::printable::printable;
use crate::http::SOCKET_FILE;

/// For each step: connect, send, read. A daemon that takes longer is stuck, and that is the answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Far above the answer of a daemon with all the calls it can have.
const LARGEST_ANSWER: u64 = 64 << 20;

/// Why there is no answer. `Display` has a hint, and no control characters.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens, or not for this user.
    #[error(
        "nobody answers at {}: {error} (is the daemon running, with this configuration, and are you root or the daemon's own user?)",
        path.display()
    )]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// What came is no HTTP answer, or too little of one.
    #[error("the daemon at {} did not answer in order: {what}", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What was wrong.
        what: String,
    },
    /// The daemon refuses.
    #[error("the daemon refused: {0}")]
    Refused(String),
}

/// Asks the API of the daemon with this state directory, as its operator; the body of a 2xx. `body`: JSON, or empty.
///
/// # Errors
/// [`AskError`].
pub fn ask(state_dir: &Path, method: &str, path: &str, body: &str) -> Result<Vec<u8>, AskError> {
    let socket = state_dir.join(SOCKET_FILE);
    let stream = connect(&socket).map_err(|error| AskError::Unreachable { path: socket.clone(), error })?;
    let broken = |what: String| AskError::Broken { path: socket.clone(), what: printable(&what).into_owned() };
    // HTTP/1.0: the answer comes in one piece and ends with the connection.
    let request = format!(
        "{method} /api/v1{path} HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(stream, &request).map_err(|error| broken(error.to_string()))?;
    body_of(&answer).map(<[u8]>::to_vec).map_err(|problem| match problem {
        Some(text) => AskError::Refused(printable(&text).into_owned()),
        None => broken("this is no HTTP answer".to_owned()),
    })
}

/// With a time limit: a daemon that stands still has a full queue, in which a connection would wait for ever.
fn connect(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    socket.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket)
}

fn exchange(mut stream: impl Read + Write, request: &str) -> io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    stream.take(LARGEST_ANSWER).read_to_end(&mut answer)?;
    Ok(answer)
}

/// The body of a 2xx; otherwise the daemon's own text, if it is an HTTP answer at all.
fn body_of(answer: &[u8]) -> Result<&[u8], Option<String>> {
    let split = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or(None)?;
    let (head, body) = answer.split_at_checked(split + 4).ok_or(None)?;
    let head = String::from_utf8_lossy(head);
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    if !words.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
        return Err(None);
    }
    let status = words.next().unwrap_or_default();
    if status.len() == 3 && status.starts_with('2') {
        return Ok(body);
    }
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let detail = problem.as_ref().and_then(|problem| problem.get("detail")?.as_str()).unwrap_or_default();
    Err(Some(format!("{status} {detail}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer is taken a refusal is told and anything else is broken.
    #[test]
    fn an_answer_is_taken_a_refusal_is_told_and_anything_else() {
        assert_eq!(body_of(b"HTTP/1.0 200 OK\r\na: b\r\n\r\n{}"), Ok(&b"{}"[..]));
        assert_eq!(body_of(b"HTTP/1.0 201 Created\r\n\r\n[]"), Ok(&b"[]"[..]));
        let refused = body_of(b"HTTP/1.1 404 Not Found\r\n\r\n{\"detail\":\"There is no such meeting.\"}");
        assert_eq!(refused, Err(Some("404 There is no such meeting.".to_owned())));
        for other in [&b""[..], b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n"] {
            assert_eq!(body_of(other), Err(None));
        }
    }

    #[test]
    fn u1_without_a_daemon_it_says_where_nobody_answers() {
        let folder = tempfile::tempdir().unwrap();
        let error = ask(folder.path(), "GET", "/status", "").unwrap_err().to_string();
        assert!(error.contains(SOCKET_FILE) && error.contains("is the daemon running"), "{error}");
    }
}
