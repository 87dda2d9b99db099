//! [`ResumeKey`]: how a page proves which presence it had.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::visitor::Visitor;
use crate::common::ids::ParticipantId;
use crate::meeting::messages::Role;

/// Signs which presence a page had, so that it can have it again after a lost connection (M-5).
/// The key is made at each start: presences are numbered anew by each process.
#[derive(Clone)]
pub struct ResumeKey(Arc<Zeroizing<[u8; 32]>>);

impl fmt::Debug for ResumeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeKey(***)")
    }
}

impl ResumeKey {
    /// A key of 32 random bytes.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(Arc::new(Zeroizing::new(key)))
    }

    /// The token for `who`. It fits only this meeting and these powers: nobody comes back as more than they were.
    pub(super) fn seal(&self, who: ParticipantId, visitor: &Visitor) -> String {
        let tag = self.mac(who, visitor).finalize().into_bytes();
        format!("{who}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// Whose token it is, if it is one of ours and fits; compared in constant time.
    pub(crate) fn unseal(&self, token: &str, visitor: &Visitor) -> Option<ParticipantId> {
        let (who, tag) = token.split_once('.').filter(|_| token.len() <= 128)?;
        let who = who.parse().ok()?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        self.mac(who, visitor).verify_slice(&tag).ok().map(|()| who)
    }

    fn mac(&self, who: ParticipantId, visitor: &Visitor) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).expect("HMAC takes a key of any length");
        mac.update(b"roomgate resume 1");
        mac.update(&who.number().to_be_bytes());
        mac.update(&[u8::from(visitor.role == Role::Member), u8::from(visitor.organiser)]);
        mac.update(visitor.meeting.as_str().as_bytes());
        mac
    }
}
