//! The connections of an agent and the requests that wait for one.
//!
//! Connections are shared by requests whose [`PoolKey`]s are equal, and by no others. Each key has a
//! [`Host`]: the connections that are idle, and a queue by priority. Limits, ages and the choice of a
//! connection belong here. Connecting, sending and policies belong to `engine`.

mod key;
mod limits;
mod responses;
mod round_trip;

use std::collections::BTreeMap;
use std::time::Duration;

use slab::Slab;

use super::id::RequestId;
use super::settings::Priority;
use crate::clock::Instant;
use crate::connection::Connection;
use crate::semantics::keep_alive;
pub(crate) use key::PoolKey;
pub use limits::PoolLimits;
use round_trip::RoundTrip;

/// A connection's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnectionKey(pub(crate) usize);

/// A host's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostKey(usize);

/// Where a request stands in its host's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    priority: Priority,
    turn: u64,
}

/// One connection of the pool.
#[derive(Debug)]
pub(crate) struct Pooled {
    pub(crate) connection: Box<Connection>,
    pub(crate) host: HostKey,
    pub(crate) service: Service,
    /// The priority of the request that it serves, or served last.
    priority: Priority,
    /// Requests given to it.
    pub(crate) requests: u32,
    /// When it was opened, in active time.
    pub(crate) opened: Instant,
    /// How long the server keeps it open when it is idle, with a margin (`Keep-Alive: timeout`).
    pub(crate) keep_alive: Option<Duration>,
    /// When it became idle last, by the clock.
    idle_since: Option<Instant>,
    /// The earliest time for which a timer is set.
    pub(crate) armed: Option<Instant>,
    /// When the request was sent whose head has not arrived.
    asked: Option<Instant>,
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Idle {
        since: Instant,
    },
    Busy(RequestId),
    /// Reads the rest of a response that is not wanted, so that it can serve again: at most this many
    /// bytes, at most until then. It gives way to requests that need its slot.
    Draining {
        left: u64,
        until: Instant,
    },
}

#[derive(Debug)]
struct Host {
    key: PoolKey,
    /// Idle connections. The one used last is at the end.
    idle: Vec<ConnectionKey>,
    open: usize,
    /// How many of the open ones are draining.
    draining: usize,
    waiting: BTreeMap<Place, RequestId>,
    /// How often in a row a poll busy-polled for a response that did not arrive.
    late: u8,
    round_trip: RoundTrip,
}

/// What a waiting request gets.
#[derive(Debug)]
pub(crate) enum Grant {
    /// A connection that has served before.
    Reuse(ConnectionKey),
    /// The right to open one.
    Open,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    limits: PoolLimits,
    connections: Slab<Pooled>,
    hosts: Slab<Host>,
    turn: u64,
    waiting: usize,
    idle: usize,
    draining: usize,
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
        HostKey(self.hosts.insert(Host {
            key: key.clone(),
            idle: Vec::new(),
            open: 0,
            draining: 0,
            waiting: BTreeMap::new(),
            late: 0,
            round_trip: RoundTrip::default(),
        }))
    }

    /// Lets a request wait its turn, behind those of its priority.
    pub(crate) fn wait(&mut self, host: HostKey, id: RequestId, priority: Priority) -> Place {
        self.is_stuck = false;
        self.turn += 1;
        let place = Place {
            priority,
            turn: self.turn,
        };
        if let Some(host) = self.hosts.get_mut(host.0) {
            host.waiting.insert(place, id);
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
            && let Some(id) = host.waiting.remove(&place)
        {
            host.waiting.insert(new, id);
        }
        new
    }

    /// Takes a request out of the queue.
    pub(crate) fn leave(&mut self, host: HostKey, place: Place) -> Option<RequestId> {
        self.is_stuck = false;
        let found = self.hosts.get_mut(host.0)?.waiting.remove(&place)?;
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
            .map(|(index, host)| (HostKey(index), host.key.to_string(), host.waiting.len()))
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
        let open = self.connections.len();
        let can_evict = self.idle + self.draining > 0;
        let (limits, connections) = (&self.limits, &self.connections);
        // Whether a request of a lower priority has a connection, to this host or at all.
        let is_held_by_lower = |host: Option<usize>| {
            connections.iter().any(|(_, pooled)| {
                host.is_none_or(|index| pooled.host == HostKey(index))
                    && matches!(pooled.service, Service::Busy(_))
                    && pooled.priority > Priority::Gameplay
            })
        };
        let (index, host) = self
            .hosts
            .iter_mut()
            .filter_map(|(index, host)| {
                let place = *host.waiting.first_key_value()?.0;
                let is_urgent = place.priority == Priority::Gameplay;
                let extra = |host| usize::from(is_urgent && is_held_by_lower(host));
                let has_room = can_evict || open < limits.total + extra(None);
                let used = host.open - host.draining;
                let is_distant = host.round_trip.is_distant();
                let most = limits.of_host(is_distant, host.waiting.len(), used);
                let may_open = used < most || used < most + extra(Some(index));
                let can_be_served = !host.idle.is_empty() || has_room && may_open;
                can_be_served.then_some((place, index, host))
            })
            .min_by_key(|(place, ..)| *place)
            .map(|(_, index, host)| (index, host))?;
        let (_, id) = host.waiting.pop_first()?;
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
    pub(crate) fn evict(&self, for_host: HostKey) -> Option<ConnectionKey> {
        let host = self.hosts.get(for_host.0);
        let is_host_full = host.is_some_and(|host| {
            let (is_distant, used) = (host.round_trip.is_distant(), host.open - host.draining);
            // Its request waited until now.
            let most = self
                .limits
                .of_host(is_distant, host.waiting.len() + 1, used);
            host.open >= most
        });
        if is_host_full && let Some(key) = self.first_draining(Some(for_host)) {
            return Some(key);
        }
        if self.connections.len() < self.limits.total {
            return None;
        }
        let idle = self.connections.iter().filter_map(|(index, pooled)| {
            let Service::Idle { since } = pooled.service else {
                return None;
            };
            Some((since, index))
        });
        let oldest = idle.min().map(|(_, index)| ConnectionKey(index));
        oldest.or_else(|| self.first_draining(None))
    }

    fn first_draining(&self, of: Option<HostKey>) -> Option<ConnectionKey> {
        let mut connections = self.connections.iter();
        let found = connections.find(|(_, pooled)| {
            matches!(pooled.service, Service::Draining { .. })
                && of.is_none_or(|host| pooled.host == host)
        });
        found.map(|(index, _)| ConnectionKey(index))
    }

    pub(crate) fn insert(
        &mut self,
        host: HostKey,
        id: RequestId,
        priority: Priority,
        now: Instant,
    ) -> ConnectionKey {
        if let Some(host) = self.hosts.get_mut(host.0) {
            host.open += 1;
        }
        ConnectionKey(self.connections.insert(Pooled {
            connection: Box::default(),
            host,
            service: Service::Busy(id),
            priority,
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
        if let Some(host) = self.hosts.get_mut(pooled.host.0) {
            host.open -= 1;
            if let Some(at) = host.idle.iter().position(|idle| *idle == key) {
                host.idle.remove(at);
                self.idle -= 1;
            }
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
    pub(crate) fn note_idle(&mut self, key: ConnectionKey, clock: Instant) {
        if let Some(pooled) = self.connections.get_mut(key.0) {
            pooled.idle_since = Some(clock);
        }
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
    pub(crate) fn assign(&mut self, key: ConnectionKey, id: RequestId, priority: Priority) {
        self.is_stuck = false;
        if let Some(pooled) = self.connections.get_mut(key.0) {
            pooled.service = Service::Busy(id);
            pooled.priority = priority;
        }
    }

    /// Lets a connection read the rest of a response that is not wanted.
    pub(crate) fn drain(&mut self, key: ConnectionKey, left: u64, until: Instant) {
        self.is_stuck = false;
        self.stop_draining(key);
        if let Some(pooled) = self.connections.get_mut(key.0) {
            pooled.service = Service::Draining { left, until };
            self.draining += 1;
            if let Some(host) = self.hosts.get_mut(pooled.host.0) {
                host.draining += 1;
            }
        }
    }

    fn stop_draining(&mut self, key: ConnectionKey) {
        if let Some(pooled) = self.connections.get(key.0)
            && matches!(pooled.service, Service::Draining { .. })
        {
            self.draining -= 1;
            if let Some(host) = self.hosts.get_mut(pooled.host.0) {
                host.draining -= 1;
            }
        }
    }

    /// Keeps a connection for the next request. `false`: it is too old.
    pub(crate) fn keep(&mut self, key: ConnectionKey, now: Instant) -> bool {
        self.is_stuck = false;
        self.stop_draining(key);
        let Some(pooled) = self.connections.get_mut(key.0) else {
            return false;
        };
        pooled.service = Service::Idle { since: now };
        if now.saturating_duration_since(pooled.opened) >= self.limits.lifetime
            || self.limits.idle_age.is_zero()
            || pooled.keep_alive.is_some_and(|age| age.is_zero())
        {
            return false;
        }
        if let Some(host) = self.hosts.get_mut(pooled.host.0) {
            host.idle.push(key);
            self.idle += 1;
        }
        true
    }

    /// When an idle connection is to be closed. `None` for a busy one.
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
        self.connections.len() - self.idle - self.draining
    }

    fn forget_host(&mut self, key: HostKey) {
        if let Some(host) = self.hosts.get(key.0)
            && host.open == 0
            && host.waiting.is_empty()
        {
            self.hosts.remove(key.0);
        }
    }
}

#[cfg(test)]
mod tests;
