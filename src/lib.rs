//! Roomgate brings conference-room phones into WebRTC meetings.
//!
//! A SIP device calls; our own voice answers, asks where it wants to go, and knocks at a meeting for it. The meeting's rules
//! decide when it is let in, what it hears and what it must be told; media workers carry the audio between the device and
//! browsers; a page shows the meeting to its members.
//!
//! # Layers
//! An edge may only point down; `tests/layout.rs` fails on one that does not.
//!
//! | layer | rooms | what they may touch |
//! |---|---|---|
//! | L5 | `app`, `config`, `cli`, `control`, `dial`, `fuzz`, `ledger`, `link`, `status`, `sweep`, `registrations`, `signals` | wiring, signals; channels between rooms are born in `app` |
//! | L4 | `call`, `http` | a device's call; API, pages |
//! | L3 | `meeting`, `service` | live meetings; the embedded meeting's signalling and page |
//! | L2 | `media`, `sip::driver`, `relay::driver`, `speech`, `store`, `telemetry`, `tls`, `udp` | threads, sockets, disk |
//! | L1 | `sip`, `sdp`, `rtp`, `codec`, `dsp`, `policy`, `menu`, `prompt`, `relay` | pure: no socket, no clock |
//! | L0 | `ids`, `cause`, `redact`, `machine`, `problem`, `units`, `phrase`, `display_name`, `network`, `budget`, `log_limit`, `printable` | vocabulary |
//!
//! # Two planes
//! *Control* is a small tokio runtime with one task per owner: the SIP endpoint, each call, each meeting, the HTTP server.
//! Everything there that decides is a pure [`machine::Machine`], run by [`machine::drive`]. *Media* is a few worker threads;
//! a meeting lives on one of them, so mixing takes no lock and no channel.
//!
//! Requests go down and may wait; events go up and never wait. Order: call → meeting → {sip, media, store}.
//!
//! # Paths through the code
//! *INVITE*: socket → `sip::wire` → `sip::transaction` (is it new?) → `sip::access` (budget; who is it?) →
//! `sip::endpoint` → `sip::invite` ⇒ `call::admit` ⇒ `media` opens a port → `sdp` answers ⇒ 200, ACK → `menu` (played from the worker) ⇒ `meeting` knock →
//! `policy` … [`policy::Admission`] → seat on the meeting's bridge.
//!
//! *RTP, phone → browser*: socket → latch (S-7) → jitter buffer → (tick) decode → frame → bridge → Opus → peer. One thread.
//!
//! *Recording → prompt*: page ⇒ `policy::Fact::Capture` → recorder ⇒ `Fact::CaptureIs` → `policy::notice` ⇒ `Tell` to the
//! call → language → clips ⇒ worker's player; `Played` with RTP sequence numbers comes back the same way, opens the gate
//! (N-2) and becomes a ledger line (N-8).
//!
//! *A device is called* (S-9) or takes another's place (M-18): page or REFER ⇒ `call::outward` ⇒ `sip::target_resolution` (where is it?) → INVITE ⇒ 200 →
//! `menu` asks for a 1 ⇒ `meeting` knock, as above.
//!
//! *Chat → SMS* (C-1 to C-4): page ⇒ `meeting` → to the calls of devices inside ⇒ `relay` (who has opted in? which parts? how many?) →
//! `relay::outbox` ⇒ a row in the `store` ⇒ provider; its receipt comes back up the same steps to the page. Who opts in: `*4` →
//! `menu::keypad` → `call` ⇒ `relay` → a texted code → keypad, or a texted join code → proof in the `store`. What is answered: provider (by
//! `http::webhook`, where it calls us) ⇒ `relay` → call → meeting.
//!
//! *What happens* (M-17): call and meeting raise it (`telemetry::events`), which never waits ⇒ broadcast ⇒ the streams of `http::api::events`.
//!
//! # What is not here yet
//! Meetings live in the daemon itself (`service::embedded`); the seam for outside services is what `meeting::task` does with
//! a bridge. Devices are known by address, certificate or digest (`sip::access`) and register (`sip::registrar`); at PBXs we register ourselves
//! (`sip::registration`).

pub mod app;
pub mod budget;
pub mod call;
pub mod cause;
pub mod cli;
pub mod codec;
pub mod config;
pub mod control;
pub mod dial;
pub mod display_name;
pub mod dsp;
#[doc(hidden)]
pub mod fuzz;
pub mod http;
pub mod ids;
pub mod ledger;
pub mod link;
pub mod log_limit;
pub mod machine;
pub mod media;
pub mod meeting;
pub mod menu;
pub mod network;
pub mod phrase;
pub mod policy;
pub mod printable;
pub mod problem;
pub mod prompt;
pub mod redact;
pub mod registrations;
pub mod relay;
pub mod rtp;
#[cfg(test)]
mod scenario;
pub mod sdp;
pub mod service;
pub mod signals;
pub mod sip;
pub mod speech;
pub mod status;
pub mod store;
pub mod sweep;
pub mod telemetry;
pub mod tls;
pub mod udp;
pub mod units;
