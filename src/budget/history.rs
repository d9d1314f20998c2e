//! How much time polls took in the last seconds.
//!
//! A machine keeps a [`PollHistory`]. It records nothing before somebody asks for it.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::Instant;

/// How many seconds are kept.
const SECONDS: usize = 30;

/// Recording ends when nobody has asked for this long.
const WANTED_FOR: Duration = Duration::from_secs(60);

/// The polls of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PollSecond {
    /// The number of polls.
    pub polls: u32,
    /// The time that all of them took.
    pub spent: Duration,
    /// The time that the longest of them took.
    pub longest: Duration,
    /// The time that their budgets allowed together. `None` if one of them had no limit.
    pub granted: Option<Duration>,
}

impl PollSecond {
    /// As JSON: `polls`, `spent_ms`, `longest_ms`, `granted_ms`.
    pub fn to_json(&self) -> Value {
        json!({
            "polls": self.polls,
            "spent_ms": milliseconds(self.spent),
            "longest_ms": milliseconds(self.longest),
            "granted_ms": self.granted.map(milliseconds),
        })
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct PollHistory(Option<Box<Record>>);

#[derive(Debug)]
struct Record {
    /// The seconds with their beginnings, the latest at the end.
    seconds: VecDeque<(Instant, PollSecond)>,
    /// The poll that is under way: the time of its turns so far, and what it may take.
    spent: Duration,
    granted: Option<Duration>,
    is_begun: bool,
    /// Until when to record; `None` means for ever.
    until: Option<Instant>,
}

impl PollHistory {
    /// Records from now on.
    #[cfg(feature = "server")]
    pub(crate) fn keep(&mut self) {
        self.record().until = None;
    }

    /// The last seconds, the latest at the end. Polls are recorded for the next minute.
    pub(crate) fn seconds(&mut self, now: Instant) -> Vec<PollSecond> {
        let is_new = self.0.is_none();
        let record = self.record();
        if is_new || record.until.is_some() {
            record.until = now.checked_add(WANTED_FOR);
        }
        record.seconds.iter().map(|(_, second)| *second).collect()
    }

    fn record(&mut self) -> &mut Record {
        self.0.get_or_insert_with(|| {
            Box::new(Record {
                // A poll must not allocate.
                seconds: VecDeque::with_capacity(SECONDS),
                spent: Duration::ZERO,
                granted: None,
                is_begun: false,
                until: None,
            })
        })
    }

    /// Whether polls are recorded.
    pub(crate) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// A poll with this budget of time begins.
    pub(crate) fn begin_poll(&mut self, granted: Option<Duration>) {
        if let Some(record) = &mut self.0 {
            record.granted = granted;
            record.is_begun = true;
        }
    }

    /// A turn begins. `None`: nothing is recorded, and the clock need not be read.
    pub(crate) fn begin_turn(&self, now: impl FnOnce() -> Instant) -> Option<Instant> {
        self.0.as_ref().map(|_| now())
    }

    /// The turn that [began](Self::begin_turn) then ends.
    pub(crate) fn end_turn(&mut self, began: Option<Instant>, now: impl FnOnce() -> Instant) {
        if let (Some(record), Some(began)) = (&mut self.0, began) {
            record.spent += now().saturating_duration_since(began);
        }
    }

    /// The poll ends.
    pub(crate) fn end_poll(&mut self, now: Instant) {
        let Some(record) = &mut self.0 else {
            return;
        };
        if record.until.is_some_and(|until| now > until) {
            self.0 = None;
            return;
        }
        record.end_poll(now);
    }
}

impl Record {
    fn end_poll(&mut self, now: Instant) {
        let is_new = self.seconds.back().is_none_or(|(began, _)| {
            now.saturating_duration_since(*began) >= Duration::from_secs(1)
        });
        if is_new {
            if self.seconds.len() == SECONDS {
                self.seconds.pop_front();
            }
            let second = PollSecond {
                granted: Some(Duration::ZERO),
                ..PollSecond::default()
            };
            self.seconds.push_back((now, second));
        }
        let spent = std::mem::take(&mut self.spent);
        let is_begun = std::mem::take(&mut self.is_begun);
        if let Some((_, second)) = self.seconds.back_mut() {
            // Reads that follow a poll are a part of it.
            if is_begun {
                second.polls += 1;
                second.granted = second
                    .granted
                    .zip(self.granted)
                    .map(|(sum, granted)| sum.saturating_add(granted));
            }
            second.spent += spent;
            second.longest = second.longest.max(spent);
        }
    }
}

/// Milliseconds with three decimal places.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn poll(history: &mut PollHistory, at: Instant, took: Duration, granted: Option<Duration>) {
        history.begin_poll(granted);
        let began = history.begin_turn(|| at);
        history.end_turn(began, || at + took);
        history.end_poll(at + took);
    }

    #[test]
    fn nothing_is_recorded_and_no_clock_is_read_before_somebody_asks() {
        let mut history = PollHistory::default();
        let start = Instant::now();
        poll(&mut history, start, MS, Some(MS));
        assert_eq!(history.begin_turn(|| unreachable!("the clock")), None);
        assert_eq!(history.seconds(start), []);
        poll(&mut history, start, MS, Some(MS));
        assert_eq!(history.seconds(start).len(), 1);
    }

    #[test]
    fn the_polls_of_a_second_are_added_up_and_thirty_seconds_are_kept() {
        let mut history = PollHistory::default();
        let start = Instant::now();
        history.seconds(start);
        poll(&mut history, start, MS, Some(2 * MS));
        poll(&mut history, start + 500 * MS, 3 * MS, Some(2 * MS));
        let first = PollSecond {
            polls: 2,
            spent: 4 * MS,
            longest: 3 * MS,
            granted: Some(4 * MS),
        };
        assert_eq!(history.seconds(start), [first]);
        poll(&mut history, start + 1500 * MS, MS, None);
        assert_eq!(history.seconds(start)[1].granted, None);
        for second in 3..40 {
            poll(&mut history, start + second * 1000 * MS, MS, Some(MS));
        }
        assert_eq!(history.seconds(start).len(), SECONDS);
    }

    #[test]
    fn recording_ends_a_minute_after_the_last_question() {
        let mut history = PollHistory::default();
        let start = Instant::now();
        history.seconds(start);
        poll(&mut history, start + WANTED_FOR - MS, MS, None);
        assert!(history.begin_turn(|| start).is_some());
        poll(&mut history, start + WANTED_FOR, MS, None);
        assert!(history.begin_turn(|| start).is_none());
    }

    #[test]
    fn a_read_after_a_poll_is_not_a_poll_of_its_own() {
        let mut history = PollHistory::default();
        let start = Instant::now();
        history.seconds(start);
        poll(&mut history, start, MS, Some(MS));
        let began = history.begin_turn(|| start);
        history.end_turn(began, || start + MS);
        history.end_poll(start + MS);
        let seconds = history.seconds(start);
        assert_eq!((seconds[0].polls, seconds[0].spent), (1, 2 * MS));
    }
}
