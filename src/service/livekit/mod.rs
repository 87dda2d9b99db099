//! Meetings in the rooms of a LiveKit server (signalling `/rtc/v1`): its people are heard and count as present, devices join it as participants
//! of their own.
//!
//! [`LiveKit`](room::LiveKit) opens a task for each room, which drives a [`RoomState`](room_state::RoomState). Its participants are tasks of
//! their own ([`participant`]), each around a [`Session`](session::Session), a WebSocket and a peer connection on the worker of the meeting's
//! bridge.

mod back_off;
mod chat;
mod heard;
mod negotiation;
mod participant;
mod proto;
mod room;
mod room_service;
mod room_state;
mod roster;
mod session;
mod settings;
mod token;
mod websocket;

pub use heard::fuzz;
pub use room::LiveKit;
pub use settings::LiveKitSettings;
