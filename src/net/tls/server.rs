//! [`TlsServer`]: certificates flow in from files, configurations flow out (S-1, X-4).

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ResolvesServerCert, WebPkiClientVerifier};

use super::certificates::Certificates;
use super::files::{ClientFiles, TlsError, TlsFiles, authorities, revocations};
use super::from_files::FromFiles;

/// A server's TLS: its own certificate and whom it lets in are whatever the files hold at the time.
#[derive(Debug)]
pub struct TlsServer(pub(super) FromFiles<ServerConfig>);

impl TlsServer {
    /// Serves `protocols` (ALPN; none: not asked) with the certificate in `files`; with `clients`, only those get in.
    ///
    /// # Errors
    /// The files cannot be used now. Later faults only leave the last good ones in place.
    pub fn open(files: TlsFiles, protocols: &[&[u8]], clients: Option<ClientFiles>) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificates = Arc::new(Certificates::open(files, Arc::clone(&provider))?);
        let protocols: Vec<Vec<u8>> = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let read = clients.iter().flat_map(|clients| [Some(clients.ca.clone()), clients.crl.clone()]).flatten().collect();
        let load = move || {
            let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .map_err(TlsError::Unusable)?;
            let builder = match &clients {
                Some(clients) => builder.with_client_cert_verifier(verifier(clients, &provider)?),
                None => builder.with_no_client_auth(),
            };
            let mut config = builder.with_cert_resolver(Arc::clone(&certificates) as Arc<dyn ResolvesServerCert>);
            config.alpn_protocols.clone_from(&protocols);
            Ok(config)
        };
        FromFiles::open("list of clients", read, load).map(Self)
    }

    /// What the next connection is served with. A session of an earlier configuration is not resumed by a later one, so that whoever is
    /// revoked has to show the certificate anew.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        self.0.now()
    }
}

fn verifier(clients: &ClientFiles, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let lists = clients.crl.as_deref().map(revocations).transpose()?.unwrap_or_default();
    WebPkiClientVerifier::builder_with_provider(Arc::new(authorities(&clients.ca)?), Arc::clone(provider))
        .with_crls(lists)
        .build()
        .map_err(|error| TlsError::Unusable(rustls::Error::General(error.to_string())))
}
