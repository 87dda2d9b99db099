//! Access tokens: JSON Web Tokens (RFC 7519) by HMAC-SHA-256 with the claims that LiveKit's server reads.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac as _};
use serde::Serialize;
use sha2::Sha256;

use super::settings::LiveKitSettings;

/// How long a token may be used, in seconds: joining takes some, and clocks differ by some. Each attempt has a token of its own.
const LIFE: u64 = 10 * 60;
/// How far the server's clock may be behind ours, in seconds.
const CLOCKS_DIFFER: u64 = 60;

/// Who somebody is in a room, and what it may do there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Grants {
    pub(super) room: String,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) room_join: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) room_admin: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) room_list: bool,
    pub(super) can_publish: bool,
    pub(super) can_subscribe: bool,
    pub(super) can_publish_data: bool,
    pub(super) can_update_own_metadata: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Whom a token is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// Unique in the room: a second one throws the first out.
    pub(super) identity: String,
    pub(super) name: String,
    pub(super) attributes: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    name: &'a str,
    nbf: u64,
    exp: u64,
    /// Of telephones, which others treat as such.
    kind: &'static str,
    attributes: &'a BTreeMap<String, String>,
    video: &'a Grants,
}

/// A token of that moment, in seconds since 1970.
pub(super) fn sign(settings: &LiveKitSettings, who: &Identity, grants: &Grants, now: u64) -> String {
    let claims = Claims {
        iss: &settings.key,
        sub: &who.identity,
        name: &who.name,
        nbf: now.saturating_sub(CLOCKS_DIFFER),
        exp: now.saturating_add(LIFE),
        kind: "sip",
        attributes: &who.attributes,
        video: grants,
    };
    let claims = serde_json::to_vec(&claims).unwrap_or_default();
    let signed = format!("{}.{}", BASE64.encode(br#"{"alg":"HS256","typ":"JWT"}"#), BASE64.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(settings.secret.expose().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::redact::Redacted;

    fn settings() -> LiveKitSettings {
        let secret = Redacted::new("secret".to_owned());
        LiveKitSettings { url: "ws://localhost:7880".to_owned(), key: "devkey".to_owned(), secret, ca: None }
    }

    #[test]
    fn a_token_says_who_it_is_for_and_until_when() {
        let who = Identity { identity: "sip-1".to_owned(), name: "Room \"1\"".to_owned(), ..Identity::default() };
        let grants = Grants { room: "board".to_owned(), room_join: true, can_publish: true, ..Grants::default() };
        let token = sign(&settings(), &who, &grants, 1_800_000_000);
        let parts: Vec<_> = token.split('.').collect();
        let claims: serde_json::Value = serde_json::from_slice(&BASE64.decode(parts[1]).unwrap()).unwrap();
        assert_eq!((claims["sub"].as_str(), claims["name"].as_str()), (Some("sip-1"), Some("Room \"1\"")));
        assert_eq!((claims["nbf"].as_u64(), claims["exp"].as_u64()), (Some(1_799_999_940), Some(1_800_000_600)));
        assert_eq!(claims["video"]["canSubscribe"].as_bool(), Some(false));
        assert!(claims["video"].get("roomAdmin").is_none());
    }

    #[test]
    fn a_signature_depends_on_the_secret_alone() {
        let who = Identity::default();
        let (one, two) = (sign(&settings(), &who, &Grants::default(), 0), sign(&settings(), &who, &Grants::default(), 0));
        assert_eq!(one, two);
        let mut other = settings();
        other.secret = Redacted::new("another".to_owned());
        assert_ne!(one.rsplit('.').next(), sign(&other, &who, &Grants::default(), 0).rsplit('.').next());
    }
}
