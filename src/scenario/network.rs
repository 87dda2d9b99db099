//! A network in memory: addresses, and datagrams that arrive at once and in order.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::net::udp::{ConnectFuture, Net, Receive, Socket, SocketReader, Traffic};

/// Datagrams that wait for a reader; what is above is lost, as in a kernel.
const QUEUE: usize = 4096;

/// The network; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Network(Arc<Mutex<BTreeMap<SocketAddr, Mailbox>>>, Arc<Mutex<BTreeMap<SocketAddr, Fault>>>);

/// What becomes of datagrams to an address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Of so many, the last one is lost on the way.
    LosesOneIn(u32),
    /// The sender's own system does not take them.
    Refuses,
}

/// What has arrived at an address.
#[derive(Clone, Debug, Default)]
struct Mailbox(Arc<Mutex<Arrived>>);

#[derive(Debug, Default)]
struct Arrived {
    datagrams: VecDeque<(SocketAddr, Vec<u8>)>,
    reader: Option<Waker>,
    /// So many were sent here.
    sent: u32,
}

/// A bound socket; gone from the network when it is dropped.
#[derive(Debug)]
struct Bound {
    address: SocketAddr,
    network: Network,
    mailbox: Mailbox,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Network {
    /// What becomes of datagrams to `address` from now on; `None`: they arrive.
    pub(super) fn breaks(&self, address: SocketAddr, fault: Option<Fault>) {
        let mut faults = lock(&self.1);
        faults.remove(&address);
        faults.extend(fault.map(|fault| (address, fault)));
    }

    /// Every bound address of this host.
    pub(super) fn bound_at(&self, host: IpAddr) -> Vec<SocketAddr> {
        lock(&self.0).keys().copied().filter(|address| address.ip() == host).collect()
    }
}

impl Net for Network {
    fn bind(&self, address: SocketAddr, _: Traffic) -> io::Result<Box<dyn Socket>> {
        let mut bound = lock(&self.0);
        if address.port() == 0 || bound.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let mailbox = Mailbox::default();
        bound.insert(address, mailbox.clone());
        Ok(Box::new(Bound { address, network: self.clone(), mailbox }))
    }

    fn local_toward(&self, _: SocketAddr) -> io::Result<IpAddr> {
        // Every listener of a scenario names its address.
        Err(io::ErrorKind::HostUnreachable.into())
    }

    /// Nobody listens for connections here.
    fn connect(&self, _: SocketAddr) -> ConnectFuture {
        Box::pin(std::future::ready(Err(io::ErrorKind::ConnectionRefused.into())))
    }
}

impl Mailbox {
    fn take(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        let (from, datagram) = lock(&self.0).datagrams.pop_front()?;
        let length = datagram.len().min(buffer.len());
        buffer[..length].copy_from_slice(&datagram[..length]);
        Some((length, from))
    }
}

impl Socket for Bound {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        let fault = lock(&self.network.1).get(&to).copied();
        if matches!(fault, Some(Fault::Refuses)) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let mailbox = lock(&self.network.0).get(&to).cloned();
        if let Some(mailbox) = mailbox {
            let mut arrived = lock(&mailbox.0);
            arrived.sent += 1;
            if matches!(fault, Some(Fault::LosesOneIn(packets)) if arrived.sent.is_multiple_of(packets)) {
                return Ok(datagram.len());
            }
            if arrived.datagrams.len() < QUEUE {
                arrived.datagrams.push_back((self.address, datagram.to_vec()));
            }
            if let Some(reader) = arrived.reader.take() {
                reader.wake();
            }
        }
        Ok(datagram.len())
    }

    fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.mailbox.take(buffer).ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    fn reader(&self) -> io::Result<SocketReader> {
        Ok(SocketReader::new(self.mailbox.clone()))
    }
}

impl Receive for Mailbox {
    fn poll_recv_from(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        if let Some(received) = self.take(buffer) {
            return Poll::Ready(Ok(received));
        }
        lock(&self.0).reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        lock(&self.network.0).remove(&self.address);
    }
}
