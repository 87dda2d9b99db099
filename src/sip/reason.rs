//! Refusals with their reasons (S-8): status, `Reason` (RFC 3326), `Warning` and `Retry-After`.

use super::capabilities::ALLOW;
use super::message::method::Method;
use super::transaction::{Header, Reply, Warning};
use crate::common::cause::Cause;
use crate::sip::message::{StatusCode, header_names};

/// Longest text of a peer that is kept for logs and records.
const TEXT: usize = 128;

/// Text of a peer as logs and records keep it.
pub(super) fn shortened(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(TEXT).collect()
}

/// Why a call is refused.
pub(super) fn headers(cause: Cause) -> Vec<Header> {
    let verdict = cause.verdict();
    let mut headers = vec![(header_names::REASON, format!("Q.850;cause={};text=\"{}\"", verdict.q850, verdict.label))];
    headers.extend(cause.retry_after().map(|seconds| (header_names::RETRY_AFTER, seconds.to_string())));
    headers
}

/// A status with the reasons of a cause.
pub(super) fn refusal(status: impl Into<u16>, cause: Cause) -> Reply {
    Reply::new(status).with(headers(cause))
}

/// The `Warning` of a refusal whose owner says no more than the cause; `None` where its status has none (S-8).
pub(super) fn warning(cause: Cause) -> Option<Warning> {
    let verdict = cause.verdict();
    let is_about_media = verdict.status == u16::from(StatusCode::NotAcceptableHere);
    is_about_media.then(|| Warning { code: Warning::MISCELLANEOUS, text: verdict.label.to_owned() })
}

/// 488 for what is refused whatever it describes.
pub(super) fn not_acceptable(why: &str) -> Reply {
    let warning = Warning { code: Warning::MISCELLANEOUS, text: why.to_owned() };
    Reply::new(StatusCode::NotAcceptableHere).warning(Some(warning))
}

/// M-12: an external may not do that.
pub(super) fn forbidden() -> Reply {
    Reply::new(StatusCode::Forbidden).with([(header_names::REASON, "Q.850;cause=21;text=\"not-allowed\"".to_owned())])
}

/// A method that we do not know, or not there.
pub(super) fn unknown_method(method: &Method) -> Reply {
    let status = if matches!(method, Method::Other(_)) { StatusCode::NotImplemented } else { StatusCode::MethodNotAllowed };
    Reply::new(status).with([(header_names::ALLOW, ALLOW.to_owned())])
}

/// What comes too early is asked for again after so many seconds.
pub(super) fn retry_after(status: StatusCode, seconds: u64) -> Reply {
    Reply::new(status).with([(header_names::RETRY_AFTER, seconds.to_string())])
}
