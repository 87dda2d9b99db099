//! [`Subscription`]: one subscription of a device. At most one NOTIFY of it is on its way; what changes meanwhile goes into the next.

use std::time::Instant;

use super::package::Package;
use crate::common::ids::CallId;
use crate::sip::dialog::Dialog;
use crate::sip::dialog_peer::DialogPeer;
use crate::sip::transport::ConnectionId;

/// One subscription of a device.
#[derive(Debug)]
pub(super) struct Subscription {
    /// Its own dialog; `None`: that of its call.
    pub(super) dialog: Option<Dialog>,
    /// The call whose meeting it is about.
    pub(super) call: Option<CallId>,
    pub(super) package: Package,
    /// The `id` of `Event`, which tells subscriptions of one dialog apart.
    pub(super) id: Option<String>,
    /// Its device, and where that is told.
    pub(super) peer: DialogPeer,
    pub(super) ends_at: Instant,
    /// Counts documents.
    pub(super) version: u32,
    /// A NOTIFY is on its way.
    pub(super) is_telling: bool,
    /// There is something that it has not been told.
    pub(super) has_news: bool,
    pub(super) rests_until: Instant,
}

impl Subscription {
    pub(super) fn deadline(&self) -> Option<Instant> {
        let tells_at = (self.has_news && !self.is_telling).then_some(self.rests_until);
        Some(tells_at.map_or(self.ends_at, |at| at.min(self.ends_at)))
    }

    /// Whether its device is told by this connection.
    pub(super) fn is_told_by(&self, connection: ConnectionId) -> bool {
        self.peer.flow.connection == Some(connection)
    }

    pub(super) fn event(&self) -> String {
        let name = self.package.name();
        self.id.as_ref().map_or(name.to_owned(), |id| format!("{name};id={id}"))
    }
}
