//! The state of the in-memory network: connections, what is on its way, and who wants to know.
//!
//! Everything here happens at `Net::now`. A write puts bytes in flight; `run_due` lets them land;
//! landing makes an edge: one readiness event for the end's reactor, as epoll would give. Nothing
//! here calls out: peers are run by `MemoryNetwork`, without the lock.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use slab::Slab;

use super::ConnectError;
use super::fault::{Break, ConnectionFault, DecideFault, FaultTrigger, Shuffle};
use super::peer::{Peer, PeerWaker, Sent, Serve};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Which queue gets an end's events, and under which token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interest {
    pub(crate) queue: usize,
    pub(crate) token: usize,
}

/// One readiness event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looked {
    pub(crate) token: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) closed: bool,
}

/// So much later, at most some years, so that no pause is too long for the clock.
pub(crate) fn later(now: Instant, pause: Duration) -> Instant {
    const LONGEST: Duration = Duration::from_secs(1 << 30);
    now + pause.min(LONGEST)
}

pub(super) enum Host {
    /// Makes what answers a connection, or refuses it.
    Serve(Box<dyn FnMut() -> Option<Serve> + Send>),
    Listen(Listening),
    Refuse(ConnectError),
}

/// Connections that nobody has accepted yet, and who wants to know of them.
#[derive(Default)]
pub(super) struct Listening {
    pub(super) waiting: VecDeque<usize>,
    interest: Option<Interest>,
}

pub(super) struct Net {
    pub(super) now: Instant,
    /// The clock's time when this network was made.
    pub(super) began: Instant,
    pub(super) latency: Duration,
    pub(super) transfer_limit: Option<usize>,
    pub(super) capacity: usize,
    /// What a call of a client's costs, and each KiB that it moves.
    pub(super) work: (Duration, Duration),
    pub(super) names: HashMap<String, (Vec<IpAddr>, Duration)>,
    pub(super) hosts: HashMap<SocketAddr, Host>,
    pub(super) asked: HashMap<SocketAddr, usize>,
    pub(super) connections: Slab<Connection>,
    queues: Vec<VecDeque<Looked>>,
    pub(super) decide_fault: Option<DecideFault>,
    pub(super) shuffle: Option<Shuffle>,
}

pub(super) struct Connection {
    address: Option<SocketAddr>,
    stage: Stage,
    client: End,
    server: End,
    serve: Option<Serve>,
    /// What a peer left unread, and whether it must be told something.
    unread: Vec<u8>,
    tell_peer: bool,
    /// When the peer wants to be called, and what calls it from outside.
    wakes: Vec<Instant>,
    waker: PeerWaker,
    trigger: Option<FaultTrigger>,
    /// Nothing arrives any more.
    is_silent: bool,
}

enum Stage {
    /// The handshake is answered at this time; `None` is a black hole.
    Connecting {
        at: Option<Instant>,
        refused: bool,
    },
    Open,
    Refused,
}

/// What one side can read, and what is on its way to it.
#[derive(Default)]
struct End {
    arrived: VecDeque<u8>,
    in_flight: VecDeque<(Instant, Sent)>,
    bytes_in_flight: usize,
    fin: bool,
    reset: bool,
    capacity: usize,
    /// A write to this end found it full and waits for room.
    starved: bool,
    interest: Option<Interest>,
    dropped: bool,
}

impl Connection {
    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

impl Net {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            now,
            began: now,
            latency: Duration::ZERO,
            transfer_limit: None,
            capacity: 256 * 1024,
            work: (Duration::ZERO, Duration::ZERO),
            names: HashMap::new(),
            hosts: HashMap::new(),
            asked: HashMap::new(),
            connections: Slab::new(),
            queues: Vec::new(),
            decide_fault: None,
            shuffle: None,
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

    pub(super) fn open_queue(&mut self) -> usize {
        self.queues.push(VecDeque::new());
        self.queues.len() - 1
    }

    /// The events that one look hands out.
    pub(super) fn take_events(&mut self, queue: usize) -> impl Iterator<Item = Looked> {
        let events = self.queues.get_mut(queue);
        events.into_iter().flat_map(|events| {
            let count = match &mut self.shuffle {
                Some(shuffle) => shuffle.deal(events),
                None => events.len(),
            };
            events.drain(..count)
        })
    }

    pub(super) fn has_events(&self, queue: usize) -> bool {
        self.queues
            .get(queue)
            .is_some_and(|events| !events.is_empty())
    }

    pub(super) fn connect(&mut self, address: SocketAddr) -> io::Result<usize> {
        self.work(Side::Client, 0);
        let asked = self.asked.entry(address).or_default();
        let number = *asked;
        *asked += 1;
        let fault = self
            .decide_fault
            .as_mut()
            .and_then(|decide| decide(address, number));
        let answered = Some(self.now + 2 * self.latency);
        let (at, refused) = match self.hosts.get(&address) {
            _ if fault == Some(ConnectionFault::Refused) => (answered, true),
            Some(Host::Serve(_) | Host::Listen(_)) => (answered, false),
            Some(Host::Refuse(ConnectError::BlackHole)) => (None, false),
            Some(Host::Refuse(ConnectError::Unreachable)) => {
                return Err(io::ErrorKind::NetworkUnreachable.into());
            }
            Some(Host::Refuse(ConnectError::Refused)) | None => (answered, true),
        };
        let connection = self.insert(Some(address), Stage::Connecting { at, refused });
        let it = &mut self.connections[connection];
        it.server.dropped = true;
        it.trigger = fault.and_then(FaultTrigger::of);
        Ok(connection)
    }

    pub(super) fn open_pair(&mut self) -> usize {
        self.insert(None, Stage::Open)
    }

    fn insert(&mut self, address: Option<SocketAddr>, stage: Stage) -> usize {
        let end = || End {
            capacity: self.capacity,
            ..End::default()
        };
        let connection = Connection {
            address,
            stage,
            client: end(),
            server: end(),
            serve: None,
            unread: Vec::new(),
            tell_peer: false,
            wakes: Vec::new(),
            waker: PeerWaker::default(),
            trigger: None,
            is_silent: false,
        };
        self.connections.insert(connection)
    }

    pub(super) fn poll_connected(&mut self, connection: usize) -> io::Result<bool> {
        match self.connections.get(connection).map(|it| &it.stage) {
            Some(Stage::Open) => Ok(true),
            Some(Stage::Connecting { .. }) => Ok(false),
            Some(Stage::Refused) | None => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    pub(super) fn address(&self, connection: usize) -> Option<SocketAddr> {
        self.connections.get(connection)?.address
    }

    pub(super) fn register(&mut self, connection: usize, side: Side, interest: Interest) {
        let Some(it) = self.connections.get_mut(connection) else {
            return;
        };
        it.end(side).interest = Some(interest);
        if matches!(it.stage, Stage::Open) {
            self.edge(connection, side, true, true);
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
        if !matches!(it.stage, Stage::Open) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let end = it.end(side);
        let count = end.arrived.len().min(dst.len()).min(limit);
        if count == 0 {
            return if dst.is_empty() || end.fin && !end.reset {
                Ok(0)
            } else if end.reset {
                Err(io::ErrorKind::ConnectionReset.into())
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            };
        }
        for (slot, byte) in dst.iter_mut().zip(end.arrived.drain(..count)) {
            *slot = byte;
        }
        if std::mem::take(&mut end.starved) {
            self.edge(connection, side.other(), false, true);
        }
        self.work(side, count);
        Ok(count)
    }

    pub(super) fn write(&mut self, connection: usize, side: Side, src: &[u8]) -> io::Result<usize> {
        let limit = self.transfer_limit.unwrap_or(usize::MAX);
        let at = self.now + self.latency;
        let Some(it) = self.connections.get_mut(connection) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        if !matches!(it.stage, Stage::Open) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if it.end(side).reset {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let served = it.serve.is_some() && side == Side::Client;
        let far = it.end(side.other());
        if far.dropped && !served {
            // The kernel takes the bytes; the peer's reset comes back.
            it.end(side)
                .in_flight
                .push_back((at + self.latency, Sent::Reset));
            return Ok(src.len());
        }
        let room = far
            .capacity
            .saturating_sub(far.arrived.len() + far.bytes_in_flight);
        let count = src.len().min(room).min(limit);
        if count == 0 && !src.is_empty() {
            far.starved = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        far.bytes_in_flight += count;
        far.in_flight
            .push_back((at, Sent::Bytes(src[..count].to_vec())));
        self.work(side, count);
        Ok(count)
    }

    /// Lets the time pass that a call takes which moves so many bytes.
    fn work(&mut self, side: Side, bytes: usize) {
        if side == Side::Client {
            let (call, kib) = self.work;
            let moving = kib.as_nanos() * bytes as u128 / 1024;
            self.now += call + Duration::from_nanos(u64::try_from(moving).unwrap_or(u64::MAX));
        }
    }

    pub(super) fn shutdown(&mut self, connection: usize, side: Side) {
        self.send(connection, side, Duration::ZERO, Sent::Fin);
    }

    pub(super) fn reset(&mut self, connection: usize, side: Side) {
        self.send(connection, side, Duration::ZERO, Sent::Reset);
    }

    pub(super) fn drop_end(&mut self, connection: usize, side: Side) {
        let Some(it) = self.connections.get_mut(connection) else {
            return;
        };
        let end = it.end(side);
        end.dropped = true;
        end.interest = None;
        // Who waits for room learns by the next write that nobody reads any more.
        let starved = std::mem::take(&mut end.starved);
        if it.end(side.other()).dropped && it.serve.is_none() {
            self.connections.remove(connection);
        } else {
            self.shutdown(connection, side);
            // Without latency the other end can read the end of the stream at once, as over a socket.
            self.land(connection, side.other());
            if starved {
                self.edge(connection, side.other(), false, true);
            }
        }
    }

    /// Gives up the server's end of a connection that nobody took.
    pub(super) fn abandon(&mut self, connection: usize) {
        self.reset(connection, Side::Server);
        self.drop_end(connection, Side::Server);
    }

    /// Puts something in flight from `side`.
    fn send(&mut self, connection: usize, side: Side, pause: Duration, what: Sent) {
        let Some(it) = self.connections.get_mut(connection) else {
            return;
        };
        let far = it.end(side.other());
        // Order is kept: nothing overtakes what was sent before.
        let earliest = far.in_flight.back().map_or(self.now, |(at, _)| *at);
        let at = later(later(self.now, self.latency), pause).max(earliest);
        if let Sent::Bytes(bytes) = &what {
            far.bytes_in_flight += bytes.len();
        }
        far.in_flight.push_back((at, what));
    }

    /// Lets land what is due.
    pub(super) fn run_due(&mut self) {
        for connection in 0..self.connections.capacity() {
            if self.connections.contains(connection) {
                self.finish_connecting(connection);
                self.land(connection, Side::Client);
                self.land(connection, Side::Server);
                self.wake_peer(connection);
            }
        }
    }

    fn wake_peer(&mut self, connection: usize) {
        let now = self.now;
        let it = &mut self.connections[connection];
        let asked = it.wakes.len();
        it.wakes.retain(|at| *at > now);
        // Both are looked at: a flag left standing would call the peer once too often.
        let called = it.waker.take();
        it.tell_peer |= it.serve.is_some() && (called || it.wakes.len() < asked);
    }

    fn finish_connecting(&mut self, connection: usize) {
        let now = self.now;
        let it = &mut self.connections[connection];
        let Stage::Connecting {
            at: Some(at),
            refused,
        } = it.stage
        else {
            return;
        };
        if at > now {
            return;
        }
        if refused {
            it.stage = Stage::Refused;
        } else {
            it.stage = Stage::Open;
            match it.address.and_then(|address| self.hosts.get_mut(&address)) {
                Some(Host::Serve(open)) => match open() {
                    Some(serve) => {
                        it.serve = Some(serve);
                        it.tell_peer = true;
                        it.server.dropped = false;
                    }
                    None => it.stage = Stage::Refused,
                },
                Some(Host::Listen(listening)) => {
                    listening.waiting.push_back(connection);
                    let told = listening.interest;
                    it.server.dropped = false;
                    self.tell(told, true, false, false);
                }
                Some(Host::Refuse(_)) | None => it.stage = Stage::Refused,
            }
        }
        self.edge(connection, Side::Client, false, true);
        let it = &self.connections[connection];
        if matches!(it.stage, Stage::Open)
            && it.trigger.as_ref().is_some_and(|trigger| trigger.left == 0)
        {
            self.break_now(connection);
        }
    }

    /// What has arrived stays; all else that is on its way is lost.
    fn break_now(&mut self, connection: usize) {
        let it = &mut self.connections[connection];
        let Some(trigger) = it.trigger.take() else {
            return;
        };
        match trigger.how {
            Break::Silence => it.is_silent = true,
            Break::Reset => {
                for side in [Side::Client, Side::Server] {
                    let end = it.end(side);
                    end.in_flight.clear();
                    end.bytes_in_flight = 0;
                    end.in_flight.push_back((self.now, Sent::Reset));
                }
            }
        }
    }

    fn land(&mut self, connection: usize, side: Side) {
        let now = self.now;
        let mut landed = false;
        let mut breaks = false;
        let it = &mut self.connections[connection];
        let (silent, trigger) = (it.is_silent, &mut it.trigger);
        let end = match side {
            Side::Client => &mut it.client,
            Side::Server => &mut it.server,
        };
        while !breaks
            && let Some((at, _)) = end.in_flight.front()
            && *at <= now
            && let Some((_, what)) = end.in_flight.pop_front()
        {
            if silent {
                // Nobody is told that there is no more room either: the window stays as it is.
                continue;
            }
            landed = true;
            match what {
                Sent::Bytes(mut bytes) => {
                    end.bytes_in_flight = end.bytes_in_flight.saturating_sub(bytes.len());
                    breaks = trigger
                        .as_mut()
                        .is_some_and(|trigger| trigger.burn(side, &mut bytes));
                    if !end.dropped {
                        end.arrived.extend(bytes);
                    }
                }
                Sent::Fin => end.fin = true,
                Sent::Reset => end.reset = true,
            }
        }
        if landed {
            if side == Side::Server && it.serve.is_some() {
                it.tell_peer = true;
            } else {
                self.edge(connection, side, true, false);
            }
        }
        if breaks {
            self.break_now(connection);
            // Both ends learn of it now, whichever of them was landed first.
            self.land(connection, side);
            self.land(connection, side.other());
        }
    }

    fn edge(&mut self, connection: usize, side: Side, readable: bool, writable: bool) {
        let Some(it) = self.connections.get_mut(connection) else {
            return;
        };
        let refused = matches!(it.stage, Stage::Refused);
        let end = it.end(side);
        let closed = end.fin || end.reset || refused;
        let (interest, writable) = (end.interest, writable || end.reset || refused);
        self.tell(interest, readable || closed, writable, closed);
    }

    fn tell(&mut self, interest: Option<Interest>, readable: bool, writable: bool, closed: bool) {
        if let Some(interest) = interest
            && let Some(queue) = self.queues.get_mut(interest.queue)
        {
            queue.push_back(Looked {
                token: interest.token,
                readable,
                writable,
                closed,
            });
        }
    }

    #[cfg(feature = "server")]
    /// Lets a reactor know when a connection to this address waits. Those that wait already are told
    /// at once.
    pub(super) fn register_listener(&mut self, address: SocketAddr, interest: Interest) {
        if let Some(Host::Listen(listening)) = self.hosts.get_mut(&address) {
            listening.interest = Some(interest);
            if !listening.waiting.is_empty() {
                self.tell(Some(interest), true, false, false);
            }
        }
    }

    /// The next connection whose peer must be told something.
    pub(super) fn next_peer(&mut self) -> Option<(usize, Serve)> {
        let (connection, it) = self
            .connections
            .iter_mut()
            .find(|(_, it)| it.tell_peer && it.serve.is_some())?;
        it.tell_peer = false;
        Some((connection, it.serve.take()?))
    }

    pub(super) fn begin_peer(&mut self, connection: usize) -> Peer {
        let now = self.now;
        let it = &mut self.connections[connection];
        let mut received = std::mem::take(&mut it.unread);
        received.extend(it.server.arrived.drain(..));
        let starved = std::mem::take(&mut it.server.starved);
        let peer = Peer {
            received,
            closed: it.server.fin || it.server.reset,
            now,
            out: Vec::new(),
            wakes: Vec::new(),
            waker: it.waker.clone(),
        };
        if starved {
            self.edge(connection, Side::Client, false, true);
        }
        peer
    }

    pub(super) fn end_peer(&mut self, connection: usize, serve: Serve, peer: Peer) {
        let Some(it) = self.connections.get_mut(connection) else {
            return;
        };
        it.unread = peer.received;
        let over = it.client.dropped;
        it.serve = (!over).then_some(serve);
        if over {
            self.connections.remove(connection);
            return;
        }
        for pause in peer.wakes {
            let at = later(peer.now, pause);
            if !it.wakes.contains(&at) {
                it.wakes.push(at);
            }
        }
        for (pause, what) in peer.out {
            self.send(connection, Side::Server, pause, what);
        }
    }

    /// When the next thing happens by itself.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.connections
            .iter()
            .flat_map(|(_, it)| {
                let connecting = match it.stage {
                    Stage::Connecting { at, .. } => at,
                    Stage::Open | Stage::Refused => None,
                };
                let landing = [&it.client, &it.server]
                    .into_iter()
                    .filter_map(|end| end.in_flight.front().map(|(at, _)| *at));
                let called = it.waker.is_set().then_some(self.now);
                let waking = it.wakes.iter().copied().chain(called);
                connecting.into_iter().chain(landing).chain(waking)
            })
            .min()
    }
}
