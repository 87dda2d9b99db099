//! The bytes of a fuzzer, read as a parser wants them.

use std::borrow::Cow;

/// As text.
pub(super) fn lossy(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// At most 64 datagrams, each behind two bytes of length; the last may be cut off.
pub(super) fn datagrams(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&[high, low], rest) = data.split_first_chunk::<2>()?;
        let (datagram, behind) = rest.split_at(usize::from(u16::from_be_bytes([high, low])).min(rest.len()));
        data = behind;
        Some(datagram)
    })
    .take(64)
}
