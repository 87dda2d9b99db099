//! The endpoint and Kamailio answer the same calls of SIPp one after the other: INVITE, 200 with a session description, ACK, BYE, 200.
//! Neither has media, records or meetings; both keep transactions. What is compared is the CPU time of a call.

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use roomgate::net::udp::System;
use roomgate::sip::{self, Event, Limits, Settings, Transport, Trusted};

const OURS: u16 = 35_070;
const THEIRS: u16 = 35_080;
const CALLS: u32 = 6_000;
const RATE: u32 = 300;
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\n\
    a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n";

/// As a UAS that keeps transactions: one process for UDP.
const KAMAILIO: &str = r#"#!KAMAILIO
debug=-1
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.1:35080
mpath="MODULES"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
request_route {
    if (is_method("ACK")) exit;
    t_newtran();
    if (is_method("INVITE")) {
        set_reply_body("DESCRIPTION", "application/sdp");
        append_to_reply("Contact: <sip:pbx@127.0.0.1:35080>\r\n");
    }
    t_reply("200", "OK");
    exit;
}
"#;

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

/// CPU time of these threads so far.
fn spent(tasks: &[PathBuf]) -> Duration {
    let read = |task: &PathBuf| {
        let text = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
    };
    Duration::from_nanos(tasks.iter().map(read).sum())
}

/// Every thread of a process and of its children.
fn family(parent: u32) -> Vec<PathBuf> {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    let mut all = threads(&format!("/proc/{parent}/task"));
    all.extend(children.split_whitespace().filter_map(|child| child.parse().ok()).flat_map(family));
    all
}

fn threads(folder: &str) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
        .unwrap_or_default()
}

/// Answers every call, on a thread of its own; gives that thread as the system names it.
fn endpoint() -> (JoinHandle<()>, PathBuf) {
    let (says, hears) = channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let limits = Limits { max_calls: 10_000, transactions: 100_000, ..Limits::default() };
        let settings = Settings { limits, trusted: Trusted::new(|_| true), seed: [7; 32], ..Settings::default() };
        let addr = SocketAddr::from(([127, 0, 0, 1], OURS));
        let listener = sip::Listener { name: "bench".to_owned(), transport: Transport::Udp, addr, tls: None };
        runtime.block_on(async move {
            let mut running = sip::start(Arc::new(System), settings, vec![listener]).await.expect("a listener");
            let own = std::fs::read_link("/proc/thread-self").expect("a thread");
            says.send(Path::new("/proc").join(own)).expect("somebody waits");
            let mut ended = 0;
            while let Some(event) = running.events.recv().await {
                match event {
                    Event::Incoming(incoming) => {
                        running.handle.send(sip::Command::Answer { call: incoming.call, sdp: SDP.to_owned() }).await;
                    }
                    Event::Ended { .. } => ended += 1,
                    _ => {}
                }
                if ended == CALLS {
                    return;
                }
            }
        });
    });
    let own = hears.recv().expect("it listens");
    (thread, own)
}

fn modules() -> Option<String> {
    let architectures = std::fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let folder = architectures.map(|path| path.join("kamailio/modules")).find(|path| path.is_dir())?;
    Some(folder.display().to_string())
}

fn kamailio(folder: &Path) -> Option<Process> {
    let text = KAMAILIO.replace("MODULES", &modules()?).replace("DESCRIPTION", &SDP.replace("\r\n", "\\r\\n"));
    std::fs::write(folder.join("kamailio.cfg"), text).ok()?;
    let mut command = Command::new("kamailio");
    command.args(["-DD", "-E", "-m", "64", "-M", "8", "-f"]).arg(folder.join("kamailio.cfg"));
    command.arg("-Y").arg(folder).arg("-P").arg(folder.join("pid"));
    Some(Process(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?))
}

/// Whether somebody answers OPTIONS there within some seconds.
fn answers(port: u16) -> bool {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(("127.0.0.1", port)).expect("an address");
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket option");
    let (local, began) = (socket.local_addr().expect("an address"), Instant::now());
    let options = format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bKbench\r\nMax-Forwards: 70\r\n\
         From: <sip:bench@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: bench\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    while began.elapsed() < Duration::from_secs(5) {
        // Refused as long as nobody listens.
        let _ = socket.send(options.as_bytes());
        if socket.recv(&mut [0; 2048]).is_ok() {
            return true;
        }
    }
    false
}

/// The CPU time of a call, in microseconds; `None` when a call failed.
fn measure(port: u16, tasks: &[PathBuf], folder: &Path) -> Option<f64> {
    let before = spent(tasks);
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/sipp/burst.xml");
    let (rate, calls, local) = (RATE.to_string(), CALLS.to_string(), (port + 5).to_string());
    let status = Command::new("sipp")
        .arg("-sf")
        .arg(scenario)
        .args([
            "-s",
            "1001",
            &format!("127.0.0.1:{port}"),
            "-i",
            "127.0.0.1",
            "-p",
            &local,
            "-r",
            &rate,
            "-m",
            &calls,
            "-nostdin",
        ])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .ok()?;
    status.success().then(|| (spent(tasks) - before).as_secs_f64() * 1e6 / f64::from(CALLS))
}

pub(crate) fn print() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(theirs) = kamailio(folder.path()).filter(|_| answers(THEIRS)) else {
        println!("beside Kamailio: not measured, it is not installed or does not start (tests/setup.sh installs it)");
        return;
    };
    let their_time = measure(THEIRS, &family(theirs.0.id()), folder.path());
    drop(theirs);
    let (thread, own) = endpoint();
    let our_time = measure(OURS, &[own], folder.path());
    match (our_time, their_time) {
        (Some(ours), Some(theirs)) => {
            println!("{ours:>10.1}  {theirs:>10.1}  {:>6.2}  CPU of a call: endpoint with its sockets / Kamailio", ours / theirs);
            thread.join().expect("the endpoint ends after its last call");
        }
        failed => println!("beside Kamailio: not measured, SIPp's calls failed: {failed:?}"),
    }
}
