//! Words that no prompt has are spoken by a local program, where one is configured: text goes to its standard input, and a WAV file
//! comes from its standard output. Nothing leaves the machine, and nothing of the text is in its arguments or in the log (C-8). What it may
//! do is little: see [`sandbox`].
#![allow(clippy::disallowed_methods, reason = "a driver: it starts programs")]

mod sandbox;
mod synthesizer;

pub use synthesizer::{SpeechError, SpeechSettings, Synthesizer};
