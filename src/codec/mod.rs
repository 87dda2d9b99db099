//! Codecs to devices. PCM flows in and payloads out of an [`Encoder`]; payloads flow in and PCM out of a [`Decoder`].
//! Each stream owns its own pair; nothing is shared. What SDP needs to know of a codec is one row of [`CODECS`].

mod g711;
mod g722;
mod opus;
mod table;

pub use table::{CODECS, CodecError, CodecKind, CodecRow, Decoder, Encoder, EncoderSettings};
