//! [`Job`]: the request of one entity, and where it is between the plugin and the agent.

use std::time::Duration;

use httpoll::RequestId;
use httpoll::clock::Instant;

use crate::components::phase::HttpPhase;

/// Tells the submissions of one entity apart: each insertion of an `HttpRequest` gets a new number.
pub(crate) type Serial = u64;

/// The request of one entity, for as long as its component exists.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) serial: Serial,
    pub(crate) stage: Stage,
    pub(crate) phase: HttpPhase,
    /// When the current round was sent.
    pub(crate) began: Instant,
    /// The number of failed rounds in a row.
    pub(crate) failures: u32,
    /// The number of attempts in a row that opened no WebSocket.
    pub(crate) failed_attempts: u32,
    /// The present round is a WebSocket.
    pub(crate) is_web_socket: bool,
    /// The present round's WebSocket was open.
    pub(crate) is_established: bool,
    /// The game closes the WebSocket, or the agent refused the request: no attempt follows.
    pub(crate) is_last: bool,
    /// The number of tasks on other threads, such as JSON parsing, that will still trigger an event at
    /// the entity.
    pub(crate) pending_jobs: u32,
    /// The request finished while tasks were pending; the last task ends its life.
    pub(crate) is_finishing: bool,
    /// The server asked for no further round for this long, counted from the end of the last round.
    pub(crate) retry_after: Option<Duration>,
    /// The agent has sent the current round more than once.
    pub(crate) is_retried: bool,
    /// Whether to trigger [`HttpProgressed`](crate::HttpProgressed).
    pub(crate) reports_progress: bool,
    /// The request does not end by itself.
    pub(crate) is_endless: bool,
}

/// Where a request is between the plugin and the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its component was inserted; the next pump sends it.
    Submitted,
    /// The pump took it, or the agent refused it and the next dispatch reports why.
    Leaving,
    /// It is held back: its entity is disabled or paused.
    Held,
    /// The agent has it.
    Running(RequestId),
    /// It waits for its next round.
    Scheduled,
    /// It ended.
    Over,
}

impl Stage {
    /// Whether the request waits to be sent or is at the agent.
    pub(crate) fn is_under_way(self) -> bool {
        matches!(self, Self::Submitted | Self::Leaving | Self::Running(_))
    }
}
