//! The events of this plugin, and its one buffered message.
//!
//! Entity events are triggered at the request's entity and go on to its owner (see
//! [`RequestedBy`]). Two things follow. `entity` names who is told, so in an observer of the owner it
//! is the owner: `request` always names the request. And a global observer runs once for each of the
//! two: compare `entity` with `request`, or read [`HttpFinished`].

use std::sync::Arc;

use bevy_ecs::entity::Entity;
use bevy_ecs::event::EntityEvent;
use bevy_ecs::message::Message;
use httpoll::proto::{FieldLines, ResponseHead};
#[cfg(feature = "websocket")]
use httpoll::websocket::{CloseFrame, WebSocketMessage};
use httpoll::{Bytes, Error, Response, Status, agent::SavedFile, event_stream::ServerSentEvent};
use serde_core::de::DeserializeOwned;

use crate::components::owner::RequestedBy;
use crate::components::phase::HttpPhase;
use crate::components::progress::HttpProgress;

/// A whole response came.
///
/// Exactly one of this and [`HttpError`] comes for each request that is not cancelled, and for each
/// round of one that [repeats](crate::HttpRepeat). Any status code is a response, 404 and 500 too:
/// see [`is_success`](Self::is_success) and [`error_for_status`](Self::error_for_status).
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpResponse {
    /// Who is told: the request's entity, then its owner.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// The content. Cheap to clone; empty when it was [streamed](crate::HttpStream) or went to a
    /// [file](crate::HttpDownload).
    pub body: Bytes,
    /// Everything that is known of it: timings, redirects, connection.
    pub response: Arc<Response>,
}

impl HttpResponse {
    /// The status code, as in 200.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        self.response.status().is_success()
    }

    /// The header lines.
    pub fn headers(&self) -> &FieldLines {
        self.response.headers()
    }

    /// The first value of a header, if there is one and it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.header(name)
    }

    /// The content as text; bytes that are no UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        self.response.text()
    }

    /// The content as a value. On the frame: for content of many KiB see
    /// [`on_json`](crate::HttpEntityCommandsExt::on_json).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidJson`](httpoll::ErrorKind::InvalidJson).
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.response.json()
    }

    /// The file that a download left.
    pub fn saved(&self) -> Option<&SavedFile> {
        self.response.saved()
    }

    /// Itself, or an error when the status is 400 or above.
    ///
    /// # Errors
    /// [`ErrorKind::Status`](httpoll::ErrorKind::Status).
    pub fn error_for_status(&self) -> Result<&Self, Error> {
        match self.status() {
            status @ 400.. => Err(httpoll::ErrorKind::Status(status).into()),
            _ => Ok(self),
        }
    }
}

/// A request failed, or the client of an [`HttpClientNode`](crate::HttpClientNode) did.
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpError {
    /// Who is told: the entity of the request or the node, then its owner.
    #[event_target]
    pub entity: Entity,
    /// The entity of the request or the node.
    pub request: Entity,
    /// What failed, in which phase, at which host, and whether a retry makes sense.
    pub error: Error,
    /// The response, as far as it had come.
    pub response: Option<Arc<Response>>,
}

/// A request's phase changed. One event for each change, in order, also for those that happened
/// within one poll.
#[derive(EntityEvent, Clone, Copy, Debug, PartialEq, Eq)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpPhaseChanged {
    /// Who is told: the request's entity, then its owner.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// The phase before.
    pub from: HttpPhase,
    /// The phase after.
    pub to: HttpPhase,
}

/// The head of a [streamed](crate::HttpStream) response is there.
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpHead {
    /// Who is told: the request's entity, then its owner.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// Status, version and header lines.
    pub head: ResponseHead,
    /// Bytes of content to come, if the server said.
    pub content_length: Option<u64>,
}

/// A piece of a response's content, decoded: of a request, or of a node with
/// [`HttpStream`](crate::HttpStream).
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpChunk {
    /// Who is told: the entity of the request or the node, then its owner.
    #[event_target]
    pub entity: Entity,
    /// The entity of the request or the node.
    pub request: Entity,
    /// The piece. Cheap to clone.
    pub bytes: Bytes,
}

/// A request with [`HttpStream`](crate::HttpStream), [`HttpDownload`](crate::HttpDownload) or
/// [`HttpUpload`](crate::HttpUpload) moved on. At most one a frame. Others have the component
/// [`HttpProgress`] only.
#[derive(EntityEvent, Clone, Copy, Debug, PartialEq, Eq)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpProgressed {
    /// Who is told: the request's entity, then its owner.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// How far it is.
    pub progress: HttpProgress,
}

/// An event of an event stream; see [`HttpStream::ServerSentEvents`](crate::HttpStream).
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpServerSentEvent {
    /// Who is told: the request's entity, then its owner.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// What the server said.
    pub event: ServerSentEvent,
}

/// A WebSocket is open.
#[cfg(feature = "websocket")]
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpWebSocketOpened {
    /// Who is told: the request's entity, then its owner.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// The subprotocol agreed upon.
    pub subprotocol: Option<String>,
}

/// A message of a WebSocket.
#[cfg(feature = "websocket")]
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpWebSocketMessage {
    /// Who is told: the request's entity, then its owner.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// What the peer said.
    pub message: WebSocketMessage,
}

/// The peer closes a WebSocket. [`HttpResponse`] follows when the connection is closed.
#[cfg(feature = "websocket")]
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpWebSocketClosed {
    /// Who is told: the request's entity, then its owner.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// Code and reason, if it gave any.
    pub frame: Option<CloseFrame>,
}

/// Trigger it to send a message over the open WebSocket of this request. One that cannot be sent
/// is logged and dropped; [`HttpAgent::send_message`](crate::HttpAgent::send_message) tells why.
#[cfg(feature = "websocket")]
#[derive(EntityEvent, Clone, Debug)]
pub struct SendWebSocketMessage {
    /// The request's entity.
    #[event_target]
    pub request: Entity,
    /// What to say. [`WebSocketMessage::Close`] begins the closing handshake.
    pub message: WebSocketMessage,
}

/// Trigger it to cancel a request: its socket is closed and its files are removed at once, its phase
/// becomes [`HttpPhase::Cancelled`], nothing else is told of it, and its entity is despawned unless
/// it has [`KeepRequest`](crate::KeepRequest). A request that is over is left alone.
#[derive(EntityEvent, Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelHttp {
    /// The request's entity.
    #[event_target]
    pub request: Entity,
}

/// The status of a node changed. One event for each transition, in order, also for those that
/// happened within one poll.
#[derive(EntityEvent, Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpStatusChanged {
    /// The entity of the node.
    #[event_target]
    pub entity: Entity,
    /// The status before.
    pub from: Status,
    /// The status after.
    pub to: Status,
}

/// A request ended, for those who read all traffic at once: logs, batches, `FixedUpdate`, tests.
/// Written before the observers of [`HttpResponse`] and [`HttpError`] run; once for each of them.
#[derive(Message, Clone, Debug)]
pub struct HttpFinished {
    /// The request's entity. It may be gone by now.
    pub request: Entity,
    /// Who asked, if anybody is [named](RequestedBy).
    pub owner: Option<Entity>,
    /// How it ended.
    pub outcome: Result<Arc<Response>, Error>,
}

/// How a request ended, with its content as a value; see
/// [`on_json`](HttpEntityCommandsExt::on_json). It does not go on to the owner: an owner that wants
/// values calls `on_json` itself.
#[derive(EntityEvent, Debug)]
pub struct HttpJson<T: Send + Sync + 'static> {
    /// The entity that `on_json` was called for.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// The value. An error when the request failed, when the status was 400 or above
    /// ([`ErrorKind::Status`]), or when the content was not such a value
    /// ([`ErrorKind::InvalidJson`]).
    pub result: Result<T, Error>,
    /// The response, if one came, also with an error: its status and content say more.
    pub response: Option<Arc<Response>>,
}
