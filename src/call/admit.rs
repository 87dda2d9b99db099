//! Whom we answer (M-1), and what they have dialled (K-1, M-15).
//!
//! Devices are known by the address their call comes from. What authenticates by digest or certificate will be asked here too.

use crate::cause::Cause;
use crate::display_name;
use crate::ids::MeetingName;
use crate::menu::{Addressed, Directory};
use crate::network::Network;
use crate::redact::Redacted;
use crate::sip::Incoming;

/// One configured device.
pub struct Device {
    /// Its configured label.
    pub label: String,
    /// How the meeting sees it, where set.
    pub name: Option<String>,
    /// Where its calls come from.
    pub networks: Vec<Network>,
    /// The meeting it is put through to.
    pub default_meeting: Option<MeetingName>,
    /// Its language, where set.
    pub language: Option<String>,
}

/// Everything needed to admit a call.
pub struct Doors {
    /// Configured devices; the first that fits counts.
    pub devices: Vec<Device>,
    /// Devices without an entry are accepted from here.
    pub allowed: Vec<Network>,
    /// The user part that reaches the menu, besides none at all.
    pub menu_user: String,
    /// The meetings.
    pub directory: std::sync::Arc<Directory>,
    /// The organisation's language.
    pub language: String,
}

/// A call that will be answered.
#[derive(Debug, Clone)]
pub struct Guest {
    /// The device's label, for records and ledger.
    pub device: String,
    /// Its display name (M-4).
    pub name: String,
    /// Its language.
    pub language: String,
    /// Where it wants to go.
    pub addressed: Addressed,
}

/// The label of a device that has no entry of its own.
const UNLISTED: &str = "unlisted";

impl Doors {
    /// Decides on a call.
    ///
    /// # Errors
    /// [`Cause::UnknownDevice`] and [`Cause::UnknownAddress`], for a refusal before anything is answered.
    pub fn admit(&self, incoming: &Incoming) -> Result<Guest, Cause> {
        let source = incoming.source.ip().to_canonical();
        let device = self.devices.iter().find(|device| device.networks.iter().any(|network| network.contains(source)));
        if device.is_none() && !self.allowed.iter().any(|network| network.contains(source)) {
            return Err(Cause::UnknownDevice);
        }
        let label = device.map_or(UNLISTED, |device| device.label.as_str());
        let claimed = incoming.from.display.as_deref().or(incoming.from.uri.user.as_deref()).unwrap_or_default();
        let name = device.and_then(|device| device.name.as_deref()).unwrap_or(claimed);
        let fallback = if device.is_some() { label } else { "Conference phone" };
        Ok(Guest {
            device: label.to_owned(),
            name: display_name::clean(name, fallback),
            language: device.and_then(|device| device.language.clone()).unwrap_or_else(|| self.language.clone()),
            addressed: self.addressed(incoming.request_uri.user.as_deref().unwrap_or_default(), device)?,
        })
    }

    fn addressed(&self, user: &str, device: Option<&Device>) -> Result<Addressed, Cause> {
        if user.is_empty() || user.eq_ignore_ascii_case(&self.menu_user) {
            let Some(name) = device.and_then(|device| device.default_meeting.clone()) else { return Ok(Addressed::Nothing) };
            // K-1: the device's own entry speaks for the passcode.
            let passcode = self.directory.by_name(&name).and_then(|entry| entry.passcode.clone());
            return Ok(Addressed::Meeting { name, passcode });
        }
        let by_name = || self.directory.by_name(&MeetingName::new(user.to_ascii_lowercase()).ok()?);
        let entry = self.directory.by_conference_id(user).or_else(by_name).ok_or(Cause::UnknownAddress)?;
        let name = entry.name.clone();
        Ok(Addressed::Meeting { name, passcode: None::<Redacted<String>> })
    }
}
