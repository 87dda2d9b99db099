//! The program: reads the command line, loads the configuration, starts what was asked for, and says how it ended (U-1, U-7).

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use roomgate::cli::{Cli, Command, Status};
use roomgate::config::{self, Loaded};
use roomgate::telemetry::log;
use roomgate::{app, dial, link, status};

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
        Command::Link(args) => match load(&args.config.path()) {
            Ok(loaded) => link::run(&loaded.settings, &args),
            Err(status) => status.into(),
        },
        Command::Status(args) => match load(&args.config.path()) {
            Ok(loaded) => status::run(&loaded.settings, &args),
            Err(status) => status.into(),
        },
        Command::Version => say(format_args!("roomgate {}", env!("CARGO_PKG_VERSION"))).into(),
    }
}

fn run(path: &Path) -> Status {
    let loaded = match load(path) {
        Ok(loaded) => loaded,
        Err(status) => return status,
    };
    let settings = loaded.settings;
    if let Err(error) = log::init(settings.log.format, &settings.log.level) {
        complain(&error);
        return Status::Fault;
    }
    for file in &loaded.files {
        tracing::info!(file = %file.display(), "configuration read");
    }
    for warning in &loaded.warnings {
        tracing::warn!(place = %warning.place, key = %warning.key, hint = %warning.hint, "{}", warning.what);
    }
    match app::run(settings) {
        Ok(()) => Status::Clean,
        Err(error) => {
            tracing::error!("{error}");
            error.status()
        }
    }
}

fn check_config(path: &Path) -> Status {
    let loaded = match load(path) {
        Ok(loaded) => loaded,
        Err(status) => return status,
    };
    for warning in &loaded.warnings {
        complain(&format_args!("warning: {warning}"));
    }
    let files: Vec<_> = loaded.files.iter().map(|file| file.display().to_string()).collect();
    say(format_args!("no mistakes in {}", files.join(", ")))
}

/// The configuration, or its mistakes on standard error.
fn load(path: &Path) -> Result<Loaded, Status> {
    config::load_with(path, config::environment(), app::check).map_err(|problems| {
        for problem in &problems {
            complain(problem);
        }
        let count = problems.len();
        complain(&format_args!(
            "{count} {} in the configuration at {}",
            if count == 1 { "mistake" } else { "mistakes" },
            path.display()
        ));
        Status::Configuration
    })
}

fn say(text: impl Display) -> Status {
    // A reader that has gone away (`| head`) is not our fault.
    let _ = writeln!(std::io::stdout(), "{text}");
    Status::Clean
}

fn complain(text: &impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
