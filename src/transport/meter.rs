//! The clock, and the meter that counts a [`Budget`] down while a poll works.
//!
//! The time of day of a poll is read once and passed down as `now`; only the meter reads the clock
//! again, because a time budget cannot be kept without looking at the time.

#[cfg(any(feature = "agent", feature = "server"))]
use std::time::SystemTime;
use std::time::{Duration, Instant};

use crate::budget::Budget;
use crate::transport::memory::MemoryNetwork;

/// Where the time comes from: the system's monotonic clock, or a virtual one that stands still
/// while a poll runs.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    System,
    Virtual(MemoryNetwork),
}

impl Clock {
    pub(crate) fn now(&self) -> Instant {
        match self {
            Self::System => Instant::now(),
            Self::Virtual(network) => network.now(),
        }
    }

    /// The time of day, for what HTTP dates: cookies, caches, `Retry-After`.
    #[cfg(any(feature = "agent", feature = "server"))]
    pub(crate) fn wall(&self) -> SystemTime {
        match self {
            Self::System => SystemTime::now(),
            Self::Virtual(network) => network.wall(),
        }
    }
}

/// What is left of a budget. Survives from a poll to the reads that follow it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowance {
    time: Option<Duration>,
    bytes: Option<u64>,
}

impl Allowance {
    pub(crate) fn of(budget: &Budget) -> Self {
        Self {
            time: budget.time,
            bytes: budget.bytes,
        }
    }

    /// No limit: for calls that wait.
    pub(crate) fn unlimited() -> Self {
        Self {
            time: None,
            bytes: None,
        }
    }

    /// Nothing at all, until a poll grants something.
    pub(crate) fn nothing() -> Self {
        Self {
            time: Some(Duration::ZERO),
            bytes: None,
        }
    }
}

/// Counts one stretch of work against an [`Allowance`].
#[derive(Debug)]
pub(crate) struct Meter {
    clock: Clock,
    started: Instant,
    deadline: Option<Instant>,
    bytes: Option<u64>,
    cut: bool,
    /// The time when it was last asked for.
    latest: Instant,
    /// Whether one operation is free, because none was done yet.
    grace: bool,
}

/// The speed that a read is trusted to have, in bytes a microsecond, when it is cut to fit the rest
/// of a time budget: what a kernel copies at its slowest, right after the processor slept.
const BYTES_PER_MICROSECOND: u128 = 2048;

/// No read is cut below this.
const LEAST_READ: usize = 16 * 1024;

impl Meter {
    pub(crate) fn start(clock: &Clock, allowance: &Allowance) -> Self {
        let started = clock.now();
        Self {
            clock: clock.clone(),
            started,
            // What lies beyond the end of time is no limit.
            deadline: allowance.time.and_then(|time| started.checked_add(time)),
            bytes: allowance.bytes,
            cut: false,
            latest: started,
            grace: false,
        }
    }

    /// Lets the first operation through whatever the budget says: a poll with nothing to spend must
    /// still get on, or a client that is always last would starve.
    pub(crate) fn with_grace(self) -> Self {
        Self {
            grace: true,
            ..self
        }
    }

    /// Notes bytes moved over the network.
    pub(crate) fn spend(&mut self, bytes: usize) {
        if let Some(left) = &mut self.bytes {
            *left = left.saturating_sub(bytes as u64);
        }
    }

    /// How many of `wanted` bytes may be moved in one go: as many as the budget has left, and so few
    /// that moving them should not take longer than the time that is left. At least one: whoever
    /// asks has seen that the budget is not exhausted.
    pub(crate) fn clamp(&mut self, wanted: usize) -> usize {
        self.grace = false;
        let by_time = self.deadline.map_or(usize::MAX, |deadline| {
            let left = deadline.saturating_duration_since(self.latest).as_micros();
            usize::try_from(left * BYTES_PER_MICROSECOND)
                .unwrap_or(usize::MAX)
                .max(LEAST_READ)
        });
        let by_bytes = self.bytes.map_or(usize::MAX, |left| {
            usize::try_from(left).unwrap_or(usize::MAX)
        });
        wanted.min(by_time).min(by_bytes).max(1)
    }

    /// Whether the budget is spent. Remembers that it cut work short.
    pub(crate) fn exhausted(&mut self) -> bool {
        if self.grace {
            return false;
        }
        if self.deadline.is_some() {
            self.latest = self.clock.now();
        }
        let spent = self.bytes == Some(0)
            || self
                .deadline
                .is_some_and(|deadline| self.latest >= deadline);
        self.cut |= spent;
        spent
    }

    /// Whether [`exhausted`](Self::exhausted) was ever true.
    pub(crate) fn cut(&self) -> bool {
        self.cut
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// What is left, for a later stretch of the same frame.
    pub(crate) fn rest(&self) -> Allowance {
        Allowance {
            time: self
                .deadline
                .map(|deadline| deadline.saturating_duration_since(self.clock.now())),
            bytes: self.bytes,
        }
    }

    /// When this stretch began.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(network: &MemoryNetwork, budget: &Budget) -> Meter {
        Meter::start(&Clock::Virtual(network.clone()), &Allowance::of(budget))
    }

    #[test]
    fn bytes_run_out_and_what_is_left_goes_on() {
        let network = MemoryNetwork::new();
        let mut first = meter(&network, &Budget::unlimited().with_bytes(100));
        assert_eq!(first.clamp(1000), 100);
        first.spend(60);
        assert!(!first.exhausted());
        let mut second = Meter::start(&Clock::Virtual(network), &first.rest());
        assert_eq!(second.clamp(1000), 40);
        second.spend(40);
        assert!(second.exhausted() && second.cut());
        assert!(!first.cut());
    }

    #[test]
    fn time_runs_out_and_large_reads_shrink_before_it_does() {
        let network = MemoryNetwork::new();
        let mut meter = meter(&network, &Budget::frame(Duration::from_micros(100)));
        assert_eq!(meter.clamp(usize::MAX), 100 * 2048);
        network.advance(Duration::from_micros(60));
        assert!(!meter.exhausted());
        assert_eq!(meter.clamp(usize::MAX), 40 * 2048);
        network.advance(Duration::from_micros(39));
        assert!(!meter.exhausted());
        assert_eq!(meter.clamp(usize::MAX), LEAST_READ);
        network.advance(Duration::from_micros(1));
        assert!(meter.exhausted());
    }

    #[test]
    fn with_grace_the_first_operation_is_free() {
        let network = MemoryNetwork::new();
        let mut meter = meter(&network, &Budget::frame(Duration::ZERO)).with_grace();
        assert!(!meter.exhausted());
        assert_eq!(meter.clamp(usize::MAX), LEAST_READ);
        assert!(meter.exhausted() && meter.cut());
    }

    #[test]
    fn an_unlimited_budget_is_never_exhausted() {
        let network = MemoryNetwork::new();
        let mut meter = meter(&network, &Budget::unlimited());
        meter.spend(usize::MAX);
        network.advance(Duration::from_secs(3600));
        assert!(!meter.exhausted());
        assert_eq!(meter.clamp(usize::MAX), usize::MAX);
    }
}
