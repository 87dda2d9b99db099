//! The task of a worker: it owns the plane, its sockets and its clock, and does one thing at a time.
#![allow(clippy::disallowed_methods, reason = "this is the plane's driver: it waits for sockets, commands and time")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::common::ids::{PeerId, PortId};
use crate::common::machine;

use super::super::plane::{Plane, SocketId};
use super::super::pool::Sockets;
use super::super::port::Port;
use super::clock::StepClock;
use super::command::{PortCommand, PortInTransit, WorkerCommand};
use super::counters::MediaCounters;
use super::load::{Load, LoadMeter};
use super::reader::{Arrival, Readers};
use super::sockets::{BrowserSocket, WorkerSockets};

/// How long the old worker of a moved port forwards commands.
const FORWARDED: Duration = Duration::from_secs(1);

/// A worker, on its thread.
pub(super) struct Worker {
    plane: Plane,
    sockets: WorkerSockets,
    readers: Readers,
    /// Where ports were moved to, and when.
    moved: HashMap<PortId, (Instant, mpsc::Sender<WorkerCommand>)>,
    counters: Arc<MediaCounters>,
    rounds: Arc<AtomicU64>,
    /// `None` where the worker has no thread of its own: in a test.
    load: Option<MeasuredLoad>,
}

struct MeasuredLoad {
    meter: LoadMeter,
    /// In percent, for whoever has calls to give.
    shown: Arc<AtomicU8>,
}

impl Worker {
    pub(super) fn new(webrtc: Vec<BrowserSocket>, counters: Arc<MediaCounters>, rounds: Arc<AtomicU64>) -> Self {
        Self {
            plane: Plane::default(),
            sockets: WorkerSockets::new(webrtc, Arc::clone(&counters)),
            readers: Readers::default(),
            moved: HashMap::new(),
            counters,
            rounds,
            load: None,
        }
    }

    /// Measures the load of the thread that it is on, from now on.
    pub(super) fn measure_load(&mut self, shown: Arc<AtomicU8>) {
        let meter = LoadMeter::new(machine::now(), thread_cpu_time());
        self.plane.set_complexity(meter.complexity());
        self.load = Some(MeasuredLoad { meter, shown });
    }

    /// Works until nobody can send a command any more; `observe` sees the worker after each thing it has done.
    ///
    /// The clock goes before commands, and these before datagrams: a flood of packets delays neither.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<WorkerCommand>, observe: impl Fn(&Self)) {
        self.sockets.read_webrtc(&self.readers);
        let mut clock = StepClock::new(machine::now());
        let sleep = tokio::time::sleep_until(clock.deadline().into());
        tokio::pin!(sleep);
        loop {
            tokio::select! {
                biased;
                () = &mut sleep => {
                    self.step(&mut clock);
                    sleep.as_mut().reset(clock.deadline().into());
                }
                command = commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                arrival = self.readers.next() => self.receive(arrival),
            }
            observe(&self);
        }
    }

    // === Clock ===

    fn step(&mut self, clock: &mut StepClock) {
        let due = machine::now();
        let skipped = clock.skip_missed(due);
        self.counters.skipped.fetch_add(u64::from(skipped), Ordering::Relaxed);
        while let Some(slot) = clock.next_slot(due) {
            let now = machine::now();
            self.plane.tick(now, slot);
            self.plane.pace(now);
            self.flush();
        }
        self.rounds.fetch_add(1, Ordering::Relaxed);
        if clock.is_full_second() {
            let now = machine::now();
            self.adapt_to_load(now);
            self.plane.abandoned_remotes().into_iter().for_each(|id| self.close_remote(id));
            self.moved.retain(|_, (since, _)| now.saturating_duration_since(*since) < FORWARDED);
        }
    }

    /// Has the encoders make as much effort as there is time for.
    fn adapt_to_load(&mut self, now: Instant) {
        let Some(MeasuredLoad { meter, shown }) = &mut self.load else { return };
        let before = meter.complexity();
        let Load { percent, complexity } = meter.end_period(now, thread_cpu_time());
        shown.store(percent, Ordering::Relaxed);
        if complexity != before {
            tracing::debug!(percent, complexity, "complexity of the Opus encoders follows the load");
            self.plane.set_complexity(complexity);
        }
    }

    // === Datagrams ===

    fn receive(&mut self, arrival: Arrival) {
        self.plane.receive(machine::now(), arrival.socket(), arrival.from(), arrival.datagram());
        // What a port sends in reply waits for its pace; handshakes do not.
        if matches!(arrival.socket(), SocketId::WebRtc(_) | SocketId::Remote(..)) {
            self.flush();
        }
        self.readers.resume(arrival);
    }

    fn flush(&mut self) {
        let (now, mut unsent) = (machine::now(), 0);
        while let Some(transmit) = self.plane.poll_transmit() {
            let taken = self.sockets.send(&transmit);
            self.plane.sent(now, &transmit, taken);
            unsent += u64::from(!taken);
        }
        let lost_events = self.plane.take_lost_events();
        if unsent + lost_events > 0 {
            self.counters.unsent.fetch_add(unsent, Ordering::Relaxed);
            self.counters.lost_events.fetch_add(lost_events, Ordering::Relaxed);
        }
    }

    // === Commands ===

    fn obey(&mut self, command: WorkerCommand) {
        if let Some((_, to)) = command.port().and_then(|port| self.moved.get(&port)) {
            return pass_on(to.clone(), command);
        }
        match command {
            WorkerCommand::OpenPort { port, sockets } => self.open(*port, sockets),
            WorkerCommand::Port { port, command } => self.obey_for_port(port, command),
            WorkerCommand::AdoptPort(transit) => {
                let PortInTransit { port, sockets, arrived } = *transit;
                self.open(port, sockets);
                // The mover may have given up waiting; the port is taken all the same.
                let _ = arrived.send(());
            }
            WorkerCommand::OpenPeer { id, peer, events } => self.plane.adopt_peer(id, *peer, events),
            WorkerCommand::ClosePeer(id) => self.plane.close_peer(machine::now(), id),
            WorkerCommand::OpenRemote { id, leg, sockets } => {
                self.sockets.open_remote(id, sockets, &self.readers);
                self.plane.adopt_remote(id, *leg);
            }
            WorkerCommand::Remote { id, command } => self.plane.command_remote(machine::now(), id, command),
            WorkerCommand::CloseRemote(id) => self.close_remote(id),
            WorkerCommand::Publish { end, publisher } => self.plane.publish(end, publisher),
            WorkerCommand::OpenBridge { id, speakers, events } => self.plane.open_bridge(id, speakers, events),
            WorkerCommand::CloseBridge(id) => self.plane.close_bridge(id),
            WorkerCommand::Seat { end, bridge, admission, gate } => {
                if !self.plane.seat(end, bridge, admission, gate) {
                    tracing::debug!(?end, %bridge, "no leg to seat: it was closed at the same moment");
                }
            }
            WorkerCommand::Unseat(end) => self.plane.unseat(end),
            WorkerCommand::Replace { old, new } => self.plane.replace(old, new),
            WorkerCommand::Gate { end, gate } => self.plane.gate(end, gate),
            WorkerCommand::Record { bridge, recorder } => self.plane.record(bridge, *recorder),
            WorkerCommand::PauseRecording { bridge, paused } => self.plane.pause_recording(bridge, paused),
            WorkerCommand::StopRecording(bridge) => self.plane.stop_recording(bridge),
        }
        self.flush();
    }

    fn obey_for_port(&mut self, id: PortId, command: PortCommand) {
        match command {
            PortCommand::Close => return self.close(id),
            PortCommand::Move { to, arrived } => return self.send_away(id, to, arrived),
            _ => {}
        }
        let Some(port) = self.plane.port(id) else { return };
        match command {
            PortCommand::Reprofile(profile) => {
                if let Err(error) = port.reprofile(machine::now(), *profile) {
                    tracing::warn!(port = %id, %error, "what was negotiated is refused; the old codec and keys stay");
                }
            }
            PortCommand::Play(play) => port.play(play),
            PortCommand::StopPrompts => port.stop_prompts(),
            PortCommand::Music(clip) => port.set_music(clip),
            // Whoever asked may have gone away.
            PortCommand::Stats(reply) => drop(reply.send((port.stats(), port.profile().clone()))),
            PortCommand::Close | PortCommand::Move { .. } => {}
        }
    }

    fn open(&mut self, port: Port, sockets: Sockets) {
        let id = port.id();
        match self.sockets.open(id, sockets, &self.readers) {
            Ok(()) => {
                self.moved.remove(&id);
                self.plane.adopt_port(port);
            }
            Err(error) => tracing::error!(port = %id, %error, "RTP socket cannot be used"),
        }
    }

    fn close(&mut self, id: PortId) {
        self.plane.close_port(machine::now(), id);
        // The RTCP BYE leaves before its socket closes.
        self.flush();
        self.sockets.release(id);
    }

    fn close_remote(&mut self, id: PeerId) {
        self.plane.close_remote(id);
        // The close_notify leaves before its sockets close.
        self.flush();
        self.sockets.close_remote(id);
    }

    fn send_away(&mut self, id: PortId, to: mpsc::Sender<WorkerCommand>, arrived: oneshot::Sender<()>) {
        let (port, sockets) = (self.plane.release_port(id), self.sockets.release(id));
        let (Some(port), Some(sockets)) = (port, sockets) else { return };
        self.moved.insert(id, (machine::now(), to.clone()));
        pass_on(to, WorkerCommand::AdoptPort(Box::new(PortInTransit { port, sockets, arrived })));
    }

    // === Figures ===

    /// Ports with open sockets.
    #[cfg(test)]
    pub(super) fn ports(&self) -> usize {
        self.sockets.ports()
    }

    /// Nothing is left: no port, peer, bridge or socket of a device, and no forwarding for one that was moved away.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.plane.is_empty() && self.sockets.is_empty() && self.moved.is_empty()
    }
}

/// CPU time of this thread since its start.
fn thread_cpu_time() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(used.tv_sec).unwrap_or(0), u32::try_from(used.tv_nsec).unwrap_or(0))
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
