//! `[device.X]`: phones that are known by their address, their certificate or their password.

use std::net::IpAddr;

use super::listen::{DTMF_POLICIES, SRTP_POLICIES};
use crate::common::ids::MeetingName;
use crate::common::ip_network::IpNetwork;
use crate::config::readers::{
    NETWORK, WrongValue, boolean, certificate_name, choice, label, language, list, meeting_name, parsed, some, text, username,
};
use crate::config::secret::Secret;
use crate::config::section::Section;
use crate::config::value::Value;
use crate::http::ApiToken;
use crate::media::DtmfPolicy;
use crate::sdp::SrtpPolicy;
use crate::sip::Uri;
use crate::sip::uri::Scheme;

/// `[device.X]`: a phone that is known by its address, its certificate or its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceConfig {
    /// Where it calls from, if it is known by that; of two devices whose networks contain an address, the longer prefix means it.
    pub addresses: Vec<IpNetwork>,
    /// A name of its TLS certificate, if it is known by that; in lower case.
    pub certificate: Option<String>,
    /// What it proves itself with from anywhere else.
    pub login: Option<DeviceLogin>,
    /// Where it is called if it is not registered (S-9).
    pub call: Option<Uri>,
    /// The chat of its meeting is sent to its display (C-10).
    pub text: bool,
    /// Shown in meetings (M-4).
    pub name: String,
    /// The meeting it is put through to, its passcode supplied (K-1).
    pub default_meeting: Option<MeetingName>,
    /// Language of its prompts; the organisation's where `None`.
    pub language: Option<String>,
    /// Whether its media is to be encrypted; as the listener says where `None`.
    pub srtp: Option<SrtpPolicy>,
    /// Where its keys are looked for.
    pub dtmf: DtmfPolicy,
    /// What programs of its room show at the API, where they see and do what is the device's own (U-4).
    pub api_token: Option<Secret>,
}

/// `username` and `password` of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceLogin {
    /// The user of digest, and of its address-of-record.
    pub username: String,
    /// The password.
    pub password: Secret,
}

pub(in crate::config) fn device(name: &str, s: &mut Section<'_>) -> Option<DeviceConfig> {
    let addresses = s.optional("address", some(list(parsed(NETWORK)))).unwrap_or_default();
    let certificate = s.optional("certificate", certificate_name);
    let login = login(s);
    let call = s
        .optional("call", callable)
        .or_else(|| only_host(&addresses).map(|host| Uri { port: None, ..Uri::of_address((host, 0).into()) }));
    if addresses.is_empty() && certificate.is_none() && login.is_none() && call.is_none() && !s.has_problems() {
        s.complain(
            "says nothing that the device could be known by",
            "write its address, its certificate's name, or username and password",
        );
    }
    let name = s.get("name", label(64)).unwrap_or_else(|| name.to_owned());
    let default_meeting = s.optional("default_meeting", meeting_name);
    let language = s.optional("language", language);
    let text = s.get("text", boolean).unwrap_or(false);
    let srtp = s.optional("srtp", choice(SRTP_POLICIES));
    let dtmf = s.get("dtmf", choice(DTMF_POLICIES)).unwrap_or_default();
    let api_token = s.secret("api_token");
    if api_token.as_ref().is_some_and(|token| !(token.expose().len() <= 256 && ApiToken::fits(token.expose()))) {
        s.complain(
            "has an API token that could be guessed",
            "`openssl rand -hex 32` makes one; 16 to 256 letters, digits and signs without blanks",
        );
    }
    Some(DeviceConfig { addresses, certificate, login, call, text, name, default_meeting, language, srtp, dtmf, api_token })
}

/// Where a device can be called.
fn callable(value: &Value) -> Result<Uri, WrongValue> {
    let given = text(value)?;
    let uri = Uri::parse(&given).filter(|uri| matches!(uri.scheme, Scheme::Sip | Scheme::Sips) && uri.host.is_some());
    uri.ok_or_else(|| {
        WrongValue::new("is no SIP address", "write one such as \"sip:4711@pbx.example.com\" or \"sip:192.0.2.10\"")
    })
}

/// The one address that a device has, if it has just one: phones listen there at the usual port.
fn only_host(addresses: &[IpNetwork]) -> Option<IpAddr> {
    match addresses {
        [network] => network.host(),
        _ => None,
    }
}

fn login(s: &mut Section<'_>) -> Option<DeviceLogin> {
    let (named, secret) = (s.has("username"), s.has("password"));
    let username = s.optional("username", username);
    let password = s.secret("password");
    match (username, password) {
        (Some(username), Some(password)) => Some(DeviceLogin { username, password }),
        (None, None) => None,
        _ if named && secret => None,
        _ => {
            s.complain("has only one of username and password", "write both, or neither");
            None
        }
    }
}
