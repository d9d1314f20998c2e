//! One poll: ready connections, due timers and requests that wait for a connection. Each connection has
//! its turn, as far as the budget goes. Also the events that the caller pulls after it, because pulling content
//! makes space for more.

use std::time::Duration;

use super::schedule::Timer;
use super::transfers::{Step, Transfers};
use super::window::Window;
use super::{Engine, Idle};
use crate::agent::event::{Event, Unpulled};
use crate::agent::id::RequestId;
use crate::agent::pool::{ConnectionKey, Service};
use crate::agent::transfer::Transfer;
use crate::budget::{Budget, BusyPoll, PollAt, Polled};
use crate::clock::Instant;
use crate::connection::Status;
use crate::error::Error;
use crate::transport::meter::BudgetMeter;
use crate::transport::poll_loop::{Machine, PollLoop};
use crate::transport::reactor::{Key, Reactor};

/// How long a poll busy-polls for the responses of servers nearby while requests wait for their
/// connections.
const RESPONSE_SPIN_TIME: Duration = Duration::from_micros(500);

/// Of this many continuations after content was pulled, one asks the system, so that a fast download does not
/// hide the other sockets. The others read what is known to be there.
const ASK_EVERY: u8 = 8;

/// At most this many submitted requests are admitted before connections are driven. The rest of a flood
/// gets what the connections leave of the budget.
const ADMITTED_FIRST: usize = 256;

impl Engine {
    /// Does what sockets, files and the budget allow.
    pub(crate) fn poll(&mut self, budget: &Budget) -> Polled {
        let poller = self.reactor.poller().clone();
        let now = self.now();
        let polled = PollLoop::new(&poller, &mut [self]).poll(now, budget);
        polled.unwrap_or_else(|_| self.after_failure())
    }

    /// What a poll comes to whose readiness call failed, which each request has reported.
    fn after_failure(&mut self) -> Polled {
        Polled {
            changed: true,
            next: self.next_poll(),
        }
    }

    /// Continues with what the last poll left of its budget, after the caller has pulled the content that
    /// filled the window. So one window serves a download of any speed, and content is used while it is in
    /// the processor's cache.
    pub(super) fn go_on(&mut self) {
        if !self.window.take_full() || self.run_queue.is_empty() {
            return;
        }
        let poller = self.reactor.poller().clone();
        let left = poller.remaining_budget();
        if !left.is_spent() {
            self.continued = self.continued.wrapping_add(1);
            let asks = self.continued.is_multiple_of(ASK_EVERY);
            let busy_poll = self.busy_poll;
            PollLoop::new(&poller, &mut [self]).go_on(&left, busy_poll, asks);
        }
    }

    /// The next event. Progress is that of now.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        if self.idle.is_some() {
            return None;
        }
        if self.window.is_full() && self.events.has_no_events() {
            self.go_on();
        }
        if let Some(event) = self.events.pop() {
            return Some(event);
        }
        while let Some(id) = self.events.next_progressed() {
            if let Some(event) = self.progress_event(id) {
                return Some(event);
            }
        }
        None
    }

    /// Lets `update` make space in the window; connections that waited for it continue.
    pub(super) fn update_window(
        &mut self,
        update: impl FnOnce(&mut Window, &mut Vec<ConnectionKey>),
    ) {
        let before = self.window.bytes();
        let mut held = Vec::new();
        update(&mut self.window, &mut held);
        for key in held {
            self.run_queue.schedule(key);
        }
        if self.window.bytes() != before {
            self.reactor.pool().keep_spares(self.window.bytes());
        }
    }

    /// The next event of these requests. Events of others stay.
    #[cfg(any(feature = "outbox", feature = "patch"))]
    pub(crate) fn next_event_of(&mut self, wanted: impl Fn(RequestId) -> bool) -> Option<Event> {
        if let Some(event) = self.events.take_of(&wanted) {
            return Some(event);
        }
        while let Some(id) = self.events.next_progressed_of(&wanted) {
            if let Some(event) = self.progress_event(id) {
                return Some(event);
            }
        }
        None
    }

    /// The progress of a request, if it changed since it was reported.
    fn progress_event(&mut self, id: RequestId) -> Option<Event> {
        let phase = self.transfers.get(id).map(|it| self.phase_of(it))?;
        let changed = self.transfers.update(id, |transfer| {
            transfer.delivery.progress_scheduled = false;
            let progress = transfer.progress(phase);
            (transfer.delivery.last_progress.replace(progress) != Some(progress))
                .then_some(progress)
        });
        let progress = changed.flatten()?;
        Some(Event::Progress { id, progress })
    }

    /// The caller pulled content, so more may be delivered.
    pub(super) fn note_pulled(&mut self, id: RequestId, pulled: Unpulled) {
        self.update_window(|window, held| window.note_pulled(id, pulled.bytes, held));
        let connection = self.transfers.update(id, |transfer| {
            transfer.delivery.note_pulled(pulled);
            transfer.state.connection()
        });
        if let Some(key) = connection.flatten() {
            self.run_queue.schedule(key);
        }
    }

    /// Sleeps until something can be done, at most for `timeout`, and does it.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>, budget: &Budget) -> Polled {
        let poller = self.reactor.poller().clone();
        let polled = PollLoop::new(&poller, &mut [self]).wait(timeout, budget);
        polled.unwrap_or_else(|_| self.after_failure())
    }

    /// Does what can be done without asking the system.
    pub(crate) fn go_ahead(&mut self, budget: &Budget) -> Polled {
        let poller = self.reactor.poller().clone();
        PollLoop::new(&poller, &mut [self]).advance(budget)
    }

    /// Sleeps, then goes on; `next` is what [`go_ahead`](Self::go_ahead) returned. A wake in between is
    /// not lost.
    pub(crate) fn sleep(&mut self, next: PollAt, budget: &Budget) -> Polled {
        let poller = self.reactor.poller().clone();
        let polled = PollLoop::new(&poller, &mut [self]).sleep(next, None, budget);
        polled.unwrap_or_else(|_| self.after_failure())
    }

    pub(crate) fn now(&self) -> Instant {
        self.reactor.clock().now()
    }

    pub(super) fn active_time(&self) -> Instant {
        self.reactor.active_time(self.now())
    }

    /// Tells a watcher of work that came between two polls.
    pub(crate) fn tell_watcher(&mut self) {
        if self.reactor.member().is_watched() && self.next_work() == PollAt::Now {
            self.reactor.member().note_next(PollAt::Now, false);
        }
    }

    /// Takes in what became ready and drives the scheduled connections.
    fn drive_all(&mut self, active_now: Instant, meter: &mut BudgetMeter) -> bool {
        self.run_queue.schedule_ready(&mut self.reactor);
        let before = self.events.len();
        let mut progressed = false;
        let mut has_driven = false;
        if self.owes_connections {
            // New requests must not take all time of every turn.
            if self.run_queue.is_empty() {
                progressed = self.start_waiting(active_now, meter);
            }
            has_driven = self.drive_next(active_now, meter, &mut progressed);
        }
        progressed |= self.admit_submissions(ADMITTED_FIRST, meter);
        progressed |= self.check_files(meter);
        progressed |= self.start_waiting(active_now, meter);
        while self.drive_next(active_now, meter, &mut progressed) {
            has_driven = true;
        }
        self.owes_connections =
            !has_driven && (!self.run_queue.is_empty() || self.pool.may_serve_waiting());
        if !self.submissions.is_empty() {
            progressed |= self.admit_submissions(usize::MAX, meter);
            progressed |= self.start_waiting(active_now, meter);
        }
        self.report_queued();
        progressed || before != self.events.len()
    }

    /// Drives the next connection that is scheduled. Returns `false` if no connection is scheduled or the
    /// budget is spent.
    fn drive_next(
        &mut self,
        active_now: Instant,
        meter: &mut BudgetMeter,
        progressed: &mut bool,
    ) -> bool {
        if self.run_queue.is_empty() || meter.exhausted() {
            return false;
        }
        let Some(key) = self.run_queue.next() else {
            return false;
        };
        if self.pool.get(key).is_none() {
            return true;
        }
        *progressed |= self.run_connection(key, active_now, meter);
        if meter.exhausted() && self.pool.get(key).is_some() {
            // The next poll continues here: a socket that stays writable does not become ready again.
            self.run_queue.reschedule(key, meter.has_deferred());
        }
        // A connection that became free serves the next request in the same poll.
        if self.start_waiting(active_now, meter) {
            self.run_queue.hurry(key);
            *progressed = true;
        }
        true
    }

    /// Drives one connection and the transfer that it serves.
    fn run_connection(
        &mut self,
        key: ConnectionKey,
        active_now: Instant,
        meter: &mut BudgetMeter,
    ) -> bool {
        let Some(pooled) = self.pool.get(key) else {
            return false;
        };
        match pooled.service {
            Service::Idle { .. } => self.run_idle(key, active_now, meter),
            Service::Draining { .. } => self.run_draining(key, active_now, meter),
            Service::Busy(id) => {
                let step = self.with_transfer(id, |engine, transfer| {
                    let step = engine.run_transfer(transfer, key, active_now, meter);
                    if transfer.state.connection() == Some(key) {
                        engine.arm(key, transfer.rates.upload_due, active_now);
                    }
                    step
                });
                let Some(step) = step else {
                    // Its request was cancelled.
                    self.close(key);
                    return true;
                };
                step.moved
            }
        }
    }

    /// Sets a timer for when the connection must be driven. `upload_due`: a rate holds its content back
    /// until then.
    pub(super) fn arm(
        &mut self,
        key: ConnectionKey,
        upload_due: Option<Instant>,
        active_now: Instant,
    ) {
        let Some(pooled) = self.pool.get(key) else {
            return;
        };
        if let Some(due) = upload_due
            && pooled.connection.awaits_source()
        {
            self.arm_at(key, due);
            return;
        }
        match pooled.connection.poll_at(active_now) {
            PollAt::At(at) => self.arm_at(key, at),
            _ if pooled.connection.is_due(active_now) => self.arm_at(key, active_now),
            _ => {}
        }
    }

    /// Sets a connection's timer, unless an earlier one is set.
    pub(super) fn arm_at(&mut self, key: ConnectionKey, at: Instant) {
        if let Some(pooled) = self.pool.get_mut(key)
            && pooled.armed.is_none_or(|armed| at < armed)
        {
            pooled.armed = Some(at);
            self.timers.set(at, Timer::Connection(key));
        }
    }

    /// Lets `work` use a transfer and the engine, then puts the transfer back unless it is over. `None`:
    /// there is no such transfer.
    pub(super) fn with_transfer(
        &mut self,
        id: RequestId,
        work: impl FnOnce(&mut Self, &mut Transfer) -> Step,
    ) -> Option<Step> {
        Transfers::with(self, |engine| &mut engine.transfers, id, work)
    }

    /// Whether nothing can be done before something becomes ready or a timer is due.
    fn find_idle(&self, busy_poll: BusyPoll) -> Option<Idle> {
        let is_idle = !self.history.is_kept()
            && self.submissions.is_empty()
            && self.run_queue.is_idle()
            && self.files.is_empty()
            && self.events.has_nothing_to_report()
            && !self.pool.may_serve_waiting()
            && self.suspension.until().is_none()
            && self.spin_time(busy_poll).is_none();
        is_idle.then(|| Idle {
            due: self.timers.next_at(),
            has_ended: self.has_ended(),
        })
    }

    /// Whether no request and no connection is left.
    fn has_ended(&self) -> bool {
        self.transfers.is_empty() && self.pool.len() == 0
    }

    /// Drives an idle connection, which can do nothing but end.
    fn run_idle(
        &mut self,
        key: ConnectionKey,
        active_now: Instant,
        meter: &mut BudgetMeter,
    ) -> bool {
        let Some(pooled) = self.pool.get_mut(key) else {
            return false;
        };
        self.reactor.set_key(Key(key.0));
        pooled
            .connection
            .drive(&mut self.reactor, active_now, meter);
        if pooled.connection.status() == Status::Connected {
            return false;
        }
        self.close(key);
        true
    }
}

impl Machine for Engine {
    fn reactor(&mut self) -> Option<&mut Reactor> {
        Some(&mut self.reactor)
    }

    fn begin_poll(&mut self, budget: &Budget) -> Duration {
        self.catch_up();
        if self.idle.is_some() && self.busy_poll == budget.busy_poll {
            return Duration::ZERO;
        }
        self.idle = None;
        self.events.settle();
        self.window.take_full();
        self.run_queue.begin_poll();
        self.busy_poll = budget.busy_poll;
        self.history.begin_poll(budget.time);
        self.submissions.take_submit_time()
    }

    fn advance(&mut self, meter: &mut BudgetMeter) -> bool {
        self.idle = None;
        let began = self.history.begin_turn(|| meter.now());
        let active_now = self.reactor.poll_time();
        let progressed = self.drive_all(active_now, meter);
        if self.transfers.is_empty() {
            self.update_window(|window, _| window.reset());
        }
        self.history.end_turn(began, || meter.now());
        progressed
    }

    fn idle_until(&mut self, busy_poll: BusyPoll) -> Option<PollAt> {
        if self.idle.is_none() {
            self.idle = self.find_idle(busy_poll);
        }
        debug_assert_eq!(self.idle, self.find_idle(busy_poll), "a change was missed");
        match self.idle? {
            Idle { due: Some(at), .. } if at <= self.reactor.poll_time() => None,
            // The timers that are left belong to nothing.
            Idle {
                has_ended: true, ..
            } => Some(PollAt::Idle),
            Idle { due: Some(at), .. } => Some(PollAt::At(self.reactor.real_time(at))),
            Idle { due: None, .. } => Some(PollAt::Io),
        }
    }

    fn has_work(&self) -> bool {
        // What would be read has no place before the caller has pulled.
        !self.run_queue.is_empty() && !self.window.is_full()
    }

    fn spin_time(&self, busy_poll: BusyPoll) -> Option<Duration> {
        // With a full window the caller is late, not the peer.
        if self.window.is_full() {
            return None;
        }
        match busy_poll {
            BusyPoll::Off => None,
            BusyPoll::Content(time) if self.transfers.are_receiving() => Some(time),
            BusyPoll::Content(time) => {
                // The last responses of a queue are waited for like those before them.
                let is_worth_it = self.run_queue.is_awaiting_prompt_heads()
                    || self.run_queue.is_awaiting_heads() && self.pool.has_waiting_nearby();
                is_worth_it.then_some(RESPONSE_SPIN_TIME.max(time))
            }
            BusyPoll::Exchange(time) => (self.pool.busy() > 0).then_some(time),
        }
    }

    fn end_spin(&mut self) {
        for key in self.run_queue.drain_awaiting_heads() {
            self.pool.note_response(key, false);
        }
    }

    fn fire_deadlines(&mut self, meter: &mut BudgetMeter) -> bool {
        self.idle = None;
        let began = self.history.begin_turn(|| meter.now());
        let active_now = self.reactor.poll_time();
        let fired = self.fire_timers(active_now, meter);
        if fired {
            self.drive_all(active_now, meter);
        }
        let suspended = self.step_suspension();
        let (transfers, pool) = (&self.transfers, &self.pool);
        self.timers.prune(|timer| match timer {
            Timer::Connection(key) => pool.get(key).is_some(),
            Timer::Request(id) => transfers.get(id).is_some(),
        });
        self.history.end_turn(began, || meter.now());
        self.history.end_poll(active_now);
        fired || suspended
    }

    fn fail(&mut self, error: &Error) {
        self.idle = None;
        self.fail_everything(error);
    }

    fn next_poll(&mut self) -> PollAt {
        if self.events.is_empty() {
            self.next_work()
        } else {
            PollAt::Now
        }
    }

    fn next_work(&mut self) -> PollAt {
        let active_now = self.reactor.poll_time();
        if self.reactor.is_cut() || !self.submissions.is_empty() || !self.run_queue.is_empty() {
            return PollAt::Now;
        }
        if self.has_ended() && self.suspension.until().is_none() {
            // The timers that are left belong to nothing.
            return PollAt::Idle;
        }
        let due = self.timers.next_at().into_iter();
        let lookups = self.run_queue.awaiting_threads().filter_map(|key| {
            match self.pool.get(key)?.connection.poll_at(active_now) {
                PollAt::At(at) => Some(at),
                _ => None,
            }
        });
        let due = due.chain(lookups).min();
        let due = due.map(|at| (at <= active_now, self.reactor.real_time(at)));
        // The operating system's deadline does not stop during gaps.
        let until = self.suspension.until();
        let until = until.map(|until| (until <= self.now(), until));
        match due.into_iter().chain(until).min_by_key(|(_, at)| *at) {
            Some((true, _)) => PollAt::Now,
            Some((false, at)) => PollAt::At(at),
            None => PollAt::Io,
        }
    }
}

#[cfg(test)]
mod tests;
