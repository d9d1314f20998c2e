//! The reactor's clock, and active time: which of the clock's time counts towards deadlines.

use super::Reactor;
use crate::clock::Instant;

impl Reactor {
    /// Begins a poll at `now`, and returns the active time for deadlines. Of a long gap since the last poll
    /// only one second counts, because the peer did not cause it. While a watcher slept, there was no need to poll.
    #[inline]
    pub(crate) fn begin_poll(&mut self, now: Instant) -> Instant {
        let poller = self.member.poller();
        self.active_time.begin_poll(now, || poller.quiet_until(now))
    }

    /// The active time at which the current poll began.
    #[inline]
    pub(crate) fn poll_time(&self) -> Instant {
        let began = self.active_time.poll_time();
        began.unwrap_or_else(|| self.active_time(self.clock().now()))
    }

    /// Between two polls: excludes the part of the gap so far that does not count, so that a time noted now
    /// is right.
    #[cfg(feature = "agent")]
    pub(crate) fn skip_gap(&mut self, now: Instant) {
        let quiet = self.poller().quiet_until(now);
        self.active_time.skip_gap(now, quiet);
    }

    /// Begins a poll after a sleep in the poller, which was to last until `until` at the latest. That sleep counts in
    /// full, unless the system stopped the program meanwhile.
    pub(crate) fn end_sleep(&mut self, began: Instant, until: Option<Instant>, now: Instant) {
        self.active_time.end_sleep(began, until, now);
    }

    /// The sum of all time that did not count.
    #[cfg(feature = "agent")]
    #[inline]
    pub(crate) fn skipped_time(&self) -> std::time::Duration {
        self.active_time.skipped()
    }

    /// The active time: `now` minus the time that did not count.
    #[inline]
    pub(crate) fn active_time(&self, now: Instant) -> Instant {
        self.active_time.of(now)
    }

    /// Converts an active time to the clock's time.
    #[inline]
    pub(crate) fn real_time(&self, active_now: Instant) -> Instant {
        self.active_time.real(active_now)
    }
}
