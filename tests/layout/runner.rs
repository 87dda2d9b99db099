//! The runner's configuration, held to what stands in the tests of real peers.

use std::fs;

use super::rules::root;
use super::source::read;

/// `.config/nextest.toml` lists the files of `tests/interop` whose tests run beside others: those that ask for it.
#[test]
fn stories_beside_others_are_those_that_the_runner_lists() {
    let runner = fs::read_to_string(root().join(".config/nextest.toml")).expect("readable");
    let listed = runner.split("test(/^(").nth(1).and_then(|rest| rest.split(')').next()).expect("a list of files");
    let listed: Vec<&str> = listed.split('|').collect();
    let mut texts = Vec::new();
    read(&root().join("tests/interop"), &mut texts);
    let mut found = Vec::new();
    for (path, text) in &texts {
        let name = path.trim_start_matches("tests/interop/").trim_end_matches(".rs");
        let calls = |names: [&str; 2]| names.iter().any(|name| text.contains(&format!("{name}(|")));
        let (beside, alone) =
            (calls(["isolated_beside_others", "isolated_as_root_beside_others"]), calls(["isolated", "isolated_as_root"]));
        assert!(!(beside && alone), "{path}: the runner knows files, not single tests; move one of them");
        found.extend(beside.then_some(name));
    }
    assert_eq!(found, listed, "left: the files that ask for it; right: the list in .config/nextest.toml");
}

/// What `make test` leaves out is there, and is a part of `make load`.
#[test]
fn what_waits_long_is_left_to_make_load() {
    let runner = fs::read_to_string(root().join(".config/nextest.toml")).expect("readable");
    let makefile = fs::read_to_string(root().join("Makefile")).expect("readable");
    let filter = runner.split("not (binary(interop)").nth(1).and_then(|rest| rest.split("\"\"\"").next()).expect("a filter");
    let load = makefile.split("LOAD := ").nth(1).and_then(|rest| rest.split("load:\n").next()).expect("a list of tests");
    let load: Vec<&str> = load.split_whitespace().collect();
    let named: Vec<&str> = filter.split("test(").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(named.len() > 1, "{filter}");
    for pattern in named {
        let name = pattern.trim_start_matches(['=', '/', '^']).trim_end_matches('/');
        let (file, test) = name.split_once("::").unwrap_or((name, ""));
        let text = fs::read_to_string(root().join(format!("tests/interop/{file}.rs"))).unwrap_or_default();
        assert!(text.contains(&format!("fn {test}")), "{name} of .config/nextest.toml is not in tests/interop");
        assert!(load.iter().any(|given| name.starts_with(given)), "{name} is in neither `make test` nor `make load`");
    }
}
