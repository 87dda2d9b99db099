//! [`RemoteCandidates`]: addresses of an SFU, each told to the library when it is of use.
//!
//! What comes before an answer that begins ICE waits for it. TCP waits until UDP has had its time: each connection costs both sides, and sound over
//! it stops where a packet is lost.

use std::time::{Duration, Instant};

/// How long UDP is tried alone.
const UDP_ALONE: Duration = Duration::from_millis(500);
/// Candidates that may wait; more are dropped, of which the SFU has repeated some.
const MOST: usize = 32;

/// See the file's paragraph.
#[derive(Default)]
pub(super) struct RemoteCandidates {
    early: Vec<String>,
    tcp: Vec<String>,
    /// When the first answer came, of those since ICE began.
    answered: Option<Instant>,
}

impl RemoteCandidates {
    /// Takes one, as in `a=candidate`, and gives it back if it is of use now.
    pub(super) fn take(&mut self, candidate: String) -> Option<String> {
        let waiting = match self.answered {
            _ if is_tcp(&candidate) => &mut self.tcp,
            None => &mut self.early,
            Some(_) => return Some(candidate),
        };
        if waiting.len() < MOST && !waiting.contains(&candidate) {
            waiting.push(candidate);
        }
        None
    }

    /// An answer was taken: the ones that have waited for it.
    pub(super) fn answered(&mut self, now: Instant) -> Vec<String> {
        self.answered.get_or_insert(now);
        std::mem::take(&mut self.early)
    }

    /// An offer looks for paths anew: what came before it means nothing any more.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// No path works: those of TCP, once UDP has had its time.
    pub(super) fn tcp(&mut self, now: Instant) -> Vec<String> {
        let is_due = self.answered.is_some_and(|at| now.saturating_duration_since(at) > UDP_ALONE);
        if is_due { std::mem::take(&mut self.tcp) } else { Vec::new() }
    }

    /// Takes the candidates of TCP out of an answer.
    pub(super) fn strip(&mut self, sdp: &str) -> String {
        let is_kept = |line: &&str| match line.trim_end().strip_prefix("a=").filter(|line| is_tcp(line)) {
            Some(candidate) => {
                self.take(candidate.to_owned());
                false
            }
            None => true,
        };
        sdp.split_inclusive('\n').filter(is_kept).collect()
    }
}

/// Whether a line names an address of TCP (RFC 6544 section 4.5).
fn is_tcp(candidate: &str) -> bool {
    let candidate = candidate.strip_prefix("candidate:");
    candidate.and_then(|candidate| candidate.split(' ').nth(2)).is_some_and(|transport| transport.eq_ignore_ascii_case("tcp"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::machine;

    const UDP: &str = "candidate:1 1 udp 2130706431 192.0.2.1 7882 typ host";
    const TCP: &str = "candidate:2 1 tcp 1671430143 192.0.2.1 7881 typ host tcptype passive";

    #[test]
    fn udp_waits_for_the_answer_and_tcp_for_udp() {
        let (now, mut candidates) = (machine::now(), RemoteCandidates::default());
        assert_eq!([UDP, TCP, UDP].map(|candidate| candidates.take(candidate.to_owned())), [const { None }; 3]);
        assert_eq!(candidates.tcp(now), [""; 0]);
        assert_eq!(candidates.answered(now), [UDP]);
        assert_eq!(candidates.take(UDP.to_owned()).as_deref(), Some(UDP));
        let sdp = format!("v=0\r\na={UDP}\r\na={TCP}\r\na=end-of-candidates\r\n");
        assert_eq!(candidates.strip(&sdp), format!("v=0\r\na={UDP}\r\na=end-of-candidates\r\n"));
        assert_eq!(candidates.tcp(now + UDP_ALONE), [""; 0]);
        assert_eq!(candidates.tcp(now + UDP_ALONE * 2), [TCP]);
        assert_eq!(candidates.tcp(now + UDP_ALONE * 2), [""; 0]);
        (0..40).for_each(|port| drop(candidates.take(format!("{TCP} {port}"))));
        assert_eq!(candidates.tcp(now + UDP_ALONE * 2).len(), MOST);
    }
}
