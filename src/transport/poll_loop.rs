//! The poll loop: it drives a single machine, or a group of machines on one [`Poller`].
//!
//! One poll asks the system once and gives every machine a turn. Then machines with more to do get turns of
//! limited length in rotation, until no work or no budget is left. The poll asks the system again as long
//! as the budget's [`BusyPoll`] requires it. Deadlines are checked last, so that nothing that has already
//! arrived counts as late.
//!
//! No machine has a share reserved in advance, so what one does not use is available to the others. The
//! first turn of each machine always happens, with one free step, so that none starves.

use std::time::Duration;

use crate::budget::{Budget, BusyPoll, PollAt, Polled};
use crate::clock::Instant;
use crate::error::Error;
use crate::transport::meter::{BudgetMeter, RemainingBudget};
use crate::transport::poller::Poller;
use crate::transport::reactor::Reactor;

/// The longest turn of a machine while others wait for theirs. A single step may exceed it.
const TURN: Duration = Duration::from_micros(100);

/// The longest sleep when a machine on another poller, which cannot end it, takes part.
const BLIND_SLEEP: Duration = Duration::from_millis(1);

/// A state machine that the loop drives.
pub(crate) trait Machine {
    /// Its sockets; `None` if it has none on this thread.
    fn reactor(&mut self) -> Option<&mut Reactor>;

    /// A poll begins; its time is the reactor's [`poll_time`](Reactor::poll_time). Returns the time that
    /// was spent for the machine since the last poll.
    fn begin_poll(&mut self, budget: &Budget) -> Duration;

    /// One turn: does what can be done now, until no work is left or the meter is exhausted. Returns
    /// whether anything happened.
    fn advance(&mut self, meter: &mut BudgetMeter) -> bool;

    /// If a turn would do nothing now: when the machine needs the next poll. It is asked only when none of
    /// its sockets became ready. `None` if there is, or may be, something to do.
    fn idle_until(&mut self, busy_poll: BusyPoll) -> Option<PollAt>;

    /// Whether another turn would make progress although nothing else has become ready.
    fn has_work(&self) -> bool;

    /// How long the poll should keep asking the system without an event, if at all.
    fn spin_time(&self, busy_poll: BusyPoll) -> Option<Duration>;

    /// The poll kept asking the system for that long, without an event.
    fn end_spin(&mut self) {}

    /// Checks deadlines, fires timers that are due, and does what follows from them. Returns whether
    /// anything happened.
    fn fire_deadlines(&mut self, meter: &mut BudgetMeter) -> bool;

    /// The system's readiness call failed.
    fn fail(&mut self, error: &Error);

    /// When it needs the next poll.
    fn next_poll(&mut self) -> PollAt;

    /// The same, without what only waits for the caller to take it.
    fn next_work(&mut self) -> PollAt {
        self.next_poll()
    }

    /// A sleep begins; from now on, new events must end it. Returns whether it may begin.
    fn fall_asleep(&mut self) -> bool {
        true
    }

    /// The sleep has ended.
    fn wake_up(&mut self) {}
}

/// What callers pass to the loop: a machine, or something that contains one.
pub(crate) trait AsMachine {
    fn machine(&mut self) -> &mut dyn Machine;
}

impl<T: Machine> AsMachine for T {
    fn machine(&mut self) -> &mut dyn Machine {
        self
    }
}

/// Machines that are polled together.
#[derive(Debug)]
pub(crate) struct PollLoop<'a, 'm, M: ?Sized> {
    poller: &'a Poller,
    machines: &'a mut [&'m mut M],
    /// The index of the machine that gets the first turn.
    first: usize,
}

impl<'a, 'm, M: AsMachine + ?Sized> PollLoop<'a, 'm, M> {
    pub(crate) fn new(poller: &'a Poller, machines: &'a mut [&'m mut M]) -> Self {
        Self {
            poller,
            machines,
            first: 0,
        }
    }

    /// Begins with the machine at this index.
    pub(crate) fn starting_at(self, first: usize) -> Self {
        let first = first % self.machines.len().max(1);
        Self { first, ..self }
    }

    /// One poll at `now`, which is the clock's time, within `budget`.
    pub(crate) fn poll(&mut self, now: Instant, budget: &Budget) -> Result<Polled, Error> {
        self.poll_since(now, now, budget)
    }

    /// One poll at a time that the caller chose. Its budget counts from the clock's time.
    pub(crate) fn poll_at(&mut self, now: Instant, budget: &Budget) -> Result<Polled, Error> {
        let started = self.poller.clock().now();
        self.poll_since(started, now, budget)
    }

    fn poll_since(
        &mut self,
        started: Instant,
        now: Instant,
        budget: &Budget,
    ) -> Result<Polled, Error> {
        let remaining_budget = self.begin(now, budget);
        let events = self.poll_events();
        if let Ok(false) = events
            && let Some(next) = self.idle_until(budget.busy_poll)
        {
            // Most polls end here, so they cost one system call, one reading of the clock and little code.
            self.poller.set_remaining_budget(remaining_budget);
            for machine in self.machines.iter_mut() {
                tell_watcher(machine.machine());
            }
            return Ok(Polled {
                changed: false,
                next,
            });
        }
        let mut meter = BudgetMeter::start_at(started, self.poller.clock(), &remaining_budget);
        self.run(events, &mut meter, budget.busy_poll)
    }

    /// A second poll of the same frame. It does not ask the system if no machine got something to do since its
    /// last turn: what became ready meanwhile is found by the next poll.
    pub(crate) fn poll_again(&mut self, now: Instant, budget: &Budget) -> Result<Polled, Error> {
        let remaining_budget = self.begin(now, budget);
        if !self.has_news(budget.busy_poll) {
            self.poller.set_remaining_budget(remaining_budget);
            return Ok(Polled {
                changed: false,
                next: self.next_poll(),
            });
        }
        let events = self.poll_events();
        let mut meter = BudgetMeter::start(self.poller.clock(), &remaining_budget);
        self.run(events, &mut meter, budget.busy_poll)
    }

    /// Whether a machine has, or may have, something to do, as far as that is known without asking the system. What
    /// happens on a machine's own thread waits for the next poll.
    fn has_news(&mut self, busy_poll: BusyPoll) -> bool {
        self.machines.iter_mut().any(|machine| {
            let machine = machine.machine();
            let Some(reactor) = machine.reactor() else {
                return false;
            };
            // A watcher may have collected events.
            let came = reactor.poller().is(self.poller) && reactor.take_events();
            came || reactor.has_work() || machine.idle_until(busy_poll).is_none()
        })
    }

    /// If no machine has anything to do now: when the first of them needs the next poll.
    #[inline]
    fn idle_until(&mut self, busy_poll: BusyPoll) -> Option<PollAt> {
        let mut next = PollAt::Idle;
        for machine in self.machines.iter_mut() {
            let machine = machine.machine();
            if machine.reactor().is_none_or(|reactor| reactor.has_work()) {
                return None;
            }
            next = next.sooner(machine.idle_until(busy_poll)?);
        }
        Some(next)
    }

    /// Continues with what the last poll left of its budget. `asks`: first asks the system; without that,
    /// only what is known to be ready is continued.
    #[cfg(feature = "agent")]
    pub(crate) fn go_on(&mut self, left: &RemainingBudget, busy_poll: BusyPoll, asks: bool) {
        let now = self.poller.clock().now();
        for machine in self.machines.iter_mut() {
            let machine = machine.machine();
            if let Some(reactor) = machine.reactor() {
                reactor.begin_poll(now);
            }
        }
        let mut meter = BudgetMeter::start_at(now, self.poller.clock(), left);
        let events = if asks { self.poll_events() } else { Ok(false) };
        // The failure was reported to the machines.
        let _ = self.run(events, &mut meter, busy_poll);
    }

    /// Sleeps until something can be done or `timeout` has passed, then does it.
    pub(crate) fn wait(
        &mut self,
        timeout: Option<Duration>,
        budget: &Budget,
    ) -> Result<Polled, Error> {
        // Before the first half, so that the watcher cannot take a wake that is to end the sleep.
        let hold = self.poller.hold_watch();
        if hold.is_some() {
            // What the watcher collected is not reported again. A failure is found again by the sleep.
            let _ = self.take_events();
        }
        // Then asking the system once is enough.
        let began = self.poller.clock().now();
        let polled = self.advance(budget);
        if polled.changed {
            // Without a sleep, but the system is asked: a machine that always has something to do must not
            // hide the sockets and deadlines of the others.
            let took = self.poller.clock().now().saturating_duration_since(began);
            let left = Budget {
                time: budget.time.map(|time| time.saturating_sub(took)),
                ..budget.clone()
            };
            let asked = self.sleep(PollAt::Now, None, &left)?;
            return Ok(Polled {
                changed: true,
                ..asked
            });
        }
        match polled.next {
            PollAt::Idle => Ok(polled),
            // Nothing is late before the system was asked.
            PollAt::Now | PollAt::At(_) | PollAt::Io => self.sleep(polled.next, timeout, budget),
        }
    }

    /// The first half of [`wait`](Self::wait): does what can be done without asking the system.
    pub(crate) fn advance(&mut self, budget: &Budget) -> Polled {
        let now = self.poller.clock().now();
        let remaining_budget = self.begin(now, budget);
        let mut meter = BudgetMeter::start_at(now, self.poller.clock(), &remaining_budget);
        let changed = self.give_turns(&mut meter, true, BusyPoll::Off);
        self.end(changed, &meter)
    }

    /// The second half: `next` is the result of the first half. It does not ask the system before the
    /// sleep, so that a wake in between is not lost.
    pub(crate) fn sleep(
        &mut self,
        next: PollAt,
        timeout: Option<Duration>,
        budget: &Budget,
    ) -> Result<Polled, Error> {
        let began = self.poller.clock().now();
        let mut sleep = next.sleep(began, timeout);
        for machine in self.machines.iter_mut() {
            let machine = machine.machine();
            if !machine.fall_asleep() {
                sleep = Some(Duration::ZERO);
            }
            let is_idle = machine.reactor().is_none() && machine.next_poll() == PollAt::Idle;
            let longest = match machine.reactor() {
                Some(reactor) if reactor.poller().is(self.poller) => reactor.longest_sleep(),
                None if is_idle => None,
                Some(_) | None => Some(BLIND_SLEEP),
            };
            sleep = sleep.into_iter().chain(longest).min();
        }
        let until = sleep.and_then(|sleep| began.checked_add(sleep));
        let slept = self.poller.wait(sleep);
        let now = self.poller.clock().now();
        for machine in self.machines.iter_mut() {
            let machine = machine.machine();
            machine.wake_up();
            if let Some(reactor) = machine.reactor() {
                // This time was spent waiting for the peer, so all of it counts.
                reactor.end_sleep(began, until, now);
            }
            machine.begin_poll(budget);
        }
        let remaining_budget = RemainingBudget::of(budget);
        let mut meter = BudgetMeter::start_at(now, self.poller.clock(), &remaining_budget);
        let events = slept.and_then(|()| self.take_events());
        // Events wake a sleeping thread.
        self.run(events, &mut meter, BusyPoll::Off)
    }

    /// Begins a poll for all machines. Returns what they have not spent of the budget since the last poll.
    #[inline]
    fn begin(&mut self, now: Instant, budget: &Budget) -> RemainingBudget {
        let mut spent = Duration::ZERO;
        for machine in self.machines.iter_mut() {
            let machine = machine.machine();
            if let Some(reactor) = machine.reactor() {
                let is_ours = reactor.poller().is(self.poller);
                let now = if is_ours { now } else { reactor.clock().now() };
                reactor.begin_poll(now);
                if reactor.member().is_watched() {
                    machine.wake_up();
                }
            }
            spent += machine.begin_poll(budget);
        }
        RemainingBudget::of(budget).less(spent)
    }

    /// Collects events without waiting. Returns whether there were any.
    fn poll_events(&mut self) -> Result<bool, Error> {
        self.poller.poll()?;
        self.take_events()
    }

    fn take_events(&mut self) -> Result<bool, Error> {
        let mut anything = false;
        for machine in self.machines.iter_mut() {
            let machine = machine.machine();
            if let Some(reactor) = machine.reactor() {
                if !reactor.poller().is(self.poller) {
                    reactor.poller().poll()?;
                }
                anything |= reactor.take_events();
            }
        }
        Ok(anything)
    }

    fn run(
        &mut self,
        events: Result<bool, Error>,
        meter: &mut BudgetMeter,
        busy_poll: BusyPoll,
    ) -> Result<Polled, Error> {
        let mut events = events;
        let mut changed = false;
        let mut is_first = true;
        let mut quiet_since = meter.started();
        loop {
            let came = match events {
                Ok(came) => came,
                Err(error) => {
                    for machine in self.machines.iter_mut() {
                        let machine = machine.machine();
                        machine.fail(&error);
                    }
                    return Err(error);
                }
            };
            let moved = self.give_turns(meter, is_first, busy_poll);
            is_first = false;
            changed |= moved;
            if meter.is_spent() {
                break;
            }
            if !self.has_work() {
                let Some(spin_time) = self.spin_time(busy_poll) else {
                    break;
                };
                let now = meter.now();
                if came || moved {
                    quiet_since = now;
                } else if now.saturating_duration_since(quiet_since) >= spin_time
                    || self.poller.memory_queue().is_some()
                {
                    for machine in self.machines.iter_mut() {
                        let machine = machine.machine();
                        machine.end_spin();
                    }
                    break;
                }
            }
            // Other machines may have become ready during these turns.
            events = self.poll_events();
        }
        changed |= self.fire_deadlines(meter)?;
        Ok(self.end(changed, meter))
    }

    /// Checks the deadlines of each machine. What one machine does may be what another waits for.
    fn fire_deadlines(&mut self, meter: &mut BudgetMeter) -> Result<bool, Error> {
        let mut has_fired = false;
        for number in 0..self.machines.len() {
            if has_fired {
                self.poll_events()?;
            }
            let machine = self.machines[number].machine();
            // Data that arrived for it, but got no turn any more, is not late.
            let is_cut = machine.reactor().is_some_and(|reactor| reactor.is_cut());
            meter.start_turn(None, true, is_cut);
            has_fired |= machine.fire_deadlines(meter);
            end_turn(machine, meter);
        }
        Ok(has_fired)
    }

    /// Gives a turn to each machine that has something to do; in the first round, to every machine. Returns
    /// whether anything happened.
    fn give_turns(&mut self, meter: &mut BudgetMeter, is_first: bool, busy_poll: BusyPoll) -> bool {
        let count = self.machines.len();
        let turn = (count > 1).then_some(TURN);
        let mut moved = false;
        for number in 0..count {
            let machine = self.machines[(self.first + number) % count].machine();
            if !is_first {
                if meter.is_spent() {
                    break;
                }
                if !wants_turn(machine) && spin_time(machine, busy_poll).is_none() {
                    continue;
                }
            }
            meter.start_turn(turn, is_first, false);
            if let Some(reactor) = machine.reactor() {
                reactor.start_turn();
            }
            moved |= machine.advance(meter);
            end_turn(machine, meter);
        }
        moved
    }

    fn has_work(&mut self) -> bool {
        let mut machines = self.machines.iter_mut();
        machines.any(|machine| wants_turn(machine.machine()))
    }

    fn spin_time(&mut self, busy_poll: BusyPoll) -> Option<Duration> {
        let machines = self.machines.iter_mut();
        machines
            .filter_map(|machine| spin_time(machine.machine(), busy_poll))
            .max()
    }

    fn end(&mut self, changed: bool, meter: &BudgetMeter) -> Polled {
        self.poller.set_remaining_budget(meter.rest());
        Polled {
            changed,
            next: self.next_poll(),
        }
    }

    /// When the first of the machines needs the next poll. Tells their watchers.
    fn next_poll(&mut self) -> PollAt {
        let next = self.machines.iter_mut().map(|it| {
            let machine = it.machine();
            tell_watcher(machine);
            machine.next_poll()
        });
        next.reduce(PollAt::sooner).unwrap_or(PollAt::Idle)
    }
}

/// Whether a machine should have another turn after its first.
fn wants_turn(machine: &mut dyn Machine) -> bool {
    match machine.reactor() {
        Some(reactor) if reactor.is_deferred() => false,
        Some(reactor) if reactor.is_cut() => true,
        Some(_) | None => machine.has_work(),
    }
}

/// How long to keep asking the system for this machine.
fn spin_time(machine: &mut dyn Machine, busy_poll: BusyPoll) -> Option<Duration> {
    match machine.reactor() {
        // In a browser nothing arrives before the poll returns.
        _ if cfg!(target_family = "wasm") => None,
        Some(reactor) if reactor.is_deferred() => None,
        Some(_) | None => machine.spin_time(busy_poll),
    }
}

/// Lets a watcher sleep for the machine until its next poll.
fn tell_watcher(machine: &mut dyn Machine) {
    if !machine.reactor().is_some_and(|it| it.member().is_watched()) {
        return;
    }
    let next = if machine.fall_asleep() {
        machine.next_work()
    } else {
        PollAt::Now
    };
    if let Some(reactor) = machine.reactor() {
        reactor.member().note_next(next, true);
    }
}

fn end_turn(machine: &mut dyn Machine, meter: &BudgetMeter) {
    if let Some(reactor) = machine.reactor() {
        reactor.end_turn(meter.cut(), meter.has_deferred());
    }
}

#[cfg(test)]
mod tests;
