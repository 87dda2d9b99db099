//! The service manager's watchdog (O-3), with a manager of our own: it takes READY=1 and WATCHDOG=1 at a socket, kills who does not
//! send them in time, and starts it again. Threads of the daemon are stopped from outside, by ptrace.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::daemon::Daemon;
use crate::load::{dial, report};
use crate::namespace::isolated_beside_others;
use crate::waiting::seconds;

/// `WatchdogSec=` of these scenarios; the shipped unit has 10 s.
const LIMIT: Duration = Duration::from_secs(2);

/// What systemd does for a unit with `Type=notify`, `WatchdogSec=` and `Restart=on-failure`.
struct Manager {
    socket: UnixDatagram,
    child: Child,
    /// When the daemon has said last that it goes on.
    fed: Instant,
    /// The thread of it that was stopped.
    stopped: Option<Pid>,
}

impl Manager {
    fn start(folder: &Path) -> Self {
        let path = folder.join("notify");
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket option");
        let child = Self::launch(folder);
        Self { socket, child, fed: Instant::now(), stopped: None }
    }

    fn launch(folder: &Path) -> Child {
        // WATCHDOG_PID must be the daemon's own: the shell becomes it.
        let script = format!("WATCHDOG_PID=$$ exec {} run --config conf", env!("CARGO_BIN_EXE_roomgate"));
        let mut command = Command::new("sh");
        command.args(["-c", &script]).current_dir(folder).env("NOTIFY_SOCKET", folder.join("notify"));
        command.env("WATCHDOG_USEC", LIMIT.as_micros().to_string()).env("ROOMGATE__MEDIA__WORKERS", "2");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("supervised.log")).expect("a log");
        command.stdout(Stdio::null()).stderr(log).spawn().expect("sh can be run")
    }

    /// The next word of the daemon, if one comes within a moment.
    fn word(&mut self) -> Option<String> {
        let mut buffer = [0; 1024];
        let length = self.socket.recv(&mut buffer).ok()?;
        let word = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if word.contains("WATCHDOG=1") || word.contains("READY=1") {
            self.fed = Instant::now();
        }
        Some(word)
    }

    fn until_ready(&mut self) {
        let begin = Instant::now();
        while !self.word().is_some_and(|word| word.contains("READY=1")) {
            assert!(begin.elapsed() < seconds(30), "the daemon does not become ready");
        }
    }

    /// Supervises for a while; fails if the daemon would have been killed.
    fn is_content_for(&mut self, time: Duration) {
        let begin = Instant::now();
        while begin.elapsed() < time {
            let _ = self.word();
            assert!(self.fed.elapsed() < LIMIT, "a daemon that works is fed in time");
        }
    }

    /// Supervises until the daemon is not fed in time, kills it, and starts it again; how long that took.
    fn until_killed(&mut self, folder: &Path) -> Duration {
        let begin = Instant::now();
        while self.fed.elapsed() < LIMIT {
            let _ = self.word();
            assert!(begin.elapsed() < LIMIT * 2, "a thread stands still, and the daemon says that it goes on");
        }
        let took = begin.elapsed();
        self.end();
        self.child = Self::launch(folder);
        self.fed = Instant::now();
        took
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        // Whoever traces a thread is told of its end first, and its process ends after that.
        if let Some(thread) = self.stopped.take() {
            let _ = waitpid(thread, Some(WaitPidFlag::__WALL));
            let _ = waitpid(thread, Some(WaitPidFlag::__WALL));
        }
        let _ = self.child.wait();
    }

    /// Stops one thread of the daemon, by its name.
    fn stop(&mut self, name: &str) {
        // What it has said meanwhile is not taken for news later.
        while self.word().is_some() {}
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("a running process");
        let is_meant = |path: &Path| std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name);
        let thread = tasks.filter_map(Result::ok).map(|entry| entry.path()).find(|path| is_meant(path));
        let thread = thread.unwrap_or_else(|| panic!("no thread {name}"));
        let id = thread.file_name().and_then(|id| id.to_str()).and_then(|id| id.parse().ok()).expect("a number");
        let thread = Pid::from_raw(id);
        ptrace::seize(thread, ptrace::Options::empty()).expect("a thread can be traced");
        ptrace::interrupt(thread).expect("a traced thread can be stopped");
        self.stopped = Some(thread);
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.end();
    }
}

/// A thread that stands still has the daemon killed and started again in time.
#[test]
fn o3_a_thread_that_stands_still_has_the_daemon_killed() {
    isolated_beside_others(|| {
        // For its folder; the manager runs one of its own there.
        let mut daemon = Daemon::start();
        daemon.kill();
        let folder = daemon.folder().to_owned();
        let mut manager = Manager::start(&folder);
        for thread in ["media-1", "sip"] {
            manager.until_ready();
            manager.is_content_for(LIMIT * 2);
            report(dial(&daemon, &["sip:1001@127.0.0.1"], 1));
            manager.stop(thread);
            let took = manager.until_killed(&folder);
            println!("{thread} stood still: killed after {took:?} of {LIMIT:?}");
        }
        manager.until_ready();
        report(dial(&daemon, &["sip:1001@127.0.0.1"], 1));
        let log = std::fs::read_to_string(folder.join("supervised.log")).expect("a log");
        assert!(log.contains("stuck=\"media worker 1\"") && log.contains("SIP or the control plane"), "{log}");
    });
}
