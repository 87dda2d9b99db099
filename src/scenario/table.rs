//! Which test proves which rule of the specification. A rule that the product's code cites is delivered, at least in part, and needs a
//! scenario here; where none is possible in this world, another test, and the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A rule, its proofs, and why no scenario is among them (empty where one is).
///
/// A proof is the name of a test, after the file of this folder it stands in (`lobby::m6_…`), or the path of another one
/// (`src/rtp/quality.rs::a6_…`).
type Row = (&'static str, &'static [&'static str], &'static str);

const PROVEN: &[Row] = &[
    // === Meetings and the lobby ===
    (
        "M-1",
        &[
            "lobby::m1_a_phone_that_nobody_knows_never_reaches_a_meeting",
            "doors::m1_a_known_room_is_told_from_one_that_takes_its_name",
            "src/meeting/names.rs::m1_nobody_takes_the_name_of_a_member_or_of_a_known_device_however_it_is_written",
            "src/sip/tests/authentication.rs::a_device_with_a_password_calls_after_digest_and_a_challenge_keeps_nothing",
        ],
        "",
    ),
    ("M-2", &["lobby::m6_a_phone_waits_in_the_lobby_until_a_member_admits_it_and_then_they_hear_each_other"], ""),
    ("M-3", &["lobby::m3_and_m4_a_phone_is_shown_as_external_whatever_it_claims_and_under_a_clean_name"], ""),
    ("M-4", &["lobby::m3_and_m4_a_phone_is_shown_as_external_whatever_it_claims_and_under_a_clean_name"], ""),
    (
        "M-5",
        &[
            "lobby::m5_even_where_everyone_may_pass_nobody_enters_before_a_member_is_there",
            "lobby::m5_a_member_that_is_lost_for_a_moment_keeps_its_seat_and_one_that_is_gone_counts_no_more",
            "src/policy/properties.rs::random_histories_keep_every_rule",
        ],
        "",
    ),
    (
        "M-6",
        &[
            "lobby::m6_a_phone_waits_in_the_lobby_until_a_member_admits_it_and_then_they_hear_each_other",
            "lobby::m6_the_switch_for_devices_lets_phones_pass_and_browsers_wait",
        ],
        "",
    ),
    (
        "M-7",
        &[
            "lobby::m7_and_m12_an_external_can_neither_admit_nor_record_nor_end_nor_remove",
            "keypad::k2_the_organisers_pin_lends_a_phone_the_lobby_keys_and_the_external_mark_stays",
        ],
        "",
    ),
    (
        "M-8",
        &[
            "lobby::m8_who_waits_in_a_browser_sees_and_hears_itself_alone_and_is_not_heard",
            "lobby::m8_a_phones_display_learns_who_is_inside_only_once_it_is_inside_itself",
            "lobby::m6_a_phone_waits_in_the_lobby_until_a_member_admits_it_and_then_they_hear_each_other",
            "src/media/plane/tests.rs::m8_a_waiting_phone_is_sent_bit_by_bit_what_it_would_be_sent_without_a_meeting",
            "src/http/tests/calls.rs::the_operator_sees_and_ends_a_call_and_a_member_only_those_of_the_own_meeting",
            "src/policy/properties.rs::random_histories_keep_every_rule",
        ],
        "",
    ),
    (
        "M-9",
        &[
            "lobby::m9_a_wait_ends_with_its_own_words_and_reason_whichever_way_it_ends",
            "src/policy/tests.rs::m9_the_end_of_a_short_wait_is_announced_half_way_and_not_at_its_beginning",
        ],
        "",
    ),
    ("M-10", &["lobby::m10_who_is_inside_stays_when_the_last_member_leaves_and_the_meeting_ends_in_time"], ""),
    ("M-11", &["doors::m11_where_nobody_from_outside_may_join_a_phone_is_told_so"], ""),
    ("M-12", &["lobby::m7_and_m12_an_external_can_neither_admit_nor_record_nor_end_nor_remove"], ""),
    ("M-13", &["lobby::m7_and_m12_an_external_can_neither_admit_nor_record_nor_end_nor_remove"], ""),
    (
        "M-14",
        &[
            "doors::m14_a_phone_that_finds_the_meeting_full_is_told_so",
            "doors::m14_a_phone_that_was_denied_does_not_knock_again_at_once",
            "src/policy/tests/crowd.rs::m14_the_351st_external_is_refused_and_a_member_is_not",
            "src/policy/tests/crowd.rs::m14_above_the_limit_the_chat_is_off_and_sound_stays",
        ],
        "",
    ),
    (
        "M-16",
        &[
            "lobby::m16_each_call_leaves_one_record_with_its_times_and_figures",
            "lobby::m16_who_is_let_into_a_recorded_meeting_joins_it_when_it_has_been_told_so",
            "lobby::m16_a_call_that_fails_while_it_is_set_up_leaves_a_record_too",
        ],
        "",
    ),
    (
        "M-17",
        &[
            "tests/interop/api.rs::the_whole_way_of_a_call_is_told_as_events_and_can_be_read_again",
            "src/http/tests/events.rs::m17_the_operator_hears_of_all_and_a_member_of_the_own_meeting",
        ],
        "events are read by HTTP, which nobody in this world speaks",
    ),
    (
        "M-18",
        &[
            "lobby::m18_a_phone_that_calls_again_knocks_again_and_is_told_again",
            "handover::m18_a_phone_that_hands_over_stays_until_the_other_knocks_which_waits_and_is_told_anew",
            "handover::m18_a_phone_hands_over_a_place_inside_once_in_a_while_and_in_the_lobby_it_has_none",
            "handover::m18_and_x3_a_phone_hands_over_to_nobody_but_our_devices_and_a_stranger_to_nobody",
            "handover::m18_a_phone_that_takes_anothers_place_knocks_itself",
            "src/policy/properties.rs::random_histories_keep_every_rule",
        ],
        "",
    ),
    // === Notices ===
    ("N-1", &["notices::n1_every_change_of_recording_is_spoken_to_every_phone_within_half_a_second_whatever_its_codec"], ""),
    (
        "N-2",
        &[
            "notices::n2_who_joins_a_recorded_meeting_is_told_before_any_audio_passes_in_either_direction",
            "src/policy/properties.rs::random_histories_keep_every_rule",
        ],
        "",
    ),
    (
        "N-3",
        &[
            "notices::n3_a_notice_is_heard_by_its_phone_alone_and_no_key_and_no_mute_silences_it",
            "notices::n3_on_hold_a_notice_waits_and_comes_before_any_audio",
            "src/policy/tests.rs::n3_a_late_notice_closes_the_microphone_until_it_was_heard",
        ],
        "",
    ),
    (
        "N-4",
        &[
            "notices::n4_changes_while_a_notice_plays_merge_into_one_and_on_then_off_is_told_as_both",
            "src/policy/properties.rs::random_histories_keep_every_rule",
        ],
        "",
    ),
    (
        "N-5",
        &[
            "notices::n1_every_change_of_recording_is_spoken_to_every_phone_within_half_a_second_whatever_its_codec",
            "src/prompt/library/tests.rs::the_shipped_start_notices_say_that_staying_is_consent_as_n5_says",
        ],
        "",
    ),
    (
        "N-6",
        &[
            "notices::n6_what_cannot_be_sent_has_failed_closes_the_microphone_and_is_said_when_it_can",
            "src/policy/tests.rs::n6_a_notice_that_fails_twice_leaves_the_microphone_closed_and_says_so",
            "src/policy/properties.rs::random_histories_keep_every_rule",
            "src/policy/properties.rs::a_fault_planted_in_each_rule_is_caught_by_that_rule",
        ],
        "",
    ),
    (
        "N-8",
        &[
            "notices::n8_the_ledger_proves_each_notice_by_the_packets_that_the_phone_really_got",
            "notices::n8_what_a_phone_does_not_receive_is_said_again_then_its_microphone_closes_until_it_has_received_it",
            "notices::n8_a_notice_cut_by_hanging_up_names_the_packets_that_had_left",
            "notices::n8_a_small_loss_and_a_phone_that_reports_nothing_repeat_nothing_and_shut_nobody",
            "src/policy/properties.rs::a_fault_planted_in_each_rule_is_caught_by_that_rule",
            "tests/interop/receipt.rs::n8_with_20_percent_and_with_all_lost_it_is_said_again_until_it_is_received_with_the_microphone_closed",
        ],
        "",
    ),
    (
        "N-10",
        &[
            "src/call/tests.rs::n10_a_notice_is_told_by_sms_and_shown_as_well_to_who_is_inside",
            "src/relay/tests.rs::n10_what_must_be_known_is_told_to_everybody_around_the_device_whatever_the_allowance_says",
        ],
        "what is shown leaves this world by SMS, or by the MESSAGE that C-1 shows here",
    ),
    ("N-11", &["notices::n11_transcription_that_nothing_could_do_is_refused_and_nobody_is_told_an_untruth"], ""),
    (
        "N-12",
        &[
            "notices::n12_a_recording_is_private_and_one_that_cannot_be_is_off_for_everybody",
            "src/media/record/tests.rs::a_full_disk_is_told_once_as_n12_says",
            "src/sweep.rs::n12_a_recording_that_has_paused_for_longer_than_its_retention_goes_on",
            "tests/interop/recording.rs::everybody_is_told_of_a_recording_and_the_file_holds_the_voices_and_no_prompt",
        ],
        "",
    ),
    // === Menu and keypad ===
    (
        "K-1",
        &[
            "menu::k1_a_caller_is_welcomed_keys_the_conference_id_and_knocks",
            "menu::k1_a_dialled_meeting_still_asks_for_its_passcode_and_three_wrong_ones_end_in_a_goodbye",
            "menu::k1_a_source_that_goes_on_guessing_is_locked_out_for_a_quarter_of_an_hour_and_no_other_is",
            "src/menu/lockout/tests.rs::k1_strangers_who_guess_keep_out_nobody_who_knows_the_code",
            "tests/interop/lockout.rs::k1_an_outside_caller_who_guesses_locks_itself_out_and_nobody_else_of_its_pbx",
        ],
        "",
    ),
    (
        "K-2",
        &[
            "keypad::k2_every_key_does_what_it_says_and_says_what_it_did",
            "keypad::k2_the_organisers_pin_lends_a_phone_the_lobby_keys_and_the_external_mark_stays",
        ],
        "",
    ),
    ("K-3", &["menu::k3_an_auto_diallers_keys_are_all_understood_and_one_press_told_twice_is_one_digit"], ""),
    (
        "K-4",
        &[
            "microphones::k4_mute_is_one_state_for_the_keypad_and_the_page_and_a_host_asks_for_what_it_has_not_closed",
            "microphones::k4_a_hosts_mute_is_lifted_by_the_phone_only_where_the_meeting_lets_it",
            "microphones::k4_a_phone_that_a_host_has_muted_is_muted_when_it_dials_again",
            "handover::k4_whoever_takes_the_place_of_a_muted_phone_is_muted",
            "microphones::k4_a_page_whose_microphone_its_owner_has_closed_is_asked_and_opens_it_itself",
        ],
        "",
    ),
    (
        "K-5",
        &[
            "src/prompt/library/tests.rs::a_phrase_falls_back_from_the_devices_language_to_the_organisations_to_english_as_k5_says",
        ],
        "one language is shipped, so that nothing can fall back",
    ),
    ("K-6", &["lobby::k6_who_waits_is_comforted_over_music_and_who_is_alone_is_told"], ""),
    // === SIP ===
    (
        "S-1",
        &["tests/interop/calls.rs::four_phones_on_tcp_each_with_another_codec_all_hear_each_other_and_the_browser"],
        "there are no sockets here, and a stream is nothing without one",
    ),
    ("S-2", &["calls::s2_an_invite_that_comes_twice_is_one_call_and_one_given_up_is_none"], ""),
    (
        "S-3",
        &[
            "src/sip/tests/authentication.rs::addresses_say_who_calls_and_open_networks_let_anybody_in_but_not_under_a_name_with_a_password",
        ],
        "of registration nothing is there yet; who calls is decided in the endpoint",
    ),
    (
        "S-4",
        &[
            "calls::s4_a_call_without_an_offer_is_offered_every_codec_and_hears_us",
            "keypad::s5_a_phone_that_holds_is_shown_so_and_its_music_never_reaches_the_meeting",
        ],
        "",
    ),
    ("S-5", &["keypad::s5_a_phone_that_holds_is_shown_so_and_its_music_never_reaches_the_meeting"], ""),
    (
        "S-6",
        &[
            "src/sip/resolver.rs::servers_come_by_priority_and_by_weight_among_equals",
            "src/sip/registration/tests/mod.rs::a_server_that_does_not_answer_is_followed_by_the_next_and_then_by_waits_that_grow_without_end",
        ],
        "the network of the scenarios has no names",
    ),
    (
        "S-7",
        &[
            "calls::s7_rtp_of_somebody_else_reaches_nobody_and_an_empty_pool_is_a_503",
            "src/media/plane/tests/hostile.rs::s7_rtp_from_a_foreign_address_reaches_nobody_and_changes_nothing",
            "src/sip/tests/routes.rs::s7_nobody_elsewhere_acts_in_a_call_by_knowing_its_tags",
            "tests/interop/paths.rs::s7_a_contact_or_route_to_somebody_else_is_neither_written_nor_connected_to",
            "tests/interop/paths.rs::s7_media_named_to_a_third_party_is_less_than_what_named_it_until_it_comes_from_there",
            "tests/interop/paths.rs::s7_a_call_by_password_survives_whoever_knows_its_tags",
        ],
        "",
    ),
    ("S-8", &["calls::s8_a_refusal_says_why", "lobby::m9_a_wait_ends_with_its_own_words_and_reason_whichever_way_it_ends"], ""),
    (
        "S-9",
        &[
            "handover::s9_who_answers_a_device_that_is_called_hears_which_meeting_presses_1_and_knocks",
            "handover::s9_who_does_not_want_to_come_stays_out_and_whoever_called_is_told_why",
            "handover::s9_a_device_that_does_not_answer_rings_for_a_minute_and_one_that_is_nowhere_fails_at_once",
            "tests/interop/rings.rs::s9_a_member_rings_a_room_once_in_a_while_and_empties_no_pool",
            "tests/interop/rings.rs::s9_who_may_call_rooms_is_the_meetings_to_say",
        ],
        "",
    ),
    ("S-10", &["calls::s10_a_call_for_help_is_told_that_it_reaches_nobody_here_or_is_sent_to_who_answers_it"], ""),
    // === Audio ===
    ("A-1", &["calls::a1_phones_of_every_codec_and_a_browser_all_hear_each_other_and_not_themselves"], ""),
    ("A-2", &["calls::a2_keys_are_commands_to_us_and_never_heard_in_the_meeting"], ""),
    (
        "A-4",
        &[
            "calls::a4_a_phone_of_whose_packets_one_in_seven_is_lost_is_still_heard",
            "src/rtp/receive/tests.rs::a4_jitter_lengthens_the_delay_until_nothing_is_late",
        ],
        "",
    ),
    ("A-5", &["calls::a1_phones_of_every_codec_and_a_browser_all_hear_each_other_and_not_themselves"], ""),
    ("A-6", &["lobby::m16_each_call_leaves_one_record_with_its_times_and_figures"], ""),
    // === Chat ===
    (
        "C-1",
        &[
            "calls::c1_what_a_phone_writes_reaches_those_inside_once_it_is_inside_itself",
            "calls::c1_the_chat_is_shown_on_the_display_of_a_device_that_is_inside_and_wants_it",
        ],
        "",
    ),
    (
        "C-2",
        &[
            "src/relay/tests.rs::c2_nothing_of_the_chat_is_sent_before_the_texted_code_is_keyed_in_and_proof_is_kept",
            "src/relay/tests.rs::a_storm_of_a_hundred_thousand_messages_keeps_every_rule_and_every_bound",
            "tests/interop/texting.rs::the_people_around_a_phone_get_the_chat_by_sms_after_they_have_keyed_in_a_texted_code",
        ],
        "codes leave this world by SMS: it takes a phone to read them",
    ),
    ("C-3", &["src/relay/tests.rs::c3_a_line_carries_a_clean_name_of_at_most_20_characters"], "messages leave this world by SMS"),
    (
        "C-4",
        &[
            "src/relay/tests.rs::c4_over_the_allowance_the_last_line_is_told_with_the_number_of_those_left_out",
            "src/relay/segment.rs::c4_a_text_has_as_many_parts_as_the_standard_says",
        ],
        "messages leave this world by SMS",
    ),
    (
        "C-5",
        &[
            "src/relay/tests.rs::c5_an_answer_goes_into_the_one_meeting_in_which_the_device_is",
            "src/relay/tests.rs::c5_who_is_in_no_meeting_gets_one_answer_a_day_and_reaches_nobody",
            "tests/interop/texting.rs::c5_answers_from_a_real_message_centre_reach_the_meeting_and_stop_ends_it",
        ],
        "messages come into this world by SMS",
    ),
    ("C-6", &["src/relay/tests.rs::c6_loops_are_cut"], "messages come into this world by SMS"),
    (
        "C-7",
        &[
            "src/relay/outbox/tests.rs::c7_what_is_kept_arrives_and_twice_only_what_was_unanswered",
            "tests/interop/outbox.rs::c7_what_was_accepted_arrives_though_the_daemon_is_killed_again_and_again",
            "tests/interop/outbox.rs::c7_a_real_centre_that_hangs_drops_its_connection_and_tells_every_fate_loses_nothing",
            "tests/interop/vendors.rs::c7_a_service_that_knows_references_shows_no_message_twice_after_kill_9",
            "tests/interop/vendors.rs::c7_azure_shows_no_message_twice_after_kill_9",
        ],
        "it is about a process that is killed",
    ),
    (
        "C-8",
        &[
            "src/relay/tests.rs::c8_neither_texts_nor_numbers_nor_codes_are_printed",
            "src/sweep.rs::c8_copies_of_the_chat_go_on_time_by_the_clock_on_the_wall",
            "tests/interop/texting.rs::the_people_around_a_phone_get_the_chat_by_sms_after_they_have_keyed_in_a_texted_code",
        ],
        "it is about the store, over days",
    ),
    ("C-9", &["src/relay/provider/rest/tests.rs::c9_a_picture_by_sms_is_one_word_and_no_markup"], "pictures come by SMS"),
    (
        "C-10",
        &[
            "tests/interop/texting.rs::c5_answers_from_a_real_message_centre_reach_the_meeting_and_stop_ends_it",
            "tests/interop/vendors.rs::c10_azure_accepts_what_we_sign_as_its_own_package_signs_it_and_its_events_are_taken_in_both_schemas",
            "tests/interop/vendors.rs::c10_twilio_and_we_accept_each_others_signatures_by_form_and_by_json",
            "tests/interop/vendors.rs::c10_a_service_of_ones_own_is_reached_by_signed_json_both_ways",
        ],
        "providers are outside of this world",
    ),
    // === Operations ===
    (
        "O-1",
        &["tests/operations/main.rs::ten_different_mistakes_are_all_listed_with_their_place_and_what_to_do"],
        "it is about the time before there is a gateway",
    ),
    (
        "O-2",
        &[
            "tests/interop/reload.rs::o2_a_hundred_reloads_half_of_them_bad_are_not_noticed_by_any_call",
            "tests/interop/reload.rs::o2_what_is_new_holds_for_the_next_call_and_what_is_gone_stays_for_the_one_that_is_up",
            "src/config/tests/reload.rs::o2_what_calls_stand_on_is_refused_with_its_line_and_what_to_do",
        ],
        "it is about files and signals",
    ),
    (
        "O-3",
        &["tests/interop/watchdog.rs::o3_a_thread_that_stands_still_has_the_daemon_killed_and_started_again_in_time"],
        "it is about threads and a service manager",
    ),
    (
        "O-4",
        &[
            "calls::o4_a_gateway_that_stops_takes_no_new_calls_and_ends_present_ones_with_words",
            "calls::o4_a_call_that_is_being_set_up_while_the_gateway_stops_is_told_too",
            "calls::o4_a_call_whose_ack_does_not_come_ends_within_two_seconds_for_operator_and_drain",
        ],
        "",
    ),
    (
        "O-5",
        &[
            "tests/interop/api.rs::the_sip_messages_of_a_phones_call_are_shown_while_it_is_up_and_after_without_any_number",
            "tests/interop/homer.rs::o5_homers_own_decoder_reads_the_copies_of_a_phones_call_and_no_number_in_them",
            "tests/interop/soak.rs::waves_of_calls_fail_nowhere_leave_nothing_and_tell_no_secret",
            "src/telemetry/journal.rs::o5_a_line_comes_with_its_call_and_meeting_as_fields_and_a_text_with_line_ends_whole",
        ],
        "it is about those who watch",
    ),
    // === Safety ===
    ("X-1", &["calls::x1_rubbish_to_every_port_leaves_a_call_as_it_is"], ""),
    ("X-2", &["calls::x2_a_scanner_is_not_answered_and_one_call_too_many_is_refused"], ""),
    (
        "X-3",
        &[
            "lobby::m7_and_m12_an_external_can_neither_admit_nor_record_nor_end_nor_remove",
            "handover::m18_and_x3_a_phone_hands_over_to_nobody_but_our_devices_and_a_stranger_to_nobody",
        ],
        "",
    ),
    (
        "X-4",
        &[
            "src/menu/tests.rs::k1_codes_are_in_no_debug_output",
            "src/config/tests.rs::secrets_come_from_files_and_credentials_and_are_never_printed",
        ],
        "it is about memory and logs, which no participant sees",
    ),
];

/// Rules that the code speaks of and does not keep yet.
const NOT_YET: &[(&str, &str)] = &[
    ("M-15", "conference IDs and names of meetings are the only addresses"),
    ("N-7", "the one meeting service there is can signal recording"),
];

/// What scripts and people rely on (U-1 … U-7) is proven by `tests/operations`, `src/http/tests.rs` and `src/config/tests.rs`.
const FAMILIES: &str = "MNKSACOX";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn is_test(path: &Path) -> bool {
    let path = path.strip_prefix(root()).expect("ours").display().to_string();
    ["/tests.rs", "/tests/", "scenario/", "properties", "browser.rs", "stand_in.rs"].iter().any(|part| path.contains(part))
}

/// Every rule that is cited outside of tests.
fn cited() -> BTreeSet<String> {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut rules = BTreeSet::new();
    for file in files.iter().filter(|file| !is_test(file)) {
        let text = fs::read_to_string(file).expect("readable");
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for word in product.split(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
            let rule = word.split_once('-').filter(|(family, number)| {
                family.len() == 1 && FAMILIES.contains(family) && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
            });
            rules.extend(rule.map(|_| word.to_owned()));
        }
    }
    rules
}

#[test]
fn every_rule_that_is_kept_has_a_scenario_or_says_why_not() {
    let mut wrong = Vec::new();
    let known: BTreeSet<&str> = PROVEN.iter().map(|(rule, ..)| *rule).chain(NOT_YET.iter().map(|(rule, _)| *rule)).collect();
    assert_eq!(known.len(), PROVEN.len() + NOT_YET.len(), "a rule stands twice");
    for rule in cited().iter().filter(|rule| !known.contains(rule.as_str())) {
        wrong.push(format!("{rule}: the code keeps it, and no scenario shows that"));
    }
    for (rule, proofs, why_none) in PROVEN {
        let in_this_world = proofs.iter().any(|proof| !proof.contains('/'));
        if in_this_world != why_none.is_empty() {
            wrong.push(format!("{rule}: a scenario, or the reason why there is none"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_test_that_proves_a_rule_is_there() {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (rule, proofs, _) in PROVEN {
        for proof in *proofs {
            let (file, test) = proof.split_once("::").expect("file::test");
            let file = if file.contains('/') { file.to_owned() } else { format!("src/scenario/{file}.rs") };
            let text = texts.entry(file.clone()).or_insert_with(|| fs::read_to_string(root().join(&file)).unwrap_or_default());
            if !text.contains(&format!("fn {test}(")) {
                wrong.push(format!("{rule}: there is no {test} in {file}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_scenario_stands_in_the_table_under_the_rule_of_its_name() {
    let mut files = Vec::new();
    sources(&root().join("src/scenario"), &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("readable");
        let room = file.file_stem().expect("a name").display().to_string();
        for name in text.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split('(').next()) {
            // `m7_and_m12_…`: the rules come first.
            let words = name.split('_').filter(|word| *word != "and").map_while(|word| {
                let (family, number) = word.split_at(1);
                let is_rule = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
                is_rule.then(|| format!("{}-{number}", family.to_uppercase()))
            });
            for rule in words {
                let proof = format!("{room}::{name}");
                if !PROVEN.iter().any(|(known, proofs, _)| *known == rule && proofs.contains(&proof.as_str())) {
                    wrong.push(format!("{rule}: {proof} is not in the table"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
