//! From settings to a running gateway, and back: every worker, task and channel between rooms begins here.
#![allow(clippy::disallowed_methods, reason = "wiring: tasks and clocks are started here")]

mod lists;
mod rooms;
mod telephony;
mod texting;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::call::admit::{AccountDoor, Device, Doors};
use crate::call::{Calls, CallsSettings};
use crate::cause::Cause;
use crate::cli::Status;
use crate::config::{self, Settings};
use crate::http::{self, ApiToken, HttpSettings, IceServer, Sessions};
use crate::ids::MeetingName;
use crate::link;
use crate::media::{Media, MediaError, MediaSettings};
use crate::meeting::{MeetingSettings, Registry, Shared};
use crate::menu::{Directory, Entry};
use crate::policy::PolicySettings;
use crate::problem::Problem;
use crate::prompt::Library;
use crate::redact::Redacted;
use crate::registrations;
use crate::relay;
use crate::sip;
use crate::speech::Speaker;
use crate::status::{DeviceStatus, Sources};
use crate::store;
use crate::sweep;
use crate::tls::{TlsError, TlsFiles};
use crate::udp::{Net, System};

/// Threads of the control plane: it decides, and never carries audio (DESIGN section 0).
const CONTROL_THREADS: usize = 2;
/// How long registrars may take to forget us.
const SIGN_OFF: Duration = Duration::from_secs(3);
/// How long a drain waits between two lines that say who is still there.
const DRAIN_REPORT: Duration = Duration::from_secs(5);
/// How often trouble of the media workers is told.
const MEDIA_REPORT: Duration = Duration::from_secs(60);
/// How long the store may take to write what it was given.
const STORE_CLOSES: Duration = Duration::from_secs(10);
/// How long last words and figures may take once nothing else is left to do.
const LAST_WORDS: Duration = Duration::from_secs(15);

/// Why the gateway did not start. `main` maps it to an exit status (U-7).
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What a check beforehand would have listed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Configuration(Vec<Problem>),
    /// A directory or file of our own.
    #[error("{what} {}: {error}", path.display())]
    State {
        /// What it is for.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Media.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// SIP.
    #[error(transparent)]
    Sip(#[from] sip::StartError),
    /// The authorities of `sip.ca`.
    #[error("sip.ca: {0}")]
    Tls(#[source] TlsError),
    /// HTTP.
    #[error(transparent)]
    Http(#[from] http::StartError),
    /// The control plane's threads.
    #[error("the runtime cannot be started: {0}")]
    Runtime(#[source] std::io::Error),
    /// The system's random numbers.
    #[error("the system gives no randomness: {0}")]
    Randomness(getrandom::Error),
    /// Signals.
    #[error("signals cannot be taken: {0}")]
    Signals(#[source] std::io::Error),
}

impl RunError {
    /// The exit status (U-7).
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Configuration(_) | Self::Tls(_) => Status::Configuration,
            Self::State { .. } | Self::Media(_) | Self::Sip(_) | Self::Http(_) => Status::Unavailable,
            Self::Signals(_) | Self::Runtime(_) | Self::Randomness(_) => Status::Fault,
        }
    }
}

fn state<E: std::error::Error + Send + Sync + 'static>(what: &'static str, path: &Path) -> impl FnOnce(E) -> RunError {
    let path = path.to_owned();
    move |error| RunError::State { what, path, error: Box::new(error) }
}

fn prompts(settings: &Settings) -> Result<Library, Vec<Problem>> {
    Library::load(&settings.prompts.directory, &settings.organisation.language)
}

/// What `check-config` can find only by looking beyond the configuration's own files: voices (K-5).
#[must_use]
pub fn check(settings: &Settings) -> Vec<Problem> {
    prompts(settings).err().unwrap_or_default()
}

/// Runs the gateway until it is told to stop.
///
/// # Errors
/// [`RunError`], if it could not start.
pub fn run(settings: Settings) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    let result = runtime.block_on(serve(settings));
    // Whatever still runs has nothing left to lose.
    runtime.shutdown_background();
    result
}

/// Everything between the sockets and the pages, wired; calls are taken once [`Calls::run`] runs.
pub(crate) struct Gateway {
    pub(crate) media: Media,
    pub(crate) store: store::Handle,
    pub(crate) store_thread: std::thread::JoinHandle<()>,
    /// Chat by SMS, where a provider is configured.
    pub(crate) relay: Option<relay::driver::Handle>,
    pub(crate) registry: Registry,
    pub(crate) sip: sip::Handle,
    /// The bound SIP addresses.
    pub(crate) listening: Vec<SocketAddr>,
    pub(crate) calls: Calls,
    pub(crate) events: mpsc::Receiver<sip::Event>,
}

impl Gateway {
    /// Opens the store and the SIP listeners, and wires calls to meetings to media.
    ///
    /// # Errors
    /// [`RunError`], naming what is not to be had.
    pub(crate) async fn open(
        settings: &Settings,
        library: Arc<Library>,
        media: Media,
        net: Arc<dyn Net>,
    ) -> Result<Self, RunError> {
        let directory = &settings.store.directory;
        private_directory(directory).map_err(state("state directory", directory))?;
        let recordings = settings.recording.directory.clone();
        private_directory(&recordings).map_err(state("recordings directory", &recordings))?;
        // N-8: whoever can change the store must not find the key of its chain in it.
        let (store, store_thread) = store::open(directory, &directory.join("keys")).map_err(state("store in", directory))?;
        let relay = texting::start(settings, &store).await?;
        let retention = settings.chat.clone();
        let shared = Shared { media: media.clone(), store: store.clone(), relay: relay.clone(), retention, recordings };
        let registry = Registry::new(meetings(settings), shared);
        let seed = getrandom::u64().map_err(RunError::Randomness)?;
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(RunError::Randomness)?;
        let mut sip_settings = telephony::settings(settings, seed, telephony::known(settings, secret));
        sip_settings.connector = telephony::connector(settings)?;
        let sip::Running { handle: sip, events, registrations: changes, bound: listening } =
            sip::start(net, sip_settings, sip_listeners(settings)).await?;
        registrations::restore(&store, &sip).await.map_err(state("registrations in", directory))?;
        tokio::spawn(registrations::keep(changes, store.clone()));
        let below = Below { library: &library, media: &media, registry: &registry, sip: &sip, store: &store, relay: &relay };
        let calls = Calls::new(calls_settings(settings, &below));
        Ok(Self { media, store, store_thread, relay, registry, sip, listening, calls, events })
    }
}

async fn serve(settings: Settings) -> Result<(), RunError> {
    let started = Instant::now();
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(RunError::Signals)?;
    tokio::spawn(async move {
        // Its default would end every call.
        while hangup.recv().await.is_some() {
            tracing::warn!("SIGHUP: this version takes a new configuration only by a restart");
        }
    });

    let library = Arc::new(prompts(&settings).map_err(RunError::Configuration)?);
    let addresses = webrtc_addresses(&settings);
    let net: Arc<dyn Net> = Arc::new(System);
    let media = Media::start(&media_settings(&settings, addresses.clone()), Arc::clone(&net))?;
    let gateway = Gateway::open(&settings, library, media, net).await?;
    let Gateway { media, store, store_thread, relay, registry, sip, listening, calls, events } = gateway;

    let (ready, is_ready) = watch::channel(true);
    let (drain, draining) = watch::channel(false);
    let (shutdown, shut) = watch::channel(false);
    let directory = &settings.store.directory;
    let sessions = Sessions::open(directory).map_err(state("session key in", directory))?;
    let api_token = ApiToken::open(directory).map_err(state("API token in", directory))?;
    let up = calls.up();
    let sources = Sources {
        started,
        ready: is_ready.clone(),
        calls: calls.view(),
        registry: registry.clone(),
        devices: settings.devices.iter().map(device_status).collect(),
        sip: sip.clone(),
        relay: relay.clone(),
        media: media.clone(),
    };
    let answers = Answers {
        notices: lists::notices(&store),
        records: lists::records(&store),
        devices: lists::devices(&sip),
        chats: lists::chats(&store),
        subscriptions: texting::subscriptions(relay.clone()),
        outbox: texting::outbox(relay.clone()),
        webhook: texting::webhooks(&settings, relay.clone()),
        rooms: rooms::list(&settings, &sip),
        check_sync: rooms::check_sync(&settings, &sip),
        invite: rooms::invite(&settings, calls.view(), registry.clone()),
    };
    let http = http_settings(&settings, sources, answers, sessions.clone(), api_token, is_ready);
    let bound = http::start(http, registry.clone(), shut).await?;

    let calls = tokio::spawn(calls.run(events, draining));
    // Whoever registers is called: not before calls are taken.
    sip.send(sip::Command::SignOn).await;

    if let Some(retention) = settings.recording.retention {
        tokio::spawn(sweep::run(settings.recording.directory.clone(), retention));
    }
    // Without the organisation's policy there is one all the same (C-8).
    let sweep = tokio::spawn(sweep::chats(store.clone(), settings.chat.clone()));
    tokio::spawn(watch_media(media.clone()));
    for address in &listening {
        tracing::info!(%address, "SIP");
    }
    tracing::info!(address = %bound.addr, tls = settings.http.tls.is_some(), "HTTP");
    tracing::info!(candidates = ?media.candidates(), "WebRTC");
    greet(&settings, &addresses, &listening, bound.addr, &sessions);
    // Outside systemd there is nobody to tell.
    let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Ready]);

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Stopping]);
    tracing::info!("stopping: no new calls; present ones are told (a second signal stops at once)");
    ready.send_replace(false);
    sip.send(sip::Command::Drain(true)).await;
    // Before anything else: a PBX shall send its callers elsewhere.
    if tokio::time::timeout(SIGN_OFF, sip.sign_off()).await.is_err() {
        tracing::warn!("a registrar has not answered: it will still send calls here for a while");
    }
    tokio::select! {
        () = drain_calls(up, drain, settings.limits.drain) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    for meeting in registry.running().await {
        if tokio::time::timeout(LAST_WORDS, meeting.close(Cause::Draining)).await.is_err() {
            tracing::warn!(meeting = %meeting.name(), "did not close in time");
        }
    }
    shutdown.send_replace(true);
    // A server task that panicked has said so in the log; there is nothing left to stop.
    let _ = tokio::time::timeout(LAST_WORDS, bound.task).await;
    calls.abort();
    // Cancelled or ended: what it held of the store is let go. The SIP task ends with its last handle, and then what keeps registrations.
    let _ = calls.await;
    if let Some(relay) = relay {
        texting::rest(&relay).await;
    }
    sweep.abort();
    // Cancelled: the store is let go by it as well.
    let _ = sweep.await;
    drop((sip, registry, store));
    let closed = tokio::task::spawn_blocking(move || store_thread.join());
    if !matches!(tokio::time::timeout(STORE_CLOSES, closed).await, Ok(Ok(Ok(())))) {
        tracing::error!("the store did not close in order");
    }
    tracing::info!("stopped");
    Ok(())
}

/// One line a minute at most, and only when sound suffered: who reads the log at night must see why.
async fn watch_media(media: Media) {
    let mut minutes = tokio::time::interval(MEDIA_REPORT);
    let mut told = (0, 0, 0);
    loop {
        minutes.tick().await;
        let counters = media.counters();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let now = (read(&counters.skipped), read(&counters.unsent), read(&counters.unheard));
        if now != told {
            let (skipped, unsent, unheard) = (now.0 - told.0, now.1 - told.1, now.2 - told.2);
            tracing::warn!(
                skipped_steps = skipped,
                unsent_packets = unsent,
                lost_events = unheard,
                "media suffered in the last minute"
            );
            told = now;
        }
    }
}

/// Present calls may go on for `limit`, then they are ended with spoken words (O-4).
async fn drain_calls(mut up: watch::Receiver<usize>, drain: watch::Sender<bool>, limit: Duration) {
    let all_gone = async |up: &mut watch::Receiver<usize>| {
        // The sender lives in the calls' task; without it there are no calls.
        let _ = up.wait_for(|calls| *calls == 0).await;
    };
    let report = async |up: watch::Receiver<usize>| {
        loop {
            tracing::info!(calls = *up.borrow(), "still up");
            tokio::time::sleep(DRAIN_REPORT).await;
        }
    };
    let reported = up.clone();
    tokio::select! {
        () = all_gone(&mut up) => return,
        () = tokio::time::sleep(limit) => {}
        () = report(reported) => {}
    }
    drain.send_replace(true);
    let _ = tokio::time::timeout(LAST_WORDS, all_gone(&mut up)).await;
}

fn private_directory(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Addresses for WebRTC: the configured ones, or all of this machine's, loopback last.
fn webrtc_addresses(settings: &Settings) -> Vec<IpAddr> {
    if !settings.media.webrtc_addresses.is_empty() {
        return settings.media.webrtc_addresses.clone();
    }
    if !settings.media.address.is_unspecified() {
        return vec![settings.media.address];
    }
    let mut found: Vec<IpAddr> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|address| match address {
            IpAddr::V4(address) => !address.is_link_local(),
            // Link-local IPv6 needs a zone, which a candidate cannot carry.
            IpAddr::V6(address) => !address.is_unicast_link_local(),
        })
        .collect();
    // An address that is being set up, or on its way out, cannot be bound; the others must not suffer for it.
    found.retain(|address| match std::net::UdpSocket::bind((*address, 0)) {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(%address, %error, "no WebRTC at this address");
            false
        }
    });
    found.sort_by_key(|address| (address.is_loopback(), address.is_ipv6(), *address));
    found.dedup();
    found
}

pub(crate) fn media_settings(settings: &Settings, webrtc_addresses: Vec<IpAddr>) -> MediaSettings {
    MediaSettings {
        workers: settings.media.worker_count(),
        rtp_ports: (*settings.media.rtp_ports.start(), *settings.media.rtp_ports.end()),
        webrtc_port: settings.media.webrtc_port,
        webrtc_addresses,
        advertised: settings.media.advertised_address,
        media_timeout: settings.media.media_timeout,
    }
}

fn policy(settings: &Settings, meeting: &config::Meeting) -> PolicySettings {
    PolicySettings {
        bypass: meeting.bypass,
        devices_bypass: meeting.devices_bypass,
        lobby_timeout: meeting.lobby_timeout,
        externals_only_timeout: settings.policy.externals_only_timeout,
        unmute_after_host_mute: meeting.unmute_after_host_mute,
        pin_counts_as_member: settings.policy.pin_counts_as_member,
        ..PolicySettings::default()
    }
}

fn meetings(settings: &Settings) -> BTreeMap<MeetingName, MeetingSettings> {
    let of = |meeting: &config::Meeting| MeetingSettings { title: meeting.title.clone(), policy: policy(settings, meeting) };
    settings.meetings.iter().map(|(name, meeting)| (name.clone(), of(meeting))).collect()
}

fn tls_files(tls: &config::Tls) -> TlsFiles {
    TlsFiles { certificate: tls.certificate.clone(), key: tls.key.clone() }
}

fn sip_listeners(settings: &Settings) -> Vec<sip::Listener> {
    let listener = |(name, listen): (&String, &config::Listen)| sip::Listener {
        name: name.clone(),
        transport: listen.transport.into(),
        addr: SocketAddr::new(listen.address, listen.port),
        tls: listen.tls.as_ref().map(|tls| sip::ListenTls { files: tls_files(tls), client_ca: listen.client_ca.clone() }),
    };
    settings.sip.listen.iter().map(listener).collect()
}

fn account_door((label, account): (&String, &config::SipAccount)) -> (String, AccountDoor) {
    (label.clone(), AccountDoor { name: account.name.clone(), default_meeting: account.default_meeting.clone() })
}

fn device_status((label, device): (&String, &config::Device)) -> DeviceStatus {
    DeviceStatus {
        device: label.clone(),
        name: device.name.clone(),
        addresses: device.addresses.iter().map(ToString::to_string).collect(),
        calls: 0,
    }
}

/// What the API can look up.
struct Answers {
    notices: http::Query,
    records: http::Query,
    devices: http::Query,
    chats: http::Query,
    subscriptions: http::Query,
    outbox: http::StatusQuery,
    webhook: http::Webhook,
    rooms: http::Rooms,
    check_sync: http::CheckSync,
    invite: http::Invite,
}

fn http_settings(
    settings: &Settings,
    status: Sources,
    answers: Answers,
    sessions: Sessions,
    api_token: ApiToken,
    ready: watch::Receiver<bool>,
) -> HttpSettings {
    let ice_server = |server: &config::IceServer| IceServer {
        urls: server.urls.clone(),
        username: server.username.clone(),
        credential: server.credential.as_ref().map(|secret| Redacted::new(secret.expose().to_owned())),
    };
    HttpSettings {
        address: SocketAddr::new(settings.http.address, settings.http.port),
        tls: settings.http.tls.as_ref().map(tls_files),
        trusted_proxies: settings.http.trusted_proxies.clone(),
        public_url: settings.http.public_url.clone(),
        organisation: settings.organisation.name.clone(),
        ice_servers: settings.ice_servers.values().map(ice_server).collect(),
        media_candidates: status.media.candidates(),
        transcription: false,
        sessions,
        api_token,
        ready,
        notices: answers.notices,
        records: answers.records,
        devices: answers.devices,
        chats: answers.chats,
        subscriptions: answers.subscriptions,
        outbox: answers.outbox,
        webhook: answers.webhook,
        rooms: answers.rooms,
        check_sync: answers.check_sync,
        invite: answers.invite,
        lift: {
            let sources = status.clone();
            Arc::new(move |name| {
                let sources = sources.clone();
                Box::pin(async move { sources.lift(&name).await })
            })
        },
        status: Arc::new(move || {
            let sources = status.clone();
            Box::pin(async move { serde_json::to_value(sources.gather().await).unwrap_or_default() })
        }),
        connections_per_address: http::CONNECTIONS_PER_ADDRESS,
        connections: http::CONNECTIONS,
    }
}

/// What calls stand on.
struct Below<'a> {
    library: &'a Arc<Library>,
    media: &'a Media,
    registry: &'a Registry,
    sip: &'a sip::Handle,
    store: &'a store::Handle,
    relay: &'a Option<relay::driver::Handle>,
}

fn calls_settings(settings: &Settings, below: &Below<'_>) -> CallsSettings {
    let secret = |secret: &config::Secret| Redacted::new(secret.expose().to_owned());
    let entry = |(name, meeting): (&MeetingName, &config::Meeting)| Entry {
        name: name.clone(),
        conference_id: meeting.conference_id.clone().unwrap_or_default(),
        passcode: meeting.passcode.as_ref().map(secret),
    };
    let device = |(label, device): (&String, &config::Device)| {
        let (default_meeting, language) = (device.default_meeting.clone(), device.language.clone());
        (label.clone(), Device { name: Some(device.name.clone()), default_meeting, language, text: device.text })
    };
    let pins = settings
        .meetings
        .iter()
        .filter_map(|(name, meeting)| Some((name.clone(), secret(meeting.organiser_pin.as_ref()?))))
        .collect();
    CallsSettings {
        doors: Doors {
            devices: settings.devices.iter().map(device).collect(),
            accounts: settings.sip.accounts.iter().map(account_door).collect(),
            trunks: settings.sip.trunks.iter().map(|(label, trunk)| (label.clone(), trunk.name.clone())).collect(),
            menu_user: settings.sip.menu_user.clone(),
            directory: Arc::new(Directory::new(settings.meetings.iter().map(entry).collect())),
            language: settings.organisation.language.clone(),
            emergency: settings.sip.emergency.clone(),
        },
        pins: Arc::new(pins),
        library: Arc::clone(below.library),
        speaker: settings.speech.clone().map(Speaker::new),
        codecs: settings.media.codecs.clone(),
        address: Some(settings.media.address).filter(|address| !address.is_unspecified()),
        advertised: settings.media.advertised_address,
        media: below.media.clone(),
        registry: below.registry.clone(),
        sip: below.sip.clone(),
        store: below.store.clone(),
        relay: below.relay.clone(),
    }
}

/// Says on standard output what to dial and which link to open (U-2). Under a service manager standard output is the journal,
/// where a link that lets its finder in has no place: `roomgate link` makes one on request.
fn greet(settings: &Settings, addresses: &[IpAddr], sip: &[SocketAddr], http: SocketAddr, sessions: &Sessions) {
    let mut lines = vec![format!("Roomgate {} is ready.", env!("CARGO_PKG_VERSION"))];
    let with_links = std::env::var_os("JOURNAL_STREAM").is_none();
    // A phone that is only dialled at speaks UDP or TCP.
    let plain = settings.sip.listen.values().zip(sip).find(|(listen, _)| listen.transport != config::Transport::Tls);
    let first = plain.map(|(_, bound)| bound).or(sip.first());
    let port = first.map_or(5060, SocketAddr::port);
    let host = first.map(SocketAddr::ip).filter(|address| !address.is_unspecified());
    let host = host.or(settings.sip.advertised_address).or(addresses.first().copied()).unwrap_or(http.ip());
    let mut meetings: Vec<_> = settings.meetings.iter().collect();
    meetings.sort_by_key(|(name, meeting)| (meeting.conference_id.clone(), (*name).clone()));
    for (name, meeting) in meetings {
        let dial = meeting.conference_id.as_deref().unwrap_or(name.as_str());
        lines.push(format!("dial sip:{dial}@{}  ({})", SocketAddr::new(host, port), meeting.title));
        if with_links && let Ok(token) = sessions.mint_link(name, true, SystemTime::now()) {
            lines.push(format!("open {}  (as organiser, valid 10 minutes)", link::url(settings, http, &token)));
        }
    }
    let mut out = std::io::stdout().lock();
    // A closed standard output is no reason not to run.
    let _ = writeln!(out, "{}", lines.join("\n")).and_then(|()| out.flush());
}
