//! [`Certificates`]: a server's certificate, read from files and read again when they change (U-2, S-1).
#![allow(clippy::disallowed_methods, reason = "part of a driver")]

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::files::{TlsError, TlsFiles, chain};
use super::from_files::FromFiles;

/// Gives each handshake the certificate that is on disk.
#[derive(Debug)]
pub(super) struct Certificates(FromFiles<CertifiedKey>);

impl Certificates {
    pub(super) fn open(files: TlsFiles, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let read = vec![files.certificate.clone(), files.key.clone()];
        FromFiles::open("TLS certificate", read, move || load(&files, &provider)).map(Self)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.now())
    }
}

fn load(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let path: &Path = &files.key;
    let bytes = std::fs::read(path).map(Zeroizing::new).map_err(|source| TlsError::File { path: path.to_owned(), source });
    let chain = chain(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&bytes?).map_err(|source| TlsError::Pem { path: path.to_owned(), source })?;
    CertifiedKey::from_der(chain, key, provider).map_err(TlsError::Unusable)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::{Duration, Instant, SystemTime};

    use super::*;
    use crate::net::tls::TlsServer;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("roomgate-tls-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).expect("scratch directory");
            Self(path)
        }

        fn files(&self) -> TlsFiles {
            TlsFiles { certificate: self.0.join("cert.pem"), key: self.0.join("key.pem") }
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn issue(names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let issued = rcgen::generate_simple_self_signed(names).expect("a certificate");
        (issued.cert.pem(), issued.signing_key.serialize_pem())
    }

    fn write(files: &TlsFiles, (certificate, key): &(String, String)) {
        std::fs::write(&files.certificate, certificate).expect("write");
        std::fs::write(&files.key, key).expect("write");
    }

    fn opened(files: TlsFiles) -> Certificates {
        Certificates::open(files, Arc::new(rustls::crypto::ring::default_provider())).expect("opens")
    }

    /// A renewed certificate is served without a restart and a bad one is not.
    #[test]
    fn a_renewed_certificate_is_served_without_a_restart_and_a_bad() {
        let scratch = Scratch::new("renew");
        let files = scratch.files();
        let (first, second) = (issue(&["one.example"]), issue(&["a-much-longer-name.example", "another.example"]));
        write(&files, &first);
        let certificates = opened(files.clone());
        let start = Instant::now();
        let served = |seconds| certificates.0.at(start + Duration::from_secs(seconds)).cert.clone();
        let before = served(2);

        // The certificate is there already, its key not yet: they do not fit.
        std::fs::write(&files.certificate, &second.0).expect("write");
        assert_eq!(served(4), before);
        // The key's length may be the same as the old one's, so its time is moved to where it would be.
        write(&files, &second);
        let later = SystemTime::now() + Duration::from_secs(5);
        std::fs::File::options().write(true).open(&files.key).and_then(|f| f.set_modified(later)).expect("touch");
        let renewed = served(6);
        assert_ne!(renewed, before);

        std::fs::write(&files.certificate, "rubbish").expect("write");
        assert_eq!(served(8), renewed);
        std::fs::remove_file(&files.certificate).expect("remove");
        assert_eq!(served(10), renewed);
    }

    #[test]
    fn files_that_cannot_be_used_are_refused_at_the_start_by_name() {
        let scratch = Scratch::new("refuse");
        let files = scratch.files();
        let text = |files: &TlsFiles| TlsServer::open(files.clone(), &[], None).map(drop).map_err(|error| error.to_string());
        assert!(text(&files).is_err_and(|error| error.contains("cert.pem")));
        let (one, two) = (issue(&["one.example"]), issue(&["two.example"]));
        write(&files, &(one.0.clone(), two.1));
        assert!(matches!(TlsServer::open(files.clone(), &[], None), Err(TlsError::Unusable(_))));
        write(&files, &(String::new(), one.1));
        assert!(text(&files).is_err_and(|error| error.contains("no certificate")));
        write(&files, &(one.0, "nothing".into()));
        assert!(text(&files).is_err_and(|error| error.contains("key.pem")));
    }
}
