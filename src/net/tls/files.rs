//! The PEM files of TLS: certificates, authorities and revocation lists, and why they cannot be used (S-1, X-4).

use std::io;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};

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
        /// The error of the system call.
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
    /// And none that is on one of these revocation lists (RFC 5280 section 5); PEM, or DER for a single list. With it, a certificate whose
    /// authority has no list in the file is refused.
    pub crl: Option<PathBuf>,
}

/// All revocation lists in a file; at least one.
pub(super) fn revocations(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
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
