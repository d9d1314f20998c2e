//! What requests, connections and idle polls allocate, over real sockets of the loopback interface,
//! counted on this thread alone. `cargo test --test allocations --features server -- --nocapture`
//! prints the figures. A separate test program, because `allocation_counter` replaces the allocator.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use allocation_counter::{AllocationInfo, measure};
use httpoll::server::{Request, Response, Server};
use httpoll::{
    Agent, Budget, Bytes, Event, GroupMember, HttpClient, Method, PollGroup, Polled, RequestHandle,
    Status, agent::PoolLimits,
};

/// The most allocations that one GET on a kept-alive connection may take, over what the user keeps of
/// it (head and content). Today's figures: lower them when they fall.
const NODE_GET: u64 = 8;
/// The same for the agent, with the request that is built, and let run without a handle.
const AGENT_GET: u64 = 2;
/// The same with a handle that is dropped when the response is there.
const AGENT_GET_HELD: u64 = 3;
/// The most that answering one may take, with the caller's handler.
const SERVER_GET: u64 = 7;

/// The most bytes of heap for a plain connection whose request the server does not answer, with the
/// request's. Each client is a whole reactor with its own receive buffer of 256 KiB. One or two of the fifty
/// clients may hold a second buffer when they are counted: 5 KiB of the average each.
const NODE_CONNECTION: u64 = 278_800;
/// The same for a request of an agent, whose receive buffer is one for all.
const AGENT_CONNECTION: u64 = 4_096;
/// The same for a connection to a server that asks nothing. mio holds more for a socket on Windows.
const SERVER_CONNECTION: u64 = if cfg!(windows) { 1_300 } else { 1_100 };

/// How many connections are held open, and as many again.
const CONNECTIONS: usize = 50;
/// Exchanges before any is counted, and those that are.
const WARM: usize = 200;
const COUNTED: usize = 101;

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";

#[test]
fn an_idle_poll_of_a_client_allocates_nothing() {
    let (mut http, mut peer) = connected_client();
    no_allocation("connected", || http.poll().unwrap());
    http.request(Method::Get, "/", &[], "").unwrap();
    http.poll().unwrap();
    no_allocation("waiting for a head", || http.poll().unwrap());
    peer.write_all(&ANSWER[..ANSWER.len() - 1]).unwrap();
    until(|| {
        http.poll().unwrap();
        http.get_status() == Status::Body
    });
    until(|| !http.read_response_body_chunk().unwrap().is_empty());
    no_allocation("waiting for content", || http.poll().unwrap());
}

#[test]
fn an_idle_poll_of_an_agent_allocates_nothing() {
    let (mut agent, _handles, _peers) = agent_with_held_requests(CONNECTIONS);
    no_allocation("requests held open", || agent.poll());
}

#[test]
fn an_idle_poll_of_a_server_allocates_nothing() {
    let (mut server, _clients) = server_with_idle_connections(CONNECTIONS);
    no_allocation("idle connections", || server.poll().unwrap());
}

#[test]
fn an_idle_poll_of_a_group_allocates_nothing() {
    let group = PollGroup::new();
    let (mut http, _peer) = connected_client();
    http.join(&group);
    let (mut agent, _handles, _peers) = agent_with_held_requests(1);
    let mut server = Server::builder().group(&group).bind("127.0.0.1:0").unwrap();
    let mut members: [&mut dyn GroupMember; 3] = [&mut http, &mut agent, &mut server];
    let budget = Budget::default();
    no_allocation("a client, an agent and a server", || {
        group.poll(&budget, &mut members).unwrap()
    });
}

#[test]
fn a_get_of_a_client_allocates_no_more_than_now() {
    let (mut http, mut peer) = connected_client();
    let mut kept = None;
    let per_get = per_exchange(|| {
        let total = measure(|| kept = Some(get_by_client(&mut http, &mut peer)));
        (total, measure(|| kept = None))
    });
    at_most("HttpClient: allocations a GET", per_get, NODE_GET);
}

#[test]
fn a_get_of_an_agent_allocates_no_more_than_now() {
    let get = |what, is_held, most| {
        let listener = listener();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let mut agent = Agent::new();
        let mut peer = None;
        let mut kept = None;
        let per_get = per_exchange(|| {
            let total = measure(|| {
                let handle = agent.get(&url).send().unwrap();
                let held = if is_held {
                    Some(handle)
                } else {
                    handle.detach();
                    None
                };
                let peer = peer.get_or_insert_with(|| accept(&listener, || _ = agent.poll()));
                answer(peer, || _ = agent.poll());
                kept = Some(response_of(&mut agent));
                drop(held);
            });
            (total, measure(|| kept = None))
        });
        at_most(what, per_get, most);
    };
    get("Agent: allocations a GET", false, AGENT_GET);
    get("Agent: allocations a GET, held", true, AGENT_GET_HELD);
}

#[test]
fn an_answer_of_a_server_allocates_no_more_than_now() {
    let mut server = server();
    server
        .route("GET", "/", |_: &mut Request| {
            Response::content("text/plain", Bytes::from_static(b"Hello, World!"))
        })
        .unwrap();
    let address = server.local_addr();
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut client = TcpStream::connect(address).unwrap();
    client.set_nonblocking(true).unwrap();
    let per_answer = per_exchange(|| {
        client.write_all(request.as_bytes()).unwrap();
        let total = measure(|| {
            until(|| {
                server.poll().unwrap();
                client.read(&mut [0; 1024]).is_ok_and(|length| length > 13)
            });
        });
        (total, AllocationInfo::default())
    });
    at_most("Server: allocations an answer", per_answer, SERVER_GET);
}

#[test]
fn a_held_open_connection_takes_no_more_heap_than_now() {
    let node = heap_each(|count| {
        (0..count)
            .map(|_| {
                let (mut http, peer) = connected_client();
                http.request(Method::Get, "/events", &[], "").unwrap();
                http.poll().unwrap();
                (http, peer)
            })
            .collect::<Vec<_>>()
    });
    let agent = heap_each(agent_with_held_requests);
    let server = heap_each(server_with_idle_connections);
    at_most("HttpClient: bytes a connection", node, NODE_CONNECTION);
    at_most("Agent: bytes a request", agent, AGENT_CONNECTION);
    at_most("Server: bytes a connection", server, SERVER_CONNECTION);
}

/// The heap that each connection more takes: what all share is not counted.
fn heap_each<T>(open: impl Fn(usize) -> T) -> u64 {
    let heap = |count| {
        let mut held = None;
        measure(|| held = Some(open(count))).bytes_current
    };
    let more = heap(2 * CONNECTIONS) - heap(CONNECTIONS);
    u64::try_from(more).unwrap() / CONNECTIONS as u64
}

fn no_allocation(what: &str, mut poll: impl FnMut() -> Polled) {
    // What happened before may need a poll or two to be seen.
    for _ in 0..3 {
        poll();
    }
    let allocated = measure(|| (0..100).for_each(|_| assert!(!poll().changed)));
    assert_eq!(allocated.count_total, 0, "{what}: {allocated:?}");
}

/// What `exchange` allocates, less what is freed with what it kept. The median: now and then a
/// collection grows.
fn per_exchange(mut exchange: impl FnMut() -> (AllocationInfo, AllocationInfo)) -> u64 {
    for _ in 0..WARM {
        exchange();
    }
    let mut counts: Vec<u64> = (0..COUNTED)
        .map(|_| {
            let (total, dropping) = exchange();
            total.count_total - dropping.count_current.unsigned_abs()
        })
        .collect();
    counts.sort_unstable();
    counts[COUNTED / 2]
}

fn at_most(what: &str, count: u64, most: u64) {
    println!("{what}: {count}, at most {most}");
    assert!(count <= most, "{what}: {count}, allowed are {most}");
}

/// Polls until something came, which the loopback interface may take a while to bring.
fn until(mut done: impl FnMut() -> bool) {
    assert!((0..1_000_000).any(|_| done()), "it never came");
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn connected_client() -> (HttpClient, TcpStream) {
    let listener = listener();
    let port = listener.local_addr().unwrap().port();
    let mut http = HttpClient::new();
    http.connect_to_host("127.0.0.1", port.into(), None)
        .unwrap();
    while http.get_status() != Status::Connected {
        http.wait(None).unwrap();
    }
    (http, listener.accept().unwrap().0)
}

fn agent_with_held_requests(count: usize) -> (Agent, Vec<RequestHandle>, Vec<TcpStream>) {
    let listener = listener();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let mut pool = PoolLimits::default();
    pool.total = count;
    pool.per_host = count;
    let mut agent = Agent::builder().pool(pool).build();
    let mut peers = Vec::with_capacity(count);
    let mut handles = Vec::with_capacity(count);
    for _ in 0..count {
        handles.push(agent.get(&url).send().unwrap());
        peers.push(accept(&listener, || _ = agent.poll()));
        while agent.next_event().is_some() {}
    }
    for peer in &mut peers {
        // Polled until its head is there.
        peer.set_nonblocking(true).unwrap();
        until(|| {
            agent.poll();
            peer.read(&mut [0; 4096]).is_ok()
        });
    }
    while agent.next_event().is_some() {}
    (agent, handles, peers)
}

fn server() -> Server {
    Server::builder().bind_local(0).unwrap()
}

fn server_with_idle_connections(count: usize) -> (Server, Vec<TcpStream>) {
    let mut server = server();
    let address: SocketAddr = server.local_addr();
    let mut clients = Vec::with_capacity(count);
    for connections in 1..=count {
        clients.push(TcpStream::connect(address).unwrap());
        until(|| {
            server.poll().unwrap();
            server.metrics().open == connections
        });
    }
    (server, clients)
}

/// Head and content of one response.
fn get_by_client(
    http: &mut HttpClient,
    peer: &mut TcpStream,
) -> (httpoll::proto::ResponseHead, Bytes) {
    http.request(Method::Get, "/", &[], "").unwrap();
    answer(peer, || _ = http.poll().unwrap());
    until(|| {
        http.poll().unwrap();
        http.get_status() != Status::Requesting
    });
    let head = http.get_response_head().unwrap().clone();
    let content = http.read_response_body_chunk().unwrap();
    assert_eq!(content.len(), 13);
    until(|| {
        http.poll().unwrap();
        http.get_status() == Status::Connected
    });
    (head, content)
}

fn response_of(agent: &mut Agent) -> Box<httpoll::Response> {
    let mut done = None;
    until(|| {
        agent.poll();
        while let Some(event) = agent.next_event() {
            match event {
                Event::Done { response, .. } => done = Some(response),
                Event::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
        done.is_some()
    });
    done.unwrap()
}

/// Polls until a request arrived, and responds to it.
fn answer(peer: &mut TcpStream, mut poll: impl FnMut()) {
    peer.set_nonblocking(true).unwrap();
    until(|| {
        poll();
        peer.read(&mut [0; 4096]).is_ok()
    });
    peer.write_all(ANSWER).unwrap();
}

/// Polls until a connection arrived.
fn accept(listener: &TcpListener, mut poll: impl FnMut()) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let mut accepted = None;
    until(|| {
        poll();
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    accepted.unwrap().0
}
