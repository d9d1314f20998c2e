//! One poll: what became ready, what is due, what waits for a connection; each connection in turn, as
//! far as the budget goes.

use std::time::{Duration, Instant};

use super::Engine;
use crate::agent::pool::{ConnectionKey, Service};
use crate::agent::timers::Timer;
use crate::budget::{Budget, BusyPoll, PollAt, Polled};
use crate::connection::Status;
use crate::error::Error;
use crate::transport::meter::{BudgetMeter, RemainingBudget};
use crate::transport::reactor::Key;

/// What driving a transfer came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// Something happened.
    pub(super) moved: bool,
    /// Its last event was told.
    pub(super) is_over: bool,
}

impl Step {
    pub(super) const WAITS: Self = Self {
        moved: false,
        is_over: false,
    };
    pub(super) const MOVED: Self = Self {
        moved: true,
        is_over: false,
    };
    pub(super) const OVER: Self = Self {
        moved: true,
        is_over: true,
    };
}

/// Timers that fire in a poll however little of its budget is left: no deadline may be kept from being
/// judged.
const LEAST_TIMERS: usize = 4;

/// How long a poll looks on for the answers of servers nearby while requests wait for their turn.
const RESPONSE_SPIN_TIME: Duration = Duration::from_micros(500);

/// So many requests that have only just arrived are judged before connections are driven; a flood of them
/// takes what the connections leave.
const ADMITTED_FIRST: usize = 256;

impl Engine {
    /// Goes as far as sockets, files and budget allow.
    pub(crate) fn poll(&mut self, budget: &Budget) -> Polled {
        let now = self.reactor.clock().now();
        let active_now = self.reactor.begin_poll(now);
        let asked = std::mem::take(&mut self.asked);
        self.is_window_full = false;
        let remaining_budget = RemainingBudget::of(budget).less(asked);
        let mut meter =
            BudgetMeter::start(self.reactor.clock(), &remaining_budget).with_free_step();
        let looked = self.reactor.poll_events();
        let changed = self.turn(looked, active_now, &mut meter, budget.busy_poll);
        self.left = (meter.rest(), budget.busy_poll);
        Polled {
            changed,
            next: self.next_poll(active_now, meter.cut()),
        }
    }

    /// Goes on with what the last poll left of its budget when a caller has pulled content that was in
    /// the way of more. So one window serves a download of any speed, and content is touched while it is
    /// warm.
    pub(super) fn go_on(&mut self) {
        let (remaining_budget, busy_poll) = &self.left;
        let busy_poll = *busy_poll;
        let mut meter = BudgetMeter::start(self.reactor.clock(), remaining_budget);
        if !std::mem::take(&mut self.is_window_full) || self.run.is_empty() || meter.exhausted() {
            return;
        }
        let now = self.reactor.clock().now();
        let active_now = self.reactor.begin_poll(now);
        let looked = self.reactor.poll_events();
        self.turn(looked, active_now, &mut meter, busy_poll);
        self.left.0 = meter.rest();
    }

    /// Sleeps until something can be done or `timeout` is over, and does it.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>, budget: &Budget) -> Polled {
        // What can be done without asking the system comes first: then one question is enough.
        let active_now = self.reactor.begin_poll(self.now());
        let mut meter =
            BudgetMeter::start(self.reactor.clock(), &RemainingBudget::of(budget)).with_free_step();
        let changed = self.advance(active_now, &mut meter);
        let next = self.next_poll(active_now, meter.cut());
        match next {
            _ if changed => Polled { changed, next },
            // Nothing is late before the system was asked.
            PollAt::Now => self.poll(budget),
            PollAt::Idle => Polled { changed, next },
            PollAt::At(_) | PollAt::Io => self.sleep(next, timeout, budget),
        }
    }

    /// The second half of [`wait`](Self::wait): `next` is what the poll before this said. Nothing is
    /// looked at before sleeping, so that a wake that came after that poll is not lost.
    pub(crate) fn sleep(
        &mut self,
        next: PollAt,
        timeout: Option<Duration>,
        budget: &Budget,
    ) -> Polled {
        let sleep = next.sleep(self.now(), timeout);
        let looked = self.reactor.wait(sleep);
        // Time slept here was waited for the peer, so all of it counts.
        let active_now = self.reactor.begin_wait(self.now());
        let mut meter = BudgetMeter::start(self.reactor.clock(), &RemainingBudget::of(budget));
        // Whoever sleeps until something comes need not look on for it; but in the middle of content,
        // which is there again before a sleeper has woken.
        let busy_poll = if self.receiving > 0 {
            budget.busy_poll
        } else {
            BusyPoll::Off
        };
        let changed = self.turn(looked, active_now, &mut meter, busy_poll);
        self.left = (meter.rest(), budget.busy_poll);
        Polled {
            changed,
            next: self.next_poll(active_now, meter.cut()),
        }
    }

    fn turn(
        &mut self,
        looked: Result<bool, Error>,
        active_now: Instant,
        meter: &mut BudgetMeter,
        busy_poll: BusyPoll,
    ) -> bool {
        let mut looked = looked;
        let mut changed = false;
        let mut quiet_since = meter.started();
        self.unanswered.clear();
        loop {
            let anything = match looked {
                Ok(anything) => anything,
                Err(error) => {
                    self.fail_everything(&error);
                    return true;
                }
            };
            let progressed = self.advance(active_now, meter);
            changed |= progressed;
            let Some(spin_time) = self.spin_time(busy_poll) else {
                break;
            };
            // A caller whose window is full is waited for, not the peer.
            if meter.exhausted() || self.is_window_full {
                break;
            }
            let now = meter.now();
            if anything || progressed {
                quiet_since = now;
            } else if now.saturating_duration_since(quiet_since) >= spin_time
                || self.reactor.network().is_some()
            {
                for key in self.unanswered.drain(..) {
                    self.pool.note_answer(key, false);
                }
                break;
            }
            looked = self.reactor.poll_events();
        }
        if self.fire_timers(active_now, meter) {
            self.advance(active_now, meter);
            changed = true;
        }
        changed |= self.step_suspension(active_now);
        let (transfers, pool) = (&self.transfers, &self.pool);
        self.timers.prune(|timer| match timer {
            Timer::Connection(key) => pool.get(key).is_some(),
            Timer::Request(id) => transfers.contains_key(&id),
        });
        changed
    }

    /// Takes in who became ready and drives what is listed.
    fn advance(&mut self, active_now: Instant, meter: &mut BudgetMeter) -> bool {
        let mut ready = std::mem::take(&mut self.ready);
        self.reactor.drain_ready(&mut ready);
        for Key(number) in ready.drain(..) {
            self.list(ConnectionKey(number));
        }
        self.ready = ready;
        for index in 0..self.connecting.len() {
            self.list(self.connecting[index]);
        }
        let before = (self.events.len(), self.progressed.len());
        let mut progressed = self.admit_arrivals(ADMITTED_FIRST, meter);
        progressed |= self.attend_files(meter);
        progressed |= self.start_waiting(active_now, meter);
        while let Some(key) = self.run.pop_front() {
            if meter.exhausted() {
                self.run.push_front(key);
                break;
            }
            if let Some(pooled) = self.pool.get_mut(key) {
                pooled.is_listed = false;
                progressed |= self.run_connection(key, active_now, meter);
                if meter.exhausted() {
                    // What the budget cut goes on in the next poll: a socket that stays writable tells
                    // nobody so.
                    self.list(key);
                    if meter.has_deferred() && self.run.back() == Some(&key) {
                        // What needs more than was left has all of the next budget.
                        self.run.rotate_right(1);
                    }
                }
                // A connection that came free serves the next request in the same poll.
                progressed |= self.start_waiting(active_now, meter);
            }
        }
        if !self.arrivals.is_empty() {
            progressed |= self.admit_arrivals(usize::MAX, meter);
            progressed |= self.start_waiting(active_now, meter);
        }
        self.tell_queued();
        progressed || before != (self.events.len(), self.progressed.len())
    }

    /// Drives one connection and what is on it.
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
            Service::Busy(id) => {
                let Some(mut transfer) = self.transfers.remove(&id) else {
                    // Its request is gone, so it goes, too.
                    self.close(key);
                    return true;
                };
                let was_receiving = transfer.is_receiving();
                let step = self.run_transfer(&mut transfer, key, active_now, meter);
                self.note_receiving(was_receiving, !step.is_over && transfer.is_receiving());
                if transfer.connection() == Some(key) {
                    self.arm(key, transfer.upload_due, active_now);
                }
                if !step.is_over {
                    self.transfers.insert(id, transfer);
                }
                step.moved
            }
        }
    }

    /// An idle connection has nothing to say but that it ends.
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

    pub(super) fn note_receiving(&mut self, was: bool, is: bool) {
        match (was, is) {
            (false, true) => self.receiving += 1,
            (true, false) => self.receiving = self.receiving.saturating_sub(1),
            _ => {}
        }
    }

    /// Sets a timer for when the connection wants to be driven. `upload_due`: until then its source is
    /// held back by a rate.
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

    /// Fires what is due, after everything that had arrived was taken. Answers whether anything may
    /// go on now.
    fn fire_timers(&mut self, active_now: Instant, meter: &mut BudgetMeter) -> bool {
        let mut fired = false;
        let mut count = 0;
        while count < LEAST_TIMERS || !meter.exhausted() {
            let Some(timer) = self.timers.next_due(active_now) else {
                break;
            };
            count += 1;
            match timer {
                Timer::Connection(key) => fired |= self.fire_connection(key, active_now, meter),
                Timer::Request(id) => fired |= self.fire_request(id, active_now),
            }
            meter.note_work();
        }
        fired
    }

    fn fire_connection(
        &mut self,
        key: ConnectionKey,
        active_now: Instant,
        meter: &BudgetMeter,
    ) -> bool {
        let Some(pooled) = self.pool.get_mut(key) else {
            return false;
        };
        pooled.armed = None;
        if let Some(expires) = self.pool.expires(key) {
            if expires <= active_now {
                self.close(key);
                return true;
            }
            self.arm_at(key, expires);
            return false;
        }
        let Some(pooled) = self.pool.get_mut(key) else {
            return false;
        };
        let Service::Busy(id) = pooled.service else {
            return false;
        };
        // What the budget left in the kernel may be what the deadline is about; and a request that
        // was paused waits for nobody.
        let is_left = meter.cut() && pooled.connection.is_readable(&mut self.reactor);
        let is_paused = self.transfers.get(&id).is_some_and(|it| it.paused);
        if !is_left && !is_paused {
            pooled
                .connection
                .handle_timeout(&mut self.reactor, active_now);
        }
        if is_paused {
            return false;
        }
        self.list(key);
        if is_left {
            self.arm_at(key, active_now + Duration::from_millis(1));
        }
        true
    }

    fn spin_time(&self, busy_poll: BusyPoll) -> Option<Duration> {
        match busy_poll {
            BusyPoll::Off => None,
            BusyPoll::Content(spin_time) if self.receiving > 0 => Some(spin_time),
            BusyPoll::Content(spin_time) => {
                let is_worth_it = !self.unanswered.is_empty() && self.pool.is_anyone_near_waiting();
                is_worth_it.then_some(RESPONSE_SPIN_TIME.max(spin_time))
            }
            BusyPoll::Exchange(spin_time) => (self.pool.busy() > 0).then_some(spin_time),
        }
    }

    fn next_poll(&self, active_now: Instant, cut: bool) -> PollAt {
        if cut
            || !self.arrivals.is_empty()
            || !self.run.is_empty()
            || !self.events.is_empty()
            || !self.progressed.is_empty()
        {
            return PollAt::Now;
        }
        if self.transfers.is_empty() && self.pool.len() == 0 && self.suspension.until().is_none() {
            // Timers that are left are of nobody.
            return PollAt::Idle;
        }
        let due = self.timers.next_at().into_iter();
        let lookups = self.connecting.iter().filter_map(|key| {
            match self.pool.get(*key)?.connection.poll_at(active_now) {
                PollAt::At(at) => Some(at),
                _ => None,
            }
        });
        let due = due.chain(lookups).min();
        let due = due.map(|at| (at <= active_now, self.reactor.real_time(at)));
        // The system's deadline counts gaps.
        let until = self.suspension.until();
        let until = until.map(|until| (until <= self.now(), until));
        match due.into_iter().chain(until).min_by_key(|(_, at)| *at) {
            Some((true, _)) => PollAt::Now,
            Some((false, at)) => PollAt::At(at),
            None => PollAt::Io,
        }
    }
}
