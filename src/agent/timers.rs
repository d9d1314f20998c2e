//! A heap of timers. A timer is never cancelled: when it fires, the code that set it checks whether it
//! still holds, and sets it again if it came too early.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::id::RequestId;
use super::pool::ConnectionKey;
use crate::clock::Instant;

/// What fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A connection's deadline, or another reason to drive it.
    Connection(ConnectionKey),
    /// A request: its total deadline, its next attempt, its throttle.
    Request(RequestId),
}

/// See the module's documentation. All times are active time.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Timer)>>,
    /// How many were left when it was last pruned.
    pruned: usize,
}

/// With fewer timers than this, pruning is not worth it.
const FEW: usize = 256;

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) {
        self.heap.push(Reverse((at, timer)));
    }

    /// The next timer that is due by `now`.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<Timer> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, timer))| timer)
    }

    /// When the next one is due.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Drops the timers that belong to nothing any more, once they may be the majority: most requests end
    /// long before their deadlines.
    pub(crate) fn prune(&mut self, is_of_someone: impl Fn(Timer) -> bool) {
        if self.heap.len() > FEW.max(2 * self.pruned) {
            self.heap
                .retain(|Reverse((_, timer))| is_of_someone(*timer));
            self.pruned = self.heap.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_of_nobody_do_not_pile_up() {
        let start = Instant::now();
        let mut timers = Timers::default();
        let mut most = 0;
        for id in 0..10_000 {
            let hour = Duration::from_secs(3600);
            timers.set(start + hour, Timer::Request(RequestId(id)));
            // Ten are under way at a time.
            timers.prune(|timer| timer > Timer::Request(RequestId(id.saturating_sub(10))));
            most = most.max(timers.heap.len());
        }
        assert!(most <= FEW + 1, "{most}");
        assert_eq!(timers.next_due(start), None);
        assert!(timers.next_due(start + Duration::from_secs(3600)).is_some());
    }
}
