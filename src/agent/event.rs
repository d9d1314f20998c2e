//! What an agent tells, one by one: [`Event`]s, pulled by [`Agent::next_event`](crate::Agent::next_event)
//! after a poll.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use url::Url;

use super::id::RequestId;
use super::response::{Response, without_query};
#[cfg(feature = "websocket")]
use super::web_socket::cost;
use crate::error::Error;
use crate::phase::Phase;
use crate::proto::{RequestHead, ResponseHead};
use crate::semantics::event_stream::ServerSentEvent;

/// What happened. Every request ends with exactly one [`Done`](Self::Done) or
/// [`Failed`](Self::Failed), unless it was cancelled: then nothing more is told of it.
#[non_exhaustive]
pub enum Event {
    /// It waits for a connection, because as many as may be are in use.
    Queued {
        /// Which request.
        id: RequestId,
    },
    /// The request entered a phase of an attempt or hop.
    ///
    /// One attempt on a new connection goes through [`Resolve`](Phase::Resolve),
    /// [`Connect`](Phase::Connect), [`Tunnel`](Phase::Tunnel), [`TlsHandshake`](Phase::TlsHandshake),
    /// [`SendHead`](Phase::SendHead), [`AwaitContinue`](Phase::AwaitContinue),
    /// [`SendBody`](Phase::SendBody), [`AwaitHead`](Phase::AwaitHead) and
    /// [`ReceiveBody`](Phase::ReceiveBody), as far as each is needed; on a connection that exists already
    /// it starts at `SendHead`. A redirect or a retry starts over. `Resolve` (for a host name), `Connect`,
    /// `SendHead` and `ReceiveBody` (for a response with content) are always reported; the others only when
    /// they last longer than one poll. [`Queue`](Phase::Queue) is reported by [`Queued`](Self::Queued) and
    /// [`AwaitRetry`](Phase::AwaitRetry) by [`WillRetry`](Self::WillRetry).
    Phase {
        /// Which request.
        id: RequestId,
        /// The phase that it is in now.
        phase: Phase,
    },
    /// A redirect is followed (RFC 9110 §15.4).
    Redirect {
        /// Which request.
        id: RequestId,
        /// The redirect's status.
        status: StatusCode,
        /// Where to.
        location: Url,
    },
    /// It failed in a way that may pass, and will be sent again.
    WillRetry {
        /// Which request.
        id: RequestId,
        /// How often it was sent so far.
        attempt: u32,
        /// In how long.
        after: Duration,
        /// Why: the error, or the status that asked for it.
        cause: RetryCause,
    },
    /// A request head goes out, with a request that
    /// [reports its heads](crate::Request::report_heads).
    HeadSent {
        /// Which request.
        id: RequestId,
        /// The head, as on the wire.
        head: RequestHead,
    },
    /// A response head came in, with a request that [reports its heads](crate::Request::report_heads):
    /// of an interim response, a proxy's answer to `CONNECT`, a redirect, a challenge, a response
    /// that is retried, or the final one.
    HeadReceived {
        /// Which request.
        id: RequestId,
        /// The head.
        head: ResponseHead,
    },
    /// The head of the final response is there.
    Head {
        /// Which request.
        id: RequestId,
        /// The head; the response will have the same.
        head: Arc<ResponseHead>,
        /// The URL that answered; the response will have the same.
        url: Arc<Url>,
        /// Bytes of content to come, if the server said.
        content_length: Option<u64>,
    },
    /// How far it is. At most one per request and pull: what is told is what is now.
    Progress {
        /// Which request.
        id: RequestId,
        /// How far.
        progress: Progress,
    },
    /// A piece of content of a [streaming](crate::Request::stream) request.
    Chunk {
        /// Which request.
        id: RequestId,
        /// The piece, decoded.
        bytes: Bytes,
    },
    /// An event of an [event stream](crate::Request::event_stream).
    ServerSent {
        /// Which request.
        id: RequestId,
        /// The event.
        event: ServerSentEvent,
    },
    /// A [WebSocket](crate::Request::web_socket) is open.
    #[cfg(feature = "websocket")]
    WebSocketOpen {
        /// Which request.
        id: RequestId,
        /// The response that opened it.
        head: ResponseHead,
        /// The subprotocol agreed upon.
        subprotocol: Option<String>,
    },
    /// A message of a WebSocket.
    #[cfg(feature = "websocket")]
    WebSocketMessage {
        /// Which request.
        id: RequestId,
        /// The message.
        message: crate::semantics::websocket::WebSocketMessage,
    },
    /// The server said goodbye; [`Done`](Self::Done) follows when the connection is closed.
    #[cfg(feature = "websocket")]
    WebSocketClosed {
        /// Which request.
        id: RequestId,
        /// Code and reason, if it gave any.
        frame: Option<crate::semantics::websocket::CloseFrame>,
    },
    /// The response is whole.
    Done {
        /// Which request.
        id: RequestId,
        /// The response.
        response: Box<Response>,
    },
    /// It failed.
    Failed {
        /// Which request.
        id: RequestId,
        /// Why.
        error: Error,
        /// The response, as far as it came: its head, and the content that was collected.
        response: Option<Box<Response>>,
    },
    /// [Suspending](crate::Agent::suspend) is done: no connection is open.
    Suspended,
}

/// What a server-sent event costs beside its data.
pub(crate) const EVENT_COST: usize = 64;

impl fmt::Debug for Event {
    /// URLs without their queries, content by its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Queued { .. } => "Queued",
            Self::Phase { .. } => "Phase",
            Self::Redirect { .. } => "Redirect",
            Self::WillRetry { .. } => "WillRetry",
            Self::HeadSent { .. } => "HeadSent",
            Self::HeadReceived { .. } => "HeadReceived",
            Self::Head { .. } => "Head",
            Self::Progress { .. } => "Progress",
            Self::Chunk { .. } => "Chunk",
            Self::ServerSent { .. } => "ServerSent",
            #[cfg(feature = "websocket")]
            Self::WebSocketOpen { .. } => "WebSocketOpen",
            #[cfg(feature = "websocket")]
            Self::WebSocketMessage { .. } => "WebSocketMessage",
            #[cfg(feature = "websocket")]
            Self::WebSocketClosed { .. } => "WebSocketClosed",
            Self::Done { .. } => "Done",
            Self::Failed { .. } => "Failed",
            Self::Suspended => "Suspended",
        };
        let mut shown = f.debug_struct(name);
        if let Some(id) = self.id() {
            shown.field("id", &id);
        }
        match self {
            Self::Phase { phase, .. } => shown.field("phase", phase),
            Self::Redirect {
                status, location, ..
            } => shown
                .field("status", status)
                .field("location", &without_query(location)),
            Self::WillRetry {
                attempt,
                after,
                cause,
                ..
            } => shown
                .field("attempt", attempt)
                .field("after", after)
                .field("cause", cause),
            Self::HeadSent { head, .. } => shown.field("head", head),
            Self::HeadReceived { head, .. } => shown.field("head", head),
            Self::Head { head, url, .. } => {
                shown.field("head", head).field("url", &without_query(url))
            }
            Self::Progress { progress, .. } => shown.field("progress", progress),
            Self::Chunk { bytes, .. } => shown.field("bytes", &bytes.len()),
            Self::Done { response, .. } => shown.field("response", response),
            Self::Failed {
                error, response, ..
            } => shown.field("error", error).field("response", response),
            _ => &mut shown,
        }
        .finish_non_exhaustive()
    }
}

/// Why a request is sent again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RetryCause {
    /// It failed.
    Error(Error),
    /// The server answered with this status.
    Status(StatusCode),
    /// An event stream ended and is opened again.
    StreamEnded,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Bytes of request content sent.
    pub sent: u64,
    /// Bytes of request content in all, when known.
    pub to_send: Option<u64>,
    /// Bytes of response content received, before content codings were undone; with what a resumed
    /// download had already.
    pub received: u64,
    /// Bytes of response content in all, when the server said.
    pub to_receive: Option<u64>,
}

impl Event {
    /// Which request it is about; `None` for what is about the agent.
    pub fn id(&self) -> Option<RequestId> {
        match self {
            Self::Queued { id }
            | Self::Phase { id, .. }
            | Self::Redirect { id, .. }
            | Self::WillRetry { id, .. }
            | Self::HeadSent { id, .. }
            | Self::HeadReceived { id, .. }
            | Self::Head { id, .. }
            | Self::Progress { id, .. }
            | Self::Chunk { id, .. }
            | Self::ServerSent { id, .. }
            | Self::Done { id, .. }
            | Self::Failed { id, .. } => Some(*id),
            #[cfg(feature = "websocket")]
            Self::WebSocketOpen { id, .. }
            | Self::WebSocketMessage { id, .. }
            | Self::WebSocketClosed { id, .. } => Some(*id),
            Self::Suspended => None,
        }
    }

    /// How much it counts of what its request may have lying unpulled.
    pub(crate) fn unpulled(&self) -> usize {
        match self {
            Self::Chunk { bytes, .. } => bytes.len(),
            Self::ServerSent { event, .. } => event.data.len() + EVENT_COST,
            #[cfg(feature = "websocket")]
            Self::WebSocketMessage { message, .. } => cost(message),
            _ => 0,
        }
    }

    /// Whether this is the last that is told of its request.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed { .. })
    }
}

impl Progress {
    /// Received part of the content, 0 to 1, when its length is known.
    pub fn fraction(&self) -> Option<f32> {
        let total = self.to_receive.filter(|total| *total > 0)?;
        // Precision is lost above 16 million bytes, where nobody sees it.
        #[allow(clippy::cast_precision_loss)]
        Some((self.received as f32 / total as f32).min(1.0))
    }
}
