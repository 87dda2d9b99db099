//! [`InboundMessage`]: what a centre delivers by `deliver_sm` or `data_sm` (SMPP 3.4 sections 4.6.1 and 4.7.1).
//!
//! Centres leave out the NUL of a last string, put parameters of their own behind, and do not mark each receipt as one. So the
//! octets are read here, without more trust than is needed.

use super::text;
use crate::common::redact::Redacted;
use crate::relay::PhoneNumber;

/// `esm_class`: a user data header comes first (section 5.2.12).
pub(super) const UDHI: u8 = 0x40;
/// `esm_class`, message type: a receipt of the centre, final or intermediate (section 5.2.12).
const RECEIPTS: [u8; 2] = [0x04, 0x20];
/// The bits of the message type.
const MESSAGE_TYPE: u8 = 0x3C;
/// Type of number: national (section 5.2.5).
const NATIONAL: u8 = 2;

/// Optional parameters (section 5.3.2).
const RECEIPTED_MESSAGE_ID: u16 = 0x001E;
const SAR_MSG_REF_NUM: u16 = 0x020C;
const SAR_TOTAL_SEGMENTS: u16 = 0x020E;
const SAR_SEGMENT_SEQNUM: u16 = 0x020F;
const MESSAGE_PAYLOAD: u16 = 0x0424;
const MESSAGE_STATE: u16 = 0x0427;

/// The states of a receipt's `stat:` (appendix B, section 5.2.28), by the value of `message_state`.
const STATES: [&str; 9] = ["", "ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD"];

/// What a delivery brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delivery {
    /// How the message of this name has ended, or that it has not yet: a state of section 5.2.28, such as `DELIVRD`.
    Receipt { name: String, state: String },
    /// A message, or a part of one.
    Part(Part),
    /// From an address that is no number.
    Nobody,
    /// In a coding that is no text, the number of which is given.
    Unreadable(u8),
}

/// Part `number` of `total` of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) from: PhoneNumber,
    pub(super) place: Place,
    pub(super) text: Redacted<String>,
}

/// Which part of which message: `number` counts from 1 to `total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) reference: u16,
    pub(super) total: u8,
    pub(super) number: u8,
}

impl Place {
    /// A message that is whole.
    const ALONE: Self = Self { reference: 0, total: 1, number: 1 };

    fn new(reference: u16, total: u8, number: u8) -> Option<Self> {
        (1..=total).contains(&number).then_some(Self { reference, total, number })
    }
}

/// The fields of a delivery that are used.
#[derive(Debug, Clone, Default)]
pub(super) struct InboundMessage<'a> {
    is_national: bool,
    source: &'a [u8],
    esm_class: u8,
    data_coding: u8,
    /// User data, with a header where `esm_class` has the UDHI bit.
    content: &'a [u8],
    /// `receipted_message_id` and `message_state`.
    receipted: Option<&'a [u8]>,
    state: Option<u8>,
    /// By the parameters of segmentation and reassembly (sections 5.3.2.22 to 24).
    place: Option<Place>,
}

impl<'a> InboundMessage<'a> {
    /// Reads the body of a `deliver_sm`; `None`: it ends before its mandatory parameters do.
    pub(super) fn deliver_sm(body: &'a [u8]) -> Option<Self> {
        let mut body = Body(body);
        let mut message = body.addressed()?;
        // protocol_id, priority_flag; schedule_delivery_time, validity_period.
        body.octets(2)?;
        body.string()?;
        body.string()?;
        // registered_delivery, replace_if_present_flag; data_coding; sm_default_msg_id.
        body.octets(2)?;
        message.data_coding = body.octet()?;
        body.octet()?;
        let length = usize::from(body.octet()?);
        message.content = body.octets(length)?;
        message.take_parameters(body);
        Some(message)
    }

    /// Reads the body of a `data_sm`; `None`: it ends before its mandatory parameters do.
    pub(super) fn data_sm(body: &'a [u8]) -> Option<Self> {
        let mut body = Body(body);
        let mut message = body.addressed()?;
        // registered_delivery.
        body.octet()?;
        message.data_coding = body.octet()?;
        message.take_parameters(body);
        Some(message)
    }

    fn take_parameters(&mut self, mut body: Body<'a>) {
        let (mut reference, mut total, mut number) = (None, None, None);
        while let Some((tag, value)) = body.parameter() {
            match (tag, value) {
                (RECEIPTED_MESSAGE_ID, name) => self.receipted = Some(until_nul(name)),
                (MESSAGE_STATE, [state]) => self.state = Some(*state),
                (MESSAGE_PAYLOAD, content) => self.content = content,
                (SAR_MSG_REF_NUM, [high, low]) => reference = Some(u16::from_be_bytes([*high, *low])),
                (SAR_TOTAL_SEGMENTS, [octet]) => total = Some(*octet),
                (SAR_SEGMENT_SEQNUM, [octet]) => number = Some(*octet),
                _ => {}
            }
        }
        self.place =
            reference.zip(total).zip(number).and_then(|((reference, total), number)| Place::new(reference, total, number));
    }

    /// What it brings. `own`: our number, whose country is meant where the sender's lacks one.
    pub(super) fn delivery(&self, own: &PhoneNumber) -> Delivery {
        if let Some(receipt) = self.receipt() {
            return receipt;
        }
        let (header, octets) = if self.esm_class & UDHI == 0 { (&[][..], self.content) } else { user_data_header(self.content) };
        let before = if header.is_empty() { 0 } else { header.len() + 1 };
        let Some(text) = text::read(self.data_coding, before, octets) else { return Delivery::Unreadable(self.data_coding) };
        let source = String::from_utf8_lossy(self.source);
        let Some(from) = PhoneNumber::sent(&source, self.is_national, own) else { return Delivery::Nobody };
        let place = concatenation(header).or(self.place).unwrap_or(Place::ALONE);
        Delivery::Part(Part { from, place, text: Redacted::new(text) })
    }

    /// A receipt by its `esm_class`; where that marks none, by its parameter or by the text of appendix B.
    fn receipt(&self) -> Option<Delivery> {
        let text = String::from_utf8_lossy(self.content);
        let field = |name: &str| {
            // The names are ASCII, so that the positions in the lowered text are those of the text.
            let at = text.to_ascii_lowercase().find(name)?;
            let value = text.get(at + name.len()..)?.split_ascii_whitespace().next()?;
            Some(value.to_owned()).filter(|value| !value.is_empty())
        };
        let written =
            || field("stat:").map(|state| state.chars().take_while(char::is_ascii_alphabetic).take(7).collect::<String>());
        let named = self.receipted.map(|name| String::from_utf8_lossy(name).into_owned()).filter(|name| !name.is_empty());
        let is_form = text.trim_start().get(..3).is_some_and(|start| start.eq_ignore_ascii_case("id:"))
            && written().is_some_and(|state| STATES.contains(&state.to_ascii_uppercase().as_str()));
        let kind = self.esm_class & MESSAGE_TYPE;
        if !(RECEIPTS.contains(&kind) || kind == 0 && (named.is_some() || is_form)) {
            return None;
        }
        let by_parameter = self.state.filter(|state| *state > 0).and_then(|state| STATES.get(usize::from(state)));
        let state = by_parameter.map(|state| (*state).to_owned()).or_else(written).unwrap_or_default().to_ascii_uppercase();
        Some(Delivery::Receipt { name: named.or_else(|| field("id:")).unwrap_or_default(), state })
    }
}

/// What is left of a body.
#[derive(Debug, Clone, Copy)]
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    /// What both requests begin with: service_type, the source, the destination, and `esm_class`.
    fn addressed(&mut self) -> Option<InboundMessage<'a>> {
        self.string()?;
        let source_type = self.octets(2)?;
        let source = self.string()?;
        self.octets(2)?;
        self.string()?;
        let (is_national, esm_class) = (source_type.first() == Some(&NATIONAL), self.octet()?);
        Some(InboundMessage { is_national, source, esm_class, ..InboundMessage::default() })
    }

    fn octet(&mut self) -> Option<u8> {
        let (octet, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*octet)
    }

    fn octets(&mut self, count: usize) -> Option<&'a [u8]> {
        let (octets, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(octets)
    }

    /// A C-octet string, without its NUL.
    fn string(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|octet| *octet == 0)?;
        let string = self.octets(end)?;
        self.octet()?;
        Some(string)
    }

    /// The next optional parameter. One that is longer than what is left has what is left.
    fn parameter(&mut self) -> Option<(u16, &'a [u8])> {
        let ([tag_high, tag_low, high, low], rest) = self.0.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        self.0 = rest;
        Some((u16::from_be_bytes([*tag_high, *tag_low]), self.octets(length)?))
    }
}

/// A C-octet string at the end of what has it: its NUL may be missing.
pub(super) fn until_nul(octets: &[u8]) -> &[u8] {
    octets.split(|octet| *octet == 0).next().unwrap_or_default()
}

/// The header's elements, and what follows it.
fn user_data_header(octets: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = octets.split_first() else { return (&[], octets) };
    rest.split_at_checked(usize::from(*length)).unwrap_or((&[], rest))
}

/// By an 8-bit or a 16-bit reference, of which the low half is enough to tell messages apart (TS 23.040 sections 9.2.3.24.1 and 8).
fn concatenation(mut header: &[u8]) -> Option<Place> {
    while let [id, length, rest @ ..] = header {
        let (element, after) = rest.split_at_checked(usize::from(*length))?;
        let place = match (*id, element) {
            (0x00, [reference, total, number]) | (0x08, [_, reference, total, number]) => {
                Place::new(u16::from(*reference), *total, *number)
            }
            _ => None,
        };
        if place.is_some() {
            return place;
        }
        header = after;
    }
    None
}
