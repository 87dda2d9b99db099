//! What only shows when rooms are looked at together, or at the machine around us (DESIGN section 13).

mod exposure;

use std::collections::BTreeMap;
use std::fs::File;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::Path;

use super::settings::{ListenTransport, Settings, TlsConfig};
use super::{Places, Secret};
use crate::call::router::{UNKNOWN, UNLISTED};
use crate::common::problem::Problem;
use crate::http::SOCKET_FILE;
use crate::policy::Bypass;
use crate::relay::provider::ProviderKind;
use crate::sip::SessionTimers;
use crate::sip::uri::Host;

/// Bytes of the path of a Unix socket at most: `sun_path` of Linux without the zero at its end (unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;

/// What was found.
pub(super) struct Findings<'a> {
    places: &'a Places,
    /// Some file could not be read: names that are not there may well be in it.
    incomplete: bool,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> Findings<'a> {
    pub(super) const fn new(places: &'a Places, incomplete: bool) -> Self {
        Self { places, incomplete, problems: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn into_parts(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems, self.warnings)
    }

    fn problem(&mut self, key: &str, what: impl Into<String>, hint: impl Into<String>) {
        let problem = self.finding(key, what, hint);
        self.problems.push(problem);
    }

    fn warning(&mut self, key: &str, what: impl Into<String>, hint: impl Into<String>) {
        let warning = self.finding(key, what, hint);
        self.warnings.push(warning);
    }

    fn finding(&self, key: &str, what: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem { place: self.places.of(key), key: key.to_owned(), what: what.into(), hint: hint.into() }
    }
}

/// Everything that the settings alone can tell.
pub(super) fn together(settings: &Settings, found: &mut Findings<'_>) {
    addresses(settings, found);
    ports(settings, found);
    plain_http(settings, found);
    meetings(settings, found);
    devices(settings, found);
    sessions(settings, found);
    emergency(settings, found);
    relay(settings, found);
    exposure::exposure(settings, found);
    let enough = settings.sip.max_calls.saturating_mul(2);
    if settings.media.rtp_ports.len() < enough {
        let what = format!("has {} ports, but {} calls need {enough}", settings.media.rtp_ports.len(), settings.sip.max_calls);
        found.warning("media.rtp_ports", what, "widen the range or lower sip.max_calls; calls beyond it are answered 503");
    }
}

/// One provider carries everything.
fn relay(settings: &Settings, found: &mut Findings<'_>) {
    for name in settings.relay.providers.keys().skip(1) {
        let hint = "only one provider is used: write enabled = false in the others";
        found.problem(&format!("relay.provider.{name}"), "is a second provider of short messages", hint);
    }
    let by_webhook =
        |kind: &ProviderKind| matches!(kind, ProviderKind::Azure(_) | ProviderKind::Twilio(_) | ProviderKind::Webhook(_));
    for (name, _) in settings.relay.providers.iter().filter(|(_, provider)| by_webhook(&provider.kind)).take(1) {
        if settings.http.public_url.is_none() {
            let what = "calls us back, and http.public_url does not say how we are reached";
            let hint = "write http.public_url: signatures are over it, and receipts and answers come to it";
            found.warning(&format!("relay.provider.{name}"), what, hint);
        }
    }
}

/// S-10.
fn emergency(settings: &Settings, found: &mut Findings<'_>) {
    let emergency = &settings.sip.emergency;
    // A phone that registers here may be the only one in its room.
    if emergency.target.is_none() && settings.devices.values().any(|device| device.login.is_some()) {
        let what = "is not set, and phones register here: an emergency call from one of them is refused";
        found.warning("sip.emergency.target", what, "name the address that emergency calls are sent to, such as your PBX");
    }
    for (name, meeting) in &settings.meetings {
        if let Some(number) = meeting.conference_id.as_ref().filter(|id| emergency.is_dialled(id)) {
            let what = format!("is {number}, which calls for help: nobody reaches the meeting by dialling it");
            found.problem(&format!("meeting.{name}.conference_id"), what, "give the meeting another number");
        }
    }
}

/// Everything that takes a look at the disk. Nothing is created or changed.
pub(super) fn surroundings(settings: &Settings, found: &mut Findings<'_>) {
    let of = |key: &str, tls: &TlsConfig| {
        [("certificate", tls.certificate.clone()), ("key", tls.key.clone())].map(|(file, path)| (format!("{key}.{file}"), path))
    };
    let mut files: Vec<_> = settings.http.tls.iter().flat_map(|tls| of("http.tls", tls)).collect();
    for (name, listen) in &settings.sip.listen {
        let key = format!("sip.listen.{name}");
        files.extend(listen.tls.iter().flat_map(|tls| of(&key, tls)));
        files.extend(listen.client_crl.iter().map(|path| (format!("{key}.client_crl"), path.clone())));
        files.extend(listen.client_ca.iter().map(|path| (format!("{key}.client_ca"), path.clone())));
    }
    files.extend(settings.sip.ca.iter().map(|path| ("sip.ca".to_owned(), path.clone())));
    for (key, file) in files {
        if let Err(error) = File::open(&file)
            .and_then(|file| file.metadata())
            .and_then(|metadata| if metadata.is_file() { Ok(()) } else { Err(std::io::Error::other("not a file")) })
        {
            found.problem(
                &key,
                format!("{} cannot be read: {error}", file.display()),
                "name a PEM file that the user running roomgate can read",
            );
        }
    }
    if let Some(speech) = &settings.speech {
        use std::os::unix::fs::PermissionsExt as _;
        let is_program = |metadata: &std::fs::Metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0;
        if !std::fs::metadata(&speech.program).is_ok_and(|metadata| is_program(&metadata)) {
            let what = format!("{} is no program that could be run", speech.program.display());
            found.problem("speech.command", what, "install it, or take the command out: then nothing is read aloud");
        }
    }
    control_socket(settings, found);
    for (key, directory) in
        [("store.directory", &settings.store.directory), ("recording.directory", &settings.recording.directory)]
    {
        if let Err(why) = can_be_made(directory) {
            found.problem(
                key,
                format!("{} {why}", directory.display()),
                "name a directory that the user running roomgate may write",
            );
        }
    }
}

/// Commands ask the daemon by a Unix socket in the state directory: its path has room in an address of the system, or the daemon does not
/// start.
fn control_socket(settings: &Settings, found: &mut Findings<'_>) {
    let directory = &settings.store.directory;
    let length = directory.join(SOCKET_FILE).as_os_str().len();
    if length > LONGEST_SOCKET_PATH {
        let most = LONGEST_SOCKET_PATH.saturating_sub(SOCKET_FILE.len() + 1);
        let what = format!(
            "is {} bytes long, too long for the path of the socket {SOCKET_FILE} in it, which may have {LONGEST_SOCKET_PATH}",
            directory.as_os_str().len()
        );
        found.problem("store.directory", what, format!("name a directory of at most {most} bytes"));
    }
}

fn sessions(settings: &Settings, found: &mut Findings<'_>) {
    let timers = settings.sip.session_timers;
    if !timers.expires.is_zero() && timers.expires < timers.min {
        found.problem(
            "sip.session_expires",
            "is shorter than sip.session_min",
            "ask for no less than devices are granted, or \"0\" for none",
        );
    }
    if timers.min < SessionTimers::default().min {
        found.warning("sip.session_min", "is below the 90s of RFC 4028", "use it for tests only");
    }
}

fn addresses(settings: &Settings, found: &mut Findings<'_>) {
    if settings.sip.listen.is_empty() {
        found.problem(
            "sip.listen",
            "leaves no listener, so no phone can call",
            "enable at least one, or remove every [sip.listen.X] for the default ones",
        );
    }
    let told = [
        ("sip.advertised_address", &settings.sip.advertised_address),
        ("media.advertised_address", &settings.media.advertised_address),
    ];
    let told = told.into_iter().filter_map(|(key, address)| Some((key, (*address)?)));
    for (key, address) in told.chain(settings.media.webrtc_addresses.iter().map(|address| ("media.webrtc_addresses", *address))) {
        if address.is_unspecified() || address.is_multicast() {
            found.problem(
                key,
                format!("{address} is no address that anybody can send to"),
                "write the address by which others reach this machine",
            );
        }
    }
}

/// One claim on a port of this machine.
struct Claim {
    key: String,
    transport: ListenTransport,
    address: IpAddr,
    ports: RangeInclusive<u16>,
    /// A socket at an IPv6 address takes no IPv4: those of SIP have one of either family beside the other.
    is_v6_only: bool,
}

fn ports(settings: &Settings, found: &mut Findings<'_>) {
    let media = &settings.media;
    let mut claims: Vec<_> = settings
        .sip
        .listen
        .iter()
        .map(|(name, listen)| Claim {
            key: format!("sip.listen.{name}.port"),
            // TLS is carried by TCP.
            transport: if listen.transport == ListenTransport::Udp { ListenTransport::Udp } else { ListenTransport::Tcp },
            address: listen.address,
            ports: listen.port..=listen.port,
            is_v6_only: true,
        })
        .collect();
    let udp = |key: &str, ports| Claim {
        key: key.to_owned(),
        transport: ListenTransport::Udp,
        address: media.address,
        ports,
        is_v6_only: false,
    };
    let http = &settings.http;
    claims.push(Claim {
        key: "http.port".to_owned(),
        transport: ListenTransport::Tcp,
        address: http.address,
        ports: http.port..=http.port,
        is_v6_only: false,
    });
    claims.push(udp("media.rtp_ports", media.rtp_ports.clone()));
    claims.push(udp("media.webrtc_port", media.webrtc_ports()));
    if media.webrtc_ports().len() < media.worker_count() {
        found.problem(
            "media.webrtc_port",
            "leaves no port for every media worker",
            "choose a lower port: workers count up from it",
        );
    }
    // Port 0 is whichever is free.
    claims.retain(|claim| *claim.ports.start() != 0);
    for (index, later) in claims.iter().enumerate() {
        for earlier in claims.iter().take(index).filter(|earlier| overlap(earlier, later)) {
            let what = format!("claims {}, which {} claims too", range(&later.ports), earlier.key);
            found.problem(&later.key, what, "give each a port of its own");
        }
    }
}

fn overlap(a: &Claim, b: &Claim) -> bool {
    // `::` takes IPv4 along on most systems, where it is not told not to.
    let any = |claim: &Claim, other: &Claim| {
        let takes_both = claim.address.is_ipv6() && !claim.is_v6_only;
        claim.address.is_unspecified() && (takes_both || claim.address.is_ipv4() == other.address.is_ipv4())
    };
    let same_address = a.address == b.address || any(a, b) || any(b, a);
    a.transport == b.transport && same_address && a.ports.start() <= b.ports.end() && b.ports.start() <= a.ports.end()
}

fn range(ports: &RangeInclusive<u16>) -> String {
    if ports.start() == ports.end() {
        format!("port {}", ports.start())
    } else {
        format!("ports {} to {}", ports.start(), ports.end())
    }
}

fn plain_http(settings: &Settings, found: &mut Findings<'_>) {
    let http = &settings.http;
    if !http.address.is_loopback() && http.tls.is_none() && http.trusted_proxies.is_empty() {
        found.problem(
            "http.address",
            "plain HTTP would be open to the network: member links and cookies could be read on the way, and browsers give the microphone to https or localhost only",
            "set [http.tls] certificate and key, name your proxy in http.trusted_proxies, or listen on 127.0.0.1",
        );
    }
}

fn meetings(settings: &Settings, found: &mut Findings<'_>) {
    let mut ids = BTreeMap::new();
    for (name, meeting) in &settings.meetings {
        let key = |field: &str| format!("meeting.{name}.{field}");
        if let Some(id) = &meeting.conference_id {
            if let Some(other) = ids.insert(id, name) {
                let what = format!("{id:?} is the conference ID of meeting {other} too");
                found.problem(&key("conference_id"), what, "give each meeting an ID of its own");
            }
            if let Some(other) = settings.meetings.keys().find(|other| other.as_str() == id && *other != name) {
                found.problem(
                    &key("conference_id"),
                    format!("{id:?} is the name of another meeting, {other}"),
                    "dialling it could mean either: change one",
                );
            }
            if *id == settings.sip.menu_user {
                found.problem(&key("conference_id"), "is what sip.menu_user reaches the menu by", "change one of them");
            }
        }
        if name.as_str() == settings.sip.menu_user {
            found.problem(
                &format!("meeting.{name}"),
                "has the name that sip.menu_user reaches the menu by",
                "change one of them",
            );
        }
        for (field, secret) in [("passcode", &meeting.passcode), ("organiser_pin", &meeting.organiser_pin)] {
            let Some(secret) = secret else { continue };
            if !is_keyable(secret) {
                found.problem(&key(field), "is not made of 1 to 20 digits", "use digits only, as a phone can key them in");
            } else if secret.expose().len() < 4 {
                found.warning(&key(field), "is short enough to be guessed", "use at least four digits");
            }
        }
        if meeting.organiser_pin.is_some() && meeting.organiser_pin == meeting.passcode {
            found.problem(
                &key("organiser_pin"),
                "is the same as the passcode",
                "every caller would be an organiser: choose another",
            );
        }
        if meeting.bypass == Bypass::Everyone && meeting.passcode.is_none() {
            found.warning(
                &key("bypass"),
                "lets everybody in who dials, without lobby and passcode",
                "set a passcode, or another bypass",
            );
        }
    }
}

fn is_keyable(secret: &Secret) -> bool {
    let digits = secret.expose();
    (1..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whose calls are named like those of this device.
fn namesake(settings: &Settings, device: &str) -> Option<String> {
    match device {
        UNLISTED | UNKNOWN => Some("whoever has no entry".to_owned()),
        _ if settings.sip.trunks.contains_key(device) => Some(format!("[sip.trunk.{device}]")),
        _ if settings.sip.accounts.contains_key(device) => Some(format!("[sip.account.{device}]")),
        _ => None,
    }
}

fn devices(settings: &Settings, found: &mut Findings<'_>) {
    let (mut owners, mut users, mut tokens) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (name, device) in &settings.devices {
        if let Some(meeting) =
            device.default_meeting.as_ref().filter(|meeting| !settings.meetings.contains_key(*meeting) && !found.incomplete)
        {
            let known: Vec<_> = settings.meetings.keys().map(ToString::to_string).collect();
            let key = format!("device.{name}.default_meeting");
            found.problem(&key, format!("there is no [meeting.{meeting}]"), format!("known: {}", known.join(", ")));
        }
        let host = device.call.as_ref().and_then(|uri| uri.host.as_ref());
        let ours = |host: &Host| settings.sip.accounts.values().any(|account| account.registrar.host.as_ref() == Some(host));
        if let Some(host) = host.filter(|host| host.ip().is_none() && !ours(host)) {
            found.problem(
                &format!("device.{name}.call"),
                format!("we have no account at {host}"),
                "add a [sip.account.X] for it, or write the device's address in numbers",
            );
        }
        for network in &device.addresses {
            if let Some(other) = owners.insert(*network, format!("device {name}")) {
                let key = format!("device.{name}.address");
                found.problem(
                    &key,
                    format!("{network} is the address of {other} too"),
                    "one address belongs to one device or trunk",
                );
            }
        }
        if let Some(token) = &device.api_token {
            let key = format!("device.{name}.api_token");
            if let Some(other) = tokens.insert(token.expose(), name) {
                found.problem(&key, format!("is the API token of device {other} too"), "give each its own");
            }
            if let Some(other) = namesake(settings, name) {
                found.problem(
                    &key,
                    format!("would show the calls of {other} as well, which go by the same name"),
                    "rename the device",
                );
            }
        }
        let Some(login) = &device.login else { continue };
        if let Some(other) = users.insert(login.username.as_str(), name) {
            let key = format!("device.{name}.username");
            found.problem(&key, format!("{:?} is the user name of device {other} too", login.username), "give each its own");
        }
        if login.password.expose().len() < 8 {
            let key = format!("device.{name}.password");
            found.warning(&key, "is short enough to be guessed", "use at least eight characters, drawn at random");
        }
    }
    certificates(settings, found);
    for (name, trunk) in &settings.sip.trunks {
        for network in &trunk.addresses {
            if let Some(other) = owners.insert(*network, format!("trunk {name}")) {
                let key = format!("sip.trunk.{name}.addresses");
                found.problem(
                    &key,
                    format!("{network} is the address of {other} too"),
                    "one address belongs to one device or trunk",
                );
            }
        }
    }
}

/// A certificate's name belongs to one device or trunk, and somebody has to ask for certificates.
fn certificates(settings: &Settings, found: &mut Findings<'_>) {
    let devices = settings.devices.iter().map(|(name, device)| (format!("device.{name}"), &device.certificate));
    let trunks = settings.sip.trunks.iter().map(|(name, trunk)| (format!("sip.trunk.{name}"), &trunk.certificate));
    let asked = settings.sip.listen.values().any(|listen| listen.client_ca.is_some());
    let mut owners = BTreeMap::new();
    for (owner, certificate) in devices.chain(trunks) {
        let Some(certificate) = certificate else { continue };
        let key = format!("{owner}.certificate");
        if !asked {
            found.warning(&key, "is never seen: no listener asks for certificates", "set client_ca of a [sip.listen.X] with TLS");
        }
        if let Some(other) = owners.insert(certificate, owner) {
            found.problem(&key, format!("{certificate:?} is the certificate of {other} too"), "give each a name of its own");
        }
    }
}

/// Whether a directory is there and may be written, or could be made.
fn can_be_made(directory: &Path) -> Result<(), String> {
    let parents = directory.ancestors().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    let Some((nearest, metadata)) = parents.filter_map(|parent| Some((parent, parent.metadata().ok()?))).next() else {
        return Err("lies nowhere".to_owned());
    };
    if !metadata.is_dir() {
        return Err(format!("cannot be made: {} is not a directory", nearest.display()));
    }
    if metadata.permissions().readonly() {
        return Err(format!("cannot be written: {} is read-only", nearest.display()));
    }
    Ok(())
}
