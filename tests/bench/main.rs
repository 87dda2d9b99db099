//! `make bench`: what audio, signalling and an idle daemon cost on this machine, and as ratios that hold on others.
//!
//! Criterion measures; the ratios of its medians are printed at the end, all of one run. The base of the audio is the bare codec
//! work of one leg: G.722 and libopus, both ways, as the gateway runs them (48 kHz, mono, complexity 5, in-band FEC), with the
//! same speech.
#![allow(clippy::print_stdout, reason = "figures are printed")]
#![allow(clippy::disallowed_methods, reason = "benchmarks have a stopwatch, and let an idle daemon be idle")]

mod audio;
mod beside;
mod daemon;
mod meeting;
mod ratios;
mod signalling;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(2))
        .measurement_time(Duration::from_secs(8))
        .sample_size(50)
        .configure_from_args();
    audio::benches(&mut criterion);
    signalling::benches(&mut criterion);
    meeting::benches(&mut criterion);
    criterion.final_summary();
    ratios::print();
    beside::print();
    daemon::print();
}
