//! [`CryptoSuite`]: the transforms that are spoken, by their names in SDES and their numbers in DTLS.

/// Cipher, key length and tag length of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CryptoSuite {
    /// AES-128 in counter mode, tag of 80 bits (RFC 3711).
    AesCm128HmacSha1Tag80,
    /// AES-128 in counter mode, tag of 32 bits on RTP and 80 on RTCP (RFC 3711, RFC 4568 section 6.2.2).
    AesCm128HmacSha1Tag32,
    /// AES-256 in counter mode, tag of 80 bits (RFC 6188).
    AesCm256HmacSha1Tag80,
    /// AES-256 in counter mode, tag of 32 bits on RTP and 80 on RTCP (RFC 6188).
    AesCm256HmacSha1Tag32,
    /// AES-128 in Galois counter mode, tag of 128 bits (RFC 7714).
    AeadAes128Gcm,
    /// AES-256 in Galois counter mode, tag of 128 bits (RFC 7714).
    AeadAes256Gcm,
}

impl CryptoSuite {
    /// All suites, in the order of our own offers: the one that every phone has comes first, and short tags last.
    pub const ALL: [Self; 6] = [
        Self::AesCm128HmacSha1Tag80,
        Self::AeadAes256Gcm,
        Self::AeadAes128Gcm,
        Self::AesCm256HmacSha1Tag80,
        Self::AesCm256HmacSha1Tag32,
        Self::AesCm128HmacSha1Tag32,
    ];

    /// Its name in `a=crypto` (RFC 4568, 6188 and 7714), in records and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1Tag80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1Tag32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256HmacSha1Tag80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256HmacSha1Tag32 => "AES_256_CM_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// Its name in records and in the API where the keys have come by DTLS.
    #[must_use]
    pub const fn dtls_name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1Tag80 => "DTLS: AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1Tag32 => "DTLS: AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256HmacSha1Tag80 => "DTLS: AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256HmacSha1Tag32 => "DTLS: AES_256_CM_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "DTLS: AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "DTLS: AEAD_AES_256_GCM",
        }
    }

    /// The suite of that name; `None` for those that are not spoken.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of the master key, and of the session keys of its cipher.
    #[must_use]
    pub const fn key_length(self) -> usize {
        match self {
            Self::AesCm128HmacSha1Tag80 | Self::AesCm128HmacSha1Tag32 | Self::AeadAes128Gcm => 16,
            Self::AesCm256HmacSha1Tag80 | Self::AesCm256HmacSha1Tag32 | Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of the master salt.
    #[must_use]
    pub const fn salt_length(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    /// Bytes of the tag of an RTP packet.
    #[must_use]
    pub const fn rtp_tag_length(self) -> usize {
        match self {
            Self::AesCm128HmacSha1Tag32 | Self::AesCm256HmacSha1Tag32 => 4,
            _ => self.rtcp_tag_length(),
        }
    }

    /// Bytes of the tag of an RTCP packet: never the short one (RFC 4568 section 6.2.2).
    #[must_use]
    pub const fn rtcp_tag_length(self) -> usize {
        if self.is_aead() { 16 } else { 10 }
    }

    /// The tag is part of the cipher, and comes before the master key identifier (RFC 7714 sections 8.2 and 9.2).
    #[must_use]
    pub const fn is_aead(self) -> bool {
        matches!(self, Self::AeadAes128Gcm | Self::AeadAes256Gcm)
    }
}
