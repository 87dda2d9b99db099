//! Links into meetings, and the sessions of browsers that they open (U-1, U-4).
//!
//! A link makes its opener a member of one meeting, or its organiser, or a guest who need not give the passcode. A click
//! exchanges it for a session, which the browser has as a cookie. Both are rows of the store, so that they outlive a restart, and can be
//! listed and taken back; what a link or a cookie carries is the row's name, signed with a key of the state directory, so that whoever reads
//! the store alone has neither. Whoever has no session is an external (M-3); nothing a client sends can say otherwise.
//!
//! A session is for one meeting. Of a configured meeting it lasts over its runs, until [`SESSION_VALID`] is over or somebody ends it; of one
//! that the API has made it ends with that meeting, whatever is made under its name later.

mod cookie;
mod id;
mod link;
mod page_session;
mod role;
mod seal;
mod sessions;
mod table;

pub use cookie::{cookie_name, cookie_prefix};
pub use id::{SessionId, id_of, text_of};
pub use link::{LINK_VALID, LONGEST_LINK, Link, LinkError, MOST_USES, NewLink};
pub use page_session::{PageSession, SESSION_VALID, SessionEnd};
pub use role::LinkRole;
pub use sessions::{Sessions, SessionsError};
pub use table::BrowserArrival;

#[cfg(test)]
mod tests;
