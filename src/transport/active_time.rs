//! Active time: the time of the clock, without the parts of long gaps between polls. Deadlines use it.

use std::time::Duration;

use crate::clock::Instant;

/// Time between two polls beyond this does not count towards deadlines.
pub(super) const LONGEST_GAP: Duration = Duration::from_secs(1);

/// See the module's documentation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ActiveTime {
    last_poll: Option<Instant>,
    /// A poll until then comes without a long gap after the last one. It is renewed only when it has passed,
    /// so that most polls need no arithmetic.
    no_gap_until: Option<Instant>,
    /// The sum of the time that did not count.
    skipped: Duration,
    /// When the current poll began, in active time.
    poll_time: Option<Instant>,
}

impl ActiveTime {
    /// A poll begins at `now`. Of a long gap since the last poll only one second counts. Returns the active
    /// time.
    #[inline]
    pub(super) fn begin_poll(&mut self, now: Instant) -> Instant {
        if self.no_gap_until.is_none_or(|until| until < now) {
            if let Some(last) = self.last_poll {
                let gap = now.saturating_duration_since(last);
                self.skipped += gap.saturating_sub(LONGEST_GAP);
            }
            self.no_gap_until = now.checked_add(LONGEST_GAP);
        }
        self.begin_wait(now)
    }

    /// A poll begins after a sleep in the poller. That sleep counts in full.
    #[inline]
    pub(super) fn begin_wait(&mut self, now: Instant) -> Instant {
        self.last_poll = Some(self.last_poll.map_or(now, |last| last.max(now)));
        *self.poll_time.insert(self.of(now))
    }

    /// Between two polls: excludes the part of the gap so far that does not count, so that a time noted now
    /// is right.
    #[cfg(feature = "agent")]
    pub(super) fn skip_gap(&mut self, now: Instant) {
        let last = *self.last_poll.get_or_insert(now);
        let beyond = now
            .saturating_duration_since(last)
            .saturating_sub(LONGEST_GAP);
        self.skipped += beyond;
        self.last_poll = Some(last + beyond);
    }

    /// When the current poll began; `None` before the first one.
    #[inline]
    pub(super) fn poll_time(&self) -> Option<Instant> {
        self.poll_time
    }

    /// The active time of a time of the clock.
    #[inline]
    pub(super) fn of(&self, now: Instant) -> Instant {
        if self.skipped.is_zero() {
            return now;
        }
        now.checked_sub(self.skipped).unwrap_or(now)
    }

    /// The time of the clock of an active time.
    #[inline]
    pub(super) fn real(&self, active_now: Instant) -> Instant {
        if self.skipped.is_zero() {
            return active_now;
        }
        active_now + self.skipped
    }
}
