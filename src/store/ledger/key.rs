//! The key of the ledger's epoch (N-8): made when the epoch begins, wiped when it has signed its successor. Who takes it can speak for the
//! epoch that goes on, and for none before.
//!
//! Only one lies on the disk, so that a daemon that was killed can go on: `ledger-epoch.key`. While one follows another there are two for
//! a moment; which of them is the last line's says the ledger itself. What is wiped is overwritten in its place and written through: a
//! file system that never writes in place, or a disk that keeps old blocks, must be told to forget by other means.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use super::head::{Hex, from_hex};
use crate::store::StoreError;
use crate::store::error::at;

/// The key of the epoch that goes on.
const CURRENT: &str = "ledger-epoch.key";
/// The key of the epoch that begins.
const NEXT: &str = "ledger-epoch.key.next";
/// Hexadecimal digits and a line end.
const LENGTH: usize = 65;

/// Public halves of keys that are there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Public {
    pub(super) current: Option<[u8; 32]>,
    pub(super) next: Option<[u8; 32]>,
}

impl Public {
    /// Whether they belong to a ledger whose last epoch has this key. One that was made for a first epoch proves nothing.
    pub(super) fn fit(&self, last: Option<&[u8; 32]>) -> bool {
        match last {
            Some(last) => [self.current, self.next].iter().flatten().any(|key| key == last),
            None => self.current.is_none(),
        }
    }
}

/// Where the key of the epoch is kept.
#[derive(Debug, Clone)]
pub(crate) struct KeyPlace {
    directory: PathBuf,
}

impl KeyPlace {
    /// The keys of a daemon whose store is in `directory`'s neighbourhood.
    #[must_use]
    pub(crate) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// The key that fits `public`, of the one or two that are there; the other one is wiped.
    ///
    /// # Errors
    /// [`StoreError::Io`] for a file that is there and cannot be read or wiped.
    pub(super) fn find(&self, public: &[u8; 32]) -> Result<Option<SigningKey>, StoreError> {
        let fits = |key: &SigningKey| key.verifying_key().as_bytes() == public;
        if let Some(next) = self.read(NEXT)?.filter(fits) {
            self.retire()?;
            return Ok(Some(next));
        }
        let current = self.read(CURRENT)?.filter(fits);
        if current.is_some() {
            // The epoch that it was made for has not begun.
            self.wipe(NEXT)?;
        }
        Ok(current)
    }

    /// The public halves of the keys that are there, for who verifies; `None`: this is a copy of a store, without its keys.
    pub(super) fn public(&self) -> Result<Option<Public>, StoreError> {
        if !self.directory.is_dir() {
            return Ok(None);
        }
        let public = |key: Option<SigningKey>| key.map(|key| key.verifying_key().to_bytes());
        Ok(Some(Public { current: public(self.read(CURRENT)?), next: public(self.read(NEXT)?) }))
    }

    /// Makes the key of an epoch that begins. It is on the disk when this returns, beside the one that shall sign it.
    pub(super) fn make(&self) -> Result<SigningKey, StoreError> {
        let path = self.directory.join(NEXT);
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(&mut secret[..]).map_err(|error| at(&path)(io::Error::other(error.to_string())))?;
        let text = Zeroizing::new(format!("{}\n", Hex(&secret)));
        // One that was never used may be there.
        self.wipe(NEXT)?;
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(at(&path))?;
        Ok(SigningKey::from_bytes(&secret))
    }

    /// The epoch whose key was made last has begun: the earlier key is wiped.
    pub(super) fn retire(&self) -> Result<(), StoreError> {
        self.wipe(CURRENT)?;
        let current = self.directory.join(CURRENT);
        let rename = || {
            fs::rename(self.directory.join(NEXT), &current)?;
            File::open(&self.directory)?.sync_all()
        };
        rename().map_err(at(&current))
    }

    fn wipe(&self, name: &str) -> Result<(), StoreError> {
        let path = self.directory.join(name);
        let wipe = || {
            let mut file = match OpenOptions::new().write(true).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
            let length = usize::try_from(file.metadata()?.len()).unwrap_or(LENGTH).clamp(LENGTH, 4 * LENGTH);
            file.write_all(&vec![b'0'; length])?;
            file.sync_all()?;
            fs::remove_file(&path)
        };
        wipe().map_err(at(&path))
    }

    /// A file that holds no key is as good as none.
    fn read(&self, name: &str) -> Result<Option<SigningKey>, StoreError> {
        let path = self.directory.join(name);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&path)(error)),
        };
        if metadata.mode() & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "the ledger's key can be read by others; make it mode 0600");
        }
        let text = match fs::read(&path) {
            Ok(text) => Zeroizing::new(text),
            // One that was just wiped.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&path)(error)),
        };
        let secret = std::str::from_utf8(&text).ok().and_then(|text| from_hex(text.trim())).map(Zeroizing::new);
        Ok(secret.filter(|secret| **secret != [0; 32]).map(|secret| SigningKey::from_bytes(&secret)))
    }
}
