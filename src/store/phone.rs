//! Which phone it was (N-8, M-16): what leads from a line or a record to the PBX's and the network's own logs, a year later.

use serde::Serialize;
use utoipa::ToSchema;

use crate::common::redact::MaskedCaller;

/// Characters of a Call-ID that are kept: more than any phone writes.
const DIALOG: usize = 256;

/// The far end of one call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Phone {
    /// The `Call-ID` of its SIP dialog, at most 256 characters: the PBX knows the call by it.
    pub dialog: String,
    /// Address and port that its signalling came from, or went to where it was called.
    pub address: String,
    /// Its number or user part; masked wherever it is shown, whole in the store alone.
    #[schema(value_type = String)]
    pub caller: MaskedCaller,
    /// How it has proven who it is: `digest`, `certificate`, `address`, `account` (it called where we are registered), `registration`
    /// (it was called where it had registered) or `none`.
    pub proof: String,
}

impl Phone {
    /// Keeps what is said, cut to what a line may hold.
    #[must_use]
    pub fn new(dialog: &str, address: String, caller: MaskedCaller, proof: &str) -> Self {
        Self { dialog: dialog.chars().take(DIALOG).collect(), address, caller, proof: proof.to_owned() }
    }
}
