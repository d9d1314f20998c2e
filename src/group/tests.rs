#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::*;
use crate::agent::{Agent, Event, Request};
use crate::memory::MemoryStream;
use crate::node::{HttpClient, Method, Status};
use crate::server::guard::Guard;
use crate::server::{Response, Server};

/// Polls an idle group of nodes, an agent and servers, and returns how often that asked the system: in ten polls,
/// and in ten frames with a second poll.
fn calls_of_ten_idle_polls(group: &PollGroup, address: SocketAddr) -> (usize, usize) {
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
    // Requests are pulled and never responded to.
    let mut pulled = Vec::new();
    let budget = Budget::unlimited();
    let mut poll = |nodes: &mut Vec<HttpClient>, is_second: bool| {
        let mut members: Vec<&mut dyn GroupMember> = vec![&mut server, &mut agent];
        members.extend(other.iter_mut().map(|it| it as &mut dyn GroupMember));
        members.extend(nodes.iter_mut().map(|it| it as &mut dyn GroupMember));
        let polled = if is_second {
            group.poll_again(&budget, &mut members)
        } else {
            group.poll(&budget, &mut members)
        };
        while agent.next_event().is_some() {}
        pulled.extend(std::iter::from_fn(|| server.next_request()));
        polled.unwrap().changed
    };
    while nodes
        .iter()
        .any(|node| node.get_status() != Status::Connected)
    {
        poll(&mut nodes, false);
    }
    for node in &mut nodes {
        node.request(Method::Get, "/", &[], "").unwrap();
    }
    let mut quiet = 0;
    while quiet < 100 {
        quiet = if poll(&mut nodes, false) {
            0
        } else {
            quiet + 1
        };
        std::thread::yield_now();
    }
    let before = group.poller().calls();
    for _ in 0..10 {
        assert!(!poll(&mut nodes, false));
    }
    let between = group.poller().calls();
    for _ in 0..10 {
        assert!(!poll(&mut nodes, false));
        assert!(!poll(&mut nodes, true));
    }
    (between - before, group.poller().calls() - between)
}

#[test]
fn an_idle_poll_of_a_group_is_one_system_call_and_a_second_one_none() {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    assert_eq!(
        calls_of_ten_idle_polls(&PollGroup::new(), loopback),
        (10, 10)
    );
}

#[test]
fn an_idle_poll_in_memory_asks_the_network_once() {
    let network = MemoryNetwork::new();
    let group = PollGroup::on_memory(&network);
    let address = SocketAddr::from(([10, 0, 0, 1], 80));
    assert_eq!(calls_of_ten_idle_polls(&group, address), (10, 10));
}

/// An agent and a server of one group in memory. The agent's peer is the test.
struct Frames {
    network: MemoryNetwork,
    group: PollGroup,
    agent: Agent,
    server: Server,
    /// The responses that arrived.
    responses: Vec<String>,
}

const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 80);

impl Frames {
    fn new() -> Self {
        let network = MemoryNetwork::new();
        network.listen(PEER);
        let group = PollGroup::on_memory(&network);
        let mut server = Server::builder()
            .group(&group)
            .guard(Guard::open())
            .bind("10.0.0.1:80")
            .unwrap();
        server.pull("GET", "/").unwrap();
        let agent = Agent::builder().group(&group).build();
        let mut frames = Self {
            network,
            group,
            agent,
            server,
            responses: Vec::new(),
        };
        frames.poll();
        assert_eq!(frames.poll_again(), 0, "nothing to do");
        frames
    }

    fn poll(&mut self) {
        let members: &mut [&mut dyn GroupMember] = &mut [&mut self.server, &mut self.agent];
        self.group.poll(&Budget::unlimited(), members).unwrap();
        self.pull();
    }

    /// A client of the server.
    fn connect(&self) -> MemoryStream {
        let address = self.server.local_addr();
        let stream = self.network.connect(address).unwrap();
        self.network.advance(Duration::ZERO);
        stream
    }

    /// Returns how often it asked the network.
    fn poll_again(&mut self) -> u64 {
        let before = self.network.polls();
        let members: &mut [&mut dyn GroupMember] = &mut [&mut self.server, &mut self.agent];
        self.group
            .poll_again(&Budget::unlimited(), members)
            .unwrap();
        self.pull();
        self.network.polls() - before
    }

    fn pull(&mut self) {
        while let Some(event) = self.agent.next_event() {
            if let Event::Done { response, .. } = event {
                self.responses.push(response.text());
            }
        }
    }
}

/// What has arrived at this end.
fn read(network: &MemoryNetwork, stream: &mut MemoryStream) -> String {
    network.advance(Duration::ZERO);
    let mut bytes = vec![0; 4096];
    let count = stream.read(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

#[test]
fn a_second_poll_sends_the_requests_of_the_frame_and_loses_no_response() {
    let mut frames = Frames::new();
    let ask = |frames: &mut Frames, path: &str| {
        let request = Request::get(format!("http://10.0.0.2{path}"));
        frames.agent.send(request).unwrap()
    };
    let first = ask(&mut frames, "/1");
    assert!(frames.poll_again() > 0);
    let mut peer = frames.network.accept(PEER).unwrap();
    frames.poll();
    assert!(read(&frames.network, &mut peer).starts_with("GET /1 HTTP/1.1\r\n"));
    frames.poll();
    // What arrives between the two polls waits for the next frame.
    peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        .unwrap();
    assert_eq!(frames.poll_again(), 0);
    assert_eq!(frames.responses, [""; 0]);
    frames.poll();
    assert_eq!(frames.responses, ["hi"]);
    drop(first);
    frames.poll();
    assert_eq!(frames.poll_again(), 0);
    // The connection was kept.
    let second = ask(&mut frames, "/2");
    assert!(frames.poll_again() > 0);
    assert!(read(&frames.network, &mut peer).starts_with("GET /2 HTTP/1.1\r\n"));
    frames.poll();
    drop(second);
    frames.poll_again();
    assert_eq!(read(&frames.network, &mut peer), "", "it is closed");
}

#[test]
fn a_second_poll_sends_the_responses_of_the_frame() {
    let mut frames = Frames::new();
    let mut client = frames.connect();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n")
        .unwrap();
    frames.poll();
    let mut request = frames.server.next_request().unwrap();
    let responder = request.defer();
    assert_eq!(frames.poll_again(), 0);
    responder.respond(Response::text("late"));
    frames.poll_again();
    assert!(read(&frames.network, &mut client).ends_with("\r\n\r\nlate"));
    // The next request waits for the next frame.
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n")
        .unwrap();
    frames.poll_again();
    frames.poll();
    assert!(frames.server.next_request().is_some());
}

#[test]
fn a_second_poll_goes_on_with_what_the_first_had_to_leave() {
    let mut frames = Frames::new();
    frames.server.pull("POST", "/").unwrap();
    let mut client = frames.connect();
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: 10.0.0.1\r\nContent-Length: 100000\r\n\r\n")
        .unwrap();
    client.write_all(&[b'x'; 100_000]).unwrap();
    let little = Budget::unlimited().with_bytes(1000);
    let members: &mut [&mut dyn GroupMember] = &mut [&mut frames.server, &mut frames.agent];
    frames.group.poll(&little, members).unwrap();
    assert!(frames.server.next_request().is_none());
    assert!(frames.poll_again() > 0);
    assert!(frames.server.next_request().is_some());
}

#[test]
fn a_deadline_between_two_polls_of_a_frame_finds_what_arrived_before_it() {
    let mut frames = Frames::new();
    let limit = Duration::from_millis(500);
    let request = Request::get("http://10.0.0.2/").total_timeout(limit);
    let _request = frames.agent.send(request).unwrap();
    frames.poll_again();
    let mut peer = frames.network.accept(PEER).unwrap();
    frames.poll();
    peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        .unwrap();
    frames.network.advance(Duration::from_millis(800));
    frames.poll_again();
    assert_eq!(frames.responses, ["hi"]);
}
