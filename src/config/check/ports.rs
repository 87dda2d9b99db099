//! Ports that are claimed twice (U-2).

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::findings::Findings;
use crate::config::sections::ListenTransport;
use crate::config::settings::Settings;

/// One claim on a port of this machine.
struct Claim {
    key: String,
    transport: ListenTransport,
    address: IpAddr,
    ports: RangeInclusive<u16>,
    /// A socket at an IPv6 address takes no IPv4: those of SIP have one of either family beside the other.
    is_v6_only: bool,
}

/// Lists ports that two sockets would claim, and workers without a port.
pub(super) fn ports(settings: &Settings, found: &mut Findings<'_>) {
    let media = &settings.media;
    if media.webrtc_ports().len() < media.worker_count() {
        let hint = "choose a lower port: workers count up from it";
        found.problem("media.webrtc_port", "leaves no port for every media worker", hint);
    }
    let claims = claims(settings);
    for (index, later) in claims.iter().enumerate() {
        for earlier in claims.iter().take(index).filter(|earlier| overlap(earlier, later)) {
            let what = format!("claims {}, which {} claims too", range(&later.ports), earlier.key);
            found.problem(&later.key, what, "give each a port of its own");
        }
    }
}

fn claims(settings: &Settings) -> Vec<Claim> {
    let (media, http) = (&settings.media, &settings.http);
    let sip = settings.sip.listen.iter().map(|(name, listen)| Claim {
        key: format!("sip.listen.{name}.port"),
        // TLS is carried by TCP.
        transport: if listen.transport == ListenTransport::Udp { ListenTransport::Udp } else { ListenTransport::Tcp },
        address: listen.address,
        ports: listen.port..=listen.port,
        is_v6_only: true,
    });
    let udp = |key: &str, ports| Claim {
        key: key.to_owned(),
        transport: ListenTransport::Udp,
        address: media.address,
        ports,
        is_v6_only: false,
    };
    let pages = Claim {
        key: "http.port".to_owned(),
        transport: ListenTransport::Tcp,
        address: http.address,
        ports: http.port..=http.port,
        is_v6_only: false,
    };
    let media = [udp("media.rtp_ports", media.rtp_ports.clone()), udp("media.webrtc_port", media.webrtc_ports())];
    // Port 0 is whichever is free.
    sip.chain([pages]).chain(media).filter(|claim| *claim.ports.start() != 0).collect()
}

fn overlap(a: &Claim, b: &Claim) -> bool {
    // `::` takes IPv4 along on most systems, where it is not told not to.
    let any = |claim: &Claim, other: &Claim| {
        let takes_both = claim.address.is_ipv6() && !claim.is_v6_only;
        claim.address.is_unspecified() && (takes_both || claim.address.is_ipv4() == other.address.is_ipv4())
    };
    let same_address = a.address == b.address || any(a, b) || any(b, a);
    a.transport == b.transport && same_address && a.ports.start() <= b.ports.end() && b.ports.start() <= a.ports.end()
}

fn range(ports: &RangeInclusive<u16>) -> String {
    if ports.start() == ports.end() {
        format!("port {}", ports.start())
    } else {
        format!("ports {} to {}", ports.start(), ports.end())
    }
}
