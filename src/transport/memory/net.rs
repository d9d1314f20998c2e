//! The state behind a [`MemoryNetwork`](super::MemoryNetwork): the clock, names, addresses and
//! connections. Nothing here calls out: functions that serve connections are run by `MemoryNetwork`,
//! without the lock.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use slab::Slab;

use super::clock::{Clock, LONGEST};
use super::connect_error::ConnectError;
use super::connection::{Connection, Stage};
use super::fault::{ChooseFault, ConnectionFault, FaultTrigger};
use super::peer::{Peer, Sent, Serve};
use super::readiness::{Armed, Interest, Readiness, Ready};
use super::side::Side;
use crate::clock::Instant;

/// Makes the function that serves one connection, or refuses the connection.
pub(super) type OpenServe = Box<dyn FnMut() -> Option<Serve> + Send>;

/// How an address treats connections.
pub(super) enum Host {
    Serve(OpenServe),
    Listen(Listening),
    Refuse(ConnectError),
}

/// Connections that nobody has accepted yet, and the reactor that is to know of them.
#[derive(Default)]
pub(super) struct Listening {
    waiting: VecDeque<usize>,
    interest: Option<Interest>,
    armed: Armed,
}

pub(super) struct Net {
    pub(super) clock: Clock,
    pub(super) readiness: Readiness,
    pub(super) latency: Duration,
    /// The most bytes that one read or write moves.
    pub(super) transfer_limit: Option<usize>,
    pub(super) capacity: usize,
    /// How often a poller asked for its events.
    pub(super) polls: u64,
    /// The address that servers see of clients.
    pub(super) client_address: IpAddr,
    pub(super) choose_fault: Option<ChooseFault>,
    names: HashMap<String, (Vec<IpAddr>, Duration)>,
    hosts: HashMap<SocketAddr, Host>,
    connection_counts: HashMap<SocketAddr, usize>,
    connections: Slab<Connection>,
}

impl Net {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            clock: Clock::new(now),
            readiness: Readiness::default(),
            latency: Duration::ZERO,
            transfer_limit: None,
            capacity: 256 * 1024,
            polls: 0,
            client_address: Ipv4Addr::LOCALHOST.into(),
            choose_fault: None,
            names: HashMap::new(),
            hosts: HashMap::new(),
            connection_counts: HashMap::new(),
            connections: Slab::new(),
        }
    }

    pub(super) fn add_name(&mut self, name: &str, addresses: &[IpAddr], delay: Duration) {
        let name = name.to_ascii_lowercase();
        self.names
            .insert(name, (addresses.to_vec(), delay.min(LONGEST)));
    }

    /// The addresses of a name, none if it does not exist, and when the lookup is over.
    pub(super) fn resolve(&self, name: &str) -> (Instant, Vec<IpAddr>) {
        match self.names.get(&name.to_ascii_lowercase()) {
            Some((addresses, delay)) => (self.clock.now() + *delay, addresses.clone()),
            None => (self.clock.now(), Vec::new()),
        }
    }

    /// An address that no name has and nobody serves.
    pub(super) fn unused_address(&self) -> IpAddr {
        let first = u32::from(Ipv4Addr::new(10, 255, 0, 1));
        let mut candidates = (first..=u32::MAX).map(|bits| IpAddr::V4(Ipv4Addr::from(bits)));
        let is_unused = |address: &IpAddr| {
            !self.names.values().any(|(all, _)| all.contains(address))
                && !self.hosts.keys().any(|host| host.ip() == *address)
        };
        let unused = candidates.find(is_unused);
        unused.unwrap_or(IpAddr::V4(Ipv4Addr::new(10, 255, 0, 1)))
    }

    /// Sets how an address treats connections. Returns what was there: drop it without the network's
    /// lock, since a server may own clients of this very network.
    #[must_use]
    pub(super) fn set_host(&mut self, address: SocketAddr, host: Host) -> Option<Host> {
        self.hosts.insert(address, host)
    }

    /// Lets a reactor know when a connection to this address waits; at once, if one waits already.
    #[cfg(feature = "server")]
    pub(super) fn register_listener(&mut self, address: SocketAddr, interest: Interest) {
        if let Some(Host::Listen(listening)) = self.hosts.get_mut(&address) {
            listening.interest = Some(interest);
            listening.armed = Armed::default();
            if !listening.waiting.is_empty() {
                let armed = &mut listening.armed;
                self.readiness
                    .report_armed(Some(interest), armed, ACCEPTABLE);
            }
        }
    }

    /// The oldest connection to a listening address that was not accepted yet.
    pub(super) fn accept(&mut self, address: SocketAddr) -> Option<usize> {
        match self.hosts.get_mut(&address) {
            Some(Host::Listen(listening)) => {
                let next = listening.waiting.pop_front();
                listening.armed.readable |= next.is_none();
                next
            }
            _ => None,
        }
    }

    /// Refuses connections to a listening address from now on, and resets those that nobody accepted.
    pub(super) fn stop_listening(&mut self, address: SocketAddr) {
        if let Some(Host::Listen(listening)) = self.hosts.remove(&address) {
            for connection in listening.waiting {
                self.send(connection, Side::Server, Sent::Reset);
                // The client's end is there or the connection is over: no function serves it.
                let _ = self.drop_end(connection, Side::Server);
            }
        }
    }

    pub(super) fn connections_to(&self, address: SocketAddr) -> usize {
        self.connection_counts.get(&address).copied().unwrap_or(0)
    }

    pub(super) fn open_connections(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn connect(&mut self, address: SocketAddr) -> io::Result<usize> {
        self.clock.spend(0);
        let count = self.connection_counts.entry(address).or_default();
        let number = *count;
        *count += 1;
        let fault = self
            .choose_fault
            .as_mut()
            .and_then(|choose| choose(address, number));
        let round_trip = Some(self.clock.now() + 2 * self.latency);
        let (at, is_refused) = match self.hosts.get(&address) {
            _ if fault == Some(ConnectionFault::Refused) => (round_trip, true),
            Some(Host::Serve(_) | Host::Listen(_)) => (round_trip, false),
            Some(Host::Refuse(ConnectError::BlackHole)) => (None, false),
            Some(Host::Refuse(ConnectError::Unreachable)) => {
                return Err(io::ErrorKind::NetworkUnreachable.into());
            }
            Some(Host::Refuse(ConnectError::Refused)) | None => (round_trip, true),
        };
        let trigger = fault.and_then(FaultTrigger::of);
        let connection = Connection::connecting(address, at, is_refused, trigger, self.capacity);
        Ok(self.connections.insert(connection))
    }

    pub(super) fn open_pair(&mut self) -> usize {
        self.connections.insert(Connection::pair(self.capacity))
    }

    pub(super) fn poll_connected(&self, connection: usize) -> io::Result<bool> {
        match self.connections.get(connection).map(Connection::stage) {
            Some(Stage::Open) => Ok(true),
            Some(Stage::Connecting { .. }) => Ok(false),
            Some(Stage::Refused) | None => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    pub(super) fn address(&self, connection: usize) -> Option<SocketAddr> {
        self.connections.get(connection)?.address()
    }

    #[cfg(feature = "server")]
    pub(super) fn has_input(&self, connection: usize, side: Side) -> bool {
        let it = self.connections.get(connection);
        it.is_some_and(|it| it.has_input(side))
    }

    pub(super) fn register(&mut self, connection: usize, side: Side, interest: Interest) {
        if let Some(it) = self.connections.get_mut(connection) {
            it.register(side, interest, &mut self.readiness);
        }
    }

    pub(super) fn read(
        &mut self,
        connection: usize,
        side: Side,
        dst: &mut [u8],
    ) -> io::Result<usize> {
        let limit = self.transfer_limit.unwrap_or(usize::MAX);
        let Some(it) = self.connections.get_mut(connection) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let count = it.read(side, dst, limit, &mut self.readiness)?;
        if count > 0 {
            self.clock.spend(count);
        }
        Ok(count)
    }

    pub(super) fn write(&mut self, connection: usize, side: Side, src: &[u8]) -> io::Result<usize> {
        let limit = self.transfer_limit.unwrap_or(usize::MAX);
        let now = self.clock.now();
        let Some(it) = self.connections.get_mut(connection) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let count = it.write(side, src, limit, now, self.latency)?;
        self.clock.spend(count);
        Ok(count)
    }

    /// Puts something in flight from `side`, without a pause.
    pub(super) fn send(&mut self, connection: usize, side: Side, what: Sent) {
        let now = self.clock.now();
        if let Some(it) = self.connections.get_mut(connection) {
            it.send(side, now, self.latency, Duration::ZERO, what);
        }
    }

    /// Drops one end. Returns the connection if it is over: drop it without the network's lock.
    #[must_use]
    pub(super) fn drop_end(&mut self, connection: usize, side: Side) -> Option<Connection> {
        let now = self.clock.now();
        let it = self.connections.get_mut(connection)?;
        if it.drop_end(side, now, self.latency, &mut self.readiness) {
            return self.connections.try_remove(connection);
        }
        None
    }

    /// Lets everything happen whose time has come.
    pub(super) fn run_due(&mut self) {
        for connection in 0..self.connections.capacity() {
            self.run_due_on(connection);
        }
    }

    /// Lets everything happen on one connection whose time has come.
    pub(super) fn run_due_on(&mut self, connection: usize) {
        self.finish_connecting(connection);
        let now = self.clock.now();
        if let Some(it) = self.connections.get_mut(connection) {
            it.deliver(now, self.latency, &mut self.readiness);
        }
    }

    fn finish_connecting(&mut self, connection: usize) {
        let now = self.clock.now();
        let Some(it) = self.connections.get_mut(connection) else {
            return;
        };
        let Stage::Connecting {
            at: Some(at),
            is_refused,
        } = it.stage()
        else {
            return;
        };
        if at > now {
            return;
        }
        let host = it.address().and_then(|to| self.hosts.get_mut(&to));
        match host.filter(|_| !is_refused) {
            Some(Host::Serve(open)) => match open() {
                Some(serve) => it.open_served(serve),
                None => it.refuse(),
            },
            Some(Host::Listen(listening)) => {
                it.open_listened();
                listening.waiting.push_back(connection);
                let armed = &mut listening.armed;
                self.readiness
                    .report_armed(listening.interest, armed, ACCEPTABLE);
            }
            Some(Host::Refuse(_)) | None => it.refuse(),
        }
        it.report_connected(now, &mut self.readiness);
    }

    /// A connection whose function is to be called now.
    pub(super) fn next_call(&mut self) -> Option<Call> {
        let connections = &mut self.connections;
        let due = connections
            .iter_mut()
            .find_map(|(index, it)| Some((index, it.take_due_serve()?)));
        let (connection, serve) = due?;
        self.begin_call(connection, serve)
    }

    /// The same for one connection.
    pub(super) fn next_call_on(&mut self, connection: usize) -> Option<Call> {
        let serve = self.connections.get_mut(connection)?.take_due_serve()?;
        self.begin_call(connection, serve)
    }

    fn begin_call(&mut self, connection: usize, serve: Serve) -> Option<Call> {
        let now = self.clock.now();
        let it = self.connections.get_mut(connection)?;
        let peer = it.begin_call(now, &mut self.readiness)?;
        Some(Call {
            connection,
            serve,
            peer,
        })
    }

    /// The function returned. Returns the connection if it is over: drop it without the network's
    /// lock.
    #[must_use]
    pub(super) fn end_call(&mut self, call: Call) -> Option<Connection> {
        let now = self.clock.now();
        let it = self.connections.get_mut(call.connection)?;
        it.end_call(call.serve, call.peer, now, self.latency);
        if it.is_client_dropped() {
            return self.connections.try_remove(call.connection);
        }
        None
    }

    /// When the next thing happens by itself.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let now = self.clock.now();
        self.connections
            .iter()
            .filter_map(|(_, it)| it.next_due(now))
            .min()
    }
}

/// What a listener becomes when a connection waits.
const ACCEPTABLE: Ready = Ready {
    readable: true,
    writable: false,
    closed: false,
};

/// A call of the function that serves a connection: to be made without the network's lock.
pub(super) struct Call {
    connection: usize,
    pub(super) serve: Serve,
    pub(super) peer: Peer,
}
