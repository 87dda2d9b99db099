//! Permissions of a participant, each granted or refused with a reason (M-13).

use super::lobby::CallRooms;
use super::types::{PolicyRefusal, Role, Standing};

/// Something a participant may or may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Hear the meeting (given by the gate, which also knows hold and notices).
    Hear,
    /// Be heard (given by the gate).
    Speak,
    /// Read and write chat while inside (C-1).
    Chat,
    /// Raise the own hand.
    RaiseHand,
    /// Admit and deny (M-7).
    Admit,
    /// Close or open another's microphone.
    MuteOthers,
    /// Take another out (M-12).
    Remove,
    /// Switch recording and transcription (M-12).
    Record,
    /// End the meeting for all: its organiser (U-6).
    End,
    /// Have devices called into it (S-9).
    CallRooms,
}

/// The facts that decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standpoint {
    pub(super) role: Role,
    pub(super) standing: Standing,
    /// This call gave the organiser's PIN (K-2).
    pub(super) pin: bool,
    /// An organiser.
    pub(super) organiser: bool,
    /// As the meeting is set.
    pub(super) call_rooms: CallRooms,
}

/// The rule for all but [`Capability::Hear`] and [`Capability::Speak`].
///
/// A PIN lends what K-2 gives keys for: admitting and denying (also from the lobby, where the organiser may be at a phone) and, inside,
/// muting others. It never lends what M-12 denies an external: removing people, recording, transcription; nor ending the meeting.
pub(super) fn grant(by: Standpoint, capability: Capability) -> Result<(), PolicyRefusal> {
    let inside = by.standing == Standing::In;
    let member = by.role == Role::Member;
    match capability {
        Capability::Admit if member || by.pin => Ok(()),
        Capability::MuteOthers if by.pin && !inside => Err(PolicyRefusal::NotInside),
        Capability::MuteOthers if member || by.pin => Ok(()),
        Capability::CallRooms if !inside => Err(PolicyRefusal::NotInside),
        Capability::CallRooms => match by.call_rooms {
            CallRooms::Organiser if by.organiser || by.pin => Ok(()),
            CallRooms::Members if member || by.pin => Ok(()),
            CallRooms::Organiser | CallRooms::Members | CallRooms::Nobody => Err(PolicyRefusal::NotAllowed),
        },
        Capability::Remove | Capability::Record if member => Ok(()),
        // What cannot be taken back is not every member's (U-4).
        Capability::End if member && by.organiser => Ok(()),
        Capability::Admit | Capability::MuteOthers | Capability::Remove | Capability::Record | Capability::End => {
            Err(PolicyRefusal::NotAllowed)
        }
        Capability::Hear | Capability::Speak | Capability::Chat | Capability::RaiseHand if inside => Ok(()),
        Capability::Hear | Capability::Speak | Capability::Chat | Capability::RaiseHand => Err(PolicyRefusal::NotInside),
    }
}
