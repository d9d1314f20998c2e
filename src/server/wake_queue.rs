//! How a responder, a stream or a topic, on any thread, makes a server visit one of its connections: a list
//! of connection numbers, and a system call only when the server sleeps.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::transport::wake::Wake;

/// The number of a connection. Slots are reused, serials never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConnectionId {
    pub(super) slot: usize,
    pub(super) serial: u64,
}

#[cfg(feature = "websocket")]
impl ConnectionId {
    /// Belongs to no connection.
    pub(super) const NONE: Self = Self {
        slot: usize::MAX,
        serial: 0,
    };
}

/// See the module's documentation.
#[derive(Default)]
pub(super) struct WakeQueue {
    calls: Mutex<Vec<ConnectionId>>,
    rung: AtomicBool,
    /// Whether the server is about to sleep and has to be woken.
    asleep: AtomicBool,
    wake: OnceLock<Wake>,
    /// [`ServerLimits::queued_bytes`](crate::server::ServerLimits::queued_bytes), for new streams.
    queued_bytes: usize,
}

impl WakeQueue {
    pub(super) fn new(queued_bytes: usize) -> Self {
        Self {
            queued_bytes,
            ..Self::default()
        }
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Makes the server visit a connection.
    pub(super) fn ring(&self, id: ConnectionId) {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(id);
        self.rung.store(true, Ordering::SeqCst);
        if self.asleep.swap(false, Ordering::SeqCst)
            && let Some(wake) = self.wake.get()
        {
            wake();
        }
    }

    /// Moves the calls into `calls`, which has to be empty.
    pub(super) fn collect(&self, calls: &mut Vec<ConnectionId>) {
        if self.rung.swap(false, Ordering::SeqCst) {
            let mut waiting = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *waiting, calls);
        }
    }

    /// Whether it was rung.
    pub(super) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::SeqCst)
    }

    /// Call before the server sleeps. Returns whether it may sleep; later rings wake it.
    pub(super) fn fall_asleep(&self, wake: impl FnOnce() -> Option<Wake>) -> bool {
        if self.wake.get().is_none()
            && let Some(wake) = wake()
        {
            let _ = self.wake.set(wake);
        }
        self.asleep.store(true, Ordering::SeqCst);
        !self.is_rung()
    }

    /// Call when the server is awake.
    pub(super) fn wake_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }
}

impl fmt::Debug for WakeQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WakeQueue").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::transport::reactor::Reactor;
    use crate::transport::resolver::Resolver;

    #[test]
    fn a_ring_before_or_during_sleep_ends_it() {
        let wake_queue = Arc::new(WakeQueue::default());
        let mut reactor = Reactor::system(Resolver::system());
        let id = ConnectionId { slot: 3, serial: 9 };
        wake_queue.ring(id);
        assert!(!wake_queue.fall_asleep(|| reactor.wake().ok()));
        wake_queue.wake_up();
        let mut calls = Vec::new();
        wake_queue.collect(&mut calls);
        assert_eq!(calls, [id]);
        assert!(wake_queue.fall_asleep(|| reactor.wake().ok()));
        let other = Arc::clone(&wake_queue);
        let ringing = std::thread::spawn(move || other.ring(id));
        // The ring ends the wait, not the timeout, which is too long for this test.
        reactor
            .poller()
            .wait(Some(Duration::from_secs(3600)))
            .unwrap();
        ringing.join().unwrap();
        assert!(wake_queue.is_rung());
    }
}
