//! Whom we answer (M-1), as whom, and what they have dialled (K-1, M-15).
//!
//! Who a call is from was found out by the SIP endpoint; here is what that means.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::peer_policies::PeerPolicies;
use super::srtp_policies::SrtpPolicies;
use crate::common::cause::Cause;
use crate::common::display_name;
use crate::common::ids::{MeetingName, ParticipantId};
use crate::common::number;
use crate::common::redact::{MaskedCaller, Redacted};
use crate::media::{DtmfPolicy, Share};
use crate::menu::{self, Addressed, Directory};
use crate::sdp::SrtpPolicy;
use crate::sip::{Identity, Incoming, Source, Uri};
use crate::store::Phone;

/// One configured device.
pub struct KnownPhone {
    /// How the meeting sees it, where set.
    pub name: Option<String>,
    /// The meeting it is put through to.
    pub default_meeting: Option<MeetingName>,
    /// Its language, where set.
    pub language: Option<String>,
    /// The chat is sent to its display.
    pub text: bool,
}

/// One account of ours at a PBX.
pub struct AccountRoute {
    /// How the meeting sees callers who say no name.
    pub name: String,
    /// The meeting that its calls are put through to.
    pub default_meeting: Option<MeetingName>,
    /// The user part of our Contact there.
    pub contact: String,
}

/// Everything needed to admit a call.
pub struct CallRouter {
    /// Configured devices by label.
    pub devices: BTreeMap<String, KnownPhone>,
    /// Names of trunks by label, for callers that say none.
    pub trunks: BTreeMap<String, String>,
    /// Where we are registered, by label.
    pub accounts: BTreeMap<String, AccountRoute>,
    /// The user part that reaches the menu, besides none at all.
    pub menu_user: String,
    /// The meetings.
    pub directory: std::sync::Arc<Directory>,
    /// The organisation's language.
    pub language: String,
    /// Whether media is to be encrypted.
    pub srtp: SrtpPolicies,
    /// Where keys are looked for.
    pub dtmf: PeerPolicies<DtmfPolicy>,
}

/// A call that will be answered.
#[derive(Debug, Clone)]
pub struct RoutedCall {
    /// The label of the device or trunk, for records and ledger.
    pub device: String,
    /// Its display name (M-4).
    pub name: String,
    /// Its language.
    pub language: String,
    /// Where it wants to go.
    pub addressed: Addressed,
    /// The chat is sent to its display.
    pub text: bool,
    /// For records and ledger: the far end of its call.
    pub phone: Phone,
    /// Whose tries of codes its are (K-1).
    pub caller: menu::CodeSource,
    /// Who it is beyond this call: a configured device by its label, another by its address and the number it says.
    pub identity: String,
    /// Whether its media is to be encrypted.
    pub srtp: SrtpPolicy,
    /// Where its keys are looked for.
    pub dtmf: DtmfPolicy,
    /// The presence in a meeting whose place it takes (M-18).
    pub heir_of: Option<ParticipantId>,
}

impl RoutedCall {
    /// Whether it is of nobody in particular: a stranger who may call.
    #[must_use]
    pub fn is_unlisted(&self) -> bool {
        self.device == UNLISTED
    }
}

/// The label of a device that has no entry of its own.
pub const UNLISTED: &str = "unlisted";

/// The label of whoever called and was refused.
pub const UNKNOWN: &str = "unknown";

/// Whether a call is of a device, trunk or account of ours.
pub(super) fn is_known(incoming: &Incoming) -> bool {
    !matches!(incoming.identity, None | Some(Identity::Unlisted))
}

impl CallRouter {
    /// Which share of the media ports a call may use: where somebody is known, strangers leave a part to them.
    #[must_use]
    pub fn share(&self, incoming: &Incoming) -> Share {
        let is_anybody_known = !(self.devices.is_empty() && self.trunks.is_empty() && self.accounts.is_empty());
        if is_known(incoming) || !is_anybody_known { Share::Known } else { Share::Strangers }
    }

    /// Decides on a call.
    ///
    /// # Errors
    /// [`Cause::UnknownDevice`] and [`Cause::UnknownAddress`], for a refusal before anything is answered.
    pub fn admit(&self, incoming: &Incoming) -> Result<RoutedCall, Cause> {
        let caller = self.identify(incoming)?;
        let device = match &incoming.identity {
            Some(Identity::Device(label)) => self.devices.get(&**label),
            _ => None,
        };
        Ok(RoutedCall { addressed: self.dialled(incoming, device)?, ..caller })
    }

    /// Whether a call to this user part would lead somewhere.
    #[must_use]
    pub fn is_reachable(&self, user: &str) -> bool {
        self.addressed(user, None).is_ok()
    }

    /// As whom somebody calls, whatever was dialled.
    ///
    /// # Errors
    /// [`Cause::UnknownDevice`].
    pub fn identify(&self, incoming: &Incoming) -> Result<RoutedCall, Cause> {
        let user = incoming.from.uri.user_text();
        let claimed = incoming.from.display.as_deref().or(user.as_deref()).unwrap_or_default();
        let (label, name, fallback, device) = match incoming.identity.as_ref().ok_or(Cause::UnknownDevice)? {
            Identity::Device(label) => {
                let device = self.devices.get(&**label).ok_or(Cause::UnknownDevice)?;
                (&**label, device.name.as_deref().unwrap_or(claimed), &**label, Some(device))
            }
            // Its callers are many, and each says its own name.
            Identity::Trunk(label) => (&**label, claimed, self.trunks.get(&**label).map_or(&**label, String::as_str), None),
            Identity::Account(label) => {
                let name = self.accounts.get(&**label).map_or(&**label, |account| account.name.as_str());
                (&**label, claimed, name, None)
            }
            Identity::Unlisted => (UNLISTED, claimed, "Conference phone", None),
        };
        let caller = MaskedCaller::new(user.as_deref().unwrap_or_default());
        Ok(RoutedCall {
            phone: Phone::new(&incoming.call_id_header, incoming.source.to_string(), caller, incoming.proof.word()),
            device: label.to_owned(),
            name: display_name::clean(name, fallback),
            language: self.language_of(incoming).to_owned(),
            addressed: Addressed::Nothing,
            text: device.is_some_and(|device| device.text),
            caller: menu::CodeSource { source: incoming.caller.clone(), known: device.is_some() },
            identity: match device {
                Some(_) => format!("device/{label}"),
                None => format!("caller/{label}/{}/{}", incoming.source.ip(), user.as_deref().unwrap_or_default()),
            },
            srtp: self.srtp.of(incoming),
            dtmf: self.dtmf.of(incoming.identity.as_ref()).unwrap_or_default(),
            heir_of: None,
        })
    }

    /// As whom a device at `address` comes that is called into a meeting (S-9), its [`Phone`] not known yet; `None`: there is none of this
    /// label.
    #[must_use]
    pub fn invited(&self, label: &str, meeting: &MeetingName, address: IpAddr) -> Option<RoutedCall> {
        let device = self.devices.get(label)?;
        Some(RoutedCall {
            device: label.to_owned(),
            name: display_name::clean(device.name.as_deref().unwrap_or(label), label),
            language: device.language.as_ref().unwrap_or(&self.language).clone(),
            addressed: Addressed::Invited { name: meeting.clone() },
            text: device.text,
            phone: Phone::default(),
            caller: menu::CodeSource { source: Source::device(address, label), known: true },
            identity: format!("device/{label}"),
            srtp: self.srtp.of_device(label),
            dtmf: self.dtmf.of_device(label).unwrap_or_default(),
            heir_of: None,
        })
    }

    /// Whether a call leads straight to a question for a passcode: one whose caller is locked out need not be answered (K-1).
    #[must_use]
    pub fn asks_passcode(&self, routed: &RoutedCall) -> bool {
        match &routed.addressed {
            Addressed::Meeting { name, passcode: None } => {
                self.directory.by_name(name).is_some_and(|entry| entry.passcode.is_some())
            }
            Addressed::Meeting { .. } | Addressed::Nothing | Addressed::Invited { .. } => false,
        }
    }

    /// The language of whoever calls.
    #[must_use]
    pub fn language_of(&self, incoming: &Incoming) -> &str {
        let device = match &incoming.identity {
            Some(Identity::Device(label)) => self.devices.get(&**label),
            _ => None,
        };
        device.and_then(|device| device.language.as_deref()).unwrap_or(&self.language)
    }

    fn dialled(&self, incoming: &Incoming, device: Option<&KnownPhone>) -> Result<Addressed, Cause> {
        if let Some(Identity::Account(label)) = &incoming.identity {
            return Ok(self.dialled_at_pbx(&incoming.request_uri, &incoming.to.uri, self.accounts.get(&**label)));
        }
        if incoming.replaces.is_some() {
            // It goes where the call goes that it takes the place of.
            return Ok(Addressed::Nothing);
        }
        let usual = device.and_then(|device| device.default_meeting.as_ref());
        self.addressed(&incoming.request_uri.user_text().unwrap_or_default(), usual)
    }

    /// What was dialled at a PBX where we are registered (S-3): the user part of the Request-URI. Where that is our Contact, whom the caller meant
    /// stands in To. A number that is nobody's here is mostly our own at the PBX.
    fn dialled_at_pbx(&self, asked: &Uri, to: &Uri, account: Option<&AccountRoute>) -> Addressed {
        let usual = account.and_then(|account| account.default_meeting.as_ref());
        let asked = asked.user_text().unwrap_or_default();
        let is_contact = account.is_some_and(|account| account.contact == asked);
        let user = if is_contact { to.user_text().unwrap_or_default() } else { asked };
        self.addressed(&user, usual).unwrap_or_else(|_| self.usual(usual))
    }

    /// Where a call goes that dials nothing in particular: to the usual meeting, or the menu.
    fn usual(&self, usual: Option<&MeetingName>) -> Addressed {
        let Some(name) = usual.cloned() else { return Addressed::Nothing };
        // K-1: the device's own entry speaks for the passcode.
        let passcode = self.directory.by_name(&name).and_then(|entry| entry.passcode.clone());
        Addressed::Meeting { name, passcode }
    }

    fn addressed(&self, user: &str, usual: Option<&MeetingName>) -> Result<Addressed, Cause> {
        // Parameters of a number (RFC 3966) may stand in the user part: they say nothing of whom is meant.
        let user = user.split(';').next().unwrap_or(user);
        if user.is_empty() || user.eq_ignore_ascii_case(&self.menu_user) {
            return Ok(self.usual(usual));
        }
        let by_name = || self.directory.by_name(&MeetingName::new(user.to_ascii_lowercase()).ok()?);
        let by_number = || self.directory.by_conference_id(&number::digits(user)?);
        let entry = self.directory.by_conference_id(user).or_else(by_name).or_else(by_number).ok_or(Cause::UnknownAddress)?;
        let name = entry.name.clone();
        Ok(Addressed::Meeting { name, passcode: None::<Redacted<String>> })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::menu::Entry;

    fn router() -> CallRouter {
        let entry = |name: &str, id: &str| Entry {
            name: MeetingName::new(name.to_owned()).unwrap(),
            conference_id: id.to_owned(),
            passcode: None,
        };
        CallRouter {
            devices: BTreeMap::new(),
            trunks: BTreeMap::new(),
            accounts: BTreeMap::new(),
            menu_user: "menu".to_owned(),
            directory: std::sync::Arc::new(Directory::new(vec![entry("demo", "1001"), entry("10-02", "2002")])),
            language: "en".to_owned(),
            srtp: SrtpPolicies::default(),
            dtmf: PeerPolicies::default(),
        }
    }

    /// A conference ID is found however phones and PBXs write the number.
    #[test]
    fn k1_a_number_is_found_however_it_is_written() {
        let router = router();
        let meeting = |uri: &str| {
            let user = Uri::parse(uri).and_then(|uri| uri.user_text()).unwrap_or_default();
            router.addressed(&user, None).map(|addressed| match addressed {
                Addressed::Meeting { name, .. } => name.to_string(),
                other => format!("{other:?}"),
            })
        };
        for user in [
            "1001",
            "1001%23",
            "1001#",
            "+1001",
            "%2B1001",
            "10-01",
            "1001;npdi",
            "1001;phone-context=x",
            "(10)01",
            "1001%3Bnpdi",
            "+1001;npdi;rn=+49301234567",
            "1001;rn=5555;cic=+44",
            "1001;phone-context=+49;ext=7",
            "1001;isub=12;postd=99",
            "1.0.0.1",
            "1001%20",
            "+1001%23",
            "1001:secret",
        ] {
            assert_eq!(meeting(&format!("sip:{user}@192.0.2.1")), Ok("demo".to_owned()), "{user}");
        }
        for uri in [
            "tel:+10-01;phone-context=example.com",
            "tel:1001;npdi;rn=+1-555",
            "sip:+1001@192.0.2.1;user=phone",
            "sip:1001;phone-context=+49@192.0.2.1:5060;user=phone;transport=tcp",
            "sips:10%2D01@192.0.2.1;user=phone",
            "sip:1001%23@192.0.2.1;user=phone",
        ] {
            assert_eq!(meeting(uri), Ok("demo".to_owned()), "{uri}");
        }
        assert_eq!(
            (meeting("sip:Demo@192.0.2.1"), meeting("sip:10-02@192.0.2.1")),
            (Ok("demo".to_owned()), Ok("10-02".to_owned()))
        );
        assert_eq!(meeting("sip:menu;npdi@192.0.2.1"), Ok("Nothing".to_owned()));
        for user in ["1002", "01001", "1001x", "10*01", "++1001", "%23"] {
            assert_eq!(meeting(&format!("sip:{user}@192.0.2.1")), Err(Cause::UnknownAddress), "{user}");
        }
    }

    /// At a PBX the user part that is asked for is the number dialled; our Contact there stands for whom To names (S-3).
    #[test]
    fn s3_the_user_part_of_a_call_from_a_pbx_is_what_was_dialled() {
        let router = router();
        let account = AccountRoute {
            name: "PBX".to_owned(),
            default_meeting: MeetingName::new("10-02".to_owned()).ok(),
            contact: "c0ffee".to_owned(),
        };
        let dialled = |asked: &str, to: &str| {
            let uri = |user: &str| Uri::parse(&format!("sip:{user}@192.0.2.1")).unwrap();
            match router.dialled_at_pbx(&uri(asked), &uri(to), Some(&account)) {
                Addressed::Meeting { name, .. } => name.to_string(),
                other => format!("{other:?}"),
            }
        };
        for asked in ["1001", "+1001", "1001;npdi", "demo"] {
            assert_eq!(dialled(asked, "7000"), "demo", "{asked}");
        }
        assert_eq!((dialled("c0ffee", "1001"), dialled("c0ffee", "7000")), ("demo".to_owned(), "10-02".to_owned()));
        assert_eq!(dialled("49301234567", "1001"), "10-02", "a number of ours at the PBX, whatever To says");
    }
}
