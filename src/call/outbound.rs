//! The task of a call to a device, from the invitation on.
#![allow(clippy::disallowed_methods, reason = "part of the calls' tasks: it has the clock")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::SystemTime;

use super::effects::CallEffects;
use super::failures::Failure;
use super::inbox::CallQueues;
use super::invitation::{Invitation, OutboundProgress};
use super::machine::Call;
use super::outbound_effects::OutboundEffects;
use super::ringing::OutboundInvite;
use super::router::RoutedCall;
use super::settings::CallSettings;
use super::shared::CallsShared;
use super::task::CallTask;
use crate::common::cause::Cause;
use crate::common::ids::CallId;
use crate::common::machine;

/// Calls the device, and stays with whoever answers until the call is over.
pub(super) async fn serve(shared: Arc<CallsShared>, call: CallId, invitation: Invitation, queues: CallQueues) {
    let began = SystemTime::now();
    let config = shared.runtime_config();
    // Where it is called is not known yet.
    let routed = config.router.invited(&invitation.device, &invitation.meeting, IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let Some(routed) = routed else { return refuse(&shared, call, &invitation) };
    let routed = RoutedCall { heir_of: invitation.heir_of, ..routed };
    let chat = shared.settings.numbering.clone();
    let settings = CallSettings::new(call, &routed, &config, chat);
    let invite = OutboundInvite {
        device: invitation.device.as_str().into(),
        meeting: invitation.meeting.clone(),
        title: shared.settings.registry.title(&invitation.meeting).unwrap_or_default(),
        replaces: invitation.replaces.clone(),
        advertised: shared.settings.advertised,
    };
    let mut effects = CallEffects::new(shared, config, call, routed, queues.senders);
    effects.began = began;
    effects.outbound = Some(OutboundEffects::new(invitation));
    CallTask::new(Call::outbound(settings, invite), effects).run(queues.inputs).await;
}

/// A reload has removed the device since it was asked for.
fn refuse(shared: &CallsShared, call: CallId, invitation: &Invitation) {
    let Invitation { device, meeting, progress, .. } = invitation;
    let cause = Cause::UnknownDevice;
    tracing::info!(%call, %device, %meeting, %cause, "nobody comes");
    shared.note_failure(Failure { call, device: device.clone(), dialled: None, peer: None, cause, at: machine::now() });
    shared.raise_ended(call, Some(meeting), cause);
    let _ = progress.try_send(OutboundProgress::Failed(cause));
}
