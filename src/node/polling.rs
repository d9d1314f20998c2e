//! Polling, waiting and reading content: the methods of [`HttpClient`] that move bytes, and their budget.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::HttpClient;
use crate::budget::{Budget, BusyPoll, PollAt, Polled};
use crate::clock::Instant;
use crate::connection::{Expects, Status};
use crate::error::{Error, Misuse};
use crate::group::{GroupMember, MachineOf, Sealed};
use crate::transport::meter::{BudgetMeter, RemainingBudget};
use crate::transport::poll_loop::{Machine, PollLoop};
use crate::transport::reactor::Reactor;

impl HttpClient {
    /// Does what the sockets and the client's [budget](Self::set_budget) allow (Godot's `poll`). Call it
    /// once per frame.
    ///
    /// Unlike Godot's, one poll may take many steps: a whole handshake or exchange, if the peer is fast.
    /// [`next_transition`](Self::next_transition) returns the status changes in between. In [blocking
    /// mode](Self::set_blocking_mode) the call waits until something happens, except in
    /// [`Status::Connected`], where the caller has to take the next step.
    ///
    /// # Errors
    /// [`Misuse::NotConnected`] in [`Status::Disconnected`]. In the four error statuses, the error that
    /// caused them.
    pub fn poll(&mut self) -> Result<Polled, Error> {
        if self.blocking_mode && self.get_status() != Status::Connected {
            return self.wait(None);
        }
        self.check_active()?;
        let budget = self.budget.clone();
        let poller = self.reactor.poller().clone();
        let now = poller.clock().now();
        let polled = PollLoop::new(&poller, &mut [self]).poll(now, &budget);
        self.polled(polled)
    }

    /// Polls at this time and within this budget. Deadlines are judged by `now`, so that a test can choose
    /// the time. The budget also pays for reads until the next poll. Godot has no counterpart.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn poll_at(&mut self, now: Instant, budget: &Budget) -> Result<Polled, Error> {
        self.check_active()?;
        let poller = self.reactor.poller().clone();
        let polled = PollLoop::new(&poller, &mut [self]).poll_at(now, budget);
        self.polled(polled)
    }

    /// Sleeps until something can be done or `timeout` has passed, then polls without a budget. It never
    /// busy-polls. It is meant for loops without frames; a game calls [`poll`](Self::poll). Godot has no
    /// counterpart.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Polled, Error> {
        self.check_active()?;
        let poller = self.reactor.poller().clone();
        let polled = PollLoop::new(&poller, &mut [self]).wait(timeout, &Budget::unlimited());
        self.polled(polled)
    }

    /// Notes when the response ended.
    fn note_end(&mut self) {
        let under_way = matches!(self.get_status(), Status::Requesting | Status::Body);
        if self.asked_at.is_some() && self.ended_at.is_none() && !under_way {
            self.ended_at = Some(self.reactor.clock().now());
        }
    }

    fn check_active(&self) -> Result<(), Error> {
        match self.connection.error() {
            Some(error) => Err(error.clone().reported_before()),
            None if self.get_status() == Status::Disconnected => Err(Misuse::NotConnected.into()),
            None => Ok(()),
        }
    }

    /// The result of a poll. The connection's own error comes first.
    fn polled(&mut self, polled: Result<Polled, Error>) -> Result<Polled, Error> {
        self.note_end();
        match self.connection.error() {
            Some(error) => Err(error.clone()),
            None => polled,
        }
    }

    /// Returns the next piece of response content, at most [`read_chunk_size`](Self::get_read_chunk_size)
    /// bytes (Godot's `read_response_body_chunk`). Allowed only in [`Status::Body`].
    ///
    /// An empty chunk means that nothing is available now, or that the content has ended. When it has
    /// ended, the status becomes [`Status::Connected`] if the connection can serve another request, and
    /// [`Status::Disconnected`] if it cannot.
    ///
    /// As in Godot, the call reads from the socket when nothing is buffered, within what the last poll left
    /// of its budget. In [blocking mode](Self::set_blocking_mode) it waits until the chunk is full or the
    /// content has ended. These chunks are not those of the chunked transfer coding.
    ///
    /// # Errors
    /// [`Misuse::WrongStatus`] outside [`Status::Body`].
    /// [`ErrorKind::Truncated`](crate::ErrorKind::Truncated) when the connection ended too early; the call
    /// returns everything that arrived before it reports this. After a failure the status is
    /// [`Status::ConnectionError`], and the response stays readable.
    pub fn read_response_body_chunk(&mut self) -> Result<Bytes, Error> {
        if self.blocking_mode {
            let chunk = self.read_chunk_blocking();
            self.note_end();
            return chunk;
        }
        let active_now = self.reactor.begin_poll(self.reactor.clock().now());
        let remaining_budget = self.reactor.poller().remaining_budget();
        let mut meter = BudgetMeter::start(self.reactor.clock(), &remaining_budget);
        let chunk = self.read_chunk(active_now, &mut meter, self.budget.busy_poll);
        self.reactor.poller().set_remaining_budget(meter.rest());
        self.note_end();
        chunk
    }

    fn read_chunk(
        &mut self,
        active_now: Instant,
        meter: &mut BudgetMeter,
        busy_poll: BusyPoll,
    ) -> Result<Bytes, Error> {
        let mut quiet_since = meter.started();
        loop {
            let chunk = self.connection.read_content(
                &mut self.reactor,
                active_now,
                meter,
                self.read_chunk_size,
            )?;
            if !chunk.is_empty() || self.get_status() != Status::Body || meter.exhausted() {
                return Ok(chunk);
            }
            let spin_time = self.spin_time(busy_poll);
            let Some(spin_time) = spin_time.filter(|_| !cfg!(target_family = "wasm")) else {
                return Ok(chunk);
            };
            let now = meter.now();
            if self.reactor.poll_events()? {
                quiet_since = now;
            } else if now.saturating_duration_since(quiet_since) >= spin_time
                || self.reactor.network().is_some()
            {
                return Ok(chunk);
            }
        }
    }

    fn read_chunk_blocking(&mut self) -> Result<Bytes, Error> {
        let mut gathered = BytesMut::new();
        loop {
            let active_now = self.reactor.begin_poll(self.reactor.clock().now());
            let mut meter = BudgetMeter::start(self.reactor.clock(), &RemainingBudget::unlimited());
            let most = self.read_chunk_size - gathered.len();
            let chunk =
                self.connection
                    .read_content(&mut self.reactor, active_now, &mut meter, most)?;
            let whole = chunk.len() == most;
            if gathered.is_empty() && (whole || self.get_status() != Status::Body) {
                return Ok(chunk);
            }
            gathered.extend_from_slice(&chunk);
            if whole || self.get_status() != Status::Body {
                return Ok(gathered.freeze());
            }
            if chunk.is_empty() {
                match self.wait(None) {
                    Ok(_) => {}
                    // The caller gets what arrived before the failure; the next call reports it.
                    Err(_) if !gathered.is_empty() => return Ok(gathered.freeze()),
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

impl GroupMember for HttpClient {}

impl Sealed for HttpClient {
    fn member(&mut self) -> MachineOf<'_> {
        MachineOf(self)
    }
}

impl Machine for HttpClient {
    fn reactor(&mut self) -> Option<&mut Reactor> {
        Some(&mut self.reactor)
    }

    fn begin_poll(&mut self, _: &Budget) -> Duration {
        Duration::ZERO
    }

    fn advance(&mut self, meter: &mut BudgetMeter) -> bool {
        let active_now = self.reactor.poll_time();
        self.connection.drive(&mut self.reactor, active_now, meter)
    }

    fn idle_until(&mut self, busy_poll: BusyPoll) -> Option<PollAt> {
        if !self.connection.waits_for_peer(&mut self.reactor) || self.spin_time(busy_poll).is_some()
        {
            return None;
        }
        match self.next_poll() {
            PollAt::Now => None,
            next => Some(next),
        }
    }

    fn has_work(&self) -> bool {
        false
    }

    fn spin_time(&self, busy_poll: BusyPoll) -> Option<Duration> {
        match (busy_poll, self.connection.expects()) {
            (BusyPoll::Off, _)
            | (_, Expects::Nothing)
            | (BusyPoll::Content(_), Expects::Answer) => None,
            (BusyPoll::Content(time), Expects::Content)
            | (BusyPoll::Exchange(time), Expects::Content | Expects::Answer) => Some(time),
        }
    }

    fn fire_deadlines(&mut self, meter: &mut BudgetMeter) -> bool {
        let active_now = self.reactor.poll_time();
        // When the budget was spent, bytes may be left in the kernel that meet the deadline.
        let is_left = meter.cut() && self.connection.is_readable(&mut self.reactor);
        let (connection, reactor) = (&mut self.connection, &mut self.reactor);
        if is_left || !connection.handle_timeout(reactor, active_now) {
            return false;
        }
        connection.drive(reactor, active_now, meter);
        true
    }

    fn fail(&mut self, error: &Error) {
        self.connection
            .fail_system(&mut self.reactor, error.clone());
    }

    fn next_poll(&mut self) -> PollAt {
        self.note_end();
        match self.connection.poll_at(self.reactor.poll_time()) {
            PollAt::Io | PollAt::At(_) if self.reactor.is_cut() => PollAt::Now,
            PollAt::At(at) => PollAt::At(self.reactor.real_time(at)),
            other => other,
        }
    }
}
