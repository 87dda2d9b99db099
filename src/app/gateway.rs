//! [`Gateway`]: every worker, task and channel begins here, in the order in which they need each other.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::reload::{ReloadTargets, Reloader};
use super::shutdown::{PageServer, RunningParts};
use crate::call::{Calls, CallsSettings, RuntimeConfig};
use crate::cli::ExitStatus;
use crate::cli::link;
use crate::cli::signals::Signals;
use crate::common::ids::Ids;
use crate::common::machine;
use crate::common::problem::Problem;
use crate::common::units::unix_millis;
use crate::config::{self, Settings};
use crate::http::session::{LINK_VALID, LinkRole, NewLink};
use crate::http::{self, ApiToken, Sessions};
use crate::media::{Media, MediaError, MediaSettings};
use crate::meeting::{MeetingRegistry, MeetingsShared, MuteRegistry};
use crate::menu::SharedLockout;
use crate::net::tls::{ClientFiles, TlsError, TlsFiles};
use crate::net::udp::{Net, System};
use crate::policy::SEAT_KEPT;
use crate::prompt::Library;
use crate::relay;
use crate::sip;
use crate::status::Sources;
use crate::store;
use crate::telemetry::events::Events;
use crate::telemetry::log::Levels;
use crate::telemetry::metrics::Counted;

/// Threads of the control plane: it decides, and never carries audio (DESIGN section 0).
const CONTROL_THREADS: usize = 2;
/// SIP has a thread of its own: no other task delays a retransmission, and the watchdog sees whether it goes on (O-3).
const SIP_THREADS: usize = 1;
/// How often trouble of the media workers is told.
const MEDIA_REPORT: Duration = Duration::from_secs(60);
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
    Http(#[from] http::HttpStartError),
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
    pub const fn status(&self) -> ExitStatus {
        match self {
            Self::Configuration(_) | Self::Tls(_) => ExitStatus::Configuration,
            Self::State { .. } | Self::Media(_) | Self::Sip(_) | Self::Http(_) => ExitStatus::Unavailable,
            Self::Signals(_) | Self::Runtime(_) | Self::Randomness(_) => ExitStatus::Fault,
        }
    }
}

pub(super) fn state<E: std::error::Error + Send + Sync + 'static>(what: &'static str, path: &Path) -> impl FnOnce(E) -> RunError {
    let path = path.to_owned();
    move |error| RunError::State { what, path, error: Box::new(error) }
}

pub(super) fn prompts(settings: &Settings) -> Result<Library, Vec<Problem>> {
    Library::load(&settings.prompts.directory, &settings.organisation.language)
}

/// What `check-config` can find only by looking beyond the configuration's own files: voices (K-5).
#[must_use]
pub fn check(settings: &Settings) -> Vec<Problem> {
    prompts(settings).err().unwrap_or_default()
}

/// What [`run`] begins with.
pub struct Start {
    /// Where the configuration came from, and comes from again when it is reloaded.
    pub path: PathBuf,
    /// What it says.
    pub settings: Settings,
    /// Changes what is logged.
    pub levels: Levels,
}

/// Runs the gateway until it is told to stop.
///
/// # Errors
/// [`RunError`], if it could not start.
pub fn run(start: Start) -> Result<(), RunError> {
    let threads = |name: &str, count| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(count).thread_name(name).enable_all().build().map_err(RunError::Runtime)
    };
    let (control, signalling) = (threads("control", CONTROL_THREADS)?, threads("sip", SIP_THREADS)?);
    let result = control.block_on(serve(start, signalling.handle()));
    // Whatever still runs has nothing left to lose.
    control.shutdown_background();
    signalling.shutdown_background();
    result
}

/// Everything between the sockets and the pages, wired; calls are taken once [`Calls::run`] runs.
pub(crate) struct Gateway {
    pub(crate) media: Media,
    pub(crate) store: store::StoreHandle,
    pub(crate) store_thread: std::thread::JoinHandle<()>,
    /// Chat by SMS, where a provider is configured.
    pub(crate) relay: Option<relay::driver::RelayHandle>,
    pub(crate) registry: MeetingRegistry,
    pub(crate) sip: sip::Handle,
    /// The bound SIP addresses.
    pub(crate) listening: Vec<SocketAddr>,
    pub(crate) calls: Calls,
    pub(crate) events: mpsc::Receiver<sip::Event>,
    pub(crate) targets: Arc<ReloadTargets>,
    pub(crate) counted: Counted,
    pub(crate) raised: Events,
}

impl Gateway {
    /// Opens the store and the SIP listeners, and wires calls to meetings to media. SIP lives on the threads of `signalling`.
    ///
    /// # Errors
    /// [`RunError`], naming what is not to be had.
    pub(crate) async fn open(
        settings: &Settings,
        library: Arc<Library>,
        media: Media,
        net: Arc<dyn Net>,
        signalling: &runtime::Handle,
    ) -> Result<Self, RunError> {
        let directory = &settings.store.directory;
        private_directory(directory).map_err(state("state directory", directory))?;
        let recordings = settings.recording.directory.clone();
        private_directory(&recordings).map_err(state("recordings directory", &recordings))?;
        // N-8: whoever can change the store must not find the key of its chain in it.
        let (store, store_thread) = store::open(directory, &directory.join("keys")).map_err(state("store in", directory))?;
        let relay = super::sms::start(settings, &store).await?;
        let targets = Arc::new(ReloadTargets::new(settings, library));
        let retention = targets.chat.subscribe();
        let (counted, raised) = (Counted::default(), Events::default());
        let ids = Ids::of_run(store.run());
        let shared = MeetingsShared {
            ids: ids.clone(),
            media: media.clone(),
            store: store.clone(),
            relay: relay.clone(),
            retention,
            counted: counted.clone(),
            raised: raised.clone(),
            recordings,
            seats_until: machine::now() + SEAT_KEPT,
            mutes: MuteRegistry::new(store.mutes(unix_millis(SystemTime::now())).await.map_err(state("mutes in", directory))?),
        };
        let registry = MeetingRegistry::new(super::runtime_config::meetings(settings), shared);
        let lockout = SharedLockout::default();
        let (mut seed, mut secret) = ([0; 32], [0; 32]);
        getrandom::fill(&mut seed).map_err(RunError::Randomness)?;
        getrandom::fill(&mut secret).map_err(RunError::Randomness)?;
        let mut sip_settings = super::sip_config::settings(settings, seed, super::sip_config::known(settings, secret));
        sip_settings.ids = ids.clone();
        sip_settings.connector = super::sip_config::connector(settings)?;
        sip_settings.own = own_addresses(settings);
        let started = signalling.spawn(sip::start(net, sip_settings, sip_listeners(settings))).await;
        let sip::Running { handle: sip, events, registrations: changes, bound: listening } =
            started.map_err(|fault| RunError::Runtime(fault.into()))??;
        super::registration_store::restore(&store, &sip).await.map_err(state("registrations in", directory))?;
        tokio::spawn(super::registration_store::keep(changes, store.clone()));
        let below = Below {
            ids: &ids,
            runtime_config: targets.runtime_config.subscribe(),
            media: &media,
            registry: &registry,
            sip: &sip,
            lockout: &lockout,
            store: &store,
            relay: &relay,
            counted: &counted,
            raised: &raised,
        };
        let calls = Calls::new(calls_settings(settings, &below));
        Ok(Self { media, store, store_thread, relay, registry, sip, listening, calls, events, targets, counted, raised })
    }

    /// What `status` is gathered from.
    fn sources(&self, started: Instant, ready: watch::Receiver<bool>, signalling: &runtime::Handle) -> Sources {
        Sources {
            started,
            ready,
            calls: self.calls.view(),
            registry: self.registry.clone(),
            settings: self.targets.settings.subscribe(),
            signalling: signalling.clone(),
            sip: self.sip.clone(),
            relay: self.relay.clone(),
            media: self.media.clone(),
            store: self.store.clone(),
        }
    }
}

async fn serve(start: Start, signalling: &runtime::Handle) -> Result<(), RunError> {
    let started = Instant::now();
    let Start { path, settings, levels } = start;
    let mut signals = Signals::take().map_err(RunError::Signals)?;
    // From now on: its default would end every call.
    let hangup = signal(SignalKind::hangup()).map_err(RunError::Signals)?;

    let library = Arc::new(prompts(&settings).map_err(RunError::Configuration)?);
    let addresses = webrtc_addresses(&settings);
    let net: Arc<dyn Net> = Arc::new(System);
    let media = Media::start(&media_settings(&settings, addresses.clone()), Arc::clone(&net))?;
    let gateway = Gateway::open(&settings, library, media, net, signalling).await?;
    let reloader = Arc::new(Reloader::new(path, levels, &gateway));

    let (ready, is_ready) = watch::channel(true);
    let (shutdown, shut) = watch::channel(false);
    let directory = &settings.store.directory;
    let sessions = Sessions::open(directory, gateway.store.clone(), SystemTime::now()).await;
    let sessions = sessions.map_err(state("sessions in", directory))?;
    let resume_key = http::resume_key(directory).map_err(state("key of seats in", directory))?;
    let api_token = ApiToken::open(directory).map_err(state("API token in", directory))?;
    let sources = gateway.sources(started, is_ready, signalling);
    let site = super::http_state::settings(&settings, &gateway, &reloader, sources, (sessions.clone(), resume_key, api_token));
    let bound = http::start(site, gateway.registry.clone(), shut).await?;
    let listening = gateway.listening.clone();

    let up = RunningParts::start(gateway, reloader, PageServer { task: bound.task, shutdown }, ready, hangup).await;
    tokio::spawn(watch_media(up.media.clone()));
    for address in &listening {
        tracing::info!(%address, "SIP");
    }
    tracing::info!(address = %bound.addr, tls = settings.http.tls.is_some(), "HTTP");
    let candidates = up.media.candidates().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    tracing::info!(candidates, "WebRTC");
    greet(&settings, &addresses, &listening, bound.addr, &sessions).await;
    // It holds the store, which closes once nobody does.
    drop(sessions);
    super::watchdog::start(up.media.steps(), up.sip.pulse(), &runtime::Handle::current())?;
    // Outside systemd there is nobody to tell.
    let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Ready]);

    signals.next().await;
    let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Stopping]);
    up.stop(&mut signals).await;
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
        let now = (read(&counters.skipped), read(&counters.unsent), read(&counters.lost_events));
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

fn private_directory(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Addresses of this machine, and those that it is known by behind a NAT: nobody can mean them by what stands in a message.
fn own_addresses(settings: &Settings) -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default().into_iter().map(|interface| interface.ip());
    let advertised = [settings.sip.advertised_address, settings.media.advertised_address].into_iter().flatten();
    interfaces.chain(advertised).map(|address| address.to_canonical()).collect()
}

/// Addresses for WebRTC: the configured ones, or all of this machine's, loopback last.
pub(super) fn webrtc_addresses(settings: &Settings) -> Vec<IpAddr> {
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

pub(super) fn tls_files(tls: &config::TlsConfig) -> TlsFiles {
    TlsFiles { certificate: tls.certificate.clone(), key: tls.key.clone() }
}

fn sip_listeners(settings: &Settings) -> Vec<sip::Listener> {
    let listener = |(name, listen): (&String, &config::ListenConfig)| sip::Listener {
        name: name.clone(),
        transport: listen.transport.into(),
        addr: SocketAddr::new(listen.address, listen.port),
        tls: listen.tls.as_ref().map(|tls| sip::ListenTls {
            files: tls_files(tls),
            clients: listen.client_ca.clone().map(|ca| ClientFiles { ca, crl: listen.client_crl.clone() }),
        }),
    };
    settings.sip.listen.iter().map(listener).collect()
}

/// What calls stand on.
struct Below<'a> {
    ids: &'a Ids,
    runtime_config: watch::Receiver<Arc<RuntimeConfig>>,
    media: &'a Media,
    registry: &'a MeetingRegistry,
    sip: &'a sip::Handle,
    lockout: &'a SharedLockout,
    store: &'a store::StoreHandle,
    relay: &'a Option<relay::driver::RelayHandle>,
    counted: &'a Counted,
    raised: &'a Events,
}

fn calls_settings(settings: &Settings, below: &Below<'_>) -> CallsSettings {
    CallsSettings {
        ids: below.ids.clone(),
        runtime_config: below.runtime_config.clone(),
        own: own_addresses(settings),
        address: Some(settings.media.address).filter(|address| !address.is_unspecified()),
        advertised: settings.media.advertised_address,
        media: below.media.clone(),
        registry: below.registry.clone(),
        sip: below.sip.clone(),
        lockout: below.lockout.clone(),
        store: below.store.clone(),
        relay: below.relay.clone(),
        counted: below.counted.clone(),
        raised: below.raised.clone(),
    }
}

/// Says on standard output what to dial and which link to open (U-2). Under a service manager standard output is the journal,
/// where a link that lets its finder in has no place: `roomgate link` makes one on request.
async fn greet(settings: &Settings, addresses: &[IpAddr], sip: &[SocketAddr], http: SocketAddr, sessions: &Sessions) {
    let mut lines = vec![format!("Roomgate {} is ready.", env!("CARGO_PKG_VERSION"))];
    let with_links = std::env::var_os("JOURNAL_STREAM").is_none();
    // A phone that is only dialled at speaks UDP or TCP.
    let plain = settings.sip.listen.values().zip(sip).find(|(listen, _)| listen.transport != config::ListenTransport::Tls);
    let first = plain.map(|(_, bound)| bound).or(sip.first());
    let port = first.map_or(5060, SocketAddr::port);
    let host = first.map(SocketAddr::ip).filter(|address| !address.is_unspecified());
    let host = host.or(settings.sip.advertised_address).or(addresses.first().copied()).unwrap_or(http.ip());
    let mut meetings: Vec<_> = settings.meetings.iter().collect();
    meetings.sort_by_key(|(name, meeting)| (meeting.conference_id.clone(), (*name).clone()));
    for (name, meeting) in meetings {
        let dial = meeting.conference_id.as_deref().unwrap_or(name.as_str());
        lines.push(format!("dial sip:{dial}@{}  ({})", SocketAddr::new(host, port), meeting.title));
        if !with_links {
            continue;
        }
        let (meeting, role) = (name.clone(), LinkRole::Organiser);
        let link = NewLink { meeting, made_at: 0, role, uses: 1, valid: LINK_VALID, maker: None };
        if let Ok((_, token)) = sessions.make_link(link, SystemTime::now()).await {
            lines.push(format!("open {}  (as organiser, valid 10 minutes)", link::url(settings, http, &token)));
        }
    }
    let mut out = std::io::stdout().lock();
    // A closed standard output is no reason not to run.
    let _ = writeln!(out, "{}", lines.join("\n")).and_then(|()| out.flush());
}
