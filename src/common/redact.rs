//! [`Redacted`]: what must never reach a log (digits, passcodes, numbers, names of people, message texts). [`MaskedCaller`]: what may be shown in part.

use std::fmt;

use serde::{Serialize, Serializer};
use zeroize::Zeroize;

/// Who was dialled, so that an administrator can find out what was mistyped or misrouted: letters as they are; of digits, which may be a
/// code (K-1), how many there are and at most the first two. 64 characters at most, and none that a terminal would obey.
#[must_use]
pub fn masked_user(user: &str) -> String {
    let text: Vec<char> = user.chars().filter(|one| !one.is_control()).take(64).collect();
    let runs = text.chunk_by(|one, next| one.is_ascii_digit() == next.is_ascii_digit());
    let mask = |run: &[char]| -> String {
        let shown = if run.first().is_some_and(char::is_ascii_digit) { (run.len() / 3).min(2) } else { run.len() };
        run.iter().enumerate().map(|(at, one)| if at < shown { *one } else { '*' }).collect()
    };
    runs.map(mask).collect()
}

/// A value whose `Display` and `Debug` show only that something is there, and that is overwritten when it is dropped.
/// [`Redacted::expose`] is the only way in, and easy to search for.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Redacted<T: Zeroize>(T);

impl<T: Zeroize> Redacted<T> {
    /// Hides `value` from now on.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself; whoever calls this answers for where it goes.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value itself, to be changed in place.
    pub const fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize + Default> Redacted<T> {
    /// The value itself, by value; from now on it is the caller's to overwrite.
    pub fn into_inner(mut self) -> T {
        std::mem::take(&mut self.0)
    }
}

impl<T: Zeroize> Drop for Redacted<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T: Zeroize> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T: Zeroize> From<T> for Redacted<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

/// Who called: a telephone number, or the user part of an address. Printed or serialised, its middle is masked: `+49…23`.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct MaskedCaller(String);

/// Characters of a caller that are kept.
const CALLER: usize = 64;
/// From this length on the first three characters are shown as well: a country code, not half of an extension.
const LONG: usize = 7;

impl MaskedCaller {
    /// Keeps the first 64 characters.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.chars().take(CALLER).collect())
    }

    /// All of it; whoever calls this answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MaskedCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.0.chars().count();
        if length == 0 {
            return Ok(());
        }
        let shown = |from: usize, count: usize| self.0.chars().skip(from).take(count).collect::<String>();
        let (head, tail) = match length {
            LONG.. => (shown(0, 3), shown(length - 2, 2)),
            4.. => (String::new(), shown(length - 2, 2)),
            _ => (String::new(), String::new()),
        };
        write!(f, "{head}…{tail}")
    }
}

impl fmt::Debug for MaskedCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for MaskedCaller {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn m16_a_caller_is_masked_wherever_it_is_shown() {
        for (caller, shown) in [("+491715550123", "+49…23"), ("1001", "…01"), ("112", "…"), ("", ""), ("böard-room", "böa…om")]
        {
            let caller = MaskedCaller::new(caller);
            assert_eq!((caller.to_string().as_str(), format!("{caller:?}").as_str()), (shown, shown));
            assert_eq!(serde_json::to_value(&caller).unwrap(), shown);
        }
        assert_eq!(MaskedCaller::new(&"9".repeat(1000)).expose().len(), CALLER);
    }

    #[test]
    fn k1_of_a_dialled_user_digits_are_masked() {
        for (user, masked) in [
            ("1001", "1***"),
            ("500123", "50****"),
            ("+4930123456", "+49********"),
            ("board-room", "board-room"),
            ("1001*4321", "1****4***"),
            ("12", "**"),
            ("", ""),
            ("a\u{1b}[2Jb", "a[*Jb"),
        ] {
            assert_eq!(masked_user(user), masked, "{user}");
        }
        assert_eq!(masked_user(&"x".repeat(500)).len(), 64);
    }

    /// Notes that it was overwritten.
    #[derive(Clone, Default)]
    struct Noted(Rc<Cell<u32>>);

    impl Zeroize for Noted {
        fn zeroize(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    /// What is hidden is overwritten when it is dropped and each copy of it.
    #[test]
    fn x4_what_is_hidden_is_overwritten_when_it_is_dropped() {
        let noted = Noted::default();
        let hidden = Redacted::new(noted.clone());
        let copy = hidden.clone();
        assert_eq!(format!("{:?} {copy}", Redacted::new("4321".to_owned())), "*** ***");
        drop(hidden);
        assert_eq!(noted.0.get(), 1);
        drop(copy);
        assert_eq!(noted.0.get(), 2);
        let mut digits = Redacted::new("43".to_owned());
        digits.expose_mut().push('2');
        assert_eq!(digits.into_inner(), "432");
    }
}
