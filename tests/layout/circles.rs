//! Circles: no file needs, by whatever way around, one that needs it.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Edge, Graph};
use super::source::{SourceFile, product_tree};

/// The files that can be reached from each one.
fn reachable(graph: &Graph<'_>) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut next: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for edge in graph.dependencies() {
        next.entry(edge.from).or_default().insert(edge.to);
    }
    let from = |start: &usize| {
        let (mut found, mut open) = (BTreeSet::new(), vec![*start]);
        while let Some(file) = open.pop() {
            open.extend(next.get(&file).into_iter().flatten().filter(|file| found.insert(**file)));
        }
        (*start, found)
    };
    next.keys().map(from).collect()
}

/// Each strongly connected component of more than one file: its files, and an edge of each pair in it.
fn circles(files: &[SourceFile]) -> Vec<String> {
    let graph = Graph::of(files);
    let reachable = reachable(&graph);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (start, there) in reachable.iter().filter(|(start, there)| there.contains(start)) {
        let circle: BTreeSet<usize> =
            there.iter().filter(|file| reachable.get(file).is_some_and(|back| back.contains(start))).copied().collect();
        if !seen.insert(circle.clone()) {
            continue;
        }
        let within = |edge: &&Edge| circle.contains(&edge.from) && circle.contains(&edge.to);
        let edges = graph.dependencies().filter(within);
        let lines: Vec<String> = edges
            .map(|edge| format!("    {}: `{}` of {}", graph.place(edge.from, edge.line), edge.path, files[edge.to].path))
            .collect();
        let names: Vec<&str> = circle.iter().map(|file| files[*file].path.as_str()).collect();
        found.push(format!("  {} files: {}\n{}", circle.len(), names.join(", "), lines.join("\n")));
    }
    found
}

#[test]
fn no_files_form_a_circle() {
    let found = circles(&product_tree());
    assert!(
        found.is_empty(),
        "{} circles of files; move what both need into a file of its own, or give it as an argument:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn a_circle_is_found_through_a_map_and_a_map_is_none() {
    let files = super::source::synthetic_tree(&[
        ("src/lib.rs", "mod a;\n"),
        ("src/a/mod.rs", "mod one;\nmod two;\nmod three;\npub use one::One;\npub use three::Three;\n"),
        ("src/a/one.rs", "pub struct One;\nfn f(_: super::two::Two) {}\n"),
        ("src/a/three.rs", "pub(super) struct Three(super::One);\n"),
        ("src/a/two.rs", "use super::Three;\npub struct Two;\n"),
    ]);
    let found = circles(&files);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("  3 files: src/a/one.rs, src/a/three.rs, src/a/two.rs\n"), "{found:?}");
    assert!(
        circles(&super::source::synthetic_tree(&[("src/lib.rs", "pub mod b;\n"), ("src/b.rs", "fn f() { crate::b::f() }\n")]))
            .is_empty()
    );
}

#[test]
fn a_module_file_with_logic_is_in_the_circle() {
    let files = super::source::synthetic_tree(&[
        ("src/lib.rs", "mod a;\n"),
        ("src/a/mod.rs", "mod one;\nuse one::One;\npub struct Whole(One);\n"),
        ("src/a/one.rs", "pub struct One;\nimpl From<super::Whole> for One {}\n"),
    ]);
    assert_eq!(circles(&files).len(), 1);
}
