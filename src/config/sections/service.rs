//! `[service.X]`: servers elsewhere in whose rooms meetings take place.

use crate::common::redact::Redacted;
use crate::config::readers::{WrongValue, address_for, choice, label, path};
use crate::config::section::Section;
use crate::config::value::Value;
use crate::service::ServiceKind;
use crate::service::livekit::LiveKitSettings;

/// The kinds there are, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    LiveKit,
}

const KINDS: &[(&str, Named)] = &[("livekit", Named::LiveKit)];

pub(in crate::config) fn service(_: &str, s: &mut Section<'_>) -> Option<ServiceKind> {
    let named = s.required("kind", "write \"livekit\"", choice(KINDS));
    let livekit = livekit(s);
    match named? {
        Named::LiveKit => Some(ServiceKind::LiveKit(livekit?)),
    }
}

fn livekit(s: &mut Section<'_>) -> Option<LiveKitSettings> {
    let (url, ca) = (s.optional("url", address), s.optional("ca", path));
    let (key, secret) = (s.optional("key", label(128)), s.secret("secret"));
    if !s.has_problems() && (url.is_none() || key.is_none() || secret.is_none()) {
        s.complain(
            "does not say where its server is and by which key",
            "write url, key and secret, as the server's own file has them",
        );
    }
    let secret = Redacted::new(secret?.expose().to_owned());
    Some(LiveKitSettings { url: url?, key: key?, secret, ca })
}

/// An address that tokens are sent to.
fn address(value: &Value) -> Result<String, WrongValue> {
    let hint =
        "write an address such as \"wss://livekit.example.org\"; ws:// is for this machine alone, as tokens travel with it";
    address_for("tokens", hint, (&["wss", "https"], &["ws", "http"]))(value)
}
