//! Microphones that are closed (K-4), kept over a restart, a lost connection and a new seat: of whom, by whom, and until when.

use rusqlite::{Connection, params};

use super::StoreError;
use super::limits::integer;

/// One closed microphone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMute {
    /// In which meeting.
    pub meeting: String,
    /// In which run of it: when that began, in milliseconds since 1970.
    pub run: u64,
    /// Whose: a session, a device or a guest, as the meeting calls them.
    pub who: String,
    /// Closed by its owner.
    pub own: bool,
    /// Closed by a host. Neither: it is open, and the row goes.
    pub host: bool,
    /// Until when it is kept, in milliseconds since 1970.
    pub dies_at: u64,
}

/// A change of what is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MuteChange {
    /// A microphone was closed, or opened.
    Put(StoredMute),
    /// A run of a meeting is over: what is kept of it dies by then.
    Over {
        /// The meeting.
        meeting: String,
        /// Milliseconds since 1970.
        dies_at: u64,
    },
}

pub(super) fn change(connection: &Connection, change: &MuteChange) -> Result<(), StoreError> {
    match change {
        MuteChange::Put(mute) if mute.own || mute.host => {
            let mut put = connection.prepare_cached(
                "INSERT OR REPLACE INTO mutes (meeting, who, run, own, host, dies_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            put.execute(params![mute.meeting, mute.who, integer(mute.run), mute.own, mute.host, integer(mute.dies_at)])?;
        }
        MuteChange::Put(mute) => {
            let mut delete = connection.prepare_cached("DELETE FROM mutes WHERE meeting = ?1 AND who = ?2")?;
            delete.execute([&mute.meeting, &mute.who])?;
        }
        MuteChange::Over { meeting, dies_at } => {
            let mut update = connection.prepare_cached("UPDATE mutes SET dies_at = ?2 WHERE meeting = ?1")?;
            update.execute(params![meeting, integer(*dies_at)])?;
        }
    }
    Ok(())
}

/// Deletes what is dead at `now` (milliseconds since 1970), and gives the rest.
pub(super) fn living(connection: &Connection, now: u64) -> Result<Vec<StoredMute>, StoreError> {
    connection.execute("DELETE FROM mutes WHERE dies_at <= ?1", [integer(now)])?;
    let mut select =
        connection.prepare_cached("SELECT meeting, run, who, own, host, dies_at FROM mutes ORDER BY meeting, who")?;
    let number = |number: i64| u64::try_from(number).unwrap_or_default();
    let rows = select.query_map([], |row| {
        Ok(StoredMute {
            meeting: row.get(0)?,
            run: number(row.get(1)?),
            who: row.get(2)?,
            own: row.get(3)?,
            host: row.get(4)?,
            dies_at: number(row.get(5)?),
        })
    })?;
    rows.collect::<Result<_, _>>().map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mute(who: &str, own: bool, host: bool) -> MuteChange {
        let (meeting, who) = ("demo".to_owned(), who.to_owned());
        MuteChange::Put(StoredMute { meeting, run: 7, who, own, host, dies_at: 1_000 })
    }

    /// Closed microphones are there after a restart until they are opened or their meeting is over.
    #[tokio::test]
    async fn k4_closed_microphones_are_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let open = || crate::store::open(folder.path(), &folder.path().join("keys")).unwrap();
        let (store, thread) = open();
        for change in [mute("device/a", true, false), mute("device/b", false, true), mute("guest/c", false, true)] {
            store.mute(change).await.await.unwrap().unwrap();
        }
        store.mute(mute("device/a", false, false)).await.await.unwrap().unwrap();
        drop(store);
        thread.join().unwrap();

        let (store, thread) = open();
        let kept = store.mutes(999).await.unwrap();
        assert_eq!(
            kept.iter().map(|mute| (mute.who.as_str(), mute.host, mute.run)).collect::<Vec<_>>(),
            [("device/b", true, 7), ("guest/c", true, 7)]
        );
        store.mute(MuteChange::Over { meeting: "demo".to_owned(), dies_at: 500 }).await.await.unwrap().unwrap();
        assert_eq!(store.mutes(500).await.unwrap(), []);
        drop(store);
        thread.join().unwrap();
    }
}
