//! A token bucket: how many bytes may move now, at a given rate. Callers ask before they move bytes and
//! report the number afterwards. When several buckets apply (one for all transfers, one per transfer), the
//! smallest allowance and the latest due time count.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::clock::Instant;

/// A rate in bytes per second, with a bucket for unused bytes. By default the bucket holds as many as the
/// rate allows in a quarter of a second.
#[derive(Clone, Debug)]
pub(crate) struct Throttle {
    flow: Option<Flow>,
}

impl Throttle {
    /// No limit.
    pub(crate) const fn unlimited() -> Self {
        Self { flow: None }
    }

    /// `rate` bytes per second, beginning with a full bucket.
    pub(crate) fn new(rate: NonZeroU64, now: Instant) -> Self {
        let capacity = default_capacity(rate);
        Self {
            flow: Some(Flow {
                rate,
                capacity: Capacity::OfRate,
                level: in_parts(capacity),
                updated: now,
            }),
        }
    }

    /// Sets the size of the bucket to `bytes` (at least one).
    #[must_use]
    #[cfg(test)]
    pub(crate) fn with_burst(mut self, bytes: u64) -> Self {
        if let Some(flow) = &mut self.flow {
            flow.capacity = Capacity::Fixed(bytes.max(1));
            flow.level = in_parts(bytes.max(1));
        }
        self
    }

    /// The rate in bytes per second; `None` means no limit.
    pub(crate) fn rate(&self) -> Option<NonZeroU64> {
        self.flow.as_ref().map(|flow| flow.rate)
    }

    /// Changes the rate from now on. Unused bytes stay as far as the bucket can hold them, and so does a
    /// debt.
    pub(crate) fn set_rate(&mut self, rate: Option<NonZeroU64>, now: Instant) {
        match (&mut self.flow, rate) {
            (_, None) => self.flow = None,
            (None, Some(rate)) => *self = Self::new(rate, now),
            (Some(flow), Some(rate)) => {
                flow.refill(now);
                flow.rate = rate;
                flow.level = flow.level.min(in_parts(flow.capacity()));
            }
        }
    }

    /// How many bytes may move now; `u64::MAX` without a limit.
    pub(crate) fn remaining_budget(&mut self, now: Instant) -> u64 {
        let Some(flow) = &mut self.flow else {
            return u64::MAX;
        };
        flow.refill(now);
        u64::try_from(flow.level.max(0) / PARTS).unwrap_or(u64::MAX)
    }

    /// The allowance if it is worth a system call, otherwise zero. It is worth one when it reaches the
    /// bytes of a twentieth of a second, or [`LEAST_MOVE`] if that is less.
    #[cfg(feature = "agent")]
    pub(crate) fn worthwhile(&mut self, now: Instant) -> u64 {
        self.at_least(20, u64::MAX, now)
    }

    /// The allowance if it is worth a piece of content, otherwise zero. It is worth one when it reaches the
    /// bytes of a hundredth of a second, or [`LEAST_MOVE`] or the `wanted` bytes if they are less. Otherwise a
    /// caller that polls without pause would get a few bytes at a time, of what was read long ago.
    #[cfg(feature = "agent")]
    pub(crate) fn piece(&mut self, wanted: u64, now: Instant) -> u64 {
        self.at_least(100, wanted, now)
    }

    #[cfg(feature = "agent")]
    fn at_least(&mut self, parts_per_second: u64, wanted: u64, now: Instant) -> u64 {
        let least = self.rate().map_or(0, |rate| rate.get() / parts_per_second);
        let remaining_budget = self.remaining_budget(now);
        if remaining_budget < least.min(LEAST_MOVE).min(wanted.max(1)) {
            0
        } else {
            remaining_budget
        }
    }

    /// Notes that bytes moved. Bytes beyond the allowance become a debt that later time pays.
    pub(crate) fn spend(&mut self, bytes: u64) {
        if let Some(flow) = &mut self.flow {
            flow.level = flow.level.saturating_sub(in_parts(bytes));
        }
    }

    /// The earliest time at which `at_least` bytes, or as many as the bucket can hold, may move.
    pub(crate) fn due(&mut self, now: Instant, at_least: u64) -> Instant {
        let Some(flow) = &mut self.flow else {
            return now;
        };
        flow.refill(now);
        let missing = in_parts(at_least.min(flow.capacity())).saturating_sub(flow.level);
        if missing <= 0 {
            return now;
        }
        let rate = i128::from(flow.rate.get());
        let nanoseconds = missing / rate + i128::from(missing % rate != 0);
        let wait = u64::try_from(nanoseconds).map_or(LONGEST_WAIT, Duration::from_nanos);
        let wait = wait.min(LONGEST_WAIT);
        // Counted from the last refill, which may be later than `now` when the clock went back.
        flow.updated.checked_add(wait).unwrap_or(flow.updated)
    }
}

/// This many bytes are worth a system call at any rate.
#[cfg(feature = "agent")]
pub(crate) const LEAST_MOVE: u64 = 16 * 1024;

#[derive(Clone, Debug)]
struct Flow {
    rate: NonZeroU64,
    capacity: Capacity,
    /// The content of the bucket, in fractions of a byte; negative means debt. Whole numbers lose nothing,
    /// so any number of small steps adds up to exactly the rate.
    level: i128,
    updated: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Capacity {
    OfRate,
    #[cfg(test)]
    Fixed(u64),
}

impl Flow {
    fn capacity(&self) -> u64 {
        match self.capacity {
            Capacity::OfRate => default_capacity(self.rate),
            #[cfg(test)]
            Capacity::Fixed(bytes) => bytes,
        }
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.updated);
        if elapsed.is_zero() {
            return;
        }
        let nanoseconds = i128::try_from(elapsed.as_nanos()).unwrap_or(i128::MAX);
        let gained = nanoseconds.saturating_mul(i128::from(self.rate.get()));
        self.level = self
            .level
            .saturating_add(gained)
            .min(in_parts(self.capacity()));
        self.updated = now;
    }
}

/// Fractions per byte: one byte per second is one fraction per nanosecond.
const PARTS: i128 = 1_000_000_000;

/// A larger debt is paid in several waits.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

fn in_parts(bytes: u64) -> i128 {
    i128::from(bytes) * PARTS
}

fn default_capacity(rate: NonZeroU64) -> u64 {
    (rate.get() / 4).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn throttle(rate: u64, now: Instant) -> Throttle {
        Throttle::new(NonZeroU64::new(rate).unwrap(), now)
    }

    #[test]
    fn a_bucket_fills_at_its_rate_and_holds_a_quarter_second() {
        let start = Instant::now();
        let mut bucket = throttle(1000, start);
        assert_eq!(bucket.remaining_budget(start), 250);
        bucket.spend(250);
        assert_eq!(bucket.remaining_budget(start), 0);
        for (milliseconds, allowed) in [(1, 1), (100, 100), (250, 250), (251, 250), (9999, 250)] {
            let later = start + Duration::from_millis(milliseconds);
            assert_eq!(bucket.clone().remaining_budget(later), allowed);
        }
        let mut large = throttle(1000, start).with_burst(5000);
        assert_eq!(large.remaining_budget(start), 5000);
    }

    #[test]
    fn small_steps_do_not_drift() {
        // 7 bytes per second, with 977 calls per second: no single step yields a byte.
        for rate in [1, 7, 999, 1_000_003] {
            let start = Instant::now();
            let mut bucket = throttle(rate, start);
            bucket.spend(bucket.clone().remaining_budget(start));
            let mut moved = 0;
            let step = SECOND / 977;
            for n in 1..=977 * 10 {
                let allowed = bucket.remaining_budget(start + step * n);
                bucket.spend(allowed);
                moved += allowed;
            }
            let exact = u128::from(rate) * (step * 9770).as_nanos() / 1_000_000_000;
            assert_eq!(u128::from(moved), exact, "at {rate} B/s");
        }
    }

    #[cfg(feature = "agent")]
    #[test]
    fn bytes_not_worth_a_system_call_wait() {
        let start = Instant::now();
        for (rate, least) in [(1000, 50), (10, 1), (1 << 30, 16_384)] {
            let mut bucket = throttle(rate, start);
            let held = bucket.remaining_budget(start);
            bucket.spend(held - (least - 1));
            assert_eq!(bucket.worthwhile(start), 0, "at {rate}");
            bucket.spend(least - 1);
            let due = bucket.due(start, least);
            assert!(bucket.worthwhile(due) >= least, "at {rate}");
        }
        assert_eq!(Throttle::unlimited().worthwhile(start), u64::MAX);
    }

    #[cfg(feature = "agent")]
    #[test]
    fn a_piece_waits_for_a_hundredth_of_a_second_or_for_the_wanted_bytes() {
        let start = Instant::now();
        let mut bucket = throttle(1000, start);
        bucket.spend(241);
        for (wanted, allowed) in [(100, 0), (10, 0), (9, 9), (1, 9)] {
            assert_eq!(bucket.piece(wanted, start), allowed, "{wanted} wanted");
        }
        assert_eq!(bucket.piece(100, start + SECOND / 1000), 10);
        assert_eq!(Throttle::unlimited().piece(100, start), u64::MAX);
    }

    #[test]
    fn debts_are_paid_before_bytes_move() {
        let start = Instant::now();
        let mut bucket = throttle(1000, start);
        bucket.spend(1250);
        assert_eq!(bucket.remaining_budget(start), 0);
        assert_eq!(bucket.remaining_budget(start + SECOND), 0);
        assert_eq!(bucket.due(start + SECOND, 100), start + SECOND * 11 / 10);
        assert_eq!(bucket.remaining_budget(start + SECOND * 11 / 10), 100);
    }

    #[test]
    fn due_is_the_first_moment_that_allows_the_bytes() {
        let start = Instant::now();
        for rate in [1, 3, 7, 1000, 16_384, 1 << 40] {
            for wanted in [1, 2, 100, 4096] {
                let mut bucket = throttle(rate, start).with_burst(4096);
                bucket.spend(4096);
                let due = bucket.due(start, wanted);
                assert!(
                    bucket.clone().remaining_budget(due) >= wanted,
                    "{wanted} at {rate}"
                );
                let before = due - Duration::from_nanos(1);
                assert!(
                    bucket.remaining_budget(before) < wanted,
                    "{wanted} at {rate}"
                );
            }
        }
        // A request for more than the bucket holds is due when the bucket is full.
        let mut bucket = throttle(1000, start);
        bucket.spend(250);
        assert_eq!(bucket.due(start, u64::MAX), start + SECOND / 4);
        assert_eq!(throttle(1000, start).due(start, 250), start);
    }

    #[test]
    fn the_rate_can_change_at_any_time() {
        let start = Instant::now();
        let rate = NonZeroU64::new;
        let mut bucket = throttle(1000, start);
        bucket.spend(250);
        let half = start + SECOND / 10;
        bucket.set_rate(rate(4000), half);
        assert_eq!(bucket.rate(), rate(4000));
        assert_eq!(
            bucket.remaining_budget(half),
            100,
            "gathered at the old rate"
        );
        assert_eq!(bucket.remaining_budget(half + SECOND / 10), 500);
        bucket.set_rate(rate(40), half + SECOND / 10);
        assert_eq!(
            bucket.remaining_budget(half + SECOND / 10),
            10,
            "no longer fits"
        );
        bucket.set_rate(None, half);
        assert_eq!(bucket.remaining_budget(half), u64::MAX);
        bucket.set_rate(rate(400), half);
        assert_eq!(bucket.remaining_budget(half), 100);
    }

    #[test]
    fn buckets_compose() {
        let start = Instant::now();
        let mut all = throttle(1000, start);
        let mut one = throttle(400, start);
        let mut free = Throttle::unlimited();
        let allowed = all
            .remaining_budget(start)
            .min(one.remaining_budget(start))
            .min(free.remaining_budget(start));
        assert_eq!(allowed, 100);
        for bucket in [&mut all, &mut one, &mut free] {
            bucket.spend(allowed);
        }
        let due = all
            .due(start, 50)
            .max(one.due(start, 50))
            .max(free.due(start, 50));
        assert_eq!(due, start + SECOND / 8);
    }

    #[test]
    fn extreme_values_neither_panic_nor_block_for_ever() {
        let start = Instant::now();
        let mut bucket = throttle(u64::MAX, start);
        assert_eq!(bucket.remaining_budget(start), u64::MAX / 4);
        for _ in 0..3 {
            bucket.spend(u64::MAX);
        }
        assert!(bucket.remaining_budget(start + SECOND * u32::MAX) > 0);
        let mut slow = throttle(1, start);
        slow.spend(u64::MAX);
        assert_eq!(slow.due(start, 1), start + LONGEST_WAIT);
        // A clock that goes back neither adds nor removes bytes.
        let mut bucket = throttle(1000, start + SECOND);
        bucket.spend(250);
        assert_eq!(bucket.remaining_budget(start), 0);
        assert_eq!(bucket.due(start, 10), start + SECOND + SECOND / 100);
    }
}
