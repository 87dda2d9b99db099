//! The daemon under test: the real binary with the demo's configuration as shipped, and a drop-in for what a test needs else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::audio::Sound;
use crate::namespace::{OUTER_ADDRESS, program};
use crate::process::Process;
use crate::waiting::{eventually, seconds};

/// The passcode of the meeting `board` as shipped.
pub(crate) const BOARD_PASSCODE: &str = "4321";
/// The organiser's PIN that these tests give the meeting `demo`.
pub(crate) const DEMO_PIN: &str = "8642";

/// Where its pages and its API are, unless they are on https.
pub(crate) const PAGES: &str = "127.0.0.1:8080";

/// A running daemon with its own configuration and state. Dropped, it is killed and both are removed.
#[derive(Debug)]
pub(crate) struct Daemon {
    process: Process,
    folder: TempDir,
}

impl Daemon {
    /// Starts the demo: SIP on port 5060, pages on http://127.0.0.1:8080.
    pub(crate) fn start() -> Self {
        Self::with("[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n")
    }

    /// Starts the demo with sessions that may be as short as 4 s (RFC 4028 wants 90 s at least), so that refreshes can be seen.
    /// `expires` is what it asks for itself.
    pub(crate) fn start_with_short_sessions(expires: &str) -> Self {
        let sip = format!("[sip]\nsession_min = \"4s\"\nsession_expires = \"{expires}\"\n");
        Self::with(&format!("[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n{sip}"))
    }

    /// Starts the demo with its pages on https, at an address that is not loopback.
    pub(crate) fn start_with_https() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let certificate = Self::certificate(folder.path());
        let daemon = Self::with(&format!(
            "[media]\nwebrtc_addresses = [\"{OUTER_ADDRESS}\"]\n\
             [http]\naddress = \"{OUTER_ADDRESS}\"\nport = 8443\ntls = {{ certificate = \"{}\", key = \"{}\" }}\n",
            certificate.display(),
            folder.path().join("key.pem").display()
        ));
        // A daemon may read its certificate anew at any time: it stays as long as the daemon's own folder.
        let _ = folder.keep();
        daemon
    }

    /// A new self-signed certificate for this machine in `folder`, with its key in `key.pem` beside it.
    pub(crate) fn certificate(folder: &Path) -> PathBuf {
        let certificate = folder.join("certificate.pem");
        let made = Command::new(program("openssl"))
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=roomgate", "-addext", &format!("subjectAltName=IP:{OUTER_ADDRESS}"), "-keyout"])
            .arg(folder.join("key.pem"))
            .arg("-out")
            .arg(&certificate)
            .output()
            .expect("openssl can be run");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        certificate
    }

    /// Starts the demo with other settings over it.
    pub(crate) fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (conf, state) = (folder.path().join("conf"), folder.path().join("state"));
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
        std::fs::create_dir_all(conf.join("roomgate.d")).expect("a folder");
        std::fs::create_dir_all(&state).expect("a folder");
        std::fs::copy(shipped.join("roomgate.toml"), conf.join("roomgate.toml")).expect("the demo's configuration");
        std::os::unix::fs::symlink(shipped.join("prompts"), conf.join("prompts")).expect("a link");
        let drop_in = format!(
            "[store]\ndirectory = \"{state}\"\n[meeting.demo]\norganiser_pin = \"{DEMO_PIN}\"\n{settings}",
            state = state.display()
        );
        std::fs::write(conf.join("roomgate.d/test.toml"), drop_in).expect("a drop-in");
        let process = Self::launch(folder.path());
        Self { process, folder }
    }

    /// Starts it anew with the state it has left.
    pub(crate) fn start_again(&mut self) {
        self.process = Self::launch(self.folder.path());
    }

    /// Starts it anew on another day, such as `+31d`.
    pub(crate) fn start_again_on(&mut self, day: &str) {
        let mut command = Self::with_another_clock();
        command.env("FAKETIME", day);
        self.process = Self::launch_with(command, self.folder.path());
    }

    fn with_another_clock() -> Command {
        let folders = std::fs::read_dir("/usr/lib").expect("readable").filter_map(Result::ok);
        let library = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
        let mut command = Command::new(env!("CARGO_BIN_EXE_roomgate"));
        command.env("LD_PRELOAD", library.expect("libfaketime is installed")).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    }

    /// Starts it anew with a clock that follows what a file says, such as `+1h`, from moment to moment.
    pub(crate) fn start_again_by_clock(&mut self, clock: &Path) {
        let mut command = Self::with_another_clock();
        command.env("FAKETIME_TIMESTAMP_FILE", clock).env("FAKETIME_NO_CACHE", "1");
        self.process = Self::launch_with(command, self.folder.path());
    }

    /// Starts it anew with another state directory.
    pub(crate) fn start_again_in(&mut self, state: &Path) {
        self.configure(&format!("[store]\ndirectory = \"{}\"\n", state.display()));
        let link = self.folder.path().join("state");
        std::fs::remove_dir_all(&link).expect("a folder");
        std::os::unix::fs::symlink(state, link).expect("a link");
        self.process = Self::launch(self.folder.path());
    }

    /// The records of calls that have ended, the newest first.
    pub(crate) fn records(&self) -> Vec<Value> {
        let answer = self.get("/api/v1/records");
        answer["records"].as_array().unwrap_or_else(|| panic!("no list of records: {answer}")).clone()
    }

    fn launch(folder: &Path) -> Process {
        Self::launch_with(Command::new(env!("CARGO_BIN_EXE_roomgate")), folder)
    }

    fn launch_with(mut command: Command, folder: &Path) -> Process {
        // Three workers on any machine: calls are then moved between workers.
        command.args(["run", "--config"]).arg(folder.join("conf")).current_dir(folder).env("ROOMGATE__MEDIA__WORKERS", "3");
        let mut process = Process::start(&mut command, &folder.join("daemon.log"), false);
        eventually(seconds(30), "the daemon says what to dial", || {
            assert!(process.exit_code().is_none(), "the daemon has ended: {}", process.log());
            process.log().lines().any(|line| line.trim_start().starts_with("dial sip:")).then_some(())
        });
        process
    }

    /// For the files of a scenario's peers.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.process.child.kill().expect("a child can be killed");
        self.process.child.wait().expect("a child that was killed ends");
    }

    /// Asks it to stop (SIGTERM); its exit status.
    pub(crate) fn stop(&mut self) -> i32 {
        let id = self.process.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().expect("kill can be run");
        self.ends()
    }

    /// Waits until it has ended; its exit status.
    pub(crate) fn ends(&mut self) -> i32 {
        eventually(seconds(20), "the daemon ends", || self.process.exit_code())
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.child.id()
    }

    /// What it has printed and logged.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Whether these digits are anywhere in the log, not as a part of a longer number.
    pub(crate) fn has_logged(&self, digits: &str) -> bool {
        let log = self.log();
        // Within a longer number, or within a random name, they are not what was pressed.
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        log.match_indices(digits).any(|(at, _)| {
            let bytes = log.as_bytes();
            !digit(at.checked_sub(1).and_then(|before| bytes.get(before))) && !digit(bytes.get(at + digits.len()))
        })
    }

    /// A link that makes its holder a member of the meeting.
    pub(crate) fn link(&self, meeting: &str, organiser: bool) -> String {
        let role: &[&str] = if organiser { &["--as", "organiser"] } else { &[] };
        let text = self.command(&[&["link", meeting], role].concat());
        text.split_whitespace().find(|word| word.starts_with("http")).expect("a link").to_owned()
    }

    /// How it is, as `roomgate status --json` tells.
    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.command(&["status", "--json"])).expect("JSON")
    }

    /// What another command of the product prints, run beside the daemon with its configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        self.command_with(arguments, &[])
    }

    /// The same, with more environment.
    pub(crate) fn command_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let output = self.run(arguments, environment);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// What a command complains about that must fail.
    pub(crate) fn complaint(&self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let output = self.run(arguments, environment);
        assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roomgate"));
        command.args(arguments).arg("--config").arg(self.folder.path().join("conf")).current_dir(self.folder.path());
        command.envs(environment.iter().copied()).output().expect("roomgate can be run")
    }

    /// The ledger of notices (N-8).
    pub(crate) fn notices(&self) -> Vec<Value> {
        let answer = self.get("/api/v1/notices");
        answer["notices"].as_array().unwrap_or_else(|| panic!("no list of notices: {answer}")).clone()
    }

    /// Contacts of registered devices.
    pub(crate) fn devices(&self) -> Vec<Value> {
        let answer = self.get("/api/v1/devices");
        answer["devices"].as_array().unwrap_or_else(|| panic!("no list of devices: {answer}")).clone()
    }

    /// Who has the chat sent by SMS.
    pub(crate) fn subscriptions(&self) -> Vec<Value> {
        let answer = self.get("/api/v1/relay/subscriptions");
        answer["subscriptions"].as_array().unwrap_or_else(|| panic!("no list of subscriptions: {answer}")).clone()
    }

    /// The copies of the chat.
    pub(crate) fn chats(&self) -> Vec<Value> {
        let answer = self.get("/api/v1/chats");
        answer["chats"].as_array().unwrap_or_else(|| panic!("no list of chats: {answer}")).clone()
    }

    /// Changes its settings; it takes them at its next start or reload.
    pub(crate) fn configure(&self, settings: &str) {
        std::fs::write(self.folder.path().join("conf/roomgate.d/z.toml"), settings).expect("a drop-in");
    }

    /// What is on its way by SMS.
    pub(crate) fn outbox(&self) -> Value {
        self.get("/api/v1/relay/outbox")
    }

    /// Whether each message of the outbox was accepted.
    pub(crate) fn has_sent_all(&self) -> bool {
        self.outbox()["parcels"].as_array().is_some_and(|parcels| parcels.iter().all(|parcel| parcel["state"] == "accepted"))
    }

    /// Calls a device into a meeting, as the operator.
    pub(crate) fn invite(&self, meeting: &str, device: &str) {
        let called = self.ask("POST", &format!("/api/v1/meetings/{meeting}/invite"), &json!({ "device": device }).to_string());
        assert!(called["call"].is_string(), "{called}");
    }

    /// An answer of the API, as the operator.
    pub(crate) fn get(&self, path: &str) -> Value {
        self.ask("GET", path, "")
    }

    /// The same, of any kind.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        ask(&self.token_file(), method, path, body)
    }

    fn token_file(&self) -> PathBuf {
        self.folder.path().join("state/api-token")
    }

    /// The operator's token.
    pub(crate) fn token(&self) -> String {
        let token = std::fs::read_to_string(self.token_file()).expect("the operator's token");
        token.trim().to_owned()
    }

    /// Status, head and body of an answer of the API, as the operator. `headers`: whole lines.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
        request(&self.token_file(), method, path, headers, body)
    }

    /// The finished recordings.
    pub(crate) fn recordings(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.folder.path().join("state/recordings")];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "ogg" || extension == "opus") {
                    found.push(path);
                }
            }
        }
        found
    }

    /// Plays a recording as anybody would, with ffmpeg.
    pub(crate) fn play(&self, recording: &Path) -> Sound {
        let wav = self.folder.path().join("recording.wav");
        let played = Command::new(program("ffmpeg"))
            .args(["-v", "error", "-y", "-i"])
            .arg(recording)
            .args(["-ac", "1", "-ar", "48000", "-c:a", "pcm_s16le"])
            .arg(&wav)
            .output()
            .expect("ffmpeg can be run");
        assert!(played.status.success(), "{}", String::from_utf8_lossy(&played.stderr));
        Sound::read(&wav).expect("a recording")
    }
}

/// An answer of the API to whoever holds the operator's token.
pub(crate) fn ask(token: &Path, method: &str, path: &str, body: &str) -> Value {
    let (status, _, body) = request(token, method, path, "", body);
    assert!((200..300).contains(&status), "{method} {path}: {status} {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{method} {path}: {error}: {body}"))
}

/// Status, head and body.
fn request(token: &Path, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
    let token = std::fs::read_to_string(token).expect("the operator's token");
    let mut stream = TcpStream::connect(PAGES).expect("the API listens");
    stream.set_read_timeout(Some(seconds(10))).expect("a socket option");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {PAGES}\r\nAuthorization: Bearer {}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        token.trim(),
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no status: {head}")), head.to_owned(), body.to_owned())
}
