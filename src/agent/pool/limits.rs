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
            idle_age: Duration::from_secs(60),
            lifetime: Duration::from_secs(600),
        }
    }
}
