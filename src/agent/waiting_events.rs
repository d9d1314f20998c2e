//! Events that wait to be pulled, oldest first.
//!
//! The events of a cancelled request are not looked for when it is cancelled, but together with those of other
//! cancelled requests, before the queue is read: so a game that cancels a thousand requests one after another makes
//! the agent look through the queue once, not a thousand times.

use std::collections::VecDeque;

use super::event::Event;
use super::id::RequestId;

/// A queue with room for more than this gives its memory back when it is empty.
const MANY_EVENTS: usize = 1024;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct WaitingEvents {
    events: VecDeque<Event>,
    /// Cancelled requests whose events may be in the queue.
    forgotten: Vec<RequestId>,
}

impl WaitingEvents {
    pub(super) fn push(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// The oldest event.
    pub(super) fn pop(&mut self) -> Option<Event> {
        // Without events none is to be dropped.
        if self.events.is_empty() {
            return None;
        }
        self.settle();
        let event = self.events.pop_front()?;
        if self.events.is_empty() && self.events.capacity() > MANY_EVENTS {
            self.events.shrink_to(0);
        }
        Some(event)
    }

    /// The oldest event of these requests.
    #[cfg(any(feature = "outbox", feature = "patch"))]
    pub(super) fn take_of(&mut self, wanted: impl Fn(RequestId) -> bool) -> Option<Event> {
        self.settle();
        let is_wanted = |event: &Event| event.id().is_some_and(&wanted);
        let place = self.events.iter().position(is_wanted)?;
        self.events.remove(place)
    }

    /// Moves all events of `later` behind these.
    pub(super) fn append(&mut self, later: &mut Self) {
        self.settle();
        later.settle();
        self.events.append(&mut later.events);
    }

    /// Drops the events of these requests, before the queue is read the next time. Returns whether it did so at once.
    pub(super) fn forget(&mut self, ids: &[RequestId]) -> bool {
        if self.events.is_empty() {
            return false;
        }
        self.forgotten.extend_from_slice(ids);
        // More ids than events would be more to keep than to look through.
        self.forgotten.len() > self.events.len() && self.settle()
    }

    /// Drops the events of requests that were cancelled. Returns whether there was such a request.
    #[inline]
    pub(super) fn settle(&mut self) -> bool {
        if self.forgotten.is_empty() {
            return false;
        }
        self.drop_forgotten();
        true
    }

    #[cold]
    fn drop_forgotten(&mut self) {
        let mut forgotten = std::mem::take(&mut self.forgotten);
        forgotten.sort_unstable();
        self.events.retain(|event| !event.is_of(&forgotten));
    }

    pub(super) fn len(&mut self) -> usize {
        self.settle();
        self.events.len()
    }

    pub(super) fn is_empty(&mut self) -> bool {
        self.settle();
        self.events.is_empty()
    }

    /// Whether no event is held, not even one of a cancelled request.
    pub(super) fn holds_nothing(&self) -> bool {
        self.events.is_empty()
    }

    /// All events. Call [`settle`](Self::settle) before.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Event> {
        self.events.iter()
    }

    /// The event at this place of [`iter`](Self::iter).
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Event> {
        self.events.get_mut(place)
    }
}

impl Extend<Event> for WaitingEvents {
    fn extend<I: IntoIterator<Item = Event>>(&mut self, events: I) {
        self.events.extend(events);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(ids: impl IntoIterator<Item = u64>) -> WaitingEvents {
        let mut events = WaitingEvents::default();
        let ids = ids.into_iter().map(RequestId);
        events.extend(ids.map(|id| Event::Queued { id }));
        events
    }

    fn drain(events: &mut WaitingEvents) -> Vec<u64> {
        std::iter::from_fn(|| events.pop())
            .filter_map(|event| event.id())
            .map(|RequestId(id)| id)
            .collect()
    }

    #[test]
    fn events_of_cancelled_requests_are_gone_for_every_reader() {
        let cancelled = || {
            let mut events = queue([3, 1, 2, 3, 1]);
            assert!(!events.forget(&[RequestId(3)]));
            assert!(!events.forget(&[RequestId(1)]));
            events
        };
        assert_eq!(drain(&mut cancelled()), [2]);
        assert_eq!(cancelled().len(), 1);
        assert!(!cancelled().is_empty());
        let mut all = cancelled();
        all.append(&mut cancelled());
        assert_eq!(drain(&mut all), [2, 2]);
        let mut none = queue([1]);
        none.forget(&[RequestId(1)]);
        assert!(none.is_empty() && none.holds_nothing());
        #[cfg(any(feature = "outbox", feature = "patch"))]
        assert!(cancelled().take_of(|id| id == RequestId(3)).is_none());
    }

    #[test]
    fn a_loop_of_cancellations_looks_through_the_queue_once() {
        let mut events = queue(0..1000);
        let mut looks = 0;
        for id in 0..1000 {
            looks += usize::from(events.forget(&[RequestId(id)]));
        }
        looks += usize::from(events.settle());
        assert_eq!(looks, 1);
        assert!(events.is_empty());
    }

    #[test]
    fn ids_of_requests_without_events_do_not_pile_up() {
        let mut events = queue(0..10);
        let mut most = 0;
        for id in 100..10_000 {
            events.forget(&[RequestId(id)]);
            most = most.max(events.forgotten.len());
        }
        assert_eq!((most, events.len()), (10, 10));
        // None at all are kept while no event waits.
        let mut empty = WaitingEvents::default();
        empty.forget(&[RequestId(1)]);
        assert!(empty.forgotten.is_empty());
    }

    #[test]
    fn a_burst_of_events_keeps_no_memory() {
        let mut events = queue(0..=MANY_EVENTS as u64);
        drain(&mut events);
        assert_eq!(events.events.capacity(), 0);
    }
}
