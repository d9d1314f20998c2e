//! Events on their way to the caller, and how much of them may wait there.
//!
//! Progress is not an event until it is pulled: only the number of the request waits, so that the caller
//! gets the progress of the moment in which it asks.

use std::collections::VecDeque;

use crate::agent::event::Event;
use crate::agent::id::RequestId;

/// A queue of events with room for more than this gives its memory back when it is empty.
const MANY_EVENTS: usize = 1024;

/// Content that was delivered to the caller and not pulled, beyond which no more is read: one piece, which
/// is still in the processor's cache when it is pulled, and makes room for the next in the same frame.
const WINDOW_BYTES: usize = 256 * 1024;

/// The same on a thread of its own, where nothing is pulled between two frames.
const THREAD_WINDOW_BYTES: usize = 4 * 1024 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct EventQueue {
    events: VecDeque<Event>,
    /// Requests with progress to report.
    progressed: VecDeque<RequestId>,
    /// Requests that wait for a connection, not reported yet.
    queued: Vec<RequestId>,
    /// How much content of a request may wait to be pulled.
    window: usize,
    /// Whether content waits only for room in a window.
    is_window_full: bool,
}

impl Default for EventQueue {
    fn default() -> Self {
        Self {
            events: VecDeque::new(),
            progressed: VecDeque::new(),
            queued: Vec::new(),
            window: WINDOW_BYTES,
            is_window_full: false,
        }
    }
}

impl EventQueue {
    pub(super) fn push(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// The oldest event.
    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if self.events.is_empty() && self.events.capacity() > MANY_EVENTS {
            self.events.shrink_to(0);
        }
        Some(event)
    }

    /// Whether no event waits; progress may.
    pub(super) fn has_no_events(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether nothing is to be reported, progress included.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.progressed.is_empty()
    }

    /// The same, and no request waits for a connection that was not reported yet.
    pub(super) fn has_nothing_to_report(&self) -> bool {
        self.is_empty() && self.queued.is_empty()
    }

    /// How much waits: differs when something was added.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.events.len(), self.progressed.len())
    }

    /// Drops the events of a request.
    pub(super) fn forget(&mut self, id: RequestId) {
        self.events.retain(|event| event.id() != Some(id));
    }

    /// A request progressed. `scheduled` is the request's own flag: whether that is to be reported already.
    pub(super) fn schedule_progress(&mut self, id: RequestId, scheduled: &mut bool) {
        if !std::mem::replace(scheduled, true) {
            self.progressed.push_back(id);
        }
    }

    /// The next request with progress to report.
    pub(super) fn next_progressed(&mut self) -> Option<RequestId> {
        self.progressed.pop_front()
    }

    /// A request waits for a connection. It may get one in this poll, so that is not reported yet.
    pub(super) fn note_queued(&mut self, id: RequestId) {
        self.queued.push(id);
    }

    /// Reports the requests of which `is_waiting` says that they still wait.
    pub(super) fn report_queued(&mut self, mut is_waiting: impl FnMut(RequestId) -> bool) {
        for id in self.queued.drain(..) {
            if is_waiting(id) {
                self.events.push_back(Event::Queued { id });
            }
        }
    }

    /// Opens the wider window of an agent on a thread of its own.
    pub(super) fn widen_window(&mut self) {
        self.window = THREAD_WINDOW_BYTES;
    }

    /// How many bytes may be delivered to a caller that has not pulled `unread` bytes.
    pub(super) fn window_left(&self, unread: usize) -> usize {
        self.window.saturating_sub(unread)
    }

    /// Content waits for the caller to pull what it has.
    pub(super) fn note_window_full(&mut self) {
        self.is_window_full = true;
    }

    pub(super) fn is_window_full(&self) -> bool {
        self.is_window_full
    }

    /// Whether content waited for room in a window. It does not any more.
    pub(super) fn take_window_full(&mut self) -> bool {
        std::mem::take(&mut self.is_window_full)
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

    #[test]
    fn a_burst_of_events_keeps_no_memory() {
        let mut events = EventQueue::default();
        for number in 0..=MANY_EVENTS as u64 {
            events.push(Event::Queued {
                id: RequestId(number),
            });
        }
        while events.pop().is_some() {}
        assert_eq!(events.events.capacity(), 0);
    }

    #[test]
    fn the_window_holds_what_is_not_pulled() {
        let mut events = EventQueue::default();
        assert_eq!(events.window_left(WINDOW_BYTES + 1), 0);
        events.widen_window();
        assert_eq!(events.window_left(1), THREAD_WINDOW_BYTES - 1);
        events.note_window_full();
        assert!(events.take_window_full() && !events.is_window_full());
    }
}
