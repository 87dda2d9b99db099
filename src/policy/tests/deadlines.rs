//! Deadlines of the machine.

use super::*;

#[test]
fn durations_beyond_the_clock_mean_never() {
    let forever = Duration::MAX;
    let mut w = world(PolicySettings {
        lobby_timeout: forever,
        lobby_warning: Duration::ZERO,
        comfort_interval: forever,
        externals_only_timeout: forever,
        empty_timeout: forever,
        ..PolicySettings::default()
    });
    w.join(PHONE);
    assert_eq!(w.policy.deadline(), None);
    w.fact(Fact::Left { who: PHONE });
    assert_eq!(w.policy.deadline(), None);
}

#[test]
fn a_late_wake_gives_the_effects_of_a_timely_one() {
    let history = || {
        let mut w = meeting();
        w.capture(REC, Capture::On);
        w.fact(Fact::Alive { who: MEMBER, alive: false });
        w
    };
    let (mut timely, mut late) = (history(), history());
    let expected = timely.after(120_000);
    late.policy.wake(late.now + Duration::from_secs(120));
    assert!(alarms(&expected).len() > 2 && dismissals(&expected).len() == 1);
    assert_eq!(late.drain(), expected);
    assert_eq!(late.policy.deadline(), timely.policy.deadline());
}
