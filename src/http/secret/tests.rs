use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn two_processes_on_one_state_directory_share_the_key() {
    let scratch = tempfile::tempdir().expect("a folder");
    let path = scratch.path().join("session.key");
    let made = key(&path).expect("made");
    assert_eq!(*made, *key(&path).expect("read"));
    let names: Vec<_> = std::fs::read_dir(&scratch).expect("list").map(|e| e.expect("entry").file_name()).collect();
    assert_eq!(names, ["session.key"], "no draft is left behind");
}

#[test]
fn many_that_start_at_once_agree_on_one_key() {
    let scratch = tempfile::tempdir().expect("a folder");
    let tokens: Vec<_> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8).map(|_| scope.spawn(|| ApiToken::open(scratch.path()).expect("token").0)).collect();
        racers.into_iter().map(|racer| racer.join().expect("no panic")).collect()
    });
    assert!(tokens.windows(2).all(|pair| pair[0] == pair[1]));
}

/// Secret files are closed to others even if somebody opened them.
#[test]
fn secret_files_are_closed_to_others_even_if_somebody_opened() {
    let scratch = tempfile::tempdir().expect("a folder");
    let mode = |name: &str| std::fs::metadata(scratch.path().join(name)).expect("there").permissions().mode() & 0o777;
    let token = ApiToken::open(scratch.path()).expect("made");
    key(&scratch.path().join("session.key")).expect("key");
    assert_eq!((mode("api-token"), mode("session.key")), (0o600, 0o600));
    std::fs::set_permissions(scratch.path().join("api-token"), std::fs::Permissions::from_mode(0o644)).expect("chmod");
    assert_eq!(ApiToken::open(scratch.path()).expect("again"), token);
    assert_eq!(mode("api-token"), 0o600);
}

#[test]
fn a_damaged_key_or_an_empty_token_is_said_not_replaced() {
    let scratch = tempfile::tempdir().expect("a folder");
    std::fs::write(scratch.path().join("session.key"), "short").expect("write");
    std::fs::write(scratch.path().join("api-token"), "\n").expect("write");
    assert!(matches!(key(&scratch.path().join("session.key")), Err(SecretError::Damaged { .. })));
    assert!(matches!(ApiToken::open(scratch.path()), Err(SecretError::Damaged { .. })));
    assert!(matches!(key(&scratch.path().join("absent/session.key")), Err(SecretError::File { .. })));
}

#[test]
fn the_api_token_is_known_again_and_never_printed() {
    let token = ApiToken::new("correct horse battery staple");
    assert!(token.is("correct horse battery staple"));
    assert!(!token.is("correct horse battery stapl") && !token.is(""));
    assert_eq!(format!("{token:?}"), "ApiToken(***)");
}
