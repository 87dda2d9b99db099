//! Where a server is: looked up outside of the SIP task, which must not wait (RFC 3263, S-6).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use tokio::sync::mpsc;

use super::stream::StreamEvent;
use crate::sip::message::uri::Host;
use crate::sip::resolver::{Naptr, Srv, order, service, services};
use crate::sip::{Locate, Target, Transport};

/// Addresses that are tried for one server.
const TARGETS: usize = 16;

/// Asks the name system; remembers what it said for as long as that holds.
#[derive(Clone)]
pub(super) struct Names(Option<Arc<TokioResolver>>);

impl Names {
    /// By these name servers, or those of the system.
    pub(super) fn new(servers: &[IpAddr]) -> Self {
        let builder = match servers {
            [] => TokioResolver::builder_tokio(),
            servers => {
                let servers = servers.iter().map(|server| NameServerConfig::udp_and_tcp(*server)).collect();
                let config = ResolverConfig::from_name_servers(servers);
                Ok(Resolver::builder_with_config(config, TokioRuntimeProvider::default()))
            }
        };
        let resolver = builder.and_then(|builder| builder.build());
        if let Err(error) = &resolver {
            tracing::error!(%error, "names of SIP servers cannot be looked up");
        }
        Self(resolver.ok().map(Arc::new))
    }

    /// Looks up, and tells.
    pub(super) async fn locate(self, wanted: Locate, news: mpsc::Sender<StreamEvent>) {
        let token = wanted.token;
        let mut targets = self.targets(wanted).await;
        targets.truncate(TARGETS);
        let _ended = news.send(StreamEvent::Located { token, targets }).await;
    }

    async fn targets(&self, Locate { host, port, transport, .. }: Locate) -> Vec<Target> {
        let usual = transport.unwrap_or(Transport::Udp);
        let plain = port.unwrap_or(usual.default_port());
        let name = match host {
            Host::Ip(ip) => return vec![Target { address: SocketAddr::new(ip, plain), transport: usual }],
            Host::Name(name) => name,
        };
        // Section 4.2: a written port leaves nothing for SRV to say.
        if port.is_none() {
            let services = match transport {
                Some(transport) => vec![(transport, service(transport, &name))],
                None => services(&name, self.naptr(&name).await),
            };
            let mut targets = Vec::new();
            for (transport, service) in services {
                for server in order(self.srv(&service).await, || getrandom::u64().unwrap_or_default()) {
                    targets.extend(self.reached_at(&server.target, server.port, transport).await);
                }
            }
            if !targets.is_empty() {
                return targets;
            }
        }
        self.reached_at(&name, plain, usual).await
    }

    /// The records of a name that are of a kind; none where there is nothing of it, and that is no error.
    async fn records<T>(&self, name: &str, kind: RecordType, read: impl Fn(&RData) -> Option<T>) -> Vec<T> {
        let Some(resolver) = &self.0 else { return Vec::new() };
        // Whole names: the system's search list is for people at a shell.
        let whole = format!("{}.", name.trim_end_matches('.'));
        match resolver.lookup(whole, kind).await {
            Ok(found) => found.answers().iter().filter_map(|record| read(&record.data)).collect(),
            Err(error) => {
                tracing::debug!(name, %kind, %error, "nothing in the name system");
                Vec::new()
            }
        }
    }

    async fn naptr(&self, domain: &str) -> Vec<Naptr> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let read = |data: &RData| match data {
            RData::NAPTR(naptr) if naptr.flags.eq_ignore_ascii_case(b"s") => Some(Naptr {
                order: naptr.order,
                preference: naptr.preference,
                service: text(&naptr.services),
                replacement: naptr.replacement.to_ascii(),
            }),
            _ => None,
        };
        self.records(domain, RecordType::NAPTR, read).await
    }

    async fn srv(&self, service: &str) -> Vec<Srv> {
        let read = |data: &RData| match data {
            RData::SRV(srv) => {
                Some(Srv { priority: srv.priority, weight: srv.weight, port: srv.port, target: srv.target.to_ascii() })
            }
            _ => None,
        };
        self.records(service, RecordType::SRV, read).await
    }

    async fn reached_at(&self, name: &str, port: u16, transport: Transport) -> Vec<Target> {
        let addresses = self.addresses(name).await;
        addresses.into_iter().map(|ip| Target { address: SocketAddr::new(ip, port), transport }).collect()
    }

    /// The addresses of a host, A and AAAA.
    pub(super) async fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let Some(resolver) = &self.0 else { return Vec::new() };
        match resolver.lookup_ip(name).await {
            Ok(found) => found.iter().collect(),
            Err(error) => {
                tracing::debug!(name, %error, "no address");
                Vec::new()
            }
        }
    }
}
