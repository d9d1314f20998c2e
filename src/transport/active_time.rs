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
    /// A poll begins at `now`. Of a long gap since the last poll only one second counts. `quiet`, which only a gap
    /// asks: up to when there was no need to poll, as far as that is known; that time counts in full. Returns the
    /// active time.
    #[inline]
    pub(super) fn begin_poll(
        &mut self,
        now: Instant,
        quiet: impl FnOnce() -> Option<Instant>,
    ) -> Instant {
        if self.no_gap_until.is_none_or(|until| until < now) {
            if let Some(last) = self.last_poll {
                let gap = now.saturating_duration_since(gap_began(last, quiet()));
                self.skipped += gap.saturating_sub(LONGEST_GAP);
            }
            self.no_gap_until = now.checked_add(LONGEST_GAP);
        }
        self.note_poll(now)
    }

    /// A poll begins after a sleep in the poller. That sleep counts in full, unless it lasted more than a second longer
    /// than it was to last, `until`: then the system had stopped the program, nobody knows since when, and one second
    /// counts.
    pub(super) fn end_sleep(
        &mut self,
        began: Instant,
        until: Option<Instant>,
        now: Instant,
    ) -> Instant {
        if until.is_some_and(|until| is_too_late(until, now)) {
            let slept = now.saturating_duration_since(began);
            self.skipped += slept.saturating_sub(LONGEST_GAP);
        }
        self.note_poll(now)
    }

    #[inline]
    fn note_poll(&mut self, now: Instant) -> Instant {
        self.last_poll = Some(self.last_poll.map_or(now, |last| last.max(now)));
        *self.poll_time.insert(self.of(now))
    }

    /// Between two polls: excludes the part of the gap so far that does not count, so that a time noted now
    /// is right.
    #[cfg(feature = "agent")]
    pub(super) fn skip_gap(&mut self, now: Instant, quiet: Option<Instant>) {
        let last = gap_began(*self.last_poll.get_or_insert(now), quiet);
        let beyond = now
            .saturating_duration_since(last)
            .saturating_sub(LONGEST_GAP);
        self.skipped += beyond;
        self.last_poll = Some(last + beyond);
    }

    /// The sum of the time that did not count.
    #[cfg(feature = "agent")]
    #[inline]
    pub(super) fn skipped(&self) -> Duration {
        self.skipped
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

/// Whether what was to happen at `due` happens so late that the system must have stopped the program meanwhile.
pub(super) fn is_too_late(due: Instant, now: Instant) -> bool {
    now.saturating_duration_since(due) > LONGEST_GAP
}

/// When the caller began to be late. Before that the time was spent waiting for the peer.
fn gap_began(last_poll: Instant, quiet: Option<Instant>) -> Instant {
    quiet.map_or(last_poll, |quiet| quiet.max(last_poll))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_gap_one_second_counts_and_quiet_time_in_full() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        for (quiet, counted) in [
            (None, 1),
            // The functions were called 3 s before the poll.
            (Some(7), 8),
            // Nobody was called: the poll is not late.
            (Some(10), 10),
            // Quiet time before the last poll says nothing.
            (Some(0), 1),
        ] {
            let quiet = quiet.map(|at| start + at * second);
            let mut polled = ActiveTime::default();
            polled.begin_poll(start, || None);
            let now = start + 10 * second;
            assert_eq!(polled.begin_poll(now, || quiet), start + counted * second);
            assert_eq!(polled.real(start + counted * second), now);
        }
    }

    #[test]
    fn a_sleep_counts_in_full_unless_the_system_stopped_the_program() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        for (until, slept, counted) in [
            (None, 3600, 3600),
            (Some(30), 30, 30),
            // A busy machine.
            (Some(30), 31, 31),
            (Some(30), 3600, 1),
            // Something became ready before.
            (Some(30), 7, 7),
        ] {
            let mut time = ActiveTime::default();
            time.begin_poll(start, || None);
            let until = until.map(|at| start + at * second);
            let now = start + slept * second;
            let active_now = time.end_sleep(start, until, now);
            assert_eq!(active_now, start + counted * second, "{until:?} {slept}");
            assert_eq!(time.real(active_now), now);
            // The sleep is no gap of the next poll.
            assert_eq!(time.begin_poll(now, || None), active_now);
        }
    }

    #[cfg(feature = "agent")]
    #[test]
    fn a_time_noted_between_two_polls_is_the_same_at_the_next() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        for (quiet, counted) in [(None, 1), (Some(7), 8), (Some(10), 10)] {
            let quiet = quiet.map(|at| start + at * second);
            let mut time = ActiveTime::default();
            time.begin_poll(start, || None);
            let now = start + 10 * second;
            time.skip_gap(now, quiet);
            let noted = time.of(now);
            assert_eq!(noted, start + counted * second);
            assert_eq!(time.begin_poll(now, || quiet), noted);
        }
    }
}
