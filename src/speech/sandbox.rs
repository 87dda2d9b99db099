//! Where the speech program runs: what a text of a stranger could make of it reaches neither what the daemon keeps nor its network.
//!
//! An empty environment and an empty directory of its own, a process group that is ended as a whole, limits of memory, time and files,
//! none of our descriptors but its three pipes, and, where the kernel has Landlock, no file to write outside of that directory, none to read
//! of those that are hidden, no TCP and no signal to others.
#![allow(clippy::disallowed_methods, reason = "part of a driver: it starts programs")]

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError,
    RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// The newest interface that is asked for; older kernels give what they have.
const INTERFACE: ABI = ABI::V6;
/// Limits of the program: octets of memory and of a file, seconds of processor, open files; and no core dump.
const LIMITS: [(Resource, u64); 5] =
    [(Resource::As, 4 << 30), (Resource::Fsize, 64 << 20), (Resource::Cpu, 40), (Resource::Nofile, 256), (Resource::Core, 0)];

/// A program that was started. Dropped, it is ended with all that it has started.
pub(super) struct Confined {
    pub(super) child: Child,
    group: Option<Pid>,
    /// Removed with it.
    _folder: TempDir,
}

impl Drop for Confined {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // All that is left of it, if anything is.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Starts a program with these arguments; what is `hidden`, it cannot read.
pub(super) async fn start(program: &Path, arguments: Vec<String>, hidden: Arc<[PathBuf]>) -> io::Result<Confined> {
    let folder = tempfile::Builder::new().prefix("roomgate-speech-").tempdir()?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir(folder.path()).process_group(0).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let (runtime, own, program) = (tokio::runtime::Handle::current(), folder.path().to_owned(), program.to_owned());
    let (started, result) = oneshot::channel();
    // What restricts a thread restricts what it starts, and cannot be taken back: the thread ends with it.
    std::thread::Builder::new().name("speech".to_owned()).spawn(move || {
        let _runtime = runtime.enter();
        let child = confine(&own, &program, &hidden).map_err(io::Error::other).and_then(|status| {
            if status == RulesetStatus::NotEnforced {
                tracing::debug!("this kernel has no Landlock: the speech program is not kept from the daemon's files");
            }
            command.spawn()
        });
        // Who does not wait any more does not want it, and it ends.
        let _ = started.send(child);
    })?;
    let child = result.await.map_err(io::Error::other)??;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    for (resource, most) in LIMITS {
        // One that is forbidden here is none; the others hold. Without a process it would be our own.
        let _ = group.map(|group| prlimit(Some(group), resource, Rlimit { current: Some(most), maximum: Some(most) }));
    }
    Ok(Confined { child, group, _folder: folder })
}

/// Restricts this thread, and whatever it starts from now on.
fn confine(own: &Path, program: &Path, hidden: &[PathBuf]) -> Result<RulesetStatus, RulesetError> {
    let (read, all) = (AccessFs::from_read(INTERFACE), AccessFs::from_all(INTERFACE));
    let mut ruleset = Ruleset::default()
        .handle_access(all)?
        .handle_access(AccessNet::from_all(INTERFACE))?
        .scope(Scope::from_all(INTERFACE))?
        .create()?
        .add_rules(path_beneath_rules(["/dev/null"], AccessFs::ReadFile | AccessFs::WriteFile))?
        // Also where it lies beside what it is not to see.
        .add_rules(path_beneath_rules([program], read))?
        .add_rules(path_beneath_rules(besides(hidden), read))?;
    if let Ok(own) = PathFd::new(own) {
        ruleset = ruleset.add_rule(PathBeneath::new(own, all))?;
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

/// Everything but these: Landlock allows what lies beneath a directory, and cannot take a part of it out again.
fn besides(hidden: &[PathBuf]) -> Vec<PathBuf> {
    let (mut allowed, mut open) = (Vec::new(), vec![PathBuf::from("/")]);
    while let Some(directory) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            // What a link leads to is allowed, or not, where it is.
            if hidden.contains(&entry) || entry.is_symlink() {
                continue;
            }
            let holds = hidden.iter().any(|path| path.starts_with(&entry));
            if holds { &mut open } else { &mut allowed }.push(entry);
        }
    }
    allowed
}
