//! Telephone numbers as they are dialled and written (K-1): one number, however it is grouped.

/// The digits of a number: without the `+` of E.164, without visual separators (RFC 3966 section 5.1.1), and without the `#` that ends dialling on
/// some keypads. `None`: it is no number.
#[must_use]
pub fn digits(written: &str) -> Option<String> {
    let written = written.trim().trim_end_matches('#');
    let written = written.strip_prefix('+').unwrap_or(written);
    let digits: String = written.chars().filter(|letter| !is_separator(*letter)).collect();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(digits)
}

/// Whether a character only groups the digits of a number.
#[must_use]
pub fn is_separator(letter: char) -> bool {
    letter.is_whitespace() || "-./()".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k1_a_number_is_the_same_however_it_is_grouped() {
        for written in ["49301234567", "+49301234567", "+49 30 1234567", "+49-30-1234567", "+49 (30) 123.45/67", "49301234567#"] {
            assert_eq!(digits(written).as_deref(), Some("49301234567"), "{written}");
        }
        for written in ["", "+", "#", "++49", "49x", "4*9", "49+30", "sip:49"] {
            assert_eq!(digits(written), None, "{written}");
        }
    }
}
