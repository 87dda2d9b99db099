//! Offer and answer (RFC 3264) of one dialog, and what they have agreed on so far.

use std::net::IpAddr;

use super::media_refusal::MediaRefusal;
use crate::codec::EncoderSettings;
use crate::common::cause::Cause;
use crate::common::ip_network;
use crate::media::{DtmfPolicy, Profile, TelephoneEventFormat};
use crate::rtp::latch::NamedSource;
use crate::rtp::srtp::KeyGenerator;
use crate::sdp::{self, Agreement, Hold, LocalCapabilities, SessionDescription};

/// Names of hosts, each with an address that it stands for.
pub(super) type NamedAddresses = Vec<(String, IpAddr)>;

/// The peer of a dialog, as far as its media is concerned (S-7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteMedia {
    /// Where the peer's SIP comes from.
    pub signalling: IpAddr,
    /// It has proven who it is, by password or certificate.
    pub proven: bool,
    /// Our own addresses, which nobody can mean by what they describe.
    pub own: Vec<IpAddr>,
}

impl RemoteMedia {
    /// Whether the peer's media can be at an address that a name of its leads to (S-8).
    pub(super) fn may_be_at(&self, address: IpAddr) -> bool {
        self.judge(address) != NamedSource::Barred
    }

    /// What is thought of an address that the peer describes as its own.
    fn judge(&self, address: IpAddr) -> NamedSource {
        let (address, signalling) = (address.to_canonical(), self.signalling.to_canonical());
        if address == signalling {
            NamedSource::Trusted
        } else if ip_network::leads_inward(address) || self.own.contains(&address) {
            NamedSource::Barred
        } else if self.proven {
            NamedSource::Trusted
        } else {
            NamedSource::Unproven
        }
    }
}

/// Offer/answer of one dialog, with what was last agreed on.
#[derive(Debug, Clone)]
pub struct OfferAnswer {
    ours: LocalCapabilities,
    keys: KeyGenerator,
    remote: RemoteMedia,
    dtmf: DtmfPolicy,
    agreed: Option<Profile>,
    offered: Option<SessionDescription>,
    held: bool,
    /// Addresses of the names in the peer's descriptions.
    names: NamedAddresses,
}

impl OfferAnswer {
    /// An exchange in which nothing is agreed on yet. `keys` makes our SRTP keys.
    #[must_use]
    pub const fn new(ours: LocalCapabilities, keys: KeyGenerator, remote: RemoteMedia) -> Self {
        Self { ours, keys, remote, dtmf: DtmfPolicy::Auto, agreed: None, offered: None, held: false, names: Vec::new() }
    }

    /// The same, with keys looked for as `dtmf` says.
    #[must_use]
    pub fn with_dtmf(self, dtmf: DtmfPolicy) -> Self {
        Self { dtmf, ..self }
    }

    /// The peer holds us: it does not receive (S-5). One that only receives does not.
    #[must_use]
    pub const fn on_hold(&self) -> bool {
        self.held
    }

    /// Answers an offer.
    ///
    /// # Errors
    /// Why it is refused; what was agreed on before stays.
    pub fn offered(&mut self, offer: &[u8]) -> Result<(Profile, String), MediaRefusal> {
        let offer = self.read(offer)?;
        let agreement = sdp::answer(&offer, &self.ours, &mut self.keys).map_err(|error| MediaRefusal::of(error, &offer))?;
        let text = agreement.local.to_string();
        Ok((self.agree(agreement)?, text))
    }

    /// What to answer an INVITE or UPDATE with: our answer, and what was agreed on by it, or our offer where they have made none.
    ///
    /// # Errors
    /// As [`OfferAnswer::offered`].
    pub fn respond(&mut self, offer: Option<&[u8]>) -> Result<(String, Option<Profile>), MediaRefusal> {
        match offer {
            Some(offer) => self.offered(offer).map(|(profile, answer)| (answer, Some(profile))),
            None => Ok((self.offer(), None)),
        }
    }

    /// Our own offer (delayed offer, RFC 3261 section 13.2.1).
    pub fn offer(&mut self) -> String {
        let offer = sdp::offer(&self.ours, &mut self.keys);
        let text = offer.to_string();
        self.ours.previous = Some(offer.clone());
        self.offered = Some(offer);
        text
    }

    /// Takes the answer to a refresh, which offered what was described last once more.
    ///
    /// # Errors
    /// When the answer does not fit.
    pub fn refreshed(&mut self, answer: &[u8]) -> Result<Profile, MediaRefusal> {
        self.offered.clone_from(&self.ours.previous);
        self.answered(answer)
    }

    /// Takes the answer to our offer.
    ///
    /// # Errors
    /// When no offer of ours is open, or the answer does not fit it.
    pub fn answered(&mut self, answer: &[u8]) -> Result<Profile, MediaRefusal> {
        let offer = self.offered.take().ok_or(Cause::NoCommonCodec)?;
        let answer = self.read(answer)?;
        let agreement = sdp::accept_answer(&offer, &answer, &self.ours).map_err(|error| MediaRefusal::of(error, &answer))?;
        self.agree(agreement)
    }

    /// Addresses that names in the peer's descriptions stand for, from now on.
    pub(super) fn know(&mut self, names: NamedAddresses) {
        self.names = names;
    }

    fn read(&self, description: &[u8]) -> Result<SessionDescription, MediaRefusal> {
        let mut description = SessionDescription::parse(description).map_err(MediaRefusal::unreadable)?;
        let own_is_ipv4 = self.ours.address.is_ipv4();
        sdp::resolve(&mut description, |name| {
            let addresses = || self.names.iter().filter(|(known, _)| known == name).map(|(_, address)| *address);
            addresses().find(|address| address.is_ipv4() == own_is_ipv4).or_else(|| addresses().next())
        });
        Ok(description)
    }

    fn agree(&mut self, agreement: Agreement) -> Result<Profile, MediaRefusal> {
        let mut profile = profile(&agreement, &self.remote).ok_or(Cause::NoCommonCodec)?;
        // The hold of RFC 2543 names no address: media will come back to where they were.
        if profile.remote.ip().is_unspecified()
            && let Some(before) = &self.agreed
        {
            profile.remote = before.remote;
            profile.remote_rtcp = before.remote_rtcp;
            profile.named = before.named;
        }
        profile.inband_keys = self.dtmf.is_inband(profile.telephone_event.is_some());
        self.held = agreement.audio().is_some_and(|stream| stream.hold != Hold::No);
        self.agreed = Some(profile.clone());
        self.ours.previous = Some(agreement.local);
        self.ours.protection = Some(agreement.transport.protection);
        self.ours.ice = agreement.transport.ice;
        Ok(profile)
    }
}

/// What the media plane needs of an agreement; `None` where no audio was agreed on.
#[must_use]
pub fn profile(agreement: &Agreement, peer: &RemoteMedia) -> Option<Profile> {
    let (stream, transport) = (agreement.audio()?, &agreement.transport);
    Some(Profile {
        codec: stream.codec,
        encoder: EncoderSettings::for_receiver(stream.fmtp_send.as_deref()),
        payload_type_send: stream.payload_type_send,
        formats: stream.formats.clone(),
        telephone_event: stream.telephone_event.map(|event| TelephoneEventFormat {
            payload_type: event.receive_pt,
            send_payload_type: event.send_pt,
            clock: event.clock,
        }),
        comfort_noise: stream.comfort_noise,
        inband_keys: false,
        ptime: stream.ptime_send,
        remote: transport.remote,
        remote_rtcp: transport.remote_rtcp,
        signalling: peer.signalling,
        named: peer.judge(transport.remote.ip()),
        rtcp_mux: transport.rtcp_mux,
        protection: transport.protection.clone(),
        ice: transport.ice.clone(),
        we_send: stream.we_send,
        they_send: stream.they_send,
    })
}
