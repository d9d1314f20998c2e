//! The loop with machines that only count what is done with them.

use super::*;
use crate::transport::memory::MemoryNetwork;

struct Counter {
    reactor: Reactor,
    /// The system stops the program for this long when a sleep begins.
    stopped: Option<(MemoryNetwork, Duration)>,
    /// What it returns when the loop asks whether it has something to do.
    idle: Option<PollAt>,
    turns: usize,
}

impl Counter {
    fn new(poller: &Poller, idle: Option<PollAt>) -> Self {
        Self {
            reactor: Reactor::new(poller, crate::transport::resolver::Resolver::system()),
            idle,
            stopped: None,
            turns: 0,
        }
    }
}

impl Machine for Counter {
    fn reactor(&mut self) -> Option<&mut Reactor> {
        Some(&mut self.reactor)
    }

    fn begin_poll(&mut self, _: &Budget) -> Duration {
        Duration::from_micros(100)
    }

    fn advance(&mut self, _: &mut BudgetMeter) -> bool {
        self.turns += 1;
        false
    }

    fn idle_until(&mut self, _: BusyPoll) -> Option<PollAt> {
        self.idle
    }

    fn has_work(&self) -> bool {
        false
    }

    fn spin_time(&self, _: BusyPoll) -> Option<Duration> {
        None
    }

    fn fire_deadlines(&mut self, _: &mut BudgetMeter) -> bool {
        false
    }

    fn fail(&mut self, _: &Error) {}

    fn next_poll(&mut self) -> PollAt {
        PollAt::Now
    }

    fn fall_asleep(&mut self) -> bool {
        if let Some((network, stopped)) = self.stopped.take() {
            network.advance(stopped);
        }
        true
    }
}

/// One poll of two machines with a budget of 1 ms. Returns the result, and how many turns both got.
fn poll(one: Option<PollAt>, other: Option<PollAt>, prepare: fn(&mut Counter)) -> (Polled, usize) {
    let network = MemoryNetwork::new();
    let poller = Poller::memory(&network);
    let mut machines = [Counter::new(&poller, one), Counter::new(&poller, other)];
    prepare(&mut machines[1]);
    let [one, other] = &mut machines;
    let budget = Budget::frame(Duration::from_millis(1));
    let polled = PollLoop::new(&poller, &mut [one, other])
        .poll(network.now(), &budget)
        .unwrap();
    let rest = BudgetMeter::start(poller.clock(), &poller.remaining_budget()).rest();
    // Each machine had spent 100 us before the poll.
    let expected = RemainingBudget::of(&Budget::frame(Duration::from_micros(800)));
    assert_eq!(format!("{rest:?}"), format!("{expected:?}"));
    (polled, machines.iter().map(|machine| machine.turns).sum())
}

#[test]
fn machines_with_nothing_to_do_get_no_turns_and_keep_their_budget() {
    let due = PollAt::At(Instant::now());
    let (polled, turns) = poll(Some(PollAt::Io), Some(due), |_| {});
    assert_eq!((polled.changed, polled.next, turns), (false, due, 0));
}

#[test]
fn all_machines_get_a_turn_when_one_has_something_to_do() {
    let idle = Some(PollAt::Io);
    assert_eq!(poll(idle, None, |_| {}).1, 2);
    // Work that the last poll left, and a step that it deferred.
    let cut: fn(&mut Counter) = |machine| machine.reactor.end_turn(true, false);
    assert!(poll(idle, idle, cut).1 >= 2);
    let deferred: fn(&mut Counter) = |machine| machine.reactor.end_turn(false, true);
    assert_eq!(poll(idle, idle, deferred).1, 2);
    // A stream that does not report readiness must be tried.
    let untold: fn(&mut Counter) = |machine| {
        machine.reactor.add_untold();
    };
    assert_eq!(poll(idle, idle, untold).1, 2);
}

#[test]
fn of_a_sleep_in_which_the_system_stopped_the_program_one_second_counts() {
    let second = Duration::from_secs(1);
    for (stopped, counted) in [(Duration::ZERO, 30), (3600 * second, 1)] {
        let network = MemoryNetwork::new();
        let poller = Poller::memory(&network);
        let mut machine = Counter::new(&poller, None);
        machine.stopped = Some((network.clone(), stopped));
        let began = network.now();
        PollLoop::new(&poller, &mut [&mut machine])
            .sleep(PollAt::Io, Some(30 * second), &Budget::default())
            .unwrap();
        assert_eq!(network.now() - began, stopped + 30 * second);
        assert_eq!(machine.reactor.poll_time(), began + counted * second);
    }
}

/// Has work in each turn, or never.
#[derive(Default)]
struct Fake {
    is_busy: bool,
    checks: usize,
}

impl Machine for Fake {
    fn reactor(&mut self) -> Option<&mut Reactor> {
        None
    }

    fn begin_poll(&mut self, _: &Budget) -> Duration {
        Duration::ZERO
    }

    fn advance(&mut self, _: &mut BudgetMeter) -> bool {
        self.is_busy
    }

    fn idle_until(&mut self, _: BusyPoll) -> Option<PollAt> {
        None
    }

    fn has_work(&self) -> bool {
        false
    }

    fn spin_time(&self, _: BusyPoll) -> Option<Duration> {
        None
    }

    fn fire_deadlines(&mut self, _: &mut BudgetMeter) -> bool {
        self.checks += 1;
        false
    }

    fn fail(&mut self, _: &Error) {}

    fn next_poll(&mut self) -> PollAt {
        PollAt::Io
    }
}

#[test]
fn a_machine_that_always_has_work_hides_no_deadline_of_another() {
    let poller = Poller::memory(&MemoryNetwork::new());
    let mut busy = Fake {
        is_busy: true,
        ..Fake::default()
    };
    let mut other = Fake::default();
    for _ in 0..10 {
        let mut machines: [&mut Fake; 2] = [&mut busy, &mut other];
        let mut group = PollLoop::new(&poller, &mut machines);
        assert!(group.wait(None, &Budget::default()).unwrap().changed);
    }
    assert_eq!(other.checks, 10);
}
