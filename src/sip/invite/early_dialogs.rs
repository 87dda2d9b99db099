//! [`EarlyDialogs`]: the dialogs that provisional responses to our INVITE begin (RFC 3261 section 12.1.2). Every branch of a fork has one of its
//! own, with its own row of numbers (RFC 3262 section 4).

use crate::sip::capabilities::requires;
use crate::sip::dialog::{Dialog, DialogKey};
use crate::sip::message::header_names;
use crate::sip::message::{Body, Response, session_description};
use crate::sip::transaction::Answer;

/// Branches of a fork that are followed; those beyond are heard only when they answer.
const BRANCHES: usize = 8;

/// One of them.
#[derive(Debug)]
pub(super) struct EarlyDialog {
    pub(super) dialog: Dialog,
    pub(super) key: DialogKey,
    /// The last reliable response that was taken.
    rseq: Option<u32>,
    /// The last description; the first one of a reliable response is the answer and stays.
    pub(super) sdp: Option<Vec<u8>>,
    pub(super) is_answered: bool,
}

/// What a provisional response has been.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It came twice or before its turn, and is dropped (RFC 3262 section 4).
    Dropped,
    /// It wants no PRACK.
    Plain,
    /// It wants a PRACK for this number.
    Reliable(u32),
}

/// See the file's paragraph.
#[derive(Debug, Default)]
pub(super) struct EarlyDialogs(pub(super) Vec<EarlyDialog>);

impl EarlyDialogs {
    /// Begins the dialog of a response where there is none yet, and room; gives its key.
    pub(super) fn open(&mut self, ours: &Dialog, answer: &Answer) -> Option<DialogKey> {
        let tag = answer.essentials.to.tag()?;
        if self.get(tag).is_some() || self.0.len() >= BRANCHES {
            return None;
        }
        let mut dialog = ours.clone();
        dialog.confirm(&answer.response, &answer.essentials.to);
        let key = dialog.key();
        self.0.push(EarlyDialog { dialog, key: key.clone(), rseq: None, sdp: None, is_answered: false });
        Some(key)
    }

    pub(super) fn get(&self, tag: &str) -> Option<&EarlyDialog> {
        self.0.iter().find(|early| early.key.remote == tag)
    }

    pub(super) fn get_mut(&mut self, tag: Option<&str>) -> Option<&mut EarlyDialog> {
        let tag = tag?;
        self.0.iter_mut().find(|early| early.key.remote == tag)
    }

    pub(super) fn keys(&self) -> Vec<DialogKey> {
        self.0.iter().map(|early| early.key.clone()).collect()
    }
}

impl EarlyDialog {
    /// Takes a provisional response.
    pub(super) fn progress(&mut self, response: &Response) -> Taken {
        let rseq = response.headers.get(header_names::RSEQ).and_then(|number| number.trim().parse::<u32>().ok());
        let rseq = rseq.filter(|_| requires(&response.headers, "100rel"));
        if let (Some(rseq), Some(last)) = (rseq, self.rseq)
            && u64::from(rseq) != u64::from(last) + 1
        {
            return Taken::Dropped;
        }
        self.rseq = rseq.or(self.rseq);
        if let Body::Sdp(sdp) = session_description(&response.headers, &response.body)
            && !self.is_answered
        {
            self.sdp = Some(sdp);
            self.is_answered = rseq.is_some();
        }
        rseq.map_or(Taken::Plain, Taken::Reliable)
    }
}
