//! The server side of an in-memory connection, as the function sees it that serves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock::Instant;

/// One connection as its server sees it. The function of
/// [`MemoryNetwork::serve`](super::MemoryNetwork::serve) gets it whenever something happens: the
/// connection opens, bytes or the client's end arrive, a time has come that was set by
/// [`wake_after`](Peer::wake_after), or a [`PeerWaker`] was used.
#[derive(Debug)]
pub struct Peer {
    pub(super) received: Vec<u8>,
    pub(super) closed: bool,
    pub(super) now: Instant,
    pub(super) out: Vec<(Duration, Sent)>,
    pub(super) wakes: Vec<Duration>,
    pub(super) waker: PeerWaker,
}

/// Lets a test call the function of one connection again, from outside. Clones are the same waker.
#[derive(Clone, Debug, Default)]
pub struct PeerWaker(Arc<AtomicBool>);

impl PeerWaker {
    /// Lets the function be called in the next poll or wait of a reactor, or when the clock moves. Does
    /// nothing once the connection is closed.
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
    /// The bytes that have arrived and were not taken yet.
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

    /// Sends bytes after a pause. Bytes that are sent later never overtake them, however short their own
    /// pause.
    pub fn send_after(&mut self, pause: Duration, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.out.push((pause, Sent::Bytes(bytes.to_vec())));
        }
    }

    /// Closes this side, after the bytes that were sent.
    pub fn close(&mut self) {
        self.close_after(Duration::ZERO);
    }

    /// Like [`close`](Self::close), after a pause.
    pub fn close_after(&mut self, pause: Duration) {
        self.out.push((pause, Sent::Fin));
    }

    /// Resets the connection, as TCP does. Bytes on their way arrive first.
    pub fn reset(&mut self) {
        self.reset_after(Duration::ZERO);
    }

    /// Like [`reset`](Self::reset), after a pause.
    pub fn reset_after(&mut self, pause: Duration) {
        self.out.push((pause, Sent::Reset));
    }

    /// Lets the function be called again after this much virtual time. Each call sets one more time. A
    /// pause of zero counts as a nanosecond, so that a function that always asks for another call does
    /// not keep a poll from ending.
    pub fn wake_after(&mut self, pause: Duration) {
        self.wakes.push(pause.max(Duration::from_nanos(1)));
    }

    /// A waker for the function of this connection.
    pub fn waker(&self) -> PeerWaker {
        self.waker.clone()
    }
}
