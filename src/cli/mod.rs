//! The program's commands (U-1): what each is given, and those that are not the daemon itself. Exit statuses are those of U-7.

mod args;
pub mod control;
pub mod dial;
pub mod ledger;
pub mod link;
pub mod signals;

pub use args::{
    Cli, Command, ConfigArgs, DialArgs, DialTransport, ExitStatus, LedgerCommand, LedgerVerifyArgs, LinkArgs, LinkRoleArg,
    StatusArgs,
};
