//! [`Essentials`]: the headers without which no message can be routed.

use super::headers::Headers;
use crate::sip::header::{CSeq, NameAddr, Via};

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
        let via = headers.values("Via").next().unwrap_or_default();
        // One semicolon too many is some phones' habit; with more of them it cannot be told what was meant (RFC 4475 section 3.1.2.1).
        if via.split(';').skip(1).filter(|param| param.trim().is_empty()).count() > 1 {
            return Err("Via");
        }
        Ok(Self {
            via: Via::parse(via).ok_or("Via")?,
            from: NameAddr::parse(one(headers, "From")?).ok_or("From")?,
            to: NameAddr::parse(one(headers, "To")?).ok_or("To")?,
            call_id: one(headers, "Call-ID")?.to_owned(),
            cseq: CSeq::parse(one(headers, "CSeq")?).ok_or("CSeq")?,
        })
    }
}
