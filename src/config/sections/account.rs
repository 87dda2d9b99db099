//! `[sip.account.X]`: PBXs at which this daemon registers.

use std::time::Duration;

use super::device::DeviceLogin;
use super::listen::{ListenTransport, TRANSPORTS};
use crate::common::ids::MeetingName;
use crate::config::readers::{DAY, MINUTE, WrongValue, choice, label, meeting_name, text, time, username};
use crate::config::section::Section;
use crate::config::value::Value;
use crate::sip::Uri;
use crate::sip::uri::Scheme;

/// `[sip.account.X]`: a PBX at which we register (S-3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipAccountConfig {
    /// Its registrar.
    pub registrar: Uri,
    /// By what it is reached; `None`: as the name system says.
    pub transport: Option<ListenTransport>,
    /// Our number there.
    pub username: String,
    /// The name that goes with the password.
    pub login: DeviceLogin,
    /// The realm in which that is asked for; `None`: that of the first challenge.
    pub realm: Option<String>,
    /// The life of a registration that we ask for.
    pub expires: Duration,
    /// How the meeting sees callers who say no name.
    pub name: String,
    /// The meeting that its calls are put through to; `None`: the menu.
    pub default_meeting: Option<MeetingName>,
}

pub(super) fn account(name: &str, s: &mut Section<'_>) -> Option<SipAccountConfig> {
    let registrar = |value: &Value| {
        let registrar = text(value)?;
        // A name with a port looks like a scheme: whatever is no SIP address is a host.
        let written = |uri: &Uri| matches!(uri.scheme, Scheme::Sip | Scheme::Sips);
        let uri = Uri::parse(&registrar).filter(written).or_else(|| Uri::parse(&format!("sip:{registrar}")));
        uri.filter(|uri| uri.user.is_none() && uri.host.is_some())
            .ok_or_else(|| WrongValue::new("is no name or address of a server", "write one such as \"pbx.example.com\""))
    };
    let registrar = s.required("registrar", "name the server, such as \"pbx.example.com\"", registrar);
    let number = s.required("username", "write our number or user name there", username);
    let (auth_username, password) = (s.optional("auth_username", username), s.secret("password"));
    if password.is_none() && !s.has_problems() {
        s.complain("has no password", "write password, or password = { file = \"…\" }");
    }
    // All of them are read first, so that a mistake in one does not make strangers of the others.
    let (transport, realm) = (s.optional("transport", choice(TRANSPORTS)), s.optional("realm", label(255)));
    let expires = s.get("expires", time(MINUTE..=DAY)).unwrap_or(10 * MINUTE);
    let name = s.get("name", label(64)).unwrap_or_else(|| name.to_owned());
    let default_meeting = s.optional("default_meeting", meeting_name);
    let number = number?;
    let login = DeviceLogin { username: auth_username.unwrap_or_else(|| number.clone()), password: password? };
    Some(SipAccountConfig { registrar: registrar?, transport, login, username: number, realm, expires, name, default_meeting })
}
