//! Messages that wait or are on their way, by number: to each they go one after the other.

use std::collections::{BTreeMap, VecDeque};

use super::item::OutboxItem;
use crate::relay::PhoneNumber;

/// For each number its items in their order; only the first is ever on its way.
#[derive(Debug, Default)]
pub(super) struct NumberQueues {
    queues: BTreeMap<PhoneNumber, VecDeque<OutboxItem>>,
    /// To which number each item goes, by its id.
    numbers: BTreeMap<u64, PhoneNumber>,
}

impl NumberQueues {
    /// Puts an item behind the others to its number.
    pub(super) fn insert(&mut self, item: OutboxItem) {
        self.numbers.insert(item.sms.id, item.sms.to.clone());
        self.queues.entry(item.sms.to.clone()).or_default().push_back(item);
    }

    pub(super) fn get(&self, id: u64) -> Option<&OutboxItem> {
        self.queues.get(self.numbers.get(&id)?)?.iter().find(|item| item.sms.id == id)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut OutboxItem> {
        self.queues.get_mut(self.numbers.get(&id)?)?.iter_mut().find(|item| item.sms.id == id)
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<OutboxItem> {
        let number = self.numbers.remove(&id)?;
        let queue = self.queues.get_mut(&number)?;
        let item = queue.iter().position(|item| item.sms.id == id).and_then(|at| queue.remove(at));
        if queue.is_empty() {
            self.queues.remove(&number);
        }
        item
    }

    /// How many there are, to all numbers.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// Something waits for this number, or is on its way to it.
    pub(super) fn holds(&self, number: &PhoneNumber) -> bool {
        self.queues.contains_key(number)
    }

    /// The first of each number's: the only ones that can be on their way.
    pub(super) fn fronts(&self) -> impl Iterator<Item = &OutboxItem> {
        self.queues.values().filter_map(VecDeque::front)
    }

    /// All, by number.
    pub(super) fn items(&self) -> impl Iterator<Item = &OutboxItem> {
        self.queues.values().flatten()
    }

    /// All, by number.
    pub(super) fn items_mut(&mut self) -> impl Iterator<Item = &mut OutboxItem> {
        self.queues.values_mut().flatten()
    }

    /// All, oldest first.
    pub(super) fn by_id(&self) -> impl Iterator<Item = &OutboxItem> {
        self.numbers.keys().filter_map(|id| self.get(*id))
    }
}
