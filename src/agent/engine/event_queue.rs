//! Events on their way to the caller. How much content may wait there is decided in `window`.
//!
//! Progress is not an event until it is pulled: only the number of the request waits, so that the caller
//! gets the progress of the moment in which it asks.

use std::collections::VecDeque;

use crate::agent::event::Event;
use crate::agent::id::RequestId;
use crate::agent::waiting_events::WaitingEvents;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    events: WaitingEvents,
    /// Requests with progress to report.
    progressed: VecDeque<RequestId>,
    /// Requests that wait for a connection, not reported yet.
    queued: Vec<RequestId>,
}

impl EventQueue {
    /// Adds an event, unless it is of a request that the caller does not know.
    pub(super) fn push(&mut self, event: Event) {
        if !event.id().is_some_and(RequestId::is_of_engine) {
            self.events.push(event);
        }
    }

    /// Puts events back that were taken, before all others.
    pub(super) fn put_back(&mut self, mut events: WaitingEvents) {
        events.append(&mut self.events);
        self.events = events;
    }

    /// The oldest event.
    pub(super) fn pop(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// The oldest event of these requests.
    #[cfg(any(feature = "outbox", feature = "patch"))]
    pub(super) fn take_of(&mut self, wanted: &impl Fn(RequestId) -> bool) -> Option<Event> {
        self.events.take_of(wanted)
    }

    /// The next of these requests with progress to report.
    #[cfg(any(feature = "outbox", feature = "patch"))]
    pub(super) fn next_progressed_of(
        &mut self,
        wanted: &impl Fn(RequestId) -> bool,
    ) -> Option<RequestId> {
        let place = self.progressed.iter().position(|id| wanted(*id))?;
        self.progressed.remove(place)
    }

    /// Whether no event waits; progress may.
    pub(super) fn has_no_events(&mut self) -> bool {
        self.events.is_empty()
    }

    /// Whether nothing is to be reported, progress included.
    pub(super) fn is_empty(&mut self) -> bool {
        self.events.is_empty() && self.progressed.is_empty()
    }

    /// The same, no event of a cancelled request is held, and no request waits for a connection that was not
    /// reported yet.
    pub(super) fn has_nothing_to_report(&self) -> bool {
        self.events.holds_nothing() && self.progressed.is_empty() && self.queued.is_empty()
    }

    /// How much waits: differs when something was added.
    pub(super) fn len(&mut self) -> (usize, usize) {
        (self.events.len(), self.progressed.len())
    }

    /// Drops the events of these requests.
    pub(super) fn forget(&mut self, ids: &[RequestId]) {
        self.events.forget(ids);
    }

    /// Drops the events of cancelled requests.
    pub(super) fn settle(&mut self) {
        self.events.settle();
    }

    /// A request progressed. `scheduled` is the request's own flag: whether that is to be reported already.
    pub(super) fn schedule_progress(&mut self, id: RequestId, scheduled: &mut bool) {
        if !id.is_of_engine() && !std::mem::replace(scheduled, true) {
            self.progressed.push_back(id);
        }
    }

    /// The next request with progress to report.
    pub(super) fn next_progressed(&mut self) -> Option<RequestId> {
        self.progressed.pop_front()
    }

    /// A request waits for a connection. It may get one in this poll, so that is not reported yet.
    pub(super) fn note_queued(&mut self, id: RequestId) {
        if !id.is_of_engine() {
            self.queued.push(id);
        }
    }

    /// Reports the requests of which `is_waiting` says that they still wait.
    pub(super) fn report_queued(&mut self, mut is_waiting: impl FnMut(RequestId) -> bool) {
        for id in self.queued.drain(..) {
            if is_waiting(id) {
                self.events.push(Event::Queued { id });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_of_a_request_waits_once() {
        let mut events = EventQueue::default();
        let mut scheduled = false;
        events.schedule_progress(RequestId(1), &mut scheduled);
        events.schedule_progress(RequestId(1), &mut scheduled);
        assert!(events.has_no_events() && !events.is_empty());
        assert_eq!(events.next_progressed(), Some(RequestId(1)));
        assert!(events.is_empty());
    }

    #[test]
    fn only_requests_that_still_wait_are_reported_as_queued() {
        let mut events = EventQueue::default();
        events.note_queued(RequestId(1));
        events.note_queued(RequestId(2));
        events.report_queued(|id| id == RequestId(2));
        assert!(matches!(events.pop(), Some(Event::Queued { id }) if id == RequestId(2)));
        assert!(events.is_empty());
    }
}
