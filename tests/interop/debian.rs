//! A machine to install on: a bare Debian 12 under its own systemd (`in-debian.sh`), on the scenario's network; and the package.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::namespace::{folder as sources, setup_folder};
use crate::process::Process;
use crate::waiting::{eventually, seconds};

/// How long a command may take, in s. None takes as long, a drain to its end (`limits.drain`) apart.
pub(crate) const PATIENCE: &str = "150";

/// A running Debian. Dropped, it is gone with all that was written in it.
#[derive(Debug)]
pub(crate) struct Debian {
    /// Its systemd, as the scenario sees it.
    init: u32,
    _process: Process,
    folder: TempDir,
}

impl Debian {
    /// Boots it, which takes about a second.
    pub(crate) fn boot() -> Self {
        let root = setup_folder().join("debian");
        assert!(root.join(".wanted").exists(), "there is no Debian; run: tests/setup.sh");
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("debian");
        std::fs::create_dir(&inside).expect("a folder");
        let mut command = Command::new(sources().join("in-debian.sh"));
        let mut process = Process::start(command.arg(root).arg(inside), &folder.path().join("debian.log"), false);
        let unshare = process.child.id();
        let init = eventually(seconds(20), "systemd is started", || {
            assert!(process.exit_code().is_none(), "it has ended: {}", process.log());
            let children = std::fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).ok()?;
            let init = children.split_whitespace().next()?.parse().ok()?;
            std::fs::read_to_string(format!("/proc/{init}/comm")).is_ok_and(|name| name == "systemd\n").then_some(init)
        });
        let debian = Self { init, _process: process, folder };
        eventually(seconds(30), "systemd is up", || {
            let state = debian.run("systemctl is-system-running");
            ["running\n", "degraded\n"].iter().any(|up| state.stdout == up.as_bytes()).then_some(())
        });
        debian
    }

    /// A command of a shell of the machine's root, to be run or changed; 124 is its status when it has not ended after [`PATIENCE`].
    pub(crate) fn command(&self, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args([
            "--target",
            &self.init.to_string(),
            "--mount",
            "--pid",
            "--cgroup",
            "--uts",
            "--ipc",
            "--root",
            "--wdns=/root",
        ]);
        command.args(["env", "-i", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]);
        command.arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.args(["timeout", "--kill-after=5", PATIENCE, "bash", "-c", script]);
        command
    }

    /// What has become of such a command.
    pub(crate) fn run(&self, script: &str) -> Output {
        self.command(script).output().expect("a command can be run inside")
    }

    /// What it prints. It must not fail.
    pub(crate) fn says(&self, script: &str) -> String {
        let output = self.run(script);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{script}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// A file of the machine, as the scenario sees it.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.init))
    }

    /// Writes a file that everybody there may read.
    pub(crate) fn write(&self, inside: &str, text: &str) {
        let path = self.path(inside);
        std::fs::write(&path, text).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("its mode");
    }

    /// Installs a package, or another version of it, without a question; what apt prints.
    pub(crate) fn install(&self, package: &Path) -> String {
        let name = package.file_name().expect("a file's name").to_string_lossy();
        std::fs::copy(package, self.path(&format!("/root/{name}"))).expect("a copy");
        self.says(&format!("apt-get install -y --no-install-recommends ./{name} 2>&1"))
    }

    /// The log of the service since the machine was booted.
    pub(crate) fn journal(&self) -> String {
        self.says("journalctl --no-pager -u roomgate")
    }

    /// For the files of a scenario's peers.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// As one word of a shell.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Makes a package of the binary under test, with that version.
///
/// # Panics
/// When cargo-deb does not.
pub(crate) fn package(version: &str, folder: &Path) -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_roomgate"));
    let built = binary.parent().expect("a folder of a profile");
    let profile = if built.ends_with("debug") { "dev" } else { "release" };
    let file = folder.join(format!("roomgate_{version}.deb"));
    let mut command = Command::new(setup_folder().join("bin/cargo-deb"));
    command.args([
        "--no-build",
        "--fast",
        "--quiet",
        "--locked",
        "--strip",
        "--profile",
        profile,
        "--deb-version",
        version,
        "--output",
    ]);
    command.arg(&file).current_dir(env!("CARGO_MANIFEST_DIR"));
    // What it strips is a file of the build folder, and another scenario may make a package at this moment.
    command.env("CARGO_BUILD_BUILD_DIR", folder.join("build"));
    command.env("CARGO_NET_OFFLINE", "true").env("CARGO_TARGET_DIR", built.parent().expect("the target folder"));
    let made = command.output().unwrap_or_else(|error| panic!("cargo-deb: {error}; run: tests/setup.sh"));
    assert!(made.status.success() && file.exists(), "{}", String::from_utf8_lossy(&made.stderr));
    file
}
