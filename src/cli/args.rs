//! The command line (U-1) and the exit status (U-7).

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::codec::{CODECS, CodecKind};
use crate::config;
use crate::sdp::SrtpPolicy;

/// Exit status of the program (U-7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Stopped as asked.
    Clean,
    /// A port or another resource is not available.
    Unavailable,
    /// Our own fault.
    Fault,
    /// The configuration has mistakes.
    Configuration,
}

impl ExitStatus {
    /// The number, of `sysexits.h`.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Unavailable => 69,
            Self::Fault => 70,
            Self::Configuration => 78,
        }
    }
}

impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> Self {
        status.code().into()
    }
}

/// Brings conference-room phones into WebRTC meetings.
#[derive(Debug, Parser)]
#[command(name = "roomgate", version, about, disable_help_subcommand = true, arg_required_else_help = true)]
#[command(after_help = "Exit status: 0 clean stop, 69 a port or resource is not available, 70 internal fault, 78 configuration.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway until SIGINT or SIGTERM
    Run(ConfigArgs),
    /// List every mistake in the configuration as file:line: what and how to mend; exit 78 if there is one
    CheckConfig(ConfigArgs),
    /// Call a SIP address as a test phone and print a JSON report
    #[command(after_help = "Exit status: 0 only if the call was answered and media flowed.\n\n\
        Example: roomgate dial sip:1001@127.0.0.1 --codec g722 --play sample --record out.wav --keys \",,*6\" --for 20s")]
    Dial(DialArgs),
    /// Print a link that makes whoever opens it a member of a meeting, made by the running daemon
    #[command(after_help = "Exit status: 0, 69 when no daemon answers, or 78 when it refuses.")]
    Link(LinkArgs),
    /// Print who is up, who is kept out and what is in use, asked from the running daemon
    #[command(
        after_help = "Exit status: 0, or 69 when no daemon answers. Names in the JSON stay as they are; new ones may come."
    )]
    Status(StatusArgs),
    /// The ledger of notices
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Print the version
    Version,
}

/// What to do with the ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Read all of it and say whether a line was changed, removed, inserted, moved or signed anew
    #[command(after_help = "Exit status: 0 when it holds together, 1 when it does not, 69 when it cannot be read.\n\n\
        Run it as the daemon's own user or as root, while the daemon runs or not; nothing is changed.\n\n\
        Without --heads, lines that are missing at the end, and a ledger that was written anew as a whole, may not be found. \
        Heads are published in the log (journalctl -u roomgate), at /metrics and in the host's export: copies of any of \
        these that were kept on another machine can be given.")]
    Verify(LedgerVerifyArgs),
}

/// How the ledger is verified.
#[derive(Debug, Clone, Args)]
pub struct LedgerVerifyArgs {
    /// File with heads that were copied elsewhere: lines of the log, a scrape of /metrics, a host's export, or bare heads; may be given again
    #[arg(long, value_name = "FILE")]
    pub heads: Vec<PathBuf>,
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// File or directory [default: $ROOMGATE_CONFIG, else /etc/roomgate, else ./conf]
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
}

impl ConfigArgs {
    /// The path given, or the default of U-1.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| config::default_path(config::environment()))
    }
}

/// A call of the test phone.
#[derive(Debug, Clone, Args)]
pub struct DialArgs {
    /// Whom to call, such as sip:1001@192.0.2.1:5060
    #[arg(value_name = "SIP-URI")]
    pub uri: String,
    /// Offer this codec only; may be given again for more, in order of preference [default: all but L16]
    #[arg(long, value_name = "CODEC", value_parser = codec)]
    pub codec: Vec<CodecKind>,
    /// WAV file to say over and over, or `sample` for a few words of ours; silence without it
    #[arg(long, value_name = "WAV")]
    pub play: Option<PathBuf>,
    /// WAV file to write what is heard to
    #[arg(long, value_name = "WAV")]
    pub record: Option<PathBuf>,
    /// Keys to press once answered; a comma waits one second
    #[arg(long, value_name = "KEYS", value_parser = keys, allow_hyphen_values = true)]
    pub keys: Option<String>,
    /// Hang up this long after the answer
    #[arg(long = "for", value_name = "TIME", default_value = "20s", value_parser = time)]
    pub duration: Duration,
    /// How SIP travels [default: as the address says, or else udp]
    #[arg(long, value_enum)]
    pub transport: Option<DialTransport>,
    /// Encryption of the sound; anything but off is required, and the report says how it was
    #[arg(long, value_enum, default_value_t = DialSrtp::Off)]
    pub srtp: DialSrtp,
    /// User name for digest authentication, and in From
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// File with the password of --user
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// PEM file with the certificates that a TLS peer is checked against
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub ca: Option<PathBuf>,
    /// Take any TLS certificate
    #[arg(long)]
    pub insecure: bool,
}

/// How the test phone's SIP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DialTransport {
    /// UDP
    Udp,
    /// TCP
    Tcp,
    /// TLS
    Tls,
}

/// How the test phone's media is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DialSrtp {
    /// Not at all: RTP/AVP
    Off,
    /// By SRTP with keys in the session description: RTP/SAVP with a=crypto
    Sdes,
    /// By SRTP with keys of a handshake: UDP/TLS/RTP/SAVP with a=fingerprint
    Dtls,
}

impl From<DialSrtp> for SrtpPolicy {
    fn from(srtp: DialSrtp) -> Self {
        match srtp {
            DialSrtp::Off => Self::Off,
            DialSrtp::Sdes => Self::Required,
            DialSrtp::Dtls => Self::Dtls,
        }
    }
}

/// How the running daemon is.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// For programs
    #[arg(long)]
    pub json: bool,
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// A link into a meeting.
#[derive(Debug, Clone, Args)]
pub struct LinkArgs {
    /// The X of [meeting.X]
    pub meeting: String,
    /// Whom the link makes of its opener
    #[arg(long = "as", value_enum, default_value_t = LinkRoleArg::Member, value_name = "ROLE")]
    pub role: LinkRoleArg,
    /// How long it may be used, up to 366d
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    pub valid: Duration,
    /// How often it may be used, up to 1000 times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub uses: u32,
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Whom a link makes of its opener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LinkRoleArg {
    /// A guest, who is not asked for the passcode
    Guest,
    /// A member of the organisation
    Member,
    /// A member who organises this meeting
    Organiser,
}

fn codec(text: &str) -> Result<CodecKind, String> {
    let names = || CODECS.iter().map(|row| row.label).collect::<Vec<_>>().join(", ");
    CodecKind::by_label(text).ok_or_else(|| format!("known: {}", names()))
}

fn keys(text: &str) -> Result<String, String> {
    let known = |key: char| key.is_ascii_digit() || matches!(key.to_ascii_uppercase(), '*' | '#' | ',' | 'A'..='D');
    if text.chars().all(known) {
        Ok(text.to_ascii_uppercase())
    } else {
        Err("keys are 0-9, *, #, A-D, and a comma to wait".to_owned())
    }
}

fn time(text: &str) -> Result<Duration, String> {
    config::parse_time(text).ok_or_else(|| "write a time with its unit, such as 20s or 1m30s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.command)
    }

    #[test]
    fn the_definitions_hold_together() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn the_command_lines_of_u1_are_understood() {
        let line = "roomgate dial sip:1001@h --codec pcmu --play in.wav --record out.wav --keys 1001#,,*6 --for 20s --transport tcp \
                    --user U --password-file F --ca F";
        let Ok(Command::Dial(dial)) = parse(line) else { panic!("dial") };
        assert_eq!(
            (dial.codec.as_slice(), dial.duration.as_secs(), dial.transport),
            (&[CodecKind::Pcmu][..], 20, Some(DialTransport::Tcp))
        );
        assert_eq!(dial.keys.as_deref(), Some("1001#,,*6"));
        let Ok(Command::Link(link)) = parse("roomgate link demo --as organiser --valid 30d --uses 5 --config c") else {
            panic!("link")
        };
        assert_eq!((link.role, link.config.path()), (LinkRoleArg::Organiser, PathBuf::from("c")));
        assert_eq!((link.valid.as_secs(), link.uses), (30 * 86_400, 5));
        let Ok(Command::Link(link)) = parse("roomgate link demo") else { panic!("link") };
        assert_eq!((link.role, link.valid.as_secs(), link.uses), (LinkRoleArg::Member, 600, 1));
        let Ok(Command::Status(status)) = parse("roomgate status --json --config c") else { panic!("status") };
        assert!(status.json && status.config.path().ends_with("c"));
        assert!(matches!(parse("roomgate run --config conf"), Ok(Command::Run(_))));
        assert!(matches!(parse("roomgate check-config"), Ok(Command::CheckConfig(_))));
        let line = "roomgate ledger verify --heads a --heads b --config c";
        let Ok(Command::Ledger(LedgerCommand::Verify(verify))) = parse(line) else { panic!("ledger verify") };
        assert_eq!((verify.heads.len(), verify.config.path()), (2, PathBuf::from("c")));
        assert!(matches!(parse("roomgate version"), Ok(Command::Version)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "dial",
            "dial sip:a --keys 12x",
            "dial sip:a --for 20",
            "dial sip:a --codec mp3",
            "dial sip:a --password-file F",
            "dial sip:a --ca F --insecure",
            "dial sip:a --srtp",
            "link",
            "ledger",
            "ledger verify --heads",
            "link demo --uses 0",
            "link demo --valid 30",
        ] {
            assert!(parse(&format!("roomgate {line}")).is_err(), "{line}");
        }
    }
}
