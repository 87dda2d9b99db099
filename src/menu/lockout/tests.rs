use super::*;

#[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
fn start() -> Instant {
    Instant::now()
}

fn name(text: &str) -> MeetingName {
    MeetingName::new(text).unwrap()
}

fn at(address: &str) -> CodeSource {
    CodeSource::at(address.parse().unwrap())
}

fn behind(caller: &str) -> CodeSource {
    CodeSource { source: Source::Behind(IpAddr::from([10, 0, 0, 1]), caller.into()), known: false }
}

/// Strangers guess until the meeting holds up others of their kind.
fn guess(lockout: &mut Lockout, now: Instant, meeting: &MeetingName) {
    for n in 0..60_u32 {
        lockout.judge(now, &CodeSource::at(IpAddr::V4((0x0a00_0000 + n).into())), Some(meeting), false);
    }
    assert_eq!(lockout.locked(now).1, std::slice::from_ref(meeting));
}

/// Nine wrong tries lock a source for a quarter hour and no other.
#[test]
fn k1_nine_wrong_tries_lock_a_source_for_a_quarter_hour() {
    let (mut lockout, now, board) = (Lockout::default(), start(), name("board"));
    let (source, neighbour, other) = (at("2001:db8::1"), at("2001:db8::2"), at("192.0.2.1"));
    for n in 1..=9 {
        let expected = if n == 9 { CodeVerdict::Locked } else { CodeVerdict::Wrong };
        assert_eq!(lockout.judge(now, &source, Some(&board), false), expected, "{n}");
    }
    assert_eq!(lockout.judge(now, &neighbour, Some(&board), true), CodeVerdict::Locked, "the same /64");
    assert_eq!(lockout.judge(now, &other, Some(&board), true), CodeVerdict::Opens);
    assert_eq!(lockout.locked(now), (vec![source.source.clone()], Vec::new()), "what status shows");
    let later = now + Duration::from_secs(15 * 60);
    assert_eq!(lockout.judge(later, &source, None, false), CodeVerdict::Wrong, "counted anew");
    assert_eq!(lockout.judge(later, &source, Some(&board), true), CodeVerdict::Opens);
}

#[test]
fn k1_callers_behind_one_trunk_are_locked_one_by_one() {
    let (mut lockout, now, board) = (Lockout::default(), start(), name("board"));
    let (guesser, colleague) = (behind("+491511234567@pbx"), behind("200@pbx"));
    assert!((0..9).all(|_| lockout.judge(now, &guesser, Some(&board), false) != CodeVerdict::Opens));
    assert!(lockout.is_locked(now, &guesser));
    assert_eq!(lockout.judge(now, &guesser, Some(&board), true), CodeVerdict::Locked);
    assert_eq!(lockout.judge(now, &colleague, Some(&board), true), CodeVerdict::Opens);
    assert!(lockout.lift(now, &guesser.source.to_string()), "by the name that status shows");
    assert_eq!(lockout.judge(now, &guesser, Some(&board), true), CodeVerdict::Opens);
}

#[test]
fn k1_strangers_who_guess_keep_out_nobody_who_knows_the_code() {
    let (mut lockout, mut now, board) = (Lockout::default(), start(), name("board"));
    let returning = behind("200@pbx");
    assert_eq!(lockout.judge(now, &returning, Some(&board), true), CodeVerdict::Opens);
    now += Duration::from_secs(60 * 60);
    guess(&mut lockout, now, &board);
    assert_eq!(lockout.judge(now, &returning, Some(&board), true), CodeVerdict::Opens, "was right before");
    let device = CodeSource { source: Source::of([192, 0, 2, 7].into()), known: true };
    assert_eq!(lockout.judge(now, &device, Some(&board), false), CodeVerdict::Wrong, "its own tries count alone");
    assert_eq!(lockout.judge(now, &device, Some(&board), true), CodeVerdict::Opens);
    assert_eq!(lockout.judge(now, &at("192.0.2.9"), Some(&board), true), CodeVerdict::Opens, "a stranger's first code");
    assert_eq!(lockout.judge(now, &behind("new@pbx"), Some(&board), true), CodeVerdict::Opens);
    assert_eq!(lockout.judge(now, &at("192.0.2.10"), Some(&name("demo")), true), CodeVerdict::Opens, "another meeting");
}

#[test]
fn k1_strangers_have_few_tries_while_a_meeting_is_guessed_at() {
    let (mut lockout, now, board) = (Lockout::default(), start(), name("board"));
    guess(&mut lockout, now, &board);
    let stranger = at("192.0.2.9");
    assert_eq!(lockout.judge(now, &stranger, Some(&board), false), CodeVerdict::Locked, "its one try is spent");
    assert_eq!(lockout.judge(now, &stranger, Some(&board), true), CodeVerdict::Locked);
    let site = |n: u16| CodeSource::at(IpAddr::from([0x2001, 0xdb8, 1, n, 0, 0, 0, 1]));
    assert_eq!(
        (0..500).filter(|n| lockout.judge(now, &site(*n), Some(&board), true) == CodeVerdict::Opens).count(),
        1,
        "one /48"
    );
    let looked_at = (0..600_u64)
        .filter(|n| {
            lockout.judge(now + Duration::from_millis(n * 100), &behind(&format!("{n}@pbx")), Some(&board), true)
                == CodeVerdict::Opens
        })
        .count();
    assert_eq!(looked_at, 6, "callers of one trunk, in a minute");
    let later = now + Duration::from_secs(5 * 60);
    assert_eq!(lockout.judge(later, &at("192.0.2.11"), Some(&board), false), CodeVerdict::Wrong, "it is over");
}

#[test]
fn k1_full_tables_lock_nobody_and_stay_bounded() {
    let (mut lockout, now, board) = (Lockout::default(), start(), name("board"));
    let device = CodeSource { source: Source::of([192, 0, 2, 7].into()), known: true };
    for n in 0..10_000_u32 {
        let (now, stranger) = (now + Duration::from_millis(n.into()), CodeSource::at(IpAddr::V4(n.into())));
        for _ in 0..9 {
            lockout.judge(now, &stranger, None, false);
        }
        lockout.judge(now, &stranger, Some(&name(&format!("m{n}"))), true);
    }
    guess(&mut lockout, now + Duration::from_secs(11), &board);
    for n in 0..10_000_u32 {
        lockout.judge(now, &CodeSource::at(IpAddr::V4((n << 8).into())), Some(&board), true);
    }
    let sizes = [lockout.callers.len(), lockout.meetings.len(), lockout.right.len(), lockout.looked.len()];
    assert!(sizes.iter().all(|size| *size <= MOST), "{sizes:?}");
    let now = now + Duration::from_secs(12);
    assert_eq!(lockout.judge(now, &device, Some(&board), true), CodeVerdict::Opens);
    assert_eq!(lockout.judge(now, &at("203.0.113.1"), Some(&board), true), CodeVerdict::Opens);
}
