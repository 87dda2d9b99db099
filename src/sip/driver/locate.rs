//! Where a server is: looked up outside of the SIP task, which must not wait.

use std::net::SocketAddr;

use tokio::sync::mpsc;

use super::stream::News;
use crate::sip::uri::Host;
use crate::sip::{Locate, Transport};

/// Addresses that are tried for one server.
const TARGETS: usize = 16;

/// Looks up, and tells.
pub(super) async fn locate(wanted: Locate, news: mpsc::Sender<News>) {
    let Locate { token, host, port, transport } = wanted;
    let port = port.unwrap_or(if transport == Transport::Tls { 5061 } else { 5060 });
    let mut targets: Vec<SocketAddr> = match host {
        Host::Ip(ip) => vec![SocketAddr::new(ip, port)],
        Host::Name(name) => match tokio::net::lookup_host((name.as_str(), port)).await {
            Ok(found) => found.collect(),
            Err(error) => {
                tracing::debug!(name, %error, "no address");
                Vec::new()
            }
        },
    };
    targets.truncate(TARGETS);
    let _ended = news.send(News::Located { token, targets }).await;
}
