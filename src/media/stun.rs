//! What a worker must know of a STUN binding request before it believes where it came from: whose it is, and that it is genuine.
//!
//! All browsers of a worker share one socket. A check names its peer by the user name; only one that is proven by the peer's
//! password may add an address to it, or strangers who saw the name could push the browser's own address out.

use hmac::{Hmac, Mac as _};
use sha1::Sha1;

const HEADER: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const MAGIC: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
/// Attribute types of RFC 8489 section 18.3.1.
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const FINGERPRINT: u16 = 0x8028;
/// Bytes of an attribute's type and length, and of an HMAC-SHA1.
const ATTRIBUTE_HEADER: usize = 4;
const MAC: usize = 20;

/// Type, place of the header, and value of each attribute of a binding request, for as long as they can be read.
fn attributes(datagram: &[u8]) -> impl Iterator<Item = (u16, usize, &[u8])> {
    let is_request = datagram.get(0..2) == Some(&BINDING_REQUEST) && datagram.get(4..8) == Some(&MAGIC);
    let mut at = if is_request { HEADER } else { datagram.len() };
    std::iter::from_fn(move || {
        let header = datagram.get(at..at + ATTRIBUTE_HEADER)?;
        let (kind, length) = header.split_first_chunk::<2>()?;
        let (kind, length) = (u16::from_be_bytes(*kind), usize::from(u16::from_be_bytes(*length.first_chunk()?)));
        let begin = at + ATTRIBUTE_HEADER;
        let value = datagram.get(begin..begin + length)?;
        let here = std::mem::replace(&mut at, begin + length.next_multiple_of(4));
        Some((kind, here, value))
    })
}

/// Our half of the user name in a binding request (RFC 8445 section 7.1.2), the part before the colon.
#[must_use]
pub fn local_ufrag(datagram: &[u8]) -> Option<&str> {
    let (_, _, value) = attributes(datagram).find(|(kind, ..)| *kind == USERNAME)?;
    let text = std::str::from_utf8(value).ok()?;
    text.split_once(':').map(|(ours, _)| ours)
}

/// Whether a binding request was made with `password` (RFC 8489 sections 14.5 and 14.7): whole, with a right MESSAGE-INTEGRITY and
/// the FINGERPRINT that ICE demands (RFC 8445 section 7.1).
#[must_use]
pub fn is_genuine(datagram: &[u8], password: &str) -> bool {
    let Some(length) = datagram.get(2..4).and_then(<[u8]>::first_chunk) else { return false };
    if usize::from(u16::from_be_bytes(*length)) + HEADER != datagram.len() {
        return false;
    }
    let Some((_, at, mac)) = attributes(datagram).find(|(kind, ..)| *kind == MESSAGE_INTEGRITY) else { return false };
    let Some((head, Ok(mut hmac))) = datagram.get(..at).map(|head| (head, Hmac::<Sha1>::new_from_slice(password.as_bytes())))
    else {
        return false;
    };
    // The length in the header counts up to the end of this attribute, whatever follows.
    let counted = u16::try_from(at + ATTRIBUTE_HEADER + MAC - HEADER).unwrap_or(0);
    for part in [&BINDING_REQUEST[..], &counted.to_be_bytes(), head.get(4..).unwrap_or_default()] {
        hmac.update(part);
    }
    let fingerprint = attributes(datagram).find(|(kind, ..)| *kind == FINGERPRINT);
    let agrees = fingerprint.is_some_and(|(_, at, value)| {
        value == (crc32fast::hash(datagram.get(..at).unwrap_or_default()) ^ 0x5354_554E).to_be_bytes()
    });
    agrees && hmac.verify_slice(mac).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

    fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
        message.extend(kind.to_be_bytes());
        message.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        message.extend(value);
        message.resize(message.len().next_multiple_of(4), 0);
        let length = u16::try_from(message.len() - HEADER).unwrap().to_be_bytes();
        message[2..4].copy_from_slice(&length);
    }

    /// A browser's check.
    fn check() -> Vec<u8> {
        let mut message = [&BINDING_REQUEST[..], &[0, 0], &MAGIC, &[7; 12]].concat();
        attribute(&mut message, USERNAME, b"evtj:h6vY");
        attribute(&mut message, 0x0024, &[1, 2, 3, 4]);
        attribute(&mut message, MESSAGE_INTEGRITY, &[0; MAC]);
        let at = message.len() - MAC;
        let mut hmac = Hmac::<Sha1>::new_from_slice(PASSWORD.as_bytes()).unwrap();
        hmac.update(&message[..at - ATTRIBUTE_HEADER]);
        let mac = hmac.finalize().into_bytes();
        message[at..].copy_from_slice(&mac);
        attribute(&mut message, FINGERPRINT, &[0; 4]);
        let at = message.len() - 8;
        let crc = crc32fast::hash(&message[..at]) ^ 0x5354_554E;
        message[at + 4..].copy_from_slice(&crc.to_be_bytes());
        message
    }

    #[test]
    fn a_check_names_its_peer_and_proves_itself() {
        assert_eq!(local_ufrag(&check()), Some("evtj"));
        assert!(is_genuine(&check(), PASSWORD));
        assert!(!is_genuine(&check(), "another"));
    }

    /// A check with any bit turned over cut or lengthened proves nothing.
    #[test]
    fn a_check_with_any_bit_turned_over_cut_or_lengthened_proves() {
        let genuine = check();
        for bit in 0..genuine.len() * 8 {
            let mut message = genuine.clone();
            message[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_genuine(&message, PASSWORD), "bit {bit}");
        }
        for length in 0..genuine.len() {
            assert!(!is_genuine(&genuine[..length], PASSWORD), "{length} bytes");
        }
        assert!(!is_genuine(&[&genuine[..], &[0; 4]].concat(), PASSWORD));
    }
}
