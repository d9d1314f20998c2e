//! How many connections an agent holds, and for how long.

use std::time::Duration;

/// How many connections an agent holds, and for how long.
///
/// Connections of *streams* have limits of their own, as in browsers: a stream lasts as long as the game wants
/// it, so a few of them would otherwise leave no connection for anything else. Streams are WebSockets, event
/// streams, and requests that are [long-lived](crate::agent::RequestOptions::long_lived). A request becomes a
/// stream by what the caller asked for, never by what a server responds.
///
/// A request that has to wait for a connection is reported by [`Event::Queued`](crate::Event::Queued), and by
/// [`Event::StillQueued`](crate::Event::StillQueued) if it waits for 5 s.
///
/// WebSockets to one host and port connect one after another, whatever the limits are (RFC 6455 §4.1): the next one
/// waits until the server has responded to the handshake of the one before, or until that has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolLimits {
    /// Connections in all, without those of streams. Default 16. While requests of lower priorities have
    /// connections, one of [`Priority::Gameplay`](crate::Priority::Gameplay) may exceed this limit and
    /// [`per_host`](Self::per_host) by one, so that it does not wait for downloads. The same holds for a stream
    /// of that priority and the limits of streams.
    pub total: usize,
    /// Connections to one host and port with the same TLS options and proxy, without those of streams. Default
    /// 6, as in browsers.
    pub per_host: usize,
    /// Connections to a distant host while many requests wait: one that recently took 50 ms or longer from a
    /// request to the head of its response, and for which more requests wait than it has connections. `None`,
    /// the default, means [`per_host`](Self::per_host). A smaller value has no effect.
    pub per_distant_host: Option<usize>,
    /// Connections of streams in all. Default 64.
    pub streams: usize,
    /// Connections of streams to one host and port with the same TLS options and proxy. Default 32.
    pub streams_per_host: usize,
    /// How long an unused connection is kept. Default 60 s.
    pub idle_age: Duration,
    /// A connection older than this serves no further request, so that a change of the host's addresses is
    /// noticed. Default 10 min.
    pub lifetime: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            total: 16,
            per_host: 6,
            per_distant_host: None,
            streams: 64,
            streams_per_host: 32,
            idle_age: Duration::from_secs(60),
            lifetime: Duration::from_secs(600),
        }
    }
}

impl PoolLimits {
    /// For bursts of small requests to a distant host, such as a game that fetches a thousand icons: up to 32
    /// connections to a distant host, and 64 in all. An HTTP/1.1 connection carries one request at a time, so that
    /// each round trip completes at most one request per connection. To a host nearby, six stay enough.
    ///
    /// Some servers limit the connections of one client. Use it for servers of your own, or with their consent.
    ///
    /// ```
    /// use httpoll::{Agent, agent::PoolLimits};
    ///
    /// let agent = Agent::builder().pool(PoolLimits::burst()).build();
    /// # let _ = agent;
    /// ```
    pub fn burst() -> Self {
        Self {
            total: 64,
            per_distant_host: Some(32),
            ..Self::default()
        }
    }

    /// How many connections with this usage a host may have.
    pub(super) fn of_host(
        &self,
        usage: Usage,
        is_distant: bool,
        waiting: usize,
        used: usize,
    ) -> usize {
        match (usage, self.per_distant_host) {
            (Usage::Exchange, Some(most)) if is_distant && waiting > used => {
                self.per_host.max(most)
            }
            (Usage::Exchange, _) => self.per_host,
            (Usage::Stream | Usage::WebSocket, _) => self.streams_per_host,
        }
    }

    pub(super) fn in_all(&self, usage: Usage) -> usize {
        match usage {
            Usage::Exchange => self.total,
            Usage::Stream | Usage::WebSocket => self.streams,
        }
    }
}

/// What a request does with its connection, which decides the limits that it counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Usage {
    /// A response that ends.
    Exchange,
    /// An event stream, or a response that is not expected to end soon.
    Stream,
    /// A stream that waits until no other WebSocket to its address is connecting.
    #[cfg_attr(not(feature = "websocket"), allow(dead_code))]
    WebSocket,
}

impl Usage {
    pub(super) const ALL: [Self; 3] = [Self::Exchange, Self::Stream, Self::WebSocket];

    /// Whether connections with these two usages count against the same limits.
    pub(super) fn shares_limits_with(self, other: Self) -> bool {
        (self == Self::Exchange) == (other == Self::Exchange)
    }
}
