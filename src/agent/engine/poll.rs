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
        let submit_time = self.submissions.take_submit_time();
        self.events.take_window_full();
        let remaining_budget = RemainingBudget::of(budget).less(submit_time);
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
        if !self.events.take_window_full() || self.run_queue.is_empty() || meter.exhausted() {
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
        let busy_poll = if self.transfers.are_receiving() {
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
        self.run_queue.begin_poll();
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
            if meter.exhausted() || self.events.is_window_full() {
                break;
            }
            let now = meter.now();
            if anything || progressed {
                quiet_since = now;
            } else if now.saturating_duration_since(quiet_since) >= spin_time
                || self.reactor.network().is_some()
            {
                for key in self.run_queue.drain_awaiting_heads() {
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
        changed |= self.step_suspension();
        let (transfers, pool) = (&self.transfers, &self.pool);
        self.timers.prune(|timer| match timer {
            Timer::Connection(key) => pool.get(key).is_some(),
            Timer::Request(id) => transfers.get(id).is_some(),
        });
        changed
    }

    /// Takes in who became ready and drives what is listed.
    fn advance(&mut self, active_now: Instant, meter: &mut BudgetMeter) -> bool {
        self.run_queue.schedule_ready(&mut self.reactor);
        let before = self.events.len();
        let mut progressed = self.admit_submissions(ADMITTED_FIRST, meter);
        progressed |= self.check_files(meter);
        progressed |= self.start_waiting(active_now, meter);
        while !self.run_queue.is_empty() && !meter.exhausted() {
            let Some(key) = self.run_queue.next() else {
                break;
            };
            if self.pool.get(key).is_none() {
                continue;
            }
            progressed |= self.run_connection(key, active_now, meter);
            if meter.exhausted() && self.pool.get(key).is_some() {
                // What the budget cut goes on in the next poll: a socket that stays writable does not
                // become ready again.
                self.run_queue.reschedule(key, meter.has_deferred());
            }
            // A connection that came free serves the next request in the same poll.
            progressed |= self.start_waiting(active_now, meter);
        }
        if !self.submissions.is_empty() {
            progressed |= self.admit_submissions(usize::MAX, meter);
            progressed |= self.start_waiting(active_now, meter);
        }
        self.report_queued();
        progressed || before != self.events.len()
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
                let step = self.with_transfer(id, |engine, transfer| {
                    let step = engine.run_transfer(transfer, key, active_now, meter);
                    if transfer.connection() == Some(key) {
                        engine.arm(key, transfer.rates.upload_due, active_now);
                    }
                    step
                });
                let Some(step) = step else {
                    // Its request is gone, so it goes, too.
                    self.close(key);
                    return true;
                };
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

    fn spin_time(&self, busy_poll: BusyPoll) -> Option<Duration> {
        match busy_poll {
            BusyPoll::Off => None,
            BusyPoll::Content(spin_time) if self.transfers.are_receiving() => Some(spin_time),
            BusyPoll::Content(spin_time) => {
                let is_worth_it =
                    self.run_queue.is_awaiting_heads() && self.pool.is_anyone_near_waiting();
                is_worth_it.then_some(RESPONSE_SPIN_TIME.max(spin_time))
            }
            BusyPoll::Exchange(spin_time) => (self.pool.busy() > 0).then_some(spin_time),
        }
    }

    fn next_poll(&self, active_now: Instant, cut: bool) -> PollAt {
        if cut
            || !self.submissions.is_empty()
            || !self.run_queue.is_empty()
            || !self.events.is_empty()
        {
            return PollAt::Now;
        }
        if self.transfers.is_empty() && self.pool.len() == 0 && self.suspension.until().is_none() {
            // Timers that are left are of nobody.
            return PollAt::Idle;
        }
        let due = self.timers.next_at().into_iter();
        let lookups = self.run_queue.connecting().filter_map(|key| {
            match self.pool.get(key)?.connection.poll_at(active_now) {
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
