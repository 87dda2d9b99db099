//! `roomgate ledger verify` (N-8, U-1): reads the ledger beside a daemon that runs, or without one, and holds it against published heads.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use crate::cli::{ExitStatus, LedgerVerifyArgs};
use crate::config::Settings;
use crate::store::{self, LedgerHead, VerifyError};

/// The longest file of heads that is read.
const LONGEST: u64 = 1 << 30;
/// Exit status of a ledger that does not hold together.
const BROKEN: u8 = 1;

/// The command: prints what was found.
#[must_use]
pub fn verify(settings: &Settings, args: &LedgerVerifyArgs) -> ExitCode {
    let mut heads = Vec::new();
    for path in &args.heads {
        match read(path) {
            Ok(found) if found.is_empty() => {
                print_error(format_args!("{}: no head of a ledger is in this file", path.display()));
                return ExitStatus::Unavailable.into();
            }
            Ok(found) => heads.extend(found),
            Err(error) => {
                print_error(format_args!("{}: {error}", path.display()));
                return ExitStatus::Unavailable.into();
            }
        }
    }
    let directory = &settings.store.directory;
    match store::verify(directory, &directory.join("keys"), &heads) {
        Ok(verified) => {
            print_line(format_args!(
                "the ledger in {} is whole: {} lines, {} epochs",
                directory.display(),
                verified.head.count,
                verified.epochs
            ));
            match heads.iter().map(|head| head.count).max() {
                Some(last) => print_line(format_args!(
                    "{} heads from elsewhere fit; the last one vouches for every line up to {last}",
                    heads.len()
                )),
                None => print_line(format_args!(
                    "without heads from elsewhere (--heads FILE) it cannot be told whether all of it was written anew, or cut off at its end"
                )),
            }
            print_line(format_args!("head {}", verified.head));
            ExitStatus::Clean.into()
        }
        Err(VerifyError::Broken(broken)) => {
            print_error(format_args!("{}: {broken}", directory.display()));
            print_error(format_args!(
                "the lines before it are as they were written; keep a copy of the directory before anything else"
            ));
            BROKEN.into()
        }
        Err(VerifyError::Store(error)) => {
            print_error(format_args!("{}: {error} (run this as the daemon's own user or as root)", directory.display()));
            ExitStatus::Unavailable.into()
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<LedgerHead>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(store::read_heads(&String::from_utf8_lossy(&bytes)))
}

fn print_line(text: impl Display) {
    // A reader that has gone away is not our fault.
    let _ = writeln!(io::stdout(), "{text}");
}

fn print_error(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
