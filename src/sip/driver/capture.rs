//! The way to a capture server (O-5): what cannot be sent at once is lost and counted, and never holds a call up.
#![allow(clippy::disallowed_methods, reason = "packets carry the time of day")]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::sip::Counters;
use crate::sip::counters::count;
use crate::sip::hep::{self, Copied, Pseudonyms};

/// Sends copies.
pub(super) struct Copier {
    counters: Arc<Counters>,
    /// For the server it was opened for.
    socket: Option<(SocketAddr, UdpSocket)>,
    /// The last one could not be sent: said once.
    failing: bool,
    /// Names tags and branches anew; `None` without randomness from the system, and then nothing is copied.
    veil: Option<Pseudonyms>,
}

impl Copier {
    pub(super) fn new(counters: Arc<Counters>) -> Self {
        let mut key = [0; 32];
        let veil = getrandom::fill(&mut key).ok().map(|()| Pseudonyms::new(key));
        Self { counters, socket: None, failing: false, veil }
    }

    pub(super) fn send(&mut self, capture: &hep::Capture, copied: &Copied) {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let packet = self.veil.as_ref().map(|veil| hep::packet(copied, capture, veil, at));
        let packet = packet.ok_or_else(|| io::Error::other("the system gave no randomness"));
        let sent = packet.and_then(|packet| self.socket(capture.server)?.send_to(&packet, capture.server));
        match sent {
            Ok(_) => {
                count(&self.counters.copied);
                if std::mem::take(&mut self.failing) {
                    tracing::info!(server = %capture.server, "copies of SIP messages are sent again");
                }
            }
            Err(error) => {
                count(&self.counters.lost_copies);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(server = %capture.server, %error, "copies of SIP messages cannot be sent");
                }
            }
        }
    }

    fn socket(&mut self, server: SocketAddr) -> io::Result<&UdpSocket> {
        let opened = match self.socket.take() {
            Some(opened) if opened.0 == server => opened,
            _ => (server, towards(server)?),
        };
        Ok(&self.socket.insert(opened).1)
    }
}

/// A socket of the server's address family. Not connected: that nobody listens there at the moment must not fail every second packet.
fn towards(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
