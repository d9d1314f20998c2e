//! Readiness events of the in-memory network: a queue for each reactor, as epoll has one, the order in which a
//! queue hands its events out, and whether an event is reported again.

use std::collections::VecDeque;

use crate::random::SplitMix64;

/// Which queue gets the events of an end or a listener, and under which token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interest {
    pub(crate) queue: usize,
    pub(crate) token: usize,
}

/// One readiness event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadyEvent {
    pub(crate) token: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) closed: bool,
}

/// What became ready on one end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ready {
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) closed: bool,
}

/// Which kinds of readiness may be reported, where each is reported once: those that were not reported since the
/// last `WouldBlock`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Armed {
    pub(super) readable: bool,
    pub(super) writable: bool,
}

impl Default for Armed {
    fn default() -> Self {
        Self {
            readable: true,
            writable: true,
        }
    }
}

/// The queues of all reactors of one network.
#[derive(Default)]
pub(super) struct Readiness {
    queues: Vec<VecDeque<ReadyEvent>>,
    shuffle: Option<Shuffle>,
    is_like_windows: bool,
}

impl Readiness {
    pub(super) fn open_queue(&mut self) -> usize {
        self.queues.push(VecDeque::new());
        self.queues.len() - 1
    }

    /// Hands events out in any order from now on, as this seed decides.
    pub(super) fn shuffle(&mut self, seed: u64) {
        self.shuffle = Some(Shuffle(SplitMix64::new(seed)));
    }

    /// Reports nothing twice from now on, unless `WouldBlock` came in between.
    pub(super) fn imitate_windows(&mut self) {
        self.is_like_windows = true;
    }

    pub(super) fn is_like_windows(&self) -> bool {
        self.is_like_windows
    }

    /// Queues an event, if a reactor is interested. `armed` says what may be reported, and is updated.
    pub(super) fn report_armed(
        &mut self,
        interest: Option<Interest>,
        armed: &mut Armed,
        ready: Ready,
    ) {
        if !self.is_like_windows || interest.is_none() {
            return self.report(interest, ready);
        }
        let ready = Ready {
            readable: ready.readable && armed.readable,
            writable: ready.writable && armed.writable,
            closed: ready.closed,
        };
        armed.readable &= !ready.readable;
        armed.writable &= !ready.writable;
        if ready.readable || ready.writable {
            self.report(interest, ready);
        }
    }

    /// Queues an event, if a reactor is interested.
    fn report(&mut self, interest: Option<Interest>, ready: Ready) {
        if let Some(interest) = interest
            && let Some(queue) = self.queues.get_mut(interest.queue)
        {
            queue.push_back(ReadyEvent {
                token: interest.token,
                readable: ready.readable,
                writable: ready.writable,
                closed: ready.closed,
            });
        }
    }

    /// The events that one poll of a reactor gets.
    pub(super) fn take_events(&mut self, queue: usize) -> impl Iterator<Item = ReadyEvent> {
        let events = self.queues.get_mut(queue);
        events.into_iter().flat_map(|events| {
            let count = match &mut self.shuffle {
                Some(shuffle) => shuffle.deal(events),
                None => events.len(),
            };
            events.drain(..count)
        })
    }

    pub(super) fn has_events(&self, queue: usize) -> bool {
        self.queues
            .get(queue)
            .is_some_and(|events| !events.is_empty())
    }
}

/// Decides which events a poll hands out, and in which order.
struct Shuffle(SplitMix64);

impl Shuffle {
    /// Shuffles the events and returns how many of them to hand out now: all of them half of the
    /// time, and always at least one, so that repeated polls get all.
    fn deal(&mut self, events: &mut VecDeque<ReadyEvent>) -> usize {
        for at in (1..events.len()).rev() {
            events.swap(at, self.0.below(at + 1));
        }
        match self.0.below(2) {
            0 => events.len(),
            _ => (1 + self.0.below(events.len())).min(events.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemoryNetwork;
    use super::*;

    /// The tokens that become readable in each poll, until a poll brings none.
    fn polls(seed: Option<u64>) -> Vec<Vec<usize>> {
        let network = MemoryNetwork::new();
        if let Some(seed) = seed {
            network.shuffle_readiness(seed);
        }
        let queue = network.open_queue();
        let mut ends = Vec::new();
        for token in 0..8 {
            let (client, server) = network.pair();
            client.register(Interest { queue, token });
            ends.push((client, server));
        }
        let mut polls = Vec::new();
        loop {
            let mut poll = Vec::new();
            network.poll_events(queue, |event| poll.push(event.token));
            if poll.is_empty() {
                return polls;
            }
            polls.push(poll);
        }
    }

    #[test]
    fn shuffled_readiness_reports_every_event_in_any_order() {
        assert_eq!(polls(None), [Vec::from_iter(0..8)]);
        let (mut unsorted, mut split) = (0, 0);
        for seed in 0..40 {
            let polls = polls(Some(seed));
            split += usize::from(polls.len() > 1);
            let mut all: Vec<usize> = polls.concat();
            unsorted += usize::from(!all.is_sorted());
            all.sort_unstable();
            assert_eq!(all, Vec::from_iter(0..8));
            assert_eq!(polls, self::polls(Some(seed)));
        }
        assert!(
            unsorted > 35 && (10..35).contains(&split),
            "{unsorted} {split}"
        );
    }

    /// What is reported of the end with this queue: readable, writable.
    fn reported(network: &MemoryNetwork, queue: usize) -> Vec<(bool, bool)> {
        let mut all = Vec::new();
        network.poll_events(queue, |event| all.push((event.readable, event.writable)));
        all
    }

    #[test]
    fn like_on_windows_nothing_is_reported_twice_before_would_block() {
        use std::io::{Read, Write};

        let network = MemoryNetwork::new();
        network.imitate_windows();
        network.set_capacity(8);
        let queue = network.open_queue();
        let (mut client, mut server) = network.pair();
        client.register(Interest { queue, token: 1 });
        assert_eq!(reported(&network, queue), [(false, true)]);
        server.write_all(b"one").unwrap();
        assert_eq!(reported(&network, queue), [(true, false)]);
        let mut buffer = [0; 8];
        assert_eq!(client.read(&mut buffer).unwrap(), 3);
        server.write_all(b"two").unwrap();
        assert_eq!(reported(&network, queue), [], "no read has failed");
        assert_eq!(client.read(&mut buffer).unwrap(), 3);
        client.read(&mut buffer).unwrap_err();
        server.write_all(b"three").unwrap();
        assert_eq!(reported(&network, queue), [(true, false)]);
        // The same for writes.
        client.write_all(&[1; 8]).unwrap();
        network.advance(std::time::Duration::ZERO);
        assert_eq!(server.read(&mut buffer).unwrap(), 8);
        assert_eq!(reported(&network, queue), [], "no write has failed");
        client.write_all(&[1; 8]).unwrap();
        client.write(&[1]).unwrap_err();
        network.advance(std::time::Duration::ZERO);
        assert_eq!(server.read(&mut buffer).unwrap(), 8);
        assert_eq!(reported(&network, queue), [(false, true)]);
        // And for who registers again: what is there is reported.
        client.register(Interest { queue, token: 2 });
        assert_eq!(reported(&network, queue), [(true, true)]);
    }

    #[test]
    fn a_sleep_returns_at_once_while_held_back_events_wait() {
        let network = MemoryNetwork::new();
        network.shuffle_readiness(1);
        let queue = network.open_queue();
        let other = network.open_queue();
        let (client, _server) = network.pair();
        client.register(Interest { queue, token: 1 });
        let before = network.now();
        network.sleep_until(queue, Some(before + std::time::Duration::from_secs(1)));
        assert_eq!(network.now(), before);
        network.sleep_until(other, Some(before + std::time::Duration::from_secs(1)));
        assert_ne!(network.now(), before);
    }
}
