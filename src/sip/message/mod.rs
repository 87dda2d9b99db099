//! Messages: bytes and lines (`wire`), what they mean ([`Request`], [`Response`], `header`, `uri`), and their exact print.

mod body;
mod essentials;
pub mod header;
pub(super) mod header_names;
mod headers;
pub mod method;
mod parts;
mod status;
pub mod uri;
pub mod wire;

pub use body::{Body, session_description};
pub use essentials::Essentials;
pub use header::NameAddr;
pub use headers::Headers;
pub use method::Method;
pub use parts::{Message, Request, Response};
pub use rsip::StatusCode;
pub(super) use status::ACCEPTED;
pub use status::phrase;
pub use uri::Uri;
pub use wire::WireLimits;
