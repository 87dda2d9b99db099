//! [`run`]: the daemon from its settings to its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::addresses::webrtc_addresses;
use super::gateway::Gateway;
use super::media_config::media_settings;
use super::media_report::report_losses;
use super::prompts::prompts;
use super::reload::Reloader;
use super::run_error::RunError;
use super::shutdown::{PageServer, RunningParts};
use super::startup_message::print_startup_message;
use super::{http_config, watchdog};
use crate::cli::signals::Signals;
use crate::config::Settings;
use crate::http;
use crate::media::Media;
use crate::net::udp::{Net, System};
use crate::telemetry::log::Levels;

/// Threads of the control plane: it decides, and never carries audio (DESIGN section 0).
const CONTROL_THREADS: usize = 2;
/// SIP has a thread of its own: no other task delays a retransmission, and the watchdog sees whether it goes on (O-3).
const SIP_THREADS: usize = 1;

/// What [`run`] begins with.
pub struct Start {
    /// Where the configuration came from, and comes from again when it is reloaded.
    pub path: PathBuf,
    /// The configuration as read.
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
    // Tasks that still run hold nothing that has to be saved.
    control.shutdown_background();
    signalling.shutdown_background();
    result
}

/// Starts every part in the order in which they need each other, and stops them at the first signal.
async fn serve(start: Start, signalling: &runtime::Handle) -> Result<(), RunError> {
    let started = Instant::now();
    let Start { path, settings, levels } = start;
    let mut signals = Signals::take().map_err(RunError::Signals)?;
    // Taken before anything runs: its default action would end every call.
    let hangup = signal(SignalKind::hangup()).map_err(RunError::Signals)?;

    let library = Arc::new(prompts(&settings).map_err(RunError::Configuration)?);
    let addresses = webrtc_addresses(&settings);
    let net: Arc<dyn Net> = Arc::new(System);
    let media = Media::start(&media_settings(&settings, addresses.clone()), Arc::clone(&net))?;
    let gateway = Gateway::open(&settings, library, media, net, signalling).await?;
    let reloader = Arc::new(Reloader::new(path, levels, &gateway));

    let (ready, is_ready) = watch::channel(true);
    let (shutdown, shut) = watch::channel(false);
    let sources = gateway.sources(started, is_ready, signalling);
    let handles = http_config::handles(&settings, &gateway, &reloader, sources).await?;
    let sessions = handles.sessions.clone();
    let bound = http::start(http_config::settings(&settings, &gateway), handles, shut).await?;
    let listening = gateway.listening.clone();

    let up = RunningParts::start(gateway, reloader, PageServer { task: bound.task, shutdown }, ready, hangup).await;
    tokio::spawn(report_losses(up.media.clone()));
    for address in &listening {
        tracing::info!(%address, "SIP");
    }
    tracing::info!(address = %bound.addr, tls = settings.http.tls.is_some(), "HTTP");
    let candidates = up.media.candidates().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    tracing::info!(candidates, "WebRTC");
    print_startup_message(&settings, &addresses, &listening, bound.addr, &bound.pages, &sessions).await;
    // Sessions hold the store, which closes with its last handle.
    drop(sessions);
    watchdog::start(up.media.steps(), up.sip.pulse(), &runtime::Handle::current())?;
    // Without systemd there is no socket to notify.
    let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Ready]);

    signals.next().await;
    let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Stopping]);
    up.stop(&mut signals).await;
    Ok(())
}
