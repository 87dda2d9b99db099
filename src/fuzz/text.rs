//! What pages, browsers, administrators, providers and copies of the ledger say.

use super::input::lossy;
use crate::common::{display_name, machine};
use crate::config;
use crate::http;
use crate::relay::provider;
use crate::service::embedded::signalling;
use crate::service::livekit as livekit_room;
use crate::store;

/// A file of heads of the ledger that was copied from elsewhere (N-8).
pub fn ledger_heads(data: &[u8]) {
    let text = lossy(data);
    let found = store::read_heads(&text);
    assert!(found.len() <= text.lines().count());
    for head in found {
        assert_eq!(store::read_heads(&head.to_string()), [head]);
    }
}

/// A request's head, and what is looked at in it before anybody is known.
pub fn http_head(data: &[u8]) {
    http::head(data);
}

/// What a page says.
pub fn page(data: &[u8]) {
    let text = lossy(data);
    assert!(signalling::heard(&text) <= 2, "one message asks for one thing; a refusal may close the page");
    let name = display_name::clean(&text, "Guest");
    assert!(!name.is_empty() && name.chars().count() <= 64 && !name.chars().any(char::is_control));
}

/// A configuration file.
pub fn config_file(data: &[u8]) {
    if let Err(problems) = config::read_text(&lossy(data)) {
        assert!(!problems.is_empty(), "a refusal says why");
    }
}

/// What a LiveKit server and the people in its rooms say.
pub fn livekit(data: &[u8]) {
    livekit_room::fuzz(machine::now(), data);
}

/// What a short message centre sends.
pub fn smpp(data: &[u8]) {
    provider::fuzz_smpp(data);
}
