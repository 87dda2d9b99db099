//! [`IceCredentials`]: the answering end of ICE, "ICE lite" (RFC 8445 section 2.5; A-3).
//!
//! We have one address that everybody reaches, and check nobody. A device's checks that are made with our password show where it is, behind
//! whatever NAT, and its nomination says where media goes.

use std::fmt;
use std::net::SocketAddr;

use super::stun;

/// What both descriptions say of ICE.
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// Ours, 4 to 256 letters, digits, `+` and `/`.
    pub ufrag: String,
    /// Ours, 22 to 256 of the same: who has it has read our description.
    pub password: String,
    /// The device's.
    pub remote_ufrag: String,
}

/// A check that was made with our password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceCheck {
    /// The response, to be sent to where it came from.
    pub response: Vec<u8>,
    /// Media is to go to where it came from.
    pub nominates: bool,
}

impl IceCredentials {
    /// Reads a STUN datagram from `from`; `None` for whatever is no genuine check.
    #[must_use]
    pub fn check(&self, from: SocketAddr, datagram: &[u8]) -> Option<IceCheck> {
        let user_name = format!("{}:{}", self.ufrag, self.remote_ufrag);
        if !stun::is_for(datagram, &user_name) || !stun::is_genuine(datagram, &self.password) {
            return None;
        }
        Some(IceCheck { response: stun::respond(datagram, from, &self.password)?, nominates: stun::nominates(datagram) })
    }
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCredentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}
