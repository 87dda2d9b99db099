//! A media worker: one OS thread that owns a [`Plane`] and its sockets, and the only clock of the media.
//!
//! Commands come in by a bounded queue; datagrams by the sockets; an absolute clock of 2.5 ms drives the plane (DESIGN §7).
#![allow(clippy::disallowed_methods, reason = "this is the plane's driver: it has the thread, the sockets and the clock")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, LocalSet};

use crate::common::ids::{BridgeId, PeerId, PortId};
use crate::common::machine;
use crate::net::udp::{Socket, SocketReader};
use crate::policy::Admission;
use crate::prompt::Clip;

use super::bridge::{Gate, MediaEnd};
use super::events::BridgeEvent;
use super::peer::WebRtcPeer;
use super::plane::{Plane, SLOTS, SocketId};
use super::player::Play;
use super::pool::Sockets;
use super::port::{Channel, Port, Profile};
use super::record::Recorder;
use super::stats::PortStats;

/// The clock's step: an eighth of a frame.
const STEP: Duration = Duration::from_micros(2_500);
/// Steps a late worker makes up for; what is older is skipped and counted: two frames (DESIGN §7).
const CATCH_UP: u32 = 16;
/// Commands that may wait for a worker. Full: the asker waits, as requests go down (DESIGN §6).
pub const INBOX: usize = 1024;
/// How long the old worker of a moved port forwards commands.
const FORWARDED: Duration = Duration::from_secs(1);
/// Larger than any packet of audio that fits an Ethernet frame.
const DATAGRAM: usize = 2048;

/// A port with everything that belongs to it, on its way from one worker to another.
pub struct PortInTransit {
    port: Port,
    sockets: Sockets,
    arrived: oneshot::Sender<()>,
}

/// What a worker is asked to do.
pub enum WorkerCommand {
    /// Take a new port.
    OpenPort {
        /// The port.
        port: Box<Port>,
        /// Its sockets.
        sockets: Sockets,
    },
    /// Take what a new offer and answer agreed on.
    Reprofile {
        /// Which port.
        port: PortId,
        /// The new agreement.
        profile: Profile,
    },
    /// Close a port.
    ClosePort(PortId),
    /// Play something to a device.
    Play {
        /// Which port.
        port: PortId,
        /// What.
        play: Play,
    },
    /// Cut prompts (a key was pressed).
    StopPrompts(PortId),
    /// Set or end waiting music.
    Music {
        /// Which port.
        port: PortId,
        /// The music.
        clip: Option<Clip>,
    },
    /// Tell what a port has counted.
    Stats {
        /// Which port.
        port: PortId,
        /// Dropped when it is not here.
        reply: oneshot::Sender<(PortStats, Profile)>,
    },
    /// Give a port to another worker.
    MovePort {
        /// Which port.
        port: PortId,
        /// Whereto.
        to: mpsc::Sender<WorkerCommand>,
        /// Told when it is there.
        arrived: oneshot::Sender<()>,
    },
    /// Take a port from another worker.
    AdoptPort(Box<PortInTransit>),
    /// Take a browser's connection.
    OpenPeer {
        /// Its name.
        id: PeerId,
        /// The negotiated connection.
        peer: Box<WebRtcPeer>,
        /// Who wants to hear of it.
        heard: mpsc::Sender<BridgeEvent>,
    },
    /// Close a browser's connection.
    ClosePeer(PeerId),
    /// Open a bridge.
    OpenBridge {
        /// Its name.
        id: BridgeId,
        /// Who wants to hear of it.
        heard: mpsc::Sender<BridgeEvent>,
    },
    /// Close a bridge.
    CloseBridge(BridgeId),
    /// Seat an end (M-8).
    Seat {
        /// Who sits.
        end: MediaEnd,
        /// Where.
        bridge: BridgeId,
        /// By what right.
        admission: Admission,
        /// What it may do at first.
        gate: Gate,
    },
    /// Take an end off its bridge.
    Unseat(MediaEnd),
    /// Give a seat to another end of the same participant.
    Replace {
        /// Who sat.
        old: MediaEnd,
        /// Who sits now.
        new: MediaEnd,
    },
    /// Set what an end may do.
    Gate {
        /// Who.
        end: MediaEnd,
        /// What.
        gate: Gate,
    },
    /// Start a recording.
    Record {
        /// Where.
        bridge: BridgeId,
        /// Into what.
        recorder: Box<Recorder>,
    },
    /// Pause or resume a recording.
    PauseRecording {
        /// Where.
        bridge: BridgeId,
        /// Pause.
        paused: bool,
    },
    /// End a recording.
    StopRecording(BridgeId),
}

/// What all workers count together.
#[derive(Debug, Default)]
pub struct MediaCounters {
    /// Steps skipped because a worker came too late.
    pub skipped: AtomicU64,
    /// Datagrams the system would not take.
    pub unsent: AtomicU64,
    /// Events that found a full queue.
    pub unheard: AtomicU64,
    /// Devices' ports that are open now, each with two reading tasks. The only one that also falls.
    pub open: AtomicU64,
}

/// A running worker.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Where commands go.
    pub inbox: mpsc::Sender<WorkerCommand>,
    /// How often its clock has gone round: it only stops where the worker does.
    pub rounds: Arc<AtomicU64>,
}

/// A socket for browsers, with the address that its candidate shows (another one behind a NAT).
pub type BrowserSocket = (Box<dyn Socket>, SocketAddr);

/// Starts a worker on its own thread, with sockets already bound for WebRTC.
///
/// # Errors
/// When the thread or its runtime cannot be made.
pub fn start(index: usize, webrtc: Vec<BrowserSocket>, counters: Arc<MediaCounters>) -> io::Result<Worker> {
    let (inbox, commands) = mpsc::channel(INBOX);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rounds = Arc::<AtomicU64>::default();
    let clock = Arc::clone(&rounds);
    std::thread::Builder::new().name(format!("media-{index}")).spawn(move || {
        let local = LocalSet::new();
        local.block_on(&runtime, Rc::new(WorkerShared::new(webrtc, counters, clock)).run(commands));
    })?;
    Ok(Worker { inbox, rounds })
}

/// A worker on the thread and the clock of a test.
#[cfg(test)]
pub(super) struct InlineWorker(Rc<WorkerShared>);

/// Starts a worker on the local tasks of the caller.
#[cfg(test)]
pub(super) fn start_inline(webrtc: Vec<BrowserSocket>, counters: Arc<MediaCounters>) -> (Worker, InlineWorker) {
    let (inbox, commands) = mpsc::channel(INBOX);
    let rounds = Arc::<AtomicU64>::default();
    let shared = Rc::new(WorkerShared::new(webrtc, counters, Arc::clone(&rounds)));
    tokio::task::spawn_local(Rc::clone(&shared).run(commands));
    (Worker { inbox, rounds }, InlineWorker(shared))
}

#[cfg(test)]
impl InlineWorker {
    /// How many devices have their port here.
    pub(super) fn ports(&self) -> usize {
        self.0.sockets.borrow().len()
    }

    /// Nothing is left: no port, peer, bridge or socket of a device, and no stub of one that was moved away.
    pub(super) fn is_empty(&self) -> bool {
        let WorkerShared { plane, sockets, moved, .. } = &*self.0;
        plane.borrow().is_empty() && sockets.borrow().is_empty() && moved.borrow().is_empty()
    }
}

struct OpenSockets {
    sockets: Sockets,
    readers: Readers,
}

/// The reading tasks of a port; they end with it.
struct Readers {
    tasks: [AbortHandle; 2],
    counters: Arc<MediaCounters>,
}

impl Readers {
    fn new(tasks: [AbortHandle; 2], counters: &Arc<MediaCounters>) -> Self {
        counters.open.fetch_add(1, Ordering::Relaxed);
        Self { tasks, counters: Arc::clone(counters) }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        for reader in &self.tasks {
            reader.abort();
        }
        self.counters.open.fetch_sub(1, Ordering::Relaxed);
    }
}

struct WorkerShared {
    plane: RefCell<Plane>,
    sockets: RefCell<HashMap<PortId, OpenSockets>>,
    webrtc: Vec<BrowserSocket>,
    moved: RefCell<HashMap<PortId, (Instant, mpsc::Sender<WorkerCommand>)>>,
    counters: Arc<MediaCounters>,
    rounds: Arc<AtomicU64>,
}

async fn tick(shared: Rc<WorkerShared>) {
    let start = machine::now();
    let mut step: u32 = 0;
    loop {
        let due = machine::now().saturating_duration_since(start).as_micros() / STEP.as_micros();
        let due = u32::try_from(due).unwrap_or(u32::MAX);
        if due.saturating_sub(step) > CATCH_UP {
            let skipped = due - CATCH_UP - step;
            // Whole frames are skipped, so that every slot misses as many ticks as any other.
            let skipped = skipped - skipped % u32::from(SLOTS);
            step += skipped;
            shared.counters.skipped.fetch_add(u64::from(skipped), Ordering::Relaxed);
        }
        while step <= due {
            let now = machine::now();
            let slot = u8::try_from(step % u32::from(SLOTS)).unwrap_or(0);
            let mut plane = shared.plane.borrow_mut();
            plane.tick(now, slot);
            plane.pace(now);
            drop(plane);
            step += 1;
            shared.flush();
        }
        shared.rounds.fetch_add(1, Ordering::Relaxed);
        if step.is_multiple_of(400) {
            shared.forget_moved();
        }
        tokio::time::sleep_until((start + STEP * step).into()).await;
    }
}

async fn read_webrtc(shared: Rc<WorkerShared>, mut socket: SocketReader, shown: SocketAddr) {
    let mut buffer = [0; DATAGRAM];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, from)) => {
                let datagram = buffer.get(..length).unwrap_or_default();
                shared.plane.borrow_mut().receive_webrtc(machine::now(), shown, from, datagram);
                shared.flush();
            }
            // An ICMP error of an earlier send: the socket itself is fine.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn read_port(shared: Rc<WorkerShared>, port: PortId, channel: Channel, mut socket: SocketReader) {
    let mut buffer = [0; DATAGRAM];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, from)) => {
                let datagram = buffer.get(..length).unwrap_or_default();
                let mut plane = shared.plane.borrow_mut();
                match channel {
                    Channel::Rtp => plane.receive_rtp(machine::now(), port, from, datagram),
                    Channel::Rtcp => plane.receive_rtcp(machine::now(), port, from, datagram),
                }
            }
            // An ICMP error of an earlier send: the socket itself is fine.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Hands a command to another worker. Two workers must never wait for each other: where the other's inbox is full, a task waits.
/// A worker that is gone takes nothing any more: the daemon is stopping.
fn pass_on(to: mpsc::Sender<WorkerCommand>, command: WorkerCommand) {
    if let Err(mpsc::error::TrySendError::Full(command)) = to.try_send(command) {
        tokio::task::spawn_local(async move {
            let _ = to.send(command).await;
        });
    }
}

impl WorkerShared {
    fn new(webrtc: Vec<BrowserSocket>, counters: Arc<MediaCounters>, rounds: Arc<AtomicU64>) -> Self {
        Self { plane: RefCell::default(), sockets: RefCell::default(), webrtc, moved: RefCell::default(), counters, rounds }
    }

    async fn run(self: Rc<Self>, mut commands: mpsc::Receiver<WorkerCommand>) {
        for (socket, shown) in &self.webrtc {
            match socket.reader() {
                Ok(reader) => drop(tokio::task::spawn_local(read_webrtc(Rc::clone(&self), reader, *shown))),
                Err(error) => tracing::error!(%shown, %error, "WebRTC socket cannot be used"),
            }
        }
        let clock = tokio::task::spawn_local(tick(Rc::clone(&self)));
        while let Some(command) = commands.recv().await {
            self.obey(command);
            self.flush();
        }
        clock.abort();
    }

    fn obey(self: &Rc<Self>, command: WorkerCommand) {
        let Some(command) = self.forward(command) else { return };
        match command {
            WorkerCommand::MovePort { port, to, arrived } => {
                let released = self.plane.borrow_mut().release_port(port);
                self.send_away(released, port, to, arrived);
            }
            WorkerCommand::ClosePort(port) => {
                self.plane.borrow_mut().close_port(machine::now(), port);
                // The goodbye leaves before its socket closes.
                self.flush();
                self.sockets.borrow_mut().remove(&port);
            }
            command => self.obey_at_once(command),
        }
    }

    fn obey_at_once(self: &Rc<Self>, command: WorkerCommand) {
        let mut plane = self.plane.borrow_mut();
        match command {
            WorkerCommand::OpenPort { port, sockets } => self.open(&mut plane, *port, sockets),
            WorkerCommand::Reprofile { port, profile } => {
                if let Some(port) = plane.port(port)
                    && let Err(error) = port.reprofile(machine::now(), profile)
                {
                    tracing::warn!(port = %port.id(), %error, "codec change refused; the old one stays");
                }
            }
            WorkerCommand::Play { port, play } => {
                if let Some(port) = plane.port(port) {
                    port.play(play);
                }
            }
            WorkerCommand::StopPrompts(port) => {
                if let Some(port) = plane.port(port) {
                    port.stop_prompts();
                }
            }
            WorkerCommand::Music { port, clip } => {
                if let Some(port) = plane.port(port) {
                    port.set_music(clip);
                }
            }
            WorkerCommand::Stats { port, reply } => {
                if let Some(port) = plane.port(port) {
                    // Whoever asked may have gone away.
                    let _ = reply.send((port.stats(), *port.agreed()));
                }
            }
            // Done by `obey`, which needs the plane for less than the whole of it.
            WorkerCommand::MovePort { .. } | WorkerCommand::ClosePort(_) => {}
            WorkerCommand::AdoptPort(transit) => {
                let PortInTransit { port, sockets, arrived } = *transit;
                self.open(&mut plane, port, sockets);
                // The mover may have given up waiting; the port is here all the same.
                let _ = arrived.send(());
            }
            WorkerCommand::OpenPeer { id, peer, heard } => plane.adopt_peer(id, *peer, heard),
            WorkerCommand::ClosePeer(id) => plane.close_peer(id),
            WorkerCommand::OpenBridge { id, heard } => plane.open_bridge(id, heard),
            WorkerCommand::CloseBridge(id) => plane.close_bridge(id),
            WorkerCommand::Seat { end, bridge, admission, gate } => {
                if !plane.seat(end, bridge, admission, gate) {
                    tracing::debug!(?end, %bridge, "nobody to seat: it left at the same moment");
                }
            }
            WorkerCommand::Unseat(end) => plane.unseat(end),
            WorkerCommand::Replace { old, new } => plane.replace(old, new),
            WorkerCommand::Gate { end, gate } => plane.gate(end, gate),
            WorkerCommand::Record { bridge, recorder } => plane.record(bridge, Some(*recorder), false),
            WorkerCommand::PauseRecording { bridge, paused } => plane.record(bridge, None, paused),
            WorkerCommand::StopRecording(bridge) => plane.stop_recording(bridge),
        }
    }

    /// Passes a command on if its port has moved.
    fn forward(&self, command: WorkerCommand) -> Option<WorkerCommand> {
        let port = match &command {
            WorkerCommand::Reprofile { port, .. }
            | WorkerCommand::ClosePort(port)
            | WorkerCommand::Play { port, .. }
            | WorkerCommand::StopPrompts(port)
            | WorkerCommand::Music { port, .. }
            | WorkerCommand::Stats { port, .. }
            | WorkerCommand::MovePort { port, .. }
            | WorkerCommand::Seat { end: MediaEnd::Port(port), .. }
            | WorkerCommand::Unseat(MediaEnd::Port(port))
            | WorkerCommand::Gate { end: MediaEnd::Port(port), .. } => *port,
            _ => return Some(command),
        };
        let to = self.moved.borrow().get(&port).map(|(_, to)| to.clone());
        match to {
            Some(to) => {
                pass_on(to, command);
                None
            }
            None => Some(command),
        }
    }

    fn open(self: &Rc<Self>, plane: &mut Plane, port: Port, sockets: Sockets) {
        let id = port.id();
        let reader = |socket: &dyn Socket, channel| {
            let reader = socket.reader()?;
            io::Result::Ok(tokio::task::spawn_local(read_port(Rc::clone(self), id, channel, reader)).abort_handle())
        };
        match (reader(&*sockets.rtp, Channel::Rtp), reader(&*sockets.rtcp, Channel::Rtcp)) {
            (Ok(rtp), Ok(rtcp)) => {
                self.moved.borrow_mut().remove(&id);
                self.sockets.borrow_mut().insert(id, OpenSockets { sockets, readers: Readers::new([rtp, rtcp], &self.counters) });
                plane.adopt_port(port);
            }
            (rtp, rtcp) => {
                for opened in [rtp, rtcp] {
                    match opened {
                        Ok(reader) => reader.abort(),
                        Err(error) => tracing::error!(port = %id, %error, "RTP socket cannot be used"),
                    }
                }
            }
        }
    }

    fn send_away(&self, port: Option<Port>, id: PortId, to: mpsc::Sender<WorkerCommand>, arrived: oneshot::Sender<()>) {
        let open = self.sockets.borrow_mut().remove(&id);
        let (Some(port), Some(OpenSockets { sockets, readers })) = (port, open) else { return };
        drop(readers);
        self.moved.borrow_mut().insert(id, (machine::now(), to.clone()));
        pass_on(to, WorkerCommand::AdoptPort(Box::new(PortInTransit { port, sockets, arrived })));
    }

    fn forget_moved(&self) {
        let now = machine::now();
        self.moved.borrow_mut().retain(|_, (since, _)| now.saturating_duration_since(*since) < FORWARDED);
    }

    fn flush(&self) {
        let mut plane = self.plane.borrow_mut();
        let sockets = self.sockets.borrow();
        let (now, mut unsent) = (machine::now(), 0);
        while let Some(transmit) = plane.poll_transmit() {
            let sent = match transmit.way {
                SocketId::Port(port, channel) => sockets.get(&port).map(|open| {
                    let socket = if channel == Channel::Rtp { &open.sockets.rtp } else { &open.sockets.rtcp };
                    socket.send_to(&transmit.bytes, transmit.to)
                }),
                SocketId::WebRtc(from) => self
                    .webrtc
                    .iter()
                    .find(|(_, shown)| *shown == from)
                    .or_else(|| self.webrtc.first())
                    .map(|(socket, _)| socket.send_to(&transmit.bytes, transmit.to)),
            };
            // A full socket buffer or an unreachable address loses this packet, as the network would; a notice is said again (N-8).
            let left = matches!(sent, Some(Ok(_)));
            plane.sent(now, &transmit, left);
            unsent += u64::from(!left);
        }
        let unheard = plane.take_unheard();
        if unsent + unheard > 0 {
            self.counters.unsent.fetch_add(unsent, Ordering::Relaxed);
            self.counters.unheard.fetch_add(unheard, Ordering::Relaxed);
        }
    }
}
