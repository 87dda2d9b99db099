//! The test phone: its call from the INVITE to the BYE.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::arrivals::Arrivals;
use super::call_audio::CallAudio;
use super::dial_error::{DialError, RINGING};
use super::random::random;
use super::report::DialReport;
use crate::call::{RemoteMedia, profile};
use crate::cli::signals::Signals;
use crate::cli::{DialArgs, DialTransport, ExitStatus};
use crate::codec::{CodecKind, DEFAULT_CODECS};
use crate::common::cause::Cause;
use crate::common::ids::{CallId, Ids};
use crate::common::machine;
use crate::common::units::Hz;
use crate::config::Secret;
use crate::dsp::Resampler;
use crate::media::{Channel, MediaLeg as _, PortPool, Share, Sockets};
use crate::net::tls::{self, Trust};
use crate::net::udp::{Net as _, System};
use crate::prompt;
use crate::rtp::dtls::DtlsIdentity;
use crate::rtp::srtp::KeyGenerator;
use crate::sdp::{self, DEFAULT_PTIME, LocalCapabilities, Preference, SessionDescription};
use crate::sip::auth::Credentials;
use crate::sip::uri::{Host, Scheme};
use crate::sip::{self, Command, Connector, Event, Transport, Uri};

/// UDP ports of the test phone: away from the gateway's own.
const PORTS: (u16, u16) = (40_000, 49_999);
/// The recording of `--play sample`: a human voice, for tests without a file.
const SAMPLE: &[u8] = include_bytes!("../../../conf/prompts/en/welcome.wav");
/// The step of the clock that sends packets on time; audio has a frame at every fourth step.
const STEP: Duration = Duration::from_millis(5);

/// Runs the command.
#[must_use]
pub fn run(args: DialArgs) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return print_error(&error.into(), ExitStatus::Fault),
    };
    match runtime.block_on(dial(&args)) {
        Ok(report) => {
            let good = report.media_flowed();
            let text = serde_json::to_string_pretty(&report).unwrap_or_default();
            // A reader that has gone away is not our fault.
            let _ = writeln!(std::io::stdout(), "{text}");
            if good { ExitStatus::Clean.into() } else { ExitCode::FAILURE }
        }
        Err(error @ DialError::System(_)) => print_error(&error, ExitStatus::Unavailable),
        Err(error) => {
            let report = serde_json::json!({ "answered": false, "error": error.to_string() });
            let _ = writeln!(std::io::stdout(), "{report:#}");
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn print_error(error: &DialError, status: ExitStatus) -> ExitCode {
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
    let (text, uri) = target(&args.uri)?;
    let transport = transport(args.transport, &uri)?;
    let host = uri.host.as_ref().map(ToString::to_string).ok_or_else(|| DialError::Address(uri.to_string()))?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let target = resolve(&host, uri.port.unwrap_or(transport.default_port())).await?;
    let local = System.local_toward(target).map_err(|_| DialError::NoRoute(target))?;
    let connector = (transport == Transport::Tls).then(|| connector(args, host)).transpose()?;
    let credentials = credentials(args)?;
    let codecs = if args.codec.is_empty() { DEFAULT_CODECS.into() } else { args.codec.clone() };
    let speech = args.play.as_deref().map(read_speech).transpose()?;
    Ok(Plan { uri: text, target, local, transport, connector, credentials, codecs, speech })
}

/// Whom to call, as it is sent and as it is understood.
fn target(given: &str) -> Result<(String, Uri), DialError> {
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

/// The transport of SIP: as `given`, otherwise that of the address (RFC 3261 section 19.1.1).
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

/// The samples to play, at 48 kHz.
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

fn seed() -> Result<[u8; 32], DialError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| DialError::System(error.into()))?;
    Ok(seed)
}

/// What is offered, for media at `port`.
fn capabilities(args: &DialArgs, plan: &Plan, port: u16) -> Result<LocalCapabilities, DialError> {
    Ok(LocalCapabilities {
        address: plan.local,
        port,
        codecs: plan.codecs.clone(),
        fallback: Vec::new(),
        preference: Preference::Offerer,
        ptime: DEFAULT_PTIME,
        session_id: random()? >> 2,
        rtcp_mux: true,
        srtp: args.srtp.into(),
        identity: DtlsIdentity::generate().map_err(DialError::Certificate)?,
        signalling: plan.target.ip(),
        previous: None,
        protection: None,
        ice: None,
    })
}

async fn dial(args: &DialArgs) -> Result<DialReport, DialError> {
    let plan = plan(args).await?;
    let sockets = PortPool::new(PORTS.0, PORTS.1).open(&System, plan.local, Share::Known)?;
    let ours = capabilities(args, &plan, sockets.rtp.local_addr()?.port())?;
    let offer = sdp::offer(&ours, &mut KeyGenerator::new(seed()?));
    let addr = SocketAddr::new(plan.local, 0);
    let listener = sip::Listener { name: "dial".to_owned(), transport: plan.transport, addr, tls: None };
    // Nobody calls a test phone, so it needs no certificate of its own.
    let listeners = if plan.transport == Transport::Tls { Vec::new() } else { vec![listener] };
    let (connector, credentials) = (plan.connector.clone(), plan.credentials.clone());
    let settings = sip::Settings { seed: seed()?, connector, credentials, ..sip::Settings::default() };
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
            let talked = phone.run_call(args, &plan, &Offered { ours, offer }, &answer, sockets).await;
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

/// What was offered, and by which means.
struct Offered {
    ours: LocalCapabilities,
    offer: SessionDescription,
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

    /// Sends and receives until the duration is over or the peer hangs up.
    async fn run_call(
        &mut self,
        args: &DialArgs,
        plan: &Plan,
        offered: &Offered,
        answer: &[u8],
        sockets: Sockets,
    ) -> Result<(), DialError> {
        let answer = SessionDescription::parse(answer).map_err(|_| DialError::Answer("it is no session description"))?;
        let agreed = sdp::accept_answer(&offered.offer, &answer, &offered.ours).map_err(DialError::Unfit)?;
        // The peer was chosen on the command line: no proof of its address is needed.
        let far = RemoteMedia { signalling: plan.target.ip(), proven: true, own: Vec::new() };
        let profile = profile(&agreed, &far).ok_or(DialError::Answer("it has no audio"))?;
        let clock_rate = profile.codec.row().rtp_clock;
        self.report.agreed(&profile);
        let mut audio = CallAudio::open(profile, args, plan.speech.as_deref())?;
        let (mut rtp, mut rtcp) = (sockets.rtp.reader()?, sockets.rtcp.reader()?);
        let start = tokio::time::Instant::now();
        let mut arrivals = Arrivals::new(start.into_std(), clock_rate);
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
                        audio.tick(now);
                    }
                    steps += 1;
                    if let Some(error) = audio.handshake_error() {
                        return Err(DialError::NotEncrypted(error));
                    }
                    audio.transmit(&sockets, now);
                }
                Ok((length, from)) = rtp.recv_from(&mut in_rtp) => {
                    let (now, datagram) = (machine::now(), in_rtp.get(..length).unwrap_or_default());
                    arrivals.receive(now, datagram);
                    audio.port.receive(now, Channel::Rtp, from, datagram);
                }
                Ok((length, from)) = rtcp.recv_from(&mut in_rtcp) => {
                    audio.port.receive(machine::now(), Channel::Rtcp, from, in_rtcp.get(..length).unwrap_or_default());
                }
                event = self.events.recv() => ended = self.is_ended_by(event).await,
                () = self.signals.next() => break,
            }
        }
        audio.close(&sockets, machine::now());
        self.report.arrived = arrivals.finish(machine::now());
        self.report.seconds = start.elapsed().as_secs_f64();
        self.report.media(&audio.port.stats(), audio.listener.finish());
        audio.save(args)
    }

    /// Takes an event of SIP; `true`: the call is over.
    async fn is_ended_by(&mut self, event: Option<Event>) -> bool {
        match event {
            Some(Event::Ended { cause, .. }) => {
                self.report.ended_by_peer = Some(cause.to_string());
                true
            }
            Some(Event::Offer { .. }) => {
                // A test phone keeps its first session description.
                self.handle.send(Command::Reject { call: self.call, cause: Cause::NoCommonCodec, warning: None }).await;
                false
            }
            Some(_) => false,
            None => true,
        }
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
            let (_, uri) = target(address).unwrap();
            assert_eq!(transport(given, &uri).ok(), goes, "{given:?} {address}");
        }
    }

    /// A number without a place is told how to write one.
    #[test]
    fn u1_dial_of_a_number_alone_says_what_to_write() {
        for given in ["tel:1001", "TEL:1001;phone-context=x", "1001", "sip:1001"] {
            let said = target(given).unwrap_err().to_string();
            assert!(said.contains("write sip:1001@HOST"), "{given}: {said}");
        }
        assert!(matches!(target("sip:a@[::1"), Err(DialError::Address(_))));
    }
}
