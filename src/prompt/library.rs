//! [`Library`]: every clip of every language, loaded and checked as a whole.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Clip;
use super::number::digits_of;
use super::wav::{self, LONGEST};
use crate::common::language::LanguageTag;
use crate::common::phrase::{Phrase, digit_stem};
use crate::common::problem::{Place, Problem};
use crate::common::units::Hz;

/// The largest file that [`wav::decode`] can accept: a minute of 48 kHz stereo, and room for headers.
const LARGEST_FILE: u64 = LONGEST.as_secs() * Hz::FULL.0 as u64 * 4 + 65_536;

/// The largest `language.toml` that is read.
const LARGEST_TEXT: u64 = 1 << 20;

/// Every prompt in every language of one directory, complete in English. All of it is loaded at start, about 5 MB a language, so
/// that no call waits for a disk.
#[derive(Debug)]
pub struct Library {
    voices: BTreeMap<LanguageTag, Voice>,
    /// The organisation's language, tried after the device's.
    default_language: LanguageTag,
    music: Option<Clip>,
}

/// One language's directory.
#[derive(Debug)]
struct Voice {
    name: String,
    phrases: BTreeMap<Phrase, Clip>,
    /// All ten or empty: a number is spoken in one language.
    digits: Vec<Clip>,
    texts: BTreeMap<String, String>,
}

/// `language.toml`; it may be missing, then the tag stands for the name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: Option<String>,
    tag: Option<String>,
    #[serde(default)]
    phrases: BTreeMap<String, String>,
    #[serde(default)]
    digits: BTreeMap<String, String>,
}

// === impl Library ===

impl Library {
    /// Loads each directory of `dir` that is named by a language tag, and `music.wav`. `default_language` is the organisation's.
    ///
    /// # Errors
    /// Every [`Problem`] found: a missing English file, a file that is no 16-bit PCM of 8 to 48 kHz and at most 60 s, a file
    /// name that no phrase has, a default language without a directory.
    pub fn load(dir: &Path, default_language: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut voices = BTreeMap::new();
        for (path, name) in entries(dir, &mut problems) {
            // Hidden ones are a tool's or an editor's; plain files here are the music and its scripts.
            if !path.is_dir() || name.starts_with('.') {
                continue;
            }
            match LanguageTag::new(&name) {
                Ok(language) => {
                    let voice = Voice::load(&path, &language, &mut problems);
                    if voices.insert(language, voice).is_some() {
                        problems.push(problem(&path, "is a second directory for the same language", "Remove one of the two."));
                    }
                }
                Err(bad) => {
                    problems.push(problem(&path, bad.to_string(), "Name the directory by its language, or move it away."))
                }
            }
        }

        let english = LanguageTag::english();
        let complete = voices.get(&english);
        for stem in Phrase::ALL.iter().filter(|p| complete.is_none_or(|v| !v.phrases.contains_key(p))).map(|p| p.file_stem()) {
            missing_english(dir, stem, &mut problems);
        }
        if complete.is_none_or(|voice| voice.digits.is_empty()) {
            for stem in (0..10).map(digit_stem).filter(|stem| !wav_path(&dir.join("en"), stem).exists()) {
                missing_english(dir, &stem, &mut problems);
            }
        }

        let default_language = LanguageTag::new(default_language).unwrap_or_else(|bad| {
            problems.push(problem(dir, format!("the default language is {bad}"), "Set it to the name of a directory here."));
            english
        });
        if !voices.contains_key(&default_language) && !voices.contains_key(&default_language.primary()) {
            problems.push(problem(
                &dir.join(default_language.as_str()),
                "there are no prompts in the default language",
                "Add the directory, or choose a language that is there.",
            ));
        }

        let music_path = wav_path(dir, "music");
        let music = if music_path.exists() { read_clip(&music_path, &mut problems) } else { None };
        if problems.is_empty() { Ok(Self { voices, default_language, music }) } else { Err(problems) }
    }

    /// The clip of `phrase`: in `language`, else in the organisation's language, else in English (K-5). A language with a
    /// region also falls back to the one without (`pt-BR` to `pt`). Any text is taken as `language`.
    #[must_use]
    pub fn clip(&self, language: &str, phrase: Phrase) -> Clip {
        self.find(language, phrase).1.clone()
    }

    /// The language in which [`Library::clip`] really speaks `phrase`: what the ledger keeps (N-8).
    #[must_use]
    pub fn spoken_in(&self, language: &str, phrase: Phrase) -> &LanguageTag {
        self.find(language, phrase).0
    }

    /// The text of `phrase` in the language in which it is spoken, for displays and messages (N-10), if `language.toml` has it.
    #[must_use]
    pub fn text(&self, language: &str, phrase: Phrase) -> Option<&str> {
        let spoken_in = self.spoken_in(language, phrase);
        self.voices.get(spoken_in)?.texts.get(phrase.file_stem()).map(String::as_str)
    }

    /// The digits of `text`, one clip each, all in one language. What is not a digit is silent.
    #[must_use]
    pub fn digits(&self, language: &str, text: &str) -> Vec<Clip> {
        let spoken = self.chain(language).map(|(_, voice)| &voice.digits).find(|digits| !digits.is_empty());
        let digits = spoken.map_or(&[][..], Vec::as_slice);
        digits_of(text).filter_map(|digit| digits.get(usize::from(digit)).cloned()).collect()
    }

    /// What is played while somebody waits (K-6), if there is a file. Its end joins its beginning.
    #[must_use]
    pub fn music(&self) -> Option<Clip> {
        self.music.clone()
    }

    /// Every language that has a directory, by its tag, with its own name for itself; for the language menu (K-1).
    pub fn languages(&self) -> impl Iterator<Item = (&LanguageTag, &str)> {
        self.voices.iter().map(|(language, voice)| (language, voice.name.as_str()))
    }

    fn find(&self, language: &str, phrase: Phrase) -> (&LanguageTag, &Clip) {
        self.chain(language)
            .find_map(|(language, voice)| Some((language, voice.phrases.get(&phrase)?)))
            .expect("`load` refuses a directory that lacks an English phrase")
    }

    /// The voices to try, in the order of K-5.
    fn chain(&self, language: &str) -> impl Iterator<Item = (&LanguageTag, &Voice)> {
        let asked = LanguageTag::new(language).ok();
        let chain = [
            asked.clone(),
            asked.map(|asked| asked.primary()),
            Some(self.default_language.clone()),
            Some(self.default_language.primary()),
            Some(LanguageTag::english()),
        ];
        chain.into_iter().flatten().filter_map(|language| self.voices.get_key_value(&language))
    }
}

// === impl Voice ===

impl Voice {
    fn load(dir: &Path, language: &LanguageTag, problems: &mut Vec<Problem>) -> Self {
        let mut clips: BTreeMap<String, Clip> = BTreeMap::new();
        for (path, name) in entries(dir, problems) {
            let Some(stem) = name.strip_suffix(".wav").filter(|_| !name.starts_with('.')) else { continue };
            if !known(stem) {
                problems.push(problem(&path, "no phrase has this name", "Correct the name, or move the file away."));
            } else if let Some(clip) = read_clip(&path, problems) {
                clips.insert(stem.to_owned(), clip);
            }
        }
        let raw = read_text(&dir.join("language.toml"), language, problems);
        let mut phrases = BTreeMap::new();
        for phrase in Phrase::ALL {
            phrases.extend(clips.remove(phrase.file_stem()).map(|clip| (*phrase, clip)));
        }
        let digits: Option<Vec<Clip>> = (0..10).map(|digit| clips.remove(&digit_stem(digit))).collect();
        Self {
            name: raw.name.unwrap_or_else(|| language.to_string()),
            phrases,
            digits: digits.unwrap_or_default(),
            texts: raw.phrases,
        }
    }
}

/// Whether a file of this name is ever played.
fn known(stem: &str) -> bool {
    Phrase::ALL.iter().any(|phrase| phrase.file_stem() == stem) || (0..10).any(|digit| digit_stem(digit) == stem)
}

fn wav_path(dir: &Path, stem: &str) -> PathBuf {
    dir.join(format!("{stem}.wav"))
}

/// The entries of a directory with their names, sorted so that problems always come in the same order.
fn entries(dir: &Path, problems: &mut Vec<Problem>) -> Vec<(PathBuf, String)> {
    let listed =
        fs::read_dir(dir).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>());
    match listed {
        Ok(mut paths) => {
            paths.sort();
            let name = |path: &PathBuf| path.file_name().map(|name| OsStr::to_string_lossy(name).into_owned());
            paths.into_iter().filter_map(|path| name(&path).map(|name| (path, name))).collect()
        }
        Err(error) => {
            problems.push(problem(
                dir,
                format!("cannot be listed: {error}"),
                "Point the prompt path at the directory of prompts.",
            ));
            Vec::new()
        }
    }
}

/// The bytes of a regular file of at most `limit` bytes. A pipe or a device would make the start wait for ever.
fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err("is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > limit { Err(format!("is larger than {limit} bytes")) } else { Ok(bytes) }
}

fn read_clip(path: &Path, problems: &mut Vec<Problem>) -> Option<Clip> {
    const HINT: &str = "Use 16-bit PCM, mono or stereo, 8 to 48 kHz, at most 60 s.";
    let clip = read_file(path, LARGEST_FILE).and_then(|bytes| wav::decode(&bytes).map_err(|fault| fault.to_string()));
    clip.map_err(|what| problems.push(problem(path, what, HINT))).ok()
}

fn read_text(path: &Path, language: &LanguageTag, problems: &mut Vec<Problem>) -> Raw {
    const HINT: &str = "Take `en/language.toml` as a pattern.";
    if !path.exists() {
        return Raw::default();
    }
    let text = read_file(path, LARGEST_TEXT).and_then(|bytes| String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned()));
    let text = match text {
        Ok(text) => text,
        Err(what) => {
            problems.push(problem(path, what, HINT));
            return Raw::default();
        }
    };
    let raw: Raw = match toml::from_str(&text) {
        Ok(raw) => raw,
        Err(error) => {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map(|before| before.matches('\n').count() + 1);
            let place = Place::File { file: path.to_owned(), line };
            problems.push(Problem { place, key: String::new(), what: error.message().to_owned(), hint: HINT.to_owned() });
            return Raw::default();
        }
    };
    if raw.tag.as_deref().is_some_and(|tag| LanguageTag::new(tag).as_ref() != Ok(language)) {
        let what = format!("the tag is not that of its directory, `{language}`");
        problems.push(Problem { key: "tag".to_owned(), ..problem(path, what, "Make the two the same.") });
    }
    let phrases = raw.phrases.keys().filter(|stem| !known(stem)).map(|stem| format!("phrases.{stem}"));
    let digits =
        raw.digits.keys().filter(|digit| !matches!(digit.as_bytes(), [b'0'..=b'9'])).map(|digit| format!("digits.{digit}"));
    for key in phrases.chain(digits) {
        problems.push(Problem { key, ..problem(path, "there is no such prompt", "Correct the name, or remove the line.") });
    }
    raw
}

fn missing_english(dir: &Path, stem: &str, problems: &mut Vec<Problem>) {
    let path = wav_path(&dir.join("en"), stem);
    // One that is there and bad has been reported as such.
    if !path.exists() {
        problems.push(problem(
            &path,
            "this English prompt is missing",
            "Put it back from the package, or render it with `render.py`.",
        ));
    }
}

fn problem(file: &Path, what: impl Into<String>, hint: &str) -> Problem {
    let place = Place::File { file: file.to_owned(), line: None };
    Problem { place, key: String::new(), what: what.into(), hint: hint.to_owned() }
}

#[cfg(test)]
mod tests;
