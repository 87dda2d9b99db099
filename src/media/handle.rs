//! [`Media`] and its handles: commands to the workers, and to the ports, peers and bridges on them.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::common::ids::{BridgeId, Ids, PeerId, PortId, TrackId};
use crate::common::machine;
use crate::net::udp::{Net, Traffic};
use crate::policy::Admission;
use crate::prompt::Clip;
use crate::rtp::dtls::{DtlsError, DtlsIdentity};

use super::events::{BridgeEvent, PortEvent};
use super::leg::MediaEnd;
use super::peer::{NegotiationError, PeerFactory, RemotePeerEvent, RemotePeerSettings};
use super::player::Play;
use super::pool::{PoolError, PoolUse, PortPool, Share, Sockets};
use super::port::Port;
use super::profile::Profile;
use super::record::Recorder;
use super::remote::{self, RemotePeerHandle};
use super::seat::Gate;
use super::stats::PortStats;
use super::worker::{self, BrowserSocket, MediaCounters, PortCommand, WorkerCommand, WorkerHandle};

/// What media needs for its start.
#[derive(Debug, Clone)]
pub struct MediaSettings {
    /// Worker threads, at least one.
    pub workers: usize,
    /// First and last UDP port for devices.
    pub rtp_ports: (u16, u16),
    /// The first worker's WebRTC port; the others count up from it.
    pub webrtc_port: u16,
    /// Addresses to bind for WebRTC.
    pub webrtc_addresses: Vec<IpAddr>,
    /// The address that browsers see instead, behind a NAT.
    pub advertised: Option<IpAddr>,
    /// How long a device may be silent altogether.
    pub media_timeout: Duration,
}

/// Why media could not start.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// A WebRTC port cannot be bound.
    #[error("media.webrtc_port: UDP {address} cannot be bound: {error}")]
    Bind {
        /// Address and port.
        address: SocketAddr,
        /// The system's reason.
        error: io::Error,
    },
    /// A thread cannot be started.
    #[error("media worker cannot be started: {0}")]
    Thread(#[source] io::Error),
    /// The certificate for peers cannot be made.
    #[error(transparent)]
    Peers(#[from] NegotiationError),
    /// The certificate for devices cannot be made.
    #[error("the certificate for devices cannot be made: {0}")]
    Devices(#[from] DtlsError),
}

/// Why no ports are to be had for a call.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// No pair of UDP ports is free.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// Each worker is so busy that one call more would be heard in all others.
    #[error("the media workers have no time for another call")]
    Overload,
}

/// Why a port could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum PortOpenError {
    /// No UDP port is free.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The codec refuses its settings, or the keys are not taken.
    #[error(transparent)]
    Port(#[from] super::profile::PortError),
    /// The worker is gone: the daemon is stopping.
    #[error("the media worker is gone")]
    Stopping,
}

/// The media plane, as the control plane reaches it; cheap to clone.
#[derive(Clone)]
pub struct Media {
    shared: Arc<Shared>,
}

struct Shared {
    ids: Ids,
    net: Arc<dyn Net>,
    workers: Vec<WorkerHandle>,
    candidates: Vec<Vec<SocketAddr>>,
    webrtc_addresses: Vec<IpAddr>,
    pool: PortPool,
    peers: PeerFactory,
    dtls_identity: DtlsIdentity,
    media_timeout: Duration,
    next_worker: AtomicUsize,
    counters: Arc<MediaCounters>,
}

/// A device's port, on whichever worker it is.
#[derive(Clone)]
pub struct PortHandle {
    id: PortId,
    worker: Arc<AtomicUsize>,
    media: Media,
}

impl fmt::Debug for PortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

/// A browser's connection on its worker.
#[derive(Clone)]
pub struct PeerHandle {
    id: PeerId,
    worker: usize,
    media: Media,
}

/// A meeting's bridge on its worker.
#[derive(Clone)]
pub struct BridgeHandle {
    id: BridgeId,
    worker: usize,
    media: Media,
}

/// Sockets for a device that is about to be answered; their port goes into the answer.
pub struct Reserved {
    sockets: Sockets,
    local: SocketAddr,
}

impl Reserved {
    /// The address at which RTP of the device is expected.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }
}

impl Media {
    /// Binds the WebRTC ports of `net` and starts the workers.
    ///
    /// # Errors
    /// [`MediaError`], naming what could not be had.
    pub fn start(settings: &MediaSettings, net: Arc<dyn Net>) -> Result<Self, MediaError> {
        Self::with_workers(settings, net, |index, sockets, counters| {
            worker::start(index, sockets, counters).map_err(MediaError::Thread)
        })
    }

    pub(super) fn with_workers(
        settings: &MediaSettings,
        net: Arc<dyn Net>,
        mut start: impl FnMut(usize, Vec<BrowserSocket>, Arc<MediaCounters>) -> Result<WorkerHandle, MediaError>,
    ) -> Result<Self, MediaError> {
        let counters = Arc::new(MediaCounters::default());
        let mut workers = Vec::new();
        let mut candidates = Vec::new();
        for index in 0..settings.workers.max(1) {
            let port = settings.webrtc_port.saturating_add(u16::try_from(index).unwrap_or(u16::MAX));
            let mut sockets = Vec::new();
            for address in &settings.webrtc_addresses {
                let address = SocketAddr::new(*address, port);
                let socket = net.bind(address, Traffic::WebRtc).map_err(|error| MediaError::Bind { address, error })?;
                let shown = settings.advertised.filter(|_| !address.ip().is_loopback()).unwrap_or_else(|| address.ip());
                sockets.push((socket, SocketAddr::new(shown, port)));
            }
            candidates.push(sockets.iter().map(|(_, shown)| *shown).collect());
            workers.push(start(index, sockets, Arc::clone(&counters))?);
        }
        let (first, last) = settings.rtp_ports;
        Ok(Self {
            shared: Arc::new(Shared {
                ids: Ids::default(),
                net,
                workers,
                candidates,
                webrtc_addresses: settings.webrtc_addresses.clone(),
                pool: PortPool::new(first, last),
                peers: PeerFactory::new()?,
                dtls_identity: DtlsIdentity::generate()?,
                media_timeout: settings.media_timeout,
                next_worker: AtomicUsize::new(0),
                counters,
            }),
        })
    }

    /// Every address at which browsers reach the workers.
    #[must_use]
    pub fn candidates(&self) -> Vec<SocketAddr> {
        self.shared.candidates.concat()
    }

    /// The certificate that all devices are shown in a handshake.
    #[must_use]
    pub fn dtls_identity(&self) -> &DtlsIdentity {
        &self.shared.dtls_identity
    }

    /// Figures of all workers together.
    #[must_use]
    pub fn counters(&self) -> &MediaCounters {
        &self.shared.counters
    }

    /// Use of the devices' UDP ports at this moment.
    #[must_use]
    pub fn ports(&self) -> PoolUse {
        self.shared.pool.usage()
    }

    /// Progress of the workers, for the watchdog (O-3).
    #[must_use]
    pub fn steps(&self) -> Steps {
        Steps(self.shared.workers.iter().map(|worker| Arc::clone(&worker.rounds)).collect())
    }

    /// Number of worker threads.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.shared.workers.len()
    }

    /// Share of a core that each worker takes, in percent.
    #[must_use]
    pub fn load_percent(&self) -> Vec<u8> {
        self.shared.workers.iter().map(|worker| worker.load.load(Ordering::Relaxed)).collect()
    }

    fn pick_worker(&self) -> usize {
        self.shared.next_worker.fetch_add(1, Ordering::Relaxed) % self.shared.workers.len()
    }

    async fn ask(&self, worker: usize, command: WorkerCommand) {
        if let Some(worker) = self.shared.workers.get(worker) {
            // A worker is gone only when the daemon stops.
            let _ = worker.inbox.send(command).await;
        }
    }

    /// Takes a pair of ports at `address` for a call of that share.
    ///
    /// # Errors
    /// [`ReserveError`], for a 503 (S-7).
    pub fn reserve(&self, address: IpAddr, share: Share) -> Result<Reserved, ReserveError> {
        if self.shared.workers.iter().all(WorkerHandle::is_full) {
            return Err(ReserveError::Overload);
        }
        let sockets = self.shared.pool.open(&*self.shared.net, address, share)?;
        let local = sockets.rtp.local_addr().map_err(|error| PoolError::Bind { port: 0, address, error })?;
        Ok(Reserved { sockets, local })
    }

    /// Opens a device's port on reserved sockets.
    ///
    /// # Errors
    /// [`PortOpenError`].
    pub async fn open_port(
        &self,
        reserved: Reserved,
        profile: Profile,
        events: mpsc::Sender<PortEvent>,
    ) -> Result<PortHandle, PortOpenError> {
        let id = self.shared.ids.port();
        let seed = getrandom::u64().map_err(|_| PortOpenError::Stopping)?;
        let port = Port::new(machine::now(), id, profile, seed, self.shared.media_timeout, events)?;
        let worker = self.pick_worker();
        let command = WorkerCommand::OpenPort { port: Box::new(port), sockets: reserved.sockets };
        let inbox = self.shared.workers.get(worker).map(|worker| &worker.inbox).ok_or(PortOpenError::Stopping)?;
        inbox.send(command).await.map_err(|_| PortOpenError::Stopping)?;
        Ok(PortHandle { id, worker: Arc::new(AtomicUsize::new(worker)), media: self.clone() })
    }

    /// Opens a bridge that mixes at most so many `speakers` at a time (at least 1, A-5); workers take turns.
    pub async fn open_bridge(&self, speakers: usize, events: mpsc::Sender<BridgeEvent>) -> BridgeHandle {
        let (id, worker) = (self.shared.ids.bridge(), self.pick_worker());
        self.ask(worker, WorkerCommand::OpenBridge { id, speakers, events }).await;
        BridgeHandle { id, worker, media: self.clone() }
    }
}

/// How far each worker has come since its start.
#[derive(Debug, Clone)]
pub struct Steps(Vec<Arc<AtomicU64>>);

impl Steps {
    /// A count for each worker that grows for as long as it works.
    #[must_use]
    pub fn count(&self) -> Vec<u64> {
        self.0.iter().map(|rounds| rounds.load(Ordering::Relaxed)).collect()
    }
}

impl BridgeHandle {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> BridgeId {
        self.id
    }

    /// Answers a browser's offer with a peer on this bridge's worker. It is sent silence until it is seated.
    ///
    /// # Errors
    /// [`NegotiationError`], with a text for the user.
    pub async fn open_peer(
        &self,
        offer: String,
        events: mpsc::Sender<BridgeEvent>,
    ) -> Result<(PeerHandle, String), NegotiationError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| NegotiationError::Setup(Box::new(io::Error::from(error))))?;
        let candidates = self.media.shared.candidates.get(self.worker).map_or(&[][..], Vec::as_slice);
        let (peer, answer) = self.media.shared.peers.negotiate(machine::now(), offer, candidates, seed)?;
        let id = self.media.shared.ids.peer();
        self.media.ask(self.worker, WorkerCommand::OpenPeer { id, peer: Box::new(peer), events }).await;
        Ok((PeerHandle { id, worker: self.worker, media: self.media.clone() }, answer))
    }

    /// Opens a connection to an SFU on this bridge's worker. It offers when it is asked to.
    ///
    /// # Errors
    /// [`NegotiationError::Setup`].
    pub async fn open_remote(
        &self,
        settings: RemotePeerSettings,
        events: mpsc::Sender<RemotePeerEvent>,
    ) -> Result<RemotePeerHandle, NegotiationError> {
        let shared = &self.media.shared;
        let sockets = remote::bind(&shared.net, &shared.webrtc_addresses)?;
        let leg = remote::leg(&shared.peers, settings, &sockets, events)?;
        let (id, worker) = (shared.ids.peer(), shared.workers.get(self.worker).ok_or(NegotiationError::BadAnswer)?);
        self.media.ask(self.worker, WorkerCommand::OpenRemote { id, leg: Box::new(leg), sockets }).await;
        Ok(RemotePeerHandle::new(id, worker.inbox.clone()))
    }

    /// A name for somebody's track, to be seated and to be told with the answer whose line carries it.
    #[must_use]
    pub fn new_track(&self) -> TrackId {
        self.media.shared.ids.track()
    }

    /// Publishes what a seated leg says by a connection to an SFU as well, or no longer.
    pub async fn publish(&self, end: MediaEnd, publisher: Option<PeerId>) {
        self.media.ask(self.worker, WorkerCommand::Publish { end, publisher }).await;
    }

    /// Seats a device; its port is moved to this bridge's worker first.
    pub async fn seat_port(&self, port: &PortHandle, admission: Admission, gate: Gate) {
        port.move_to(self.worker).await;
        self.media.ask(self.worker, WorkerCommand::Seat { end: MediaEnd::Port(port.id), bridge: self.id, admission, gate }).await;
    }

    /// Seats an end that lives on this bridge's worker: a browser's, or a track of a connection to an SFU, which is silent while no line carries
    /// it.
    pub async fn seat(&self, end: MediaEnd, admission: Admission, gate: Gate) {
        self.media.ask(self.worker, WorkerCommand::Seat { end, bridge: self.id, admission, gate }).await;
    }

    /// Sets which directions are open for a leg.
    pub async fn gate(&self, end: MediaEnd, gate: Gate) {
        self.media.ask(self.worker, WorkerCommand::Gate { end, gate }).await;
    }

    /// Takes a leg off the bridge.
    pub async fn unseat(&self, end: MediaEnd) {
        self.media.ask(self.worker, WorkerCommand::Unseat(end)).await;
    }

    /// Gives the seat of `old` to `new`, with its admission: the same participant by another connection.
    pub async fn replace(&self, old: MediaEnd, new: MediaEnd) {
        self.media.ask(self.worker, WorkerCommand::Replace { old, new }).await;
    }

    /// Starts to record the mix.
    pub async fn record(&self, recorder: Recorder) {
        self.media.ask(self.worker, WorkerCommand::Record { bridge: self.id, recorder: Box::new(recorder) }).await;
    }

    /// Pauses or resumes the recording.
    pub async fn pause_recording(&self, paused: bool) {
        self.media.ask(self.worker, WorkerCommand::PauseRecording { bridge: self.id, paused }).await;
    }

    /// Ends the recording.
    pub async fn stop_recording(&self) {
        self.media.ask(self.worker, WorkerCommand::StopRecording(self.id)).await;
    }

    /// Closes the bridge.
    pub async fn close(&self) {
        self.media.ask(self.worker, WorkerCommand::CloseBridge(self.id)).await;
    }
}

impl PeerHandle {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> PeerId {
        self.id
    }

    /// Closes the connection.
    pub async fn close(&self) {
        self.media.ask(self.worker, WorkerCommand::ClosePeer(self.id)).await;
    }
}

impl PortHandle {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> PortId {
        self.id
    }

    async fn ask(&self, command: PortCommand) {
        self.media.ask(self.worker.load(Ordering::Acquire), WorkerCommand::Port { port: self.id, command }).await;
    }

    /// Moves the port to another worker, in mid-prompt if need be. Commands given meanwhile follow it.
    async fn move_to(&self, worker: usize) {
        let from = self.worker.load(Ordering::Acquire);
        let Some(target) = self.media.shared.workers.get(worker).filter(|_| from != worker) else { return };
        let (arrived, there) = oneshot::channel();
        self.ask(PortCommand::Move { to: target.inbox.clone(), arrived }).await;
        // A port that was closed meanwhile never arrives; commands to it have no effect on either worker.
        if there.await.is_ok() {
            self.worker.store(worker, Ordering::Release);
        }
    }

    /// Takes what a new offer and answer agreed on.
    pub async fn reprofile(&self, profile: Profile) {
        self.ask(PortCommand::Reprofile(Box::new(profile))).await;
    }

    /// Plays a prompt or notice.
    pub async fn play(&self, play: Play) {
        self.ask(PortCommand::Play(play)).await;
    }

    /// Cuts prompts.
    pub async fn stop_prompts(&self) {
        self.ask(PortCommand::StopPrompts).await;
    }

    /// Starts or ends the waiting music.
    pub async fn music(&self, clip: Option<Clip>) {
        self.ask(PortCommand::Music(clip)).await;
    }

    /// Its figures so far, and its profile; `None` once it is closed.
    pub async fn stats(&self) -> Option<(PortStats, Profile)> {
        let (reply, answer) = oneshot::channel();
        self.ask(PortCommand::Stats(reply)).await;
        answer.await.ok()
    }

    /// Closes the port; [`super::MediaEvent::Closed`] brings its figures.
    pub async fn close(&self) {
        self.ask(PortCommand::Close).await;
    }
}
