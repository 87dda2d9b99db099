//! [`MediaRefusal`]: why a description of a peer's media is not taken, as the peer is told.

use crate::common::cause::Cause;
use crate::common::ids::CallId;
use crate::sdp::{self, AnswerError, ParseError, SessionDescription};
use crate::sip::{Command, Warning};

/// Why a description is not taken (S-8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRefusal {
    /// Gives the status.
    pub cause: Cause,
    /// What exactly the trouble is.
    pub warning: Option<Warning>,
}

impl MediaRefusal {
    /// An offer or answer that is understood, and with which nothing can be agreed on.
    pub(super) fn of(error: AnswerError, description: &SessionDescription) -> Self {
        let (code, text) = error.warning();
        // Which name it is that the name system does not know is what its administrator looks for.
        let name = if error == AnswerError::UnknownName { sdp::media_names(description).into_iter().next() } else { None };
        let text = name.map_or_else(|| text.to_owned(), |name| format!("{name}: {text}"));
        Self { cause: error.cause(), warning: Some(Warning { code, text }) }
    }

    /// Something that cannot be read.
    pub(super) fn unreadable(error: ParseError) -> Self {
        Self { cause: Cause::NoCommonCodec, warning: Some(Warning { code: Warning::MISCELLANEOUS, text: error.to_string() }) }
    }

    /// What refuses the request that it came in.
    pub(super) fn command(self, call: CallId) -> Command {
        Command::Reject { call, cause: self.cause, warning: self.warning }
    }
}

impl From<Cause> for MediaRefusal {
    fn from(cause: Cause) -> Self {
        Self { cause, warning: None }
    }
}
