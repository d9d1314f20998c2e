//! [`PoolLimits`]: how many connections an agent holds, and for how long.

use std::time::Duration;

#[cfg(doc)]
use crate::agent::settings::Priority;

/// How many connections an agent holds, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolLimits {
    /// Connections in all. Default 16. While requests of lower priorities have connections, one of
    /// [`Priority::Gameplay`] may exceed this limit and [`per_host`](Self::per_host) by one, so that it
    /// does not wait for downloads.
    pub total: usize,
    /// Connections to one host and port with the same TLS options and proxy. Default 6, as in browsers.
    pub per_host: usize,
    /// Connections to a distant host while many requests wait: one that recently took 50 ms or longer from a
    /// request to the head of its response, and for which more requests wait than it has connections. `None`,
    /// the default, means [`per_host`](Self::per_host). A smaller value has no effect.
    pub per_distant_host: Option<usize>,
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

    /// How many connections a host may have.
    pub(super) fn of_host(&self, is_distant: bool, waiting: usize, used: usize) -> usize {
        match self.per_distant_host {
            Some(most) if is_distant && waiting > used => self.per_host.max(most),
            _ => self.per_host,
        }
    }
}
