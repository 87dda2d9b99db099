//! What pages and API ask of the rest of the daemon: one trait, and what its answers look like in JSON.
//!
//! A call and the server may not use each other (both are L4), and `status` lies above both: `app` implements [`Administration`] with the
//! handles of the running parts.

mod call;
mod created_meeting;
mod device;
mod ledger;
mod operations;

pub use call::{CallDetails, CallMedia, CallView, LadderStep};
pub use created_meeting::{NewMeeting, NewMeetingError};
pub use device::{CallableDevice, Contact};
pub use ledger::LedgerReport;
pub use operations::{Administration, QueryError};
