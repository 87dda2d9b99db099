mod centres;

use std::time::SystemTime;

use rusmpp::decode::DecodeWithLength as _;
use rusmpp::pdus::{BindTransceiverResp, SubmitSmResp};
use rusmpp::tlvs::MessageDeliveryRequestTlvValue;
use rusmpp::types::OctetString;
use rusmpp::values::{DataCoding, EsmClass, MessageState};
use rusmpp::{Command, CommandStatus, Pdu};

use super::*;
use crate::relay::segment::Coding;
use crate::relay::sms::{DeliveryOutcome, PartInfo};

fn start() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    Instant::now()
}

fn number(last: u32) -> PhoneNumber {
    PhoneNumber::parse(&format!("+4917155{last:05}")).expect("a number")
}

fn sms(id: u64, text: &str, cut: Option<PartInfo>) -> OutgoingSms {
    let (to, created) = (number(1), SystemTime::UNIX_EPOCH);
    OutgoingSms { id, reference: format!("r{id}"), to, text: Redacted::new(text.to_owned()), cut, created, again: false }
}

fn settings() -> SmppSettings {
    SmppSettings {
        host: "smsc.example".to_owned(),
        port: 2775,
        tls: None,
        login: SmppLogin { system_id: "gw".to_owned(), password: Redacted::new("secret".to_owned()), system_type: String::new() },
        window: 2,
        enquire_every: Duration::from_secs(30),
    }
}

/// A session and the centre at its other end.
struct World {
    session: SmppSession,
    now: Instant,
    /// What the centre has got.
    got: Vec<Command>,
    did: Vec<SmppOutput>,
    takes: usize,
}

impl World {
    fn bound() -> Self {
        let now = start();
        let session = SmppSession::new(now, settings(), number(99));
        let mut world = Self { session, now, got: Vec::new(), did: Vec::new(), takes: 0 };
        world.drain();
        assert!(matches!(world.got.pop().unwrap().pdu(), Some(Pdu::BindTransceiver(bind)) if bind.system_id.as_str() == "gw"));
        world.centre(CommandStatus::EsmeRok, 1, Pdu::BindTransceiverResp(BindTransceiverResp::default()));
        assert!(matches!(world.did.pop(), Some(SmppOutput::Bound)));
        assert_eq!(world.takes, 2);
        world
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll() {
            match output {
                SmppOutput::Takes(places) => self.takes = places,
                SmppOutput::Secure(delivery) => self.session.handle(self.now, SmppInput::Taken(delivery)),
                SmppOutput::Write(octets) => {
                    let mut behind_length = BytesMut::from(&octets[4..]);
                    let (command, length) = Command::decode(&mut behind_length, octets.len() - 4).expect("a PDU");
                    assert_eq!(length, octets.len() - 4);
                    self.got.push(command);
                }
                other => self.did.push(other),
            }
        }
    }

    fn centre(&mut self, status: CommandStatus, sequence: u32, pdu: Pdu) {
        let mut octets = BytesMut::from(pdu::write(status, sequence, pdu).as_slice());
        self.reads(&mut octets).expect("in step");
    }

    fn reads(&mut self, octets: &mut BytesMut) -> Result<(), pdu::BadLength> {
        while let Some(frame) = pdu::next_frame(octets)? {
            self.session.handle(self.now, SmppInput::Frame(frame));
            self.drain();
        }
        Ok(())
    }

    fn submits(&mut self, sms: OutgoingSms) -> u32 {
        self.session.handle(self.now, SmppInput::Submit(sms));
        self.drain();
        self.got.last().expect("a submit").sequence_number()
    }

    fn outcome(&mut self) -> (u64, SubmitOutcome) {
        match self.did.pop() {
            Some(SmppOutput::Outcome(id, outcome)) => (id, outcome),
            other => panic!("{other:?}"),
        }
    }

    fn after(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        while self.session.deadline().is_some_and(|at| at <= self.now) {
            self.session.wake(self.now);
            self.drain();
        }
    }

    fn deliver(&mut self, coding: DataCoding, esm_class: u8, octets: &[u8]) {
        let deliver = DeliverSm::builder()
            .source_addr(COctetString::from_slice(b"4917155501\0").unwrap())
            .data_coding(coding)
            .esm_class(EsmClass::from(esm_class))
            .short_message(OctetString::from_slice(octets).unwrap());
        self.centre(CommandStatus::EsmeRok, 77, Pdu::DeliverSm(deliver.build()));
        assert_eq!(self.got.pop().expect("an answer").id(), rusmpp::CommandId::DeliverSmResp);
    }

    /// A request as these octets; gives what it is answered by.
    fn request(&mut self, id: u32, body: &[u8]) -> Vec<(u32, CommandStatus, u32)> {
        let words = [16 + body.len() as u32, id, 0, 55].map(u32::to_be_bytes);
        let mut octets = BytesMut::from([words.as_flattened(), body].concat().as_slice());
        self.reads(&mut octets).expect("in step");
        self.got.drain(..).map(|got| (u32::from(got.id()), got.status(), got.sequence_number())).collect()
    }

    fn receipts(&mut self) -> Vec<(String, DeliveryOutcome)> {
        let receipt = |output| match output {
            SmppOutput::Receipt { name, outcome } => (name, outcome),
            other => panic!("{other:?}"),
        };
        self.did.drain(..).map(receipt).collect()
    }

    fn received(&mut self) -> Vec<String> {
        let text = |output| match output {
            SmppOutput::Received { text, .. } => text.into_inner(),
            other => panic!("{other:?}"),
        };
        self.did.drain(..).map(text).collect()
    }
}

use crate::relay::provider::smpp::pdu;
use rusmpp::pdus::DeliverSm;
use rusmpp::types::COctetString;

fn accepted(id: &'static [u8]) -> Pdu {
    Pdu::SubmitSmResp(SubmitSmResp::new(COctetString::from_static_slice(id).unwrap(), Vec::new()))
}

/// A part is submitted as a handset joins it and with the same reference each time.
#[test]
fn c10_a_part_is_submitted_as_a_handset_joins() {
    let mut world = World::bound();
    let cut = PartInfo { coding: Coding::Gsm7, reference: 7, total: 2, number: 1 };
    let first = sms(0x0001_0203, &"€".repeat(76), Some(cut));
    world.submits(first.clone());
    let command = world.got.pop().unwrap();
    let Some(Pdu::SubmitSm(submit)) = command.pdu() else { panic!("{command:?}") };
    assert_eq!((submit.source_addr.as_str(), submit.destination_addr.as_str()), ("491715500099", "491715500001"));
    assert_eq!((u8::from(submit.esm_class), u8::from(submit.registered_delivery)), (0x40, 1));
    let octets: &[u8] = submit.short_message().as_ref();
    assert_eq!((&octets[..6], octets.len()), (&[5, 0, 3, 7, 2, 1][..], 6 + 152));
    assert_eq!(&octets[6..8], [0x1B, 0x65]);
    let references = |pdu: &Pdu| {
        let Pdu::SubmitSm(submit) = pdu else { panic!("{pdu:?}") };
        let tlvs: Vec<_> = submit.tlvs().iter().filter_map(|tlv| tlv.value().cloned()).collect();
        format!("{tlvs:?}")
    };
    assert_eq!(references(&pdu::submit(&number(99), &first)), references(command.pdu().unwrap()));
    let Pdu::SubmitSm(submit) = pdu::submit(&number(99), &sms(8, "жук", None)) else { panic!() };
    let octets: &[u8] = submit.short_message().as_ref();
    assert_eq!((submit.data_coding, u8::from(submit.esm_class), octets), (DataCoding::Ucs2, 0, &[4, 0x36, 4, 0x43, 4, 0x3A][..]));
}

/// What is over the window is given back and what was never answered is known.
#[test]
fn what_is_over_the_window_is_given_back_and_what_was_never() {
    let mut world = World::bound();
    let first = world.submits(sms(1, "hello", None));
    world.submits(sms(2, "hello", None));
    world.submits(sms(3, "hello", None));
    assert_eq!(world.outcome(), (3, SubmitOutcome::Later));
    world.centre(CommandStatus::EsmeRok, first, accepted(b"a1\0"));
    assert_eq!(world.outcome(), (1, SubmitOutcome::Accepted { name: Some("a1".to_owned()) }));
    assert_eq!(world.session.unanswered().collect::<Vec<_>>(), [2]);
}

/// A throttled session rests and a refused item is not tried again.
#[test]
fn a_throttled_session_rests_and_a_refused_parcel_is_not_tried() {
    let mut world = World::bound();
    let sequence = world.submits(sms(1, "hello", None));
    world.centre(CommandStatus::EsmeRthrottled, sequence, accepted(b"\0"));
    assert_eq!((world.outcome(), world.takes), ((1, SubmitOutcome::Later), 0));
    world.submits(sms(1, "hello", None));
    assert_eq!(world.outcome(), (1, SubmitOutcome::Later), "it rests");
    world.after(1);
    assert_eq!(world.takes, 2);
    let sequence = world.submits(sms(1, "hello", None));
    world.centre(CommandStatus::EsmeRinvdstadr, sequence, accepted(b"\0"));
    assert_eq!(world.outcome(), (1, SubmitOutcome::Refused("EsmeRinvdstadr".to_owned())));
}

/// A centre that does not answer is left and one that is silent is asked.
#[test]
fn a_centre_that_does_not_answer_is_left_and_one_that_is_silent() {
    let mut world = World::bound();
    world.after(30);
    assert!(matches!(world.got.pop().unwrap().pdu(), Some(Pdu::EnquireLink)));
    world.centre(CommandStatus::EsmeRok, 2, Pdu::EnquireLinkResp);
    world.after(29);
    assert!(world.got.is_empty());
    world.submits(sms(1, "hello", None));
    world.after(75);
    assert!(matches!(world.did.pop(), Some(SmppOutput::Close(SmppSessionEnd::Silent))));
    assert_eq!(world.session.unanswered().count(), 1, "the centre may have it or not");
}

#[test]
fn a_centre_that_does_not_let_us_in_or_ends_it_is_left() {
    let mut session = SmppSession::new(start(), settings(), number(99));
    let mut refused = BytesMut::from(
        pdu::write(CommandStatus::EsmeRbindfail, 1, Pdu::BindTransceiverResp(BindTransceiverResp::default())).as_slice(),
    );
    while let Ok(Some(frame)) = pdu::next_frame(&mut refused) {
        session.handle(start(), SmppInput::Frame(frame));
    }
    let outputs: Vec<_> = std::iter::from_fn(|| session.poll()).collect();
    assert!(
        matches!(outputs.last(), Some(SmppOutput::Close(SmppSessionEnd::NotLetIn(CommandStatus::EsmeRbindfail)))),
        "{outputs:?}"
    );
    let mut world = World::bound();
    world.centre(CommandStatus::EsmeRok, 9, Pdu::Unbind);
    assert!(matches!(world.got.pop().unwrap().pdu(), Some(Pdu::UnbindResp)));
    assert!(matches!(world.did.pop(), Some(SmppOutput::Close(SmppSessionEnd::Unbound))));
}

/// What people write is read in every usual coding and joined in any order.
#[test]
fn what_people_write_is_read_in_every_usual_coding_and_joined() {
    let mut world = World::bound();
    world.deliver(DataCoding::McSpecific, 0, &[0x48, 0x1B, 0x65, 0x7E]);
    world.deliver(DataCoding::Ucs2, 0, &[4, 0x36]);
    world.deliver(DataCoding::Latin1, 0, &[0xFC]);
    assert_eq!(world.received(), ["H€ü", "ж", "ü"]);
    world.deliver(DataCoding::McSpecific, 0x40, &[5, 0, 3, 9, 2, 2, 0x42]);
    world.deliver(DataCoding::McSpecific, 0x40, &[6, 8, 4, 0, 9, 2, 1, 0x41]);
    assert_eq!(world.received(), ["AB"]);
    world.deliver(DataCoding::OctetUnspecified, 0, &[1, 2, 3]);
    assert!(matches!(world.did.pop(), Some(SmppOutput::Unreadable(2 | 4))), "which is logged");
    world.deliver(DataCoding::McSpecific, 0x40, &[5, 0, 3, 10, 3, 2, 0x42]);
    world.deliver(DataCoding::McSpecific, 0x40, &[5, 0, 3, 10, 3, 1, 0x41]);
    world.after(300);
    assert_eq!(world.received(), ["A … B"], "what came of it, when the rest does not");
}

#[test]
fn receipts_are_read_by_tlv_and_by_text() {
    let mut world = World::bound();
    world.deliver(DataCoding::McSpecific, 4, b"id:1 sub:001 dlvrd:000 submit date:1 done date:2 stat:UNDELIV err:011 text:x");
    world.deliver(DataCoding::McSpecific, 4, b"nothing that is known");
    let mut deliver = DeliverSm::builder().esm_class(EsmClass::from(4)).build();
    deliver.push_tlv(MessageDeliveryRequestTlvValue::MessageState(MessageState::from(2)));
    deliver.push_tlv(MessageDeliveryRequestTlvValue::ReceiptedMessageId(COctetString::from_slice(b"1f\0").unwrap()));
    world.centre(CommandStatus::EsmeRok, 78, Pdu::DeliverSm(deliver));
    use DeliveryOutcome::{Delivered, Failed, OnItsWay, Unknown};
    let receipt = |name: &str, outcome| (name.to_owned(), outcome);
    assert_eq!(world.receipts(), [receipt("1", Failed), receipt("", OnItsWay), receipt("1f", Delivered)]);
    let outcomes = ["ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD", ""].map(pdu::outcome);
    assert_eq!(outcomes, [OnItsWay, Delivered, Failed, Failed, Failed, OnItsWay, Unknown, Failed, OnItsWay]);
}

/// A frame that cannot be read costs itself alone and one of a wrong length the connection.
#[test]
fn a_frame_that_cannot_be_read_costs_itself_alone() {
    let mut world = World::bound();
    // A deliver_sm of a service type without an end.
    let mut octets = BytesMut::from(&[0, 0, 0, 20, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 42, 1, 1, 1, 1][..]);
    world.reads(&mut octets).expect("in step");
    let answer = world.got.pop().expect("an answer");
    assert_eq!((answer.sequence_number(), answer.status()), (42, CommandStatus::EsmeRxPAppn));
    for length in [0_u32, 15, 70_001, u32::MAX] {
        let mut octets = BytesMut::from(&length.to_be_bytes()[..]);
        assert!(pdu::next_frame(&mut octets).is_err(), "{length}");
    }
}

#[test]
fn mutated_frames_of_a_hostile_centre_do_no_harm() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut dice = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("small")
    };
    let deliver = DeliverSm::builder()
        .source_addr(COctetString::from_slice(b"4917155501\0").unwrap())
        .esm_class(EsmClass::from(0x40))
        .short_message(OctetString::from_slice(&[5, 0, 3, 9, 2, 2, 0x42]).unwrap())
        .build();
    let frames = [
        pdu::write(CommandStatus::EsmeRok, 1, Pdu::DeliverSm(deliver)),
        pdu::write(CommandStatus::EsmeRok, 2, accepted(b"id\0")),
        pdu::write(CommandStatus::EsmeRok, 3, Pdu::EnquireLink),
    ];
    for _ in 0..2_000 {
        let mut world = World::bound();
        for _ in 0..10 {
            let mut octets = frames[dice(frames.len())].clone();
            for _ in 0..=dice(4) {
                let at = dice(octets.len());
                octets[at] = u8::try_from(dice(256)).expect("a byte");
            }
            if world.reads(&mut BytesMut::from(octets.as_slice())).is_err() {
                break;
            }
        }
        assert!(world.session.deadline().is_none_or(|at| at >= world.now));
    }
}
