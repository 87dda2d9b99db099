//! The SIP task: owns every socket, runs the [`Endpoint`], and is the only place of this folder with a clock.
//!
//! Requests come down by [`Handle::send`], which waits for space; events go up without waiting: when the owners of calls do not read,
//! the call concerned is ended with [`Cause::Stalled`].
#![allow(clippy::disallowed_methods, reason = "this is a driver: it meets the clock and starts the tasks of connections")]

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::capture::Copier;
use super::connections::{ConnectionRoom, StreamConnections};
use super::handle::Handle;
use super::handle::TaskRequest;
use super::resolver::Names;
use super::stream::{self, Connection, Secure, Stream, StreamEvent};
use super::udp::UdpListeners;
use crate::common::cause::Cause;
use crate::common::machine::{self, Machine};
use crate::net::tls::{ClientFiles, TlsFiles, TlsServer};
use crate::net::udp::Net;
use crate::sip::endpoint::Endpoint;
use crate::sip::{Change, Command, ConnectionId, Event, Flow, Input, Output, PeerStanding, Settings, Transport};

/// Commands and events that may wait. Commands: the sender waits. Events: the call is ended with [`Cause::Stalled`].
const QUEUE: usize = 1024;
/// Messages of connections that may wait; a full queue stops the readers, and TCP holds the peers back.
const STREAMS: usize = 1024;
/// Datagrams taken in a row before timers and commands have their turn.
const BATCH: usize = 64;

/// A place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its configured name, for errors.
    pub name: String,
    /// By what.
    pub transport: Transport,
    /// Where; port 0 takes a free one.
    pub addr: SocketAddr,
    /// For TLS: our certificate, and whose certificates clients must have.
    pub tls: Option<ListenTls>,
}

/// What a TLS listener shows and wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenTls {
    /// Our certificate, read again when its files change.
    pub files: TlsFiles,
    /// Where a client's certificate must come from, and which are revoked; read again when these files change. `None`: clients need none.
    pub clients: Option<ClientFiles>,
}

/// A listener that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("sip.listen.{name}: cannot listen on {} {addr}: {source}", transport.as_str())]
pub struct StartError {
    /// Which listener.
    pub name: String,
    /// By what.
    pub transport: Transport,
    /// The address that was asked for.
    pub addr: SocketAddr,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// A SIP task at work.
#[derive(Debug)]
pub struct Running {
    /// The way down.
    pub handle: Handle,
    /// The events of all calls.
    pub events: mpsc::Receiver<Event>,
    /// Changes of registrations, to be kept. Full: a change is lost, and mended by the device's next refresh.
    pub registrations: mpsc::Receiver<Change>,
    /// Bound addresses, in the order of the listeners.
    pub bound: Vec<SocketAddr>,
}

/// Opens all listeners, those for datagrams on `net`, and starts the SIP task.
///
/// # Errors
/// [`StartError`] names the first listener that could not be opened; none stays open then.
pub async fn start(net: Arc<dyn Net>, settings: Settings, listeners: Vec<Listener>) -> Result<Running, StartError> {
    let mut task = Task::new(net, settings);
    let mut bound = Vec::new();
    for (index, listener) in listeners.into_iter().enumerate() {
        let Listener { name, transport, addr, tls } = listener;
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        let opened = match transport {
            Transport::Udp => task.udp.open(index, addr),
            Transport::Tcp => task.listen(index, addr, None),
            Transport::Tls => server(tls.as_ref()).and_then(|server| task.listen(index, addr, Some(server))),
        };
        bound.push(opened.map_err(|source| StartError { name, transport, addr, source })?);
    }
    let (asks, inbox) = mpsc::channel(QUEUE);
    let (says, events) = mpsc::channel(QUEUE);
    let (changes, registrations) = mpsc::channel(QUEUE);
    let handle = Handle { asks, counters: task.endpoint.counters() };
    tokio::spawn(task.run(inbox, Upward { events: says, registrations: changes }));
    Ok(Running { handle, events, registrations, bound })
}

fn server(tls: Option<&ListenTls>) -> io::Result<TlsServer> {
    let tls = tls.ok_or_else(|| io::Error::other("no certificate"))?;
    TlsServer::open(tls.files.clone(), &[], tls.clients.clone()).map_err(io::Error::other)
}

/// The ways up.
struct Upward {
    events: mpsc::Sender<Event>,
    registrations: mpsc::Sender<Change>,
}

/// A listener of connections.
struct StreamListener {
    index: u16,
    bound: SocketAddr,
    /// For TLS.
    server: Option<TlsServer>,
}

impl StreamListener {
    const fn transport(&self) -> Transport {
        if self.server.is_some() { Transport::Tls } else { Transport::Tcp }
    }
}

/// The ways of connections' news.
struct Ways {
    strangers: mpsc::Sender<StreamEvent>,
    known: mpsc::Sender<StreamEvent>,
}

struct Task {
    endpoint: Endpoint,
    settings: Settings,
    udp: UdpListeners,
    streams_in: Vec<StreamListener>,
    connections: StreamConnections,
    next_connection: u64,
    /// The ways of connections, of known peers and of others; new connections come by one of their own. So nobody's messages wait for
    /// those of all strangers, and no connection of a known device for the messages of strangers.
    news: Ways,
    streams: mpsc::Receiver<StreamEvent>,
    known_streams: mpsc::Receiver<StreamEvent>,
    accepted: mpsc::Receiver<StreamEvent>,
    accepts: mpsc::Sender<StreamEvent>,
    /// Accept loops, readers, writers and connects; dropped, and so ended, with the task.
    tasks: JoinSet<()>,
    /// The last word to owners whose queue was full: at most one a call.
    untold: VecDeque<Event>,
    /// Waits until our registrations are taken back.
    leaving: Option<oneshot::Sender<()>>,
    /// Waits until nothing of a call is left to be answered.
    resting: Option<oneshot::Sender<()>>,
    /// The name system, once it was needed.
    names: Option<Names>,
    copier: Copier,
}

impl Task {
    fn new(net: Arc<dyn Net>, settings: Settings) -> Self {
        let (strangers, streams) = mpsc::channel(STREAMS);
        let (known, known_streams) = mpsc::channel(STREAMS);
        let (accepts, accepted) = mpsc::channel(BATCH);
        let endpoint = Endpoint::new(settings.clone());
        Self {
            copier: Copier::new(endpoint.counters()),
            endpoint,
            settings,
            udp: UdpListeners::new(net),
            streams_in: Vec::new(),
            connections: StreamConnections::default(),
            next_connection: 0,
            news: Ways { strangers, known },
            streams,
            known_streams,
            accepted,
            accepts,
            tasks: JoinSet::new(),
            untold: VecDeque::new(),
            leaving: None,
            resting: None,
            names: None,
        }
    }

    fn listen(&mut self, index: u16, addr: SocketAddr, server: Option<TlsServer>) -> io::Result<SocketAddr> {
        let listener = stream::listen(addr)?;
        let bound = listener.local_addr()?;
        self.streams_in.push(StreamListener { index, bound, server });
        self.tasks.spawn(stream::accept(index, listener, self.accepts.clone()));
        Ok(bound)
    }

    async fn run(mut self, mut inbox: mpsc::Receiver<TaskRequest>, up: Upward) {
        let mut buffer = vec![0; 65_536];
        loop {
            let now = machine::now();
            if self.endpoint.deadline().is_some_and(|at| at <= now) {
                self.endpoint.wake(now);
            }
            self.perform(&up);
            if let Some(leaving) = self.leaving.take_if(|_| self.endpoint.has_signed_off()) {
                // Whoever waited may have gone.
                let _ = leaving.send(());
            }
            if let Some(resting) = self.resting.take_if(|_| self.endpoint.is_at_rest()) {
                let _ = resting.send(());
            }
            while self.tasks.try_join_next().is_some() {}
            let deadline = self.endpoint.deadline();
            // Told again only when there is space; a short look is cheap and happens only while somebody is stuck.
            let retry = (!self.untold.is_empty()).then(|| machine::now() + Duration::from_millis(100));
            let at = deadline.into_iter().chain(retry).min();
            tokio::select! {
                ask = inbox.recv() => match ask {
                    Some(ask) => self.asked(ask),
                    None => return,
                },
                Some(news) = self.known_streams.recv() => self.stream_news(news),
                Some(news) = self.accepted.recv() => self.stream_news(news),
                Some(news) = self.streams.recv() => self.stream_news(news),
                (flow, length) = self.udp.receive(&mut buffer) => {
                    self.datagram(flow, buffer.get(..length).unwrap_or_default());
                    for _ in 1..BATCH {
                        let Some((flow, length)) = self.udp.try_receive(&mut buffer) else { break };
                        self.datagram(flow, buffer.get(..length).unwrap_or_default());
                        self.perform(&up);
                    }
                }
                () = machine::sleep_until(at) => {}
            }
        }
    }

    /// Does what is asked from above. Whoever asked may have gone.
    fn asked(&mut self, ask: TaskRequest) {
        match ask {
            TaskRequest::Command(command) => {
                if let Command::Reconfigure(new) = &command {
                    self.settings.adopt(new);
                }
                self.endpoint.handle(machine::now(), Input::Command(command));
            }
            TaskRequest::Ping(answer) => drop(answer.send(())),
            TaskRequest::Ladder(call, answer) => drop(answer.send(self.endpoint.ladder(call))),
            TaskRequest::Silenced(answer) => drop(answer.send(self.endpoint.silenced(machine::now()))),
            TaskRequest::Load(answer) => drop(answer.send(self.endpoint.load())),
            TaskRequest::Lift(source, answer) => drop(answer.send(self.endpoint.lift(machine::now(), &source))),
            TaskRequest::Dialog(call, answer) => drop(answer.send(self.endpoint.dialog(call))),
            TaskRequest::CallTarget(device, answer) => drop(answer.send(self.endpoint.call_target(&device))),
            TaskRequest::Accounts(answer) => drop(answer.send(self.endpoint.accounts(machine::now()))),
            TaskRequest::SignOff(answer) => {
                self.endpoint.handle(machine::now(), Input::Command(Command::SignOff));
                self.leaving = Some(answer);
            }
            TaskRequest::Addresses(name, answer) => {
                let names = self.names();
                self.tasks.spawn(async move { drop(answer.send(names.addresses(&name).await)) });
            }
            TaskRequest::Rest(answer) => self.resting = Some(answer),
            TaskRequest::Registrations(answer) => drop(answer.send(self.endpoint.registrations(machine::now()))),
            #[cfg(test)]
            TaskRequest::IsEmpty(answer) => drop(answer.send(self.endpoint.is_empty())),
        }
    }

    fn names(&mut self) -> Names {
        self.names.get_or_insert_with(|| Names::new(&self.settings.name_servers)).clone()
    }

    fn datagram(&mut self, flow: Flow, bytes: &[u8]) {
        self.endpoint.handle(machine::now(), Input::Received { flow, bytes: bytes.to_vec() });
    }

    /// Does what the endpoint wants until it wants nothing.
    fn perform(&mut self, up: &Upward) {
        while let Some(event) = self.untold.pop_front() {
            if let Err(mpsc::error::TrySendError::Full(event)) = up.events.try_send(event) {
                self.untold.push_front(event);
                break;
            }
        }
        while let Some(output) = self.endpoint.poll() {
            match output {
                Output::Transmit { flow, bytes } => self.transmit(flow, bytes),
                Output::Connect { peer, transport, name, token } => self.connect(peer, transport, name, token),
                Output::Locate(wanted) => {
                    let names = self.names();
                    self.tasks.spawn(names.locate(wanted, self.news.known.clone()));
                }
                Output::Copied(copied) => {
                    if let Some(capture) = &self.settings.capture {
                        self.copier.send(capture, &copied);
                    }
                }
                Output::Event(event) => match up.events.try_send(event) {
                    Ok(()) => {}
                    Err(mpsc::error::TrySendError::Full(event)) => self.stalled(event),
                    Err(mpsc::error::TrySendError::Closed(event)) => self.unheard(&event),
                },
                Output::Registered(change) => {
                    if let Err(mpsc::error::TrySendError::Full(change)) = up.registrations.try_send(change) {
                        tracing::warn!(device = %change.device, "a registration is not kept: the store is behind");
                    }
                }
            }
        }
    }

    fn stalled(&mut self, event: Event) {
        let call = event.call();
        // An owner that never heard of the call need not hear of its end.
        let unknown = matches!(event, Event::Incoming(_));
        let known = self.untold.iter().any(|told| told.call() == call);
        if !unknown && !known && self.untold.len() < self.settings.limits.max_calls {
            tracing::warn!(%call, "the owner of the call does not read its events");
            self.untold.push_back(Event::Ended { call, cause: Cause::Stalled });
        }
        self.endpoint.handle(machine::now(), Input::Command(Command::Bye { call, cause: Cause::Stalled }));
    }

    /// At the stop nobody is left who serves calls: whoever calls in the last moment, for help, is told so at least.
    fn unheard(&mut self, event: &Event) {
        if let Event::Incoming(incoming) = event {
            let refusal = Command::Reject { call: incoming.call, cause: Cause::Draining, warning: None };
            self.endpoint.handle(machine::now(), Input::Command(refusal));
        }
    }

    fn transmit(&mut self, flow: Flow, bytes: Vec<u8>) {
        let Some(id) = flow.connection else { return self.udp.send(&flow, &bytes) };
        // The queue of a connection is full when its peer does not read: that connection is of no more use.
        if self.connections.get(id).is_some_and(|connection| !connection.write(bytes)) {
            self.close(id);
        }
    }

    fn connect(&mut self, peer: SocketAddr, transport: Transport, name: Option<String>, token: u64) {
        let input = match transport {
            Transport::Udp => match self.udp.flow_to(peer) {
                Some(flow) => Input::Connected { token, flow },
                None => Input::ConnectFailed { token },
            },
            // RFC 5923: a connection that is there already carries requests of ours too.
            Transport::Tcp | Transport::Tls => match self.connection_to(peer, transport) {
                Some(flow) => Input::Connected { token, flow },
                None => match self.secure(peer, transport, name) {
                    Ok(secure) => {
                        let opened = self.udp.net().connect(peer);
                        self.tasks.spawn(stream::connect(opened, (peer, secure), token, self.news.known.clone()));
                        return;
                    }
                    Err(NoTls) => Input::ConnectFailed { token },
                },
            },
        };
        self.endpoint.handle(machine::now(), input);
    }

    fn connection_to(&self, peer: SocketAddr, transport: Transport) -> Option<Flow> {
        let fits =
            |connection: &&Connection| connection.ready && connection.flow.transport == transport && connection.flow.peer == peer;
        self.connections.values().find(fits).map(|connection| connection.flow)
    }

    /// What a TLS connection of ours needs; `None` for TCP.
    fn secure(&self, peer: SocketAddr, transport: Transport, name: Option<String>) -> Result<Option<Secure>, NoTls> {
        if transport == Transport::Tcp {
            return Ok(None);
        }
        let connector = self.settings.connector.as_ref().ok_or(NoTls)?;
        let name = match name.or_else(|| connector.name.clone()) {
            Some(name) => ServerName::try_from(name).map_err(|_| NoTls)?,
            None => ServerName::from(peer.ip()),
        };
        Ok(Some(Secure { config: Arc::clone(&connector.config), name }))
    }

    /// Cuts a connection off.
    fn close(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.remove(id) {
            connection.cut();
            self.endpoint.handle(machine::now(), Input::FlowClosed(id));
        }
    }

    fn stream_news(&mut self, news: StreamEvent) {
        let now = machine::now();
        match news {
            StreamEvent::Accepted { listener, stream, peer } => self.accepted_stream(now, listener, stream, peer),
            StreamEvent::Secured { id, names } => {
                if let Some(connection) = self.connections.get_mut(id) {
                    connection.ready = true;
                    self.endpoint.handle(now, Input::Opened { flow: connection.flow, names });
                    self.connections.stands(id, self.endpoint.standing(id));
                }
            }
            StreamEvent::Connected { token, stream, local, peer } => {
                let transport = if matches!(stream, Stream::Secure(_)) { Transport::Tls } else { Transport::Tcp };
                let fits = |known: &&StreamListener| known.transport() == transport && known.bound.is_ipv4() == peer.is_ipv4();
                // Peers that want to reach us later must find a listener there.
                let listener = self.streams_in.iter().find(fits).map(|known| (known.index, known.bound.port()));
                let (index, port) = listener.unwrap_or((0, local.port()));
                let flow = self.adopt((transport, index), stream, (SocketAddr::new(local.ip(), port), peer), PeerStanding::Known);
                let input = flow.map_or(Input::ConnectFailed { token }, |flow| Input::Connected { token, flow });
                self.endpoint.handle(now, input);
            }
            StreamEvent::Located { token, targets } => {
                if targets.is_empty() {
                    // The system may have been given other name servers since.
                    self.names = None;
                }
                self.endpoint.handle(now, Input::Located { token, targets });
            }
            StreamEvent::Failed { token } => self.endpoint.handle(now, Input::ConnectFailed { token }),
            StreamEvent::Message { id, bytes } => {
                if let Some(connection) = self.connections.get(id) {
                    self.endpoint.handle(now, Input::Received { flow: connection.flow, bytes });
                    self.connections.stands(id, self.endpoint.standing(id));
                }
            }
            StreamEvent::Idle(id) => {
                if !self.endpoint.uses(id) {
                    self.close(id);
                }
            }
            // Not cut: what was queued is still written.
            StreamEvent::Closed(id) => {
                if self.connections.remove(id).is_some() {
                    self.endpoint.handle(now, Input::FlowClosed(id));
                }
            }
        }
    }

    /// Somebody has connected to a listener.
    fn accepted_stream(&mut self, now: Instant, listener: u16, stream: TcpStream, peer: SocketAddr) {
        let is_known = self.settings.trusted.trusts(peer.ip());
        let room = self.connections.room(&self.settings.limits, peer.ip(), is_known, |id| self.endpoint.uses(id));
        match room {
            ConnectionRoom::Free => {}
            ConnectionRoom::After(oldest) => self.close(oldest),
            ConnectionRoom::None => return tracing::debug!(source = %peer, "too many connections"),
        }
        let standing = if is_known { PeerStanding::Known } else { PeerStanding::Silent };
        let Ok(local) = stream.local_addr() else { return };
        let server = self.streams_in.iter().find(|known| known.index == listener).and_then(|known| known.server.as_ref());
        let (transport, stream, open) = match server.map(|server| TlsAcceptor::from(server.config())) {
            Some(acceptor) => (Transport::Tls, Stream::Accepted(stream, acceptor), false),
            None => (Transport::Tcp, Stream::Plain(stream), true),
        };
        if let Some(flow) = self.adopt((transport, listener), stream, (local, peer), standing).filter(|_| open) {
            self.endpoint.handle(now, Input::Opened { flow, names: Vec::new() });
        }
    }

    fn adopt(
        &mut self,
        (transport, listener): (Transport, u16),
        stream: Stream,
        (local, peer): (SocketAddr, SocketAddr),
        standing: PeerStanding,
    ) -> Option<Flow> {
        self.next_connection += 1;
        let id = ConnectionId(self.next_connection);
        let flow = Flow { transport, listener, connection: Some(id), local, peer };
        let limits = &self.settings.limits;
        let news = if standing == PeerStanding::Known { &self.news.known } else { &self.news.strangers };
        let connection = stream::open(&mut self.tasks, flow, id, stream, limits, news.clone()).ok()?;
        self.connections.insert(id, peer.ip(), connection, standing);
        Some(flow)
    }
}

/// No TLS connection can be made to that peer.
struct NoTls;
