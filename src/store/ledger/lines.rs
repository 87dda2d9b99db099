//! What the lines of the ledger say.

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::common::play_outcome::PlayOutcome;
use crate::store::{Consent, Phone};

/// What one notice told one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Notice)]
pub struct LedgerLine {
    /// The meeting's name.
    pub meeting: String,
    /// As [`crate::common::ids::CallId`] prints it.
    pub call: String,
    /// As [`crate::common::ids::ParticipantId`] prints it.
    pub participant: String,
    /// The device's label.
    pub device: String,
    /// The far end of its call.
    #[serde(flatten)]
    pub phone: Phone,
    /// The changes it told, in order, such as `recording started`: several where they were merged.
    pub what: Vec<String>,
    /// The language it was spoken in.
    pub language: String,
    /// When the first of the changes happened.
    #[serde(serialize_with = "crate::common::units::moment")]
    #[schema(value_type = String, format = DateTime)]
    pub at: u64,
    /// RTP sequence number of the notice's first packet; `None` if none was sent.
    pub first_seq: Option<u16>,
    /// RTP sequence number of its last packet.
    pub last_seq: Option<u16>,
    /// SSRC of those packets.
    pub ssrc: Option<u32>,
    /// How many of a thousand of those packets have arrived, by the receiver's RTCP reports; `None`: it has sent none. In JSON a share
    /// from 0 to 1, or `unreported`.
    #[serde(rename = "received", serialize_with = "share")]
    #[schema(value_type = Received)]
    pub received_permille: Option<u16>,
    /// How it ended.
    pub outcome: PlayOutcome,
}

/// What RTCP reports show of a notice.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Received {
    /// The share of its packets that have arrived, from 0 to 1.
    Share(f64),
    /// `unreported`: the receiver has sent no report.
    Word(&'static str),
}

fn share<S: Serializer>(permille: &Option<u16>, serializer: S) -> Result<S::Ok, S::Error> {
    permille.map_or(Received::Word("unreported"), |permille| Received::Share(f64::from(permille) / 1000.0)).serialize(serializer)
}

/// A recording was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Deletion {
    /// The meeting's name.
    pub meeting: String,
    /// The recording's id.
    pub recording: String,
    /// Who has done it: `operator`, `organiser`, `member`, or `retention`.
    pub by: String,
    /// When.
    #[serde(serialize_with = "crate::common::units::moment")]
    #[schema(value_type = String, format = DateTime)]
    pub at: u64,
}

/// An epoch begins: lines that follow are vouched for by another key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EpochLine {
    /// Why: `start`, `day`, or `key lost`, which no earlier key has signed.
    pub reason: String,
    /// The epoch's Ed25519 public key, in hexadecimal digits.
    pub key: String,
    /// When.
    #[serde(serialize_with = "crate::common::units::moment")]
    #[schema(value_type = String, format = DateTime)]
    pub at: u64,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum LedgerEntry {
    /// Somebody was told something.
    Notice(LedgerLine),
    /// Somebody has asked for messages; the number is masked.
    Consent(Consent),
    /// A recording is gone.
    Deletion(Deletion),
    /// Another key.
    Epoch(EpochLine),
}

/// A line as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LedgerRow {
    /// Counts from 1 without gaps, all kinds of lines together.
    pub sequence: u64,
    /// SHA-256 of this line and all before it, in hexadecimal digits; `None` for lines of versions that chained otherwise.
    pub hash: Option<String>,
    /// The line.
    #[serde(flatten)]
    pub entry: LedgerEntry,
}

/// Which lines are meant: those that fit all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerQuery {
    /// So many at most, and 1000.
    pub limit: usize,
    /// With sequence numbers below this one.
    pub before: Option<u64>,
    /// Of what happened at this time or later, in milliseconds since 1970.
    pub from: Option<u64>,
    /// Of what happened before this time.
    pub to: Option<u64>,
    /// Of this meeting.
    pub meeting: Option<String>,
    /// Notices alone.
    pub notices: bool,
}
