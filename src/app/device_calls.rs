//! Devices that members call into their meetings (S-9): which there are, and how a call to one goes.

use std::collections::BTreeSet;

use tokio::sync::mpsc;

use crate::call::{CallsView, Invitation, OutboundProgress, PROGRESS};
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName};
use crate::config::Settings;
use crate::http::CallableDevice;
use crate::meeting::{By, MeetingRefusal, MeetingRegistry};
use crate::sip;

/// The configured devices, by name.
pub(super) async fn list(settings: &Settings, sip: &sip::Handle, calls: &CallsView) -> Vec<CallableDevice> {
    let busy: BTreeSet<String> = calls.entries().into_iter().map(|entry| entry.device).collect();
    let mut devices = Vec::with_capacity(settings.devices.len());
    for (id, device) in &settings.devices {
        let reachable = sip.call_target(id).await.is_some();
        devices.push(CallableDevice { id: id.clone(), name: device.name.clone(), reachable, in_use: busy.contains(id) });
    }
    devices.sort_by_cached_key(|device| (device.name.to_lowercase(), device.id.clone()));
    devices
}

/// Has a device fetch its configuration anew.
pub(super) async fn check_sync(settings: &Settings, sip: &sip::Handle, device: &str) -> Result<(), MeetingRefusal> {
    if !settings.devices.contains_key(device) {
        return Err(MeetingRefusal::NoSuchDevice);
    }
    sip.call_target(device).await.ok_or(MeetingRefusal::NotReachable)?;
    sip.send(sip::Command::CheckSync { device: device.into() }).await;
    Ok(())
}

/// Who wants which device in which meeting.
pub(super) struct DeviceInvitation {
    pub(super) meeting: MeetingName,
    /// The device's label.
    pub(super) device: String,
    /// The device's display name.
    pub(super) name: String,
    pub(super) by: By,
}

/// Calls a device, and tells its meeting how the call goes.
pub(super) fn invite(calls: &CallsView, registry: MeetingRegistry, wanted: DeviceInvitation) -> Result<CallId, MeetingRefusal> {
    let DeviceInvitation { meeting, device, name, by } = wanted;
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
        report(&registry, &meeting, &device, &name, "calling").await;
        while let Some(step) = steps.recv().await {
            report(&registry, &meeting, &device, &name, progress_name(step)).await;
        }
    });
    Ok(call)
}

async fn report(registry: &MeetingRegistry, meeting: &MeetingName, device: &str, name: &str, state: &'static str) {
    if let Some(handle) = registry.running().await.into_iter().find(|handle| handle.name() == meeting) {
        handle.calling(device.to_owned(), name.to_owned(), state).await;
    }
}

/// The step's name at the page and the API.
const fn progress_name(step: OutboundProgress) -> &'static str {
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
