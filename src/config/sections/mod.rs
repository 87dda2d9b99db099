//! The tables of the configuration, each in its file: what a key is for, how it is read, its bounds and default, and what a reload may do
//! with it. `conf/reference.toml` tells the same to administrators, and tests hold the one against the other.

mod account;
mod declare;
mod device;
mod emergency;
mod http;
mod listen;
mod media;
mod meeting;
mod operations;
mod organisation;
mod provider;
mod recording;
mod relay;
mod service;
mod sip;
mod speech;
mod trunk;

pub use account::SipAccountConfig;
pub use device::{DeviceConfig, DeviceLogin};
pub use http::{HttpConfig, IceServerConfig};
pub use listen::{ListenConfig, ListenTransport, TlsConfig};
pub use media::MediaConfig;
pub use meeting::MeetingConfig;
pub use operations::{LimitsConfig, LogConfig, StoreConfig};
pub use organisation::{OrganisationConfig, PolicyConfig, PromptsConfig};
pub use recording::{RecordingConfig, RecordsConfig};
pub use relay::RelayConfig;
pub use sip::{HepConfig, RegistrarConfig, SipConfig};
pub use trunk::TrunkConfig;

pub(super) use device::device;
pub(super) use http::ice_server;
#[cfg(test)]
pub(super) use listen::default_listeners;
pub(super) use meeting::meetings;
pub(super) use recording::chat;
pub(super) use service::service;
pub(super) use speech::speech;
