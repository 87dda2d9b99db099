//! SRTP protection profiles of the `use_srtp` extension (RFC 5764 section 4.1.2, RFC 7714 section 14.2).

use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;

use crate::rtp::srtp::CryptoSuite;

/// Profiles that are negotiated, the most wanted first. AES-256 in counter mode has none.
pub(super) const PROFILES: [(SrtpProtectionProfile, CryptoSuite); 4] = [
    (SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm, CryptoSuite::AeadAes128Gcm),
    (SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm, CryptoSuite::AeadAes256Gcm),
    (SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80, CryptoSuite::AesCm128HmacSha1Tag80),
    (SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32, CryptoSuite::AesCm128HmacSha1Tag32),
];

/// The suite of a profile; `None` for one that was not offered.
pub(super) fn suite_of(profile: SrtpProtectionProfile) -> Option<CryptoSuite> {
    PROFILES.into_iter().find(|(known, _)| *known == profile).map(|(_, suite)| suite)
}
