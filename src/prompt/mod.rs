//! Prompts: clips of speech per language, read from a directory together with the settings (K-5).
//!
//! WAV files flow in, [`Clip`]s flow out; [`Library`] owns them and is shared read-only by every call. It keeps K-5 (a missing
//! phrase falls back: device language, organisation's, English; a missing English one fails the start-up check) and the
//! part of N-6 that can be kept beforehand: once a library is loaded, no notice lacks its prompt.

mod clip;
mod library;
mod number;
mod spoken;
mod wav;

pub use clip::Clip;
pub use library::Library;
pub use spoken::spoken;
pub use wav::{WavFault, decode};
