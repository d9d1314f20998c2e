//! Whether the agent is suspended, and until when it may still be closing down.

use crate::clock::Instant;

/// See the module's documentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Suspension {
    #[default]
    Running,
    /// Transfers under way may end until then, by the clock: a deadline of the system counts gaps.
    Draining {
        until: Instant,
    },
    Suspended,
}

impl Suspension {
    /// When closing down ends at the latest, by the clock.
    pub(super) fn until(self) -> Option<Instant> {
        match self {
            Self::Draining { until } => Some(until),
            Self::Running | Self::Suspended => None,
        }
    }

    /// Whether nothing new may begin.
    pub(super) fn is_active(self) -> bool {
        self != Self::Running
    }

    /// Begins closing down. `false`: it had begun before.
    pub(super) fn begin(&mut self, until: Instant) -> bool {
        let is_news = *self == Self::Running;
        if is_news {
            *self = Self::Draining { until };
        }
        is_news
    }

    /// Ends closing down when nothing is under way any more, or at the deadline. Returns whether it ended now.
    pub(super) fn step(
        &mut self,
        is_busy: impl FnOnce() -> bool,
        now: impl FnOnce() -> Instant,
    ) -> bool {
        let Self::Draining { until } = *self else {
            return false;
        };
        if now() < until && is_busy() {
            return false;
        }
        *self = Self::Suspended;
        true
    }

    pub(super) fn resume(&mut self) {
        *self = Self::Running;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn closing_down_ends_when_nothing_is_under_way_or_at_the_deadline() {
        let now = Instant::now();
        let until = now + Duration::from_secs(1);
        for (is_busy, at, ends) in [(true, now, false), (false, now, true), (true, until, true)] {
            let mut suspension = Suspension::default();
            assert!(!suspension.is_active() && !suspension.step(|| false, || now));
            assert!(suspension.begin(until) && !suspension.begin(until));
            assert_eq!(suspension.step(|| is_busy, || at), ends);
            assert!(suspension.is_active());
            assert_eq!(suspension.until(), (!ends).then_some(until));
            assert!(!suspension.step(|| false, || until) || !ends);
            suspension.resume();
            assert!(!suspension.is_active());
        }
    }
}
