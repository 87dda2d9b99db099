//! The table of targets.

use super::media::{crypto_attribute, dtls, dtmf, inband_keys, rtcp, rtp_packet, session, srtp, stun, wav};
use super::sip::{digest, sip_framing, sip_header, sip_info, sip_message, sip_uri};
use super::text::{config_file, http_head, ledger_heads, livekit, page, smpp};

/// What a target is run by.
pub type FuzzTarget = fn(&[u8]);

/// Every target, by the name of its file and its corpus in `tests/fuzz`.
pub const TARGETS: &[(&str, FuzzTarget)] = &[
    ("config", config_file),
    ("crypto", crypto_attribute),
    ("digest", digest),
    ("dtls", dtls),
    ("dtmf", dtmf),
    ("http", http_head),
    ("inband_keys", inband_keys),
    ("ledger_heads", ledger_heads),
    ("livekit", livekit),
    ("rtcp", rtcp),
    ("rtp", rtp_packet),
    ("sdp", session),
    ("signalling", page),
    ("sip_framing", sip_framing),
    ("sip_header", sip_header),
    ("sip_info", sip_info),
    ("sip_message", sip_message),
    ("sip_uri", sip_uri),
    ("smpp", smpp),
    ("srtp", srtp),
    ("stun", stun),
    ("wav", wav),
];
