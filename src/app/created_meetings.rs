//! [`CreatedMeetings`]: the meetings that the API has made (U-4), and whether their names and numbers are free beside the configured ones.
//! Pure; time is an input.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::common::ids::MeetingName;
use crate::config::{CallRooms, MeetingConfig, Secret, Settings};
use crate::http::{NewMeeting, NewMeetingError};
use crate::policy::Bypass;

/// The most at once: far more than people make by hand, so that a program in a loop ends at it.
const MOST: usize = 1000;
/// The default of a configured meeting.
const LOBBY_TIMEOUT: Duration = Duration::from_secs(600);

/// A meeting that the API has made.
struct CreatedMeeting {
    meeting: MeetingConfig,
    /// Milliseconds since 1970: links, sessions and recordings from before belong to another meeting of this name.
    made_at: u64,
}

/// The meetings that the API has made, by name.
#[derive(Default)]
pub(super) struct CreatedMeetings(BTreeMap<MeetingName, CreatedMeeting>);

impl CreatedMeetings {
    /// Removes what does not fit beside a new configuration, which takes precedence (O-2). Running meetings go on.
    pub(super) fn give_way_to(&mut self, settings: &Settings) {
        self.0.retain(|name, created| match check_unique(settings, name, created.meeting.conference_id.as_deref()) {
            Err(NewMeetingError::Taken(why)) => {
                tracing::warn!(meeting = %name, why, "a meeting that the API had made gives way to the configuration");
                false
            }
            _ => true,
        });
    }

    /// The configuration with the created meetings in it.
    pub(super) fn merged_with(&self, settings: &Settings) -> Settings {
        let mut merged = settings.clone();
        for (name, created) in &self.0 {
            merged.meetings.entry(name.clone()).or_insert_with(|| created.meeting.clone());
        }
        merged
    }

    /// Whether a meeting could be made.
    ///
    /// # Errors
    /// [`NewMeetingError::Taken`].
    pub(super) fn check(&self, settings: &Settings, wanted: &NewMeeting) -> Result<(), NewMeetingError> {
        check_unique(&self.merged_with(settings), &wanted.id, wanted.conference_id.as_deref())
    }

    /// Adds a meeting that was [checked](CreatedMeetings::check); `made_at`: milliseconds since 1970.
    ///
    /// # Errors
    /// [`NewMeetingError::Full`].
    pub(super) fn insert(&mut self, wanted: &NewMeeting, made_at: u64) -> Result<(), NewMeetingError> {
        if self.0.len() >= MOST {
            return Err(NewMeetingError::Full);
        }
        self.0.insert(wanted.id.clone(), CreatedMeeting { meeting: meeting_config(wanted), made_at });
        Ok(())
    }

    /// Removes a meeting.
    ///
    /// # Errors
    /// [`NewMeetingError::Configured`] or [`NewMeetingError::Unknown`].
    pub(super) fn remove(&mut self, settings: &Settings, name: &MeetingName) -> Result<(), NewMeetingError> {
        match self.0.remove(name) {
            Some(_) => Ok(()),
            None if settings.meetings.contains_key(name) => Err(NewMeetingError::Configured),
            None => Err(NewMeetingError::Unknown),
        }
    }

    /// When the meeting of this name was made, in milliseconds since 1970.
    pub(super) fn made_at(&self, name: &MeetingName) -> Option<u64> {
        self.0.get(name).map(|created| created.made_at)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &MeetingName> {
        self.0.keys()
    }
}

fn meeting_config(wanted: &NewMeeting) -> MeetingConfig {
    MeetingConfig {
        title: wanted.title.clone().unwrap_or_else(|| wanted.id.to_string()),
        conference_id: wanted.conference_id.clone(),
        passcode: wanted.passcode.as_ref().map(|code| Secret::new(code.expose().clone())),
        organiser_pin: None,
        bypass: Bypass::Organisers,
        devices_bypass: false,
        call_rooms: CallRooms::default(),
        lobby_timeout: LOBBY_TIMEOUT,
        unmute_after_host_mute: false,
        anonymous_join: true,
        speakers: None,
        room: None,
    }
}

/// Whether every number that is dialled or keyed in would still mean one thing only.
fn check_unique(settings: &Settings, wanted: &MeetingName, conference_id: Option<&str>) -> Result<(), NewMeetingError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

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
        let mut created = CreatedMeetings::default();
        for (id, conference_id) in [("alpha", "5555"), ("standup", "6666"), ("retro", "7777")] {
            let wanted = wanted(id, conference_id);
            created.check(&before, &wanted).unwrap();
            created.insert(&wanted, 1).unwrap();
        }
        let after = settings("[meeting.zed]\nconference_id = \"5555\"\n[meeting.standup]\nconference_id = \"2002\"\n");
        created.give_way_to(&after);
        assert_eq!(created.names().map(MeetingName::as_str).collect::<Vec<_>>(), ["retro"]);
        let all = created.merged_with(&after);
        let meant = |id: &str| all.meetings.iter().filter(|(_, meeting)| meeting.conference_id.as_deref() == Some(id)).count();
        assert_eq!(["5555", "6666", "7777", "2002"].map(meant), [1, 0, 1, 1]);
    }
}
