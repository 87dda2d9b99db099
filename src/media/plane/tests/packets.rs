//! Packet times, moved ports and silence.

use super::*;
use crate::common::play_outcome::PlayOutcome;
use crate::media::egress::Egress;
use crate::media::profile::Profile;

/// Every ptime is kept within 5 ms with numbers and timestamps in line.
#[test]
fn every_ptime_is_kept_within_5_ms_with_numbers_and_timestamps() {
    for codec in [CodecKind::Pcmu, CodecKind::G722, CodecKind::Opus] {
        for ptime in [10, 20, 30, 40, 60].map(millis) {
            let mut rig = Rig::new();
            let speaker = rig.seated_phone(codec, 440.0);
            let listener = rig.phone_with(codec, |profile| profile.ptime = ptime);
            rig.seat(listener, OPEN);
            rig.settle(1_000);
            rig.run(1_200);
            let (rate, ticks) = (rig.phones[listener].rate(), codec.row().rtp_clock.samples(ptime) as u32);
            let got = &rig.phones[listener].got;
            let expected = millis(1_200).as_millis() / ptime.as_millis();
            assert!((expected - 1..=expected + 1).contains(&(got.len() as u128)), "{codec:?} {ptime:?}: {}", got.len());
            for pair in got.windows(2) {
                let spacing = pair[1].at - pair[0].at;
                assert!(spacing.abs_diff(ptime) <= millis(5), "{codec:?} {ptime:?}: {spacing:?}");
                assert_eq!(pair[1].seq, pair[0].seq.wrapping_add(1));
                assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(ticks), "{codec:?} {ptime:?}");
            }
            let heard = level(&rig.phones[listener].listener(), rate, 440.0);
            assert!(is_as_loud_as_it_was_hummed(heard), "{codec:?} {ptime:?}: {heard}");
            assert!(rig.phones[speaker].got.len() >= 59);
            rig.ends();
        }
    }
}

/// A port moved in mid prompt goes on without a gap and reports the end once.
#[test]
fn a_port_moved_in_mid_prompt_goes_on_without_a_gap_and_reports() {
    for moved_at in [700, 705, 710, 715] {
        let mut rig = Rig::new();
        let phone = rig.phone(CodecKind::Pcmu);
        rig.port_of(phone).play(play(1, PlayKind::Prompt, tone(700.0, millis(2_000))));
        rig.run(moved_at);
        rig.moves(phone);
        rig.seat(phone, SHUT);
        rig.run(1_000);
        rig.moves(phone);
        rig.run(1_000);
        let got = &rig.phones[phone].got;
        for pair in got.windows(2) {
            assert_eq!(pair[1].seq, pair[0].seq.wrapping_add(1));
            assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
            assert!(pair[1].at - pair[0].at <= millis(40), "{:?}", pair[1].at - pair[0].at);
        }
        assert_eq!(got.iter().filter(|packet| !is_silence(packet)).count(), 100, "two seconds of sound, whole");
        let played: Vec<_> = rig.phones[phone].events();
        assert_eq!(played.iter().filter(|heard| matches!(heard, MediaEvent::Began { .. })).count(), 1);
        let ends: Vec<_> = played.iter().filter(|heard| matches!(heard, MediaEvent::Played { .. })).collect();
        assert!(matches!(ends[..], [MediaEvent::Played { outcome: PlayOutcome::Completed, .. }]), "{ends:?}");
        rig.ends();
    }
}

fn silences(events: &[MediaEvent]) -> usize {
    events.iter().filter(|heard| matches!(heard, MediaEvent::Silent(_))).count()
}

/// Silence is reported once a period, and a hold does not count; a listener's does, so that it is asked.
#[test]
fn a1_silence_is_reported_once_a_period_and_no_hold() {
    for (we_send, they_send) in [(false, false), (false, true)] {
        let mut rig = Rig::new();
        let phone = rig.phone(CodecKind::Pcmu);
        rig.seat(phone, OPEN);
        rig.run(1_000);
        rig.reprofile(phone, |profile| (profile.we_send, profile.they_send) = (we_send, they_send));
        rig.phones[phone].script.extend(std::iter::repeat_n(Vec::new(), 10_000));
        rig.run(60_000);
        assert_eq!(silences(&rig.phones[phone].events()), 0, "on hold");
        rig.reprofile(phone, |profile| (profile.we_send, profile.they_send) = (true, true));
        rig.run(29_000);
        assert_eq!(silences(&rig.phones[phone].events()), 0, "it has just come back");
        rig.run(2_000);
        assert_eq!(silences(&rig.phones[phone].events()), 1, "it is gone");
        rig.run(60_000);
        assert_eq!(silences(&rig.phones[phone].events()), 2, "and again each period");
        rig.reprofile(phone, |profile| profile.they_send = false);
        rig.run(60_000);
        assert_eq!(silences(&rig.phones[phone].events()), 2, "a listener is asked as well");
        rig.ends();
    }
}

/// When the packets of these ticks leave, all times in milliseconds.
fn departures(ptime: u64, ticks: &[u64]) -> Vec<u64> {
    let start = rig::start();
    let address = SocketAddr::from(([192, 0, 2, 9], 4000));
    let profile = Profile { ptime: Duration::from_millis(ptime), ..rig::profile(CodecKind::Pcmu, address) };
    let mut egress = Egress::new(&profile, 1).expect("G.711");
    let mut left = Vec::new();
    for time in 0..=ticks.last().map_or(0, |last| last + 20) {
        let now = start + Duration::from_millis(time);
        if ticks.contains(&time) {
            egress.push(now, &profile, &[0; 160]);
        }
        left.extend(std::iter::from_fn(|| egress.poll(now)).map(|_| time));
    }
    left
}

#[test]
fn a4_packets_leave_with_the_tick_that_filled_them() {
    assert_eq!(departures(20, &[0, 20, 40, 60]), [0, 20, 40, 60]);
    // The ticks of the device's bridge lie elsewhere than those before, and one more came in between.
    assert_eq!(departures(20, &[0, 20, 33, 53, 73]), [0, 20, 33, 53, 73]);
    assert_eq!(departures(20, &[0, 20, 25, 40, 60, 80]), [0, 20, 25, 40, 60, 80]);
    assert_eq!(departures(40, &[0, 20, 40, 60, 75, 95]), [20, 60, 95]);
}

#[test]
fn a1_packets_of_any_length_leave_evenly() {
    assert_eq!(departures(10, &[0, 20, 40]), [0, 10, 20, 30, 40, 50]);
    assert_eq!(departures(30, &[0, 20, 40, 60, 80, 100]), [20, 50, 80, 110]);
    assert_eq!(departures(50, &[0, 20, 40, 60, 80, 100, 120, 140]), [40, 90, 140]);
    assert_eq!(departures(60, &[0, 20, 40, 60, 80, 100]), [40, 100]);
}
