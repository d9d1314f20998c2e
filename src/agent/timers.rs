//! What is due when: a heap of times. A timer is never taken back: when it fires, whoever set it
//! looks whether it still holds, and sets it anew if it came too early.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use super::event::RequestId;
use super::pool::ConnectionKey;

/// What fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A connection's deadline, or what else it is due for.
    Connection(ConnectionKey),
    /// A request: its total deadline, its next attempt, its throttle.
    Request(RequestId),
}

/// See the module's documentation. All times are counted ones.
#[derive(Debug, Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<(Instant, Timer)>>);

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) {
        self.0.push(Reverse((at, timer)));
    }

    /// The next timer that is due by `now`.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<Timer> {
        let Reverse((at, _)) = self.0.peek()?;
        if *at > now {
            return None;
        }
        self.0.pop().map(|Reverse((_, timer))| timer)
    }

    /// When the next one is due.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }
}
