//! The clock, and the meter that counts a [`Budget`] down while a poll works.
//!
//! The time of day of a poll is read once and passed down as `now`; only the meter reads the clock
//! again, because a time budget cannot be kept without looking at the time.

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
}

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
        }
    }

    /// Notes bytes moved over the network.
    pub(crate) fn spend(&mut self, bytes: usize) {
        if let Some(left) = &mut self.bytes {
            *left = left.saturating_sub(bytes as u64);
        }
    }

    /// How many of `wanted` bytes the budget still allows, at least one: whoever asks has seen that
    /// it is not exhausted.
    pub(crate) fn clamp(&self, wanted: usize) -> usize {
        match self.bytes {
            Some(left) => wanted
                .min(usize::try_from(left).unwrap_or(usize::MAX))
                .max(1),
            None => wanted,
        }
    }

    /// Whether the budget is spent. Remembers that it cut work short.
    pub(crate) fn exhausted(&mut self) -> bool {
        let spent = self.bytes == Some(0)
            || self
                .deadline
                .is_some_and(|deadline| self.clock.now() >= deadline);
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
