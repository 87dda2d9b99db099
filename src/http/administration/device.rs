//! Devices at the API: those that can be called (S-9), and where registered ones are reached (S-3).

use std::net::SocketAddr;

use serde::Serialize;
use utoipa::ToSchema;

use crate::sip::{Change, Stored};

/// A device that can be called into a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Room)]
pub struct CallableDevice {
    /// Its label.
    pub id: String,
    /// Its display name.
    pub name: String,
    /// It is registered, or its entry says where it is.
    pub reachable: bool,
    /// It has a call with us now.
    pub in_use: bool,
}

/// Where a registered device is to be found (S-3).
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Contact {
    /// The device's label.
    pub device: String,
    /// The URI it has registered.
    pub contact: String,
    /// Its preference, 0 to 1.
    pub q: f64,
    /// Seconds until it dies.
    pub expires_in_s: u64,
    /// Where the REGISTER came from.
    #[schema(value_type = String)]
    pub source: SocketAddr,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// As it calls itself.
    pub user_agent: Option<String>,
    /// `+sip.instance` (RFC 5626).
    pub instance: Option<String>,
    /// `reg-id` (RFC 5626).
    pub reg_id: Option<u32>,
    /// Proxies between it and us (RFC 3327).
    pub path: Vec<String>,
}

impl Contact {
    /// The contacts of one device.
    #[must_use]
    pub fn of(registrations: Change) -> Vec<Self> {
        let Change { device, bindings } = registrations;
        bindings.into_iter().map(|stored| Self::new(&device, stored)).collect()
    }

    fn new(device: &str, stored: Stored) -> Self {
        Self {
            device: device.to_owned(),
            contact: stored.uri,
            q: f64::from(stored.q) / 1000.0,
            expires_in_s: stored.expires_in.as_secs(),
            source: stored.source,
            transport: stored.transport.as_str().to_ascii_lowercase(),
            user_agent: stored.user_agent,
            instance: stored.instance,
            reg_id: stored.reg_id,
            path: stored.path,
        }
    }
}
