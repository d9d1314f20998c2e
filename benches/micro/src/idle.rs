//! A poll in which nothing happens, with many connections open, over real sockets of the loopback
//! interface: it should cost one system call, allocate nothing, and not grow with the connections.

use divan::Bencher;

use crate::open_connections::{idle_server, waiting_agent};
use crate::other_ends::sizes;

/// Requests that were sent and that the server never answers.
#[divan::bench(args = sizes())]
fn agent_with_requests_held_open(bencher: Bencher, requests: usize) {
    let (_server, mut agent, _handles) = waiting_agent(requests);
    bencher.bench_local(|| agent.poll());
}

/// Clients that are connected and ask nothing.
#[divan::bench(args = sizes())]
fn server_with_idle_connections(bencher: Bencher, connections: usize) {
    let (mut server, _clients) = idle_server(connections);
    bencher.bench_local(|| server.poll().unwrap());
}
