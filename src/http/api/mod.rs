//! `/api/v1` (U-4): the same requests that pages have, for programs with the operator's token and for members by their session.
//!
//! The operator acts for the organisation. A member's session acts for that member's open page: what it may do is what the page may do,
//! decided by the meeting (M-7), and it sees no other meeting. Each route is described where it is served, and [`openapi`] makes the document
//! of that: what is not in the document is not served.

mod answer;
mod caller;
mod calls;
mod created_meetings;
mod csv;
mod devices;
mod events;
mod extract;
mod guard;
mod links;
mod meeting_request;
mod meetings;
mod notices;
mod openapi;
mod operator;
mod paging;
mod participants;
mod query_time;
mod recording_range;
mod recordings;
mod records;
mod routes;
mod sessions;

pub(super) use caller::is_operator;
pub(super) use openapi::ROOT;
pub(super) use routes::routes;
