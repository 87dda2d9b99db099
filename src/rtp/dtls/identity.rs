//! [`DtlsIdentity`]: our certificate in every handshake.

use std::fmt;
use std::sync::Arc;

use rtc_crypto::default_provider;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;

use super::error::DtlsError;
use super::fingerprint::Fingerprint;
use super::profiles::PROFILES;

/// A self-signed certificate (ECDSA P-256) with its key, and the settings of handshakes that show it. Descriptions name it by its fingerprint, so
/// nobody else has to vouch for it. Cheap to clone.
#[derive(Clone)]
pub struct DtlsIdentity {
    fingerprint: Fingerprint,
    client: Arc<HandshakeConfig>,
    server: Arc<HandshakeConfig>,
}

// === impl DtlsIdentity ===

impl DtlsIdentity {
    /// Makes one, by random numbers of the operating system.
    ///
    /// # Errors
    /// [`DtlsError::Library`] when no key can be made.
    pub fn generate() -> Result<Self, DtlsError> {
        let provider = default_provider().map_err(|_| DtlsError::Library)?;
        let names = ["roomgate".to_owned()];
        let certificate = Certificate::generate_self_signed(names, provider.crypto()).map_err(|_| DtlsError::Library)?;
        let fingerprint = Fingerprint::of(certificate.certificate.first().ok_or(DtlsError::Library)?);
        Ok(Self { fingerprint, client: config(true, &certificate)?, server: config(false, &certificate)? })
    }

    /// By what our descriptions name it.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    pub(super) fn client(&self) -> Arc<HandshakeConfig> {
        Arc::clone(&self.client)
    }

    pub(super) fn server(&self) -> Arc<HandshakeConfig> {
        Arc::clone(&self.server)
    }
}

impl PartialEq for DtlsIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for DtlsIdentity {}

impl fmt::Debug for DtlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtlsIdentity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

fn config(is_client: bool, certificate: &Certificate) -> Result<Arc<HandshakeConfig>, DtlsError> {
    let provider = default_provider().map_err(|_| DtlsError::Library)?;
    let builder = ConfigBuilder::default()
        .with_crypto_provider(provider)
        .with_certificates(vec![certificate.clone()])
        .with_srtp_protection_profiles(PROFILES.iter().map(|(profile, _)| *profile).collect())
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        // Certificates are self-signed: the fingerprint in the description vouches for them, and the signatures of the handshake are verified.
        .with_insecure_skip_verify(true)
        // Older phones do not know the extension.
        .with_extended_master_secret(ExtendedMasterSecretType::Request)
        // The library sends one in any case.
        .with_server_name("roomgate".to_owned());
    builder.build(is_client, None).map(Arc::new).map_err(|_| DtlsError::Library)
}
