//! The message on standard output once the daemon is up (U-2).

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use crate::config::{self, Settings};
use crate::http::session::{LINK_VALID, LinkRole, NewLink};
use crate::http::{PageAddress, Sessions};

/// Prints what to dial and which link to open (U-2). Under a service manager standard output is the journal,
/// where a link that lets its finder in has no place: `roomgate link` makes one on request.
pub(super) async fn print_startup_message(
    settings: &Settings,
    addresses: &[IpAddr],
    sip: &[SocketAddr],
    http: SocketAddr,
    pages: &PageAddress,
    sessions: &Sessions,
) {
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
            let url = pages.link(settings.http.public_url.as_deref(), &token);
            lines.push(format!("open {url}  (as organiser, valid 10 minutes)"));
        }
    }
    let mut out = std::io::stdout().lock();
    // A closed standard output is no reason not to run.
    let _ = writeln!(out, "{}", lines.join("\n")).and_then(|()| out.flush());
}
