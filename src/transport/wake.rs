//! What ends a sleep from another thread.

use std::sync::{Arc, Mutex, PoisonError};

use mio::Waker;

/// Ends the sleep of the machine that it was made for; the next sleep, if that machine is awake. May be
/// called on any thread, and at any time: once the machine is gone, it does nothing.
pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;

/// Where the wakes of one machine lead: to the poller that it is a member of. It can change.
#[derive(Clone, Debug, Default)]
pub(crate) struct WakeTarget(Arc<Mutex<Option<Arc<Waker>>>>);

impl WakeTarget {
    /// Leads all wakes to `waker` from now on; `None` is a machine that never sleeps.
    pub(crate) fn set(&self, waker: Option<Arc<Waker>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = waker;
    }

    /// A wake for others to keep.
    pub(crate) fn wake(&self) -> Wake {
        let target = self.clone();
        Arc::new(move || {
            let waker = target.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(waker) = &*waker {
                // The loop that this would wake is gone if it fails.
                let _ = waker.wake();
            }
        })
    }
}
