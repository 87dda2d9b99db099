//! Names of the headers that we read or write, as they are printed. They are compared without case.

// === RFC 3261 ===

pub(in crate::sip) const ACCEPT: &str = "Accept";
pub(in crate::sip) const ACCEPT_ENCODING: &str = "Accept-Encoding";
pub(in crate::sip) const ACCEPT_LANGUAGE: &str = "Accept-Language";
pub(in crate::sip) const ALLOW: &str = "Allow";
pub(in crate::sip) const AUTHORIZATION: &str = "Authorization";
pub(in crate::sip) const CSEQ: &str = "CSeq";
pub(in crate::sip) const CALL_ID: &str = "Call-ID";
pub(in crate::sip) const CONTACT: &str = "Contact";
pub(in crate::sip) const CONTENT_DISPOSITION: &str = "Content-Disposition";
pub(in crate::sip) const CONTENT_ENCODING: &str = "Content-Encoding";
pub(in crate::sip) const CONTENT_LENGTH: &str = "Content-Length";
pub(in crate::sip) const CONTENT_TYPE: &str = "Content-Type";
pub(in crate::sip) const EXPIRES: &str = "Expires";
pub(in crate::sip) const FROM: &str = "From";
pub(in crate::sip) const MAX_FORWARDS: &str = "Max-Forwards";
pub(in crate::sip) const MIN_EXPIRES: &str = "Min-Expires";
pub(in crate::sip) const PROXY_AUTHENTICATE: &str = "Proxy-Authenticate";
pub(in crate::sip) const PROXY_AUTHORIZATION: &str = "Proxy-Authorization";
pub(in crate::sip) const RECORD_ROUTE: &str = "Record-Route";
pub(in crate::sip) const REQUIRE: &str = "Require";
pub(in crate::sip) const RETRY_AFTER: &str = "Retry-After";
pub(in crate::sip) const ROUTE: &str = "Route";
pub(in crate::sip) const SERVER: &str = "Server";
pub(in crate::sip) const SUPPORTED: &str = "Supported";
pub(in crate::sip) const TIMESTAMP: &str = "Timestamp";
pub(in crate::sip) const TO: &str = "To";
pub(in crate::sip) const UNSUPPORTED: &str = "Unsupported";
pub(in crate::sip) const USER_AGENT: &str = "User-Agent";
pub(in crate::sip) const VIA: &str = "Via";
pub(in crate::sip) const WARNING: &str = "Warning";
pub(in crate::sip) const WWW_AUTHENTICATE: &str = "WWW-Authenticate";

// === RFC 3262 ===

pub(in crate::sip) const RACK: &str = "RAck";
pub(in crate::sip) const RSEQ: &str = "RSeq";

// === RFC 3326 ===

pub(in crate::sip) const REASON: &str = "Reason";

// === RFC 3327 ===

pub(in crate::sip) const PATH: &str = "Path";

// === RFC 3515 ===

pub(in crate::sip) const REFER_TO: &str = "Refer-To";

// === RFC 3891 ===

pub(in crate::sip) const REPLACES: &str = "Replaces";

// === RFC 4028 ===

pub(in crate::sip) const MIN_SE: &str = "Min-SE";
pub(in crate::sip) const SESSION_EXPIRES: &str = "Session-Expires";

// === RFC 4488 ===

pub(in crate::sip) const REFER_SUB: &str = "Refer-Sub";

// === RFC 6086 ===

pub(in crate::sip) const INFO_PACKAGE: &str = "Info-Package";
pub(in crate::sip) const RECV_INFO: &str = "Recv-Info";

// === RFC 6665 ===

pub(in crate::sip) const ALLOW_EVENTS: &str = "Allow-Events";
pub(in crate::sip) const EVENT: &str = "Event";
pub(in crate::sip) const SUBSCRIPTION_STATE: &str = "Subscription-State";

// === no RFC: how phones ask for recording ===

pub(in crate::sip) const RECORD: &str = "Record";
