//! Who gets in, and for how much (M-1, S-7, S-10, X-2): what a request has to pass before it costs us a transaction.
//!
//! [`admission`] puts the rest in order: budgets of sources (`guard`, `source`, `limits`), who sent it (`authentication`, with what is known of places in
//! `directory` and of people in `identity`), whether it may act in the dialog that it names (`origin`), and whether its sender's address is real
//! (`address_verification`). Calls for help pass all of that (`emergency`, `emergency_calls`).

pub(super) mod address_verification;
pub(super) mod admission;
pub(super) mod authentication;
pub(super) mod directory;
pub(crate) mod emergency;
pub(super) mod emergency_calls;
pub mod guard;
pub(crate) mod identity;
pub(super) mod limits;
pub(super) mod origin;
pub(super) mod source;

pub use emergency::Emergency;
pub use identity::{Identity, Known, Proof};
pub use limits::{Limits, Trusted};
pub use source::Source;
