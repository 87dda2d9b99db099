//! Names in the descriptions of peers (S-8): [`NameLookup`] keeps a description back until its names are looked up, so that nothing of the call
//! waits for the name system; [`NameResolver`] bounds how many look-ups are under way, and for how long.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::timeout;

use super::messages::{CallAct, CallInput};
use super::offer_answer::{NamedAddresses, RemoteMedia};
use super::permits::ReservedPermits;
use crate::media::Share;
use crate::sdp::{self, SessionDescription};
use crate::sip::{self, Event};

/// Descriptions of all calls whose names are looked up at once. Those above it are refused as if their names were not found.
const AT_ONCE: usize = 32;
/// So many of them are left to who is known.
const FOR_KNOWN: usize = AT_ONCE / 4;
/// How long the names of one description may take: a caller hears nothing meanwhile.
const PATIENCE: Duration = Duration::from_secs(3);
/// Addresses of one name that are looked at.
const ADDRESSES: usize = 8;

/// A description of the peer that waits for the addresses of its names. One at a time: the next one is taken with what is known then.
#[derive(Debug, Default)]
pub(super) struct NameLookup {
    /// Names the look-up that is waited for.
    number: u64,
    waiting: Option<Event>,
}

impl NameLookup {
    /// Takes an input of the call. Gives what is to be handled now, with the addresses that its names stand for; `None`: it waits.
    pub(super) fn admit(
        &mut self,
        input: CallInput,
        acts: &mut VecDeque<CallAct>,
    ) -> Option<(CallInput, Option<NamedAddresses>)> {
        match input {
            CallInput::NamesLookedUp { lookup, addresses } => {
                let current = self.number;
                let event = self.waiting.take_if(|_| lookup == current)?;
                Some((CallInput::Sip(event), Some(addresses)))
            }
            CallInput::Sip(event) => {
                if is_end(&event) {
                    self.waiting = None;
                }
                let names = if self.waiting.is_none() { names_of(description(&event)) } else { Vec::new() };
                if names.is_empty() {
                    return Some((CallInput::Sip(event), None));
                }
                self.number += 1;
                self.waiting = Some(event);
                acts.push_back(CallAct::LookUpNames { lookup: self.number, names });
                None
            }
            other => Some((other, None)),
        }
    }
}

/// The names in a description that stand for addresses; none where it cannot be read.
pub(super) fn names_of(description: Option<&[u8]>) -> Vec<String> {
    description
        .and_then(|description| SessionDescription::parse(description).ok())
        .map_or_else(Vec::new, |description| sdp::media_names(&description))
}

fn description(event: &Event) -> Option<&[u8]> {
    match event {
        Event::Offer { sdp, .. } | Event::Acked { sdp, .. } => sdp.as_deref(),
        Event::Answered { sdp, .. } | Event::Refreshed { sdp, .. } => Some(sdp),
        _ => None,
    }
}

/// After this nobody waits for an answer to what was described before.
const fn is_end(event: &Event) -> bool {
    matches!(event, Event::Cancelled { .. } | Event::OfferWithdrawn { .. } | Event::Ended { .. } | Event::Failed { .. })
}

/// Looks names up by the name servers that SIP uses.
#[derive(Debug)]
pub(super) struct NameResolver(ReservedPermits);

impl Default for NameResolver {
    fn default() -> Self {
        Self(ReservedPermits::new(AT_ONCE, FOR_KNOWN))
    }
}

impl NameResolver {
    /// What names of a peer stand for: none of our own addresses, and none that leads to this machine, a link or a group, unless the peer is
    /// there itself. A name that is not found in time is missing.
    pub(super) async fn look_up(
        &self,
        sip: &sip::Handle,
        names: Vec<String>,
        (peer, share): (&RemoteMedia, Share),
    ) -> NamedAddresses {
        let Some(_permit) = self.0.take(share) else {
            tracing::debug!("names of media hosts are not looked up: too many are under way");
            return Vec::new();
        };
        let mut found = Vec::new();
        let all = async {
            for name in names {
                let addresses = sip.addresses(&name).await;
                let usable = addresses.into_iter().take(ADDRESSES).filter(|address| peer.may_be_at(*address));
                found.extend(usable.map(|address| (name.clone(), address)));
            }
        };
        if timeout(PATIENCE, all).await.is_err() {
            tracing::debug!("names of media hosts are not found in time");
        }
        found
    }
}
