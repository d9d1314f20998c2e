//! Ending a machine's sleep from another thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::transport::system;

/// Ends the sleep of the machine for which it was made. If that machine is awake, it ends the next sleep.
/// It may be called on any thread and at any time. When the machine no longer exists, it does nothing.
pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;

/// The poller that the wakes of one machine reach. It changes when the machine joins a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct WakeTarget(Arc<Mutex<Option<Arc<Waker>>>>);

impl WakeTarget {
    /// From now on all wakes reach `waker`; `None` is for a machine that never sleeps.
    pub(crate) fn set(&self, waker: Option<Arc<Waker>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = waker;
    }

    /// Returns a wake for another thread to keep.
    pub(crate) fn wake(&self) -> Wake {
        let target = self.clone();
        Arc::new(move || {
            let waker = target.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(waker) = &*waker {
                waker.wake();
            }
        })
    }
}

/// Ends a sleep in the system's readiness call.
#[derive(Debug)]
pub(crate) struct Waker {
    system: Arc<system::Waker>,
    was_woken: AtomicBool,
}

impl Waker {
    pub(super) fn new(system: Arc<system::Waker>) -> Self {
        Self {
            system,
            was_woken: AtomicBool::new(false),
        }
    }

    /// Ends the sleep because there is something to do.
    pub(crate) fn wake(&self) {
        self.was_woken.store(true, Ordering::SeqCst);
        self.interrupt();
    }

    /// Ends the sleep, so that the sleeping thread looks at what it sleeps for.
    pub(super) fn interrupt(&self) {
        // It fails only when the poll loop no longer exists.
        let _ = self.system.wake();
    }

    /// Whether there was a wake since the last call.
    pub(super) fn take_wake(&self) -> bool {
        self.was_woken.swap(false, Ordering::SeqCst)
    }
}
