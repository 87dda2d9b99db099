//! What a worker must know of a STUN binding request before it believes where it came from: whose it is, and that it is genuine; and the response.
//!
//! All browsers of a worker share one socket. A check names its peer by the user name; only one that is proven by the peer's
//! password may add an address to it, or strangers who saw the name could push the browser's own address out.

use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, Mac as _};
use sha1::Sha1;

const HEADER: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_RESPONSE: [u8; 2] = [0x01, 0x01];
const MAGIC: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
/// Attribute types of RFC 8489 section 18.3.1.
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const FINGERPRINT: u16 = 0x8028;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// RFC 8445 section 16.1.
const USE_CANDIDATE: u16 = 0x0025;
/// What the checksum of FINGERPRINT is mixed with (RFC 8489 section 14.7).
const FINGERPRINT_MASK: u32 = 0x5354_554E;
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

/// The attributes that MESSAGE-INTEGRITY covers.
fn covered(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    attributes(datagram).map(|(kind, _, value)| (kind, value)).take_while(|(kind, _)| *kind != MESSAGE_INTEGRITY)
}

/// Whether a binding request is for this user name (RFC 8445 section 7.1.2).
#[must_use]
pub fn is_for(datagram: &[u8], user_name: &str) -> bool {
    covered(datagram).any(|(kind, value)| kind == USERNAME && value == user_name.as_bytes())
}

/// Whether a binding request chooses the pair of addresses that it has come by (RFC 8445 section 7.3.1.5).
#[must_use]
pub fn nominates(datagram: &[u8]) -> bool {
    covered(datagram).any(|(kind, _)| kind == USE_CANDIDATE)
}

/// The success response to a binding request that came from `from` (RFC 8445 section 7.3.1.2); `None`: it is no request.
#[must_use]
pub fn respond(request: &[u8], from: SocketAddr, password: &str) -> Option<Vec<u8>> {
    let transaction = request.get(4..HEADER).filter(|_| request.starts_with(&BINDING_REQUEST))?;
    let mut response = [&BINDING_RESPONSE[..], &[0, 0], transaction].concat();
    let mapped = xor_mapped(from, transaction);
    push(&mut response, XOR_MAPPED_ADDRESS, &mapped)?;
    seal(response, password)
}

/// Adds MESSAGE-INTEGRITY and FINGERPRINT (RFC 8489 sections 14.5 and 14.7).
fn seal(mut message: Vec<u8>, password: &str) -> Option<Vec<u8>> {
    let covered = message.len();
    push(&mut message, MESSAGE_INTEGRITY, &[0; MAC])?;
    let mut hmac = Hmac::<Sha1>::new_from_slice(password.as_bytes()).ok()?;
    hmac.update(message.get(..covered)?);
    let mac = hmac.finalize().into_bytes();
    message.get_mut(covered + ATTRIBUTE_HEADER..)?.copy_from_slice(&mac);
    let covered = message.len();
    push(&mut message, FINGERPRINT, &[0; 4])?;
    let checksum = crc32fast::hash(message.get(..covered)?) ^ FINGERPRINT_MASK;
    message.get_mut(covered + ATTRIBUTE_HEADER..)?.copy_from_slice(&checksum.to_be_bytes());
    Some(message)
}

/// The value of XOR-MAPPED-ADDRESS (RFC 8489 section 14.2).
fn xor_mapped(address: SocketAddr, transaction: &[u8]) -> Vec<u8> {
    let ip = address.ip().to_canonical();
    let (family, octets) = match ip {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let port = address.port().to_be_bytes();
    let mut value = vec![0, family];
    // The transaction begins with the magic cookie.
    value.extend(port.iter().zip(transaction).map(|(octet, mask)| octet ^ mask));
    value.extend(octets.iter().zip(transaction).map(|(octet, mask)| octet ^ mask));
    value
}

/// Appends an attribute whose length is a multiple of four, and counts it in the header.
fn push(message: &mut Vec<u8>, kind: u16, value: &[u8]) -> Option<()> {
    message.extend(kind.to_be_bytes());
    message.extend(u16::try_from(value.len()).ok()?.to_be_bytes());
    message.extend(value);
    let length = u16::try_from(message.len() - HEADER).ok()?.to_be_bytes();
    message.get_mut(2..4)?.copy_from_slice(&length);
    Some(())
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
        value == (crc32fast::hash(datagram.get(..at).unwrap_or_default()) ^ FINGERPRINT_MASK).to_be_bytes()
    });
    agrees && hmac.verify_slice(mac).is_ok()
}

/// A check, as an agent makes it.
#[cfg(test)]
pub(crate) fn request(user_name: &str, password: &str, nominates: bool) -> Vec<u8> {
    let mut message = [&BINDING_REQUEST[..], &[0, 0], &MAGIC, &[7; 12]].concat();
    let mut name = user_name.as_bytes().to_vec();
    name.resize(name.len().next_multiple_of(4), 0);
    push(&mut message, USERNAME, &name).expect("short");
    // The length is that without padding.
    let length = u16::try_from(user_name.len()).expect("short").to_be_bytes();
    message[HEADER + 2..HEADER + 4].copy_from_slice(&length);
    push(&mut message, 0x0024, &[1, 2, 3, 4]).expect("short");
    if nominates {
        push(&mut message, USE_CANDIDATE, &[]).expect("short");
    }
    seal(message, password).expect("short")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

    /// A browser's check.
    fn check() -> Vec<u8> {
        request("evtj:h6vY", PASSWORD, false)
    }

    #[test]
    fn a_check_names_its_peer_and_proves_itself() {
        assert_eq!(local_ufrag(&check()), Some("evtj"));
        assert!(is_genuine(&check(), PASSWORD));
        assert!(!is_genuine(&check(), "another"));
    }

    /// The sample of RFC 5769 section 2.2: what is answered to its request, but for the software's name.
    #[test]
    fn a3_a_check_is_answered_with_the_address_that_it_came_from() {
        let from = SocketAddr::from(([192, 0, 2, 1], 32_853));
        let mut request = check();
        request[8..20].copy_from_slice(&[0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae]);
        let response = respond(&request, from, PASSWORD).unwrap();
        assert_eq!((&response[..2], &response[4..20]), (&BINDING_RESPONSE[..], &request[4..20]));
        assert_eq!(response[20..32], [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        assert_eq!(usize::from(u16::from_be_bytes([response[2], response[3]])) + HEADER, response.len());
        // MESSAGE-INTEGRITY counts up to its own end.
        let mut covered = response[..32].to_vec();
        covered[3] = 12 + 24;
        let mut hmac = Hmac::<Sha1>::new_from_slice(PASSWORD.as_bytes()).unwrap();
        hmac.update(&covered);
        assert_eq!((&response[32..36], &response[36..56]), (&[0, 8, 0, 20][..], &hmac.finalize().into_bytes()[..]));
        assert_eq!(response[60..], (crc32fast::hash(&response[..56]) ^ FINGERPRINT_MASK).to_be_bytes());
        assert_eq!(respond(&response, from, PASSWORD), None);
        assert!(is_for(&check(), "evtj:h6vY") && !is_for(&check(), "evtj") && !nominates(&check()));
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
