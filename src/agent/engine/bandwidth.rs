//! The bandwidth that all downloads share, and the transfers that wait for it: those of the first priority
//! before all others, and in turn among equals.
//!
//! A transfer that finds the common bucket empty takes a place in the queue. Transfers that come after it
//! wait, too, even if there is something in the bucket again. A transfer that cannot use its turn, because
//! nothing has arrived for it, loses it.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use crate::agent::id::RequestId;
use crate::agent::settings::Priority;
use crate::agent::transfer::queue_key::QueueKey;
use crate::clock::Instant;
use crate::transport::throttle::{LEAST_MOVE, Throttle};

/// The most that one transfer takes while others of its priority wait.
const SHARE_BYTES: u64 = 16 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct BandwidthQueue {
    download: Throttle,
    upload: Throttle,
    waiting: BTreeMap<QueueKey, RequestId>,
    turn: u64,
}

impl BandwidthQueue {
    /// `rate`: bytes of content in a second, each way.
    pub(super) fn new(rate: NonZeroU64, now: Instant) -> Self {
        let throttle = Throttle::new(rate, now);
        Self {
            upload: throttle.clone(),
            download: throttle,
            waiting: BTreeMap::new(),
            turn: 0,
        }
    }

    pub(super) fn set_rate(&mut self, rate: NonZeroU64, now: Instant) {
        self.download.set_rate(Some(rate), now);
        self.upload.set_rate(Some(rate), now);
    }

    /// How many bytes a transfer may receive now. Zero: it waits, at the place that `key` names.
    pub(super) fn share(
        &mut self,
        id: RequestId,
        priority: Priority,
        key: &mut Option<QueueKey>,
        now: Instant,
    ) -> u64 {
        let available = self.download.remaining_budget(now);
        let own = key.unwrap_or_else(|| {
            self.turn += 1;
            QueueKey {
                priority,
                turn: self.turn,
            }
        });
        let first = self.waiting.first_key_value();
        let is_first = first.is_none_or(|(first, _)| *first >= own);
        if available == 0 || !is_first {
            *key = Some(own);
            self.waiting.insert(own, id);
            return 0;
        }
        self.leave(key);
        let has_equals = self.waiting.keys().any(|other| other.priority == priority);
        if has_equals {
            available.min(SHARE_BYTES)
        } else {
            available
        }
    }

    /// A transfer does not wait for bandwidth any more.
    pub(super) fn leave(&mut self, key: &mut Option<QueueKey>) {
        if let Some(key) = key.take() {
            self.waiting.remove(&key);
        }
    }

    /// How many transfers wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Notes that content was received.
    pub(super) fn spend(&mut self, bytes: u64) {
        self.download.spend(bytes);
    }

    /// When more may be received.
    pub(super) fn due(&mut self, now: Instant) -> Instant {
        self.download.due(now, LEAST_MOVE)
    }

    /// The transfer whose turn it is, if there is bandwidth for it.
    pub(super) fn next_turn(&mut self, now: Instant) -> Option<RequestId> {
        let (_, id) = self.waiting.first_key_value()?;
        (self.download.remaining_budget(now) > 0).then_some(*id)
    }

    /// The rate of what all transfers send.
    pub(super) fn upload(&mut self) -> &mut Throttle {
        &mut self.upload
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_priority_comes_first_and_equals_take_turns() {
        let now = Instant::now();
        let mut queue = BandwidthQueue::new(NonZeroU64::new(1_000_000).unwrap(), now);
        queue.spend(queue.download.clone().remaining_budget(now));
        let mut keys = [None, None, None];
        let priorities = [
            Priority::Background,
            Priority::Background,
            Priority::Gameplay,
        ];
        for (number, key) in keys.iter_mut().enumerate() {
            let id = RequestId(number as u64);
            assert_eq!(queue.share(id, priorities[number], key, now), 0);
            assert!(key.is_some());
        }
        assert_eq!(queue.next_turn(now), None, "the bucket is empty");
        let later = now + Duration::from_millis(200);
        assert_eq!(queue.next_turn(later), Some(RequestId(2)));
        // A transfer that comes out of its turn waits although there is bandwidth.
        let background = Priority::Background;
        assert_eq!(
            queue.share(RequestId(0), background, &mut keys[0], later),
            0
        );
        queue.leave(&mut keys[2]);
        let share = queue.share(RequestId(0), background, &mut keys[0], later);
        assert_eq!(share, SHARE_BYTES, "one equal still waits");
        assert_eq!(keys[0], None);
        let share = queue.share(RequestId(1), background, &mut keys[1], later);
        assert!(share > SHARE_BYTES, "nothing else waits");
    }
}
