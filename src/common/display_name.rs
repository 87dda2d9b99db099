//! What a person calls themselves, made fit to be shown to others (M-4).

/// The longest display name, in characters (M-4).
pub const LONGEST: usize = 64;

/// Cleans a display name: control and bidirectional-override characters and other invisible ones go, white space is
/// folded to single blanks, at most [`LONGEST`] characters stay. An empty result becomes `fallback`, which is taken as it is.
///
/// What is left cannot reorder, hide or break the row it stands in; it is still text of a stranger and must be escaped where it is shown.
#[must_use]
pub fn clean(raw: &str, fallback: &str) -> String {
    let mut name = String::with_capacity(raw.len().min(4 * LONGEST));
    let mut length = 0;
    let mut blank_owed = false;
    for character in raw.chars() {
        if character.is_whitespace() {
            blank_owed = length > 0;
            continue;
        }
        if character.is_control() || is_invisible(character) {
            continue;
        }
        let needed = if blank_owed { 2 } else { 1 };
        if length + needed > LONGEST {
            break;
        }
        if blank_owed {
            name.push(' ');
            blank_owed = false;
        }
        name.push(character);
        length += needed;
    }
    // A name of nothing but joiners or variation selectors would show as nothing.
    if name.chars().all(is_joining) { fallback.to_owned() } else { name }
}

/// Characters that change how their neighbours are read or take no room: bidirectional controls (UAX #9),
/// zero-width space and no-break space, soft hyphen, fillers, interlinear annotation and tag characters.
pub(crate) const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{00AD}'
            | '\u{034F}'
            | '\u{061C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180E}'
            | '\u{200B}'
            | '\u{200E}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E007F}'
    )
}

/// Parts of a written word or an emoji that show nothing on their own.
const fn is_joining(character: char) -> bool {
    matches!(character, '\u{200C}'..='\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_name_stays_as_it_is() {
        assert_eq!(clean("Åsa Öberg-李", "Guest"), "Åsa Öberg-李");
    }

    #[test]
    fn white_space_is_folded_and_trimmed() {
        assert_eq!(clean(" \t Ada \r\n\u{00A0} Lovelace  ", "Guest"), "Ada Lovelace");
    }

    #[test]
    fn control_and_bidirectional_override_characters_are_removed() {
        assert_eq!(clean("Ada\u{202E}nimda\u{0000}\u{1b}[31m\u{2066}", "Guest"), "Adanimda[31m");
    }

    #[test]
    fn a_name_of_nothing_visible_falls_back() {
        for raw in ["", "   ", "\u{200B}\u{FEFF}", "\u{202E}", "\u{3164}", "\u{200D}", "\u{FE0F}\u{200C}"] {
            assert_eq!(clean(raw, "Board room"), "Board room", "{raw:?}");
        }
    }

    #[test]
    fn at_most_64_characters_stay_and_none_is_cut_in_half() {
        let cut = clean(&"é".repeat(1000), "Guest");
        assert_eq!(cut.chars().count(), LONGEST);
        let with_blank = clean(&format!("{} tail", "x".repeat(63)), "Guest");
        assert_eq!(with_blank, "x".repeat(63), "a blank is not left hanging at the end");
    }

    #[test]
    fn joined_emoji_survive() {
        assert_eq!(clean("Team 👩‍💻", "Guest"), "Team 👩‍💻");
    }

    #[test]
    fn whatever_comes_in_the_rules_hold_for_what_goes_out() {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..5000 {
            let length = usize::try_from(next() % 100).expect("small");
            let raw: String = (0..length)
                .filter_map(|_| {
                    let bits = next();
                    let range = if bits & 1 == 0 { 0x2100 } else { 0x11_0000 };
                    char::from_u32(u32::try_from((bits >> 8) % range).expect("below 2^21"))
                })
                .collect();
            let name = clean(&raw, "Guest");
            assert!(!name.is_empty() && name.chars().count() <= LONGEST);
            assert!(!name.chars().any(|c| c.is_control() || is_invisible(c)), "{name:?}");
            assert_eq!(clean(&name, "Guest"), name, "cleaning twice changes nothing");
        }
    }
}
