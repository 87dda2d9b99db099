//! LiveKit's API for rooms, by HTTP: who is there, without being there.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use prost::Message;

use super::proto::{ListParticipantsResponse, ListRoomsRequest, ListRoomsResponse, ParticipantInfo, RoomName};

/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(5);
/// Octets of an answer that are read: some thousands of participants.
const LARGEST: usize = 4 << 20;

/// Why the API does not say.
#[derive(Debug, thiserror::Error)]
pub(super) enum RoomServiceError {
    /// Nothing came back.
    #[error("the LiveKit server cannot be reached")]
    Unreachable,
    /// Another answer than one that helps.
    #[error("the LiveKit server answers with status {0}")]
    Status(StatusCode),
    /// It answers something else.
    #[error("the LiveKit server's answer cannot be read")]
    Unreadable,
}

/// What a room is like, seen from outside.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RoomListing {
    pub(super) people: Vec<ParticipantInfo>,
    pub(super) recorded: bool,
    pub(super) metadata: String,
}

/// A client of the API.
pub(super) struct RoomService {
    base: String,
    web: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl RoomService {
    pub(super) fn new(url: &str, tls: &rustls::ClientConfig) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_http1();
        let base = match url.split_once("://") {
            Some(("wss" | "https", rest)) => format!("https://{rest}"),
            Some((_, rest)) => format!("http://{rest}"),
            None => url.to_owned(),
        };
        Self { base, web: Client::builder(TokioExecutor::new()).build(builder.wrap_connector(connector)) }
    }

    /// Who is in a room, and whether it is recorded. Nobody, where there is no such room.
    ///
    /// # Errors
    /// [`RoomServiceError`].
    pub(super) async fn look(&self, room: &str, token: &str) -> Result<RoomListing, RoomServiceError> {
        let rooms: ListRoomsResponse = self.ask("ListRooms", &ListRoomsRequest { names: vec![room.to_owned()] }, token).await?;
        let Some(found) = rooms.rooms.into_iter().find(|found| found.name == room) else { return Ok(RoomListing::default()) };
        let asked: Result<ListParticipantsResponse, _> =
            self.ask("ListParticipants", &RoomName { room: room.to_owned() }, token).await;
        let people = match asked {
            // It has ended in between.
            Err(RoomServiceError::Status(StatusCode::NOT_FOUND)) => Vec::new(),
            other => other?.participants,
        };
        Ok(RoomListing { people, recorded: found.active_recording, metadata: found.metadata })
    }

    async fn ask<Q: Message, A: Message + Default>(&self, what: &str, question: &Q, token: &str) -> Result<A, RoomServiceError> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/twirp/livekit.RoomService/{what}", self.base))
            .header(CONTENT_TYPE, "application/protobuf")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Full::new(Bytes::from(question.encode_to_vec())))
            .map_err(|_| RoomServiceError::Unreachable)?;
        let answer = async {
            let answer = self.web.request(request).await.map_err(|_| RoomServiceError::Unreachable)?;
            if answer.status() != StatusCode::OK {
                return Err(RoomServiceError::Status(answer.status()));
            }
            let body = Limited::new(answer.into_body(), LARGEST).collect().await.map_err(|_| RoomServiceError::Unreadable)?;
            A::decode(body.to_bytes()).map_err(|_| RoomServiceError::Unreadable)
        };
        tokio::time::timeout(WITHIN, answer).await.map_err(|_| RoomServiceError::Unreachable)?
    }
}
