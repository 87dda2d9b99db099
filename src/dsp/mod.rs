//! Sound as samples: 20 ms frames, rates, levels, tones, and what hides a fault. Everything is mono, 16-bit, pure and per stream.

pub mod conceal;
pub mod dtmf;
pub mod frame;
pub mod gain;
pub mod key_suppressor;
pub mod level;
pub mod leveller;
pub mod limiter;
pub mod noise;
pub mod resample;
pub mod stretch;
pub mod tone;
pub mod tone_detector;
pub mod voice_activity;

pub use frame::Frame;
pub use resample::Resampler;
