//! What a caller's keys mean: the voice menu before a meeting is known (K-1) and the keypad in it (K-2, K-3).
//!
//! Presses flow in; prompts to play and the chosen meeting, or key commands, flow out. A device's call owns one [`Menu`], then one [`Keypad`];
//! the daemon owns one [`Lockout`]. Codes and PINs are compared here, in constant time, and are never printed.

mod digit_filter;
mod keypad;
mod lockout;
mod voice_menu;

pub use digit_filter::{DigitFilter, DigitMeans, KeyPress, SAME_PRESS};
pub use keypad::{KeyBinding, KeyCommand, Keymap, Keypad, KeypadInput, KeypadRights};
pub use lockout::{CodeSource, CodeVerdict, Lockout, SharedLockout};
pub use voice_menu::{Addressed, BETWEEN_DIGITS, Directory, Entry, Menu, MenuInput, MenuOutput, SILENCE, TRIES};
