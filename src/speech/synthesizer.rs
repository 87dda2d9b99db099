//! [`Synthesizer`]: runs the speech program for one text at a time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;

use crate::common::redact::Redacted;
use crate::prompt::{Clip, WavFault, spoken};

/// Programs that run at once. More wait: a voice takes a core for itself.
const AT_ONCE: usize = 2;
/// How long a text may take, waiting included.
const WITHIN: Duration = Duration::from_secs(20);
/// The largest WAV file: a minute of 48 kHz stereo, and its header.
const LARGEST: u64 = 60 * 48_000 * 4 + 4096;
/// In arguments: the language's tag, such as `en`.
const LANGUAGE: &str = "{language}";

/// `[speech]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeechSettings {
    /// The program, by its whole path.
    pub program: PathBuf,
    /// Its arguments; `{language}` in them is the language's tag.
    pub arguments: Vec<String>,
    /// Files and directories that it cannot read: where the configuration lies.
    pub hidden: Vec<PathBuf>,
}

/// Why there is no sound.
#[derive(Debug, thiserror::Error)]
pub enum SpeechError {
    /// It cannot be started, or its pipes broke.
    #[error("cannot be run: {0}")]
    Run(#[from] std::io::Error),
    /// It reports that it could not.
    #[error("ended with {0}")]
    Status(std::process::ExitStatus),
    /// It was stopped.
    #[error("took longer than 20 s")]
    TooSlow,
    /// What it wrote is no sound of a minute at most.
    #[error("wrote what {0}")]
    Wav(#[from] WavFault),
}

/// Speaks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Synthesizer {
    settings: Arc<SpeechSettings>,
    hidden: Arc<[PathBuf]>,
    places: Arc<Semaphore>,
}

impl Synthesizer {
    /// By this program, which cannot read what is `hidden`: what the daemon keeps, and its keys. Paths that are not there are hidden
    /// from nobody.
    #[must_use]
    pub fn new(settings: SpeechSettings, hidden: impl IntoIterator<Item = PathBuf>) -> Self {
        let hidden = hidden.into_iter().chain(settings.hidden.iter().cloned());
        let hidden: Arc<[PathBuf]> = hidden.filter_map(|path| path.canonicalize().ok()).collect();
        Self { settings: Arc::new(settings), hidden, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// A text as sound, as loud as the prompts.
    ///
    /// # Errors
    /// [`SpeechError`]; a program that takes too long is killed.
    pub async fn speak(&self, language: &str, text: &Redacted<String>) -> Result<Clip, SpeechError> {
        let wav = tokio::time::timeout(WITHIN, self.run(language, text)).await.map_err(|_| SpeechError::TooSlow)??;
        Ok(spoken(&wav)?)
    }

    async fn run(&self, language: &str, text: &Redacted<String>) -> Result<Vec<u8>, SpeechError> {
        // Never closed.
        let _place = self.places.acquire().await;
        let arguments = self.settings.arguments.iter().map(|argument| argument.replace(LANGUAGE, language));
        let mut program = super::sandbox::start(&self.settings.program, arguments.collect(), Arc::clone(&self.hidden)).await?;
        let (stdin, stdout) = (program.child.stdin.take(), program.child.stdout.take());
        let says = async {
            if let Some(mut stdin) = stdin {
                // A program may end without reading all of its input; its exit status and output count.
                let _ = stdin.write_all(text.expose().as_bytes()).await;
            }
        };
        let hears = async {
            let mut wav = Vec::new();
            match stdout {
                Some(stdout) => stdout.take(LARGEST).read_to_end(&mut wav).await.map(|_| wav),
                None => Ok(wav),
            }
        };
        let ((), wav) = tokio::join!(says, hears);
        let wav = wav?;
        if wav.len() as u64 >= LARGEST {
            return Err(WavFault::TooLong.into());
        }
        let status = program.child.wait().await?;
        if status.success() { Ok(wav) } else { Err(SpeechError::Status(status)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Synthesizer {
        let arguments = vec!["-c".to_owned(), script.to_owned(), LANGUAGE.to_owned()];
        Synthesizer::new(SpeechSettings { program: "/bin/sh".into(), arguments, hidden: Vec::new() }, [])
    }

    async fn outcome(script: &str) -> String {
        match shell(script).speak("en", &Redacted::new("the words".to_owned())).await {
            Ok(clip) => format!("{clip:?}"),
            Err(error) => error.to_string(),
        }
    }

    /// A program that fails is an error with its reason and nothing of the text.
    #[tokio::test]
    async fn a_program_that_cannot_speak_is_an_error_that_says_why() {
        assert_eq!(outcome("exit 3").await, "ended with exit status: 3");
        assert!(outcome("cat").await.starts_with("wrote what cannot be read as a WAV file"));
        assert!(outcome("cat /dev/zero").await.starts_with("wrote what is longer than 60 s"));
        let missing =
            Synthesizer::new(SpeechSettings { program: "/nonexistent".into(), arguments: Vec::new(), hidden: Vec::new() }, []);
        let error = missing.speak("en", &Redacted::new("x".to_owned())).await.expect_err("there is none");
        assert!(error.to_string().starts_with("cannot be run"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_hangs_is_stopped() {
        assert_eq!(outcome("exec sleep 1000").await, "took longer than 20 s");
    }

    /// The language goes into the arguments and the text into standard input.
    #[tokio::test]
    async fn the_language_goes_into_the_arguments_and_the_text() {
        // A WAV file without samples tells nothing of what was read: the exit status does.
        let script = "[ \"$0\" = en ] && [ \"$(cat)\" = 'the words' ] && exit 7";
        assert_eq!(outcome(script).await, "ended with exit status: 7");
    }

    /// The program has an empty environment an empty directory and none of our files.
    #[tokio::test]
    async fn x1_the_program_has_an_empty_environment_an_empty_directory() {
        // The shell itself sets PWD, OLDPWD, SHLVL and `_`.
        let environment = "env | grep -Ev '^(PWD|OLDPWD|SHLVL|_)=' && exit 1; exit 7";
        assert_eq!(outcome(environment).await, "ended with exit status: 7");
        assert_eq!(outcome("[ -z \"$(ls -A)\" ] && [ \"$(pwd)\" != / ] && exit 7").await, "ended with exit status: 7");
        let own = tempfile::NamedTempFile::new().expect("a file of ours that is open");
        let name = own.path().file_name().expect("a name").to_string_lossy().into_owned();
        let descriptors = format!("ls -l /proc/self/fd | grep {name} >/dev/null && exit 1; exit 7");
        assert_eq!(outcome(&descriptors).await, "ended with exit status: 7");
        assert_eq!(
            outcome("cat >/dev/null; [ $(ulimit -c) = 0 ] && [ $(ulimit -n) = 256 ] && exit 7").await,
            "ended with exit status: 7"
        );
    }

    /// The program reads nothing that is hidden and writes nothing outside its directory.
    #[tokio::test]
    async fn x1_the_program_reads_nothing_that_is_hidden_and_writes() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name);
        for name in ["state", "open"] {
            std::fs::create_dir(file(name)).expect("a folder");
            std::fs::write(file(name).join("file"), "what is in it").expect("a file");
        }
        std::fs::write(file("key.pem"), "a key").expect("a file");
        let speaker = |script: String| {
            let arguments = vec!["-c".to_owned(), script];
            let settings = SpeechSettings { program: "/bin/sh".into(), arguments, hidden: vec![file("key.pem")] };
            Synthesizer::new(settings, [file("state"), file("not-there")])
        };
        let says = async |script: String| {
            let spoken = speaker(script).speak("en", &Redacted::new("x".to_owned())).await;
            spoken.expect_err("no sound").to_string()
        };
        let path = folder.path().display();
        assert_eq!(says(format!("cat {path}/open/file >/dev/null && echo > own && exit 7")).await, "ended with exit status: 7");
        for reads in ["state/file", "key.pem"] {
            assert_eq!(says(format!("cat {path}/{reads} 2>/dev/null || exit 7")).await, "ended with exit status: 7", "{reads}");
        }
        assert_eq!(says(format!("ls {path}/state 2>/dev/null || exit 7")).await, "ended with exit status: 7");
        assert_eq!(says(format!("(echo > {path}/open/other) 2>/dev/null || exit 7")).await, "ended with exit status: 7");
    }

    #[tokio::test]
    async fn x1_what_the_program_leaves_behind_ends_with_it() {
        let left = || {
            let lines = std::fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
            lines
                .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
                .any(|line| line.starts_with(b"sleep\x0098765.25"))
        };
        assert_eq!(outcome("sleep 98765.25 >/dev/null 2>&1 & exit 7").await, "ended with exit status: 7");
        let gone = async {
            while left() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.expect("it is ended");
    }
}
