//! The world of a scenario: a whole gateway as the daemon wires it, phones and browsers around it, on one thread, in virtual time.
//!
//! Only the network is not the real one ([`Network`]) and the clock is the test's. The store and the recorder keep their threads and
//! their disk, which live in real time: a scenario records for less than the 10 s that the recorder's queue holds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use super::listener::Fingerprint;
use super::network::Network;
use super::page::Page;
use super::phone::{Line, Phone};
use crate::app::{Gateway, media_settings};
use crate::call::{CallsView, Invitation, OutboundProgress, PROGRESS};
use crate::codec::CodecKind;
use crate::common::cause::Cause;
use crate::common::ids::MeetingName;
use crate::common::machine;
use crate::common::phrase::Phrase;
use crate::config::{self, MAIN_FILE, Settings};
use crate::media::InlineMedia;
use crate::meeting::messages::Role;
use crate::meeting::{By, MeetingRegistry};
use crate::net::udp::{Net as _, Socket, Traffic};
use crate::prompt::Library;
use crate::sip;
use crate::store::{self, CallRecord, LedgerEntry, LedgerLine, LedgerQuery, LedgerRow, RecordQuery};

/// The level of everybody's tone, in samples: that of the prompts.
pub(super) const LOUD: f32 = 2_500.0;
/// What is heard is at least as loud as this, in dBov; a tone that comes through is at -25.
const HEARD: f32 = -32.0;
/// What is not heard is below this; a tone under a prompt would be at -43.
pub(super) const UNHEARD: f32 = -47.0;
/// The gateway's address.
const GATEWAY: [u8; 4] = [10, 0, 0, 1];
/// How long everything may take to be over once everybody has left: the transactions of SIP, mostly.
const OVER_WITHIN: Duration = Duration::from_secs(120);

/// The demo of `conf/roomgate.toml`, on three workers.
const CONFIGURATION: &str = r#"
[sip.listen.udp]
transport = "udp"
address = "10.0.0.1"
port = 5060

[media]
workers = 3
address = "10.0.0.1"
webrtc_addresses = ["10.0.0.1"]

[meeting.demo]
conference_id = "1001"
organiser_pin = "2468"

[meeting.board]
conference_id = "1002"
passcode = "4321"

[device.room-1]
address = ["10.0.1.1"]
name = "Room 1"
"#;

/// A participant's name, and the tone by which everybody knows it: between two keys of a piano, where the waiting music has none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Voice {
    pub(super) name: &'static str,
    pub(super) freq: f32,
}

const PHONES: [Voice; 5] = [
    Voice { name: "Room 1", freq: 453.0 },
    Voice { name: "Room 2", freq: 605.0 },
    Voice { name: "Room 3", freq: 808.0 },
    Voice { name: "Room 4", freq: 960.0 },
    Voice { name: "Room 5", freq: 1_141.0 },
];

/// What the ledger says was told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) line: LedgerLine,
}

/// The world; cheap to clone.
#[derive(Clone)]
pub(super) struct World(Rc<Inner>);

struct Inner {
    local: LocalSet,
    runtime: Runtime,
    network: Network,
    folder: tempfile::TempDir,
    library: Arc<Library>,
    workers: InlineMedia,
    registry: MeetingRegistry,
    sip: sip::Handle,
    store: store::StoreHandle,
    up: watch::Receiver<usize>,
    calls: CallsView,
    drain: watch::Sender<bool>,
    /// What is bound at the gateway's address while there is no call.
    listening: Vec<SocketAddr>,
    /// Tasks of the control plane while there is no call.
    tasks: usize,
    people: RefCell<Vec<Voice>>,
    phones: RefCell<u8>,
    /// How often a device was to be called.
    invited: RefCell<usize>,
    fingerprints: RefCell<BTreeMap<Phrase, Rc<Fingerprint>>>,
    lines: RefCell<Vec<Rc<RefCell<Line>>>>,
}

/// The shipped voices.
pub(super) fn voices() -> Arc<Library> {
    static VOICES: OnceLock<Arc<Library>> = OnceLock::new();
    let load = || Library::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/prompts"), "en").expect("the shipped prompts");
    Arc::clone(VOICES.get_or_init(|| Arc::new(load())))
}

/// Says who was heard and should not be, or the other way round.
pub(super) fn assert_heard(who: &str, all: &[Voice], levels: &[f32], expected: &[Voice]) {
    for (voice, level) in all.iter().zip(levels) {
        let right = if expected.contains(voice) { *level > HEARD } else { *level < UNHEARD };
        let names: Vec<&str> = expected.iter().map(|voice| voice.name).collect();
        assert!(right, "{who} was to hear {names:?}, and hears {} at {level} dBov", voice.name);
    }
}

/// Whoever has had a device called.
pub(super) struct Asked {
    steps: mpsc::Receiver<OutboundProgress>,
    so_far: Vec<OutboundProgress>,
}

impl Asked {
    /// What it was told so far.
    pub(super) fn steps(&mut self) -> Vec<OutboundProgress> {
        while let Ok(step) = self.steps.try_recv() {
            self.so_far.push(step);
        }
        self.so_far.clone()
    }
}

impl World {
    /// The demo.
    pub(super) fn new() -> Self {
        Self::with("")
    }

    /// The demo with this written over it, as in `roomgate.d`.
    pub(super) fn with(changes: &str) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write(MAIN_FILE, CONFIGURATION);
        std::fs::create_dir(folder.path().join("roomgate.d")).expect("made");
        write("roomgate.d/changes.toml", changes);
        let state = ("STATE_DIRECTORY".to_owned(), folder.path().join("state").display().to_string());
        let loaded = config::load(folder.path(), [state]).unwrap_or_else(|problems| panic!("{problems:?}"));
        Self::of(folder, &loaded.settings)
    }

    fn of(folder: tempfile::TempDir, settings: &Settings) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let (local, network, library) = (LocalSet::new(), Network::default(), voices());
        let (drain, draining) = watch::channel(false);
        let (gateway, here, (up, calls)) = local.block_on(&runtime, async {
            let net = Arc::new(network.clone());
            let media_settings = media_settings(settings, settings.media.webrtc_addresses.clone());
            let (media, here) = InlineMedia::start(&media_settings, net.clone()).expect("media");
            let gateway = Gateway::open(settings, Arc::clone(&library), media, net, &tokio::runtime::Handle::current())
                .await
                .expect("a gateway");
            let Gateway { registry, sip, store, calls, events, .. } = gateway;
            let up = (calls.up(), calls.view());
            tokio::spawn(calls.run(events, draining));
            ((registry, sip, store), here, up)
        });
        let (registry, sip, store) = gateway;
        let world = Self(Rc::new(Inner {
            listening: network.bound_at(GATEWAY.into()),
            tasks: runtime.metrics().num_alive_tasks(),
            local,
            runtime,
            network,
            folder,
            library,
            workers: here,
            registry,
            sip,
            store,
            up,
            calls,
            drain,
            people: RefCell::default(),
            phones: RefCell::default(),
            invited: RefCell::default(),
            fingerprints: RefCell::default(),
            lines: RefCell::default(),
        }));
        assert_eq!(world.0.listening.len(), 4, "SIP, and three workers: {:?}", world.0.listening);
        world
    }

    // === Who is there ===

    /// A phone on G.711.
    pub(super) fn phone(&self) -> Phone {
        self.phone_with(CodecKind::Pcmu)
    }

    /// A phone that this member has admitted to the demo meeting.
    pub(super) fn admitted_phone(&self, member: &Page) -> Phone {
        let phone = self.phone();
        phone.is_admitted_by(member);
        phone
    }

    /// A phone that the demo meeting has let in without anybody's doing.
    pub(super) fn joined_phone(&self) -> Phone {
        let phone = self.phone();
        phone.joins("1001");
        phone
    }

    pub(super) fn phone_with(&self, codec: CodecKind) -> Phone {
        let number = self.0.phones.replace_with(|number| *number + 1);
        let voice = PHONES[usize::from(number)];
        self.0.people.borrow_mut().push(voice);
        self.phone_at([10, 0, 1, number + 1], voice, codec)
    }

    pub(super) fn phone_at(&self, host: [u8; 4], voice: Voice, codec: CodecKind) -> Phone {
        let phone = Phone::new(self.clone(), voice, host, codec);
        self.0.lines.borrow_mut().push(phone.shared());
        phone
    }

    /// Somebody else on the network.
    pub(super) fn stranger(&self) -> Box<dyn Socket> {
        self.0.network.bind(SocketAddr::from(([10, 0, 9, 9], 9)), Traffic::Voice).expect("free")
    }

    /// A member in a browser, in the demo meeting.
    pub(super) fn member(&self) -> Page {
        self.page(Voice { name: "Ada", freq: 1_358.0 }, Role::Member, "demo")
    }

    /// Another one.
    pub(super) fn other_member(&self) -> Page {
        self.page(Voice { name: "Ben", freq: 1_524.0 }, Role::Member, "demo")
    }

    /// An external in a browser, in the demo meeting's lobby.
    pub(super) fn external(&self) -> Page {
        self.page(Voice { name: "Eve", freq: 1_710.0 }, Role::External, "demo")
    }

    pub(super) fn page(&self, voice: Voice, role: Role, meeting: &str) -> Page {
        let mut people = self.0.people.borrow_mut();
        people.push(voice);
        let host = [10, 0, 2, u8::try_from(people.len()).expect("few")];
        drop(people);
        Page::open(self.clone(), voice, host, role, meeting)
    }

    /// Everybody's voice, and one more.
    pub(super) fn voices_with(&self, more: Voice) -> Vec<Voice> {
        self.0.people.borrow().iter().copied().chain([more]).collect()
    }

    /// A device is called into a meeting (S-9).
    pub(super) fn calls(&self, device: &str, meeting: &str) -> Asked {
        self.0.invited.replace_with(|invited| *invited + 1);
        let (progress, steps) = mpsc::channel(PROGRESS);
        let (device, meeting) = (device.to_owned(), MeetingName::new(meeting).expect("a name"));
        self.0
            .calls
            .invite(Invitation { device, meeting, replaces: None, by: By::Operator, heir_of: None, progress })
            .expect("it is called");
        self.passes(Duration::from_millis(1));
        Asked { steps, so_far: Vec::new() }
    }

    /// The operator hangs up the call that came last.
    pub(super) fn operator_hangs_up(&self) {
        let call = self.0.calls.entries().pop().expect("a call").call;
        assert!(self.0.calls.hang_up(call, Cause::EndedByOperator));
        self.passes(Duration::from_millis(1));
    }

    /// How many calls are up, for an operator and for a drain.
    pub(super) fn calls_up(&self) -> (usize, usize) {
        (self.0.calls.entries().len(), *self.0.up.borrow())
    }

    // === Time and tasks ===

    pub(super) fn now(&self) -> Instant {
        self.block_on(async { machine::now() })
    }

    /// Lets time pass.
    pub(super) fn passes(&self, time: Duration) {
        self.block_on(async move { tokio::time::sleep(time).await });
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.local.block_on(&self.0.runtime, future)
    }

    /// A while in which somebody listens, after another in which what has just begun or ended does so.
    pub(super) fn listens(&self) -> (Instant, Instant) {
        self.passes(Duration::from_millis(600));
        let from = self.now();
        self.passes(Duration::from_millis(800));
        (from, self.now())
    }

    /// Something of a participant's, not of the gateway's.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.0.local.spawn_local(task);
    }

    // === The gateway ===

    pub(super) fn network(&self) -> &Network {
        &self.0.network
    }

    pub(super) fn gateway(&self) -> SocketAddr {
        SocketAddr::from((GATEWAY, 5060))
    }

    pub(super) fn registry(&self) -> MeetingRegistry {
        self.0.registry.clone()
    }

    /// Where recordings are.
    pub(super) fn recordings(&self) -> std::path::PathBuf {
        self.0.folder.path().join("state/recordings")
    }

    /// The fingerprint of a prompt's first 900 ms.
    pub(super) fn beginning(&self, phrase: Phrase) -> Fingerprint {
        let mut clip = self.0.library.clip("en", phrase);
        clip.samples = clip.samples.iter().copied().take(clip.rate.samples(Duration::from_millis(900))).collect();
        Fingerprint::of(&clip)
    }

    /// Two seconds of the waiting music, from the time on at which words over it are over.
    pub(super) fn music(&self) -> Fingerprint {
        let mut clip = self.0.library.music().expect("the shipped music");
        let second = clip.rate.0 as usize;
        clip.samples = clip.samples.iter().copied().skip(8 * second).take(2 * second).collect();
        Fingerprint::of(&clip)
    }

    pub(super) fn fingerprint(&self, phrase: Phrase) -> Rc<Fingerprint> {
        let fingerprint = || Rc::new(Fingerprint::of(&self.0.library.clip("en", phrase)));
        Rc::clone(self.0.fingerprints.borrow_mut().entry(phrase).or_insert_with(fingerprint))
    }

    /// The gateway is told to stop: no new calls, and present ones are told (O-4).
    pub(super) fn drains(&self) {
        self.block_on(async {
            self.0.sip.send(sip::Command::Drain(true)).await;
            // Answered after it: by then it is known.
            self.0.sip.is_empty().await;
        });
        self.0.drain.send_replace(true);
        self.passes(Duration::from_millis(1));
    }

    /// Asks the store, whose disk lives in real time: the clock runs with it meanwhile.
    fn ask<T>(&self, question: impl Future<Output = Result<T, store::StoreError>>) -> T {
        self.block_on(async {
            tokio::time::resume();
            let answer = question.await.expect("the store answers");
            tokio::time::pause();
            answer
        })
    }

    /// What the ledger says was told, oldest first.
    pub(super) fn ledger(&self) -> Vec<Told> {
        let query = LedgerQuery { limit: 1000, notices: true, ..LedgerQuery::default() };
        let mut rows = self.ask(self.0.store.ledger(query));
        rows.reverse();
        let told = |row: LedgerRow| match row.entry {
            LedgerEntry::Notice(line) => Some(Told { line }),
            _ => None,
        };
        rows.into_iter().filter_map(told).collect()
    }

    /// The records of calls, oldest first.
    pub(super) fn records(&self) -> Vec<CallRecord> {
        let query = RecordQuery { limit: 1000, ..RecordQuery::default() };
        let mut records = self.ask(self.0.store.records(query));
        records.reverse();
        records.into_iter().map(|row| row.record).collect()
    }

    // === The end ===

    /// How many ports of devices each worker has.
    pub(super) fn ports(&self) -> Vec<usize> {
        self.0.workers.ports()
    }

    /// Everybody has left: no call, meeting, port, bridge, peer, socket, task or timer is left, and nothing is in the store but one
    /// record of each call that was answered, and a ledger that holds together.
    pub(super) fn nothing_left(self) {
        let began = self.now();
        while let Some(left) = self.left() {
            assert!(self.now() - began < OVER_WITHIN, "left: {left}");
            // The store's disk lives in real time: whatever was given to it before is written when it answers.
            self.records();
            self.passes(Duration::from_millis(500));
        }
        let answered: usize = self.0.lines.borrow().iter().map(|line| line.borrow().answered_calls).sum();
        let calls = self.0.lines.borrow().iter().map(|line| line.borrow().calls).sum::<usize>() + *self.0.invited.borrow();
        // Strangers leave none.
        assert!((answered..=calls).contains(&self.records().len()), "a record of each call: {answered} of {calls} were answered");
        let state = self.0.folder.path().join("state");
        let head = self.0.store.ledger_status().head;
        assert_eq!(store::verify(&state, &state.join("keys"), &[head]).expect("whole").head, head);
    }

    fn left(&self) -> Option<String> {
        let calls = *self.0.up.borrow();
        let meetings = self.block_on(self.0.registry.running()).len();
        let bound = self.0.network.bound_at(GATEWAY.into());
        let tasks = self.0.runtime.metrics().num_alive_tasks();
        let sip_is_empty = self.block_on(self.0.sip.is_empty());
        let media_is_empty = self.0.workers.is_empty();
        let clean = calls + meetings == 0 && bound == self.0.listening && tasks == self.0.tasks && sip_is_empty && media_is_empty;
        let left = || {
            format!(
                "{calls} calls, {meetings} meetings, {bound:?} bound, {tasks} tasks where {} are always, SIP empty: {sip_is_empty}, \
                 media empty: {media_is_empty}",
                self.0.tasks
            )
        };
        (!clean).then(left)
    }
}
