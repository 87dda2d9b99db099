//! What of SMPP 3.4 we say and understand: parts of messages as `submit_sm`, receipts and parts that come as `deliver_sm`.

use bytes::{Buf as _, BytesMut};
use rusmpp::decode::DecodeWithLength as _;
use rusmpp::encode::{Encode as _, Length as _};
use rusmpp::pdus::{BindTransceiver, DeliverSm, DeliverSmResp, SubmitSm};
use rusmpp::tlvs::{MessageSubmissionRequestTlvValue, TlvValue};
use rusmpp::types::{COctetString, OctetString};
use rusmpp::values::{DataCoding, EsmClass, InterfaceVersion, Npi, RegisteredDelivery, Ton, UserMessageReference};
use rusmpp::{Command, CommandStatus, Pdu};

use super::settings::SmppLogin;
use super::text;
use crate::common::redact::Redacted;
use crate::relay::PhoneNumber;
use crate::relay::segment::{self, Coding, Segment};
use crate::relay::sms::{DeliveryOutcome, OutgoingSms, PartInfo};

/// The longest PDU that is taken: 64 KiB of `message_payload` and then some.
const LONGEST: usize = 70_000;
/// Octets of a PDU's head (section 3.2).
const HEAD: usize = 16;
/// `esm_class`: a user data header comes first.
const UDHI: u8 = 0x40;
/// `esm_class`, message type: a receipt of the centre, or word of one on its way (section 5.2.12).
const RECEIPTS: [u8; 2] = [0x04, 0x20];
/// A receipt is wanted, however it ends (section 5.2.17).
const RECEIPT_WANTED: u8 = 0x01;

/// What travels of an item.
fn user_data(sms: &OutgoingSms) -> (Coding, bool, Vec<u8>) {
    let cut = sms.cut;
    let coding = cut.map_or_else(|| segment::coding(sms.text.expose()), |cut| cut.coding);
    let octets = Segment { coding, text: sms.text.expose().clone() }.octets();
    match cut {
        // TS 23.040 section 9.2.3.24.1: concatenated short messages, 8-bit reference.
        Some(PartInfo { reference, total, number, .. }) if total > 1 => {
            (coding, true, [&[5, 0, 3, reference, total, number], octets.as_slice()].concat())
        }
        _ => (coding, false, octets),
    }
}

/// A number as an address: international, without the `+`.
fn address(number: &PhoneNumber) -> COctetString<1, 21> {
    octet_string(number.expose().trim_start_matches('+'))
}

/// A text of a bind; one that does not fit would be refused by the configuration.
fn octet_string<const MAX: usize>(text: &str) -> COctetString<1, MAX> {
    COctetString::from_string(text.to_owned()).unwrap_or_default()
}

/// Asks to be let in, to send and to receive.
pub(super) fn bind(login: &SmppLogin) -> Pdu {
    Pdu::BindTransceiver(BindTransceiver {
        system_id: octet_string(&login.system_id),
        password: octet_string(login.password.expose()),
        system_type: octet_string(&login.system_type),
        interface_version: InterfaceVersion::Smpp3_4,
        ..BindTransceiver::default()
    })
}

/// An item that is submitted again carries the same `user_message_reference` (section 5.3.2.17), by which a centre can know it (C-7).
pub(super) fn submit(from: &PhoneNumber, sms: &OutgoingSms) -> Pdu {
    let (coding, joined, octets) = user_data(sms);
    let reference = u16::try_from(sms.id & 0xFFFF).unwrap_or_default();
    let submit = SubmitSm::builder()
        .source_addr_ton(Ton::International)
        .source_addr_npi(Npi::Isdn)
        .source_addr(address(from))
        .dest_addr_ton(Ton::International)
        .dest_addr_npi(Npi::Isdn)
        .destination_addr(address(&sms.to))
        .esm_class(EsmClass::from(if joined { UDHI } else { 0 }))
        .registered_delivery(RegisteredDelivery::from(RECEIPT_WANTED))
        .data_coding(match coding {
            Coding::Gsm7 => DataCoding::McSpecific,
            Coding::Ucs2 => DataCoding::Ucs2,
        })
        .short_message(OctetString::from_slice(&octets).unwrap_or_default())
        .push_tlv(MessageSubmissionRequestTlvValue::UserMessageReference(UserMessageReference::new(reference)));
    Pdu::SubmitSm(submit.build())
}

pub(super) fn delivered() -> Pdu {
    Pdu::DeliverSmResp(DeliverSmResp::default())
}

/// What a `deliver_sm` brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delivery {
    /// How the message of this name has ended, or that it has not yet: a word of the list in section 5.2.28, such as `DELIVRD`.
    Receipt { name: String, state: String },
    /// Part `number` of `total` of a message.
    Part { from: PhoneNumber, reference: u8, total: u8, number: u8, text: Redacted<String> },
    /// From an address that is no number, or in a code that is no text.
    Nothing,
}

/// `own`: our number, whose country is meant where the sender's lacks one.
pub(super) fn delivery(deliver: &DeliverSm, own: &PhoneNumber) -> Delivery {
    let esm_class = u8::from(deliver.esm_class);
    let payload = deliver.tlvs().iter().find_map(|tlv| match tlv.value() {
        Some(TlvValue::MessagePayload(payload)) => Some(payload.value.as_ref()),
        _ => None,
    });
    let octets: &[u8] = payload.unwrap_or_else(|| deliver.short_message().as_ref());
    if RECEIPTS.contains(&(esm_class & 0x3C)) {
        return Delivery::Receipt { name: receipt_name(deliver, octets), state: receipt_state(deliver, octets) };
    }
    let (header, octets) = if esm_class & UDHI == 0 { (&[][..], octets) } else { user_data_header(octets) };
    let before = if header.is_empty() { 0 } else { header.len() + 1 };
    let Some(text) = text::read(u8::from(deliver.data_coding), before, octets) else { return Delivery::Nothing };
    let national = deliver.source_addr_ton == Ton::National;
    let Some(from) = PhoneNumber::sent(deliver.source_addr.as_str(), national, own) else { return Delivery::Nothing };
    let (reference, total, number) = concatenation(header).unwrap_or((0, 1, 1));
    Delivery::Part { from, reference, total, number, text: Redacted::new(text) }
}

/// The header's elements, and what follows it.
fn user_data_header(octets: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = octets.split_first() else { return (&[], octets) };
    rest.split_at_checked(usize::from(*length)).unwrap_or((&[], rest))
}

/// Reference, total and number of a part, by an 8-bit or a 16-bit reference, of which the low half is enough to tell messages apart.
fn concatenation(mut header: &[u8]) -> Option<(u8, u8, u8)> {
    while let [id, length, rest @ ..] = header {
        let (element, after) = rest.split_at_checked(usize::from(*length))?;
        match (*id, element) {
            (0x00, [reference, total, number]) | (0x08, [_, reference, total, number]) if (1..=*total).contains(number) => {
                return Some((*reference, *total, *number));
            }
            _ => header = after,
        }
    }
    None
}

/// As in the answer to the submit, or as this centre writes it in receipts.
fn receipt_name(deliver: &DeliverSm, octets: &[u8]) -> String {
    let by_tlv = deliver.tlvs().iter().find_map(|tlv| match tlv.value() {
        Some(TlvValue::ReceiptedMessageId(name)) => Some(name.as_str().to_owned()),
        _ => None,
    });
    let text = String::from_utf8_lossy(octets);
    let by_text = || text.split("id:").nth(1)?.split_ascii_whitespace().next().map(str::to_owned);
    by_tlv.or_else(by_text).unwrap_or_default()
}

/// By the TLV where there is one, else by the text that is usual (appendix B); empty where there is neither.
fn receipt_state(deliver: &DeliverSm, octets: &[u8]) -> String {
    let by_tlv = deliver.tlvs().iter().find_map(|tlv| match tlv.value() {
        Some(TlvValue::MessageState(state)) => state_word(u8::from(*state)),
        _ => None,
    });
    let text = String::from_utf8_lossy(octets);
    let by_text = text.split("stat:").nth(1).map(|rest| rest.chars().take_while(char::is_ascii_uppercase).take(7).collect());
    by_tlv.map(str::to_owned).or(by_text).unwrap_or_default()
}

/// What a word of section 5.2.28 says of the message.
pub(super) fn fate(state: &str) -> DeliveryOutcome {
    match state {
        "DELIVRD" => DeliveryOutcome::Delivered,
        "EXPIRED" | "DELETED" | "UNDELIV" | "REJECTD" => DeliveryOutcome::Failed,
        "UNKNOWN" => DeliveryOutcome::Unknown,
        // ACCEPTD is an end by the book, and a beginning where it is used; a wait that has no other end has one of its own.
        _ => DeliveryOutcome::OnItsWay,
    }
}

/// Section 5.2.28.
const fn state_word(state: u8) -> Option<&'static str> {
    Some(match state {
        1 => "ENROUTE",
        2 => "DELIVRD",
        3 => "EXPIRED",
        4 => "DELETED",
        5 => "UNDELIV",
        6 => "ACCEPTD",
        7 => "UNKNOWN",
        8 => "REJECTD",
        _ => return None,
    })
}

/// A frame that was read.
#[derive(Debug)]
pub(super) enum PduFrame {
    Command(Box<Command>),
    /// One that cannot be read; its head could.
    Unreadable {
        id: u32,
        sequence: u32,
    },
}

/// The stream cannot be in step any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a PDU of {0} octets")]
pub(super) struct BadLength(pub(super) usize);

/// Takes the next whole frame out of what has come. A body that cannot be read costs that one frame, not the connection.
pub(super) fn next_frame(buffer: &mut BytesMut) -> Result<Option<PduFrame>, BadLength> {
    let Some(length) = buffer.first_chunk::<4>().map(|length| u32::from_be_bytes(*length)) else { return Ok(None) };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if !(HEAD..=LONGEST).contains(&length) {
        return Err(BadLength(length));
    }
    if buffer.len() < length {
        return Ok(None);
    }
    let mut frame = buffer.split_to(length);
    frame.advance(4);
    let mut head = frame.clone();
    let (id, _status, sequence) = (head.get_u32(), head.get_u32(), head.get_u32());
    Ok(Some(match Command::decode(&mut frame, length - 4) {
        Ok((command, _)) => PduFrame::Command(Box::new(command)),
        Err(_) => PduFrame::Unreadable { id, sequence },
    }))
}

/// A PDU as it travels.
pub(super) fn write(status: CommandStatus, sequence: u32, pdu: Pdu) -> Vec<u8> {
    let command = Command::new(status, sequence, pdu);
    let length = 4 + command.length();
    let mut octets = vec![0; length];
    if let Some((head, body)) = octets.split_first_chunk_mut::<4>() {
        *head = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        command.encode(body);
    }
    octets
}
