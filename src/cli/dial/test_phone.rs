//! The test phone: calls, speaks, presses keys, listens, hangs up.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::arrivals::Arrivals;
use super::report::{AudioMeter, DialReport};
use crate::call::{RemoteMedia, profile};
use crate::cli::signals::Signals;
use crate::cli::{DialArgs, DialTransport, ExitStatus};
use crate::codec::{CODECS, CodecError, CodecKind};
use crate::common::cause::Cause;
use crate::common::ids::{CallId, Ids};
use crate::common::machine;
use crate::common::units::Hz;
use crate::config::Secret;
use crate::dsp::{Frame, Resampler};
use crate::media::{Channel, MediaLeg as _, PoolError, Port, PortEvent, PortPool, Profile, Share, Sockets, TickSound};
use crate::net::tls::{self, TlsError, Trust};
use crate::net::udp::{Net as _, System};
use crate::prompt;
use crate::sdp::offer::DEFAULT_PTIME;
use crate::sdp::{self, LocalCapabilities, Preference, SessionDescription};
use crate::sip::auth::Credentials;
use crate::sip::uri::{Host, Scheme};
use crate::sip::{self, Command, Connector, Event, Transport, Uri};

/// UDP ports of the test phone: away from the gateway's own.
const PORTS: (u16, u16) = (40_000, 49_999);
/// What `--play sample` says: words in a human voice, for whoever has no file at hand.
const SAMPLE: &[u8] = include_bytes!("../../../conf/prompts/en/welcome.wav");
/// How long a call may ring.
const RINGING: Duration = Duration::from_secs(60);
/// The clock that keeps packet times; media tick at every fourth step.
const STEP: Duration = Duration::from_millis(5);
/// From the answer to the first key.
const FIRST_KEY: Duration = Duration::from_millis(500);
/// How long a key is pressed.
const KEY: Duration = Duration::from_millis(100);
/// What a comma waits.
const COMMA: Duration = Duration::from_secs(1);
/// A call without any packet counts as silent after this.
const SILENT: Duration = Duration::from_secs(60);

/// Why there was no call.
#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error("`{0}` is no SIP address: write sip:USER@HOST or sip:USER@HOST:PORT")]
    Address(String),
    #[error("`{0}` says whom to call, but not where: write sip:{0}@HOST, such as sip:{0}@127.0.0.1 for a daemon on this machine")]
    Nowhere(String),
    #[error("transport={0} is none that this phone has: write udp, tcp or tls")]
    Transport(String),
    #[error("{0} cannot be resolved to an address")]
    Resolve(String),
    #[error("no way leads from here to {0}")]
    NoRoute(SocketAddr),
    #[error("{path}: {error}")]
    File { path: String, error: String },
    #[error(transparent)]
    Ports(#[from] PoolError),
    #[error(transparent)]
    Sip(#[from] sip::StartError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error("the system: {0}")]
    System(#[from] std::io::Error),
    #[error("no answer within {} s", RINGING.as_secs())]
    NoAnswer,
    #[error("given up before there was an answer")]
    GivenUp,
    #[error("the call failed: {0}")]
    Failed(String),
    #[error("the answer cannot be used: {0}")]
    Answer(&'static str),
}

/// Runs the command.
#[must_use]
pub fn run(args: DialArgs) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error.into(), ExitStatus::Fault),
    };
    match runtime.block_on(dial(&args)) {
        Ok(report) => {
            let good = report.media_flowed();
            let text = serde_json::to_string_pretty(&report).unwrap_or_default();
            // A reader that has gone away is not our fault.
            let _ = writeln!(std::io::stdout(), "{text}");
            if good { ExitStatus::Clean.into() } else { ExitCode::FAILURE }
        }
        Err(error @ DialError::System(_)) => complain(&error, ExitStatus::Unavailable),
        Err(error) => {
            let report = serde_json::json!({ "answered": false, "error": error.to_string() });
            let _ = writeln!(std::io::stdout(), "{report:#}");
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn complain(error: &DialError, status: ExitStatus) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{error}");
    status.into()
}

/// Everything known before the call.
struct Plan {
    uri: String,
    target: SocketAddr,
    local: IpAddr,
    transport: Transport,
    connector: Option<Connector>,
    credentials: Option<Credentials>,
    codecs: Vec<CodecKind>,
    speech: Option<Vec<i16>>,
}

async fn plan(args: &DialArgs) -> Result<Plan, DialError> {
    let (text, uri) = whom(&args.uri)?;
    let transport = transport(args.transport, &uri)?;
    let host = uri.host.as_ref().map(ToString::to_string).ok_or_else(|| DialError::Address(uri.to_string()))?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let target = resolve(&host, uri.port.unwrap_or(transport.default_port())).await?;
    let local = System.local_toward(target).map_err(|_| DialError::NoRoute(target))?;
    let connector = (transport == Transport::Tls).then(|| connector(args, host)).transpose()?;
    let credentials = credentials(args)?;
    let codecs = if args.codec.is_empty() { CODECS.iter().map(|row| row.kind).collect() } else { args.codec.clone() };
    let speech = args.play.as_deref().map(read_speech).transpose()?;
    Ok(Plan { uri: text, target, local, transport, connector, credentials, codecs, speech })
}

/// Whom to call, as it is sent and as it is understood.
fn whom(given: &str) -> Result<(String, Uri), DialError> {
    let scheme = given.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
    if scheme == "tel" {
        let number = given.split([':', ';']).nth(1).unwrap_or_default();
        return Err(DialError::Nowhere(number.to_owned()));
    }
    let text = if matches!(&*scheme, "sip" | "sips") { given.to_owned() } else { format!("sip:{given}") };
    let uri = Uri::parse(&text).ok_or_else(|| DialError::Address(given.to_owned()))?;
    if uri.user_text().is_none()
        && let Some(Host::Name(name)) = &uri.host
        && name.chars().all(|one| one.is_ascii_digit() || "+*#-".contains(one))
    {
        return Err(DialError::Nowhere(name.clone()));
    }
    Ok((text, uri))
}

/// How SIP travels: as `given`, or else as the address says (RFC 3261 section 19.1.1).
fn transport(given: Option<DialTransport>, uri: &Uri) -> Result<Transport, DialError> {
    match (given, uri.params.get("transport")) {
        _ if uri.scheme == Scheme::Sips => Ok(Transport::Tls),
        (Some(DialTransport::Tls), _) => Ok(Transport::Tls),
        (Some(DialTransport::Tcp), _) => Ok(Transport::Tcp),
        (Some(DialTransport::Udp), _) | (None, None) => Ok(Transport::Udp),
        (None, Some(named)) => {
            Transport::parse(&named.to_ascii_uppercase()).ok_or_else(|| DialError::Transport(named.to_owned()))
        }
    }
}

/// The server's certificate is checked against the host that was dialled.
fn connector(args: &DialArgs, host: String) -> Result<Connector, DialError> {
    let trust = match &args.ca {
        _ if args.insecure => Trust::Anybody,
        Some(file) => Trust::Authorities(file.clone()),
        None => Trust::System,
    };
    Ok(Connector { config: tls::client(&trust)?, name: Some(host) })
}

fn credentials(args: &DialArgs) -> Result<Option<Credentials>, DialError> {
    let (Some(user), Some(file)) = (&args.user, &args.password_file) else { return Ok(None) };
    let fault = |error| DialError::File { path: file.display().to_string(), error };
    let secret = Secret::from_file(file).map_err(fault)?;
    Ok(Some(Credentials { user: user.clone(), password: secret.expose().to_owned().into(), realm: None }))
}

async fn resolve(host: &str, port: u16) -> Result<SocketAddr, DialError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let found = tokio::net::lookup_host((host, port)).await.ok().and_then(|mut found| found.next());
    found.ok_or_else(|| DialError::Resolve(host.to_owned()))
}

/// The WAV to say, at 48 kHz.
fn read_speech(path: &Path) -> Result<Vec<i16>, DialError> {
    let fault = |error: String| DialError::File { path: path.display().to_string(), error };
    let bytes = if path == Path::new("sample") { Ok(SAMPLE.to_vec()) } else { std::fs::read(path) };
    let clip = prompt::decode(&bytes.map_err(|error| fault(error.to_string()))?).map_err(|error| fault(error.to_string()))?;
    let mut speech = Vec::new();
    if clip.rate == Hz::FULL {
        speech.extend_from_slice(&clip.samples);
    } else {
        Resampler::new(clip.rate, Hz::FULL).process(&clip.samples, &mut speech);
    }
    Ok(speech)
}

async fn dial(args: &DialArgs) -> Result<DialReport, DialError> {
    let plan = plan(args).await?;
    let sockets = PortPool::new(PORTS.0, PORTS.1).open(&System, plan.local, Share::Known)?;
    let ours = LocalCapabilities {
        address: plan.local,
        port: sockets.rtp.local_addr()?.port(),
        codecs: plan.codecs.clone(),
        preference: Preference::Offerer,
        ptime: DEFAULT_PTIME,
        session_id: random()? >> 2,
        rtcp_mux: false,
        previous: None,
    };
    let offer = sdp::offer(&ours);
    let addr = SocketAddr::new(plan.local, 0);
    let listener = sip::Listener { name: "dial".to_owned(), transport: plan.transport, addr, tls: None };
    // Nobody calls a test phone, so it needs no certificate of its own.
    let listeners = if plan.transport == Transport::Tls { Vec::new() } else { vec![listener] };
    let (connector, credentials) = (plan.connector.clone(), plan.credentials.clone());
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| DialError::System(error.into()))?;
    let settings = sip::Settings { seed, connector, credentials, ..sip::Settings::default() };
    let sip::Running { handle, events, .. } = sip::start(Arc::new(System), settings, listeners).await?;
    let call = Ids::default().call();
    let user = args.user.as_deref().unwrap_or("roomgate-dial");
    let invite = Command::Invite {
        call,
        target: plan.target,
        transport: plan.transport,
        uri: plan.uri.clone(),
        from: format!("sip:{user}@{}", Host::Ip(plan.local)),
        display: "Roomgate test phone".to_owned(),
        sdp: offer.to_string(),
    };
    let (signals, report) = (Signals::take()?, DialReport::new(&plan.uri));
    let mut phone = Phone { handle, events, signals, call, began: machine::now(), report };
    phone.handle.send(invite).await;
    // Of a call that is over there is nothing to end.
    let talked = match phone.await_answer().await {
        Ok(answer) => {
            let talked = phone.talk(args, &plan, &offer, &answer, sockets).await;
            phone.handle.send(Command::Bye { call, cause: Cause::HungUp }).await;
            talked
        }
        Err(error) => {
            phone.handle.send(Command::Cancel { call }).await;
            Err(error)
        }
    };
    tokio::select! {
        _ = phone.handle.farewell() => {}
        () = phone.signals.next() => {}
    }
    phone.report.ladder(&phone.handle.ladder(call).await);
    talked.map(|()| phone.report)
}

fn random() -> Result<u64, DialError> {
    getrandom::u64().map_err(|error| DialError::System(error.into()))
}

struct Phone {
    handle: sip::Handle,
    events: mpsc::Receiver<Event>,
    signals: Signals,
    call: CallId,
    began: Instant,
    report: DialReport,
}

impl Phone {
    async fn await_answer(&mut self) -> Result<Vec<u8>, DialError> {
        let until = tokio::time::Instant::from_std(self.began + RINGING);
        loop {
            let event = tokio::select! {
                event = self.events.recv() => event.ok_or_else(|| DialError::Failed("the SIP endpoint is gone".to_owned()))?,
                () = tokio::time::sleep_until(until) => return Err(DialError::NoAnswer),
                () = self.signals.next() => return Err(DialError::GivenUp),
            };
            let after = self.began.elapsed();
            match event {
                Event::Trying { .. } => self.report.trying_ms.get_or_insert(millis(after)),
                Event::Ringing { .. } => self.report.ringing_ms.get_or_insert(millis(after)),
                Event::Answered { sdp, .. } => {
                    self.report.answered = true;
                    self.report.answered_ms = Some(millis(after));
                    return Ok(sdp);
                }
                Event::Failed { cause: Cause::Refused(status), reason, .. } => {
                    return Err(DialError::Failed(format!("{status} {reason}")));
                }
                Event::Failed { cause, .. } | Event::Ended { cause, .. } => return Err(DialError::Failed(cause.to_string())),
                _ => continue,
            };
        }
    }

    /// Talks until time is up or the peer hangs up.
    async fn talk(
        &mut self,
        args: &DialArgs,
        plan: &Plan,
        offer: &SessionDescription,
        answer: &[u8],
        sockets: Sockets,
    ) -> Result<(), DialError> {
        let answer = SessionDescription::parse(answer).map_err(|_| DialError::Answer("it is no session description"))?;
        let agreed = sdp::accept_answer(offer, &answer).map_err(|_| DialError::Answer("it does not fit the offer"))?;
        // Whoever dials has chosen whom.
        let far = RemoteMedia { signalling: plan.target.ip(), proven: true, own: Vec::new() };
        let profile = profile(&agreed, &far);
        self.report.agreed(&profile);
        let mut line = Line::open(profile, args, plan.speech.as_deref())?;
        let (mut rtp, mut rtcp) = (sockets.rtp.reader()?, sockets.rtcp.reader()?);
        let start = tokio::time::Instant::now();
        let mut arrivals = Arrivals::new(start.into_std(), profile.codec.row().rtp_clock);
        let mut clock = tokio::time::interval(STEP);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        let (mut steps, mut ended) = (0_u32, false);
        let (mut in_rtp, mut in_rtcp) = ([0_u8; 2048], [0_u8; 2048]);
        while !ended && start.elapsed() < args.duration {
            tokio::select! {
                biased;
                _ = clock.tick() => {
                    let now = machine::now();
                    if steps.is_multiple_of(4) {
                        line.tick(now);
                    }
                    steps += 1;
                    while let Some(due) = line.port.poll_transmit(now) {
                        let socket = if due.socket == Channel::Rtp { &sockets.rtp } else { &sockets.rtcp };
                        // Lost here is lost as in the network.
                        let left = socket.send_to(&due.bytes, due.to).is_ok();
                        if let Some(packet) = due.packet {
                            line.port.sent(now, packet, left);
                        }
                    }
                }
                Ok((length, from)) = rtp.recv_from(&mut in_rtp) => {
                    let (now, datagram) = (machine::now(), in_rtp.get(..length).unwrap_or_default());
                    arrivals.receive(now, datagram);
                    line.port.receive(now, Channel::Rtp, from, datagram);
                }
                Ok((length, from)) = rtcp.recv_from(&mut in_rtcp) => {
                    line.port.receive(machine::now(), Channel::Rtcp, from, in_rtcp.get(..length).unwrap_or_default());
                }
                event = self.events.recv() => match event {
                    Some(Event::Ended { cause, .. }) => {
                        self.report.ended_by_peer = Some(cause.to_string());
                        ended = true;
                    }
                    Some(Event::Offer { .. }) => {
                        // A test phone keeps what it has.
                        self.handle.send(Command::Reject { call: self.call, cause: Cause::NoCommonCodec }).await;
                    }
                    Some(_) => {}
                    None => ended = true,
                },
                () = self.signals.next() => break,
            }
        }
        if let Some((to, bye)) = line.port.close(machine::now()) {
            let _ = sockets.rtcp.send_to(&bye, to);
        }
        self.report.arrived = arrivals.finish(machine::now());
        self.report.seconds = start.elapsed().as_secs_f64();
        self.report.media(&line.port.stats(), line.listener.finish());
        line.save(args)
    }
}

/// The media of the test phone's call.
struct Line<'a> {
    port: Port,
    listener: AudioMeter,
    recorded: Vec<i16>,
    keep: bool,
    speech: Option<std::iter::Cycle<std::slice::Iter<'a, i16>>>,
    keys: std::vec::IntoIter<char>,
    next_key: Option<Instant>,
    // Its queue must stay open: the port speaks to it.
    _heard: mpsc::Receiver<PortEvent>,
}

impl<'a> Line<'a> {
    fn open(profile: Profile, args: &DialArgs, speech: Option<&'a [i16]>) -> Result<Self, DialError> {
        let (says, heard) = mpsc::channel(64);
        let now = machine::now();
        let keys: Vec<char> = args.keys.as_deref().unwrap_or_default().chars().collect();
        Ok(Self {
            port: Port::new(now, Ids::default().port(), profile, random()?, SILENT, says)?,
            listener: AudioMeter::default(),
            recorded: Vec::new(),
            keep: args.record.is_some(),
            speech: speech.filter(|speech| !speech.is_empty()).map(|speech| speech.iter().cycle()),
            keys: keys.into_iter(),
            next_key: Some(now + FIRST_KEY),
            _heard: heard,
        })
    }

    fn tick(&mut self, now: Instant) {
        let mut frame = Frame::silence(Hz::FULL);
        self.port.wake(now);
        self.port.pull(now, &mut frame);
        self.listener.hear(frame.samples());
        if self.keep {
            self.recorded.extend_from_slice(frame.samples());
        }
        self.press(now);
        let mut said = Frame::silence(Hz::FULL);
        if let Some(speech) = &mut self.speech {
            for sample in said.samples_mut() {
                *sample = speech.next().copied().unwrap_or_default();
            }
        }
        self.port.send(now, TickSound::Own(&said, None));
    }

    fn press(&mut self, now: Instant) {
        if self.port.pressing() || self.next_key.is_none_or(|at| at > now) {
            return;
        }
        match self.keys.next() {
            None => self.next_key = None,
            Some(',') => self.next_key = Some(now + COMMA),
            Some(key) => {
                if !self.port.press(key, KEY) {
                    self.next_key = None;
                }
            }
        }
    }

    fn save(&self, args: &DialArgs) -> Result<(), DialError> {
        let Some(path) = &args.record else { return Ok(()) };
        let fault = |error: hound::Error| DialError::File { path: path.display().to_string(), error: error.to_string() };
        let spec =
            hound::WavSpec { channels: 1, sample_rate: 48_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut file = hound::WavWriter::create(path, spec).map_err(fault)?;
        for sample in &self.recorded {
            file.write_sample(*sample).map_err(fault)?;
        }
        file.finalize().map_err(fault)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transport is what was given, or else what the address says.
    #[test]
    fn u1_dial_goes_by_the_transport_that_the_address_says() {
        for (given, address, goes) in [
            (None, "sip:1001@127.0.0.1", Some(Transport::Udp)),
            (None, "1001@127.0.0.1", Some(Transport::Udp)),
            (None, "sip:1001@127.0.0.1;transport=tcp", Some(Transport::Tcp)),
            (None, "SIP:1001@127.0.0.1:5061;Transport=TLS", Some(Transport::Tls)),
            (Some(DialTransport::Udp), "sip:1001@127.0.0.1;transport=tcp", Some(Transport::Udp)),
            (Some(DialTransport::Tcp), "sip:1001@127.0.0.1", Some(Transport::Tcp)),
            (None, "sips:1001@127.0.0.1", Some(Transport::Tls)),
            (None, "sip:1001@127.0.0.1;transport=sctp", None),
        ] {
            let (_, uri) = whom(address).unwrap();
            assert_eq!(transport(given, &uri).ok(), goes, "{given:?} {address}");
        }
    }

    /// A number without a place is told how to write one.
    #[test]
    fn u1_dial_of_a_number_alone_says_what_to_write() {
        for given in ["tel:1001", "TEL:1001;phone-context=x", "1001", "sip:1001"] {
            let said = whom(given).unwrap_err().to_string();
            assert!(said.contains("write sip:1001@HOST"), "{given}: {said}");
        }
        assert!(matches!(whom("sip:a@[::1"), Err(DialError::Address(_))));
    }
}
