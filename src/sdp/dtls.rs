//! `a=fingerprint` and `a=setup`: by what certificate a peer is known in a handshake, and who begins it (RFC 8122, RFC 8842; A-3).

use super::{Attribute, MediaSection, SessionDescription};
use crate::rtp::dtls::{DtlsIdentity, DtlsRole, Fingerprint};

/// Fingerprints taken from one description.
const MOST_FINGERPRINTS: usize = 8;

/// The value of `a=setup` (RFC 4145 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setup {
    /// Its writer begins.
    Active,
    /// Its writer waits.
    Passive,
    /// As its reader likes.
    ActPass,
}

impl Setup {
    const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
        }
    }

    fn read(value: &str) -> Option<Self> {
        let all = [Self::Active, Self::Passive, Self::ActPass];
        all.into_iter().find(|setup| value.trim().eq_ignore_ascii_case(setup.name()))
    }

    /// What we write for a role of ours.
    pub(super) const fn of(role: DtlsRole) -> Self {
        match role {
            DtlsRole::Client => Self::Active,
            DtlsRole::Server => Self::Passive,
        }
    }
}

/// What a description says about handshakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DtlsDescription {
    /// At least one.
    pub(super) fingerprints: Vec<Fingerprint>,
    /// `None`: it does not say.
    pub(super) setup: Option<Setup>,
}

impl DtlsDescription {
    /// Reads the attributes of a line, and those of the session where the line has none of a name; `configuration` comes before both.
    /// `None` without a usable fingerprint, or with an `a=setup` that begins no handshake (`holdconn`).
    pub(super) fn read(configuration: &[Attribute], session: &SessionDescription, media: &MediaSection) -> Option<Self> {
        let levels = [configuration, &media.attributes, &session.attributes];
        let fingerprints: Vec<_> = first(levels, "fingerprint").filter_map(Fingerprint::parse).take(MOST_FINGERPRINTS).collect();
        let setup = match first(levels, "setup").next() {
            Some(value) => Some(Setup::read(value)?),
            None => None,
        };
        (!fingerprints.is_empty()).then_some(Self { fingerprints, setup })
    }
}

/// The values of the attribute in the first of these lists that has it.
fn first<'a>(levels: [&'a [Attribute]; 3], name: &'static str) -> impl Iterator<Item = &'a str> {
    let named = move |attribute: &&Attribute| attribute.name.eq_ignore_ascii_case(name);
    let level = levels.into_iter().find(|level| level.iter().any(|attribute| named(&attribute))).unwrap_or_default();
    level.iter().filter(named).filter_map(|attribute| attribute.value.as_deref())
}

/// What our line says of handshakes.
pub(super) fn attributes(identity: &DtlsIdentity, setup: Setup) -> Vec<Attribute> {
    vec![
        Attribute::new("fingerprint", Some(identity.fingerprint().to_string())),
        Attribute::new("setup", Some(setup.name().to_owned())),
    ]
}

/// Our `a=setup` in a line of ours; `None` for one that offers no handshake.
pub(super) fn setup_of(ours: &MediaSection) -> Option<Setup> {
    ours.attribute("fingerprint")?;
    Setup::read(ours.attribute("setup")??)
}
