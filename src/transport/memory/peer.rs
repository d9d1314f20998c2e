//! What answers on the far side of an in-memory connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// One connection as its server sees it, handed to the function given to
/// [`MemoryNetwork::serve`](super::MemoryNetwork::serve) whenever something happens on it: it opens,
/// bytes or the client's end arrive, a time it [asked for](Peer::wake_after) has come, or a
/// [`PeerWaker`] calls.
#[derive(Debug)]
pub struct Peer {
    pub(super) received: Vec<u8>,
    pub(super) closed: bool,
    pub(super) now: Instant,
    pub(super) out: Vec<(Duration, Sent)>,
    pub(super) wakes: Vec<Duration>,
    pub(super) waker: PeerWaker,
}

/// Has the function behind one connection called again, from outside: for what a test decides after
/// the connection opened. Clones are the same waker.
#[derive(Clone, Debug, Default)]
pub struct PeerWaker(Arc<AtomicBool>);

impl PeerWaker {
    /// Lets the function be called at the next poll, or when the network is next waited for. Once
    /// the connection is gone it does nothing.
    pub fn wake(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Debug)]
pub(super) enum Sent {
    Bytes(Vec<u8>),
    Fin,
    Reset,
}

pub(crate) type Serve = Box<dyn FnMut(&mut Peer) + Send>;

impl Peer {
    /// The bytes that arrived and were not taken yet.
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    /// Takes all of them.
    pub fn take_received(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received)
    }

    /// Takes the first `count` of them.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        self.received
            .drain(..count.min(self.received.len()))
            .collect()
    }

    /// Whether the client closed its side.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The virtual time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Sends bytes to the client.
    pub fn send(&mut self, bytes: &[u8]) {
        self.send_after(Duration::ZERO, bytes);
    }

    /// Sends bytes after a pause. What is sent later arrives later, however short its own pause.
    pub fn send_after(&mut self, pause: Duration, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.out.push((pause, Sent::Bytes(bytes.to_vec())));
        }
    }

    /// Closes this side in good order, after what was sent.
    pub fn close(&mut self) {
        self.close_after(Duration::ZERO);
    }

    /// The same, after a pause.
    pub fn close_after(&mut self, pause: Duration) {
        self.out.push((pause, Sent::Fin));
    }

    /// Breaks the connection as a TCP reset does: what is on its way arrives first.
    pub fn reset(&mut self) {
        self.reset_after(Duration::ZERO);
    }

    /// The same, after a pause.
    pub fn reset_after(&mut self, pause: Duration) {
        self.out.push((pause, Sent::Reset));
    }

    /// Has the function called again once so much virtual time has passed, at the next poll then.
    /// Each call asks for one more time. No pause at all counts as a nanosecond, so that a function
    /// that asks again and again lets every poll end.
    pub fn wake_after(&mut self, pause: Duration) {
        self.wakes.push(pause.max(Duration::from_nanos(1)));
    }

    /// What has the function called again from outside, for this connection.
    pub fn waker(&self) -> PeerWaker {
        self.waker.clone()
    }
}
