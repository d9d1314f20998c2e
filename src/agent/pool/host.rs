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
    exchanges: Tally,
    streams: Tally,
    waiting: [BTreeMap<Place, RequestId>; 3],
}

impl Host {
    pub(super) fn new(key: PoolKey) -> Self {
        Self {
            key,
            idle: Vec::new(),
            late: 0,
            round_trip: RoundTrip::default(),
            exchanges: Tally::default(),
            streams: Tally::default(),
            waiting: Default::default(),
        }
    }

    pub(super) fn tally(&self, usage: Usage) -> &Tally {
        match usage {
            Usage::Exchange => &self.exchanges,
            Usage::Stream | Usage::WebSocket => &self.streams,
        }
    }

    pub(super) fn tally_mut(&mut self, usage: Usage) -> &mut Tally {
        match usage {
            Usage::Exchange => &mut self.exchanges,
            Usage::Stream | Usage::WebSocket => &mut self.streams,
        }
    }

    /// The requests with this usage that wait for a connection. Each usage has its own, so that none waits for
    /// what only another one has to wait for.
    pub(super) fn waiting_for(&self, usage: Usage) -> &BTreeMap<Place, RequestId> {
        &self.waiting[usage as usize]
    }

    pub(super) fn waiting_mut(&mut self, usage: Usage) -> &mut BTreeMap<Place, RequestId> {
        &mut self.waiting[usage as usize]
    }

    /// How many requests wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.iter().map(BTreeMap::len).sum()
    }

    pub(super) fn has_waiting(&self) -> bool {
        self.waiting() > 0
    }

    /// Whether it has neither connections nor waiting requests.
    pub(super) fn is_unused(&self) -> bool {
        self.exchanges.open == 0 && self.streams.open == 0 && !self.has_waiting()
    }
}
