#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use super::*;
use crate::agent::{Agent, Request};
use crate::node::{HttpClient, Method, Status};
use crate::server::Server;

/// Polls an idle group of nodes, an agent and servers, and returns how often that asked the system in
/// ten polls.
fn calls_of_ten_idle_polls(group: &PollGroup, address: SocketAddr) -> usize {
    let mut server = Server::builder().group(group).bind(address).unwrap();
    server.pull("GET", "/").unwrap();
    let address = server.local_addr();
    let mut other = Server::builder().group(group).bind((address.ip(), 0));
    let mut agent = Agent::builder().group(group).build();
    let url = format!("http://{address}/");
    let _held = agent.send(Request::get(&url)).unwrap();
    let mut nodes: Vec<HttpClient> = (0..5).map(|_| HttpClient::in_group(group)).collect();
    for node in &mut nodes {
        let (host, port) = (address.ip().to_string(), i32::from(address.port()));
        node.connect_to_host(&host, port, None).unwrap();
    }
    // Requests are never pulled.
    let budget = Budget::unlimited();
    let mut poll = |nodes: &mut Vec<HttpClient>| {
        let mut members: Vec<&mut dyn GroupMember> = vec![&mut server, &mut agent];
        members.extend(other.iter_mut().map(|it| it as &mut dyn GroupMember));
        members.extend(nodes.iter_mut().map(|it| it as &mut dyn GroupMember));
        group.poll(&budget, &mut members).unwrap().changed
    };
    while nodes
        .iter()
        .any(|node| node.get_status() != Status::Connected)
    {
        poll(&mut nodes);
    }
    for node in &mut nodes {
        node.request(Method::Get, "/", &[], "").unwrap();
    }
    let mut quiet = 0;
    while quiet < 100 {
        quiet = if poll(&mut nodes) { 0 } else { quiet + 1 };
        std::thread::yield_now();
    }
    let before = group.poller().calls();
    for _ in 0..10 {
        assert!(!poll(&mut nodes));
    }
    group.poller().calls() - before
}

#[test]
fn an_idle_poll_of_a_group_is_one_system_call() {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    assert_eq!(calls_of_ten_idle_polls(&PollGroup::new(), loopback), 10);
}

#[test]
fn an_idle_poll_in_memory_asks_the_network_once() {
    let network = MemoryNetwork::new();
    let group = PollGroup::on_memory(&network);
    let address = SocketAddr::from(([10, 0, 0, 1], 80));
    assert_eq!(calls_of_ten_idle_polls(&group, address), 10);
}
