//! What may grow with the number of requests or connections.

use httpoll::agent::PoolLimits;
use httpoll::{Agent, RequestHandle};

use crate::counted;
use crate::open_connections::{idle_server, waiting_agent};
use crate::other_ends::OtherEnds;

/// A poll and the look for its events, with as many requests that the server never responds to.
pub(crate) fn agent_idle(iterations: usize, requests: usize) {
    let (_server, mut agent, _handles) = waiting_agent(requests);
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
    let (mut server, _clients) = idle_server(connections);
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
