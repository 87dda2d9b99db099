//! Roomgate against real peers, on real sockets: baresip, PJSIP and SIPp as phones, Chromium as the browser, a short message centre.
//!
//! `tests/setup.sh` installs them; a missing one fails the scenario that needs it. Each scenario runs in a network namespace of
//! its own ([`namespace`]) with one daemon; it reads recordings of what each side heard ([`audio`]).
#![allow(clippy::disallowed_methods, reason = "a test of the running daemon lives in real time and drives real processes")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "a panic or a line of text is how a test speaks")]

mod api;
mod audio;
mod baresip;
mod barred;
mod browser;
mod calls;
mod churn;
mod crowd;
mod daemon;
mod debian;
mod delay;
mod dial;
mod dialogs;
mod drain;
mod emergency;
mod faults;
mod flood;
mod handover;
mod homer;
mod hostile;
mod image;
mod instruments;
mod kamailio;
mod keypad;
mod ledger;
mod linters;
mod livekit;
mod load;
mod lockout;
mod member;
mod menu;
mod microphones;
mod moving;
mod namespace;
mod outbox;
mod package;
mod page_announcements;
mod page_connection;
mod paths;
mod pjsip;
mod probe;
mod process;
mod raw;
mod readers;
mod readme;
mod receipt;
mod recording;
mod registration;
mod reload;
mod rings;
mod rooms;
mod scan;
mod scrape;
mod session;
mod sipp;
mod smsc;
mod soak;
mod spoofed;
mod spray;
mod srtp;
mod status;
mod texting;
mod torture;
mod udp_phone;
mod vendor;
mod vendors;
mod volume;
mod waiting;
mod watchdog;
mod wiretap;
