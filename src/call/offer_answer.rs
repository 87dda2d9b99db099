//! Offer and answer (RFC 3264) of one dialog, and what they have agreed on so far.

use std::net::IpAddr;

use crate::common::cause::Cause;
use crate::common::ip_network;
use crate::media::{Profile, TelephoneEventFormat};
use crate::rtp::latch::NamedSource;
use crate::sdp::{self, LocalCapabilities, Negotiated, SessionDescription};

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
    remote: RemoteMedia,
    agreed: Option<Profile>,
    offered: Option<SessionDescription>,
    held: bool,
}

impl OfferAnswer {
    /// An exchange in which nothing is agreed on yet.
    #[must_use]
    pub const fn new(ours: LocalCapabilities, remote: RemoteMedia) -> Self {
        Self { ours, remote, agreed: None, offered: None, held: false }
    }

    /// The peer holds us, or has stopped to send (S-5).
    #[must_use]
    pub const fn on_hold(&self) -> bool {
        self.held
    }

    /// Answers an offer.
    ///
    /// # Errors
    /// The cause of the refusal; what was agreed on before stays.
    pub fn offered(&mut self, offer: &[u8]) -> Result<(Profile, String), Cause> {
        let offer = SessionDescription::parse(offer).map_err(|_| Cause::NoCommonCodec)?;
        let negotiated = sdp::answer(&offer, &self.ours).map_err(sdp::AnswerError::cause)?;
        let text = negotiated.local.to_string();
        Ok((self.agree(&negotiated), text))
    }

    /// What to answer an INVITE or UPDATE with: our answer, and what was agreed on by it, or our offer where they have made none.
    ///
    /// # Errors
    /// As [`OfferAnswer::offered`].
    pub fn respond(&mut self, offer: Option<&[u8]>) -> Result<(String, Option<Profile>), Cause> {
        match offer {
            Some(offer) => self.offered(offer).map(|(profile, answer)| (answer, Some(profile))),
            None => Ok((self.offer(), None)),
        }
    }

    /// Our own offer (delayed offer, RFC 3261 section 13.2.1).
    pub fn offer(&mut self) -> String {
        let offer = sdp::offer(&self.ours);
        let text = offer.to_string();
        self.ours.previous = Some(offer.clone());
        self.offered = Some(offer);
        text
    }

    /// Takes the answer to a refresh, which offered what was described last once more.
    ///
    /// # Errors
    /// When the answer does not fit.
    pub fn refreshed(&mut self, answer: &[u8]) -> Result<Profile, Cause> {
        self.offered.clone_from(&self.ours.previous);
        self.answered(answer)
    }

    /// Takes the answer to our offer.
    ///
    /// # Errors
    /// When no offer of ours is open, or the answer does not fit it.
    pub fn answered(&mut self, answer: &[u8]) -> Result<Profile, Cause> {
        let offer = self.offered.take().ok_or(Cause::NoCommonCodec)?;
        let answer = SessionDescription::parse(answer).map_err(|_| Cause::NoCommonCodec)?;
        let negotiated = sdp::accept_answer(&offer, &answer).map_err(sdp::AnswerError::cause)?;
        Ok(self.agree(&negotiated))
    }

    fn agree(&mut self, negotiated: &Negotiated) -> Profile {
        let mut profile = profile(negotiated, &self.remote);
        // The hold of RFC 2543 names no address: media will come back to where they were.
        if profile.remote.ip().is_unspecified()
            && let Some(before) = self.agreed
        {
            profile.remote = before.remote;
            profile.remote_rtcp = before.remote_rtcp;
            profile.named = before.named;
        }
        self.held = !(profile.we_send && profile.they_send);
        self.agreed = Some(profile);
        self.ours.previous = Some(negotiated.local.clone());
        profile
    }
}

/// What the media plane needs of an agreement.
#[must_use]
pub fn profile(negotiated: &Negotiated, remote: &RemoteMedia) -> Profile {
    Profile {
        codec: negotiated.codec,
        payload_type_send: negotiated.payload_type_send,
        payload_type_receive: negotiated.payload_type_receive,
        telephone_event: negotiated.telephone_event.map(|event| TelephoneEventFormat {
            payload_type: event.receive_pt,
            send_payload_type: event.send_pt,
            clock: event.clock,
        }),
        ptime: negotiated.ptime_send,
        remote: negotiated.remote,
        remote_rtcp: negotiated.remote_rtcp,
        signalling: remote.signalling,
        named: remote.judge(negotiated.remote.ip()),
        we_send: negotiated.we_send,
        they_send: negotiated.they_send,
    }
}
