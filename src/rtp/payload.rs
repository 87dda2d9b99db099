//! Payload types (RFC 3551): what the numbers in a stream's packets stand for, by the descriptions of both ends.

use crate::codec::CodecKind;
use crate::common::units::Hz;

/// What a payload type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadFormat {
    /// The number in packets, 0 to 127.
    pub payload_type: u8,
    /// What is in them.
    pub content: PayloadContent,
}

/// What packets of a payload type carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadContent {
    /// Audio.
    Audio(CodecKind),
    /// Keys (RFC 4733), at this clock.
    TelephoneEvent(Hz),
    /// The level of the noise in a pause (RFC 3389), at this clock.
    ComfortNoise(Hz),
}

/// All payload types of a session so far. A number that one description has named keeps its meaning until another one gives it a new meaning
/// (RFC 3264 section 8.3.2), so that packets on their way during a new offer and answer are still understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PayloadTable {
    /// At most 128, one for each number.
    formats: Vec<PayloadFormat>,
}

impl PayloadTable {
    /// The payload types of a first offer and answer.
    #[must_use]
    pub fn new(formats: &[PayloadFormat]) -> Self {
        let mut table = Self::default();
        table.extend(formats);
        table
    }

    /// Takes the payload types of another offer and answer; the first entry of a number counts.
    pub fn extend(&mut self, formats: &[PayloadFormat]) {
        let before = std::mem::take(&mut self.formats);
        for format in formats.iter().chain(&before) {
            if format.payload_type < 128 && self.content(format.payload_type).is_none() {
                self.formats.push(*format);
            }
        }
    }

    /// What a payload type stands for; `None` where no description has named it.
    #[must_use]
    pub fn content(&self, payload_type: u8) -> Option<PayloadContent> {
        self.formats.iter().find(|format| format.payload_type == payload_type).map(|format| format.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a1_a_number_keeps_its_meaning_until_it_gets_another() {
        let audio = |payload_type, kind| PayloadFormat { payload_type, content: PayloadContent::Audio(kind) };
        let mut table = PayloadTable::new(&[audio(0, CodecKind::Pcmu), audio(107, CodecKind::Opus)]);
        table.extend(&[audio(118, CodecKind::Pcmu), audio(107, CodecKind::G722)]);
        let all: Vec<_> = [0, 107, 118, 8, 200].map(|number| table.content(number)).to_vec();
        let content = |kind| Some(PayloadContent::Audio(kind));
        assert_eq!(all, [content(CodecKind::Pcmu), content(CodecKind::G722), content(CodecKind::Pcmu), None, None]);
        for round in 0..50 {
            table.extend(&(0..=255).map(|number| audio(number, CodecKind::Pcma)).collect::<Vec<_>>());
            assert_eq!(table.formats.len(), 128, "{round}");
        }
    }
}
