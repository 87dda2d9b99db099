//! What of the outbox is on the disk: its rows as the [store](crate::store) has them, with times by the calendar in the place of
//! times by the clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::common::units::unix_millis;
use crate::relay::PhoneNumber;
use crate::relay::outbox::{OutboxRow, RowState};
use crate::relay::segment::Coding;
use crate::relay::sms::{OutgoingSms, PartInfo};
use crate::store::{SmsPart, SmsState, StoredSms};

/// One moment by both.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowClock {
    pub(super) now: Instant,
    pub(super) today: SystemTime,
}

/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

impl RowClock {
    /// Days since 1970 (UTC).
    pub(super) fn day(self) -> u64 {
        unix_millis(self.today) / DAY
    }

    /// How much of the day is left.
    pub(super) fn day_left(self) -> Duration {
        Duration::from_millis(DAY - unix_millis(self.today) % DAY)
    }

    /// Milliseconds since 1970.
    pub(super) fn date(self, at: Instant) -> u64 {
        unix_millis(self.today + at.saturating_duration_since(self.now))
    }

    /// What is past is now.
    fn instant(self, date: u64) -> Instant {
        self.now + Duration::from_millis(date.saturating_sub(unix_millis(self.today)))
    }
}

pub(super) fn store(clock: RowClock, row: OutboxRow) -> StoredSms {
    let OutboxRow { sms, state, until } = row;
    let part =
        |cut: PartInfo| SmsPart { ucs2: cut.coding == Coding::Ucs2, joined: cut.reference, total: cut.total, part: cut.number };
    StoredSms {
        id: sms.id,
        reference: sms.reference,
        number: sms.to.expose().to_owned(),
        text: sms.text,
        part: sms.cut.map(part),
        state: match state {
            RowState::Waiting => SmsState::Waiting,
            RowState::Submitted => SmsState::Submitted,
            RowState::Accepted(name) => SmsState::Accepted(name),
        },
        created_at: unix_millis(sms.created),
        expires_at: clock.date(until),
    }
}

/// `None`: somebody else has changed the store, this is no number.
pub(super) fn load(clock: RowClock, stored: StoredSms) -> Option<OutboxRow> {
    let cut = |part: SmsPart| PartInfo {
        coding: if part.ucs2 { Coding::Ucs2 } else { Coding::Gsm7 },
        reference: part.joined,
        total: part.total,
        number: part.part,
    };
    Some(OutboxRow {
        sms: OutgoingSms {
            id: stored.id,
            reference: stored.reference,
            to: PhoneNumber::parse(&stored.number)?,
            text: stored.text,
            cut: stored.part.map(cut),
            created: UNIX_EPOCH + Duration::from_millis(stored.created_at),
            again: false,
        },
        state: match stored.state {
            SmsState::Waiting => RowState::Waiting,
            SmsState::Submitted => RowState::Submitted,
            SmsState::Accepted(name) => RowState::Accepted(name),
        },
        until: clock.instant(stored.expires_at),
    })
}
