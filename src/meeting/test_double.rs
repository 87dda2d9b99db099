//! Meetings without rules or media, for the tests of whoever asks one: they write down what they are asked, and answer.
#![allow(clippy::disallowed_methods, reason = "a driver: it starts the meeting's task")]

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::messages::{Capture, ChatLine, Granted, ParticipantView, Snapshot, Standing, Texted, ToPage, Via};
use super::page_feed::Feed;
use super::registry::Hall;
use super::{Ask, JoinPage, MeetingSettings, OfferError, Refusal, Registry, Request};
use crate::common::ids::{Ids, MeetingName, ParticipantId};
use crate::policy::Role;

/// What a stand-in was asked, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
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
    Ask(Option<ParticipantId>, Ask),
}

impl Registry {
    /// A registry of meetings, by name and title, that tell `seen` what they are asked.
    pub(crate) fn stand_in(meetings: &[(&str, &str)], seen: mpsc::Sender<Seen>) -> Self {
        let configured =
            meetings.iter().map(|(name, title)| (MeetingName::new(*name).expect("a name"), MeetingSettings::titled(title)));
        Self::with(Arc::new(Hall::new(configured.collect())), move |_, _, _, inbox| {
            tokio::spawn(StandIn::default().run(inbox, seen.clone()));
        })
    }
}

struct Present {
    role: Role,
    name: String,
    page: Feed,
}

#[derive(Default)]
struct StandIn {
    people: BTreeMap<ParticipantId, Present>,
    chat: Vec<ChatLine>,
    recording: Capture,
    ids: Ids,
}

impl StandIn {
    async fn run(mut self, mut inbox: mpsc::Receiver<Request>, seen: mpsc::Sender<Seen>) {
        while let Some(request) = inbox.recv().await {
            self.answer(request, &seen).await;
        }
    }

    /// Tells what it sees before it answers. Whoever asks may have gone away meanwhile, and so may the test.
    async fn answer(&mut self, request: Request, seen: &mpsc::Sender<Seen>) {
        match request {
            Request::JoinPage(JoinPage { role, organiser, name, resume, feed, .. }, reply) => {
                let who = resume.filter(|who| self.people.contains_key(who)).unwrap_or_else(|| self.ids.participant());
                self.people.insert(who, Present { role, name: name.clone(), page: feed });
                let _ = seen.send(Seen::Join { who, role, organiser, name, resume }).await;
                let _ = reply.send(Ok(who));
            }
            Request::Offer { who, sdp, reply } => {
                let here = self.people.contains_key(&who);
                let _ = reply.send(if here { Ok(format!("answer to {sdp}")) } else { Err(OfferError::NotHere) });
            }
            Request::ConnectionLost(who) => {
                let _ = seen.send(Seen::Lost(who)).await;
            }
            Request::PageReloaded(who) => {
                let _ = seen.send(Seen::Reloaded(who)).await;
            }
            Request::Ask { who, ask, reply } => {
                let _ = seen.send(Seen::Ask(who, ask.clone())).await;
                let _ = reply.send(self.decide(who, ask).map(|()| Granted::Done));
            }
            Request::Snapshot { viewer, reply } => {
                let _ = reply.send(self.snapshot(viewer));
            }
            Request::Chat(reply) => {
                let _ = reply.send(self.chat.clone());
            }
            Request::Calling(word) => {
                for present in self.people.values().filter(|present| present.role == Role::Member) {
                    present.page.say(word.clone());
                }
            }
            Request::Knock(_) | Request::Guest(..) | Request::Heard(_) | Request::Stopping { .. } | Request::Close(_) => {}
        }
    }

    fn decide(&mut self, who: Option<ParticipantId>, ask: Ask) -> Result<(), Refusal> {
        let member = match who {
            None => true,
            Some(who) => self.people.get(&who).ok_or(Refusal::NotInside)?.role == Role::Member,
        };
        match ask {
            Ask::Admit(other) | Ask::Deny(other) | Ask::Remove(other) | Ask::Mute(other, _) => {
                if !member {
                    return Err(Refusal::NotAllowed);
                }
                self.people.get(&other).map(drop).ok_or(Refusal::NoSuchParticipant)
            }
            Ask::Recording(_) | Ask::End | Ask::AdmitAll if !member => Err(Refusal::NotAllowed),
            Ask::ConfirmReader(..) | Ask::RemoveReader(..) if !member => Err(Refusal::NotAllowed),
            Ask::ConfirmReader(..) | Ask::RemoveReader(..) => Ok(()),
            Ask::Recording(capture) => {
                self.recording = capture;
                Ok(())
            }
            Ask::Transcription(_) => Err(Refusal::NotConfigured),
            Ask::Chat(text) if text.is_empty() => Err(Refusal::BadText),
            Ask::Chat(text) => {
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
            Ask::Leave => {
                if let Some(left) = who.and_then(|who| self.people.remove(&who)) {
                    left.page.say(ToPage::Ended { reason: "left" });
                }
                Ok(())
            }
            Ask::MuteSelf(_) | Ask::Hand(_) | Ask::Close | Ask::AdmitAll | Ask::End => Ok(()),
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
