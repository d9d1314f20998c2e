//! An agent as a member of a group: it hands its turns on to its engine. One whose engine has a thread of
//! its own only takes over what happened there.

use std::time::Duration;

use super::agent::{Agent, Backend};
use crate::budget::{Budget, BusyPoll, PollAt};
use crate::error::Error;
use crate::group::{GroupMember, MachineOf, Sealed};
use crate::transport::meter::BudgetMeter;
use crate::transport::poll_loop::Machine;
use crate::transport::reactor::Reactor;

impl GroupMember for Agent {}

impl Sealed for Agent {
    fn member(&mut self) -> MachineOf<'_> {
        MachineOf(self)
    }
}

impl Machine for Agent {
    fn reactor(&mut self) -> Option<&mut Reactor> {
        match &mut self.backend {
            Backend::Inline(engine) => engine.reactor(),
            Backend::Threaded(_) => None,
        }
    }

    fn begin_poll(&mut self, budget: &Budget) -> Duration {
        self.cancel_dropped();
        match &mut self.backend {
            Backend::Inline(engine) => engine.begin_poll(budget),
            Backend::Threaded(_) => Duration::ZERO,
        }
    }

    fn advance(&mut self, meter: &mut BudgetMeter) -> bool {
        match &mut self.backend {
            Backend::Inline(engine) => engine.advance(meter),
            Backend::Threaded(thread) => thread.poll(self.unfinished.keys()).changed,
        }
    }

    fn idle_until(&mut self, busy_poll: BusyPoll) -> Option<PollAt> {
        match &mut self.backend {
            Backend::Inline(engine) => engine.idle_until(busy_poll),
            Backend::Threaded(_) => None,
        }
    }

    fn has_work(&self) -> bool {
        match &self.backend {
            Backend::Inline(engine) => engine.has_work(),
            Backend::Threaded(_) => false,
        }
    }

    fn spin_time(&self, busy_poll: BusyPoll) -> Option<Duration> {
        match &self.backend {
            Backend::Inline(engine) => engine.spin_time(busy_poll),
            Backend::Threaded(_) => None,
        }
    }

    fn end_spin(&mut self) {
        if let Backend::Inline(engine) = &mut self.backend {
            engine.end_spin();
        }
    }

    fn fire_deadlines(&mut self, meter: &mut BudgetMeter) -> bool {
        match &mut self.backend {
            Backend::Inline(engine) => engine.fire_deadlines(meter),
            Backend::Threaded(_) => false,
        }
    }

    fn fail(&mut self, error: &Error) {
        if let Backend::Inline(engine) = &mut self.backend {
            engine.fail(error);
        }
    }

    fn next_work(&mut self) -> PollAt {
        match &mut self.backend {
            Backend::Inline(engine) => engine.next_work(),
            Backend::Threaded(_) => self.next_poll(),
        }
    }

    fn next_poll(&mut self) -> PollAt {
        match &mut self.backend {
            Backend::Inline(engine) => engine.next_poll(),
            Backend::Threaded(thread) => match thread.poll(self.unfinished.keys()).next {
                // Kept connections have nothing to report.
                PollAt::Io if self.unfinished.is_empty() => PollAt::Idle,
                next => next,
            },
        }
    }
}
