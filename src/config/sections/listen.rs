//! `[sip.listen.X]`: where SIP listens, and how it travels there.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::config::readers::{ADDRESS, choice, number, parsed, path};
use crate::config::section::Section;
use crate::media::DtmfPolicy;
use crate::sdp::SrtpPolicy;

/// How SIP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListenTransport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
}

impl From<ListenTransport> for crate::sip::Transport {
    fn from(transport: ListenTransport) -> Self {
        match transport {
            ListenTransport::Udp => Self::Udp,
            ListenTransport::Tcp => Self::Tcp,
            ListenTransport::Tls => Self::Tls,
        }
    }
}

/// `[sip.listen.X]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenConfig {
    /// UDP, TCP or TLS.
    pub transport: ListenTransport,
    /// Local address.
    pub address: IpAddr,
    /// Local port; 0 takes a free one, which is printed.
    pub port: u16,
    /// Certificate and key, for TLS.
    pub tls: Option<TlsConfig>,
    /// PEM file of the authorities that a client's certificate must come from.
    pub client_ca: Option<PathBuf>,
    /// PEM file of revocation lists: whose certificate is on one does not get in.
    pub client_crl: Option<PathBuf>,
    /// Whether media of calls that come to it is to be encrypted.
    pub srtp: SrtpPolicy,
}

/// `certificate` and `key` of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// Transports by the names that keys give them.
pub(super) const TRANSPORTS: &[(&str, ListenTransport)] =
    &[("udp", ListenTransport::Udp), ("tcp", ListenTransport::Tcp), ("tls", ListenTransport::Tls)];

/// Whether media is to be encrypted, by the names that keys give it.
pub(super) const SRTP_POLICIES: &[(&str, SrtpPolicy)] = &[
    ("required", SrtpPolicy::Required),
    ("preferred", SrtpPolicy::Preferred),
    ("dtls", SrtpPolicy::Dtls),
    ("off", SrtpPolicy::Off),
];

/// Where keys are looked for, by the names that keys of the configuration give it.
pub(super) const DTMF_POLICIES: &[(&str, DtmfPolicy)] =
    &[("auto", DtmfPolicy::Auto), ("in-band", DtmfPolicy::Inband), ("out-of-band", DtmfPolicy::OutOfBand)];

/// The default listeners, which hold as long as none is written.
pub(in crate::config) fn default_listeners() -> BTreeMap<String, ListenConfig> {
    let listen = |transport| ListenConfig {
        transport,
        address: Ipv4Addr::UNSPECIFIED.into(),
        port: 5060,
        tls: None,
        client_ca: None,
        client_crl: None,
        srtp: SrtpPolicy::Preferred,
    };
    [("udp".to_owned(), listen(ListenTransport::Udp)), ("tcp".to_owned(), listen(ListenTransport::Tcp))].into()
}

pub(super) fn listeners(s: &mut Section<'_>, key: &'static str) -> BTreeMap<String, ListenConfig> {
    let is_written = s.has(key);
    let listeners = s.named(key, |_, s| Some(listen(s)));
    if is_written { listeners } else { default_listeners() }
}

fn listen(s: &mut Section<'_>) -> ListenConfig {
    let transport = s.get("transport", choice(TRANSPORTS)).unwrap_or(ListenTransport::Udp);
    let (tls, client_ca, client_crl) = (certificate_and_key(s), s.optional("client_ca", path), s.optional("client_crl", path));
    if transport == ListenTransport::Tls && tls.is_none() && !s.has_problems() {
        s.complain("speaks TLS without a certificate", "name the PEM files certificate and key");
    }
    if transport != ListenTransport::Tls && (tls.is_some() || client_ca.is_some()) {
        s.complain(
            "has a certificate, but does not speak TLS",
            "write transport = \"tls\", or take certificate, key and client_ca out",
        );
    }
    if client_crl.is_some() && client_ca.is_none() && !s.has_problems() {
        s.complain("has client_crl, but asks no client for a certificate", "write client_ca, or take client_crl out");
    }
    let usual = if transport == ListenTransport::Tls { 5061 } else { 5060 };
    ListenConfig {
        transport,
        address: s.get("address", parsed(ADDRESS)).unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
        port: s.get("port", number(0..=65_535)).unwrap_or(usual),
        tls,
        client_ca,
        client_crl,
        srtp: s.get("srtp", choice(SRTP_POLICIES)).unwrap_or_default(),
    }
}

/// The keys `certificate` and `key`, which come together or not at all.
pub(super) fn certificate_and_key(s: &mut Section<'_>) -> Option<TlsConfig> {
    match (s.optional("certificate", path), s.optional("key", path)) {
        (Some(certificate), Some(key)) => Some(TlsConfig { certificate, key }),
        (None, None) => None,
        _ => {
            s.complain("has only one of certificate and key", "name both PEM files, or neither");
            None
        }
    }
}
