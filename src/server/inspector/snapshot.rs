//! [`ServerSnapshot`]: what a server is doing at one moment, as values and as JSON, for the inspector page, for
//! other inspectors and for debug overlays.
//!
//! It contains no header fields, no content and no queries. How a connection fills its row in is in
//! `connection`.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::budget::{PollSecond, milliseconds};
use crate::server::metrics::Metrics;

/// How many connections [`ServerSnapshot::to_json`] lists at most.
const MOST_ROWS: usize = 200;

/// What a server is doing at one moment; see [`Server::snapshot`](crate::server::Server::snapshot).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerSnapshot {
    /// The address at which it listens.
    pub address: SocketAddr,
    /// Counters since the server was made.
    pub metrics: Metrics,
    /// How many connections may be open, in all and from one address.
    pub connection_limits: (usize, usize),
    /// Connections with something to do.
    pub waiting_connections: usize,
    /// Requests that wait for [`Server::next_request`](crate::server::Server::next_request).
    pub waiting_requests: usize,
    /// The open connections with their requests.
    pub connections: Vec<ServerConnectionSnapshot>,
    /// The time that polls took in each of the last 30 seconds, the latest at the end. It is recorded while the
    /// server has an inspector page, or snapshots are taken at least once a minute.
    pub seconds: Vec<PollSecond>,
    /// The latest handlers that took longer than [allowed](crate::server::ServerBuilder::slow_handler), the latest
    /// first.
    pub slow_handlers: Vec<SlowHandler>,
}

/// A connection of a server, with the request that it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConnectionSnapshot {
    /// The number of the connection, counted from the server's start.
    pub number: u64,
    /// The client's address.
    pub client: SocketAddr,
    /// What it is doing.
    pub phase: ConnectionPhase,
    /// The time since this phase began.
    pub phase_time: Duration,
    /// The method of the request under way.
    pub method: Option<Method>,
    /// The path of the request under way, without its query. Empty if there is no request, or if it arrived before
    /// the first snapshot of a server without an inspector page.
    pub path: String,
    /// The status of the response under way.
    pub status: Option<StatusCode>,
    /// The time since the request began to arrive.
    pub request_time: Option<Duration>,
    /// Bytes received since the request began.
    pub received_bytes: u64,
    /// Bytes of the response sent.
    pub sent_bytes: u64,
    /// Bytes that wait to be sent.
    pub queued_bytes: usize,
    /// How many requests arrived on it.
    pub requests: u32,
}

/// What a connection of a server is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionPhase {
    /// The TLS handshake.
    TlsHandshake,
    /// Waiting for a request.
    Idle,
    /// Receiving the head of a request.
    ReceiveHead,
    /// Receiving the content of a request.
    ReceiveContent,
    /// Waiting for a poll in which its handler may be called.
    AwaitHandler,
    /// Waiting for a [`Responder`](crate::server::Responder).
    AwaitResponder,
    /// The disk worker still writes the files of a form.
    StoreFiles,
    /// The disk worker looks for the file that is to be sent, or opens it.
    OpenFile,
    /// Sending a response.
    SendResponse,
    /// Sending a response whose content a [`ResponseStream`](crate::server::ResponseStream) makes.
    Stream,
    /// Sending an event stream.
    EventStream,
    /// A WebSocket.
    WebSocket,
    /// Closing, after the last response.
    Closing,
}

/// A handler that took longer than [allowed](crate::server::ServerBuilder::slow_handler).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowHandler {
    /// The path of its request.
    pub path: String,
    /// How long it took.
    pub took: Duration,
}

impl ServerSnapshot {
    /// As JSON, with the members `address`, `totals`, `queues`, `seconds`, `connections` and `slow_handlers`. It
    /// lists at most 200 connections; `totals` has their number. Times are in milliseconds.
    pub fn to_json(&self) -> Value {
        let metrics = &self.metrics;
        let connections = self.connections.iter().take(MOST_ROWS);
        let slow = self.slow_handlers.iter();
        json!({
            "address": self.address.to_string(),
            "totals": {
                "accepted": metrics.accepted,
                "refused": metrics.refused,
                "open": metrics.open,
                "requests": metrics.requests,
                "faults": metrics.faults,
                "received_bytes": metrics.bytes_received,
                "sent_bytes": metrics.bytes_sent,
                "most connections": self.connection_limits.0,
                "most connections per address": self.connection_limits.1,
            },
            "queues": {
                "connections with something to do": self.waiting_connections,
                "requests to be taken": self.waiting_requests,
            },
            "seconds": self.seconds.iter().map(PollSecond::to_json).collect::<Value>(),
            "connections": connections.map(ServerConnectionSnapshot::to_json).collect::<Value>(),
            "slow_handlers": slow.map(SlowHandler::to_json).collect::<Value>(),
        })
    }
}

impl ServerConnectionSnapshot {
    fn to_json(&self) -> Value {
        json!({
            "connection": self.number,
            "client": self.client.to_string(),
            "phase": self.phase.to_string(),
            "phase_ms": milliseconds(self.phase_time),
            "method": self.method.as_ref().map(Method::as_str),
            "path": self.path,
            "status": self.status.map(|status| status.as_u16()),
            "request_ms": self.request_time.map(milliseconds),
            "received_bytes": self.received_bytes,
            "sent_bytes": self.sent_bytes,
            "queued_bytes": self.queued_bytes,
            "requests": self.requests,
        })
    }
}

impl SlowHandler {
    fn to_json(&self) -> Value {
        json!({ "path": self.path, "took_ms": milliseconds(self.took) })
    }
}

impl fmt::Display for ConnectionPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TlsHandshake => "TLS handshake",
            Self::Idle => "idle",
            Self::ReceiveHead => "receiving a head",
            Self::ReceiveContent => "receiving content",
            Self::AwaitHandler => "waiting for its handler's turn",
            Self::AwaitResponder => "waiting for a deferred response",
            Self::StoreFiles => "storing the files of a form",
            Self::OpenFile => "opening a file",
            Self::SendResponse => "sending",
            Self::Stream => "streaming",
            Self::EventStream => "event stream",
            Self::WebSocket => "WebSocket",
            Self::Closing => "closing",
        })
    }
}
