//! Mistakes: each is listed with its place and what to write instead (O-1).

use super::*;

/// Ten different mistakes are all listed with their place and what to do.
#[test]
fn ten_different_mistakes_are_all_listed_with_their_place() {
    let folder = Folder::with(&[
        (
            MAIN_FILE,
            "[sip]\nmax_calls = \"many\"\nadvertised_adress = \"192.0.2.1\"\n\n[media]\nrtp_ports = 20000\nmedia_timeout = \"60\"\n\n\
             [http]\naddress = \"0.0.0.0\"\n\n[meeting.demo]\nconference_id = \"1001\"\nbypass = \"nobody\"\n\n[colour]\nblue = 1\n",
        ),
        ("roomgate.d/10-meetings.toml", "[meeting.second]\nconference_id = \"1001\"\n"),
        ("roomgate.d/20-broken.toml", "[meeting.third]\ntitle = \"x\"\nconference_id = = 5\n"),
    ]);
    let problems = folder.problems(&[("ROOMGATE__HTTP__PORT", "eighty")]);
    let text = lines(&problems);
    let expected = [
        ("roomgate.toml:2: sip.max_calls: ", "a whole number from 1 to 100000"),
        ("roomgate.toml:3: sip.advertised_adress: ", "did you mean `advertised_address`?"),
        ("roomgate.toml:6: media.rtp_ports: ", "a text in quotes"),
        ("roomgate.toml:7: media.media_timeout: ", "such as \"20s\""),
        ("roomgate.toml:10: http.address: plain HTTP", "[http.tls]"),
        ("roomgate.toml:14: meeting.demo.bypass: ", "\"organisers\""),
        ("roomgate.toml:16: colour: is not a known key", "known here: "),
        ("10-meetings.toml:2: meeting.second.conference_id: ", "an ID of its own"),
        ("20-broken.toml:3: not valid TOML", "mend the syntax"),
        ("environment ROOMGATE__HTTP__PORT: http.port: ", "a whole number from 0 to 65535"),
    ];
    for (place, hint) in expected {
        assert!(text.lines().any(|line| line.contains(place) && line.contains(hint)), "{place} … {hint} is not in:\n{text}");
    }
    assert_eq!(problems.len(), expected.len(), "{text}");
}

#[test]
fn a_missing_file_is_one_problem_and_says_how_to_name_another() {
    let problems = load(Path::new("/nowhere/at/all.toml"), []).expect_err("nothing is there");
    assert!(lines(&problems).contains("/nowhere/at/all.toml: cannot be read"), "{}", lines(&problems));
}

#[test]
fn ports_that_two_tables_claim_are_found() {
    let said = |text: &str| lines(&main(text).problems(&[]));
    assert!(
        said("[sip.listen.a]\nport = 20500\n")
            .contains("media.rtp_ports: claims ports 20000 to 20999, which sip.listen.a.port claims too")
    );
    assert!(said("[sip.listen.a]\n[sip.listen.b]\naddress = \"127.0.0.1\"\n").contains("sip.listen.b.port: claims port 5060"));
    assert!(said("[media]\nwebrtc_port = 20010\n").contains("media.webrtc_port: claims port"));
    assert!(said("[sip.listen.a]\ntransport = \"tcp\"\nport = 8080\n").contains("http.port: claims port 8080"));
    assert!(said("[media]\nworkers = 9\nwebrtc_port = 65530\n").contains("every media worker"));
    let apart = main(
        "[sip.listen.a]\naddress = \"127.0.0.1\"\n[sip.listen.b]\naddress = \"127.0.0.2\"\n[sip.listen.c]\nport = 0\n[sip.listen.d]\nport = 0\n",
    );
    assert_eq!(apart.settings(&[]).sip.listen.len(), 4);
}

/// SIP listens at all addresses of both families by one listener each.
#[test]
fn o1_sip_listeners_of_both_families_do_not_collide() {
    for (transport, family) in [("udp", "::"), ("tcp", "::1"), ("tcp", "::")] {
        let text = format!(
            "[sip.listen.four]\ntransport = \"{transport}\"\naddress = \"0.0.0.0\"\n\
             [sip.listen.six]\ntransport = \"{transport}\"\naddress = \"{family}\"\n"
        );
        assert_eq!(main(&text).settings(&[]).sip.listen.len(), 2, "{text}");
    }
    let said = |text: &str| lines(&main(text).problems(&[]));
    assert!(said("[sip.listen.a]\naddress = \"::\"\n[sip.listen.b]\naddress = \"::1\"\n").contains("claims port 5060"));
    let with_pages =
        "[sip.listen.a]\ntransport = \"tcp\"\nport = 8080\n[http]\naddress = \"::\"\ntrusted_proxies = [\"10.0.0.1\"]\n";
    assert!(said(with_pages).contains("http.port: claims port 8080"), "the pages' socket takes both families");
}

/// Providers by http need their keys and none that can be guessed.
#[test]
fn providers_by_http_need_their_keys_and_none() {
    let with = |rest: &str| format!("[relay.provider.a]\nnumber = \"+12025550100\"\n{rest}");
    let azure = "kind = \"azure\"\nendpoint = \"https://example.org\"\naccess_key = \"a2V5\"\n";
    let complete = main(&with(&format!("{azure}webhook_key = \"0123456789abcdef\"\n"))).settings(&[]);
    assert!(matches!(complete.relay.providers["a"].kind, crate::relay::provider::ProviderKind::Azure(_)));
    for (text, complaint) in [
        (azure.to_owned(), "write endpoint, access_key and webhook_key"),
        (format!("{azure}webhook_key = \"short\"\n"), "at least 16 characters"),
        (azure.replace("a2V5", "no base64") + "webhook_key = \"0123456789abcdef\"\n", "no base64"),
        ("kind = \"twilio\"\naccount = \"AC1\"\n".to_owned(), "write account and token"),
        ("kind = \"webhook\"\nurl = \"https://example.org\"\nsecret = \"short\"\n".to_owned(), "at least 16 characters"),
        ("kind = \"twilio\"\napi = \"http://example.org\"\naccount = \"AC1\"\ntoken = \"t\"\n".to_owned(), "keys travel"),
    ] {
        let problems = lines(&main(&with(&text)).problems(&[]));
        assert!(problems.contains(complaint) && problems.lines().count() == 1, "{text}\n{problems}");
    }
}

#[test]
fn a_relay_needs_one_provider_with_a_kind_and_a_number() {
    let folder = main(
        "[relay]\ncountry_code = \"+49\"\nburst = 1\n[relay.provider.a]\nkind = \"pigeon\"\nnumber = \"12\"\n\
         [relay.provider.b]\n[relay.provider.c]\nkind = \"log\"\nnumber = \"+12025550100\"\n\
         [relay.provider.d]\nkind = \"log\"\nnumber = \"+12025550101\"\n",
    );
    let found = lines(&folder.problems(&[]));
    for problem in
        ["relay.country_code", "relay.burst", "relay.provider.a.kind", "relay.provider.a.number", "relay.provider.b.kind"]
    {
        assert!(found.contains(problem), "{problem} in {found}");
    }
}

#[test]
fn a_gateway_that_nobody_could_reach_is_refused() {
    let said = |text: &str| lines(&main(text).problems(&[]));
    assert!(said("[sip.listen.udp]\nenabled = false\n").contains("sip.listen: leaves no listener"));
    assert!(said("[sip]\nadvertised_address = \"0.0.0.0\"\n").contains("sip.advertised_address: 0.0.0.0"));
    assert!(said("[media]\nwebrtc_addresses = [\"224.0.0.1\"]\n").contains("media.webrtc_addresses"));
}

#[test]
fn a_key_that_is_written_twice_is_a_mistake_with_its_line() {
    assert!(lines(&main("[http]\nport = 1\nport = 2\n").problems(&[])).contains("roomgate.toml:3: not valid TOML"));
}

#[test]
fn plain_http_for_the_network_needs_tls_or_a_proxy() {
    assert!(main("[http]\naddress = \"0.0.0.0\"\n").load(&[]).is_err());
    assert!(main("[http]\naddress = \"0.0.0.0\"\ntrusted_proxies = [\"10.0.0.1\"]\n").load(&[]).is_ok());
    assert!(main("[http]\naddress = \"::1\"\n").load(&[]).is_ok());
    let folder = main("");
    let file = folder.0.join(MAIN_FILE);
    let with = |name: &Path| format!("[http]\naddress = \"0.0.0.0\"\ntls = {{ certificate = {name:?}, key = {name:?} }}\n");
    assert!(main(&with(&file)).load(&[]).is_ok());
    let problems = main(&with(Path::new("/nowhere.pem"))).problems(&[]);
    assert_eq!(problems.len(), 2, "{}", lines(&problems));
    assert!(lines(&main("[http.tls]\nkey = \"x\"\n").problems(&[])).contains("only one of"));
}

#[test]
fn meetings_and_devices_that_contradict_each_other_are_found() {
    let said = |text: &str| lines(&main(text).problems(&[]));
    assert!(said("[device.a]\naddress = \"10.0.0.1\"\ndefault_meeting = \"gone\"\n").contains("there is no [meeting.gone]"));
    assert!(said("[device.a]\nname = \"x\"\n").contains("device.a: says nothing that the device could be known by"));
    assert!(said("[device.a]\nusername = \"x\"\n").contains("device.a: has only one of username and password"));
    assert!(said("[device.a]\nusername = \"x y\"\npassword = \"p\"\n").contains("device.a.username: \"x y\" is no user name"));
    let twice = "[device.a]\nusername = \"x\"\npassword = \"12345678\"\n[device.b]\nusername = \"x\"\npassword = \"12345678\"\n";
    assert!(said(twice).contains("device.b.username: \"x\" is the user name of device a too"));
    let token = |name: &str| format!("[device.{name}]\naddress = \"10.0.0.1\"\napi_token = \"0123456789abcdef\"\n");
    assert!(said(&token("a").replace("cdef", "")).contains("device.a: has an API token that could be guessed"));
    assert!(said(&(token("a") + &token("b"))).contains("device.b.api_token: is the API token of device a too"));
    assert!(said(&token("unlisted")).contains("would show the calls of whoever has no entry as well"));
    assert!(said(&(token("b") + "[sip.trunk.b]\naddresses = [\"10.0.0.2\"]\n")).contains("calls of [sip.trunk.b] as well"));
    assert!(said("[sip.trunk.a]\n").contains("sip.trunk.a: says nothing that the trunk could be known by"));
    let shared = "[device.a]\ncertificate = \"X\"\n[sip.trunk.b]\ncertificate = \"x\"\n";
    assert!(said(shared).contains("sip.trunk.b.certificate: \"x\" is the certificate of device.a too"));
    assert!(said("[sip.listen.a]\ntransport = \"tls\"\n").contains("sip.listen.a: speaks TLS without a certificate"));
    assert!(said("[sip.listen.a]\nkey = \"k\"\n").contains("sip.listen.a: has only one of certificate and key"));
    assert!(said("[sip.listen.a]\nclient_ca = \"k\"\n").contains("does not speak TLS"));
    assert!(
        said("[sip.listen.a]\ntransport = \"tls\"\nclient_crl = \"k\"\ncertificate = \"c\"\nkey = \"k\"\n")
            .contains("asks no client")
    );
    let unread = "[sip.listen.a]\ntransport = \"tls\"\ncertificate = \"/nowhere.pem\"\nkey = \"/nowhere.pem\"\nclient_ca = \"/nowhere.pem\"\n";
    assert_eq!(main(unread).problems(&[]).len(), 3);
    let shared = "[device.a]\naddress = \"10.0.0.1\"\n[sip.trunk.b]\naddresses = [\"10.0.0.1\"]\n";
    assert!(said(shared).contains("sip.trunk.b.addresses: 10.0.0.1/32 is the address of device a too"));
    assert!(said("[device.a]\naddress = \"10.0.0.1\"\n[device.b]\naddress = \"10.0.0.1\"\n").contains("device a too"));
    assert!(said("[meeting.a]\npasscode = \"12x4\"\n").contains("digits"));
    assert!(said("[meeting.a]\nconference_id = 1001\n").contains("in quotes"));
    assert!(said("[meeting.a]\npasscode = \"1234\"\norganiser_pin = \"1234\"\n").contains("same as the passcode"));
    assert!(said("[meeting.Big]\n").contains("no name for a meeting"));
    assert!(said("[meeting.menu]\n").contains("sip.menu_user"));
    assert!(said("[meeting.a]\nconference_id = \"77\"\n[meeting.77]\n").contains("could mean either"));
    assert!(said("[meeting.a]\nconference_id = \"+49x\"\n").contains("not made of digits"));
    let same = "[meeting.a]\nconference_id = \"+49 30 1234567\"\n[meeting.b]\nconference_id = \"49301234567\"\n";
    assert!(said(same).contains("\"49301234567\" is the conference ID of meeting a too"));
    assert!(said("meeting = 5\n").contains("is not a table"));
    assert!(said("[meeting]\na = 5\n").contains("[meeting.a]"));
}

#[test]
fn a_state_directory_that_cannot_be_made_is_found() {
    let folder = main("[store]\ndirectory = \"/dev/null/state\"\n");
    assert!(lines(&folder.problems(&[])).contains("store.directory: /dev/null/state cannot be made"));
}

#[test]
fn a_broken_file_hides_no_names_that_others_refer_to() {
    let folder = Folder::with(&[
        (MAIN_FILE, "[device.a]\naddress = \"10.0.0.1\"\ndefault_meeting = \"demo\"\n"),
        ("roomgate.d/meetings.toml", "[meeting.demo\n"),
    ]);
    let problems = folder.problems(&[]);
    assert_eq!(problems.len(), 1, "{}", lines(&problems));
}

#[test]
fn the_callers_own_check_is_listed_with_the_rest() {
    let folder = main("[http]\nport = -1\n");
    let own = |settings: &Settings| {
        let place = Place::File { file: settings.prompts.directory.clone(), line: None };
        vec![Problem { place, key: String::new(), what: "no English".to_owned(), hint: String::new() }]
    };
    let problems = load_with(&folder.0, [("STATE_DIRECTORY".to_owned(), "/tmp".to_owned())], own).expect_err("two mistakes");
    assert_eq!(problems.len(), 2, "{}", lines(&problems));
}

#[test]
fn what_is_allowed_but_hardly_meant_is_a_warning() {
    let loaded =
        main("[sip]\nmax_calls = 600\n[meeting.a]\npasscode = \"12\"\n[meeting.b]\nbypass = \"everyone\"\n[device.d]\nusername = \"d\"\npassword = \"short\"\n").load(&[]).unwrap();
    assert_eq!(loaded.warnings.len(), 5, "{}", lines(&loaded.warnings));
}

#[test]
fn variables_with_empty_levels_or_without_end_are_refused() {
    let folder = main("");
    assert!(lines(&folder.problems(&[("ROOMGATE__HTTP____PORT", "1")])).contains("two underscores"));
    assert!(lines(&folder.problems(&[("ROOMGATE__HTTP__PROT", "1")])).contains("http.prot: is not a known key"));
}

#[test]
fn o1_a_wrong_path_is_told_alone() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("nowhere"), folder.path().join("nowhere/roomgate.toml"), folder.path().to_owned()] {
        let problems = load(&path, [("ROOMGATE__HTTP__PROT".to_owned(), "1".to_owned())]).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].what.contains("cannot be read"), "{problems:?}");
    }
}

/// Where there is nothing to read, no defaults are taken for it, and what follows from a mistake of syntax is not told.
#[test]
fn o1_nothing_is_made_of_a_configuration_that_is_not_there() {
    let folder = Folder::with(&[("lib.py", "import os\n")]);
    let none = || Vec::<(String, String)>::new();
    assert!(salvage(&folder.0.join("absent"), none()).is_none() && salvage(&folder.0, none()).is_none());
    assert!(salvage(&folder.0.join("lib.py"), none()).is_some());
    let also = |_: &Settings| -> Vec<Problem> { panic!("nothing is looked at that the file may have named otherwise") };
    let problems = load_with(&folder.0.join("lib.py"), none(), also).expect_err("it is no TOML");
    assert!(problems.len() == 1 && problems[0].what.contains("not valid TOML"), "{}", lines(&problems));
}

/// A state directory whose socket no program could open is refused, with the limit.
#[test]
fn o1_a_state_directory_too_long_for_its_socket_is_refused() {
    let folder = main("");
    let with = |length: usize| {
        let state = format!("{}/{}", folder.0.display(), "x".repeat(length - folder.0.as_os_str().len() - 1));
        load(&folder.0, [("STATE_DIRECTORY".to_owned(), state)])
    };
    assert!(with(93).is_ok());
    let problems = lines(&with(94).expect_err("one byte too many"));
    assert!(problems.contains("store.directory: is 94 bytes long") && problems.contains("at most 93 bytes"), "{problems}");
}

#[test]
fn mutated_files_give_settings_or_problems_and_never_harm() {
    let text = format!("{}{}", shipped("roomgate.toml"), reference().replace("[sip.listen", "[sip.listener"));
    let mut seed = 11_u64;
    let mut below = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % bound.max(1)
    };
    let folder = main("");
    for _ in 0..1_500 {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=below(4) {
            let at = below(bytes.len());
            match below(3) {
                0 => bytes[at] = u8::try_from(below(128)).unwrap(),
                1 => drop(bytes.drain(at..(at + below(30)).min(text.len() / 2).max(at))),
                _ => bytes.insert(at, b"\"[]{}=.,#-09\n"[below(13)]),
            }
        }
        fs::write(folder.0.join(MAIN_FILE), &bytes).unwrap();
        let _ = folder.load(&[]);
    }
    assert!(folder.settings_after("").limits.drain == Duration::from_secs(120));
}

/// Keys are names, whatever stands in them: no expression that could reach into another table or ask for memory.
#[test]
fn o1_quoted_keys_are_unknown_names_and_nothing_else() {
    for key in ["http.port", "x[999999999999]", "http[0]"] {
        let problems = main(&format!("\"{key}\" = 1\n")).problems(&[]);
        assert!(problems.len() == 1 && problems[0].key == key && problems[0].what.contains("not a known key"), "{problems:?}");
    }
}
