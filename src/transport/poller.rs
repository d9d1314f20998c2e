//! One `mio::Poll` (or one queue of an in-memory network) for all the machines of a group.
//!
//! Each machine joins as a [`Member`] and registers its sockets under tokens that identify it. A poll of
//! any member collects the events of all members, with one system call, and puts them into the members'
//! inboxes. A single machine is a group with one member.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Duration;

use mio::{Events, Poll, Registry, Token, Waker};
use slab::Slab;

use crate::error::{Error, NetworkFault};
use crate::transport::buffer::BufferPool;
use crate::transport::inbox::{Inbox, MAX_MEMBERS, Readiness, member_of, token};
use crate::transport::memory::MemoryNetwork;
use crate::transport::meter::{Clock, RemainingBudget};

/// The capacity for events of one system call: the initial one, and the largest. Further events wait for
/// the next call. Most clients have a single socket.
const FEWEST_EVENTS: usize = 64;
const MOST_EVENTS: usize = 1024;

const WAKER: Token = Token(usize::MAX);

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

#[derive(Debug)]
struct System {
    /// The system's poll instance, opened when the first socket needs it.
    opened: Mutex<Option<Opened>>,
    /// A group's own handle of the registry, so that no member waits for another that sleeps in the system.
    /// A single machine has none, because the handle costs a file descriptor.
    registry: OnceLock<Registry>,
    waker: Mutex<Option<Arc<Waker>>>,
    is_group: bool,
}

#[derive(Debug)]
struct Opened {
    poll: Poll,
    events: Events,
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
    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// What the last poll left of its budget.
    pub(crate) fn remaining_budget(&self) -> RemainingBudget {
        lock(&self.0.remaining_budget).clone()
    }

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
                match system.opened.try_lock() {
                    Ok(mut opened) => self.ask(&mut opened, Some(Duration::ZERO)),
                    Err(TryLockError::Poisoned(opened)) => {
                        self.ask(&mut opened.into_inner(), Some(Duration::ZERO))
                    }
                    // Another thread is collecting events, and distributes all of them.
                    Err(TryLockError::WouldBlock) => Ok(()),
                }
            }
            Backend::Memory { network, queue } => {
                self.look(network, *queue);
                Ok(())
            }
        }
    }

    /// The same, but waits until something is ready or `timeout` has passed.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<(), Error> {
        match &self.0.backend {
            Backend::System(system) => {
                let mut opened = lock(&system.opened);
                system.open(&mut opened)?;
                self.ask(&mut opened, timeout)
            }
            Backend::Memory { network, queue } => {
                let until = timeout.and_then(|timeout| network.now().checked_add(timeout));
                network.sleep_until(*queue, until);
                self.look(network, *queue);
                Ok(())
            }
        }
    }

    fn ask(&self, opened: &mut Option<Opened>, timeout: Option<Duration>) -> Result<(), Error> {
        let Some(Opened { poll, events }) = opened else {
            return Ok(());
        };
        self.count_call();
        match poll.poll(events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(Error::io(NetworkFault::System, error)),
        }
        if events.is_empty() {
            return Ok(());
        }
        let members = lock(&self.0.members);
        let mut count = 0;
        for event in events.iter() {
            count += 1;
            let failed = event.is_error();
            deliver(
                &members,
                Readiness {
                    token: event.token().0,
                    readable: event.is_readable() || event.is_read_closed() || failed,
                    writable: event.is_writable() || event.is_write_closed() || failed,
                    closed: event.is_read_closed() || failed,
                },
            );
        }
        if count >= events.capacity() && count < MOST_EVENTS {
            *events = Events::with_capacity(2 * count);
        }
        Ok(())
    }

    fn look(&self, network: &MemoryNetwork, queue: usize) {
        self.count_call();
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

    fn count_call(&self) {
        #[cfg(test)]
        self.0.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// How often the system was asked for ready sockets.
    #[cfg(all(test, feature = "agent", feature = "server"))]
    pub(crate) fn calls(&self) -> usize {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// Passes mio's registry to `register`. Opens the system's poll instance if necessary.
    fn register(&self, register: impl FnOnce(&Registry) -> io::Result<()>) -> Result<(), Error> {
        let Backend::System(system) = &self.0.backend else {
            return Err(Error::io(
                NetworkFault::System,
                io::ErrorKind::Unsupported.into(),
            ));
        };
        if let Some(registry) = system.registry.get() {
            return register(registry).map_err(system_fault);
        }
        let mut opened = lock(&system.opened);
        let poll = system.open(&mut opened)?;
        register(poll.registry()).map_err(system_fault)
    }

    /// What wakes a [`wait`](Self::wait); `None` in memory, where no thread sleeps.
    fn waker(&self) -> Result<Option<Arc<Waker>>, Error> {
        let Backend::System(system) = &self.0.backend else {
            return Ok(None);
        };
        let mut waker = lock(&system.waker);
        if waker.is_none() {
            self.register(|registry| {
                *waker = Some(Arc::new(Waker::new(registry, WAKER)?));
                Ok(())
            })?;
        }
        Ok(waker.clone())
    }
}

impl System {
    fn new(is_group: bool) -> Self {
        Self {
            opened: Mutex::new(None),
            registry: OnceLock::new(),
            waker: Mutex::new(None),
            is_group,
        }
    }

    fn open<'a>(&self, opened: &'a mut Option<Opened>) -> Result<&'a Poll, Error> {
        if opened.is_none() {
            let poll = Poll::new().map_err(system_fault)?;
            if self.is_group {
                let registry = poll.registry().try_clone().map_err(system_fault)?;
                // Another thread cannot have been first, because `opened` is locked.
                let _ = self.registry.set(registry);
            }
            *opened = Some(Opened {
                poll,
                events: Events::with_capacity(FEWEST_EVENTS),
            });
        }
        let opened = opened.as_ref().map(|opened| &opened.poll);
        opened.ok_or_else(|| Error::io(NetworkFault::System, io::ErrorKind::Other.into()))
    }
}

fn system_fault(error: io::Error) -> Error {
    Error::io(NetworkFault::System, error)
}

fn deliver(members: &Slab<Arc<Inbox>>, event: Readiness) {
    // The waker's token belongs to no member.
    if let Some(inbox) = members.get(member_of(event.token)) {
        inbox.put(event);
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

    /// Passes mio's registry to `register`.
    pub(crate) fn register(
        &self,
        register: impl FnOnce(&Registry) -> io::Result<()>,
    ) -> Result<(), Error> {
        self.poller.register(register)
    }

    pub(crate) fn waker(&self) -> Result<Option<Arc<Waker>>, Error> {
        self.poller.waker()
    }

    /// Passes on the events since the last call, each socket once.
    pub(crate) fn drain(&self, each: impl FnMut(Readiness)) {
        self.inbox.drain(each);
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
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
