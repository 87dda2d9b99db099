//! A SIP phone by UDP whose every message a test writes: for what no real peer can be made to do, such as to lose one.

use std::cell::Cell;
use std::net::{SocketAddr, UdpSocket};

use crate::waiting::seconds;

/// An offer or an answer of PCMU.
pub(crate) const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 49170 RTP/AVP 0\r\n";

/// A socket and its peer: the gateway, or the sender of the last datagram.
#[derive(Debug)]
pub(crate) struct UdpPhone {
    socket: UdpSocket,
    peer: Cell<SocketAddr>,
}

impl UdpPhone {
    /// On any port that is free.
    pub(crate) fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(seconds(20))).expect("a socket option");
        Self { socket, peer: Cell::new(SocketAddr::from(([127, 0, 0, 1], 5060))) }
    }

    /// Where it is to be called.
    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("an address")
    }

    /// Calls this number.
    pub(crate) fn invite(&self, user: &str) {
        self.request("INVITE", user, "", SDP);
    }

    /// Takes the call to this number by the answer to it.
    pub(crate) fn acknowledge(&self, user: &str, answer: &str) {
        let to = answer.lines().find(|line| line.starts_with("To:")).expect("a To");
        self.request("ACK", user, &format!(";tag={}", to.split_once(";tag=").expect("a tag").1), "");
    }

    /// Sends a request with a To of these parameters and a body.
    pub(crate) fn request(&self, method: &str, user: &str, to: &str, body: &str) {
        let own = self.address();
        let (port, length) = (own.port(), body.len());
        self.send(&format!(
            "{method} sip:{user}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{method}{port};rport\r\n\
             From: <sip:probe@{own}>;tag=1\r\nTo: <sip:{user}@127.0.0.1>{to}\r\nCall-ID: {port}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:probe@{own}>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
    }

    /// Answers a request with a status line's end, such as `200 OK`, and a body.
    pub(crate) fn answer(&self, request: &str, status: &str, body: &str) {
        let (own, length) = (self.address(), body.len());
        let is_kept = |line: &&str| ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name));
        let tagged = |line: &str| match line {
            line if line.starts_with("To:") && !line.contains(";tag=") => format!("{line};tag=udp\r\n"),
            line => format!("{line}\r\n"),
        };
        let kept: String = request.lines().filter(is_kept).map(tagged).collect();
        self.send(&format!(
            "SIP/2.0 {status}\r\n{kept}Contact: <sip:phone@{own}>\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
    }

    fn send(&self, message: &str) {
        self.socket.send_to(message.as_bytes(), self.peer.get()).expect("a datagram");
    }

    /// The next message that begins so.
    ///
    /// # Panics
    /// When nothing comes for 20 s.
    pub(crate) fn receives(&self, begin: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let (length, peer) = self.socket.recv_from(&mut buffer).unwrap_or_else(|error| panic!("no {begin}: {error}"));
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if message.starts_with(begin) {
                self.peer.set(peer);
                return message;
            }
        }
    }
}
