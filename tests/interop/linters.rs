//! The document of the API, read by the linters that others put it through (OpenAPI 3.1).

use std::process::Command;

use crate::daemon::Daemon;
use crate::namespace::{isolated_beside_others, setup_folder};

/// Runs a linter of `node_modules`; what it prints, and whether it finds no error.
fn lint(name: &str, arguments: &[&str], daemon: &Daemon) -> (bool, String) {
    let program = setup_folder().join("node_modules/.bin").join(name);
    assert!(program.exists(), "{name} is not installed; run: tests/setup.sh");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(daemon.folder())
        .env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    let output = command.output().expect("a linter can be run");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{name}: {text}");
    (output.status.success(), text)
}

/// The document of the api passes redocly and spectral and names no rules.
#[test]
fn u4_the_api_document_passes_redocly_and_spectral() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let document = daemon.get("/api/v1/openapi.json");
        let text = document.to_string();
        std::fs::write(daemon.folder().join("openapi.json"), &text).expect("a file");
        std::fs::write(daemon.folder().join("rules.yaml"), "extends: spectral:oas\n").expect("a file");
        let (good, told) = lint("redocly", &["lint", "--extends", "recommended", "openapi.json"], &daemon);
        assert!(good, "{told}");
        let (good, told) = lint("spectral", &["lint", "--ruleset", "rules.yaml", "openapi.json"], &daemon);
        assert!(good, "{told}");
        let rule = |word: &str| {
            let (letter, number) = word.split_once('-').unwrap_or_default();
            letter.len() == 1
                && letter.bytes().all(|one| one.is_ascii_uppercase())
                && number.len() < 3
                && number.parse::<u8>().is_ok()
        };
        let found: Vec<_> =
            text.split(|one: char| !(one.is_ascii_alphanumeric() || one == '-')).filter(|word| rule(word)).collect();
        assert!(found.is_empty(), "names of rules say nothing to the public: {found:?}");
    });
}
