//! What the Contacts of a REGISTER ask for.

use crate::sip::message::Request;
use crate::sip::message::header::NameAddr;
use crate::sip::message::header_names;
use crate::sip::message::uri::{Scheme, Uri};

/// Contacts of one request.
const MOST: usize = 32;
/// Bytes of one contact.
const LONGEST: usize = 1024;
/// What an expiry that cannot be read counts as (RFC 3261 section 10.2.1.1).
const UNREADABLE: u32 = 3600;

/// All of them.
pub(super) enum Contacts {
    /// None: what is bound now?
    None,
    /// `*` with `Expires: 0`: forget everything.
    All,
    /// Contacts to bind, or to forget.
    Some(Vec<AskedContact>),
}

/// One of them.
pub(super) struct AskedContact {
    pub(super) uri: Uri,
    /// The preference among several, in thousandths.
    pub(super) q: u16,
    /// Seconds; `None`: the registrar decides.
    pub(super) expires: Option<u32>,
    /// `+sip.instance`, without quotes.
    pub(super) instance: Option<String>,
    pub(super) reg_id: Option<u32>,
}

impl Contacts {
    /// `None` when they make no sense: 400.
    pub(super) fn read(request: &Request) -> Option<Self> {
        let expires = request.headers.get(header_names::EXPIRES).map(seconds);
        let values: Vec<&str> = request.headers.values(header_names::CONTACT).take(MOST + 1).collect();
        if values.is_empty() {
            return Some(Self::None);
        }
        if values.contains(&"*") {
            return (values.len() == 1 && expires == Some(0)).then_some(Self::All);
        }
        let asked: Option<Vec<AskedContact>> = values.iter().map(|value| AskedContact::read(value, expires)).collect();
        asked.filter(|asked| asked.len() <= MOST).map(Self::Some)
    }
}

impl AskedContact {
    fn read(value: &str, expires: Option<u32>) -> Option<Self> {
        let contact = NameAddr::parse(value).filter(|_| value.len() <= LONGEST)?;
        let callable = matches!(contact.uri.scheme, Scheme::Sip | Scheme::Sips) && contact.uri.host.is_some();
        let instance = contact.params.get("+sip.instance").map(|quoted| quoted.trim_matches('"').to_owned());
        callable.then(|| Self {
            q: contact.params.get("q").and_then(thousandths).unwrap_or(1000),
            expires: contact.params.get("expires").map(seconds).or(expires),
            reg_id: contact.params.get("reg-id").and_then(|id| id.parse().ok()).filter(|id| *id > 0),
            instance: instance.filter(|instance| !instance.is_empty()),
            uri: contact.uri,
        })
    }
}

fn seconds(text: &str) -> u32 {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().unwrap_or(u32::MAX) } else { UNREADABLE }
}

/// `0.7` as 700; RFC 3261 section 25.1 allows three places.
fn thousandths(text: &str) -> Option<u16> {
    let value: f32 = text.trim().parse().ok().filter(|q| (0.0..=1.0).contains(q))?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000 by the line above")]
    Some((value * 1000.0).round() as u16)
}
