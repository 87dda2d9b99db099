//! The arithmetic of RFC 7616 section 3.4, and the fields of its header lines.

use std::fmt::Write as _;

use md5::Md5;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::sip::message::wire::{is_token, split_outside};

/// Fields of one line; RFC 7616 knows a dozen.
const FIELDS: usize = 32;

/// A hash of RFC 8760, by our preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `SHA-256`
    Sha256,
    /// `MD5`, for phones that know no other.
    Md5,
}

impl Algorithm {
    /// All, the strongest first: also the order of challenges (RFC 8760 section 2.3).
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Md5];

    /// As on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// Reads the field; without one it is MD5.
    #[must_use]
    pub fn parse(text: Option<&str>) -> Option<Self> {
        let Some(text) = text else { return Some(Self::Md5) };
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(text))
    }

    /// The hash of the parts with colons between them, as lower-case hexadecimal.
    fn hash(self, parts: &[&str]) -> String {
        let joined = Zeroizing::new(parts.join(":"));
        let mut hex = String::new();
        let mut print = |bytes: &[u8]| {
            for byte in bytes {
                let _ = write!(hex, "{byte:02x}");
            }
        };
        match self {
            Self::Sha256 => print(&Sha256::digest(joined.as_bytes())),
            Self::Md5 => print(&Md5::digest(joined.as_bytes())),
        }
        hex
    }
}

/// The hash of user, realm and password: all that is kept of a password here, and as good as one (X-4).
#[derive(Clone)]
pub struct Ha1 {
    algorithm: Algorithm,
    hash: Zeroizing<String>,
}

/// What one response is made of, beside the password.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) nonce: &'a str,
    /// Eight hexadecimal digits, as on the wire.
    pub(super) nc: &'a str,
    pub(super) cnonce: &'a str,
}

impl Ha1 {
    /// Of this user.
    #[must_use]
    pub fn new(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> Self {
        Self { algorithm, hash: Zeroizing::new(algorithm.hash(&[user, realm, password])) }
    }

    /// The response with `qop=auth`.
    pub(super) fn response(&self, parts: Parts<'_>) -> String {
        let ha2 = self.algorithm.hash(&[parts.method, parts.uri]);
        self.algorithm.hash(&[&self.hash, parts.nonce, parts.nc, parts.cnonce, "auth", &ha2])
    }

    /// The response to a challenge without `qop` (RFC 2069), for peers that never learned it.
    pub(super) fn old_response(&self, parts: Parts<'_>) -> String {
        let ha2 = self.algorithm.hash(&[parts.method, parts.uri]);
        self.algorithm.hash(&[&self.hash, parts.nonce, &ha2])
    }
}

impl std::fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ha1(***)")
    }
}

/// Whether two responses are the same, without telling by its time how much of them is.
pub(super) fn same(ours: &str, theirs: &str) -> bool {
    ours.as_bytes().ct_eq(theirs.to_ascii_lowercase().as_bytes()).into()
}

/// The fields of a `Digest …` line.
#[derive(Debug)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a line; `None` when its scheme is another, or a field is unreadable or said twice.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (scheme, rest) = line.trim().split_once(|letter: char| letter.is_ascii_whitespace())?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut fields: Vec<(String, String)> = Vec::new();
        for part in split_outside(rest, ',') {
            let (name, value) = part.split_once('=')?;
            let name = name.trim().to_ascii_lowercase();
            if !is_token(&name) || fields.len() >= FIELDS || fields.iter().any(|(known, _)| *known == name) {
                return None;
            }
            fields.push((name, unquoted(value.trim())?));
        }
        Some(Self(fields))
    }

    /// The value of a field, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn unquoted(value: &str) -> Option<String> {
    let Some(inner) = value.strip_prefix('"') else { return Some(value.to_owned()) };
    let mut text = String::new();
    let mut letters = inner.strip_suffix('"')?.chars();
    while let Some(letter) = letters.next() {
        text.push(if letter == '\\' { letters.next()? } else { letter });
    }
    Some(text)
}

/// A quoted string (RFC 3261 section 25.1); line ends and other control characters are left out.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        if letter == '"' || letter == '\\' {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 section 3.9.1.
    #[test]
    fn the_vectors_of_rfc_7616_come_out() {
        let parts = Parts {
            method: "GET",
            uri: "/dir/index.html",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            nc: "00000001",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        };
        let response = |algorithm| Ha1::new(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life").response(parts);
        assert_eq!(response(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(response(Algorithm::Sha256), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }

    /// RFC 2069 section 2.4, with the response that its erratum 749 gives.
    #[test]
    fn the_vector_of_rfc_2069_comes_out() {
        let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
        let parts = Parts { method: "GET", uri: "/dir/index.html", nonce, nc: "", cnonce: "" };
        let ha1 = Ha1::new(Algorithm::Md5, "Mufasa", "testrealm@host.com", "CircleOfLife");
        assert_eq!(ha1.old_response(parts), "1949323746fe6a43ef61f9606e7febea");
    }

    #[test]
    fn fields_are_read_as_phones_write_them() {
        let fields =
            Fields::parse(r#"digest username="a\"b, c" ,realm = "x",nc=00000001,  uri="sip:a@b;x=<y>",qop=auth"#).unwrap();
        assert_eq!((fields.get("username"), fields.get("nc")), (Some("a\"b, c"), Some("00000001")));
        assert_eq!((fields.get("uri"), fields.get("cnonce")), (Some("sip:a@b;x=<y>"), None));
        for bad in ["", "Digest", "Basic a=b", "Digest a", "Digest a=1, a=2", r#"Digest a="x"#, r#"Digest a="x\""#] {
            assert!(Fields::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(quoted("a\"\\\r\nb"), r#""a\"\\b""#);
    }
}
