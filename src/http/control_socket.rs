//! The Unix socket in the state directory (U-1): who may open it is the operator, and shows no token. Its mode is 0600 from its first moment
//! on, so that is the daemon's own user and root.
#![allow(clippy::disallowed_methods, reason = "a driver: starts a task for each connection")]

use std::fs::{self, File, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connections::HttpConnections;
use super::listener::serve_connection;
use super::peer::HttpPeer;

/// The socket's name in the state directory.
pub const SOCKET_FILE: &str = "roomgate.sock";
/// Connections that may wait to be taken.
const BACKLOG: i32 = 64;
/// Connections at once; further ones are closed at once.
const CONNECTIONS: usize = 32;
/// How long answers under way may go on when the daemon stops.
const STOP_TIME: Duration = Duration::from_secs(3);
/// Rest after the system refused an accept (no file descriptors left).
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// A listening socket; its file is removed when this is dropped.
pub(super) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Listens there. What a daemon that was killed has left at this path is removed.
///
/// # Errors
/// [`io::ErrorKind::AddrInUse`] if another daemon listens there; what the system says, such as that the path is longer than the 107 bytes a
/// socket's may have.
pub(super) fn bind(path: &Path) -> io::Result<ControlSocket> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            if UnixStream::connect(path).is_ok() {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another daemon uses this state directory"));
            }
            fs::remove_file(path)?;
        }
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of this name that is no socket")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // The file takes its mode from the socket: there is no moment at which somebody else could open it.
    let file = File::from(OwnedFd::from(socket));
    file.set_permissions(Permissions::from_mode(0o600))?;
    let socket = Socket::from(OwnedFd::from(file));
    socket.bind(&SockAddr::unix(path)?)?;
    let local = |listener| ControlSocket { listener, path: path.to_owned() };
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(OwnedFd::from(socket).into()).map(local)
}

/// Serves until `shutdown` turns true or its sender is gone.
pub(super) async fn run(local: ControlSocket, router: Router, mut shutdown: watch::Receiver<bool>) {
    let connections = HttpConnections::new(CONNECTIONS, CONNECTIONS);
    let service = TowerToHyperService::new(router);
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = local.listener.accept() => accepted,
            _ = shutdown.wait_for(|stop| *stop) => break,
            Some(ended) = tasks.join_next() => {
                if let Err(panic) = ended {
                    tracing::error!(%panic, "a command's connection failed");
                }
                continue;
            }
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_REST).await;
            continue;
        };
        let address = IpAddr::from(Ipv4Addr::LOCALHOST);
        let Ok(slot) = connections.open(address, false) else { continue };
        let peer = HttpPeer { address, at: None, tls: false, name: None, proxy: false, slot: Arc::new(slot) };
        tasks.spawn(serve_connection(stream, peer, service.clone(), shutdown.clone()));
    }
    // A client that does not read is not waited for.
    let _ = tokio::time::timeout(STOP_TIME, async { while tasks.join_next().await.is_some() {} }).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The socket is closed to others replaces one of a killed daemon and never one that lives.
    #[tokio::test]
    async fn u1_the_socket_is_closed_to_others_replaces_one_of_a_killed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET_FILE);
        let first = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(bind(&path).map(drop).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        // As a kill leaves it: the file is there, and nobody listens.
        let left = folder.path().join("left");
        fs::rename(&path, &left).unwrap();
        drop(first);
        fs::rename(&left, &path).unwrap();
        drop(bind(&path).expect("it takes the place"));
        assert!(!path.exists(), "it is gone with its daemon");
        fs::write(&path, "mine").unwrap();
        assert_eq!(bind(&path).map(drop).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(bind(&folder.path().join("x".repeat(120))).is_err(), "too long for a socket");
    }
}
