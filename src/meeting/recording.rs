//! A running recording of a meeting: its file, and the way it is stopped (N-12).

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot};

use crate::common::ids::{BridgeId, MeetingName};
use crate::common::units::{Hz, file_time, unix_millis};
use crate::media::record::{Format, Recorder, RecordingEnd};
use crate::media::{BridgeEvent, BridgeHandle};

/// libopus's look-ahead at 48 kHz in the VOIP application (RFC 7845 section 4.2 pre-skip).
const PRE_SKIP: u16 = 312;

/// How long the last page may take to reach a slow disk.
const FINISHED_WITHIN: Duration = Duration::from_secs(2);

/// One recording, from start to stop.
pub(super) struct ActiveRecording {
    file: PathBuf,
    finished: oneshot::Receiver<()>,
}

impl ActiveRecording {
    /// Makes the file and taps the bridge.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(super) async fn start(
        directory: &Path,
        meeting: &MeetingName,
        bridge: &BridgeHandle,
        events: mpsc::Sender<BridgeEvent>,
        now: SystemTime,
    ) -> io::Result<Self> {
        let file = directory.join(format!("{meeting}-{}.ogg", file_time(unix_millis(now))));
        let id = bridge.id();
        let format = Format { serial: getrandom::u32().map_err(io::Error::from)?, pre_skip: PRE_SKIP, rate: Hz::FULL };
        let (finish, finished) = oneshot::channel();
        let path = file.clone();
        // Making a file waits for the disk; a meeting's task must not.
        let made = tokio::task::spawn_blocking(move || {
            Recorder::create(&path, format, move |ending| {
                report(ending, id, &events);
                // Nobody waits for it but a meeting that is closing.
                let _ = finish.send(());
            })
        });
        let recorder = made.await.map_err(io::Error::other)??;
        bridge.record(recorder).await;
        Ok(Self { file, finished })
    }

    /// Where it goes.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Ends it; its file is finished by the recorder's own thread.
    pub(super) async fn stop(self, bridge: &BridgeHandle) -> FinishingRecording {
        bridge.stop_recording().await;
        FinishingRecording(self)
    }
}

/// A recording that has ended and whose last page is on its way to the disk.
pub(super) struct FinishingRecording(ActiveRecording);

impl FinishingRecording {
    /// Waits until it is there, at most [`FINISHED_WITHIN`]: a daemon that ends sooner would lose the last second.
    pub(super) async fn wait(self) {
        if tokio::time::timeout(FINISHED_WITHIN, self.0.finished).await.is_err() {
            tracing::warn!(file = %self.0.file.display(), "the recording is still being written");
        }
    }
}

fn report(ending: RecordingEnd, bridge: BridgeId, events: &mpsc::Sender<BridgeEvent>) {
    match ending {
        RecordingEnd::Finished { duration, bytes } => {
            tracing::info!(seconds = duration.as_secs_f64(), bytes, "recording complete")
        }
        fault => {
            let why = match fault {
                RecordingEnd::Overrun => "the disk is too slow".to_owned(),
                RecordingEnd::Disk(error) => error.to_string(),
                RecordingEnd::Finished { .. } | RecordingEnd::Fault => "a fault of our own".to_owned(),
            };
            tracing::error!(why, "the recorder stopped");
            // Full: the tap finds the recorder ended at its next frame and says the same.
            let _ = events.try_send(BridgeEvent::RecorderFailed { bridge });
        }
    }
}
