//! One function for each parser that reads what others wrote: it parses, and checks what must hold whatever the bytes are.
//!
//! `tests/fuzz` calls them with what libFuzzer finds; the ordinary tests replay the corpora there and 10⁵ seeded mutations of
//! them. What must hold: no panic, no more output than input allows, and what was read and printed is read the same again.
#![allow(clippy::disallowed_methods, reason = "machines need one real instant to count from")]

mod input;
mod media;
mod sip;
mod targets;
#[cfg(test)]
mod tests;
mod text;

pub use media::{crypto_attribute, dtls, dtmf, inband_keys, rtcp, rtp_packet, session, srtp, stun, wav};
pub use sip::{digest, sip_framing, sip_header, sip_info, sip_message, sip_uri};
pub use targets::{FuzzTarget, TARGETS};
pub use text::{config_file, http_head, ledger_heads, livekit, page, smpp};
