//! Who reads the chat by SMS around a device, for those who may admit (C-2): seen there, confirmed and removed.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use utoipa::ToSchema;

use crate::common::ids::BadId;

/// One reader around one device; never the same again while the daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReaderId(u64);

impl ReaderId {
    /// The one with this number.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for ReaderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reader-{}", self.0)
    }
}

impl FromStr for ReaderId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        text.strip_prefix("reader-").and_then(|number| number.parse().ok()).map(Self).ok_or(BadId)
    }
}

/// How somebody has opted in (C-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Means)]
pub enum OptInMeans {
    /// With the device's keys, by a code that was texted.
    Keypad,
    /// By texting the device's join code.
    Sms,
}

/// How far a reader has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReaderState {
    /// Has texted the join code, and waits for a member to confirm it.
    Pending,
    /// Gets the chat.
    On,
}

/// Somebody who reads the chat by SMS, or wants to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmsReader {
    /// Which.
    pub id: ReaderId,
    /// Masked.
    pub number: String,
    /// By what.
    pub means: OptInMeans,
    /// How far.
    pub state: ReaderState,
}
