//! [`Lines`]: whose audio which line of the description carries, and its way to be played.

use std::time::Instant;

use crate::codec::{CodecError, CodecKind};
use crate::common::ids::TrackId;
use crate::dsp::frame::Frame;
use crate::rtp::packet::Packet;
use crate::rtp::payload::{PayloadContent, PayloadFormat};
use crate::rtp::receive::{AudioReceiver, ReceiverStats};

use super::super::negotiation::OPUS_PAYLOAD_TYPE;

/// The lines that carry somebody, as the newest answer says. A line that it does not name is free.
#[derive(Default)]
pub(super) struct Lines(Vec<Line>);

struct Line {
    mid: String,
    track: TrackId,
    /// Name of the stream at the library; it changes with the answer that gives the line to somebody else.
    stream: Option<String>,
    receiver: AudioReceiver,
}

impl Lines {
    /// Takes a new map from lines to tracks. `stream` names the stream that the library receives at a line.
    ///
    /// # Errors
    /// When a decoder cannot be made; the lines before it are there.
    pub(super) fn assign(
        &mut self,
        map: Vec<(String, TrackId)>,
        mut stream: impl FnMut(&str) -> Option<String>,
    ) -> Result<(), CodecError> {
        let mut before = std::mem::take(&mut self.0);
        for (mid, track) in map {
            let kept = before.iter().position(|line| line.track == track).map(|at| before.swap_remove(at));
            let receiver = match kept {
                Some(line) if line.mid == mid => line.receiver,
                _ => receiver()?,
            };
            let stream = stream(&mid);
            self.0.push(Line { mid, track, stream, receiver });
        }
        Ok(())
    }

    /// Takes a packet of a stream. One at a line that is free is dropped.
    pub(super) fn insert(&mut self, now: Instant, stream: &str, packet: &Packet<'_>) {
        if let Some(line) = self.0.iter_mut().find(|line| line.stream.as_deref() == Some(stream)) {
            // The stack reports by its own count.
            let _ = line.receiver.insert(now, packet);
        }
    }

    /// Puts a track's next 20 ms into `frame`. False, and it is unchanged, where no line carries the track.
    pub(super) fn pull(&mut self, now: Instant, track: TrackId, frame: &mut Frame) -> bool {
        let line = self.0.iter_mut().find(|line| line.track == track);
        line.map(|line| line.receiver.pull(now, frame)).is_some()
    }

    /// The tracks that are carried.
    pub(super) fn tracks(&self) -> impl Iterator<Item = TrackId> + '_ {
        self.0.iter().map(|line| line.track)
    }

    pub(super) fn stats(&self) -> Vec<(TrackId, ReceiverStats)> {
        self.0.iter().map(|line| (line.track, line.receiver.stats())).collect()
    }
}

fn receiver() -> Result<AudioReceiver, CodecError> {
    let opus = PayloadFormat { payload_type: OPUS_PAYLOAD_TYPE, content: PayloadContent::Audio(CodecKind::Opus) };
    AudioReceiver::new(CodecKind::Opus, &[opus])
}
