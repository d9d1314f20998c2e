//! One GET on a kept-alive connection, until its content was taken. Over the in-memory network, which
//! makes no system call: what the machines cost (and, for allocations, that network as well). Over the
//! loopback interface with a server by hand on the same thread: what they allocate, the system's work
//! included in the time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use divan::Bencher;
use httpoll::memory::{MemoryNetwork, Peer};
use httpoll::server::{Request, Response, Server};
use httpoll::{Agent, Bytes, Event, HttpClient, Method, Status};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";

#[divan::bench]
fn in_memory_http_client(bencher: Bencher) {
    let network = answering_network();
    let mut http = HttpClient::on_memory(&network);
    http.connect_to_host("10.0.0.1", 80, None).unwrap();
    while http.get_status() != Status::Connected {
        http.poll().unwrap();
    }
    bencher.bench_local(|| get_by_http_client(&mut http, || true));
}

#[divan::bench]
fn in_memory_agent(bencher: Bencher) {
    let mut agent = Agent::on_memory(&answering_network());
    bencher.bench_local(|| get_by_agent(&mut agent, "http://10.0.0.1/", || true));
}

#[divan::bench]
fn in_memory_server(bencher: Bencher) {
    let network = MemoryNetwork::new();
    let mut server = Server::builder().on_memory(&network, address()).unwrap();
    server
        .route("GET", "/", |_: &mut Request| {
            Response::content("text/plain", Bytes::from_static(b"Hello, World!"))
        })
        .unwrap();
    let mut client = network.connect(address()).unwrap();
    while server.metrics().open == 0 {
        server.poll().unwrap();
    }
    let mut answer = [0; 1024];
    bencher.bench_local(|| {
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n")
            .unwrap();
        server.poll().unwrap();
        // What was written is here when the network is looked at again.
        server.poll().unwrap();
        let length = client.read(&mut answer).unwrap();
        assert!(answer[..length].ends_with(b"World!"));
    });
}

#[divan::bench]
fn over_sockets_http_client(bencher: Bencher) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut http = HttpClient::new();
    http.connect_to_host("127.0.0.1", port.into(), None)
        .unwrap();
    while http.get_status() != Status::Connected {
        http.wait(None).unwrap();
    }
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_nonblocking(true).unwrap();
    bencher.bench_local(|| get_by_http_client(&mut http, || answer(&mut peer)));
}

#[divan::bench]
fn over_sockets_agent(bencher: Bencher) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    let mut agent = Agent::new();
    let mut peer = None;
    bencher.bench_local(|| {
        get_by_agent(&mut agent, &url, || {
            if peer.is_none() {
                peer = listener.accept().ok().map(|(peer, _)| peer);
                if let Some(peer) = &peer {
                    peer.set_nonblocking(true).unwrap();
                }
            }
            peer.as_mut().is_some_and(answer)
        })
    });
}

/// Asks, polls until `serve` has answered, takes the content.
fn get_by_http_client(http: &mut HttpClient, mut serve: impl FnMut() -> bool) -> Bytes {
    http.request(Method::Get, "/", &[], "").unwrap();
    http.poll().unwrap();
    while !serve() {
        http.poll().unwrap();
    }
    while http.get_status() == Status::Requesting {
        http.poll().unwrap();
    }
    let content = http.read_response_body_chunk().unwrap();
    assert_eq!(content.len(), 13);
    while http.get_status() == Status::Body {
        http.poll().unwrap();
    }
    content
}

/// The same.
fn get_by_agent(
    agent: &mut Agent,
    url: &str,
    mut serve: impl FnMut() -> bool,
) -> Box<httpoll::Response> {
    agent.get(url).send().unwrap().detach();
    agent.poll();
    while !serve() {
        agent.poll();
    }
    loop {
        while let Some(event) = agent.next_event() {
            match event {
                Event::Done { response, .. } => return response,
                Event::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
        agent.poll();
    }
}

/// Reads one request and answers it; `false` when none has come yet.
fn answer(peer: &mut TcpStream) -> bool {
    let mut request = [0; 4096];
    let Ok(length) = peer.read(&mut request) else {
        return false;
    };
    assert!(request[..length].ends_with(b"\r\n\r\n"));
    peer.write_all(ANSWER).unwrap();
    true
}

fn answering_network() -> MemoryNetwork {
    let network = MemoryNetwork::new();
    network.serve(address(), || {
        |peer: &mut Peer| {
            if peer.received().ends_with(b"\r\n\r\n") {
                peer.take_received();
                peer.send(ANSWER);
            }
        }
    });
    network
}

fn address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 80))
}
