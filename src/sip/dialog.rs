//! [`Dialog`]: two tags, two counters, a route set and a target (RFC 3261 section 12).

use std::net::SocketAddr;

use super::message::header::{CSeq, NameAddr};
use super::message::method::Method;
use super::message::uri::{Scheme, Uri};
use super::message::{Essentials, Request, Response};
use crate::sip::message::header_names;

/// What tells dialogs apart: Call-ID, our tag, the peer's tag (empty for an RFC 2543 peer).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DialogKey {
    /// Call-ID.
    pub call_id: String,
    /// Our tag.
    pub local: String,
    /// The peer's tag.
    pub remote: String,
}

impl DialogKey {
    /// The dialog that a request of a peer names.
    pub(super) fn of_request(essentials: &Essentials) -> Self {
        let tag = |of: &NameAddr| of.tag().unwrap_or_default().to_owned();
        Self { call_id: essentials.call_id.clone(), local: tag(&essentials.to), remote: tag(&essentials.from) }
    }
}

/// One dialog, seen from our side.
#[derive(Debug, Clone)]
pub struct Dialog {
    call_id: String,
    local: NameAddr,
    remote: NameAddr,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    routes: Vec<NameAddr>,
    target: Uri,
    secure: bool,
}

impl Dialog {
    /// The dialog that an INVITE of a peer begins. Without a readable Contact the target is where it came from.
    #[must_use]
    pub fn of_invite(request: &Request, essentials: &Essentials, tag: &str, source: SocketAddr) -> Self {
        let sips = |uri: &Uri| uri.scheme == Scheme::Sips;
        let named = request
            .headers
            .values(header_names::RECORD_ROUTE)
            .next()
            .or_else(|| request.headers.values(header_names::CONTACT).next());
        let secure = Uri::parse(&request.uri).is_some_and(|uri| sips(&uri))
            || named.and_then(NameAddr::parse).is_some_and(|named| sips(&named.uri));
        Self {
            secure,
            call_id: essentials.call_id.clone(),
            local: essentials.to.clone().with_tag(tag),
            remote: essentials.from.clone(),
            local_cseq: 0,
            remote_cseq: Some(essentials.cseq.number),
            routes: request.headers.values(header_names::RECORD_ROUTE).filter_map(NameAddr::parse).collect(),
            target: contact(request.headers.values(header_names::CONTACT)).unwrap_or_else(|| Uri::of_address(source)),
        }
    }

    /// The dialog that an INVITE of ours will begin, by a route that is known beforehand.
    #[must_use]
    pub fn to_invite(call_id: String, local: NameAddr, target: Uri, routes: Vec<NameAddr>) -> Self {
        let remote = NameAddr::of(target.clone());
        let secure = target.scheme == Scheme::Sips;
        Self { call_id, local, remote, local_cseq: 0, remote_cseq: None, routes, target, secure }
    }

    /// Its Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Whether it was begun with `sips:`, so that our Contact has to say so too (section 12.1.1).
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The 2xx to our INVITE has come: tag, route set and target are known (section 12.1.2).
    pub fn confirm(&mut self, response: &Response, to: &NameAddr) {
        self.remote = to.clone();
        self.routes = response.headers.values(header_names::RECORD_ROUTE).filter_map(NameAddr::parse).collect();
        self.routes.reverse();
        self.refresh(response.headers.values(header_names::CONTACT));
    }

    /// A target refresh (section 12.2): takes the new Contact, if one is there.
    pub fn refresh<'a>(&mut self, contacts: impl Iterator<Item = &'a str>) {
        if let Some(target) = contact(contacts) {
            self.target = target;
        }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> DialogKey {
        let tag = |of: &NameAddr| of.tag().unwrap_or_default().to_owned();
        DialogKey { call_id: self.call_id.clone(), local: tag(&self.local), remote: tag(&self.remote) }
    }

    /// Our side, with our tag.
    #[must_use]
    pub const fn local(&self) -> &NameAddr {
        &self.local
    }

    /// The peer's side, with its tag.
    #[must_use]
    pub const fn remote(&self) -> &NameAddr {
        &self.remote
    }

    /// Takes the number of a request of the peer; `false` when it is out of order (section 12.2.2).
    pub fn accepts(&mut self, number: u32) -> bool {
        let fits = self.remote_cseq.is_none_or(|last| number > last);
        if fits {
            self.remote_cseq = Some(number);
        }
        fits
    }

    /// The next request of ours, without Via and Contact.
    #[must_use]
    pub fn request(&mut self, method: Method) -> Request {
        self.local_cseq = self.local_cseq.wrapping_add(1) & 0x7fff_ffff;
        self.build(method, self.local_cseq)
    }

    /// The ACK of the 2xx to our INVITE with this number (section 13.2.2.4).
    #[must_use]
    pub fn ack(&self, number: u32) -> Request {
        self.build(Method::Ack, number)
    }

    fn build(&self, method: Method, number: u32) -> Request {
        // Section 12.2.1.1: a strict first route becomes the Request-URI, and the target the last route.
        let (uri, routes) = match self.routes.split_first() {
            Some((first, rest)) if !first.uri.is_loose_route() => {
                let target = NameAddr::of(self.target.clone());
                (&first.uri, rest.iter().cloned().chain([target]).collect())
            }
            _ => (&self.target, self.routes.clone()),
        };
        let mut uri = uri.clone();
        uri.headers = None;
        let mut request = Request::new(method.clone(), uri);
        request.headers.push(header_names::MAX_FORWARDS, 70);
        for route in routes {
            request.headers.push(header_names::ROUTE, route);
        }
        request.headers.push(header_names::FROM, &self.local);
        request.headers.push(header_names::TO, &self.remote);
        request.headers.push(header_names::CALL_ID, &self.call_id);
        request.headers.push(header_names::CSEQ, CSeq { number, method });
        request
    }

    /// What the peer has named as the way to it: routes and target.
    pub fn places(&self) -> impl Iterator<Item = &Uri> {
        self.routes.iter().map(|route| &route.uri).chain([&self.target])
    }

    /// Where the next request goes: the first route, or the target.
    #[must_use]
    pub fn next_hop(&self) -> &Uri {
        self.routes.first().map_or(&self.target, |route| &route.uri)
    }
}

fn contact<'a>(mut contacts: impl Iterator<Item = &'a str>) -> Option<Uri> {
    contacts.find_map(NameAddr::parse).map(|contact| contact.uri).filter(|uri| uri.host.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Message;
    use crate::sip::message::wire::WireLimits;

    fn dialog(extra: &str) -> Dialog {
        let text = format!(
            "INVITE sip:1@r SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=f\r\nTo: <sip:1@r>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n{extra}\r\n"
        );
        let Ok(Message::Request(request)) = Message::parse(text.as_bytes(), &WireLimits::default()) else { panic!("no request") };
        let essentials = Essentials::read(&request.headers).unwrap();
        Dialog::of_invite(&request, &essentials, "t", "192.0.2.1:5060".parse().unwrap())
    }

    /// The route set of a callee keeps its order and loose routes keep the target.
    #[test]
    fn the_route_set_of_a_callee_keeps_its_order() {
        let mut dialog = dialog("Contact: <sip:a@192.0.2.9?x=y>\r\nRecord-Route: <sip:p2;lr>, <sip:p1;lr>\r\n");
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.uri, "sip:a@192.0.2.9");
        assert_eq!(bye.headers.lines("Route").collect::<Vec<_>>(), ["<sip:p2;lr>", "<sip:p1;lr>"]);
        assert_eq!(bye.headers.get("CSeq"), Some("1 BYE"));
        assert_eq!((bye.headers.get("From"), bye.headers.get("To")), (Some("<sip:1@r>;tag=t"), Some("<sip:a@a>;tag=f")));
        assert_eq!(dialog.next_hop().to_string(), "sip:p2;lr");
    }

    #[test]
    fn a_strict_first_route_takes_the_place_of_the_target() {
        let mut dialog = dialog("Contact: <sip:a@192.0.2.9>\r\nRecord-Route: <sip:p2>\r\nRecord-Route: <sip:p1;lr>\r\n");
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.uri, "sip:p2");
        assert_eq!(bye.headers.lines("Route").collect::<Vec<_>>(), ["<sip:p1;lr>", "<sip:a@192.0.2.9>"]);
    }

    #[test]
    fn numbers_must_rise_and_a_missing_contact_is_the_source() {
        let mut dialog = dialog("");
        assert!(!dialog.accepts(7) && dialog.accepts(9) && !dialog.accepts(8));
        assert_eq!(dialog.request(Method::Bye).uri, "sip:192.0.2.1:5060");
    }
}
