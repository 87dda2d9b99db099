//! The container image without an engine: the last stage of the Dockerfile is carried out on a bare Debian 12, step by step.

use std::path::Path;
use std::process::Command;

use crate::debian::{Debian, quoted};
use crate::namespace::isolated_as_root_beside_others;
use crate::package::dial;
use crate::process::Process;
use crate::waiting::{eventually, seconds};

fn source(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a file of the source tree")
}

/// The instructions of the last stage, each with what follows it.
fn last_stage() -> Vec<(String, String)> {
    let file = source("Dockerfile");
    let lines: Vec<_> = file.lines().filter(|line| !line.starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let stage = joined.rsplit("FROM ").next().expect("a stage");
    let steps = stage.lines().skip(1).filter(|line| !line.is_empty());
    steps
        .map(|line| line.split_once(' ').map(|(what, rest)| (what.to_owned(), rest.to_owned())).expect("an instruction"))
        .collect()
}

/// Whether an engine is given that file at all.
fn is_in_the_context(name: &str) -> bool {
    let first = name.split('/').next().expect("a name");
    source(".dockerignore").lines().filter_map(|line| line.strip_prefix('!')).any(|kept| match kept.strip_suffix('*') {
        Some(start) => first.starts_with(start),
        None => first == kept,
    })
}

fn copy(debian: &Debian, what: &str) {
    let (names, to) = what.rsplit_once(' ').expect("from and to");
    let binary = names.strip_prefix("--from=build ").map(|_| env!("CARGO_BIN_EXE_roomgate"));
    for name in binary.map_or_else(|| names.split(' ').collect(), |binary| vec![binary]) {
        assert!(binary.is_some() || is_in_the_context(name), "{name} is held back by .dockerignore");
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let file = from.file_name().expect("a name").to_string_lossy();
        let into = debian.path(&if to.ends_with('/') { format!("{to}{file}") } else { to.to_owned() });
        std::fs::create_dir_all(into.parent().expect("a folder")).expect("a folder");
        let copied = Command::new("cp").arg("-rT").args([&from, &into]).status().expect("cp can be run");
        assert!(copied.success(), "{name}");
    }
}

fn list(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// The last stage of the dockerfile gives a daemon without root that takes calls and tells that it is alive.
#[test]
fn the_last_stage_of_the_dockerfile_gives_a_daemon_without_root() {
    isolated_as_root_beside_others(|| {
        let debian = Debian::boot();
        // There is no way out of here; what the image installs is installed.
        debian.write("/usr/local/bin/apt-get", "#!/bin/sh\n");
        debian.says("chmod 755 /usr/local/bin/apt-get && dpkg-query -W ca-certificates");
        let (mut user, mut folder, mut signal) = (String::new(), String::new(), String::new());
        let (mut start, mut health) = (Vec::new(), Vec::new());
        for (what, rest) in last_stage() {
            match what.as_str() {
                "RUN" => drop(debian.says(&rest)),
                "COPY" => copy(&debian, &rest),
                "USER" => user = rest,
                "WORKDIR" => folder = rest,
                "STOPSIGNAL" => signal = rest,
                "ENTRYPOINT" | "CMD" => start.extend(list(&rest)),
                "HEALTHCHECK" => health = list(rest.split_once("CMD ").expect("a command").1),
                "VOLUME" => assert_eq!(rest, folder, "what is kept is where the daemon writes"),
                "EXPOSE" => {}
                _ => panic!("nobody knows here how to {what} {rest}"),
            }
        }
        let within = |command: &[String]| {
            let words: Vec<_> = command.iter().map(|word| quoted(word)).collect();
            format!("cd {folder} && exec setpriv --reuid {user} --regid {user} --clear-groups --no-new-privs {}", words.join(" "))
        };
        let alive = || debian.run(&within(&health)).status.success();
        assert!(!alive(), "nobody is there yet");
        let mut daemon = Process::start(&mut debian.command(&within(&start)), &debian.folder().join("image.log"), false);
        eventually(seconds(20), "it is alive", || {
            assert!(daemon.exit_code().is_none(), "it has ended: {}", daemon.log());
            alive().then_some(())
        });
        eventually(seconds(20), "it is ready", || daemon.log().contains("is ready").then_some(()));
        dial();
        let named =
            debian.says(&format!("ps -o user= -C roomgate && pkill --signal {} -x roomgate", signal.trim_start_matches("SIG")));
        assert_eq!(named.trim(), "roomgate");
        assert_eq!(eventually(seconds(20), "it ends", || daemon.exit_code()), 0, "{}", daemon.log());
        assert!(!alive());
    });
}
