//! The packets and keys that the RFCs print, and that libsrtp2 tests itself with.

use rtc_crypto::default_provider;

use super::super::keys::{Label, derive};
use super::super::transform::{Nonce, Protocol, Transform};
use super::{hex, start};
use crate::rtp::srtp::{CryptoSuite, MasterKey, SrtpKeys, SrtpReceiver, SrtpSender};

const SUITE_128: CryptoSuite = CryptoSuite::AesCm128HmacSha1Tag80;
const SUITE_256: CryptoSuite = CryptoSuite::AesCm256HmacSha1Tag80;

const MASTER_128: &str = "E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6";
const MASTER_256: &str = "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6 3b04803de51ee7c96423ab5b78d2";

fn derived(suite: CryptoSuite, master: &str, label: Label, length: usize) -> Vec<u8> {
    let provider = default_provider().unwrap();
    derive(provider.crypto(), suite, &hex(master), label, length).unwrap().to_vec()
}

fn transform(suite: CryptoSuite, protocol: Protocol, key: &str, salt: &str) -> Transform {
    let provider = default_provider().unwrap();
    Transform::from_session_keys(provider.crypto(), suite, protocol, [&hex(key), &hex(salt), &[0; 20]]).unwrap()
}

/// RFC 3711 appendix B.3.
#[test]
fn a3_session_keys_of_128_bits_are_those_of_rfc_3711() {
    let derived = |label, length| derived(SUITE_128, MASTER_128, label, length);
    assert_eq!(derived(Label::RtpEncryption, 16), hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(derived(Label::RtpSalt, 14), hex("30CBBC08863D8C85D49DB34A9AE1"));
    assert_eq!(derived(Label::RtpAuthentication, 20), hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
}

/// RFC 6188 section 7.2.
#[test]
fn a3_session_keys_of_256_bits_are_those_of_rfc_6188() {
    let derived = |label, length| derived(SUITE_256, MASTER_256, label, length);
    let key = "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4";
    assert_eq!(derived(Label::RtpEncryption, 32), hex(key));
    assert_eq!(derived(Label::RtpSalt, 14), hex("fa31791685ca444a9e07c6c64e93"));
    assert_eq!(derived(Label::RtpAuthentication, 20), hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"));
}

/// RFC 3711 appendix B.2 and RFC 6188 section 7.1: the encryption of zeros.
#[test]
fn a3_keystreams_are_those_of_rfc_3711_and_6188() {
    let salt = "F0F1F2F3F4F5F6F7F8F9FAFBFCFD";
    let nonce = Nonce { ssrc: 0, index: 0 };
    let mut packet = vec![0; 0xff02 * 16];
    transform(SUITE_128, Protocol::Rtp, "2B7E151628AED2A6ABF7158809CF4F3C", salt).seal(&mut packet, 0, nonce, &[]).unwrap();
    let blocks = |at: usize, packet: &[u8]| packet[at * 16..(at + 3) * 16].to_vec();
    assert_eq!(
        blocks(0, &packet),
        hex("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0")
    );
    assert_eq!(
        blocks(0xfeff, &packet),
        hex("EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44")
    );
    let mut packet = vec![0; 48];
    let key = "57f82fe3613fd170a85ec93c40b1f092 2ec4cb0dc025b58272147cc438944a98";
    transform(SUITE_256, Protocol::Rtp, key, salt).seal(&mut packet, 0, nonce, &[]).unwrap();
    assert_eq!(packet, hex("92bdd28a93c3f52511c677d08b5515a4 9da71b2378a854f67050756ded165bac 63c4868b7096d88421b563b8c94c9a31"));
}

/// RFC 7714 sections 16.1, 16.2, 17.1 and 17.2.
#[test]
fn a3_packets_of_gcm_are_those_of_rfc_7714() {
    let salt = "517569642070726f2071756f";
    let header = hex("8040f17b 8041f8d3 5501a0b2");
    let rtp = [header.clone(), b"Gallia est omnis divisa in partes tres".to_vec()].concat();
    let rtcp = hex(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef",
    );
    let cases = [
        (
            CryptoSuite::AeadAes128Gcm,
            "000102030405060708090a0b0c0d0e0f",
            "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833 899d7f27beb16a9152cf765ee4390cce",
            "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b46 86303ded0bb9275bc84aa45896cf4d2f c5abf87245d9eade",
        ),
        (
            CryptoSuite::AeadAes256Gcm,
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b 7aa3db36dfffd6b0f9bb7878d7a76c13",
            "d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad 1d1eb30c4446839f57ff6f6cb26ac3be",
        ),
    ];
    for (suite, key, sealed_rtp, sealed_rtcp) in cases {
        let mut packet = rtp.clone();
        let nonce = Nonce { ssrc: 0x5501_a0b2, index: 0xf17b };
        let tag = transform(suite, Protocol::Rtp, key, salt).seal(&mut packet, 12, nonce, &[]).unwrap();
        packet.extend_from_slice(&tag[..16]);
        assert_eq!(packet, [header.clone(), hex(sealed_rtp)].concat(), "{suite:?}");

        let mut packet = rtcp.clone();
        let nonce = Nonce { ssrc: 0x4d61_7273, index: 0x5d4 };
        let tag = transform(suite, Protocol::Rtcp, key, salt).seal(&mut packet, 8, nonce, &hex("800005d4")).unwrap();
        packet.extend_from_slice(&tag[..16]);
        assert_eq!(packet, [rtcp[..8].to_vec(), hex(sealed_rtcp)].concat(), "{suite:?}");
    }
}

/// The reference packets of libsrtp2's `srtp_driver`, both ways.
#[test]
fn a3_packets_of_counter_mode_are_those_of_libsrtp() {
    let plain = hex("800f1234 decafbad cafebabe abababab abababab abababab abababab");
    let cases = [
        (SUITE_128, MASTER_128, "4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb"),
        (SUITE_256, MASTER_256, "f1d9de17ff251ff1aa007774b0b4b40d a08d9d9a5b3a55d8873b"),
    ];
    for (suite, master, sealed) in cases {
        let keys = SrtpKeys { suite, keys: vec![MasterKey::new(suite, hex(master), None).unwrap()] };
        let mut packet = plain.clone();
        SrtpSender::new(&keys).unwrap().protect_rtp(&mut packet).unwrap();
        assert_eq!(packet, [plain[..12].to_vec(), hex(sealed)].concat(), "{suite:?}");
        let mut opened = Vec::new();
        SrtpReceiver::new(&keys).unwrap().unprotect_rtp(start(), &packet, &mut opened).unwrap();
        assert_eq!(opened, plain, "{suite:?}");
    }
}
