//! Who is in a meeting or knocks at it, as far as media and messages need to know: the policy knows the rest.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::common::ids::{CallId, ParticipantId, PeerId, PortId};
use crate::common::log_limit::LogLimit;
use crate::common::rate_limit::TokenBucket;
use crate::media::{Gate, MediaEnd};
use crate::meeting::join::PasscodeProof;
use crate::meeting::messages::{KnownDevice, ToPage};
use crate::meeting::page_feed::PageFeed;
use crate::meeting::request_rate::RequestRate;
use crate::meeting::roster::{ParticipantOrigin, ParticipantOrigins, RowContext, SmsReaders};
use crate::meeting::service::RoomPerson;
use crate::policy::{Admission, Role};
use crate::store::Phone;

/// Somebody in a browser.
pub(super) struct Page {
    pub(super) role: Role,
    pub(super) feed: PageFeed,
    pub(super) peer: Option<PeerId>,
    /// The right to a seat, until there is a connection to seat.
    pub(super) admission: Option<Admission>,
    pub(super) seated: bool,
    pub(super) gate: Gate,
    /// Its signalling is connected (M-5).
    pub(super) connected: bool,
    /// Its ICE consent is alive (M-5); true until there is a connection.
    pub(super) consent: bool,
    pub(super) requests: RequestRate,
    /// Its address.
    pub(super) address: Option<IpAddr>,
    /// What it has shown of the passcode (K-1).
    pub(super) proof: PasscodeProof,
    /// Under what its host's mute is kept (K-4).
    pub(super) identity: Option<String>,
    /// Under what it is remembered once it is denied (M-14).
    pub(super) denial_key: String,
}

/// A device.
pub(super) struct Guest {
    pub(super) call: CallId,
    pub(super) port: PortId,
    pub(super) phone: Phone,
    /// Its name, as it has given it.
    pub(super) name: String,
    /// Its label.
    pub(super) device: String,
    /// Under what its mute is kept (K-4).
    pub(super) identity: String,
    /// A configured device, proven.
    pub(super) known: bool,
    pub(super) requests: RequestRate,
    /// In which notices are spoken to it.
    pub(super) language: String,
    /// The chat is shown on its display, or read aloud.
    pub(super) text: bool,
    /// It wants to know who is inside.
    pub(super) watches: bool,
    /// Sound has passed between it and the meeting.
    pub(super) joined: bool,
    /// The relay knows of it.
    pub(super) entered_relay: bool,
    pub(super) inbound_texts: TokenBucket,
    pub(super) texts_refused: LogLimit,
}

impl Guest {
    /// Who it is, as far as it has shown it (M-1).
    pub(super) fn origin(&self) -> ParticipantOrigin {
        if self.known {
            let (label, proven_by) = (self.device.clone(), self.phone.proof.clone());
            return ParticipantOrigin::Device(KnownDevice { label, proven_by });
        }
        let address = &self.phone.address;
        let address = address.parse::<SocketAddr>().map_or_else(|_| address.clone(), |address| address.ip().to_string());
        let caller = self.phone.caller.to_string();
        ParticipantOrigin::Elsewhere(if caller.is_empty() { address } else { format!("{caller} ({address})") })
    }
}

/// Somebody in the room of the meeting's service.
pub(super) struct RemotePerson {
    /// As the room has told it last.
    pub(super) told: RoomPerson,
    /// Its lines for the chat, which may go on by SMS.
    pub(super) texts: TokenBucket,
    /// Where its sound arrives.
    pub(super) end: Option<MediaEnd>,
    /// The right to a seat, until there is an end to seat.
    pub(super) admission: Option<Admission>,
    pub(super) seated: bool,
    pub(super) gate: Gate,
}

/// Everybody, by participant.
#[derive(Default)]
pub(super) struct ParticipantTable {
    pub(super) remote: BTreeMap<ParticipantId, RemotePerson>,
    pub(super) pages: BTreeMap<ParticipantId, Page>,
    pub(super) guests: BTreeMap<ParticipantId, Guest>,
    pub(super) origins: ParticipantOrigins,
    /// Who reads the chat by SMS around each device (C-2).
    pub(super) readers: SmsReaders,
}

impl ParticipantTable {
    /// What is shown of people beside what the policy knows.
    pub(super) const fn row_context(&self) -> RowContext<'_> {
        RowContext { joins: &self.readers, origins: &self.origins }
    }

    /// The call of a device.
    pub(super) fn call_of(&self, who: ParticipantId) -> Option<CallId> {
        self.guests.get(&who).map(|guest| guest.call)
    }

    /// Who somebody is beyond this presence (K-4).
    pub(super) fn identity_of(&self, who: ParticipantId) -> Option<String> {
        let page = self.pages.get(&who).and_then(|page| page.identity.clone());
        page.or_else(|| self.guests.get(&who).map(|guest| guest.identity.clone()))
    }

    /// Somebody from outside who is no known device.
    pub(super) fn is_stranger(&self, who: ParticipantId) -> bool {
        let page = self.pages.get(&who).is_some_and(|page| page.role == Role::External);
        page || self.guests.get(&who).is_some_and(|guest| !guest.known)
    }

    /// Where somebody's sound comes from and goes to.
    pub(super) fn media_end(&self, who: ParticipantId) -> Option<MediaEnd> {
        let guest = self.guests.get(&who).map(|guest| MediaEnd::Port(guest.port));
        let page = || self.pages.get(&who)?.peer.map(MediaEnd::Peer);
        guest.or_else(page).or_else(|| self.remote.get(&who)?.end)
    }

    /// Who this is in the room of the meeting's service, by its key there.
    pub(super) fn remote_of(&self, key: &str) -> Option<ParticipantId> {
        self.remote.iter().find(|(_, person)| person.told.key == key).map(|(who, _)| *who)
    }

    /// What else this person has here, known by `identity`. Callers who are not known may be several under one name, and are each for
    /// themselves.
    pub(super) fn others_of(&self, identity: &str, but: ParticipantId) -> Vec<ParticipantId> {
        let pages = self.pages.iter().filter(|(_, page)| page.identity.as_deref() == Some(identity)).map(|(who, _)| *who);
        let calls = self.guests.iter().filter(|(_, guest)| guest.identity == identity && guest.known).map(|(who, _)| *who);
        pages.chain(calls).filter(|who| *who != but).collect()
    }

    /// All calls of this identity.
    pub(super) fn calls_of(&self, identity: &str) -> impl Iterator<Item = ParticipantId> {
        self.guests.iter().filter(move |(_, guest)| guest.identity == identity).map(|(who, _)| *who)
    }

    /// Says something to a page, where somebody has one.
    pub(super) fn tell_page(&self, who: ParticipantId, what: ToPage) {
        if let Some(page) = self.pages.get(&who) {
            page.feed.say(what);
        }
    }

    /// Forgets a device.
    pub(super) fn remove_guest(&mut self, who: ParticipantId) -> Option<Guest> {
        self.readers.remove(&who);
        self.origins.remove(&who);
        self.guests.remove(&who)
    }
}
