//! Host names to addresses, on threads of their own: the one thing here that the operating system
//! only offers as a call that waits.
//!
//! A [`Resolver`] keeps up to [`WORKERS`] threads, started when needed and gone after ten idle
//! seconds, a cache that expires, overrides, and one lookup for all who ask for the same name at
//! once. Asking never waits for a lookup, and looking at an answer takes no lock. A lookup that
//! hangs in the operating system cannot be ended: its asker's deadline ends the asking, and the
//! thread is the lookup's until it returns. Should all threads hang, later names wait, each until
//! its own deadline.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, NetworkFault};

/// The most threads of one resolver.
const WORKERS: usize = 4;

/// The most names that wait for a thread; beyond it asking fails.
const QUEUE: usize = 256;

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(10);

/// How long an answer is used again. The operating system does not tell how long it holds.
const FRESH: Duration = Duration::from_secs(60);

/// How long a failure is used again.
const FAILED: Duration = Duration::from_secs(5);

/// The most cached names; the cache is emptied beyond it.
const CACHED: usize = 1024;

/// Called from a worker when an answer is there.
pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;

type Answer = Result<Arc<[IpAddr]>, Error>;

/// Looks host names up on worker threads, with a cache. Clones share threads, cache and lookups in
/// flight.
///
/// Addresses are never looked up, and neither are `localhost` and names under it (RFC 6761 §6.3).
#[derive(Clone)]
pub struct Resolver(Arc<Shared>);

struct Shared {
    look_up: Box<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    in_flight: HashMap<String, Arc<Slot>>,
    cache: HashMap<String, (Instant, Answer)>,
    overrides: HashMap<String, Arc<[IpAddr]>>,
    workers: usize,
    idle: usize,
    started: usize,
}

struct Job {
    name: String,
    slot: Arc<Slot>,
    asked_at: Instant,
}

/// Where an answer appears, and who wants to know.
#[derive(Default)]
struct Slot {
    answer: OnceLock<Answer>,
    wakes: Mutex<Vec<Wake>>,
}

impl Resolver {
    /// The operating system's resolver, which knows about hosts files, VPNs and local names.
    pub fn system() -> Self {
        Self::with_lookup(|name| {
            let addresses = (name, 0).to_socket_addrs()?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }

    /// A resolver of the caller's own. `look_up` runs on a worker thread and may wait; no address at
    /// all is a name that does not exist.
    pub fn with_lookup(
        look_up: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared {
            look_up: Box::new(look_up),
            state: Mutex::default(),
            work: Condvar::new(),
        }))
    }

    /// Lets a name have these addresses, whatever a lookup would say. Holds for connections from now
    /// on.
    pub fn set_override(&self, host: &str, addresses: &[IpAddr]) {
        let mut state = self.0.state();
        state.overrides.insert(normalized(host), addresses.into());
    }

    /// Forgets all overrides.
    pub fn clear_overrides(&self) {
        self.0.state().overrides.clear();
    }

    /// Forgets all cached answers.
    pub fn clear_cache(&self) {
        self.0.state().cache.clear();
    }

    /// Asks for a name; `wake` is called when the answer is there, unless it is there already.
    pub(crate) fn lookup(&self, host: &str, now: Instant, wake: Wake) -> Lookup {
        let name = normalized(host);
        let mut state = self.0.state();
        if let Some(addresses) = state.overrides.get(&name) {
            return Lookup::ready(Ok(addresses.clone()));
        }
        if let Some(addresses) = known(&name) {
            return Lookup::ready(Ok(addresses));
        }
        if let Some((expires, answer)) = state.cache.get(&name) {
            if now < *expires {
                return Lookup::ready(answer.clone());
            }
            state.cache.remove(&name);
        }
        if let Some(slot) = state.in_flight.get(&name) {
            slot.wakes().push(wake);
            return Lookup::Pending(slot.clone());
        }
        if state.queue.len() >= QUEUE {
            let error = io::Error::other("too many names wait for the resolver");
            return Lookup::ready(Err(Error::io(NetworkFault::System, error)));
        }
        let slot = Arc::new(Slot::default());
        slot.wakes().push(wake);
        state.in_flight.insert(name.clone(), slot.clone());
        state.queue.push_back(Job {
            name: name.clone(),
            slot: slot.clone(),
            asked_at: now,
        });
        if state.idle < state.queue.len()
            && state.workers < WORKERS
            && let Err(error) = self.start_worker(&mut state)
            && state.workers == 0
        {
            state.queue.pop_back();
            state.in_flight.remove(&name);
            return Lookup::ready(Err(Error::io(NetworkFault::System, error)));
        }
        self.0.work.notify_one();
        Lookup::Pending(slot)
    }

    fn start_worker(&self, state: &mut State) -> io::Result<()> {
        state.started += 1;
        let shared = self.0.clone();
        std::thread::Builder::new()
            .name(format!("httpoll-resolver-{}", state.started))
            .spawn(move || shared.work())?;
        state.workers += 1;
        Ok(())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while the lock is held; a lookup runs without it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One worker's life.
    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some(job) = state.queue.pop_front() {
                drop(state);
                self.answer(&job);
                state = self.state();
                continue;
            }
            state.idle += 1;
            let (woken, timeout) = self
                .work
                .wait_timeout(state, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && state.queue.is_empty() {
                state.workers -= 1;
                return;
            }
        }
    }

    fn answer(&self, job: &Job) {
        let unwinding = AssertUnwindSafe(|| (self.look_up)(&job.name));
        let unresolved = |source| Error::io(NetworkFault::Unresolved, source);
        let answer = match catch_unwind(unwinding) {
            Ok(Ok(addresses)) if addresses.is_empty() => {
                Err(Error::new(ErrorKind::Network(NetworkFault::Unresolved)))
            }
            Ok(Ok(addresses)) => Ok(addresses.into()),
            Ok(Err(error)) => Err(unresolved(error)),
            Err(_) => Err(unresolved(io::Error::other("the lookup panicked"))),
        };
        let lasts = if answer.is_ok() { FRESH } else { FAILED };
        {
            let mut state = self.state();
            state.in_flight.remove(&job.name);
            if state.cache.len() >= CACHED {
                state.cache.clear();
            }
            let expires = job.asked_at + lasts;
            state
                .cache
                .insert(job.name.clone(), (expires, answer.clone()));
        }
        // Nobody else sets it, so it cannot be set already.
        let _ = job.slot.answer.set(answer);
        for wake in job.slot.wakes().drain(..) {
            wake();
        }
    }
}

impl Slot {
    fn wakes(&self) -> MutexGuard<'_, Vec<Wake>> {
        self.wakes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// A question that was asked. Dropping it loses interest; a late answer only feeds the cache.
pub(crate) enum Lookup {
    /// The answer is visible from this time on; at once without one.
    Ready(Option<Instant>, Answer),
    Pending(Arc<Slot>),
}

impl Lookup {
    fn ready(answer: Answer) -> Self {
        Self::Ready(None, answer)
    }

    /// An answer that appears at a time, as an in-memory network gives it.
    pub(crate) fn ready_at(at: Instant, answer: Answer) -> Self {
        Self::Ready(Some(at), answer)
    }

    /// The answer, if it is there.
    pub(crate) fn poll(&self, now: Instant) -> Option<Answer> {
        match self {
            Self::Ready(Some(at), _) if now < *at => None,
            Self::Ready(_, answer) => Some(answer.clone()),
            Self::Pending(slot) => slot.answer.get().cloned(),
        }
    }

    /// When the answer appears, if that is known.
    pub(crate) fn due(&self) -> Option<Instant> {
        match self {
            Self::Ready(at, _) => *at,
            Self::Pending(_) => None,
        }
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready(..) => "Lookup(ready)",
            Self::Pending(_) => "Lookup(pending)",
        })
    }
}

/// Names are compared without case and without the root's dot.
fn normalized(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// What needs no lookup.
fn known(name: &str) -> Option<Arc<[IpAddr]>> {
    if name == "localhost" || name.ends_with(".localhost") {
        return Some(Arc::new([
            Ipv6Addr::LOCALHOST.into(),
            Ipv4Addr::LOCALHOST.into(),
        ]));
    }
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    Some(Arc::new([literal.parse().ok()?]))
}

#[cfg(test)]
mod tests;
