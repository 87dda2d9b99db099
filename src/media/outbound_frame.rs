//! [`OutboundFrame`]: 20 ms of a bridge's mix at the rate of a device's codec.

use std::time::Duration;

use crate::codec::CodecKind;
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::dsp::resample::{Resampler, between};

/// Length of a frame.
const FRAME: Duration = Duration::from_millis(20);

/// See the file's paragraph.
pub(super) struct OutboundFrame {
    rate: Hz,
    resampler: Option<Resampler>,
    samples: Vec<i16>,
}

impl OutboundFrame {
    /// Frames for a codec, none of which is there yet.
    pub(super) fn new(codec: CodecKind) -> Self {
        let rate = codec.row().sample_rate;
        Self { rate, resampler: between(Hz::FULL, rate), samples: Vec::new() }
    }

    /// Takes the next frame at 48 kHz; `None`: silence.
    pub(super) fn fill(&mut self, frame: Option<&Frame>) {
        self.samples.clear();
        match (frame, &mut self.resampler) {
            (Some(frame), Some(resampler)) => resampler.process(frame.samples(), &mut self.samples),
            (Some(frame), None) => self.samples.extend_from_slice(frame.samples()),
            // Keeps the filter's history in step, so that audio starts without a click.
            (None, Some(resampler)) => resampler.process(Frame::silence(Hz::FULL).samples(), &mut self.samples),
            (None, None) => {}
        }
        self.samples.resize(self.rate.samples(FRAME), 0);
    }

    /// What was taken last.
    pub(super) fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// The same, for what the device is played beside it.
    pub(super) const fn samples_mut(&mut self) -> &mut Vec<i16> {
        &mut self.samples
    }
}
