//! [`Method`]: what a request asks for (RFC 3261 section 7.1 and its extensions). It is not `rsip`'s: that type has no place for a method we do not know,
//! which must be answered by its name (405, 501), takes `invite` for INVITE, and allocates to print.

use std::fmt;

use super::wire::is_token;

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A method. The type is open: one we do not know is kept as written; case matters (RFC 3261 section 7.1).
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Method {
            $($(#[$doc])* $name,)*
            /// Any other token.
            Other(String),
        }

        impl Method {
            /// Reads a method; `None` when it is no token.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$name),)*
                    other => is_token(other).then(|| Self::Other(other.to_owned())),
                }
            }

            /// As on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other(other) => other,
                }
            }
        }
    };
}

methods! {
    /// RFC 3261
    Invite = "INVITE",
    /// RFC 3261
    Ack = "ACK",
    /// RFC 3261
    Bye = "BYE",
    /// RFC 3261
    Cancel = "CANCEL",
    /// RFC 3261
    Options = "OPTIONS",
    /// RFC 3261
    Register = "REGISTER",
    /// RFC 6086
    Info = "INFO",
    /// RFC 3311
    Update = "UPDATE",
    /// RFC 3262
    Prack = "PRACK",
    /// RFC 6665
    Subscribe = "SUBSCRIBE",
    /// RFC 6665
    Notify = "NOTIFY",
    /// RFC 3515
    Refer = "REFER",
    /// RFC 3428
    Message = "MESSAGE",
    /// RFC 3903
    Publish = "PUBLISH",
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
