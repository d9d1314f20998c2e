//! [`Client`]: the other end of a connection.

use std::net::{Ipv4Addr, SocketAddr};

/// One accepted connection, as hooks and requests see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    number: u64,
    peer: SocketAddr,
    local: SocketAddr,
}

impl Client {
    pub(super) fn new(number: u64, peer: SocketAddr, local: SocketAddr) -> Self {
        Self {
            number,
            peer,
            local,
        }
    }

    /// For a request that was parsed without a server.
    pub(super) fn nobody() -> Self {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self::new(0, nowhere, nowhere)
    }

    /// The connection's number, unique within its server.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The client's address.
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// The server's own address on this connection.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }
}
