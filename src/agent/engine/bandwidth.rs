//! The bandwidth that all downloads share, that of each priority, and the transfers that wait for it: those of
//! the first priority before all others, and in turn among equals.
//!
//! There is a bucket for all transfers and one for each priority, each way; any of them may have no limit. A
//! transfer needs bandwidth in both of its buckets.
//!
//! A transfer that finds a bucket empty takes a place in the queue. Transfers that come after it wait, too, even
//! if there is something in the bucket again. But a priority whose own bucket is empty holds up no other: what
//! it may not use is left to them. A transfer that cannot use its turn, because nothing has arrived for it,
//! loses it.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use crate::agent::id::RequestId;
use crate::agent::settings::{Priority, RateLimits};
use crate::agent::transfer::queue_key::QueueKey;
use crate::clock::Instant;
use crate::transport::throttle::{LEAST_MOVE, Throttle};

/// The most that one transfer takes while others of its priority wait.
const SHARE_BYTES: u64 = 16 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct BandwidthQueue {
    all: Buckets,
    /// In the order of [`Priority::ALL`].
    classes: [Buckets; Priority::ALL.len()],
    waiting: BTreeMap<QueueKey, RequestId>,
    turn: u64,
}

/// One rate, each way.
#[derive(Debug)]
struct Buckets {
    download: Throttle,
    upload: Throttle,
}

impl Buckets {
    fn new(rate: Option<NonZeroU64>, now: Instant) -> Self {
        let throttle = rate.map_or(Throttle::unlimited(), |rate| Throttle::new(rate, now));
        Self {
            upload: throttle.clone(),
            download: throttle,
        }
    }

    fn set_rate(&mut self, rate: Option<NonZeroU64>, now: Instant) {
        self.download.set_rate(rate, now);
        self.upload.set_rate(rate, now);
    }
}

impl BandwidthQueue {
    /// `None` without any limit.
    pub(super) fn new(limits: &RateLimits, now: Instant) -> Option<Self> {
        limits.is_any().then(|| Self {
            all: Buckets::new(limits.all(), now),
            classes: Priority::ALL.map(|priority| Buckets::new(limits.of(priority), now)),
            waiting: BTreeMap::new(),
            turn: 0,
        })
    }

    /// Changes the rates. What the buckets hold, and debts, stay as far as the new rates allow.
    pub(super) fn set_rates(&mut self, limits: &RateLimits, now: Instant) {
        self.all.set_rate(limits.all(), now);
        for (priority, buckets) in Priority::ALL.into_iter().zip(&mut self.classes) {
            buckets.set_rate(limits.of(priority), now);
        }
    }

    fn class(&mut self, priority: Priority) -> &mut Buckets {
        &mut self.classes[priority.index()]
    }

    /// How many bytes a transfer of this priority may receive, if it is its turn.
    fn available(&mut self, priority: Priority, now: Instant) -> u64 {
        let of_all = self.all.download.remaining_budget(now);
        of_all.min(self.class(priority).download.remaining_budget(now))
    }

    /// How many bytes a transfer may receive now. Zero: it waits, at the place that `key` names.
    pub(super) fn share(
        &mut self,
        id: RequestId,
        priority: Priority,
        key: &mut Option<QueueKey>,
        now: Instant,
    ) -> u64 {
        let available = self.available(priority, now);
        let own = key.unwrap_or_else(|| {
            self.turn += 1;
            QueueKey {
                priority,
                turn: self.turn,
            }
        });
        let is_first = self.first(now).is_none_or(|(first, _)| first >= own);
        if available == 0 || !is_first {
            *key = Some(own);
            self.waiting.insert(own, id);
            return 0;
        }
        self.leave(key);
        if self.first_of(priority).is_some() {
            available.min(SHARE_BYTES)
        } else {
            available
        }
    }

    /// The first of those that wait and whose own priority has bandwidth.
    fn first(&mut self, now: Instant) -> Option<(QueueKey, RequestId)> {
        for priority in Priority::ALL {
            let first = self.first_of(priority);
            if first.is_some() && self.class(priority).download.remaining_budget(now) > 0 {
                return first;
            }
        }
        None
    }

    /// The first of this priority that waits.
    fn first_of(&self, priority: Priority) -> Option<(QueueKey, RequestId)> {
        let from = QueueKey { priority, turn: 0 };
        let to = QueueKey {
            priority,
            turn: u64::MAX,
        };
        let first = self.waiting.range(from..=to).next();
        first.map(|(key, id)| (*key, *id))
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

    /// Notes that content was received by a transfer of this priority.
    pub(super) fn spend(&mut self, priority: Priority, bytes: u64) {
        self.all.download.spend(bytes);
        self.class(priority).download.spend(bytes);
    }

    /// When a transfer of this priority may receive more.
    pub(super) fn due(&mut self, priority: Priority, now: Instant) -> Instant {
        let all = self.all.download.due(now, LEAST_MOVE);
        all.max(self.class(priority).download.due(now, LEAST_MOVE))
    }

    /// The transfer whose turn it is, if there is bandwidth for it.
    pub(super) fn next_turn(&mut self, now: Instant) -> Option<RequestId> {
        if self.all.download.remaining_budget(now) == 0 {
            return None;
        }
        self.first(now).map(|(_, id)| id)
    }

    /// The rates of what transfers of this priority send: that of all, and their own.
    pub(super) fn uploads(&mut self, priority: Priority) -> [&mut Throttle; 2] {
        let class = &mut self.classes[priority.index()];
        [&mut self.all.upload, &mut class.upload]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A queue with these limits; `None`: of all.
    fn queue(limits: &[(Option<Priority>, u64)], now: Instant) -> BandwidthQueue {
        let mut rates = RateLimits::default();
        for (priority, rate) in limits {
            rates.set(*priority, Some(*rate));
        }
        BandwidthQueue::new(&rates, now).unwrap()
    }

    #[test]
    fn the_first_priority_comes_first_and_equals_take_turns() {
        let now = Instant::now();
        let mut queue = queue(&[(None, 1_000_000)], now);
        queue.spend(Priority::Interface, 250_000);
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

    #[test]
    fn a_priority_that_has_used_up_its_rate_holds_up_no_other() {
        let now = Instant::now();
        let (gameplay, background) = (Priority::Gameplay, Priority::Background);
        let mut queue = queue(&[(None, 1_000_000), (Some(gameplay), 100_000)], now);
        let mut keys = [None, None];
        let [first, second] = &mut keys;
        // The rate of the priority is the smaller one.
        assert_eq!(queue.share(RequestId(1), gameplay, first, now), 25_000);
        queue.spend(gameplay, 25_000);
        assert_eq!(queue.share(RequestId(1), gameplay, first, now), 0);
        assert_eq!(queue.next_turn(now), None);
        // What it may not use is left to the others.
        assert_eq!(queue.share(RequestId(2), background, second, now), 225_000);
        queue.spend(background, 225_000);
        assert_eq!(queue.share(RequestId(2), background, second, now), 0);
        assert_eq!(queue.waiting(), 2);
        let due = queue.due(gameplay, now);
        assert_eq!(
            due,
            now + Duration::from_micros(163_840),
            "16 KiB at its own rate"
        );
        let later = now + Duration::from_millis(200);
        assert_eq!(queue.next_turn(later), Some(RequestId(1)));
        assert_eq!(queue.share(RequestId(2), background, second, later), 0);
        assert_eq!(queue.share(RequestId(1), gameplay, first, later), 20_000);
        // The rate of all holds a priority back that has some of its own left.
        queue.spend(background, 10_000_000);
        assert_eq!(queue.share(RequestId(1), gameplay, first, later), 0);
    }

    #[test]
    fn without_any_limit_there_is_no_queue() {
        let mut limits = RateLimits::default();
        assert!(BandwidthQueue::new(&limits, Instant::now()).is_none());
        limits.set(Some(Priority::Streaming), Some(5));
        assert!(BandwidthQueue::new(&limits, Instant::now()).is_some());
        // Zero is no limit.
        limits.set(Some(Priority::Streaming), Some(0));
        assert!(BandwidthQueue::new(&limits, Instant::now()).is_none());
    }
}
