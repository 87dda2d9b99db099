use std::sync::atomic::{AtomicU32, Ordering};

use super::super::wav::tests::wav;
use super::*;

/// The directory that is shipped.
fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/prompts")
}

/// A directory of its own for each test, removed at its end.
struct Prompts(PathBuf);

impl Prompts {
    /// English complete, each file 0.1 s of a level of its own: phrase n holds samples of 1000 + n, digit n of 5000 + n.
    fn english() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("roomgate-prompts-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let prompts = Self(std::env::temp_dir().join(name));
        for (n, phrase) in (1000..).zip(Phrase::ALL) {
            prompts.speak("en", phrase.file_stem(), n);
        }
        (0..10).for_each(|digit| prompts.speak("en", &digit_stem(digit), 5000 + i16::from(digit)));
        prompts
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn speak(&self, language: &str, stem: &str, sample: i16) {
        self.write(&format!("{language}/{stem}.wav"), &wav(1, 8000, &[sample; 800]));
    }

    fn load(&self, default_language: &str) -> Result<Library, Vec<String>> {
        Library::load(&self.0, default_language)
            .map_err(|problems| problems.iter().map(|p| p.to_string().replace(&*self.0.to_string_lossy(), "")).collect())
    }

    /// The one problem that loading finds.
    fn problem(&self) -> String {
        let mut problems = self.load("en").unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0)
    }
}

impl Drop for Prompts {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn first(clip: &Clip) -> i16 {
    clip.samples[0]
}

/// A phrase falls back from the devices language to the organisations to english as k5 says.
#[test]
fn a_phrase_falls_back_from_the_devices_language() {
    let prompts = Prompts::english();
    prompts.speak("fr", "welcome", 1);
    prompts.speak("fr", "welcome", 2001);
    prompts.speak("de", "welcome", 3001);
    prompts.speak("de", "goodbye", 3002);
    let library = prompts.load("de").unwrap();
    assert_eq!(first(&library.clip("fr", Phrase::Welcome)), 2001);
    assert_eq!(first(&library.clip("fr-CA", Phrase::Welcome)), 2001);
    assert_eq!(first(&library.clip("fr", Phrase::Goodbye)), 3002);
    assert_eq!(first(&library.clip("fr", Phrase::Muted)), first(&library.clip("en", Phrase::Muted)));
    assert_eq!(first(&library.clip("../../etc", Phrase::Welcome)), 3001);
    assert_eq!(library.spoken_in("fr", Phrase::Goodbye).as_str(), "de");
    assert_eq!(library.spoken_in("fr", Phrase::Muted).as_str(), "en");
}

/// A number is spoken in one language even if another has some of its digits.
#[test]
fn a_number_is_spoken_in_one_language_even_if_another_has_some() {
    let prompts = Prompts::english();
    (0..9).for_each(|digit| prompts.speak("de", &digit_stem(digit), 100));
    let library = prompts.load("en").unwrap();
    let spoken: Vec<_> = library.digits("de", "10-01#").iter().map(first).collect();
    assert_eq!(spoken, [5001, 5000, 5000, 5001]);
    prompts.speak("de", "digit-9", 109);
    let spoken: Vec<_> = prompts.load("en").unwrap().digits("de", "9").iter().map(first).collect();
    assert_eq!(spoken, [109]);
}

#[test]
fn every_missing_english_file_is_named() {
    let prompts = Prompts::english();
    fs::remove_file(prompts.0.join("en/welcome.wav")).unwrap();
    fs::remove_file(prompts.0.join("en/digit-7.wav")).unwrap();
    let problems = prompts.load("en").unwrap_err();
    assert_eq!(problems.len(), 2);
    assert!(problems[0].starts_with("/en/welcome.wav: this English prompt is missing ("), "{}", problems[0]);
    assert!(problems[1].starts_with("/en/digit-7.wav: this English prompt is missing ("), "{}", problems[1]);
}

#[test]
fn an_empty_or_absent_directory_is_a_list_of_problems() {
    let absent = Path::new("/nonexistent/prompts");
    assert!(Library::load(absent, "en").unwrap_err().len() > Phrase::ALL.len());
}

#[test]
fn a_file_that_is_no_prompt_is_a_problem_in_any_language() {
    for bytes in [&b"not a WAV file"[..], &wav(1, 8000, &[0; 100]), &wav(1, 4000, &[999; 100])] {
        let prompts = Prompts::english();
        prompts.write("de/welcome.wav", bytes);
        assert!(prompts.problem().starts_with("/de/welcome.wav: "));
        let prompts = Prompts::english();
        prompts.write("en/welcome.wav", bytes);
        assert!(prompts.problem().starts_with("/en/welcome.wav: "));
    }
    let prompts = Prompts::english();
    fs::create_dir_all(prompts.0.join("de/welcome.wav")).unwrap();
    assert!(prompts.problem().contains("is not a file"));
    let prompts = Prompts::english();
    prompts.write("de/welcome.wav", &vec![0; usize::try_from(LARGEST_FILE).unwrap() + 1]);
    assert!(prompts.problem().contains("is larger than"));
}

#[test]
fn a_name_that_nothing_has_is_a_problem_and_not_silence() {
    let prompts = Prompts::english();
    prompts.speak("de", "wellcome", 1000);
    assert!(prompts.problem().starts_with("/de/wellcome.wav: no phrase has this name"));
    let prompts = Prompts::english();
    prompts.speak("german", "welcome", 1000);
    assert!(prompts.problem().starts_with("/german: not a language tag"));
}

#[test]
fn the_texts_of_a_language_are_read_and_checked() {
    let prompts = Prompts::english();
    prompts.speak("de", "muted", 1000);
    prompts.write("de/language.toml", "name = \"Deutsch\"\ntag = \"de\"\n[phrases]\nmuted = \"Stumm.\"\n".as_bytes());
    let library = prompts.load("en").unwrap();
    assert_eq!(library.text("de", Phrase::Muted), Some("Stumm."));
    assert_eq!(library.text("de", Phrase::Welcome), None);
    let languages: Vec<_> = library.languages().map(|(language, name)| (language.as_str(), name)).collect();
    assert_eq!(languages, [("de", "Deutsch"), ("en", "en")]);

    for (text, expected) in [
        ("name = 1\n", "/de/language.toml:1: "),
        ("name = \"x\"\n\nnonsense\n", "/de/language.toml:3: "),
        ("colour = \"red\"\n", "/de/language.toml:1: unknown field"),
        ("tag = \"fr\"\n", "/de/language.toml: tag: the tag is not that of its directory"),
        ("[phrases]\nwellcome = \"\"\n", "/de/language.toml: phrases.wellcome: there is no such prompt"),
        ("[digits]\n10 = \"zehn\"\n", "/de/language.toml: digits.10: there is no such prompt"),
    ] {
        prompts.write("de/language.toml", text.as_bytes());
        let problem = prompts.problem();
        assert!(problem.starts_with(expected), "{problem}");
    }
    prompts.write("de/language.toml", &[0xff, 0xfe]);
    assert!(prompts.problem().contains("is not UTF-8"));
}

#[test]
fn a_default_language_without_prompts_is_a_problem() {
    let prompts = Prompts::english();
    assert!(prompts.load("fr").unwrap_err()[0].starts_with("/fr: there are no prompts in the default language"));
    assert!(prompts.load("../fr").unwrap_err()[0].contains("the default language is not a language tag"));
    assert!(prompts.load("en-GB").is_ok());
}

#[test]
fn music_is_there_if_its_file_is() {
    let prompts = Prompts::english();
    assert!(prompts.load("en").unwrap().music().is_none());
    prompts.write("music.wav", &wav(2, 16_000, &[700; 32_000]));
    assert_eq!(prompts.load("en").unwrap().music().unwrap().duration().as_secs(), 1);
    prompts.write("music.wav", b"noise");
    assert!(prompts.problem().starts_with("/music.wav: "));
}

// === the shipped directory ===

/// RMS in dBov of the 20 ms frames in which somebody speaks, taken as those above -42 dBov.
fn speech_level(clip: &Clip) -> f64 {
    let frame = clip.rate.samples(std::time::Duration::from_millis(20));
    let powers = clip
        .samples
        .chunks_exact(frame)
        .map(|frame| frame.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / frame.len() as f64);
    let speech: Vec<f64> = powers.filter(|power| 10.0 * (power / 32_768_f64.powi(2)).log10() > -42.0).collect();
    10.0 * (speech.iter().sum::<f64>() / speech.len() as f64 / 32_768_f64.powi(2)).log10()
}

fn peak(clip: &Clip) -> f64 {
    20.0 * (f64::from(clip.samples.iter().map(|s| s.unsigned_abs()).max().unwrap()) / 32_768.0).log10()
}

#[test]
fn the_shipped_prompts_are_complete_and_alike_in_level() {
    let library = Library::load(&shipped(), "en").unwrap_or_else(|problems| panic!("{problems:#?}"));
    let digits = library.digits("en", "0123456789");
    assert_eq!(digits.len(), 10);
    let clips = Phrase::ALL.iter().map(|phrase| (phrase.file_stem().to_owned(), library.clip("en", *phrase)));
    for (stem, clip) in clips.chain((0..10).map(digit_stem).zip(digits)) {
        let (level, seconds) = (speech_level(&clip), clip.duration().as_secs_f64());
        assert!((level + 20.0).abs() < 2.0, "{stem}: {level:.1} dBov");
        assert!(peak(&clip) < -3.0, "{stem}: peak {:.1} dBov", peak(&clip));
        assert!((0.3..20.0).contains(&seconds), "{stem}: {seconds} s");
        assert_eq!(clip.rate, Hz::WIDE, "{stem}");
        assert!(clip.samples[0].unsigned_abs() < 64 && clip.samples[clip.samples.len() - 1].unsigned_abs() < 64, "{stem} clicks");
    }
    for phrase in Phrase::ALL {
        assert!(library.text("en", *phrase).is_some_and(|text| !text.is_empty()), "{}", phrase.file_stem());
    }
}

/// The shipped start notices say that staying is consent as n5 says.
#[test]
fn the_shipped_start_notices_say_that_staying_is_consent_as_n5() {
    let library = Library::load(&shipped(), "en").unwrap();
    for phrase in [
        Phrase::RecordingStarted,
        Phrase::RecordingResumed,
        Phrase::RecordingOn,
        Phrase::TranscriptionStarted,
        Phrase::TranscriptionResumed,
        Phrase::TranscriptionOn,
        Phrase::MayBeRecorded,
    ] {
        assert!(library.text("en", phrase).is_some_and(|text| text.contains("By staying on the call, you agree")));
    }
}

#[test]
fn the_shipped_music_is_soft_and_its_end_joins_its_beginning() {
    let music = Library::load(&shipped(), "en").unwrap().music().unwrap();
    assert!((20..=30).contains(&music.duration().as_secs()));
    assert!((speech_level(&music) + 30.0).abs() < 2.0 && peak(&music) < -15.0);
    let largest_step = music.samples.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap();
    assert!(music.samples[0].abs_diff(music.samples[music.samples.len() - 1]) <= largest_step);
}
