//! The daemon as shipped, with nothing to do: how soon it answers, and what it takes.

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SIP: u16 = 35_060;

/// Ends with the benchmark, however that ends.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(state: &Path) -> Daemon {
    let sip = SIP.to_string();
    let child = Command::new(env!("CARGO_BIN_EXE_roomgate"))
        .args(["run", "--config"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("conf"))
        .env("ROOMGATE__STORE__DIRECTORY", state)
        .envs([("ROOMGATE__SIP__LISTEN__UDP__PORT", &sip), ("ROOMGATE__SIP__LISTEN__TCP__PORT", &sip)])
        .envs([("ROOMGATE__HTTP__PORT", "38080"), ("ROOMGATE__MEDIA__WEBRTC_PORT", "38189")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the daemon starts");
    Daemon(child)
}

/// Asks until it answers, every millisecond.
fn first_answer(began: Instant) -> Duration {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(("127.0.0.1", SIP)).expect("an address");
    socket.set_read_timeout(Some(Duration::from_millis(1))).expect("a socket option");
    let local = socket.local_addr().expect("an address");
    let mut buffer = [0; 2048];
    for number in 0.. {
        let options = format!(
            "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\n\
             From: <sip:bench@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: bench\r\nCSeq: {number} OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        // Refused as long as nobody listens.
        let _ = socket.send(options.as_bytes());
        if socket.recv(&mut buffer).is_ok_and(|length| buffer[..length].starts_with(b"SIP/2.0 200")) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "no answer");
    }
    began.elapsed()
}

fn proc(daemon: &Daemon, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{}/{file}", daemon.0.id())).expect("it runs")
}

/// Resident memory in MB (10⁶ bytes).
fn resident(daemon: &Daemon) -> f64 {
    let status = proc(daemon, "status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a figure");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a figure") * 1024.0 / 1e6
}

/// CPU time so far, in clock ticks of 10 ms.
fn ticks(daemon: &Daemon) -> u64 {
    let stat = proc(daemon, "stat");
    let fields: Vec<_> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum()
}

pub(crate) fn print() {
    let mut answers: Vec<Duration> = Vec::new();
    let (mut memory, mut idle) = (0.0_f64, 0.0_f64);
    for _ in 0..5 {
        let state = tempfile::tempdir().expect("a folder");
        let began = Instant::now();
        let daemon = start(state.path());
        answers.push(first_answer(began));
        std::thread::sleep(Duration::from_secs(2));
        let (before, since) = (ticks(&daemon), Instant::now());
        std::thread::sleep(Duration::from_secs(3));
        idle = idle.max((ticks(&daemon) - before) as f64 / since.elapsed().as_secs_f64());
        memory = memory.max(resident(&daemon));
    }
    answers.sort_unstable();
    println!("first 200 to OPTIONS after start: {:?} (median of 5; longest {:?})", answers[2], answers[4]);
    println!("idle daemon: {memory:.1} MB resident, {idle:.1} % of a core (highest of 5)");
}
