//! ICE servers for the peer connections of pages (U-2). Whoever has joined is told them, with credentials that live for a time: what a page
//! was given once relays nothing tomorrow.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde::{Serialize, Serializer};
use sha1::Sha1;

use crate::common::redact::Redacted;
use crate::common::units::unix_millis;

/// How long credentials live that are made for a page. As long as a session: a relay asks for them again while they are used, and a page that
/// comes back is given new ones.
pub const CREDENTIAL_LIVES: Duration = Duration::from_secs(12 * 60 * 60);

/// How an ICE server knows whom it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IceSecret {
    /// It serves everybody.
    None,
    /// A secret that we share with it, from which credentials are made (`static-auth-secret` of coturn, "A REST API For Access To TURN
    /// Services").
    Shared(Redacted<String>),
    /// A user name and a credential that are given as they are.
    Fixed {
        /// The user name.
        username: String,
        /// The credential.
        credential: Redacted<String>,
    },
}

/// One ICE server.
#[derive(Debug, Clone)]
pub struct IceServer {
    /// `stun:`, `turn:` and `turns:` addresses.
    pub urls: Vec<String>,
    /// How it knows whom it serves.
    pub secret: IceSecret,
}

/// An `RTCIceServer` of the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageIceServer {
    urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    credential: Option<Redacted<String>>,
}

fn exposed<S: Serializer>(secret: &Option<Redacted<String>>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Redacted::expose).serialize(serializer)
}

impl IceServer {
    /// As a page is told it that joins at `now`. The user name of a shared secret is the time at which the credential dies, in seconds since
    /// 1970.
    #[must_use]
    pub fn made_for(&self, now: SystemTime) -> PageIceServer {
        let (username, credential) = match &self.secret {
            IceSecret::None => (None, None),
            IceSecret::Fixed { username, credential } => (Some(username.clone()), Some(credential.clone())),
            IceSecret::Shared(secret) => {
                let dies = unix_millis(now + CREDENTIAL_LIVES) / 1000;
                let username = format!("{dies}:roomgate");
                let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes a key of any length");
                mac.update(username.as_bytes());
                let credential = STANDARD.encode(mac.finalize().into_bytes());
                (Some(username), Some(Redacted::new(credential)))
            }
        };
        PageIceServer { urls: self.urls.clone(), username, credential }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// Credentials are made for a time from the secret that the relay shares.
    #[test]
    fn u2_credentials_are_made_for_a_time_from_the_secret() {
        let secret = IceSecret::Shared(Redacted::new("north".to_owned()));
        let server = IceServer { urls: vec!["turn:turn.example".to_owned()], secret };
        let told = server.made_for(UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let told = serde_json::to_value(told).unwrap();
        assert_eq!(told["username"], "1800043200:roomgate");
        // printf 1800043200:roomgate | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(told["credential"], "B6x97ngusQuwegX0pS5xZQ1lFRM=");
        let open = IceServer { urls: vec!["stun:stun.example".to_owned()], secret: IceSecret::None };
        assert_eq!(
            serde_json::to_value(open.made_for(UNIX_EPOCH)).unwrap(),
            serde_json::json!({ "urls": ["stun:stun.example"] })
        );
    }
}
