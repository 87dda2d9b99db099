//! [`Seal`]: the name of a link or of a session with its signature, as links and cookies carry it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::id::{SessionId, id_of, text_of};
use crate::common::ids::MeetingName;

/// 16 bytes and a signature of 32, in base64, with a dot between; longer ones are not looked at.
const LONGEST_TOKEN: usize = 66;

/// What a token is for. Part of what is signed, so that none can be used as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenPurpose {
    Link = 1,
    Session = 2,
    /// Of a passcode: not a token, but its fingerprint.
    Passcode = 3,
}

/// Signs with a key of its own.
pub(super) struct Seal(Zeroizing<[u8; 32]>);

impl Seal {
    pub(super) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// What a link or a cookie carries.
    pub(super) fn token(&self, purpose: TokenPurpose, id: &SessionId) -> String {
        let tag = self.mac(purpose, id).finalize().into_bytes();
        format!("{}.{}", text_of(id), URL_SAFE_NO_PAD.encode(tag))
    }

    /// The name in a token that we have signed for this purpose; compared in constant time.
    pub(super) fn open(&self, purpose: TokenPurpose, token: &str) -> Option<SessionId> {
        let (id, tag) = token.split_once('.').filter(|_| token.len() <= LONGEST_TOKEN)?;
        let (id, tag) = (id_of(id)?, URL_SAFE_NO_PAD.decode(tag).ok()?);
        self.mac(purpose, &id).verify_slice(&tag).ok().map(|()| id)
    }

    /// Tells one passcode of a meeting from another, and nothing of what it is to whoever has not the key.
    pub(super) fn code(&self, meeting: &MeetingName, passcode: &str) -> SessionId {
        let mut mac = self.mac(TokenPurpose::Passcode, meeting.as_str().as_bytes());
        mac.update(&[0]);
        mac.update(passcode.as_bytes());
        let mut code = SessionId::default();
        code.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(to, from)| *to = from);
        code
    }

    fn mac(&self, purpose: TokenPurpose, what: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).expect("HMAC takes a key of any length");
        mac.update(b"roomgate 3");
        mac.update(&[purpose as u8]);
        mac.update(what);
        mac
    }
}
