//! What one message becomes for a provider: its parts, and the reference of each.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::common::redact::Redacted;
use crate::relay::segment;
use crate::relay::sms::PartInfo;

/// A text as the provider takes it: whole, or in parts that this reference joins.
pub(super) fn cut(text: Redacted<String>, reference: Option<u8>) -> Vec<(Redacted<String>, Option<PartInfo>)> {
    let Some(reference) = reference else { return vec![(text, None)] };
    let segments = segment::segments(text.expose());
    let total = u8::try_from(segments.len()).unwrap_or(u8::MAX);
    let part = |(number, segment): (u8, segment::Segment)| {
        (Redacted::new(segment.text), Some(PartInfo { coding: segment.coding, reference, total, number }))
    };
    (1..=total).zip(segments).map(part).collect()
}

/// A UUID (RFC 9562, version 8) that no other part has, in this run or another.
pub(super) fn reference(secret: &Redacted<[u8; 32]>, id: u64) -> String {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(secret.expose()).expect("HMAC takes a key of any length");
    mac.update(b"reference");
    mac.update(&id.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let bits = digest.iter().take(16).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let bits = bits & !(0xF << 76) & !(0x3 << 62) | 0x8 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    let (a, b, c, d, e) = (hex.get(..8), hex.get(8..12), hex.get(12..16), hex.get(16..20), hex.get(20..));
    [a, b, c, d, e].map(Option::unwrap_or_default).join("-")
}
