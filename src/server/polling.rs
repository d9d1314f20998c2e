//! Polling and waiting: which connections have something to do, in which order, and how much of it fits
//! into the budget.

use std::time::Duration;

use super::Server;
use super::connection::{Connection, Context, Turned};
use crate::budget::{Budget, BusyPoll, PollAt, Polled};
use crate::clock::Instant;
use crate::error::Error;
use crate::group::{GroupMember, MachineOf, Sealed};
use crate::transport::meter::BudgetMeter;
use crate::transport::poll_loop::{Machine, PollLoop};
use crate::transport::reactor::{Key, Reactor};

/// The budget of a wait after it wakes up: its caller's loop must continue, however much arrives.
const AWAKE: Duration = Duration::from_millis(10);

/// This many deadlines are checked in each poll, however little of its budget is left, so that none is put off
/// for ever.
const LEAST_EXPIRED: usize = 4;

impl Server {
    /// Continues as far as the sockets and the server's [budget](Self::set_budget) allow: accepts connections,
    /// reads, calls handlers and hooks, writes, and checks deadlines. Call it once a frame.
    ///
    /// # Errors
    /// When the operating system's readiness call fails. The server can be polled again.
    pub fn poll(&mut self) -> Result<Polled, Error> {
        let budget = self.budget.clone();
        self.poll_with(&budget)
    }

    /// [`poll`](Self::poll) with a budget for this call only.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn poll_with(&mut self, budget: &Budget) -> Result<Polled, Error> {
        let poller = self.reactor.poller().clone();
        let now = poller.clock().now();
        PollLoop::new(&poller, &mut [self]).poll(now, budget)
    }

    /// Like [`poll`](Self::poll), with the time and the budget given. The time drives all deadlines, so that a
    /// test can choose it.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn poll_at(&mut self, now: Instant, budget: &Budget) -> Result<Polled, Error> {
        let poller = self.reactor.poller().clone();
        PollLoop::new(&poller, &mut [self]).poll_at(now, budget)
    }

    /// Sleeps until something can be done or `timeout` has passed, then polls for at most about 10 ms. For
    /// loops without frames; a game calls [`poll`](Self::poll).
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Polled, Error> {
        let budget = Budget {
            accepts: None,
            ..Budget::frame(AWAKE)
        };
        let poller = self.reactor.poller().clone();
        PollLoop::new(&poller, &mut [self]).wait(timeout, &budget)
    }

    /// When the next deadline or update is due, in active time.
    fn next_due(&self) -> Option<Instant> {
        let shutdown = self
            .shutdown
            .as_ref()
            .and_then(|shutdown| shutdown.deadline);
        let inspection = self.next_inspection();
        [self.timers.next(), self.accept_again, shutdown, inspection]
            .into_iter()
            .flatten()
            .min()
    }

    /// Queues each connection that had an event or was rung.
    fn collect_ready(&mut self, active_now: Instant) {
        let mut ready = std::mem::take(&mut self.ready);
        self.reactor.drain_ready(&mut ready);
        for Key(slot) in ready.drain(..) {
            self.connections.enqueue(slot);
        }
        self.ready = ready;
        let mut calls = std::mem::take(&mut self.calls);
        self.app.wake_queue.collect(&mut calls);
        for id in calls.drain(..) {
            self.connections.enqueue_id(id);
        }
        self.calls = calls;
        if self.accept_again.is_some_and(|at| at <= active_now) {
            self.accept_again = None;
        }
    }

    /// Gives each connection in the queue one turn, as far as the budget allows. The first that has something
    /// to do gets one in any case: accepting others may have used the budget up.
    fn run_queue(&mut self, active_now: Instant, meter: &mut BudgetMeter) -> bool {
        let (mut moved, mut has_worked) = (false, false);
        let mut held = std::mem::take(&mut self.held);
        for _ in 0..self.connections.waiting() {
            if meter.exhausted() && has_worked {
                break;
            }
            let Some(mut connection) = self.connections.next() else {
                break;
            };
            let mut cx = Context {
                reactor: &mut self.reactor,
                meter,
                app: &mut self.app,
                now: active_now,
                calls: &mut self.calls_left,
            };
            let turned = connection.turn(&mut cx);
            let slot = connection.id.slot;
            self.settle(connection, turned);
            has_worked |= !matches!(turned, Turned::Idle | Turned::OutOfCalls);
            match turned {
                Turned::OutOfCalls => held.push(slot),
                Turned::Idle | Turned::Waits | Turned::Cut | Turned::Over => moved = true,
            }
        }
        // These connections come first when handlers may be called again.
        for slot in held.drain(..).rev() {
            self.connections.enqueue_first(slot);
        }
        self.held = held;
        moved
    }

    /// Puts a connection where it belongs after its turn.
    fn settle(&mut self, mut connection: Box<Connection>, turned: Turned) {
        let slot = connection.id.slot;
        if turned == Turned::Over {
            self.close(connection);
            return;
        }
        self.receiving -= usize::from(connection.is_counted);
        connection.is_counted = connection.is_receiving();
        self.receiving += usize::from(connection.is_counted);
        let deadline = connection.deadline(&self.app);
        self.connections.put_back(connection);
        if turned == Turned::Cut {
            self.connections.enqueue(slot);
        }
        // A deadline that moved to a later time is checked when the old one passes: most never pass.
        match (deadline, self.timers.get(slot)) {
            (Some(at), Some(armed)) if at >= armed => {}
            (Some(at), _) => self.timers.set(slot, Some(at)),
            (None, _) => {}
        }
    }

    /// Closes a connection that was taken out.
    pub(super) fn close(&mut self, connection: Box<Connection>) {
        self.receiving -= usize::from(connection.is_counted);
        let client = connection.client;
        let slot = connection.id.slot;
        self.timers.set(slot, None);
        connection.close(&mut self.reactor);
        self.connections
            .forget(slot, client.peer_addr().ip().to_canonical());
        self.app.hooks.disconnected(&client);
    }

    /// Checks deadlines, after everything else: bytes that arrived in time are never late.
    fn expire(&mut self, active_now: Instant, meter: &mut BudgetMeter) -> bool {
        let mut moved = false;
        let mut count = 0;
        while (count < LEAST_EXPIRED || !meter.exhausted())
            && let Some(slot) = self.timers.pop_due(active_now)
        {
            count += 1;
            meter.note_work();
            let Some(mut connection) = self.connections.take(slot) else {
                continue;
            };
            let deadline = connection.deadline(&self.app);
            if deadline.is_none_or(|at| at > active_now) {
                self.connections.put_back(connection);
                self.timers.set(slot, deadline);
                continue;
            }
            let is_waiting = connection.queued || connection.is_ready(&mut self.reactor);
            if is_waiting && meter.cut() {
                // The budget kept the server from taking the bytes: the client is not late.
                self.connections.put_back(connection);
                self.timers
                    .set(slot, Some(active_now + Duration::from_millis(1)));
                continue;
            }
            moved = true;
            let mut cx = Context {
                reactor: &mut self.reactor,
                meter,
                app: &mut self.app,
                now: active_now,
                calls: &mut self.calls_left,
            };
            let turned = if connection.expire(&mut cx) {
                Turned::Over
            } else {
                connection.turn(&mut cx)
            };
            self.settle(connection, turned);
        }
        moved
    }
}

impl GroupMember for Server {}

impl Sealed for Server {
    fn member(&mut self) -> MachineOf<'_> {
        MachineOf(self)
    }
}

impl Machine for Server {
    fn reactor(&mut self) -> Option<&mut Reactor> {
        Some(&mut self.reactor)
    }

    fn begin_poll(&mut self, budget: &Budget) -> Duration {
        self.app.wall = self.reactor.clock().wall();
        self.accepts_left = budget.accepts.unwrap_or(usize::MAX);
        self.accepts_more = false;
        self.calls_left = budget.handler_calls.unwrap_or(usize::MAX);
        self.history.begin_poll(budget.time);
        Duration::ZERO
    }

    fn advance(&mut self, meter: &mut BudgetMeter) -> bool {
        let began = self.history.begin_turn(|| meter.now());
        let active_now = self.reactor.poll_time();
        self.collect_ready(active_now);
        let accepted = self.accept(active_now, meter);
        let moved = self.run_queue(active_now, meter);
        self.history.end_turn(began, || meter.now());
        moved || accepted
    }

    fn idle_until(&mut self, busy_poll: BusyPoll) -> Option<PollAt> {
        let is_watched = self.shutdown.is_some() || self.history.is_kept();
        if is_watched || self.spin_time(busy_poll).is_some() {
            return None;
        }
        let due = self.next_due();
        if due.is_some_and(|at| at <= self.reactor.poll_time()) {
            return None;
        }
        match self.next_poll() {
            PollAt::Now => None,
            next => Some(next),
        }
    }

    fn has_work(&self) -> bool {
        self.accepts_more || self.calls_left > 0 && self.connections.waiting() > 0
    }

    fn spin_time(&self, busy_poll: BusyPoll) -> Option<Duration> {
        match busy_poll {
            BusyPoll::Off => None,
            _ if self.calls_left == 0 => None,
            BusyPoll::Content(time) => (self.receiving > 0).then_some(time),
            BusyPoll::Exchange(time) => (self.connections.open() > 0).then_some(time),
        }
    }

    fn fire_deadlines(&mut self, meter: &mut BudgetMeter) -> bool {
        let began = self.history.begin_turn(|| meter.now());
        let active_now = self.reactor.poll_time();
        let expired = self.expire(active_now, meter);
        let closed = self.advance_shutdown(active_now);
        self.app.metrics.open = self.connections.open();
        self.history.end_turn(began, || meter.now());
        self.history.end_poll(active_now);
        let updated = self.update_inspection(active_now);
        expired || closed || updated
    }

    fn fail(&mut self, _: &Error) {
        // Its caller gets the error, and may poll again.
    }

    fn next_poll(&mut self) -> PollAt {
        let is_cut = self.connections.waiting() > 0
            || self.app.wake_queue.is_rung()
            || self.can_accept(self.reactor.poll_time());
        if is_cut || !self.app.pulled.is_empty() {
            return PollAt::Now;
        }
        match self.next_due() {
            Some(at) => PollAt::At(self.reactor.real_time(at)),
            None if self.listener.is_none() && self.connections.open() == 0 => PollAt::Idle,
            None => PollAt::Io,
        }
    }

    fn fall_asleep(&mut self) -> bool {
        let reactor = &mut self.reactor;
        self.app.wake_queue.fall_asleep(|| reactor.wake().ok())
    }

    fn wake_up(&mut self) {
        self.app.wake_queue.wake_up();
    }
}
