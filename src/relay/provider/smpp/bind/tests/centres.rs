//! What short message centres really send, octet by octet (C-2, C-10).

use super::*;

/// `deliver_sm` without optional parameters: from a number, to ours.
fn deliver_sm(esm_class: u8, data_coding: u8, text: &[u8]) -> Vec<u8> {
    let head = b"\0\x01\x014917155501\0\x01\x0149171550099\0";
    [&head[..], &[esm_class, 0, 0, 0, 0, 0, 0, data_coding, 0, text.len() as u8], text].concat()
}

/// `data_sm` without optional parameters.
fn data_sm(esm_class: u8, data_coding: u8) -> Vec<u8> {
    let head = b"\0\x01\x014917155501\0\x01\x0149171550099\0";
    [&head[..], &[esm_class, 0, data_coding]].concat()
}

fn parameter(tag: u16, value: &[u8]) -> Vec<u8> {
    [&tag.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

const DELIVER_SM: u32 = 0x05;
const DATA_SM: u32 = 0x103;
const TAKEN: [(u32, CommandStatus, u32); 1] = [(0x8000_0005, CommandStatus::EsmeRok, 55)];
const DATA_TAKEN: [(u32, CommandStatus, u32); 1] = [(0x8000_0103, CommandStatus::EsmeRok, 55)];

/// STOP reaches us in each coding, class and kind of delivery, whole and in two parts.
#[test]
fn c2_stop_arrives_by_each_coding_and_kind_of_delivery() {
    let mut world = World::bound();
    let wide = [0, b'S', 0, b'T', 0, b'O', 0, b'P'];
    for coding in 0..=u8::MAX {
        let is_ucs2 = matches!(coding, 0x08 | 0x18..=0x1B | 0x48..=0x4B | 0x58..=0x5B | 0xE0..=0xEF);
        let text: &[u8] = if is_ucs2 { &wide } else { b"STOP" };
        assert_eq!(world.request(DELIVER_SM, &deliver_sm(0, coding, text)), TAKEN);
        let payload = [deliver_sm(0, coding, b""), parameter(0x0424, text)].concat();
        assert_eq!(world.request(DELIVER_SM, &payload), TAKEN);
        assert_eq!(world.request(DATA_SM, &[data_sm(0, coding), parameter(0x0424, text)].concat()), DATA_TAKEN);
        assert_eq!(world.received(), ["STOP"; 3], "{coding:#04x}");
        if coding == 0x04 {
            continue;
        }
        let (first, second) = text.split_at(text.len() / 2);
        for (number, part) in [(2, second), (1, first)] {
            let header = [5, 0, 3, coding, 2, number];
            assert_eq!(world.request(DELIVER_SM, &deliver_sm(0x40, coding, &[&header[..], part].concat())), TAKEN);
        }
        for (number, part) in [(1, first), (2, second)] {
            let place = [parameter(0x020C, &[9, coding]), parameter(0x020E, &[2]), parameter(0x020F, &[number])].concat();
            assert_eq!(world.request(DELIVER_SM, &[deliver_sm(0, coding, part), place].concat()), TAKEN);
        }
        assert_eq!(world.received(), ["STOP"; 2], "{coding:#04x} in parts");
    }
}

/// Parts by SAR parameters are one message; what these parameters cannot mean is a message alone.
#[test]
fn c10_parts_by_sar_parameters_are_joined_within_bounds() {
    let mut world = World::bound();
    let sar = |reference: u16, total: u8, number: u8, text: &[u8]| {
        let place = [parameter(0x020C, &reference.to_be_bytes()), parameter(0x020E, &[total]), parameter(0x020F, &[number])];
        [deliver_sm(0, 0, text), place.concat()].concat()
    };
    for (number, text) in [(3, &b"c"[..]), (1, b"a"), (1, b"a"), (2, b"b")] {
        world.request(DELIVER_SM, &sar(0x0121, 3, number, text));
        world.request(DELIVER_SM, &sar(0x0221, 3, number, &text.to_ascii_uppercase()));
    }
    assert_eq!(world.received(), ["abc", "ABC"], "16 bits of reference");
    for (total, number) in [(0, 0), (2, 0), (2, 3), (1, 1)] {
        world.request(DELIVER_SM, &sar(1, total, number, b"alone"));
    }
    world.request(DELIVER_SM, &[deliver_sm(0, 0, b"alone"), parameter(0x020E, &[2])].concat());
    assert_eq!(world.received(), ["alone"; 5]);
    // More than are kept: the oldest is read in part.
    for reference in 0..300 {
        world.request(DELIVER_SM, &sar(reference, 2, 1, b"half"));
    }
    assert_eq!(world.received(), ["half"; 300 - 256]);
    // 60,000 octets a part: five fill the room.
    for reference in 1000..1010 {
        let body = [sar(reference, 9, 1, b""), parameter(0x0424, &vec![b'x'; 60_000])].concat();
        world.request(DELIVER_SM, &body);
    }
    assert_eq!(world.received().len(), 256 + 6);
    world.after(300);
    assert_eq!(world.received().len(), 4);
}

/// Receipts by `data_sm`, by `esm_class` 0 and with a name that has no NUL.
#[test]
fn c10_receipts_are_known_however_they_are_marked() {
    let mut world = World::bound();
    let text = b"id:7f sub:001 dlvrd:001 submit date:2611290000 done date:2611290000 stat:DELIVRD err:000 text:hello";
    let (name, state) = (parameter(0x001E, b"7f\0"), parameter(0x0427, &[2]));
    let vendor = [parameter(0x0423, &[3, 0, 1]), parameter(0x1454, &[0; 4]), parameter(0x1418, &[])].concat();
    let bodies: Vec<(u32, Vec<u8>)> = vec![
        (DELIVER_SM, deliver_sm(4, 0, text)),
        (DELIVER_SM, deliver_sm(0, 0, text)),
        (DELIVER_SM, deliver_sm(0, 0, &text.to_ascii_uppercase())),
        (DELIVER_SM, deliver_sm(4, 0, b"id:7f stat:DELIVRD")),
        (DELIVER_SM, [deliver_sm(4, 0, b""), name.clone(), state.clone()].concat()),
        (DELIVER_SM, [deliver_sm(0, 0, b""), name.clone(), state.clone()].concat()),
        (DELIVER_SM, [deliver_sm(0, 8, text), vendor, name.clone(), state.clone()].concat()),
        (DELIVER_SM, [deliver_sm(4, 0, text), parameter(0x001E, b"7f"), state.clone()].concat()),
        (DELIVER_SM, [deliver_sm(4, 0, text), state.clone(), vec![0, 0x1E, 0, 9], b"7f".to_vec()].concat()),
        (DATA_SM, [data_sm(4, 0), name.clone(), state.clone()].concat()),
        (DATA_SM, [data_sm(0, 0), name, state].concat()),
        (DATA_SM, [data_sm(4, 0), parameter(0x0424, text)].concat()),
    ];
    for (id, body) in bodies {
        assert_eq!(world.request(id, &body), if id == DATA_SM { DATA_TAKEN } else { TAKEN });
        let (name, outcome) = world.receipts().pop().unwrap_or_else(|| panic!("{body:?}"));
        assert_eq!((name.to_ascii_lowercase().as_str(), outcome), ("7f", DeliveryOutcome::Delivered), "{body:?}");
    }
    world.request(DELIVER_SM, &deliver_sm(0, 0, b"my id: 7 stat: of the union"));
    world.request(DELIVER_SM, &deliver_sm(0, 0, b"id:7 stat:of"));
    assert_eq!(world.received().len(), 2, "people write such things too");
}

/// What is not known is nacked, and an answer may lack its NUL or its body.
#[test]
fn c10_unknown_requests_are_nacked_and_bare_answers_read() {
    let mut world = World::bound();
    let nacked = [(0x8000_0000, CommandStatus::EsmeRinvcmdid, 55)];
    for id in [0x01, 0x02, 0x03, 0x04, 0x07, 0x08, 0x09, 0x21, 0x111, 0x112, 0x113, 0x200, 0x0001_0200, 0x7FFF_FFFF] {
        assert_eq!(world.request(id, b"\x01\x01x\0"), nacked, "{id:#x}");
    }
    for id in [0x0B, 0x102, 0x8000_0103, 0x8000_0112, 0xFFFF_FFFF] {
        assert_eq!(world.request(id, b"\x01\x01x\0"), [], "{id:#x}");
    }
    assert_eq!(world.request(DATA_SM, b"\0\x01"), [(0x8000_0103, CommandStatus::EsmeRxPAppn, 55)]);
    for (body, name) in [(&b"a1"[..], Some("a1")), (b"a1\0", Some("a1")), (b"a1\0\0\x1E", Some("a1")), (b"", None), (b"\0", None)]
    {
        let sequence = world.submits(sms(1, "hello", None));
        let words = [16 + body.len() as u32, 0x8000_0004, 0, sequence].map(u32::to_be_bytes);
        world.reads(&mut BytesMut::from([words.as_flattened(), body].concat().as_slice())).expect("in step");
        assert_eq!(world.outcome(), (1, SubmitOutcome::Accepted { name: name.map(str::to_owned) }), "{body:?}");
    }
}
