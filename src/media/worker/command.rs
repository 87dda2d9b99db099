//! Commands to a worker.

use tokio::sync::{mpsc, oneshot};

use crate::common::ids::{BridgeId, PeerId, PortId};
use crate::net::udp::Socket;
use crate::policy::Admission;
use crate::prompt::Clip;

use super::super::events::BridgeEvent;
use super::super::leg::MediaEnd;
use super::super::peer::WebRtcPeer;
use super::super::player::Play;
use super::super::pool::Sockets;
use super::super::port::Port;
use super::super::profile::Profile;
use super::super::record::Recorder;
use super::super::remote::{RemoteLeg, RemotePeerCommand};
use super::super::seat::Gate;
use super::super::stats::PortStats;

/// A command to a worker.
pub(crate) enum WorkerCommand {
    /// Take a new port with its sockets.
    OpenPort { port: Box<Port>, sockets: Sockets },
    /// Do something with one port; follows the port to the worker that it was moved to.
    Port { port: PortId, command: PortCommand },
    /// Take a port from another worker.
    AdoptPort(Box<PortInTransit>),
    /// Take a negotiated connection of a browser, and report its changes to `events`.
    OpenPeer { id: PeerId, peer: Box<WebRtcPeer>, events: mpsc::Sender<BridgeEvent> },
    /// Close a browser's connection.
    ClosePeer(PeerId),
    /// Take a connection to an SFU, with its sockets.
    OpenRemote { id: PeerId, leg: Box<RemoteLeg>, sockets: Vec<Box<dyn Socket>> },
    /// Do something with a connection to an SFU.
    Remote { id: PeerId, command: RemotePeerCommand },
    /// Close a connection to an SFU.
    CloseRemote(PeerId),
    /// Publish what a seated leg says by a connection to an SFU as well, or no longer.
    Publish { end: MediaEnd, publisher: Option<PeerId> },
    /// Open a bridge that reports to `events`.
    OpenBridge { id: BridgeId, speakers: usize, events: mpsc::Sender<BridgeEvent> },
    /// Close a bridge.
    CloseBridge(BridgeId),
    /// Seat a leg (M-8), with its gate at first.
    Seat { end: MediaEnd, bridge: BridgeId, admission: Admission, gate: Gate },
    /// Take a leg off its bridge.
    Unseat(MediaEnd),
    /// Give a seat to another leg of the same participant.
    Replace { old: MediaEnd, new: MediaEnd },
    /// Set which directions are open for a leg.
    Gate { end: MediaEnd, gate: Gate },
    /// Start a recording.
    Record { bridge: BridgeId, recorder: Box<Recorder> },
    /// Pause or resume a recording.
    PauseRecording { bridge: BridgeId, paused: bool },
    /// End a recording.
    StopRecording(BridgeId),
}

/// A command to one port.
pub(crate) enum PortCommand {
    /// Take what a new offer and answer agreed on.
    Reprofile(Box<Profile>),
    /// Close it.
    Close,
    /// Play a prompt or notice.
    Play(Play),
    /// Cut prompts (a key was pressed).
    StopPrompts,
    /// Start or end the waiting music.
    Music(Option<Clip>),
    /// Reply with its figures; the reply is dropped when the port is closed.
    Stats(oneshot::Sender<(PortStats, Profile)>),
    /// Move it to another worker, and tell `arrived` when it is there.
    Move { to: mpsc::Sender<WorkerCommand>, arrived: oneshot::Sender<()> },
}

/// A port with everything that belongs to it, on its way from one worker to another.
pub(crate) struct PortInTransit {
    pub(super) port: Port,
    pub(super) sockets: Sockets,
    pub(super) arrived: oneshot::Sender<()>,
}

impl WorkerCommand {
    /// The port that the command follows where it was moved.
    pub(super) const fn port(&self) -> Option<PortId> {
        match self {
            Self::Port { port, .. }
            | Self::Seat { end: MediaEnd::Port(port), .. }
            | Self::Unseat(MediaEnd::Port(port))
            | Self::Publish { end: MediaEnd::Port(port), .. }
            | Self::Gate { end: MediaEnd::Port(port), .. } => Some(*port),
            _ => None,
        }
    }
}
