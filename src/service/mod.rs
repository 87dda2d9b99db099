//! How a meeting is reached.
pub mod embedded;
