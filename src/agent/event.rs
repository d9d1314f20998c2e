//! What an agent reports: [`Event`]s, pulled by [`Agent::next_event`](crate::Agent::next_event) after a poll.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use url::Url;

use super::id::RequestId;
use super::pool::QueueReason;
use super::response::{Response, without_query};
#[cfg(feature = "websocket")]
use super::web_socket::cost;
use crate::error::Error;
use crate::phase::Phase;
use crate::proto::{RequestHead, ResponseHead};
use crate::semantics::event_stream::ServerSentEvent;
use crate::semantics::frames::Message;

/// What happened to a request. Every request ends with exactly one [`Done`](Self::Done) or
/// [`Failed`](Self::Failed), unless it is cancelled; a cancelled request causes no more events.
///
/// Events of one request are delivered in the order in which things happened. Events without an
/// [`id`](Self::id) are those of the agent.
///
/// ```
/// use httpoll::{Agent, Event};
///
/// fn take_events(agent: &mut Agent) {
///     while let Some(event) = agent.next_event() {
///         match event {
///             Event::Progress { progress, .. } => println!("{:?}", progress.fraction()),
///             Event::Done { response, .. } => println!("{}", response.status()),
///             Event::Failed { error, .. } if error.is_retryable() => println!("later: {error}"),
///             Event::Failed { error, .. } => println!("{error}"),
///             _ => {} // most games need no others
///         }
///     }
/// }
/// # take_events(&mut Agent::new());
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Event {
    /// The request waits for a connection: the [pool](crate::agent::PoolLimits) allows no more now. It is in
    /// [`Phase::Queue`].
    Queued {
        /// The id of the request.
        id: RequestId,
    },
    /// The request has waited for a connection for 5 s, and still waits. Polls count up to a second each: a long
    /// frame is not a long wait. Reported once for each time that the request waits. If this happens often,
    /// raise the limit that [`reason`](Self::StillQueued::reason) names, end what holds the connections, or give
    /// the request a higher [priority](crate::Priority).
    StillQueued {
        /// The id of the request.
        id: RequestId,
        /// How long it has waited.
        waited: Duration,
        /// What it waits for.
        reason: QueueReason,
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
        /// The id of the request.
        id: RequestId,
        /// The phase that it is in now.
        phase: Phase,
    },
    /// A redirect is followed (RFC 9110 §15.4).
    Redirect {
        /// The id of the request.
        id: RequestId,
        /// The redirect's status.
        status: StatusCode,
        /// Where to.
        location: Url,
    },
    /// An attempt failed, and the [retry policy](crate::RetryPolicy) lets the request be sent again. It is in
    /// [`Phase::AwaitRetry`].
    WillRetry {
        /// The id of the request.
        id: RequestId,
        /// How often the request was sent so far.
        attempt: u32,
        /// The time until the next attempt.
        after: Duration,
        /// Why it is sent again.
        cause: RetryCause,
    },
    /// A request head is sent, with [`report_heads`](crate::agent::RequestOptions::report_heads).
    HeadSent {
        /// The id of the request.
        id: RequestId,
        /// The head, as on the wire.
        head: RequestHead,
    },
    /// A response head was received, with [`report_heads`](crate::agent::RequestOptions::report_heads): of an
    /// interim response, a proxy's response to `CONNECT`, a redirect, a challenge, a response that is retried,
    /// or the final response.
    HeadReceived {
        /// The id of the request.
        id: RequestId,
        /// The head.
        head: ResponseHead,
    },
    /// The head of the final response was received.
    Head {
        /// The id of the request.
        id: RequestId,
        /// The head; the response will have the same.
        head: Arc<ResponseHead>,
        /// The URL after redirects; the response will have the same.
        url: Arc<Url>,
        /// The length of the content in bytes, before content codings are undone, if the server sent it.
        content_length: Option<u64>,
    },
    /// How far the request is. There is at most one such event per request at a time; it has the values of the
    /// moment when it is pulled.
    Progress {
        /// The id of the request.
        id: RequestId,
        /// Phase and bytes.
        progress: Progress,
    },
    /// A piece of content of a [streaming](crate::Request::stream) request.
    Chunk {
        /// The id of the request.
        id: RequestId,
        /// The piece, with content codings undone.
        bytes: Bytes,
    },
    /// An event of an [event stream](crate::Request::event_stream).
    ServerSent {
        /// The id of the request.
        id: RequestId,
        /// The event.
        event: ServerSentEvent,
    },
    /// A message of the content of a request with a [framing](crate::Request::messages).
    Message {
        /// The id of the request.
        id: RequestId,
        /// The message. [`json`](Message::json) makes a value of it.
        message: Message,
    },
    /// A [WebSocket](crate::Request::web_socket) is open.
    #[cfg(feature = "websocket")]
    WebSocketOpen {
        /// The id of the request.
        id: RequestId,
        /// The response that opened it.
        head: ResponseHead,
        /// The subprotocol agreed upon.
        subprotocol: Option<String>,
    },
    /// A message of a WebSocket.
    #[cfg(feature = "websocket")]
    WebSocketMessage {
        /// The id of the request.
        id: RequestId,
        /// The message.
        message: crate::semantics::websocket::WebSocketMessage,
    },
    /// The server sent a close frame (RFC 6455 §5.5.1). [`Done`](Self::Done) follows when the connection is
    /// closed.
    #[cfg(feature = "websocket")]
    WebSocketClosed {
        /// The id of the request.
        id: RequestId,
        /// Code and reason, if the frame has them.
        frame: Option<crate::semantics::websocket::CloseFrame>,
    },
    /// The request is finished and its response complete.
    Done {
        /// The id of the request.
        id: RequestId,
        /// The response.
        response: Box<Response>,
    },
    /// The request failed.
    Failed {
        /// The id of the request.
        id: RequestId,
        /// Why.
        error: Error,
        /// The response as far as it was received: its head, and the content that was collected. `None` if no
        /// head was received.
        response: Option<Box<Response>>,
    },
    /// The cache has a newer response than the stale one that a request got. The server allows that for a time with
    /// `stale-while-revalidate` (RFC 5861 §3): the stale response is delivered at once, and the agent asks the server
    /// for a fresh one in the background.
    ///
    /// This is an event of the agent, not of the request, which has ended: [`id`](Self::id) is `None`, and it is
    /// reported even if the request was cancelled meanwhile. There is one such request per URL at a time, with
    /// [`Priority::Background`](crate::Priority::Background) and otherwise the settings of the request that got the
    /// stale response. If it fails, or the server responds with an error that must not be stored, nothing is
    /// reported and the stale response stays.
    #[cfg(feature = "cache")]
    CacheUpdated {
        /// The URL of the stale response.
        url: Arc<Url>,
        /// The request that got the stale response first.
        served: RequestId,
        /// The fresh response. [`is_from_cache`](Response::is_from_cache) says that the server confirmed the stored
        /// content.
        response: Box<Response>,
    },
    /// The agent is [suspended](crate::Agent::suspend): all connections are closed.
    Suspended,
}

/// What an event counts against the limits of undelivered content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unpulled {
    pub(crate) bytes: usize,
    pub(crate) messages: usize,
}

/// The memory of a server-sent event besides its data, in bytes.
pub(crate) const EVENT_COST: usize = 64;

impl fmt::Debug for Event {
    /// URLs without their queries, content by its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Queued { .. } => "Queued",
            Self::StillQueued { .. } => "StillQueued",
            Self::Phase { .. } => "Phase",
            Self::Redirect { .. } => "Redirect",
            Self::WillRetry { .. } => "WillRetry",
            Self::HeadSent { .. } => "HeadSent",
            Self::HeadReceived { .. } => "HeadReceived",
            Self::Head { .. } => "Head",
            Self::Progress { .. } => "Progress",
            Self::Chunk { .. } => "Chunk",
            Self::ServerSent { .. } => "ServerSent",
            Self::Message { .. } => "Message",
            #[cfg(feature = "websocket")]
            Self::WebSocketOpen { .. } => "WebSocketOpen",
            #[cfg(feature = "websocket")]
            Self::WebSocketMessage { .. } => "WebSocketMessage",
            #[cfg(feature = "websocket")]
            Self::WebSocketClosed { .. } => "WebSocketClosed",
            Self::Done { .. } => "Done",
            Self::Failed { .. } => "Failed",
            #[cfg(feature = "cache")]
            Self::CacheUpdated { .. } => "CacheUpdated",
            Self::Suspended => "Suspended",
        };
        let mut shown = f.debug_struct(name);
        if let Some(id) = self.id() {
            shown.field("id", &id);
        }
        match self {
            Self::StillQueued { waited, reason, .. } => {
                shown.field("waited", waited).field("reason", reason)
            }
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
            Self::Message { message, .. } => shown.field("bytes", &message.data.len()),
            Self::Done { response, .. } => shown.field("response", response),
            Self::Failed {
                error, response, ..
            } => shown.field("error", error).field("response", response),
            #[cfg(feature = "cache")]
            Self::CacheUpdated {
                url,
                served,
                response,
            } => shown
                .field("url", &without_query(url))
                .field("served", served)
                .field("response", response),
            _ => &mut shown,
        }
        .finish_non_exhaustive()
    }
}

/// Why a request is sent again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RetryCause {
    /// The attempt failed with this error.
    Error(Error),
    /// The response had this status.
    Status(StatusCode),
    /// The event stream ended and is opened again.
    StreamEnded,
}

/// How far a request is: its phase, and bytes of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The phase that the request is in.
    pub phase: Phase,
    /// Bytes of request content sent. In a browser this is true of uploads of at least 64 KiB; see
    /// [the table of the web](crate#on-the-web). Of other content these are the bytes that the browser was given.
    pub sent: u64,
    /// The length of the request content in bytes, if known.
    pub to_send: Option<u64>,
    /// Bytes of response content received, before content codings are undone, including those that a resumed
    /// download already had.
    pub received: u64,
    /// The length of the response content in bytes, if the server sent it.
    pub to_receive: Option<u64>,
}

impl Event {
    /// The request that the event belongs to; `None` for an event of the agent.
    pub fn id(&self) -> Option<RequestId> {
        match self {
            Self::Queued { id }
            | Self::StillQueued { id, .. }
            | Self::Phase { id, .. }
            | Self::Redirect { id, .. }
            | Self::WillRetry { id, .. }
            | Self::HeadSent { id, .. }
            | Self::HeadReceived { id, .. }
            | Self::Head { id, .. }
            | Self::Progress { id, .. }
            | Self::Chunk { id, .. }
            | Self::ServerSent { id, .. }
            | Self::Message { id, .. }
            | Self::Done { id, .. }
            | Self::Failed { id, .. } => Some(*id),
            #[cfg(feature = "websocket")]
            Self::WebSocketOpen { id, .. }
            | Self::WebSocketMessage { id, .. }
            | Self::WebSocketClosed { id, .. } => Some(*id),
            #[cfg(feature = "cache")]
            Self::CacheUpdated { .. } => None,
            Self::Suspended => None,
        }
    }

    /// What the event counts against the limits of undelivered content of its request.
    pub(crate) fn unpulled(&self) -> Unpulled {
        let bytes = match self {
            Self::Chunk { bytes, .. } => bytes.len(),
            Self::ServerSent { event, .. } => event.data.len() + EVENT_COST,
            Self::Message { message, .. } => message.cost(),
            #[cfg(feature = "websocket")]
            Self::WebSocketMessage { message, .. } => cost(message),
            _ => 0,
        };
        Unpulled {
            bytes,
            messages: usize::from(matches!(self, Self::Message { .. })),
        }
    }

    /// Whether this is an event of one of these requests, which are sorted.
    pub(crate) fn is_of(&self, ids: &[RequestId]) -> bool {
        self.id().is_some_and(|id| ids.binary_search(&id).is_ok())
    }

    /// Whether this is the last event of its request.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed { .. })
    }
}

impl Progress {
    /// The part of the response content that was received, from 0 to 1, if its length is known.
    pub fn fraction(&self) -> Option<f32> {
        let total = self.to_receive.filter(|total| *total > 0)?;
        // Precision is lost above 16 million bytes, where it is not visible.
        #[allow(clippy::cast_precision_loss)]
        Some((self.received as f32 / total as f32).min(1.0))
    }
}
