//! PDUs of SMPP 3.4: what we send, and the frames of a centre. What it delivers is read by [`InboundMessage`](super::deliver::InboundMessage).

use bytes::{Buf as _, Bytes, BytesMut};
use rusmpp::encode::{Encode as _, Length as _};
use rusmpp::pdus::{BindTransceiver, DataSmResp, DeliverSmResp, SubmitSm};
use rusmpp::tlvs::MessageSubmissionRequestTlvValue;
use rusmpp::types::{COctetString, OctetString};
use rusmpp::values::{DataCoding, EsmClass, InterfaceVersion, Npi, RegisteredDelivery, Ton, UserMessageReference};
use rusmpp::{Command, CommandId, CommandStatus, Pdu};

use super::deliver::{UDHI, until_nul};
use super::settings::SmppLogin;
use crate::relay::PhoneNumber;
use crate::relay::segment::{self, Coding, Segment};
use crate::relay::sms::{DeliveryOutcome, OutgoingSms, PartInfo};

/// The longest PDU that is taken: 64 KiB of `message_payload` and then some.
const LONGEST: usize = 70_000;
/// Octets of a PDU's head (section 3.2).
const HEAD: usize = 16;
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

/// Says that a delivery is taken, or why not.
pub(super) fn delivered(is_data: bool) -> Pdu {
    if is_data { Pdu::DataSmResp(DataSmResp::default()) } else { Pdu::DeliverSmResp(DeliverSmResp::default()) }
}

/// What a word of section 5.2.28 says of the message.
pub(super) fn outcome(state: &str) -> DeliveryOutcome {
    match state {
        "DELIVRD" => DeliveryOutcome::Delivered,
        "EXPIRED" | "DELETED" | "UNDELIV" | "REJECTD" => DeliveryOutcome::Failed,
        "UNKNOWN" => DeliveryOutcome::Unknown,
        // ACCEPTD is an end by the book, and a beginning where it is used; a wait that has no other end has one of its own.
        _ => DeliveryOutcome::OnItsWay,
    }
}

/// A PDU of the centre, whose body is read where it is wanted.
#[derive(Debug, Clone)]
pub(super) struct PduFrame {
    pub(super) id: CommandId,
    pub(super) status: CommandStatus,
    pub(super) sequence: u32,
    pub(super) body: Bytes,
}

impl PduFrame {
    /// An answer to something of ours (section 5.1.2.1).
    pub(super) fn is_response(&self) -> bool {
        u32::from(self.id) & 0x8000_0000 != 0
    }

    /// The name that the centre gives a message in its `submit_sm_resp`; its NUL may be missing, and the body too.
    pub(super) fn message_id(&self) -> String {
        String::from_utf8_lossy(until_nul(&self.body)).into_owned()
    }
}

/// The stream cannot be in step any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a PDU of {0} octets")]
pub(super) struct BadLength(pub(super) usize);

/// Takes the next whole frame out of what has come.
pub(super) fn next_frame(buffer: &mut BytesMut) -> Result<Option<PduFrame>, BadLength> {
    let Some(length) = buffer.first_chunk::<4>().map(|length| u32::from_be_bytes(*length)) else { return Ok(None) };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if !(HEAD..=LONGEST).contains(&length) {
        return Err(BadLength(length));
    }
    if buffer.len() < length {
        return Ok(None);
    }
    let mut body = buffer.split_to(length).freeze();
    body.advance(4);
    let (id, status, sequence) = (body.get_u32(), body.get_u32(), body.get_u32());
    Ok(Some(PduFrame { id: CommandId::from(id), status: CommandStatus::from(status), sequence, body }))
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
