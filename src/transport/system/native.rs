//! The operating system's readiness, through one `mio::Poll` that is opened when the first socket needs it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Duration;

use mio::{Events, Poll};

pub(crate) use mio::net::TcpStream;
pub(crate) use mio::{Interest, Registry, Token, Waker};

use crate::error::{Error, NetworkFault};
use crate::transport::inbox::Readiness;

/// The capacity for events of one system call: the initial one, and the largest. Further events wait for
/// the next call. Most clients have a single socket.
const FEWEST_EVENTS: usize = 64;
const MOST_EVENTS: usize = 1024;

const WAKER: Token = Token(usize::MAX);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct System {
    opened: Mutex<Option<Opened>>,
    /// A group's own handle of the registry, so that no member waits for another that sleeps in the system.
    /// A single machine has none, because the handle costs a file descriptor.
    registry: OnceLock<Registry>,
    waker: Mutex<Option<Arc<Waker>>>,
    /// Why making the waker failed. mio panics in debug builds when a second one is made.
    waker_fault: OnceLock<Error>,
    is_group: bool,
}

#[derive(Debug)]
struct Opened {
    poll: Poll,
    events: Events,
}

impl System {
    pub(crate) fn new(is_group: bool) -> Self {
        Self {
            opened: Mutex::new(None),
            registry: OnceLock::new(),
            waker: Mutex::new(None),
            waker_fault: OnceLock::new(),
            is_group,
        }
    }

    /// Passes the events of ready sockets to `each`, without waiting. Returns whether the system was asked.
    pub(crate) fn poll(&self, each: impl FnMut(Readiness)) -> Result<bool, Error> {
        match self.opened.try_lock() {
            Ok(mut opened) => ask(&mut opened, Some(Duration::ZERO), each),
            Err(TryLockError::Poisoned(opened)) => {
                ask(&mut opened.into_inner(), Some(Duration::ZERO), each)
            }
            // Another thread is collecting events, and distributes all of them.
            Err(TryLockError::WouldBlock) => Ok(false),
        }
    }

    /// The same, but waits until something is ready or `timeout` has passed.
    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        each: impl FnMut(Readiness),
    ) -> Result<bool, Error> {
        let mut opened = lock(&self.opened);
        self.open(&mut opened)?;
        ask(&mut opened, timeout, each)
    }

    /// Passes mio's registry to `register`. Opens the system's poll instance if necessary.
    pub(crate) fn register(
        &self,
        register: impl FnOnce(&Registry) -> io::Result<()>,
    ) -> Result<(), Error> {
        if let Some(registry) = self.registry.get() {
            return register(registry).map_err(system_fault);
        }
        let mut opened = lock(&self.opened);
        let poll = self.open(&mut opened)?;
        register(poll.registry()).map_err(system_fault)
    }

    /// What wakes a [`wait`](Self::wait).
    pub(crate) fn waker(&self) -> Result<Option<Arc<Waker>>, Error> {
        let mut waker = lock(&self.waker);
        if waker.is_none() {
            if let Some(fault) = self.waker_fault.get() {
                return Err(fault.clone());
            }
            // Most failures are a lack of file descriptors, which passes. This handle costs one, like the waker, so that
            // the waker is made only when there is one for it.
            self.register(|registry| registry.try_clone().map(drop))?;
            let made = self.register(|registry| {
                *waker = Some(Arc::new(Waker::new(registry, WAKER)?));
                Ok(())
            });
            if let Err(fault) = made {
                return Err(self.waker_fault.get_or_init(|| fault).clone());
            }
        }
        Ok(waker.clone())
    }

    /// Whether a thread can sleep in [`wait`](Self::wait) while others register sockets.
    pub(crate) fn can_be_watched(&self) -> bool {
        self.is_group
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

fn ask(
    opened: &mut Option<Opened>,
    timeout: Option<Duration>,
    mut each: impl FnMut(Readiness),
) -> Result<bool, Error> {
    let Some(Opened { poll, events }) = opened else {
        return Ok(false);
    };
    match poll.poll(events, timeout) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
        Err(error) => return Err(system_fault(error)),
    }
    if events.is_empty() {
        return Ok(true);
    }
    let mut count = 0;
    for event in events.iter() {
        count += 1;
        let failed = event.is_error();
        each(Readiness {
            token: event.token().0,
            readable: event.is_readable() || event.is_read_closed() || failed,
            writable: event.is_writable() || event.is_write_closed() || failed,
            closed: event.is_read_closed() || failed,
        });
    }
    if count >= events.capacity() && count < MOST_EVENTS {
        *events = Events::with_capacity(2 * count);
    }
    Ok(true)
}

fn system_fault(error: io::Error) -> Error {
    Error::io(NetworkFault::System, error)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
