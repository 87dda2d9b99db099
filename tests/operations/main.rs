//! The real binary as an administrator meets it: check-config, link, version, and how it ends (O-1, U-1, U-7).

mod link;
mod readme;
mod tls;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn roomgate(arguments: &[&str], folder: &Path, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomgate"));
    command.args(arguments).current_dir(folder).envs(environment.iter().copied());
    command.output().expect("the binary can be run")
}

fn complaints(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A copy of the shipped configuration, to be spoilt.
fn shipped() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    fs::create_dir_all(folder.path().join("conf/roomgate.d")).expect("a folder");
    fs::copy(conf.join("roomgate.toml"), folder.path().join("conf/roomgate.toml")).expect("the demo's configuration");
    std::os::unix::fs::symlink(conf.join("prompts"), folder.path().join("conf/prompts")).expect("a link");
    folder
}

#[test]
fn the_shipped_configuration_has_no_mistake() {
    let folder = shipped();
    let output = roomgate(&["check-config", "--config", "conf"], folder.path(), &[]);
    assert!(output.status.success(), "{}", complaints(&output));
}

/// Ten different mistakes are all listed with their place and what to do.
#[test]
fn ten_different_mistakes_are_all_listed_with_their_place() {
    let folder = shipped();
    let write = |name: &str, text: &str| fs::write(folder.path().join("conf").join(name), text).expect("a file");
    write(
        "roomgate.toml",
        "[sip.listen.lan]\ntransport = \"udp\"\nport = \"five\"\n[media]\nworkers = \"many\"\nrtp_port = 20000\n\
         [http]\nport = true\naddress = \"0.0.0.0\"\n[meeting.demo]\nconference_id = \"1001\"\nbypass = \"anybody\"\n\
         [meeting.other]\nconference_id = \"1001\"\n",
    );
    write("roomgate.d/10-broken.toml", "[media\nworkers = 1\n");
    write("roomgate.d/20-drop-in.toml", "\n[recording]\nretention = \"a while\"\n");
    let environment = [("ROOMGATE__LOG__LEVEL", "loud"), ("ROOMGATE__MEDIA__ADVERTISED_ADDRESS", "here")];
    let output = roomgate(&["check-config", "--config", "conf"], folder.path(), &environment);
    let listed = complaints(&output);
    println!("{listed}");
    assert_eq!(output.status.code(), Some(78));
    for (place, key) in [
        ("conf/roomgate.toml:3", "sip.listen.lan.port"),
        ("conf/roomgate.toml:5", "media.workers"),
        ("conf/roomgate.toml:6", "media.rtp_port"),
        ("conf/roomgate.toml:8", "http.port"),
        ("conf/roomgate.toml:9", "http.address"),
        ("conf/roomgate.toml:12", "meeting.demo.bypass"),
        ("conf/roomgate.toml:14", "meeting.other.conference_id"),
        ("conf/roomgate.d/10-broken.toml:1", ""),
        ("conf/roomgate.d/20-drop-in.toml:3", "recording.retention"),
        ("environment ROOMGATE__LOG__LEVEL", "log.level"),
        ("environment ROOMGATE__MEDIA__ADVERTISED_ADDRESS", "media.advertised_address"),
    ] {
        let line = listed.lines().find(|line| line.contains(place) && line.contains(key));
        let line = line.unwrap_or_else(|| panic!("no line for {place}: {key}\n{listed}"));
        assert!(line.ends_with(')'), "says what to do: {line}");
    }
}

#[test]
fn a_missing_english_voice_fails_the_check_by_name() {
    let folder = shipped();
    let prompts = folder.path().join("conf/prompts");
    fs::remove_file(&prompts).expect("a link");
    fs::create_dir_all(prompts.join("en")).expect("a folder");
    let output = roomgate(&["check-config", "--config", "conf"], folder.path(), &[]);
    assert_eq!(output.status.code(), Some(78));
    assert!(complaints(&output).contains("recording-started"), "{}", complaints(&output));
}

#[test]
fn a_link_to_an_unknown_meeting_is_refused_with_the_known_ones() {
    let folder = shipped();
    let output = roomgate(&["link", "nowhere", "--config", "conf"], folder.path(), &[]);
    assert_eq!(output.status.code(), Some(78));
    assert!(complaints(&output).contains("demo"), "{}", complaints(&output));
}

#[test]
fn a_port_that_is_taken_ends_the_start_with_its_name() {
    let folder = shipped();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    // Free a moment ago; media come first at the start, and must not be what fails.
    let free = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port().to_string();
    let environment = [
        ("ROOMGATE__SIP__LISTEN__UDP__ADDRESS", "127.0.0.1"),
        ("ROOMGATE__SIP__LISTEN__UDP__PORT", port.as_str()),
        ("ROOMGATE__SIP__LISTEN__TCP__ENABLED", "false"),
        ("ROOMGATE__MEDIA__WEBRTC_PORT", free.as_str()),
        ("ROOMGATE__MEDIA__WORKERS", "1"),
        ("ROOMGATE__MEDIA__WEBRTC_ADDRESSES", "[\"127.0.0.1\"]"),
        ("ROOMGATE__HTTP__PORT", "0"),
    ];
    let output = roomgate(&["run", "--config", "conf"], folder.path(), &environment);
    assert_eq!(output.status.code(), Some(69), "{}", complaints(&output));
    assert!(complaints(&output).contains("udp") && complaints(&output).contains(&port), "{}", complaints(&output));
}

#[test]
fn status_without_a_daemon_says_where_nobody_answers() {
    let folder = shipped();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port().to_string();
    let output = roomgate(&["status", "--config", "conf"], folder.path(), &[("ROOMGATE__HTTP__PORT", &free)]);
    assert_eq!(output.status.code(), Some(69));
    let said = complaints(&output);
    assert!(said.contains("roomgate.sock") && said.contains(&format!("127.0.0.1:{free}")), "{said}");
    let output = roomgate(&["link", "demo", "--config", "conf"], folder.path(), &[]);
    assert_eq!(output.status.code(), Some(69), "nobody is there to make it: {}", complaints(&output));
}

#[test]
fn o1_check_config_tries_what_it_names() {
    let folder = shipped();
    let elsewhere = [("ROOMGATE__SIP__LISTEN__UDP__ADDRESS", "192.0.2.77")];
    let output = roomgate(&["check-config", "--config", "conf"], folder.path(), &elsewhere);
    assert_eq!(output.status.code(), Some(78), "{}", complaints(&output));
    assert!(complaints(&output).contains("192.0.2.77, which is no address of this machine"), "{}", complaints(&output));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = roomgate(&["check-config", "--config", "conf"], folder.path(), &[("ROOMGATE__HTTP__PORT", &port)]);
    assert!(output.status.success(), "what is taken now may be free when the daemon starts: {}", complaints(&output));
    let told =
        complaints(&output).lines().any(|line| line.starts_with("warning: ") && line.contains(&format!("127.0.0.1:{port}")));
    assert!(told, "{}", complaints(&output));
}

/// Status asks a running daemon even if the configuration on the disk is spoilt.
#[test]
fn status_asks_a_running_daemon_even_if_the_configuration() {
    let folder = shipped();
    fs::write(folder.path().join("conf/roomgate.d/spoilt.toml"), "[log]\nlevel = \"loud\"\n").expect("a drop-in");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port().to_string();
    let output = roomgate(&["status", "--config", "conf"], folder.path(), &[("ROOMGATE__HTTP__PORT", &free)]);
    assert_eq!(output.status.code(), Some(69), "it was asked: {}", complaints(&output));
    assert!(complaints(&output).contains("spoilt.toml:2") && complaints(&output).contains(&free), "{}", complaints(&output));
}

/// A command whose configuration is not there says that alone and does nothing.
#[test]
fn u7_a_wrong_path_ends_every_command_with_its_status() {
    let folder = shipped();
    for command in [&["link", "demo"][..], &["status"], &["ledger", "verify"], &["check-config"], &["run"]] {
        let arguments = [command, &["--config", "nowhere"]].concat();
        let output = roomgate(&arguments, folder.path(), &[]);
        assert_eq!(output.status.code(), Some(78), "{command:?}: {}", complaints(&output));
        assert_eq!(complaints(&output).lines().count(), 2, "{command:?}: {}", complaints(&output));
    }
    fs::write(folder.path().join("lib.py"), "import os\n").expect("a file");
    let output = roomgate(&["check-config", "--config", "lib.py"], folder.path(), &[]);
    assert!(output.status.code() == Some(78) && complaints(&output).contains("1 mistake in"), "{}", complaints(&output));
}
