//! The keys of every section: their names, types, bounds and defaults. `conf/reference.toml` says what they are for, and
//! a test holds it against this file.

mod relay;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::section::{Section, WrongValue, boolean, choice, label, list, number, parsed, path, text, time};
use super::settings::{
    DeviceConfig, DeviceLogin, HepConfig, HttpConfig, IceServerConfig, LimitsConfig, ListenConfig, ListenTransport, LogConfig,
    MediaConfig, MeetingConfig, OrganisationConfig, PolicyConfig, PromptsConfig, RecordingConfig, RecordsConfig, RegistrarConfig,
    Settings, SipAccountConfig, SipConfig, StoreConfig, TlsConfig, TrunkConfig,
};
use crate::codec::{CODECS, CodecKind};
use crate::common::ids::MeetingName;
use crate::common::ip_network::IpNetwork;
use crate::common::language::LanguageTag;
use crate::http::ApiToken;
use crate::policy::retention::Retention;
use crate::policy::{Bypass, CallRooms, MeetingLimits};
use crate::sip::Emergency;
use crate::sip::auth::Algorithm;
use crate::sip::uri::Scheme;
use crate::sip::{SessionTimers, Uri};
use crate::speech::SpeechSettings;
use crate::telemetry::log::LogFormat;
use crate::telemetry::log::is_level;

/// Defaults that depend on where we are.
pub(super) struct Surroundings<'a> {
    /// `prompts` in the configuration's directory.
    pub(super) prompts: PathBuf,
    /// `$STATE_DIRECTORY`.
    pub(super) state: Option<&'a str>,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

const ADDRESS: &str = "an IP address, such as \"192.0.2.1\" or \"::\"";
const NETWORK: &str = "a network or an address, such as \"10.0.0.0/8\"";

/// Loopback, private and IPv4's link-local ranges: what a device is accepted from as shipped (U-2). Addresses of fe80::/10 mean nothing
/// without their interface, which media are not sent by.
const PRIVATE: [&str; 7] =
    ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "169.254.0.0/16"];

pub(super) fn settings(root: &mut Section<'_>, here: &Surroundings<'_>) -> Settings {
    let store = root.table("store", |section| store(section, here));
    Settings {
        sip: root.table("sip", sip),
        devices: root.named("device", device),
        meetings: meetings(root),
        media: root.table("media", media),
        http: root.table("http", http),
        ice_servers: root.named("ice_server", ice_server),
        organisation: root.table("organisation", organisation),
        policy: root.table("policy", policy),
        prompts: root.table("prompts", |s| PromptsConfig {
            directory: s.optional("directory", path).unwrap_or_else(|| here.prompts.clone()),
        }),
        chat: root.table("chat", chat),
        speech: root.table("speech", speech),
        relay: root.table("relay", relay::relay),
        recording: root.table("recording", |section| recording(section, &store.directory)),
        records: root.table("records", records),
        store,
        log: root.table("log", log),
        limits: root.table("limits", limits),
    }
}

fn sip(s: &mut Section<'_>) -> SipConfig {
    let chosen = s.has("listen");
    let digest = choice(&[("sha-256", Algorithm::Sha256), ("md5", Algorithm::Md5)]);
    let listen = s.named("listen", |_, s| Some(listen(s)));
    let trunks = s.named("trunk", trunk);
    let accounts = s.named("account", account);
    let private = || PRIVATE.iter().filter_map(|network| IpNetwork::from_str(network).ok()).collect();
    SipConfig {
        listen: if chosen { listen } else { SipConfig::default_listen() },
        advertised_address: s.optional("advertised_address", parsed(ADDRESS)),
        max_calls: s.get("max_calls", number(1..=100_000_i64)).and_then(|n| usize::try_from(n).ok()).unwrap_or(200),
        allowed: s.get("allowed", list(parsed(NETWORK))).unwrap_or_else(private),
        digest: s.get("digest", some(list(digest))).unwrap_or_else(|| Algorithm::ALL.into()),
        realm: s.get("realm", label(64)).unwrap_or_else(|| "roomgate".to_owned()),
        trunks,
        name_servers: s.get("name_servers", list(parsed(ADDRESS))).unwrap_or_default(),
        ca: s.optional("ca", path),
        accounts,
        session_timers: SessionTimers {
            expires: s.get("session_expires", time(Duration::ZERO..=DAY)).unwrap_or(SessionTimers::default().expires),
            min: s.get("session_min", time(SECOND..=HOUR)).unwrap_or(SessionTimers::default().min),
        },
        registrar: s.table("registrar", registrar),
        menu_user: s.get("menu_user", label(64)).unwrap_or_else(|| "menu".to_owned()),
        emergency: s.table("emergency", emergency),
        hep: s.table("hep", hep),
    }
}

fn speech(s: &mut Section<'_>) -> Option<SpeechSettings> {
    let command = s.get("command", list(text)).unwrap_or_default();
    let (program, arguments) = command.split_first()?;
    let program = PathBuf::from(program);
    if program.is_relative() {
        s.complain("has a command without the whole path of its program", "write one such as \"/usr/bin/espeak-ng\"");
    }
    Some(SpeechSettings { program, arguments: arguments.to_vec(), hidden: Vec::new() })
}

fn emergency(s: &mut Section<'_>) -> Emergency {
    let country = |value: &Value| {
        let hint = "write the two letters of ISO 3166; for a country that is not known here list its numbers";
        Emergency::country(&text(value)?).ok_or_else(|| WrongValue::new("is no country whose emergency numbers are known", hint))
    };
    let number = |value: &Value| {
        let number = text(value)?;
        let fits = (2..=8).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit() || b"*#".contains(&byte));
        if fits {
            Ok(number)
        } else {
            Err(WrongValue::new("is no number that is dialled for help", "write 2 to 8 digits in quotes"))
        }
    };
    let target = |value: &Value| {
        let target = text(value)?;
        let fits = Uri::parse(&target).is_some_and(|uri| uri.scheme == Scheme::Tel || uri.host.is_some());
        if fits {
            Ok(target)
        } else {
            Err(WrongValue::new("is no SIP or tel address", "write one such as \"sip:112@pbx.example.com\""))
        }
    };
    let prefix = |value: &Value| {
        let prefix = text(value)?;
        let fits = (1..=4).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_digit() || b"*#".contains(&byte));
        if fits {
            Ok(prefix)
        } else {
            Err(WrongValue::new("is nothing that is dialled for an outside line", "write 1 to 4 digits in quotes"))
        }
    };
    let (countries, numbers) = (s.get("countries", list(country)), s.get("numbers", list(number)));
    let prefixes = s.get("outside_line_prefixes", list(prefix));
    let known = Emergency::new(&countries.unwrap_or_default(), &numbers.unwrap_or_default(), s.optional("target", target));
    match prefixes {
        Some(prefixes) => known.with_outside_lines(prefixes),
        None => known,
    }
}

fn hep(s: &mut Section<'_>) -> Option<HepConfig> {
    let server = s.optional("server", parsed("an address with its port, such as \"192.0.2.40:9060\""));
    let (id, password) = (s.get("id", number(1..=u32::MAX)), s.secret("password"));
    Some(HepConfig { server: server?, id: id.unwrap_or(2001), password })
}

fn listen(s: &mut Section<'_>) -> ListenConfig {
    let transport = choice(&[("udp", ListenTransport::Udp), ("tcp", ListenTransport::Tcp), ("tls", ListenTransport::Tls)]);
    let transport = s.get("transport", transport).unwrap_or(ListenTransport::Udp);
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
    }
}

fn certificate_and_key(s: &mut Section<'_>) -> Option<TlsConfig> {
    match (s.optional("certificate", path), s.optional("key", path)) {
        (Some(certificate), Some(key)) => Some(TlsConfig { certificate, key }),
        (None, None) => None,
        _ => {
            s.complain("has only one of certificate and key", "name both PEM files, or neither");
            None
        }
    }
}

/// The name in a certificate that somebody is known by.
fn certificate_name(value: &Value) -> Result<String, WrongValue> {
    label(255)(value).map(|name| name.to_ascii_lowercase())
}

fn registrar(s: &mut Section<'_>) -> RegistrarConfig {
    let mut life = |key, default| s.get(key, time(10 * SECOND..=7 * DAY)).unwrap_or(default);
    let (min_expires, max_expires) = (life("min_expires", MINUTE), life("max_expires", HOUR));
    let default_expires = life("default_expires", HOUR);
    if !(min_expires..=max_expires).contains(&default_expires) {
        s.complain("has a default_expires that is not between min_expires and max_expires", "mend one of the three");
    }
    let contacts = s.get("contacts", number(1..=100_i64)).and_then(|n| usize::try_from(n).ok()).unwrap_or(8);
    RegistrarConfig { min_expires, max_expires, default_expires, contacts }
}

fn trunk(name: &str, s: &mut Section<'_>) -> Option<TrunkConfig> {
    let addresses = s.optional("addresses", some(list(parsed(NETWORK)))).unwrap_or_default();
    let certificate = s.optional("certificate", certificate_name);
    if addresses.is_empty() && certificate.is_none() && !s.has_problems() {
        s.complain(
            "says nothing that the trunk could be known by",
            "write the addresses its calls come from, or its certificate's name",
        );
    }
    let name = s.get("name", label(64)).unwrap_or_else(|| name.to_owned());
    Some(TrunkConfig { addresses, certificate, name })
}

fn account(name: &str, s: &mut Section<'_>) -> Option<SipAccountConfig> {
    let registrar = |value: &Value| {
        let registrar = text(value)?;
        // A name with a port looks like a scheme: whatever is no SIP address is a host.
        let written = |uri: &Uri| matches!(uri.scheme, Scheme::Sip | Scheme::Sips);
        let uri = Uri::parse(&registrar).filter(written).or_else(|| Uri::parse(&format!("sip:{registrar}")));
        uri.filter(|uri| uri.user.is_none() && uri.host.is_some())
            .ok_or_else(|| WrongValue::new("is no name or address of a server", "write one such as \"pbx.example.com\""))
    };
    let transport = choice(&[("udp", ListenTransport::Udp), ("tcp", ListenTransport::Tcp), ("tls", ListenTransport::Tls)]);
    let registrar = s.required("registrar", "name the server, such as \"pbx.example.com\"", registrar);
    let number = s.required("username", "write our number or user name there", username);
    let (auth_username, password) = (s.optional("auth_username", username), s.secret("password"));
    if password.is_none() && !s.has_problems() {
        s.complain("has no password", "write password, or password = { file = \"…\" }");
    }
    // All of them are read first, so that a mistake in one does not make strangers of the others.
    let (transport, realm) = (s.optional("transport", transport), s.optional("realm", label(255)));
    let expires = s.get("expires", time(MINUTE..=DAY)).unwrap_or(10 * MINUTE);
    let name = s.get("name", label(64)).unwrap_or_else(|| name.to_owned());
    let default_meeting = s.optional("default_meeting", meeting_name);
    let number = number?;
    let login = DeviceLogin { username: auth_username.unwrap_or_else(|| number.clone()), password: password? };
    Some(SipAccountConfig { registrar: registrar?, transport, login, username: number, realm, expires, name, default_meeting })
}

fn device(name: &str, s: &mut Section<'_>) -> Option<DeviceConfig> {
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
    let api_token = s.secret("api_token");
    if api_token.as_ref().is_some_and(|token| !(token.expose().len() <= 256 && ApiToken::fits(token.expose()))) {
        s.complain(
            "has an API token that could be guessed",
            "`openssl rand -hex 32` makes one; 16 to 256 letters, digits and signs without blanks",
        );
    }
    Some(DeviceConfig { addresses, certificate, login, call, text, name, default_meeting, language, api_token })
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

fn meetings(root: &mut Section<'_>) -> BTreeMap<MeetingName, MeetingConfig> {
    let found = root.named("meeting", |name, section| {
        let known = MeetingName::new(name);
        if known.is_err() {
            section.complain("is no name for a meeting", "use 1 to 64 of a-z, 0-9, - and _; it is part of the page's address");
        }
        let meeting = meeting(name, section);
        Some((known.ok()?, meeting))
    });
    found.into_values().collect()
}

fn meeting(name: &str, s: &mut Section<'_>) -> MeetingConfig {
    let bypass = choice(&[
        ("everyone", Bypass::Everyone),
        ("organisation-and-trusted", Bypass::OrganisationAndTrusted),
        ("organisation", Bypass::Organisation),
        ("organisation-without-guests", Bypass::OrganisationWithoutGuests),
        ("invited", Bypass::Invited),
        ("organisers", Bypass::Organisers),
    ]);
    let call_rooms =
        choice(&[("organiser", CallRooms::Organiser), ("members", CallRooms::Members), ("nobody", CallRooms::Nobody)]);
    MeetingConfig {
        title: s.get("title", label(128)).unwrap_or_else(|| name.to_owned()),
        conference_id: s.optional("conference_id", digits(1, 20)),
        passcode: s.secret("passcode"),
        organiser_pin: s.secret("organiser_pin"),
        bypass: s.get("bypass", bypass).unwrap_or(Bypass::Organisers),
        devices_bypass: s.get("devices_bypass", boolean).unwrap_or(false),
        call_rooms: s.get("call_rooms", call_rooms).unwrap_or_default(),
        lobby_timeout: s.get("lobby_timeout", time(10 * SECOND..=DAY)).unwrap_or(10 * MINUTE),
        unmute_after_host_mute: s.get("unmute_after_host_mute", boolean).unwrap_or(false),
        anonymous_join: s.get("anonymous_join", boolean).unwrap_or(true),
    }
}

fn media(s: &mut Section<'_>) -> MediaConfig {
    let codec = |value: &_| {
        let name = text(value)?;
        let names = || CODECS.iter().map(|row| row.name.to_ascii_lowercase()).collect::<Vec<_>>().join(", ");
        let row = CODECS.iter().find(|row| row.name.eq_ignore_ascii_case(&name));
        row.map(|row| row.kind).ok_or_else(|| WrongValue::new(format!("{name:?} is no codec"), format!("known: {}", names())))
    };
    let all = || vec![CodecKind::Opus, CodecKind::G722, CodecKind::Pcma, CodecKind::Pcmu];
    MediaConfig {
        workers: s.get("workers", number(0..=256_i64)).and_then(|n| usize::try_from(n).ok()).unwrap_or(0),
        address: s.get("address", parsed(ADDRESS)).unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
        rtp_ports: s.get("rtp_ports", ports).unwrap_or(20_000..=20_999),
        advertised_address: s.optional("advertised_address", parsed(ADDRESS)),
        webrtc_port: s.get("webrtc_port", number(1..=65_535)).unwrap_or(8189),
        webrtc_addresses: s.get("webrtc_addresses", list(parsed(ADDRESS))).unwrap_or_default(),
        codecs: s.get("codecs", some(list(codec))).unwrap_or_else(all),
        media_timeout: s.get("media_timeout", time(5 * SECOND..=DAY)).unwrap_or(MINUTE),
    }
}

fn http(s: &mut Section<'_>) -> HttpConfig {
    let tls = s.table("tls", certificate_and_key);
    HttpConfig {
        address: s.get("address", parsed(ADDRESS)).unwrap_or(Ipv4Addr::LOCALHOST.into()),
        port: s.get("port", number(0..=65_535)).unwrap_or(8080),
        tls,
        trusted_proxies: s.get("trusted_proxies", list(parsed(NETWORK))).unwrap_or_default(),
        public_url: s.optional("public_url", url(&["https://", "http://"])).map(|url| url.trim_end_matches('/').to_owned()),
    }
}

fn ice_server(_: &str, s: &mut Section<'_>) -> Option<IceServerConfig> {
    let urls = s.required(
        "urls",
        "write [\"stun:host:port\"] or [\"turn:host:port\"]",
        some(list(url(&["stun:", "stuns:", "turn:", "turns:"]))),
    );
    let username = s.optional("username", text);
    let (credential, secret) = (s.secret("credential"), s.secret("secret"));
    Some(IceServerConfig { urls: urls?, username, credential, secret })
}

fn organisation(s: &mut Section<'_>) -> OrganisationConfig {
    OrganisationConfig {
        name: s.get("name", label(128)).unwrap_or_else(|| "Roomgate".to_owned()),
        language: s.get("language", language).unwrap_or_else(|| "en".to_owned()),
        anonymous_join: s.get("anonymous_join", boolean).unwrap_or(true),
    }
}

fn meeting_limits(s: &mut Section<'_>) -> MeetingLimits {
    let shipped = MeetingLimits::default();
    let mut limit =
        |key, otherwise| s.get(key, number(1..=100_000_i64)).and_then(|n| usize::try_from(n).ok()).unwrap_or(otherwise);
    MeetingLimits {
        participants: limit("max_participants", shipped.participants),
        externals: limit("max_externals", shipped.externals),
        in_chat: limit("max_in_chat", shipped.in_chat),
    }
}

fn policy(s: &mut Section<'_>) -> PolicyConfig {
    PolicyConfig {
        pin_counts_as_member: s.get("pin_counts_as_member", boolean).unwrap_or(false),
        externals_only_timeout: s.get("externals_only_timeout", time(MINUTE..=7 * DAY)).unwrap_or(90 * MINUTE),
        limits: meeting_limits(s),
    }
}

fn chat(s: &mut Section<'_>) -> Retention {
    let region = s.optional("region", label(64)).unwrap_or_default();
    let keep = s.get("retention", time(Duration::ZERO..=36_500 * DAY)).unwrap_or(Retention::UNLESS_SAID);
    Retention { keep, region: region.into() }
}

fn recording(s: &mut Section<'_>, state: &Path) -> RecordingConfig {
    let retention = s.get("retention", time(Duration::ZERO..=36_500 * DAY)).unwrap_or_default();
    RecordingConfig {
        directory: s.optional("directory", path).unwrap_or_else(|| state.join("recordings")),
        retention: (!retention.is_zero()).then_some(retention),
    }
}

fn records(s: &mut Section<'_>) -> RecordsConfig {
    let retention = s.get("retention", time(Duration::ZERO..=36_500 * DAY)).unwrap_or(90 * DAY);
    RecordsConfig { retention: (!retention.is_zero()).then_some(retention) }
}

fn store(s: &mut Section<'_>, here: &Surroundings<'_>) -> StoreConfig {
    let default = || PathBuf::from(here.state.unwrap_or("/var/lib/roomgate"));
    StoreConfig { directory: s.optional("directory", path).unwrap_or_else(default) }
}

fn log(s: &mut Section<'_>) -> LogConfig {
    let level = |value: &_| {
        let level = text(value)?;
        let hint = "write error, warn, info, debug or trace, for rooms too: \"info,roomgate::sip=debug\"";
        if is_level(&level) { Ok(level) } else { Err(WrongValue::new(format!("{level:?} is no log level"), hint)) }
    };
    LogConfig {
        format: s.get("format", choice(&[("text", LogFormat::Text), ("json", LogFormat::Json)])).unwrap_or(LogFormat::Text),
        level: s.get("level", level).unwrap_or_else(|| "info".to_owned()),
    }
}

fn limits(s: &mut Section<'_>) -> LimitsConfig {
    let mut count =
        |key, most: i64, default| s.get(key, number(1..=most)).and_then(|number| usize::try_from(number).ok()).unwrap_or(default);
    let calls_per_source = count("calls_per_source", 100_000, 50);
    LimitsConfig {
        calls_per_source,
        invites_per_second: s.get("invites_per_second", number(1..=10_000)).unwrap_or(20),
        api_requests_per_second: s.get("api_requests_per_second", number(1..=100_000)).unwrap_or(50),
        drain: s.get("drain", time(Duration::ZERO..=24 * HOUR)).unwrap_or(2 * MINUTE),
    }
}

// === forms of our own ===

type Value = super::source::Value;

/// At least one item.
fn some<T>(read: impl FnOnce(&Value) -> Result<Vec<T>, WrongValue>) -> impl FnOnce(&Value) -> Result<Vec<T>, WrongValue> {
    move |value| {
        let items = read(value)?;
        if items.is_empty() { Err(WrongValue::new("is an empty list", "write at least one")) } else { Ok(items) }
    }
}

fn digits(least: usize, most: usize) -> impl FnOnce(&Value) -> Result<String, WrongValue> {
    move |value| {
        let hint = format!("write {least} to {most} digits in quotes, as a phone can key them in");
        let Ok(digits) = text(value) else { return Err(WrongValue::new("is not written as a text", hint)) };
        let fits = (least..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if fits { Ok(digits) } else { Err(WrongValue::new(format!("{digits:?} is not made of digits only"), hint)) }
    }
}

/// What can stand before `@` without escapes.
fn username(value: &Value) -> Result<String, WrongValue> {
    let name = text(value)?;
    let legal = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.!~*'()+=&$".contains(&byte));
    let hint = "write 1 to 64 letters, digits or -_.+, the user part of its SIP address";
    if legal && (1..=64).contains(&name.len()) {
        Ok(name)
    } else {
        Err(WrongValue::new(format!("{name:?} is no user name"), hint))
    }
}

fn meeting_name(value: &Value) -> Result<MeetingName, WrongValue> {
    let name = text(value)?;
    MeetingName::new(name.as_str())
        .map_err(|_| WrongValue::new(format!("{name:?} is no name of a meeting"), "write the X of a [meeting.X]"))
}

fn language(value: &Value) -> Result<String, WrongValue> {
    let text = text(value)?;
    // Written as directories of prompts are, although these are found whatever their case.
    let fits = |tag: LanguageTag| text.starts_with(tag.primary().as_str()) && !text.contains('_');
    let hint = "write a language tag, such as \"en\" or \"pt-BR\": the name of a directory of prompts";
    match LanguageTag::new(&text).is_ok_and(fits) {
        true => Ok(text),
        false => Err(WrongValue::new(format!("{text:?} is no language tag"), hint)),
    }
}

/// `20000-20999`.
fn ports(value: &Value) -> Result<RangeInclusive<u16>, WrongValue> {
    let text = text(value)?;
    let wrong =
        || WrongValue::new(format!("{text:?} is no range of ports"), "write \"20000-20999\": from 1024, two ports a call");
    let (low, high) = text.split_once('-').ok_or_else(wrong)?;
    let (low, high): (u16, u16) = (low.trim().parse().map_err(|_| wrong())?, high.trim().parse().map_err(|_| wrong())?);
    if low >= 1024 && high > low { Ok(low..=high) } else { Err(wrong()) }
}

fn url(schemes: &'static [&'static str]) -> impl Fn(&Value) -> Result<String, WrongValue> {
    move |value| {
        let url = text(value)?;
        let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme));
        let fits = rest.is_some_and(|rest| !rest.is_empty()) && url.chars().all(|c| c.is_ascii_graphic() && c != '"');
        if fits {
            Ok(url)
        } else {
            Err(WrongValue::new(format!("{url:?} is no address for this"), format!("begin it with {}", schemes.join(" or "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_ranges_have_two_ends_in_order() {
        let read = |text: &str| ports(&Value::Text(text.to_owned().into())).ok();
        assert_eq!(read("20000-20999"), Some(20_000..=20_999));
        assert_eq!(read(" 1024 - 65535 "), Some(1024..=65_535));
        for text in ["", "20000", "20999-20000", "20000-20000", "80-90", "20000-70000", "a-b", "-"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn language_tags_name_directories_and_nothing_else() {
        let fits = |text: &str| language(&Value::Text(text.to_owned().into())).is_ok();
        assert!(fits("en") && fits("pt-BR") && fits("zh-Hant-TW") && fits("gsw"));
        assert!(!fits("") && !fits("../etc") && !fits("EN") && !fits("en/us") && !fits("english") && !fits("en-"));
    }

    #[test]
    fn the_shipped_ranges_are_networks() {
        assert!(PRIVATE.iter().all(|network| network.parse::<IpNetwork>().is_ok()));
        assert!(!PRIVATE.iter().any(|network| network.parse::<IpNetwork>().unwrap().contains(Ipv4Addr::new(8, 8, 8, 8).into())));
    }

    /// No call from a link-local address of IPv6 has sound: none is taken as shipped.
    #[test]
    fn u2_no_link_local_network_of_ipv6_is_shipped() {
        let link_local: IpAddr = "fe80::1".parse().unwrap();
        assert!(!PRIVATE.iter().any(|network| network.parse::<IpNetwork>().unwrap().contains(link_local)));
    }
}
