//! Roomgate brings conference-room phones into WebRTC meetings.
//!
//! A SIP device calls; our own voice answers, asks where it wants to go, and knocks at a meeting for it. The meeting's rules
//! decide when it is let in, what it hears and what it must be told; media workers carry the audio between the device and
//! browsers; a page shows the meeting to its members.
//!
//! # Layers
//! An edge may only point down; `tests/layout` fails on one that does not.
//!
//! | layer | rooms | what they may touch |
//! |---|---|---|
//! | L5 | `app`, `config`, `cli`, `fuzz`, `status` | wiring, signals, commands; channels between rooms are born in `app` |
//! | L4 | `call`, `http` | a device's call; API, pages |
//! | L3 | `meeting`, `service` | live meetings; the embedded meeting's signalling and page |
//! | L2 | `media`, `sip::driver`, `relay::driver`, `speech`, `store`, `telemetry`, `net` | threads, sockets, disk |
//! | L1 | `sip`, `sdp`, `rtp`, `codec`, `dsp`, `policy`, `menu`, `prompt`, `relay` | pure: no socket, no clock |
//! | L0 | `common` | vocabulary |
//!
//! # Two planes
//! *Control* is a small tokio runtime with one task per owner: the SIP endpoint, each call, each meeting, the HTTP server.
//! Everything there that decides is a pure [`common::machine::Machine`], run by [`common::machine::drive`]. *Media* is a few worker threads;
//! a meeting lives on one of them, so mixing takes no lock and no channel.
//!
//! Requests go down and may wait; events go up and never wait. Order: call → meeting → {sip, media, store}.
//!
//! # Journeys
//! `docs/ARCHITECTURE.md` walks an INVITE, a packet, a line of chat, a recording notice, a reload and a drain through the code, and says of
//! many a behaviour in which file it is.
//!
//! # What is not here yet
//! Meetings live in the daemon itself (`service::embedded`); the seam for outside services is what `meeting::task` does with a bridge.

pub mod app;
pub mod call;
pub mod cli;
pub mod codec;
pub mod common;
pub mod config;
pub mod dsp;
#[doc(hidden)]
pub mod fuzz;
pub mod http;
pub mod media;
pub mod meeting;
pub mod menu;
pub mod net;
pub mod policy;
pub mod prompt;
pub mod relay;
pub mod rtp;
#[cfg(test)]
mod scenario;
pub mod sdp;
pub mod service;
pub mod sip;
pub mod speech;
pub mod status;
pub mod store;
pub mod telemetry;
