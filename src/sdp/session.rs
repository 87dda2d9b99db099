//! [`SessionDescription`]: read leniently, printed exactly (RFC 8866).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::hold::Direction;

/// The media type of a session description in `Content-Type` and `Accept`.
pub const CONTENT_TYPE: &str = "application/sdp";

/// Longest body that is read; room systems with video and several crypto lines stay below a quarter of this.
pub const MAX_BYTES: usize = 32 * 1024;
/// Most `m=` lines in a description. All of them have to be answered, so one more refuses the whole body.
pub const MAX_MEDIA: usize = 32;
/// Most attributes kept per section; later ones are ignored.
pub(super) const MAX_ATTRIBUTES: usize = 256;
/// Most formats kept per `m=` line; later ones are ignored.
pub(super) const MAX_FORMATS: usize = 64;

/// A body that is no session description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Above [`MAX_BYTES`].
    #[error("the session description is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// More than [`MAX_MEDIA`] `m=` lines.
    #[error("the session description has more than {MAX_MEDIA} media lines")]
    TooManyMedia,
    /// Not one line of the form `x=...`.
    #[error("the body has no line of a session description")]
    NotSdp,
}

/// A host as written in `o=`, `c=` or `a=rtcp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SdpHost {
    /// An address; IPv4 inside IPv6 is unwrapped.
    Ip(IpAddr),
    /// A name. Who answers looks it up beforehand, and [`super::resolve`]s it.
    Name(String),
}

/// The `o=` line. Text fields, because phones put anything there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdpOrigin {
    /// User, `-` where there is none.
    pub user: String,
    /// Session id: stays through a dialog.
    pub id: String,
    /// Session version: counts up whenever the description changes.
    pub version: String,
    /// Where the session was made.
    pub host: SdpHost,
}

/// One `a=` line.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Before the colon.
    pub name: String,
    /// After the colon.
    pub value: Option<String>,
}

/// One `m=` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaSection {
    /// `audio`, `video`, `application`…
    pub kind: String,
    /// Port; 0 where the stream is refused or closed.
    pub port: u16,
    /// Such as `RTP/AVP`.
    pub protocol: String,
    /// Payload types, for RTP.
    pub formats: Vec<String>,
    /// Own `c=` line.
    pub connection: Option<SdpHost>,
    /// Attributes in their order.
    pub attributes: Vec<Attribute>,
}

/// A session description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDescription {
    /// The `o=` line.
    pub origin: SdpOrigin,
    /// The `c=` line above all media.
    pub connection: Option<SdpHost>,
    /// The `t=` line, `0 0` where missing.
    pub timing: String,
    /// Attributes above all media, in their order.
    pub attributes: Vec<Attribute>,
    /// The media, in their order: an answer has the same number in the same order.
    pub media: Vec<MediaSection>,
}

/// What an `a=rtpmap` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpMap<'a> {
    /// Encoding name; compared without regard to case.
    pub name: &'a str,
    /// RTP clock rate in Hz.
    pub clock: u32,
    /// Channels, 1 where not said.
    pub channels: u8,
}

// === reading ===

impl SessionDescription {
    /// Reads a body, as leniently as can be done without guessing.
    ///
    /// # Errors
    /// [`ParseError`] if it is no session description at all or passes a bound.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        if body.len() > MAX_BYTES {
            return Err(ParseError::TooLong);
        }
        let text = String::from_utf8_lossy(body);
        let mut session = Self {
            origin: SdpOrigin::read(""),
            connection: None,
            timing: "0 0".to_owned(),
            attributes: Vec::new(),
            media: Vec::new(),
        };
        let mut recognised = false;
        // A lone CR ends a line too: so no field can carry one into what we print.
        for line in text.split(['\r', '\n']) {
            let Some((kind, value)) = line.trim_start().split_once('=') else { continue };
            let value = value.trim();
            match kind.trim_end() {
                "v" => {}
                "o" => session.origin = SdpOrigin::read(value),
                "t" => {
                    let timing = printable(value);
                    if !timing.trim().is_empty() {
                        timing.trim().clone_into(&mut session.timing);
                    }
                }
                "m" => {
                    if session.media.len() >= MAX_MEDIA {
                        return Err(ParseError::TooManyMedia);
                    }
                    session.media.push(MediaSection::read(value));
                }
                "c" => {
                    let host = value.split_whitespace().next_back().map(SdpHost::read);
                    match session.media.last_mut() {
                        Some(media) => media.connection = host,
                        None => session.connection = host,
                    }
                }
                "a" => {
                    let list = session.media.last_mut().map_or(&mut session.attributes, |media| &mut media.attributes);
                    if list.len() < MAX_ATTRIBUTES {
                        list.extend(Attribute::read(value));
                    }
                }
                _ => continue,
            }
            recognised = true;
        }
        if recognised { Ok(session) } else { Err(ParseError::NotSdp) }
    }

    /// Where the RTP of `media` goes: its own `c=` line, or else the session's.
    #[must_use]
    pub fn connection_of<'a>(&'a self, media: &'a MediaSection) -> Option<&'a SdpHost> {
        media.connection.as_ref().or(self.connection.as_ref())
    }

    /// Which way `media` flows, seen from the describer: its own attribute, or else the session's, or else both ways.
    #[must_use]
    pub fn direction_of(&self, media: &MediaSection) -> Direction {
        direction(&media.attributes).or_else(|| direction(&self.attributes)).unwrap_or(Direction::SendRecv)
    }

    /// Packet duration asked for (`a=ptime`), on the media or, as some write it, above all media.
    #[must_use]
    pub fn ptime_of(&self, media: &MediaSection) -> Option<Duration> {
        milliseconds(&media.attributes, "ptime").or_else(|| milliseconds(&self.attributes, "ptime"))
    }

    /// Longest packet duration taken (`a=maxptime`).
    #[must_use]
    pub fn maxptime_of(&self, media: &MediaSection) -> Option<Duration> {
        milliseconds(&media.attributes, "maxptime").or_else(|| milliseconds(&self.attributes, "maxptime"))
    }
}

impl MediaSection {
    fn read(value: &str) -> Self {
        let mut words = value.split_whitespace().map(token);
        let kind = words.next().filter(|word| !word.is_empty()).unwrap_or_else(|| "unknown".to_owned());
        // `49170/2` counts ports, of which only the first is ours to use.
        let port = words.next().and_then(|word| word.split('/').next().and_then(|port| port.parse().ok())).unwrap_or(0);
        let protocol = words.next().filter(|word| !word.is_empty()).unwrap_or_else(|| "RTP/AVP".to_owned());
        let formats = words.filter(|word| !word.is_empty()).take(MAX_FORMATS).collect();
        Self { kind, port, protocol, formats, connection: None, attributes: Vec::new() }
    }

    /// Whether this is sound, whatever its transport.
    #[must_use]
    pub fn is_audio(&self) -> bool {
        self.kind.eq_ignore_ascii_case("audio")
    }

    /// Whether this is sound that is not closed by port 0 (RFC 3264 section 6).
    #[must_use]
    pub fn is_open_audio(&self) -> bool {
        self.is_audio() && self.port != 0
    }

    /// The payload types in their order, without those that are none.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> + '_ {
        self.formats.iter().filter_map(|format| format.parse().ok()).filter(|payload_type| *payload_type < 128)
    }

    /// The first attribute called `name`; the inner `None` is an attribute without a value.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Option<&str>> {
        find(&self.attributes, name)
    }

    /// What `a=rtpmap` says of a payload type.
    #[must_use]
    pub fn rtpmap(&self, payload_type: u8) -> Option<RtpMap<'_>> {
        let mut parts = self.mapped("rtpmap", payload_type)?.split('/').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let clock = parts.next()?.parse().ok()?;
        let channels = parts.next().and_then(|channels| channels.parse().ok()).unwrap_or(1);
        Some(RtpMap { name, clock, channels })
    }

    /// What `a=fmtp` says of a payload type.
    #[must_use]
    pub fn fmtp(&self, payload_type: u8) -> Option<&str> {
        self.mapped("fmtp", payload_type)
    }

    /// Whether RTP and RTCP may share a port (RFC 5761).
    #[must_use]
    pub fn has_rtcp_mux(&self) -> bool {
        self.attribute("rtcp-mux").is_some()
    }

    /// Where RTCP goes (RFC 3605), given where RTP goes: there as well where they share a port, else to the next port unless said otherwise.
    #[must_use]
    pub fn rtcp(&self, rtp: SocketAddr, shares_port: bool) -> SocketAddr {
        if shares_port {
            return rtp;
        }
        let next = SocketAddr::new(rtp.ip(), rtp.port().checked_add(1).unwrap_or(rtp.port()));
        let Some(Some(value)) = self.attribute("rtcp") else { return next };
        let mut words = value.split_whitespace();
        let Some(port) = words.next().and_then(|port| port.parse().ok()).filter(|port| *port != 0) else { return next };
        match words.nth(2).map(SdpHost::read) {
            Some(SdpHost::Ip(ip)) if is_usable(ip) => SocketAddr::new(ip, port),
            _ => SocketAddr::new(rtp.ip(), port),
        }
    }

    fn mapped(&self, name: &str, payload_type: u8) -> Option<&str> {
        self.attributes.iter().filter(|attribute| attribute.name.eq_ignore_ascii_case(name)).find_map(|attribute| {
            let (number, rest) = attribute.value.as_deref()?.trim_start().split_once([' ', '\t'])?;
            (number.parse() == Ok(payload_type)).then(|| rest.trim())
        })
    }
}

impl SdpOrigin {
    fn read(value: &str) -> Self {
        let mut words = value.split_whitespace();
        let mut word = |default: &str| words.next().map(token).filter(|w| !w.is_empty()).unwrap_or_else(|| default.to_owned());
        let (user, id, version) = (word("-"), word("0"), word("0"));
        let host = words.nth(2).map_or(SdpHost::Ip(IpAddr::from([0, 0, 0, 0])), SdpHost::read);
        Self { user, id, version, host }
    }
}

impl Attribute {
    /// `a=name` or `a=name:value`.
    #[must_use]
    pub fn new(name: &str, value: Option<String>) -> Self {
        Self { name: name.to_owned(), value }
    }

    fn read(text: &str) -> Option<Self> {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, Some(printable(value))),
            None => (text, None),
        };
        let name = token(name.trim());
        (!name.is_empty()).then_some(Self { name, value })
    }
}

impl fmt::Debug for Attribute {
    /// Without the keys of `a=crypto`, also where they stand in a capability (O-5).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = [&self.name, self.value.as_ref().unwrap_or(&self.name)]
            .iter()
            .any(|text| text.to_ascii_lowercase().contains("crypto"));
        let value = if secret { Some("***") } else { self.value.as_deref() };
        f.debug_struct("Attribute").field("name", &self.name).field("value", &value).finish()
    }
}

impl SdpHost {
    /// Reads an address with or without brackets, zone (`%eth0`) or multicast suffix (`/127`); anything else is a name.
    #[must_use]
    pub fn read(text: &str) -> Self {
        // Cleaned first: what is printed must be read the same again.
        let text = token(text);
        let bare = text.split(['/', '%']).next().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(ip) => Self::Ip(ip.to_canonical()),
            // `invalid` resolves nowhere, by RFC 2606.
            Err(_) => Self::Name(if bare.is_empty() { "invalid" } else { bare }.to_owned()),
        }
    }

    /// `0.0.0.0` or `::`, which in `c=` means: send me nothing (RFC 3264 section 8.4).
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        matches!(self, Self::Ip(ip) if ip.is_unspecified())
    }
}

/// An address that one stream of RTP can be sent to.
pub(super) const fn is_usable(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<Option<&'a str>> {
    attributes.iter().find(|a| a.name.eq_ignore_ascii_case(name)).map(|a| a.value.as_deref())
}

/// The last direction among `attributes`: where a broken peer writes two, the later one was added on purpose.
fn direction(attributes: &[Attribute]) -> Option<Direction> {
    attributes.iter().rev().find_map(|attribute| Direction::from_name(&attribute.name))
}

fn milliseconds(attributes: &[Attribute], name: &str) -> Option<Duration> {
    let value: f64 = find(attributes, name)??.trim().parse().ok()?;
    Duration::try_from_secs_f64(value / 1000.0).ok().filter(|time| !time.is_zero())
}

/// Visible ASCII only: what may stand between the blanks of an SDP line.
fn token(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).collect()
}

fn printable(text: &str) -> String {
    let visible: String = text.chars().filter(|c| !c.is_control()).collect();
    visible.trim().to_owned()
}

// === printing ===

impl fmt::Display for SessionDescription {
    /// Every line in the order of RFC 8866 section 5, each ended by CRLF.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v=0\r\no={}\r\ns=-\r\n", self.origin)?;
        if let Some(connection) = &self.connection {
            write!(f, "c={connection}\r\n")?;
        }
        write!(f, "t={}\r\n", self.timing)?;
        self.attributes.iter().try_for_each(|attribute| write!(f, "{attribute}"))?;
        self.media.iter().try_for_each(|media| write!(f, "{media}"))
    }
}

impl fmt::Display for MediaSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {} {}", self.kind, self.port, self.protocol)?;
        self.formats.iter().try_for_each(|format| write!(f, " {format}"))?;
        // The grammar wants one format at least, even where the stream is refused.
        if self.formats.is_empty() {
            f.write_str(" 0")?;
        }
        f.write_str("\r\n")?;
        if let Some(connection) = &self.connection {
            write!(f, "c={connection}\r\n")?;
        }
        self.attributes.iter().try_for_each(|attribute| write!(f, "{attribute}"))
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "a={}:{value}\r\n", self.name),
            None => write!(f, "a={}\r\n", self.name),
        }
    }
}

impl fmt::Display for SdpOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.user, self.id, self.version, self.host)
    }
}

impl fmt::Display for SdpHost {
    /// With network and address type: `IN IP4 192.0.2.1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip @ IpAddr::V4(_)) => write!(f, "IN IP4 {ip}"),
            Self::Ip(ip @ IpAddr::V6(_)) => write!(f, "IN IP6 {ip}"),
            Self::Name(name) => write!(f, "IN IP4 {name}"),
        }
    }
}
