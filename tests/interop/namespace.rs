//! Every scenario runs in a network namespace of its own (`in-namespace.sh`): the test process starts itself anew in there
//! with the one test that called. So all scenarios can use the well-known ports, run side by side, and leave nothing behind.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An address inside the namespace that is not loopback.
pub const OUTER_ADDRESS: &str = "10.77.0.1";

/// Set by `in-namespace.sh` for what runs inside.
const INSIDE: &str = "ROOMGATE_NETNS";

/// Runs `scenario`, the whole body of a test, in a namespace of its own.
///
/// # Panics
/// When the scenario does, or when there can be no namespace.
pub fn isolated<F: FnOnce()>(scenario: F) {
    if std::env::var_os(INSIDE).is_some() {
        return scenario();
    }
    // The closure's type is named after the test that holds it: `interop::calls::a_phone_is_heard::{{closure}}`.
    let path = std::any::type_name::<F>();
    let test = path.split("::").skip(1).take_while(|part| !part.starts_with('{')).collect::<Vec<_>>().join("::");
    // One at a time on a machine, whatever runs the tests: sound that is late because of a neighbour would fail them.
    let turn = File::create(std::env::temp_dir().join("roomgate-interop.lock")).expect("a lock file");
    turn.lock().expect("the lock can be had");
    let binary = std::env::current_exe().expect("the path of this test binary");
    let output = Command::new(folder().join("in-namespace.sh"))
        .arg(binary)
        .args([&test, "--exact", "--nocapture", "--test-threads=1"])
        .output()
        .expect("in-namespace.sh can be run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    println!("{text}");
    assert!(output.status.success(), "{test}: failed inside its namespace ({})", output.status);
    assert!(text.contains("1 passed"), "{test}: nothing was run inside the namespace");
}

/// `tests/interop` of the source tree.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

/// Where `tests/setup.sh` puts what no Debian package has: `.setup`, or `$ROOMGATE_SETUP`.
pub fn setup_folder() -> PathBuf {
    std::env::var_os("ROOMGATE_SETUP").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup"), PathBuf::from)
}

/// The full path of a peer's program.
///
/// # Panics
/// With the command that installs it, when it is missing: a scenario is never skipped in silence.
pub fn program(name: &str) -> PathBuf {
    let own = setup_folder().join("venv/bin").join(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(own)
        .chain(std::env::split_paths(&path).map(|folder| folder.join(name)))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed; run: tests/setup.sh"))
}
