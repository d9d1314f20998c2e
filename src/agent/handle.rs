//! [`RequestHandle`]: cancels its request when it is dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::id::RequestId;

/// Owns a request that was sent. Dropping it cancels the request at the agent's next call.
/// [`Agent::cancel`](crate::Agent::cancel) cancels at once; [`detach`](Self::detach) lets a request run
/// without a handle.
#[derive(Debug)]
#[must_use = "dropping a handle cancels its request; detach() lets it run on"]
pub struct RequestHandle {
    id: RequestId,
    dropped: Option<Arc<DroppedHandles>>,
}

impl RequestHandle {
    pub(super) fn new(id: RequestId, dropped: &Arc<DroppedHandles>) -> Self {
        Self {
            id,
            dropped: Some(Arc::clone(dropped)),
        }
    }

    /// The id of the request, as in [`Event::id`](crate::Event::id).
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Lets the request run on without a handle.
    pub fn detach(mut self) -> RequestId {
        self.dropped = None;
        self.id
    }
}

impl Drop for RequestHandle {
    fn drop(&mut self) {
        if let Some(dropped) = &self.dropped {
            dropped.push(self.id);
        }
    }
}

/// Requests whose handle was dropped since the agent's last call.
#[derive(Debug, Default)]
pub(super) struct DroppedHandles {
    /// Whether there are any, so that the agent's calls need no lock when there are none.
    is_filled: AtomicBool,
    ids: Mutex<Vec<RequestId>>,
}

impl DroppedHandles {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        !self.is_filled.load(Ordering::Relaxed)
    }

    pub(super) fn take(&self) -> Vec<RequestId> {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_filled.store(false, Ordering::Relaxed);
        std::mem::take(&mut ids)
    }

    fn push(&self, id: RequestId) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.push(id);
        self.is_filled.store(true, Ordering::Relaxed);
    }
}
