//! Many open connections on which nothing happens: an agent's and a server's.

use std::time::Duration;

use httpoll::agent::{PoolLimits, RequestOptions};
use httpoll::server::{Server, ServerLimits, ServerTimeouts};
use httpoll::{Agent, Event, Phase, RequestHandle, Timeouts};

use crate::other_ends::OtherEnds;

const PATIENCE: Option<Duration> = Some(Duration::from_millis(10));

/// An agent with as many requests that were sent and that its server never responds to.
pub(crate) fn waiting_agent(requests: usize) -> (OtherEnds, Agent, Vec<RequestHandle>) {
    let (server, address) = OtherEnds::silent_server();
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
    let handles: Vec<RequestHandle> = (0..requests)
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
    (server, agent, handles)
}

/// A server with as many clients that send nothing.
pub(crate) fn idle_server(connections: usize) -> (Server, OtherEnds) {
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
    let clients = OtherEnds::idle_clients(server.local_addr(), connections);
    while server.metrics().open < connections {
        server.wait(PATIENCE).unwrap();
    }
    while server.wait(PATIENCE).unwrap().changed {}
    (server, clients)
}
