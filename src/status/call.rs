//! How a call is shown: one conversion from the registry of calls, for the API and for `status`.

use super::report::{CallStatus, json_name};
use crate::call::CallEntry;
use crate::http::CallView;

impl From<CallEntry> for CallView {
    fn from(entry: CallEntry) -> Self {
        Self {
            call: entry.call.to_string(),
            device: Some(entry.device),
            name: entry.name,
            source: Some(entry.source.to_string()),
            from: None,
            transport: Some(entry.transport.as_str().to_owned()),
            state: json_name(&entry.stage),
            meeting: entry.meeting.map(|name| name.to_string()),
            participant: entry.participant.map(|who| who.to_string()),
            admitted: entry.admitted,
            codec: entry.codec.map(ToOwned::to_owned),
            encryption: entry.encryption.map(ToOwned::to_owned),
            seconds: entry.began.elapsed().as_secs(),
        }
    }
}

/// `status` is for the operator: nothing of a call is left out for a reader with fewer rights.
impl From<CallView> for CallStatus {
    fn from(view: CallView) -> Self {
        let CallView { call, device, name, source, transport, state, meeting, participant, codec, encryption, seconds, .. } =
            view;
        Self {
            call,
            device: device.unwrap_or_default(),
            name,
            source: source.unwrap_or_default(),
            transport: transport.unwrap_or_default(),
            state,
            meeting,
            participant,
            codec,
            encryption,
            seconds,
        }
    }
}
