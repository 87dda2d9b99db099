//! Layers: an edge may only point down, or sideways where it is listed; and each crate is named where it belongs.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::Graph;
use super::modules::Resolution;
use super::source::{SourceFile, product_tree};

/// Folders by layer. `sip::driver` and `relay::driver` (with the providers) stand apart: they hold sockets and tasks of pure folders.
const LAYERS: &[(u8, &[&str])] = &[
    (6, &["main", "lib"]),
    (5, &["app", "config", "cli", "fuzz", "status"]),
    (4, &["call", "http"]),
    (3, &["meeting", "service"]),
    (2, &["media", "sip::driver", "relay::driver", "speech", "store", "telemetry", "net"]),
    (1, &["sip", "sdp", "rtp", "codec", "dsp", "policy", "menu", "prompt", "relay"]),
    (0, &["common"]),
];

/// The layer of the pure folders.
const PURE: u8 = 1;

/// Edges between folders of one layer, sorted. A new one is a decision: what both need may belong one layer further down.
const SIDEWAYS: &[(&str, &str)] = &[
    ("app", "cli"),
    ("app", "config"),
    ("app", "status"),
    ("cli", "config"),
    ("codec", "dsp"),
    ("fuzz", "config"),
    ("media", "net"),
    ("menu", "sip"),
    ("prompt", "dsp"),
    ("relay::driver", "net"),
    ("relay::driver", "store"),
    ("rtp", "codec"),
    ("rtp", "dsp"),
    ("sdp", "codec"),
    ("sdp", "rtp"),
    ("service", "meeting"),
    ("sip::driver", "net"),
    ("status", "cli"),
    ("status", "config"),
];

/// Crates that only these places may name.
const FENCED: &[(&str, &[&str])] = &[
    ("webrtc", &["src/media/peer/"]),
    ("rtc_crypto", &["src/rtp/srtp/", "src/rtp/dtls/"]),
    ("rtc_dtls", &["src/rtp/dtls/"]),
    ("rsip", &["src/sip/message/"]),
    ("opus", &["src/codec/"]),
    ("rusqlite", &["src/store/"]),
    ("axum", &["src/http/", "src/service/embedded/"]),
];

/// What pure folders may not name: clocks, sockets, tasks.
const IMPURE: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "machine::now",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "tokio::spawn",
    "thread::spawn",
    "tokio::time",
];

/// The folder that a file belongs to.
fn folder_of(path: &str) -> String {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
    if inside.starts_with("sip/driver/") {
        return "sip::driver".to_owned();
    }
    if inside.starts_with("relay/driver/") || inside.starts_with("relay/provider/") {
        return "relay::driver".to_owned();
    }
    inside.split('/').next().unwrap_or_default().to_owned()
}

fn layers() -> BTreeMap<&'static str, u8> {
    LAYERS.iter().flat_map(|(layer, folders)| folders.iter().map(|folder| (*folder, *layer))).collect()
}

/// Edges between folders, with the first place of each; those of maps that re-export what is below them are left out.
fn folder_edges(graph: &Graph<'_>) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for edge in graph.edges.iter().filter(|edge| !edge.is_map) {
        let (from, to) = (folder_of(&graph.files[edge.from].path), folder_of(&graph.files[edge.to].path));
        // The root of the crate declares folders; it is used by none.
        if from != to && to != "lib" {
            let example = || format!("{}: `{}` uses `{to}` by `{}`", graph.place(edge.from, edge.line), from, edge.path);
            found.entry((from.clone(), to.clone())).or_insert_with(example);
        }
    }
    found
}

fn edges_that_do_not_point_down(files: &[SourceFile], sideways: &[(&str, &str)]) -> Vec<String> {
    let (graph, layers) = (Graph::of(files), layers());
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for ((from, to), example) in folder_edges(&graph) {
        match (layers.get(from.as_str()), layers.get(to.as_str())) {
            (Some(above), Some(below)) if above > below => {}
            (Some(one), Some(other)) if one == other => {
                if sideways.contains(&(&from, &to)) {
                    used.insert((from, to));
                } else {
                    wrong.push(format!("{example}; sideways edges are listed in SIDEWAYS, or better avoided"));
                }
            }
            (Some(_), Some(_)) => {
                wrong.push(format!("{example}, which is in a higher layer; the lower folder defines what it says upward"))
            }
            (None, _) => wrong.push(format!("{example}; `{from}` is in no layer: add it to LAYERS")),
            (_, None) => wrong.push(format!("{example}; `{to}` is in no layer: add it to LAYERS")),
        }
    }
    let unused = sideways.iter().filter(|(from, to)| !used.contains(&((*from).to_owned(), (*to).to_owned())));
    wrong.extend(unused.map(|(from, to)| format!("SIDEWAYS lists `{from}` to `{to}`, and there is no such edge: take it out")));
    wrong
}

#[test]
fn every_edge_between_folders_points_down_or_is_listed() {
    assert!(SIDEWAYS.is_sorted() && SIDEWAYS.windows(2).all(|pair| pair[0] != pair[1]), "SIDEWAYS is sorted, each pair once");
    let wrong = edges_that_do_not_point_down(&product_tree(), SIDEWAYS);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_edge_upwards_is_found_through_a_reexport() {
    let files = super::source::synthetic_tree(&[
        ("src/lib.rs", "pub mod call;\npub mod http;\nmod sip;\npub mod rtp;\n"),
        ("src/call/mod.rs", "pub use crate::rtp::R;\npub struct C;\n"),
        ("src/http/mod.rs", "fn f(_: crate::call::C) {}\n"),
        ("src/sip/mod.rs", "pub mod driver;\npub use driver::D;\n"),
        ("src/sip/driver/mod.rs", "pub struct D;\n"),
        ("src/rtp/mod.rs", "use super::sip::D;\npub struct R;\n"),
    ]);
    let wrong = edges_that_do_not_point_down(&files, &[("rtp", "sip")]);
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert!(wrong[0].starts_with("src/http/mod.rs:1: `http` uses `call`"), "{wrong:?}");
    assert!(wrong[1].starts_with("src/rtp/mod.rs:1: `rtp` uses `sip::driver`"), "{wrong:?}");
    assert!(wrong[2].starts_with("SIDEWAYS lists `rtp` to `sip`"), "{wrong:?}");
}

/// Paths of other crates outside the places that may name them.
fn crates_outside_their_place(files: &[SourceFile]) -> Vec<String> {
    let graph = Graph::of(files);
    let mut wrong = Vec::new();
    for named in graph.paths.iter().filter(|named| named.resolution == Resolution::Foreign) {
        let fence = FENCED.iter().find(|(name, _)| named.path.first().is_some_and(|first| first == name));
        if let Some((name, places)) = fence
            && !places.iter().any(|place| files[named.file].path.starts_with(place))
        {
            wrong.push(format!("{}: `{name}` is named in {} only", graph.place(named.file, named.line), places.join(", ")));
        }
    }
    wrong
}

#[test]
fn fenced_crates_are_named_in_their_own_place_only() {
    let wrong = crates_outside_their_place(&product_tree());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Clocks, sockets and tasks in folders that decide.
fn impure_paths(files: &[SourceFile]) -> Vec<String> {
    let (graph, layers) = (Graph::of(files), layers());
    let is_pure = |file: usize| layers.get(folder_of(&files[file].path).as_str()) == Some(&PURE);
    let mut wrong = Vec::new();
    for named in graph.paths.iter().filter(|named| is_pure(named.file)) {
        let path = format!("::{}::", named.path.join("::"));
        let banned = IMPURE.iter().filter(|banned| path.contains(&format!("::{banned}::")));
        let place = graph.place(named.file, named.line);
        wrong.extend(
            banned.map(|banned| format!("{place}: `{banned}` in a pure folder; take it as an argument, or move it to a driver")),
        );
    }
    wrong
}

#[test]
fn pure_folders_have_no_clock_socket_or_task() {
    let wrong = impure_paths(&product_tree());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_clock_and_a_fenced_crate_are_found() {
    let files = super::source::synthetic_tree(&[
        ("src/lib.rs", "mod policy;\nmod codec;\nmod rtc;\n"),
        ("src/policy/mod.rs", "use std::time::Instant;\nfn f() { assert!(Instant::now() > x); }\nuse opus::Encoder;\n"),
        ("src/codec/mod.rs", "use opus::Encoder;\n"),
        ("src/rtc/mod.rs", "// rtc::X\nuse crate::codec;\n"),
    ]);
    assert_eq!(impure_paths(&files).len(), 1, "{:?}", impure_paths(&files));
    assert_eq!(crates_outside_their_place(&files), ["src/policy/mod.rs:3: `opus` is named in src/codec/ only"]);
}
