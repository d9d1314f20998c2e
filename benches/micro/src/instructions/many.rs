//! What may grow with the number of requests or connections.

use std::time::Duration;

use httpoll::agent::{PoolLimits, RequestOptions};
use httpoll::server::{Server, ServerLimits, ServerTimeouts};
use httpoll::{Agent, Event, Phase, RequestHandle, Timeouts};

use crate::counted;
use crate::other_ends::OtherEnds;

const PATIENCE: Option<Duration> = Some(Duration::from_millis(10));

/// A poll and the look for its events, with as many requests that the server never responds to.
pub(crate) fn agent_idle(iterations: usize, requests: usize) {
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
    for _ in 0..10 {
        agent.poll();
    }
    counted(|| {
        for _ in 0..iterations {
            agent.poll();
            assert!(agent.next_event().is_none());
        }
    });
}

/// A poll of a server with as many clients that send nothing.
pub(crate) fn server_idle(iterations: usize, connections: usize) {
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
    for _ in 0..10 {
        server.poll().unwrap();
    }
    counted(|| {
        for _ in 0..iterations {
            server.poll().unwrap();
        }
    });
}

/// Cancels as many requests one after another, none of whose events was pulled.
pub(crate) fn cancel(requests: usize) {
    let (_server, address) = OtherEnds::silent_server();
    let mut pool = PoolLimits::default();
    pool.total = 1;
    let mut agent = Agent::builder().pool(pool).build();
    let url = format!("http://{address}/");
    let handles: Vec<RequestHandle> = (0..requests)
        .map(|_| agent.get(&url).send().unwrap())
        .collect();
    agent.poll_with(&httpoll::Budget::unlimited());
    counted(|| {
        for handle in &handles {
            agent.cancel(handle.id());
        }
        assert!(agent.next_event().is_none());
    });
}

/// Sends a request to each of as many hosts.
pub(crate) fn hosts(hosts: usize) {
    let mut pool = PoolLimits::default();
    pool.total = 1;
    let mut agent = Agent::builder().pool(pool).build();
    for number in 0..hosts {
        let url = format!("http://127.{}.{}.1:9/", number / 250, number % 250);
        agent.get(url).send().unwrap().detach();
    }
    counted(|| agent.poll_with(&httpoll::Budget::unlimited()));
}

/// Sends as many downloads to files, each to a host that does not respond.
pub(crate) fn files(downloads: usize) {
    let folder = std::env::temp_dir().join("httpoll-instructions");
    std::fs::create_dir_all(&folder).unwrap();
    let mut agent = Agent::new();
    for number in 0..downloads {
        let file = folder.join(number.to_string());
        let request = agent.get("http://127.0.0.1:9/").download_to(file);
        request.send().unwrap().detach();
    }
    counted(|| agent.poll_with(&httpoll::Budget::unlimited()));
    drop(agent);
    let _ = std::fs::remove_dir_all(folder);
}
