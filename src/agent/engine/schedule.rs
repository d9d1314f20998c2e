//! When connections and requests need work: now ([`RunQueue`]), or at a certain time ([`Timers`]).
//!
//! This module knows connections and requests only by their keys. What is done with them is decided elsewhere.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::agent::id::RequestId;
use crate::agent::pool::ConnectionKey;
use crate::clock::Instant;
use crate::transport::reactor::{Key, Reactor};

/// With fewer timers than this, pruning is not worth it.
const FEW: usize = 256;

/// Which connections need work now, and in which order.
#[derive(Debug, Default)]
pub(super) struct RunQueue {
    /// Connections to drive, in turn.
    queue: VecDeque<ConnectionKey>,
    /// For each connection's number, whether it is in `queue`.
    scheduled: Vec<bool>,
    /// Connections that wait for another thread, such as that of a name lookup. No socket becomes ready when it is
    /// done, so they are driven in each poll.
    awaiting_threads: Vec<ConnectionKey>,
    /// Connections that were sent a request in this poll and have not responded.
    awaiting_head: Vec<ConnectionKey>,
    /// Whether a request of this poll was responded to in this poll.
    has_prompt_head: bool,
    /// Sockets that became ready; kept for its memory.
    ready: Vec<Key>,
}

impl RunQueue {
    /// Lets a connection be driven, behind those that are scheduled already.
    pub(super) fn schedule(&mut self, key: ConnectionKey) {
        let ConnectionKey(number) = key;
        if self.scheduled.len() <= number {
            self.scheduled.resize(number + 1, false);
        }
        if let Some(scheduled) = self.scheduled.get_mut(number)
            && !std::mem::replace(scheduled, true)
        {
            self.queue.push_back(key);
        }
    }

    /// Schedules the connections whose sockets became ready and those that wait for another thread.
    pub(super) fn schedule_ready(&mut self, reactor: &mut Reactor) {
        let mut ready = std::mem::take(&mut self.ready);
        reactor.drain_ready(&mut ready);
        for Key(number) in ready.drain(..) {
            self.schedule(ConnectionKey(number));
        }
        self.ready = ready;
        for index in 0..self.awaiting_threads.len() {
            self.schedule(self.awaiting_threads[index]);
        }
    }

    /// The next connection to drive.
    pub(super) fn next(&mut self) -> Option<ConnectionKey> {
        let key = self.queue.pop_front()?;
        if let Some(scheduled) = self.scheduled.get_mut(key.0) {
            *scheduled = false;
        }
        Some(key)
    }

    /// Lets the connection that the budget cut go on in the next poll. `first`: before all others, because
    /// its next piece of work needs more than was left.
    pub(super) fn reschedule(&mut self, key: ConnectionKey, first: bool) {
        self.schedule(key);
        if first {
            self.hurry(key);
        }
    }

    /// A connection that has just had its turn got another request: it is driven first, so that its server
    /// works on that while the others are driven.
    pub(super) fn hurry(&mut self, key: ConnectionKey) {
        if self.queue.back() == Some(&key) {
            self.queue.rotate_right(1);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many connections need work.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no connection needs work, not even a look at what another thread does for it.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.awaiting_threads.is_empty()
    }

    /// Notes whether a connection waits for another thread.
    pub(super) fn note_awaits_thread(&mut self, key: ConnectionKey, awaits: bool) {
        let known = self.awaiting_threads.iter().position(|other| *other == key);
        match known {
            None if awaits => self.awaiting_threads.push(key),
            Some(index) if !awaits => drop(self.awaiting_threads.remove(index)),
            _ => {}
        }
    }

    pub(super) fn awaiting_threads(&self) -> impl Iterator<Item = ConnectionKey> {
        self.awaiting_threads.iter().copied()
    }

    /// Forgets which connections have not responded: a poll begins.
    pub(super) fn begin_poll(&mut self) {
        self.awaiting_head.clear();
        self.has_prompt_head = false;
    }

    /// A connection was sent a request.
    pub(super) fn note_request(&mut self, key: ConnectionKey) {
        self.awaiting_head.push(key);
    }

    /// A response's head arrived. Returns whether the request was sent in this poll.
    pub(super) fn note_head(&mut self, key: ConnectionKey) -> bool {
        let found = self.awaiting_head.iter().position(|other| *other == key);
        if let Some(index) = found {
            self.awaiting_head.swap_remove(index);
            self.has_prompt_head = true;
        }
        found.is_some()
    }

    /// Whether heads are awaited from servers of which one has responded within this poll.
    pub(super) fn is_awaiting_prompt_heads(&self) -> bool {
        self.has_prompt_head && self.is_awaiting_heads()
    }

    pub(super) fn is_awaiting_heads(&self) -> bool {
        !self.awaiting_head.is_empty()
    }

    /// Takes the connections that did not respond in this poll.
    pub(super) fn drain_awaiting_heads(&mut self) -> impl Iterator<Item = ConnectionKey> {
        self.awaiting_head.drain(..)
    }

    /// Forgets a connection that is closed. Its number may be given to another.
    pub(super) fn forget(&mut self, key: ConnectionKey) {
        self.note_awaits_thread(key, false);
        if let Some(scheduled) = self.scheduled.get_mut(key.0)
            && std::mem::take(scheduled)
        {
            self.queue.retain(|other| *other != key);
        }
    }
}

/// What fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A connection's deadline, or another reason to drive it.
    Connection(ConnectionKey),
    /// A request: its total deadline, its next attempt, its throttle.
    Request(RequestId),
}

/// A heap of timers, in active time. A timer is never cancelled: when it fires, the code that set it checks
/// whether it still holds, and sets it again if it came too early.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Timer)>>,
    /// How many were left when it was last pruned.
    pruned: usize,
}

impl Timers {
    pub(super) fn set(&mut self, at: Instant, timer: Timer) {
        self.heap.push(Reverse((at, timer)));
    }

    /// The next timer that is due by `now`.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<Timer> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, timer))| timer)
    }

    /// When the next one is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Drops the timers that belong to nothing any more, once they may be the majority: most requests end
    /// long before their deadlines.
    pub(super) fn prune(&mut self, is_of_someone: impl Fn(Timer) -> bool) {
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

    fn drain(queue: &mut RunQueue) -> Vec<usize> {
        std::iter::from_fn(|| queue.next())
            .map(|ConnectionKey(number)| number)
            .collect()
    }

    #[test]
    fn a_connection_is_scheduled_once_until_it_has_its_turn() {
        let mut queue = RunQueue::default();
        for number in [3, 1, 3, 1, 2] {
            queue.schedule(ConnectionKey(number));
        }
        assert_eq!(queue.next(), Some(ConnectionKey(3)));
        queue.schedule(ConnectionKey(3));
        assert_eq!(drain(&mut queue), [1, 2, 3]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_connection_cut_by_the_budget_is_last_unless_it_needs_a_whole_budget() {
        let mut queue = RunQueue::default();
        for number in 0..3 {
            queue.schedule(ConnectionKey(number));
        }
        let cut = queue.next().unwrap();
        queue.reschedule(cut, false);
        assert_eq!(drain(&mut queue), [1, 2, 0]);
        queue.schedule(ConnectionKey(1));
        queue.reschedule(ConnectionKey(0), true);
        assert_eq!(drain(&mut queue), [0, 1]);
    }

    #[test]
    fn a_connection_with_another_request_is_driven_before_those_that_wait_for_their_turn() {
        let mut queue = RunQueue::default();
        for number in 0..3 {
            queue.schedule(ConnectionKey(number));
        }
        let served = queue.next().unwrap();
        queue.schedule(served);
        queue.hurry(served);
        assert_eq!(drain(&mut queue), [0, 1, 2]);
        // One that waits already keeps its place.
        for number in 0..3 {
            queue.schedule(ConnectionKey(number));
        }
        queue.hurry(ConnectionKey(1));
        assert_eq!(drain(&mut queue), [0, 1, 2]);
    }

    #[test]
    fn a_closed_connection_leaves_nothing_to_the_next_of_its_number() {
        let mut queue = RunQueue::default();
        queue.schedule(ConnectionKey(0));
        queue.note_awaits_thread(ConnectionKey(0), true);
        queue.schedule(ConnectionKey(1));
        queue.forget(ConnectionKey(0));
        assert_eq!(queue.awaiting_threads().count(), 0);
        assert_eq!(drain(&mut queue), [1]);
        queue.schedule(ConnectionKey(0));
        assert_eq!(drain(&mut queue), [0]);
    }

    #[test]
    fn a_head_counts_as_prompt_only_in_the_poll_of_its_request() {
        let mut queue = RunQueue::default();
        queue.note_request(ConnectionKey(5));
        queue.note_request(ConnectionKey(6));
        assert!(!queue.is_awaiting_prompt_heads());
        assert!(queue.note_head(ConnectionKey(5)));
        assert!(!queue.note_head(ConnectionKey(5)));
        assert!(queue.is_awaiting_prompt_heads());
        queue.begin_poll();
        queue.note_request(ConnectionKey(6));
        assert!(!queue.is_awaiting_prompt_heads());
        queue.begin_poll();
        assert!(!queue.is_awaiting_heads() && !queue.note_head(ConnectionKey(6)));
    }

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
