//! The command: finds the running daemon by its configuration, asks its API as the operator, and prints the answer.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use super::{Status, text};
use crate::cli::{self, StatusArgs};
use crate::config::Settings;
use crate::http::session::{self, SecretError};

/// For each step: connect, send, read. A daemon that takes longer is stuck, and that is the answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Far above the answer of a daemon with all the calls it can have.
const LARGEST_ANSWER: u64 = 64 << 20;

/// Why there is no status. `Display` says what to do.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("http.port is 0, so the daemon's port is known to its log only: give http.port a number")]
    AnyPort,
    #[error("nobody answers at {0}: {1} (is the daemon running, and is this its configuration?)")]
    Unreachable(SocketAddr, io::Error),
    #[error("{0} (run this as the daemon's own user, with its configuration and state directory)")]
    Token(#[from] SecretError),
    #[error("{path}: {error}", path = path.display())]
    Certificate { path: std::path::PathBuf, error: String },
    #[error("the daemon at {0} did not answer in order: {1}")]
    Broken(SocketAddr, String),
    #[error("the daemon at {0} refused: {1}")]
    Refused(SocketAddr, String),
}

/// The command: prints how the daemon is.
#[must_use]
pub fn run(settings: &Settings, args: &StatusArgs) -> ExitCode {
    let told = fetch(settings).and_then(|(address, body)| {
        let broken = |error: serde_json::Error| FetchError::Broken(address, error.to_string());
        if args.json {
            // As it came: a newer daemon may tell more than this command knows.
            let value: serde_json::Value = serde_json::from_slice(&body).map_err(broken)?;
            return Ok(format!("{value:#}\n"));
        }
        let status: Status = serde_json::from_slice(&body).map_err(broken)?;
        Ok(text::print(&status))
    });
    match told {
        Ok(text) => {
            // A reader that has gone away is not our fault.
            let _ = io::stdout().write_all(text.as_bytes());
            cli::Status::Clean.into()
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            cli::Status::Unavailable.into()
        }
    }
}

fn fetch(settings: &Settings) -> Result<(SocketAddr, Vec<u8>), FetchError> {
    let address = address(settings)?;
    let unreachable = |error| FetchError::Unreachable(address, error);
    let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(unreachable)?;
    stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE))).map_err(unreachable)?;
    // Read only after somebody has answered: a daemon that runs has made its token.
    let token = session::api_token(&settings.store.directory)?;
    // HTTP/1.0: the answer comes in one piece and ends with the connection.
    let request = zeroize::Zeroizing::new(format!(
        "GET /api/v1/status HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nAccept: application/json\r\n\r\n",
        token.as_str()
    ));
    let answer = match &settings.http.tls {
        None => exchange(stream, &request),
        Some(tls) => exchange(secure(stream, &tls.certificate)?, &request),
    };
    let answer = answer.map_err(|error| FetchError::Broken(address, error.to_string()))?;
    body(&answer).map(|body| (address, body.to_vec())).map_err(|problem| match problem {
        Some(text) => FetchError::Refused(address, text),
        None => FetchError::Broken(address, "this is no HTTP answer".to_owned()),
    })
}

/// Where the daemon listens, as one reaches it from this machine.
fn address(settings: &Settings) -> Result<SocketAddr, FetchError> {
    let ip = match settings.http.address {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    if settings.http.port == 0 { Err(FetchError::AnyPort) } else { Ok(SocketAddr::new(ip, settings.http.port)) }
}

fn exchange(mut stream: impl Read + Write, request: &str) -> io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    match stream.take(LARGEST_ANSWER).read_to_end(&mut answer) {
        // A TLS end without close_notify; the length of what came is checked by whoever parses it.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(answer),
    }
}

/// The body of a 200; otherwise what the daemon says about it, if it is an HTTP answer at all.
fn body(answer: &[u8]) -> Result<&[u8], Option<String>> {
    let split = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or(None)?;
    let (head, body) = answer.split_at_checked(split + 4).ok_or(None)?;
    let head = String::from_utf8_lossy(head);
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    if !words.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
        return Err(None);
    }
    let status = words.next().unwrap_or_default();
    if status == "200" {
        return Ok(body);
    }
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let detail = problem.as_ref().and_then(|problem| problem.get("detail")?.as_str()).unwrap_or_default();
    Err(Some(format!("{status} {detail}")))
}

// === TLS ===

/// The token goes to nobody but the holder of the certificate that the configuration names, whoever has signed it.
fn secure(stream: TcpStream, path: &std::path::Path) -> Result<StreamOwned<ClientConnection, TcpStream>, FetchError> {
    let wrong = |error: String| FetchError::Certificate { path: path.to_owned(), error };
    let certificate = CertificateDer::from_pem_file(path).map_err(|error| wrong(error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let pinned = Pinned { certificate, provider: Arc::clone(&provider) };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").map_err(|error| wrong(error.to_string()))?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(|error| wrong(error.to_string()))?;
    Ok(StreamOwned::new(connection, stream))
}

/// Takes one certificate and no other.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General("this is not the certificate that http.tls.certificate names".to_owned()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_a_refusal_is_told_and_anything_else_is_broken() {
        assert_eq!(body(b"HTTP/1.0 200 OK\r\na: b\r\n\r\n{}"), Ok(&b"{}"[..]));
        let refused = body(b"HTTP/1.1 401 Unauthorized\r\n\r\n{\"detail\":\"This token is not valid.\"}");
        assert_eq!(refused, Err(Some("401 This token is not valid.".to_owned())));
        for other in [&b""[..], b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n"] {
            assert_eq!(body(other), Err(None));
        }
    }
}
