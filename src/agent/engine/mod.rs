//! The machine behind an [`Agent`](super::Agent): transfers, the pool, timers and one reactor.
//!
//! | file | holds |
//! |---|---|
//! | `arriving` | requests that no poll has judged yet |
//! | `caching` | the cache, asked and told |
//! | `commands` | what the owner asks for: start, cancel, pause |
//! | `hops` | the way of a transfer to a connection, and the request that is sent |
//! | `driving` | one poll: ready connections in turn, timers, busy polling |
//! | `receiving` | heads and content |
//! | `recording` | exchanges, for a replay |
//! | `ending` | how a hop and a transfer end: next hop, again, done, failed |
//! | `policies` | cookies, credentials, secure hosts, broken origins |
//! | `files` | transfers that wait for the disk |
//! | `sharing` | whose turn it is when bandwidth is short |
//! | `suspending` | closing down for a while |

mod bandwidth;
#[cfg(feature = "cache")]
mod caching;
mod commands;
mod completion;
mod content;
mod decide;
mod dispatch;
mod event_queue;
mod files;
mod policies;
mod poll;
mod recording;
mod response;
mod run_queue;
mod step;
mod submissions;
mod suspension;
mod timeouts;
mod transfers;
#[cfg(feature = "websocket")]
mod web_sockets;

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config::Config;
use super::event::Event;
use super::id::RequestId;
use super::pool::{ConnectionKey, Pool};
use super::request_head::Draft;
use super::timers::Timers;
use super::transfer::Transfer;
use crate::budget::BusyPoll;
use crate::error::{Error, ErrorKind, NetworkFault};
use crate::phase::Phase;
use crate::random::SplitMix64;
use crate::semantics::circuit::{Circuits, FailOver};
use crate::transport::disk::Disk;
use crate::transport::meter::RemainingBudget;
use crate::transport::reactor::Reactor;
use crate::transport::throttle::Throttle;
use crate::transport::wake::Wake;

use bandwidth::Sharing;
pub(crate) use bandwidth::Ticket;
#[cfg(feature = "cache")]
pub(crate) use caching::Caching;
pub(crate) use commands::Command;
use event_queue::EventQueue;
use policies::ProtectionSpace;
use run_queue::RunQueue;
use step::Step;
use submissions::Arrivals;
use suspension::Suspension;
use transfers::Transfers;

/// What is put off for longer is put off for a year: no clock overflows.
const LONGEST_DELAY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What passes between two requests is part of asking while it is less: a loop makes the next one.
const BETWEEN_REQUESTS: Duration = Duration::from_micros(5);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Engine {
    reactor: Reactor,
    config: Arc<Config>,
    pool: Pool,
    arrivals: Arrivals,
    transfers: Transfers,
    timers: Timers,
    events: EventQueue,
    run_queue: RunQueue,
    /// Transfers that wait for the disk.
    watched_files: Vec<RequestId>,
    /// The rate of all, each way.
    throttle: Throttle,
    upload_throttle: Throttle,
    sharing: Sharing,
    disk: Option<Disk>,
    circuits: Option<Circuits>,
    spaces: Vec<ProtectionSpace>,
    fail_overs: Vec<FailOver>,
    suspension: Suspension,
    /// What the latest poll left of its budget, and how it lingered.
    left: (RemainingBudget, BusyPoll),
    /// What was spent on asking since the latest poll; the next one has so much less.
    asked: Duration,
    /// When it was asked for something last.
    asked_last: Option<Instant>,
    random: Random,
    /// Memory for the heads of requests.
    draft: Draft,
    /// Tells users apart for the cache.
    #[cfg(feature = "cache")]
    users: std::hash::RandomState,
}

impl Engine {
    pub(crate) fn new(reactor: Reactor, config: Arc<Config>) -> Self {
        let now = reactor.clock().now();
        let random = match reactor.memory_number() {
            Some(number) => Random::repeatable(number),
            None => Random::system(),
        };
        let mut throttle = Throttle::unlimited();
        throttle.set_rate(config.rate_limit.and_then(NonZeroU64::new), now);
        Self {
            pool: Pool::new(config.pool.clone()),
            circuits: config.circuit.clone().map(Circuits::new),
            upload_throttle: throttle.clone(),
            throttle,
            sharing: Sharing::default(),
            reactor,
            config,
            arrivals: Arrivals::default(),
            transfers: Transfers::default(),
            timers: Timers::default(),
            events: EventQueue::default(),
            run_queue: RunQueue::default(),
            watched_files: Vec::new(),
            disk: None,
            spaces: Vec::new(),
            fail_overs: Vec::new(),
            suspension: Suspension::default(),
            left: (RemainingBudget::nothing(), BusyPoll::Off),
            asked: Duration::ZERO,
            asked_last: None,
            random,
            draft: Draft::default(),
            #[cfg(feature = "cache")]
            users: std::hash::RandomState::new(),
        }
    }

    /// The next event. Progress is that of now.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        if self.events.has_no_events() && self.events.is_window_full() {
            self.go_on();
        }
        if let Some(event) = self.events.pop() {
            return Some(event);
        }
        while let Some(id) = self.events.next_progressed() {
            let Some(phase) = self.transfers.get(id).map(|it| self.phase_of(it)) else {
                continue;
            };
            let changed = self.transfers.update(id, |transfer| {
                transfer.progress_scheduled = false;
                let progress = transfer.progress(phase);
                (transfer.last_progress.replace(progress) != Some(progress)).then_some(progress)
            });
            if let Some(progress) = changed.flatten() {
                return Some(Event::Progress { id, progress });
            }
        }
        None
    }

    /// Lets `work` use a transfer and the engine, then puts the transfer back unless it is over. `None`:
    /// there is no such transfer.
    fn with_transfer(
        &mut self,
        id: RequestId,
        work: impl FnOnce(&mut Self, &mut Transfer) -> Step,
    ) -> Option<Step> {
        Transfers::with(self, |engine| &mut engine.transfers, id, work)
    }

    /// What a transfer is doing.
    fn phase_of(&self, transfer: &Transfer) -> Phase {
        let connection = match transfer.answer {
            Some(_) => None,
            None => transfer.connection().and_then(|key| self.pool.get(key)),
        };
        connection
            .and_then(|pooled| pooled.connection.phase())
            .unwrap_or_else(|| transfer.phase())
    }

    /// The caller pulled content, so more may be delivered.
    fn note_pulled(&mut self, id: RequestId, count: usize) {
        let connection = self.transfers.update(id, |transfer| {
            transfer.unread_bytes = transfer.unread_bytes.saturating_sub(count);
            transfer.connection()
        });
        if let Some(key) = connection.flatten() {
            self.run_queue.schedule(key);
        }
    }

    fn note_progress(&mut self, transfer: &mut Transfer) {
        self.events
            .schedule_progress(transfer.id, &mut transfer.progress_scheduled);
    }

    fn watch_file(&mut self, id: RequestId) {
        if !self.watched_files.contains(&id) {
            self.watched_files.push(id);
        }
    }

    /// Notes time that was spent on asking, with what the caller took to make this request when it asks
    /// for one after another.
    pub(crate) fn note_asked(&mut self, since: Instant) {
        let now = self.now();
        let before = self.asked_last.replace(now).filter(|before| {
            !self.asked.is_zero() && since.saturating_duration_since(*before) < BETWEEN_REQUESTS
        });
        self.asked += now.saturating_duration_since(before.unwrap_or(since));
    }

    pub(crate) fn now(&self) -> Instant {
        self.reactor.clock().now()
    }

    fn active_time(&self) -> Instant {
        self.reactor.active_time(self.now())
    }

    /// Closes a connection for good.
    fn close(&mut self, key: ConnectionKey) {
        self.run_queue.forget(key);
        if let Some(mut pooled) = self.pool.remove(key) {
            pooled.connection.close(&mut self.reactor);
        }
    }

    /// The worker for files; it starts with the first of them.
    fn disk(&mut self) -> Result<&Disk, Error> {
        if self.disk.is_none() {
            let disk = if self.reactor.network().is_some() {
                Disk::inline()
            } else {
                Disk::new(self.reactor.wake()?)
            };
            return Ok(self.disk.insert(disk));
        }
        self.disk
            .as_ref()
            .ok_or_else(|| ErrorKind::Network(NetworkFault::System).into())
    }

    /// What ends [`wait`](Self::wait) and [`sleep`](Self::sleep) from another thread.
    pub(crate) fn wake(&mut self) -> Result<Wake, Error> {
        self.reactor.wake()
    }

    /// Waits until all files are done with, at most for `timeout`. Answers whether they are.
    pub(crate) fn drain_files(&self, timeout: Duration) -> bool {
        self.disk.as_ref().is_none_or(|disk| disk.drain(timeout))
    }
}

/// Random numbers for jitter and keys: those of the operating system; on an in-memory network those
/// of a sequence that is the same in each run, as everything there is.
#[derive(Debug)]
pub(crate) struct Random {
    numbers: SplitMix64,
    is_repeatable: bool,
}

impl Random {
    fn system() -> Self {
        let mut seed = [0; 8];
        // Jitter that others have, too, is still jitter.
        let _ = getrandom::getrandom(&mut seed);
        Self {
            numbers: SplitMix64::new(u64::from_ne_bytes(seed)),
            is_repeatable: false,
        }
    }

    fn repeatable(seed: u64) -> Self {
        Self {
            numbers: SplitMix64::new(seed),
            is_repeatable: true,
        }
    }

    /// For jitter only.
    fn next(&mut self) -> u64 {
        self.numbers.next()
    }

    /// Bytes that nobody can guess, for keys; on an in-memory network there is nobody to guess.
    fn bytes(&mut self) -> Result<[u8; 16], Error> {
        let mut bytes = [0; 16];
        if self.is_repeatable {
            let numbers = [self.next(), self.next()];
            for (slot, byte) in bytes
                .iter_mut()
                .zip(numbers.into_iter().flat_map(u64::to_le_bytes))
            {
                *slot = byte;
            }
            return Ok(bytes);
        }
        getrandom::getrandom(&mut bytes).map_err(|error| {
            Error::new(ErrorKind::Network(NetworkFault::System)).with_source(error)
        })?;
        Ok(bytes)
    }
}
