//! Session descriptions: a lenient reader, an exact printer, and the offer/answer rules of RFC 3264.
//!
//! Bytes of a SIP body flow in, a [`SessionDescription`] flows out; [`answer`], [`offer`] and [`accept_answer`] turn descriptions and what we can do
//! ([`LocalCapabilities`]) into an [`Agreement`] and the description to send. Pure, and owned by the call that owns the dialog.
//!
//! Phones leave out `s=` and `t=`, write origins that are not numbers, end lines with a bare LF and send lines nobody
//! knows. All of that is read. What is kept is what offer/answer needs: origin, connections, `m=` lines and every
//! attribute in its order. Everything is bounded, so that a hostile body costs no more than its size. Rules: S-4, S-5, A-1, A-3.

mod agreement;
mod answer;
mod capabilities;
mod crypto;
mod dtls;
mod error;
mod formats;
mod hold;
mod ice;
mod lines;
mod names;
mod offer;
mod potential;
mod protection;
mod session;

pub use agreement::{Agreement, MediaTransport, NegotiatedEvents, Protection, Stream};
pub use answer::answer;
pub use capabilities::{DEFAULT_PTIME, LocalCapabilities, MAX_PTIME, MIN_PTIME, Preference, SrtpPolicy};
pub use crypto::{CryptoAttribute, CryptoAttributeError};
pub use error::AnswerError;
pub use hold::{Direction, Hold};
pub use names::{MAX_NAMES, media_names, resolve};
pub use offer::{accept_answer, offer};
pub use session::{
    Attribute, CONTENT_TYPE, MAX_BYTES, MAX_MEDIA, MediaSection, ParseError, RtpMap, SdpHost, SdpOrigin, SessionDescription,
};

#[cfg(test)]
mod tests;
