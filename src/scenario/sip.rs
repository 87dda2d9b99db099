//! A phone's SIP, written as text: a peer that shared our own code would prove less.

use std::net::SocketAddr;

/// A message, as a phone reads it.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) first: String,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Text {
    pub(super) fn read(datagram: &[u8]) -> Self {
        let text = String::from_utf8(datagram.to_vec()).expect("UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").expect("an empty line");
        let mut lines = head.split("\r\n");
        let first = lines.next().expect("a first line").to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').expect("a header");
            (name.trim().to_ascii_lowercase(), value.trim().to_owned())
        };
        Self { first, headers: lines.map(header).collect(), body: body.to_owned() }
    }

    /// The first header of this name.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Every header of this name, as lines.
    fn lines(&self, name: &str) -> String {
        let of_it = self.headers.iter().filter(|(known, _)| known == name);
        of_it.map(|(name, value)| format!("{name}: {value}\r\n")).collect()
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.first.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
    }

    pub(super) fn method(&self) -> &str {
        self.first.split(' ').next().unwrap_or_default()
    }

    /// The method in CSeq.
    pub(super) fn of(&self) -> &str {
        self.header("cseq").split(' ').nth(1).unwrap_or_default()
    }

    /// A response to this INVITE, with a tag.
    pub(super) fn reply(&self, status: &str, tag: &str, ours: SocketAddr, sdp: &str) -> String {
        let copied: String = ["via", "from", "call-id", "cseq"].iter().map(|name| self.lines(name)).collect();
        let (to, length) = (self.header("to"), sdp.len());
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "SIP/2.0 {status}\r\n{copied}To: {to};tag={tag}\r\nContact: <sip:phone@{ours}>\r\n{kind}Content-Length: {length}\r\n\r\n{sdp}"
        )
    }

    /// 200 to this request.
    pub(super) fn accepted(&self) -> String {
        let copied: String = ["via", "from", "to", "call-id", "cseq"].iter().map(|name| self.lines(name)).collect();
        format!("SIP/2.0 200 OK\r\n{copied}Content-Length: 0\r\n\r\n")
    }
}

/// A phone's side of one dialog.
#[derive(Debug, Clone)]
pub(super) struct Dialog {
    pub(super) ours: SocketAddr,
    pub(super) gateway: SocketAddr,
    pub(super) name: String,
    pub(super) user_agent: String,
    /// Further headers, as lines.
    pub(super) more: String,
    /// What was dialled.
    pub(super) uri: String,
    pub(super) call_id: String,
    /// The gateway's Contact, once it has answered.
    pub(super) contact: Option<String>,
    /// To, with the gateway's tag once it has one.
    pub(super) to: String,
    pub(super) cseq: u32,
    pub(super) branch: u32,
    /// From, where it is not as in a call of its own.
    from: Option<String>,
}

impl Dialog {
    pub(super) fn new(ours: SocketAddr, gateway: SocketAddr, name: &str, user: &str, number: u32) -> Self {
        let uri = if user.is_empty() { format!("sip:{}", gateway.ip()) } else { format!("sip:{user}@{}", gateway.ip()) };
        let to = format!("<{uri}>");
        let call_id = format!("{number}-{}", ours.ip());
        let (name, user_agent) = (name.to_owned(), "Scenario".to_owned());
        Self {
            ours,
            gateway,
            name,
            user_agent,
            more: String::new(),
            uri,
            call_id,
            contact: None,
            to,
            cseq: 0,
            branch: 0,
            from: None,
        }
    }

    /// The callee's side of a dialog that the gateway has begun.
    pub(super) fn called(ours: SocketAddr, gateway: SocketAddr, name: &str, invite: &Text) -> Self {
        let contact = invite.header("contact").trim_start_matches('<').split('>').next().map(str::to_owned);
        let (call_id, to) = (invite.header("call-id").to_owned(), invite.header("from").to_owned());
        let from = Some(format!("{};tag=callee", invite.header("to")));
        Self { call_id, contact, to, from, ..Self::new(ours, gateway, name, "", 0) }
    }

    /// From, with this side's tag.
    pub(super) fn from(&self) -> String {
        let own = || format!("\"{}\" <sip:{}>;tag=f{}", self.name, self.ours.ip(), self.call_id);
        self.from.clone().unwrap_or_else(own)
    }

    /// A request with a sequence number of its own.
    pub(super) fn request(&mut self, method: &str, body: &str) -> String {
        self.request_with(method, "application/sdp", body)
    }

    /// The same, with a body of another kind.
    pub(super) fn request_with(&mut self, method: &str, kind: &str, body: &str) -> String {
        self.cseq += 1;
        self.branch += 1;
        self.write(method, kind, body)
    }

    /// ACK to a 2xx: a transaction of its own (RFC 3261 section 13.2.2.4). ACK to anything else, and CANCEL: the INVITE's branch.
    pub(super) fn follow_up(&mut self, method: &str, own_branch: bool, body: &str) -> String {
        if own_branch {
            self.branch += 1;
        }
        self.write(method, "application/sdp", body)
    }

    fn write(&self, method: &str, kind: &str, body: &str) -> String {
        let Self { ours, user_agent, more, uri, call_id, to, .. } = self;
        // CANCEL goes where the INVITE went (RFC 3261 section 9.1).
        let target = self.contact.as_deref().unwrap_or(uri);
        let kind = if body.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {ours};branch=z9hG4bK-{call_id}-{branch};rport\r\nMax-Forwards: 70\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {number} {method}\r\n\
             Contact: <sip:phone@{ours}>\r\nUser-Agent: {user_agent}\r\n{more}{kind}Content-Length: {length}\r\n\r\n{body}",
            branch = self.branch,
            from = self.from(),
            number = self.cseq,
            length = body.len(),
        )
    }
}
