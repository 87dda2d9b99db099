//! Whose name a name is (M-1): a member's, or a known device's, and nobody else's.

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

/// What is left of a name when everything is taken away by which two can differ and look the same: case, width, white space and signs,
/// and letters of other scripts that are drawn like Latin ones (Unicode TR 39, those in use).
pub(super) fn fold(name: &str) -> String {
    let folded: String =
        name.chars().flat_map(char::to_lowercase).map(narrow).filter(|c| c.is_alphanumeric()).map(latin).collect();
    // A name of signs alone is compared as it is.
    if folded.is_empty() { name.to_owned() } else { folded }
}

/// Full-width forms of ASCII are ASCII.
fn narrow(character: char) -> char {
    match character {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(character) - 0xFEE0).map_or(character, |c| c.to_ascii_lowercase()),
        other => other,
    }
}

const fn latin(character: char) -> char {
    match character {
        'а' | 'α' => 'a',
        'в' | 'β' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'ε' | 'ё' => 'e',
        'һ' | 'н' | 'η' => 'h',
        // The digit one, the small L and the capital I are one stroke in many faces.
        'i' | 'і' | 'ι' | 'ı' | 'l' | 'ӏ' | '1' | 'ⅰ' => 'l',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'м' | 'μ' => 'm',
        'ո' | 'п' | 'ν' => 'n',
        'о' | 'ο' | '0' | 'օ' => 'o',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' | 'ս' => 'u',
        'ѵ' => 'v',
        'ԝ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
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
