//! One connection of the pool, and what it does.

use std::time::Duration;

use super::limits::Usage;
use crate::agent::id::RequestId;
use crate::agent::settings::Priority;
use crate::clock::Instant;
use crate::connection::Connection;

/// A connection's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnectionKey(pub(crate) usize);

/// A host's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostKey(pub(super) usize);

/// One connection of the pool.
#[derive(Debug)]
pub(crate) struct Pooled {
    pub(crate) connection: Box<Connection>,
    pub(crate) host: HostKey,
    pub(crate) service: Service,
    /// Which limits it counts against. An idle connection is a [`Usage::Exchange`].
    pub(super) usage: Usage,
    /// The priority of the request that it serves, or served last.
    pub(super) priority: Priority,
    /// Whether the handshake of a WebSocket is in progress, from the connect to the head of the response.
    pub(super) is_handshaking: bool,
    /// Requests given to it.
    pub(crate) requests: u32,
    /// When it was opened. Like `since`, in active time, and moved back by the gaps that do not count there.
    pub(crate) opened: Instant,
    /// How long the server keeps it open when it is idle, with a margin (`Keep-Alive: timeout`).
    pub(crate) keep_alive: Option<Duration>,
    /// When it became idle last, by the clock.
    pub(super) idle_since: Option<Instant>,
    /// The earliest time for which a timer is set.
    pub(crate) armed: Option<Instant>,
    /// When the request was sent whose head has not arrived.
    pub(super) asked: Option<Instant>,
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Idle {
        since: Instant,
    },
    Busy(RequestId),
    /// Reads the rest of a response that is not wanted, so that it can serve again: at most this many
    /// bytes, at most until then. It gives way to requests that need its slot.
    Draining {
        left: u64,
        until: Instant,
    },
}

/// What a waiting request gets.
#[derive(Debug)]
pub(crate) enum Grant {
    /// A connection that has served before.
    Reuse(ConnectionKey),
    /// The right to open one.
    Open,
}
