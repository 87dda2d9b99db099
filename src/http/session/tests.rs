use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn meeting(name: &str) -> MeetingName {
    MeetingName::new(name).expect("a good name")
}

/// A noon to count from.
fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

const SECOND: Duration = Duration::from_secs(1);

/// A directory of this test alone, removed at its end.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> Self {
        let path =
            std::env::temp_dir().join(format!("roomgate-session-{}", URL_SAFE_NO_PAD.encode(random_id().expect("random"))));
        std::fs::create_dir(&path).expect("scratch directory");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_link_becomes_a_session_of_its_meeting() {
    let sessions = Sessions::with_key([7; 32]);
    let token = sessions.mint_link(&meeting("demo"), 0, true, noon()).expect("link");
    assert_eq!(sessions.peek(&token, noon()), Ok(meeting("demo")));
    let (session, cookie) = sessions.exchange(&token, noon()).expect("exchange");
    assert_eq!((session.meeting.as_str(), session.organiser), ("demo", true));
    assert_eq!(sessions.session(&cookie, noon()), Some(session));
}

#[test]
fn a_link_works_once_and_looking_does_not_use_it_up() {
    let sessions = Sessions::with_key([7; 32]);
    let token = sessions.mint_link(&meeting("demo"), 0, false, noon()).expect("link");
    assert!(sessions.peek(&token, noon()).is_ok());
    assert!(sessions.exchange(&token, noon()).is_ok());
    assert_eq!(sessions.exchange(&token, noon()).map(drop), Err(LinkError::Used));
    assert_eq!(sessions.clone().peek(&token, noon()), Err(LinkError::Used), "clones share the memory");
}

#[test]
fn a_link_expires_after_ten_minutes_and_a_session_after_twelve_hours() {
    let sessions = Sessions::with_key([7; 32]);
    let token = sessions.mint_link(&meeting("demo"), 0, false, noon()).expect("link");
    assert_eq!(sessions.exchange(&token, noon() + LINK_VALID).map(drop), Err(LinkError::Expired));
    let (_, cookie) = sessions.exchange(&token, noon() + LINK_VALID - SECOND).expect("in time");
    let entered = noon() + LINK_VALID - SECOND;
    assert!(sessions.session(&cookie, entered + SESSION_VALID - SECOND).is_some());
    assert!(sessions.session(&cookie, entered + SESSION_VALID).is_none());
}

#[test]
fn a_link_is_no_cookie_and_a_cookie_is_no_link() {
    let sessions = Sessions::with_key([7; 32]);
    let token = sessions.mint_link(&meeting("demo"), 0, false, noon()).expect("link");
    assert!(sessions.session(&token, noon()).is_none());
    let (_, cookie) = sessions.exchange(&token, noon()).expect("exchange");
    assert_eq!(sessions.exchange(&cookie, noon()).map(drop), Err(LinkError::Forged));
}

#[test]
fn another_key_signs_nothing_here() {
    let token = Sessions::with_key([8; 32]).mint_link(&meeting("demo"), 0, true, noon()).expect("link");
    assert_eq!(Sessions::with_key([7; 32]).exchange(&token, noon()).map(drop), Err(LinkError::Forged));
}

#[test]
fn used_links_are_remembered_in_bounded_memory_and_forgotten_when_they_would_have_expired() {
    let sessions = Sessions::with_key([7; 32]);
    for _ in 0..USED_LINKS {
        let token = sessions.mint_link(&meeting("demo"), 0, false, noon()).expect("link");
        assert!(sessions.exchange(&token, noon()).is_ok());
    }
    let late = noon() + LINK_VALID - SECOND;
    let one_more = sessions.mint_link(&meeting("demo"), 0, false, late).expect("link");
    assert_eq!(sessions.exchange(&one_more, late).map(drop), Err(LinkError::Busy));
    assert!(sessions.exchange(&one_more, noon() + LINK_VALID).is_ok(), "refused for now only");
    assert_eq!(sessions.0.used.lock().expect("lock").len(), 1);
}

#[test]
fn no_changed_token_is_accepted() {
    let sessions = Sessions::with_key([7; 32]);
    let token = sessions.mint_link(&meeting("demo"), 0, false, noon()).expect("link");
    let (_, cookie) = sessions.exchange(&token, noon()).expect("exchange");
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 16).expect("64 bit")
    };
    for _ in 0..5000 {
        let mut bytes = cookie.clone().into_bytes();
        for _ in 0..=next() % 3 {
            let at = next() % bytes.len();
            match next() % 3 {
                0 => bytes[at] = u8::try_from(next() % 256).expect("a byte"),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"ABCz019-_.="[next() % 11]),
            }
        }
        let changed = String::from_utf8_lossy(&bytes);
        if changed != cookie {
            assert!(sessions.session(&changed, noon()).is_none(), "{changed}");
            assert_eq!(sessions.exchange(&changed, noon()).map(drop), Err(LinkError::Forged));
        }
    }
    for hostile in ["", ".", "..", "A.B", &"A".repeat(100_000), "é.é", "\0"] {
        assert!(sessions.session(hostile, noon()).is_none());
    }
}

#[test]
fn two_processes_on_one_state_directory_share_the_key() {
    let scratch = Scratch::new();
    let daemon = Sessions::open(&scratch.0).expect("made");
    let link_command = Sessions::open(&scratch.0).expect("read");
    let token = link_command.mint_link(&meeting("demo"), 0, true, noon()).expect("link");
    assert!(daemon.exchange(&token, noon()).is_ok());
    let names: Vec<_> = std::fs::read_dir(&scratch.0).expect("list").map(|e| e.expect("entry").file_name()).collect();
    assert_eq!(names, ["session.key"], "no draft is left behind");
}

#[test]
fn many_that_start_at_once_agree_on_one_key() {
    let scratch = Scratch::new();
    let tokens: Vec<_> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8).map(|_| scope.spawn(|| ApiToken::open(&scratch.0).expect("token").0)).collect();
        racers.into_iter().map(|racer| racer.join().expect("no panic")).collect()
    });
    assert!(tokens.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn secret_files_are_closed_to_others_even_if_somebody_opened_them() {
    let scratch = Scratch::new();
    let mode = |name: &str| std::fs::metadata(scratch.0.join(name)).expect("there").permissions().mode() & 0o777;
    ApiToken::open(&scratch.0).expect("made");
    let token = api_token(&scratch.0).expect("token");
    Sessions::open(&scratch.0).expect("key");
    assert_eq!((mode("api-token"), mode("session.key")), (0o600, 0o600));
    std::fs::set_permissions(scratch.0.join("api-token"), std::fs::Permissions::from_mode(0o644)).expect("chmod");
    assert_eq!(*api_token(&scratch.0).expect("again"), *token);
    assert_eq!(mode("api-token"), 0o600);
}

#[test]
fn a_damaged_key_or_an_empty_token_is_said_not_replaced() {
    let scratch = Scratch::new();
    std::fs::write(scratch.0.join("session.key"), "short").expect("write");
    std::fs::write(scratch.0.join("api-token"), "\n").expect("write");
    assert!(matches!(Sessions::open(&scratch.0), Err(SecretError::Damaged { .. })));
    assert!(matches!(ApiToken::open(&scratch.0), Err(SecretError::Damaged { .. })));
    assert!(matches!(Sessions::open(&scratch.0.join("absent")), Err(SecretError::File { .. })));
}

#[test]
fn only_the_daemon_makes_a_token() {
    let scratch = Scratch::new();
    assert!(matches!(api_token(&scratch.0), Err(SecretError::File { .. })));
    assert!(std::fs::read_dir(&scratch.0).expect("list").next().is_none(), "who only asks leaves nothing behind");
    let made = ApiToken::open(&scratch.0).expect("made");
    assert!(made.is(&api_token(&scratch.0).expect("read")));
}

#[test]
fn the_api_token_is_known_again_and_never_printed() {
    let token = ApiToken::new("correct horse battery staple");
    assert!(token.is("correct horse battery staple"));
    assert!(!token.is("correct horse battery stapl") && !token.is(""));
    assert_eq!(format!("{token:?} {:?}", Sessions::with_key([1; 32])), "ApiToken(***) Sessions(***)");
}
