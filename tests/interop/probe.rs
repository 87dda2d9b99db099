//! Somebody who sends single SIP requests by UDP from an address of its own, proves its password where it is asked to, and measures how long
//! answers take.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use roomgate::sip::WireLimits;
use roomgate::sip::auth::{Client, Credentials};
use roomgate::sip::message::{Message, Request, Response};
use roomgate::sip::method::Method;

use crate::udp_phone::SDP;

/// The daemon under test.
const GATEWAY: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 5060);

/// One address, and a socket there.
pub(crate) struct Probe {
    socket: UdpSocket,
    own: SocketAddr,
    number: u32,
    /// Under whose name it asks.
    user: String,
    client: Option<Client>,
    /// Whether it answers OPTIONS, as phones do.
    pub(crate) answers: bool,
}

impl Probe {
    /// At an address of this machine, on any free port.
    pub(crate) fn at(address: [u8; 4], user: &str) -> Self {
        let socket = UdpSocket::bind(SocketAddr::from((address, 0))).expect("a socket");
        let own = socket.local_addr().expect("an address");
        Self { socket, own, number: 0, user: user.to_owned(), client: None, answers: true }
    }

    /// With a password for its name.
    pub(crate) fn with_password(mut self, password: &str) -> Self {
        let credentials = Credentials { user: self.user.clone(), password: password.to_owned().into(), realm: None };
        self.client = Some(Client::new(credentials));
        self
    }

    /// A request of its own, outside of any dialog.
    pub(crate) fn request(&mut self, method: &str, uri: &str) -> Request {
        self.number += 1;
        let (own, user, number) = (self.own, &self.user, self.number);
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{port}n{number};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@{own}>;tag=p{number}\r\nTo: <sip:{user}@127.0.0.1>\r\nCall-ID: {number}@{own}\r\n\
             CSeq: {number} {method}\r\nContact: <sip:{user}@{own}>\r\nContent-Length: 0\r\n\r\n",
            port = own.port(),
        );
        match Message::parse(text.as_bytes(), &WireLimits::default()) {
            Ok(Message::Request(request)) => request,
            other => panic!("no request: {other:?}"),
        }
    }

    /// Sends something, once.
    pub(crate) fn send(&self, request: &Request) {
        self.socket.send_to(&request.to_bytes(), GATEWAY).expect("a datagram");
    }

    /// Sends a request once and waits for its first response that is not 100; `None`: there is none within `limit`.
    pub(crate) fn asks(&self, request: &Request, limit: Duration) -> Option<(Response, Duration)> {
        let begin = Instant::now();
        self.send(request);
        let call_id = request.headers.get("Call-ID");
        loop {
            let left = limit.checked_sub(begin.elapsed()).filter(|left| !left.is_zero())?;
            match self.hears(left)? {
                Message::Response(response) if response.headers.get("Call-ID") == call_id && response.status != 100 => {
                    return Some((response, begin.elapsed()));
                }
                Message::Request(asked) if self.answers && asked.method.as_str() == "OPTIONS" => self.answer(&asked),
                _ => {}
            }
        }
    }

    /// The next message that comes; `None`: none within `limit`.
    pub(crate) fn hears(&self, limit: Duration) -> Option<Message> {
        self.socket.set_read_timeout(Some(limit)).expect("a socket option");
        let mut buffer = [0; 8192];
        let (length, _) = self.socket.recv_from(&mut buffer).ok()?;
        Message::parse(&buffer[..length], &WireLimits::default()).ok()
    }

    /// 200.
    pub(crate) fn answer(&self, asked: &Request) {
        let response = asked.response(200, Some("probe"));
        self.socket.send_to(&response.to_bytes(), GATEWAY).expect("a datagram");
    }

    /// The same with its password, where it is asked for one; the status of the last answer, and how long everything took.
    pub(crate) fn proves(&mut self, method: &str, uri: &str, limit: Duration) -> Option<(u16, Duration)> {
        let begin = Instant::now();
        let first = self.request(method, uri);
        let (first, took) = self.asks(&first, limit)?;
        let Some(mut client) = self.client.take() else { return Some((first.status, took)) };
        let challenged = client.challenged(&first);
        let mut request = self.request(method, uri);
        client.sign(&mut request, "c0ffee");
        client.accepted();
        self.client = Some(client);
        if !challenged {
            return Some((first.status, took));
        }
        let (second, _) = self.asks(&request, limit)?;
        Some((second.status, begin.elapsed()))
    }

    /// Calls, proves itself where it is asked to, and hangs up once it is answered; how long that took, by the last digit. `None`: it was
    /// not answered, or not so.
    pub(crate) fn calls(&mut self, uri: &str, limit: Duration) -> Option<Duration> {
        let begin = Instant::now();
        let mut invite = self.invite(uri);
        let (mut answer, _) = self.asks(&invite, limit)?;
        if answer.status == 401 {
            self.acknowledge(&invite, &answer);
            let mut client = self.client.take()?;
            let challenged = client.challenged(&answer);
            invite = self.invite(uri);
            client.sign(&mut invite, "c0ffee");
            client.accepted();
            self.client = Some(client);
            (answer, _) = self.asks(&invite, limit).filter(|_| challenged)?;
        }
        let took = begin.elapsed();
        self.acknowledge(&invite, &answer);
        if answer.status != 200 {
            return None;
        }
        let bye = self.within(&invite, &answer, "BYE", 1);
        self.asks(&bye, limit)?;
        Some(took)
    }

    /// Calls and is told that it cannot be; how long that took.
    pub(crate) fn is_refused(&mut self, uri: &str, limit: Duration) -> Option<Duration> {
        let invite = self.invite(uri);
        let (answer, took) = self.asks(&invite, limit)?;
        self.acknowledge(&invite, &answer);
        (answer.status >= 300).then_some(took)
    }

    /// An INVITE with an offer.
    fn invite(&mut self, uri: &str) -> Request {
        let mut invite = self.request("INVITE", uri);
        invite.headers.push("Content-Type", "application/sdp");
        invite.body = SDP.as_bytes().to_vec();
        invite
    }

    fn acknowledge(&self, invite: &Request, answer: &Response) {
        self.send(&self.within(invite, answer, "ACK", 0));
    }

    /// A request in the dialog of an INVITE, or the ACK of its refusal.
    fn within(&self, invite: &Request, answer: &Response, method: &str, later: u32) -> Request {
        let field = |name: &str| invite.headers.get(name).unwrap_or_default().to_owned();
        let cseq: u32 = field("CSeq").split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
        let contact = answer.headers.get("Contact").and_then(|contact| contact.split(['<', '>']).nth(1).map(str::to_owned));
        let is_refusal = answer.status >= 300;
        let uri = contact.filter(|_| !is_refusal).unwrap_or_else(|| invite.uri.clone());
        let via =
            if is_refusal { field("Via") } else { field("Via").replace("branch=z9hG4bK", &format!("branch=z9hG4bK{method}")) };
        let mut request = Request::new(Method::parse(method).expect("a method"), uri);
        let to = answer.headers.get("To").unwrap_or_default().to_owned();
        for (name, value) in [
            ("Via", via),
            ("Max-Forwards", "70".to_owned()),
            ("From", field("From")),
            ("To", to),
            ("Call-ID", field("Call-ID")),
            ("CSeq", format!("{} {method}", cseq + later)),
        ] {
            request.headers.push(name, value);
        }
        request
    }
}
