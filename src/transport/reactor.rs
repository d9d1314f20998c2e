//! The readiness of one machine's sockets, its clock, and what its sockets share.
//!
//! mio reports edges: once it has reported a socket as ready, it reports nothing more until an operation on
//! that socket has failed with `WouldBlock`. A poll that stops early because its budget is spent would lose
//! the remaining data. So readiness is **sticky** here: an event sets a bit, and only `WouldBlock` clears
//! it (or an outcome that proves that `WouldBlock` would follow).
//!
//! The events come from a [`Poller`] that machines may share. The reactor does no I/O on its sockets.

#[cfg(target_family = "wasm")]
mod fetch;
mod time;

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use slab::Slab;

use crate::error::{Error, ErrorKind, NetworkFault};
use crate::transport::active_time::ActiveTime;
use crate::transport::buffer::{BUFFER_BYTES, BufferPool};
use crate::transport::cost::HandshakeCosts;
use crate::transport::inbox::slot_of;
use crate::transport::memory::{Interest, MemoryNetwork};
use crate::transport::meter::Clock;
use crate::transport::poller::{Member, Poller};
use crate::transport::resolver::{Lookup, Resolver};
use crate::transport::system::{Registry, Token};
use crate::transport::wake::{Wake, WakeTarget};

/// The longest sleep while there is a stream that does not report readiness.
const RETRY_INTERVAL: Duration = Duration::from_millis(1);

/// A socket's number. It is valid until the socket is removed, and is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceId(usize);

#[derive(Debug)]
struct Source {
    id: SourceId,
    readable: bool,
    writable: bool,
    /// The end of the peer's stream was reported. Reading must continue until it is found, even after a
    /// short read.
    closed: bool,
    /// The stream does not report readiness, so every poll tries it.
    always_tried: bool,
    key: Key,
}

/// A number that the machine chose for the owner of the source, such as a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) usize);

impl Key {
    /// For a machine that drives everything in each turn and needs no list.
    pub(crate) const NONE: Self = Self(usize::MAX);
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Reactor {
    member: Member,
    sources: Slab<Source>,
    always_tried: usize,
    /// The key for sources that are added now.
    key: Key,
    /// Keys of sources that became ready since this list was last taken. A key may occur twice.
    ready: Vec<Key>,
    resolver: Resolver,
    /// One buffer for use within a call, shared by all sockets.
    scratch: Vec<u8>,
    /// The recent costs of handshakes on this machine.
    pub(crate) handshakes: HandshakeCosts,
    /// The poller that wakes reach, once there are any.
    wake_target: Option<WakeTarget>,
    active_time: ActiveTime,
    turn: Turn,
}

/// How the machine's latest turn ended, and what became ready since then.
#[derive(Debug, Default)]
struct Turn {
    /// The budget or the length of the turn left work undone.
    is_cut: bool,
    /// A step was deferred to the next poll.
    is_deferred: bool,
    has_events: bool,
}

impl Reactor {
    /// A reactor on the operating system. It opens nothing before a socket needs it.
    pub(crate) fn system(resolver: Resolver) -> Self {
        Self::new(&Poller::alone(), resolver)
    }

    /// A reactor over an in-memory network and its clock.
    pub(crate) fn memory(network: &MemoryNetwork) -> Self {
        Self::new(&Poller::memory(network), Resolver::system())
    }

    /// A reactor for a machine that may be in a group.
    #[cfg(feature = "server")]
    pub(crate) fn on(group: Option<&Poller>, resolver: Resolver) -> Self {
        match group {
            Some(poller) => Self::new(poller, resolver),
            None => Self::system(resolver),
        }
    }

    /// The same on an in-memory network. A group on the system, or on another network, is ignored.
    #[cfg(any(feature = "agent", feature = "server"))]
    pub(crate) fn on_memory(group: Option<&Poller>, network: &MemoryNetwork) -> Self {
        let is_there = |poller: &&Poller| {
            let queue = poller.memory_queue();
            queue.is_some_and(|(theirs, _)| theirs.is(network))
        };
        match group.filter(is_there) {
            Some(poller) => Self::new(poller, Resolver::system()),
            None => Self::memory(network),
        }
    }

    /// A reactor whose sockets this poller watches, together with those of other machines.
    pub(crate) fn new(poller: &Poller, resolver: Resolver) -> Self {
        Self {
            member: poller.join(),
            sources: Slab::new(),
            always_tried: 0,
            key: Key::NONE,
            ready: Vec::new(),
            resolver,
            scratch: Vec::new(),
            handshakes: HandshakeCosts::default(),
            wake_target: None,
            active_time: ActiveTime::default(),
            turn: Turn::default(),
        }
    }

    /// The poller that watches its sockets.
    pub(crate) fn poller(&self) -> &Poller {
        self.member.poller()
    }

    /// Sets the key of all sources that are added from now on.
    #[cfg(any(feature = "agent", feature = "server", test))]
    pub(crate) fn set_key(&mut self, key: Key) {
        self.key = key;
    }

    /// Appends the keys of the sources that became ready since the last call. Readiness is sticky; this list
    /// is not.
    #[cfg(any(feature = "agent", feature = "server", test))]
    pub(crate) fn drain_ready(&mut self, into: &mut Vec<Key>) {
        into.append(&mut self.ready);
    }

    pub(crate) fn clock(&self) -> &Clock {
        self.member.poller().clock()
    }

    pub(crate) fn pool(&self) -> &BufferPool {
        self.member.poller().pool()
    }

    /// The in-memory network, when this reactor runs on one.
    pub(crate) fn network(&self) -> Option<&MemoryNetwork> {
        self.member
            .poller()
            .memory_queue()
            .map(|(network, _)| network)
    }

    /// On an in-memory network, a number that is the same in each run: pollers count in the order of their
    /// creation, and within one poller its members do.
    #[cfg(feature = "agent")]
    pub(crate) fn memory_number(&self) -> Option<u64> {
        let (_, queue) = self.member.poller().memory_queue()?;
        Some(((self.member.index() as u64) << 32) | queue as u64)
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

    /// A turn of the machine begins.
    pub(crate) fn start_turn(&mut self) {
        self.turn = Turn::default();
    }

    /// A turn of the machine has ended. The arguments say whether it left work undone, and whether it
    /// deferred a step to the next poll.
    pub(crate) fn end_turn(&mut self, is_cut: bool, is_deferred: bool) {
        self.turn.is_cut |= is_cut;
        self.turn.is_deferred |= is_deferred;
    }

    /// Whether the machine has work that can be done now: its last turn was cut short, or something became
    /// ready since then.
    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.turn.is_cut || self.turn.has_events
    }

    /// Whether the machine has, or may have, something to do for its sockets.
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        self.is_cut() || self.is_deferred() || !self.ready.is_empty() || self.always_tried > 0
    }

    /// Whether the machine has a step that does not fit into this poll and waits for the next.
    pub(crate) fn is_deferred(&self) -> bool {
        self.turn.is_deferred
    }

    /// Its membership in the poller.
    pub(crate) fn member(&self) -> &Member {
        &self.member
    }

    /// Looks a name up. Its result ends a sleep.
    pub(crate) fn lookup(&mut self, host: &str) -> Result<Lookup, Error> {
        if let Some(network) = self.network()
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
        Ok(self.resolver.lookup(host, self.clock().now(), wake))
    }

    /// Returns a wake, with which another thread ends a sleep of the machine.
    pub(crate) fn wake(&mut self) -> Result<Wake, Error> {
        if self.wake_target.is_none() {
            let target = WakeTarget::default();
            target.set(self.member.waker()?);
            self.wake_target = Some(target);
        }
        Ok(self.wake_target.get_or_insert_default().wake())
    }

    /// Returns a reactor on another poller, to which the sockets of this one can be moved. `None` if that
    /// poller has another clock.
    pub(crate) fn successor(&mut self, poller: &Poller) -> Option<Self> {
        let is_same_clock = match (self.network(), poller.memory_queue()) {
            (None, None) => true,
            (Some(ours), Some((theirs, _))) => ours.is(theirs),
            (None, Some(_)) | (Some(_), None) => false,
        };
        if !is_same_clock {
            return None;
        }
        let mut next = Self::new(poller, self.resolver.clone());
        if let Some(target) = self.wake_target.take() {
            // Without a waker, lookups still finish, but do not end a sleep.
            target.set(next.member.waker().ok().flatten());
            next.wake_target = Some(target);
        }
        next.handshakes = self.handshakes;
        next.active_time = self.active_time;
        Some(next)
    }

    /// Registers a socket: `register` is given mio's registry and the token.
    pub(crate) fn add_system(
        &mut self,
        register: impl FnOnce(&Registry, Token) -> io::Result<()>,
    ) -> Result<SourceId, Error> {
        let id = self.insert(false);
        // A loopback connection is often established before the first event, so it is tried at once.
        if let Some(source) = self.source(id) {
            source.writable = true;
        }
        let registered = self
            .member
            .register(|registry| register(registry, Token(id.0)));
        if let Err(error) = registered {
            self.remove(id);
            return Err(error);
        }
        Ok(id)
    }

    /// Allows a read before the first event. When a connection is accepted, the first bytes of the peer
    /// have often arrived already.
    pub(crate) fn assume_readable(&mut self, id: SourceId) {
        if let Some(source) = self.source(id) {
            source.readable = true;
        }
    }

    /// Registers an in-memory stream. `register` gets the target of its events. On a reactor that is not on
    /// an in-memory network, every poll tries the stream instead.
    pub(crate) fn add_memory(&mut self, register: impl FnOnce(Interest)) -> SourceId {
        let Some((_, queue)) = self.member.poller().memory_queue() else {
            return self.insert(true);
        };
        let id = self.insert(false);
        register(Interest { queue, token: id.0 });
        id
    }

    /// Registers a stream that does not report readiness.
    pub(crate) fn add_untold(&mut self) -> SourceId {
        self.insert(true)
    }

    fn insert(&mut self, always_tried: bool) -> SourceId {
        let entry = self.sources.vacant_entry();
        let id = SourceId(self.member.token(entry.key()));
        entry.insert(Source {
            id,
            readable: always_tried,
            writable: always_tried,
            closed: false,
            always_tried,
            key: self.key,
        });
        self.always_tried += usize::from(always_tried);
        self.member.count_in();
        id
    }

    /// Deregisters a socket that stays open, and removes it.
    pub(crate) fn remove_system(
        &mut self,
        id: SourceId,
        deregister: impl FnOnce(&Registry) -> io::Result<()>,
    ) {
        // On failure the kernel keeps an entry, which ends with the socket.
        let _ = self.member.register(deregister);
        self.remove(id);
    }

    /// Removes a socket. Its late events are ignored.
    pub(crate) fn remove(&mut self, id: SourceId) {
        if self.source(id).is_some() {
            let source = self.sources.remove(slot_of(id.0));
            self.always_tried -= usize::from(source.always_tried);
            self.member.count_out(1);
        }
    }

    fn source(&mut self, id: SourceId) -> Option<&mut Source> {
        self.sources
            .get_mut(slot_of(id.0))
            .filter(|source| source.id == id)
    }

    pub(crate) fn is_readable(&mut self, id: SourceId) -> bool {
        self.source(id).is_some_and(|source| source.readable)
    }

    pub(crate) fn is_writable(&mut self, id: SourceId) -> bool {
        self.source(id).is_some_and(|source| source.writable)
    }

    /// A read returned `WouldBlock`: an event will follow.
    pub(crate) fn clear_readable(&mut self, id: SourceId) {
        if let Some(source) = self.source(id) {
            source.readable = false;
        }
    }

    /// A read returned less than it asked for. With epoll the socket is then empty and the next byte causes
    /// a new edge, so no read has to fail first. The exception is a reported end of the peer's stream: that
    /// edge has passed.
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

    /// A write returned `WouldBlock`: an event will follow.
    pub(crate) fn clear_writable(&mut self, id: SourceId) {
        if let Some(source) = self.source(id) {
            source.writable = false;
        }
    }

    /// Collects the events of sockets that became ready, without waiting. Returns whether there were any.
    pub(crate) fn poll_events(&mut self) -> Result<bool, Error> {
        self.member.poller().poll()?;
        Ok(self.take_events())
    }

    /// The longest that a sleep may last: a stream that does not report readiness must be tried again soon.
    pub(crate) fn longest_sleep(&self) -> Option<Duration> {
        (self.always_tried > 0).then_some(RETRY_INTERVAL)
    }

    /// Takes the events that the poller has collected. Returns whether there were any.
    #[inline]
    pub(crate) fn take_events(&mut self) -> bool {
        if self.always_tried > 0 {
            // Streams that are merely tried do not count as events.
            for (_, source) in &mut self.sources {
                if source.always_tried {
                    source.readable = true;
                    source.writable = true;
                    note_ready(&mut self.ready, source.key);
                }
            }
        }
        let mut anything = false;
        let (sources, ready) = (&mut self.sources, &mut self.ready);
        self.member.drain(|event| {
            if let Some(source) = sources.get_mut(event.slot())
                && source.id.0 == event.token
            {
                anything = true;
                source.readable |= event.readable;
                source.writable |= event.writable;
                source.closed |= event.closed;
                note_ready(ready, source.key);
            }
        });
        self.turn.has_events |= anything;
        anything
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.member.count_out(self.sources.len());
    }
}

fn note_ready(ready: &mut Vec<Key>, key: Key) {
    if key != Key::NONE && ready.last() != Some(&key) {
        ready.push(key);
    }
}

#[cfg(test)]
mod tests;
