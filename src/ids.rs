//! Names of things: newtypes, so that a call is never taken for a port. Made in one place, printed short in every log line.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! numbered_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u64);

        impl $name {
            /// The next unused id of this process.
            #[must_use]
            pub fn next() -> Self {
                static NEXT: AtomicU64 = AtomicU64::new(1);
                Self(NEXT.fetch_add(1, Ordering::Relaxed))
            }

            /// The id with this number: for tests, and for reading back what [`fmt::Display`] wrote.
            #[must_use]
            pub const fn from_number(number: u64) -> Self {
                Self(number)
            }

            /// The bare number.
            #[must_use]
            pub const fn number(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                text.strip_prefix($prefix).and_then(|number| number.parse().ok()).map(Self).ok_or(BadId)
            }
        }
    };
}

/// The text is not an id of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct BadId;

numbered_id!(
    /// One SIP dialog with a device, from INVITE to BYE.
    CallId, "call-");
numbered_id!(
    /// One presence in a meeting: a member, an external in a browser, or a bridged device.
    ParticipantId, "p");
numbered_id!(
    /// The mixing place of one meeting on a media worker.
    BridgeId, "bridge-");
numbered_id!(
    /// A device's RTP end on a media worker.
    PortId, "port-");
numbered_id!(
    /// A WebRTC end on a media worker.
    PeerId, "peer-");
numbered_id!(
    /// One notice that one device is owed (N-8).
    NoticeId, "notice-");
numbered_id!(
    /// One thing handed to a player, so that its end can be told apart from another's.
    PlayId, "play-");

/// The configured name of a meeting: the `X` of `[meeting.X]`, and the path of its page.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct MeetingName(String);

impl MeetingName {
    /// Takes a name of 1 to 64 characters from `a-z 0-9 - _`.
    ///
    /// # Errors
    /// [`BadId`] for anything else: the name is part of URLs and file names.
    pub fn new(name: impl Into<String>) -> Result<Self, BadId> {
        let name = name.into();
        let fits = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        if fits { Ok(Self(name)) } else { Err(BadId) }
    }

    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MeetingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
