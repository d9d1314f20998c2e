//! The deadlines of all connections: a heap in which each connection has one place. Setting and clearing a
//! deadline takes logarithmic time, and reading the next one constant time, so that a poll visits only the
//! connections that are due.

use crate::clock::Instant;

/// See the module's documentation. Connections are known by their slot.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: Vec<Entry>,
    /// The position of each slot's entry in the heap.
    places: Vec<Option<usize>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Instant,
    slot: usize,
}

impl Timers {
    /// Sets, moves or, with `None`, clears the deadline of a slot.
    pub(super) fn set(&mut self, slot: usize, at: Option<Instant>) {
        if self.places.len() <= slot {
            if at.is_none() {
                return;
            }
            self.places.resize(slot + 1, None);
        }
        match (self.places[slot], at) {
            (None, None) => {}
            (None, Some(at)) => {
                let place = self.heap.len();
                self.heap.push(Entry { at, slot });
                self.places[slot] = Some(place);
                self.up(place);
            }
            (Some(place), Some(at)) => {
                self.heap[place].at = at;
                self.up(place);
                if let Some(place) = self.places[slot] {
                    self.down(place);
                }
            }
            (Some(place), None) => self.remove(place),
        }
    }

    /// The deadline of a slot.
    pub(super) fn get(&self, slot: usize) -> Option<Instant> {
        let place = (*self.places.get(slot)?)?;
        Some(self.heap[place].at)
    }

    /// The earliest deadline of all.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|entry| entry.at)
    }

    /// Removes and returns a slot whose deadline has passed.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        let first = *self.heap.first()?;
        if first.at > now {
            return None;
        }
        self.remove(0);
        Some(first.slot)
    }

    fn remove(&mut self, place: usize) {
        let entry = self.heap.swap_remove(place);
        self.places[entry.slot] = None;
        if let Some(moved) = self.heap.get(place) {
            self.places[moved.slot] = Some(place);
            self.up(place);
            self.down(place);
        }
    }

    fn up(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent].at <= self.heap[place].at {
                break;
            }
            self.swap(parent, place);
            place = parent;
        }
    }

    fn down(&mut self, mut place: usize) {
        loop {
            let children = [2 * place + 1, 2 * place + 2];
            let earliest = children
                .into_iter()
                .filter(|&child| child < self.heap.len())
                .min_by_key(|&child| self.heap[child].at);
            match earliest {
                Some(child) if self.heap[child].at < self.heap[place].at => {
                    self.swap(child, place);
                    place = child;
                }
                _ => break,
            }
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.places[self.heap[one].slot] = Some(one);
        self.places[self.heap[other].slot] = Some(other);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn deadlines_pass_in_order_after_moves_and_clears() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        let mut expected = Vec::new();
        for slot in 0..200_usize {
            timers.set(slot, Some(at((slot as u64 * 7919) % 1009)));
        }
        for slot in 0..200_usize {
            let ms = match slot % 4 {
                0 => None,
                1 => Some((slot as u64 * 31) % 997),
                _ => Some((slot as u64 * 7919) % 1009),
            };
            if slot % 4 < 2 {
                timers.set(slot, ms.map(at));
            }
            assert_eq!(timers.get(slot), ms.map(at));
            expected.extend(ms.map(|ms| (at(ms), slot)));
        }
        expected.sort_by_key(|(at, _)| *at);
        assert_eq!(timers.next(), Some(expected[0].0));
        let mut last = start;
        for _ in 0..expected.len() {
            let next = timers.next().unwrap();
            assert!(next >= last);
            last = next;
            assert!(timers.pop_due(next - Duration::from_nanos(1)).is_none());
            let slot = timers.pop_due(next).unwrap();
            assert!(expected.contains(&(next, slot)));
            assert_eq!(timers.get(slot), None);
        }
        assert_eq!((timers.next(), timers.pop_due(at(9999))), (None, None));
        timers.set(500, None);
    }
}
