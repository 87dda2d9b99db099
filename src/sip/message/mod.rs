//! Messages: what the wire's lines mean ([`Request`], [`Response`]), and their exact print.

mod body;
mod essentials;
mod headers;
mod parts;
mod status;

pub use body::{Body, session_description};
pub use essentials::Essentials;
pub use headers::Headers;
pub use parts::{Message, Request, Response};
pub use status::phrase;
