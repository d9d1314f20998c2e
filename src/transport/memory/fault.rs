//! Connections that break at a byte, and readiness that comes in any order: what a real network and a
//! real kernel do, on purpose. Below HTTP; what servers do wrong is `mock`'s business.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::net::{Looked, Side};
use crate::random::SplitMix64;

/// What becomes of a connection. See
/// [`MemoryNetwork::set_connection_faults`](super::MemoryNetwork::set_connection_faults).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionFault {
    /// It is refused.
    Refused,
    /// It breaks once so many bytes have arrived in one direction: with 0 as soon as it is there.
    BreakAfter {
        /// Which bytes count.
        direction: Direction,
        /// How many of them still arrive.
        bytes: u64,
        /// How it breaks.
        how: Break,
    },
}

/// One direction of a connection, by its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// At the side that accepted: requests.
    ToServer,
    /// At the side that connected: responses.
    ToClient,
}

/// How a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Both sides see a reset, behind what has arrived.
    Reset,
    /// Nothing arrives any more, in either direction, and nobody is told: a cable is pulled.
    Silence,
}

/// Decides by address and by the number of the connection to it, from 0.
pub(super) type DecideFault = Box<dyn FnMut(SocketAddr, usize) -> Option<ConnectionFault> + Send>;

/// How one connection will break.
#[derive(Debug)]
pub(super) struct FaultTrigger {
    pub(super) side: Side,
    /// Bytes that still arrive there.
    pub(super) left: u64,
    pub(super) how: Break,
}

impl FaultTrigger {
    pub(super) fn of(fault: ConnectionFault) -> Option<Self> {
        match fault {
            ConnectionFault::Refused => None,
            ConnectionFault::BreakAfter {
                direction,
                bytes,
                how,
            } => Some(Self {
                side: match direction {
                    Direction::ToServer => Side::Server,
                    Direction::ToClient => Side::Client,
                },
                left: bytes,
                how,
            }),
        }
    }

    /// Cuts off what does not arrive any more. Answers whether the connection breaks now.
    pub(super) fn burn(&mut self, side: Side, bytes: &mut Vec<u8>) -> bool {
        if side != self.side {
            return false;
        }
        let passed = usize::try_from(self.left).unwrap_or(usize::MAX);
        bytes.truncate(passed);
        self.left -= bytes.len() as u64;
        self.left == 0
    }
}

/// Which events a look hands out, and in which order.
pub(super) struct Shuffle(SplitMix64);

impl Shuffle {
    pub(super) fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// Brings the events into any order; answers how many of them are handed out now: all of them half
    /// of the time, and never none, so that who looks again and again gets them all.
    pub(super) fn deal(&mut self, events: &mut VecDeque<Looked>) -> usize {
        for at in (1..events.len()).rev() {
            events.swap(at, self.0.below(at + 1));
        }
        match self.0.below(2) {
            0 => events.len(),
            _ => (1 + self.0.below(events.len())).min(events.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};

    use super::super::MemoryNetwork;
    use super::super::net::Interest;
    use super::*;

    fn address() -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], 80))
    }

    fn after(direction: Direction, bytes: u64, how: Break) -> ConnectionFault {
        ConnectionFault::BreakAfter {
            direction,
            bytes,
            how,
        }
    }

    fn network_of(fault: ConnectionFault) -> MemoryNetwork {
        let network = MemoryNetwork::new();
        network.listen(address());
        network.set_connection_faults(move |_, number| (number == 0).then_some(fault));
        network
    }

    /// Everything that can be read now, and how it ended.
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
    fn exactly_so_many_bytes_arrive() {
        for (how, end) in [
            (Break::Reset, ErrorKind::ConnectionReset),
            (Break::Silence, ErrorKind::WouldBlock),
        ] {
            for bytes in 0..=10 {
                for direction in [Direction::ToServer, Direction::ToClient] {
                    let network = network_of(after(direction, bytes, how));
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
        let network = network_of(ConnectionFault::Refused);
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
    fn who_waits_for_room_learns_that_the_reader_has_gone() {
        let network = MemoryNetwork::new();
        network.set_capacity(3);
        let queue = network.open_queue();
        let (client, mut server) = network.pair();
        server.register(Interest { queue, token: 1 });
        assert_eq!(server.write(b"hello").unwrap(), 3);
        network.look(queue, |_| {});
        assert_eq!(
            server.write(b"lo").unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        drop(client);
        let mut writable = false;
        network.look(queue, |event| writable |= event.writable);
        assert!(writable);
        assert_eq!(server.write(b"lo").unwrap(), 2);
        network.settle();
        assert_eq!(read(&mut server), (0, ErrorKind::ConnectionReset));
    }

    /// The tokens that become readable in each look, until nothing comes any more.
    fn looks(seed: Option<u64>) -> Vec<Vec<usize>> {
        let network = MemoryNetwork::new();
        if let Some(seed) = seed {
            network.shuffle_readiness(seed);
        }
        let queue = network.open_queue();
        let mut ends = Vec::new();
        for token in 0..8 {
            let (client, server) = network.pair();
            client.register(Interest { queue, token });
            ends.push((client, server));
        }
        let mut looks = Vec::new();
        loop {
            let mut look = Vec::new();
            network.look(queue, |event| look.push(event.token));
            if look.is_empty() {
                return looks;
            }
            looks.push(look);
        }
    }

    #[test]
    fn readiness_comes_in_any_order_and_all_of_it() {
        assert_eq!(looks(None), [Vec::from_iter(0..8)]);
        let (mut orders, mut parts) = (0, 0);
        for seed in 0..40 {
            let looks = looks(Some(seed));
            parts += usize::from(looks.len() > 1);
            let mut all: Vec<usize> = looks.concat();
            orders += usize::from(!all.is_sorted());
            all.sort_unstable();
            assert_eq!(all, Vec::from_iter(0..8));
            assert_eq!(looks, self::looks(Some(seed)));
        }
        assert!(orders > 35 && (10..35).contains(&parts), "{orders} {parts}");
    }

    #[test]
    fn who_sleeps_is_woken_for_what_was_held_back() {
        let network = MemoryNetwork::new();
        network.shuffle_readiness(1);
        let queue = network.open_queue();
        let other = network.open_queue();
        let (client, _server) = network.pair();
        client.register(Interest { queue, token: 1 });
        let before = network.now();
        network.sleep_until(queue, Some(before + std::time::Duration::from_secs(1)));
        assert_eq!(network.now(), before);
        network.sleep_until(other, Some(before + std::time::Duration::from_secs(1)));
        assert_ne!(network.now(), before);
    }
}
