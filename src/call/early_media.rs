//! Words to somebody whose call is refused: media before the final response (RFC 3960).

use std::time::Duration;

use tokio::sync::mpsc;

use super::CallInput;
use super::task::{CallsShared, INBOX};
use crate::common::cause::Cause;
use crate::common::ids::PlayId;
use crate::common::phrase::Phrase;
use crate::media::{MediaEvent, Play, PlayKind, Share};
use crate::sip::{Command, Event, Incoming};

/// How much longer than the words themselves it may take.
const SLACK: Duration = Duration::from_secs(3);

impl CallsShared {
    /// S-10: a known caller is told by voice that nobody answers it here. The SIP endpoint has seen to everything else, and to it that
    /// there are never more than a few of these.
    pub(super) async fn emergency(&self, incoming: &Incoming, inputs: &mut mpsc::Receiver<CallInput>) {
        let (call, cause) = (incoming.call, Cause::NoEmergencyCalls);
        if self.speak_before_the_answer(incoming, Phrase::NoEmergencyCalls, inputs).await.is_none() {
            tracing::debug!(%call, "the caller could not be told by voice");
        }
        self.settings.sip.send(Command::Reject { call, cause }).await;
    }

    /// Says a phrase to its end, unless the caller gives up. `None`: it was not said to its end.
    async fn speak_before_the_answer(
        &self,
        incoming: &Incoming,
        phrase: Phrase,
        inputs: &mut mpsc::Receiver<CallInput>,
    ) -> Option<()> {
        let (call, offer) = (incoming.call, incoming.offer.as_ref()?);
        let far = (incoming.local.ip(), incoming.source.ip(), incoming.proof);
        let (mut offer_answer, reserved) = self.prepare(call, far, Share::Strangers).ok()?;
        let (profile, sdp) = offer_answer.offered(offer).ok()?;
        self.settings.sip.send(Command::Progress { call, sdp }).await;
        let (says, mut heard) = mpsc::channel(INBOX);
        let port = self.settings.media.open_port(reserved, profile, says).await.ok()?;
        let runtime_config = self.runtime_config();
        let clip = runtime_config.library.clip(runtime_config.router.language_of(incoming), phrase);
        let (id, limit) = (PlayId::from_number(1), clip.duration() + SLACK);
        port.play(Play { id, clips: vec![clip], kind: PlayKind::Prompt }).await;
        let said = async {
            loop {
                tokio::select! {
                    said = heard.recv() => match said?.heard {
                        MediaEvent::Played { play, .. } if play == id => return Some(()),
                        MediaEvent::Closed(_) => return None,
                        _ => {}
                    },
                    input = inputs.recv() => {
                        if let CallInput::Sip(Event::Cancelled { .. } | Event::Ended { .. }) = input? {
                            return None;
                        }
                    }
                }
            }
        };
        let said = tokio::time::timeout(limit, said).await.ok().flatten();
        port.close().await;
        said
    }
}
