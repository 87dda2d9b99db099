//! The link of a meeting to its room at a service.
#![allow(clippy::disallowed_methods, reason = "part of the meeting's task: it starts the forwarder of the room's facts")]

use tokio::sync::mpsc;

use super::forward::forward;
use super::input::TaskInput;
use crate::common::ids::MeetingName;
use crate::media::BridgeHandle;
use crate::meeting::service::{ASKS, FACTS, RoomAddress, RoomAsk, RoomSetup};
use crate::meeting::settings::MeetingsShared;
use crate::meeting::state::MeetingInput;

/// Opens the room of a meeting; `None`: it has none. The room closes when what is returned is dropped.
pub(super) fn open(
    shared: &MeetingsShared,
    (name, address): (&MeetingName, Option<&RoomAddress>),
    bridge: &BridgeHandle,
    mailbox: &mpsc::WeakSender<TaskInput>,
) -> Option<mpsc::Sender<RoomAsk>> {
    let RoomAddress { service, room } = address?;
    let Some(found) = shared.services.get(service) else {
        tracing::error!(meeting = %name, service, "the meeting's service is configured since the start only; restart to use it");
        return None;
    };
    let ((asks, link), (facts, told)) = (mpsc::channel(ASKS), mpsc::channel(FACTS));
    tokio::spawn(forward(told, mailbox.clone(), MeetingInput::Room));
    found.open(RoomSetup { meeting: name.clone(), room: room.clone(), bridge: bridge.clone() }, link, facts);
    Some(asks)
}
