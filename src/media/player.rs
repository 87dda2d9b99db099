//! Playout to one device: prompts, notices and waiting music, mixed over the (ducked) meeting.
//!
//! Clips come in by [`Player::play`]; what became of each goes out as [`PlayMark`]s, in steps of one frame. A notice cannot be
//! stopped by a key and goes before any prompt (N-3); what comes while the device is on hold waits, because [`Player::render`]
//! is not called then.

use std::collections::VecDeque;
use std::time::Duration;

use crate::common::ids::PlayId;
use crate::common::units::Hz;
use crate::dsp::gain::Gain;
use crate::dsp::resample::Resampler;
use crate::prompt::Clip;

/// Gain of the meeting under a prompt: -18 dB.
const DUCKED: f32 = 0.126;
/// Fade of the meeting when ducking begins or ends.
const DUCKING: Duration = Duration::from_millis(100);
/// Plays that may wait; beyond it the oldest prompt is dropped and reported interrupted. Notices are never dropped:
/// the policy merges them (N-4), so only a few can wait.
const QUEUE: usize = 16;

/// Purpose of a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayKind {
    /// Menu prompts and confirmations: stopped by the next key.
    Prompt,
    /// Owed to the device (N-3).
    Notice,
}

/// Something to play: clips one after the other.
#[derive(Debug, Clone)]
pub struct Play {
    /// Its name in the marks.
    pub id: PlayId,
    /// In order.
    pub clips: Vec<Clip>,
    /// What for.
    pub kind: PlayKind,
}

/// What became of something played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlayMark {
    /// Its first sample is in this frame.
    Began(PlayId),
    /// Its last sample is in this frame.
    Completed {
        /// What.
        play: PlayId,
        /// So much of this frame is its.
        samples: usize,
    },
    /// It was cut, or never began.
    Interrupted(PlayId),
}

#[derive(Debug)]
struct Voice {
    play: Play,
    clip: usize,
    sample: usize,
    began: bool,
}

/// Plays to one device at its codec's rate.
pub(super) struct Player {
    rate: Hz,
    queue: VecDeque<Voice>,
    resampler: Option<(Hz, Resampler)>,
    music: Option<Music>,
    duck: Gain,
    music_gain: Gain,
    scratch: Vec<i16>,
    spill: Vec<i16>,
}

struct Music {
    clip: Clip,
    at: usize,
    resampler: Option<Resampler>,
    spill: Vec<i16>,
}

impl Player {
    /// A silent player for a device whose codec runs at `rate`.
    #[must_use]
    pub(super) fn new(rate: Hz) -> Self {
        Self {
            rate,
            queue: VecDeque::new(),
            resampler: None,
            music: None,
            duck: Gain::new(1.0),
            music_gain: Gain::new(1.0),
            scratch: Vec::new(),
            spill: Vec::new(),
        }
    }

    /// Adds something to play. A notice goes before prompts and cuts one that is playing; marks of what was cut or dropped go to `marks`.
    pub(super) fn play(&mut self, play: Play, marks: &mut Vec<PlayMark>) {
        if play.kind == PlayKind::Notice {
            if self.queue.front().is_some_and(|voice| voice.play.kind == PlayKind::Prompt && voice.began) {
                self.cut_front(marks);
            }
            let place = self.queue.iter().take_while(|voice| voice.play.kind == PlayKind::Notice).count();
            self.queue.insert(place, Voice { play, clip: 0, sample: 0, began: false });
        } else {
            self.queue.push_back(Voice { play, clip: 0, sample: 0, began: false });
        }
        if self.queue.len() > QUEUE
            && let Some(place) = self.queue.iter().position(|voice| voice.play.kind == PlayKind::Prompt && !voice.began)
            && let Some(voice) = self.queue.remove(place)
        {
            marks.push(PlayMark::Interrupted(voice.play.id));
        }
    }

    /// Cuts every prompt (barge-in); notices stay.
    pub(super) fn stop_prompts(&mut self, marks: &mut Vec<PlayMark>) {
        let playing = self.queue.front().is_some_and(|voice| voice.play.kind == PlayKind::Prompt && voice.began);
        if playing {
            self.cut_front(marks);
        }
        self.queue.retain(|voice| {
            let stays = voice.play.kind == PlayKind::Notice;
            if !stays {
                marks.push(PlayMark::Interrupted(voice.play.id));
            }
            stays
        });
    }

    /// Cuts every notice: the device is on hold, and the notice is owed again on resume (N-3).
    pub(super) fn stop_notices(&mut self, marks: &mut Vec<PlayMark>) {
        if self.queue.front().is_some_and(|voice| voice.play.kind == PlayKind::Notice && voice.began) {
            self.cut_front(marks);
        }
        self.queue.retain(|voice| {
            let stays = voice.play.kind == PlayKind::Prompt;
            if !stays {
                marks.push(PlayMark::Interrupted(voice.play.id));
            }
            stays
        });
    }

    /// Cuts everything: the device is going.
    pub(super) fn stop_all(&mut self, marks: &mut Vec<PlayMark>) {
        marks.extend(self.queue.drain(..).map(|voice| PlayMark::Interrupted(voice.play.id)));
    }

    fn cut_front(&mut self, marks: &mut Vec<PlayMark>) {
        if let Some(voice) = self.queue.pop_front() {
            marks.push(PlayMark::Interrupted(voice.play.id));
        }
        self.resampler = None;
        self.spill.clear();
    }

    /// Sets or ends the waiting music.
    pub(super) fn set_music(&mut self, clip: Option<Clip>) {
        self.music = clip.map(|clip| {
            let resampler = (clip.rate != self.rate).then(|| Resampler::new(clip.rate, self.rate));
            Music { clip, at: 0, resampler, spill: Vec::new() }
        });
    }

    /// The waiting music, if it plays.
    #[must_use]
    pub(super) fn music(&self) -> Option<Clip> {
        self.music.as_ref().map(|music| music.clip.clone())
    }

    /// Whether a voice of ours is in the next frame.
    #[must_use]
    pub(super) fn speaking(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether the meeting passes through untouched now: no voice, no music, nothing ducked.
    #[must_use]
    pub(super) fn is_transparent(&self) -> bool {
        !self.speaking() && self.music.is_none() && self.duck.is_unity()
    }

    /// Lays this frame's voices and music over `frame` (20 ms at the device's rate, what it hears of the meeting).
    pub(super) fn render(&mut self, frame: &mut [i16], marks: &mut Vec<PlayMark>) {
        let voiced = self.speaking();
        self.duck.set(if voiced { DUCKED } else { 1.0 }, DUCKING);
        self.duck.apply(frame, self.rate);
        if let Some(music) = &mut self.music {
            music.next(frame.len(), &mut self.scratch);
            self.music_gain.set(if voiced { DUCKED } else { 1.0 }, DUCKING);
            self.music_gain.apply(&mut self.scratch, self.rate);
            add(frame, &self.scratch);
        }
        if voiced {
            self.next_voice(frame.len(), marks);
            add(frame, &self.scratch);
        }
    }

    /// Puts the next `wanted` samples of the front voice into `scratch`, silence after its end.
    fn next_voice(&mut self, wanted: usize, marks: &mut Vec<PlayMark>) {
        self.scratch.clear();
        self.scratch.append(&mut self.spill);
        let Some(voice) = self.queue.front_mut() else { return };
        if !voice.began {
            voice.began = true;
            marks.push(PlayMark::Began(voice.play.id));
        }
        while self.scratch.len() < wanted {
            let Some(clip) = voice.play.clips.get(voice.clip) else { break };
            let chunk = clip.rate.0 as usize / 50;
            let end = (voice.sample + chunk).min(clip.samples.len());
            let Some(samples) = clip.samples.get(voice.sample..end) else { break };
            if clip.rate == self.rate {
                self.scratch.extend_from_slice(samples);
            } else {
                if self.resampler.as_ref().is_none_or(|(from, _)| *from != clip.rate) {
                    self.resampler = Some((clip.rate, Resampler::new(clip.rate, self.rate)));
                }
                if let Some((_, resampler)) = &mut self.resampler {
                    resampler.process(samples, &mut self.scratch);
                }
            }
            voice.sample = end;
            if voice.sample == clip.samples.len() {
                voice.clip += 1;
                voice.sample = 0;
            }
        }
        if self.scratch.len() > wanted {
            self.spill.extend_from_slice(&self.scratch[wanted..]);
            self.scratch.truncate(wanted);
        }
        if voice.clip >= voice.play.clips.len() && self.spill.is_empty() {
            marks.push(PlayMark::Completed { play: voice.play.id, samples: self.scratch.len() });
            self.queue.pop_front();
            self.resampler = None;
        }
        self.scratch.resize(wanted, 0);
    }
}

impl Music {
    fn next(&mut self, wanted: usize, out: &mut Vec<i16>) {
        out.clear();
        out.append(&mut self.spill);
        let length = self.clip.samples.len();
        let chunk = self.clip.rate.0 as usize / 50;
        while out.len() < wanted && length > 0 {
            let end = (self.at + chunk).min(length);
            let samples = self.clip.samples.get(self.at..end).unwrap_or_default();
            match &mut self.resampler {
                Some(resampler) => resampler.process(samples, out),
                None => out.extend_from_slice(samples),
            }
            self.at = if end == length { 0 } else { end };
        }
        if out.len() > wanted {
            self.spill.extend_from_slice(&out[wanted..]);
        }
        out.resize(wanted, 0);
    }
}

fn add(frame: &mut [i16], over: &[i16]) {
    for (under, over) in frame.iter_mut().zip(over) {
        *under = under.saturating_add(*over);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn clip(samples: usize) -> Clip {
        Clip { rate: Hz::NARROW, samples: Arc::from(vec![1000_i16; samples]) }
    }

    /// Named by its length.
    fn play(kind: PlayKind, samples: usize) -> Play {
        Play { id: PlayId::from_number(samples as u64), clips: vec![clip(samples)], kind }
    }

    fn frames_until_quiet(player: &mut Player) -> Vec<PlayMark> {
        let mut marks = Vec::new();
        for _ in 0..200 {
            let mut frame = [0_i16; 160];
            player.render(&mut frame, &mut marks);
        }
        marks
    }

    #[test]
    fn what_is_played_begins_once_and_completes_once() {
        let mut player = Player::new(Hz::NARROW);
        let play = play(PlayKind::Prompt, 1234);
        let id = play.id;
        player.play(play, &mut Vec::new());
        assert_eq!(frames_until_quiet(&mut player), [PlayMark::Began(id), PlayMark::Completed { play: id, samples: 1234 % 160 }]);
    }

    #[test]
    fn a_key_cuts_prompts_but_no_notice() {
        let mut player = Player::new(Hz::NARROW);
        let (prompt, notice) = (play(PlayKind::Prompt, 8000), play(PlayKind::Notice, 800));
        let (prompt_id, notice_id) = (prompt.id, notice.id);
        let mut marks = Vec::new();
        player.play(prompt, &mut marks);
        player.render(&mut [0; 160], &mut marks);
        player.play(notice, &mut marks);
        player.stop_prompts(&mut marks);
        assert_eq!(
            marks,
            [PlayMark::Began(prompt_id), PlayMark::Interrupted(prompt_id)],
            "the notice cut the prompt, the key cut nothing more"
        );
        assert_eq!(
            frames_until_quiet(&mut player),
            [PlayMark::Began(notice_id), PlayMark::Completed { play: notice_id, samples: 160 }]
        );
    }

    #[test]
    fn the_meeting_is_ducked_under_a_voice_and_comes_back() {
        let mut player = Player::new(Hz::NARROW);
        player.play(
            Play {
                id: PlayId::from_number(1),
                clips: vec![Clip { rate: Hz::NARROW, samples: Arc::from(vec![0; 1600]) }],
                kind: PlayKind::Notice,
            },
            &mut Vec::new(),
        );
        let mut levels = Vec::new();
        for _ in 0..30 {
            let mut frame = [10_000_i16; 160];
            player.render(&mut frame, &mut Vec::new());
            levels.push(frame[159]);
        }
        assert!(levels[5] < 1400, "{levels:?}");
        assert!(levels[29] > 9900, "{levels:?}");
    }

    #[test]
    fn a_full_queue_drops_the_oldest_waiting_prompt_and_says_so() {
        let mut player = Player::new(Hz::NARROW);
        let mut marks = Vec::new();
        for _ in 0..=QUEUE {
            player.play(play(PlayKind::Prompt, 160), &mut marks);
        }
        assert!(matches!(marks[..], [PlayMark::Interrupted(_)]));
    }

    #[test]
    fn music_loops_without_end() {
        let mut player = Player::new(Hz::NARROW);
        player.set_music(Some(clip(500)));
        for _ in 0..20 {
            let mut frame = [0_i16; 160];
            player.render(&mut frame, &mut Vec::new());
            assert!(frame.iter().all(|sample| *sample == 1000));
        }
    }
}
