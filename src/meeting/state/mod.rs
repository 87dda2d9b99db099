//! One live meeting without I/O: what pages, calls and media say flows in, what is to be done flows out.
//!
//! [`MeetingState`] turns [inputs](MeetingInput) into facts for the [`Policy`](crate::policy::Policy), and what that decides into
//! [acts](MeetingAct) in its order. It has no clock, no socket, no media and no store: [`super::task`] owns it, brings it the time with each
//! input, performs its acts, and says of those that have a result what came of them. Media are known to it by their ids, calls by their
//! participants. Replies are channels that it passes on with an act. The queues of pages stay with it: a
//! [`PageFeed`](super::page_feed::PageFeed) never waits and never fails. So do the tables that all meetings share
//! ([what is configured](super::settings), [kept mutes](super::mutes)): they are memory, and take the time as an argument.
//!
//! What is known stands in the tables and logs of this folder, each with its own rules; [`MeetingState`] holds them together, in
//! `machine` (the contract), `requests` (what people ask for), `pages`, `guests`, `sms` and `effects` (what the policy has decided).

mod act;
mod chat_log;
mod effects;
mod event_log;
mod guests;
mod input;
mod kept_mutes;
mod knock_rules;
mod ledger_queue;
mod log_limits;
mod machine;
mod names;
mod page_views;
mod pages;
mod participants;
mod recording;
mod requests;
mod room;
mod sms;
#[cfg(test)]
mod tests;

pub(super) use act::MeetingAct;
pub(super) use input::{KnockingDevice, MeetingInput, MeetingTime};
pub(super) use ledger_queue::PendingLine;
pub(super) use machine::{MeetingSetup, MeetingState};
