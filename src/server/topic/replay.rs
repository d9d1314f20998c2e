//! The events that a topic keeps for subscribers that connect again, found by their ids.
//!
//! Ids have the form `RUN-NUMBER`. `RUN` is random for each topic, so that an id from an earlier run of the
//! program, or from another topic, is never mistaken for one of this run.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use crate::semantics::event_stream::ServerSentEvent;

/// How many events are kept by default.
const KEPT: usize = 256;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Replay {
    run: String,
    /// The number of the latest event; 0 before the first.
    last: u64,
    /// In the order of their numbers. Of each key only the latest event is kept.
    kept: VecDeque<StoredEvent>,
    /// How many events with a key, and how many without, are kept.
    limit: usize,
    /// The highest number that was dropped for lack of space: events up to it cannot be replayed.
    forgotten: u64,
}

/// A kept event. Its id is set.
#[derive(Debug)]
pub(super) struct StoredEvent {
    pub(super) number: u64,
    pub(super) key: Option<Arc<str>>,
    pub(super) event: ServerSentEvent,
}

/// The position of a subscriber in the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The number of the last event that it received; 0 to get everything that is kept.
    pub(super) after: u64,
    /// Whether the kept events are all that it missed.
    pub(super) is_known: bool,
}

impl Default for Replay {
    fn default() -> Self {
        let random = RandomState::new().build_hasher().finish();
        Self {
            run: format!("{:012x}", random & 0xffff_ffff_ffff),
            last: 0,
            kept: VecDeque::new(),
            limit: KEPT,
            forgotten: 0,
        }
    }
}

impl Replay {
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.shorten();
    }

    /// The id of the next event.
    pub(super) fn next_id(&self) -> String {
        format!("{}-{}", self.run, self.last + 1)
    }

    /// The id of the latest event, or of the start before the first one.
    pub(super) fn last_id(&self) -> String {
        format!("{}-{}", self.run, self.last)
    }

    /// Stores the next event, whose id is set.
    pub(super) fn push(&mut self, event: ServerSentEvent, key: Option<Arc<str>>) {
        self.last += 1;
        if key.is_some() {
            self.kept.retain(|kept| kept.key != key);
        }
        self.kept.push_back(StoredEvent {
            number: self.last,
            key,
            event,
        });
        self.shorten();
    }

    /// Events with and without a key do not displace each other.
    fn shorten(&mut self) {
        for has_key in [false, true] {
            let is_such = |kept: &StoredEvent| kept.key.is_some() == has_key;
            let mut count = self.kept.iter().filter(|kept| is_such(kept)).count();
            while count > self.limit {
                if let Some(at) = self.kept.iter().position(is_such)
                    && let Some(oldest) = self.kept.remove(at)
                {
                    self.forgotten = self.forgotten.max(oldest.number);
                }
                count -= 1;
            }
        }
    }

    /// Finds the last event that a subscriber received.
    pub(super) fn find(&self, id: &str) -> Position {
        let named = self
            .kept
            .iter()
            .rev()
            .find(|kept| kept.event.id.as_deref() == Some(id))
            .map(|kept| kept.number);
        let number = named.or_else(|| {
            let (run, number) = id.rsplit_once('-')?;
            let number = number.parse().ok()?;
            (run == self.run && number <= self.last).then_some(number)
        });
        match number {
            Some(after) if after >= self.forgotten => Position {
                after,
                is_known: true,
            },
            _ => Position {
                after: 0,
                is_known: false,
            },
        }
    }

    pub(super) fn after(&self, position: Position) -> impl Iterator<Item = &StoredEvent> {
        self.kept
            .iter()
            .filter(move |kept| kept.number > position.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(replay: &mut Replay, data: &str, key: Option<&str>) -> String {
        let id = replay.next_id();
        let mut event = ServerSentEvent::new(data);
        event.id = Some(id.clone());
        replay.push(event, key.map(Arc::from));
        id
    }

    fn data(replay: &Replay, id: &str) -> (bool, Vec<String>) {
        let position = replay.find(id);
        let events = replay.after(position);
        (
            position.is_known,
            events.map(|kept| kept.event.data.clone()).collect(),
        )
    }

    #[test]
    fn an_id_of_another_run_is_unknown_and_brings_everything() {
        let (mut before, mut now) = (Replay::default(), Replay::default());
        let old = publish(&mut before, "old", None);
        assert_eq!(data(&now, &old), (false, Vec::new()));
        for text in ["a", "b"] {
            publish(&mut now, text, None);
        }
        assert_eq!(data(&now, &old), (false, vec!["a".into(), "b".into()]));
        for id in [
            "1",
            "",
            "-",
            "x-1",
            &format!("{}-3", now.run),
            &format!("{}-x", now.run),
        ] {
            assert!(!data(&now, id).0, "{id}");
        }
    }

    #[test]
    fn dropped_events_are_not_skipped_silently() {
        let mut replay = Replay::default();
        replay.set_limit(2);
        let start = replay.last_id();
        let ids: Vec<_> = ["a", "b", "c"]
            .iter()
            .map(|text| publish(&mut replay, text, None))
            .collect();
        assert_eq!(data(&replay, &start), (false, vec!["b".into(), "c".into()]));
        assert_eq!(data(&replay, &ids[0]), (true, vec!["b".into(), "c".into()]));
        assert_eq!(data(&replay, &ids[2]), (true, Vec::new()));
    }

    #[test]
    fn one_event_is_kept_for_each_key_and_displaces_no_other() {
        let mut replay = Replay::default();
        replay.set_limit(2);
        let start = replay.last_id();
        publish(&mut replay, "shot", None);
        let mut first = None;
        for number in 0..100 {
            let id = publish(&mut replay, &format!("at {number}"), Some("position"));
            first.get_or_insert(id);
        }
        assert_eq!(
            data(&replay, &start),
            (true, vec!["shot".into(), "at 99".into()])
        );
        // The id of the replaced event still marks the subscriber's position.
        assert_eq!(
            data(&replay, &first.unwrap_or_default()),
            (true, vec!["at 99".into()])
        );
    }

    #[test]
    fn ids_that_the_caller_set_are_found() {
        let mut replay = Replay::default();
        for id in ["x", "y"] {
            let mut event = ServerSentEvent::new(id);
            event.id = Some(id.into());
            replay.push(event, None);
        }
        assert_eq!(data(&replay, "x"), (true, vec!["y".into()]));
        assert!(!data(&replay, "z").0);
    }
}
