//! Where a transfer stands. Each variant holds what exists only there, so that nothing can contradict it.
//!
//! ```text
//!  Opening ─► Queued ─► Connecting ─► Sent ─► Receiving ─► Received ─► (Committing) ─► over
//!     ▲                                │          │           │
//!     └───────── Waiting ◄─────────────┴──────────┴───────────┘     next hop, next attempt
//! ```
//! A WebSocket goes from `Sent` to `WebSocket`. A pause before there is a connection, and suspending the
//! agent, lead to `Suspended`.

use super::response_state::{ResponseState, Sink};
use crate::agent::pool::{ConnectionKey, HostKey, Place};
#[cfg(feature = "websocket")]
use crate::agent::web_socket::OpenSocket;
use crate::clock::Instant;
use crate::phase::Phase;

/// See the module's documentation.
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
    /// Whether the caller knows that it waits.
    pub(crate) reported: bool,
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
