//! Circuit breakers: when an origin gets no requests, because too many failed in a row or because
//! it sent `Retry-After` (RFC 9110 §10.2.3). Also fail-over: which of several base URLs is used.
//! Whether a single request is retried belongs to `retry`.
//!
//! ```text
//!            failures in a row, or Retry-After
//!   Closed ────────────────────────────────────► Open ◄──────────┐
//!     ▲                                           │ time is up:  │ failure,
//!     │                                           ▼ one probe    │ Retry-After
//!     └────────────── success ────────────── Half-open ──────────┘
//! ```

use std::collections::HashMap;
use std::time::Duration;

use http::StatusCode;
use url::Url;

use super::origin::Origin;
use crate::clock::Instant;

/// When to hold back requests to an origin, so that a server in trouble gets no extra load and the
/// game does not wait for responses that will not come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CircuitPolicy {
    /// Failures in a row that open the circuit; 0 means never. Default 5.
    pub failures: u32,
    /// How long an open circuit holds requests back before one request probes. Default 30 s.
    pub open_for: Duration,
    /// Whether `Retry-After` also holds back the other requests to the origin. Default `true`.
    pub respect_retry_after: bool,
    /// The longest time for which a `Retry-After` holds requests back. Default 5 min.
    pub max_retry_after: Duration,
    /// What happens to requests that are held back. Default [`OpenCircuitPolicy::FailFast`].
    pub when_open: OpenCircuitPolicy,
}

/// What happens to a request while its circuit is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenCircuitPolicy {
    /// It fails at once.
    #[default]
    FailFast,
    /// It waits in the queue.
    Wait,
}

impl Default for CircuitPolicy {
    fn default() -> Self {
        Self {
            failures: 5,
            open_for: Duration::from_secs(30),
            respect_retry_after: true,
            max_retry_after: Duration::from_secs(300),
            when_open: OpenCircuitPolicy::FailFast,
        }
    }
}

/// Whether a request may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Go,
    /// It may be sent as the only one. Its outcome decides about the others: a call to `responded`,
    /// `failed` or `abandoned` must follow.
    Probe,
    /// It waits. Check again at this time.
    Wait(Instant),
    /// It fails. The circuit stays open until this time.
    Refuse(Instant),
}

/// The circuits of all origins with recent failures.
#[derive(Debug, Default)]
pub(crate) struct Circuits {
    policy: CircuitPolicy,
    /// An origin without failures has no entry.
    circuits: HashMap<Origin, Circuit>,
}

#[derive(Clone, Copy, Debug)]
enum Circuit {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// A probe was sent. If no outcome is reported, it counts as lost at `until`.
    HalfOpen {
        until: Instant,
    },
}

/// The maximum number of origins. When all entries are in use, requests to further origins are not
/// held back.
const MOST_ORIGINS: usize = 1024;

impl Circuits {
    pub(crate) fn new(policy: CircuitPolicy) -> Self {
        Self {
            policy,
            circuits: HashMap::new(),
        }
    }

    /// The number of origins with an entry.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.circuits.len()
    }

    /// Decides about a request to `origin`.
    pub(crate) fn admit(&mut self, origin: &Origin, now: Instant) -> Admission {
        let Some(circuit) = self.circuits.get_mut(origin) else {
            return Admission::Go;
        };
        match *circuit {
            Circuit::Closed { .. } => Admission::Go,
            Circuit::Open { until } | Circuit::HalfOpen { until } if now < until => {
                match self.policy.when_open {
                    OpenCircuitPolicy::FailFast => Admission::Refuse(until),
                    OpenCircuitPolicy::Wait => Admission::Wait(until),
                }
            }
            Circuit::Open { .. } | Circuit::HalfOpen { .. } => {
                *circuit = Circuit::HalfOpen {
                    until: after(now, self.policy.open_for.max(SHORTEST_PROBE)),
                };
                Admission::Probe
            }
        }
    }

    /// Records a response. `retry_after` is the value of its field. It counts only with a status
    /// that refuses the request: with other statuses it has another meaning (RFC 9110 §10.2.3).
    /// Returns whether requests that were held back may be sent now.
    pub(crate) fn responded(
        &mut self,
        origin: &Origin,
        status: StatusCode,
        retry_after: Option<Duration>,
        now: Instant,
    ) -> bool {
        let refuses = is_failure(status) || status == StatusCode::TOO_MANY_REQUESTS;
        match retry_after {
            Some(retry_after) if refuses && self.policy.respect_retry_after => {
                self.on_retry_after(origin, retry_after, now);
                false
            }
            _ if is_failure(status) => {
                self.failed(origin, now);
                false
            }
            _ => self.succeeded(origin),
        }
    }

    /// Records that no response came.
    pub(crate) fn failed(&mut self, origin: &Origin, now: Instant) {
        if self.policy.failures == 0 && !self.circuits.contains_key(origin) {
            return;
        }
        let open = Circuit::Open {
            until: after(now, self.policy.open_for),
        };
        let next = match self.circuits.get(origin) {
            Some(Circuit::Open { .. }) => return,
            Some(Circuit::HalfOpen { .. }) => open,
            Some(Circuit::Closed { failures }) if failures + 1 < self.policy.failures => {
                Circuit::Closed {
                    failures: failures + 1,
                }
            }
            None if self.policy.failures > 1 => Circuit::Closed { failures: 1 },
            Some(Circuit::Closed { .. }) | None => open,
        };
        self.set(origin, next, now);
    }

    /// Records that a request ended without an outcome because it was cancelled. The next one may
    /// probe.
    pub(crate) fn abandoned(&mut self, origin: &Origin, now: Instant) {
        if let Some(circuit @ Circuit::HalfOpen { .. }) = self.circuits.get_mut(origin) {
            *circuit = Circuit::Open { until: now };
        }
    }

    fn succeeded(&mut self, origin: &Origin) -> bool {
        // A request that started before the circuit opened says nothing about the present state.
        if matches!(self.circuits.get(origin), Some(Circuit::Open { .. })) {
            return false;
        }
        matches!(self.circuits.remove(origin), Some(Circuit::HalfOpen { .. }))
    }

    fn on_retry_after(&mut self, origin: &Origin, retry_after: Duration, now: Instant) {
        let asked = after(now, retry_after.min(self.policy.max_retry_after));
        let until = match self.circuits.get(origin) {
            Some(Circuit::Open { until }) => asked.max(*until),
            _ => asked,
        };
        self.set(origin, Circuit::Open { until }, now);
    }

    fn set(&mut self, origin: &Origin, circuit: Circuit, now: Instant) {
        if self.circuits.len() >= MOST_ORIGINS && !self.circuits.contains_key(origin) {
            self.circuits.retain(|_, circuit| match circuit {
                Circuit::Closed { .. } => false,
                Circuit::Open { until } | Circuit::HalfOpen { until } => *until > now,
            });
            if self.circuits.len() >= MOST_ORIGINS {
                return;
            }
        }
        self.circuits.insert(origin.clone(), circuit);
    }
}

/// Whether a response with this status counts as a failure of its server.
fn is_failure(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// The minimum time for a probe, however short the circuit stays open.
const SHORTEST_PROBE: Duration = Duration::from_secs(1);

/// A year stands for every longer time, so that no time overflows the clock.
fn after(now: Instant, duration: Duration) -> Instant {
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    now + duration.min(LONGEST)
}

/// Several base URLs of equivalent servers. A URL that works stays in use. After a failure the next
/// one is used, and after the last one the first.
#[derive(Clone)]
pub(crate) struct FailOver {
    first: Url,
    others: Vec<Url>,
    current: usize,
}

impl FailOver {
    pub(crate) fn new(first: Url, others: Vec<Url>) -> Self {
        Self {
            first,
            others,
            current: 0,
        }
    }

    /// The number of base URLs.
    pub(crate) fn len(&self) -> usize {
        1 + self.others.len()
    }

    /// Whether the list consists of exactly these URLs.
    pub(crate) fn is_of(&self, first: &Url, others: &[Url]) -> bool {
        self.first == *first && self.others == others
    }

    /// The base URL in use, and its index for [`failed`](Self::failed).
    #[cfg(test)]
    pub(crate) fn current(&self) -> (usize, &Url) {
        (self.current, self.base(self.current))
    }

    /// All base URLs, in the order in which one request should try them.
    pub(crate) fn order(&self) -> impl Iterator<Item = (usize, &Url)> {
        (0..self.len()).map(|step| {
            let index = (self.current + step) % self.len();
            (index, self.base(index))
        })
    }

    /// Records that a request to this base URL failed: the next one is used from now on. If several
    /// requests fail at the same base URL, only the first failure switches.
    pub(crate) fn failed(&mut self, index: usize) {
        if index == self.current {
            self.current = (self.current + 1) % self.len();
        }
    }

    /// Records that a request to this base URL succeeded, so that it stays in use.
    pub(crate) fn succeeded(&mut self, index: usize) {
        if index < self.len() {
            self.current = index;
        }
    }

    fn base(&self, index: usize) -> &Url {
        index
            .checked_sub(1)
            .and_then(|index| self.others.get(index))
            .unwrap_or(&self.first)
    }
}

impl std::fmt::Debug for FailOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let origins = self.order().map(|(_, base)| Origin::of(base));
        f.debug_list()
            .entries(origins.map(|origin| origin.map(|origin| origin.to_string())))
            .finish()
    }
}

#[cfg(test)]
mod tests;
