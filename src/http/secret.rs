//! Secrets that lie in files of the state directory: the operator's token, and the key that signs links and cookies. Every comparison of one
//! takes constant time.

use std::fmt;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::service::embedded::signalling::ResumeKey;

const API_TOKEN_FILE: &str = "api-token";
const RESUME_KEY_FILE: &str = "resume.key";

/// Why a secret could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file or its directory.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file is there, but what is in it is not what we wrote.
    #[error("{path} is damaged: remove it, and a new one is made at the next start", path = path.display())]
    Damaged {
        /// The file.
        path: std::path::PathBuf,
    },
    /// The system has no randomness to give.
    #[error("the system gives no randomness: {0}")]
    Randomness(getrandom::Error),
}

/// The bearer token of the operator or of a device. Its hash is kept, so that comparing takes the same time whatever is offered.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiToken([u8; 32]);

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken(***)")
    }
}

impl ApiToken {
    /// Reads the token of this state directory; makes it, mode 0600, if there is none.
    ///
    /// # Errors
    /// The token can be neither read nor made, or is too short to be one.
    pub fn open(state_dir: &Path) -> Result<Self, SecretError> {
        let path = state_dir.join(API_TOKEN_FILE);
        fitting(read_or_make(&path)?, path).map(|token| Self::new(&token))
    }

    /// Whether `text` is long enough not to be guessed (16 characters), and a header can carry it.
    #[must_use]
    pub fn fits(text: &str) -> bool {
        text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// With a token from elsewhere.
    #[must_use]
    pub fn new(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether `offered` is the token.
    #[must_use]
    pub fn is(&self, offered: &str) -> bool {
        let offered: [u8; 32] = Sha256::digest(offered.as_bytes()).into();
        bool::from(self.0.ct_eq(&offered))
    }
}

/// An administrator may put a token of their own into the file, but not an empty or guessable one.
fn fitting(text: Zeroizing<String>, path: std::path::PathBuf) -> Result<Zeroizing<String>, SecretError> {
    let token = text.trim();
    if ApiToken::fits(token) { Ok(Zeroizing::new(token.to_owned())) } else { Err(SecretError::Damaged { path }) }
}

/// Reads a secret file, or makes one of 32 random bytes in base64. Whoever comes second reads what the first has made:
/// the file appears under its name complete or not at all.
fn read_or_make(path: &Path) -> Result<Zeroizing<String>, SecretError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    let failed = |source| SecretError::File { path: path.to_owned(), source };
    match read_secret(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other.map_err(failed),
    }
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(SecretError::Randomness)?;
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()) + "\n");
    let id = random_id().map_err(SecretError::Randomness)?;
    let draft = path.with_extension(format!("new-{}", URL_SAFE_NO_PAD.encode(id)));
    let written = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // Unlike a rename, a link never replaces what another process has made meanwhile.
        match std::fs::hard_link(&draft, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    });
    let removed = std::fs::remove_file(&draft);
    written.and(removed).and_then(|()| read_secret(path)).map_err(failed)
}

/// Reads a secret, and closes it to others if they could read it.
fn read_secret(path: &Path) -> io::Result<Zeroizing<String>> {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;

    let file = std::fs::File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), mode = format!("{:o}", mode & 0o777),
            "secret file was open to others and has been closed; if somebody may have read it, remove it and restart");
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    let mut text = Zeroizing::new(String::new());
    file.take(4096).read_to_string(&mut text)?;
    Ok(text)
}

/// 16 bytes that nobody can guess.
pub(super) fn random_id() -> Result<[u8; 16], getrandom::Error> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    Ok(id)
}

/// The key in this file of the state directory, or a new one, mode 0600. Safe against another process doing the same at the same time.
///
/// # Errors
/// The key can be neither read nor made, or is damaged.
pub(super) fn key(path: &Path) -> Result<Zeroizing<[u8; 32]>, SecretError> {
    let text = read_or_make(path)?;
    let damaged = || SecretError::Damaged { path: path.to_owned() };
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| damaged())?);
    <[u8; 32]>::try_from(bytes.as_slice()).map(Zeroizing::new).map_err(|_| damaged())
}

/// The key that signs which seat a page had, kept over a restart; made, mode 0600, if there is none.
///
/// # Errors
/// It can be neither read nor made, or is damaged.
pub fn resume_key(state_dir: &Path) -> Result<ResumeKey, SecretError> {
    key(&state_dir.join(RESUME_KEY_FILE)).map(|key| ResumeKey::new(*key))
}

#[cfg(test)]
mod tests;
