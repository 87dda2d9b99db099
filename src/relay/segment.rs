//! A text as the parts that a short message centre takes (C-4): 3GPP TS 23.038 for the characters, TS 23.040 section 9.2.3.24 for
//! what joins the parts.

/// Septets of a message that stands alone, and of one that is a part: six octets of user data header are seven septets.
const GSM7: (usize, usize) = (160, 153);
/// The same in UTF-16 units.
const UCS2: (usize, usize) = (70, 67);

/// Written before a character of the extension table.
const ESCAPE: u8 = 0x1B;

/// The default alphabet of TS 23.038 section 6.2.1, by code; `\u{1B}` stands where the escape is.
const ALPHABET: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1B}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                        ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Its extension table (section 6.2.1.1).
const EXTENSION: [(char, u8); 10] = [
    ('\u{0C}', 0x0A),
    ('^', 0x14),
    ('{', 0x28),
    ('}', 0x29),
    ('\\', 0x2F),
    ('[', 0x3C),
    ('~', 0x3D),
    (']', 0x3E),
    ('|', 0x40),
    ('€', 0x65),
];

/// In which characters a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// The default alphabet, 7 bits each.
    Gsm7,
    /// UTF-16, for whatever the default alphabet lacks.
    Ucs2,
}

/// One part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The same for all parts of a message.
    pub coding: Coding,
    /// What it says.
    pub text: String,
}

impl Segment {
    /// How much of a part it fills: septets or UTF-16 units, without the header that joins parts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.text.chars().map(|c| units(self.coding, c)).sum()
    }

    /// It says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl Segment {
    /// How it travels: septets one to an octet, escapes among them, or UTF-16 with the high octet first.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        match self.coding {
            Coding::Gsm7 => {
                let codes = self.text.chars().filter_map(septets);
                codes.flat_map(|(escape, code)| escape.into_iter().chain([code])).collect()
            }
            Coding::Ucs2 => self.text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }
}

/// What octets of a message say. Codes that mean nothing are `?`; half characters at the ends of parts are replaced by U+FFFD.
#[must_use]
pub fn read(coding: Coding, octets: &[u8]) -> String {
    match coding {
        Coding::Gsm7 => {
            let mut escaped = false;
            let mut text = String::with_capacity(octets.len());
            for code in octets {
                if !escaped && *code == ESCAPE {
                    escaped = true;
                    continue;
                }
                let extended = EXTENSION.iter().find(|(_, known)| escaped && known == code).map(|(c, _)| *c);
                // TS 23.038 section 6.2.1.1: what the extension table lacks is read from the default alphabet.
                text.push(extended.or_else(|| ALPHABET.chars().nth(usize::from(*code))).unwrap_or('?'));
                escaped = false;
            }
            text
        }
        Coding::Ucs2 => {
            let units: Vec<u16> =
                octets.chunks_exact(2).filter_map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?))).collect();
            String::from_utf16_lossy(&units)
        }
    }
}

/// The septets of one character; `None`: the default alphabet lacks it.
fn septets(character: char) -> Option<(Option<u8>, u8)> {
    if character == '\u{1B}' {
        return None;
    }
    if let Some((_, code)) = EXTENSION.iter().find(|(known, _)| *known == character) {
        return Some((Some(ESCAPE), *code));
    }
    let at = ALPHABET.chars().position(|known| known == character)?;
    Some((None, u8::try_from(at).ok()?))
}

fn units(coding: Coding, character: char) -> usize {
    match coding {
        Coding::Gsm7 => septets(character).map_or(1, |(escape, _)| 1 + usize::from(escape.is_some())),
        Coding::Ucs2 => character.len_utf16(),
    }
}

/// In which characters a text can travel; the denser one where it can.
#[must_use]
pub fn coding(text: &str) -> Coding {
    if text.chars().all(|c| septets(c).is_some()) { Coding::Gsm7 } else { Coding::Ucs2 }
}

/// Cuts a text into parts, none for an empty one. Joined they are the text; no character is cut in two, nor an escape from what it is for.
#[must_use]
pub fn segments(text: &str) -> Vec<Segment> {
    let coding = coding(text);
    let (alone, part) = match coding {
        Coding::Gsm7 => GSM7,
        Coding::Ucs2 => UCS2,
    };
    let whole = Segment { coding, text: text.to_owned() };
    if whole.len() <= alone {
        return if whole.is_empty() { Vec::new() } else { vec![whole] };
    }
    let mut parts = Vec::new();
    let (mut current, mut filled) = (String::new(), 0);
    for character in text.chars() {
        let more = units(coding, character);
        if filled + more > part {
            parts.push(Segment { coding, text: std::mem::take(&mut current) });
            filled = 0;
        }
        current.push(character);
        filled += more;
    }
    parts.push(Segment { coding, text: current });
    parts
}

/// Shortens a text to at most `most` parts, `…` in the place of what goes.
#[must_use]
pub fn fit(text: &str, most: usize) -> String {
    let parts = segments(text);
    if parts.len() <= most {
        return text.to_owned();
    }
    // The ellipsis is in no default alphabet, and must not make a text of few parts one of many.
    let end = if coding(text) == Coding::Gsm7 { "..." } else { "…" };
    // A message that stands alone holds less than two parts of a longer one.
    let enough = parts.iter().take(most + 1).map(|part| part.text.len()).sum();
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= enough).collect();
    let fits = |at: &usize| segments(&format!("{}{end}", text.get(..*at).unwrap_or_default())).len() <= most;
    let kept = ends.partition_point(fits).checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or_default();
    format!("{}{end}", text.get(..kept).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lengths(text: &str) -> Vec<usize> {
        segments(text).iter().map(Segment::len).collect()
    }

    #[test]
    fn c4_a_text_has_as_many_parts_as_the_standard_says() {
        let of = |piece: &str, times: usize| piece.repeat(times);
        let vectors: Vec<(String, Vec<usize>)> = vec![
            (String::new(), vec![]),
            (of("a", 1), vec![1]),
            (of("a", 159), vec![159]),
            (of("a", 160), vec![160]),
            (of("a", 161), vec![153, 8]),
            (of("a", 306), vec![153, 153]),
            (of("a", 307), vec![153, 153, 1]),
            (of("a", 459), vec![153; 3]),
            (of("a", 460), vec![153, 153, 153, 1]),
            (of("@", 160), vec![160]),
            (of("à", 160), vec![160]),
            (of("Ω", 160), vec![160]),
            (of("ß", 161), vec![153, 8]),
            (of("\n", 160), vec![160]),
            (of("€", 1), vec![2]),
            (of("€", 80), vec![160]),
            (of("€", 81), vec![152, 10]),
            (of("[", 80), vec![160]),
            (of("{}", 40), vec![160]),
            (of("^", 81), vec![152, 10]),
            (of("\u{0C}", 80), vec![160]),
            // The escape that no longer fits goes into the next part, with what it is for.
            (format!("{}€{}", of("a", 152), of("a", 10)), vec![152, 12]),
            (format!("{}€{}", of("a", 151), of("a", 10)), vec![153, 10]),
            (format!("{}€", of("a", 158)), vec![160]),
            (format!("{}€", of("a", 159)), vec![153, 8]),
            (of("ж", 1), vec![1]),
            (of("ж", 70), vec![70]),
            (of("ж", 71), vec![67, 4]),
            (of("ж", 134), vec![67, 67]),
            (of("ж", 135), vec![67, 67, 1]),
            (of("😀", 35), vec![70]),
            (of("😀", 36), vec![66, 6]),
            // One character that the default alphabet lacks, and all are counted the other way.
            (format!("{}ж", of("a", 69)), vec![70]),
            (format!("{}ж", of("a", 70)), vec![67, 4]),
            (format!("{}😀", of("a", 66)), vec![68]),
            (format!("{}😀{}", of("ж", 66), of("ж", 10)), vec![66, 12]),
            (of("ç", 70), vec![70]),
            (of("`", 71), vec![67, 4]),
        ];
        assert!(vectors.len() >= 30);
        for (text, expected) in vectors {
            assert_eq!(lengths(&text), expected, "{:.20}… of {} characters", text, text.chars().count());
        }
    }

    #[test]
    fn the_alphabet_has_128_places_and_no_character_twice() {
        let mut all: Vec<char> = ALPHABET.chars().chain(EXTENSION.iter().map(|(c, _)| *c)).collect();
        assert_eq!(ALPHABET.chars().count(), 128);
        for (character, code) in
            [('@', 0x00), ('\n', 0x0A), ('\r', 0x0D), ('A', 0x41), ('a', 0x61), ('§', 0x5F), ('¿', 0x60), ('à', 0x7F)]
        {
            assert_eq!(septets(character), Some((None, code)), "{character:?}");
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 138);
    }

    #[test]
    fn a_long_text_is_shortened_to_the_parts_allowed_and_says_so() {
        assert_eq!(fit("short", 1), "short");
        let cut = fit(&"a".repeat(1000), 2);
        assert_eq!((segments(&cut).len(), cut.len(), cut.ends_with("a...")), (2, 306, true));
        let cut = fit(&"😀".repeat(1000), 1);
        assert_eq!((segments(&cut).len(), cut.chars().count(), cut.ends_with("😀…")), (1, 35, true));
    }

    proptest! {
        #[test]
        fn c4_joined_the_parts_are_the_text_and_none_is_too_long(text in "[a-zA-Zäß€\\[\\]^ жщ😀👩🏽\\n\u{0C}]{0,600}") {
            let parts = segments(&text);
            prop_assert_eq!(parts.iter().map(|part| part.text.as_str()).collect::<String>(), text);
            let (alone, part) = if parts.iter().all(|part| part.coding == Coding::Gsm7) { GSM7 } else { UCS2 };
            let most = if parts.len() > 1 { part } else { alone };
            prop_assert!(parts.iter().all(|part| !part.is_empty() && part.len() <= most));
        }

        #[test]
        fn what_is_written_into_octets_is_read_out_of_them(text in "[a-zA-Zäß€\\[\\]^ жщ😀\\n]{0,100}") {
            let read = segments(&text).iter().map(|part| read(part.coding, &part.octets())).collect::<String>();
            prop_assert_eq!(read, text);
        }

        #[test]
        fn octets_that_mean_nothing_are_read_all_the_same(octets in proptest::collection::vec(0_u8.., 0..200)) {
            let _ = (read(Coding::Gsm7, &octets), read(Coding::Ucs2, &octets));
        }

        #[test]
        fn c4_a_shortened_text_has_no_more_parts_than_allowed(text in ".{0,500}", most in 1..6_usize) {
            let short = fit(&text, most);
            prop_assert!(segments(&short).len() <= most);
            prop_assert!(segments(&text).len() > most || short == text);
        }
    }
}
