//! SUBSCRIBE of a device and our NOTIFYs (RFC 6665; S-4): who is in its meeting (RFC 4575), and the little that is true of `dialog`,
//! `message-summary` and `presence` here, so that no phone asks again and again.
//!
//! A subscription to a meeting belongs to the call that the device has in it: before that call is admitted it is pending and tells nothing
//! (M-8), and it ends with the call. At most one NOTIFY of a subscription is on its way; what changes meanwhile goes into the next.

mod documents;
mod notifier;
mod package;
mod subscription;

pub(in crate::sip) use notifier::Notifier;
