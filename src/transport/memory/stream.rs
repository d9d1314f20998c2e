//! One end of an in-memory connection: a non-blocking stream.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;

use super::MemoryNetwork;
use super::peer::Sent;
use super::readiness::Interest;
use super::side::Side;

/// One end of an in-memory connection. Reads and writes never wait: they fail with
/// [`io::ErrorKind::WouldBlock`]. Bytes arrive when some reactor of the network polls or the clock
/// moves. Dropping the stream closes it: the other end reads the end of the stream, at once if the
/// network has no latency. If something was not read, or arrives later, the other end sees a reset, as with
/// TCP (RFC 1122 §4.2.2.13).
pub struct MemoryStream {
    network: MemoryNetwork,
    connection: usize,
    side: Side,
}

impl MemoryStream {
    pub(super) fn client(network: MemoryNetwork, connection: usize) -> Self {
        Self {
            network,
            connection,
            side: Side::Client,
        }
    }

    pub(super) fn server(network: MemoryNetwork, connection: usize) -> Self {
        Self {
            network,
            connection,
            side: Side::Server,
        }
    }

    /// Closes the writing side; reading goes on.
    pub fn shutdown_write(&mut self) {
        let mut net = self.network.net();
        net.send(self.connection, self.side, Sent::Fin);
    }

    /// Breaks the connection as a TCP reset does.
    pub fn reset(self) {
        let mut net = self.network.net();
        net.send(self.connection, self.side, Sent::Reset);
    }

    /// Whether the connection is established; the error of one that failed.
    pub(crate) fn poll_connected(&self) -> io::Result<bool> {
        self.network.net().poll_connected(self.connection)
    }

    /// Whether bytes have arrived that were not read yet.
    #[cfg(feature = "server")]
    pub(crate) fn has_input(&self) -> bool {
        self.network.net().has_input(self.connection, self.side)
    }

    pub(crate) fn peer_address(&self) -> Option<SocketAddr> {
        match self.side {
            Side::Client => self.network.net().address(self.connection),
            // In-memory clients have no address; a server that counts connections by address needs one.
            Side::Server => {
                let port = 0xC000 | u16::try_from(self.connection & 0x3FFF).unwrap_or(0);
                Some(SocketAddr::new(self.network.net().client_address, port))
            }
        }
    }

    pub(crate) fn register(&self, interest: Interest) {
        self.network
            .net()
            .register(self.connection, self.side, interest);
    }
}

impl Read for MemoryStream {
    fn read(&mut self, dst: &mut [u8]) -> io::Result<usize> {
        self.network.net().read(self.connection, self.side, dst)
    }
}

impl Write for MemoryStream {
    fn write(&mut self, src: &[u8]) -> io::Result<usize> {
        self.network.net().write(self.connection, self.side, src)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        self.network.drop_end(self.connection, self.side);
    }
}

impl fmt::Debug for MemoryStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStream")
            .field("connection", &self.connection)
            .field("side", &self.side)
            .finish_non_exhaustive()
    }
}
