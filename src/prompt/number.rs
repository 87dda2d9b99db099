//! Numbers as they are spoken: digit by digit, the way codes are read out (K-5).

/// The digits in `text`, in order; everything else (blanks, hyphens, `#`) is silent.
pub(super) fn digits_of(text: &str) -> impl Iterator<Item = u8> {
    text.chars().filter_map(|c| c.to_digit(10)).filter_map(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_digit_by_digit_without_its_punctuation() {
        assert_eq!(digits_of("10-01 #٣").collect::<Vec<_>>(), [1, 0, 0, 1]);
        assert_eq!(digits_of("no digits").count(), 0);
    }
}
