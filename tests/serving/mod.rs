//! What the tests of the server share: a server on the in-memory network, and clients that speak raw
//! bytes, driven in frames of virtual time.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpoll::Budget;
use httpoll::memory::{MemoryNetwork, MemoryStream};
use httpoll::server::{Request, Response, Server, ServerBuilder};

/// The length of a frame of virtual time.
pub const FRAME: Duration = Duration::from_millis(10);

/// The date of a network's first second.
pub const DATE: &str = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n";

pub fn address() -> SocketAddr {
    "10.0.0.1:80".parse().unwrap()
}

/// A server and its network.
pub struct TestServer {
    pub network: MemoryNetwork,
    pub server: Server,
    pub budget: Budget,
}

/// A client that sends and receives raw bytes.
pub struct Raw {
    stream: Option<MemoryStream>,
    pub received: Vec<u8>,
    /// The server ended its side, or reset the connection.
    pub closed: bool,
    pub reset: bool,
}

pub fn test_server() -> TestServer {
    test_server_with(Server::builder())
}

pub fn test_server_with(builder: ServerBuilder) -> TestServer {
    let network = MemoryNetwork::new();
    let server = builder.on_memory(&network, address()).unwrap();
    TestServer {
        network,
        server,
        budget: Budget::unlimited(),
    }
}

impl TestServer {
    /// One poll, and time for what was sent to arrive; no time passes.
    pub fn poll(&mut self) {
        let now = self.network.now();
        self.server.poll_at(now, &self.budget.clone()).unwrap();
    }

    /// One frame.
    pub fn frame(&mut self) {
        self.network.advance(FRAME);
        self.poll();
    }

    /// Lets this time pass, in frames.
    pub fn pass(&mut self, time: Duration) {
        let mut passed = Duration::ZERO;
        while passed < time {
            self.frame();
            passed += FRAME;
        }
    }

    pub fn connect(&mut self) -> Raw {
        let stream = self.network.connect(address()).unwrap();
        self.poll();
        Raw {
            stream: Some(stream),
            received: Vec::new(),
            closed: false,
            reset: false,
        }
    }

    /// Starts to connect: the server has not polled yet.
    pub fn begin_connect(&mut self) -> Raw {
        Raw {
            stream: Some(self.network.connect(address()).unwrap()),
            received: Vec::new(),
            closed: false,
            reset: false,
        }
    }

    /// Sends all of `bytes` and polls until nothing more comes back.
    pub fn send(&mut self, client: &mut Raw, bytes: impl AsRef<[u8]>) -> String {
        client.write(bytes.as_ref());
        self.settle(client)
    }

    /// Polls until nothing more arrives; returns what arrived since the last call.
    pub fn settle(&mut self, client: &mut Raw) -> String {
        let start = client.received.len();
        let mut quiet = 0;
        while quiet < 3 {
            self.poll();
            quiet = if client.read() { 0 } else { quiet + 1 };
        }
        String::from_utf8_lossy(&client.received[start..]).into_owned()
    }

    /// What a new connection gets for these bytes.
    pub fn ask(&mut self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.connect();
        self.send(&mut client, bytes)
    }

    /// The response to `GET target`.
    pub fn get(&mut self, target: &str) -> String {
        self.ask(format!("GET {target} HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n"))
    }
}

impl Raw {
    /// Writes all that the network takes.
    pub fn write(&mut self, mut bytes: &[u8]) -> usize {
        let mut written = 0;
        while !bytes.is_empty() {
            match self.stream.as_mut().unwrap().write(bytes) {
                Ok(count) => {
                    written += count;
                    bytes = &bytes[count..];
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                Err(error) => panic!("{error}"),
            }
        }
        written
    }

    /// Writes if the connection is there; returns whether it was.
    pub fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.stream.as_mut().unwrap().write(bytes).is_ok()
    }

    /// Reads all that has arrived; returns whether that was anything.
    pub fn read(&mut self) -> bool {
        let mut anything = false;
        let mut buffer = [0; 16 * 1024];
        while !self.closed
            && let Some(stream) = &mut self.stream
        {
            match stream.read(&mut buffer) {
                Ok(0) => {
                    self.closed = true;
                    anything = true;
                }
                Ok(count) => {
                    self.received.extend_from_slice(&buffer[..count]);
                    anything = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.closed = true;
                    self.reset = true;
                    anything = true;
                }
            }
        }
        anything
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    /// Closes this side cleanly.
    pub fn half_close(&mut self) {
        self.stream.as_mut().unwrap().shutdown_write();
    }

    pub fn reset(&mut self) {
        self.stream.take().unwrap().reset();
    }

    pub fn hang_up(&mut self) {
        self.stream = None;
    }
}

/// The status of a response.
pub fn status(response: &str) -> u16 {
    response
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no response: {response:?}"))
}

/// The content of a response.
pub fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// The first value of a header of a response.
pub fn header<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    headers(response, name).into_iter().next()
}

/// All values of a header of a response.
pub fn headers<'a>(response: &'a str, name: &str) -> Vec<&'a str> {
    let head = response.split("\r\n\r\n").next().unwrap();
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .filter(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect()
}

/// A list that handlers and hooks write into.
#[derive(Clone, Default)]
pub struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub fn add(&self, note: impl Into<String>) {
        self.0.lock().unwrap().push(note.into());
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A handler that responds with `text`.
pub fn answers(text: &'static str) -> impl FnMut(&mut Request) -> Response + Send + 'static {
    move |_| Response::text(text)
}
