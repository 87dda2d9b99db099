//! [`byte_range`]: the part of a recording that a request wants (RFC 9110 section 14).

use axum::http::{HeaderMap, header};

/// The part of a file that a request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteRange {
    /// All of it.
    All,
    /// From the first to the last of these, counted from 0.
    Part(u64, u64),
    /// Bytes beyond its end.
    Nothing,
}

/// What `Range` says of a file of `length` bytes (RFC 9110 section 14). Several parts at once, other units, and what cannot be read are no
/// reason not to send all of it; nor is a part of a file that may be another one (`If-Range`), since ours bear no mark.
pub(super) fn byte_range(headers: &HeaderMap, length: u64) -> ByteRange {
    let range = headers.get(header::RANGE).filter(|_| !headers.contains_key(header::IF_RANGE));
    let Some((first, last)) = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.trim().split_once('-')) else {
        return ByteRange::All;
    };
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let (first, last) = match (first, last, number(first), number(last)) {
        ("", _, _, Some(0)) => return ByteRange::Nothing,
        ("", _, _, Some(count)) => (length.saturating_sub(count), length),
        (_, "", Some(first), _) => (first, length),
        (_, _, Some(first), Some(last)) if first <= last => (first, last),
        _ => return ByteRange::All,
    };
    match length.checked_sub(1) {
        Some(end) if first <= end => ByteRange::Part(first, last.min(end)),
        _ => ByteRange::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part is what RFC 9110 says, within the file; what is not understood is all of it.
    #[test]
    fn u4_a_range_is_a_part_within_the_file_or_all_of_it() {
        use ByteRange::{All, Nothing, Part};
        let wanted = |range: &str, length| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, range.parse().expect("a value"));
            byte_range(&headers, length)
        };
        for (range, part) in [
            ("bytes=0-0", Part(0, 0)),
            ("bytes=2-5", Part(2, 5)),
            ("bytes=2-", Part(2, 9)),
            ("bytes=2-99", Part(2, 9)),
            ("bytes=-3", Part(7, 9)),
            ("bytes=-99", Part(0, 9)),
            ("bytes=10-", Nothing),
            ("bytes=10-11", Nothing),
            ("bytes=-0", Nothing),
        ] {
            assert_eq!(wanted(range, 10), part, "{range}");
        }
        for all in [
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=0-1,4-5",
            "lines=0-1",
            "bytes=+1-2",
            "bytes=0x1-2",
            "bytes=1-99999999999999999999",
        ] {
            assert_eq!(wanted(all, 10), All, "{all}");
        }
        assert_eq!((wanted("bytes=0-", 0), wanted("bytes=-5", 0)), (Nothing, Nothing));
        assert_eq!(wanted(&format!("bytes=-{}", u64::MAX), 10), Part(0, 9));
    }
}
