//! The events of requests and nodes, and the one buffered message.
//!
//! Entity events are triggered at the request's entity and propagate to its owner (see
//! [`RequestedBy`]). Two things follow. `entity` is the entity that observes: in an observer of the owner
//! it is the owner, while `request` is always the request. And a global observer runs once for each of
//! the two: compare `entity` with `request`, or read [`HttpFinished`].

use std::sync::Arc;

use bevy_ecs::entity::Entity;
use bevy_ecs::event::EntityEvent;
#[cfg(feature = "cache")]
use bevy_ecs::event::Event;
use bevy_ecs::message::Message;
use httpoll::agent::HttpRequestResult;
use httpoll::frames::Message as FramedMessage;
use httpoll::proto::{FieldLines, ResponseHead};
#[cfg(feature = "websocket")]
use httpoll::websocket::{CloseFrame, WebSocketMessage};
use httpoll::{Bytes, Error, Response, Status, agent::SavedFile, event_stream::ServerSentEvent};
use serde_core::de::DeserializeOwned;

use crate::components::owner::RequestedBy;
use crate::components::phase::HttpPhase;
use crate::components::progress::HttpProgress;

/// A response arrived completely.
///
/// Each request that is not cancelled, and each round of one that [repeats](crate::HttpRepeat), triggers
/// exactly one of this and [`HttpError`]. Any status code is a response, also 404 and 500: see
/// [`is_success`](Self::is_success) and [`error_for_status`](Self::error_for_status).
///
/// ```
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// fn show(on: On<HttpResponse>) {
///     match on.error_for_status() {
///         Ok(response) => println!("{}", response.text()),
///         Err(error) => println!("{error}"),
///     }
/// }
/// # World::new().add_observer(show);
/// ```
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpResponse {
    /// The entity that observes: the request's, then its owner's.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// The content. Cheap to clone. Empty if it was [streamed](crate::HttpStream) or written to a
    /// [file](crate::HttpDownload).
    pub body: Bytes,
    /// The whole response: head, timings, redirects, connection.
    pub response: Arc<Response>,
}

impl HttpResponse {
    /// The status code, such as 200.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        self.response.status().is_success()
    }

    /// The header fields.
    pub fn headers(&self) -> &FieldLines {
        self.response.headers()
    }

    /// The first value of a header field, if it exists and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.header(name)
    }

    /// The content as text; invalid UTF-8 becomes U+FFFD.
    pub fn text(&self) -> String {
        self.response.text()
    }

    /// The content parsed as JSON, during the frame. For large content use
    /// [`on_json`](crate::HttpEntityCommandsExt::on_json).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidJson`](httpoll::ErrorKind::InvalidJson).
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.response.json()
    }

    /// The file that a download wrote.
    pub fn saved(&self) -> Option<&SavedFile> {
        self.response.saved()
    }

    /// Returns itself, or an error if the status is 400 or above.
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
///
/// ```
/// # use bevy_ecs::prelude::*;
/// # use bevy_httpoll::prelude::*;
/// fn show(on: On<HttpError>) {
///     match on.error.is_retryable() {
///         true => println!("try again later: {}", on.error),
///         false => println!("{}", on.error),
///     }
/// }
/// # World::new().add_observer(show);
/// ```
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpError {
    /// The entity that observes: the request's or node's, then its owner's.
    #[event_target]
    pub entity: Entity,
    /// The entity of the request or node.
    pub request: Entity,
    /// What failed, in which phase, at which host, and whether a retry makes sense.
    pub error: Error,
    /// The response, as far as it had arrived.
    pub response: Option<Arc<Response>>,
}

impl HttpError {
    /// The code that Godot's `HTTPRequest` would report for this error.
    pub fn result(&self) -> HttpRequestResult {
        HttpRequestResult::from(&self.error)
    }
}

/// A request's phase changed. There is one event per change, in order, also for several changes within one
/// poll.
#[derive(EntityEvent, Clone, Copy, Debug, PartialEq, Eq)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpPhaseChanged {
    /// The entity that observes: the request's, then its owner's.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// The phase before.
    pub from: HttpPhase,
    /// The phase after.
    pub to: HttpPhase,
}

/// The head of a [streamed](crate::HttpStream) response arrived.
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpHead {
    /// The entity that observes: the request's, then its owner's.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// Status, version and header fields.
    pub head: ResponseHead,
    /// The length of the content in bytes, if the server reported it.
    pub content_length: Option<u64>,
}

/// A piece of decoded response content, of a request or a node with [`HttpStream`](crate::HttpStream).
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpChunk {
    /// The entity that observes: the request's or node's, then its owner's.
    #[event_target]
    pub entity: Entity,
    /// The entity of the request or node.
    pub request: Entity,
    /// The piece. Cheap to clone.
    pub bytes: Bytes,
}

/// A request with [`HttpStream`](crate::HttpStream), [`HttpDownload`](crate::HttpDownload) or
/// [`HttpUpload`](crate::HttpUpload) made progress. At most one per frame, and the whole at the end. Other
/// requests only update the component [`HttpProgress`].
#[derive(EntityEvent, Clone, Copy, Debug, PartialEq, Eq)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpProgressed {
    /// The entity that observes: the request's, then its owner's.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// The progress so far.
    pub progress: HttpProgress,
}

/// An event of an event stream arrived; see [`HttpStream::ServerSentEvents`](crate::HttpStream).
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpServerSentEvent {
    /// The entity that observes: the request's, then its owner's.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// The server's event.
    pub event: ServerSentEvent,
}

/// A message of the content of a request with a [framing](crate::HttpStream::Messages), as it arrived. For values
/// of a type see [`on_message`](crate::HttpEntityCommandsExt::on_message).
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpFramedMessage {
    /// The entity that observes: the request's, then its owner's.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// The message.
    pub message: FramedMessage,
}

/// A message of the content of a request with a [framing](crate::HttpStream::Messages), parsed as JSON; see
/// [`on_message`](crate::HttpEntityCommandsExt::on_message). It does not propagate to the owner: call `on_message`
/// on the owner for that.
#[derive(EntityEvent, Debug)]
pub struct HttpMessage<T: Send + Sync + 'static> {
    /// The entity that `on_message` was called for.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// The value, or [`ErrorKind::InvalidJson`](httpoll::ErrorKind::InvalidJson) if this message is not such a
    /// value. Other messages are not affected.
    pub result: Result<T, Error>,
}

/// A WebSocket opened.
#[cfg(feature = "websocket")]
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpWebSocketOpened {
    /// The entity that observes: the request's, then its owner's.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// The agreed subprotocol.
    pub subprotocol: Option<String>,
}

/// A WebSocket message arrived.
#[cfg(feature = "websocket")]
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpWebSocketMessage {
    /// The entity that observes: the request's, then its owner's.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// The peer's message.
    pub message: WebSocketMessage,
}

/// The peer closes a WebSocket. [`HttpResponse`] follows when the connection is closed.
#[cfg(feature = "websocket")]
#[derive(EntityEvent, Clone, Debug)]
#[entity_event(propagate = &'static RequestedBy, auto_propagate)]
pub struct HttpWebSocketClosed {
    /// The entity that observes: the request's, then its owner's.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// Code and reason, if the peer sent any.
    pub frame: Option<CloseFrame>,
}

/// Trigger it to send a message over the open WebSocket of this request. If the message cannot be sent, the
/// log says why; [`HttpAgent::send_message`](crate::HttpAgent::send_message) returns the reason instead.
#[cfg(feature = "websocket")]
#[derive(EntityEvent, Clone, Debug)]
pub struct SendWebSocketMessage {
    /// The request's entity.
    #[event_target]
    pub request: Entity,
    /// The message. [`WebSocketMessage::Close`] begins the closing handshake.
    pub message: WebSocketMessage,
}

/// Trigger it to cancel a request. Its socket closes and its files are removed at once, its phase becomes
/// [`HttpPhase::Cancelled`], and [`HttpFinished`] is written; no other event follows. Its entity is then
/// cleaned up like that of a finished request. A request that has finished already is not affected.
#[derive(EntityEvent, Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelHttp {
    /// The request's entity.
    #[event_target]
    pub request: Entity,
}

/// The status of a node changed. There is one event per transition, in order, also for several transitions
/// within one poll.
#[derive(EntityEvent, Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpStatusChanged {
    /// The node's entity.
    #[event_target]
    pub entity: Entity,
    /// The status before.
    pub from: Status,
    /// The status after.
    pub to: Status,
}

/// The cache has a newer response than the stale one that a request got. Observe it globally: the request has ended.
///
/// A server allows that with `Cache-Control: stale-while-revalidate` (RFC 5861 §3). The request gets its
/// [`HttpResponse`] at once, with [`is_from_cache`](httpoll::Response::is_from_cache), and the fresh response follows
/// with this event. If the server cannot be reached, nothing follows.
#[cfg(feature = "cache")]
#[derive(Event, Clone, Debug)]
pub struct HttpCacheUpdated {
    /// The URL of the stale response.
    pub url: String,
    /// The fresh response.
    pub response: Arc<Response>,
}

/// A request ended. A message for systems that read all traffic at once: logs, batches, `FixedUpdate`,
/// tests. It is written once for each [`HttpResponse`] and [`HttpError`], before their observers run, and
/// for each request that [`CancelHttp`] cancels. Despawning a request writes none.
///
/// Bevy keeps a message until each fixed step could read it. While there is no fixed step, such as with `Time<Virtual>`
/// paused, at least the last 1024 are kept, fewer if they hold more than 32 MiB of content.
#[derive(Message, Clone, Debug)]
pub struct HttpFinished {
    /// The request's entity. It may not exist any more.
    pub request: Entity,
    /// The request's owner, if it has [`RequestedBy`].
    pub owner: Option<Entity>,
    /// The response, the error, or that it was cancelled.
    pub outcome: HttpOutcome,
}

/// How a request ended; see [`HttpFinished`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HttpOutcome {
    /// A response arrived completely, whatever its status.
    Done(Arc<Response>),
    /// The request failed.
    Failed(Error),
    /// [`CancelHttp`] cancelled the request.
    Cancelled,
}

impl HttpOutcome {
    /// The response, if there is one.
    pub fn response(&self) -> Option<&Response> {
        match self {
            Self::Done(response) => Some(response),
            Self::Failed(_) | Self::Cancelled => None,
        }
    }

    /// The error, if the request failed.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Done(_) | Self::Cancelled => None,
        }
    }
}

/// How a request ended, with its content parsed as JSON; see
/// [`on_json`](crate::HttpEntityCommandsExt::on_json). It does not propagate to the owner: call `on_json` on
/// the owner for that.
#[derive(EntityEvent, Debug)]
pub struct HttpJson<T: Send + Sync + 'static> {
    /// The entity that `on_json` was called for.
    #[event_target]
    pub entity: Entity,
    /// The request's entity.
    pub request: Entity,
    /// The value. An error if the request failed, if the status is 400 or above
    /// ([`ErrorKind::Status`](httpoll::ErrorKind::Status)), or if the content is not such a value
    /// ([`ErrorKind::InvalidJson`](httpoll::ErrorKind::InvalidJson)).
    pub result: Result<T, Error>,
    /// The response, if one arrived. With an error its status and content may say more.
    pub response: Option<Arc<Response>>,
}
