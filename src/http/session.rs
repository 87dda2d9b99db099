//! Who a browser is to us: member links, session cookies, and the operator's token.
//!
//! A link says "whoever opens this within ten minutes is a member of that meeting" and is signed with a key that lies in the
//! state directory, so that `roomgate link` can make one while the daemon runs, without asking it. A click exchanges it, once,
//! for a cookie signed with the same key. Whoever has neither is an external (M-3); nothing a client sends can say otherwise.
//! Every comparison of a secret takes constant time.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::ids::MeetingName;
use crate::service::embedded::signalling::ResumeKey;

/// The cookie's name.
pub const COOKIE: &str = "roomgate_session";
/// How long a member link may be exchanged (U-1).
pub const LINK_VALID: Duration = Duration::from_secs(10 * 60);
/// How long a session lasts.
pub const SESSION_VALID: Duration = Duration::from_secs(12 * 60 * 60);
/// Exchanged links that are remembered until they would have expired. When so many are, further exchanges are refused
/// ([`LinkError::Busy`]): a link that works twice would be worse than one that works later.
const USED_LINKS: usize = 4096;
/// Tokens are far shorter; longer ones are not looked at.
const LONGEST_TOKEN: usize = 512;

const KEY_FILE: &str = "session.key";
const API_TOKEN_FILE: &str = "api-token";
const RESUME_KEY_FILE: &str = "resume.key";

/// What a token is for. Part of what is signed, so that none can be used as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Link = 1,
    Session = 2,
}

/// A member's session, as its cookie says. Externals have none.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The one meeting in which the bearer is a member.
    pub meeting: MeetingName,
    /// The bearer is its organiser.
    pub organiser: bool,
    /// When the API made that meeting, in milliseconds since 1970; 0: it is a configured one. A meeting that is made anew under an old
    /// name has other members.
    pub made_at: u64,
    /// Tells this session from others of the same meeting.
    pub id: SessionId,
    /// When it ends, [`SESSION_VALID`] after the link was exchanged.
    pub expires: SystemTime,
}

impl Session {
    /// How much longer it lasts; nothing: it is over.
    #[must_use]
    pub fn remaining(&self, now: SystemTime) -> Duration {
        self.expires.duration_since(now).unwrap_or_default()
    }
}

/// Random, one per exchanged link.
pub type SessionId = [u8; 16];

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("meeting", &self.meeting).field("organiser", &self.organiser).finish_non_exhaustive()
    }
}

/// Why a link does not open the door. `Display` is for the person who clicked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not made with our key, or damaged on its way.
    #[error("This link is not valid. Ask for a new one, and copy it whole.")]
    Forged,
    /// Older than [`LINK_VALID`].
    #[error("This link has expired: member links are valid for 10 minutes. Ask for a new one.")]
    Expired,
    /// Exchanged before.
    #[error("This link has been used already: each one works once. Ask for a new one.")]
    Used,
    /// Too many links were exchanged in the last ten minutes.
    #[error("Too many links have just been used. Please try again in a few minutes.")]
    Busy,
    /// The system has no randomness to give.
    #[error("Something went wrong on our side. Please try again.")]
    NoRandomness,
}

/// Why a secret could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file or its directory.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
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

/// Makes and checks links and cookies. Clones share the memory of used links.
#[derive(Clone)]
pub struct Sessions(Arc<Shared>);

struct Shared {
    key: Zeroizing<[u8; 32]>,
    /// Exchanged links by (expiry, id): the earliest to forget comes first. Forgotten when the daemon stops, so a link that was
    /// used less than ten minutes before a restart works once more.
    used: Mutex<BTreeMap<(u64, SessionId), ()>>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions(***)")
    }
}

impl Sessions {
    /// Reads the signing key of this state directory; makes it, mode 0600, if there is none.
    /// Safe against another process doing the same at the same time.
    ///
    /// # Errors
    /// The key can be neither read nor made, or is damaged.
    pub fn open(state_dir: &Path) -> Result<Self, SecretError> {
        let path = state_dir.join(KEY_FILE);
        let text = read_or_make(&path)?;
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| SecretError::Damaged { path: path.clone() })?);
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| SecretError::Damaged { path })?;
        Ok(Self::with_key(key))
    }

    /// With a key from elsewhere.
    #[must_use]
    pub fn with_key(key: [u8; 32]) -> Self {
        Self(Arc::new(Shared { key: Zeroizing::new(key), used: Mutex::new(BTreeMap::new()) }))
    }

    /// A link's token, valid from `now` for [`LINK_VALID`]; put it behind `/enter?token=`. `made_at` is as in [`Session`].
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn mint_link(
        &self,
        meeting: &MeetingName,
        made_at: u64,
        organiser: bool,
        now: SystemTime,
    ) -> Result<String, SecretError> {
        let id = random_id().map_err(SecretError::Randomness)?;
        let claim = Claim { expires: seconds(now + LINK_VALID), organiser, id, made_at, meeting: meeting.clone() };
        Ok(self.seal(Purpose::Link, &claim))
    }

    /// The meeting a link leads to, if it could be exchanged now. Does not use it up.
    ///
    /// # Errors
    /// As [`Sessions::exchange`].
    pub fn peek(&self, token: &str, now: SystemTime) -> Result<MeetingName, LinkError> {
        let claim = self.unseal(Purpose::Link, token).ok_or(LinkError::Forged)?;
        if claim.expires <= seconds(now) {
            return Err(LinkError::Expired);
        }
        let used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.contains_key(&(claim.expires, claim.id)) { Err(LinkError::Used) } else { Ok(claim.meeting) }
    }

    /// Uses a link up: the session it opens, and the value of its cookie.
    ///
    /// # Errors
    /// The link is forged, expired or used, or we cannot keep the promise that it works only once.
    pub fn exchange(&self, token: &str, now: SystemTime) -> Result<(Session, String), LinkError> {
        let link = self.unseal(Purpose::Link, token).ok_or(LinkError::Forged)?;
        let seconds_now = seconds(now);
        if link.expires <= seconds_now {
            return Err(LinkError::Expired);
        }
        let id = random_id().map_err(|_| LinkError::NoRandomness)?;
        {
            let mut used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
            while used.first_key_value().is_some_and(|((expires, _), ())| *expires <= seconds_now) {
                used.pop_first();
            }
            if used.contains_key(&(link.expires, link.id)) {
                return Err(LinkError::Used);
            }
            if used.len() >= USED_LINKS {
                return Err(LinkError::Busy);
            }
            used.insert((link.expires, link.id), ());
        }
        let claim = Claim { expires: seconds(now + SESSION_VALID), id, ..link };
        let cookie = self.seal(Purpose::Session, &claim);
        Ok((claim.into(), cookie))
    }

    /// Whose cookie this is; `None` for a forged or expired one.
    #[must_use]
    pub fn session(&self, cookie: &str, now: SystemTime) -> Option<Session> {
        let session: Session = self.unseal(Purpose::Session, cookie)?.into();
        (!session.remaining(now).is_zero()).then_some(session)
    }

    fn seal(&self, purpose: Purpose, claim: &Claim) -> String {
        let body = claim.to_bytes();
        let tag = self.mac(purpose, &body).finalize().into_bytes();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(&body), URL_SAFE_NO_PAD.encode(tag))
    }

    fn unseal(&self, purpose: Purpose, token: &str) -> Option<Claim> {
        if token.len() > LONGEST_TOKEN {
            return None;
        }
        let (body, tag) = token.split_once('.')?;
        let body = URL_SAFE_NO_PAD.decode(body).ok()?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        self.mac(purpose, &body).verify_slice(&tag).ok()?;
        Claim::from_bytes(&body)
    }

    fn mac(&self, purpose: Purpose, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.key.as_slice()).expect("HMAC takes a key of any length");
        mac.update(b"roomgate 2");
        mac.update(&[purpose as u8]);
        mac.update(body);
        mac
    }
}

/// What is signed.
struct Claim {
    /// Seconds since 1970.
    expires: u64,
    organiser: bool,
    id: SessionId,
    made_at: u64,
    meeting: MeetingName,
}

impl From<Claim> for Session {
    fn from(Claim { expires, organiser, id, made_at, meeting }: Claim) -> Self {
        let expires = UNIX_EPOCH + Duration::from_secs(expires);
        Self { meeting, organiser, made_at, id, expires }
    }
}

impl Claim {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(33 + self.meeting.as_str().len());
        bytes.extend_from_slice(&self.expires.to_be_bytes());
        bytes.push(u8::from(self.organiser));
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.made_at.to_be_bytes());
        bytes.extend_from_slice(self.meeting.as_str().as_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (expires, rest) = bytes.split_first_chunk::<8>()?;
        let (organiser, rest) = rest.split_first()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (made_at, meeting) = rest.split_first_chunk::<8>()?;
        let (expires, made_at) = (u64::from_be_bytes(*expires), u64::from_be_bytes(*made_at));
        let meeting = MeetingName::new(std::str::from_utf8(meeting).ok()?).ok()?;
        Some(Self { expires, organiser: *organiser == 1, id: *id, made_at, meeting })
    }
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

/// The operator's bearer token itself, for a program that calls the API (`roomgate status`). Only the daemon makes one: who calls
/// may be another user, and the daemon could then not read it.
///
/// # Errors
/// There is none, it cannot be read, or it is too short to be one.
pub fn api_token(state_dir: &Path) -> Result<Zeroizing<String>, SecretError> {
    let path = state_dir.join(API_TOKEN_FILE);
    let text = read_secret(&path).map_err(|source| SecretError::File { path: path.clone(), source })?;
    fitting(text, path)
}

/// The key that signs which seat a page had, kept over a restart; made, mode 0600, if there is none.
///
/// # Errors
/// It can be neither read nor made, or is damaged.
pub fn resume_key(state_dir: &Path) -> Result<ResumeKey, SecretError> {
    let path = state_dir.join(RESUME_KEY_FILE);
    let text = read_or_make(&path)?;
    let bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok().map(Zeroizing::new);
    let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
    key.map(ResumeKey::new).ok_or(SecretError::Damaged { path })
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

fn random_id() -> Result<SessionId, getrandom::Error> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    Ok(id)
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
