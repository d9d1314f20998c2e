//! The virtual clock: it moves only when a caller advances it, when a waiting call sleeps, and by the
//! time that calls are set to cost.

use std::time::Duration;

use crate::clock::Instant;

/// The time of one in-memory network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    now: Instant,
    /// The time when the network was made.
    start: Instant,
    cost_per_call: Duration,
    cost_per_kib: Duration,
}

impl Clock {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            now,
            start: now,
            cost_per_call: Duration::ZERO,
            cost_per_kib: Duration::ZERO,
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// How much time has passed since the network was made.
    pub(super) fn elapsed(&self) -> Duration {
        self.now.saturating_duration_since(self.start)
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.now = later(self.now, by);
    }

    /// Moves to this time, never back.
    pub(super) fn advance_to(&mut self, time: Instant) {
        self.now = self.now.max(time);
    }

    pub(super) fn set_costs(&mut self, per_call: Duration, per_kib: Duration) {
        self.cost_per_call = per_call;
        self.cost_per_kib = per_kib;
    }

    /// Lets the time pass that a call takes which moves this many bytes.
    pub(super) fn spend(&mut self, bytes: usize) {
        let moving = self.cost_per_kib.as_nanos() * bytes as u128 / 1024;
        let moving = Duration::from_nanos(u64::try_from(moving).unwrap_or(u64::MAX));
        self.now = later(self.now, self.cost_per_call.saturating_add(moving));
    }
}

/// A longer time counts as this one, 34 years, so that no time overflows the clock.
pub(super) const LONGEST: Duration = Duration::from_secs(1 << 30);

/// The time `pause` after `now`.
pub(crate) fn later(now: Instant, pause: Duration) -> Instant {
    now + pause.min(LONGEST)
}
