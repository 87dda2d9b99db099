//! What people read: every link in it leads somewhere, and the README stays one that is read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::rules::root;

/// Lines of the README at most.
const README_LINES: usize = 200;

/// The README and everything in `docs`.
fn documents() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md")];
    for entry in fs::read_dir(root().join("docs")).expect("readable") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The text without its fenced blocks, in which brackets mean something else.
fn prose(text: &str) -> String {
    let mut within = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            within = !within;
        } else if !within {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// What a heading is linked by, as forges make it: lower case, spaces to hyphens, nothing but letters, digits, hyphens and underscores.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| -> String {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
    };
    headings.map(anchor).collect()
}

/// Every target of `[…](target)` that is not elsewhere in the world.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).map(str::to_owned).collect()
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut wrong = Vec::new();
    for path in documents() {
        let name = path.strip_prefix(root()).expect("ours").display().to_string();
        let text = prose(&fs::read_to_string(&path).expect("readable"));
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((link.as_str(), ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap_or(Path::new("")).join(file) };
            if !target.exists() {
                wrong.push(format!("{name}: {link} is not there"));
            } else if !anchor.is_empty() {
                let there = anchors(&prose(&fs::read_to_string(&target).unwrap_or_default()));
                if !there.contains(anchor) {
                    wrong.push(format!("{name}: {link} names no heading of {file}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Directories whose paths the documents name.
const NAMED_PATHS: [&str; 4] = ["src/", "tests/", "conf/", "systemd/"];

/// What stands in a path for a name that the reader chooses.
const CHOSEN_NAMES: [&str; 2] = ["NAME", "TAG"];

/// What stands between backticks. A pair never reaches over an empty line, so a missing one spoils one paragraph only.
fn code_spans(text: &str) -> Vec<&str> {
    text.split("\n\n").flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2)).collect()
}

/// The path that a code span begins with, where it is one that has to exist.
fn named_path(span: &str) -> Option<&str> {
    let is_of_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    let path = &span[..span.find(|c: char| !is_of_path(c)).unwrap_or(span.len())];
    let is_pattern = span[path.len()..].starts_with(['*', '…', '{', '<']);
    let is_chosen = path.split(['/', '.']).any(|part| CHOSEN_NAMES.contains(&part));
    let is_ours = NAMED_PATHS.iter().any(|directory| path.starts_with(directory));
    (is_ours && !is_pattern && !is_chosen).then_some(path)
}

#[test]
fn every_path_that_the_documents_name_is_there() {
    let mut wrong = Vec::new();
    for path in documents() {
        let name = path.strip_prefix(root()).expect("ours").display().to_string();
        let text = prose(&fs::read_to_string(&path).expect("readable"));
        let named = code_spans(&text).into_iter().filter_map(named_path);
        wrong.extend(named.filter(|named| !root().join(named).exists()).map(|named| format!("{name}: `{named}` is not there")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A name of code: `Policy::fire`, `QUEUE`, `grant`.
fn is_name(span: &str) -> bool {
    span.starts_with(|c: char| c.is_ascii_alphabetic())
        && span.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}

/// The code spans of a piece of text, with where they begin and end.
fn spans(text: &str) -> Vec<(&str, usize, usize)> {
    let ticks: Vec<usize> = text.match_indices('`').map(|(at, _)| at).collect();
    ticks.chunks_exact(2).map(|pair| (&text[pair[0] + 1..pair[1]], pair[0], pair[1] + 1)).collect()
}

/// What a document says of where names are: files, and names that stand in one of them. That is a row of a table with the columns `file`
/// and `function`, and a name with its file in brackets anywhere.
fn places_of_names(text: &str) -> Vec<(Vec<&str>, Vec<&str>)> {
    let is_source = |file: &str| file.starts_with("src/") && file.ends_with(".rs");
    let mut found = Vec::new();
    let mut columns = None;
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').collect();
        if !line.starts_with('|') {
            columns = None;
        } else if let Some(at) = cells.windows(2).position(|pair| pair[0].trim() == "file" && pair[1].trim() == "function") {
            columns = Some(at);
        } else if let Some(at) = columns
            && let [files, names, ..] = &cells[at..]
        {
            let files: Vec<&str> = spans(files).into_iter().map(|(file, ..)| file).collect();
            let names: Vec<&str> = spans(names).into_iter().map(|(name, ..)| name).filter(|name| is_name(name)).collect();
            if files.iter().all(|file| is_source(file)) && !files.is_empty() {
                found.push((files, names));
            }
        }
        for pair in spans(line).windows(2) {
            let ((name, _, end), (file, begin, _)) = (pair[0], pair[1]);
            if is_name(name) && &line[end..begin] == " (" && is_source(file) {
                found.push((vec![file], vec![name]));
            }
        }
    }
    found
}

#[test]
fn every_name_stands_in_the_file_that_the_documents_name() {
    let mut wrong = Vec::new();
    for path in documents() {
        let document = path.strip_prefix(root()).expect("ours").display().to_string();
        let text = prose(&fs::read_to_string(&path).expect("readable"));
        for (files, names) in places_of_names(&text) {
            let code: String = files.iter().map(|file| fs::read_to_string(root().join(file)).unwrap_or_default()).collect();
            let words: BTreeSet<&str> = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
            let missing = names.into_iter().filter(|name| !name.split("::").all(|part| words.contains(part)));
            wrong.extend(missing.map(|name| format!("{document}: `{name}` is not in {}", files.join(", "))));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_are_found_beside_their_files() {
    let text = "| what | file | function |\n|---|---|---|\n| nonce | `src/a.rs`, `src/b.rs` | `Nonce::check`, a `cargo doc` |\nBy `drive` (`src/c.rs`), `x` or (`src/d.rs`).\n| `src/e.rs` | `f` |\n";
    let expected = [(vec!["src/a.rs", "src/b.rs"], vec!["Nonce::check"]), (vec!["src/c.rs"], vec!["drive"])];
    assert_eq!(places_of_names(text), expected);
}

#[test]
fn paths_are_found_in_code_spans() {
    let text = "See `src/lib.rs`, `conf/prompts/TAG/language.toml`\nand `src/sip/*.rs`.\n\nRun `tests/setup.sh build`, not ` or `cargo doc`.";
    let found: Vec<_> = code_spans(text).into_iter().filter_map(named_path).collect();
    assert_eq!(found, ["src/lib.rs", "tests/setup.sh"]);
}

#[test]
fn the_readme_is_short() {
    let text = fs::read_to_string(root().join("README.md")).expect("readable");
    assert!(
        text.lines().count() <= README_LINES,
        "README.md has {} lines; what is for some belongs into docs/",
        text.lines().count()
    );
}
