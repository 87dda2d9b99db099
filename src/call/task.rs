//! The task of one call: its machine, and the effects that perform its acts.

use super::effects::CallEffects;
use super::inbox::CallInputs;
use super::machine::Call;
use super::messages::{CallAct, CallEnd};
use super::record;
use super::registry::CallStage;
use crate::common::machine::{self, DriveFlow, Machine, MachineOwner, drive};

/// A call that runs.
pub(super) struct CallTask {
    machine: Call,
    effects: CallEffects,
    end: Option<CallEnd>,
}

impl CallTask {
    /// A call that shall run.
    pub(super) const fn new(machine: Call, effects: CallEffects) -> Self {
        Self { machine, effects, end: None }
    }

    /// Runs it to its end, and notes what there is to note of it.
    pub(super) async fn run(mut self, mut inputs: CallInputs) {
        drive(&mut self, &mut inputs).await;
        if let Some(end) = self.end {
            record::conclude(self.effects, end).await;
        }
    }
}

impl MachineOwner for CallTask {
    type Machine = Call;

    fn machine(&mut self) -> &mut Call {
        &mut self.machine
    }

    async fn perform(&mut self, act: CallAct) -> DriveFlow {
        if let CallAct::Done(end) = act {
            self.end = Some(end);
            return DriveFlow::Stop;
        }
        let stage = self.machine.stage();
        self.effects.change_entry(|entry| {
            entry.stage = stage;
            entry.admitted |= stage == CallStage::In;
        });
        if let Some(result) = self.effects.perform(act).await {
            self.machine.handle(machine::now(), result);
        }
        DriveFlow::Continue
    }
}
