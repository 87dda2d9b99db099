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

#[test]
fn the_readme_is_short() {
    let text = fs::read_to_string(root().join("README.md")).expect("readable");
    assert!(
        text.lines().count() <= README_LINES,
        "README.md has {} lines; what is for some belongs into docs/",
        text.lines().count()
    );
}
