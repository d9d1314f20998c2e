//! The readiness of one machine's sockets, its clock, and what its sockets share.
//!
//! mio reports edges: once a socket was reported ready, nothing more is reported until it has failed
//! with `WouldBlock`. A poll that stops early because its budget is spent would lose the rest. So
//! readiness is **sticky** here: a bit is set by an event and cleared only by `WouldBlock` (or by
//! what proves it must come).
//!
//! The events come from a [`Poller`], which may have other machines as members. The reactor knows
//! sockets by number only; it does no I/O on them.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use mio::{Registry, Token};
use slab::Slab;

use crate::error::{Error, ErrorKind, NetworkFault};
use crate::transport::buffer::{BUFFER_BYTES, BufferPool};
use crate::transport::cost::HandshakeCosts;
use crate::transport::inbox::slot_of;
use crate::transport::memory::{Interest, MemoryNetwork};
use crate::transport::meter::Clock;
use crate::transport::poller::{Member, Poller};
use crate::transport::resolver::{Lookup, Resolver};
use crate::transport::wake::{Wake, WakeTarget};

/// Time between two polls beyond this does not count against deadlines.
const LONGEST_GAP: Duration = Duration::from_secs(1);

/// How long a sleep may last while there is a stream that does not report when it is ready.
const RETRY_INTERVAL: Duration = Duration::from_millis(1);

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
    /// Does not report when it is ready, so every poll tries it.
    always_tried: bool,
    key: Key,
}

/// What a ready source belongs to: a number that its machine has chosen, such as that of a connection.
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
    /// The key of the sources that are added now.
    key: Key,
    /// Keys of sources that became ready since this list was taken; some may be there twice.
    ready: Vec<Key>,
    resolver: Resolver,
    /// One buffer that a poll may use between two calls, shared by all sockets.
    scratch: Vec<u8>,
    /// What handshakes have cost on this machine.
    pub(crate) handshakes: HandshakeCosts,
    /// Where its wakes lead, once there are any.
    wake_target: Option<WakeTarget>,
    last_poll: Option<Instant>,
    /// The time that has not counted so far.
    skipped: Duration,
    /// See [`poll_time`](Self::poll_time).
    poll_time: Option<Instant>,
    turn: Turn,
}

/// How its machine's latest turn ended, and what has come since.
#[derive(Debug, Default)]
struct Turn {
    /// The budget or the turn's length left work undone.
    is_cut: bool,
    /// A piece of work was put off until the next poll.
    is_deferred: bool,
    has_events: bool,
}

impl Reactor {
    /// A reactor over the operating system. Opens nothing before a socket needs it.
    pub(crate) fn system(resolver: Resolver) -> Self {
        Self::new(&Poller::alone(), resolver)
    }

    /// A reactor over an in-memory network and its clock.
    pub(crate) fn memory(network: &MemoryNetwork) -> Self {
        Self::new(&Poller::memory(network), Resolver::system())
    }

    /// A reactor for a machine that may be in a group.
    #[cfg(any(feature = "agent", feature = "server"))]
    pub(crate) fn on(group: Option<&Poller>, resolver: Resolver) -> Self {
        match group {
            Some(poller) => Self::new(poller, resolver),
            None => Self::system(resolver),
        }
    }

    /// The same on an in-memory network. A group that runs on none, or on another, is left alone.
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

    /// A reactor whose sockets this poller watches, with those of others.
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
            last_poll: None,
            skipped: Duration::ZERO,
            poll_time: None,
            turn: Turn::default(),
        }
    }

    /// What watches its sockets.
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

    /// On an in-memory network a number that is the same in each run: poller by poller in the order in
    /// which they were made, and then member by member.
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

    /// Begins a poll at `now`, and returns the active time by which it judges deadlines. Of a long gap
    /// since the last poll only a second counts: the peer is not to blame for a caller that was away.
    pub(crate) fn begin_poll(&mut self, now: Instant) -> Instant {
        if let Some(last) = self.last_poll {
            let gap = now.saturating_duration_since(last);
            self.skipped += gap.saturating_sub(LONGEST_GAP);
        }
        self.last_poll = Some(self.last_poll.map_or(now, |last| last.max(now)));
        *self.poll_time.insert(self.active_time(now))
    }

    /// The active time at which the present poll began.
    pub(crate) fn poll_time(&self) -> Instant {
        let began = self.poll_time;
        began.unwrap_or_else(|| self.active_time(self.clock().now()))
    }

    /// A turn of its machine begins.
    pub(crate) fn start_turn(&mut self) {
        self.turn = Turn::default();
    }

    /// A turn of its machine is over: whether it left work undone, and put some off until the next poll.
    pub(crate) fn end_turn(&mut self, is_cut: bool, is_deferred: bool) {
        self.turn.is_cut |= is_cut;
        self.turn.is_deferred |= is_deferred;
    }

    /// Whether its machine has work left that could be done now: its last turn was cut short, or something
    /// has become ready since.
    pub(crate) fn is_cut(&self) -> bool {
        self.turn.is_cut || self.turn.has_events
    }

    /// Whether its machine waits for the next poll with a piece of work that does not fit into this one.
    pub(crate) fn is_deferred(&self) -> bool {
        self.turn.is_deferred
    }

    /// Between two polls: leaves out the part of the gap so far that does not count, for a time that is noted
    /// now.
    #[cfg(feature = "agent")]
    pub(crate) fn skip_gap(&mut self, now: Instant) {
        let last = *self.last_poll.get_or_insert(now);
        let beyond = now
            .saturating_duration_since(last)
            .saturating_sub(LONGEST_GAP);
        self.skipped += beyond;
        self.last_poll = Some(last + beyond);
    }

    /// Begins a poll after a sleep in the poller. That time counts in full.
    pub(crate) fn begin_wait(&mut self, now: Instant) -> Instant {
        self.last_poll = Some(self.last_poll.map_or(now, |last| last.max(now)));
        *self.poll_time.insert(self.active_time(now))
    }

    /// The active time: `now` without the time that did not count.
    pub(crate) fn active_time(&self, now: Instant) -> Instant {
        now.checked_sub(self.skipped).unwrap_or(now)
    }

    /// The clock's time of an active time.
    pub(crate) fn real_time(&self, active_now: Instant) -> Instant {
        active_now + self.skipped
    }

    /// Looks a name up. The result ends a sleep.
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

    /// What ends a sleep of its machine from another thread.
    pub(crate) fn wake(&mut self) -> Result<Wake, Error> {
        if self.wake_target.is_none() {
            let target = WakeTarget::default();
            target.set(self.member.waker()?);
            self.wake_target = Some(target);
        }
        let target = self.wake_target.get_or_insert_default();
        Ok(target.wake())
    }

    /// A reactor that another poller watches, for the sockets of this one to be moved to. `None`: that
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
            // Without a waker, lookups end no sleep; they still end.
            target.set(next.member.waker().ok().flatten());
            next.wake_target = Some(target);
        }
        next.handshakes = self.handshakes;
        next.last_poll = self.last_poll;
        next.skipped = self.skipped;
        next.poll_time = self.poll_time;
        Some(next)
    }

    /// Registers a socket: `register` is given mio's registry and the token.
    pub(crate) fn add_system(
        &mut self,
        register: impl FnOnce(&Registry, Token) -> io::Result<()>,
    ) -> Result<SourceId, Error> {
        let id = self.insert(false);
        // A loopback connection is often there before the first event: let it be tried at once.
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

    /// Lets a read be tried before any event: what a peer sent right behind its connecting is often
    /// there when the connection is accepted.
    pub(crate) fn assume_readable(&mut self, id: SourceId) {
        if let Some(source) = self.source(id) {
            source.readable = true;
        }
    }

    /// Registers an in-memory stream: `register` is given where its events go. On a reactor that runs
    /// on no in-memory network, every poll tries the stream instead.
    pub(crate) fn add_memory(&mut self, register: impl FnOnce(Interest)) -> SourceId {
        let queue = self.member.poller().memory_queue().map(|(_, queue)| queue);
        let Some(queue) = queue else {
            return self.insert(true);
        };
        let id = self.insert(false);
        register(Interest { queue, token: id.0 });
        id
    }

    /// Registers a stream that does not report when it is ready.
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

    /// Deregisters a socket that stays open, and forgets it.
    pub(crate) fn remove_system(
        &mut self,
        id: SourceId,
        deregister: impl FnOnce(&Registry) -> io::Result<()>,
    ) {
        // Failing leaves an entry in the kernel that ends with the socket.
        let _ = self.member.register(deregister);
        self.remove(id);
    }

    /// Forgets a socket. Its late events reach nobody.
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

    /// A read would have blocked: an event will follow.
    pub(crate) fn clear_readable(&mut self, id: SourceId) {
        if let Some(source) = self.source(id) {
            source.readable = false;
        }
    }

    /// A read returned less than it asked for. With epoll the socket is empty then, and the next byte makes a
    /// new edge, so that no read has to fail first. Except when the peer's end was reported: that edge is past.
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

    /// A write would have blocked: an event will follow.
    pub(crate) fn clear_writable(&mut self, id: SourceId) {
        if let Some(source) = self.source(id) {
            source.writable = false;
        }
    }

    /// Takes in what became ready, without waiting. Returns whether anything did.
    pub(crate) fn poll_events(&mut self) -> Result<bool, Error> {
        self.member.poller().poll()?;
        Ok(self.take_events())
    }

    /// How long a sleep may last at most: a stream that does not report when it is ready is tried again
    /// soon.
    pub(crate) fn longest_sleep(&self) -> Option<Duration> {
        (self.always_tried > 0).then_some(RETRY_INTERVAL)
    }

    /// Takes in what the poller has reported. Returns whether it reported anything.
    pub(crate) fn take_events(&mut self) -> bool {
        if self.always_tried > 0 {
            // Trying is no sign that anything came.
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
