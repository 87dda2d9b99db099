//! Each target with its corpus, and with 10⁵ seeded mutations of it (`make fuzz-smoke` runs these by their name).

use std::path::Path;

use super::*;
use crate::common::split_mix::SplitMix;

/// Mutations a parser; `ROOMGATE_MUTATIONS` asks for fewer, or more.
const MUTATIONS: u32 = 100_000;
/// Longer inputs teach nothing new and cost time.
const LONGEST: usize = 4096;

/// What is put in here and there: separators and limits of all the formats.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\r\n ",
    b"\n",
    b"\0",
    b"\xff",
    b"\"",
    b"\\",
    b"<",
    b">",
    b";",
    b",",
    b":",
    b"=",
    b"%",
    b"%zz",
    b"[",
    b"]",
    b"[::1]",
    b"@",
    b"/",
    b"?",
    b"{",
    b"}",
    b" ",
    b"\t",
    b"#",
    b"*",
    b"-1",
    b"0",
    b"65536",
    b"99999999999999999999",
    b"1e999",
    b"\xf0\x9f\x98\x80",
    b"\xe2\x80\xae",
    b"SIP/2.0",
    b";tag=",
    b";lr",
    b"Content-Length: 7\r\n",
    b"m=audio 9 RTP/AVP 0\r\n",
    b"a=rtpmap:",
    b"\x00\x06\x00\x09",
    b"\x81\xc9\x00\x07",
    b"\x80\x00",
    b"RIFF",
    b"data",
    b"\\u0000",
    b"'''",
];

/// The corpus of a target: at least one file.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.into_iter().map(|file| std::fs::read(file).expect("a file")).collect()
}

/// Changes `bytes` in one to four places; `other` lends pieces of itself.
fn mutate(random: &mut SplitMix, bytes: &mut Vec<u8>, other: &[u8]) {
    let mut below = |bound: usize| usize::try_from(random.draw() >> 16).unwrap_or(0) % bound.max(1);
    for _ in 0..=below(4) {
        let at = below(bytes.len() + 1);
        let end = (at + 1 + below(40)).min(bytes.len());
        match below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at.min(end)..end)),
            2 => drop(bytes.splice(at..at, PIECES[below(PIECES.len())].iter().copied())),
            3 => {
                let from = below(other.len());
                let piece = other.get(from..(from + below(80)).min(other.len())).unwrap_or_default();
                drop(bytes.splice(at..at, piece.iter().copied()));
            }
            4 => {
                let copy = bytes[at.min(end)..end].to_vec();
                drop(bytes.splice(at..at, copy));
            }
            kind => {
                let value = u8::try_from(below(256)).unwrap_or(0);
                let bit = 1 << below(8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = match kind {
                        5 => value,
                        6 => *byte ^ bit,
                        _ => byte.wrapping_add(if value.is_multiple_of(2) { 1 } else { 255 }),
                    };
                }
            }
        }
        bytes.truncate(LONGEST);
    }
}

/// Replays the corpus, then mutates it. A panic is told with the input that brought it about.
fn replay(target: &str) {
    let run = TARGETS.iter().find(|(name, _)| *name == target).expect("a target").1;
    let corpus = corpus(target);
    for file in &corpus {
        run(file);
    }
    let seed = target.bytes().fold(0x5EED_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut random = SplitMix::new(seed);
    let rounds = std::env::var("ROOMGATE_MUTATIONS").ok().and_then(|number| number.parse().ok()).unwrap_or(MUTATIONS);
    for round in 0..rounds {
        let pick = |random: &mut SplitMix| usize::try_from(random.draw() >> 16).unwrap_or(0) % corpus.len();
        let (mut input, other) = (corpus[pick(&mut random)].clone(), &corpus[pick(&mut random)]);
        mutate(&mut random, &mut input, other);
        let outcome = std::panic::catch_unwind(|| run(&input));
        assert!(outcome.is_ok(), "{target}, seed {seed}, round {round}: {:?}", input.escape_ascii().to_string());
    }
}

macro_rules! replayed {
    ($($test:ident = $target:literal),* $(,)?) => {
        $(#[test]
        fn $test() {
            replay($target);
        })*

        /// Those that are replayed here.
        const REPLAYED: &[&str] = &[$($target),*];
    };
}

replayed! {
    mutated_configuration_files_are_read_or_refused = "config",
    mutated_crypto_attributes_are_read_and_printed_the_same = "crypto",
    mutated_authorizations_let_nobody_in = "digest",
    mutated_dtls_is_refused_or_answered_within_bounds = "dtls",
    mutated_telephone_events_are_keys_or_nothing = "dtmf",
    mutated_heads_of_requests_name_us_or_nobody = "http",
    mutated_tones_are_keys_one_at_a_time_or_nothing = "inband_keys",
    mutated_ledger_heads_are_read_or_passed_over = "ledger_heads",
    mutated_words_of_livekit_are_acted_on_within_bounds = "livekit",
    mutated_rtcp_is_read_or_passed_over = "rtcp",
    mutated_rtp_is_played_or_passed_over = "rtp",
    mutated_session_descriptions_are_read_and_printed_the_same = "sdp",
    mutated_words_of_pages_ask_for_one_thing_at_most = "signalling",
    mutated_streams_are_cut_the_same_wherever_packets_end = "sip_framing",
    mutated_headers_are_read_and_printed_the_same = "sip_header",
    mutated_info_bodies_are_keys_or_nothing = "sip_info",
    mutated_messages_are_read_and_printed_the_same = "sip_message",
    mutated_uris_are_read_and_printed_the_same = "sip_uri",
    mutated_stun_names_a_part_of_itself_or_nobody = "stun",
    mutated_frames_of_a_centre_are_read_or_cost_themselves_alone = "smpp",
    mutated_srtp_is_never_taken = "srtp",
    mutated_prompts_hold_no_more_than_their_file = "wav",
}

#[test]
fn each_target_has_a_corpus_a_program_and_a_replay() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("the fuzz package");
    for (name, _) in TARGETS {
        assert!(folder.join(format!("targets/{name}.rs")).is_file(), "{name}: no program for libFuzzer");
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}: not in the fuzz package");
        assert!(REPLAYED.contains(name), "{name}: not replayed");
        corpus(name);
    }
}
