//! [`MeetingTask`]: drives the state of one meeting.
#![allow(clippy::disallowed_methods, reason = "this task drives a machine: it has the clock and is spawned here")]

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::mpsc;

use super::effects::{MeetingEffects, OwnQueues};
use super::forward::forward;
use super::input::TaskInput;
use super::room;
use crate::common::ids::MeetingName;
use crate::common::machine::{self, DriveFlow, Machine, MachineOwner, drive};
use crate::common::units::unix_millis;
use crate::meeting::settings::{ConfiguredMeetings, MeetingSettings, MeetingsShared};
use crate::meeting::state::{MeetingAct, MeetingInput, MeetingSetup, MeetingState, MeetingTime};
use crate::relay;

/// Events of the bridge and its peers that may wait. Full: counted by the worker, and said again with the next change.
const BRIDGE_EVENTS: usize = 256;

/// A live meeting, with all that it needs.
pub(in crate::meeting) struct MeetingTask {
    state: MeetingState,
    effects: MeetingEffects,
}

impl MeetingTask {
    /// Brings a meeting to life. It ends when its state has ended, or with its mailbox.
    pub(in crate::meeting) fn spawn(
        name: MeetingName,
        settings: MeetingSettings,
        (shared, configured): (Arc<MeetingsShared>, Arc<ConfiguredMeetings>),
        mailbox: mpsc::WeakSender<TaskInput>,
        mut inbox: mpsc::Receiver<TaskInput>,
    ) {
        tokio::spawn(async move {
            let (bridge_events, events) = mpsc::channel(BRIDGE_EVENTS);
            let bridge = shared.media.open_bridge(settings.speakers, bridge_events.clone()).await;
            tokio::spawn(forward(events, mailbox.clone(), MeetingInput::Bridge));
            let (relay_events, events) = mpsc::channel(relay::driver::EVENTS);
            tokio::spawn(forward(events, mailbox.clone(), |(who, event)| MeetingInput::Relay(who, event)));
            let room = room::open(&shared, (&name, settings.room.as_ref()), &bridge, &mailbox);
            tracing::info!(meeting = %name, bridge = %bridge.id(), "meeting opened");
            let setup = MeetingSetup {
                name: name.clone(),
                settings,
                ids: shared.ids.clone(),
                configured,
                mutes: shared.mutes.clone(),
                seats_until: shared.seats_until,
                by_sms: shared.relay.is_some(),
            };
            let state = MeetingState::new(now(machine::now()), setup);
            let own = OwnQueues { mailbox, bridge_events, relay_events };
            let effects = MeetingEffects::new(name, shared, (bridge, room), own);
            let mut task = Self { state, effects };
            drive(&mut task, &mut inbox).await;
            task.close().await;
        });
    }

    async fn close(mut self) {
        self.state.close(now(machine::now()));
        while let Some(act) = self.state.poll() {
            self.do_act(act).await;
        }
        self.effects.close().await;
    }

    /// Does an act, and lets the state know what came of it.
    async fn do_act(&mut self, act: MeetingAct) {
        if let Some(result) = self.effects.perform(act).await {
            self.state.handle(now(machine::now()), result);
        }
    }
}

/// This moment, with the time of day.
fn now(instant: Instant) -> MeetingTime {
    MeetingTime { instant, unix_millis: unix_millis(SystemTime::now()) }
}

impl Machine for MeetingTask {
    type Input = TaskInput;
    type Output = MeetingAct;

    fn handle(&mut self, instant: Instant, input: TaskInput) {
        let input = match input {
            TaskInput::Knock(knock) => MeetingInput::Knock(Box::new(self.effects.take_in(*knock))),
            TaskInput::Other(input) => input,
        };
        self.state.handle(now(instant), input);
    }

    fn wake(&mut self, instant: Instant) {
        self.state.wake(now(instant));
    }

    fn poll(&mut self) -> Option<MeetingAct> {
        self.state.poll()
    }

    fn deadline(&self) -> Option<Instant> {
        self.state.deadline()
    }
}

impl MachineOwner for MeetingTask {
    type Machine = Self;

    fn machine(&mut self) -> &mut Self {
        self
    }

    async fn perform(&mut self, act: MeetingAct) -> DriveFlow {
        if let MeetingAct::End = act {
            return DriveFlow::Stop;
        }
        self.do_act(act).await;
        DriveFlow::Continue
    }
}
