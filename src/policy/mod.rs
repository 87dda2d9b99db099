//! The rules of one meeting: who waits, who is inside, which audio passes, and which notices are owed (M-3 … M-12, M-18, N-1 … N-8, K-4, K-6).
//!
//! Facts and requests flow in ([`Fact`]), differences flow out ([`Effect`]). The meeting task owns one [`Policy`] and performs its effects
//! in order. No state is switched on in one place and forgotten in another: after each input `settle` derives from the facts where everybody
//! stands and what may pass, compares that with what was last announced, and emits the difference. A seat needs an [`Admission`],
//! which only this folder can mint (M-8). Every presence begins with nothing: no admission, notice or PIN is inherited (M-18).
//!
//! Facts are states, so a repeated one has no effect. Deadlines are derived too; a late wake gives the effects of a timely one (but for
//! comfort messages, which are not made up for).

mod capability;
mod fact;
mod lobby;
mod machine;
mod meeting_end;
mod notice_reports;
mod notice_types;
mod notices;
mod person;
mod presence;
#[cfg(test)]
mod properties;
mod queries;
mod requests;
pub mod retention;
mod settle;
#[cfg(test)]
mod tests;
mod timer;
pub mod types;
mod view;

pub use capability::Capability;
pub use fact::{Effect, Fact};
pub use lobby::{Admission, Bypass, CallRooms, MeetingLimits, PolicySettings};
pub use machine::{ALONE_AFTER, Policy};
pub use notice_types::{AlarmKind, CaptureChange, CaptureNews, NoticeEntry, SentPackets};
pub use notices::{AGAIN_EVERY, BEGINS_WITHIN, COMPLETES_WITHIN, GIVEN_UP_AFTER, MERGE_WINDOW};
pub use presence::{RELOAD, SEAT_KEPT, STILL_PRESENT};
pub use types::{Asker, Capture, CaptureKind, Muted, PolicyRefusal, Role, Standing, Switch, Via};
pub use view::{DeviceView, ParticipantRow, ViewChanges};
