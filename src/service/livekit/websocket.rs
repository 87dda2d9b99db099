//! The WebSocket of a participant's signalling: a task for each connection, which ends with its handle.
#![allow(clippy::disallowed_methods, reason = "a driver: it has the socket and its task")]

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE as BASE64;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::Uri;
use hyper::header::{AUTHORIZATION, HeaderValue};
use prost::Message as _;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::proto::{ClientInfo, ConnectionSettings, JoinRequest, WrappedJoinRequest};

/// Messages that may wait in each direction. Full: the reader waits, which holds the server back; a writer's connection is closed.
const QUEUE: usize = 64;
/// How long a connection may take to be made: name, TCP, TLS and the server's first answer together.
const WITHIN: Duration = Duration::from_secs(10);
/// Octets of the largest message; the server's own limit is as much.
const LARGEST: usize = 2 << 20;
/// Octets of the read buffer, which is zeroed at every read.
const READ_BUFFER: usize = 4 << 10;
/// The protocol's version that we speak: in later ones data channels have fixed numbers.
const PROTOCOL: i32 = 16;
/// `ClientInfo.SDK` of Rust.
const SDK_RUST: i32 = 8;

/// From a WebSocket to its participant.
#[derive(Debug)]
pub(super) enum SocketEvent {
    Opened,
    Frame(Vec<u8>),
    /// Nothing follows.
    Closed(SocketEnd),
}

/// How a WebSocket came to its end.
#[derive(Debug)]
pub(super) enum SocketEnd {
    /// It was there.
    Closed,
    /// The server refused it with this status. Its words are left out: they repeat the token.
    Refused(u16),
    /// There is no way to the server, or it takes too long.
    Unreachable(BoxError),
}

impl SocketEnd {
    fn of(error: BoxError) -> Self {
        match error.downcast_ref::<WsError>() {
            Some(WsError::Http(response)) => Self::Refused(response.status().as_u16()),
            _ => Self::Unreachable(error),
        }
    }

    /// The status of a refusal.
    pub(super) const fn status(&self) -> Option<u16> {
        if let Self::Refused(status) = self { Some(*status) } else { None }
    }
}

impl fmt::Display for SocketEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection is closed"),
            Self::Refused(status @ (401 | 403)) => write!(f, "status {status}: the key or its secret is wrong, or clocks differ"),
            Self::Refused(404) => f.write_str("status 404: it has no such room and may not make one, or is too old for /rtc/v1"),
            Self::Refused(status) => write!(f, "status {status}"),
            Self::Unreachable(error) => write!(f, "it cannot be reached: {error}"),
        }
    }
}

/// A connection that is being made, or is there. Dropped, it is closed.
pub(super) struct Socket {
    frames: mpsc::Sender<Vec<u8>>,
    events: mpsc::Receiver<SocketEvent>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where to connect, and as whom.
pub(super) struct SocketAddress {
    /// As configured.
    pub(super) url: String,
    pub(super) token: String,
    /// The presence to come back to.
    pub(super) resume: Option<String>,
}

impl Socket {
    pub(super) fn connect(address: SocketAddress, tls: Arc<rustls::ClientConfig>) -> Self {
        let (frames, to_send) = mpsc::channel(QUEUE);
        let (told, events) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let opened = tokio::select! {
                opened = tokio::time::timeout(WITHIN, open(address, tls)) => opened,
                // A join that nobody waits for any more would throw out the one after it.
                () = told.closed() => return,
            };
            let end = match opened {
                Ok(Ok(socket)) => {
                    let _ = told.send(SocketEvent::Opened).await;
                    carry(socket, to_send, &told).await;
                    SocketEnd::Closed
                }
                Ok(Err(error)) => SocketEnd::of(error),
                Err(late) => SocketEnd::Unreachable(late.into()),
            };
            // A participant that is gone has dropped its end.
            let _ = told.send(SocketEvent::Closed(end)).await;
        });
        Self { frames, events }
    }

    /// Sends a message; false: the connection does not take it, and is of no use any more.
    pub(super) fn send(&self, frame: Vec<u8>) -> bool {
        self.frames.try_send(frame).is_ok()
    }

    pub(super) async fn next(&mut self) -> SocketEvent {
        self.events.recv().await.unwrap_or(SocketEvent::Closed(SocketEnd::Closed))
    }
}

/// The path of a join request, of which nothing is compressed.
fn path(resume: Option<String>) -> String {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let request = JoinRequest {
        client_info: Some(ClientInfo { sdk: SDK_RUST, version, protocol: PROTOCOL }),
        // A camera would be subscribed to as well, and asks for a line that we never offer.
        connection_settings: Some(ConnectionSettings { auto_subscribe: false }),
        reconnect: resume.is_some(),
        participant_sid: resume.unwrap_or_default(),
    };
    let wrapped = WrappedJoinRequest { compression: 0, join_request: request.encode_to_vec() };
    format!("/rtc/v1?join_request={}", BASE64.encode(wrapped.encode_to_vec()))
}

async fn open(address: SocketAddress, tls: Arc<rustls::ClientConfig>) -> Result<WebSocketStream<Box<dyn Stream>>, BoxError> {
    let SocketAddress { url, token, resume } = address;
    let uri: Uri = url.parse()?;
    let encrypted = matches!(uri.scheme_str(), Some("wss" | "https"));
    let host = uri.host().ok_or("an address without a host")?;
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
    let tcp = TcpStream::connect((bare.as_str(), port)).await?;
    tcp.set_nodelay(true)?;
    let stream: Box<dyn Stream> = if encrypted {
        Box::new(TlsConnector::from(tls).connect(ServerName::try_from(bare)?, tcp).await?)
    } else {
        Box::new(tcp)
    };
    let scheme = if encrypted { "wss" } else { "ws" };
    let base = uri.path().trim_end_matches('/');
    let mut request = format!("{scheme}://{host}:{port}{base}{}", path(resume)).into_client_request()?;
    let mut bearer = HeaderValue::try_from(format!("Bearer {token}"))?;
    bearer.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let limits = WebSocketConfig::default().read_buffer_size(READ_BUFFER).max_message_size(Some(LARGEST));
    let (socket, _) = client_async_with_config(request, stream, Some(limits)).await?;
    Ok(socket)
}

/// Carries messages until one side has had enough.
async fn carry(
    mut socket: WebSocketStream<Box<dyn Stream>>,
    mut to_send: mpsc::Receiver<Vec<u8>>,
    told: &mpsc::Sender<SocketEvent>,
) {
    loop {
        tokio::select! {
            frame = to_send.recv() => match frame {
                Some(frame) => {
                    if socket.send(Message::binary(frame)).await.is_err() {
                        return;
                    }
                }
                None => break,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    if told.send(SocketEvent::Frame(bytes.to_vec())).await.is_err() {
                        break;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
    let _ = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
}

#[cfg(test)]
mod tests;
