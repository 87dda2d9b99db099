mod exposure;
mod mistakes;
mod reload;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;
use crate::codec::CodecKind;
use crate::common::ids::MeetingName;
use crate::config::places::join;
use crate::config::section::KeyKind;
use crate::config::sections::default_listeners;
use crate::config::value::Value;

/// A configuration directory of its own, gone after the test.
struct Folder(PathBuf);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("roomgate-config-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(folder.0.join("roomgate.d")).unwrap();
        for (name, text) in files {
            fs::write(folder.0.join(name), text).unwrap();
        }
        folder
    }

    fn load(&self, env: &[(&str, &str)]) -> Result<Loaded, Vec<Problem>> {
        // A state directory that exists on every machine.
        let state = ("STATE_DIRECTORY", self.0.to_str().unwrap());
        load(&self.0, env.iter().chain([&state]).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn settings(&self, env: &[(&str, &str)]) -> Settings {
        self.load(env).unwrap_or_else(|problems| panic!("{}", lines(&problems))).settings
    }

    fn problems(&self, env: &[(&str, &str)]) -> Vec<Problem> {
        self.load(env).expect_err("there are mistakes")
    }

    fn settings_after(&self, text: &str) -> Settings {
        fs::write(self.0.join(MAIN_FILE), text).unwrap();
        self.settings(&[])
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

fn main(text: &str) -> Folder {
    Folder::with(&[(MAIN_FILE, text)])
}

fn demo(name: &str) -> MeetingName {
    MeetingName::new(name).unwrap()
}

fn shipped(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("conf").join(name)).unwrap()
}

/// The reference with all of its settings in force.
fn reference() -> String {
    let bare = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with([' ', '#']) => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    shipped("reference.toml").lines().map(bare).collect()
}

// === what is shipped ===

#[test]
fn the_reference_uncommented_says_exactly_the_defaults() {
    let (reference, empty) = (main(&reference()), main(""));
    let state = ("ROOMGATE__STORE__DIRECTORY", empty.0.to_str().unwrap());
    let prompts = ("ROOMGATE__PROMPTS__DIRECTORY", "p");
    assert_eq!(reference.settings(&[state, prompts]), empty.settings(&[state, prompts]));
}

/// Every key that the code reads, with `X` for chosen names, and what it stands for.
fn declared() -> BTreeMap<String, KeyKind> {
    let folder = main(&reference().replace("enabled = false", "enabled = true"));
    let Sources { root, places, problems, .. } = source::read(&folder.0, &[]);
    let mut report = SectionReport::new(problems, places, Surroundings::default());
    let _ = read_settings(root, &mut report);
    assert!(report.problems.is_empty(), "{}", lines(&report.problems));
    report.known
}

#[test]
fn every_key_the_code_knows_stands_in_the_reference() {
    let folder = main(&reference());
    let mut written = BTreeSet::new();
    collect("", &source::read(&folder.0, &[]).root, &declared(), &mut written);
    let missing: Vec<_> = declared().into_keys().filter(|key| !written.contains(key)).collect();
    assert!(missing.is_empty(), "not in conf/reference.toml: {missing:?}");
}

fn collect(path: &str, table: &Table, declared: &BTreeMap<String, KeyKind>, into: &mut BTreeSet<String>) {
    for (key, value) in table {
        let key = if declared.get(path) == Some(&KeyKind::NamedTables) { "X" } else { key };
        let key = join(path, key);
        if let Value::Table(table) = value {
            collect(&key, table, declared, into);
        }
        into.insert(key);
    }
}

#[test]
fn the_shipped_configuration_is_the_demo_of_u2() {
    let folder = main(&shipped("roomgate.toml"));
    let settings = folder.settings(&[]);
    assert_eq!(settings.sip.listen, default_listeners());
    assert_eq!((settings.http.address.to_string().as_str(), settings.http.port), ("127.0.0.1", 8080));
    assert_eq!((settings.media.rtp_ports.clone(), settings.media.webrtc_port), (20_000..=20_999, 8189));
    let (demo_room, board) = (&settings.meetings[&demo("demo")], &settings.meetings[&demo("board")]);
    assert_eq!((demo_room.conference_id.as_deref(), &demo_room.passcode), (Some("1001"), &None));
    assert_eq!(board.conference_id.as_deref(), Some("1002"));
    assert!(settings.relay.providers.values().all(|provider| provider.kind == crate::relay::provider::ProviderKind::Log));
    assert_eq!(settings.relay.providers.len(), 1);
    assert!(board.passcode.as_ref().is_some_and(|passcode| passcode.matches("4321")));
    let from = |address: &str| settings.sip.allowed.iter().any(|network| network.contains(address.parse().unwrap()));
    assert!(from("127.0.0.1") && from("192.168.7.7") && from("fd00::1") && !from("8.8.8.8") && !from("2001:db8::1"));
    assert_eq!(settings.media.codecs, [CodecKind::Opus, CodecKind::G722, CodecKind::Pcma, CodecKind::Pcmu]);
}

#[test]
fn a_registrar_is_a_name_or_an_address_with_or_without_a_port() {
    for (written, printed) in [
        ("pbx.example.com", "sip:pbx.example.com"),
        ("pbx.example.com:5080", "sip:pbx.example.com:5080"),
        ("192.0.2.1:5080", "sip:192.0.2.1:5080"),
        ("sip:pbx.example.com", "sip:pbx.example.com"),
        ("sips:pbx.example.com:5071", "sips:pbx.example.com:5071"),
    ] {
        let text = format!("[sip.account.pbx]\nregistrar = \"{written}\"\nusername = \"7\"\npassword = \"x\"\n");
        assert_eq!(main(&text).settings(&[]).sip.accounts["pbx"].registrar.to_string(), printed);
    }
    let wrong = main(
        "[sip.account.pbx]\nregistrar = \"sip:7000@pbx.example.com\"\ntransport = \"udp\"\nusername = \"7\"\npassword = \"x\"\n",
    );
    let problems = wrong.problems(&[]);
    assert!(problems.len() == 1 && problems[0].key == "sip.account.pbx.registrar", "{}", lines(&problems));
}

// === layers (U-3) ===

#[test]
fn later_layers_merge_by_name_and_enabled_false_removes() {
    let folder = Folder::with(&[
        (MAIN_FILE, "[meeting.demo]\ntitle = \"One\"\nconference_id = \"1001\"\n[meeting.board]\nconference_id = \"1002\"\n"),
        ("roomgate.d/20-late.toml", "[meeting.demo]\ntitle = \"Three\"\n"),
        (
            "roomgate.d/10-early.toml",
            "[meeting.demo]\ntitle = \"Two\"\nlobby_timeout = \"5m\"\n[meeting.board]\nenabled = false\n",
        ),
        ("roomgate.d/notes.txt", "this is not read"),
    ]);
    let loaded = folder.load(&[]).unwrap();
    let room = &loaded.settings.meetings[&demo("demo")];
    assert_eq!((room.title.as_str(), room.conference_id.as_deref(), room.lobby_timeout.as_secs()), ("Three", Some("1001"), 300));
    assert_eq!((loaded.settings.meetings.len(), loaded.files.len()), (1, 3));
}

/// The environment goes over the files in the type that is wanted.
#[test]
fn the_environment_goes_over_the_files_in_the_type() {
    let folder =
        main("[sip.listen.lan]\nport = 5060\n[device.board-room]\naddress = \"10.0.0.9\"\n[meeting.demo]\npasscode = \"1111\"\n");
    let settings = folder.settings(&[
        ("ROOMGATE__SIP__LISTEN__LAN__PORT", "5062"),
        ("ROOMGATE__DEVICE__BOARD_ROOM__NAME", "Board room"),
        ("ROOMGATE__MEETING__DEMO__PASSCODE", "0042"),
        ("ROOMGATE__MEETING__DEMO__DEVICES_BYPASS", "true"),
        ("ROOMGATE__MEDIA__CODECS", "pcmu, g722"),
        ("ROOMGATE__HTTP__TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
        ("ROOMGATE_CONFIG", "elsewhere"),
        ("PATH", "/bin"),
    ]);
    assert_eq!(settings.sip.listen["lan"].port, 5062);
    assert_eq!(settings.devices["board-room"].name, "Board room");
    let room = &settings.meetings[&demo("demo")];
    assert!(room.devices_bypass && room.passcode.as_ref().is_some_and(|passcode| passcode.matches("0042")));
    assert_eq!(settings.media.codecs, [CodecKind::Pcmu, CodecKind::G722]);
    assert_eq!(settings.http.trusted_proxies.len(), 1);
}

#[test]
fn a_single_file_is_a_configuration_too() {
    let folder = main("[http]\nport = 1234\n");
    let loaded = load(&folder.0.join(MAIN_FILE), [("STATE_DIRECTORY".to_owned(), "/tmp".to_owned())]).unwrap();
    assert_eq!(loaded.settings.http.port, 1234);
    assert_eq!(loaded.settings.prompts.directory, folder.0.join("prompts"));
}

#[test]
fn the_default_path_is_what_the_environment_names() {
    let env = [(PATH_VARIABLE.to_owned(), "/srv/x".to_owned())];
    assert_eq!(default_path(env), PathBuf::from("/srv/x"));
}

/// A table is told of where it was begun, a key where it was written last.
#[test]
fn u3_each_key_is_told_where_its_layer_has_it() {
    let folder = Folder::with(&[
        (MAIN_FILE, "\n[device.a]\naddress = \"10.0.0.1\"\nname = \"one\"\n"),
        ("roomgate.d/10.toml", "[device.a]\n\nname = \"two\"\n"),
    ]);
    let loaded = folder.load(&[("ROOMGATE__DEVICE__A__TEXT", "true")]).unwrap();
    let place = |key: &str| loaded.place(key).to_string().replace(&format!("{}/", folder.0.display()), "");
    assert_eq!(place("device.a"), "roomgate.toml:2");
    assert_eq!(place("device.a.address"), "roomgate.toml:3");
    assert_eq!(place("device.a.name"), "roomgate.d/10.toml:3");
    assert_eq!(place("device.a.text"), "environment ROOMGATE__DEVICE__A__TEXT");
    assert_eq!(place("device.a.language"), "roomgate.toml:2");
}

// === secrets ===

/// Secrets come from files and credentials and are never printed.
#[test]
fn secrets_come_from_files_and_credentials_and_are_never() {
    let folder = main("[meeting.a]\npasscode = { file = \"SECRETFILE\" }\norganiser_pin = { credential = \"pin\" }\n");
    fs::write(folder.0.join("code"), "2468\n").unwrap();
    fs::write(folder.0.join("pin"), "97531").unwrap();
    let text = fs::read_to_string(folder.0.join(MAIN_FILE)).unwrap();
    fs::write(folder.0.join(MAIN_FILE), text.replace("SECRETFILE", folder.0.join("code").to_str().unwrap())).unwrap();
    let settings = folder.settings(&[("CREDENTIALS_DIRECTORY", folder.0.to_str().unwrap())]);
    let room = &settings.meetings[&demo("a")];
    assert!(room.passcode.as_ref().is_some_and(|secret| secret.matches("2468")));
    assert!(room.organiser_pin.as_ref().is_some_and(|secret| secret.matches("97531")));
    assert!(!format!("{settings:?}").contains("2468"));
}

#[test]
fn a_secret_that_is_wrong_is_reported_without_its_text() {
    let folder = main(
        "[meeting.a]\npasscode = \"hunter2\"\n[meeting.b]\npasscode = 4321\n[meeting.c]\npasscode = { credential = \"../x\" }\n[meeting.d]\npasscode = { file = \"/nowhere/at/all\" }\n",
    );
    let problems = folder.problems(&[]);
    assert_eq!(problems.len(), 4, "{}", lines(&problems));
    assert!(!lines(&problems).contains("hunter2") && !lines(&problems).contains("4321"));
}

#[test]
fn a_secret_of_a_later_layer_replaces_one_of_another_kind() {
    let folder = main("[meeting.a]\npasscode = { file = \"/nowhere\" }\n");
    fs::write(folder.0.join("code"), "1357").unwrap();
    let settings = folder.settings(&[
        ("CREDENTIALS_DIRECTORY", folder.0.to_str().unwrap()),
        ("ROOMGATE__MEETING__A__PASSCODE__CREDENTIAL", "code"),
    ]);
    assert!(settings.meetings[&demo("a")].passcode.as_ref().is_some_and(|secret| secret.matches("1357")));
}
