//! A crowd in the lobby (M-14): guests without sound that wait, toggle and knock as fast as they can, and an organiser in Chromium who must
//! not notice.
//!
//! `make test` runs a short form, `make load` (`ROOMGATE_LOAD=long`) the long one.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use crate::browser::Browser;
use crate::daemon::{Daemon, PAGES};
use crate::load::{cpu, long};
use crate::namespace::isolated;
use crate::waiting::{eventually, seconds};

/// From one ask of a guest to its next: as fast as the page's server takes them without closing the connection.
const ASKS_EVERY: Duration = Duration::from_millis(21);
/// One guest in so many does not stay: it leaves and knocks again without end.
const COMES_AND_GOES: u64 = 10;
/// Guests that share an address, as behind a router.
const BEHIND_ONE: u64 = 30;
/// M-14: what a crowd may cost, for each of those who wait (resident bytes; what the allocator keeps for later is in it).
const MEMORY_EACH: f64 = 200e3;
/// How long an organiser's `admit` may take to be seen.
const ADMITTED_WITHIN: f64 = 300.0;

#[derive(Default)]
struct Counts {
    waiting: AtomicU64,
    asked: AtomicU64,
    knocked: AtomicU64,
    refused: AtomicU64,
}

/// So many guests; dropped, they are gone.
struct Crowd {
    counts: Arc<Counts>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    fn comes(first: u64, size: u64) -> Self {
        let (counts, (stop, stopped)) = (Arc::<Counts>::default(), watch::channel(false));
        let counted = Arc::clone(&counts);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let guests =
                    (first..first + size).map(|number| tokio::spawn(guest(number, Arc::clone(&counted), stopped.clone())));
                for guest in guests.collect::<Vec<_>>() {
                    guest.await.expect("a guest does not panic");
                }
            });
        });
        Self { counts, stop, thread: Some(thread) }
    }

    fn waiting(&self) -> u64 {
        self.counts.waiting.load(Ordering::Relaxed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn guest(number: u64, counts: Arc<Counts>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        tokio::select! {
            _ = visit(number, &counts) => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        // Turned away, or gone of its own will: it knocks again at once, as a program without manners does.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// One connection: until it ends, or, for one that comes and goes, for half a second.
async fn visit(number: u64, counts: &Counts) -> Option<()> {
    let socket = TcpSocket::new_v4().ok()?;
    let address = Ipv4Addr::new(127, 0, 1, u8::try_from(1 + number / BEHIND_ONE).expect("few addresses"));
    socket.bind(SocketAddr::from((address, 0))).ok()?;
    let stream = socket.connect(PAGES.parse().expect("an address")).await.ok()?;
    let (mut page, _) = client_async(format!("ws://{PAGES}/m/demo/ws"), stream).await.ok()?;
    page.send(Message::text(json!({ "type": "join", "name": format!("Guest {number}") }).to_string())).await.ok()?;
    counts.knocked.fetch_add(1, Ordering::Relaxed);
    let (mut clock, mut on, began) = (tokio::time::interval(ASKS_EVERY), false, Instant::now());
    let mut present = Present { counts, counted: false };
    loop {
        let heard = tokio::select! {
            heard = page.next() => heard?.ok()?,
            _ = clock.tick() => {
                on = !on;
                let ask = if number.is_multiple_of(2) { "mute-self" } else { "hand" };
                page.send(Message::text(json!({ "type": ask, "on": on }).to_string())).await.ok()?;
                counts.asked.fetch_add(1, Ordering::Relaxed);
                continue;
            }
        };
        let Message::Text(text) = heard else { continue };
        let told: Value = serde_json::from_str(text.as_str()).ok()?;
        match told["type"].as_str().unwrap_or_default() {
            "ping" => page.send(Message::text("{\"type\":\"pong\"}")).await.ok()?,
            "welcome" => present.begins(),
            "refused" => drop(counts.refused.fetch_add(1, Ordering::Relaxed)),
            "ended" => return None,
            _ => {}
        }
        if number.is_multiple_of(COMES_AND_GOES) && began.elapsed() > Duration::from_millis(500) {
            page.send(Message::text("{\"type\":\"leave\"}")).await.ok()?;
        }
    }
}

/// Counted among those who wait, as long as it does.
struct Present<'a> {
    counts: &'a Counts,
    counted: bool,
}

impl Present<'_> {
    fn begins(&mut self) {
        self.counted = true;
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        if self.counted {
            self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Resident bytes of a process.
fn resident(id: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("a running process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a figure");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a figure") * 1024.0
}

/// Cores that the daemon uses, over so many seconds.
fn load_of(daemon: &Daemon, over: u64) -> f64 {
    let (before, began) = (cpu(daemon.id()), Instant::now());
    eventually(seconds(over + 5), "some time has passed", || (began.elapsed() >= seconds(over)).then_some(()));
    (cpu(daemon.id()) - before) / began.elapsed().as_secs_f64()
}

/// A crowd that waits toggles and knocks is not noticed by the organiser.
#[test]
fn m14_a_crowd_that_waits_toggles_and_knocks_is_not_noticed() {
    isolated(|| {
        let (size, over) = if long() { (300, 20) } else { (60, 4) };
        let daemon = Daemon::start();
        let mut organiser = Browser::start(daemon.folder(), "organiser", 440.0);
        organiser.enter(&daemon.link("demo", true));
        organiser.join("Alice");
        let (alone, memory_before) = (load_of(&daemon, over), resident(daemon.id()));

        let half = Crowd::comes(0, size / 2);
        eventually(seconds(60), "half of them wait", || (half.waiting() >= size * 4 / 10).then_some(()));
        let (with_half, memory_half) = (load_of(&daemon, over) - alone, resident(daemon.id()) - memory_before);
        let rest = Crowd::comes(size / 2, size - size / 2);
        eventually(seconds(60), "all of them wait", || (half.waiting() + rest.waiting() >= size * 8 / 10).then_some(()));
        let (with_all, memory_all) = (load_of(&daemon, over) - alone, resident(daemon.id()) - memory_before);

        // Those who stay, from the first on; each is let in while the others go on.
        let stay = (1..size).filter(|number| !number.is_multiple_of(COMES_AND_GOES)).take(10);
        let mut took: Vec<f64> = stay
            .map(|number| {
                let name = format!("Guest {number}");
                organiser.until("lobby-row", &format!("{name} is in the lobby"), |row| row.text.lines().any(|line| line == name));
                organiser.timed(("lobby-row", &name, "admit"), "roster-row")
            })
            .collect();
        took.sort_by(f64::total_cmp);
        let asked: u64 = [&half, &rest].iter().map(|crowd| crowd.counts.asked.load(Ordering::Relaxed)).sum();
        let knocked: u64 = [&half, &rest].iter().map(|crowd| crowd.counts.knocked.load(Ordering::Relaxed)).sum();
        let refused: u64 = [&half, &rest].iter().map(|crowd| crowd.counts.refused.load(Ordering::Relaxed)).sum();
        println!("{size} guests: {asked} asks, {knocked} knocks, {refused} refusals; admitted after {took:.0?} ms");
        println!("cores: {alone:.2} without them, {with_half:.2} more with half of them, {with_all:.2} with all");
        println!("resident: {:.1} MB more with half of them, {:.1} MB with all", memory_half / 1e6, memory_all / 1e6);
        assert!(took.iter().all(|took| *took <= ADMITTED_WITHIN), "{took:?}");
        assert!(organiser.rows("reconnecting").is_empty(), "the organiser was thrown out");
        assert!(memory_all <= size as f64 * MEMORY_EACH + 8e6, "{memory_all}");
        // Twice as many cost about twice as much, and not four times.
        assert!(with_all <= with_half * 3.0 + 0.1, "{with_half} {with_all}");
        assert!(daemon.log().lines().filter(|line| line.contains("too many")).count() < 100, "one line for one cause");
    });
}
