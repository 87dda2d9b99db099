//! The document of the API (OpenAPI 3.1): what all routes have in common is written here once.

pub(super) mod document;
mod finish;

pub(in crate::http) use document::ROOT;
pub(super) use document::{frame, text};
