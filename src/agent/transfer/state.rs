//! Where a transfer stands ([`State`]), and the response of its present hop as far as it has arrived
//! ([`ResponseState`]).
//!
//! Each variant holds what exists only there, so that nothing can contradict it.
//!
//! ```text
//!  Opening ─► Queued ─► Connecting ─► Sent ─► Receiving ─► Received ─► (Committing) ─► over
//!     ▲                                │          │           │
//!     └───────── Waiting ◄─────────────┴──────────┴───────────┘     next hop, next attempt
//! ```
//! A WebSocket goes from `Sent` to `WebSocket`. A pause before there is a connection, and suspending the
//! agent, lead to `Suspended`.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;

use super::next_action::NextAction;
use crate::agent::pool::{ConnectionKey, HostKey, Place};
use crate::agent::response::Response;
use crate::agent::validators::{is_same_version, strong, validator};
#[cfg(feature = "websocket")]
use crate::agent::web_socket::OpenSocket;
use crate::clock::Instant;
use crate::error::{Error, ErrorKind};
use crate::limits::Limit;
use crate::phase::Phase;
use crate::proto::{FieldLines, ResponseHead};
use crate::semantics::coding::Decoder;
use crate::semantics::range::ContentRange;

/// The most content that is read of a response that is not wanted, so that its connection can serve again.
pub(crate) const MAX_DISCARDED_BYTES: u64 = 64 * 1024;

/// Where a transfer stands.
#[derive(Debug)]
pub(crate) enum State {
    /// Waits for its files to be opened.
    Opening,
    /// Waits for a connection.
    Queued(Queued),
    /// Has a connection, which may not be open yet. Nothing of the request was given to it.
    Connecting { connection: ConnectionKey },
    /// The request was given to the connection.
    Sent { connection: ConnectionKey },
    /// The final response has begun.
    Receiving {
        connection: ConnectionKey,
        response: ResponseState,
    },
    /// The server switched to WebSocket.
    #[cfg(feature = "websocket")]
    WebSocket {
        connection: ConnectionKey,
        response: ResponseState,
        socket: Box<OpenSocket>,
    },
    /// The response has ended, and the connection is given back or closed.
    Received { response: ResponseState },
    /// All content is there, and the file is being finished.
    Committing { response: ResponseState },
    /// Waits to be sent again.
    Waiting { until: Instant },
    /// Is held back: it is paused, the agent is suspended, or its last event was reported.
    Suspended,
}

/// A transfer's place in the queue for a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queued {
    pub(crate) host: HostKey,
    pub(crate) place: Place,
    /// Since when it waits, in active time.
    pub(crate) since: Instant,
    /// Whether the caller knows that it waits.
    pub(crate) reported: bool,
    /// Whether the caller knows that it waits for long.
    pub(crate) is_long_reported: bool,
    /// When it must have left the queue, in active time.
    pub(crate) deadline: Option<Instant>,
}

/// What a transfer occupies besides its files.
#[derive(Debug)]
pub(crate) enum Holding {
    Nothing,
    Place(HostKey, Place),
    Connection(ConnectionKey),
    #[cfg(feature = "websocket")]
    WebSocket(ConnectionKey, Box<OpenSocket>),
}

impl State {
    /// The connection that it has.
    pub(crate) fn connection(&self) -> Option<ConnectionKey> {
        match self {
            Self::Connecting { connection }
            | Self::Sent { connection }
            | Self::Receiving { connection, .. } => Some(*connection),
            #[cfg(feature = "websocket")]
            Self::WebSocket { connection, .. } => Some(*connection),
            _ => None,
        }
    }

    /// Whether it has a connection that was given the request.
    pub(crate) fn is_sent(&self) -> bool {
        self.connection().is_some() && !matches!(self, Self::Connecting { .. })
    }

    /// The response, once its head is there.
    pub(crate) fn response(&self) -> Option<&ResponseState> {
        match self {
            Self::Receiving { response, .. }
            | Self::Received { response }
            | Self::Committing { response } => Some(response),
            #[cfg(feature = "websocket")]
            Self::WebSocket { response, .. } => Some(response),
            _ => None,
        }
    }

    pub(crate) fn response_mut(&mut self) -> Option<&mut ResponseState> {
        match self {
            Self::Receiving { response, .. }
            | Self::Received { response }
            | Self::Committing { response } => Some(response),
            #[cfg(feature = "websocket")]
            Self::WebSocket { response, .. } => Some(response),
            _ => None,
        }
    }

    /// Takes the response of an exchange that failed; what else there is stays.
    pub(crate) fn take_response(&mut self) -> Option<ResponseState> {
        let (next, response) = match std::mem::replace(self, Self::Suspended) {
            Self::Receiving {
                connection,
                response,
            } => (Self::Sent { connection }, Some(response)),
            Self::Received { response } | Self::Committing { response } => {
                (Self::Suspended, Some(response))
            }
            other => (other, None),
        };
        *self = next;
        response
    }

    /// The exchange is over: the connection belongs to the pool again.
    pub(crate) fn end_exchange(&mut self) {
        if let Some(response) = self.take_response() {
            *self = Self::Received { response };
        }
    }

    /// The file is being finished.
    pub(crate) fn commit(&mut self) {
        if let Some(response) = self.take_response() {
            *self = Self::Committing { response };
        }
    }

    /// Takes everything: the response as far as it came, and what the transfer occupies.
    pub(crate) fn take(&mut self) -> (Option<ResponseState>, Holding) {
        match std::mem::replace(self, Self::Suspended) {
            Self::Queued(Queued { host, place, .. }) => (None, Holding::Place(host, place)),
            Self::Connecting { connection } | Self::Sent { connection } => {
                (None, Holding::Connection(connection))
            }
            Self::Receiving {
                connection,
                response,
            } => (Some(response), Holding::Connection(connection)),
            #[cfg(feature = "websocket")]
            Self::WebSocket {
                connection,
                response,
                socket,
            } => (Some(response), Holding::WebSocket(connection, socket)),
            Self::Received { response } | Self::Committing { response } => {
                (Some(response), Holding::Nothing)
            }
            Self::Opening | Self::Waiting { .. } | Self::Suspended => (None, Holding::Nothing),
        }
    }

    /// Whether content is arriving that is wanted soon.
    pub(crate) fn is_receiving(&self) -> bool {
        matches!(self, Self::Receiving { response, .. }
            if !matches!(response.sink, Sink::EventStream))
    }

    /// Whether content is on its way to a file.
    pub(crate) fn is_writing(&self) -> bool {
        matches!(self, Self::Receiving { response, .. } if matches!(response.sink, Sink::File))
    }

    /// Whether something is under way that the agent waits for when it is being suspended.
    pub(crate) fn is_under_way(&self) -> bool {
        !matches!(
            self,
            Self::Queued(_) | Self::Waiting { .. } | Self::Suspended
        )
    }

    /// What the transfer is doing, as far as it knows without its connection.
    pub(crate) fn phase(&self) -> Phase {
        match self {
            Self::Opening | Self::Queued(_) | Self::Suspended => Phase::Queue,
            Self::Waiting { .. } => Phase::AwaitRetry,
            Self::Connecting { .. } => Phase::Connect,
            Self::Sent { .. } => Phase::AwaitHead,
            Self::Receiving { .. } | Self::Received { .. } | Self::Committing { .. } => {
                Phase::ReceiveBody
            }
            #[cfg(feature = "websocket")]
            Self::WebSocket { .. } => Phase::ReceiveBody,
        }
    }
}

/// The response of the present hop: how much of it has arrived, where its content goes, and what follows its
/// end.
#[derive(Debug)]
pub(crate) struct ResponseState {
    /// What the caller gets at the end, as far as it is known.
    pub(crate) result: Box<Response>,
    pub(crate) content_length: Option<u64>,
    pub(crate) sink: Sink,
    /// What is done when the response has ended.
    pub(crate) planned: NextAction,
    pub(crate) decoder: Option<Box<Decoder>>,
    /// Read from the connection and not decoded yet.
    pub(crate) undecoded: Bytes,
    /// Content bytes received, before decoding; and after.
    pub(crate) received: u64,
    pub(crate) decoded: u64,
    /// What was delivered, for a recorder.
    pub(crate) recorded: Option<Collected>,
}

/// Where the content goes.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Into memory. A single piece is not copied.
    Collect(Collected),
    Stream,
    File,
    EventStream,
    /// Nowhere: it is read so that the connection can serve again.
    Discard,
}

/// Content gathered in memory.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    first: Bytes,
    rest: Vec<u8>,
}

/// A response that was cut, and the validator of its version, so that the rest can be asked for.
#[derive(Debug)]
pub(crate) struct PartialResponse {
    /// The response as far as it arrived.
    pub(crate) response: Box<ResponseState>,
    pub(crate) if_range: String,
}

impl PartialResponse {
    /// `None`: the version of the content cannot be named.
    pub(crate) fn of(response: ResponseState) -> Option<Self> {
        let if_range = validator(response.fields()).as_ref().and_then(strong)?;
        Some(Self {
            response: Box::new(response),
            if_range,
        })
    }

    /// Whether a response continues where this one was cut (RFC 9110 §15.3.7): the same version of the
    /// content, from the right place.
    pub(crate) fn is_continued_by(&self, head: &ResponseHead) -> bool {
        let range = head.fields.get("content-range");
        let range = range.and_then(ContentRange::parse);
        let Some(ContentRange::Part { range, complete }) = range else {
            return false;
        };
        let total = self.response.total();
        head.status.as_u16() == 206
            && range.start == self.response.received
            && (total.is_none() || complete.is_none() || total == complete)
            // A part that ends before the content cannot complete it.
            && complete.or(total).is_none_or(|total| total == range.end)
            && is_same_version(&head.fields, &self.if_range)
    }
}

impl Collected {
    pub(crate) fn push(&mut self, piece: Bytes, expected: usize) {
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = piece;
            return;
        }
        if self.rest.is_empty() {
            self.rest
                .reserve(expected.max(self.first.len() + piece.len()));
            self.rest.extend_from_slice(&self.first);
            self.first = Bytes::new();
        }
        self.rest.extend_from_slice(&piece);
    }

    /// The content so far. It stays here, too.
    #[cfg(feature = "cache")]
    pub(crate) fn share(&mut self) -> Bytes {
        self.first = self.take();
        self.first.clone()
    }

    pub(crate) fn take(&mut self) -> Bytes {
        if self.rest.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            std::mem::take(&mut self.rest).into()
        }
    }
}

impl ResponseState {
    /// The fields of its head.
    pub(crate) fn fields(&self) -> &FieldLines {
        &self.result.head.fields
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.result.head.status
    }

    /// The length of the complete content, if it is known.
    fn total(&self) -> Option<u64> {
        let range = self.fields().get("content-range");
        match range.and_then(ContentRange::parse) {
            Some(ContentRange::Part { complete, .. }) => complete,
            _ => self.content_length,
        }
    }

    /// How many bytes of content are still to come, before decoding; `u64::MAX` if that is not known.
    pub(crate) fn left(&self) -> u64 {
        match self.content_length {
            Some(length) => length.saturating_sub(self.received),
            None => u64::MAX,
        }
    }

    /// A response of which only the head has arrived, and whose content is not wanted so far.
    pub(crate) fn new(head: Arc<ResponseHead>, planned: NextAction) -> Self {
        Self {
            result: Box::new(Response::of(head)),
            planned,
            content_length: None,
            sink: Sink::Discard,
            decoder: None,
            undecoded: Bytes::new(),
            received: 0,
            decoded: 0,
            recorded: None,
        }
    }

    /// Whether its content is read only so that the connection can serve again.
    pub(crate) fn is_discarded(&self) -> bool {
        matches!(self.sink, Sink::Discard)
    }

    /// Continues a response that was cut: to the caller both are one response.
    pub(crate) fn continue_from(&mut self, partial: PartialResponse) {
        let begun = *partial.response;
        self.result.head = begun.result.head;
        self.content_length = begun.content_length;
        self.received = begun.received;
        self.decoded = begun.decoded;
        self.sink = begun.sink;
    }

    /// Whether the caller has seen content of it.
    pub(crate) fn is_streamed(&self) -> bool {
        matches!(self.sink, Sink::Stream) && self.decoded > 0
    }
}

/// The error of content that is longer than `most`.
pub(crate) fn body_limit(most: u64) -> Error {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    ErrorKind::Limit(Limit::BodyBytes(most)).into()
}
