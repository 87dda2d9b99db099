//! [`Calls`]: the router of SIP events to the tasks of calls.
#![allow(clippy::disallowed_methods, reason = "the tasks of calls are spawned here")]

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::failures::Failures;
use super::history::CallHistory;
use super::inbound;
use super::inbox::{CallInboxes, CallQueues, Delivery, INBOX};
use super::invitation::{INVITATIONS, Invitation, OutboundCalls, OutboundProgress};
use super::log::CallLog;
use super::messages::CallInput;
use super::name_lookup::NameResolver;
use super::outbound;
use super::registry::CallRegistry;
use super::settings::CallsSettings;
use super::shared::CallsShared;
use super::spoken_refusals;
use super::view::CallsView;
use crate::common::cause::Cause;
use crate::common::ids::CallId;
use crate::sip::{Command, Event};

/// All calls: takes them from the SIP endpoint, gives each a task, and brings each its events.
pub struct Calls {
    shared: Arc<CallsShared>,
    invitations: mpsc::Receiver<(CallId, Invitation)>,
    /// How many calls there are, for the drain.
    up: watch::Sender<usize>,
    draining: bool,
}

impl Calls {
    /// No calls yet.
    #[must_use]
    pub fn new(settings: CallsSettings) -> Self {
        let (invites, invitations) = mpsc::channel(INVITATIONS);
        let outbound = OutboundCalls::new(settings.ids.clone(), invites, settings.media.ports().pairs);
        let shared = CallsShared {
            settings,
            registry: CallRegistry::default(),
            inboxes: CallInboxes::default(),
            failures: Failures::default(),
            history: CallHistory::default(),
            outbound,
            log: CallLog::default(),
            names: NameResolver::default(),
            spoken: spoken_refusals::permits(),
        };
        Self { shared: Arc::new(shared), invitations, up: watch::Sender::new(0), draining: false }
    }

    /// How many calls there are.
    #[must_use]
    pub fn up(&self) -> watch::Receiver<usize> {
        self.up.subscribe()
    }

    /// For `status`.
    #[must_use]
    pub fn view(&self) -> CallsView {
        CallsView(Arc::clone(&self.shared))
    }

    /// Serves the endpoint's events until it is gone. `drain` turning true ends every call with spoken words (O-4).
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>, mut drain: watch::Receiver<bool>) {
        let (ended, mut ends) = mpsc::channel::<CallId>(INBOX);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.event(event, &ended).await,
                    None => return,
                },
                Some((call, invitation)) = self.invitations.recv() => self.invite(call, invitation, &ended),
                Some(call) = ends.recv() => {
                    self.shared.inboxes.remove(call);
                    self.up.send_replace(self.shared.inboxes.count());
                }
                Ok(()) = drain.changed(), if !self.draining => {
                    self.draining = *drain.borrow();
                    if self.draining {
                        self.shared.inboxes.send_all(|| CallInput::End(Cause::Draining));
                    }
                }
            }
        }
    }

    async fn event(&mut self, event: Event, ended: &mpsc::Sender<CallId>) {
        if let Event::Incoming(incoming) = event {
            let call = incoming.call;
            let queues = self.open_inbox(call);
            let (shared, draining) = (Arc::clone(&self.shared), self.draining);
            return spawn(call, inbound::serve(shared, *incoming, draining, queues), ended);
        }
        let call = event.call();
        if self.shared.inboxes.send(call, CallInput::Sip(event)) == Delivery::Full {
            tracing::error!(%call, cause = %Cause::Stalled, "the call takes no more events");
            self.shared.settings.sip.send(Command::Bye { call, cause: Cause::Stalled }).await;
            self.shared.inboxes.remove(call);
        }
    }

    fn open_inbox(&self, call: CallId) -> CallQueues {
        let queues = self.shared.inboxes.open(call);
        self.up.send_replace(self.shared.inboxes.count());
        queues
    }

    fn invite(&self, call: CallId, invitation: Invitation, ended: &mpsc::Sender<CallId>) {
        if self.draining {
            let _ = invitation.progress.try_send(OutboundProgress::Failed(Cause::Draining));
            return;
        }
        let queues = self.open_inbox(call);
        spawn(call, outbound::serve(Arc::clone(&self.shared), call, invitation, queues), ended);
    }
}

/// Runs a call to its end, and says so.
fn spawn(call: CallId, served: impl Future<Output = ()> + Send + 'static, ended: &mpsc::Sender<CallId>) {
    let ended = ended.clone();
    tokio::spawn(async move {
        served.await;
        let _ = ended.send(call).await;
    });
}
