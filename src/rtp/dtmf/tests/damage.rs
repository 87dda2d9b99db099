//! Damage by kinds: what devices, relays and networks make of the packets of keys.

use super::*;

/// A packet as it arrives: its time in milliseconds, and what is in it.
#[derive(Clone, Copy)]
struct Arrived {
    ms: u64,
    seq: u16,
    timestamp: u32,
    ssrc: u32,
    marker: bool,
    event: u8,
    ended: bool,
    duration: u16,
}

/// Who sends: the clock in kHz, how long a key is and how long the pause after it, in milliseconds.
#[derive(Clone, Copy)]
struct Sender {
    khz: u32,
    key: u32,
    pause: u32,
    /// Audio goes on beside the events, under sequence numbers of its own.
    audio: bool,
}

const PHONE: Sender = Sender { khz: 8, key: 100, pause: 100, audio: false };
/// K-3: as an auto-dialler does.
const DIALLER: Sender = Sender { khz: 8, key: 60, pause: 40, audio: false };

impl Sender {
    /// A packet each 20 ms, the last with E and twice more; marker on the first (RFC 4733 section 2.5.1).
    fn dials(self, digits: &str) -> Vec<Arrived> {
        let (mut seq, mut packets) = (65_500_u16, Vec::new());
        for (at, digit) in (0_u32..).zip(digits.chars()) {
            let began = at * (self.key + self.pause);
            let event = DIGITS.iter().position(|known| *known == digit).expect("a key") as u8;
            let count = self.key / 20;
            for told in 1..=count + 2 {
                let duration = (told.min(count) * 20 * self.khz).min(65_535) as u16;
                let timestamp = 4_294_900_000_u32.wrapping_add(began * self.khz);
                let (ms, marker, ended) = (u64::from(began + told * 20), told == 1, told >= count);
                packets.push(Arrived { ms, seq, timestamp, ssrc: 5, marker, event, ended, duration });
                seq = seq.wrapping_add(if self.audio { 2 } else { 1 });
            }
            seq = seq.wrapping_add((self.pause / 20).saturating_sub(2) as u16);
        }
        packets
    }
}

fn digits(packets: &[Arrived]) -> String {
    let (begin, mut receiver) = (start(), DtmfReceiver::new());
    let mut heard = String::new();
    for arrived in packets {
        let [high, low] = arrived.duration.to_be_bytes();
        let payload = [arrived.event, if arrived.ended { 0x8a } else { 10 }, high, low];
        let &Arrived { seq, timestamp, ssrc, marker, .. } = arrived;
        let packet = Packet { pt: 101, marker, seq, timestamp, ssrc, payload: &payload };
        heard.extend(receiver.handle(begin + Duration::from_millis(arrived.ms), &packet).map(|digit| digit.digit));
    }
    heard
}

/// The packets of each key, changed one by one; `None` loses one. The number counts from the key's first packet.
fn each(packets: &[Arrived], mut change: impl FnMut(usize, Arrived) -> Option<Arrived>) -> Vec<Arrived> {
    let mut at = 0;
    let mut last = None;
    let changed = packets.iter().filter_map(|packet| {
        at = if last == Some(packet.timestamp) { at + 1 } else { 0 };
        last = Some(packet.timestamp);
        change(at, *packet)
    });
    changed.collect()
}

fn sorted(mut packets: Vec<Arrived>) -> Vec<Arrived> {
    packets.sort_by_key(|packet| packet.ms);
    packets
}

const KEYS: &str = "4321#5566*0";

/// Each kind of damage that one sender's keys can have.
fn kinds(sender: Sender) -> Vec<(&'static str, Vec<Arrived>)> {
    let sent = sender.dials(KEYS);
    let last = (sender.key / 20 - 1) as usize;
    let ticks = 20 * sender.khz;
    let change = |change: &dyn Fn(usize, Arrived) -> Arrived| each(&sent, |at, packet| Some(change(at, packet)));
    let keep = |keep: &dyn Fn(usize) -> bool| each(&sent, |at, packet| keep(at).then_some(packet));
    let stamp = |packet: Arrived, by: u32| Arrived { timestamp: packet.timestamp.wrapping_add(by), ..packet };
    let repeats = |at: usize| at.saturating_sub(last) as u32;
    let late =
        |wanted: usize| sorted(change(&|at, packet| Arrived { ms: packet.ms + if at == wanted { 45 } else { 0 }, ..packet }));
    vec![
        ("nothing is wrong", sent.clone()),
        ("the first packet is lost", keep(&|at| at > 0)),
        ("all but the ends are lost", keep(&|at| at >= last)),
        ("one end alone is left", keep(&|at| at == last + 2)),
        ("two ends are lost", keep(&|at| at <= last)),
        ("all ends are lost", keep(&|at| at < last)),
        ("the first packet alone is left", keep(&|at| at == 0)),
        ("each packet comes twice", sent.iter().flat_map(|packet| [*packet, *packet]).collect()),
        ("all comes twice, 80 ms later again", sorted([sent.clone(), change(&|_, p| Arrived { ms: p.ms + 80, ..p })].concat())),
        ("the first packet is overtaken", late(0)),
        ("the first end is overtaken, by the next key too", late(last)),
        ("the last end comes in the next key", late(last + 2)),
        ("the marker is missing", change(&|_, packet| Arrived { marker: false, ..packet })),
        ("each packet has the marker", change(&|_, packet| Arrived { marker: true, ..packet })),
        ("each packet has E", change(&|_, packet| Arrived { ended: true, ..packet })),
        ("no packet has E", change(&|_, packet| Arrived { ended: false, ..packet })),
        ("the duration is zero", change(&|_, packet| Arrived { duration: 0, ..packet })),
        ("the duration does not grow", change(&|_, packet| Arrived { duration: 160, ..packet })),
        ("the duration is at its limit from the start", change(&|_, packet| Arrived { duration: 65_535, ..packet })),
        ("the duration counts 48 kHz", change(&|_, packet| Arrived { duration: packet.duration.saturating_mul(6), ..packet })),
        ("repeated ends are stamped a packet on", change(&|at, packet| stamp(packet, repeats(at) * ticks))),
        ("repeated ends are stamped one tick on", change(&|at, packet| stamp(packet, repeats(at)))),
        (
            "ends, the first too, are stamped a packet on",
            change(&|at, p| stamp(p, if at >= last { repeats(at) + 1 } else { 0 } * ticks)),
        ),
        ("each packet is stamped anew", change(&|at, packet| stamp(packet, at as u32 * ticks))),
        ("each packet is stamped anew, and has the marker", {
            change(&|at, packet| Arrived { marker: true, ..stamp(packet, at as u32 * ticks) })
        }),
        ("each packet is stamped anew, every third is lost", {
            each(&sent, |at, packet| (at % 3 != 1).then(|| stamp(packet, at as u32 * ticks)))
        }),
        (
            "ends are stamped anew, one of them is lost",
            each(&sent, |at, packet| (at != last + 1).then(|| stamp(packet, repeats(at) * ticks))),
        ),
        ("ends are stamped anew, and come twice", {
            change(&|at, packet| stamp(packet, repeats(at) * ticks)).iter().flat_map(|packet| [*packet, *packet]).collect()
        }),
        ("repeated ends have the number of the first", {
            change(&|at, packet| Arrived { seq: packet.seq.wrapping_sub(repeats(at) as u16), ..packet })
        }),
        ("the SSRC changes at the ends", change(&|at, packet| Arrived { ssrc: if at >= last { 6 } else { 5 }, ..packet })),
        ("each key has its SSRC", change(&|_, packet| Arrived { ssrc: packet.timestamp, ..packet })),
    ]
}

/// Damage of each kind, by phones and auto-diallers, at both clocks and with audio beside: each key counts once.
#[test]
fn a2_damage_of_thirty_kinds_leaves_each_key_one_key() {
    for (who, sender) in [
        ("phone", PHONE),
        ("auto-dialler", DIALLER),
        ("phone at 48 kHz", Sender { khz: 48, ..PHONE }),
        ("phone with audio beside", Sender { audio: true, ..PHONE }),
        ("long keys", Sender { key: 600, ..PHONE }),
    ] {
        let kinds = kinds(sender);
        assert!(kinds.len() >= 30, "{}", kinds.len());
        let wrong: Vec<_> = kinds.iter().map(|(kind, sent)| (*kind, digits(sent))).filter(|(_, heard)| heard != KEYS).collect();
        assert!(wrong.is_empty(), "{who}: {wrong:?}");
    }
}

/// Kinds that concern two keys, or one that lasts.
#[test]
fn a2_interleaved_and_endless_keys_count_once_each() {
    // Two keys at once, as when a finger rolls over: their packets take turns.
    let (mut first, mut second) = (PHONE.dials("1"), PHONE.dials("2"));
    first.iter_mut().for_each(|packet| packet.seq = 1000 + (packet.ms / 10) as u16);
    second.iter_mut().for_each(|packet| {
        (packet.seq, packet.timestamp) = (1001 + (packet.ms / 10) as u16, packet.timestamp.wrapping_add(80));
        packet.ms += 10;
    });
    assert_eq!(digits(&sorted([first, second].concat())), "12");

    // A timestamp that stands still through all keys.
    let standing: Vec<_> = DIALLER.dials(KEYS).iter().map(|packet| Arrived { timestamp: 7, ..*packet }).collect();
    assert_eq!(digits(&standing), KEYS);

    // 20 s at 48 kHz: a segment each 65,535 ticks, with an end to each or not, and with segments that are a packet shorter.
    for (segment, ended) in [(65_535_u32, false), (65_535, true), (64_320, false), (64_320, true)] {
        let packets = (1..=1000_u32).map(|told| {
            let (at, rest) = ((told * 960 - 1) / segment, (told * 960 - 1) % segment + 1);
            let (ms, seq, timestamp) = (u64::from(told) * 20, told as u16, 99 + at * segment);
            let duration = if rest + 960 > segment { segment as u16 } else { rest as u16 };
            let ended = ended && duration == segment as u16;
            Arrived { ms, seq, timestamp, ssrc: 5, marker: told == 1, event: 5, ended, duration }
        });
        assert_eq!(digits(&packets.collect::<Vec<_>>()), "5", "segments of {segment}, ended {ended}");
    }
}

/// A key is up at its end, or when nothing comes of it any more; once.
#[test]
fn k3_a_key_is_up_once_though_its_end_is_lost() {
    for (kept, up) in [(7, 100), (2, 240)] {
        let (begin, mut receiver) = (start(), DtmfReceiver::new());
        let mut sent = PHONE.dials("5");
        sent.truncate(kept);
        let mut released = Vec::new();
        for ms in 0..1000 {
            let now = begin + Duration::from_millis(ms);
            for arrived in sent.iter().filter(|packet| packet.ms == ms) {
                let [high, low] = arrived.duration.to_be_bytes();
                let payload = [arrived.event, if arrived.ended { 0x8a } else { 10 }, high, low];
                let &Arrived { seq, timestamp, ssrc, marker, .. } = arrived;
                receiver.handle(now, &Packet { pt: 101, marker, seq, timestamp, ssrc, payload: &payload });
            }
            released.extend(receiver.poll_released(now).map(|digit| (digit, ms)));
        }
        assert_eq!(released, [('5', up)], "{kept} packets");
    }
}
