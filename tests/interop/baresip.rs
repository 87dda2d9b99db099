//! Debian's baresip as a SIP phone, driven by its `ctrl_tcp` module (JSON in netstrings).
//!
//! It plays a WAV at the codec's own rate (its resampler is poor) and writes what it hears, packet by packet, into a WAV.
//! After hold and resume version 1.0.0 writes no more: [`crate::pjsip`] is the phone for that.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::audio::Sound;
use crate::namespace::program;
use crate::process::Process;
use crate::waiting::{eventually, key_pause, seconds};

/// What the phone offers; one codec, so that nothing else can be agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    /// G.711 µ-law, 8 kHz.
    Pcmu,
    /// G.711 A-law, 8 kHz.
    Pcma,
    /// G.722, 16 kHz.
    G722,
    /// Opus, 48 kHz.
    Opus,
}

impl Codec {
    /// All that Roomgate speaks with phones.
    pub(crate) const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// baresip's name and module.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Pcmu => ("PCMU/8000/1", "g711.so"),
            Self::Pcma => ("PCMA/8000/1", "g711.so"),
            Self::G722 => ("G722/16000/1", "g722.so"),
            Self::Opus => ("opus/48000/2", "opus.so"),
        }
    }

    /// Samples a second.
    pub(crate) const fn rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8000,
            Self::G722 => 16_000,
            Self::Opus => 48_000,
        }
    }
}

/// How SIP is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Over UDP.
    Udp,
    /// Over TCP.
    Tcp,
    /// Over TLS.
    Tls,
}

impl Transport {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Udp, Self::Tcp, Self::Tls];

    /// As in a URI.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// How a phone encrypts its media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaEncryption {
    /// SDES where the other side can (`a=crypto` in `RTP/AVP`).
    SdesOptional,
    /// SDES alone (`RTP/SAVP`).
    SdesMandatory,
    /// DTLS-SRTP (`UDP/TLS/RTP/SAVP`).
    Dtls,
}

impl MediaEncryption {
    /// baresip's name and module.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::SdesOptional => ("srtp", "srtp.so"),
            Self::SdesMandatory => ("srtp-mand", "srtp.so"),
            Self::Dtls => ("dtls_srtp", "dtls_srtp.so"),
        }
    }
}

/// Where a phone registers, as whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login<'a> {
    /// The user name.
    pub(crate) user: &'a str,
    /// The password.
    pub(crate) password: &'a str,
    /// Where: `127.0.0.1:5060`.
    pub(crate) at: &'a str,
}

/// What a phone has for TLS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pem<'a> {
    /// Whom it trusts.
    pub(crate) ca: &'a Path,
    /// Its own certificate and key in one file, if it has one.
    pub(crate) own: Option<&'a Path>,
}

/// Where a phone is.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// A network namespace of `ip netns`; the scenario's own without one.
    pub(crate) network: Option<&'a str>,
    /// Its address there.
    pub(crate) address: &'a str,
    /// Its port.
    pub(crate) port: u16,
}

/// One phone.
#[derive(Debug)]
pub(crate) struct Baresip {
    folder: PathBuf,
    process: Process,
    control: TcpStream,
    unread: Vec<u8>,
    events: Vec<Value>,
    asked: u64,
}

/// The account of a phone that answers by itself, and registers where it has a login.
fn account(place: &Place<'_>, transport: Transport, login: Option<Login<'_>>) -> String {
    let Place { address, port, .. } = *place;
    let (own_user, own_address) = (format!("room-{port}"), format!("{address}:{port}"));
    let (user, at) = login.map_or((own_user.as_str(), own_address.as_str()), |login| (login.user, login.at));
    let registers =
        login.map_or("regint=0".to_owned(), |login| format!("auth_user={};auth_pass={};regint=60", login.user, login.password));
    format!("<sip:{user}@{at};transport={carried}>;answermode=auto;ptime=20;{registers}", carried = transport.name())
}

/// The program, inside a network namespace where the phone has one.
fn command(network: Option<&str>) -> Command {
    let Some(network) = network else { return Command::new(program("baresip")) };
    let mut command = Command::new(program("ip"));
    command.args(["netns", "exec", network]).arg(program("baresip"));
    command
}

impl Baresip {
    /// Starts a phone that listens on `port` (and the one above, for TLS; its control port is 1000 below) and hums `hertz` in its
    /// calls at −18 dBov.
    pub(crate) fn start(folder: &Path, port: u16, codec: Codec, transport: Transport, hertz: f64) -> Self {
        Self::start_with(folder, port, codec, (transport, None), hertz, None)
    }

    /// The same for a phone that registers, or one that speaks TLS.
    pub(crate) fn start_with(
        folder: &Path,
        port: u16,
        codec: Codec,
        with: (Transport, Option<Pem<'_>>),
        hertz: f64,
        login: Option<Login<'_>>,
    ) -> Self {
        let place = Place { network: None, address: "127.0.0.1", port };
        Self::launch(folder, &place, codec, with, hertz, (login, None))
    }

    /// A phone that encrypts its media.
    pub(crate) fn start_encrypted(
        folder: &Path,
        port: u16,
        codec: Codec,
        transport: Transport,
        hertz: f64,
        encryption: MediaEncryption,
    ) -> Self {
        let place = Place { network: None, address: "127.0.0.1", port };
        Self::launch(folder, &place, codec, (transport, None), hertz, (None, Some(encryption)))
    }

    /// A phone on UDP that is a machine of its own.
    pub(crate) fn start_at(folder: &Path, place: &Place<'_>, codec: Codec, hertz: f64) -> Self {
        Self::launch(folder, place, codec, (Transport::Udp, None), hertz, (None, None))
    }

    fn launch(
        folder: &Path,
        place: &Place<'_>,
        codec: Codec,
        (transport, pem): (Transport, Option<Pem<'_>>),
        hertz: f64,
        (login, encryption): (Option<Login<'_>>, Option<MediaEncryption>),
    ) -> Self {
        let Place { network, address, port } = *place;
        let folder = folder.join(format!("baresip-{port}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        let voice = folder.join("voice.wav");
        Sound::sine(codec.rate(), hertz, -18.0, 120.0).write(&voice);
        let (name, module) = codec.names();
        let control_port = port - 1000;
        let media = (u32::from(port) % 100) * 20 + 40_000;
        let mut config = format!(
            "poll_method epoll\nsip_listen {address}:{port}\nnet_interface {address}\ncall_local_timeout 120\ncall_max_calls 4\n\
             audio_source aufile,{voice}\naudio_player aubridge,sink\naudio_alert aubridge,alert\n\
             ausrc_srate {rate}\nauplay_srate {rate}\nausrc_channels 1\nauplay_channels 1\naudio_txmode thread\n\
             ausrc_format s16\nauplay_format s16\nauenc_format s16\naudec_format s16\naudio_buffer 20-160\n\
             rtp_ports {media}-{media_end}\njitter_buffer_delay 2-6\nmodule_path /usr/lib/baresip/modules\n\
             module {module}\nmodule sndfile.so\nmodule aufile.so\nmodule aubridge.so\nmodule_tmp uuid.so\nmodule_tmp account.so\n\
             module_app menu.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen {address}:{control_port}\nopus_bitrate 32000\n\
             snd_path {folder}\nringback_disabled yes\nstatmode_default off\nmenu_bell no\n",
            voice = voice.display(),
            rate = codec.rate(),
            media_end = media + 18,
            folder = folder.display(),
        );
        if let Some((_, module)) = encryption.map(MediaEncryption::names) {
            config.push_str(&format!("module {module}\n"));
        }
        if let Some(pem) = pem {
            config.push_str(&format!("sip_cafile {}\n", pem.ca.display()));
            config.push_str(&pem.own.map_or(String::new(), |own| format!("sip_certificate {}\n", own.display())));
        }
        std::fs::write(folder.join("config"), config).expect("a configuration");
        let encrypts = encryption.map_or(String::new(), |encryption| format!(";mediaenc={}", encryption.names().0));
        let account = account(place, transport, login) + &format!(";audio_codecs={name}{encrypts}\n");
        std::fs::write(folder.join("accounts"), account).expect("an account");
        std::fs::write(folder.join("contacts"), "").expect("no contacts");
        let mut command = command(network);
        let mut process = Process::start(command.args(["-4", "-f"]).arg(&folder), &folder.join("log"), false);
        let control = eventually(seconds(15), "baresip takes commands", || {
            assert!(process.exit_code().is_none(), "baresip ended: {}", process.log());
            TcpStream::connect((address, control_port)).ok()
        });
        control.set_read_timeout(Some(Duration::from_millis(20))).expect("a socket option");
        Self { folder, process, control, unread: Vec::new(), events: Vec::new(), asked: 0 }
    }

    /// Takes in what baresip has said since.
    fn listen(&mut self) {
        let mut piece = [0; 65_536];
        if let Ok(count) = self.control.read(&mut piece) {
            assert!(count > 0, "baresip has closed its control connection: {}", self.process.log());
            self.unread.extend_from_slice(&piece[..count]);
        }
        while let Some(colon) = self.unread.iter().position(|byte| *byte == b':') {
            let length: usize = String::from_utf8_lossy(&self.unread[..colon]).parse().expect("a netstring's length");
            if self.unread.len() < colon + length + 2 {
                break;
            }
            let text = String::from_utf8_lossy(&self.unread[colon + 1..=colon + length]).into_owned();
            self.unread.drain(..colon + length + 2);
            // A reply's text may hold bare control characters, which JSON forbids.
            let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            self.events.push(serde_json::from_str(&clean).expect("JSON"));
        }
    }

    /// Gives a command and waits until it is answered.
    pub(crate) fn command(&mut self, command: &str, parameter: &str) -> Value {
        self.asked += 1;
        let token = format!("ask-{}", self.asked);
        let text = json!({ "command": command, "params": parameter, "token": token }).to_string();
        self.control.write_all(format!("{}:{text},", text.len()).as_bytes()).expect("baresip takes a command");
        eventually(seconds(10), command, || {
            self.listen();
            self.events.iter().find(|event| event["token"] == token.as_str()).cloned()
        })
    }

    /// Dials, and waits until the call is answered.
    pub(crate) fn dial(&mut self, uri: &str) {
        self.command("dial", uri);
        self.wait_for("CALL_ESTABLISHED", 10);
    }

    /// Forgets what has happened so far, such as an earlier call.
    pub(crate) fn forgets(&mut self) {
        self.listen();
        self.events.clear();
    }

    /// Waits for an event of that kind (`CALL_ESTABLISHED`, `CALL_CLOSED`…).
    pub(crate) fn wait_for(&mut self, kind: &str, limit: u64) -> Value {
        eventually(seconds(limit), kind, || {
            self.listen();
            let closed = self.events.iter().find(|event| event["type"] == "CALL_CLOSED");
            assert!(kind == "CALL_CLOSED" || closed.is_none(), "the call ended before {kind}: {closed:?}");
            self.events.iter().find(|event| event["type"] == kind).cloned()
        })
    }

    /// Waits until it has registered, or was refused. It says so in its log only: the events of its start nobody can hear.
    pub(crate) fn registered(&mut self) -> bool {
        eventually(seconds(15), "an answer to REGISTER", || {
            self.listen();
            let log = self.process.log();
            log.lines().find_map(|line| match line {
                line if line.contains("200 OK") && line.contains("binding") => Some(true),
                line if line.starts_with("reg: ") => Some(false),
                _ => None,
            })
        })
    }

    /// Presses keys, four a second: baresip sends a key for 100 ms and the next may not come sooner.
    pub(crate) fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.command("sndcode", &key.to_string());
            key_pause();
        }
    }

    /// The keys that the other side has pressed so far.
    pub(crate) fn keys(&self) -> String {
        let pressed = self.events.iter().filter(|event| event["type"] == "CALL_DTMF_START");
        pressed.filter_map(|event| event["param"].as_str()).collect()
    }

    /// Waits until the other side has pressed that key.
    pub(crate) fn wait_for_key(&mut self, key: &str) {
        eventually(seconds(10), "a key arrives", || {
            self.listen();
            self.keys().contains(key).then_some(())
        });
    }

    /// Hangs up.
    pub(crate) fn hang_up(&mut self) {
        self.command("hangup", "");
    }

    fn recording(&self) -> Option<PathBuf> {
        let files = std::fs::read_dir(&self.folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
        files.filter(|path| path.to_string_lossy().ends_with("-dec.wav")).max()
    }

    /// Everything heard so far in the newest call.
    pub(crate) fn heard(&self) -> Sound {
        self.recording().and_then(|path| Sound::read(&path).ok()).unwrap_or(Sound { rate: 8000, samples: Vec::new() })
    }

    /// Waits until so many more seconds have been heard, and gives exactly those.
    pub(crate) fn hear(&mut self, length: f64) -> Sound {
        let start = self.heard().length();
        let limit = Duration::from_secs_f64(length + 10.0);
        eventually(limit, &format!("{length} s more are heard by baresip"), || {
            self.listen();
            (self.heard().length() >= start + length).then_some(())
        });
        self.heard().since(start)
    }

    /// Waits until so many seconds on end hold this tone and nothing else: what was said before is over.
    ///
    /// # Panics
    /// When that has not come within 15 s.
    pub(crate) fn hear_clear(&mut self, hertz: f64, length: f64) {
        let start = self.heard().length();
        eventually(seconds(15), &format!("{length} s of {hertz} Hz and nothing else are heard"), || {
            self.hear(0.2);
            let heard = self.heard().since(start);
            (heard.length() >= length && heard.last(length).is_clear(hertz)).then_some(())
        });
    }
}
