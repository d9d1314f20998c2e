//! What arrived is read before more is sent: if the peer has closed, what is sent causes a reset, and with a reset Windows
//! discards what was not read.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::agent::WebSocketOptions;
use httpoll::memory::{MemoryNetwork, MemoryStream};
use httpoll::server::websocket::{Options, WebSocket};
use httpoll::server::{Content, Piece, Request, Response, Server};
use httpoll::websocket::WebSocketMessage;
use httpoll::{Agent, Budget, Event, HttpClient, Method, Status};

use crate::{address, content};

/// A server that responds with 413 to the first content and closes. What arrives later causes a reset.
struct Refusing {
    network: MemoryNetwork,
    stream: Option<MemoryStream>,
}

impl Refusing {
    fn new(network: &MemoryNetwork) -> Self {
        network.listen(address());
        Self {
            network: network.clone(),
            stream: None,
        }
    }

    /// To be called after each poll of the client.
    fn step(&mut self) {
        self.network.advance(Duration::from_millis(1));
        if let Some(stream) = self.network.accept(address()) {
            self.stream = Some(stream);
        }
        // All that has arrived: a close that leaves something unread is a reset at once.
        let has_request = |stream: &mut MemoryStream| {
            let mut received = Vec::new();
            let _ = stream.read_to_end(&mut received);
            !received.is_empty()
        };
        if let Some(mut stream) = self.stream.take_if(has_request) {
            let response = b"HTTP/1.1 413 No\r\nContent-Length: 8\r\n\r\ntoo much";
            stream.write_all(response).unwrap();
            drop(stream);
            self.network.advance(Duration::from_millis(1));
        }
    }
}

/// A network where a poll that only sent would use this budget up, and the next one would find the reset.
fn narrow_network() -> (MemoryNetwork, Refusing, Budget) {
    let network = MemoryNetwork::new();
    network.imitate_windows();
    network.set_capacity(10_000);
    let server = Refusing::new(&network);
    (network, server, Budget::unlimited().with_bytes(2000))
}

#[test]
fn an_early_response_is_read_before_more_content_causes_a_reset() {
    let (network, mut server, budget) = narrow_network();
    let mut http = HttpClient::on_memory(&network);
    http.connect_to_host("10.0.0.1", 80, None).unwrap();
    while http.get_status() != Status::Connected {
        http.poll().unwrap();
        server.step();
    }
    http.request(Method::Put, "/", &[], content()).unwrap();
    while http.get_status() == Status::Requesting {
        http.poll_at(network.now(), &budget).unwrap();
        server.step();
    }
    assert_eq!(http.get_response_code(), 413);
    assert_eq!(http.read_response_body_chunk().unwrap(), "too much");
}

#[test]
fn an_early_response_to_an_agent_is_read_before_more_content_causes_a_reset() {
    let (network, mut server, budget) = narrow_network();
    let mut agent = Agent::on_memory(&network);
    let put = httpoll::Request::put("http://10.0.0.1/").body(content());
    agent.send(put.expect_continue(None)).unwrap().detach();
    loop {
        agent.poll_with(&budget);
        server.step();
        match agent.next_event() {
            Some(Event::Done { response, .. }) => {
                assert_eq!(
                    (response.status().as_u16(), response.text()),
                    (413, "too much".into())
                );
                return;
            }
            Some(Event::Failed { error, .. }) => panic!("{error}"),
            _ => {}
        }
    }
}

/// The frame of a text message of a client with the masking key 0 (RFC 6455 §5.2).
fn masked(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// A client that the test drives itself, with its handshake done.
fn open_client(network: &MemoryNetwork, server: &mut Server) -> (MemoryStream, WebSocket) {
    let mut client = network.connect(address()).unwrap();
    server.poll().unwrap();
    client
        .write_all(
            b"GET /socket HTTP/1.1\r\nHost: 10.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        )
        .unwrap();
    server.poll().unwrap();
    let mut request = server.next_request().unwrap();
    let socket = request.accept_websocket(Options::default()).unwrap();
    server.poll().unwrap();
    network.advance(Duration::from_millis(1));
    let mut head = [0; 1000];
    let count = client.read(&mut head).unwrap();
    assert!(head[..count].starts_with(b"HTTP/1.1 101 "));
    (client, socket)
}

/// A poll that only sends uses this up.
fn small() -> Budget {
    Budget::unlimited().with_bytes(2000)
}

#[test]
fn a_server_reads_the_messages_of_a_client_that_has_gone_before_it_sends_more() {
    let network = MemoryNetwork::new();
    network.imitate_windows();
    let mut server = Server::builder().on_memory(&network, address()).unwrap();
    server.pull("GET", "/socket").unwrap();
    let (mut client, mut socket) = open_client(&network, &mut server);
    for text in ["one", "two", "three"] {
        client.write_all(&masked(text)).unwrap();
    }
    drop(client);
    socket.send(content()[..100_000].to_vec()).unwrap();
    let mut received = Vec::new();
    for _ in 0..100 {
        server.poll_at(network.now(), &small()).unwrap();
        network.advance(Duration::from_millis(1));
        received.extend(std::iter::from_fn(|| socket.receive()));
    }
    let expected = ["one", "two", "three"].map(WebSocketMessage::from);
    assert_eq!(received, expected);
    assert!(socket.is_closed());
}

#[test]
fn an_agent_reads_the_messages_of_a_server_that_has_gone_before_it_sends_more() {
    let network = MemoryNetwork::new();
    network.imitate_windows();
    let mut server = Server::builder().on_memory(&network, address()).unwrap();
    server.pull("GET", "/").unwrap();
    let mut agent = Agent::on_memory(&network);
    let request = httpoll::Request::get("ws://10.0.0.1/").web_socket(WebSocketOptions::default());
    let id = agent.send(request).unwrap().detach();
    let (mut sockets, mut is_open) = (Vec::new(), false);
    while !is_open {
        agent.poll();
        server.poll().unwrap();
        let asked = std::iter::from_fn(|| server.next_request());
        sockets.extend(asked.map(|mut it| it.accept_websocket(Options::default()).unwrap()));
        network.advance(Duration::from_millis(1));
        is_open = std::iter::from_fn(|| agent.next_event())
            .any(|event| matches!(event, Event::WebSocketOpen { .. }));
    }
    for text in ["one", "two", "three"] {
        sockets[0].send(text).unwrap();
    }
    server.poll().unwrap();
    drop(server);
    network.advance(Duration::from_millis(1));
    let large = WebSocketMessage::from(content()[..100_000].to_vec());
    agent.send_message(id, large).unwrap();
    let mut received = Vec::new();
    let mut has_failed = false;
    for _ in 0..100 {
        agent.poll_with(&small());
        network.advance(Duration::from_millis(1));
        while let Some(event) = agent.next_event() {
            match event {
                Event::WebSocketMessage { message, .. } => received.push(message),
                Event::Failed { .. } => has_failed = true,
                _ => {}
            }
        }
    }
    let expected = ["one", "two", "three"].map(WebSocketMessage::from);
    assert_eq!(received, expected);
    assert!(has_failed);
}

#[test]
fn a_server_reads_the_content_of_a_client_that_has_gone_before_it_sends_more() {
    let network = MemoryNetwork::new();
    network.imitate_windows();
    let mut server = Server::builder().on_memory(&network, address()).unwrap();
    let taken: Arc<Mutex<Option<Content>>> = Arc::default();
    let kept = Arc::clone(&taken);
    server
        .route("POST", "/both", move |request: &mut Request| {
            let mut wanted = request.take_content().unwrap();
            assert!(matches!(wanted.next(), Piece::Pending));
            *kept.lock().unwrap() = Some(wanted);
            Response::content("application/octet-stream", content())
        })
        .unwrap()
        .at_head();
    let mut client = network.connect(address()).unwrap();
    server.poll_at(network.now(), &small()).unwrap();
    let head = "POST /both HTTP/1.1\r\nHost: 10.0.0.1\r\nContent-Length: 1500\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    server.poll_at(network.now(), &small()).unwrap();
    network.advance(Duration::from_millis(1));
    // With bytes that it did not read, its end would be a reset at once.
    while client.read(&mut [0; 4000]).is_ok_and(|count| count > 0) {}
    client.write_all(&content()[..1500]).unwrap();
    drop(client);
    let mut received = Vec::new();
    let mut is_whole = false;
    for _ in 0..100 {
        server.poll_at(network.now(), &small()).unwrap();
        network.advance(Duration::from_millis(1));
        let mut taken = taken.lock().unwrap();
        while let Some(content) = taken.as_mut() {
            match content.next() {
                Piece::Bytes(bytes) => received.extend_from_slice(&bytes),
                Piece::Pending => break,
                Piece::End(_) => {
                    is_whole = true;
                    break;
                }
                other => panic!("{} bytes, then {other:?}", received.len()),
            }
        }
    }
    assert!(received == content()[..1500]);
    assert!(is_whole);
}

#[test]
fn a_client_that_sends_without_end_does_not_keep_a_web_socket_from_sending() {
    let network = MemoryNetwork::new();
    network.set_capacity(8000);
    let mut server = Server::builder().on_memory(&network, address()).unwrap();
    server.pull("GET", "/socket").unwrap();
    let (mut client, mut socket) = open_client(&network, &mut server);
    let flood = masked(&"x".repeat(100));
    let mut rest = Vec::new();
    socket.send("through").unwrap();
    let mut received = Vec::new();
    for _ in 0..200 {
        loop {
            if rest.is_empty() {
                rest.clone_from(&flood);
            }
            match client.write(&rest) {
                Ok(count) => drop(rest.drain(..count)),
                Err(_) => break,
            }
        }
        server
            .poll_at(network.now(), &Budget::unlimited().with_bytes(1000))
            .unwrap();
        network.advance(Duration::from_millis(1));
        while socket.receive().is_some() {}
        let mut piece = [0; 100];
        if let Ok(count) = client.read(&mut piece) {
            received.extend_from_slice(&piece[..count]);
        }
    }
    assert_eq!(received, b"\x81\x07through");
}
