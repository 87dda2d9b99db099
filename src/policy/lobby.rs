//! The lobby (M-5, M-6, M-9): who waits, for what, and until when; and the right to a seat, as a value (M-8).

use std::time::{Duration, Instant};

use crate::common::ids::ParticipantId;

/// Who may pass the lobby without being admitted by hand (M-6).
///
/// It concerns externals only: a member never waits. Roomgate knows an external by nothing but the role, so an external is never
/// of the organisation, trusted, invited or an organiser, and every policy but [`Bypass::Everyone`] sends it to the lobby.
/// Under each of them an external enters only while a member is present (M-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Bypass {
    /// Everyone: no lobby once a member is present.
    Everyone,
    /// People of the organisation and of trusted ones.
    OrganisationAndTrusted,
    /// People of the organisation and their guests.
    Organisation,
    /// People of the organisation alone.
    OrganisationWithoutGuests,
    /// Those who were invited.
    Invited,
    /// Organisers only.
    #[default]
    Organisers,
}

impl Bypass {
    /// An external passes without being admitted by hand.
    #[must_use]
    pub const fn lets_externals_pass(self) -> bool {
        matches!(self, Self::Everyone)
    }
}

/// Who may have devices called into a meeting (S-9). The operator always may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CallRooms {
    /// Its organiser, or a call that gave the organiser's PIN (K-2).
    #[default]
    Organiser,
    /// Its members.
    Members,
    /// Nobody.
    Nobody,
}

/// What a meeting's host organisation has set. Changes reach a running meeting as a fact and hold for those who wait now;
/// they never put out somebody who is inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySettings {
    /// Who passes the lobby (M-6).
    pub bypass: Bypass,
    /// Bridged devices pass the lobby too (M-6). Default off.
    pub devices_bypass: bool,
    /// Who may have devices called into it (S-9). Default: the organiser.
    pub call_rooms: CallRooms,
    /// The longest wait, counted from the knock (M-9). Default 30 minutes.
    pub lobby_timeout: Duration,
    /// How long before the end of the wait it is announced (M-9). Default one minute. Of a wait that is shorter than twice as long: half-way
    /// through.
    pub lobby_warning: Duration,
    /// Time between two comfort messages while waiting (K-6); zero for none. Default 30 s.
    pub comfort_interval: Duration,
    /// How long a meeting goes on that only externals are left in (M-10). Default 90 minutes.
    pub externals_only_timeout: Duration,
    /// How long a meeting that nobody is in or waiting for is kept, so that a re-dial finds it again. Default 10 s.
    pub empty_timeout: Duration,
    /// An external may lift a host's mute itself (K-4). Default off.
    pub unmute_after_host_mute: bool,
    /// A call that gave the organiser's PIN counts as a member present (K-2). Default off.
    pub pin_counts_as_member: bool,
    /// How many there may be (M-14).
    pub limits: MeetingLimits,
}

/// How many a meeting takes (M-14). Who waits takes nobody's place inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeetingLimits {
    /// Inside, members and externals together; as many browsers may wait besides. Default 1000.
    pub participants: usize,
    /// Externals inside. Default 350.
    pub externals: usize,
    /// With more inside than that the chat is off, and sound stays. Default 250.
    pub in_chat: usize,
}

impl Default for MeetingLimits {
    fn default() -> Self {
        Self { participants: 1000, externals: 350, in_chat: 250 }
    }
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            bypass: Bypass::default(),
            devices_bypass: false,
            call_rooms: CallRooms::default(),
            lobby_timeout: Duration::from_secs(30 * 60),
            lobby_warning: Duration::from_secs(60),
            comfort_interval: Duration::from_secs(30),
            externals_only_timeout: Duration::from_secs(90 * 60),
            empty_timeout: Duration::from_secs(10),
            unmute_after_host_mute: false,
            pin_counts_as_member: false,
            limits: MeetingLimits::default(),
        }
    }
}

/// One external's wait, from the knock to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    /// When it knocked.
    pub(super) since: Instant,
    /// The coming end was announced.
    pub(super) warned: bool,
    /// When comfort was last given.
    pub(super) comforted: Instant,
}

impl Wait {
    pub(super) const fn new(now: Instant) -> Self {
        Self { since: now, warned: false, comforted: now }
    }

    /// When the wait ends by itself (M-9).
    pub(super) fn ends_at(&self, settings: &PolicySettings) -> Option<Instant> {
        self.since.checked_add(settings.lobby_timeout)
    }

    /// When the end is announced (M-9); `None` once it was.
    pub(super) fn warns_at(&self, settings: &PolicySettings) -> Option<Instant> {
        let before = settings.lobby_warning.min(settings.lobby_timeout / 2);
        let after = settings.lobby_timeout.saturating_sub(before);
        if self.warned { None } else { self.since.checked_add(after) }
    }

    /// When the next comfort message is due (K-6).
    pub(super) fn comforts_at(&self, settings: &PolicySettings) -> Option<Instant> {
        if settings.comfort_interval.is_zero() { None } else { self.comforted.checked_add(settings.comfort_interval) }
    }
}

/// One participant's right to be seated, once. Only the policy mints it; seating consumes it. It cannot be copied, stored away
/// for a second use, or made by code that does not ask (M-8, M-18).
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an admission that is dropped seats nobody"]
pub struct Admission {
    participant: ParticipantId,
}

impl Admission {
    /// Called from one place, where the derived view says inside and nothing was announced yet.
    pub(super) const fn mint(participant: ParticipantId) -> Self {
        Self { participant }
    }

    /// Whom it seats.
    #[must_use]
    pub const fn participant(&self) -> ParticipantId {
        self.participant
    }
}
