//! What is installed, and what the documents show, is a configuration without a mistake. Their commands are carried out by `interop`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair};

use super::{complaints, roomgate};

fn source(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a file of the source tree")
}

/// What the package puts into /etc/roomgate, as it is on a machine.
fn installed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    let etc = folder.path().join("etc");
    fs::create_dir_all(etc.join("roomgate.d")).expect("a folder");
    let prompts = root.join("prompts").display().to_string();
    let main = source("conf/installed/roomgate.toml").replace("/usr/share/roomgate/prompts", &prompts);
    assert!(main.contains(&prompts), "{main}");
    fs::write(etc.join("roomgate.toml"), main).expect("a file");
    fs::write(etc.join("roomgate.d/demo.toml"), source("conf/installed/roomgate.d/demo.toml")).expect("a file");
    folder
}

/// What shows configuration.
const DOCUMENTS: &[&str] = &["README.md", "docs/OPERATIONS.md"];

/// The blocks of a document that are configuration, each with its line. Those of `toml elsewhere` are for a machine that this one is not.
fn examples_of(document: &str) -> Vec<(usize, String)> {
    let text = source(document);
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut within = false;
    for (number, line) in text.lines().enumerate() {
        match line.trim() {
            "```toml" => {
                found.push((number + 1, String::new()));
                within = true;
            }
            "```" => within = false,
            text if within => {
                let (_, block) = found.last_mut().expect("a block has begun");
                block.push_str(text);
                block.push('\n');
            }
            _ => {}
        }
    }
    found
}

/// The installed configuration has no mistake and nothing that everybody knows.
#[test]
fn the_installed_configuration_has_no_mistake_and_nothing() {
    let folder = installed();
    let output = roomgate(&["check-config", "--config", "etc"], folder.path(), &[]);
    assert!(output.status.success(), "{}", complaints(&output));
    // Another test may hold one of the ports at this moment.
    let said = complaints(&output);
    assert!(!said.lines().any(|line| line.contains("warning") && !line.contains("is held by another program")), "{said}");
    // The demo's passcode stands in the README, and its provider prints what it should send.
    for file in ["conf/installed/roomgate.toml", "conf/installed/roomgate.d/demo.toml"] {
        assert!(!source(file).contains("passcode") && !source(file).contains("[relay"), "{file}");
    }
}

#[test]
fn every_configuration_in_the_documents_has_no_mistake() {
    let mut examples = Vec::new();
    for document in DOCUMENTS {
        let named = document.replace('/', "-");
        examples.extend(examples_of(document).into_iter().map(|(line, example)| (named.clone(), line, example)));
    }
    assert!(examples.len() >= 10, "{examples:?}");
    let folder = installed();
    let etc = folder.path().join("etc").display().to_string();
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(["pbx.example.com".to_owned()]).expect("a name").self_signed(&key).expect("one");
    // All on one machine: later ones build on earlier ones.
    for (document, line, example) in &examples {
        let named: BTreeSet<_> = example.split('"').filter(|text| text.starts_with("/etc/roomgate/")).collect();
        for name in named {
            let text = match name.rsplit('.').next() {
                Some("pem") => certificate.pem(),
                Some("key") => key.serialize_pem(),
                // SMPP carries eight characters.
                _ => "horse-42\n".to_owned(),
            };
            fs::write(name.replace("/etc/roomgate", &etc), text).expect("a file");
        }
        let file = folder.path().join(format!("etc/roomgate.d/{document}-line-{line:04}.toml"));
        fs::write(file, example.replace("/etc/roomgate", &etc)).expect("a file");
    }
    let output = roomgate(&["check-config", "--config", "etc"], folder.path(), &[]);
    assert!(output.status.success(), "{}", complaints(&output));
}
