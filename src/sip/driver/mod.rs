//! The SIP task: owns every socket, runs the [`Endpoint`], and is the only place of this room with a clock.
//!
//! Requests come down by [`Handle::send`], which waits for space; events go up without waiting: when the owners of calls do not read,
//! the call concerned is ended with [`Cause::Stalled`].
#![allow(clippy::disallowed_methods, reason = "this is a driver: it meets the clock and starts the tasks of connections")]

mod stream;
mod udp;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use self::stream::{Connection, News};
use self::udp::UdpListeners;
use super::endpoint::{Counters, Endpoint, LadderLine, Load};
use super::{Change, Command, ConnectionId, Event, Flow, Input, Output, Settings, Transport};
use crate::cause::Cause;
use crate::ids::CallId;
use crate::machine::Machine;

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
}

/// A listener that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("sip.listen.{name}: cannot listen on {transport:?} {addr}: {source}")]
pub struct StartError {
    /// Which listener.
    pub name: String,
    /// By what.
    pub transport: Transport,
    /// Where.
    pub addr: SocketAddr,
    /// Why not.
    #[source]
    pub source: io::Error,
}

enum Ask {
    Command(Command),
    Ladder(CallId, oneshot::Sender<Vec<LadderLine>>),
    Silenced(oneshot::Sender<Vec<IpAddr>>),
    Load(oneshot::Sender<Load>),
    Lift(IpAddr),
    Registrations(oneshot::Sender<Vec<Change>>),
}

/// The way down to the SIP task, which ends when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
    counters: Arc<Counters>,
}

impl Handle {
    /// Hands a command over; waits for space. Does nothing once the task has ended.
    pub async fn send(&self, command: Command) {
        let _ended = self.asks.send(Ask::Command(command)).await;
    }

    /// The last messages of a call, oldest first; empty once it is over.
    pub async fn ladder(&self, call: CallId) -> Vec<LadderLine> {
        let (answer, answered) = oneshot::channel();
        let _ended = self.asks.send(Ask::Ladder(call, answer)).await;
        answered.await.unwrap_or_default()
    }

    /// Sources that are silenced now.
    pub async fn silenced(&self) -> Vec<IpAddr> {
        let (answer, answered) = oneshot::channel();
        let _ended = self.asks.send(Ask::Silenced(answer)).await;
        answered.await.unwrap_or_default()
    }

    /// What the endpoint holds now.
    pub async fn load(&self) -> Load {
        let (answer, answered) = oneshot::channel();
        let _ended = self.asks.send(Ask::Load(answer)).await;
        answered.await.unwrap_or_default()
    }

    /// Where registered devices are to be found (S-3).
    pub async fn registrations(&self) -> Vec<Change> {
        let (answer, answered) = oneshot::channel();
        let _ended = self.asks.send(Ask::Registrations(answer)).await;
        answered.await.unwrap_or_default()
    }

    /// Hears a silenced source again.
    pub async fn lift(&self, source: IpAddr) {
        let _ended = self.asks.send(Ask::Lift(source)).await;
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
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

/// Opens all listeners and starts the SIP task.
///
/// # Errors
/// [`StartError`] names the first listener that could not be opened; none stays open then.
pub async fn start(settings: Settings, listeners: Vec<Listener>) -> Result<Running, StartError> {
    let mut task = Task::new(settings);
    let mut bound = Vec::new();
    for (index, listener) in listeners.into_iter().enumerate() {
        let Listener { name, transport, addr } = listener;
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        let opened = match transport {
            Transport::Udp => task.udp.open(index, addr),
            Transport::Tcp => task.listen(index, addr),
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

/// The address of ours from which the kernel would reach `peer`. Connecting a UDP socket sends nothing; it asks the routing table.
///
/// # Errors
/// When no route leads there.
pub fn local_toward(peer: SocketAddr) -> io::Result<IpAddr> {
    let any: SocketAddr = if peer.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    let probe = std::net::UdpSocket::bind(any)?;
    probe.connect(peer)?;
    Ok(probe.local_addr()?.ip())
}

/// The ways up.
struct Upward {
    events: mpsc::Sender<Event>,
    registrations: mpsc::Sender<Change>,
}

struct Task {
    endpoint: Endpoint,
    settings: Settings,
    udp: UdpListeners,
    /// TCP listeners: index and bound address.
    tcp: Vec<(u16, SocketAddr)>,
    connections: HashMap<ConnectionId, Connection>,
    next_connection: u64,
    news: mpsc::Sender<News>,
    streams: mpsc::Receiver<News>,
    /// Accept loops, readers, writers and connects; dropped, and so ended, with the task.
    tasks: JoinSet<()>,
    /// The last word to owners whose queue was full: at most one a call.
    untold: VecDeque<Event>,
}

impl Task {
    fn new(settings: Settings) -> Self {
        let (news, streams) = mpsc::channel(STREAMS);
        Self {
            endpoint: Endpoint::new(settings.clone()),
            settings,
            udp: UdpListeners::default(),
            tcp: Vec::new(),
            connections: HashMap::new(),
            next_connection: 0,
            news,
            streams,
            tasks: JoinSet::new(),
            untold: VecDeque::new(),
        }
    }

    fn listen(&mut self, index: u16, addr: SocketAddr) -> io::Result<SocketAddr> {
        let listener = stream::listen(addr)?;
        let bound = listener.local_addr()?;
        self.tcp.push((index, bound));
        self.tasks.spawn(stream::accept(index, listener, self.news.clone()));
        Ok(bound)
    }

    async fn run(mut self, mut inbox: mpsc::Receiver<Ask>, up: Upward) {
        let mut buffer = vec![0; 65_536];
        loop {
            let now = Instant::now();
            if self.endpoint.deadline().is_some_and(|at| at <= now) {
                self.endpoint.wake(now);
            }
            self.perform(&up);
            while self.tasks.try_join_next().is_some() {}
            let deadline = self.endpoint.deadline();
            // Told again only when there is space; a short look is cheap and happens only while somebody is stuck.
            let retry = (!self.untold.is_empty()).then(|| Instant::now() + Duration::from_millis(100));
            let at = deadline.into_iter().chain(retry).min();
            tokio::select! {
                ask = inbox.recv() => match ask {
                    Some(Ask::Command(command)) => self.endpoint.handle(Instant::now(), Input::Command(command)),
                    // Whoever asked may have gone.
                    Some(Ask::Ladder(call, answer)) => drop(answer.send(self.endpoint.ladder(call))),
                    Some(Ask::Silenced(answer)) => drop(answer.send(self.endpoint.silenced(Instant::now()))),
                    Some(Ask::Load(answer)) => drop(answer.send(self.endpoint.load())),
                    Some(Ask::Lift(source)) => self.endpoint.lift(source),
                    Some(Ask::Registrations(answer)) => drop(answer.send(self.endpoint.registrations(Instant::now()))),
                    None => return,
                },
                Some(news) = self.streams.recv() => self.stream_news(news),
                (flow, length) = self.udp.receive(&mut buffer) => {
                    self.datagram(flow, buffer.get(..length).unwrap_or_default());
                    for _ in 1..BATCH {
                        let Some((flow, length)) = self.udp.try_receive(&mut buffer) else { break };
                        self.datagram(flow, buffer.get(..length).unwrap_or_default());
                        self.perform(&up);
                    }
                }
                () = sleep_until(at) => {}
            }
        }
    }

    fn datagram(&mut self, flow: Flow, bytes: &[u8]) {
        self.endpoint.handle(Instant::now(), Input::Received { flow, bytes: bytes.to_vec() });
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
                Output::Connect { peer, transport, token } => self.connect(peer, transport, token),
                Output::Event(event) => {
                    if let Err(mpsc::error::TrySendError::Full(event)) = up.events.try_send(event) {
                        self.stalled(event);
                    }
                }
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
        self.endpoint.handle(Instant::now(), Input::Command(Command::Bye { call, cause: Cause::Stalled }));
    }

    fn transmit(&mut self, flow: Flow, bytes: Vec<u8>) {
        let Some(id) = flow.connection else { return self.udp.send(&flow, &bytes) };
        // The queue of a connection is full when its peer does not read: that connection is of no more use.
        if self.connections.get(&id).is_some_and(|connection| !connection.write(bytes)) {
            self.close(id);
        }
    }

    fn connect(&mut self, peer: SocketAddr, transport: Transport, token: u64) {
        let input = match transport {
            Transport::Udp => match self.udp.flow_to(peer) {
                Some(flow) => Input::Connected { token, flow },
                None => Input::ConnectFailed { token },
            },
            Transport::Tcp => {
                self.tasks.spawn(stream::connect(peer, token, self.news.clone()));
                return;
            }
        };
        self.endpoint.handle(Instant::now(), input);
    }

    fn close(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.remove(&id) {
            connection.close();
            self.endpoint.handle(Instant::now(), Input::FlowClosed(id));
        }
    }

    fn stream_news(&mut self, news: News) {
        let now = Instant::now();
        match news {
            News::Accepted { listener, stream, peer } => {
                let limits = &self.settings.limits;
                let mine = self.connections.values().filter(|connection| connection.flow.peer.ip() == peer.ip()).count();
                let over = mine >= limits.connections_per_source && !self.settings.trusted.trusts(peer.ip());
                if over || self.connections.len() >= limits.connections {
                    return tracing::debug!(source = %peer, "too many connections");
                }
                if let Ok(local) = stream.local_addr()
                    && let Some(flow) = self.adopt(listener, stream, local, peer)
                {
                    self.endpoint.handle(now, Input::Opened(flow));
                }
            }
            News::Connected { token, stream, peer } => {
                let listener = self.tcp.iter().find(|(_, bound)| bound.is_ipv4() == peer.is_ipv4()).copied();
                let local = stream.local_addr().ok().map(|local| match listener {
                    // Peers that want to reach us later must find a listener there.
                    Some((_, bound)) => SocketAddr::new(local.ip(), bound.port()),
                    None => local,
                });
                let flow = local.and_then(|local| self.adopt(listener.map_or(0, |(index, _)| index), stream, local, peer));
                let input = flow.map_or(Input::ConnectFailed { token }, |flow| Input::Connected { token, flow });
                self.endpoint.handle(now, input);
            }
            News::Failed { token } => self.endpoint.handle(now, Input::ConnectFailed { token }),
            News::Message { id, bytes } => {
                if let Some(connection) = self.connections.get(&id) {
                    self.endpoint.handle(now, Input::Received { flow: connection.flow, bytes });
                }
            }
            News::Idle(id) => {
                if !self.endpoint.uses(id) {
                    self.close(id);
                }
            }
            News::Closed(id) => self.close(id),
        }
    }

    fn adopt(&mut self, listener: u16, stream: tokio::net::TcpStream, local: SocketAddr, peer: SocketAddr) -> Option<Flow> {
        self.next_connection += 1;
        let id = ConnectionId(self.next_connection);
        let flow = Flow { transport: Transport::Tcp, listener, connection: Some(id), local, peer };
        let limits = &self.settings.limits;
        let connection = stream::open(&mut self.tasks, flow, id, stream, limits, self.news.clone()).ok()?;
        self.connections.insert(id, connection);
        Some(flow)
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
