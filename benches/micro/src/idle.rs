//! A poll in which nothing happens, with many connections open, over real sockets of the loopback
//! interface: it should cost one system call, allocate nothing, and not grow with the connections.

use std::time::Duration;

use divan::Bencher;
use httpoll::agent::RequestOptions;
use httpoll::server::{Server, ServerLimits, ServerTimeouts};
use httpoll::{Agent, Event, Phase, RequestHandle, Timeouts, agent::PoolLimits};

use crate::other_ends::{OtherEnds, sizes};

const PATIENCE: Option<Duration> = Some(Duration::from_millis(10));

/// Requests that were sent and that the server never answers.
#[divan::bench(args = sizes())]
fn agent_with_requests_held_open(bencher: Bencher, requests: usize) {
    let (_server, address) = OtherEnds::silent_server();
    let mut pool = PoolLimits::default();
    pool.total = requests;
    pool.per_host = requests;
    let mut agent = Agent::builder()
        .pool(pool)
        .defaults(RequestOptions::new().timeouts(Timeouts::with(|it| {
            it.connect = None;
            it.head = None;
        })))
        .build();
    let url = format!("http://{address}/events");
    let _handles: Vec<RequestHandle> = (0..requests)
        .map(|_| agent.get(&url).send().unwrap())
        .collect();
    let mut sent = 0;
    while sent < requests {
        agent.wait(PATIENCE);
        while let Some(event) = agent.next_event() {
            match event {
                Event::Failed { error, .. } => panic!("{error}"),
                Event::Phase {
                    phase: Phase::SendHead,
                    ..
                } => sent += 1,
                _ => {}
            }
        }
    }
    while agent.wait(PATIENCE).changed {}
    bencher.bench_local(|| agent.poll());
}

/// Clients that are connected and ask nothing.
#[divan::bench(args = sizes())]
fn server_with_idle_connections(bencher: Bencher, connections: usize) {
    let mut limits = ServerLimits::default();
    limits.connections = connections;
    limits.connections_per_ip = connections;
    let mut timeouts = ServerTimeouts::default();
    timeouts.idle = None;
    let mut server = Server::builder()
        .limits(limits)
        .timeouts(timeouts)
        .bind_local(0)
        .unwrap();
    let _clients = OtherEnds::idle_clients(server.local_addr(), connections);
    while server.metrics().open < connections {
        server.wait(PATIENCE).unwrap();
    }
    while server.wait(PATIENCE).unwrap().changed {}
    bencher.bench_local(|| server.poll().unwrap());
}
