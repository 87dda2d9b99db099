//! Calls at the API (U-4).

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::media::PortStats;
use crate::sip::LadderLine;

/// One call (U-4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Call)]
pub struct CallView {
    /// Its name in the log.
    pub call: String,
    /// The device's label in the configuration, or `unlisted`, for the operator; for a member that of a configured device which has proven to
    /// be it (M-1).
    pub device: Option<String>,
    /// The device's display name; for a member as the meeting shows it.
    pub name: String,
    /// Address and port of its SIP; for the operator.
    pub source: Option<String>,
    /// Of any other caller, its address with the masked number that it says; for a member (M-1).
    pub from: Option<String>,
    /// `UDP`, `TCP` or `TLS`; for a member once it was let in.
    pub transport: Option<String>,
    /// `calling`, `answering`, `menu`, `waiting`, `in`, `leaving` or `over`.
    pub state: String,
    /// The meeting it came to.
    pub meeting: Option<String>,
    /// Its row there.
    pub participant: Option<String>,
    /// It was let into the meeting.
    pub admitted: bool,
    /// By its SDP name; for a member once it was let in.
    pub codec: Option<String>,
    /// The suite of SRTP, as `a=crypto` names it, `null` for plain RTP; for a member once it was let in.
    pub encryption: Option<String>,
    /// Since the INVITE.
    pub seconds: u64,
}

/// One call with its figures.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CallDetails {
    /// What lists tell as well.
    #[serde(flatten)]
    pub call: CallView,
    /// Its media; `null` before there is any, and for a member before it was let in.
    pub media: Option<CallMedia>,
    /// Why it ended, once it is over.
    pub end_reason: Option<String>,
    /// Its last SIP messages, masked, the oldest first; for the operator.
    pub ladder: Option<Vec<LadderStep>>,
}

/// The sound of one call so far, as it comes from the device unless said otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CallMedia {
    /// Audio in a packet of ours, in milliseconds; `null` once the call is over.
    pub ptime_ms: Option<u64>,
    /// RTP packets accepted.
    pub received: u64,
    /// RTP packets sent to it.
    pub sent: u64,
    /// Packets that never came, as RFC 3550 counts: negative where duplicates outnumber losses.
    pub lost: i64,
    /// Packets from an address that is not the device's (S-7), or that could not be read.
    pub refused: u64,
    /// Packets of the device with a payload type that neither description names: nothing of them is heard.
    pub unnamed: u64,
    /// Interarrival jitter (RFC 3550 section 6.4.1).
    pub jitter_ms: f64,
    /// Sound that was made up for what was lost.
    pub concealed_ms: u64,
    /// By RTCP; `null` where the device sends none.
    pub round_trip_ms: Option<f64>,
    /// Mean opinion score by the E-model, 1 to 4.5; `null` before anything came.
    pub mos: Option<f32>,
}

/// One SIP message of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LadderStep {
    /// Since the call began.
    pub at_ms: u64,
    /// From the device to us.
    pub inbound: bool,
    /// `UDP`, `TCP` or `TLS`.
    pub transport: String,
    /// Method or status, and CSeq.
    pub summary: String,
    /// Its lines, in which numbers, names, codes, keys and texts are masked; empty once there was no more room.
    pub content: String,
}

// === Where they come from ===

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl CallMedia {
    /// The figures of a port; `ptime`: the duration of a packet, while the call is up.
    #[must_use]
    pub fn new(stats: &PortStats, ptime: Option<Duration>) -> Self {
        Self {
            ptime_ms: ptime.map(millis),
            received: stats.received,
            sent: stats.sent,
            lost: stats.lost,
            refused: stats.refused,
            unnamed: stats.unnamed,
            jitter_ms: stats.jitter.as_secs_f64() * 1000.0,
            concealed_ms: millis(stats.concealed),
            round_trip_ms: stats.round_trip.map(|time| time.as_secs_f64() * 1000.0),
            mos: (stats.received > 0).then_some(stats.mos),
        }
    }
}

impl From<LadderLine> for LadderStep {
    fn from(line: LadderLine) -> Self {
        Self {
            at_ms: millis(line.at),
            inbound: line.inbound,
            transport: line.transport.as_str().to_owned(),
            summary: line.summary,
            content: line.content,
        }
    }
}
