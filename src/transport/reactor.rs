//! One `mio::Poll` (or one in-memory network), the readiness of every socket on it, and the time.
//!
//! mio reports edges: once a socket was reported ready, nothing more is said until it has failed
//! with `WouldBlock`. A poll that stops early because its budget is spent would lose the rest. So
//! readiness is **sticky** here: a bit is set by an event and cleared only by `WouldBlock` (or by
//! what proves it must come). Tokens carry a generation, so that an event of a closed socket never
//! reaches its successor.
//!
//! The reactor knows sockets by number only; it does no I/O on them.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry, Token, Waker};
use slab::Slab;

use crate::error::{Error, ErrorKind, NetworkFault};
use crate::transport::buffer::{BUFFER_BYTES, BufferPool};
use crate::transport::cost::HandshakeCosts;
use crate::transport::memory::{Interest, MemoryNetwork};
use crate::transport::meter::Clock;
use crate::transport::resolver::{Lookup, Resolver};
use crate::transport::wake::Wake;

/// Events taken from the kernel at once; more wait for the next look.
const EVENTS: usize = 256;

/// Time between two polls beyond this does not count against deadlines.
const LONGEST_GAP: Duration = Duration::from_secs(1);

const WAKER: Token = Token(usize::MAX);

/// Half of a token is the slot, the other half the generation.
const SLOT_BITS: u32 = usize::BITS / 2;
const SLOT_MASK: usize = (1 << SLOT_BITS) - 1;

/// A socket's number: valid until the socket is removed, never valid again after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceId(usize);

#[derive(Debug)]
struct Source {
    id: SourceId,
    readable: bool,
    writable: bool,
    /// The peer's end was reported: reading must go on until it is seen, even after a short read.
    closed: bool,
    /// Tells nobody when it is ready, so it is tried at every look.
    always_tried: bool,
    key: Key,
}

/// Who is told that a source became ready: whatever number the one who polls gave to what it drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) usize);

impl Key {
    /// Someone who drives everything at each poll and needs no list.
    pub(crate) const NONE: Self = Self(usize::MAX);
}

#[derive(Debug)]
enum Backend {
    /// Nothing was opened yet.
    Unopened,
    System {
        poll: Poll,
        events: Events,
        waker: Option<Arc<Waker>>,
    },
    Memory {
        network: MemoryNetwork,
        queue: usize,
    },
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Reactor {
    backend: Backend,
    sources: Slab<Source>,
    generation: usize,
    always_tried: usize,
    /// Whose the sources are that are added now.
    key: Key,
    /// Whose sources became ready since this list was taken; some may be named twice.
    ready: Vec<Key>,
    resolver: Resolver,
    pool: BufferPool,
    /// One buffer that a poll may use between two calls, shared by all sockets.
    scratch: Vec<u8>,
    /// What handshakes have cost on this machine.
    pub(crate) handshakes: HandshakeCosts,
    clock: Clock,
    last_poll: Option<Instant>,
    /// How much time did not count so far.
    skipped: Duration,
}

impl Reactor {
    /// A reactor over the operating system. Opens nothing before a socket needs it.
    pub(crate) fn system(resolver: Resolver) -> Self {
        Self::new(Backend::Unopened, Clock::System, resolver)
    }

    /// A reactor over an in-memory network and its clock.
    pub(crate) fn memory(network: &MemoryNetwork) -> Self {
        let backend = Backend::Memory {
            network: network.clone(),
            queue: network.open_queue(),
        };
        Self::new(backend, Clock::Virtual(network.clone()), Resolver::system())
    }

    fn new(backend: Backend, clock: Clock, resolver: Resolver) -> Self {
        Self {
            backend,
            sources: Slab::new(),
            generation: 0,
            always_tried: 0,
            key: Key::NONE,
            ready: Vec::new(),
            resolver,
            pool: BufferPool::default(),
            scratch: Vec::new(),
            handshakes: HandshakeCosts::default(),
            clock,
            last_poll: None,
            skipped: Duration::ZERO,
        }
    }

    /// Names the key of all sources added from now on.
    #[cfg(any(feature = "agent", feature = "server", test))]
    pub(crate) fn set_key(&mut self, key: Key) {
        self.key = key;
    }

    /// Whose sources became ready since the last call, moved behind what `into` holds. Readiness
    /// itself is sticky; this list is not.
    #[cfg(any(feature = "agent", feature = "server", test))]
    pub(crate) fn drain_ready(&mut self, into: &mut Vec<Key>) {
        into.append(&mut self.ready);
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn pool(&self) -> &BufferPool {
        &self.pool
    }

    /// The in-memory network, when this reactor runs on one.
    pub(crate) fn network(&self) -> Option<&MemoryNetwork> {
        match &self.backend {
            Backend::Memory { network, .. } => Some(network),
            Backend::Unopened | Backend::System { .. } => None,
        }
    }

    /// Which of the in-memory network's reactors this is, from 0 in the order in which they were made.
    #[cfg(feature = "agent")]
    pub(crate) fn memory_queue(&self) -> Option<usize> {
        match &self.backend {
            Backend::Memory { queue, .. } => Some(*queue),
            Backend::Unopened | Backend::System { .. } => None,
        }
    }

    /// Lends the shared scratch buffer. Give it back with [`return_scratch`](Self::return_scratch).
    pub(crate) fn lend_scratch(&mut self) -> Vec<u8> {
        let mut scratch = std::mem::take(&mut self.scratch);
        if scratch.is_empty() {
            scratch = vec![0; BUFFER_BYTES];
        }
        scratch
    }

    pub(crate) fn return_scratch(&mut self, scratch: Vec<u8>) {
        self.scratch = scratch;
    }

    /// Begins a poll at `now`; answers the time by which deadlines are judged. Of a long gap since
    /// the last poll only a part counts: whoever was away cannot blame the peer.
    pub(crate) fn begin_poll(&mut self, now: Instant) -> Instant {
        if let Some(last) = self.last_poll {
            let gap = now.saturating_duration_since(last);
            self.skipped += gap.saturating_sub(LONGEST_GAP);
        }
        self.last_poll = Some(self.last_poll.map_or(now, |last| last.max(now)));
        self.active_time(now)
    }

    /// Takes the time that does not count off a gap between two polls while it lasts, for times that are
    /// noted between them.
    #[cfg(feature = "agent")]
    pub(crate) fn skip_gap(&mut self, now: Instant) {
        let last = *self.last_poll.get_or_insert(now);
        let beyond = now
            .saturating_duration_since(last)
            .saturating_sub(LONGEST_GAP);
        self.skipped += beyond;
        self.last_poll = Some(last + beyond);
    }

    /// Begins a poll after a [`wait`](Self::wait): time slept there all counts.
    pub(crate) fn begin_wait(&mut self, now: Instant) -> Instant {
        self.last_poll = Some(self.last_poll.map_or(now, |last| last.max(now)));
        self.active_time(now)
    }

    /// The active time: `now` less the time that did not count.
    pub(crate) fn active_time(&self, now: Instant) -> Instant {
        now.checked_sub(self.skipped).unwrap_or(now)
    }

    /// The clock's time for a active time.
    pub(crate) fn real_time(&self, active_now: Instant) -> Instant {
        active_now + self.skipped
    }

    /// Looks a name up; the answer wakes a [`wait`](Self::wait).
    pub(crate) fn lookup(&mut self, host: &str) -> Result<Lookup, Error> {
        if let Backend::Memory { network, .. } = &self.backend
            && host.parse::<IpAddr>().is_err()
        {
            let (at, addresses) = network.resolve(host);
            let result = if addresses.is_empty() {
                Err(Error::new(ErrorKind::Network(NetworkFault::Unresolved)))
            } else {
                Ok(addresses.into())
            };
            return Ok(Lookup::ready_at(self.active_time(at), result));
        }
        let wake = self.wake()?;
        Ok(self.resolver.lookup(host, self.clock.now(), wake))
    }

    /// What ends a [`wait`](Self::wait) from another thread.
    pub(crate) fn wake(&mut self) -> Result<Wake, Error> {
        let waker = self.waker()?;
        Ok(Arc::new(move || {
            if let Some(waker) = &waker {
                // The loop that this would wake is gone if it fails.
                let _ = waker.wake();
            }
        }))
    }

    /// What a worker wakes this reactor with; `None` in memory, where nobody sleeps.
    fn waker(&mut self) -> Result<Option<Arc<Waker>>, Error> {
        self.open()?;
        let Backend::System { poll, waker, .. } = &mut self.backend else {
            return Ok(None);
        };
        if waker.is_none() {
            let new = Waker::new(poll.registry(), WAKER)
                .map_err(|error| Error::io(NetworkFault::System, error))?;
            *waker = Some(Arc::new(new));
        }
        Ok(waker.clone())
    }

    /// Opens the kernel's poll instance, if it was not.
    fn open(&mut self) -> Result<(), Error> {
        if matches!(self.backend, Backend::Unopened) {
            let poll = Poll::new().map_err(|error| Error::io(NetworkFault::System, error))?;
            self.backend = Backend::System {
                poll,
                events: Events::with_capacity(EVENTS),
                waker: None,
            };
        }
        Ok(())
    }

    /// Registers a socket: `register` is given mio's registry and the token.
    pub(crate) fn add_system(
        &mut self,
        register: impl FnOnce(&Registry, Token) -> io::Result<()>,
    ) -> Result<SourceId, Error> {
        self.open()?;
        let id = self.insert(false);
        // A loopback connection is often there before the first event: let it be tried at once.
        if let Some(source) = self.source(id) {
            source.writable = true;
        }
        let result = match &self.backend {
            Backend::System { poll, .. } => register(poll.registry(), Token(id.0)),
            Backend::Unopened | Backend::Memory { .. } => Err(io::ErrorKind::Unsupported.into()),
        };
        if let Err(error) = result {
            self.remove(id);
            return Err(Error::io(NetworkFault::System, error));
        }
        Ok(id)
    }

    /// Lets a read be tried before any event: what a peer sent right behind its connecting is often
    /// there when the connection is accepted.
    #[cfg(feature = "server")]
    pub(crate) fn assume_readable(&mut self, id: SourceId) {
        if let Some(source) = self.source(id) {
            source.readable = true;
        }
    }

    /// Registers an in-memory stream: `register` is given where its events go. On a reactor that runs
    /// on no in-memory network the stream is tried at every look instead.
    pub(crate) fn add_memory(&mut self, register: impl FnOnce(Interest)) -> SourceId {
        match self.backend {
            Backend::Memory { queue, .. } => {
                let id = self.insert(false);
                register(Interest { queue, token: id.0 });
                id
            }
            Backend::Unopened | Backend::System { .. } => self.insert(true),
        }
    }

    /// Registers a stream that tells nobody when it is ready.
    pub(crate) fn add_untold(&mut self) -> SourceId {
        self.insert(true)
    }

    fn insert(&mut self, always_tried: bool) -> SourceId {
        self.generation = (self.generation + 1) & SLOT_MASK;
        let entry = self.sources.vacant_entry();
        let mut token = (self.generation << SLOT_BITS) | (entry.key() & SLOT_MASK);
        if token == WAKER.0 {
            token ^= 1 << SLOT_BITS;
        }
        let id = SourceId(token);
        entry.insert(Source {
            id,
            readable: always_tried,
            writable: always_tried,
            closed: false,
            always_tried,
            key: self.key,
        });
        self.always_tried += usize::from(always_tried);
        id
    }

    /// Takes a socket that goes on living off the kernel's list, and forgets it.
    pub(crate) fn remove_system(
        &mut self,
        id: SourceId,
        deregister: impl FnOnce(&Registry) -> io::Result<()>,
    ) {
        if let Backend::System { poll, .. } = &self.backend {
            // Failing leaves an entry in the kernel that ends with the socket.
            let _ = deregister(poll.registry());
        }
        self.remove(id);
    }

    /// Forgets a socket. Its late events reach nobody.
    pub(crate) fn remove(&mut self, id: SourceId) {
        if self.source(id).is_some() {
            let source = self.sources.remove(id.0 & SLOT_MASK);
            self.always_tried -= usize::from(source.always_tried);
        }
    }

    fn source(&mut self, id: SourceId) -> Option<&mut Source> {
        self.sources
            .get_mut(id.0 & SLOT_MASK)
            .filter(|source| source.id == id)
    }

    pub(crate) fn is_readable(&mut self, id: SourceId) -> bool {
        self.source(id).is_some_and(|source| source.readable)
    }

    pub(crate) fn is_writable(&mut self, id: SourceId) -> bool {
        self.source(id).is_some_and(|source| source.writable)
    }

    /// A read would have blocked: the next event will tell.
    pub(crate) fn clear_readable(&mut self, id: SourceId) {
        if let Some(source) = self.source(id) {
            source.readable = false;
        }
    }

    /// A read took less than it offered to. With epoll that means that the socket is empty and that
    /// the next byte makes a new edge, so a read that would only fail is saved; except when the
    /// peer's end was reported, because that edge is past.
    pub(crate) fn note_short_read(&mut self, id: SourceId) {
        let epoll = cfg!(any(target_os = "linux", target_os = "android"));
        if let Some(source) = self.source(id)
            && epoll
            && !source.closed
            && !source.always_tried
        {
            source.readable = false;
        }
    }

    /// A write would have blocked: the next event will tell.
    pub(crate) fn clear_writable(&mut self, id: SourceId) {
        if let Some(source) = self.source(id) {
            source.writable = false;
        }
    }

    /// Takes in what became ready, without waiting. Answers whether anything did.
    pub(crate) fn poll_events(&mut self) -> Result<bool, Error> {
        self.poll_backend(Some(Duration::ZERO))
    }

    /// Sleeps until something becomes ready or `timeout` is over, then takes it in.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> Result<bool, Error> {
        if let Backend::Memory { network, queue } = &self.backend {
            let until = timeout.and_then(|timeout| network.now().checked_add(timeout));
            network.sleep_until(*queue, until);
        }
        if matches!(self.backend, Backend::Unopened) {
            // Only a stream that tells nothing can be under way: look again soon.
            self.open()?;
        }
        let timeout = if self.always_tried > 0 {
            let soon = Duration::from_millis(1);
            Some(timeout.map_or(soon, |timeout| timeout.min(soon)))
        } else {
            timeout
        };
        self.poll_backend(timeout)
    }

    fn poll_backend(&mut self, timeout: Option<Duration>) -> Result<bool, Error> {
        // A stream that tells nothing is tried, which is no sign that anything came.
        let mut anything = false;
        if self.always_tried > 0 {
            for (_, source) in &mut self.sources {
                if source.always_tried {
                    source.readable = true;
                    source.writable = true;
                    note_ready(&mut self.ready, source.key);
                }
            }
        }
        match &mut self.backend {
            Backend::Unopened => {}
            Backend::System { poll, events, .. } => {
                if self.sources.is_empty() && timeout == Some(Duration::ZERO) {
                    return Ok(anything);
                }
                match poll.poll(events, timeout) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                        return Ok(anything);
                    }
                    Err(error) => return Err(Error::io(NetworkFault::System, error)),
                }
                for event in events.iter() {
                    let token = event.token();
                    if let Some(source) = self.sources.get_mut(token.0 & SLOT_MASK)
                        && source.id.0 == token.0
                    {
                        anything = true;
                        let failed = event.is_error();
                        source.readable |= event.is_readable() || event.is_read_closed() || failed;
                        source.writable |= event.is_writable() || event.is_write_closed() || failed;
                        source.closed |= event.is_read_closed() || failed;
                        note_ready(&mut self.ready, source.key);
                    }
                }
            }
            Backend::Memory { network, queue } => {
                let (sources, ready) = (&mut self.sources, &mut self.ready);
                network.look(*queue, |event| {
                    if let Some(source) = sources.get_mut(event.token & SLOT_MASK)
                        && source.id.0 == event.token
                    {
                        anything = true;
                        source.readable |= event.readable;
                        source.writable |= event.writable;
                        source.closed |= event.closed;
                        note_ready(ready, source.key);
                    }
                });
            }
        }
        Ok(anything)
    }
}

fn note_ready(ready: &mut Vec<Key>, key: Key) {
    if key != Key::NONE && ready.last() != Some(&key) {
        ready.push(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_owners_whose_sources_became_ready_are_named() {
        let network = MemoryNetwork::new();
        let mut reactor = Reactor::memory(&network);
        let mut peers = Vec::new();
        for key in [Key(7), Key::NONE, Key(9)] {
            let (client, server) = network.pair();
            reactor.set_key(key);
            reactor.add_memory(|interest| client.register(interest));
            peers.push((client, server));
        }
        let mut ready = Vec::new();
        reactor.poll_events().unwrap();
        reactor.drain_ready(&mut ready);
        assert_eq!(ready, [Key(7), Key(9)]);
        ready.clear();
        let (client, server) = peers.remove(2);
        drop(server);
        reactor.poll_events().unwrap();
        reactor.drain_ready(&mut ready);
        drop(client);
        assert_eq!(ready, [Key(9)]);
    }

    #[test]
    fn a_number_is_never_valid_again() {
        let mut reactor = Reactor::memory(&MemoryNetwork::new());
        let first = reactor.add_untold();
        reactor.remove(first);
        let second = reactor.add_untold();
        assert_ne!(first, second);
        assert!(!reactor.is_readable(first));
        assert!(reactor.is_readable(second));
    }

    #[test]
    fn an_event_of_a_removed_socket_reaches_nobody() {
        let network = MemoryNetwork::new();
        let mut reactor = Reactor::memory(&network);
        let (client, _server) = network.pair();
        let old = reactor.add_memory(|interest| client.register(interest));
        reactor.remove(old);
        let (other, _other_server) = network.pair();
        let new = reactor.add_memory(|_| drop(other));
        reactor.poll_events().unwrap();
        assert!(!reactor.is_readable(new));
    }

    #[test]
    fn readiness_stays_until_it_is_cleared() {
        let network = MemoryNetwork::new();
        let mut reactor = Reactor::memory(&network);
        let (client, _server) = network.pair();
        let id = reactor.add_memory(|interest| client.register(interest));
        reactor.poll_events().unwrap();
        for _ in 0..3 {
            assert!(reactor.is_readable(id));
            reactor.poll_events().unwrap();
        }
        reactor.clear_readable(id);
        reactor.poll_events().unwrap();
        assert!(!reactor.is_readable(id));
    }

    #[test]
    fn only_a_second_of_a_gap_counts() {
        let mut reactor = Reactor::memory(&MemoryNetwork::new());
        let start = Instant::now();
        assert_eq!(reactor.begin_poll(start), start);
        let half = Duration::from_millis(500);
        assert_eq!(reactor.begin_poll(start + half), start + half);
        let late = start + half + Duration::from_secs(60);
        assert_eq!(reactor.begin_poll(late), start + half + LONGEST_GAP);
        assert_eq!(reactor.real_time(reactor.active_time(late)), late);
    }
}
