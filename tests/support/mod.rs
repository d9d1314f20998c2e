//! What the tests of the node share: an in-memory server with a script, and a client driven in
//! frames of virtual time.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::memory::{MemoryNetwork, MemoryStream, Peer};
use httpoll::{Error, HttpClient, Method, Status, node::Transition};

/// The length of a frame of virtual time.
pub const FRAME: Duration = Duration::from_millis(10);

/// More frames than any test needs.
const MOST_FRAMES: usize = 20_000;

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The server that most tests talk to.
pub fn server() -> SocketAddr {
    address("10.0.0.1:80")
}

/// Everything a server was sent.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn add(&self, bytes: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(bytes);
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}

/// Serves `address`: responds to each request head with the next response; the last one repeats. A
/// response that ends with `<close>` closes, one that ends with `<reset>` resets.
pub fn serve(network: &MemoryNetwork, at: SocketAddr, responses: &[&[u8]]) -> Log {
    let log = Log::default();
    let seen = log.clone();
    let responses: Arc<[Vec<u8>]> = responses.iter().map(|it| it.to_vec()).collect();
    network.serve(at, move || {
        let (seen, responses) = (seen.clone(), responses.clone());
        let mut next = 0;
        move |peer: &mut Peer| {
            while let Some(end) = find(peer.received(), b"\r\n\r\n") {
                seen.add(&peer.take(end + 4));
                respond(peer, &responses[next.min(responses.len() - 1)]);
                next += 1;
            }
        }
    });
    log
}

fn respond(peer: &mut Peer, response: &[u8]) {
    if let Some(bytes) = response.strip_suffix(b"<close>") {
        peer.send(bytes);
        peer.close();
    } else if let Some(bytes) = response.strip_suffix(b"<reset>") {
        peer.send(bytes);
        peer.reset();
    } else {
        peer.send(response);
    }
}

pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// A client on a network with one scripted server, connected to it.
pub fn connected(responses: &[&[u8]]) -> (MemoryNetwork, HttpClient, Log) {
    let network = MemoryNetwork::new();
    let log = serve(&network, server(), responses);
    let mut http = HttpClient::on_memory(&network);
    connect(&network, &mut http);
    (network, http, log)
}

pub fn connect(network: &MemoryNetwork, http: &mut HttpClient) {
    http.connect_to_host(&server().ip().to_string(), 80, None)
        .unwrap();
    until(network, http, |http| http.get_status() == Status::Connected);
}

/// A client whose server is played by the test.
pub fn listening() -> (MemoryNetwork, HttpClient, MemoryStream) {
    let network = MemoryNetwork::new();
    network.listen(server());
    let mut http = HttpClient::on_memory(&network);
    connect(&network, &mut http);
    let stream = network.accept(server()).unwrap();
    (network, http, stream)
}

/// Polls, a frame after another, until `done`; errors of polls end it, too.
pub fn until(network: &MemoryNetwork, http: &mut HttpClient, done: impl Fn(&HttpClient) -> bool) {
    for _ in 0..MOST_FRAMES {
        if done(http) || http.poll().is_err() {
            return;
        }
        network.advance(FRAME);
    }
    panic!("still {} after {MOST_FRAMES} frames", http.get_status());
}

/// Polls until the response head is there, or the request failed.
pub fn until_head(network: &MemoryNetwork, http: &mut HttpClient) {
    until(network, http, |http| {
        http.get_status() != Status::Requesting
    });
}

/// Takes all content, a frame after another.
pub fn content(
    network: &MemoryNetwork,
    http: &mut HttpClient,
) -> Result<Vec<u8>, (Vec<u8>, Error)> {
    let mut content = Vec::new();
    for _ in 0..MOST_FRAMES {
        if http.get_status() != Status::Body {
            return match http.get_error() {
                Some(error) => Err((content, error.clone())),
                None => Ok(content),
            };
        }
        if let Err(error) = http.poll() {
            return Err((content, error));
        }
        while http.get_status() == Status::Body {
            match http.read_response_body_chunk() {
                Ok(chunk) if chunk.is_empty() => break,
                Ok(chunk) => content.extend_from_slice(&chunk),
                Err(error) => return Err((content, error)),
            }
        }
        network.advance(FRAME);
    }
    panic!("content without end");
}

/// A whole GET on a connected client.
pub fn get(network: &MemoryNetwork, http: &mut HttpClient) -> (u16, Vec<u8>) {
    http.request(Method::Get, "/", &[], "").unwrap();
    until_head(network, http);
    if let Some(error) = http.get_error() {
        panic!("{error}");
    }
    let code = http.get_response_code();
    (code, content(network, http).unwrap())
}

/// What one response leads to: the error of a GET that must fail.
pub fn failure(response: &[u8]) -> Error {
    let (network, mut http, _) = connected(&[response]);
    http.request(Method::Get, "/", &[], "").unwrap();
    until_head(&network, &mut http);
    if let Some(error) = http.get_error() {
        return error.clone();
    }
    content(&network, &mut http).unwrap_err().1
}

pub fn transitions(http: &mut HttpClient) -> Vec<Status> {
    let mut all: Vec<Status> = Vec::new();
    while let Some(Transition { from, to }) = http.next_transition() {
        match all.last() {
            None => all.push(from),
            Some(last) => assert_eq!(*last, from, "transitions must join"),
        }
        all.push(to);
    }
    all
}
