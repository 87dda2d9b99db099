//! A browser with the meeting's page: the real signalling over frames in memory, the real WebRTC over the network in memory.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use axum::extract::ws::Message;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::listener::Listener;
use super::phone::{MUSIC, Phone};
use super::world::{LOUD, UNHEARD, Voice, World, assert_heard};
use crate::common::ids::MeetingName;
use crate::common::machine;
use crate::common::units::Hz;
use crate::media::Browser;
use crate::meeting::PasscodeProof;
use crate::meeting::messages::Role;
use crate::net::udp::{Net as _, Socket, SocketReader, Traffic};
use crate::service::embedded::signalling::{self, Frames, ResumeKey, Visitor};

/// How often a browser looks at its timers.
const STEP: Duration = Duration::from_millis(5);
/// How long a sentence waits for what it says.
const PATIENCE: Duration = Duration::from_secs(20);

/// The gateway's end of a page's frames.
struct Wire {
    from_page: mpsc::Receiver<Message>,
    to_page: mpsc::Sender<Message>,
}

impl Frames for Wire {
    async fn recv(&mut self) -> Option<Result<Message, axum::Error>> {
        self.from_page.recv().await.map(Ok)
    }

    async fn send(&mut self, frame: Message) -> Result<(), axum::Error> {
        self.to_page.send(frame).await.map_err(axum::Error::new)
    }
}

/// What the page's task and the sentences share.
struct Tab {
    to_gateway: Option<mpsc::Sender<Message>>,
    browser: Browser,
    socket: Box<dyn Socket>,
    /// The newest `state`.
    state: Value,
    refused: Vec<String>,
    /// Hosts that have asked for its microphone.
    asked: Vec<String>,
    chat: Vec<String>,
    ended: Option<String>,
    listener: Listener,
    ticks: u32,
    asleep: bool,
}

/// A page in a browser.
#[derive(Clone)]
pub(super) struct Page {
    world: World,
    pub(super) voice: Voice,
    tab: Rc<RefCell<Tab>>,
}

// === impl Tab ===

impl Tab {
    fn say(&mut self, message: &Value) {
        if let Some(to_gateway) = self.to_gateway.as_ref().filter(|_| !self.asleep) {
            to_gateway.try_send(Message::Text(message.to_string().into())).expect("the gateway reads");
        }
    }

    fn told(&mut self, frame: Message) {
        let Message::Text(text) = frame else { return };
        let told: Value = serde_json::from_str(text.as_str()).expect("JSON");
        let field = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        match told["type"].as_str().unwrap_or_default() {
            "ping" => self.say(&json!({"type": "pong"})),
            "answer" => self.browser.answered(machine::now(), field("sdp")),
            "state" => self.state = told,
            "delta" => self.change(&told),
            "unmute-asked" => self.asked.push(field("by")),
            "refused" => self.refused.push(field("code")),
            "chat" => self.chat.push(field("text")),
            "ended" => self.ended = Some(field("reason")),
            _ => {}
        }
    }

    /// Applies a difference, as the page does.
    fn change(&mut self, delta: &Value) {
        let revision = |state: &Value| state["revision"].as_u64().expect("a number");
        assert_eq!(revision(delta), revision(&self.state) + 1, "none is missing");
        let mut rows = self.state["participants"].as_array().cloned().expect("rows");
        let (changed, gone) = (delta["rows"].as_array().expect("rows"), delta["gone"].as_array().expect("ids"));
        rows.retain(|row| !gone.contains(&row["id"]) && changed.iter().all(|other| other["id"] != row["id"]));
        rows.extend(changed.iter().cloned());
        rows.sort_by_key(|row| row["id"].as_str().and_then(|id| id[1..].parse::<u64>().ok()));
        self.state = delta.clone();
        self.state["participants"] = rows.into();
    }

    fn tick(&mut self) {
        if self.asleep {
            return;
        }
        self.ticks += 1;
        let now = machine::now();
        self.browser.wake(now);
        if self.ticks.is_multiple_of(4) {
            self.browser.speak(now);
        }
        self.flush();
    }

    fn datagram(&mut self, from: SocketAddr, datagram: &[u8]) {
        if !self.asleep {
            self.browser.receive(machine::now(), from, datagram);
            let heard = self.browser.listener();
            if !heard.is_empty() {
                self.listener.hear(machine::now(), &heard);
            }
            self.flush();
        }
    }

    fn flush(&mut self) {
        while let Some((to, datagram)) = self.browser.poll_transmit() {
            self.socket.send_to(&datagram, to).expect("sent");
        }
    }
}

async fn run(tab: Rc<RefCell<Tab>>, mut frames: mpsc::Receiver<Message>, mut reader: SocketReader) {
    let mut clock = tokio::time::interval(STEP);
    let mut buffer = [0; 2_048];
    loop {
        tokio::select! {
            biased;
            Some(frame) = frames.recv() => tab.borrow_mut().told(frame),
            Ok((length, from)) = reader.recv_from(&mut buffer) => tab.borrow_mut().datagram(from, &buffer[..length]),
            _ = clock.tick() => tab.borrow_mut().tick(),
        }
    }
}

// === impl Page ===

impl Page {
    /// Opens the page, joins, and gives the microphone.
    pub(super) fn open(world: World, voice: Voice, host: [u8; 4], role: Role, meeting: &str) -> Self {
        let address = SocketAddr::from((host, 50_000));
        let socket = world.network().bind(address, Traffic::WebRtc).expect("free");
        let (mut browser, offer) = Browser::offer(world.now(), address);
        browser.hums(voice.freq, LOUD);
        let (to_gateway, from_page) = mpsc::channel(64);
        let (to_page, frames) = mpsc::channel(64);
        let visitor = Visitor {
            meeting: MeetingName::new(meeting).expect("a name"),
            role,
            organiser: role == Role::Member,
            identity: Some(format!("session/{}", voice.name)).filter(|_| role == Role::Member),
            from: None,
            proof: PasscodeProof::Nothing,
            fallback_name: "Guest",
            ice_servers: Vec::new(),
        };
        let registry = world.registry();
        let wire = Wire { from_page, to_page };
        let (stays, shutdown) = watch::channel(false);
        world.spawn(async move {
            signalling::serve(wire, registry, visitor, ResumeKey::new([7; 32]), |_| {}, shutdown).await;
            drop(stays);
        });
        let reader = socket.reader().expect("ours");
        let tab = Rc::new(RefCell::new(Tab {
            to_gateway: Some(to_gateway),
            browser,
            socket,
            state: Value::Null,
            refused: Vec::new(),
            asked: Vec::new(),
            chat: Vec::new(),
            ended: None,
            listener: Listener::new(Hz::FULL),
            ticks: 0,
            asleep: false,
        }));
        world.spawn(run(Rc::clone(&tab), frames, reader));
        let page = Self { world, voice, tab };
        page.says(json!({"type": "join", "name": voice.name, "deltas": true, "key": voice.name}));
        page.says(json!({"type": "offer", "sdp": offer}));
        page.until("a connection", |tab| tab.browser.is_connected() && !tab.state.is_null());
        page
    }

    fn until(&self, what: &str, met: impl Fn(&Tab) -> bool) {
        let began = self.world.now();
        while !met(&self.tab.borrow()) {
            let tab = self.tab.borrow();
            let waited = self.world.now() - began;
            assert!(waited < PATIENCE, "{}: {what} never came; {} {:?} {:?}", self.voice.name, tab.state, tab.refused, tab.ended);
            drop(tab);
            self.world.passes(Duration::from_millis(20));
        }
    }

    fn says(&self, message: Value) {
        self.tab.borrow_mut().say(&message);
    }

    /// A row of what it is shown.
    fn row(&self, name: &str) -> Option<Value> {
        let tab = self.tab.borrow();
        tab.state["participants"].as_array()?.iter().find(|row| row["name"] == name).cloned()
    }

    fn id_of(&self, name: &str) -> Value {
        self.until(name, |tab| {
            tab.state["participants"].as_array().is_some_and(|rows| rows.iter().any(|row| row["name"] == name))
        });
        self.row(name).expect("shown")["id"].clone()
    }

    // === What it does ===

    pub(super) fn admits(&self, phone: &Phone) {
        self.about("admit", phone.voice);
        self.shows(phone.voice, "state", "in");
    }

    /// Something about somebody: admit, deny, remove.
    pub(super) fn about(&self, what: &str, whom: Voice) {
        let id = self.id_of(whom.name);
        self.says(json!({"type": what, "id": id}));
    }

    pub(super) fn mutes(&self, whom: Voice, on: bool) {
        let id = self.id_of(whom.name);
        self.says(json!({"type": "mute", "id": id, "on": on}));
    }

    /// Asks for recording to be `on`, `paused` or `off`; when it did.
    pub(super) fn records(&self, state: &str) -> Instant {
        let asked = self.world.now();
        self.says(json!({"type": "recording", "state": state}));
        asked
    }

    pub(super) fn chats(&self, text: &str) {
        self.says(json!({"type": "chat", "text": text}));
    }

    pub(super) fn ends_the_meeting(&self) {
        self.says(json!({"type": "end"}));
        self.until("the end", |tab| tab.ended.as_deref() == Some("meeting-ended"));
    }

    pub(super) fn leaves(&self) {
        self.says(json!({"type": "leave"}));
        self.until("the end", |tab| tab.ended.is_some());
    }

    /// The lid of the notebook is closed, or opened again: meanwhile nothing comes of it.
    pub(super) fn sleeps(&self, asleep: bool) {
        self.tab.borrow_mut().asleep = asleep;
    }

    // === What it sees and hears ===

    /// Shows this of somebody, sooner or later.
    pub(super) fn shows(&self, whom: Voice, field: &str, value: impl Into<Value>) {
        let value = value.into();
        let is = |tab: &Tab| {
            let rows = tab.state["participants"].as_array();
            rows.is_some_and(|rows| rows.iter().any(|row| row["name"] == whom.name && row[field] == value))
        };
        self.until(&format!("{} {field} {value}", whom.name), is);
    }

    /// Shows this of the meeting, sooner or later.
    pub(super) fn shows_the_meeting(&self, field: &str, value: impl Into<Value>) {
        let value = value.into();
        self.until(&format!("{field} {value}"), |tab| tab.state[field] == value);
    }

    /// The names that are shown.
    pub(super) fn names(&self) -> Vec<String> {
        let tab = self.tab.borrow();
        let rows = tab.state["participants"].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| row["name"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The row of somebody, as it is shown now.
    pub(super) fn sees(&self, whom: Voice) -> Value {
        self.row(whom.name).unwrap_or_default()
    }

    /// Asks for this, and is refused with this code.
    pub(super) fn is_refused(&self, ask: Value, code: &str) {
        let before = self.tab.borrow().refused.len();
        let what = format!("a refusal of {ask}");
        self.says(ask);
        self.until(&what, |tab| tab.refused.len() > before);
        assert_eq!(self.tab.borrow().refused[before], code, "{what}");
    }

    /// Is asked to open its microphone by this host, sooner or later.
    pub(super) fn is_asked_to_unmute_by(&self, host: Voice) {
        self.until("a request for the microphone", |tab| tab.asked.last().is_some_and(|by| by == host.name));
    }

    /// Closes or opens its microphone.
    pub(super) fn mutes_itself(&self, on: bool) {
        self.says(json!({"type": "mute-self", "on": on}));
    }

    pub(super) fn has_read(&self) -> Vec<String> {
        self.tab.borrow().chat.clone()
    }

    /// Heard these voices and no other meanwhile.
    pub(super) fn heard_only(&self, voices: &[Voice], from: Instant, to: Instant) {
        let all = self.world.voices_with(MUSIC);
        let freqs: Vec<f32> = all.iter().map(|voice| voice.freq).collect();
        assert_heard(self.voice.name, &all, &self.tab.borrow().listener.tones(from, to, &freqs), voices);
    }

    /// Hears these voices and no other.
    pub(super) fn hears_only(&self, voices: &[Voice]) {
        let (from, to) = self.world.listens();
        self.heard_only(voices, from, to);
    }

    pub(super) fn hears_nobody(&self) {
        self.hears_only(&[]);
    }

    /// Has heard none of these tones since.
    pub(super) fn heard_none_of(&self, freqs: &[f32], since: Instant) {
        let levels = self.tab.borrow().listener.tones(since, self.world.now(), freqs);
        assert!(levels.iter().all(|level| *level < UNHEARD), "{freqs:?} at {levels:?} dBov");
    }

    pub(super) fn heard_no_hold_music(&self, since: Instant) {
        self.heard_none_of(&[MUSIC.freq], since);
    }
}
