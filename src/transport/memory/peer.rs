//! What answers on the far side of an in-memory connection.

use std::time::{Duration, Instant};

/// One connection as its server sees it, handed to the function given to
/// [`MemoryNetwork::serve`](super::MemoryNetwork::serve) whenever something happens on it.
#[derive(Debug)]
pub struct Peer {
    pub(super) received: Vec<u8>,
    pub(super) closed: bool,
    pub(super) now: Instant,
    pub(super) out: Vec<(Duration, Sent)>,
}

#[derive(Debug)]
pub(super) enum Sent {
    Bytes(Vec<u8>),
    Fin,
    Reset,
}

pub(super) type Serve = Box<dyn FnMut(&mut Peer) + Send>;

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
        self.out.push((Duration::ZERO, Sent::Reset));
    }
}
