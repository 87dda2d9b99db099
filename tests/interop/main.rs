//! Roomgate against real peers, on real sockets: baresip, PJSIP and SIPp as phones, Chromium as the browser, a short message centre.
//!
//! `tests/setup.sh` installs them; a missing one fails the scenario that needs it. Each scenario runs in a network namespace of
//! its own ([`namespace`]) with one daemon; it reads recordings of what each side heard ([`audio`]).
#![allow(clippy::disallowed_methods, reason = "a test of the running daemon lives in real time and drives real processes")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "a panic or a line of text is how a test speaks")]

mod audio;
mod baresip;
mod browser;
mod calls;
mod churn;
mod daemon;
mod delay;
mod dial;
mod dialogs;
mod emergency;
mod handover;
mod hostile;
mod instruments;
mod kamailio;
mod keypad;
mod load;
mod member;
mod menu;
mod moving;
mod namespace;
mod outbox;
mod patience;
mod pjsip;
mod process;
mod recording;
mod registration;
mod scan;
mod sipp;
mod smsc;
mod spray;
mod status;
mod texting;
mod torture;
mod vendor;
mod vendors;
mod volume;
mod wiretap;
