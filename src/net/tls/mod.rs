//! TLS 1.2 and 1.3 by rustls (S-1, X-4), for HTTP and SIP alike: certificates flow in from files, configurations flow out.
//!
//! A server's certificate, and whom it lets in, are read again when their files change ([`TlsServer`]); the identities that a client's certificate
//! gives are read by [`names`]; whom we trust when we connect is a [`Trust`]. Certificates of either side are verified by `webpki` alone, as rustls
//! configures it here: no other folder has a verifier of its own.
#![allow(clippy::disallowed_methods, reason = "a driver: decides by the clock when files are looked at again")]

mod certificates;
mod client;
#[cfg(test)]
mod clients_tests;
mod files;
mod from_files;
mod names;
mod server;

pub use client::{Trust, client};
pub use files::{ClientFiles, TlsError, TlsFiles};
pub use names::names;
pub use server::TlsServer;
