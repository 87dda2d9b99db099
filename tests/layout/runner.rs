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
