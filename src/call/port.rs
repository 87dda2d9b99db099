//! The media port of a call, from its reservation to its end: [`CallPort`].

use std::net::IpAddr;

use tokio::sync::mpsc;

use super::messages::SignallingPath;
use super::offer_answer::{OfferAnswer, RemoteMedia};
use super::settings::{CallsSettings, RuntimeConfig};
use crate::codec::FALLBACK_CODECS;
use crate::media::{Media, PortEvent, PortHandle, PortOpenError, Profile, Reserved};
use crate::rtp::srtp::KeyGenerator;
use crate::sdp::{DEFAULT_PTIME, LocalCapabilities, Preference, SrtpPolicy};
use crate::sip::Proof;

/// A call's port, as far as there is one.
#[derive(Default)]
pub(super) enum CallPort {
    /// None.
    #[default]
    Closed,
    /// Its sockets, which are named in our description; dropped, they are given back.
    Reserved(Reserved),
    /// It carries sound.
    Open(PortHandle),
}

impl CallPort {
    /// The port, once it is open.
    pub(super) const fn open_port(&self) -> Option<&PortHandle> {
        match self {
            Self::Open(port) => Some(port),
            Self::Closed | Self::Reserved(_) => None,
        }
    }

    /// Opens it, if it is reserved.
    ///
    /// # Errors
    /// [`PortOpenError`]; the sockets are given back.
    pub(super) async fn open(
        &mut self,
        media: &Media,
        profile: Profile,
        events: mpsc::Sender<PortEvent>,
    ) -> Result<Option<PortHandle>, PortOpenError> {
        let Self::Reserved(reserved) = std::mem::take(self) else { return Ok(None) };
        let port = media.open_port(reserved, profile, events).await?;
        *self = Self::Open(port.clone());
        Ok(Some(port))
    }
}

/// Our address for media of a call whose signalling takes this way.
pub(super) fn local_address(settings: &CallsSettings, path: SignallingPath) -> IpAddr {
    settings.address.unwrap_or(path.local)
}

/// An exchange about media at `port`, in which nothing is agreed on yet; `None`: the system has no random numbers.
pub(super) fn offer_answer(
    settings: &CallsSettings,
    config: &RuntimeConfig,
    (path, srtp): (SignallingPath, SrtpPolicy),
    port: u16,
) -> Option<OfferAnswer> {
    let ours = LocalCapabilities {
        address: advertised_address(settings, path),
        port,
        codecs: config.codecs.clone(),
        fallback: FALLBACK_CODECS.into(),
        preference: Preference::Offerer,
        ptime: DEFAULT_PTIME,
        // 62 bits: a number of RFC 3264 section 5 that every peer can read.
        session_id: getrandom::u64().ok()? >> 2,
        rtcp_mux: true,
        srtp,
        identity: settings.media.dtls_identity().clone(),
        signalling: path.remote,
        previous: None,
        protection: None,
        ice: None,
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).ok()?;
    Some(OfferAnswer::new(ours, KeyGenerator::new(seed), remote_media(settings, path)))
}

/// The peer of a call whose signalling takes this way.
pub(super) fn remote_media(settings: &CallsSettings, path: SignallingPath) -> RemoteMedia {
    let local = local_address(settings, path);
    let proven = matches!(path.proof, Proof::Digest | Proof::Certificate | Proof::Registration);
    let own = [&settings.own[..], &[local, advertised_address(settings, path)]].concat();
    RemoteMedia { signalling: path.remote, proven, own }
}

/// The address that our descriptions name: that of the media itself, or behind a NAT the one that devices are told (S-7).
fn advertised_address(settings: &CallsSettings, path: SignallingPath) -> IpAddr {
    let local = local_address(settings, path);
    let fits = |advertised: &IpAddr| !local.is_loopback() && advertised.is_ipv4() == local.is_ipv4();
    settings.advertised.filter(fits).unwrap_or(local)
}
