//! [`SrtpReceiver`]: takes packets whose tag is right, once.

use std::time::{Duration, Instant};

use super::error::SrtpError;
use super::header::{RTCP_CLEAR, RtpHeader, rtcp_ssrc};
use super::keys::{MasterKey, MasterKeyIdentifier, SrtpKeys};
use super::replay::{INDEX_LIMIT, ReplayWindow, estimate};
use super::sender::rollover_counter;
use super::suite::CryptoSuite;
use super::transform::{Nonce, Protocol, Transform};

/// Sources that one key is used by: far above what a device needs that takes another SSRC whenever it resumes. State is kept for sources whose
/// packets are genuine only, so that forged ones cost no memory.
const MOST_SOURCES: usize = 256;
/// Packets of the key before are taken this long after a new one was agreed on: they may be under way.
const OLD_KEY: Duration = Duration::from_secs(5);
/// The E flag of SRTCP.
const ENCRYPTED: u32 = 1 << 31;
/// One more rollover.
const ROLLOVER: u64 = 1 << 16;

/// What has become of a direction's datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SrtpStats {
    /// Datagrams whose tag was right.
    pub accepted: u64,
    /// Datagrams with a wrong tag, an unknown key, too short or not encrypted.
    pub rejected: u64,
    /// Datagrams that came twice, or older than the replay window.
    pub replayed: u64,
}

impl SrtpStats {
    /// Datagrams that were not taken.
    #[must_use]
    pub const fn unauthentic(self) -> u64 {
        self.rejected + self.replayed
    }
}

/// The receiving side of one direction, with the keys that are valid. A port that moves takes it along.
pub struct SrtpReceiver {
    keys: Vec<ReceivingKey>,
    stats: SrtpStats,
}

/// One master key and the sources that use it.
struct ReceivingKey {
    master: MasterKey,
    suite: CryptoSuite,
    rtp: Transform,
    rtcp: Transform,
    rtp_sources: Vec<(u32, ReplayWindow)>,
    rtcp_sources: Vec<(u32, ReplayWindow)>,
    /// Set on a key that was replaced.
    valid_until: Option<Instant>,
}

/// A datagram, taken apart.
struct Parts<'a> {
    body: &'a [u8],
    /// E flag and index of RTCP; empty for RTP.
    trailer: &'a [u8],
    tag: &'a [u8],
}

// === impl SrtpReceiver ===

impl SrtpReceiver {
    /// Takes packets of all of `keys`.
    ///
    /// # Errors
    /// [`SrtpError::UnknownKey`] without a key, [`SrtpError::Cipher`] when a cipher cannot be made.
    pub fn new(keys: &SrtpKeys) -> Result<Self, SrtpError> {
        let keys = keys.keys.iter().map(|key| ReceivingKey::new(keys.suite, key)).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(SrtpError::UnknownKey);
        }
        Ok(Self { keys, stats: SrtpStats::default() })
    }

    /// A new offer/answer: the same keys go on with their rollover counters and replay windows, and keys that are gone are valid for
    /// five seconds more.
    ///
    /// # Errors
    /// As of [`SrtpReceiver::new`]; the keys stay as they were then.
    pub fn rekey(&mut self, now: Instant, keys: &SrtpKeys) -> Result<(), SrtpError> {
        let mut fresh = Vec::new();
        for key in &keys.keys {
            if !self.keys.iter().any(|known| known.is(keys.suite, key)) {
                fresh.push(ReceivingKey::new(keys.suite, key)?);
            }
        }
        if keys.keys.is_empty() {
            return Err(SrtpError::UnknownKey);
        }
        for known in &mut self.keys {
            let stays = keys.keys.iter().any(|key| known.is(keys.suite, key));
            known.valid_until = if stays { None } else { known.valid_until.or(Some(now + OLD_KEY)) };
        }
        self.keys.retain(|known| known.is_valid(now));
        // The newest first: what follows an agreement is tried with its keys before all others.
        self.keys.splice(..0, fresh);
        Ok(())
    }

    /// Writes the RTP packet that `datagram` protects into `packet`.
    ///
    /// # Errors
    /// When it is not to be taken; it is counted, and `packet` is worth nothing.
    pub fn unprotect_rtp(&mut self, now: Instant, datagram: &[u8], packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        let result = RtpHeader::read(datagram).and_then(|header| {
            // A key of which this source has sent nothing yet goes on where the one before was, with peers that count so.
            let hint = self
                .keys
                .iter()
                .find_map(|key| window_of(&key.rtp_sources, header.ssrc))
                .map(|known| estimate(known, header.seq));
            self.try_keys(now, |key| key.unprotect_rtp(header, hint, datagram, packet))
        });
        self.count(result)
    }

    /// Writes the RTCP packet that `datagram` protects into `packet`.
    ///
    /// # Errors
    /// When it is not to be taken; it is counted, and `packet` is worth nothing.
    pub fn unprotect_rtcp(&mut self, now: Instant, datagram: &[u8], packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        let result = rtcp_ssrc(datagram).and_then(|ssrc| self.try_keys(now, |key| key.unprotect_rtcp(ssrc, datagram, packet)));
        self.count(result)
    }

    /// What has become of the datagrams so far.
    #[must_use]
    pub fn stats(&self) -> SrtpStats {
        self.stats
    }

    /// The transform of the key that was agreed on last.
    #[must_use]
    pub fn suite(&self) -> Option<CryptoSuite> {
        self.keys.first().map(|key| key.suite)
    }

    fn try_keys(
        &mut self,
        now: Instant,
        mut unprotect: impl FnMut(&mut ReceivingKey) -> Result<(), SrtpError>,
    ) -> Result<(), SrtpError> {
        let mut failed = SrtpError::UnknownKey;
        for key in self.keys.iter_mut().filter(|key| key.is_valid(now)) {
            match unprotect(key) {
                Ok(()) => return Ok(()),
                // What one key knows better than the others is told.
                Err(error) => failed = if error == SrtpError::UnknownKey { failed } else { error },
            }
        }
        Err(failed)
    }

    fn count(&mut self, result: Result<(), SrtpError>) -> Result<(), SrtpError> {
        match result {
            Ok(()) => self.stats.accepted += 1,
            Err(SrtpError::Replayed) => self.stats.replayed += 1,
            Err(_) => self.stats.rejected += 1,
        }
        result
    }
}

impl ReceivingKey {
    fn new(suite: CryptoSuite, master: &MasterKey) -> Result<Self, SrtpError> {
        Ok(Self {
            master: master.clone(),
            suite,
            rtp: Transform::new(suite, master.material(), Protocol::Rtp)?,
            rtcp: Transform::new(suite, master.material(), Protocol::Rtcp)?,
            rtp_sources: Vec::new(),
            rtcp_sources: Vec::new(),
            valid_until: None,
        })
    }

    fn is(&self, suite: CryptoSuite, master: &MasterKey) -> bool {
        self.suite == suite && self.master == *master
    }

    fn is_valid(&self, now: Instant) -> bool {
        self.valid_until.is_none_or(|until| now < until)
    }

    fn identifier(&self) -> &[u8] {
        self.master.identifier().map_or(&[], MasterKeyIdentifier::bytes)
    }

    fn unprotect_rtp(
        &mut self,
        header: RtpHeader,
        hint: Option<u64>,
        datagram: &[u8],
        packet: &mut Vec<u8>,
    ) -> Result<(), SrtpError> {
        let parts = self.rtp_parts(datagram)?;
        let known = window_of(&self.rtp_sources, header.ssrc);
        // The nearest index; then one rollover more, for a stream that was interrupted for long or joined behind its first wrap.
        let nearest = known.map_or(u64::from(header.seq), |highest| estimate(highest, header.seq));
        let candidates = [Some(nearest), Some(nearest + ROLLOVER), hint.filter(|_| known.is_none())];
        let mut failed = SrtpError::WrongTag;
        for index in candidates.into_iter().flatten().filter(|index| *index < INDEX_LIMIT) {
            if !is_fresh(&self.rtp_sources, header.ssrc, index) {
                failed = SrtpError::Replayed;
                continue;
            }
            let rollovers = rollover_counter(index);
            let trailer: &[u8] = if self.rtp.authenticates_rollover() { &rollovers } else { &[] };
            packet.clear();
            packet.extend_from_slice(parts.body);
            if self.rtp.open(packet, header.length, Nonce { ssrc: header.ssrc, index }, trailer, parts.tag).is_ok() {
                return accept(&mut self.rtp_sources, header.ssrc, index);
            }
        }
        Err(failed)
    }

    fn unprotect_rtcp(&mut self, ssrc: u32, datagram: &[u8], packet: &mut Vec<u8>) -> Result<(), SrtpError> {
        let parts = self.rtcp_parts(datagram)?;
        let word = parts.trailer.try_into().map(u32::from_be_bytes).map_err(|_| SrtpError::Malformed)?;
        let index = u64::from(word & !ENCRYPTED);
        if word & ENCRYPTED == 0 {
            return Err(SrtpError::NotEncrypted);
        }
        if !is_fresh(&self.rtcp_sources, ssrc, index) {
            return Err(SrtpError::Replayed);
        }
        packet.clear();
        packet.extend_from_slice(parts.body);
        self.rtcp.open(packet, RTCP_CLEAR, Nonce { ssrc, index }, parts.trailer, parts.tag)?;
        accept(&mut self.rtcp_sources, ssrc, index)
    }

    /// Counter mode: body, identifier, tag. GCM: body, tag, identifier.
    fn rtp_parts<'a>(&self, datagram: &'a [u8]) -> Result<Parts<'a>, SrtpError> {
        let tag_length = self.rtp.tag_length();
        let (body, tag) = if self.suite.is_aead() {
            let rest = strip_identifier(datagram, self.identifier())?;
            split_back(rest, tag_length)?
        } else {
            let (rest, tag) = split_back(datagram, tag_length)?;
            (strip_identifier(rest, self.identifier())?, tag)
        };
        let clear = RtpHeader::read(body)?.length;
        if body.len() < clear { Err(SrtpError::Malformed) } else { Ok(Parts { body, trailer: &[], tag }) }
    }

    /// Counter mode: body, index, identifier, tag. GCM: body, tag, index, identifier.
    fn rtcp_parts<'a>(&self, datagram: &'a [u8]) -> Result<Parts<'a>, SrtpError> {
        let tag_length = self.rtcp.tag_length();
        let (body, trailer, tag) = if self.suite.is_aead() {
            let (rest, trailer) = split_back(strip_identifier(datagram, self.identifier())?, size_of::<u32>())?;
            let (body, tag) = split_back(rest, tag_length)?;
            (body, trailer, tag)
        } else {
            let (rest, tag) = split_back(datagram, tag_length)?;
            let (body, trailer) = split_back(strip_identifier(rest, self.identifier())?, size_of::<u32>())?;
            (body, trailer, tag)
        };
        if body.len() < RTCP_CLEAR { Err(SrtpError::Malformed) } else { Ok(Parts { body, trailer, tag }) }
    }
}

fn split_back(bytes: &[u8], length: usize) -> Result<(&[u8], &[u8]), SrtpError> {
    bytes.len().checked_sub(length).and_then(|at| bytes.split_at_checked(at)).ok_or(SrtpError::Malformed)
}

fn strip_identifier<'a>(bytes: &'a [u8], identifier: &[u8]) -> Result<&'a [u8], SrtpError> {
    bytes.strip_suffix(identifier).ok_or(SrtpError::UnknownKey)
}

/// The highest index of a source.
fn window_of(sources: &[(u32, ReplayWindow)], ssrc: u32) -> Option<u64> {
    sources.iter().find(|(known, _)| *known == ssrc).map(|(_, window)| window.highest())
}

fn is_fresh(sources: &[(u32, ReplayWindow)], ssrc: u32, index: u64) -> bool {
    sources.iter().find(|(known, _)| *known == ssrc).is_none_or(|(_, window)| window.is_fresh(index))
}

/// Takes note of a genuine packet.
fn accept(sources: &mut Vec<(u32, ReplayWindow)>, ssrc: u32, index: u64) -> Result<(), SrtpError> {
    if let Some((_, window)) = sources.iter_mut().find(|(known, _)| *known == ssrc) {
        window.accept(index);
    } else if sources.len() < MOST_SOURCES {
        sources.push((ssrc, ReplayWindow::starting_at(index)));
    } else {
        return Err(SrtpError::TooManySources);
    }
    Ok(())
}
