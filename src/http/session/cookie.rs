//! Names of the cookies of sessions.

use crate::common::ids::MeetingName;

/// The name of the cookie of a meeting's session, so that one browser can be in several. `__Host-` keeps it to this very host (RFC 6265bis
/// section 4.1.3.2), and browsers take that over https only: over the plain HTTP of one's own machine it goes without.
#[must_use]
pub fn cookie_name(meeting: &MeetingName, secure: bool) -> String {
    format!("{}{meeting}", cookie_prefix(secure))
}

/// What the names of our cookies begin with.
#[must_use]
pub const fn cookie_prefix(secure: bool) -> &'static str {
    if secure { "__Host-roomgate-" } else { "roomgate-" }
}
