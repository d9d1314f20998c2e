//! Polls in which nothing can be done are idle, whatever the requests wait for.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::SocketAddr;
use std::time::Duration;

use crate::agent::agent::{Agent, Backend};
use crate::agent::event::Event;
use crate::budget::BusyPoll;
use crate::error::ErrorKind;
use crate::memory::{ConnectError, MemoryNetwork};
use crate::phase::Phase;

fn is_idle(agent: &Agent) -> bool {
    let Backend::Inline(engine) = &agent.backend else {
        panic!("the engine has no thread");
    };
    engine.find_idle(BusyPoll::Off).is_some()
}

fn last_event(agent: &mut Agent) -> Option<Event> {
    std::iter::from_fn(|| agent.next_event()).last()
}

#[test]
fn polls_are_idle_while_no_server_accepts_the_connections() {
    let network = MemoryNetwork::new();
    let address = SocketAddr::from(([10, 9, 9, 8], 80));
    network.refuse(address, ConnectError::BlackHole);
    let mut agent = Agent::on_memory(&network);
    for _ in 0..3 {
        agent.get("http://10.9.9.8/").send().unwrap().detach();
    }
    agent.poll();
    assert!(last_event(&mut agent).is_some());
    for _ in 0..3 {
        network.advance(Duration::from_millis(16));
        agent.poll();
        assert!(last_event(&mut agent).is_none() && is_idle(&agent));
    }
    // The deadline still ends them.
    network.advance(Duration::from_secs(1));
    let mut timeouts = 0;
    for _ in 0..60 {
        agent.poll();
        while let Some(event) = agent.next_event() {
            if let Event::Failed { error, .. } = event {
                assert_eq!(*error.kind(), ErrorKind::Timeout(Phase::Connect));
                timeouts += 1;
            }
        }
        network.advance(Duration::from_secs(1));
    }
    assert_eq!(timeouts, 3);
}

#[test]
fn a_name_lookup_is_looked_at_in_each_poll() {
    let network = MemoryNetwork::new();
    let address = SocketAddr::from(([10, 9, 9, 8], 80));
    network.add_slow_name("slow.example", &[address.ip()], Duration::from_secs(1));
    network.refuse(address, ConnectError::BlackHole);
    let mut agent = Agent::on_memory(&network);
    agent.get("http://slow.example/").send().unwrap().detach();
    agent.poll();
    last_event(&mut agent);
    agent.poll();
    assert!(!is_idle(&agent));
    network.advance(Duration::from_secs(2));
    agent.poll();
    last_event(&mut agent);
    agent.poll();
    assert!(is_idle(&agent));
}
