//! The program: reads the command line, loads the configuration, runs the command, and exits with its status (U-1, U-7).

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use roomgate::app::{self, Start};
use roomgate::cli::{Cli, Command, ExitStatus, LedgerCommand};
use roomgate::cli::{dial, ledger, link};
use roomgate::common::problem::Problem;
use roomgate::config::{self, Loaded, Settings};
use roomgate::status;
use roomgate::telemetry::log;

/// glibc's allocator keeps the peak of a busy hour; a daemon that runs for months should give it back. Without huge pages: with
/// them an idle daemon takes more than twice the memory it uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A second provider somewhere in the tree would make the first handshake panic: this one is named before anything starts.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Cli::parse().command {
        Command::Run(args) => run(&args.path()).into(),
        Command::CheckConfig(args) => check_config(&args.path()).into(),
        Command::Dial(args) => dial::run(args),
        Command::Link(args) => with_readable_settings(&args.config.path(), |settings| link::run(settings, &args)),
        Command::Status(args) => with_readable_settings(&args.config.path(), |settings| status::run(settings, &args)),
        Command::Ledger(LedgerCommand::Verify(args)) => {
            with_readable_settings(&args.config.path(), |settings| ledger::verify(settings, &args))
        }
        Command::Version => print_line(format_args!("roomgate {}", env!("CARGO_PKG_VERSION"))).into(),
    }
}

fn run(path: &Path) -> ExitStatus {
    let loaded = match load(path) {
        Ok(loaded) => loaded,
        Err(status) => return status,
    };
    let settings = loaded.settings;
    let levels = match log::init(settings.log.format, &settings.log.level) {
        Ok(levels) => levels,
        Err(error) => {
            print_error(&error);
            return ExitStatus::Fault;
        }
    };
    for file in &loaded.files {
        tracing::info!(file = %file.display(), "configuration read");
    }
    for warning in &loaded.warnings {
        tracing::warn!(place = %warning.place, key = %warning.key, hint = %warning.hint, "{}", warning.what);
    }
    match app::run(Start { path: path.to_owned(), settings, levels }) {
        Ok(()) => ExitStatus::Clean,
        Err(error) => {
            tracing::error!("{error}");
            error.status()
        }
    }
}

fn check_config(path: &Path) -> ExitStatus {
    let loaded = match load(path) {
        Ok(loaded) => loaded,
        Err(status) => return status,
    };
    let app::ProbeReport { problems, warnings } = app::probe(&loaded);
    for warning in loaded.warnings.iter().chain(&warnings) {
        print_error(&format_args!("warning: {warning}"));
    }
    if !problems.is_empty() {
        return report_mistakes(&problems, path);
    }
    let files: Vec<_> = loaded.files.iter().map(|file| file.display().to_string()).collect();
    print_line(format_args!("no mistakes in {}", files.join(", ")))
}

/// The configuration, or its mistakes on standard error.
fn load(path: &Path) -> Result<Loaded, ExitStatus> {
    config::load_with(path, config::environment(), app::check).map_err(|problems| report_mistakes(&problems, path))
}

/// Runs a command that asks the running daemon, also where the configuration has mistakes: the daemon has taken an earlier one. A
/// configuration that is not there is a mistyped path, and ends the command.
fn with_readable_settings(path: &Path, ask: impl FnOnce(&Settings) -> ExitCode) -> ExitCode {
    let settings = match load(path) {
        Ok(loaded) => Ok(loaded.settings),
        // The mistakes have been printed.
        Err(status) => config::salvage(path, config::environment()).ok_or(status),
    };
    match settings {
        Ok(settings) => ask(&settings),
        Err(status) => status.into(),
    }
}

fn report_mistakes(problems: &[Problem], path: &Path) -> ExitStatus {
    for problem in problems {
        print_error(problem);
    }
    let (count, noun) = (problems.len(), if problems.len() == 1 { "mistake" } else { "mistakes" });
    print_error(&format_args!("{count} {noun} in the configuration at {}", path.display()));
    ExitStatus::Configuration
}

fn print_line(text: impl Display) -> ExitStatus {
    // A reader that has gone away (`| head`) is not our fault.
    let _ = writeln!(std::io::stdout(), "{text}");
    ExitStatus::Clean
}

fn print_error(text: &impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
