//! [`WithoutStaleStreams`]: an interceptor forgets streams that have fallen silent.
//!
//! A line that carries another stream than before has the library report on the old one for ever. A stream that goes on after a pause is
//! known again with its next packet.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use webrtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use webrtc::sansio::Protocol;
use webrtc::shared::error::Error;

/// Longer than the pause between two packets of a participant who is silent.
const STALE: Duration = Duration::from_secs(5);

/// See the file's paragraph.
pub(super) struct WithoutStaleStreams<I> {
    inner: I,
    streams: HashMap<u32, Stream>,
}

struct Stream {
    info: StreamInfo,
    last: Option<Instant>,
    /// The inner interceptor knows of it.
    known: bool,
}

impl<I> WithoutStaleStreams<I> {
    pub(super) fn new(inner: I) -> Self {
        Self { inner, streams: HashMap::new() }
    }
}

impl<I: Interceptor> Protocol<TaggedPacket, TaggedPacket, ()> for WithoutStaleStreams<I> {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(packet) = &message.message.packet
            && let Some(stream) = self.streams.get_mut(&packet.header.ssrc)
        {
            stream.last = Some(message.now);
            if !std::mem::replace(&mut stream.known, true) {
                self.inner.bind_remote_stream(&stream.info);
            }
        }
        self.inner.handle_read(message)
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inner.poll_read()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.inner.handle_write(message)
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.inner.poll_write()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        for stream in self.streams.values_mut().filter(|stream| stream.known) {
            if now.saturating_duration_since(*stream.last.get_or_insert(now)) > STALE {
                stream.known = false;
                self.inner.unbind_remote_stream(&stream.info);
            }
        }
        self.inner.handle_timeout(now)
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.inner.poll_timeout()
    }
}

impl<I: Interceptor> Interceptor for WithoutStaleStreams<I> {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        self.inner.bind_local_stream(info);
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.inner.unbind_local_stream(info);
    }

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        self.streams.insert(info.ssrc, Stream { info: info.clone(), last: None, known: true });
        self.inner.bind_remote_stream(info);
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
        self.inner.unbind_remote_stream(info);
    }
}
