//! What the pool knows of one host: its idle connections, and for each [`Usage`] how many connections there are
//! and which requests wait for one.

use std::collections::BTreeMap;

use super::key::PoolKey;
use super::limits::Usage;
use super::pooled::ConnectionKey;
use super::round_trip::RoundTrip;
use crate::agent::id::RequestId;
use crate::agent::settings::Priority;

/// Where a request stands in its host's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(super) priority: Priority,
    pub(super) turn: u64,
    pub(super) usage: Usage,
}

/// Connections with the same usage.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) open: usize,
    /// How many of the open ones are draining. They give way to requests.
    pub(super) draining: usize,
}

#[derive(Debug)]
pub(super) struct Host {
    pub(super) key: PoolKey,
    /// Idle connections. The one used last is at the end. They count as [`Usage::Exchange`].
    pub(super) idle: Vec<ConnectionKey>,
    /// How often in a row a poll busy-polled for a response that did not arrive.
    pub(super) late: u8,
    pub(super) round_trip: RoundTrip,
    exchanges: Share,
    streams: Share,
}

/// A host's connections with the same usage, and the requests that wait for one.
#[derive(Debug, Default)]
pub(super) struct Share {
    pub(super) tally: Tally,
    pub(super) waiting: BTreeMap<Place, RequestId>,
}

impl Host {
    pub(super) fn new(key: PoolKey) -> Self {
        Self {
            key,
            idle: Vec::new(),
            late: 0,
            round_trip: RoundTrip::default(),
            exchanges: Share::default(),
            streams: Share::default(),
        }
    }

    pub(super) fn share(&self, usage: Usage) -> &Share {
        match usage {
            Usage::Exchange => &self.exchanges,
            Usage::Stream => &self.streams,
        }
    }

    pub(super) fn share_mut(&mut self, usage: Usage) -> &mut Share {
        match usage {
            Usage::Exchange => &mut self.exchanges,
            Usage::Stream => &mut self.streams,
        }
    }

    /// How many requests wait.
    pub(super) fn waiting(&self) -> usize {
        self.exchanges.waiting.len() + self.streams.waiting.len()
    }

    pub(super) fn has_waiting(&self) -> bool {
        self.waiting() > 0
    }

    /// Whether it has neither connections nor waiting requests.
    pub(super) fn is_unused(&self) -> bool {
        self.exchanges.tally.open == 0 && self.streams.tally.open == 0 && !self.has_waiting()
    }
}
