//! Every scenario runs in a network namespace of its own (`in-namespace.sh`): the test process starts itself anew in there
//! with the one test that called. So all scenarios can use the well-known ports, run side by side, and leave nothing behind.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// An address inside the namespace that is not loopback.
pub(crate) const OUTER_ADDRESS: &str = "10.77.0.1";

/// Set by `in-namespace.sh` for what runs inside.
const INSIDE: &str = "ROOMGATE_NETNS";

/// Runs `scenario`, the whole body of a test, in a namespace of its own.
///
/// # Panics
/// When the scenario does, or when there can be no namespace.
pub(crate) fn isolated<F: FnOnce()>(scenario: F) {
    enter(scenario, Turn::Alone, || Command::new(folder().join("in-namespace.sh")));
}

/// The same for a scenario in which nobody listens closely, so that it may run beside others of its kind: it mostly waits.
///
/// # Panics
/// When the scenario does, or when there can be no namespace.
pub(crate) fn isolated_beside_others<F: FnOnce()>(scenario: F) {
    enter(scenario, Turn::BesideOthers, || Command::new(folder().join("in-namespace.sh")));
}

/// Who else may run meanwhile.
enum Turn {
    /// Nobody: sound that is late because of a neighbour would fail the scenario.
    Alone,
    /// Those that take their turns in this way too.
    BesideOthers,
}

/// As root, by sudo where this is somebody else: for a machine of its own inside, with users of its own.
///
/// # Panics
/// When the scenario does, or when there can be no namespace.
pub(crate) fn isolated_as_root<F: FnOnce()>(scenario: F) {
    enter(scenario, Turn::Alone, as_root);
}

/// The same for a scenario that may run beside others.
///
/// # Panics
/// When the scenario does, or when there can be no namespace.
pub(crate) fn isolated_as_root_beside_others<F: FnOnce()>(scenario: F) {
    enter(scenario, Turn::BesideOthers, as_root);
}

fn as_root() -> Command {
    use std::os::unix::fs::MetadataExt as _;
    let script = folder().join("in-namespace.sh");
    if std::fs::metadata("/proc/self").expect("proc is mounted").uid() == 0 {
        return Command::new(script);
    }
    let mut sudo = Command::new("sudo");
    let kept = ["HOME", "PATH", "ROOMGATE_SETUP"].into_iter();
    let kept = kept.filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?)));
    sudo.args(["-n", "env"]).args(kept).arg(script);
    sudo
}

fn enter<F: FnOnce()>(scenario: F, turn: Turn, script: impl FnOnce() -> Command) {
    if std::env::var_os(INSIDE).is_some() {
        return scenario();
    }
    // The closure's type is named after the test that holds it: `interop::calls::a_phone_is_heard::{{closure}}`.
    let path = std::any::type_name::<F>();
    let test = path.split("::").skip(1).take_while(|part| !part.starts_with('{')).collect::<Vec<_>>().join("::");
    // On a machine, whatever runs the tests; given back when this is dropped.
    let lock = File::create(std::env::temp_dir().join("roomgate-interop.lock")).expect("a lock file");
    let had = match turn {
        Turn::Alone => lock.lock(),
        Turn::BesideOthers => lock.lock_shared(),
    };
    had.expect("the lock can be had");
    let binary = std::env::current_exe().expect("the path of this test binary");
    let mut command = script();
    command.arg(binary).args([&test, "--exact", "--nocapture", "--test-threads=1"]);
    let (status, text) = passed_on(command);
    assert!(status.success(), "{test}: failed inside its namespace ({status})");
    assert!(text.contains("1 passed"), "{test}: nothing was run inside the namespace");
}

/// Runs a command whose lines are printed as they come: of a scenario that hangs they are all there is.
fn passed_on(mut command: Command) -> (ExitStatus, String) {
    let (lines, writer) = std::io::pipe().expect("a pipe");
    command.stdout(writer.try_clone().expect("a descriptor")).stderr(writer);
    let mut child = command.spawn().expect("in-namespace.sh can be run");
    // It holds the ends that are written to.
    drop(command);
    let mut text = String::new();
    let mut reader = BufReader::new(lines);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).expect("a pipe can be read") > 0 {
        let printed = String::from_utf8_lossy(&line);
        print!("{printed}");
        text.push_str(&printed);
        line.clear();
    }
    (child.wait().expect("it can be waited for"), text)
}

/// `tests/interop` of the source tree.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

/// Where `tests/setup.sh` puts what no Debian package has: `.setup`, or `$ROOMGATE_SETUP`.
pub(crate) fn setup_folder() -> PathBuf {
    std::env::var_os("ROOMGATE_SETUP").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup"), PathBuf::from)
}

/// The full path of a peer's program.
///
/// # Panics
/// With the command that installs it, when it is missing: a scenario is never skipped in silence.
pub(crate) fn program(name: &str) -> PathBuf {
    let own = setup_folder().join("venv/bin").join(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(own)
        .chain(std::env::split_paths(&path).map(|folder| folder.join(name)))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed; run: tests/setup.sh"))
}
