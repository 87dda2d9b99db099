//! [`Outbox`]: what is on its way, and what has become of it (C-7). Pure; time is an input.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use super::super::SmsText;
use super::super::sms::{DeliveryOutcome, OutgoingSms, SubmitOutcome};
use super::delivery_status::LineDeliveries;
use super::item::{ItemState, OutboxItem, SmsEnd};
use super::messages::{
    Counts, LineDelivery, OnUnknown, OutboxInput, OutboxLine, OutboxOutput, OutboxRow, OutboxSettings, RowState,
};
use super::number_queues::NumberQueues;
use super::parts;
use super::receipts::Receipts;
use super::recent::RecentLines;
use crate::common::log_limit::LogLimit;
use crate::common::machine::Machine;
use crate::common::redact::Redacted;

/// Items that may wait. Full: a message is refused, and that is counted and said.
pub const MOST: usize = 4096;
/// How long a receipt is waited for.
pub const RECEIPT_WITHIN: Duration = Duration::from_secs(3 * 24 * 3600);
/// Between two tries of one item that a provider has put off, growing from the first to the second.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Between two tries to write what a disk has not taken.
const WRITE_AGAIN: Duration = Duration::from_secs(1);
/// How long overwritten texts may stay in the store's journal: it is emptied for many at a time.
const WIPED_WITHIN: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct Outbox {
    settings: OutboxSettings,
    queues: NumberQueues,
    deliveries: LineDeliveries,
    receipts: Receipts,
    next: u64,
    joined: u8,
    takes: usize,
    suspended: bool,
    wipe: Option<Instant>,
    logs: Logs,
    counts: Counts,
    recent: RecentLines,
    outputs: VecDeque<OutboxOutput>,
}

/// What a provider, or many who write, can bring about as often as they like.
#[derive(Debug, Default)]
struct Logs {
    full: LogLimit,
    refused: LogLimit,
}

impl Outbox {
    /// Goes on with what an earlier run has left on the disk, oldest first. Ids are counted up from `next`.
    #[must_use]
    pub fn new(now: Instant, settings: OutboxSettings, rows: Vec<OutboxRow>, next: u64) -> Self {
        let next = rows.iter().map(|row| row.sms.id + 1).max().unwrap_or_default().max(next);
        let mut outbox = Self {
            settings,
            queues: NumberQueues::default(),
            deliveries: LineDeliveries::default(),
            receipts: Receipts::default(),
            next,
            joined: 0,
            takes: 0,
            suspended: false,
            // What an earlier run had done with last may still be in the journal.
            wipe: Some(now),
            logs: Logs::default(),
            counts: Counts::default(),
            recent: RecentLines::default(),
            outputs: VecDeque::new(),
        };
        for row in rows {
            outbox.recover(now, row);
        }
        outbox
    }

    /// A row of an earlier run. The meetings of that run are over, and with them whoever would be told how far it has come.
    fn recover(&mut self, now: Instant, row: OutboxRow) {
        let id = row.sms.id;
        let state = match row.state {
            RowState::Accepted(name) => {
                self.receipts.track(id, &name, row.until);
                return;
            }
            RowState::Submitted if self.settings.on_unknown == OnUnknown::Drop => ItemState::Out,
            RowState::Submitted => ItemState::Waiting { not_before: now, marked: true },
            RowState::Waiting => ItemState::Waiting { not_before: now, marked: false },
        };
        let again = row.state == RowState::Submitted;
        if again && state != ItemState::Out {
            self.counts.repeated += 1;
        }
        let lost = state == ItemState::Out;
        let sms = OutgoingSms { again, ..row.sms };
        let item = OutboxItem { message: id, participant: None, until: row.until, tries: 0, state, unwanted: false, sms };
        self.queues.insert(item);
        if lost {
            self.close(id, SmsEnd::Unknown, None);
        }
    }

    /// What has become of items since the start.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// What is on its way, oldest first, and the newest of what has ended.
    #[must_use]
    pub fn lines(&self) -> Vec<OutboxLine> {
        let ids = self.queues.by_id();
        ids.map(OutboxItem::line).chain(self.recent.newest_first()).collect()
    }

    /// How many items are on their way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queues.len()
    }

    /// Nothing is to be sent any more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Nothing is with the provider, and nothing is being written.
    #[must_use]
    pub fn is_still(&self) -> bool {
        self.queues.items().all(|item| matches!(item.state, ItemState::Waiting { .. }))
    }

    /// Places that are free for items which have none yet.
    fn places(&self) -> usize {
        self.takes.saturating_sub(self.queues.fronts().filter(|item| item.holds_place()).count())
    }

    fn enqueue(&mut self, now: Instant, message: SmsText, created: SystemTime) {
        let SmsText { participant, to, text, line, lives } = message;
        if self.settings.cuts {
            self.joined = self.joined.wrapping_add(1);
        }
        let pieces = parts::cut(text, self.settings.cuts.then_some(self.joined));
        let (first, whose) = (self.next, participant.zip(line));
        if pieces.is_empty() {
            return;
        }
        if self.queues.len() + pieces.len() > MOST {
            if let Some(unlogged) = self.logs.full.admit(now) {
                tracing::error!(waiting = self.queues.len(), unlogged, "SMS are refused: too many wait for the provider");
            }
            self.counts.lost += pieces.len() as u64;
            if let Some((participant, line)) = whose {
                self.outputs.push_back(OutboxOutput::Progress {
                    participant,
                    line,
                    message: first,
                    standing: LineDelivery::Failed,
                });
                self.next += 1;
            }
            return;
        }
        self.deliveries.open(first, whose, pieces.len());
        for (text, cut) in pieces {
            let id = self.next;
            self.next += 1;
            let sms = OutgoingSms {
                id,
                reference: parts::reference(&self.settings.secret, id),
                to: to.clone(),
                text,
                cut,
                created,
                again: false,
            };
            // One write in the place of two, where it can go at once.
            let marked = !self.suspended && !self.queues.holds(&to) && self.places() > 0;
            let state = if marked { RowState::Submitted } else { RowState::Waiting };
            let until = now + lives;
            self.outputs.push_back(OutboxOutput::Keep(Box::new(OutboxRow { sms: sms.clone(), state, until })));
            let state = ItemState::Keeping { marked };
            self.queues.insert(OutboxItem { sms, message: first, participant, until, tries: 0, state, unwanted: false });
        }
    }

    fn kept(&mut self, now: Instant, id: u64, written: bool) {
        let Some(item) = self.queues.get_mut(id) else { return };
        let ItemState::Keeping { marked } = item.state else { return };
        if !written {
            return self.lost(id);
        }
        let (unwanted, message) = (item.unwanted, item.message);
        item.state = ItemState::Waiting { not_before: now, marked };
        self.counts.kept += 1;
        if let Some(progress) = self.deliveries.kept(message) {
            self.outputs.push_back(progress);
        }
        if unwanted {
            self.close(id, SmsEnd::Dropped, None);
        } else if marked {
            self.submit(now, id);
        }
    }

    fn marked(&mut self, now: Instant, id: u64, written: bool) {
        let Some(item) = self.queues.get_mut(id).filter(|item| item.state == ItemState::Marking) else { return };
        if item.unwanted {
            self.close(id, SmsEnd::Dropped, None);
        } else if written {
            self.submit(now, id);
        } else {
            item.state = ItemState::Waiting { not_before: now + WRITE_AGAIN, marked: false };
        }
    }

    fn unmarked(&mut self, id: u64, written: bool) {
        let Some(item) = self.queues.get_mut(id) else { return };
        let ItemState::Unmarking { not_before } = item.state else { return };
        if item.unwanted {
            self.close(id, SmsEnd::Dropped, None);
        } else {
            item.state = ItemState::Waiting { not_before, marked: !written };
        }
    }

    /// What is marked goes, or is unmarked when nothing goes any more: the next run must not take it for submitted.
    fn submit(&mut self, now: Instant, id: u64) {
        let suspended = self.suspended;
        let Some(item) = self.queues.get_mut(id) else { return };
        if suspended {
            return self.put_off(id, now);
        }
        item.state = ItemState::Out;
        item.tries += 1;
        let sms = item.sms.clone();
        self.outputs.push_back(OutboxOutput::Submit(sms));
    }

    fn outcome(&mut self, now: Instant, id: u64, outcome: SubmitOutcome) {
        let on_unknown = self.settings.on_unknown;
        // A provider that is away says so first, and has its own pace in coming back.
        let away = self.takes == 0;
        let Some(item) = self.queues.get_mut(id).filter(|item| item.state == ItemState::Out) else { return };
        match outcome {
            SubmitOutcome::Accepted { name } => self.close(id, SmsEnd::Accepted, name.map(|name| (name, now + RECEIPT_WITHIN))),
            SubmitOutcome::Refused(why) => {
                let (to, reference) = (item.sms.to.clone(), item.sms.reference.clone());
                if let Some(unlogged) = self.logs.refused.admit(now) {
                    tracing::warn!(%to, reference, why, unlogged, "SMS refused by the provider");
                }
                self.close(id, SmsEnd::Refused, None);
            }
            _ if item.unwanted => self.close(id, SmsEnd::Dropped, None),
            SubmitOutcome::Unknowable => self.close(id, SmsEnd::Unknown, None),
            SubmitOutcome::Unknown if on_unknown == OnUnknown::Drop => self.close(id, SmsEnd::Unknown, None),
            SubmitOutcome::Later | SubmitOutcome::Unknown => {
                let wait = AGAIN.0 * 2_u32.saturating_pow(item.tries.saturating_sub(1).min(16));
                let not_before = if away { now } else { now + wait.min(AGAIN.1) };
                if outcome == SubmitOutcome::Unknown {
                    item.state = ItemState::Waiting { not_before, marked: true };
                    item.sms.again = true;
                    self.counts.repeated += 1;
                } else {
                    self.counts.put_off += 1;
                    self.put_off(id, not_before);
                }
            }
        }
    }

    /// A marked item has not reached the provider this time. Its mark stays if an earlier try may have.
    fn put_off(&mut self, id: u64, not_before: Instant) {
        let Some(item) = self.queues.get_mut(id) else { return };
        if item.sms.again {
            item.state = ItemState::Waiting { not_before, marked: true };
        } else {
            item.state = ItemState::Unmarking { not_before };
            self.outputs.push_back(OutboxOutput::Mark { id, submitted: false });
        }
    }

    /// Has an item's end written. What is left of a message that has lost a part is of no use.
    fn close(&mut self, id: u64, end: SmsEnd, receipts: Option<(String, Instant)>) {
        let Some(item) = self.queues.get_mut(id) else { return };
        item.sms.text = Redacted::default();
        item.state = ItemState::Closing { receipts: receipts.clone(), again: None };
        let (message, line) = (item.message, OutboxLine::of(&item.sms, end.word(), item.tries));
        let count = match end {
            SmsEnd::Accepted => &mut self.counts.accepted,
            SmsEnd::Refused => &mut self.counts.refused,
            SmsEnd::Unknown => &mut self.counts.unknown,
            SmsEnd::Expired => &mut self.counts.expired,
            SmsEnd::Dropped => &mut self.counts.dropped,
        };
        *count += 1;
        self.recent.push(line);
        self.outputs.push_back(OutboxOutput::Close { id, receipts: receipts.clone() });
        let progress = if end == SmsEnd::Accepted { self.deliveries.accepted(message) } else { self.deliveries.failed(message) };
        self.outputs.extend(progress);
        if end == SmsEnd::Accepted {
            self.accepted(id, message, receipts);
        } else if matches!(end, SmsEnd::Refused | SmsEnd::Unknown | SmsEnd::Expired) {
            self.drop_where(|item| item.message == message);
        }
    }

    fn accepted(&mut self, id: u64, message: u64, receipts: Option<(String, Instant)>) {
        let Some((name, until)) = receipts else { return self.deliveries.no_receipt(message) };
        self.deliveries.awaits(id, message);
        for pushed_out in self.receipts.track(id, &name, until) {
            self.settle(pushed_out, DeliveryOutcome::Unknown);
        }
        if let Some(outcome) = self.receipts.early(&name) {
            self.receipt(&name, outcome);
        }
    }

    fn closed(&mut self, now: Instant, id: u64, written: bool) {
        let Some(item) = self.queues.get_mut(id) else { return };
        let ItemState::Closing { again, .. } = &mut item.state else { return };
        if written {
            self.queues.remove(id);
            self.wipe.get_or_insert(now + WIPED_WITHIN);
        } else {
            *again = Some(now + WRITE_AGAIN);
        }
    }

    /// An item that the disk has not taken goes, and its message with it.
    fn lost(&mut self, id: u64) {
        let Some(item) = self.queues.remove(id) else { return };
        self.counts.lost += 1;
        self.recent.push(OutboxLine::of(&item.sms, "lost", item.tries));
        self.outputs.extend(self.deliveries.failed(item.message));
        self.drop_where(|other| other.message == item.message);
    }

    fn receipt(&mut self, name: &str, outcome: DeliveryOutcome) {
        if outcome == DeliveryOutcome::OnItsWay {
            return;
        }
        if let Some(id) = self.receipts.of(name) {
            self.settle(id, outcome);
        } else {
            // It can overtake the answer to the submit.
            self.receipts.put_early(name, outcome);
        }
    }

    fn settle(&mut self, id: u64, outcome: DeliveryOutcome) {
        self.receipts.forget(id);
        let count = match outcome {
            DeliveryOutcome::Delivered => &mut self.counts.delivered,
            DeliveryOutcome::Failed => &mut self.counts.failed,
            DeliveryOutcome::OnItsWay | DeliveryOutcome::Unknown => &mut self.counts.unconfirmed,
        };
        *count += 1;
        self.outputs.push_back(OutboxOutput::Settle { id });
        self.outputs.extend(self.deliveries.settled(id, outcome));
    }

    /// Drops what is not yet on its way; what is, is dropped if it comes back.
    fn drop_where(&mut self, wanted: impl Fn(&OutboxItem) -> bool) {
        let mut waiting = Vec::new();
        for item in self.queues.items_mut().filter(|item| wanted(item)) {
            match item.state {
                ItemState::Waiting { .. } => waiting.push(item.sms.id),
                ItemState::Keeping { .. } | ItemState::Marking | ItemState::Unmarking { .. } | ItemState::Out => {
                    item.unwanted = true
                }
                ItemState::Closing { .. } => {}
            }
        }
        waiting.sort_unstable();
        for id in waiting {
            self.close(id, SmsEnd::Dropped, None);
        }
    }

    /// Brings items on their way, the oldest first, as far as the provider takes them.
    fn pump(&mut self, now: Instant) {
        if self.suspended {
            return;
        }
        let ready = |outbox: &Self, marked: bool, most: usize| {
            let ready = outbox.queues.fronts().filter(|item| item.is_ready(now, marked)).map(|item| item.sms.id);
            let mut ready: Vec<u64> = ready.collect();
            ready.sort_unstable();
            ready.truncate(most);
            ready
        };
        for id in ready(self, true, self.takes.saturating_sub(self.active())) {
            self.submit(now, id);
        }
        for id in ready(self, false, self.places()) {
            if let Some(item) = self.queues.get_mut(id) {
                item.state = ItemState::Marking;
                self.outputs.push_back(OutboxOutput::Mark { id, submitted: true });
            }
        }
    }

    fn active(&self) -> usize {
        self.queues.fronts().filter(|item| item.active()).count()
    }
}

impl Machine for Outbox {
    type Input = OutboxInput;
    type Output = OutboxOutput;

    fn handle(&mut self, now: Instant, input: OutboxInput) {
        match input {
            OutboxInput::Enqueue { message, created } => self.enqueue(now, message, created),
            OutboxInput::Kept { id, written } => self.kept(now, id, written),
            OutboxInput::Marked { id, written } => self.marked(now, id, written),
            OutboxInput::Unmarked { id, written } => self.unmarked(id, written),
            OutboxInput::Closed { id, written } => self.closed(now, id, written),
            OutboxInput::NotWiped => self.wipe = Some(now + WRITE_AGAIN),
            OutboxInput::Takes(takes) => self.takes = takes,
            OutboxInput::Outcome { id, outcome } => self.outcome(now, id, outcome),
            OutboxInput::Receipt { name, outcome } => self.receipt(&name, outcome),
            OutboxInput::Forget { participant, number: None } => {
                self.deliveries.forget(participant);
                self.drop_where(|item| item.participant == Some(participant));
            }
            OutboxInput::Forget { participant, number: Some(number) } => {
                self.drop_where(|item| item.participant == Some(participant) && item.sms.to == number);
            }
            OutboxInput::DropNumber { number } => self.drop_where(|item| item.sms.to == number),
            OutboxInput::Suspend => self.suspended = true,
        }
        self.pump(now);
    }

    fn wake(&mut self, now: Instant) {
        let items = self.queues.items();
        let late = items.filter(|item| item.until <= now && matches!(item.state, ItemState::Waiting { .. }));
        let mut late: Vec<u64> = late.map(|item| item.sms.id).collect();
        late.sort_unstable();
        for id in late {
            // The first part's end may have been the others' as well.
            if self.queues.get(id).is_some_and(|item| matches!(item.state, ItemState::Waiting { .. })) {
                self.close(id, SmsEnd::Expired, None);
            }
        }
        for item in self.queues.items_mut() {
            if let ItemState::Closing { receipts, again } = &mut item.state
                && again.is_some_and(|at| at <= now)
            {
                *again = None;
                self.outputs.push_back(OutboxOutput::Close { id: item.sms.id, receipts: receipts.clone() });
            }
        }
        for id in self.receipts.late(now) {
            self.settle(id, DeliveryOutcome::Unknown);
        }
        if self.wipe.is_some_and(|at| at <= now) {
            self.wipe = None;
            self.outputs.push_back(OutboxOutput::Wipe);
        }
        self.pump(now);
    }

    fn poll(&mut self) -> Option<OutboxOutput> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        let of = |item: &OutboxItem| match &item.state {
            ItemState::Waiting { .. } => Some(item.until),
            ItemState::Closing { again, .. } => *again,
            ItemState::Keeping { .. } | ItemState::Marking | ItemState::Unmarking { .. } | ItemState::Out => None,
        };
        let items = self.queues.items().filter_map(of).min();
        let (again, first) = (self.active() < self.takes, self.places() > 0);
        let ready = |item: &OutboxItem| match item.state {
            ItemState::Waiting { not_before, marked } if if marked { again } else { first } => Some(not_before),
            _ => None,
        };
        let ready = self.queues.fronts().filter_map(ready).min().filter(|_| !self.suspended);
        [items, ready, self.receipts.deadline(), self.wipe].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
