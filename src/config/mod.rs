//! Configuration: files and environment flow in, [`Settings`] or the list of all [`Problem`]s flow out (O-1, U-1 to U-3).
//!
//! [`load`] reads every layer, notes where each key was written, reads each key with its type, and then checks what
//! only shows when rooms are looked at together. Nothing stops at the first mistake. The process environment is an
//! argument, so that a test can be any machine.

mod check;
mod load;
mod read;
mod reload;
mod secret;
mod section;
mod settings;
mod source;

pub use crate::common::ip_network::{BadIpNetwork, IpNetwork};
pub use crate::policy::{Bypass, CallRooms};
pub use load::{Loaded, PATH_VARIABLE, default_path, environment, load, load_with, salvage};
pub(crate) use load::{Places, read_text};
pub use reload::ConfigChange;
pub use secret::Secret;
pub use section::parse_time;
pub use settings::{
    DeviceConfig, DeviceLogin, HepConfig, HttpConfig, IceServerConfig, LimitsConfig, ListenConfig, ListenTransport, LogConfig,
    MediaConfig, MeetingConfig, OrganisationConfig, PolicyConfig, PromptsConfig, RecordingConfig, RegistrarConfig, RelayConfig,
    Settings, SipAccountConfig, SipConfig, StoreConfig, TlsConfig, TrunkConfig,
};
pub use source::MAIN_FILE;
