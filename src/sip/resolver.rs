//! Which of a server's addresses comes first (RFC 3263, RFC 2782): what the name system says, put in order. Asking it is the driver's work.

use std::net::SocketAddr;

use super::message::uri::Host;
use super::transport::Transport;

/// A server whose addresses are wanted (RFC 3263).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locate {
    /// Names the request.
    pub token: u64,
    /// Its name or address.
    pub host: Host,
    /// Its port, where one is written.
    pub port: Option<u16>,
    /// By what it is to be reached, where that is written.
    pub transport: Option<Transport>,
}

/// One way to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The address and port.
    pub address: SocketAddr,
    /// By what.
    pub transport: Transport,
}

/// A NAPTR record that leads to SRV records (flag `s`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naptr {
    /// Lower ones first.
    pub order: u16,
    /// Lower ones first among the same order.
    pub preference: u16,
    /// `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`.
    pub service: String,
    /// The name of the SRV records.
    pub replacement: String,
}

/// An SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// Lower ones first.
    pub priority: u16,
    /// How often it comes first among the same priority, compared to the others.
    pub weight: u16,
    /// Where it listens.
    pub port: u16,
    /// Its name.
    pub target: String,
}

/// Transports by which we go to a server whose own is not written, the first choice first, with the names of their SRV records.
#[must_use]
pub fn services(domain: &str, mut records: Vec<Naptr>) -> Vec<(Transport, String)> {
    records.sort_by_key(|record| (record.order, record.preference));
    let known = |record: Naptr| {
        let transport = match record.service.to_ascii_uppercase().as_str() {
            "SIP+D2U" => Transport::Udp,
            "SIP+D2T" => Transport::Tcp,
            "SIPS+D2T" => Transport::Tls,
            _ => return None,
        };
        Some((transport, record.replacement))
    };
    let found: Vec<_> = records.into_iter().filter_map(known).collect();
    match found.is_empty() {
        // Section 4.1: without NAPTR the SRV records of each transport are asked for.
        true => [Transport::Udp, Transport::Tcp].map(|transport| (transport, service(transport, domain))).to_vec(),
        false => found,
    }
}

/// The name of the SRV records of a domain.
#[must_use]
pub fn service(transport: Transport, domain: &str) -> String {
    match transport {
        Transport::Udp => format!("_sip._udp.{domain}"),
        Transport::Tcp => format!("_sip._tcp.{domain}"),
        Transport::Tls => format!("_sips._tcp.{domain}"),
    }
}

/// Servers in the order in which they are to be tried: by priority, and within one by lot, where weight counts (RFC 2782). A single
/// record for `.` says that there is no such service.
pub fn order(mut records: Vec<Srv>, mut draw: impl FnMut() -> u64) -> Vec<Srv> {
    records.retain(|record| !record.target.trim_end_matches('.').is_empty());
    records.sort_by_key(|record| (record.priority, record.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|record| record.priority) {
        let equals = records.iter().take_while(|record| record.priority == priority).count();
        let total: u64 = records.iter().take(equals).map(|record| u64::from(record.weight)).sum();
        let lot = draw() % (total + 1);
        let mut sum = 0;
        let chosen = records.iter().take(equals).position(|record| {
            sum += u64::from(record.weight);
            sum >= lot
        });
        ordered.push(records.remove(chosen.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv { priority, weight, port: 5060, target: target.to_owned() }
    }

    #[test]
    fn servers_come_by_priority_and_by_weight_among_equals() {
        let records = vec![srv(20, 0, "last"), srv(10, 90, "often"), srv(10, 10, "seldom"), srv(10, 0, "hardly")];
        let (mut seed, mut first) = (7_u64, std::collections::BTreeMap::new());
        for _ in 0..10_000 {
            let ordered = order(records.clone(), || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                seed >> 33
            });
            assert_eq!((ordered.len(), ordered[3].target.as_str()), (4, "last"));
            *first.entry(ordered[0].target.clone()).or_insert(0) += 1;
        }
        assert!((8_700..9_200).contains(&first["often"]) && (800..1_200).contains(&first["seldom"]), "{first:?}");
        assert!(order(vec![srv(0, 0, ".")], || 0).is_empty(), "no such service");
    }

    #[test]
    fn naptr_chooses_the_transport_and_without_it_each_is_asked_for() {
        let naptr = |order, preference, service: &str| Naptr {
            order,
            preference,
            service: service.to_owned(),
            replacement: format!("{service}.example"),
        };
        let records = vec![naptr(20, 1, "sip+d2u"), naptr(10, 2, "SIP+D2T"), naptr(10, 1, "SIPS+D2T"), naptr(1, 1, "SIP+D2S")];
        assert_eq!(
            services("x", records).into_iter().map(|(transport, _)| transport).collect::<Vec<_>>(),
            [Transport::Tls, Transport::Tcp, Transport::Udp]
        );
        assert_eq!(services("x", Vec::new())[1], (Transport::Tcp, "_sip._tcp.x".to_owned()));
    }
}
