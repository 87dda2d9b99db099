//! UDP ports for devices: an even RTP port and the odd RTCP port above it, with a quarantine after use (S-7).
#![allow(clippy::disallowed_methods, reason = "reads the clock for the quarantine; called by the control plane only")]

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::common::machine;
use crate::net::udp::{Net, Socket, Traffic};

/// How long a pair rests after its call, so that late packets of the old call find no new one (S-7).
const QUARANTINE: Duration = Duration::from_secs(2);

/// The pool is shared by all calls; a pair is taken with [`PortPool::open`] and comes back when its [`Lease`] is dropped.
#[derive(Clone, Debug)]
pub struct PortPool {
    free: Arc<Mutex<Free>>,
}

#[derive(Debug)]
struct Free {
    ready: VecDeque<u16>,
    resting: VecDeque<(Instant, u16)>,
    /// Pairs altogether.
    pairs: usize,
}

/// How the pairs are used at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Taken by calls.
    pub taken: usize,
    /// In quarantine.
    pub resting: usize,
    /// Altogether.
    pub pairs: usize,
}

/// Whose call a pair is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Anybody's: the last quarter of the pairs is not for them.
    Strangers,
    /// That of a device, trunk or account of ours, which may have all.
    Known,
}

/// A pair of ports in use.
#[derive(Debug)]
pub struct Lease {
    port: u16,
    pool: PortPool,
}

/// The two sockets of a device's media.
#[derive(Debug)]
pub struct Sockets {
    /// RTP.
    pub rtp: Box<dyn Socket>,
    /// RTCP, one port above (RFC 3550 section 11).
    pub rtcp: Box<dyn Socket>,
    /// Gives the pair back when the sockets are closed.
    pub lease: Lease,
}

/// No pair of ports could be had.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// All pairs are in use or resting.
    #[error("no RTP port is free")]
    Empty,
    /// None of several pairs could be bound.
    #[error("RTP port {port} at {address}: {error}")]
    Bind {
        /// The port tried last.
        port: u16,
        /// The address.
        address: IpAddr,
        /// The system's reason.
        error: io::Error,
    },
}

impl PortPool {
    /// A pool over `first..=last`.
    #[must_use]
    pub fn new(first: u16, last: u16) -> Self {
        let first = first.saturating_add(first % 2);
        let ready: VecDeque<_> = (first..last).step_by(2).collect();
        let pairs = ready.len();
        Self { free: Arc::new(Mutex::new(Free { ready, resting: VecDeque::new(), pairs })) }
    }

    /// How the pairs are used now.
    #[must_use]
    pub fn usage(&self) -> PoolUse {
        self.usage_at(machine::now())
    }

    fn usage_at(&self, now: Instant) -> PoolUse {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let resting = free.resting.iter().filter(|(since, _)| now.saturating_duration_since(*since) < QUARANTINE).count();
        PoolUse { taken: free.pairs - free.ready.len() - free.resting.len(), resting, pairs: free.pairs }
    }

    fn take(&self, now: Instant, share: Share) -> Option<u16> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(&(since, port)) = free.resting.front() {
            if now.saturating_duration_since(since) < QUARANTINE {
                break;
            }
            free.resting.pop_front();
            free.ready.push_back(port);
        }
        // strangers never take the last that known devices need.
        let is_kept = share == Share::Strangers && free.ready.len() <= free.pairs / 4;
        if is_kept { None } else { free.ready.pop_front() }
    }

    /// Binds a pair at `address` of `net`. Pairs that something else on this machine holds are passed over, as many as there are; any other
    /// fault, such as want of descriptors, is believed after eight times.
    ///
    /// # Errors
    /// [`PoolError`] when none is left or none can be bound.
    pub fn open(&self, net: &dyn Net, address: IpAddr, share: Share) -> Result<Sockets, PoolError> {
        let mut last = PoolError::Empty;
        let (mut held, mut faults) = (self.usage().pairs, 8);
        while held > 0 && faults > 0 {
            let Some(port) = self.take(machine::now(), share) else { return Err(last) };
            match bind_pair(net, address, port) {
                Ok((rtp, rtcp)) => return Ok(Sockets { rtp, rtcp, lease: Lease { port, pool: self.clone() } }),
                Err(error) => {
                    self.put_back(port);
                    let left = if error.kind() == io::ErrorKind::AddrInUse { &mut held } else { &mut faults };
                    *left -= 1;
                    last = PoolError::Bind { port, address, error };
                }
            }
        }
        Err(last)
    }

    /// A pair that was in no session description needs no quarantine. The others have their turn first.
    fn put_back(&self, port: u16) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).ready.push_back(port);
    }
}

fn bind_pair(net: &dyn Net, address: IpAddr, port: u16) -> io::Result<(Box<dyn Socket>, Box<dyn Socket>)> {
    let bind = |port| net.bind(SocketAddr::new(address, port), Traffic::Voice);
    Ok((bind(port)?, bind(port + 1)?))
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut free = self.pool.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.resting.push_back((machine::now(), self.port));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A port rests two seconds after its call and then serves again.
    #[test]
    fn a_port_rests_two_seconds_after_its_call_and_then_serves() {
        let pool = PortPool::new(30_001, 30_005);
        let now = Instant::now();
        let first = pool.take(now, Share::Known).unwrap();
        let second = pool.take(now, Share::Known).unwrap();
        assert_eq!((first, second), (30_002, 30_004));
        assert_eq!(pool.take(now, Share::Known), None, "an empty pool is an error, not a wait");
        assert_eq!(pool.usage_at(now), PoolUse { taken: 2, resting: 0, pairs: 2 });
        drop(Lease { port: first, pool: pool.clone() });
        assert_eq!(pool.usage_at(now), PoolUse { taken: 1, resting: 1, pairs: 2 });
        assert_eq!(pool.usage_at(now + QUARANTINE * 2), PoolUse { taken: 1, resting: 0, pairs: 2 });
        assert_eq!(pool.take(now + Duration::from_millis(1900), Share::Known), None);
        assert_eq!(pool.take(now + QUARANTINE + Duration::from_millis(100), Share::Known), Some(first));
    }

    #[test]
    fn x2_strangers_leave_a_quarter_of_the_ports_to_known_devices() {
        let (pool, now) = (PortPool::new(30_000, 30_016), Instant::now());
        let taken = (0..8).filter(|_| pool.take(now, Share::Strangers).is_some()).count();
        let by_known = (0..8).filter(|_| pool.take(now, Share::Known).is_some()).count();
        assert_eq!((taken, by_known), (6, 2));
    }

    #[test]
    fn a_taken_port_is_passed_over() {
        let squatter = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = squatter.local_addr().unwrap().port() & !1;
        let pool = PortPool::new(port, port.saturating_add(7));
        let sockets = pool.open(&crate::net::udp::System, "127.0.0.1".parse().unwrap(), Share::Known).unwrap();
        assert_ne!(sockets.rtp.local_addr().unwrap().port(), port);
    }

    #[test]
    fn as_many_taken_ports_are_passed_over_as_there_are() {
        let address: IpAddr = "127.0.0.1".parse().unwrap();
        let squatters: Vec<_> =
            std::iter::repeat_with(|| PortPool::new(52_000, 52_039).open(&crate::net::udp::System, address, Share::Known))
                .take(20)
                .collect();
        assert!(squatters.iter().all(Result::is_ok), "twenty phones of one machine, each with a pool of its own");
        assert!(matches!(
            PortPool::new(52_000, 52_039).open(&crate::net::udp::System, address, Share::Known),
            Err(PoolError::Bind { .. })
        ));
    }

    /// A call that was refused for want of a descriptor had put all pairs to rest, and the next ones were refused for that.
    #[test]
    fn a_pair_that_could_not_be_bound_is_there_for_the_next_call() {
        let squatter = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = squatter.local_addr().unwrap().port() & !1;
        let pool = PortPool::new(port, port.saturating_add(1));
        let address = "127.0.0.1".parse().unwrap();
        assert!(matches!(pool.open(&crate::net::udp::System, address, Share::Known), Err(PoolError::Bind { .. })));
        assert_eq!(pool.usage(), PoolUse { taken: 0, resting: 0, pairs: 1 });
        drop(squatter);
        assert!(pool.open(&crate::net::udp::System, address, Share::Known).is_ok());
    }
}
