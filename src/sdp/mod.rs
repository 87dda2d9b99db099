//! Session descriptions: a lenient reader, an exact printer, and the offer/answer rules of RFC 3264.
//!
//! Bytes of a SIP body flow in, a [`SessionDescription`] flows out; [`offer`] turns an offer and what we can do into a
//! [`Negotiated`] stream and the description to send. Pure, and owned by the call that owns the dialog.
//!
//! Phones leave out `s=` and `t=`, write origins that are not numbers, end lines with a bare LF and send lines nobody
//! knows. All of that is read. What is kept is what offer/answer needs: origin, connections, `m=` lines and every
//! attribute in its order. Everything is bounded, so that a hostile body costs no more than its size.

mod hold;
pub mod offer;
mod session;

pub use hold::{Direction, Hold};
pub use offer::{AnswerError, LocalCapabilities, Negotiated, NegotiatedEvents, Preference, accept_answer, answer, offer};
pub use session::{
    Attribute, CONTENT_TYPE, MAX_BYTES, MAX_MEDIA, MediaSection, ParseError, RtpMap, SdpHost, SdpOrigin, SessionDescription,
};
