//! The task of a call that comes in: whether it is answered (M-1, K-1, O-4), or told why not.
#![allow(clippy::disallowed_methods, reason = "part of the calls' tasks: it has the clock")]

use std::sync::Arc;
use std::time::SystemTime;

use super::answering::InboundInvite;
use super::early_media::Announcement;
use super::effects::CallEffects;
use super::failures::Failure;
use super::inbox::CallQueues;
use super::log::CallLine;
use super::machine::Call;
use super::record::{self, RecordedCall};
use super::registry::{CallEntry, CallStage, OwnCallEntry};
use super::router::{RoutedCall, UNKNOWN};
use super::settings::{CallSettings, RuntimeConfig};
use super::shared::CallsShared;
use super::spoken_refusals;
use super::task::CallTask;
use crate::common::cause::Cause;
use crate::common::machine;
use crate::common::phrase::Phrase;
use crate::common::redact::masked_user;
use crate::media::Share;
use crate::menu::Addressed;
use crate::sip::{Command, Incoming};

/// Characters of a Call-ID that the log shows: enough to find the call in the log of a PBX.
const LOGGED_CALL_ID: usize = 128;

/// A call that is not answered.
struct Refusal {
    /// Who calls, where that is known.
    routed: Option<RoutedCall>,
    cause: Cause,
}

/// Answers a call and stays with it until it is over, or refuses it.
pub(super) async fn serve(shared: Arc<CallsShared>, incoming: Incoming, draining: bool, queues: CallQueues) {
    let (call, began, config) = (incoming.call, SystemTime::now(), shared.runtime_config());
    if incoming.emergency {
        // The SIP endpoint has seen to everything else.
        let refusal = (Cause::NoEmergencyCalls, Phrase::NoEmergencyCalls);
        return announce(shared, &config, &incoming, refusal, queues).await;
    }
    let mut routed = match admit(&shared, &config, &incoming, draining) {
        Ok(routed) => routed,
        Err(refusal) => return refuse(shared, &config, &incoming, *refusal, (began, queues)).await,
    };
    if let Some(unlogged) = shared.log.line(&routed, CallLine::Began) {
        let (source, dialog, transport) = (incoming.source, logged_call_id(&incoming), incoming.transport.as_str());
        tracing::info!(%call, %source, dialog, device = %routed.device, transport, unlogged, "call");
    }
    let entry = register(&shared, &incoming, &routed);
    take_place(&shared, &config, &incoming, &mut routed);
    let chat = shared.settings.numbering.clone();
    let settings = CallSettings::new(call, &routed, &config, chat);
    let invite = InboundInvite::of(&incoming, config.router.share(&incoming));
    let mut effects = CallEffects::new(shared, config, call, routed, queues.senders);
    (effects.began, effects.peer, effects.entry) = (began, Some(incoming.source), Some(entry));
    CallTask::new(Call::inbound(machine::now(), settings, invite), effects).run(queues.inputs).await;
}

fn logged_call_id(incoming: &Incoming) -> String {
    incoming.call_id_header.chars().take(LOGGED_CALL_ID).collect()
}

fn admit(shared: &CallsShared, config: &RuntimeConfig, incoming: &Incoming, draining: bool) -> Result<RoutedCall, Box<Refusal>> {
    let routed = config.router.admit(incoming).map_err(|cause| Box::new(Refusal { routed: None, cause }));
    match routed {
        _ if draining => Err(Box::new(Refusal { routed: routed.ok(), cause: Cause::Draining })),
        // K-1: whoever would be asked for a code that is not looked at is told so at once.
        Ok(routed)
            if config.router.asks_passcode(&routed)
                && shared.settings.lockout.get().is_locked(machine::now(), &routed.caller) =>
        {
            Err(Box::new(Refusal { routed: Some(routed), cause: Cause::TooManyTries }))
        }
        routed => routed,
    }
}

async fn refuse(
    shared: Arc<CallsShared>,
    config: &Arc<RuntimeConfig>,
    incoming: &Incoming,
    Refusal { routed, cause }: Refusal,
    (began, queues): (SystemTime, CallQueues),
) {
    let (call, source) = (incoming.call, incoming.source);
    let dialled = masked_user(&incoming.request_uri.user_text().unwrap_or_default());
    if let Some(unlogged) = shared.log.refusal(incoming) {
        let dialog = logged_call_id(incoming);
        tracing::info!(%call, %source, dialog, dialled, %cause, unlogged, "call refused");
    }
    let device = routed.as_ref().map_or(UNKNOWN, |routed| routed.device.as_str()).to_owned();
    shared.note_failure(Failure { call, device, dialled: Some(dialled), peer: Some(source), cause, at: machine::now() });
    let with_permit = |phrase| Some((phrase, shared.spoken.take(config.router.share(incoming))?));
    match spoken_refusals::phrase_for(cause).and_then(with_permit) {
        Some((phrase, _place)) => announce(Arc::clone(&shared), config, incoming, (cause, phrase), queues).await,
        None => shared.settings.sip.send(Command::Reject { call, cause, warning: None }).await,
    }
    // Strangers leave none: they would fill the store.
    if let Some(routed) = routed {
        record::of_failed(&shared, RecordedCall { call, routed: &routed, began }, None, cause).await;
    }
}

/// Refuses a call after a spoken reason (S-8, S-10). A stranger gets the status alone.
async fn announce(
    shared: Arc<CallsShared>,
    config: &Arc<RuntimeConfig>,
    incoming: &Incoming,
    (cause, phrase): (Cause, Phrase),
    queues: CallQueues,
) {
    let call = incoming.call;
    let Ok(routed) = config.router.identify(incoming) else {
        return shared.settings.sip.send(Command::Reject { call, cause, warning: None }).await;
    };
    let clip = config.library.clip(&routed.language, phrase);
    let machine = Call::announced(Announcement { call, cause, clip }, InboundInvite::of(incoming, Share::Strangers));
    let effects = CallEffects::new(shared, Arc::clone(config), call, routed, queues.senders);
    CallTask::new(machine, effects).run(queues.inputs).await;
}

fn register(shared: &CallsShared, incoming: &Incoming, routed: &RoutedCall) -> OwnCallEntry {
    shared.registry.put(CallEntry {
        call: incoming.call,
        device: routed.device.clone(),
        name: routed.name.clone(),
        source: incoming.source,
        transport: incoming.transport,
        stage: CallStage::Answering,
        meeting: None,
        participant: None,
        began: machine::now(),
        admitted: false,
        codec: None,
        encryption: None,
        port: None,
    })
}

/// M-18: a call that takes the place of another one goes where that one went, and knocks there anew.
fn take_place(shared: &CallsShared, config: &RuntimeConfig, incoming: &Incoming, routed: &mut RoutedCall) {
    let replaced = incoming.replaces.and_then(|replaced| shared.registry.find(replaced));
    routed.heir_of = replaced.as_ref().and_then(|entry| entry.participant);
    if let Some(meeting) = replaced.and_then(|entry| entry.meeting) {
        // That the meeting's code was known has been shown by the call that it takes the place of.
        let passcode = config.router.directory.by_name(&meeting).and_then(|entry| entry.passcode.clone());
        routed.addressed = Addressed::Meeting { name: meeting, passcode };
    }
}
