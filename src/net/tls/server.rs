//! [`TlsServer`] and what it is made of: certificates flow in from files, configurations flow out (S-1, X-4).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ResolvesServerCert, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

use super::certificates::Certificates;
use super::from_files::FromFiles;

/// Where certificate and key lie, both PEM. The certificate file holds the chain, our own first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no PEM of the kind that is needed.
    #[error("{path}: {source}", path = path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// The file holds nothing of what it is for.
    #[error("{path}: no {what} in it", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// Key and certificate do not fit, or are of a kind that TLS cannot use.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(rustls::Error),
}

/// Whose clients get in, by PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFiles {
    /// Only clients with a certificate of one of these authorities.
    pub ca: PathBuf,
    /// And none that is on one of these revocation lists (RFC 5280 section 5); PEM, or DER where it is one alone. With it, a certificate whose
    /// authority has no list here is refused.
    pub crl: Option<PathBuf>,
}

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

/// All revocation lists in a file; at least one.
fn revocations(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let bytes = std::fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })?;
    let lists = CertificateRevocationListDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| TlsError::Pem { path: path.to_owned(), source })?;
    match lists.as_slice() {
        // A sequence of ASN.1.
        [] if bytes.first() == Some(&0x30) => Ok(vec![CertificateRevocationListDer::from(bytes)]),
        [] => Err(TlsError::Empty { path: path.to_owned(), what: "revocation list" }),
        _ => Ok(lists),
    }
}

/// The authorities in a PEM file.
pub(super) fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(path)? {
        roots.add(certificate).map_err(TlsError::Unusable)?;
    }
    Ok(roots)
}

/// All certificates in a PEM file; at least one.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = std::fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })?;
    let chain = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| TlsError::Pem { path: path.to_owned(), source })?;
    if chain.is_empty() { Err(TlsError::Empty { path: path.to_owned(), what: "certificate" }) } else { Ok(chain) }
}
