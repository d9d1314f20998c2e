//! Connections that are refused or that break after a number of bytes, as on a real network. Below
//! HTTP: faults of HTTP servers belong to `mock`.

use std::net::SocketAddr;

use super::side::Side;

/// What goes wrong with a connection. See
/// [`MemoryNetwork::set_connection_faults`](super::MemoryNetwork::set_connection_faults).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionFault {
    /// The connection is refused.
    Refused,
    /// The connection breaks once this many bytes have arrived in one direction; with 0, as soon as it
    /// is established.
    BreakAfter {
        /// The direction whose bytes count.
        direction: Direction,
        /// How many bytes still arrive in this direction.
        bytes: u64,
        /// How the connection breaks.
        how: Break,
    },
}

/// One direction of a connection. There are two, so this enum is exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the side that accepted: requests.
    ToServer,
    /// To the side that connected: responses.
    ToClient,
}

/// How a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Break {
    /// Both sides see a reset, after what has arrived.
    Reset,
    /// Nothing arrives any more in either direction, and neither side is notified, as when a cable is
    /// pulled.
    Silence,
}

/// Chooses the fault of a connection from its address and its number among those to this address,
/// from 0.
pub(super) type ChooseFault = Box<dyn FnMut(SocketAddr, usize) -> Option<ConnectionFault> + Send>;

/// When and how one connection will break.
#[derive(Debug)]
pub(super) struct FaultTrigger {
    receiver: Side,
    /// Bytes that still arrive there.
    left: u64,
    how: Break,
}

impl FaultTrigger {
    /// `None` for a fault that needs no trigger, because the connection is never established.
    pub(super) fn of(fault: ConnectionFault) -> Option<Self> {
        match fault {
            ConnectionFault::Refused => None,
            ConnectionFault::BreakAfter {
                direction,
                bytes,
                how,
            } => Some(Self {
                receiver: match direction {
                    Direction::ToServer => Side::Server,
                    Direction::ToClient => Side::Client,
                },
                left: bytes,
                how,
            }),
        }
    }

    /// Whether the connection is to break now.
    pub(super) fn is_due(&self) -> bool {
        self.left == 0
    }

    pub(super) fn how(&self) -> Break {
        self.how
    }

    /// Counts bytes that arrive at `receiver`, and cuts off those that no longer arrive. Returns
    /// whether the connection breaks now.
    pub(super) fn count(&mut self, receiver: Side, bytes: &mut Vec<u8>) -> bool {
        if receiver != self.receiver {
            return false;
        }
        let passed = usize::try_from(self.left).unwrap_or(usize::MAX);
        bytes.truncate(passed);
        self.left -= bytes.len() as u64;
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};

    use super::super::MemoryNetwork;
    use super::super::readiness::Interest;
    use super::*;

    fn address() -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], 80))
    }

    fn network_with(fault: ConnectionFault) -> MemoryNetwork {
        let network = MemoryNetwork::new();
        network.listen(address());
        network.set_connection_faults(move |_, number| (number == 0).then_some(fault));
        network
    }

    /// How many bytes can be read now, and how reading ended.
    fn read(stream: &mut impl Read) -> (usize, ErrorKind) {
        let (mut count, mut buffer) = (0, [0; 64]);
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return (count, ErrorKind::UnexpectedEof),
                Ok(more) => count += more,
                Err(error) => return (count, error.kind()),
            }
        }
    }

    #[test]
    fn a_connection_breaks_after_exactly_this_many_bytes() {
        for (how, end) in [
            (Break::Reset, ErrorKind::ConnectionReset),
            (Break::Silence, ErrorKind::WouldBlock),
        ] {
            for bytes in 0..=10 {
                for direction in [Direction::ToServer, Direction::ToClient] {
                    let network = network_with(ConnectionFault::BreakAfter {
                        direction,
                        bytes,
                        how,
                    });
                    let mut client = network.connect(address()).unwrap();
                    let mut server = network.accept(address()).unwrap();
                    for piece in [3, 3, 4] {
                        let _ = server.write(&vec![1; piece]);
                        let _ = client.write(&vec![1; piece]);
                        network.settle();
                    }
                    let (near, far) = match direction {
                        Direction::ToServer => (read(&mut server), read(&mut client)),
                        Direction::ToClient => (read(&mut client), read(&mut server)),
                    };
                    assert_eq!(near, (bytes as usize, end), "{direction:?}");
                    assert_eq!(far.1, end);
                    drop((client, server));
                    assert_eq!(network.open_connections(), 0);
                }
            }
        }
    }

    #[test]
    fn only_the_chosen_connection_breaks() {
        let network = network_with(ConnectionFault::Refused);
        let mut first = network.connect(address()).unwrap();
        network.settle();
        assert_eq!(
            first.poll_connected().unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
        let mut second = network.connect(address()).unwrap();
        let mut server = network.accept(address()).unwrap();
        assert_eq!(second.write(b"hello").unwrap(), 5);
        network.settle();
        assert_eq!(read(&mut server), (5, ErrorKind::WouldBlock));
        assert_eq!(
            first.write(b"x").unwrap_err().kind(),
            ErrorKind::NotConnected
        );
    }

    #[test]
    fn a_blocked_writer_becomes_writable_when_the_reader_is_dropped() {
        let network = MemoryNetwork::new();
        network.set_capacity(3);
        let queue = network.open_queue();
        let (client, mut server) = network.pair();
        server.register(Interest { queue, token: 1 });
        assert_eq!(server.write(b"hello").unwrap(), 3);
        network.poll_events(queue, |_| {});
        assert_eq!(
            server.write(b"lo").unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        drop(client);
        let mut writable = false;
        network.poll_events(queue, |event| writable |= event.writable);
        assert!(writable);
        // What was on its way is lost, so the connection was reset.
        assert_eq!(
            server.write(b"lo").unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
        assert_eq!(read(&mut server), (0, ErrorKind::ConnectionReset));
    }
}
