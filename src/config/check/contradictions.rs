//! Settings that contradict each other, or that leave the daemon of no use.

use super::devices::devices;
use super::exposure::exposure;
use super::findings::Findings;
use super::meetings::meetings;
use super::ports::ports;
use crate::config::settings::Settings;
use crate::relay::provider::ProviderKind;
use crate::sip::SessionTimers;

/// Lists everything that the settings alone can tell.
pub(in crate::config) fn contradictions(settings: &Settings, found: &mut Findings<'_>) {
    addresses(settings, found);
    ports(settings, found);
    meetings(settings, found);
    devices(settings, found);
    sessions(settings, found);
    emergency(settings, found);
    relay(settings, found);
    exposure(settings, found);
    let enough = settings.sip.max_calls.saturating_mul(2);
    if settings.media.rtp_ports.len() < enough {
        let what = format!("has {} ports, but {} calls need {enough}", settings.media.rtp_ports.len(), settings.sip.max_calls);
        found.warning("media.rtp_ports", what, "widen the range or lower sip.max_calls; calls beyond it are answered 503");
    }
}

/// One provider carries everything.
fn relay(settings: &Settings, found: &mut Findings<'_>) {
    for name in settings.relay.providers.keys().skip(1) {
        let hint = "only one provider is used: write enabled = false in the others";
        found.problem(&format!("relay.provider.{name}"), "is a second provider of short messages", hint);
    }
    let by_webhook =
        |kind: &ProviderKind| matches!(kind, ProviderKind::Azure(_) | ProviderKind::Twilio(_) | ProviderKind::Webhook(_));
    for (name, _) in settings.relay.providers.iter().filter(|(_, provider)| by_webhook(&provider.kind)).take(1) {
        if settings.http.public_url.is_none() {
            let what = "calls us back, and http.public_url does not say how we are reached";
            let hint = "write http.public_url: signatures are over it, and receipts and answers come to it";
            found.warning(&format!("relay.provider.{name}"), what, hint);
        }
    }
}

/// S-10.
fn emergency(settings: &Settings, found: &mut Findings<'_>) {
    let emergency = &settings.sip.emergency;
    // A phone that registers here may be the only one in its room.
    if emergency.target.is_none() && settings.devices.values().any(|device| device.login.is_some()) {
        let what = "is not set, and phones register here: an emergency call from one of them is refused";
        found.warning("sip.emergency.target", what, "name the address that emergency calls are sent to, such as your PBX");
    }
    for (name, meeting) in &settings.meetings {
        if let Some(number) = meeting.conference_id.as_ref().filter(|id| emergency.is_dialled(id)) {
            let what = format!("is {number}, which calls for help: nobody reaches the meeting by dialling it");
            found.problem(&format!("meeting.{name}.conference_id"), what, "give the meeting another number");
        }
    }
}

fn sessions(settings: &Settings, found: &mut Findings<'_>) {
    let timers = settings.sip.session_timers;
    if !timers.expires.is_zero() && timers.expires < timers.min {
        found.problem(
            "sip.session_expires",
            "is shorter than sip.session_min",
            "ask for no less than devices are granted, or \"0\" for none",
        );
    }
    if timers.min < SessionTimers::default().min {
        found.warning("sip.session_min", "is below the 90s of RFC 4028", "use it for tests only");
    }
}

fn addresses(settings: &Settings, found: &mut Findings<'_>) {
    if settings.sip.listen.is_empty() {
        found.problem(
            "sip.listen",
            "leaves no listener, so no phone can call",
            "enable at least one, or remove every [sip.listen.X] for the default ones",
        );
    }
    let told = [
        ("sip.advertised_address", &settings.sip.advertised_address),
        ("media.advertised_address", &settings.media.advertised_address),
    ];
    let told = told.into_iter().filter_map(|(key, address)| Some((key, (*address)?)));
    for (key, address) in told.chain(settings.media.webrtc_addresses.iter().map(|address| ("media.webrtc_addresses", *address))) {
        if address.is_unspecified() || address.is_multicast() {
            found.problem(
                key,
                format!("{address} is no address that anybody can send to"),
                "write the address by which others reach this machine",
            );
        }
    }
}
