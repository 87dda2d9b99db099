//! Devices that members call into their meetings (S-9): who they are, and how a call to one goes.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::call::{CallsView, Invitation, OutboundProgress, PROGRESS};
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName};
use crate::config::Settings;
use crate::http;
use crate::meeting::{By, MeetingRefusal, MeetingRegistry};
use crate::sip;

/// The configuration in force.
type InForce = watch::Receiver<Arc<Settings>>;

/// The configured devices, by name.
pub(super) fn list(in_force: InForce, sip: &sip::Handle, calls: CallsView) -> http::ListRooms {
    let sip = sip.clone();
    Arc::new(move || {
        let (settings, sip) = (Arc::clone(&in_force.borrow()), sip.clone());
        let busy: BTreeSet<String> = calls.entries().into_iter().map(|line| line.device).collect();
        Box::pin(async move {
            let mut rooms = Vec::with_capacity(settings.devices.len());
            for (id, device) in &settings.devices {
                let reachable = sip.call_target(id).await.is_some();
                rooms.push(http::Room { id: id.clone(), name: device.name.clone(), reachable, in_use: busy.contains(id) });
            }
            rooms.sort_by_cached_key(|room| (room.name.to_lowercase(), room.id.clone()));
            rooms
        })
    })
}

/// Has one fetch its configuration anew.
pub(super) fn check_sync(in_force: InForce, sip: &sip::Handle) -> http::CheckSync {
    let sip = sip.clone();
    Arc::new(move |device| {
        let (settings, sip) = (Arc::clone(&in_force.borrow()), sip.clone());
        Box::pin(async move {
            if !settings.devices.contains_key(&device) {
                return Err(MeetingRefusal::NoSuchDevice);
            }
            sip.call_target(&device).await.ok_or(MeetingRefusal::NotReachable)?;
            sip.send(sip::Command::CheckSync { device: device.into() }).await;
            Ok(())
        })
    })
}

/// Calls one, and tells its meeting how that goes.
pub(super) fn invite(in_force: InForce, calls: CallsView, registry: MeetingRegistry) -> http::InviteDevice {
    Arc::new(move |meeting, device, by| {
        let name =
            in_force.borrow().devices.get(&device).map(|device| device.name.clone()).ok_or(MeetingRefusal::NoSuchDevice)?;
        call(&calls, registry.clone(), Wanted { meeting, device, name, by })
    })
}

/// Who wants which device in which meeting.
struct Wanted {
    meeting: MeetingName,
    device: String,
    name: String,
    by: By,
}

fn call(calls: &CallsView, registry: MeetingRegistry, wanted: Wanted) -> Result<CallId, MeetingRefusal> {
    let Wanted { meeting, device, name, by } = wanted;
    let (progress, mut steps) = mpsc::channel(PROGRESS);
    let call = calls.invite(Invitation {
        device: device.clone(),
        meeting: meeting.clone(),
        replaces: None,
        by,
        heir_of: None,
        progress,
    })?;
    tokio::spawn(async move {
        tell(&registry, &meeting, &device, &name, "calling").await;
        while let Some(step) = steps.recv().await {
            tell(&registry, &meeting, &device, &name, word(step)).await;
        }
    });
    Ok(call)
}

async fn tell(registry: &MeetingRegistry, meeting: &MeetingName, device: &str, name: &str, state: &'static str) {
    if let Some(handle) = registry.running().await.into_iter().find(|handle| handle.name() == meeting) {
        handle.calling(device.to_owned(), name.to_owned(), state).await;
    }
}

const fn word(step: OutboundProgress) -> &'static str {
    match step {
        OutboundProgress::Ringing => "ringing",
        OutboundProgress::Answered => "answered",
        OutboundProgress::Knocked => "knocked",
        OutboundProgress::Failed(Cause::Declined) => "declined",
        OutboundProgress::Failed(Cause::NoAnswer | Cause::NoInput | Cause::HungUp) => "no-answer",
        OutboundProgress::Failed(Cause::Cancelled | Cause::EndedByOperator) => "cancelled",
        OutboundProgress::Failed(Cause::Refused(486 | 600)) => "busy",
        OutboundProgress::Failed(Cause::NotReachable | Cause::Refused(404 | 410)) => "not-reachable",
        OutboundProgress::Failed(_) => "failed",
    }
}
