//! The names that a certificate gives its owner (RFC 5922 section 7.1).

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Names that are read of one certificate.
const MOST: usize = 64;

/// DNS names and URIs of the subject's alternative names, in lower case, and of a `sip:` URI without user part its host; where there
/// are none, the subject's common name. None of what cannot be read.
#[must_use]
pub fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let mut found = Vec::new();
    if let Ok(Some(alternative)) = certificate.subject_alternative_name() {
        for name in alternative.value.general_names.iter().take(MOST) {
            match name {
                GeneralName::DNSName(name) => found.push(name.to_ascii_lowercase()),
                GeneralName::URI(uri) => {
                    let uri = uri.to_ascii_lowercase();
                    let host = uri.strip_prefix("sip:").filter(|rest| !rest.contains('@')).map(str::to_owned);
                    found.extend(host);
                    found.push(uri);
                }
                _ => {}
            }
        }
    }
    if found.is_empty() {
        let common = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        found.extend(common.map(str::to_ascii_lowercase));
    }
    found
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn names_of(common: &str, alternative: Vec<SanType>) -> Vec<String> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common);
        params.subject_alt_names = alternative;
        names(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der())
    }

    /// Alternative names count and the common name only without them.
    #[test]
    fn alternative_names_count_and_the_common_name() {
        let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
        let uri = |name: &str| SanType::URI(name.try_into().unwrap());
        assert_eq!(names_of("Board", vec![]), ["board"]);
        assert_eq!(
            names_of("board", vec![dns("Phone.Example"), uri("sip:pbx.example")]),
            ["phone.example", "pbx.example", "sip:pbx.example"]
        );
        assert_eq!(names_of("board", vec![uri("sip:board@pbx.example")]), ["sip:board@pbx.example"]);
        assert_eq!(names_of("board", vec![SanType::IpAddress([127, 0, 0, 1].into())]), ["board"]);
        assert!(names(&CertificateDer::from_slice(b"rubbish")).is_empty());
    }
}
