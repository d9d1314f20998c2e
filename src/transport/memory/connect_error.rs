//! How an address fails connections.

/// How an address fails connections. See [`MemoryNetwork::refuse`](super::MemoryNetwork::refuse).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// A reset comes back after one round trip, as from a closed port. This is also how every address
    /// behaves that was not configured.
    Refused,
    /// Nothing comes back, as from a dead route or a firewall.
    BlackHole,
    /// The connection attempt fails at once, as for an address family without a route.
    Unreachable,
}
