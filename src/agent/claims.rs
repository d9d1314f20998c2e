//! Requests that a module above sends on its own account: their events go to that module, not to the caller of
//! [`Agent::next_event`](crate::Agent::next_event). The calls of those modules are in `claimed_requests`.

use super::event::Event;
use super::id::{ById, RequestId};
use super::waiting_events::WaitingEvents;

/// The claimed requests, and their events until they are taken.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub(super) ids: ById<()>,
    pub(super) events: WaitingEvents,
}

impl Claims {
    /// Keeps the event of a claimed request. Returns any other event.
    pub(super) fn keep(&mut self, event: Event) -> Option<Event> {
        if self.ids.is_empty() {
            return Some(event);
        }
        match event.id() {
            Some(id) if self.ids.contains_key(&id) => {
                if event.is_final() {
                    self.ids.remove(&id);
                }
                self.events.push(event);
                None
            }
            _ => Some(event),
        }
    }

    /// Forgets these requests.
    pub(super) fn forget(&mut self, ids: &[RequestId]) {
        for id in ids {
            self.ids.remove(id);
        }
        self.events.forget(ids);
    }
}
