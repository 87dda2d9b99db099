//! Vocabulary of every room: ids, causes, quantities with their units, rate limits, and what keeps secrets and strangers' texts out of the log.
//! Pure; nothing here knows a room above.

pub mod cause;
pub mod display_name;
pub mod ids;
pub mod ip_network;
pub mod log_limit;
pub mod machine;
pub mod phrase;
pub mod printable;
pub mod problem;
pub mod rate_limit;
pub mod redact;
pub(crate) mod split_mix;
pub mod units;
