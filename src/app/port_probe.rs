//! What `check-config` finds only by trying: addresses that this machine does not have, and ports that somebody else holds (O-1).
//! Nothing stays open, and no packet is sent but to our own HTTP server, if it runs.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use super::addresses::webrtc_addresses;
use crate::common::problem::Problem;
use crate::config::{ListenTransport, Loaded, Settings};

/// How long a running daemon may take to answer `/healthz`.
const ALIVE: Duration = Duration::from_secs(2);

/// What was found.
#[derive(Debug, Default)]
pub struct ProbeReport {
    /// What would keep the daemon from starting, whoever else runs.
    pub problems: Vec<Problem>,
    /// What would at this moment.
    pub warnings: Vec<Problem>,
}

/// Tries to open what the configuration names. What a daemon that runs with this configuration holds is not complained of.
#[must_use]
pub fn probe(loaded: &Loaded) -> ProbeReport {
    let settings = &loaded.settings;
    let ours = is_daemon_running(settings);
    let mut found = ProbeReport::default();
    for (key, address, datagrams) in wanted(settings) {
        let opened = if datagrams { UdpSocket::bind(address).map(drop) } else { TcpListener::bind(address).map(drop) };
        let Err(error) = opened else { continue };
        let problem =
            |what: String, hint: &str| Problem { place: loaded.place(&key), key: key.clone(), what, hint: hint.to_owned() };
        match error.kind() {
            ErrorKind::AddrNotAvailable => {
                let what = format!("names {}, which is no address of this machine", address.ip());
                found.problems.push(problem(what, "name one that `ip address` lists, or \"0.0.0.0\" for all"));
            }
            ErrorKind::AddrInUse if ours => {}
            ErrorKind::AddrInUse => {
                let what = format!("is held by another program at {address}");
                found.warnings.push(problem(what, "`ss -tulpn` says by which: stop that, or take another port"));
            }
            ErrorKind::PermissionDenied => {
                let what = format!("cannot be opened at {address} by this user");
                found.warnings.push(problem(what, "ports below 1024 take the drop-in low-ports.conf of the systemd unit"));
            }
            _ => found
                .warnings
                .push(problem(format!("cannot be opened at {address}: {error}"), "see what this machine says of it")),
        }
    }
    found
}

/// Key, address, and whether it is for datagrams.
fn wanted(settings: &Settings) -> Vec<(String, SocketAddr, bool)> {
    let mut wanted = Vec::new();
    for (name, listen) in &settings.sip.listen {
        let address = SocketAddr::new(listen.address, listen.port);
        wanted.push((format!("sip.listen.{name}"), address, listen.transport == ListenTransport::Udp));
    }
    wanted.push(("http.address".to_owned(), SocketAddr::new(settings.http.address, settings.http.port), false));
    for address in webrtc_addresses(settings) {
        wanted.extend(
            settings.media.webrtc_ports().map(|port| ("media.webrtc_port".to_owned(), SocketAddr::new(address, port), true)),
        );
    }
    if !settings.media.address.is_unspecified() {
        wanted.push(("media.address".to_owned(), SocketAddr::new(settings.media.address, 0), true));
    }
    wanted
}

/// Whether a daemon of ours answers where this configuration has its pages.
fn is_daemon_running(settings: &Settings) -> bool {
    let address = match settings.http.address {
        IpAddr::V4(address) if address.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    let address = SocketAddr::new(address, settings.http.port);
    // By TLS, that somebody listens must be enough: the certificate may be the very thing that is being changed.
    if settings.http.tls.is_some() {
        return TcpStream::connect_timeout(&address, ALIVE).is_ok();
    }
    answers_health_check(address).unwrap_or(false)
}

fn answers_health_check(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, ALIVE)?;
    stream.set_read_timeout(Some(ALIVE))?;
    stream.write_all(format!("GET /healthz HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    Ok(answer.ends_with(b"alive\n"))
}
