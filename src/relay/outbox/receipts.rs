//! Which item a receipt is for: centres name a message in one way in their answer, and in another way in its receipt.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use crate::relay::sms::DeliveryOutcome;

/// Items whose receipts are awaited. Full: the oldest is waited for no longer.
const MOST: usize = 8192;
/// Receipts that came before the answer to their submit, or after all was over.
const EARLY: usize = 64;
/// The longest name that is taken (SMPP 3.4 section 5.2.23 has 64 octets).
const LONGEST_NAME: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Receipts {
    /// By id, with the plain form of the name.
    awaited: BTreeMap<u64, (String, Instant)>,
    /// By the plain form of the name; the newest item of a name.
    names: BTreeMap<String, u64>,
    early: VecDeque<(String, DeliveryOutcome)>,
}

impl Receipts {
    /// Awaits a receipt; returns who is pushed out.
    pub(super) fn track(&mut self, id: u64, name: &str, until: Instant) -> Vec<u64> {
        let name = plain(name);
        self.names.insert(name.clone(), id);
        self.awaited.insert(id, (name, until));
        let over = self.awaited.len().saturating_sub(MOST);
        self.awaited.keys().copied().take(over).collect()
    }

    /// Whose receipt it is.
    pub(super) fn of(&self, name: &str) -> Option<u64> {
        let name = plain(name);
        let found = |name: &String| self.names.get(name).copied();
        found(&name).or_else(|| [decimal_as_hex(&name), hex_as_decimal(&name)].iter().flatten().find_map(found))
    }

    pub(super) fn forget(&mut self, id: u64) {
        if let Some((name, _)) = self.awaited.remove(&id)
            && self.names.get(&name) == Some(&id)
        {
            self.names.remove(&name);
        }
    }

    /// Keeps a receipt of which the name is not known yet.
    pub(super) fn put_early(&mut self, name: &str, outcome: DeliveryOutcome) {
        if self.early.len() >= EARLY {
            self.early.pop_front();
        }
        self.early.push_back((plain(name), outcome));
    }

    /// The receipt that came before its name was known.
    pub(super) fn early(&mut self, name: &str) -> Option<DeliveryOutcome> {
        let name = plain(name);
        let same = |known: &String| {
            *known == name || decimal_as_hex(known).as_ref() == Some(&name) || hex_as_decimal(known).as_ref() == Some(&name)
        };
        let at = self.early.iter().position(|(known, _)| same(known))?;
        self.early.remove(at).map(|(_, outcome)| outcome)
    }

    /// Those that are waited for no longer.
    pub(super) fn late(&self, now: Instant) -> Vec<u64> {
        self.awaited.iter().filter(|(_, (_, until))| *until <= now).map(|(id, _)| *id).collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.awaited.values().map(|(_, until)| *until).min()
    }
}

/// Without the zeros that fields of a fixed length are filled with, in small letters.
fn plain(name: &str) -> String {
    let name: String = name.trim().chars().take(LONGEST_NAME).collect::<String>().to_ascii_lowercase();
    let bare = name.trim_start_matches('0');
    if bare.is_empty() { name } else { bare.to_owned() }
}

/// SMPP 3.4 leaves it to the centre; many answer in hexadecimal and write receipts in decimal, or the other way round.
fn decimal_as_hex(name: &str) -> Option<String> {
    name.parse::<u128>().ok().map(|number| format!("{number:x}"))
}

fn hex_as_decimal(name: &str) -> Option<String> {
    u128::from_str_radix(name, 16).ok().map(|number| number.to_string())
}
