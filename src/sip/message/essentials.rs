//! [`Essentials`]: the headers without which no message can be routed.

use super::header::{CSeq, NameAddr, Via};
use super::header_names;
use super::headers::Headers;

/// What every message must have to be routed at all (RFC 3261 section 8.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Essentials {
    /// The topmost Via.
    pub via: Via,
    /// `From`.
    pub from: NameAddr,
    /// `To`.
    pub to: NameAddr,
    /// `Call-ID`, as written.
    pub call_id: String,
    /// `CSeq`.
    pub cseq: CSeq,
}

impl Essentials {
    /// Reads them; the error names the header that is missing, said twice or unreadable.
    ///
    /// # Errors
    /// The header's name.
    pub fn read(headers: &Headers) -> Result<Self, &'static str> {
        fn one<'a>(headers: &'a Headers, name: &'static str) -> Result<&'a str, &'static str> {
            let mut lines = headers.lines(name);
            match (lines.next(), lines.next()) {
                (Some(value), None) if !value.is_empty() => Ok(value),
                _ => Err(name),
            }
        }
        let via = headers.values(header_names::VIA).next().unwrap_or_default();
        // One semicolon too many is some phones' habit; with more of them it cannot be told what was meant (RFC 4475 section 3.1.2.1).
        if via.split(';').skip(1).filter(|param| param.trim().is_empty()).count() > 1 {
            return Err(header_names::VIA);
        }
        Ok(Self {
            via: Via::parse(via).ok_or(header_names::VIA)?,
            from: NameAddr::parse(one(headers, header_names::FROM)?).ok_or(header_names::FROM)?,
            to: NameAddr::parse(one(headers, header_names::TO)?).ok_or(header_names::TO)?,
            call_id: one(headers, header_names::CALL_ID)?.to_owned(),
            cseq: CSeq::parse(one(headers, header_names::CSEQ)?).ok_or(header_names::CSEQ)?,
        })
    }
}
