//! The connections of an agent and the requests that wait for one.
//!
//! Connections are shared by requests whose [`PoolKey`]s are equal, and by no others. Each key has a
//! [`Host`]: the connections that are idle, and for each [`Usage`] a queue by priority. Limits, ages and the
//! choice of a connection belong here, and that WebSockets to one address connect one after another (RFC 6455
//! §4.1). Connecting, sending and policies belong to `engine`.

mod host;
mod key;
mod limits;
mod pooled;
mod queue_reasons;
mod responses;
mod round_trip;

use std::time::Duration;

use slab::Slab;

use super::id::RequestId;
use super::settings::Priority;
use crate::clock::Instant;
use crate::semantics::keep_alive;
pub(crate) use host::Place;
use host::{Host, Tally};
pub(crate) use key::PoolKey;
pub use limits::PoolLimits;
pub(crate) use limits::Usage;
pub(crate) use pooled::{ConnectionKey, Grant, HostKey, Pooled, Service};
pub use queue_reasons::QueueReason;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    limits: PoolLimits,
    connections: Slab<Pooled>,
    hosts: Slab<Host>,
    turn: u64,
    waiting: usize,
    idle: usize,
    exchanges: Tally,
    streams: Tally,
    /// Whether the requests that wait had to go on waiting when they were last looked at, and nothing has
    /// changed since then.
    is_stuck: bool,
}

impl Pool {
    pub(crate) fn new(limits: PoolLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// The host of this key, made if it is new.
    pub(crate) fn host(&mut self, key: &PoolKey) -> HostKey {
        let known = self.hosts.iter().find(|(_, host)| host.key == *key);
        if let Some((index, _)) = known {
            return HostKey(index);
        }
        HostKey(self.hosts.insert(Host::new(key.clone())))
    }

    /// Lets a request wait its turn, behind those of its priority.
    pub(crate) fn wait(
        &mut self,
        host: HostKey,
        id: RequestId,
        priority: Priority,
        usage: Usage,
    ) -> Place {
        self.is_stuck = false;
        self.turn += 1;
        let place = Place {
            priority,
            turn: self.turn,
            usage,
        };
        if let Some(host) = self.hosts.get_mut(host.0) {
            host.waiting_mut(usage).insert(place, id);
            self.waiting += 1;
        }
        place
    }

    /// Moves a waiting request to another priority, where it keeps its place by age.
    pub(crate) fn promote(&mut self, host: HostKey, place: Place, priority: Priority) -> Place {
        self.is_stuck = false;
        let new = Place { priority, ..place };
        // Not through `leave`, which forgets a host without connections and waiting requests.
        if let Some(host) = self.hosts.get_mut(host.0)
            && let waiting = host.waiting_mut(place.usage)
            && let Some(id) = waiting.remove(&place)
        {
            waiting.insert(new, id);
        }
        new
    }

    /// Takes a request out of the queue.
    pub(crate) fn leave(&mut self, host: HostKey, place: Place) -> Option<RequestId> {
        self.is_stuck = false;
        let waiting = self.hosts.get_mut(host.0)?.waiting_mut(place.usage);
        let found = waiting.remove(&place)?;
        self.waiting -= 1;
        self.forget_host(host);
        Some(found)
    }

    /// How many requests wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Each host with its name and how many requests wait for it.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = (HostKey, String, usize)> {
        self.hosts
            .iter()
            .map(|(index, host)| (HostKey(index), host.key.to_string(), host.waiting()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnectionKey, &Pooled)> {
        let connections = self.connections.iter();
        connections.map(|(index, pooled)| (ConnectionKey(index), pooled))
    }

    /// Whether any request waits.
    pub(crate) fn has_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Whether [`next`](Self::next) may find a request that can be served now.
    pub(crate) fn may_serve_waiting(&self) -> bool {
        self.waiting > 0 && !self.is_stuck
    }

    /// Takes the next request out of the queue, and says what it gets. `None`: no request waits, or none
    /// can be served now.
    pub(crate) fn next(&mut self) -> Option<(RequestId, HostKey, Grant)> {
        if !self.may_serve_waiting() {
            return None;
        }
        let next = self.find_next();
        self.is_stuck = next.is_none();
        next
    }

    fn find_next(&mut self) -> Option<(RequestId, HostKey, Grant)> {
        let (place, index) = self.first_served()?;
        let host = self.hosts.get_mut(index)?;
        let (_, id) = host.waiting_mut(place.usage).pop_first()?;
        self.waiting -= 1;
        let grant = match host.idle.pop() {
            Some(key) => {
                self.idle -= 1;
                Grant::Reuse(key)
            }
            None => Grant::Open,
        };
        Some((id, HostKey(index), grant))
    }

    /// The connection to be closed for a new one to this host. `None`: there is room. A host that has all
    /// its connections gives up one that is draining. When the pool is full, the idle connection goes that
    /// was unused the longest, or one that is draining.
    pub(crate) fn evict(&self, for_host: HostKey, usage: Usage) -> Option<ConnectionKey> {
        let host = self.hosts.get(for_host.0);
        let is_host_full = host.is_some_and(|host| {
            // Its request waited until now.
            host.tally(usage).open >= self.most_of_host(host, usage, 1)
        });
        if is_host_full && let Some(key) = self.first_draining(usage, Some(for_host)) {
            return Some(key);
        }
        if self.tally(usage).open < self.limits.in_all(usage) {
            return None;
        }
        let idle = self.connections.iter().filter_map(|(index, pooled)| {
            let Service::Idle { since } = pooled.service else {
                return None;
            };
            usage
                .shares_limits_with(pooled.usage)
                .then_some((since, index))
        });
        let oldest = idle.min().map(|(_, index)| ConnectionKey(index));
        oldest.or_else(|| self.first_draining(usage, None))
    }

    fn tally(&self, usage: Usage) -> &Tally {
        match usage {
            Usage::Exchange => &self.exchanges,
            Usage::Stream | Usage::WebSocket => &self.streams,
        }
    }

    /// Changes what is counted for a usage, in all and for the host.
    fn count(&mut self, usage: Usage, host: HostKey, change: impl Fn(&mut Tally)) {
        change(match usage {
            Usage::Exchange => &mut self.exchanges,
            Usage::Stream | Usage::WebSocket => &mut self.streams,
        });
        if let Some(host) = self.hosts.get_mut(host.0) {
            change(host.tally_mut(usage));
        }
    }

    /// Counts a connection against the limits of another usage from now on.
    fn set_usage(&mut self, key: ConnectionKey, usage: Usage) {
        if let Some(pooled) = self.connections.get_mut(key.0) {
            let (before, host) = (std::mem::replace(&mut pooled.usage, usage), pooled.host);
            self.count(before, host, |tally| tally.open -= 1);
            self.count(usage, host, |tally| tally.open += 1);
        }
    }

    fn first_draining(&self, usage: Usage, of: Option<HostKey>) -> Option<ConnectionKey> {
        let mut connections = self.connections.iter();
        let found = connections.find(|(_, pooled)| {
            matches!(pooled.service, Service::Draining { .. })
                && usage.shares_limits_with(pooled.usage)
                && of.is_none_or(|host| pooled.host == host)
        });
        found.map(|(index, _)| ConnectionKey(index))
    }

    pub(crate) fn insert(
        &mut self,
        host: HostKey,
        id: RequestId,
        priority: Priority,
        usage: Usage,
        now: Instant,
    ) -> ConnectionKey {
        self.count(usage, host, |tally| tally.open += 1);
        ConnectionKey(self.connections.insert(Pooled {
            connection: Box::default(),
            host,
            service: Service::Busy(id),
            usage,
            priority,
            is_handshaking: usage == Usage::WebSocket,
            requests: 0,
            opened: now,
            keep_alive: None,
            idle_since: None,
            armed: None,
            asked: None,
        }))
    }

    pub(crate) fn get(&self, key: ConnectionKey) -> Option<&Pooled> {
        self.connections.get(key.0)
    }

    pub(crate) fn get_mut(&mut self, key: ConnectionKey) -> Option<&mut Pooled> {
        self.is_stuck = false;
        self.connections.get_mut(key.0)
    }

    /// Takes a connection out; the caller closes it.
    pub(crate) fn remove(&mut self, key: ConnectionKey) -> Option<Pooled> {
        self.is_stuck = false;
        self.stop_draining(key);
        let pooled = self.connections.try_remove(key.0)?;
        self.count(pooled.usage, pooled.host, |tally| tally.open -= 1);
        if let Some(host) = self.hosts.get_mut(pooled.host.0)
            && let Some(at) = host.idle.iter().position(|idle| *idle == key)
        {
            host.idle.remove(at);
            self.idle -= 1;
        }
        self.forget_host(pooled.host);
        Some(pooled)
    }

    /// Whether a connection serves this request.
    pub(crate) fn is_serving(&self, key: ConnectionKey, id: RequestId) -> bool {
        self.get(key)
            .is_some_and(|pooled| pooled.service == Service::Busy(id))
    }

    /// Notes when a connection became idle, by the clock: its server does not stop counting in gaps.
    pub(crate) fn note_idle(&mut self, key: ConnectionKey, clock: Option<Instant>) {
        if let Some(pooled) = self.connections.get_mut(key.0) {
            pooled.idle_since = clock;
        }
    }

    /// The idle connections to the same host from which nothing has come since this time, by the clock.
    pub(crate) fn silent_since(&self, key: ConnectionKey, clock: Instant) -> Vec<ConnectionKey> {
        let host = self
            .get(key)
            .and_then(|pooled| self.hosts.get(pooled.host.0));
        let idle = host.into_iter().flat_map(|host| host.idle.iter().copied());
        let is_silent = |key: &ConnectionKey| {
            let since = self.get(*key).and_then(|pooled| pooled.idle_since);
            since.is_some_and(|since| since <= clock)
        };
        idle.filter(is_silent).collect()
    }

    /// Whether the server of an idle connection has announced to close it by now. If it has announced
    /// nothing: whether the connection is too old for a request that could not be sent again.
    pub(crate) fn is_outdated(
        &self,
        key: ConnectionKey,
        is_repeatable: bool,
        clock: Instant,
    ) -> bool {
        self.get(key).is_some_and(|pooled| {
            let since = pooled.idle_since.unwrap_or(clock);
            let age = clock.saturating_duration_since(since);
            keep_alive::is_outdated(pooled.keep_alive, age, is_repeatable)
        })
    }

    /// Assigns an idle connection to a request.
    pub(crate) fn assign(
        &mut self,
        key: ConnectionKey,
        id: RequestId,
        priority: Priority,
        usage: Usage,
    ) {
        self.is_stuck = false;
        self.set_usage(key, usage);
        if let Some(pooled) = self.connections.get_mut(key.0) {
            pooled.service = Service::Busy(id);
            pooled.is_handshaking = usage == Usage::WebSocket;
            pooled.priority = priority;
        }
    }

    /// Lets a connection read the rest of a response that is not wanted.
    pub(crate) fn drain(&mut self, key: ConnectionKey, left: u64, until: Instant) {
        self.is_stuck = false;
        self.stop_draining(key);
        if let Some(pooled) = self.connections.get_mut(key.0) {
            pooled.service = Service::Draining { left, until };
            pooled.is_handshaking = false;
            let (usage, host) = (pooled.usage, pooled.host);
            self.count(usage, host, |tally| tally.draining += 1);
        }
    }

    fn stop_draining(&mut self, key: ConnectionKey) {
        if let Some(pooled) = self.connections.get(key.0)
            && matches!(pooled.service, Service::Draining { .. })
        {
            let (usage, host) = (pooled.usage, pooled.host);
            self.count(usage, host, |tally| tally.draining -= 1);
        }
    }

    /// Keeps a connection for the next request. `false`: it is too old, or served a stream and there is no room
    /// for it among the other connections.
    pub(crate) fn keep(&mut self, key: ConnectionKey, now: Instant) -> bool {
        self.is_stuck = false;
        self.stop_draining(key);
        let Some(pooled) = self.connections.get_mut(key.0) else {
            return false;
        };
        pooled.service = Service::Idle { since: now };
        pooled.is_handshaking = false;
        if now.saturating_duration_since(pooled.opened) >= self.limits.lifetime
            || self.limits.idle_age.is_zero()
            || pooled.keep_alive.is_some_and(|age| age.is_zero())
        {
            return false;
        }
        let (usage, host) = (pooled.usage, pooled.host);
        if usage != Usage::Exchange {
            if !self.has_room(host) {
                return false;
            }
            self.set_usage(key, Usage::Exchange);
        }
        if let Some(host) = self.hosts.get_mut(host.0) {
            host.idle.push(key);
            self.idle += 1;
        }
        true
    }

    /// Whether another connection to this host is within the limits of exchanges.
    fn has_room(&self, host: HostKey) -> bool {
        let usage = Usage::Exchange;
        let of_host = self.hosts.get(host.0).map(|it| it.tally(usage).open);
        of_host.is_some_and(|open| open < self.limits.per_host)
            && self.tally(usage).open < self.limits.total
    }

    /// Lets all connections get older, those that are busy, too.
    pub(crate) fn age(&mut self, by: Duration) {
        let earlier = |time: Instant| time.checked_sub(by).unwrap_or(time);
        for (_, pooled) in &mut self.connections {
            pooled.opened = earlier(pooled.opened);
            if let Service::Idle { since } = &mut pooled.service {
                *since = earlier(*since);
            }
        }
    }

    /// When an idle connection is to be closed. `None`: it is not idle.
    pub(crate) fn idle_until(&self, key: ConnectionKey) -> Option<Instant> {
        let service = self.connections.get(key.0)?.service;
        self.expires(key)
            .filter(|_| matches!(service, Service::Idle { .. }))
    }

    /// When an idle or draining connection is to be closed. `None` for a busy one.
    pub(crate) fn expires(&self, key: ConnectionKey) -> Option<Instant> {
        let pooled = self.connections.get(key.0)?;
        match pooled.service {
            Service::Idle { since } => {
                let age = pooled.keep_alive.unwrap_or(Duration::MAX);
                let idle = since.checked_add(age.min(self.limits.idle_age));
                let old = pooled.opened.checked_add(self.limits.lifetime);
                idle.into_iter().chain(old).min()
            }
            Service::Busy(_) => None,
            Service::Draining { until, .. } => Some(until),
        }
    }

    pub(crate) fn keys(&self) -> Vec<ConnectionKey> {
        self.connections
            .iter()
            .map(|(index, _)| ConnectionKey(index))
            .collect()
    }

    /// Connections that are open or being opened.
    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Connections that serve a request.
    pub(crate) fn busy(&self) -> usize {
        self.connections.len() - self.idle - self.exchanges.draining - self.streams.draining
    }

    fn forget_host(&mut self, key: HostKey) {
        if self.hosts.get(key.0).is_some_and(Host::is_unused) {
            self.hosts.remove(key.0);
        }
    }
}

#[cfg(test)]
mod tests;
