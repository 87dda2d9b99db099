//! The layers of `src/lib.rs`, held by a test: an edge may only point down, and each crate is named where it belongs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

mod documents;
mod rules;

/// Rooms by layer. `sip::driver` and `relay::driver` (with the providers) are rooms of their own: they hold sockets and tasks of pure ones.
const LAYERS: &[(u8, &[&str])] = &[
    (5, &["app", "config", "cli", "fuzz", "status", "main", "lib"]),
    (4, &["call", "http"]),
    (3, &["meeting", "service"]),
    (2, &["media", "sip::driver", "relay::driver", "speech", "store", "telemetry", "net"]),
    (1, &["sip", "sdp", "rtp", "codec", "dsp", "policy", "menu", "prompt", "relay"]),
    (0, &["common"]),
];

/// Layers whose rooms may use each other: pure rooms share words, wiring composes, drivers serve each other. L4 may not: a call and the server meet in L3.
const SIDEWAYS: &[u8] = &[0, 1, 2, 3, 5];

/// Crates that only these places may name.
const FENCED: &[(&str, &[&str])] = &[
    ("webrtc::", &["src/media/peer"]),
    ("rsip::", &["src/sip/message/"]),
    ("opus::", &["src/codec/"]),
    ("rusqlite::", &["src/store/"]),
    ("axum::", &["src/http/", "src/service/embedded/"]),
];

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        // Scenarios are tests: they may look anywhere.
        if path.ends_with("src/scenario") {
            continue;
        }
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn layers() -> BTreeMap<&'static str, u8> {
    LAYERS.iter().flat_map(|(layer, rooms)| rooms.iter().map(|room| (*room, *layer))).collect()
}

fn room_of(path: &str) -> String {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
    if inside.starts_with("sip/driver") {
        return "sip::driver".to_owned();
    }
    if inside.starts_with("relay/driver") || inside.starts_with("relay/provider") {
        return "relay::driver".to_owned();
    }
    inside.split('/').next().unwrap_or_default().to_owned()
}

/// The code without its tests: test modules may look anywhere.
fn product_code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("readable");
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

#[test]
fn every_use_of_another_room_points_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let layers = layers();
    let mut wrong = Vec::new();
    for path in sources(&root.join("src")) {
        let name = path.strip_prefix(root).expect("readable").display().to_string();
        if name.ends_with("/tests.rs") || name.contains("/tests/") {
            continue;
        }
        let room = room_of(&name);
        let Some(layer) = layers.get(room.as_str()) else {
            wrong.push(format!("{name}: room `{room}` is in no layer"));
            continue;
        };
        for (number, line) in product_code(&path).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for used in code.match_indices("crate::").map(|(at, _)| &code[at + "crate::".len()..]) {
                let target: String = used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                let target = if used.starts_with("sip::driver") { "sip::driver".to_owned() } else { target };
                let target = if used.starts_with("relay::driver") { "relay::driver".to_owned() } else { target };
                if target == room || target.is_empty() {
                    continue;
                }
                match layers.get(target.as_str()) {
                    Some(below) if below < layer || (below == layer && SIDEWAYS.contains(layer)) => {}
                    Some(_) => wrong.push(format!("{name}:{}: `{room}` (L{layer}) uses `{target}`", number + 1)),
                    None => wrong.push(format!("{name}:{}: `{target}` is in no layer", number + 1)),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "edges that do not point down:\n{}", wrong.join("\n"));
}

#[test]
fn fenced_crates_are_named_in_their_own_place_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for path in sources(&root.join("src")) {
        let name = path.strip_prefix(root).expect("readable").display().to_string();
        for (number, line) in product_code(&path).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for (crate_name, places) in FENCED {
                let named = code
                    .match_indices(crate_name)
                    .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
                if named && !places.iter().any(|place| name.starts_with(place)) {
                    wrong.push(format!("{name}:{}: {crate_name}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "crates outside their place:\n{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_have_no_clock_socket_or_task() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let layers = layers();
    let banned = [
        "Instant::now(",
        "SystemTime::now(",
        "machine::now(",
        "UdpSocket",
        "TcpStream",
        "TcpListener",
        "tokio::spawn",
        "thread::spawn",
    ];
    let mut wrong = Vec::new();
    for path in sources(&root.join("src")) {
        let name = path.strip_prefix(root).expect("readable").display().to_string();
        let room = room_of(&name);
        if layers.get(room.as_str()) != Some(&1) || name.ends_with("/tests.rs") || name.contains("/tests/") {
            continue;
        }
        for (number, line) in product_code(&path).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            wrong.extend(banned.iter().filter(|b| code.contains(*b)).map(|b| format!("{name}:{}: {b}", number + 1)));
        }
    }
    assert!(wrong.is_empty(), "pure rooms that are not:\n{}", wrong.join("\n"));
}

/// Scenarios that run beside others are those that the runner lets.
#[test]
fn scenarios_that_run_beside_others_are_those_that_the_runner() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let runner = fs::read_to_string(root.join(".config/nextest.toml")).expect("readable");
    let listed = runner.split("test(/^(").nth(1).and_then(|rest| rest.split(')').next()).expect("a list of rooms");
    let listed: Vec<&str> = listed.split('|').collect();
    let mut found = Vec::new();
    for path in sources(&root.join("tests/interop")) {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let text = fs::read_to_string(&path).expect("readable");
        let called = |names: [&str; 2]| names.iter().any(|name| text.contains(&format!("{name}(|")));
        let (beside, alone) =
            (called(["isolated_beside_others", "isolated_as_root_beside_others"]), called(["isolated", "isolated_as_root"]));
        assert!(!(beside && alone), "{name}: the runner knows rooms, not single scenarios");
        found.extend(beside.then_some(name));
    }
    assert_eq!(found, listed);
}
