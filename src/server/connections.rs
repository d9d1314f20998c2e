//! The connections of a server, each in a slot, and the queue of those that have something to do. They take
//! turns: a connection that is not done after its turn goes to the end of the queue.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::connection::Connection;
use super::wake_queue::ConnectionId;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Connections {
    // Boxed, so that taking a connection out and putting it back only moves a pointer.
    slots: Vec<Option<Box<Connection>>>,
    /// Unused slots.
    free: Vec<usize>,
    queue: VecDeque<usize>,
    per_ip: HashMap<IpAddr, usize>,
    open: usize,
}

impl Connections {
    pub(super) fn open(&self) -> usize {
        self.open
    }

    pub(super) fn of_ip(&self, ip: IpAddr) -> usize {
        self.per_ip.get(&ip).copied().unwrap_or(0)
    }

    /// Reserves an unused slot for a connection. [Insert](Self::insert) the connection, or
    /// [release](Self::release) the slot.
    pub(super) fn reserve(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        })
    }

    /// Releases a slot that was reserved.
    pub(super) fn release(&mut self, slot: usize) {
        self.free.push(slot);
    }

    /// Adds a connection, at a slot that was reserved for it.
    pub(super) fn insert(&mut self, connection: Box<Connection>) {
        let slot = connection.id.slot;
        *self.per_ip.entry(connection.ip()).or_default() += 1;
        self.open += 1;
        self.slots[slot] = Some(connection);
        self.enqueue(slot);
    }

    /// Records that a connection is closed. It was [taken](Self::take) before.
    pub(super) fn forget(&mut self, slot: usize, ip: IpAddr) {
        self.release(slot);
        self.open -= 1;
        if let Some(count) = self.per_ip.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                self.per_ip.remove(&ip);
            }
        }
    }

    /// Puts a connection at the end of the queue, if it is not in it.
    pub(super) fn enqueue(&mut self, slot: usize) {
        if let Some(Some(connection)) = self.slots.get_mut(slot)
            && !connection.queued
        {
            connection.queued = true;
            self.queue.push_back(slot);
        }
    }

    /// Puts a connection at the front of the queue.
    pub(super) fn enqueue_first(&mut self, slot: usize) {
        if let Some(Some(connection)) = self.slots.get_mut(slot)
            && !connection.queued
        {
            connection.queued = true;
            self.queue.push_front(slot);
        }
    }

    /// [`enqueue`](Self::enqueue) for a connection by its number, if it is still there.
    pub(super) fn enqueue_id(&mut self, id: ConnectionId) {
        let is_there = |connection: &Connection| connection.id == id;
        if self
            .slots
            .get(id.slot)
            .is_some_and(|slot| slot.as_deref().is_some_and(is_there))
        {
            self.enqueue(id.slot);
        }
    }

    /// Takes the first connection of the queue out.
    pub(super) fn next(&mut self) -> Option<Box<Connection>> {
        while let Some(slot) = self.queue.pop_front() {
            if let Some(mut connection) = self.take(slot) {
                connection.queued = false;
                return Some(connection);
            }
        }
        None
    }

    /// How many connections are in the queue.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Takes a connection out. The caller puts it back or [forgets](Self::forget) it.
    pub(super) fn take(&mut self, slot: usize) -> Option<Box<Connection>> {
        self.slots.get_mut(slot)?.take()
    }

    /// Puts a connection back.
    pub(super) fn put_back(&mut self, connection: Box<Connection>) {
        let slot = connection.id.slot;
        self.slots[slot] = Some(connection);
    }

    /// All slots with a connection.
    pub(super) fn slots(&self) -> Vec<usize> {
        self.iter().map(|connection| connection.id.slot).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.slots.iter().flatten().map(|connection| &**connection)
    }
}
