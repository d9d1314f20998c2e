//! A served connection: the function that answers on it, and when that function is to be called.

use std::mem;
use std::time::Duration;

use super::clock::later;
use super::peer::{Peer, PeerWaker, Sent, Serve};
use crate::clock::Instant;

pub(super) struct Served {
    /// `None` while the function runs: it runs without the network's lock.
    serve: Option<Serve>,
    /// Bytes that the function has seen and not taken.
    unread: Vec<u8>,
    is_due: bool,
    wake_times: Vec<Instant>,
    waker: PeerWaker,
}

impl Served {
    /// The function is due at once: the connection has opened.
    pub(super) fn new(serve: Serve) -> Self {
        Self {
            serve: Some(serve),
            unread: Vec::new(),
            is_due: true,
            wake_times: Vec::new(),
            waker: PeerWaker::default(),
        }
    }

    /// Something arrived: the function is to be called.
    pub(super) fn notify(&mut self) {
        self.is_due = true;
    }

    /// Looks whether the function is to be called because of a time or a waker.
    pub(super) fn check_wakes(&mut self, now: Instant) {
        let before = self.wake_times.len();
        self.wake_times.retain(|time| *time > now);
        let was_woken = self.waker.take();
        self.is_due |= was_woken || self.wake_times.len() < before;
    }

    /// When the function is called next, unless something arrives before.
    pub(super) fn next_wake(&self, now: Instant) -> Option<Instant> {
        let woken = self.waker.is_set().then_some(now);
        self.wake_times.iter().copied().chain(woken).min()
    }

    /// The function, if it is due. Give it back with [`end_call`](Self::end_call).
    pub(super) fn take_due(&mut self) -> Option<Serve> {
        if !self.is_due {
            return None;
        }
        let serve = self.serve.take()?;
        self.is_due = false;
        Some(serve)
    }

    /// What the function is called with; `received` has arrived since the last call.
    pub(super) fn begin_call(
        &mut self,
        received: impl Iterator<Item = u8>,
        closed: bool,
        now: Instant,
    ) -> Peer {
        let mut unread = mem::take(&mut self.unread);
        unread.extend(received);
        Peer {
            received: unread,
            closed,
            now,
            out: Vec::new(),
            wakes: Vec::new(),
            waker: self.waker.clone(),
        }
    }

    /// Takes the function back. Returns what it wants to send, each after a pause.
    pub(super) fn end_call(&mut self, serve: Serve, peer: Peer) -> Vec<(Duration, Sent)> {
        self.serve = Some(serve);
        self.unread = peer.received;
        for pause in peer.wakes {
            let time = later(peer.now, pause);
            if !self.wake_times.contains(&time) {
                self.wake_times.push(time);
            }
        }
        peer.out
    }
}
