//! One poll instance of the system (or one queue of an in-memory network) for all the machines of a group.
//!
//! Each machine joins as a [`Member`] and registers its sockets under tokens that identify it. A poll of
//! any member collects the events of all members, with one system call, and puts them into the members'
//! inboxes. A single machine is a group with one member.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use slab::Slab;

use crate::budget::PollAt;
use crate::clock::Instant;
use crate::error::{Error, NetworkFault};
use crate::transport::buffer::BufferPool;
use crate::transport::inbox::{Inbox, MAX_MEMBERS, Readiness, member_of, token};
use crate::transport::memory::MemoryNetwork;
use crate::transport::meter::{Clock, RemainingBudget};
#[cfg(target_family = "wasm")]
use crate::transport::system::ReadySignal;
use crate::transport::system::{Registry, System};
use crate::transport::wake::Waker;
use crate::transport::watch::Watch;

/// See the module's documentation. Clones refer to the same poller.
#[derive(Clone, Debug)]
pub(crate) struct Poller(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    backend: Backend,
    members: Mutex<Slab<Arc<Inbox>>>,
    /// The number of registered sockets, of all members.
    sources: AtomicUsize,
    /// Counts the tokens that were given out, so that no token is used twice.
    generation: AtomicUsize,
    clock: Clock,
    pool: BufferPool,
    /// What the last poll left of its budget, for reads between two polls.
    remaining_budget: Mutex<RemainingBudget>,
    waker: OnceLock<Arc<Waker>>,
    watch: Watch,
    /// How often the system was asked.
    #[cfg(test)]
    calls: AtomicUsize,
}

#[derive(Debug)]
enum Backend {
    System(System),
    Memory {
        network: MemoryNetwork,
        queue: usize,
    },
}

impl Poller {
    /// A poller for one machine.
    pub(crate) fn alone() -> Self {
        Self::new(Backend::System(System::new(false)))
    }

    /// A poller for several machines.
    pub(crate) fn group() -> Self {
        Self::new(Backend::System(System::new(true)))
    }

    /// A poller on an in-memory network, for one machine or several.
    pub(crate) fn memory(network: &MemoryNetwork) -> Self {
        Self::new(Backend::Memory {
            network: network.clone(),
            queue: network.open_queue(),
        })
    }

    fn new(backend: Backend) -> Self {
        let clock = match &backend {
            Backend::System(_) => Clock::System,
            Backend::Memory { network, .. } => Clock::Virtual(network.clone()),
        };
        Self(Arc::new(Shared {
            backend,
            members: Mutex::default(),
            sources: AtomicUsize::new(0),
            generation: AtomicUsize::new(0),
            clock,
            pool: BufferPool::default(),
            remaining_budget: Mutex::new(RemainingBudget::nothing()),
            waker: OnceLock::new(),
            watch: Watch::default(),
            #[cfg(test)]
            calls: AtomicUsize::new(0),
        }))
    }

    /// Adds a machine. Beyond a million members (64 on a 32-bit system), a machine gets a poller of its
    /// own.
    pub(crate) fn join(&self) -> Member {
        let inbox = Arc::new(Inbox::default());
        let mut members = lock(&self.0.members);
        let entry = members.vacant_entry();
        let index = entry.key();
        if index >= MAX_MEMBERS {
            drop(members);
            return match &self.0.backend {
                Backend::System(_) => Self::alone().join(),
                Backend::Memory { network, .. } => Self::memory(network).join(),
            };
        }
        entry.insert(Arc::clone(&inbox));
        drop(members);
        Member {
            poller: self.clone(),
            index,
            inbox,
        }
    }

    /// The clock of this poller.
    #[inline]
    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// What the last poll left of its budget.
    pub(crate) fn remaining_budget(&self) -> RemainingBudget {
        lock(&self.0.remaining_budget).clone()
    }

    #[inline]
    pub(crate) fn set_remaining_budget(&self, left: RemainingBudget) {
        *lock(&self.0.remaining_budget) = left;
    }

    /// Spare receive buffers, shared by all members.
    pub(crate) fn pool(&self) -> &BufferPool {
        &self.0.pool
    }

    /// The in-memory network, and this poller's queue there.
    pub(crate) fn memory_queue(&self) -> Option<(&MemoryNetwork, usize)> {
        match &self.0.backend {
            Backend::Memory { network, queue } => Some((network, *queue)),
            Backend::System(_) => None,
        }
    }

    /// Whether both are the same poller.
    #[inline]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Puts the events of ready sockets into the members' inboxes, without waiting.
    pub(crate) fn poll(&self) -> Result<(), Error> {
        match &self.0.backend {
            Backend::System(system) => {
                if self.0.sources.load(Ordering::Relaxed) == 0 {
                    return Ok(());
                }
                let mut delivery = Delivery::to(self);
                let asked = system.poll(|event| delivery.put(event))?;
                self.count_call(asked);
            }
            Backend::Memory { network, queue } => self.look(network, *queue),
        }
        Ok(())
    }

    /// The same, but waits until something is ready or `timeout` has passed.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<(), Error> {
        match &self.0.backend {
            Backend::System(system) => {
                let mut delivery = Delivery::to(self);
                let asked = system.wait(timeout, |event| delivery.put(event))?;
                self.count_call(asked);
            }
            Backend::Memory { network, queue } => {
                let until = timeout.and_then(|timeout| network.now().checked_add(timeout));
                network.sleep_until(*queue, until);
                self.look(network, *queue);
            }
        }
        Ok(())
    }

    fn look(&self, network: &MemoryNetwork, queue: usize) {
        self.count_call(true);
        network.poll_events(queue, |event| {
            let event = Readiness {
                token: event.token,
                readable: event.readable,
                writable: event.writable,
                closed: event.closed,
            };
            deliver(&lock(&self.0.members), event);
        });
    }

    #[cfg_attr(not(test), expect(unused_variables, clippy::unused_self))]
    fn count_call(&self, was_asked: bool) {
        #[cfg(test)]
        self.0
            .calls
            .fetch_add(usize::from(was_asked), Ordering::Relaxed);
    }

    /// How often the system was asked for ready sockets.
    #[cfg(all(test, feature = "agent", feature = "server"))]
    pub(crate) fn calls(&self) -> usize {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// Passes the system's registry to `register`.
    fn register(&self, register: impl FnOnce(&Registry) -> io::Result<()>) -> Result<(), Error> {
        match &self.0.backend {
            Backend::System(system) => system.register(register),
            Backend::Memory { .. } => {
                let unsupported = io::ErrorKind::Unsupported.into();
                Err(Error::io(NetworkFault::System, unsupported))
            }
        }
    }

    /// What wakes a [`wait`](Self::wait); `None` where no thread sleeps.
    fn waker(&self) -> Result<Option<Arc<Waker>>, Error> {
        if let Backend::System(system) = &self.0.backend
            && self.0.waker.get().is_none()
            && let Some(waker) = system.waker()?
        {
            // If another thread was first, its waker counts.
            let _ = self.0.waker.set(Arc::new(Waker::new(waker)));
        }
        Ok(self.0.waker.get().cloned())
    }

    /// What the poller's watcher knows.
    pub(super) fn watch(&self) -> &Watch {
        &self.0.watch
    }

    /// Opens what a watcher needs, so that no machine waits for one that sleeps in the system. Returns whether
    /// there can be one: not in memory, nor for a single machine, nor if the system refuses.
    pub(super) fn prepare_watch(&self) -> bool {
        let Backend::System(system) = &self.0.backend else {
            return false;
        };
        system.can_be_watched() && matches!(self.waker(), Ok(Some(_)))
    }

    /// For a watcher: [`wait`](Self::wait), and returns whether a poll is worthwhile.
    pub(super) fn sleep_for_watch(&self, timeout: Option<Duration>) -> bool {
        let Backend::System(system) = &self.0.backend else {
            return false;
        };
        let mut delivery = Delivery::to(self);
        let mut is_ready = false;
        let asked = system.wait(timeout, |event| {
            // The waker's token names a member that never exists.
            is_ready |= member_of(event.token) != MAX_MEMBERS;
            delivery.put(event);
        });
        let was_woken = self.0.waker.get().is_some_and(|it| it.take_wake());
        // A failure is found again by the next poll, which reports it.
        is_ready || was_woken || asked.is_err()
    }

    /// Ends a watcher's sleep in the system.
    pub(super) fn interrupt(&self) {
        if let Some(waker) = self.0.waker.get() {
            waker.interrupt();
        }
    }

    /// Up to when no member had to be polled, as far as a watcher knows.
    pub(crate) fn quiet_until(&self, now: Instant) -> Option<Instant> {
        self.0.watch.quiet_until(now)
    }

    /// Keeps the watcher out of the system, so that another thread can sleep there. `None`: there is no watcher.
    pub(crate) fn hold_watch(&self) -> Option<WatchHold> {
        if !self.0.watch.is_active() {
            return None;
        }
        self.0.watch.hold(|| self.interrupt());
        Some(WatchHold(self.clone()))
    }
}

/// Puts events into the inboxes. The list of members is locked when the first event comes.
struct Delivery<'a> {
    poller: &'a Poller,
    members: Option<MutexGuard<'a, Slab<Arc<Inbox>>>>,
}

impl<'a> Delivery<'a> {
    fn to(poller: &'a Poller) -> Self {
        Self {
            poller,
            members: None,
        }
    }

    fn put(&mut self, event: Readiness) {
        let members = &self.poller.0.members;
        deliver(self.members.get_or_insert_with(|| lock(members)), event);
    }
}

fn deliver(members: &Slab<Arc<Inbox>>, event: Readiness) {
    // The waker's token belongs to no member.
    if let Some(inbox) = members.get(member_of(event.token)) {
        inbox.put(event);
    }
}

/// While it lives, the watcher does not sleep in the system.
#[derive(Debug)]
pub(crate) struct WatchHold(Poller);

impl Drop for WatchHold {
    fn drop(&mut self) {
        self.0.0.watch.release();
    }
}

/// One machine's membership in a [`Poller`]. It leaves when dropped; later events of its sockets are
/// ignored.
#[derive(Debug)]
pub(crate) struct Member {
    poller: Poller,
    index: usize,
    inbox: Arc<Inbox>,
}

impl Member {
    pub(crate) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// The index of this member, from 0.
    #[cfg(any(feature = "agent", test))]
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Returns a token for the socket in this slot. It was never given out before.
    pub(crate) fn token(&self, slot: usize) -> usize {
        let shared = &self.poller.0;
        let generation = shared.generation.fetch_add(1, Ordering::Relaxed);
        token(self.index, generation, slot)
    }

    /// Notes that sockets were added. Without any, the system is not asked.
    pub(crate) fn count_in(&self) {
        self.poller.0.sources.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that sockets were removed.
    pub(crate) fn count_out(&self, sources: usize) {
        self.poller.0.sources.fetch_sub(sources, Ordering::Relaxed);
    }

    /// Passes the system's registry to `register`.
    pub(crate) fn register(
        &self,
        register: impl FnOnce(&Registry) -> io::Result<()>,
    ) -> Result<(), Error> {
        self.poller.register(register)
    }

    pub(crate) fn waker(&self) -> Result<Option<Arc<Waker>>, Error> {
        self.poller.waker()
    }

    /// What tells that the exchange with this token has something new; `None` in memory.
    #[cfg(target_family = "wasm")]
    pub(crate) fn signal(&self, token: usize) -> Option<ReadySignal> {
        match &self.poller.0.backend {
            Backend::System(system) => Some(system.signals().signal(token)),
            Backend::Memory { .. } => None,
        }
    }

    /// Passes on the events since the last call, each socket once.
    #[inline]
    pub(crate) fn drain(&self, each: impl FnMut(Readiness)) {
        self.inbox.drain(each);
    }

    /// Whether a watcher must know when this member needs its next poll.
    pub(crate) fn is_watched(&self) -> bool {
        self.poller.watch().is_active()
    }

    /// Tells the watcher when this member needs its next poll. `has_polled`: it was just polled.
    pub(crate) fn note_next(&self, next: PollAt, has_polled: bool) {
        let poller = &self.poller;
        poller
            .watch()
            .note_next(self.index, next, has_polled, || poller.interrupt());
    }

    /// Whether events have arrived since the last [`drain`](Self::drain).
    #[cfg(test)]
    pub(crate) fn has_events(&self) -> bool {
        self.inbox.has_events()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        lock(&self.poller.0.members).try_remove(self.index);
        self.poller.watch().forget(self.index);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
