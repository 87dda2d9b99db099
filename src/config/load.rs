//! Files, drop-ins and environment to [`Settings`], or to all mistakes at once (O-1).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::check::Findings;
use super::places::Places;
use super::reload::{ConfigChange, refused};
use super::section::{Section, SectionReport, Surroundings};
use super::settings::Settings;
use super::source::{MAIN_FILE, Sources, directory_of};
use super::value::Table;
use super::{check, source};
use crate::common::problem::{Place, Problem};

/// Where the state is if neither the configuration nor systemd says.
const STATE_DIRECTORY: &str = "/var/lib/roomgate";

/// The variable that names the configuration (U-1).
pub const PATH_VARIABLE: &str = "ROOMGATE_CONFIG";

/// A configuration without mistakes.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// The files it was read from, in the order of their layers.
    pub files: Vec<PathBuf>,
    /// What is allowed, but probably not meant.
    pub warnings: Vec<Problem>,
    places: Places,
}

impl Loaded {
    /// Where `key` was written, or else the table around it.
    #[must_use]
    pub fn place(&self, key: &str) -> Place {
        self.places.of(key)
    }

    /// What is different from the settings in force (O-2).
    ///
    /// # Errors
    /// The changes among it that only a restart can take.
    pub fn against(&self, in_force: &Settings) -> Result<Vec<ConfigChange>, Vec<Problem>> {
        let changes = in_force.changes(&self.settings);
        let refused = refused(&changes, &self.places);
        if refused.is_empty() { Ok(changes) } else { Err(refused) }
    }
}

/// Where the configuration is when the command line does not say: `$ROOMGATE_CONFIG`, `/etc/roomgate`, `./conf` (U-1).
#[must_use]
pub fn default_path(env: impl IntoIterator<Item = (String, String)>) -> PathBuf {
    let named = env.into_iter().find(|(name, value)| name == PATH_VARIABLE && !value.is_empty());
    if let Some((_, path)) = named {
        return PathBuf::from(path);
    }
    let system = PathBuf::from("/etc/roomgate");
    if system.join(MAIN_FILE).exists() { system } else { PathBuf::from("./conf") }
}

/// The environment of this process; a variable that is not UTF-8 is none of ours.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Reads and checks the configuration at `path`, a file or a directory, with the variables of `env` over it.
///
/// # Errors
/// Every mistake in it, in the order of files and lines.
pub fn load(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, Vec<Problem>> {
    load_with(path, env, |_| Vec::new())
}

/// Reads the text of one file by itself, without looking at anything it names: for the fuzz target.
///
/// # Errors
/// Every mistake in it.
pub(crate) fn read_text(text: &str) -> Result<Settings, Vec<Problem>> {
    let (root, places) = source::read_text(text).map_err(|problem| vec![problem])?;
    let surroundings = Surroundings { prompts: PathBuf::from("prompts"), state: STATE_DIRECTORY.into(), credentials: None };
    let mut report = SectionReport::new(Vec::new(), places, surroundings);
    let settings = read_settings(root, &mut report);
    let mut findings = Findings::new(&report.places, false);
    check::contradictions(&settings, &mut findings);
    let mut problems = report.problems;
    problems.extend(findings.into_parts().0);
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}

fn read_settings(root: Table, report: &mut SectionReport) -> Settings {
    let mut root = Section::root(root, report);
    let settings = Settings::read(&mut root);
    root.finish();
    settings
}

/// Whatever can be read of the configuration at `path`, with defaults in the place of mistakes: for asking a daemon that runs with the one
/// before how it is. `None`: there is nothing to read at `path`, and defaults would speak of another daemon, or of none.
#[must_use]
pub fn salvage(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Option<Settings> {
    let env: Vec<_> = env.into_iter().collect();
    let ReadLayers { settings, absent, .. } = read_layers(path, &env);
    (!absent).then_some(settings)
}

/// What was read, and what was wrong with it by itself.
struct ReadLayers {
    settings: Settings,
    places: Places,
    problems: Vec<Problem>,
    files: Vec<PathBuf>,
    incomplete: bool,
    /// There is nothing to read: the first problem says so, and the others are its children.
    absent: bool,
}

fn read_layers(path: &Path, env: &[(String, String)]) -> ReadLayers {
    let variables: HashMap<_, _> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // systemd separates several state directories by colons; the first is ours.
    let state = variables.get("STATE_DIRECTORY").and_then(|list| list.split(':').next()).filter(|first| !first.is_empty());
    let surroundings = Surroundings {
        prompts: directory_of(path).join("prompts"),
        state: state.unwrap_or(STATE_DIRECTORY).into(),
        credentials: variables.get("CREDENTIALS_DIRECTORY").map(PathBuf::from),
    };
    let Sources { root, places, files, problems, incomplete, absent } = source::read(path, env);
    let mut report = SectionReport::new(problems, places, surroundings);
    let settings = read_settings(root, &mut report);
    ReadLayers { settings, places: report.places, problems: report.problems, files, incomplete, absent }
}

/// Like [`load`], with a check of the caller's own beside ours: so that, say, prompts are checked without this module
/// knowing what a prompt is.
///
/// # Errors
/// Every mistake in it, in the order of files and lines; the caller's own last.
pub fn load_with(
    path: &Path,
    env: impl IntoIterator<Item = (String, String)>,
    also: impl FnOnce(&Settings) -> Vec<Problem>,
) -> Result<Loaded, Vec<Problem>> {
    let env: Vec<_> = env.into_iter().collect();
    let ReadLayers { mut settings, places, problems: mut read, files, incomplete, absent } = read_layers(path, &env);
    if absent {
        read.truncate(1);
        return Err(read);
    }
    // There are secrets in it.
    settings.speech.iter_mut().for_each(|speech| speech.hidden.push(directory_of(path)));
    let mut findings = Findings::new(&places, incomplete);
    check::contradictions(&settings, &mut findings);
    // Of a file that cannot be parsed nothing is known, and what its defaults name is nobody's mistake.
    if !incomplete {
        check::machine(&settings, &mut findings);
    }
    let (more, warnings) = findings.into_parts();
    let mut problems = read;
    problems.extend(more);
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    if !incomplete {
        problems.extend(also(&settings));
    }
    if problems.is_empty() { Ok(Loaded { settings, files, warnings, places }) } else { Err(problems) }
}

#[cfg(test)]
mod tests;
