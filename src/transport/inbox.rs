//! The readiness events of one machine, from the poll that took them from the system until the machine
//! takes them in; and the tokens by which they find it.
//!
//! An inbox holds one entry for each socket, however often the socket is reported: a machine that is
//! not polled for a while costs no memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// From its low end, a token has the socket's slot, a generation and the member.
const SLOT_BITS: u32 = if usize::BITS >= 64 { 24 } else { 17 };
const GENERATION_BITS: u32 = if usize::BITS >= 64 { 20 } else { 9 };
const SLOT_MASK: usize = (1 << SLOT_BITS) - 1;
const GENERATION_MASK: usize = (1 << GENERATION_BITS) - 1;
const MEMBER_SHIFT: u32 = SLOT_BITS + GENERATION_BITS;

/// The last one is never given away: the waker's token, all ones, names it.
pub(super) const MAX_MEMBERS: usize = usize::MAX >> MEMBER_SHIFT;

/// A token for a socket in this slot of this member.
pub(super) fn token(member: usize, generation: usize, slot: usize) -> usize {
    let generation = generation & GENERATION_MASK;
    (member << MEMBER_SHIFT) | (generation << SLOT_BITS) | (slot & SLOT_MASK)
}

/// Which member a token names.
pub(super) fn member_of(token: usize) -> usize {
    token >> MEMBER_SHIFT
}

/// What became ready on one socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readiness {
    pub(crate) token: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The peer's end, or a failure, was reported.
    pub(crate) closed: bool,
}

impl Readiness {
    pub(crate) fn slot(&self) -> usize {
        slot_of(self.token)
    }
}

/// Which slot of its member a token names.
pub(crate) fn slot_of(token: usize) -> usize {
    token & SLOT_MASK
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    is_filled: AtomicBool,
    pending: Mutex<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    events: Vec<Readiness>,
    /// Where in `events` a slot's entry is, plus one; 0 without.
    positions: Vec<u32>,
}

impl Inbox {
    pub(super) fn put(&self, event: Readiness) {
        lock(&self.pending).put(event);
        self.is_filled.store(true, Ordering::Release);
    }

    #[cfg(test)]
    pub(super) fn has_events(&self) -> bool {
        self.is_filled.load(Ordering::Acquire)
    }

    /// Hands out what became ready since the last call, each socket once.
    #[inline]
    pub(super) fn drain(&self, mut each: impl FnMut(Readiness)) {
        // Reading first leaves the cache line shared when nothing is there.
        if !self.is_filled.load(Ordering::Relaxed) || !self.is_filled.swap(false, Ordering::Acquire)
        {
            return;
        }
        let mut pending = lock(&self.pending);
        let Pending { events, positions } = &mut *pending;
        for event in events.drain(..) {
            positions[event.slot()] = 0;
            each(event);
        }
    }
}

impl Pending {
    fn put(&mut self, event: Readiness) {
        let slot = event.slot();
        if self.positions.len() <= slot {
            self.positions.resize(slot + 1, 0);
        }
        let position = self.positions[slot] as usize;
        if let Some(before) = position.checked_sub(1).map(|at| &mut self.events[at])
            && before.token == event.token
        {
            before.readable |= event.readable;
            before.writable |= event.writable;
            before.closed |= event.closed;
            return;
        }
        // The first event of this socket. One of a socket that had the slot before may be there, too.
        self.events.push(event);
        self.positions[slot] = u32::try_from(self.events.len()).unwrap_or(0);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
