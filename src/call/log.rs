//! What log and store keep of calls that strangers bring about: of each cause a few. Those of known callers are all kept.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::router::{RoutedCall, is_known};
use crate::common::log_limit::LogLimit;
use crate::common::machine;
use crate::common::rate_limit::{RateLimit, TokenBucket};
use crate::sip::Incoming;

/// Lines about calls that were answered: a site whose phones have no entry may all call at the same time.
const CALLS: RateLimit = RateLimit { burst: 60, every: Duration::from_secs(2) };
/// Records of calls that were never set up.
const FAILED_RECORDS: RateLimit = RateLimit { burst: 20, every: Duration::from_secs(60) };
/// Records of calls that came to no meeting.
const LOST_RECORDS: RateLimit = RateLimit { burst: 100, every: Duration::from_secs(10) };

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallLine {
    /// A call begins to be set up.
    Began,
    /// It came to nothing.
    NotSetUp,
    /// It stands at the door of a meeting.
    Knocked,
    /// A conference ID or passcode was wrong.
    WrongCode,
    /// The organiser's PIN was wrong.
    WrongPin,
    /// A call that was answered is over.
    Ended,
}

/// Limits of lines by cause, and of records.
#[derive(Debug)]
pub(super) struct CallLog {
    refusals: Mutex<LogLimit>,
    no_ports: Mutex<LogLimit>,
    began: Mutex<LogLimit>,
    not_set_up: Mutex<LogLimit>,
    knocked: Mutex<LogLimit>,
    wrong_codes: Mutex<LogLimit>,
    wrong_pins: Mutex<LogLimit>,
    ended: Mutex<LogLimit>,
    failed_records: Mutex<TokenBucket>,
    lost_records: Mutex<TokenBucket>,
}

impl Default for CallLog {
    fn default() -> Self {
        let (now, few) = (machine::now(), || Mutex::new(LogLimit::of_sources()));
        let calls = || Mutex::new(LogLimit::new(CALLS));
        let records = |limit| Mutex::new(TokenBucket::new(limit, now));
        Self {
            refusals: few(),
            no_ports: few(),
            began: calls(),
            not_set_up: few(),
            knocked: calls(),
            wrong_codes: few(),
            wrong_pins: few(),
            ended: calls(),
            failed_records: records(FAILED_RECORDS),
            lost_records: records(LOST_RECORDS),
        }
    }
}

fn say(lines: &Mutex<LogLimit>) -> Option<u64> {
    lines.lock().unwrap_or_else(PoisonError::into_inner).admit(machine::now())
}

impl CallLog {
    /// Whether the refusal of a call is written, and how many were not since the last one. Those of known callers all are.
    pub(super) fn refusal(&self, incoming: &Incoming) -> Option<u64> {
        if is_known(incoming) { Some(0) } else { say(&self.refusals) }
    }

    /// The same of a call without a media port.
    pub(super) fn no_port(&self) -> Option<u64> {
        say(&self.no_ports)
    }

    /// The same of a line about a caller who was let in.
    pub(super) fn line(&self, routed: &RoutedCall, line: CallLine) -> Option<u64> {
        let lines = match line {
            CallLine::Began => &self.began,
            CallLine::NotSetUp => &self.not_set_up,
            CallLine::Knocked => &self.knocked,
            CallLine::WrongCode => &self.wrong_codes,
            CallLine::WrongPin => &self.wrong_pins,
            CallLine::Ended => &self.ended,
        };
        if routed.is_unlisted() { say(lines) } else { Some(0) }
    }

    /// Whether a call leaves a record that was never set up, or came to no meeting.
    pub(super) fn has_record(&self, routed: &RoutedCall, was_set_up: bool) -> bool {
        let records = if was_set_up { &self.lost_records } else { &self.failed_records };
        !routed.is_unlisted() || records.lock().unwrap_or_else(PoisonError::into_inner).take(machine::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::router::UNLISTED;
    use crate::media::DtmfPolicy;
    use crate::menu::{Addressed, CodeSource};
    use crate::sdp::SrtpPolicy;
    use crate::sip::Source;
    use crate::store::Phone;

    fn guest(device: &str) -> RoutedCall {
        RoutedCall {
            device: device.to_owned(),
            name: "Phone".to_owned(),
            language: "en".to_owned(),
            addressed: Addressed::Nothing,
            text: false,
            phone: Phone::default(),
            caller: CodeSource { source: Source::of([192, 0, 2, 1].into()), known: false },
            identity: String::new(),
            srtp: SrtpPolicy::Preferred,
            dtmf: DtmfPolicy::Auto,
            heir_of: None,
        }
    }

    /// A thousand calls of strangers leave a few lines and records, those of a device all.
    #[test]
    fn x2_calls_of_strangers_leave_few_lines_and_records() {
        let (log, stranger, device) = (CallLog::default(), guest(UNLISTED), guest("board-room"));
        let lines = [
            (CallLine::Began, 60..=65),
            (CallLine::NotSetUp, 10..=11),
            (CallLine::Knocked, 60..=65),
            (CallLine::WrongCode, 10..=11),
            (CallLine::WrongPin, 10..=11),
            (CallLine::Ended, 60..=65),
        ];
        for (line, few) in lines {
            let written = (0..1000).filter(|_| log.line(&stranger, line).is_some()).count();
            assert!(few.contains(&written), "{line:?}: {written}");
            assert!((0..1000).all(|_| log.line(&device, line) == Some(0)), "{line:?}");
        }
        for (was_set_up, few) in [(false, 20..=21), (true, 100..=101)] {
            let kept = (0..1000).filter(|_| log.has_record(&stranger, was_set_up)).count();
            assert!(few.contains(&kept), "{was_set_up}: {kept}");
            assert!((0..1000).all(|_| log.has_record(&device, was_set_up)));
        }
    }
}
