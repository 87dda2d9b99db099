//! `docs/RULES.md`, held to the tree: every rule that is cited stands there, every rule there says what proves it, and every test that is
//! named there exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Where rules are cited: code, tests, configuration, and what people read.
const CITING: &[&str] = &[
    "src",
    "tests",
    "conf",
    "docs",
    "systemd/drop-ins",
    "systemd/roomgate.service",
    "README.md",
    "Cargo.toml",
    "Dockerfile",
    "Makefile",
];

/// Folders with texts of others, or with nothing to read.
const PASSED_OVER: &[&str] = &["corpus", "found", "target", "artifacts", "coverage", "torture", "__pycache__"];

/// The marker of what is missing; what follows it names no tests.
const NOT_YET: &str = "*not yet*";

/// A rule, as `docs/RULES.md` has it.
struct Rule {
    id: String,
    /// What stands behind `Tests:`; once for each such line.
    tests: Vec<String>,
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rules() -> Vec<Rule> {
    let text = fs::read_to_string(root().join("docs/RULES.md")).expect("docs/RULES.md is readable");
    let mut found: Vec<Rule> = Vec::new();
    for line in text.lines() {
        if let Some((id, _)) = line.strip_prefix("- **").and_then(|rest| rest.split_once("**")) {
            found.push(Rule { id: id.to_owned(), tests: Vec::new() });
        } else if let Some(tests) = line.strip_prefix("  Tests: ") {
            found.last_mut().expect("a rule stands before its tests").tests.push(tests.to_owned());
        }
    }
    assert!(found.len() > 50, "docs/RULES.md has {} rules", found.len());
    found
}

/// A letter and a number, such as `M-8`, whether or not there is such a rule.
fn is_rule(word: &str, families: &BTreeSet<char>) -> bool {
    let Some((family, number)) = word.split_once('-') else { return false };
    let mut letters = family.chars();
    letters.next().is_some_and(|letter| families.contains(&letter))
        && letters.next().is_none()
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The rules in the name of a function, such as `m7_and_m12_an_external_can_not_admit`.
fn rules_of_name(name: &str, families: &BTreeSet<char>) -> Vec<String> {
    let words = name.split('_').filter(|word| *word != "and").map_while(|word| {
        let mut letters = word.chars();
        let family = letters.next().filter(char::is_ascii_lowercase)?.to_ascii_uppercase();
        let rule = format!("{family}-{}", letters.as_str());
        is_rule(&rule, families).then_some(rule)
    });
    words.collect()
}

/// All files below a path that are text, or the one that it is.
fn files(path: &Path) -> Vec<(PathBuf, String)> {
    if path.is_file() {
        // What is no text (voices, pictures) cites nothing.
        return fs::read_to_string(path).map(|text| vec![(path.to_owned(), text)]).unwrap_or_default();
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !PASSED_OVER.contains(&name.as_str()) && !name.starts_with('.') {
            found.extend(files(&path));
        }
    }
    found.sort();
    found
}

/// The name of the function that a line declares.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
    let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
}

/// The tests of a file of Rust.
fn tests_in(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in text.lines() {
        let code = line.trim_start();
        if code.starts_with("#[test]") || code.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(name) = declared(line) {
            found.extend(is_test.then_some(name));
            is_test = false;
        } else if !code.starts_with("#[") && !code.starts_with("//") {
            is_test = false;
        }
    }
    found
}

#[test]
fn every_rule_that_is_cited_stands_in_the_list() {
    let rules = rules();
    let known: BTreeSet<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    let families: BTreeSet<char> = known.iter().filter_map(|id| id.chars().next()).collect();
    let mut wrong = Vec::new();
    for (path, text) in CITING.iter().flat_map(|place| files(&root().join(place))) {
        let name = path.strip_prefix(root()).expect("ours").display().to_string();
        for (number, line) in text.lines().enumerate() {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
            let mut cited: Vec<String> = words.filter(|word| is_rule(word, &families)).map(str::to_owned).collect();
            if name.ends_with(".rs") {
                cited.extend(declared(line).into_iter().flat_map(|name| rules_of_name(name, &families)));
            }
            let unknown = cited.into_iter().filter(|rule| !known.contains(rule.as_str()));
            wrong.extend(unknown.map(|rule| format!("{name}:{}: {rule}", number + 1)));
        }
    }
    assert!(wrong.is_empty(), "these are not in docs/RULES.md:\n{}", wrong.join("\n"));
}

#[test]
fn every_test_that_is_named_for_a_rule_names_one_of_the_list() {
    let known: BTreeSet<String> = rules().into_iter().map(|rule| rule.id).collect();
    let any_family: BTreeSet<char> = ('A'..='Z').collect();
    let mut wrong = Vec::new();
    for (path, text) in ["src", "tests"].iter().flat_map(|place| files(&root().join(place))) {
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        for test in tests_in(&text) {
            let unknown = rules_of_name(test, &any_family).into_iter().filter(|rule| !known.contains(rule));
            wrong.extend(unknown.map(|rule| format!("{}: `{test}`: there is no {rule}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "name them for a rule of docs/RULES.md, or for none:\n{}", wrong.join("\n"));
}

#[test]
fn every_rule_says_what_proves_it_or_that_nothing_does_yet() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for Rule { id, tests } in rules() {
        match tests.as_slice() {
            [] => wrong.push(format!("{id}: no line with `Tests:`")),
            [line] => {
                let (proven, missing) = line.split_once(NOT_YET).unwrap_or((line.as_str(), ""));
                if !proven.contains('`') && missing.trim_start_matches(':').trim().is_empty() {
                    wrong.push(format!("{id}: names no test, and does not say why"));
                }
            }
            _ => wrong.push(format!("{id}: more than one line with `Tests:`")),
        }
        if !seen.insert(id.clone()) {
            wrong.push(format!("{id}: stands twice"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_test_that_the_list_names_exists() {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    for Rule { id, tests } in rules() {
        let named = tests.iter().map(|line| line.split(NOT_YET).next().unwrap_or_default());
        for proof in named.flat_map(|line| line.split('`').skip(1).step_by(2)) {
            let Some((file, function)) = proof.split_once(": ") else {
                wrong.push(format!("{id}: `{proof}` is not `file: function`"));
                continue;
            };
            let text = texts.entry(file.to_owned()).or_insert_with(|| fs::read_to_string(root().join(file)).unwrap_or_default());
            let there = tests_in(text);
            let found = match function.strip_suffix('*') {
                Some(beginning) => there.iter().any(|name| name.starts_with(beginning)),
                None => there.contains(&function),
            };
            if !found {
                wrong.push(format!("{id}: there is no test `{function}` in {file}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
