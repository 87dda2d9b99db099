//! Registrations over a restart (S-3): the registrar's changes go to the store, and the store's rows to the registrar at the start. The
//! store has the expiry of a contact in wall-clock time, the registrar in monotonic time.
#![allow(clippy::disallowed_methods, reason = "wiring: converts between wall-clock and monotonic time")]

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;

use crate::common::units::unix_millis;
use crate::sip::{self, Change, Command, Stored, Transport};
use crate::store::{self, StoreError, StoredContact};

/// Gives the registrar the registrations of the last run.
///
/// # Errors
/// The store cannot be read; phones then register anew in their own time.
pub(super) async fn restore(store: &store::StoreHandle, sip: &sip::Handle) -> Result<(), StoreError> {
    let now = unix_millis(SystemTime::now());
    let mut devices: BTreeMap<String, Vec<Stored>> = BTreeMap::new();
    for row in store.registrations(now).await? {
        let device = row.device.clone();
        if let Some(stored) = restored(row, now) {
            devices.entry(device).or_default().push(stored);
        }
    }
    let changes: Vec<_> = devices.into_iter().map(|(device, bindings)| Change { device: device.into(), bindings }).collect();
    tracing::info!(devices = changes.len(), "registrations taken up from the last run");
    sip.send(Command::Restore(changes)).await;
    Ok(())
}

/// Stores every change until the SIP task ends.
pub(super) async fn keep(mut changes: mpsc::Receiver<Change>, store: store::StoreHandle) {
    while let Some(Change { device, bindings }) = changes.recv().await {
        let now = unix_millis(SystemTime::now());
        let rows = bindings.into_iter().map(|stored| row(&device, stored, now)).collect();
        // The store logs a failure; the device's next refresh writes everything again.
        let _ = store.register(&device, rows).await;
    }
}

fn row(device: &str, stored: Stored, now: u64) -> StoredContact {
    StoredContact {
        device: device.to_owned(),
        uri: stored.uri,
        q: stored.q,
        instance: stored.instance,
        reg_id: stored.reg_id,
        path: stored.path,
        call_id: stored.call_id,
        cseq: stored.cseq,
        source: stored.source.to_string(),
        transport: stored.transport.as_str().to_owned(),
        user_agent: stored.user_agent,
        dies_at: now.saturating_add(u64::try_from(stored.expires_in.as_millis()).unwrap_or(u64::MAX)),
    }
}

/// `None` for a row that this version cannot read.
fn restored(row: StoredContact, now: u64) -> Option<Stored> {
    Some(Stored {
        uri: row.uri,
        q: row.q,
        instance: row.instance,
        reg_id: row.reg_id,
        path: row.path,
        call_id: row.call_id,
        cseq: row.cseq,
        source: row.source.parse().ok()?,
        transport: Transport::parse(&row.transport)?,
        user_agent: row.user_agent,
        expires_in: Duration::from_millis(row.dies_at.saturating_sub(now)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A registration comes back from the store with what is left of its lifetime.
    #[test]
    fn a_registration_comes_back_from_the_store_with_what_is_left() {
        let stored = Stored {
            uri: "sip:board@192.0.2.9".to_owned(),
            q: 500,
            instance: Some("<urn:uuid:1>".to_owned()),
            reg_id: Some(1),
            path: vec!["<sip:p;lr>".to_owned()],
            call_id: "c".to_owned(),
            cseq: 7,
            source: "[2001:db8::1]:5060".parse().unwrap(),
            transport: Transport::Tcp,
            user_agent: None,
            expires_in: Duration::from_secs(100),
        };
        let row = row("board-room", stored.clone(), 1_000);
        assert_eq!(row.dies_at, 101_000);
        assert_eq!(restored(row.clone(), 61_000), Some(Stored { expires_in: Duration::from_secs(40), ..stored }));
        assert_eq!(restored(StoredContact { source: "?".to_owned(), ..row }, 61_000), None);
    }
}
