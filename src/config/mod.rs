//! Configuration: files and environment flow in, [`Settings`] or the list of all [`Problem`](crate::common::problem::Problem)s flow out
//! (O-1, U-1 to U-3).
//!
//! [`load`] merges all layers (`source`, `layers`), reads each key with its type where it is declared (`sections`), and then checks what
//! only shows when tables are looked at together (`check`). Nothing stops at the first mistake. The process environment is an argument, so
//! that a test can be any machine.

mod check;
mod layers;
mod load;
mod places;
mod readers;
mod reload;
mod secret;
mod section;
mod sections;
mod settings;
mod source;
mod toml_file;
mod value;

pub use crate::common::ip_network::{BadIpNetwork, IpNetwork};
pub use crate::policy::{Bypass, CallRooms};
pub(crate) use load::read_text;
pub use load::{Loaded, PATH_VARIABLE, default_path, environment, load, load_with, salvage};
pub use readers::parse_time;
pub use reload::ConfigChange;
pub use secret::Secret;
pub use sections::{
    DeviceConfig, DeviceLogin, HepConfig, HttpConfig, IceServerConfig, LimitsConfig, ListenConfig, ListenTransport, LogConfig,
    MediaConfig, MeetingConfig, OrganisationConfig, PolicyConfig, PromptsConfig, RecordingConfig, RecordsConfig, RegistrarConfig,
    RelayConfig, SipAccountConfig, SipConfig, StoreConfig, TlsConfig, TrunkConfig,
};
pub use settings::Settings;
pub use source::MAIN_FILE;
