//! A bridge whose legs are samples in and samples out, in virtual time: who is mixed, from when on, and how loud.

use super::*;
use crate::common::ids::PeerId;
use crate::common::machine::{self, Machine as _};
use crate::common::units::Hz;
use crate::dsp::level::dbov;
use crate::dsp::noise::ComfortNoise;
use crate::dsp::tone::Sine;
use crate::policy::{Effect, Fact, Muted, Policy, PolicySettings, Role, Via};

const OPEN: Gate = Gate { hear: true, speak: true };
const FRAMES_PER_SECOND: usize = 50;
/// Samples of a millisecond.
const MILLISECOND: usize = 48;

/// What each seat says and hears in a tick.
struct Members {
    said: Vec<Frame>,
    heard: Vec<Frame>,
    /// It was sent a mix of its own.
    own: Vec<bool>,
}

struct Room {
    bridge: Bridge,
    now: Instant,
    members: Members,
}

fn index(end: MediaEnd) -> usize {
    let MediaEnd::Peer(peer) = end else { panic!("all are peers") };
    usize::try_from(peer.number()).expect("few")
}

impl BridgeLegs for Members {
    fn pull(&mut self, _now: Instant, end: MediaEnd, frame: &mut Frame) {
        *frame = self.said[index(end)].clone();
    }

    fn send(&mut self, _now: Instant, end: MediaEnd, mix: TickSound<'_>) {
        (self.heard[index(end)], self.own[index(end)]) = match mix {
            TickSound::Nothing => (Frame::silence(Hz::FULL), false),
            TickSound::Common(mix) => (mix.frame().clone(), false),
            TickSound::Own(frame, _) => (frame.clone(), true),
        };
    }

    fn publish(&mut self, _now: Instant, _publisher: PeerId, _sound: Option<(&Frame, f32)>) {}
}

impl Room {
    fn new(members: usize, speakers: usize) -> Self {
        let (now, mut policy) = (machine::now(), Policy::new(PolicySettings::default()));
        let mut bridge = Bridge::new(0, speakers);
        for member in 0..members as u64 {
            let joined = Fact::Joined {
                who: ParticipantId::from_number(1 + member),
                role: Role::Member,
                via: Via::Browser,
                organiser: false,
                name: "Somebody".to_owned().into(),
                muted: Muted::default(),
            };
            policy.handle(now, joined);
            let effects: Vec<_> = std::iter::from_fn(|| policy.poll()).collect();
            let admission = effects.into_iter().find_map(|effect| match effect {
                Effect::Seat { admission, .. } => Some(admission),
                _ => None,
            });
            bridge.seat(MediaEnd::Peer(PeerId::from_number(member)), admission.expect("members are let in"), OPEN);
        }
        let silence = || vec![Frame::silence(Hz::FULL); members];
        Self { bridge, now, members: Members { said: silence(), heard: silence(), own: vec![false; members] } }
    }

    /// Lets 20 ms pass in which the members say this.
    fn tick(&mut self, said: Vec<Frame>) {
        self.members.said = said;
        self.now += Duration::from_millis(20);
        self.bridge.tick(self.now, &mut self.members);
    }

    /// Lets each member say the frames of its track, and gives what one of them heard.
    fn play(&mut self, tracks: &[Vec<i16>], listener: usize) -> Vec<i16> {
        let frames = tracks.iter().map(|track| track.len() / FRAME).min().unwrap_or(0);
        let mut heard = Vec::new();
        for at in 0..frames {
            self.tick(tracks.iter().map(|track| Frame::from_samples(Hz::FULL, &track[at * FRAME..])).collect());
            heard.extend_from_slice(self.members.heard[listener].samples());
        }
        heard
    }
}

/// Background noise of a room, so many seconds of it: most of it lies below 1 kHz.
fn noise(level: f32, seconds: usize, seed: usize) -> Vec<i16> {
    let mut white = Vec::new();
    ComfortNoise::new(30).append(seed * 7_919 + seconds * 48_000, &mut white);
    let mut filtered = 0.0_f32;
    let filtered = white.iter().skip(seed * 7_919).map(|sample| {
        filtered += 0.07 * (f32::from(*sample) - filtered);
        filtered
    });
    at_level(&filtered.collect::<Vec<_>>(), level)
}

fn at_level(samples: &[f32], level: f32) -> Vec<i16> {
    let power = samples.iter().map(|sample| f64::from(sample * sample)).sum::<f64>() / samples.len() as f64;
    let gain = 32_768.0 * 10_f64.powf(f64::from(level) / 20.0) / power.sqrt();
    samples.iter().map(|sample| (f64::from(*sample) * gain).round() as i16).collect()
}

/// A voiced sound with syllables, so many milliseconds long, whose level rises for `onset` milliseconds.
fn spurt(level: f32, milliseconds: usize, onset: usize, pitch: f32) -> Vec<i16> {
    let sample = |at: usize| {
        let time = at as f32 / 48_000.0;
        let voice: f32 = (1..20_u8)
            .map(|harmonic| {
                let freq = pitch * f32::from(harmonic);
                (std::f32::consts::TAU * freq * time).sin() / (1.0 + (freq / 700.0).powi(2))
            })
            .sum();
        let rise = (at as f32 / (onset * MILLISECOND).max(1) as f32).min(1.0);
        voice * rise * (1.0 + 0.7 * (std::f32::consts::TAU * 4.0 * time).cos())
    };
    at_level(&(0..milliseconds * MILLISECOND).map(sample).collect::<Vec<_>>(), level)
}

fn add(track: &mut [i16], at: usize, sound: &[i16]) {
    track.iter_mut().skip(at).zip(sound).for_each(|(sample, sound)| *sample = sample.saturating_add(*sound));
}

/// Somebody who speaks for 1.5 of 2 seconds, in the noise of a room.
fn talker(level: f32, room: f32, seconds: usize, seed: usize) -> Vec<i16> {
    let mut track = noise(room, seconds, seed);
    for second in (0..seconds).step_by(2) {
        add(&mut track, second * 48_000, &spurt(level, 1_500, 20, 110.0 + 13.0 * seed as f32));
    }
    track
}

fn hum(level: f32, freq: f32, seconds: usize) -> Vec<i16> {
    let mut samples = vec![0; seconds * 48_000];
    Sine::new(Hz::FULL, freq, 32_768.0 * 10_f32.powf((level + 3.0) / 20.0)).fill(&mut samples);
    samples
}

/// The first 100 ms of 200 talk spurts are as loud as they were said, within 1 dB: soft and hard ones, at any place in a frame. Two
/// take turns, so that each has lost its place when it begins again.
#[test]
fn a5_no_talk_spurt_loses_its_beginning() {
    for room in [-60.0, -55.0] {
        let (mut tracks, mut begins) = (vec![noise(room, 224, 1), noise(room, 224, 2), noise(room, 224, 3)], Vec::new());
        for number in 0..200 {
            let onset = [0, 10, 30, 80][number % 4];
            let level = -23.0 - (number * 5 % 12) as f32;
            // Frames and spurts do not begin together.
            let begin = 4 * 48_000 + number * 1_100 * MILLISECOND + number * 389 % FRAME;
            add(&mut tracks[number % 2], begin, &spurt(level, 400, onset, 100.0 + (number * 17 % 120) as f32));
            begins.push((number % 2, begin));
        }
        let heard = Room::new(3, 4).play(&tracks, 2);
        for (number, (who, begin)) in begins.into_iter().enumerate() {
            let first = begin..begin + 100 * MILLISECOND;
            let (said, heard) = (dbov(&tracks[who][first.clone()]), dbov(&heard[first]));
            assert!((said - heard).abs() < 1.0, "spurt {number} in noise of {room} dBov: {said} said, {heard} heard");
        }
    }
}

/// Of forty members with noise in their rooms, who all may speak, those who talk have a mix of their own; the others share one.
#[test]
fn a5_listeners_share_the_mix_whatever_their_rooms_sound_like() {
    for level in [-60.0, -55.0] {
        let (mut room, seconds) = (Room::new(40, 4), 12);
        let track =
            |member: usize| if member < 3 { talker(-26.0, level, seconds, member) } else { noise(level, seconds, member) };
        let tracks: Vec<_> = (0..40).map(track).collect();
        let mut own = 0;
        for at in 0..seconds * FRAMES_PER_SECOND {
            room.tick(tracks.iter().map(|track| Frame::from_samples(Hz::FULL, &track[at * FRAME..])).collect());
            // For the first two seconds nobody knows what is noise.
            if at >= 2 * FRAMES_PER_SECOND {
                own += room.members.own[3..].iter().filter(|own| **own).count();
                assert!(room.members.own.iter().filter(|own| **own).count() <= 10, "in tick {at}");
            }
        }
        assert!(own <= 5, "noise of {level} dBov made {own} mixes in ten seconds");
    }
}

/// In silence the room of whoever spoke last stays in the mix, and nobody else's.
#[test]
fn a5_the_room_of_who_spoke_last_stays_in_the_mix() {
    let mut tracks: Vec<_> = (0..6).map(|member| noise(-55.0, 12, member)).collect();
    add(&mut tracks[2], 5 * 48_000, &spurt(-26.0, 2_000, 20, 130.0));
    let heard = Room::new(6, 4).play(&tracks, 5);
    let last = 10 * 48_000..12 * 48_000;
    assert_eq!(heard[last.clone()], tracks[2][last]);
}

/// A tone, music on hold, a hum: what is loud enough stays, however steady it is.
#[test]
fn a5_a_steady_loud_sound_stays_in_the_mix() {
    for freq in [100.0, 440.0] {
        let mut room = Room::new(4, 4);
        let tracks = [hum(-41.0, freq, 40), talker(-26.0, -60.0, 40, 1), vec![0; 40 * 48_000], vec![0; 40 * 48_000]];
        room.play(&tracks, 2);
        let level = dbov(room.members.heard[1].samples());
        assert!((level + 41.0).abs() < 0.5, "{freq} Hz: {level} dBov");
    }
}

#[test]
fn a5_of_more_than_the_limit_the_loudest_are_heard() {
    let tracks: Vec<_> =
        [-38.0, -20.0, -35.0, -23.0, -30.0].iter().zip(1..).map(|(level, at)| hum(*level, 300.0 * at as f32, 3)).collect();
    let mut room = Room::new(5, 2);
    room.play(&tracks, 0);
    let heard = crate::dsp::tone_detector::heard(room.members.heard[0].samples(), Hz::FULL, &[600.0, 900.0, 1_200.0, 1_500.0]);
    assert!((heard[0] + 20.0).abs() < 1.0 && (heard[2] + 23.0).abs() < 1.0, "{heard:?}");
    assert!(heard[1] < -60.0 && heard[3] < -60.0, "{heard:?}");
    assert_eq!(room.members.own, [false, true, false, true, false]);
}

/// Who is crowded out fades, without a step in the mix.
#[test]
fn a5_who_is_crowded_out_fades_without_a_click() {
    let mut loud = vec![0; 48_000];
    loud.extend(hum(-15.0, 350.0, 2));
    let tracks = [hum(-30.0, 250.0, 3), loud, vec![0; 3 * 48_000], vec![0; 3 * 48_000]];
    let heard = Room::new(4, 1).play(&tracks, 3);
    let steepest = |samples: &[i16]| samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max();
    // The steps of both tones at their steepest.
    let own = steepest(&tracks[0][..48_000]).zip(steepest(&tracks[1][2 * 48_000..])).map(|(a, b)| a + b);
    assert!(steepest(&heard[48_000 / 2..]) <= own, "{:?} {own:?}", steepest(&heard));
    assert_eq!(heard[2 * 48_000..], tracks[1][2 * 48_000..], "afterwards nothing of it is left");
}

/// Two rooms are never selected between: their background is what it is, bit by bit.
#[test]
fn a5_two_rooms_hear_each_other_untouched() {
    let tracks = [talker(-26.0, -58.0, 20, 1), noise(-58.0, 20, 2)];
    for listener in [0, 1] {
        let heard = Room::new(2, 4).play(&tracks, listener);
        // The first frame is faded in.
        assert!(heard[FRAME..] == tracks[1 - listener][FRAME..]);
    }
}

/// Loud and quiet rooms come to a level at which neither is a strain; an ordinary one is not touched.
#[test]
fn a5_loud_and_quiet_rooms_are_levelled() {
    for (level, wanted) in [(-42.0, -32.0), (-12.0, -20.0), (-26.0, -26.0)] {
        let tracks = [talker(level, -70.0, 40, 1), vec![0; 40 * 48_000], vec![0; 40 * 48_000]];
        let heard = Room::new(3, 4).play(&tracks, 2);
        let last = 38 * 48_000..38 * 48_000 + 72_000;
        let measured = dbov(&heard[last.clone()]);
        assert!((measured - wanted).abs() < 1.5, "speech of {level} dBov is heard at {measured}");
        assert_eq!(heard[last.clone()] == tracks[0][last], level > -30.0 && level < -20.0);
    }
}
