//! Codecs to devices. PCM flows in and payloads out of an [`Encoder`]; payloads flow in and PCM out of a [`Decoder`].
//! Each stream owns its own pair; nothing is shared. All that SDP needs to know of a codec is one row of [`CODECS`].

mod coding;
mod g711;
mod g722;
mod l16;
mod opus;
mod table;

pub use coding::{CodecError, Decoder, Encoder, EncoderSettings};
pub use table::{CODECS, CodecKind, CodecRow, DEFAULT_CODECS, EncoderHandover, FALLBACK_CODECS};
