//! How long polls took in the last seconds.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use super::time::milliseconds;
use crate::clock::Instant;

/// How many seconds are kept.
const SECONDS: usize = 30;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(in crate::server) struct History {
    seconds: VecDeque<Second>,
}

#[derive(Debug)]
struct Second {
    began: Instant,
    polls: u32,
    total: Duration,
    longest: Duration,
}

impl History {
    pub(in crate::server) fn note(&mut self, now: Instant, took: Duration) {
        let is_new = self.seconds.back().is_none_or(|second| {
            now.saturating_duration_since(second.began) >= Duration::from_secs(1)
        });
        if is_new {
            if self.seconds.len() == SECONDS {
                self.seconds.pop_front();
            }
            self.seconds.push_back(Second {
                began: now,
                polls: 0,
                total: Duration::ZERO,
                longest: Duration::ZERO,
            });
        }
        if let Some(second) = self.seconds.back_mut() {
            second.polls += 1;
            second.total += took;
            second.longest = second.longest.max(took);
        }
    }

    pub(in crate::server) fn to_json(&self) -> Value {
        self.seconds
            .iter()
            .map(|second| {
                json!({
                    "polls": second.polls,
                    "total_ms": milliseconds(second.total),
                    "longest_ms": milliseconds(second.longest),
                })
            })
            .collect()
    }
}
