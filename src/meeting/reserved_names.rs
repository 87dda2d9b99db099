//! Whose name a name is (M-1): a member's, or a known device's, and nobody else's.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_security::skeleton;

use crate::common::display_name::LONGEST;

/// A name that is somebody's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReservedNames {
    /// As it is shown.
    pub(super) name: String,
    /// Whose: a newcomer with the same identity has the same right to it.
    pub(super) identity: Option<String>,
}

/// `name`, if nobody else's, or with a number behind the `mark` of who comes (`guest`, `caller`; none for those who have names of their
/// own) that makes it another one to the eye.
pub(super) fn distinct(name: &str, mark: &str, identity: Option<&str>, owned: &[ReservedNames]) -> String {
    let taken = |name: &str| {
        let folded = fold(name);
        owned
            .iter()
            .any(|owned| fold(&owned.name) == folded && (owned.identity.is_none() || owned.identity.as_deref() != identity))
    };
    if !taken(name) {
        return name.to_owned();
    }
    let suffixes = (1..).map(|number| match (mark, number) {
        ("", number) => format!(" ({})", number + 1),
        (mark, 1) => format!(" ({mark})"),
        (mark, number) => format!(" ({mark} {number})"),
    });
    let named = |suffix: String| {
        let kept: String = name.chars().take(LONGEST.saturating_sub(suffix.chars().count())).collect();
        kept.trim_end().to_owned() + &suffix
    };
    // One of so many more than there are owners is free.
    suffixes.take(owned.len() + 2).map(named).find(|name| !taken(name)).unwrap_or_else(|| mark.to_owned())
}

/// What is left of a name when everything is taken away by which two can differ and look the same: form, marks, case, white space and
/// signs, and letters that are drawn like others, as Unicode TR 39 has them, before and after case is taken away: a capital Greek Upsilon
/// is a Y, and a small one a u.
pub(super) fn fold(name: &str) -> String {
    let drawn = bare(skeleton(&bare(name.chars())).collect::<String>().chars());
    let small: String = drawn.chars().flat_map(char::to_lowercase).map(latin).collect();
    let folded = bare(skeleton(&small).collect::<String>().chars());
    let folded: String = folded.chars().filter(|c| c.is_alphanumeric()).map(latin).collect();
    // A name of signs alone is compared as it is.
    if folded.is_empty() { name.to_owned() } else { folded }
}

/// The letters in their plain form (NFKD), without marks and what is no more than one.
fn bare(letters: impl Iterator<Item = char>) -> String {
    letters.nfkd().filter(|letter| !is_combining_mark(*letter) && !is_modifier(*letter)).collect()
}

/// Letters by their category that are drawn as marks: spacing modifiers, those of tone, and the Arabic filler.
const fn is_modifier(letter: char) -> bool {
    matches!(letter, '\u{02B0}'..='\u{02FF}' | '\u{A700}'..='\u{A721}' | '\u{0640}')
}

/// What TR 39 pairs with small capitals, or not at all, and a hurried eye takes for a Latin letter.
const fn latin(character: char) -> char {
    match character {
        'а' | 'α' | 'ᴀ' => 'a',
        'в' | 'β' | 'ʙ' | 'ß' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' | 'ᴅ' => 'd',
        'е' | 'ε' | 'ё' | 'ꞓ' | 'ᴇ' => 'e',
        'ꜰ' => 'f',
        'ɢ' => 'g',
        'һ' | 'н' | 'η' | 'ʜ' => 'h',
        // The digit one, the small L and the capital I are one stroke in many faces.
        'i' | 'і' | 'ι' | 'ı' | 'l' | 'ӏ' | '1' | 'ⅰ' | 'ɪ' | 'ʟ' => 'l',
        'ј' | 'ᴊ' => 'j',
        'к' | 'κ' | 'ĸ' | 'ᴋ' => 'k',
        'м' | 'μ' | 'ʍ' | 'ᴍ' => 'm',
        'ո' | 'п' | 'π' | 'ɴ' => 'n',
        'о' | 'ο' | '0' | 'օ' => 'o',
        'р' | 'ρ' | 'ᴘ' => 'p',
        'ԛ' => 'q',
        'ʀ' => 'r',
        'ѕ' => 's',
        'т' | 'τ' | 'ᴛ' => 't',
        'υ' | 'ս' => 'u',
        'ѵ' | 'ν' => 'v',
        'ԝ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' | 'ʏ' => 'y',
        'ζ' => 'z',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned() -> Vec<ReservedNames> {
        vec![
            ReservedNames { name: "Alice Smith".into(), identity: Some("session/1".into()) },
            ReservedNames { name: "Room 1".into(), identity: Some("device/room-1".into()) },
            ReservedNames { name: "Operator".into(), identity: None },
        ]
    }

    /// Nobody takes the name of a member or of a known device however it is written.
    #[test]
    fn m1_nobody_takes_the_name_of_a_member_or_of_a_known_device() {
        for (claimed, given) in [
            ("Alice Smith", "Alice Smith (guest)"),
            ("aLICE  smith", "aLICE  smith (guest)"),
            ("ＡｌｉｃｅＳｍｉｔｈ", "ＡｌｉｃｅＳｍｉｔｈ (guest)"),
            ("Аliсе Smith", "Аliсе Smith (guest)"),
            ("A\u{200D}lice-Smith", "A\u{200D}lice-Smith (guest)"),
            ("AIice Smith", "AIice Smith (guest)"),
            ("Room l", "Room l (guest)"),
            ("0perator", "0perator (guest)"),
            ("Alicia Smith", "Alicia Smith"),
            ("Room 2", "Room 2"),
            ("李", "李"),
        ] {
            assert_eq!(distinct(claimed, "guest", Some("guest/x"), &owned()), given, "{claimed}");
        }
    }

    /// Names that are drawn alike are one name, in whatever letters, marks and forms they are written.
    #[test]
    fn m1_names_that_look_the_same_are_the_same() {
        for (own, others) in [
            ("José", ["Jose\u{301}", "Jose", "JOSÉ", "Jos\u{435}\u{301}"]),
            ("Yvonne", ["\u{3A5}vonne", "Y\u{3BD}onne", "\u{3A5}VONNE", "yvonne"]),
            ("Alice", ["\u{13AA}lice", "\u{251}lice", "\u{1D400}\u{1D425}\u{1D422}\u{1D41C}\u{1D41E}", "Al\u{131}ce"]),
            ("Alice", ["Alice\u{345}", "\u{2C8}Alice", "A\u{20D7}lice", "\u{FF21}lice"]),
            ("Sofia", ["So\u{FB01}a", "So\u{FB01}\u{430}", "S\u{43E}fia", "SOFIA"]),
            ("Tom", ["\u{422}om", "\u{442}\u{43E}\u{43C}", "TOM", "Torn"]),
            ("Bob", ["\u{432}ob", "\u{299}ob", "\u{412}OB", "B0b"]),
        ] {
            for other in others {
                assert_eq!(fold(other), fold(own), "{other:?} is {own:?} to the eye");
            }
        }
        for (one, other) in [("Anna", "Hanna"), ("Иван", "Иванка"), ("Мария", "Марина"), ("田中", "中田"), ("Room 1", "Room 2")]
        {
            assert_ne!(fold(one), fold(other), "{one} and {other}");
        }
    }

    /// A name is its owners and the next of that name gets a number.
    #[test]
    fn m1_a_name_is_its_owners_and_the_next_of_that_name_gets() {
        assert_eq!(distinct("alice smith", "", Some("session/1"), &owned()), "alice smith", "the same person in a second tab");
        assert_eq!(distinct("Room 1", "", Some("device/room-1"), &owned()), "Room 1");
        assert_eq!(distinct("Alice Smith", "", Some("session/2"), &owned()), "Alice Smith (2)");
        let mut owned = owned();
        owned.push(ReservedNames { name: "Alice Smith (guest)".into(), identity: Some("session/3".into()) });
        assert_eq!(distinct("Alice Smith", "guest", None, &owned), "Alice Smith (guest 2)");
        let long = "x".repeat(LONGEST);
        owned.push(ReservedNames { name: long.clone(), identity: None });
        let given = distinct(&long, "guest", None, &owned);
        assert_eq!((given.chars().count(), given.ends_with(" (guest)")), (LONGEST, true));
    }
}
