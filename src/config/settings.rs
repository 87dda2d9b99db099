//! [`Settings`]: what the administrator decided, typed and with every default filled in.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::secret::Secret;
use crate::codec::CodecKind;
use crate::common::ids::MeetingName;
use crate::common::ip_network::IpNetwork;
use crate::common::rate_limit::RateLimit;
use crate::policy::retention::Retention;
use crate::policy::{Bypass, CallRooms, MeetingLimits};
use crate::relay::DailyLimits;
use crate::relay::outbox::OnUnknown;
use crate::relay::provider::ProviderSettings;
use crate::sip::Emergency;
use crate::sip::auth::Algorithm;
use crate::sip::{SessionTimers, Uri};
use crate::speech::SpeechSettings;
use crate::telemetry::log::LogFormat;

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `[sip]`
    pub sip: SipConfig,
    /// `[device.X]`
    pub devices: BTreeMap<String, DeviceConfig>,
    /// `[meeting.X]`
    pub meetings: BTreeMap<MeetingName, MeetingConfig>,
    /// `[media]`
    pub media: MediaConfig,
    /// `[http]`
    pub http: HttpConfig,
    /// `[ice_server.X]`: given to the meeting page.
    pub ice_servers: BTreeMap<String, IceServerConfig>,
    /// `[organisation]`
    pub organisation: OrganisationConfig,
    /// `[policy]`
    pub policy: PolicyConfig,
    /// `[prompts]`
    pub prompts: PromptsConfig,
    /// `[chat]`
    pub chat: Retention,
    /// `[speech]`; `None`: nothing is read aloud.
    pub speech: Option<SpeechSettings>,
    /// `[relay]`
    pub relay: RelayConfig,
    /// `[recording]`
    pub recording: RecordingConfig,
    /// `[records]`
    pub records: RecordsConfig,
    /// `[store]`
    pub store: StoreConfig,
    /// `[log]`
    pub log: LogConfig,
    /// `[limits]`
    pub limits: LimitsConfig,
}

/// `[sip]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipConfig {
    /// `[sip.listen.X]`, never empty; as long as none is written, UDP and TCP at every IPv4 address, port 5060.
    pub listen: BTreeMap<String, ListenConfig>,
    /// Written into Via, Contact and links instead of the listener's own address (S-7).
    pub advertised_address: Option<IpAddr>,
    /// Calls at once; one more is answered 503.
    pub max_calls: usize,
    /// Networks whose callers need no entry of their own (M-1).
    pub allowed: Vec<IpNetwork>,
    /// Named to who must give a password.
    pub realm: String,
    /// What passwords may be hashed with, the preferred one first (RFC 8760).
    pub digest: Vec<Algorithm>,
    /// `[sip.trunk.X]`
    pub trunks: BTreeMap<String, TrunkConfig>,
    /// How sessions are kept alive (RFC 4028).
    pub session_timers: SessionTimers,
    /// Name servers to ask; none: those of the system.
    pub name_servers: Vec<IpAddr>,
    /// PEM file of the authorities that PBXs' certificates must come from; `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// `[sip.account.X]`
    pub accounts: BTreeMap<String, SipAccountConfig>,
    /// `[sip.registrar]`
    pub registrar: RegistrarConfig,
    /// The user part that reaches the menu; an empty one does too.
    pub menu_user: String,
    /// `[sip.emergency]` (S-10)
    pub emergency: Emergency,
    /// `[sip.hep]` (O-5)
    pub hep: Option<HepConfig>,
}

/// `[sip.hep]`: where copies of the messages of calls go (O-5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HepConfig {
    /// The capture server, by UDP.
    pub server: SocketAddr,
    /// Names us there.
    pub id: u32,
    /// What the server lets us in for.
    pub password: Option<Secret>,
}

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
}

/// `[sip.registrar]` (S-3)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrarConfig {
    /// A shorter life is refused (423).
    pub min_expires: Duration,
    /// A longer one is cut to this.
    pub max_expires: Duration,
    /// For a device that asks for none.
    pub default_expires: Duration,
    /// Contacts of one device.
    pub contacts: usize,
}

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

/// `[sip.trunk.X]`: a PBX or provider that is known by its address or its certificate (S-3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkConfig {
    /// Where its calls come from, if it is known by that.
    pub addresses: Vec<IpNetwork>,
    /// A name of its TLS certificate, if it is known by that; in lower case.
    pub certificate: Option<String>,
    /// Shown for callers that say no name.
    pub name: String,
}

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

/// `[meeting.X]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingConfig {
    /// Shown on its page.
    pub title: String,
    /// Digits to key in or dial; `None`: reached by its name only.
    pub conference_id: Option<String>,
    /// Digits asked of callers.
    pub passcode: Option<Secret>,
    /// Digits that lend a call the organiser's powers (K-2).
    pub organiser_pin: Option<Secret>,
    /// Who may pass the lobby.
    pub bypass: Bypass,
    /// Devices may pass the lobby too.
    pub devices_bypass: bool,
    /// Who may have devices called into it (S-9).
    pub call_rooms: CallRooms,
    /// How long a lobby wait lasts (M-9).
    pub lobby_timeout: Duration,
    /// An external may lift a host's mute (K-4).
    pub unmute_after_host_mute: bool,
    /// Externals may join, by telephone and in a browser (M-11).
    pub anonymous_join: bool,
}

/// `[media]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaConfig {
    /// Worker threads; 0: one a core.
    pub workers: usize,
    /// Local address of RTP and WebRTC sockets.
    pub address: IpAddr,
    /// UDP ports of devices, two a call.
    pub rtp_ports: RangeInclusive<u16>,
    /// Written into SDP instead of the local address (S-7).
    pub advertised_address: Option<IpAddr>,
    /// UDP port of the first worker's WebRTC socket; the next worker has the next port (U-2).
    pub webrtc_port: u16,
    /// Addresses told to browsers; empty: those found on the interfaces at start.
    pub webrtc_addresses: Vec<IpAddr>,
    /// Codecs for devices, best first.
    pub codecs: Vec<CodecKind>,
    /// A call without RTP and RTCP for this long ends.
    pub media_timeout: Duration,
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// Local address.
    pub address: IpAddr,
    /// Local port; 0 takes a free one, which is printed.
    pub port: u16,
    /// Certificate and key, where HTTP listens with TLS.
    pub tls: Option<TlsConfig>,
    /// Proxies whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNetwork>,
    /// How browsers reach us, for links; made from address and port where `None`.
    pub public_url: Option<String>,
}

/// `certificate` and `key` of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// `[ice_server.X]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServerConfig {
    /// `stun:` and `turn:` URLs.
    pub urls: Vec<String>,
    /// For TURN, given to pages as it is.
    pub username: Option<String>,
    /// For TURN, given to pages as it is.
    pub credential: Option<Secret>,
    /// For TURN, shared with the server: credentials are made from it for each page, and live for a time.
    pub secret: Option<Secret>,
}

/// `[organisation]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganisationConfig {
    /// Shown on pages.
    pub name: String,
    /// Language of prompts.
    pub language: String,
    /// Externals may join its meetings (M-11).
    pub anonymous_join: bool,
}

/// `[policy]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyConfig {
    /// A call that gave the organiser's PIN counts as a member present (K-2).
    pub pin_counts_as_member: bool,
    /// A meeting that only externals are left in ends after this time (M-10).
    pub externals_only_timeout: Duration,
    /// How many a meeting takes (M-14).
    pub limits: MeetingLimits,
}

/// `[prompts]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptsConfig {
    /// One directory a language in here (K-5).
    pub directory: PathBuf,
}

/// `[relay]`: chat by SMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayConfig {
    /// The country code of numbers that are keyed in without one.
    pub country_code: Option<String>,
    /// Numbers that may be written to begin like one of these; empty: like those of the country (C-2).
    pub allowed_prefixes: Vec<String>,
    /// Parts of messages in a day, around the devices of one meeting and altogether (C-2).
    pub daily: DailyLimits,
    /// Answers to who is in no meeting, in a minute (C-2).
    pub answers_per_minute: u32,
    /// Parts of messages to one number (C-4).
    pub segments: RateLimit,
    /// What is done with messages of which nobody knows whether the provider has them (C-7).
    pub on_unknown: OnUnknown,
    /// `[relay.provider.X]`; without one there is no chat by SMS.
    pub providers: BTreeMap<String, ProviderSettings>,
}

/// `[recording]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingConfig {
    /// Where recordings are kept.
    pub directory: PathBuf,
    /// How long; `None`: until somebody deletes them.
    pub retention: Option<Duration>,
}

/// `[records]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordsConfig {
    /// How long records of calls are kept; `None`: for ever.
    pub retention: Option<Duration>,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The state directory.
    pub directory: PathBuf,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Text or JSON.
    pub format: LogFormat,
    /// A level, or levels by room: `info,roomgate::sip=debug`.
    pub level: String,
}

/// `[limits]` (X-2, M-14)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Calls at once from one source address.
    pub calls_per_source: usize,
    /// INVITEs a second from one source address.
    pub invites_per_second: u32,
    /// Requests a second of one caller of the API.
    pub api_requests_per_second: u32,
    /// How long present calls may go on after SIGTERM (O-4).
    pub drain: Duration,
}

impl SipConfig {
    pub(super) fn default_listen() -> BTreeMap<String, ListenConfig> {
        let listen = |transport| ListenConfig {
            transport,
            address: Ipv4Addr::UNSPECIFIED.into(),
            port: 5060,
            tls: None,
            client_ca: None,
            client_crl: None,
        };
        [("udp".to_owned(), listen(ListenTransport::Udp)), ("tcp".to_owned(), listen(ListenTransport::Tcp))].into()
    }
}

impl MediaConfig {
    /// Worker threads, with 0 resolved to the number of cores.
    #[must_use]
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            workers => workers,
        }
    }

    /// The UDP ports of the workers' WebRTC sockets; the last one is cut off at 65535, which [`super::load`] refuses.
    #[must_use]
    pub fn webrtc_ports(&self) -> RangeInclusive<u16> {
        let more = u16::try_from(self.worker_count().saturating_sub(1)).unwrap_or(u16::MAX);
        self.webrtc_port..=self.webrtc_port.saturating_add(more)
    }
}
