//! What can be subscribed to, and what a SUBSCRIBE asks for (RFC 6665).

use crate::sip::message::uri::Params;
use crate::sip::message::{Request, StatusCode, header_names};
use crate::sip::transaction::{Header, Reply};

/// A shorter wish is refused (RFC 6665 section 4.2.1.1).
const SHORTEST: u32 = 60;
/// Without a wish, and the longest life, in seconds.
const LONGEST: u32 = 3600;

/// What can be subscribed to, as in `Event` and `Allow-Events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Package {
    Conference,
    Dialog,
    MessageSummary,
    Presence,
}

impl Package {
    const ALL: [Self; 4] = [Self::Conference, Self::Dialog, Self::MessageSummary, Self::Presence];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Conference => "conference",
            Self::Dialog => "dialog",
            Self::MessageSummary => "message-summary",
            Self::Presence => "presence",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|package| package.name() == name)
    }
}

/// `Event` and `Expires` of a SUBSCRIBE.
#[derive(Debug)]
pub(super) struct SubscriptionRequest {
    pub(super) package: Package,
    pub(super) id: Option<String>,
    /// Zero: the state once, or the end of the subscription.
    pub(super) life: u32,
}

/// 489: what was asked for cannot be subscribed to, or not there.
pub(super) fn bad_event() -> Reply {
    let events: Header = (header_names::ALLOW_EVENTS, Package::ALL.map(Package::name).join(", "));
    Reply::new(StatusCode::BadEvent).with([events])
}

pub(super) fn requested(request: &Request) -> Result<SubscriptionRequest, Reply> {
    let event = request.headers.get(header_names::EVENT).unwrap_or_default();
    let (name, params) = event.split_once(';').unwrap_or((event, ""));
    let package = Package::parse(name.trim()).ok_or_else(bad_event)?;
    let id = Params::parse(params).get("id").map(str::to_owned);
    let life =
        request.headers.get(header_names::EXPIRES).map_or(LONGEST, |value| value.trim().parse().unwrap_or(LONGEST)).min(LONGEST);
    if (1..SHORTEST).contains(&life) {
        return Err(Reply::new(StatusCode::IntervalTooBrief).with([(header_names::MIN_EXPIRES, SHORTEST.to_string())]));
    }
    Ok(SubscriptionRequest { package, id, life })
}
