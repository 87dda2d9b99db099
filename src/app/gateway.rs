//! [`Gateway`]: store, SIP, meetings and calls, begun in the order in which they need each other.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::runtime;
use tokio::sync::{mpsc, watch};

use super::addresses::own_addresses;
use super::meeting_directory::MeetingDirectory;
use super::reload_targets::ReloadTargets;
use super::run_error::{RunError, state};
use super::{registration_store, sip_config, sms};
use crate::call::{Calls, CallsSettings, RuntimeConfig};
use crate::common::ids::Ids;
use crate::common::machine;
use crate::common::units::unix_millis;
use crate::config::Settings;
use crate::media::Media;
use crate::meeting::service::{MeetingService, Support};
use crate::meeting::{MeetingRegistry, MeetingsShared, MuteRegistry};
use crate::menu::SharedLockout;
use crate::net::udp::Net;
use crate::policy::SEAT_KEPT;
use crate::prompt::Library;
use crate::relay;
use crate::service;
use crate::sip;
use crate::status::Sources;
use crate::store;
use crate::telemetry::events::Events;
use crate::telemetry::metrics::Counted;

/// Everything between the sockets and the pages, wired; calls are taken once [`Calls::run`] runs.
pub(crate) struct Gateway {
    pub(crate) media: Media,
    pub(crate) store: store::StoreHandle,
    pub(crate) store_thread: std::thread::JoinHandle<()>,
    /// Chat by SMS, where a provider is configured.
    pub(crate) relay: Option<relay::driver::RelayHandle>,
    /// The meetings that run.
    pub(crate) registry: MeetingRegistry,
    /// The meetings that there are.
    pub(super) meetings: Arc<MeetingDirectory>,
    pub(crate) sip: sip::Handle,
    /// The bound SIP addresses.
    pub(crate) listening: Vec<SocketAddr>,
    pub(crate) calls: Calls,
    pub(crate) events: mpsc::Receiver<sip::Event>,
    pub(super) targets: Arc<ReloadTargets>,
    pub(super) counted: Counted,
    pub(super) raised: Events,
}

impl Gateway {
    /// Opens the store and the SIP listeners, and wires calls to meetings to media. SIP lives on the threads of `signalling`.
    ///
    /// # Errors
    /// [`RunError`]: the directory, address or file that cannot be used.
    pub(crate) async fn open(
        settings: &Settings,
        library: Arc<Library>,
        media: Media,
        net: Arc<dyn Net>,
        signalling: &runtime::Handle,
    ) -> Result<Self, RunError> {
        let directory = &settings.store.directory;
        let (store, store_thread) = open_store(settings)?;
        let relay = sms::start(settings, &store).await?;
        let (targets, ids) = (Arc::new(ReloadTargets::new(settings)), Ids::of_run(store.run()));
        let (counted, raised) = (Counted::default(), Events::default());
        let shared = MeetingsShared {
            ids: ids.clone(),
            media: media.clone(),
            store: store.clone(),
            relay: relay.clone(),
            retention: targets.chat.subscribe(),
            counted: counted.clone(),
            raised: raised.clone(),
            recordings: settings.recording.directory.clone(),
            seats_until: machine::now() + SEAT_KEPT,
            mutes: stored_mutes(&store).await.map_err(state("mutes in", directory))?,
            services: open_services(settings)?,
        };
        let meetings = Arc::new(MeetingDirectory::new(settings, library, shared));
        let sip::Running { handle: sip, events, registrations, bound: listening } =
            start_sip(settings, (ids.clone(), meetings.runtime_config()), net, signalling).await?;
        restore_registrations(registrations, &store, &sip).await.map_err(state("registrations in", directory))?;
        let calls = Calls::new(CallsSettings {
            ids,
            runtime_config: meetings.runtime_config(),
            own: own_addresses(settings),
            address: media_address(settings),
            advertised: settings.media.advertised_address,
            media: media.clone(),
            registry: meetings.registry().clone(),
            sip: sip.clone(),
            lockout: SharedLockout::default(),
            store: store.clone(),
            numbering: relay.as_ref().map(relay::driver::RelayHandle::home),
            counted: counted.clone(),
            raised: raised.clone(),
        });
        Ok(Self {
            media,
            store,
            store_thread,
            relay,
            registry: meetings.registry().clone(),
            meetings,
            sip,
            listening,
            calls,
            events,
            targets,
            counted,
            raised,
        })
    }

    /// What `status` is gathered from.
    pub(super) fn sources(&self, started: Instant, ready: watch::Receiver<bool>, signalling: &runtime::Handle) -> Sources {
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

/// The store, in directories that nobody else may open.
fn open_store(settings: &Settings) -> Result<(store::StoreHandle, std::thread::JoinHandle<()>), RunError> {
    let (directory, recordings) = (&settings.store.directory, &settings.recording.directory);
    private_directory(directory).map_err(state("state directory", directory))?;
    private_directory(recordings).map_err(state("recordings directory", recordings))?;
    // N-8: whoever can change the store must not find the key of its chain in it.
    store::open(directory, &directory.join("keys")).map_err(state("store in", directory))
}

/// Services in whose rooms meetings take place.
fn open_services(settings: &Settings) -> Result<BTreeMap<String, Arc<dyn MeetingService>>, RunError> {
    let open = |(label, kind): (&String, &service::ServiceKind)| match service::open(kind) {
        Ok(opened) => {
            // N-7
            if let Support::Cannot(why) = opened.traits().recording {
                tracing::warn!(service = label, why, "the service cannot say whether a meeting is recorded");
            }
            Ok((label.clone(), opened))
        }
        Err(error) => Err(RunError::ServiceTls { label: label.clone(), error }),
    };
    settings.services.iter().map(open).collect()
}

/// The closed microphones of the last run (K-4).
async fn stored_mutes(store: &store::StoreHandle) -> Result<MuteRegistry, store::StoreError> {
    Ok(MuteRegistry::new(store.mutes(unix_millis(SystemTime::now())).await?))
}

/// The SIP endpoint, on the threads of `signalling`.
async fn start_sip(
    settings: &Settings,
    (ids, runtime_config): (Ids, watch::Receiver<Arc<RuntimeConfig>>),
    net: Arc<dyn Net>,
    signalling: &runtime::Handle,
) -> Result<sip::Running, RunError> {
    let (mut seed, mut secret) = ([0; 32], [0; 32]);
    getrandom::fill(&mut seed).map_err(RunError::Randomness)?;
    getrandom::fill(&mut secret).map_err(RunError::Randomness)?;
    let mut endpoint = sip_config::settings(settings, seed, sip_config::known(settings, secret));
    endpoint.ids = ids;
    endpoint.connector = sip_config::connector(settings)?;
    endpoint.own = own_addresses(settings);
    endpoint.reachable = Some(sip::ReachableUsers::new(move |user| runtime_config.borrow().router.is_reachable(user)));
    let started = signalling.spawn(sip::start(net, endpoint, sip_config::listeners(settings))).await;
    Ok(started.map_err(|fault| RunError::Runtime(fault.into()))??)
}

fn private_directory(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The address for media, where one is configured.
fn media_address(settings: &Settings) -> Option<IpAddr> {
    Some(settings.media.address).filter(|address| !address.is_unspecified())
}

/// What devices had registered before, and from now on what they register.
async fn restore_registrations(
    changes: mpsc::Receiver<sip::Change>,
    store: &store::StoreHandle,
    sip: &sip::Handle,
) -> Result<(), store::StoreError> {
    registration_store::restore(store, sip).await?;
    tokio::spawn(registration_store::keep(changes, store.clone()));
    Ok(())
}
