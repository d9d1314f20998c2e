//! Host names to addresses without waiting: system lookups block, so worker threads do them, and
//! answers are cached. How long a lookup may take is the caller's to decide (`Timeouts::resolve`);
//! which of the addresses is connected to is decided in `happy_eyeballs`.
//!
//! The system's resolver is used because only it knows hosts files, VPNs, mDNS and search lists.
//! It can be neither cancelled nor given a deadline. So a lookup that nobody waits for any more
//! goes on, and its answer only feeds the cache.
//!
//! # Threads
//! At most [`WORKERS`](workers::WORKERS) lookups that somebody waits for run at once; threads start on demand and
//! end after [`IDLE`](workers::IDLE) without work. A lookup that was abandoned while running, because its
//! deadline passed, does not count: another worker takes its place, so that a few names that hang
//! do not stop all others. [`MAX_THREADS`](workers::MAX_THREADS) bounds even that; then lookups queue, and their
//! deadlines tell the tale.

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
use std::time::{Duration, Instant};

pub(crate) use self::answer::Answer;

use self::answer::{LookupFn, answer};
use self::workers::{Interest, Pool};
use crate::transport::wake::Wake;

/// Looks host names up on worker threads and remembers the answers. Cheap to clone; clones share
/// workers, cache, overrides and the lookups in flight.
///
/// Case and one final dot make no difference. IP addresses (IPv6 with or without brackets) and
/// `localhost` with its subdomains (RFC 6761 §6.3) are answered at once, without a thread. Answers
/// are remembered for 60 seconds and failures for 5, see [`builder`](Self::builder).
#[derive(Clone)]
pub struct Resolver(Arc<Pool>);

impl Resolver {
    /// Asks the operating system (`getaddrinfo`).
    pub fn system() -> Self {
        Self::builder().build()
    }

    /// Asks `lookup`, for tests and special needs. It runs on the worker threads, may block, and
    /// gets the name in lower case without a final dot. An empty list means that there is no such
    /// name.
    pub fn with_lookup(
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self::builder().lookup(lookup).build()
    }

    /// A resolver with other than the default settings.
    pub fn builder() -> ResolverBuilder {
        ResolverBuilder {
            lookup: Box::new(ask_system),
            answers: Duration::from_secs(60),
            failures: Duration::from_secs(5),
        }
    }

    /// From now on answers `addresses` for `host`, whatever the operating system says; no address
    /// at all makes the name unknown. It holds for addresses and `localhost`, too.
    pub fn set_override(&self, host: &str, addresses: Vec<IpAddr>) {
        let answer = answer(Ok(addresses));
        self.0.lock().overrides.insert(normalize(host), answer);
    }

    /// Forgets all overrides.
    pub fn clear_overrides(&self) {
        self.0.lock().overrides = HashMap::new();
    }

    /// Forgets all answers, and lets no later lookup share those in flight: after a change of
    /// network, for example.
    pub fn clear_cache(&self) {
        self.0.lock().entries = HashMap::new();
    }

    /// Starts to look `host` up, or joins a lookup of it in flight, or answers at once. `wake` is
    /// called when a worker has the answer, perhaps needlessly.
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
    /// Asks this instead of the operating system, see [`Resolver::with_lookup`].
    pub fn lookup(
        mut self,
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        self.lookup = Box::new(lookup);
        self
    }

    /// How long an answer is remembered; 60 seconds by default, because the system does not say
    /// how long it may be. Zero remembers nothing.
    pub fn cache_answers_for(mut self, time: Duration) -> Self {
        self.answers = time;
        self
    }

    /// How long a failure is remembered; 5 seconds by default. Zero remembers nothing.
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

/// One question and, some time later, its answer. Dropping it cancels the interest in it.
#[derive(Debug)]
pub(crate) struct Lookup(Pending);

#[derive(Debug)]
enum Pending {
    Asked(Interest),
    Known { at: Option<Instant>, answer: Answer },
}

impl Lookup {
    /// An answer that becomes visible at a (virtual) time, for the network in memory.
    pub(crate) fn ready_at(at: Instant, answer: Answer) -> Self {
        Self(Pending::Known {
            at: Some(at),
            answer,
        })
    }

    /// An answer that is there at once, by whatever time the caller counts.
    fn ready(answer: Answer) -> Self {
        Self(Pending::Known { at: None, answer })
    }

    /// The answer, once it is there. Takes no lock.
    pub(crate) fn poll(&self, now: Instant) -> Option<Answer> {
        match &self.0 {
            Pending::Asked(interest) => interest.answer(now),
            Pending::Known { at, answer } => at.is_none_or(|at| now >= at).then(|| answer.clone()),
        }
    }

    /// When to poll although nobody wakes.
    pub(crate) fn due(&self) -> Option<Instant> {
        match &self.0 {
            Pending::Asked(_) => None,
            Pending::Known { at, .. } => *at,
        }
    }
}

fn ask_system(host: &str) -> io::Result<Vec<IpAddr>> {
    // The port is of no consequence.
    Ok((host, 0).to_socket_addrs()?.map(|a| a.ip()).collect())
}

/// Names whose answer needs no question.
fn known(host: &str) -> Option<Answer> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(answer(Ok(vec![address])));
    }
    if host == "localhost" || host.ends_with(".localhost") {
        let loopback = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        return Some(answer(Ok(loopback)));
    }
    if host.is_empty() || host.contains([':', '\0']) {
        let malformed = io::Error::new(io::ErrorKind::InvalidInput, "no host name");
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
