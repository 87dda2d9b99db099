//! The text of a `deliver_sm`, by its data coding (SMPP 3.4 section 5.2.19, TS 23.038 section 4), and by others where centres are known
//! to say one thing and send another: a STOP is understood in every coding (C-2).

use crate::relay::Keyword;
use crate::relay::segment::{self, Coding};

/// In which characters a text came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// The default alphabet of GSM, a septet to an octet.
    Unpacked,
    /// The same, eight septets to seven octets.
    Packed,
    Latin1,
    /// ISO 8859-5.
    Cyrillic,
    /// ISO 8859-8.
    Hebrew,
    Utf8,
    /// By its byte order mark, else with the high octet first.
    Utf16,
    /// With the low octet first.
    Utf16Le,
}

/// All of them, for what may be a keyword.
const READINGS: [Reading; 8] = [
    Reading::Unpacked,
    Reading::Packed,
    Reading::Utf16,
    Reading::Utf16Le,
    Reading::Utf8,
    Reading::Latin1,
    Reading::Cyrillic,
    Reading::Hebrew,
];
/// Octets of a keyword in the widest of them.
const LONGEST_KEYWORD: usize = 140;

/// What a text says; `None`: it is none. `header`: octets of user data header before it, its length among them: what is packed begins at
/// the next septet after it.
pub(super) fn read(data_coding: u8, header: usize, octets: &[u8]) -> Option<String> {
    let declared = declared(data_coding, octets).and_then(|reading| decode(reading, header, octets));
    let is_keyword = |text: &String| Keyword::of(text).is_some();
    if octets.len() > LONGEST_KEYWORD || declared.as_ref().is_some_and(is_keyword) {
        return declared;
    }
    let otherwise = READINGS.into_iter().filter_map(|reading| decode(reading, header, octets)).find(is_keyword);
    otherwise.or(declared)
}

/// What a coding says that an honest centre means. Octets that the default alphabet has no place for are something else.
fn declared(data_coding: u8, octets: &[u8]) -> Option<Reading> {
    let alphabet = match data_coding {
        0x00 => 0,
        0x01 | 0x03 => return Some(Reading::Latin1),
        0x06 => return Some(Reading::Cyrillic),
        0x07 => return Some(Reading::Hebrew),
        0x08 => 2,
        // Without compression; the second with automatic deletion.
        0x10..=0x1F | 0x40..=0x5F => data_coding >> 2 & 0x03,
        0xC0..=0xDF => 0,
        0xE0..=0xEF => 2,
        0xF0..=0xFF => data_coding >> 2 & 0x01,
        _ => 1,
    };
    match alphabet {
        0 if octets.iter().all(|octet| *octet < 0x80) => Some(Reading::Unpacked),
        0 if std::str::from_utf8(octets).is_ok() => Some(Reading::Utf8),
        // Septets that are packed look like control characters everywhere.
        0 if octets.iter().any(|octet| *octet < 0x20 && !matches!(octet, b'\r' | b'\n' | b'\t')) => Some(Reading::Packed),
        0 => Some(Reading::Latin1),
        2 => Some(Reading::Utf16),
        // Octets without a meaning: a text if they are one.
        _ => std::str::from_utf8(octets).ok().filter(|text| !text.chars().any(char::is_control)).map(|_| Reading::Utf8),
    }
}

fn decode(reading: Reading, header: usize, octets: &[u8]) -> Option<String> {
    let by = |character: fn(u8) -> char| octets.iter().map(|octet| character(*octet)).collect();
    Some(match reading {
        Reading::Unpacked => segment::read(Coding::Gsm7, octets),
        Reading::Packed => segment::read(Coding::Gsm7, &unpacked(header, octets)),
        Reading::Latin1 => by(char::from),
        Reading::Cyrillic => by(cyrillic),
        Reading::Hebrew => by(hebrew),
        Reading::Utf8 => std::str::from_utf8(octets).ok()?.to_owned(),
        Reading::Utf16 => match octets {
            [0xFE, 0xFF, rest @ ..] => segment::read(Coding::Ucs2, rest),
            [0xFF, 0xFE, rest @ ..] => segment::read(Coding::Ucs2, &swapped(rest)),
            octets => segment::read(Coding::Ucs2, octets),
        },
        Reading::Utf16Le => segment::read(Coding::Ucs2, &swapped(octets)),
    })
}

/// Septets out of octets (TS 23.038 section 6.1.2.1.1).
fn unpacked(header: usize, octets: &[u8]) -> Vec<u8> {
    let bits = octets.iter().flat_map(|octet| (0..8).map(move |bit| octet >> bit & 1));
    let fill = (7 - header * 8 % 7) % 7;
    let bits: Vec<u8> = bits.skip(fill).collect();
    bits.chunks_exact(7).map(|septet| septet.iter().rev().fold(0, |code, bit| code << 1 | bit)).collect()
}

fn swapped(octets: &[u8]) -> Vec<u8> {
    octets.chunks_exact(2).flat_map(|pair| pair.iter().rev().copied()).collect()
}

fn cyrillic(octet: u8) -> char {
    match octet {
        0xAD => '\u{AD}',
        0xF0 => '№',
        0xFD => '§',
        0xA1.. => char::from_u32(0x0360 + u32::from(octet)).unwrap_or('?'),
        octet => char::from(octet),
    }
}

fn hebrew(octet: u8) -> char {
    match octet {
        0xE0..=0xFA => char::from_u32(0x04F0 + u32::from(octet)).unwrap_or('?'),
        octet => char::from(octet),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    /// Stop is understood in every coding whatever the centre says it is.
    #[test]
    fn c2_stop_is_understood_in_every_coding_whatever_the_centre() {
        let (big, little) = (utf16("Stop!", u16::to_be_bytes), utf16("Stop!", u16::to_le_bytes));
        let marked = |mark: [u8; 2], octets: &[u8]| [&mark[..], octets].concat();
        let wide = utf16("ＳＴＯＰ", u16::to_be_bytes);
        let spelled: Vec<Vec<u8>> = vec![
            b"STOP".to_vec(),
            b"stop\0".to_vec(),
            // Packed: 53 54 4F 50 as septets, and with a full stop.
            vec![0x53, 0xEA, 0x13, 0x0A],
            vec![0x53, 0xEA, 0x13, 0xEA, 0x02],
            b"ARR\xCAT".to_vec(),
            "Arrêt".as_bytes().to_vec(),
            marked([0xFE, 0xFF], &big),
            marked([0xFF, 0xFE], &little),
            vec![0xC1, 0xC2, 0xBE, 0xBF],
            big,
            little,
            wide,
        ];
        for octets in spelled {
            for coding in 0..=u8::MAX {
                let text = read(coding, 0, &octets).unwrap_or_default();
                assert_eq!(Keyword::of(&text), Some(Keyword::Stop), "{coding:#04x}: {octets:x?} was read as {text:?}");
            }
        }
        // Behind a header of six octets, the septets begin with the next one.
        let bits: Vec<u8> =
            [0].into_iter().chain(b"STOP".iter().flat_map(|code| (0..7).map(move |bit| code >> bit & 1))).collect();
        let octets: Vec<u8> = bits.chunks(8).map(|bits| bits.iter().rev().fold(0, |octet, bit| octet << 1 | bit)).collect();
        assert_eq!(read(0, 6, &octets).as_deref(), Some("STOP"));
    }

    /// A text is read as its coding says and mended where that cannot be.
    #[test]
    fn a_text_is_read_as_its_coding_says_and_mended() {
        let of = |coding, octets: &[u8]| read(coding, 0, octets);
        assert_eq!(of(0, b"we are late \x7F").as_deref(), Some("we are late à"));
        assert_eq!(of(3, b"sp\xE4ter").as_deref(), Some("später"));
        assert_eq!(of(0, b"sp\xE4ter").as_deref(), Some("später"), "the default of many centres");
        assert_eq!(of(0, "später".as_bytes()).as_deref(), Some("später"));
        assert_eq!(of(8, &utf16("später 😀", u16::to_be_bytes)).as_deref(), Some("später 😀"));
        assert_eq!(of(0x18, &utf16("später", u16::to_be_bytes)).as_deref(), Some("später"));
        assert_eq!(of(8, &[&[0xFF, 0xFE][..], &utf16("später", u16::to_le_bytes)].concat()).as_deref(), Some("später"));
        assert_eq!(of(6, &[0xBF, 0xE0, 0xD8]).as_deref(), Some("При"));
        assert_eq!(of(4, b"octets that are a text").as_deref(), Some("octets that are a text"));
        assert_eq!((of(4, &[1, 2, 3, 0xFF]), of(2, &[0x90, 0])), (None, None));
        assert_eq!(of(0, &[]).as_deref(), Some(""));
    }
}
