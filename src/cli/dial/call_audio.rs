//! [`CallAudio`]: what the test phone plays, hears and presses in its call.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::dial_error::DialError;
use super::random::random;
use super::report::AudioMeter;
use crate::cli::DialArgs;
use crate::common::ids::Ids;
use crate::common::machine;
use crate::common::units::Hz;
use crate::dsp::Frame;
use crate::media::{Channel, DueDatagram, MediaEvent, MediaLeg as _, Port, PortEvent, Profile, Sockets, TickSound};
use crate::rtp::dtls::DtlsError;

/// From the answer to the first key.
const FIRST_KEY: Duration = Duration::from_millis(500);
/// How long a key is pressed.
const KEY: Duration = Duration::from_millis(100);
/// What a comma waits.
const COMMA: Duration = Duration::from_secs(1);
/// A call without any packet counts as silent after this.
const SILENT: Duration = Duration::from_secs(60);

/// Sends a datagram; `false`: the system has not taken it, and it is lost as in the network.
fn send(sockets: &Sockets, due: &DueDatagram<Channel>) -> bool {
    let socket = if due.socket == Channel::Rtp { &sockets.rtp } else { &sockets.rtcp };
    socket.send_to(&due.bytes, due.to).is_ok()
}

/// The media of the test phone's call.
pub(super) struct CallAudio<'a> {
    pub(super) port: Port,
    pub(super) listener: AudioMeter,
    recorded: Vec<i16>,
    keep: bool,
    speech: Option<std::iter::Cycle<std::slice::Iter<'a, i16>>>,
    keys: std::vec::IntoIter<char>,
    next_key: Option<Instant>,
    events: mpsc::Receiver<PortEvent>,
}

impl<'a> CallAudio<'a> {
    /// Sends what is due.
    pub(super) fn transmit(&mut self, sockets: &Sockets, now: Instant) {
        while let Some(due) = self.port.poll_transmit(now) {
            let left = send(sockets, &due);
            if let Some(packet) = due.packet {
                self.port.sent(now, packet, left);
            }
        }
    }

    /// Why there will be no media, once that is known.
    pub(super) fn handshake_error(&mut self) -> Option<DtlsError> {
        std::iter::from_fn(|| self.events.try_recv().ok()).find_map(|event| match event.heard {
            MediaEvent::NotEncrypted(error) => Some(error),
            _ => None,
        })
    }

    /// Ends the media by an RTCP BYE.
    pub(super) fn close(&mut self, sockets: &Sockets, now: Instant) {
        if let Some(bye) = self.port.close(now) {
            send(sockets, &bye);
        }
    }

    /// The media as negotiated.
    pub(super) fn open(profile: Profile, args: &DialArgs, speech: Option<&'a [i16]>) -> Result<Self, DialError> {
        let (events, received) = mpsc::channel(64);
        let now = machine::now();
        let keys: Vec<char> = args.keys.as_deref().unwrap_or_default().chars().collect();
        Ok(Self {
            port: Port::new(now, Ids::default().port(), profile, random()?, SILENT, events)?,
            listener: AudioMeter::default(),
            recorded: Vec::new(),
            keep: args.record.is_some(),
            speech: speech.filter(|speech| !speech.is_empty()).map(|speech| speech.iter().cycle()),
            keys: keys.into_iter(),
            next_key: Some(now + FIRST_KEY),
            events: received,
        })
    }

    /// Plays and sends a frame of 20 ms.
    pub(super) fn tick(&mut self, now: Instant) {
        let mut frame = Frame::silence(Hz::FULL);
        self.port.wake(now);
        self.port.pull(now, &mut frame);
        self.listener.measure(frame.samples());
        if self.keep {
            self.recorded.extend_from_slice(frame.samples());
        }
        self.press(now);
        let mut sent = Frame::silence(Hz::FULL);
        if let Some(speech) = &mut self.speech {
            for sample in sent.samples_mut() {
                *sample = speech.next().copied().unwrap_or_default();
            }
        }
        self.port.send(now, TickSound::Own(&sent, None));
    }

    fn press(&mut self, now: Instant) {
        if self.port.pressing() || self.next_key.is_none_or(|at| at > now) {
            return;
        }
        match self.keys.next() {
            None => self.next_key = None,
            Some(',') => self.next_key = Some(now + COMMA),
            Some(key) => {
                if !self.port.press(key, KEY) {
                    self.next_key = None;
                }
            }
        }
    }

    /// Writes the file of `--record`.
    pub(super) fn save(&self, args: &DialArgs) -> Result<(), DialError> {
        let Some(path) = &args.record else { return Ok(()) };
        let fault = |error: hound::Error| DialError::File { path: path.display().to_string(), error: error.to_string() };
        let spec =
            hound::WavSpec { channels: 1, sample_rate: 48_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut file = hound::WavWriter::create(path, spec).map_err(fault)?;
        for sample in &self.recorded {
            file.write_sample(*sample).map_err(fault)?;
        }
        file.finalize().map_err(fault)
    }
}
