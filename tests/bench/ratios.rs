//! Ratios of the medians that criterion has just measured.

use std::path::{Path, PathBuf};

/// What is compared: name, measured, base.
const RATIOS: [(&str, &str, &str); 8] = [
    ("bridged G.722-Opus leg with SRTP / its bare codecs", "20ms/bridged-leg-with-srtp", "20ms/bare-codecs-of-a-leg"),
    ("40-member bridge with 3 talkers / 40 Opus encodes", "20ms/40-member-bridge-3-talkers", "20ms/40-opus-encodes"),
    (
        "the same with 40 browsers' SRTP and decoders / 40 Opus encodes",
        "20ms/40-browsers-3-talkers-with-srtp",
        "20ms/40-opus-encodes",
    ),
    (
        "40 members with 3 talkers, room noise of -55 dBov / of -70 dBov",
        "20ms/40-members-3-talkers-room-noise-55",
        "20ms/40-members-3-talkers-room-noise-70",
    ),
    ("an INVITE of 900 bytes read / the same by rsip", "parse/invite-of-900-bytes", "parse/rsip-invite-of-900-bytes"),
    (
        "an ask of one of 1000 who wait (1000 inside) / of one of 100",
        "crowd/ask-of-one-who-waits-among-1000",
        "crowd/ask-of-one-who-waits-among-100",
    ),
    ("the same of one inside", "crowd/ask-of-one-inside-among-1000", "crowd/ask-of-one-inside-among-100"),
    ("INVITE to BYE in the endpoint / rsip parsing the same bytes", "call/endpoint", "call/rsip-parses-the-same-bytes"),
];

fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    target.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from).join("criterion")
}

/// The median in microseconds; `None` where this run was told to leave it out.
fn median(name: &str) -> Option<f64> {
    let text = std::fs::read_to_string(folder().join(name).join("new/estimates.json")).ok()?;
    let estimates: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(estimates["median"]["point_estimate"].as_f64()? / 1000.0)
}

pub(crate) fn print() {
    println!("{:>10}  {:>10}  {:>6}", "µs", "base µs", "ratio");
    for (name, measured, base) in RATIOS {
        if let (Some(measured), Some(base)) = (median(measured), median(base)) {
            println!("{measured:>10.1}  {base:>10.1}  {:>6.2}  {name}", measured / base);
        }
    }
}
