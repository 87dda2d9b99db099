//! What the tasks of all calls share: [`CallsShared`].

use std::sync::Arc;

use super::failures::{Failure, Failures};
use super::history::CallHistory;
use super::inbox::CallInboxes;
use super::invitation::OutboundCalls;
use super::log::CallLog;
use super::name_lookup::NameResolver;
use super::permits::ReservedPermits;
use super::registry::CallRegistry;
use super::settings::{CallsSettings, RuntimeConfig};
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName};
use crate::telemetry::events::{Draft, EventKind};

/// Settings, and what is known of all calls.
pub(super) struct CallsShared {
    pub(super) settings: CallsSettings,
    pub(super) registry: CallRegistry,
    pub(super) inboxes: CallInboxes,
    pub(super) failures: Failures,
    pub(super) history: CallHistory,
    pub(super) outbound: OutboundCalls,
    pub(super) log: CallLog,
    pub(super) names: NameResolver,
    pub(super) spoken: ReservedPermits,
}

impl CallsShared {
    /// What is configured at the moment.
    pub(super) fn runtime_config(&self) -> Arc<RuntimeConfig> {
        Arc::clone(&self.settings.runtime_config.borrow())
    }

    /// Raises an event about a call (M-17).
    pub(super) fn raise(&self, what: EventKind, call: CallId, meeting: Option<&MeetingName>) {
        let draft = Draft::of(what).call(Some(call));
        self.settings.raised.raise(match meeting {
            Some(meeting) => draft.meeting(meeting),
            None => draft,
        });
    }

    /// The same of the end of a call. Who was never let in rang for nobody, and its end is no event.
    pub(super) fn raise_ended(&self, call: CallId, meeting: Option<&MeetingName>, cause: Cause) {
        let draft = Draft::of(EventKind::Ended).call(Some(call)).reason(cause.verdict().label);
        self.settings.raised.raise(match meeting {
            Some(meeting) => draft.meeting(meeting),
            None => draft,
        });
    }

    /// A call is over: counted, and remembered for who asks why it did not work (S-8).
    pub(super) fn note_failure(&self, failure: Failure) {
        self.settings.counted.call_ended(failure.cause.verdict().label);
        self.failures.note(failure);
    }
}
