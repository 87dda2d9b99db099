//! A phone of a few lines, for what no real one does: any address in any header, any socket for any message.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A final response comes within this time: a refusal may be spoken before it (S-8).
const FINAL: Duration = Duration::from_secs(15);

/// Where the daemon listens.
pub(crate) const DAEMON: &str = "127.0.0.1:5060";

/// A phone at one address, by UDP.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) socket: UdpSocket,
    pub(crate) address: SocketAddr,
    user: String,
}

/// A dialog, as its caller knows it.
#[derive(Debug, Clone)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) cseq: u32,
    /// Of the last response.
    pub(crate) status: u16,
    /// The last response.
    pub(crate) response: String,
}

/// A value that was not there before in this process.
fn fresh(prefix: &str) -> String {
    static DRAWN: AtomicU32 = AtomicU32::new(1);
    format!("{prefix}{}", DRAWN.fetch_add(1, Ordering::Relaxed))
}

/// The value of the first header of this name.
pub(crate) fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let value =
        |line: &'a str| line.split_once(':').filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
    message.lines().take_while(|line| !line.is_empty()).find_map(value).unwrap_or_default()
}

/// The status of a response; `None` for a request.
pub(crate) fn status(message: &str) -> Option<u16> {
    message.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
}

/// An offer of PCMU at an address.
pub(crate) fn offer(media: SocketAddr) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n",
        media.port(),
        ip = media.ip(),
    )
}

/// One packet of 20 ms of silence in PCMU.
pub(crate) fn rtp(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend(0x0a0b_0c0d_u32.to_be_bytes());
    packet.extend([0xff; 160]);
    packet
}

impl Raw {
    /// A phone whose caller is `user`, such as `alice` or `+491701234567`.
    pub(crate) fn at(address: &str, user: &str) -> Self {
        let socket = UdpSocket::bind(address).expect("a socket");
        let address = socket.local_addr().expect("an address");
        Self { socket, address, user: user.to_owned() }
    }

    /// Somebody else at the same address and port.
    pub(crate) fn as_user(&self, user: &str) -> Self {
        Self { socket: self.socket.try_clone().expect("a socket"), address: self.address, user: user.to_owned() }
    }

    /// A dialog that does not exist yet.
    pub(crate) fn dialog(&self) -> Dialog {
        let from = format!("<sip:{}@{}>;tag={}", self.user, self.address.ip(), fresh("tag"));
        Dialog {
            call_id: fresh("raw"),
            from,
            to: "<sip:roomgate@127.0.0.1>".to_owned(),
            cseq: 0,
            status: 0,
            response: String::new(),
        }
    }

    /// A request of a dialog, as text. `headers`: whole lines.
    pub(crate) fn request(&self, dialog: &Dialog, method: &str, uri: &str, headers: &str, body: &str) -> String {
        let Dialog { call_id, from, to, cseq, .. } = dialog;
        let contact = if headers.contains("Contact:") {
            String::new()
        } else {
            format!("Contact: <sip:{}@{}>\r\n", self.user, self.address)
        };
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK{};rport\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{contact}{headers}Content-Length: {}\r\n\r\n{body}",
            fresh("branch"),
            body.len(),
            address = self.address,
        )
    }

    /// Sends it.
    pub(crate) fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), DAEMON).expect("a datagram");
    }

    /// The next message within `limit`.
    pub(crate) fn next(&self, limit: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(limit.max(Duration::from_millis(1)))).expect("a socket option");
        let mut bytes = vec![0; 65_536];
        let (length, _) = self.socket.recv_from(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }

    /// The first message that fits, within `limit`; requests are answered 200 meanwhile.
    pub(crate) fn wait(&self, limit: Duration, mut fits: impl FnMut(&str) -> bool) -> Option<String> {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            let Some(message) = self.next(end.saturating_duration_since(Instant::now())) else { break };
            if status(&message).is_none() {
                self.answer(&message);
            }
            if fits(&message) {
                return Some(message);
            }
        }
        None
    }

    fn answer(&self, request: &str) {
        let copied =
            ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", header(request, name))).concat();
        self.send(&format!("SIP/2.0 200 OK\r\n{copied}Content-Length: 0\r\n\r\n"));
    }

    /// Sends a request of a dialog and waits for its final response; `None`: none came within [`FINAL`].
    pub(crate) fn ask(&self, dialog: &mut Dialog, method: &str, uri: &str, headers: &str, body: &str) -> Option<u16> {
        dialog.cseq += 1;
        let request = self.request(dialog, method, uri, headers, body);
        self.send(&request);
        let cseq = format!("{} {method}", dialog.cseq);
        let call_id = dialog.call_id.clone();
        let ours = |message: &str| header(message, "CSeq") == cseq && header(message, "Call-ID") == call_id;
        let response = self.wait(FINAL, |message| status(message).is_some_and(|status| status >= 200) && ours(message))?;
        dialog.status = status(&response)?;
        if dialog.status < 300 && method == "INVITE" {
            dialog.to = header(&response, "To").to_owned();
        }
        dialog.response = response;
        Some(dialog.status)
    }

    /// Calls `uri` with sound at `media`; the dialog is up, or its status says why not.
    pub(crate) fn call(&self, uri: &str, headers: &str, media: SocketAddr) -> Dialog {
        let mut dialog = self.dialog();
        self.ask(&mut dialog, "INVITE", uri, &format!("Content-Type: application/sdp\r\n{headers}"), &offer(media));
        self.acknowledge(&dialog, uri);
        dialog
    }

    /// The ACK of the last INVITE's 2xx.
    pub(crate) fn acknowledge(&self, dialog: &Dialog, uri: &str) {
        if (200..300).contains(&dialog.status) {
            self.send(&self.request(dialog, "ACK", uri, "", ""));
        }
    }

    /// Presses keys by INFO.
    pub(crate) fn press(&self, dialog: &mut Dialog, keys: &str) {
        for key in keys.chars() {
            let body = format!("Signal={key}\r\nDuration=100\r\n");
            self.ask(dialog, "INFO", "sip:roomgate@127.0.0.1", "Content-Type: application/dtmf-relay\r\n", &body);
        }
    }

    /// Whether the daemon hangs up within `limit`.
    pub(crate) fn is_hung_up(&self, dialog: &Dialog, limit: Duration) -> bool {
        self.wait(limit, |message| message.starts_with("BYE ") && header(message, "Call-ID") == dialog.call_id).is_some()
    }
}
