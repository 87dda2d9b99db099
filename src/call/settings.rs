//! What calls are given: [`CallsSettings`] all of them, [`RuntimeConfig`] each new one, and [`CallSettings`] the machine of one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::router::{CallRouter, RoutedCall};
use crate::codec::CodecKind;
use crate::common::ids::{CallId, Ids, MeetingName};
use crate::common::redact::Redacted;
use crate::media::Media;
use crate::meeting::MeetingRegistry;
use crate::menu::{Addressed, Directory, SharedLockout};
use crate::prompt::Library;
use crate::relay;
use crate::sip;
use crate::speech::Synthesizer;
use crate::store;
use crate::telemetry::events::Events;
use crate::telemetry::metrics::Counted;

/// What new calls are given, and a reload of the configuration may change: each call keeps what it began with (O-2).
pub struct RuntimeConfig {
    /// Whom we answer.
    pub router: CallRouter,
    /// Organiser PINs by meeting.
    pub pins: Arc<BTreeMap<MeetingName, Redacted<String>>>,
    /// Voices.
    pub library: Arc<Library>,
    /// What reads the chat aloud, where it is configured.
    pub speaker: Option<Synthesizer>,
    /// Codecs, best first.
    pub codecs: Vec<CodecKind>,
}

/// What all calls share.
pub struct CallsSettings {
    /// Names presences, and the calls that we place.
    pub ids: Ids,
    /// What is configured at the moment.
    pub runtime_config: watch::Receiver<Arc<RuntimeConfig>>,
    /// The address for RTP, if not the one that the device's SIP came in on.
    pub address: Option<IpAddr>,
    /// The address that devices are told, behind a NAT.
    pub advertised: Option<IpAddr>,
    /// Addresses of this machine: media goes there only for who is there.
    pub own: Vec<IpAddr>,
    /// Media.
    pub media: Media,
    /// Meetings.
    pub registry: MeetingRegistry,
    /// SIP.
    pub sip: sip::Handle,
    /// How numbers are keyed in for chat by SMS, where a provider is configured (C-2).
    pub numbering: Option<relay::NumberingPlan>,
    /// Wrong codes of late, of calls and pages alike (K-1).
    pub lockout: SharedLockout,
    /// Records.
    pub store: store::StoreHandle,
    /// For those who look after it.
    pub counted: Counted,
    /// What happens (M-17).
    pub raised: Events,
}

/// What the machine of a call is given at its start.
pub(super) struct CallSettings {
    /// Its name.
    pub(super) call: CallId,
    /// Its display shows texts (C-10).
    pub(super) text: bool,
    /// The chat can be read aloud.
    pub(super) speaks: bool,
    /// Chat by SMS is to be had, with numbers keyed in like this (C-2).
    pub(super) chat: Option<relay::NumberingPlan>,
    /// What was dialled.
    pub(super) addressed: Addressed,
    /// The meetings a code may lead to.
    pub(super) directory: Arc<Directory>,
    /// Organiser PINs by meeting.
    pub(super) pins: Arc<BTreeMap<MeetingName, Redacted<String>>>,
    /// Voices.
    pub(super) library: Arc<Library>,
    /// The device's language (K-5).
    pub(super) language: String,
}

impl CallSettings {
    /// For a call that is routed like this.
    pub(super) fn new(call: CallId, routed: &RoutedCall, config: &RuntimeConfig, chat: Option<relay::NumberingPlan>) -> Self {
        Self {
            call,
            text: routed.text,
            speaks: config.speaker.is_some(),
            chat,
            addressed: routed.addressed.clone(),
            directory: Arc::clone(&config.router.directory),
            pins: Arc::clone(&config.pins),
            library: Arc::clone(&config.library),
            language: routed.language.clone(),
        }
    }
}
