//! The phone of a scenario: its line, the task that runs it, and waiting for what is to come.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::line::{Line, MUSIC, PTIME};
use crate::codec::{CodecKind, EncoderSettings};
use crate::common::machine;
use crate::dsp::tone::Sine;
use crate::net::udp::{Net as _, SocketReader, Traffic};
use crate::scenario::listener::Listener;
use crate::scenario::world::{LOUD, Voice, World};

/// How long an expectation waits for what it names.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);

/// A phone.
#[derive(Clone)]
pub(in crate::scenario) struct Phone {
    pub(super) world: World,
    pub(in crate::scenario) voice: Voice,
    pub(super) line: Rc<RefCell<Line>>,
    /// Up to this sample, expectations have been met.
    pub(super) cursor: Rc<RefCell<usize>>,
    pub(super) calls: Rc<RefCell<u32>>,
}

/// Runs a phone: its two kinds of traffic, and the time.
async fn run(line: Rc<RefCell<Line>>, mut sip: SocketReader, mut rtp: SocketReader, phase: Duration) {
    let mut clock = tokio::time::interval_at(tokio::time::Instant::now() + phase, PTIME);
    let (mut message, mut packet) = ([0; 65_536], [0; 2_048]);
    loop {
        tokio::select! {
            biased;
            Ok((length, _)) = sip.recv_from(&mut message) => line.borrow_mut().sip(&message[..length]),
            Ok((length, _)) = rtp.recv_from(&mut packet) => line.borrow_mut().rtp(machine::now(), &packet[..length]),
            _ = clock.tick() => line.borrow_mut().tick(),
        }
    }
}

// === impl Phone ===

impl Phone {
    pub(in crate::scenario) fn new(world: World, voice: Voice, host: [u8; 4], codec: CodecKind) -> Self {
        let bind = |port| world.network().bind(SocketAddr::from((host, port)), Traffic::Voice).expect("free");
        let (sip, rtp, rtcp) = (bind(5060), bind(4000), bind(4001));
        let row = codec.row();
        let line = Rc::new(RefCell::new(Line {
            codec,
            dialog: None,
            answers: Vec::new(),
            invite: String::new(),
            ringing: None,
            texts: Vec::new(),
            display: None,
            notified: Vec::new(),
            end: None,
            calls: 0,
            answered_calls: 0,
            remote: None,
            holding: false,
            encoder: codec.encoder(EncoderSettings::default()).expect("a codec"),
            decoder: codec.decoder().expect("a codec"),
            tone: Sine::new(row.sample_rate, voice.freq, LOUD),
            music: Sine::new(row.sample_rate, MUSIC.freq, LOUD),
            seq: 0xFFF0,
            timestamp: 0xFFFF_F000,
            ssrc: u32::from(host[3]) << 16 | 7,
            keys: VecDeque::new(),
            key_began: 0,
            listener: Listener::new(row.sample_rate),
            got: Vec::new(),
            ticks: 0,
            silent: false,
            loses: 0,
            reports_nothing: false,
            delayed: false,
            withheld: None,
            odd: None,
            srtp: None,
            dtls: None,
            is_dead: false,
            sip,
            rtp,
            rtcp,
        }));
        let readers = (line.borrow().sip.reader().expect("ours"), line.borrow().rtp.reader().expect("ours"));
        let phase = Duration::from_millis(1 + u64::from(host[3]) * 7 % 20);
        world.spawn(run(Rc::clone(&line), readers.0, readers.1, phase));
        Self { world, voice, line, cursor: Rc::default(), calls: Rc::default() }
    }

    pub(in crate::scenario) fn shared(&self) -> Rc<RefCell<Line>> {
        Rc::clone(&self.line)
    }

    pub(in crate::scenario) fn line(&self) -> Ref<'_, Line> {
        self.line.borrow()
    }

    pub(super) fn line_mut(&self) -> RefMut<'_, Line> {
        self.line.borrow_mut()
    }

    pub(super) fn until(&self, what: &str, met: impl Fn(&Line) -> bool) {
        let began = self.world.now();
        while !met(&self.line()) {
            assert!(self.world.now() - began < PATIENCE, "{}: {what} never came; {:?}", self.voice.name, self.line().end);
            self.world.passes(Duration::from_millis(20));
        }
    }
}
