//! Resolves host names to addresses without blocking: system lookups block, so worker threads do
//! them. Results are cached. The caller limits the time of a lookup (`Timeouts::resolve`);
//! `happy_eyeballs` chooses among the addresses.
//!
//! The system's resolver is used because only it knows hosts files, VPNs, mDNS and search lists. Its
//! lookups can be neither cancelled nor given a deadline. So a lookup whose callers have gone goes
//! on, and its result is only cached.
//!
//! # Threads
//! At most [`WORKERS`](workers::WORKERS) lookups with waiting callers run at once. Threads start on
//! demand and end after [`IDLE`](workers::IDLE) without work. A running lookup whose callers have
//! gone, for example after a deadline, does not count: another worker replaces its worker. A lookup that waited
//! for a worker for [`MAX_WAIT`](workers::MAX_WAIT) gets one of its own. So a few names that hang do not stop all
//! others. A lookup that has taken [`MAX_JOINED`](workers::MAX_JOINED) is not joined any more: a retry starts another,
//! which may succeed at once where the first has lost its packet or its network. At most
//! [`MAX_OF_ONE_NAME`](workers::MAX_OF_ONE_NAME) lookups of one name run. Addresses that an earlier one finds count for
//! the later ones, too. [`MAX_THREADS`](workers::MAX_THREADS) limits all threads; further lookups wait in a queue until their
//! deadlines pass.

mod answer;
mod workers;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::answer::Answer;

use self::answer::{LookupFn, answer};
use self::workers::{Interest, Pool};
use crate::clock::Instant;
use crate::transport::wake::Wake;

/// Looks up host names on worker threads and caches the results. Cheap to clone; clones share
/// workers, cache, overrides and running lookups.
///
/// Case and one final dot make no difference. IP addresses (IPv6 with or without brackets) and
/// `localhost` with its subdomains (RFC 6761 §6.3) are resolved at once, without a thread. Addresses
/// are cached for 60 seconds and failures for 5; see [`builder`](Self::builder).
#[derive(Clone)]
pub struct Resolver(Arc<Pool>);

impl Resolver {
    /// A resolver that uses the operating system (`getaddrinfo`).
    pub fn system() -> Self {
        Self::builder().build()
    }

    /// A resolver that uses `lookup`, for tests and special needs. `lookup` runs on the worker
    /// threads, may block, and gets the name in lower case without a final dot. An empty list means
    /// that the name does not exist.
    pub fn with_lookup(
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self::builder().lookup(lookup).build()
    }

    /// A builder for a resolver with other settings.
    pub fn builder() -> ResolverBuilder {
        ResolverBuilder {
            lookup: Box::new(ask_system),
            answers: Duration::from_secs(60),
            failures: Duration::from_secs(5),
        }
    }

    /// Resolves `host` to `addresses` from now on, instead of asking the operating system. An empty
    /// list makes the name unknown. This applies to addresses and `localhost` as well.
    pub fn set_override(&self, host: &str, addresses: Vec<IpAddr>) {
        let answer = answer(Ok(addresses));
        self.0.lock().overrides.insert(normalize(host), answer);
    }

    /// Removes all overrides.
    pub fn clear_overrides(&self) {
        self.0.lock().overrides = HashMap::new();
    }

    /// Clears the cache, and lets no later lookup share a running one: for example after a change of
    /// network.
    pub fn clear_cache(&self) {
        self.0.lock().entries = HashMap::new();
    }

    /// Starts a lookup of `host`, joins a running one that does not seem to hang, or resolves at once. A worker calls `wake`
    /// when it has the result. It may call it without need.
    pub(crate) fn lookup(&self, host: &str, now: Instant, wake: Wake) -> Lookup {
        let host = normalize(host);
        let mut state = self.0.lock();
        if let Some(answer) = state.overrides.get(&host) {
            return Lookup::ready(answer.clone());
        }
        if let Some(answer) = known(&host) {
            return Lookup::ready(answer);
        }
        match self.0.ask(&mut state, host, now, wake) {
            Ok(interest) => Lookup(Pending::Asked(interest)),
            Err(result) => Lookup::ready(result),
        }
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("Resolver")
            .field("cached", &state.entries.len())
            .field("queued", &state.queue.len())
            .field("threads", &state.threads)
            .finish_non_exhaustive()
    }
}

/// Settings of a [`Resolver`].
#[must_use]
pub struct ResolverBuilder {
    lookup: Box<LookupFn>,
    answers: Duration,
    failures: Duration,
}

impl ResolverBuilder {
    /// Uses this function instead of the operating system; see [`Resolver::with_lookup`].
    pub fn lookup(
        mut self,
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        self.lookup = Box::new(lookup);
        self
    }

    /// How long addresses are cached: 60 seconds by default, because the system does not report their
    /// lifetime. Zero disables this.
    pub fn cache_answers_for(mut self, time: Duration) -> Self {
        self.answers = time;
        self
    }

    /// How long a failure is cached: 5 seconds by default. Zero disables this.
    pub fn cache_failures_for(mut self, time: Duration) -> Self {
        self.failures = time;
        self
    }

    /// The resolver. It starts no thread yet.
    pub fn build(self) -> Resolver {
        Resolver(Arc::new(Pool::new(
            self.lookup,
            self.answers,
            self.failures,
        )))
    }
}

impl fmt::Debug for ResolverBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolverBuilder")
            .field("cache_answers_for", &self.answers)
            .field("cache_failures_for", &self.failures)
            .finish_non_exhaustive()
    }
}

/// One lookup and, later, its result. Dropping it ends the caller's interest in the lookup.
#[derive(Debug)]
pub(crate) struct Lookup(Pending);

#[derive(Debug)]
enum Pending {
    Asked(Interest),
    Known { at: Option<Instant>, answer: Answer },
}

impl Lookup {
    /// A result that becomes visible at a (virtual) time, for the in-memory network.
    pub(crate) fn ready_at(at: Instant, answer: Answer) -> Self {
        Self(Pending::Known {
            at: Some(at),
            answer,
        })
    }

    /// A result that is there at once.
    fn ready(answer: Answer) -> Self {
        Self(Pending::Known { at: None, answer })
    }

    /// The result, once it is there. Takes no lock, except once when it has waited too long for a worker.
    pub(crate) fn poll(&self, now: Instant) -> Option<Answer> {
        match &self.0 {
            Pending::Asked(interest) => interest.answer(now),
            Pending::Known { at, answer } => at.is_none_or(|at| now >= at).then(|| answer.clone()),
        }
    }

    /// When to poll even without a wake.
    pub(crate) fn due(&self) -> Option<Instant> {
        match &self.0 {
            Pending::Asked(interest) => interest.due(),
            Pending::Known { at, .. } => *at,
        }
    }
}

fn ask_system(host: &str) -> io::Result<Vec<IpAddr>> {
    // The port does not matter.
    Ok((host, 0).to_socket_addrs()?.map(|a| a.ip()).collect())
}

/// Names that need no lookup.
fn known(host: &str) -> Option<Answer> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(answer(Ok(vec![address])));
    }
    if host == "localhost" || host.ends_with(".localhost") {
        let loopback = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        return Some(answer(Ok(loopback)));
    }
    if host.is_empty() || host.contains([':', '\0']) {
        let text = format!("{host:?} is not a host name");
        let malformed = io::Error::new(io::ErrorKind::InvalidInput, text);
        return Some(answer(Err(malformed)));
    }
    None
}

fn normalize(host: &str) -> Box<str> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let bare = bare.strip_suffix('.').unwrap_or(bare);
    bare.to_ascii_lowercase().into()
}
