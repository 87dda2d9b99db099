//! Meetings that were made by the API (U-4): known beside the configured ones until they are removed or the daemon ends.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::house;
use super::reload::Reloader;
use crate::config::{self, Secret, Settings};
use crate::http::desk::{HouseDesk, Later, NewMeeting, Unfit};
use crate::ids::MeetingName;
use crate::meeting::Ask;
use crate::policy::Bypass;

/// As many as anybody needs; more is a program gone wild.
const MOST: usize = 1000;
/// As a configured meeting waits that does not say otherwise.
const LOBBY_TIMEOUT: Duration = Duration::from_secs(600);

/// By name.
pub(super) type Created = BTreeMap<MeetingName, config::Meeting>;

/// What is configured, and what was made beside it. A configured meeting of the same name is the one that counts.
pub(super) fn merged(settings: &Settings, created: &Created) -> Settings {
    let mut merged = settings.clone();
    for (name, meeting) in created {
        merged.meetings.entry(name.clone()).or_insert_with(|| meeting.clone());
    }
    merged
}

fn meeting(wanted: &NewMeeting) -> config::Meeting {
    config::Meeting {
        title: wanted.title.clone().unwrap_or_else(|| wanted.id.to_string()),
        conference_id: wanted.conference_id.clone(),
        passcode: wanted.passcode.as_ref().map(|code| Secret::new(code.expose().clone())),
        organiser_pin: None,
        bypass: Bypass::Organisers,
        devices_bypass: false,
        lobby_timeout: LOBBY_TIMEOUT,
        unmute_after_host_mute: true,
    }
}

/// Whether whoever dials or keys in a number would still mean one thing only.
fn fits(settings: &Settings, wanted: &NewMeeting) -> Result<(), Unfit> {
    let taken = |what: String| Err(Unfit::Taken(what));
    let name = wanted.id.as_str();
    if settings.meetings.contains_key(&wanted.id) {
        return taken(format!("There is a meeting {name} already."));
    }
    if name == settings.sip.menu_user {
        return taken(format!("{name} reaches the menu."));
    }
    if settings.meetings.values().any(|meeting| meeting.conference_id.as_deref() == Some(name)) {
        return taken(format!("{name} is the conference ID of another meeting."));
    }
    let Some(id) = &wanted.conference_id else { return Ok(()) };
    if settings.meetings.values().any(|meeting| meeting.conference_id.as_ref() == Some(id)) {
        return taken(format!("{id} is the conference ID of another meeting."));
    }
    if settings.meetings.keys().any(|other| other.as_str() == id) {
        return taken(format!("{id} is the name of another meeting."));
    }
    if *id == settings.sip.menu_user || settings.sip.emergency.is_number(id) {
        return taken(format!("{id} reaches something else."));
    }
    Ok(())
}

impl Reloader {
    /// Tells the rest of the daemon which meetings there are.
    fn tell(&self, merged: &Settings) {
        let library = Arc::clone(&self.levers.house.borrow().library);
        self.registry.reconfigure(house::meetings(merged));
        self.levers.house.send_replace(Arc::new(house::house(merged, library)));
    }

    async fn create(&self, wanted: NewMeeting) -> Result<(), Unfit> {
        let _turn = self.turn.lock().await;
        let settings = Arc::clone(&self.levers.settings.borrow());
        let merged = {
            let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
            fits(&merged(&settings, &created), &wanted)?;
            if created.len() >= MOST {
                return Err(Unfit::Full);
            }
            created.insert(wanted.id.clone(), meeting(&wanted));
            merged(&settings, &created)
        };
        self.tell(&merged);
        tracing::info!(meeting = %wanted.id, "meeting made by the API");
        Ok(())
    }

    async fn remove(&self, name: MeetingName) -> Result<(), Unfit> {
        let _turn = self.turn.lock().await;
        let settings = Arc::clone(&self.levers.settings.borrow());
        let merged = {
            let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
            if created.remove(&name).is_none() {
                return Err(if settings.meetings.contains_key(&name) { Unfit::Configured } else { Unfit::Unknown });
            }
            merged(&settings, &created)
        };
        self.tell(&merged);
        if let Some(live) = self.registry.running().await.into_iter().find(|live| *live.name() == name) {
            // It may have ended at this moment.
            let _ = live.ask(None, Ask::End).await;
        }
        tracing::info!(meeting = %name, "meeting that the API had made is removed");
        Ok(())
    }
}

/// The API's way to it.
pub(super) struct Desk(pub(super) Arc<Reloader>);

impl HouseDesk for Desk {
    fn create(&self, wanted: NewMeeting) -> Later<Result<(), Unfit>> {
        let reloader = Arc::clone(&self.0);
        Box::pin(async move { reloader.create(wanted).await })
    }

    fn remove(&self, name: MeetingName) -> Later<Result<(), Unfit>> {
        let reloader = Arc::clone(&self.0);
        Box::pin(async move { reloader.remove(name).await })
    }
}
