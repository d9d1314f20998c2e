//! The machine behind an [`Agent`](super::Agent). It connects parts that each own their state:
//!
//! | file | owns |
//! |---|---|
//! | `submissions` | requests that no poll has looked at yet |
//! | `transfers` | the transfers under way |
//! | `schedule` | which connections need work now, and the timers of what needs it later |
//! | `event_queue` | events until the caller pulls them |
//! | `window` | how much delivered content may wait to be pulled |
//! | `file_queue` | the disk worker and the transfers that wait for it |
//! | `bandwidth` | shared bandwidth and the transfers that wait for it |
//! | `policies` | cookies, credentials, secure hosts, broken origins |
//! | `suspension` | whether the agent is suspended |
//! | `revalidations` | stored responses that are validated in the background |
//! | `random` | random numbers |
//!
//! Connections are owned by `agent::pool`. None of these imports the engine.
//! The other files connect them:
//!
//! | file | does |
//! |---|---|
//! | `commands` | executes what the owner wants: submit, cancel, pause |
//! | `admission` | submitted requests become transfers |
//! | `dispatch` | from a transfer to a connection, and the request that is sent |
//! | `route` | where a transfer is sent, and through which proxy |
//! | `waiting` | reports the requests that wait for a connection |
//! | `poll` | one poll: ready connections in turn, busy polling; pulling events |
//! | `timeouts` | timers that fired |
//! | `response`, `head`, `content` | what arrives: connection, head, content |
//! | `failure` | what an error says: origin, phase, retryable |
//! | `completion` | how a hop and a transfer end: next hop, again, done, failed |
//! | `moving` | moves everything to another poller, such as that of a thread |
//! | `gaps` | what passes while nobody polls: pauses before retries, the age of connections |
//! | `drain` | connections that read the rest of a response that is not wanted |
//! | `snapshot` | what the engine is doing, for inspectors |
//! | `files`, `caching`, `recording`, `web_sockets`, `suspend` | features that take part in a transfer |

mod admission;
mod bandwidth;
#[cfg(feature = "cache")]
mod caching;
pub(super) mod command;
mod commands;
mod completion;
mod content;
mod dispatch;
mod drain;
mod event_queue;
mod failure;
mod file_queue;
mod files;
mod gaps;
mod head;
mod moving;
mod policies;
mod poll;
mod random;
mod recording;
mod response;
#[cfg(feature = "cache")]
mod revalidations;
mod route;
mod schedule;
mod snapshot;
mod submissions;
mod suspend;
mod suspension;
mod timeouts;
mod transfers;
mod waiting;
#[cfg(feature = "websocket")]
mod web_sockets;
mod window;

use std::sync::Arc;
use std::time::Duration;

use super::config::Config;
use super::pool::{ConnectionKey, Pool};
use super::request_head::Draft;
use super::settings::RateLimits;
use super::transfer::Transfer;
use crate::budget::{BusyPoll, PollHistory};
use crate::clock::Instant;
use crate::connection::Status as ConnectionStatus;
use crate::error::Error;
use crate::phase::Phase;
use crate::transport::reactor::Reactor;
use crate::transport::wake::Wake;

use bandwidth::BandwidthQueue;
use event_queue::EventQueue;
use file_queue::FileQueue;
use policies::Policies;
use random::Random;
#[cfg(feature = "cache")]
use revalidations::Revalidations;
use schedule::{RunQueue, Timers};
use submissions::SubmissionQueue;
use suspension::Suspension;
use transfers::Transfers;
use window::Window;

/// A longer delay is cut to a year, so that no clock overflows.
const LONGEST_DELAY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Engine {
    reactor: Reactor,
    config: Arc<Config>,
    submissions: SubmissionQueue,
    transfers: Transfers,
    pool: Pool,
    run_queue: RunQueue,
    /// The last turn ended before any connection had its turn.
    owes_connections: bool,
    timers: Timers,
    events: EventQueue,
    window: Window,
    files: FileQueue,
    rate_limits: RateLimits,
    /// Only if there is a rate that transfers share.
    bandwidth: Option<BandwidthQueue>,
    policies: Policies,
    suspension: Suspension,
    random: Random,
    /// How much of the time that did not count towards deadlines has passed for everything else.
    skipped: Duration,
    /// What the latest poll found when it had nothing to do. Anything that may give work to the next poll
    /// removes it; while it is there, a poll needs to look at nothing else.
    idle: Option<Idle>,
    /// How the latest poll was to ask again.
    busy_poll: BusyPoll,
    /// How often a poll was continued after content was pulled.
    continued: u8,
    /// How long polls took.
    history: PollHistory,
    /// Memory for the heads of requests.
    draft: Draft,
    /// Tells users apart for the cache.
    #[cfg(feature = "cache")]
    users: std::hash::RandomState,
    #[cfg(feature = "cache")]
    revalidations: Revalidations,
}

/// An engine that has nothing to do before something becomes ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Idle {
    /// When the next timer is due, in active time.
    due: Option<Instant>,
    /// Whether no request and no connection is left.
    has_ended: bool,
}

impl Engine {
    pub(crate) fn new(reactor: Reactor, config: Arc<Config>) -> Self {
        let now = reactor.clock().now();
        let random = match reactor.memory_number() {
            Some(number) => Random::repeatable(number),
            None => Random::system(),
        };
        let rate_limits = config.rate_limits;
        Self {
            reactor,
            submissions: SubmissionQueue::default(),
            transfers: Transfers::default(),
            pool: Pool::new(config.pool.clone()),
            run_queue: RunQueue::default(),
            owes_connections: false,
            timers: Timers::default(),
            events: EventQueue::default(),
            window: Window::default(),
            files: FileQueue::default(),
            bandwidth: BandwidthQueue::new(&rate_limits, now),
            rate_limits,
            policies: Policies::new(&config),
            suspension: Suspension::default(),
            random,
            skipped: Duration::ZERO,
            idle: None,
            busy_poll: BusyPoll::Off,
            continued: 0,
            history: PollHistory::default(),
            draft: Draft::default(),
            #[cfg(feature = "cache")]
            users: std::hash::RandomState::new(),
            #[cfg(feature = "cache")]
            revalidations: Revalidations::default(),
            config,
        }
    }

    /// The worker for files.
    #[cfg(any(feature = "outbox", feature = "patch"))]
    pub(crate) fn disk(&mut self) -> Result<crate::transport::disk::Disk, Error> {
        self.files.disk(&mut self.reactor).cloned()
    }

    /// What a transfer is doing.
    fn phase_of(&self, transfer: &Transfer) -> Phase {
        let connection = match transfer.state.response() {
            Some(_) => None,
            None => transfer.connection().and_then(|key| self.pool.get(key)),
        };
        let Some(pooled) = connection else {
            return transfer.state.phase();
        };
        match pooled.connection.phase() {
            Some(phase) => phase,
            // The connection is usable; the request's head is next.
            None if !transfer.state.is_sent()
                && pooled.connection.status() == ConnectionStatus::Connected =>
            {
                Phase::SendHead
            }
            None => transfer.state.phase(),
        }
    }

    /// Closes a connection for good.
    fn close(&mut self, key: ConnectionKey) {
        self.run_queue.forget(key);
        if let Some(mut pooled) = self.pool.remove(key) {
            pooled.connection.close(&mut self.reactor);
        }
    }

    /// Ends [`wait`](Self::wait) and [`sleep`](Self::sleep) from another thread.
    pub(crate) fn wake(&mut self) -> Result<Wake, Error> {
        self.reactor.wake()
    }

    /// Waits until all files are finished, at most for `timeout`. Returns whether they are.
    pub(crate) fn drain_files(&self, timeout: Duration) -> bool {
        self.files.drain(timeout)
    }
}
