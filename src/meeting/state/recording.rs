//! How far the recorder is (N-12), and what follows from what the policy wants of it.

use super::act::MeetingAct;
use super::input::RequestReply;
use crate::policy::Capture;

/// The recorder's state, as far as the meeting knows.
#[derive(Debug, Default)]
pub(super) enum RecordingState {
    /// Nothing is recorded.
    #[default]
    Off,
    /// The file is being made.
    Starting {
        /// What is wanted once it is there.
        want: Capture,
        /// Whoever has asked for it, and is answered by what comes of it.
        asked: Option<RequestReply>,
    },
    /// The mix goes to the file, or is left out for now.
    Running,
}

/// What follows.
#[derive(Debug)]
pub(super) struct RecorderChange {
    /// To be done.
    pub(super) act: Option<MeetingAct>,
    /// The state that holds from now on; `None`: the start decides.
    pub(super) is: Option<Capture>,
}

impl RecordingState {
    /// The policy wants this of the recorder. `asked`: taken, if somebody has to wait for the start.
    pub(super) fn want(&mut self, want: Capture, asked: &mut Option<RequestReply>) -> RecorderChange {
        match (&mut *self, want) {
            (Self::Off, Capture::Off) => RecorderChange { act: None, is: Some(want) },
            (Self::Off, _) => {
                *self = Self::Starting { want, asked: asked.take() };
                RecorderChange { act: Some(MeetingAct::StartRecording), is: None }
            }
            (Self::Starting { want: wanted, .. }, _) => {
                *wanted = want;
                RecorderChange { act: None, is: None }
            }
            (Self::Running, Capture::Off) => {
                *self = Self::Off;
                RecorderChange { act: Some(MeetingAct::FinishRecording), is: Some(want) }
            }
            (Self::Running, _) => {
                RecorderChange { act: Some(MeetingAct::PauseRecording(want == Capture::Paused)), is: Some(want) }
            }
        }
    }

    /// The file is there, or could not be made: what is wanted of it by now, and who has asked. `None`: nothing was being started.
    pub(super) fn started(&mut self, made: bool) -> Option<(Capture, Option<RequestReply>)> {
        let Self::Starting { want, asked } = std::mem::take(self) else { return None };
        if made {
            *self = Self::Running;
        }
        Some((want, asked))
    }

    /// It ends, if it runs; whether it did.
    pub(super) fn end(&mut self) -> bool {
        let running = matches!(self, Self::Running);
        if running {
            *self = Self::Off;
        }
        running
    }
}
