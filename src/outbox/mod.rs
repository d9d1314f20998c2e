//! Telemetry and saved games that must arrive: events are queued in a file and sent in batches.
//!
//! [`Outbox::push`] hands an event to the worker for files, which appends it to a file at once. Batches are posted
//! one at a time; a batch that fails is sent again later. What was not sent when the game ended is sent by the next
//! run. The frame encodes an event and does nothing else. Requests belong to the agent.
//!
//! ```
//! use std::time::Duration;
//!
//! use httpoll::Agent;
//! use httpoll::outbox::Outbox;
//!
//! # let folder = std::env::temp_dir().join(format!("httpoll-outbox-doc-{}", std::process::id()));
//! # let file = folder.join("telemetry.outbox");
//! let mut agent = Agent::new();
//! let mut outbox = Outbox::open(&mut agent, &file, "http://127.0.0.1:9/events")?;
//! outbox.push(&serde_json::json!({ "event": "level", "level": 7 }))?;
//! for _frame in 0..3 {
//!     agent.poll(); // once per frame; never blocks
//!     outbox.poll(&mut agent);
//! }
//! // At the end of the program. Nobody listens at this address, so the event stays for the next run.
//! let is_sent = outbox.flush(&mut agent, Duration::from_millis(100));
//! assert!(!is_sent);
//! assert_eq!(outbox.state().waiting, 1);
//! # drop(outbox);
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # At least once, and once where the server helps
//!
//! Each batch has an `Idempotency-Key`: the id of the file and the numbers of its events. A batch that is sent
//! again, also by the next run after a kill, has the same key and the same events. A server that remembers keys
//! takes each event once; one that does not takes each at least once.
//!
//! The worker writes an event as soon as it is pushed. A kill of the process loses what the worker had not written
//! yet: at most the last event, unless the disk stalls. A power failure may lose what the system had not flushed.
//!
//! # What becomes of a batch
//!
//! | response | result |
//! |---|---|
//! | 2xx | sent |
//! | 400, 410, 413, 414, 415, 422, 431 | given up and counted as [refused](Losses::refused): the server would refuse it again |
//! | others, and failures of the network | sent again after a [wait](Outbox::backoff), not before `Retry-After` |
//!
//! The agent's [circuit breaker](crate::circuit) holds batches back, too. A batch has no retries of its own.
//!
//! # Limits
//!
//! The file holds at most [`OutboxLimits::bytes`] of events that wait, and none older than [`OutboxLimits::age`]:
//! the oldest are given up, and counted in [`Losses`].
//!
//! | file | holds |
//! |---|---|
//! | `outbox`, `options` | when a batch is sent, and what its response means; what the owner may choose |
//! | `store`, `lines` | the file |
//! | `worker` | what the owner and the worker for files tell each other |

mod lines;
mod options;
// The module holds the type after which it is named.
#[allow(clippy::module_inception)]
mod outbox;
mod store;
#[cfg(test)]
#[cfg(feature = "test-util")]
mod tests;
mod worker;

use std::time::Duration;

pub use outbox::Outbox;

/// The form of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BatchFormat {
    /// An array of events, `application/json`.
    #[default]
    JsonArray,
    /// An event on each line, `application/x-ndjson`.
    JsonLines,
}

/// How much an [`Outbox`] keeps, and sends at once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxLimits {
    /// The most bytes of JSON that wait. Default 4 MiB.
    pub bytes: u64,
    /// The oldest event that is worth sending, by the clock of this machine. Default 30 days.
    pub age: Duration,
    /// The most bytes of an event. Default 64 KiB.
    pub event_bytes: usize,
    /// The most events in a batch. Default 100.
    pub batch_events: usize,
    /// The most bytes of events in a batch, before it is compressed. Default 256 KiB.
    pub batch_bytes: u64,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self {
            bytes: 4 * 1024 * 1024,
            age: Duration::from_secs(30 * 24 * 60 * 60),
            event_bytes: 64 * 1024,
            batch_events: 100,
            batch_bytes: 256 * 1024,
        }
    }
}

/// Events that were lost in this run, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Losses {
    /// Older than [`OutboxLimits::age`].
    pub too_old: u64,
    /// The oldest, when more than [`OutboxLimits::bytes`] waited.
    pub over_limit: u64,
    /// Larger than [`OutboxLimits::event_bytes`].
    pub too_large: u64,
    /// Pushed while the disk stalled and 4 MiB waited for it.
    pub queue_full: u64,
    /// The server refused them for good.
    pub refused: u64,
    /// The file could not be written.
    pub write_failed: u64,
    /// Lines of the file that were torn or damaged.
    pub damaged: u64,
}

impl Losses {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.too_old
            + self.over_limit
            + self.too_large
            + self.queue_full
            + self.refused
            + self.write_failed
            + self.damaged
    }
}

/// What an [`Outbox`] is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxState {
    /// Events that are not sent yet.
    pub waiting: usize,
    /// Their bytes in the file.
    pub bytes: u64,
    /// Events that were written to the file in this run.
    pub written: u64,
    /// Events that were sent in this run.
    pub sent: u64,
    /// Whether a batch is being prepared, sent or settled.
    pub is_sending: bool,
    /// Events that were lost in this run.
    pub losses: Losses,
}
