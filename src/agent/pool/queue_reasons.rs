//! Which of the waiting requests can have a connection, and what the others wait for: a limit, or the handshake
//! of another WebSocket (RFC 6455 §4.1).

use std::fmt;

use super::Pool;
use super::host::{Host, Place};
use super::limits::Usage;
use super::pooled::{ConnectionKey, HostKey, Service};
use crate::agent::settings::Priority;

impl Pool {
    /// The first waiting request that can have a connection: its place, and its host's index.
    pub(super) fn first_served(&self) -> Option<(Place, usize)> {
        let hosts = self.hosts.iter().flat_map(|(index, host)| {
            Usage::ALL.map(|usage| Some((*host.waiting_for(usage).first_key_value()?.0, index)))
        });
        let can_be_served =
            |(place, index): &(Place, usize)| self.kept_by(HostKey(*index), *place).is_none();
        hosts.flatten().filter(can_be_served).min()
    }

    /// The limit that keeps the request at this place from getting a connection. `None`: it can have one.
    fn kept_by(&self, key: HostKey, place: Place) -> Option<QueueReason> {
        let usage = place.usage;
        let host = self.hosts.get(key.0)?;
        if usage == Usage::Exchange && !host.idle.is_empty() {
            return None;
        }
        let is_urgent = place.priority == Priority::Gameplay;
        let may_exceed = |of: Option<HostKey>| is_urgent && self.is_held_by_lower(usage, of);
        let tally = host.tally(usage);
        let used = tally.open - tally.draining;
        let most = self.most_of_host(host, usage, 0);
        if used > most || used == most && !may_exceed(Some(key)) {
            return Some(match usage {
                Usage::Exchange => QueueReason::PerHost(most),
                Usage::Stream | Usage::WebSocket => QueueReason::StreamsPerHost(most),
            });
        }
        let tally = self.tally(usage);
        let (open, most) = (tally.open, self.limits.in_all(usage));
        let can_evict = tally.draining > 0 || usage == Usage::Exchange && self.idle > 0;
        if !can_evict && (open > most || open == most && !may_exceed(None)) {
            return Some(match usage {
                Usage::Exchange => QueueReason::Total(most),
                Usage::Stream | Usage::WebSocket => QueueReason::Streams(most),
            });
        }
        (usage == Usage::WebSocket && self.is_handshaking_with(host))
            .then_some(QueueReason::WebSocketConnecting)
    }

    /// Whether the handshake of a WebSocket is in progress with the address of this host.
    fn is_handshaking_with(&self, host: &Host) -> bool {
        self.connections.iter().any(|(_, pooled)| {
            pooled.is_handshaking
                && self
                    .hosts
                    .get(pooled.host.0)
                    .is_some_and(|other| other.key.has_address_of(&host.key))
        })
    }

    /// The server has responded to the handshake of a WebSocket, so that the next one may connect.
    pub(crate) fn end_handshake(&mut self, key: ConnectionKey) {
        if let Some(pooled) = self.get_mut(key) {
            pooled.is_handshaking = false;
        }
    }

    /// Why the request at this place waits.
    pub(crate) fn reason(&self, key: HostKey, place: Place) -> QueueReason {
        self.kept_by(key, place).unwrap_or(QueueReason::Turn)
    }

    /// Whether a request of a lower priority than [`Priority::Gameplay`] has a connection with this usage, to
    /// this host or at all.
    fn is_held_by_lower(&self, usage: Usage, host: Option<HostKey>) -> bool {
        self.connections.iter().any(|(_, pooled)| {
            usage.shares_limits_with(pooled.usage)
                && host.is_none_or(|host| pooled.host == host)
                && matches!(pooled.service, Service::Busy(_))
                && pooled.priority > Priority::Gameplay
        })
    }

    /// How many connections with this usage a host may have while its requests, and `more`, wait.
    pub(super) fn most_of_host(&self, host: &Host, usage: Usage, more: usize) -> usize {
        let tally = host.tally(usage);
        let used = tally.open - tally.draining;
        let (is_distant, waiting) = (
            host.round_trip.is_distant(),
            host.waiting_for(usage).len() + more,
        );
        self.limits.of_host(usage, is_distant, waiting, used)
    }
}

/// What keeps a request waiting for a connection: mostly one of the [limits](crate::agent::PoolLimits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueReason {
    /// All connections to the host are in use: [`PoolLimits::per_host`](crate::agent::PoolLimits::per_host) (or
    /// [`PoolLimits::per_distant_host`](crate::agent::PoolLimits::per_distant_host)), with its value.
    PerHost(usize),
    /// All connections of the agent are in use: [`PoolLimits::total`](crate::agent::PoolLimits::total), with its value.
    Total(usize),
    /// The host has as many streams as
    /// [`PoolLimits::streams_per_host`](crate::agent::PoolLimits::streams_per_host) allows, with its value.
    StreamsPerHost(usize),
    /// The agent has as many streams as [`PoolLimits::streams`](crate::agent::PoolLimits::streams) allows, with its value.
    Streams(usize),
    /// Another WebSocket to the same host and port is connecting. They connect one after another (RFC 6455 §4.1).
    WebSocketConnecting,
    /// A connection is free, but requests with a higher priority or budgets that were spent came first.
    Turn,
}

impl fmt::Display for QueueReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerHost(limit) => write!(
                f,
                "all {limit} connections to its host are in use (PoolLimits::per_host)"
            ),
            Self::Total(limit) => write!(
                f,
                "all {limit} connections of the agent are in use (PoolLimits::total)"
            ),
            Self::StreamsPerHost(limit) => write!(
                f,
                "its host has {limit} streams already (PoolLimits::streams_per_host)"
            ),
            Self::Streams(limit) => write!(
                f,
                "the agent has {limit} streams already (PoolLimits::streams)"
            ),
            Self::WebSocketConnecting => {
                f.write_str("another WebSocket to its host is connecting (RFC 6455 §4.1)")
            }
            Self::Turn => f.write_str("other requests came first"),
        }
    }
}
