//! One run: the network and its faults, frames in any order, and the end, at which all must be over.

use std::time::Duration;

use httpoll::memory::{Break, ConnectionFault, Direction, MemoryNetwork};
use httpoll::{Budget, PollAt, budget::BusyPoll};

use super::client_driver::ClientDriver;
use super::event_log::EventLog;
use super::node::Node;
use super::test_server::{TestServer, address};
use crate::seeded::Random;

/// Frames in which requests are sent, and the player interferes.
const ACTS: usize = 80;

/// More turns than any run needs to come to rest.
const MOST_TURNS: usize = 20_000;

/// More turns than can have something to do while the clock stands still.
const MOST_AT_ONCE: usize = 3000;

struct World {
    random: Random,
    network: MemoryNetwork,
    log: EventLog,
    test_server: TestServer,
    client: ClientDriver,
    nodes: Vec<Node>,
    is_calm: bool,
    requests: usize,
}

/// One run. Returns everything that client and server reported.
pub(crate) fn run(seed: u64) -> Vec<String> {
    let mut random = Random::new(seed);
    let is_calm = random.one_in(3);
    let network = MemoryNetwork::new();
    let log = EventLog::default();
    let delay = Duration::from_millis(random.of(&[0, 0, 200]));
    network.add_slow_name("a.example", &[address().ip()], delay);
    network.set_capacity(500 + random.below(50_000));
    if random.one_in(2) {
        network.shuffle_readiness(seed);
    }
    if seed.is_multiple_of(3) {
        network.imitate_windows();
    }
    if !is_calm && !random.one_in(4) {
        break_down(&network, random.branch());
    }
    let test_server = TestServer::open(&network, &log, random.branch(), is_calm);
    let client = ClientDriver::new(&network, &log, random.branch(), is_calm, seed);
    let nodes = (0..random.below(3))
        .map(|number| Node::new(&network, &log, random.branch(), is_calm, number))
        .collect();
    let mut world = World {
        random,
        network,
        log,
        test_server,
        client,
        nodes,
        is_calm,
        requests: 100,
    };
    world.play();
    if world.random.one_in(8) {
        world.client.quit();
    }
    world.settle();
    world.rest()
}

/// Lets some connections be refused, reset or fall silent.
fn break_down(network: &MemoryNetwork, mut random: Random) {
    let rate = random.of(&[2, 4, 10]);
    network.set_connection_faults(move |_, _| {
        if !random.one_in(rate) {
            return None;
        }
        if random.one_in(5) {
            return Some(ConnectionFault::Refused);
        }
        let most = random.of(&[10, 500, 500, 5000, 50_000]);
        Some(ConnectionFault::BreakAfter {
            direction: random.of(&[Direction::ToServer, Direction::ToClient]),
            bytes: random.below(most) as u64,
            how: random.of(&[Break::Reset, Break::Reset, Break::Silence]),
        })
    });
}

impl World {
    fn play(&mut self) {
        for _ in 0..1 + self.random.below(4) {
            self.send();
        }
        for _ in 0..ACTS {
            if self.random.one_in(10) {
                self.send();
            }
            if self.random.one_in(6) {
                self.client.act();
            }
            if !self.is_calm && self.random.one_in(60) {
                self.test_server.restart();
            }
            self.frame();
        }
    }

    fn send(&mut self) {
        self.requests += 1;
        self.client.send(self.requests);
    }

    /// One frame: some of client, server and nodes, in any order, and time.
    fn frame(&mut self) {
        self.weather();
        let first = self.random.below(3);
        for at in 0..3 {
            if self.random.one_in(6) {
                continue;
            }
            let budget = self.budget();
            match (first + at) % 3 {
                0 => drop(self.test_server.frame(&budget, false)),
                1 => drop(self.client.frame(&budget, false)),
                _ => {
                    for node in &mut self.nodes {
                        node.frame(&budget, false);
                    }
                }
            }
        }
        let pause = match self.random.below(60) {
            0 => 90_000,
            1 => 2000,
            _ => self.random.below(40),
        };
        self.network.advance(Duration::from_millis(pause as u64));
    }

    /// Changes the network.
    fn weather(&mut self) {
        if self.random.one_in(3) {
            let latency = self.random.below(25) as u64;
            self.network.set_latency(Duration::from_millis(latency));
            let most = 1 + self.random.below(4000);
            let limit = self.random.one_in(2).then_some(most);
            self.network.set_transfer_limit(limit);
        }
    }

    fn budget(&mut self) -> Budget {
        let time = Duration::from_micros(20);
        let busy_poll = self.random.of(&[
            BusyPoll::Off,
            BusyPoll::Content(time),
            BusyPoll::Exchange(time),
        ]);
        let most = self.random.of(&[50, 2000, 100_000, usize::MAX >> 1]);
        let budget = match self.random.below(5) {
            0 => Budget::frame(Duration::ZERO),
            _ => Budget::unlimited(),
        };
        let budget = budget
            .with_bytes(1 + self.random.below(most) as u64)
            .with_busy_poll(busy_poll);
        match self.random.below(4) {
            0 => budget.with_accepts(1).with_handler_calls(1),
            _ => budget,
        }
    }

    /// Polls everything once. Returns when the next turn is due.
    fn turn(&mut self) -> PollAt {
        let budget = Budget::unlimited();
        let mut next = earlier(
            self.test_server.frame(&budget, true),
            self.client.frame(&budget, true),
        );
        for node in &mut self.nodes {
            next = earlier(next, node.frame(&budget, true));
        }
        next
    }

    /// Runs everything to its end. The clock moves only as far as somebody waits for it: a poll that
    /// promises too late a time hangs here.
    fn settle(&mut self) {
        self.client.let_go();
        let mut at_once = 0;
        for _ in 0..MOST_TURNS {
            if self.client.is_done() && self.nodes.iter().all(Node::is_done) {
                return;
            }
            let next = self.turn();
            at_once += 1;
            assert!(
                at_once < MOST_AT_ONCE,
                "does not come to rest: {next:?} at {:?}\n{}",
                self.network.now(),
                self.client.waits_for()
            );
            if next == PollAt::Now {
                continue;
            }
            let before = self.network.now();
            self.sleep(next);
            if self.network.now() > before {
                at_once = 0;
            } else if !self.test_server.tasks.is_empty() {
                // The game's own work advances by frames.
                self.network.advance(Duration::from_millis(1));
            }
        }
        panic!("hang:\n{}", self.client.waits_for());
    }

    /// Sleeps until something happens on the network, at the latest until a turn is due.
    fn sleep(&mut self, next: PollAt) {
        let until = match next {
            PollAt::At(at) => {
                let left = at.saturating_duration_since(self.network.now());
                // In small steps: at most a second of the time between two polls counts, and
                // the game's own work advances by frames.
                let step = if self.test_server.tasks.is_empty() {
                    900
                } else {
                    50
                };
                Some(left.min(Duration::from_millis(step)))
            }
            PollAt::Now | PollAt::Io | PollAt::Idle => None,
        };
        // A wait for nothing does not sleep.
        if self.random.one_in(2) {
            self.client.agent.wait(until);
        } else {
            self.test_server.server.wait(until).unwrap();
        }
    }

    /// Nothing is left when all is over.
    fn rest(mut self) -> Vec<String> {
        self.client.agent.close_idle_connections();
        self.test_server.tasks.clear();
        // Silent connections time out.
        for _ in 0..1000 {
            self.turn();
            self.network.advance(Duration::from_millis(200));
            let open = self.network.open_connections() + self.test_server.server.metrics().open;
            if open == 0 && self.test_server.tasks.is_empty() {
                break;
            }
        }
        self.turn();
        self.client.check_rest();
        self.test_server.close();
        assert_eq!(self.network.open_connections(), 0, "left open");
        self.log.take_entries()
    }
}

fn earlier(one: PollAt, other: PollAt) -> PollAt {
    match (one, other) {
        (PollAt::Now, _) | (_, PollAt::Now) => PollAt::Now,
        (PollAt::At(one), PollAt::At(other)) => PollAt::At(one.min(other)),
        (at @ PollAt::At(_), _) | (_, at @ PollAt::At(_)) => at,
        (PollAt::Io, _) | (_, PollAt::Io) => PollAt::Io,
        (PollAt::Idle, PollAt::Idle) => PollAt::Idle,
    }
}
