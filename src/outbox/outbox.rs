//! [`Outbox`]: takes events, and sends their batches one after the other. What is in the file is in `store`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_core::Serialize;

use super::store::Batch;
use super::worker::{Command, OutboxWork, SharedMailbox, StorePlan, lock};
use super::{BatchFormat, Losses, OutboxLimits, OutboxState};
use crate::agent::{Agent, Event, Priority, Request, RequestHandle, RequestOptions, Response};
use crate::clock::{Instant, system_time};
use crate::error::{DiskFault, Error, ErrorKind, Misuse};
use crate::file_name::has_reserved_name;
use crate::limits::Limit;
use crate::random::SplitMix64;
use crate::semantics::retry::parse_retry_after;
use crate::transport::disk::{Disk, DiskJob};

/// The most bytes of events that wait for the worker. It writes them at once, unless the disk stalls.
const MAX_QUEUED: usize = 4 * 1024 * 1024;

/// A longer pause may be beyond what the clock can tell.
const LONGEST_PAUSE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A queue of events in a file, sent in batches. See the [module](crate::outbox).
///
/// The options are methods that take and return it; set them before the first event is pushed.
#[must_use = "an outbox sends nothing unless it is polled"]
pub struct Outbox {
    pub(super) plan: StorePlan,
    url: String,
    pub(super) options: RequestOptions,
    pub(super) interval: Duration,
    pub(super) backoff: (Duration, Duration),
    mailbox: SharedMailbox,
    disk: Disk,
    job: Option<DiskJob<OutboxWork>>,
    sending: Sending,
    /// When the next batch may be sent, and whether the server asked for that.
    not_before: Option<(Instant, bool)>,
    /// Since when events wait.
    waiting_since: Option<Instant>,
    failures: u32,
    random: SplitMix64,
    is_flushing: bool,
    sent: u64,
    too_large: u64,
    queue_full: u64,
    last_error: Option<Error>,
}

enum Sending {
    Nothing,
    /// The worker prepares a batch.
    Preparing,
    Request {
        handle: RequestHandle,
        last: u64,
        count: usize,
    },
}

impl Outbox {
    /// An outbox in this file, whose events are posted to this URL. Missing folders are made. What an earlier
    /// run left in the file is sent, too. Opening and reading it happens on the agent's worker.
    ///
    /// # Errors
    /// The agent cannot start its worker. On Windows, [`DiskFault::ReservedName`](crate::error::DiskFault::ReservedName).
    pub fn open(
        agent: &mut Agent,
        file: impl Into<PathBuf>,
        url: impl Into<String>,
    ) -> Result<Self, Error> {
        let mut seed = [0; 24];
        // Without random numbers the time tells files apart.
        if getrandom::getrandom(&mut seed).is_err() {
            let since = system_time().duration_since(std::time::UNIX_EPOCH);
            let now = since.map_or(0, |since| since.as_nanos());
            seed[..16].copy_from_slice(&now.to_le_bytes());
        }
        let (id, jitter) = seed.split_at(16);
        let jitter = jitter.try_into().map_or(0, u64::from_le_bytes);
        let file = file.into();
        if has_reserved_name(&file) {
            let fault = ErrorKind::File(DiskFault::ReservedName);
            return Err(Error::new(fault).about_file(&file));
        }
        Ok(Self {
            plan: StorePlan {
                path: std::path::absolute(&file).unwrap_or(file),
                id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
                limits: OutboxLimits::default(),
                format: BatchFormat::default(),
                gzip: false,
            },
            url: url.into(),
            options: RequestOptions::new(),
            interval: Duration::from_secs(10),
            backoff: (Duration::from_secs(1), Duration::from_secs(300)),
            mailbox: SharedMailbox::default(),
            disk: agent.disk()?,
            job: None,
            sending: Sending::Nothing,
            not_before: None,
            waiting_since: None,
            failures: 0,
            random: SplitMix64::new(jitter),
            is_flushing: false,
            sent: 0,
            too_large: 0,
            queue_full: 0,
            last_error: None,
        })
    }

    /// Queues an event. The worker writes it to the file at once; the frame only encodes it as JSON.
    ///
    /// # Errors
    /// [`Misuse::InvalidContent`] if it cannot be encoded; [`Limit::BodyBytes`] if it is larger than
    /// [`OutboxLimits::event_bytes`], or if the disk stalls and 4 MiB wait for it. Such events are lost and
    /// counted.
    pub fn push<T: Serialize + ?Sized>(&mut self, event: &T) -> Result<(), Error> {
        let json = serde_json::to_vec(event)
            .map_err(|error| Error::from(Misuse::InvalidContent).with_source(error))?;
        if json.len() > self.plan.limits.event_bytes {
            self.too_large += 1;
            return Err(ErrorKind::Limit(Limit::BodyBytes(self.plan.limits.event_bytes)).into());
        }
        {
            let mut mailbox = lock(&self.mailbox);
            if mailbox.queued_bytes + json.len() > MAX_QUEUED {
                drop(mailbox);
                self.queue_full += 1;
                return Err(ErrorKind::Limit(Limit::BodyBytes(MAX_QUEUED)).into());
            }
            mailbox.queued_bytes += json.len();
        }
        self.command(Command::Append(json));
        Ok(())
    }

    fn command(&mut self, command: Command) {
        let was_running = {
            let mut mailbox = lock(&self.mailbox);
            mailbox.commands.push_back(command);
            std::mem::replace(&mut mailbox.is_running, true)
        };
        if was_running {
            return;
        }
        let work = OutboxWork::new(self.plan.clone(), self.mailbox.clone());
        match DiskJob::start(&self.disk, work) {
            Ok(job) => self.job = Some(job),
            Err(fault) => {
                let mut mailbox = lock(&self.mailbox);
                mailbox.is_running = false;
                mailbox.fault = Some(fault);
            }
        }
    }

    /// Goes on without waiting: sends a batch that is due, takes the response of the one before. Call it once a
    /// frame, after [`Agent::poll`](crate::Agent::poll), always with the same agent.
    pub fn poll(&mut self, agent: &mut Agent) -> OutboxState {
        agent.gather_claimed();
        let now = agent.now();
        if let Some(fault) = lock(&self.mailbox).fault.take() {
            self.last_error = Some(self.file_error(fault));
        }
        match &self.sending {
            Sending::Nothing => self.begin_if_due(now),
            Sending::Preparing => {}
            Sending::Request {
                handle,
                last,
                count,
            } => {
                let (id, last, count) = (handle.id(), *last, *count);
                while let Some(event) = agent.claimed_event(|it| it == id) {
                    match event {
                        Event::Done { response, .. } => {
                            self.on_response(&response, last, count, now)
                        }
                        Event::Failed {
                            error, response, ..
                        } => {
                            let after = response.as_deref().and_then(retry_after);
                            self.on_failure(error, after, now);
                        }
                        _ => {}
                    }
                }
            }
        }
        if let Sending::Preparing = self.sending {
            let batch = lock(&self.mailbox).batch.take();
            match batch {
                Some(Ok(Some(batch))) => self.send(batch, agent, now),
                Some(Ok(None)) => self.sending = Sending::Nothing,
                Some(Err(fault)) => {
                    let error = self.file_error(fault);
                    self.on_failure(error, None, now);
                }
                None => {}
            }
        }
        self.state()
    }

    fn file_error(&self, fault: crate::error::DiskFault) -> Error {
        Error::new(ErrorKind::File(fault)).about_file(&self.plan.path)
    }

    fn begin_if_due(&mut self, now: Instant) {
        let (state, is_unread) = {
            let mailbox = lock(&self.mailbox);
            (
                mailbox.state,
                mailbox.written == 0 && !mailbox.is_running && self.job.is_none(),
            )
        };
        if is_unread {
            // Reads what an earlier run left.
            self.sending = Sending::Preparing;
            self.command(Command::Batch);
            return;
        }
        if state.waiting == 0 {
            self.waiting_since = None;
            return;
        }
        let since = *self.waiting_since.get_or_insert(now);
        let limits = &self.plan.limits;
        let is_due = self.is_flushing
            || state.has_batch
            || state.waiting >= limits.batch_events
            || state.bytes >= limits.batch_bytes
            || now.saturating_duration_since(since) >= self.interval;
        if is_due && self.not_before.is_none_or(|(at, _)| at <= now) {
            self.sending = Sending::Preparing;
            self.command(Command::Batch);
        }
    }

    fn send(&mut self, batch: Batch, agent: &mut Agent, now: Instant) {
        let content_type = match self.plan.format {
            BatchFormat::JsonArray => "application/json",
            BatchFormat::JsonLines => "application/x-ndjson",
        };
        let mut request = Request::post(self.url.as_str())
            .priority(Priority::Background)
            .total_timeout(Duration::from_secs(30))
            .with_options(self.options.clone())
            .header("Content-Type", content_type)
            .header("Idempotency-Key", &batch.key)
            .body(batch.body);
        if self.plan.gzip {
            request = request.header("Content-Encoding", "gzip");
        }
        match agent.send_claimed(request) {
            Ok(handle) => {
                self.sending = Sending::Request {
                    handle,
                    last: batch.last,
                    count: batch.count,
                };
            }
            Err(error) => self.on_failure(error, None, now),
        }
    }

    fn on_response(&mut self, response: &Response, last: u64, count: usize, now: Instant) {
        let status = response.status().as_u16();
        let is_refused = match status {
            200..=299 => false,
            // The server will not accept this batch at any time.
            400 | 410 | 413 | 414 | 415 | 422 | 431 => true,
            _ => {
                let error = Error::from(ErrorKind::Status(status));
                self.on_failure(error, retry_after(response), now);
                return;
            }
        };
        self.sending = Sending::Nothing;
        self.failures = 0;
        self.not_before = None;
        self.waiting_since = None;
        if is_refused {
            self.last_error = Some(ErrorKind::Status(status).into());
        } else {
            self.sent += count as u64;
        }
        self.command(Command::Settle { last, is_refused });
    }

    fn on_failure(&mut self, error: Error, after: Option<Duration>, now: Instant) {
        self.sending = Sending::Nothing;
        self.last_error = Some(error);
        let (first, longest) = self.backoff;
        let doubled = first.saturating_mul(2_u32.saturating_pow(self.failures.min(31)));
        self.failures = self.failures.saturating_add(1);
        // Half of the time is random, so that all players do not come back at the same moment.
        let half = doubled.min(longest) / 2;
        let random = (self.random.next() >> 32) as u32;
        let delay = half.saturating_add(half.mul_f64(f64::from(random) / f64::from(u32::MAX)));
        let delay = after.map_or(delay, |after| {
            delay.max(after.min(Duration::from_secs(3600)))
        });
        self.not_before = Some((now + delay.min(LONGEST_PAUSE), after.is_some()));
    }

    /// Waits until all events are sent, at most for `deadline`, and then until the file is written. Returns
    /// whether all are sent; the others stay in the file for the next run. A wait after a failure is cut short,
    /// unless the server asked for it. For the end of a program: it blocks, and other requests of the agent go
    /// on meanwhile.
    pub fn flush(&mut self, agent: &mut Agent, deadline: Duration) -> bool {
        let began = Instant::now();
        self.is_flushing = true;
        self.not_before = self.not_before.filter(|(_, is_asked)| *is_asked);
        let is_sent = loop {
            agent.poll();
            self.poll(agent);
            let state = self.state();
            let is_busy = lock(&self.mailbox).is_running;
            if state.waiting == 0 && !state.is_sending && !is_busy {
                break true;
            }
            let left = deadline.saturating_sub(began.elapsed());
            if left.is_zero() {
                break false;
            }
            agent.wait(Some(left.min(Duration::from_millis(5))));
        };
        self.is_flushing = false;
        agent.finish_files(
            deadline
                .saturating_sub(began.elapsed())
                .max(Duration::from_millis(50)),
        );
        is_sent
    }

    /// Numbers of now.
    pub fn state(&self) -> OutboxState {
        let mailbox = lock(&self.mailbox);
        let queued = mailbox
            .commands
            .iter()
            .filter(|command| matches!(command, Command::Append(_)))
            .count();
        let is_settling = mailbox
            .commands
            .iter()
            .any(|command| matches!(command, Command::Settle { .. }));
        OutboxState {
            waiting: mailbox.state.waiting + queued,
            bytes: mailbox.state.bytes,
            written: mailbox.written,
            sent: self.sent,
            is_sending: !matches!(self.sending, Sending::Nothing) || is_settling,
            losses: Losses {
                too_large: self.too_large,
                queue_full: self.queue_full,
                write_failed: mailbox.write_failed,
                ..mailbox.state.losses
            },
        }
    }

    /// Why the last batch was not sent, or the file not written.
    pub fn last_error(&self) -> Option<&Error> {
        self.last_error.as_ref()
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.header("retry-after")?;
    parse_retry_after(value.as_bytes(), system_time())
}

impl Drop for Outbox {
    fn drop(&mut self) {
        // The worker writes what was pushed.
        if let Some(job) = self.job.take() {
            job.detach();
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("file", &self.plan.path)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
