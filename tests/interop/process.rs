//! A program that a scenario started: its output goes to a file, and it ends with the scenario.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running program. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Process {
    /// For its pipes, where it has any.
    pub(crate) child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it with standard error, and standard output unless `command` pipes it, in the file `log`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub(crate) fn start(command: &mut Command, log: &Path, piped: bool) -> Self {
        let file = File::create(log).expect("a log file");
        if piped {
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
        } else {
            command.stdin(Stdio::null()).stdout(file.try_clone().expect("a second handle"));
        }
        let child = command.stderr(file).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Where its log is.
    pub(crate) fn folder(&self) -> &Path {
        self.log.parent().expect("a log is in a folder")
    }

    /// `None` while it runs.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.try_wait().expect("a child can be asked").map(|status| status.code().unwrap_or(-1))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}
