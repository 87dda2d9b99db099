use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::sessions::KEY_FILE;
use super::*;
use crate::common::ids::MeetingName;
use crate::common::redact::Redacted;
use crate::store;

const SECOND: Duration = Duration::from_secs(1);

fn meeting(name: &str) -> MeetingName {
    MeetingName::new(name).expect("a good name")
}

/// A noon to count from.
fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// A state directory with its store, which a daemon may open again and again.
struct Place(tempfile::TempDir);

/// What one daemon has of it.
struct Up {
    sessions: Sessions,
    store: JoinHandle<()>,
}

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    async fn start_at(&self, now: SystemTime) -> Up {
        let (handle, store) = store::open(self.0.path(), &self.0.path().join("keys")).expect("a store");
        let sessions = Sessions::open(self.0.path(), handle, now).await.expect("sessions");
        Up { sessions, store }
    }

    async fn start(&self) -> Up {
        self.start_at(noon()).await
    }
}

impl Up {
    async fn link(&self, name: &str, role: LinkRole, uses: u32, valid: Duration) -> (Link, String) {
        let link = NewLink { meeting: meeting(name), made_at: 0, role, uses, valid, maker: None };
        self.sessions.make_link(link, noon()).await.expect("a link")
    }

    async fn token(&self, name: &str, role: LinkRole) -> String {
        self.link(name, role, 1, LINK_VALID).await.1
    }

    async fn exchange(&self, token: &str, now: SystemTime) -> Result<(PageSession, String), LinkError> {
        self.sessions.exchange(token, None, &BrowserArrival::default(), now).await
    }

    fn stop(self) {
        drop(self.sessions);
        self.store.join().expect("it ends");
    }
}

#[tokio::test]
async fn a_link_becomes_a_session_of_its_meeting() {
    let place = Place::new();
    let up = place.start().await;
    let token = up.token("demo", LinkRole::Organiser).await;
    assert_eq!(up.sessions.peek(&token, noon()).expect("good").meeting, meeting("demo"));
    let (session, cookie) = up.exchange(&token, noon()).await.expect("exchange");
    assert_eq!((session.meeting.as_str(), session.role), ("demo", LinkRole::Organiser));
    assert!(session.organises() && session.is_member());
    assert_eq!(up.sessions.session(&cookie, noon()), Some(session));
    let guest = up.token("demo", LinkRole::Guest).await;
    let (guest, _) = up.exchange(&guest, noon()).await.expect("exchange");
    assert!(!guest.organises() && !guest.is_member());
}

#[tokio::test]
async fn u4_sessions_and_used_links_survive_a_restart() {
    let place = Place::new();
    let up = place.start().await;
    let (used, unused) = (up.token("demo", LinkRole::Member).await, up.token("demo", LinkRole::Member).await);
    let (twice, _) = (up.link("demo", LinkRole::Member, 2, LINK_VALID).await.1, ());
    let (session, cookie) = up.exchange(&used, noon()).await.expect("exchange");
    up.exchange(&twice, noon()).await.expect("the first of two");
    up.stop();

    let up = place.start_at(noon() + SECOND).await;
    assert_eq!(up.sessions.session(&cookie, noon() + SECOND), Some(session));
    assert_eq!(up.exchange(&used, noon() + SECOND).await.map(drop), Err(LinkError::Used));
    assert!(up.exchange(&unused, noon() + SECOND).await.is_ok());
    assert!(up.exchange(&twice, noon() + SECOND).await.is_ok());
    assert_eq!(up.exchange(&twice, noon() + SECOND).await.map(drop), Err(LinkError::Used));
    assert_eq!(up.sessions.led_to(&used), Some((meeting("demo"), LinkRole::Member)), "whoever has a session goes on");
}

/// A session that was ended is worth nothing also after a restart.
#[tokio::test]
async fn u4_a_session_that_was_ended_is_worth_nothing() {
    let place = Place::new();
    let up = place.start().await;
    let token = up.token("demo", LinkRole::Member).await;
    let (session, cookie) = up.exchange(&token, noon()).await.expect("exchange");
    let endings = up.sessions.endings();
    assert_eq!(up.sessions.end(&session.id, SessionEnd::SignedOut, noon()).await, Ok(Some(session.clone())));
    assert!(endings.has_changed().expect("it lives"));
    assert_eq!(up.sessions.end(&session.id, SessionEnd::SignedOut, noon()).await, Ok(None));
    assert!(up.sessions.session(&cookie, noon()).is_none() && !up.sessions.lives(&session.id, noon()));
    up.stop();
    assert!(place.start().await.sessions.session(&cookie, noon()).is_none());
}

/// Links are listed and taken back and what they opened stays.
#[tokio::test]
async fn u4_links_are_listed_and_taken_back_and_what_they_opened() {
    let place = Place::new();
    let up = place.start().await;
    let (link, token) = up.link("demo", LinkRole::Member, 3, 30 * LINK_VALID).await;
    up.link("board", LinkRole::Member, 1, LINK_VALID).await;
    let (_, cookie) = up.exchange(&token, noon()).await.expect("exchange");
    let listed = up.sessions.links(&meeting("demo"), 0, noon());
    assert_eq!(listed.iter().map(|link| (link.id, link.uses)).collect::<Vec<_>>(), [(link.id, 2)]);
    assert!(up.sessions.links(&meeting("demo"), 7, noon()).is_empty(), "another of that name");
    assert_eq!(up.sessions.revoke_link(&meeting("board"), &link.id, noon()).await, Ok(false), "another meeting's");
    assert_eq!(up.sessions.revoke_link(&meeting("demo"), &link.id, noon()).await, Ok(true));
    assert_eq!(up.sessions.revoke_link(&meeting("demo"), &link.id, noon()).await, Ok(false));
    assert_eq!(up.exchange(&token, noon()).await.map(drop), Err(LinkError::Expired));
    assert!(up.sessions.session(&cookie, noon()).is_some());
    up.stop();
    assert_eq!(place.start().await.exchange(&token, noon()).await.map(drop), Err(LinkError::Expired));
}

/// A link works as often as it says and looking does not use it up.
#[tokio::test]
async fn a_link_works_as_often_as_it_says_and_looking_does_not_use() {
    let place = Place::new();
    let up = place.start().await;
    let token = up.token("demo", LinkRole::Member).await;
    assert!(up.sessions.peek(&token, noon()).is_ok() && up.sessions.peek(&token, noon()).is_ok());
    // At the same moment, one of them only.
    let (one, other) = tokio::join!(up.exchange(&token, noon()), up.exchange(&token, noon()));
    assert_eq!([one.is_ok(), other.is_ok()].iter().filter(|took| **took).count(), 1);
    assert_eq!(up.sessions.clone().peek(&token, noon()).map(drop), Err(LinkError::Used), "clones share the memory");
}

#[tokio::test]
async fn a_link_expires_when_it_says_and_a_session_after_twelve_hours() {
    let place = Place::new();
    let up = place.start().await;
    let token = up.token("demo", LinkRole::Member).await;
    assert_eq!(up.sessions.peek(&token, noon() + LINK_VALID).map(drop), Err(LinkError::Expired));
    let entered = noon() + LINK_VALID - SECOND;
    let (_, cookie) = up.exchange(&token, entered).await.expect("in time");
    assert!(up.sessions.session(&cookie, entered + SESSION_VALID - SECOND).is_some());
    assert!(up.sessions.session(&cookie, entered + SESSION_VALID).is_none());
    assert_eq!(up.sessions.led_to(&token).map(|(meeting, _)| meeting), Some(meeting("demo")), "known as long as the session");
}

#[tokio::test]
async fn a_link_is_no_cookie_and_a_cookie_is_no_link() {
    let place = Place::new();
    let up = place.start().await;
    let token = up.token("demo", LinkRole::Member).await;
    assert!(up.sessions.session(&token, noon()).is_none());
    let (_, cookie) = up.exchange(&token, noon()).await.expect("exchange");
    assert_eq!(up.exchange(&cookie, noon()).await.map(drop), Err(LinkError::Forged));
}

/// Another key signs nothing here and the store alone gives nobody a session.
#[tokio::test]
async fn another_key_signs_nothing_here_and_the_store_alone_gives() {
    let (here, there) = (Place::new(), Place::new());
    let up = here.start().await;
    let token = there.start().await.token("demo", LinkRole::Organiser).await;
    assert_eq!(up.exchange(&token, noon()).await.map(drop), Err(LinkError::Forged));
    let own = up.token("demo", LinkRole::Member).await;
    let (session, cookie) = up.exchange(&own, noon()).await.expect("exchange");
    assert!(!up.sessions.all(noon()).is_empty());
    assert!(up.sessions.session(&text_of(&session.id), noon()).is_none());
    std::fs::remove_file(here.0.path().join(KEY_FILE)).expect("it is there");
    up.stop();
    assert!(here.start().await.sessions.session(&cookie, noon()).is_none(), "a new key ends every session");
}

#[tokio::test]
async fn x2_who_has_links_of_one_meeting_takes_no_room_of_anothers() {
    let place = Place::new();
    let up = place.start().await;
    let made_by = |name: &str, maker| {
        let (meeting, role) = (meeting(name), LinkRole::Guest);
        NewLink { meeting, made_at: 0, role, uses: MOST_USES, valid: LINK_VALID, maker }
    };
    let link = |name: &str| made_by(name, Some([7; 16]));
    let mut made = 0;
    while up.sessions.make_link(link("demo"), noon()).await.is_ok() {
        made += 1;
    }
    assert_eq!(made, 200);
    for maker in [Some([8; 16]), None] {
        assert!(up.sessions.make_link(made_by("demo", maker), noon()).await.is_ok(), "others, and the operator");
    }
    assert!(up.sessions.make_link(link("demo"), noon() + LINK_VALID).await.is_ok(), "for now only");
}

/// A passcodes session is for that passcode and the oldest gives way.
#[tokio::test]
async fn k1_a_passcodes_session_is_for_that_passcode_and_the_oldest() {
    let place = Place::new();
    let up = place.start().await;
    let code = |text: &str| Redacted::new(text.to_owned());
    let arrival = BrowserArrival::default();
    let enter =
        async |name: &str, at| up.sessions.with_passcode(&meeting(name), 0, &code("4321"), &arrival, at).await.expect("in");
    let (first, cookie) = enter("board", noon()).await;
    assert_eq!((first.role, first.link), (LinkRole::Guest, None));
    assert!(up.sessions.still_opens(&first, Some(&code("4321"))) && up.sessions.still_opens(&first, None));
    assert!(!up.sessions.still_opens(&first, Some(&code("4322"))), "it was changed since");
    let (_, others) = enter("demo", noon()).await;
    for number in 1..=1000 {
        enter("board", noon() + SECOND * number).await;
    }
    let later = noon() + SECOND * 2000;
    assert!(up.sessions.session(&cookie, later).is_none() && up.sessions.session(&others, later).is_some());
    assert_eq!(up.sessions.all(later).len(), 1001);
}

/// A link for guests takes no place of members, and whoever uses it without end loses their own sessions.
#[tokio::test]
async fn x2_a_link_for_guests_takes_no_place_of_members() {
    let place = Place::new();
    let up = place.start().await;
    let (_, first) = up.link("demo", LinkRole::Guest, 1000, LINK_VALID).await;
    let (_, second) = up.link("demo", LinkRole::Guest, 1000, LINK_VALID).await;
    let enter = async |token: &str, last: u8, at| {
        let arrival = BrowserArrival { from: Some([192, 0, 2, last].into()), ..BrowserArrival::default() };
        up.sessions.exchange(token, None, &arrival, at).await.expect("in").1
    };
    let honest = enter(&second, 1, noon()).await;
    for _ in 0..999 {
        enter(&first, 9, noon() + SECOND).await;
    }
    let flood = enter(&second, 9, noon() + SECOND).await;
    let member = up.exchange(&up.token("demo", LinkRole::Member).await, noon()).await.expect("a member has room").1;
    for cookie in [&honest, &member, &flood] {
        assert!(up.sessions.session(cookie, noon() + SECOND).is_some());
    }
    assert_eq!(up.sessions.all(noon() + SECOND).len(), 1_001);
}

/// Whoever has the passcode and opens sessions without end loses their own, and one that gives way with a page open keeps the page.
#[tokio::test]
async fn x2_who_opens_sessions_without_end_loses_their_own() {
    let place = Place::new();
    let up = place.start().await;
    let code = Redacted::new("4321".to_owned());
    let enter = async |from: [u8; 4], open: &[SessionId], at| {
        let arrival = BrowserArrival { from: Some(from.into()), open: open.iter().copied().collect() };
        up.sessions.with_passcode(&meeting("board"), 0, &code, &arrival, at).await.expect("in")
    };
    let (honest, cookie) = enter([192, 0, 2, 1], &[], noon()).await;
    let mut flood = Vec::new();
    for number in 0..1_100_u32 {
        let from = [198, 51, 100, u8::try_from(number % 11).expect("small")];
        flood.push(enter(from, &[], noon() + SECOND * (1 + number)).await.0.id);
    }
    let later = noon() + SECOND * 2_000;
    assert!(up.sessions.session(&cookie, later).is_some(), "alone at its address, and the oldest");
    assert_eq!(up.sessions.all(later).len(), 1_000);
    // All have their pages open: one that gives way keeps its page, until somebody ends it.
    let living: Vec<_> = up.sessions.all(later).iter().map(|session| session.id).collect();
    enter([203, 0, 113, 1], &living, later).await;
    let gone: Vec<_> = living.iter().filter(|id| !up.sessions.lives(id, later)).copied().collect();
    assert!(gone.len() == 1 && flood.contains(&gone[0]) && up.sessions.keeps_pages(&gone[0], later));
    assert!(up.sessions.end(&gone[0], SessionEnd::SignedOut, later).await.expect("written").is_some());
    assert!(!up.sessions.keeps_pages(&gone[0], later) && up.sessions.keeps_pages(&honest.id, later));
}

#[tokio::test]
async fn no_changed_token_is_accepted() {
    let place = Place::new();
    let up = place.start().await;
    let token = up.token("demo", LinkRole::Member).await;
    let (_, cookie) = up.exchange(&token, noon()).await.expect("exchange");
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
            assert!(up.sessions.session(&changed, noon()).is_none(), "{changed}");
            assert_eq!(up.exchange(&changed, noon()).await.map(drop), Err(LinkError::Forged));
        }
    }
    for hostile in ["", ".", "..", "A.B", &"A".repeat(100_000), "é.é", "\0"] {
        assert!(up.sessions.session(hostile, noon()).is_none());
    }
    assert_eq!(format!("{:?}", up.sessions), "Sessions(***)");
}
