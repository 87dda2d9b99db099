//! The server as its clients meet it: real sockets on 127.0.0.1, and meetings that record what they are asked.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;

use super::session::{LINK_VALID, LinkRole, NewLink};
use super::*;
use crate::common::ids::{CallId, MeetingName, ParticipantId};
use crate::common::redact::Redacted;
use crate::meeting::messages::{Capture, Role};
use crate::meeting::{MeetingRefusal, MeetingRegistry, MeetingRequest, RecordedRequest};
use crate::relay::provider::WebhookAnswer;
use crate::telemetry::events::Events;
use test_administration::TestAdministration;
use world::*;

mod api;
mod calls;
mod created_meetings;
mod crowd;
mod devices;
mod document;
mod events;
mod live;
mod pages;
mod server;
mod signalling;
mod test_administration;
mod world;
