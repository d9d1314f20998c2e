//! Requests that the caller submitted and no poll has looked at yet.
//!
//! Submitting is cheap, because a frame may submit a thousand requests at once. Policies, cache, files and
//! the wait for a connection come in the polls after it, as far as their budgets go. What submitting
//! costs is counted here, so that the next poll has that much less time.

use std::collections::VecDeque;
use std::time::Duration;

use crate::agent::id::RequestId;
use crate::agent::transfer::Transfer;
use crate::clock::Instant;

/// A queue with room for more than this gives its memory back when it is empty.
const MANY: usize = 64;

/// Time between two submissions counts as submitting while it is shorter than this: the caller makes the
/// next request in a loop.
const BETWEEN_SUBMISSIONS: Duration = Duration::from_micros(5);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct SubmissionQueue {
    /// Oldest first, so that their numbers ascend.
    queue: VecDeque<Slot>,
    /// Time spent on submitting since the latest poll.
    submit_time: Duration,
    /// When a request was submitted last.
    last_submit: Option<Instant>,
}

/// A request, until it is taken out of its turn.
#[derive(Debug)]
struct Slot {
    id: RequestId,
    transfer: Option<Box<Transfer>>,
}

impl SubmissionQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn push(&mut self, transfer: Box<Transfer>) {
        self.queue.push_back(Slot {
            id: transfer.id,
            transfer: Some(transfer),
        });
    }

    /// The oldest request.
    pub(super) fn pop(&mut self) -> Option<Box<Transfer>> {
        loop {
            let slot = self.queue.pop_front()?;
            if self.queue.is_empty() && self.queue.capacity() > MANY {
                self.queue.shrink_to(0);
            }
            if slot.transfer.is_some() {
                return slot.transfer;
            }
        }
    }

    /// The requests, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Transfer> {
        self.queue
            .iter()
            .filter_map(|slot| slot.transfer.as_deref())
    }

    /// Takes a request out of its turn.
    pub(super) fn take(&mut self, id: RequestId) -> Option<Box<Transfer>> {
        let index = self.queue.binary_search_by_key(&id, |slot| slot.id).ok()?;
        self.queue.get_mut(index)?.transfer.take()
    }

    /// Notes the time since `began` as spent on submitting, with what the caller took to make this request
    /// when it submits one after another.
    pub(super) fn note_submit_time(&mut self, began: Instant, now: Instant) {
        let before = self.last_submit.replace(now).filter(|before| {
            !self.submit_time.is_zero()
                && began.saturating_duration_since(*before) < BETWEEN_SUBMISSIONS
        });
        self.submit_time += now.saturating_duration_since(before.unwrap_or(began));
    }

    /// Time spent on submitting since this was asked last.
    pub(super) fn take_submit_time(&mut self) -> Duration {
        std::mem::take(&mut self.submit_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::prepared::{KnownUrls, Prepared};
    use crate::agent::request::Request;

    fn submission(number: u64) -> Box<Transfer> {
        let config = crate::agent::Agent::new().config;
        let request = Request::get("http://game.example/");
        let prepared = Prepared::of(request, &config, &mut KnownUrls::default()).unwrap();
        let now = Instant::now();
        Box::new(Transfer::new(RequestId(number), prepared, now, now))
    }

    #[test]
    fn a_request_taken_out_of_its_turn_is_not_returned_again() {
        let mut queue = SubmissionQueue::default();
        for number in 1..=3 {
            queue.push(submission(number));
        }
        assert_eq!(queue.take(RequestId(2)).unwrap().id, RequestId(2));
        assert!(queue.take(RequestId(2)).is_none() && queue.take(RequestId(4)).is_none());
        assert_eq!(queue.pop().unwrap().id, RequestId(1));
        assert_eq!(queue.pop().unwrap().id, RequestId(3));
        assert!(queue.pop().is_none() && queue.is_empty());
    }

    #[test]
    fn a_loop_that_submits_is_charged_with_what_lies_between() {
        let mut queue = SubmissionQueue::default();
        let start = Instant::now();
        let micros = |count| Duration::from_micros(count);
        queue.note_submit_time(start, start + micros(10));
        queue.note_submit_time(start + micros(13), start + micros(20));
        assert_eq!(queue.take_submit_time(), micros(20));
        // A pause is not charged, nor is the time before a poll.
        queue.note_submit_time(start + micros(21), start + micros(22));
        queue.note_submit_time(start + micros(90), start + micros(91));
        assert_eq!(queue.take_submit_time(), micros(2));
    }
}
