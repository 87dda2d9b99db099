//! [`fuzz`]: whatever a server and the people in its rooms may say, told to a participant's signalling and chat.

use std::time::{Duration, Instant};

use super::chat::ChatReader;
use super::session::{Part, Session, SessionInput, SessionOutput};
use crate::common::machine::Machine as _;
use crate::media::RemotePeerEvent;

/// Outputs that one input may have: what changes of a whole room, said once.
const MOST_OUTPUTS: usize = 16;

/// Takes octets as events: a kind, a length in two octets, and as many. A frame is not answered by more than its server may expect, and no text is
/// longer than the packets that brought it.
#[doc(hidden)]
pub fn fuzz(now: Instant, mut octets: &[u8]) {
    let part = if octets.len().is_multiple_of(2) { Part::Ear } else { Part::Microphone };
    let (mut session, mut chat) = (Session::new(part, "cid".to_owned(), 1), ChatReader::default());
    let (mut now, mut taken) = (now, 0);
    while let [kind, high, low, rest @ ..] = octets {
        let (bytes, after) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(rest.len()));
        octets = after;
        now += Duration::from_millis(u64::from(*low));
        taken += bytes.len();
        match kind % 8 {
            0 => session.handle(now, SessionInput::Opened),
            1 => session.handle(now, SessionInput::Closed(bytes.first().map(|octet| u16::from(*octet) + 300))),
            2 => session.handle(now, SessionInput::Peer(RemotePeerEvent::Connected)),
            3 => session.handle(now, SessionInput::Peer(RemotePeerEvent::Disconnected)),
            4 => {
                now += Duration::from_secs(u64::from(*low));
                session.wake(now);
            }
            5 | 6 => session.handle(now, SessionInput::Frame(bytes.to_vec())),
            _ => {
                let text = chat.read(now, bytes);
                assert!(text.is_none_or(|text| text.text.len() <= taken), "a text comes from somewhere");
            }
        }
        settle(now, &mut session);
    }
}

/// Does what a session wants, as its owner would.
fn settle(now: Instant, session: &mut Session) {
    let mut outputs = 0;
    while let Some(output) = session.poll() {
        outputs += 1;
        assert!(outputs <= MOST_OUTPUTS, "an input has an end");
        match output {
            SessionOutput::MakeOffer(_) => session.handle(now, SessionInput::Offer(Some("v=0".to_owned()))),
            SessionOutput::Answer(_) => session.handle(now, SessionInput::Answered(true)),
            _ => {}
        }
    }
}
