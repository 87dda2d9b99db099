//! Meetings that were made by the API (U-4): known beside the configured ones until they are removed or the daemon ends.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use super::reload::Reloader;
use super::runtime_config;
use crate::common::ids::MeetingName;
use crate::common::redact::Redacted;
use crate::common::units::unix_millis;
use crate::config::{self, Secret, Settings};
use crate::http::admin::{BoxedAnswer, MeetingAdmin, NewMeeting, NewMeetingError};
use crate::meeting::{MeetingHandle, MeetingRequest, MeetingSettings};
use crate::policy::Bypass;

/// As many as anybody needs; more is a program gone wild.
const MOST: usize = 1000;
/// How long a removed meeting may take to close: its recording is finished first.
const CLOSES_WITHIN: Duration = Duration::from_secs(5);
/// As a configured meeting waits that does not say otherwise.
const LOBBY_TIMEOUT: Duration = Duration::from_secs(600);

/// A meeting that was made.
pub(super) struct ApiMeeting {
    meeting: config::MeetingConfig,
    /// Milliseconds since 1970: what was before belongs to a namesake.
    at: u64,
}

/// By name.
pub(super) type ApiMeetings = BTreeMap<MeetingName, ApiMeeting>;

/// Forgets what does not fit beside a new configuration, which goes before (O-2). What is up stays up.
pub(super) fn give_way(created: &mut ApiMeetings, settings: &Settings) {
    created.retain(|name, made| match fits(settings, name, made.meeting.conference_id.as_deref()) {
        Err(NewMeetingError::Taken(why)) => {
            tracing::warn!(meeting = %name, why, "a meeting that the API had made gives way to the configuration");
            false
        }
        _ => true,
    });
}

/// What is configured, and what was made beside it.
pub(super) fn merged(settings: &Settings, created: &ApiMeetings) -> Settings {
    let mut merged = settings.clone();
    for (name, made) in created {
        merged.meetings.entry(name.clone()).or_insert_with(|| made.meeting.clone());
    }
    merged
}

fn meeting(wanted: &NewMeeting) -> config::MeetingConfig {
    config::MeetingConfig {
        title: wanted.title.clone().unwrap_or_else(|| wanted.id.to_string()),
        conference_id: wanted.conference_id.clone(),
        passcode: wanted.passcode.as_ref().map(|code| Secret::new(code.expose().clone())),
        organiser_pin: None,
        bypass: Bypass::Organisers,
        devices_bypass: false,
        call_rooms: config::CallRooms::default(),
        lobby_timeout: LOBBY_TIMEOUT,
        unmute_after_host_mute: false,
        anonymous_join: true,
    }
}

/// Whether whoever dials or keys in a number would still mean one thing only.
fn fits(settings: &Settings, wanted: &MeetingName, conference_id: Option<&str>) -> Result<(), NewMeetingError> {
    let taken = |what: String| Err(NewMeetingError::Taken(what));
    let name = wanted.as_str();
    if settings.meetings.contains_key(wanted) {
        return taken(format!("There is a meeting {name} already."));
    }
    if name == settings.sip.menu_user {
        return taken(format!("{name} reaches the menu."));
    }
    if settings.meetings.values().any(|meeting| meeting.conference_id.as_deref() == Some(name)) {
        return taken(format!("{name} is the conference ID of another meeting."));
    }
    let Some(id) = conference_id else { return Ok(()) };
    if settings.meetings.values().any(|meeting| meeting.conference_id.as_deref() == Some(id)) {
        return taken(format!("{id} is the conference ID of another meeting."));
    }
    if settings.meetings.keys().any(|other| other.as_str() == id) {
        return taken(format!("{id} is the name of another meeting."));
    }
    if id == settings.sip.menu_user || settings.sip.emergency.is_dialled(id) {
        return taken(format!("{id} reaches something else."));
    }
    Ok(())
}

/// Whether no meeting of this name runs: one that was removed goes on under it, and a link to the new one would lead into the old one.
fn is_vacant(running: &[MeetingHandle], wanted: &MeetingName) -> Result<(), NewMeetingError> {
    match running.iter().any(|live| live.name() == wanted) {
        true => Err(NewMeetingError::Taken(format!("A meeting {wanted} that was removed is still running."))),
        false => Ok(()),
    }
}

impl Reloader {
    /// The meetings, as their registry is told; those that the API has made do not outlast a restart.
    pub(super) fn meetings(&self, merged: &Settings) -> BTreeMap<MeetingName, MeetingSettings> {
        let mut meetings = runtime_config::meetings(merged);
        for name in self.created.lock().unwrap_or_else(PoisonError::into_inner).keys() {
            if let Some(made) = meetings.get_mut(name) {
                made.outlasts_a_restart = false;
            }
        }
        meetings
    }

    /// Tells the rest of the daemon which meetings there are.
    async fn tell(&self, merged: &Settings) {
        let library = Arc::clone(&self.targets.runtime_config.borrow().library);
        self.registry.reconfigure(self.meetings(merged)).await;
        self.targets.runtime_config.send_replace(Arc::new(runtime_config::runtime_config(merged, library)));
    }

    async fn create(&self, wanted: NewMeeting) -> Result<u64, NewMeetingError> {
        let _turn = self.turn.lock().await;
        let settings = Arc::clone(&self.targets.settings.borrow());
        let (at, running) = (unix_millis(SystemTime::now()), self.registry.running().await);
        let merged = {
            let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
            fits(&merged(&settings, &created), &wanted.id, wanted.conference_id.as_deref())?;
            is_vacant(&running, &wanted.id)?;
            if created.len() >= MOST {
                return Err(NewMeetingError::Full);
            }
            created.insert(wanted.id.clone(), ApiMeeting { meeting: meeting(&wanted), at });
            merged(&settings, &created)
        };
        self.tell(&merged).await;
        tracing::info!(meeting = %wanted.id, "meeting made by the API");
        Ok(at)
    }

    async fn remove(&self, name: MeetingName) -> Result<(), NewMeetingError> {
        let _turn = self.turn.lock().await;
        let settings = Arc::clone(&self.targets.settings.borrow());
        let merged = {
            let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
            if created.remove(&name).is_none() {
                return Err(if settings.meetings.contains_key(&name) {
                    NewMeetingError::Configured
                } else {
                    NewMeetingError::Unknown
                });
            }
            merged(&settings, &created)
        };
        self.tell(&merged).await;
        if let Some(live) = self.registry.running().await.into_iter().find(|live| *live.name() == name) {
            // It may have ended at this moment.
            let _ = live.ask(None, MeetingRequest::End).await;
            // Its name is free again once it has closed.
            let _ = tokio::time::timeout(CLOSES_WITHIN, live.over()).await;
        }
        tracing::info!(meeting = %name, "meeting that the API had made is removed");
        Ok(())
    }
}

/// The API's way to it.
pub(super) struct CreatedMeetingAdmin(pub(super) Arc<Reloader>);

impl MeetingAdmin for CreatedMeetingAdmin {
    fn create(&self, wanted: NewMeeting) -> BoxedAnswer<Result<u64, NewMeetingError>> {
        let reloader = Arc::clone(&self.0);
        Box::pin(async move { reloader.create(wanted).await })
    }

    fn made_at(&self, name: &MeetingName) -> u64 {
        self.0.created.lock().unwrap_or_else(PoisonError::into_inner).get(name).map_or(0, |made| made.at)
    }

    fn passcode(&self, name: &MeetingName) -> Option<Redacted<String>> {
        self.0.registry.passcode(name)
    }

    fn remove(&self, name: MeetingName) -> BoxedAnswer<Result<(), NewMeetingError>> {
        let reloader = Arc::clone(&self.0);
        Box::pin(async move { reloader.remove(name).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("roomgate.toml"), text).unwrap();
        let state = ("STATE_DIRECTORY".to_owned(), folder.path().display().to_string());
        config::load(folder.path(), [state]).unwrap().settings
    }

    fn wanted(id: &str, conference_id: &str) -> NewMeeting {
        let id = MeetingName::new(id).unwrap();
        NewMeeting { id, title: None, conference_id: Some(conference_id.to_owned()), passcode: None }
    }

    /// A meeting that was made gives way to a configured one of its name or number.
    #[test]
    fn o2_a_meeting_that_was_made_gives_way_to_a_configured() {
        let before = settings("[meeting.weekly]\nconference_id = \"2002\"\n");
        let mut created = ApiMeetings::new();
        for (id, conference_id) in [("alpha", "5555"), ("standup", "6666"), ("retro", "7777")] {
            let wanted = wanted(id, conference_id);
            fits(&merged(&before, &created), &wanted.id, wanted.conference_id.as_deref()).unwrap();
            created.insert(wanted.id.clone(), ApiMeeting { meeting: meeting(&wanted), at: 1 });
        }
        let after = settings("[meeting.zed]\nconference_id = \"5555\"\n[meeting.standup]\nconference_id = \"2002\"\n");
        give_way(&mut created, &after);
        assert_eq!(created.keys().map(MeetingName::as_str).collect::<Vec<_>>(), ["retro"]);
        let all = merged(&after, &created);
        let meant = |id: &str| all.meetings.iter().filter(|(_, meeting)| meeting.conference_id.as_deref() == Some(id)).count();
        assert_eq!(["5555", "6666", "7777", "2002"].map(meant), [1, 0, 1, 1]);
    }

    /// A meeting is not made under the name of one that was removed and still runs.
    #[tokio::test]
    async fn u4_no_meeting_is_made_in_one_that_still_runs() {
        let name = MeetingName::new("board").unwrap();
        let registry = crate::meeting::MeetingRegistry::stand_in(&[("board", "Board")], tokio::sync::mpsc::channel(1).0);
        assert_eq!(is_vacant(&registry.running().await, &name), Ok(()));
        let _live = registry.open(&name).await.unwrap();
        registry.reconfigure(BTreeMap::new()).await;
        assert!(matches!(is_vacant(&registry.running().await, &name), Err(NewMeetingError::Taken(_))));
        assert_eq!(is_vacant(&registry.running().await, &MeetingName::new("other").unwrap()), Ok(()));
    }
}
