//! [`SessionOutbox`]: what a session wants done, and its own requests until they are answered, with our proof where it was asked for (RFC 3261
//! section 22.2, 22.3). Only calls that were made with credentials have one; a peer that calls us gets nothing by asking.

use std::collections::{BTreeMap, VecDeque};

use crate::sip::auth;
use crate::sip::capabilities::{ALLOW, SUPPORTED};
use crate::sip::dialog::DialogKey;
use crate::sip::events::Event;
use crate::sip::message::method::Method;
use crate::sip::message::uri::Uri;
use crate::sip::message::{Request, StatusCode, header_names};
use crate::sip::random::Random;
use crate::sip::transaction::{InboundRequest, Reply, Route, ServerId};
use crate::sip::transport::Flow;

/// What a request in a dialog has of its dialog, or gets from its flow: anew each time it is sent.
const OWN: [&str; 8] = [
    header_names::VIA,
    header_names::MAX_FORWARDS,
    header_names::ROUTE,
    header_names::FROM,
    header_names::TO,
    header_names::CALL_ID,
    header_names::CSEQ,
    header_names::CONTACT,
];
/// Where a proof stands.
const PROOF: [&str; 2] = [header_names::AUTHORIZATION, header_names::PROXY_AUTHORIZATION];

/// What a request of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestPurpose {
    Invite,
    Reinvite,
    /// UPDATE without an offer (RFC 4028).
    Refresh,
    Prack,
    /// How a REFER goes on.
    Notify,
    /// A text to the device.
    Text,
    /// Whether the peer is still there.
    Probe,
    Bye,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sip) enum Hop {
    /// To the next hop of its dialog.
    Next(Uri),
    /// There by a new connection, since the one before is of no more use.
    Reconnect(Uri),
    /// By this flow, or by a new connection if that is gone.
    By(Flow),
    /// By this flow alone; a large request by a connection to the same peer.
    Only(Flow),
    /// As was found out before.
    Route(Route),
}

/// What a session wants done.
#[derive(Debug)]
pub(in crate::sip) enum SessionOutput {
    /// Answer a request; the 100, or the last response again.
    Respond(ServerId, Reply),
    Trying(ServerId),
    Repeat(ServerId),
    /// Say what we can do.
    Options(ServerId),
    /// A request in the dialog that belongs to another usage of it.
    Foreign(ServerId, Box<InboundRequest>),
    /// Send a request, give an INVITE up, or acknowledge a 2xx to one.
    Send {
        part: u32,
        request: Request,
        hop: Hop,
    },
    Cancel(u32),
    Ack {
        part: u32,
        request: Request,
        hop: Hop,
    },
    Transmit(Flow, Vec<u8>),
    /// A dialog is known by this key from now on, or no more.
    Opened(DialogKey),
    Closed(DialogKey),
    /// The session is over; what hangs on it ends with it.
    Over,
    /// Tell the call's owner.
    Tell(Event),
}

/// A request of ours that is not forgotten yet.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) purpose: RequestPurpose,
    pub(super) request: Request,
    /// By which it went.
    pub(super) flow: Option<Flow>,
}

/// See the file's paragraph.
#[derive(Debug)]
pub(super) struct SessionOutbox {
    outputs: VecDeque<SessionOutput>,
    sent: BTreeMap<u32, Sent>,
    next: u32,
    random: Random,
    /// Proves who we are.
    pub(super) digest: Option<auth::Client>,
}

impl SessionOutbox {
    pub(super) const fn new(random: Random, digest: Option<auth::Client>) -> Self {
        Self { outputs: VecDeque::new(), sent: BTreeMap::new(), next: 0, random, digest }
    }

    pub(super) fn put(&mut self, output: SessionOutput) {
        self.outputs.push_back(output);
    }

    pub(super) fn take(&mut self) -> Option<SessionOutput> {
        self.outputs.pop_front()
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.put(SessionOutput::Tell(event));
    }

    pub(super) fn respond(&mut self, server: ServerId, reply: Reply) {
        self.put(SessionOutput::Respond(server, reply));
    }

    /// A status alone.
    pub(super) fn refuse(&mut self, server: ServerId, status: StatusCode) {
        self.respond(server, Reply::new(status));
    }

    pub(super) fn draw(&mut self) -> u64 {
        self.random.draw()
    }

    /// Sends a request; gives its number.
    pub(super) fn send(&mut self, purpose: RequestPurpose, mut request: Request, hop: Hop) -> u32 {
        if matches!(request.method, Method::Invite | Method::Update) {
            request.headers.push(header_names::ALLOW, ALLOW);
            request.headers.push(header_names::ACCEPT, "application/sdp");
            // A provisional response inside a dialog would have to be acknowledged there; that is not asked for.
            request.headers.push(header_names::SUPPORTED, if purpose == RequestPurpose::Invite { SUPPORTED } else { "timer" });
        }
        self.send_signed(purpose, request, hop)
    }

    fn send_signed(&mut self, purpose: RequestPurpose, mut request: Request, hop: Hop) -> u32 {
        let cnonce = self.random.token();
        if let Some(digest) = &mut self.digest {
            digest.sign(&mut request, &cnonce);
        }
        self.next += 1;
        let part = self.next;
        self.sent.insert(part, Sent { purpose, request: request.clone(), flow: None });
        self.put(SessionOutput::Send { part, request, hop });
        part
    }

    /// Sends what was challenged once more, as `fresh` with all that was said in it, by the way it went; gives its new number.
    pub(super) fn send_again(&mut self, part: u32, mut fresh: Request) -> Option<u32> {
        let Sent { purpose, request, flow } = self.sent.get(&part)?;
        let (purpose, flow) = (*purpose, (*flow)?);
        for (name, value) in request.headers.iter() {
            if !OWN.iter().chain(&PROOF).any(|own| own.eq_ignore_ascii_case(name)) {
                fresh.headers.push(name, value);
            }
        }
        fresh.body.clone_from(&request.body);
        Some(self.send_signed(purpose, fresh, Hop::Only(flow)))
    }

    /// The ACK of a 2xx carries the proof of its INVITE, since it cannot be challenged itself (section 22.1).
    pub(super) fn acknowledge(&mut self, part: u32, mut ack: Request, hop: Hop) {
        if let Some(invite) = self.sent.get(&part) {
            for name in PROOF {
                for line in invite.request.headers.lines(name) {
                    ack.headers.push(name, line);
                }
            }
        }
        self.put(SessionOutput::Ack { part, request: ack, hop });
    }

    /// A request has gone out.
    pub(super) fn went(&mut self, part: u32, flow: Flow) {
        if let Some(sent) = self.sent.get_mut(&part) {
            sent.flow = Some(flow);
        }
    }

    pub(super) fn get(&self, part: u32) -> Option<&Sent> {
        self.sent.get(&part)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Sent> {
        self.sent.values()
    }

    /// Nothing more will be heard of a request.
    pub(super) fn forget(&mut self, part: u32) -> Option<RequestPurpose> {
        self.sent.remove(&part).map(|sent| sent.purpose)
    }

    /// Whether all of them are forgotten.
    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.outputs.is_empty()
    }
}
