//! Meetings without rules or media, for the tests of whoever asks one: they write down what they are asked, and answer.
#![allow(clippy::disallowed_methods, reason = "a driver: it starts the meeting's task")]

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::messages::{Capture, ChatLine, Granted, ParticipantView, Snapshot, Standing, Texted, ToPage, Via};
use super::page_feed::PageFeed;
use super::settings::ConfiguredMeetings;
use super::state::MeetingInput;
use super::task::TaskInput;
use super::{JoinPage, MeetingRefusal, MeetingRegistry, MeetingRequest, MeetingSettings, OfferError};
use crate::common::ids::{Ids, MeetingName, ParticipantId};
use crate::common::machine;
use crate::policy::Role;

/// What a test double was asked, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordedRequest {
    /// A page joined.
    Join {
        /// The presence it was given.
        who: ParticipantId,
        /// As its session said.
        role: Role,
        /// As its session said.
        organiser: bool,
        /// As cleaned.
        name: String,
        /// The presence it claimed to come back to.
        resume: Option<ParticipantId>,
    },
    /// A page's socket was gone.
    Lost(ParticipantId),
    /// A page that was closed was loaded anew.
    Reloaded(ParticipantId),
    /// Somebody (`None`: the operator) asked for something.
    Ask(Option<ParticipantId>, MeetingRequest),
}

impl MeetingRegistry {
    /// A registry of meetings, by name and title, that tell `seen` what they are asked.
    pub(crate) fn stand_in(meetings: &[(&str, &str)], seen: mpsc::Sender<RecordedRequest>) -> Self {
        let configured =
            meetings.iter().map(|(name, title)| (MeetingName::new(*name).expect("a name"), MeetingSettings::titled(title)));
        Self::with(Arc::new(ConfiguredMeetings::new(configured.collect(), machine::now())), move |_, _, _, inbox| {
            tokio::spawn(MeetingDouble::default().run(inbox, seen.clone()));
        })
    }
}

struct Present {
    role: Role,
    name: String,
    page: PageFeed,
}

#[derive(Default)]
struct MeetingDouble {
    people: BTreeMap<ParticipantId, Present>,
    chat: Vec<ChatLine>,
    recording: Capture,
    ids: Ids,
}

impl MeetingDouble {
    async fn run(mut self, mut inbox: mpsc::Receiver<TaskInput>, seen: mpsc::Sender<RecordedRequest>) {
        while let Some(input) = inbox.recv().await {
            if let TaskInput::Other(input) = input {
                self.answer(input, &seen).await;
            }
        }
    }

    /// Tells what it sees before it answers. Whoever asks may have gone away meanwhile, and so may the test.
    async fn answer(&mut self, request: MeetingInput, seen: &mpsc::Sender<RecordedRequest>) {
        match request {
            MeetingInput::JoinPage(JoinPage { role, organiser, name, resume, feed, .. }, reply) => {
                let who = resume.filter(|who| self.people.contains_key(who)).unwrap_or_else(|| self.ids.participant());
                self.people.insert(who, Present { role, name: name.clone(), page: feed });
                let _ = seen.send(RecordedRequest::Join { who, role, organiser, name, resume }).await;
                let _ = reply.send(Ok(who));
            }
            MeetingInput::Offer { who, sdp, reply } => {
                let here = self.people.contains_key(&who);
                let _ = reply.send(if here { Ok(format!("answer to {sdp}")) } else { Err(OfferError::NotHere) });
            }
            MeetingInput::ConnectionLost(who) => {
                let _ = seen.send(RecordedRequest::Lost(who)).await;
            }
            MeetingInput::PageReloaded(who) => {
                let _ = seen.send(RecordedRequest::Reloaded(who)).await;
            }
            MeetingInput::Ask { who, ask, reply } => {
                let _ = seen.send(RecordedRequest::Ask(who, ask.clone())).await;
                let _ = reply.send(self.decide(who, ask).map(|()| Granted::Done));
            }
            MeetingInput::Snapshot { viewer, reply } => {
                let _ = reply.send(self.snapshot(viewer));
            }
            MeetingInput::Chat(reply) => {
                let _ = reply.send(self.chat.clone());
            }
            MeetingInput::Calling(progress) => {
                for present in self.people.values().filter(|present| present.role == Role::Member) {
                    present.page.say(progress.clone());
                }
            }
            MeetingInput::Knock(_)
            | MeetingInput::Guest(..)
            | MeetingInput::GuestStalled(_)
            | MeetingInput::Relay(..)
            | MeetingInput::RelayAnswered(..)
            | MeetingInput::SeatTaken { .. }
            | MeetingInput::PeerOpened { .. }
            | MeetingInput::RecordingStarted(_)
            | MeetingInput::Room(_)
            | MeetingInput::Bridge(_)
            | MeetingInput::Stopping { .. }
            | MeetingInput::Reconfigured
            | MeetingInput::Close(_) => {}
        }
    }

    fn decide(&mut self, who: Option<ParticipantId>, ask: MeetingRequest) -> Result<(), MeetingRefusal> {
        let member = match who {
            None => true,
            Some(who) => self.people.get(&who).ok_or(MeetingRefusal::NotInside)?.role == Role::Member,
        };
        match ask {
            MeetingRequest::Admit(other)
            | MeetingRequest::Deny(other)
            | MeetingRequest::Remove(other)
            | MeetingRequest::Mute(other, _) => {
                if !member {
                    return Err(MeetingRefusal::NotAllowed);
                }
                self.people.get(&other).map(drop).ok_or(MeetingRefusal::NoSuchParticipant)
            }
            MeetingRequest::Recording(_) | MeetingRequest::End | MeetingRequest::AdmitAll if !member => {
                Err(MeetingRefusal::NotAllowed)
            }
            MeetingRequest::ConfirmReader(..) | MeetingRequest::RemoveReader(..) if !member => Err(MeetingRefusal::NotAllowed),
            MeetingRequest::ConfirmReader(..) | MeetingRequest::RemoveReader(..) => Ok(()),
            MeetingRequest::Recording(capture) => {
                self.recording = capture;
                Ok(())
            }
            MeetingRequest::Transcription(_) => Err(MeetingRefusal::NotConfigured),
            MeetingRequest::Chat(text) if text.is_empty() => Err(MeetingRefusal::BadText),
            MeetingRequest::Chat(text) => {
                let id = self.chat.len() as u64;
                let line = ChatLine {
                    id,
                    from: "p0".into(),
                    name: "x".into(),
                    kind: Role::Member,
                    sms: None,
                    text,
                    texted: Texted::default(),
                    at: 0,
                };
                for present in self.people.values() {
                    present.page.say(ToPage::Chat(line.clone()));
                }
                self.chat.push(line);
                Ok(())
            }
            MeetingRequest::Leave => {
                if let Some(left) = who.and_then(|who| self.people.remove(&who)) {
                    left.page.say(ToPage::Ended { reason: "left" });
                }
                Ok(())
            }
            MeetingRequest::MuteSelf(_)
            | MeetingRequest::Hand(_)
            | MeetingRequest::Close
            | MeetingRequest::AdmitAll
            | MeetingRequest::End => Ok(()),
        }
    }

    fn snapshot(&self, viewer: Option<ParticipantId>) -> Snapshot {
        let participants = self.people.iter().map(|(id, present)| ParticipantView {
            id: id.to_string(),
            name: present.name.clone(),
            kind: present.role,
            via: Via::Browser,
            state: Standing::In,
            organiser: false,
            muted: false,
            muted_by: None,
            hand: false,
            on_hold: false,
            reconnecting: false,
            waiting_seconds: None,
            device: None,
            from: None,
            join: None,
        });
        Snapshot {
            you: viewer.map_or_else(String::new, |viewer| viewer.to_string()),
            standing: Standing::In,
            participants: participants.collect(),
            recording: self.recording,
            transcription: Capture::Off,
            may_admit: true,
            may_record: true,
            may_end: true,
            may_call_rooms: true,
        }
    }
}
