//! What a reload takes, and what it refuses (O-2).

use super::*;

/// Keys that take a restart: a text before, and one after.
const FIXED: &[(&str, &str, &str)] = &[
    ("sip.listen", "[sip.listen.lan]\nport = 5060", "[sip.listen.lan]\nport = 5062"),
    ("sip.advertised_address", "[sip]", "[sip]\nadvertised_address = \"192.0.2.1\""),
    ("sip.name_servers", "[sip]", "[sip]\nname_servers = [\"192.0.2.1\"]"),
    ("sip.ca", "[sip]", "[sip]\nca = \"Cargo.toml\""),
    ("media.workers", "[media]\nworkers = 1", "[media]\nworkers = 2"),
    ("media.address", "[media]", "[media]\naddress = \"127.0.0.1\""),
    ("media.rtp_ports", "[media]", "[media]\nrtp_ports = \"30000-30999\""),
    ("media.advertised_address", "[media]", "[media]\nadvertised_address = \"192.0.2.1\""),
    ("media.webrtc_port", "[media]", "[media]\nwebrtc_port = 9189"),
    ("media.webrtc_addresses", "[media]", "[media]\nwebrtc_addresses = [\"127.0.0.1\"]"),
    ("media.media_timeout", "[media]", "[media]\nmedia_timeout = \"2m\""),
    ("http.address", "[http]", "[http]\naddress = \"::1\""),
    ("http.port", "[http]", "[http]\nport = 8081"),
    ("http.tls", "[http]", "[http]\ntls = { certificate = \"Cargo.toml\", key = \"Cargo.toml\" }"),
    ("relay.country_code", "[relay]", "[relay]\ncountry_code = \"49\""),
    ("relay.allowed_prefixes", "[relay]", "[relay]\nallowed_prefixes = [\"+49\"]"),
    ("relay.daily_limit_per_meeting", "[relay]", "[relay]\ndaily_limit_per_meeting = 7"),
    ("relay.daily_limit", "[relay]", "[relay]\ndaily_limit = 7"),
    ("relay.answers_per_minute", "[relay]", "[relay]\nanswers_per_minute = 7"),
    ("relay.burst", "[relay]", "[relay]\nburst = 13"),
    ("relay.per_minute", "[relay]", "[relay]\nper_minute = 11"),
    ("relay.on_unknown", "[relay]", "[relay]\non_unknown = \"drop\""),
    ("relay.provider", "", "[relay.provider.print]\nkind = \"log\"\nnumber = \"+12025550100\""),
    ("service", "", "[service.lk]\nkind = \"livekit\"\nurl = \"ws://localhost:7880\"\nkey = \"k\"\nsecret = \"s\""),
    ("recording.directory", "[recording]", "[recording]\ndirectory = \"/tmp\""),
    (
        "store.directory",
        "[recording]\ndirectory = \"/tmp\"\n[store]",
        "[recording]\ndirectory = \"/tmp\"\n[store]\ndirectory = \"/tmp\"",
    ),
    ("limits.api_requests_per_second", "[limits]", "[limits]\napi_requests_per_second = 7"),
    ("log.format", "[log]", "[log]\nformat = \"json\""),
];

/// Keys that are taken live.
const LIVE: &[(&str, &str, &str)] = &[
    ("sip.max_calls", "[sip]", "[sip]\nmax_calls = 7"),
    ("sip.allowed", "[sip]", "[sip]\nallowed = []"),
    ("sip.realm", "[sip]", "[sip]\nrealm = \"other\""),
    ("sip.digest", "[sip]", "[sip]\ndigest = [\"md5\"]"),
    ("sip.session_expires", "[sip]", "[sip]\nsession_expires = \"10m\""),
    ("sip.session_min", "[sip]", "[sip]\nsession_min = \"2m\""),
    ("sip.menu_user", "[sip]", "[sip]\nmenu_user = \"hello\""),
    ("sip.emergency", "[sip.emergency]", "[sip.emergency]\ncountries = [\"de\"]"),
    ("sip.registrar", "[sip.registrar]", "[sip.registrar]\ncontacts = 2"),
    ("sip.hep", "", "[sip.hep]\nserver = \"192.0.2.40:9060\""),
    ("sip.trunk.pbx", "", "[sip.trunk.pbx]\naddresses = [\"192.0.2.20\"]"),
    (
        "sip.account.pbx",
        "[sip.account.pbx]\nregistrar = \"pbx.example\"\nusername = \"7\"\npassword = \"one\"",
        "[sip.account.pbx]\nregistrar = \"pbx.example\"\nusername = \"7\"\npassword = \"two\"",
    ),
    ("device.hall", "[device.hall]\naddress = \"192.0.2.1\"", "[device.hall]\naddress = \"192.0.2.1\"\nname = \"Hall\""),
    ("meeting.demo", "[meeting.demo]\npasscode = \"1234\"", "[meeting.demo]\npasscode = \"4321\""),
    ("media.codecs", "[media]", "[media]\ncodecs = [\"pcma\"]"),
    ("media.speakers", "[media]", "[media]\nspeakers = 6"),
    ("http.trusted_proxies", "[http]", "[http]\ntrusted_proxies = [\"127.0.0.1\"]"),
    ("http.public_url", "[http]", "[http]\npublic_url = \"https://meet.example\""),
    ("ice_server.a", "[ice_server.a]\nurls = [\"stun:a\"]", ""),
    ("organisation.name", "[organisation]", "[organisation]\nname = \"Other\""),
    ("organisation.language", "[organisation]", "[organisation]\nlanguage = \"de\""),
    ("organisation.anonymous_join", "[organisation]", "[organisation]\nanonymous_join = false"),
    ("policy.max_participants", "[policy]", "[policy]\nmax_participants = 7"),
    ("policy.max_externals", "[policy]", "[policy]\nmax_externals = 7"),
    ("policy.max_in_chat", "[policy]", "[policy]\nmax_in_chat = 7"),
    ("policy.pin_counts_as_member", "[policy]", "[policy]\npin_counts_as_member = true"),
    ("policy.externals_only_timeout", "[policy]", "[policy]\nexternals_only_timeout = \"5m\""),
    ("prompts.directory", "[prompts]", "[prompts]\ndirectory = \"/tmp\""),
    ("chat", "[chat]", "[chat]\nretention = \"1d\""),
    ("speech", "[speech]", "[speech]\ncommand = [\"/bin/cat\"]"),
    ("recording.retention", "[recording]", "[recording]\nretention = \"30d\""),
    ("records.retention", "[records]", "[records]\nretention = \"30d\""),
    ("log.level", "[log]", "[log]\nlevel = \"debug\""),
    ("limits.calls_per_source", "[limits]", "[limits]\ncalls_per_source = 3"),
    ("limits.invites_per_second", "[limits]", "[limits]\ninvites_per_second = 3"),
    ("limits.drain", "[limits]", "[limits]\ndrain = \"5s\""),
];

/// The settings in force, and a configuration that was changed to `after` in the same folder.
fn reloaded(before: &str, after: &str) -> (Folder, Settings, Loaded) {
    let folder = main(before);
    let in_force = folder.settings(&[]);
    fs::write(folder.0.join(MAIN_FILE), after).unwrap();
    let loaded = folder.load(&[]).unwrap_or_else(|problems| panic!("{after}: {}", lines(&problems)));
    (folder, in_force, loaded)
}

/// What calls stand on is refused with its line and what to do.
#[test]
fn o2_what_calls_stand_on_is_refused_with_its_line() {
    for (key, before, after) in FIXED {
        let (_folder, in_force, loaded) = reloaded(before, after);
        let refused = loaded.against(&in_force).expect_err(key);
        let [problem] = refused.as_slice() else { panic!("{key}: {}", lines(&refused)) };
        assert!(problem.key.starts_with(key) && problem.hint.contains("restart"), "{key}: {problem}");
        let line = if problem.key.contains("service.") || problem.key.contains(".provider.") || problem.key.contains(".listen.") {
            1
        } else {
            after.lines().count()
        };
        assert!(problem.to_string().contains(&format!("roomgate.toml:{line}: ")), "{key}: {problem}");
    }
}

#[test]
fn o2_everything_else_is_taken_by_name() {
    for (key, before, after) in LIVE {
        let (_folder, in_force, loaded) = reloaded(before, after);
        let taken = loaded.against(&in_force).unwrap_or_else(|problems| panic!("{key}: {}", lines(&problems)));
        assert_eq!(taken.iter().map(|change| change.key.as_str()).collect::<Vec<_>>(), [*key]);
        assert_eq!(loaded.settings.changes(&loaded.settings), [], "{key}");
    }
}

#[test]
fn o2_one_key_that_takes_a_restart_refuses_all_of_it() {
    let (_folder, in_force, loaded) = reloaded("[http]\nport = 8080\n", "[log]\nlevel = \"debug\"\n[http]\nport = 8081\n");
    let refused = loaded.against(&in_force).unwrap_err();
    assert_eq!((refused.len(), refused[0].key.as_str()), (1, "http.port"));
    // A key that was taken out is told at the file that it is missing in.
    let (_folder, in_force, loaded) = reloaded("[http]\nport = 8081\n", "");
    assert!(lines(&loaded.against(&in_force).unwrap_err()).contains("roomgate.toml: http.port: has changed"));
}

#[test]
fn o2_where_a_provider_has_been_told_our_address_it_is_fixed() {
    let twilio = |url: &str| {
        format!(
            "[http]\npublic_url = \"{url}\"\n[relay.provider.t]\nkind = \"twilio\"\nnumber = \"+12025550100\"\naccount = \"AC1\"\ntoken = \"t\"\n"
        )
    };
    let (_folder, in_force, loaded) = reloaded(&twilio("https://a.example"), &twilio("https://b.example"));
    assert_eq!(loaded.against(&in_force).unwrap_err()[0].key, "http.public_url");
}

/// Each key that the code compares has a case above in its class, and the reference names those that take a restart.
#[test]
fn o2_the_reference_names_every_key_that_takes_a_restart() {
    let settings = main("").settings(&[]);
    let comparison = settings.compare(&settings);
    let in_class = |live: bool| -> BTreeSet<String> {
        // Default listeners are tables that nobody has written.
        let keys = comparison.classes().into_iter().filter(|(key, is_live)| *is_live == live && !key.starts_with("sip.listen."));
        keys.map(|(key, _)| key.to_owned()).collect()
    };
    let reference = shipped("reference.toml");
    let told = reference.split("These keys take a restart:").nth(1).and_then(|rest| rest.split(".\n#\n").next()).unwrap();
    let told: BTreeSet<_> =
        told.split([',', '#', '\n']).map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect();
    assert_eq!(told, in_class(false));
    assert_eq!(told, FIXED.iter().map(|(key, ..)| (*key).to_owned()).collect());
    let tried: BTreeSet<_> = LIVE.iter().map(|(key, ..)| (*key).to_owned()).collect();
    let is_tried = |key: &String| tried.contains(key) || tried.iter().any(|tried| tried.starts_with(&format!("{key}.")));
    let untried: Vec<_> = in_class(true).into_iter().filter(|key| !is_tried(key)).collect();
    assert!(untried.is_empty(), "{untried:?}");
}
