//! [`SessionId`]: the id of a link or a session, and its text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Names a link or a session; random. It is no secret: what proves it is its signature.
pub type SessionId = [u8; 16];

/// The text of an id, as cookies, links and the API have it: 22 characters of base64url (RFC 4648 section 5).
#[must_use]
pub fn text_of(id: &SessionId) -> String {
    URL_SAFE_NO_PAD.encode(id)
}

/// The id of such a text; `None` where it is none.
#[must_use]
pub fn id_of(text: &str) -> Option<SessionId> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
