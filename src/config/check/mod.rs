//! What only shows when tables of the configuration are looked at together, or at the machine around the daemon (O-1).

mod contradictions;
mod devices;
mod exposure;
mod findings;
mod machine;
mod meetings;
mod ports;

pub(super) use contradictions::contradictions;
pub(super) use findings::Findings;
pub(super) use machine::machine;
